"""The layer around the pages: headers, hosts, bounds, caching, languages, errors."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re

import pytest
from starlette.testclient import TestClient
from web_people import routes

from jiqun.core.operation import Model
from jiqun.web.app import make_app
from jiqun.web.assets import assets
from jiqun.web.render import local
from jiqun.web.settings import WebSettings


def test_every_answer_carries_the_security_headers(app, client):
    for path in [*routes(app, "GET"), "/nowhere"]:
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin", path
        assert headers["cross-origin-opener-policy"] == "same-origin", path
        assert "camera=()" in headers["permissions-policy"], path
        assert headers["cache-control"], path
        assert "strict-transport-security" not in headers, path
        assert "server" not in headers, path


def test_https_brings_strict_transport_and_host_cookies(browse):
    answer = browse("https://localhost").get("/sign-in")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    cookies = answer.headers.get_list("set-cookie")
    assert any(cookie.startswith("__Host-jiqun-form=") and "Secure" in cookie for cookie in cookies)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "",
        "[::1",
        "127.0.0.1.evil",
        "x@localhost",
        "localhost/api/v1",
        "localhost?a",
    ],
)
def test_a_host_name_that_is_not_ours_is_refused(client, host):
    answer = client.get("/help", headers={"host": host})
    assert answer.status_code == 400
    assert "JQ-WEB-011" in answer.text


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "192.168.1.20:8000"])
def test_addresses_and_localhost_are_known(client, host):
    assert client.get("/help", headers={"host": host}).status_code == 200


def test_a_listed_host_is_known(workspace):
    app = make_app(workspace, WebSettings(public=True, hosts=("jiqun.example.org",)))
    client = TestClient(app, base_url="http://jiqun.example.org")
    assert client.get("/help").status_code == 200
    assert client.get("/help", headers={"host": "www.jiqun.example.org"}).status_code == 400


def test_a_client_that_asks_too_often_is_told_when_to_come_again(workspace):
    client = TestClient(
        make_app(workspace, WebSettings(public=True, requests_per_second=1)), base_url="http://localhost"
    )
    answers = [client.get("/help") for _ in range(8)]
    assert [answer.status_code for answer in answers[:4]] == [200] * 4
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "JQ-WEB-007" in answers[-1].text
    assert client.get("/api/v1/store/head").json()["code"] == "JQ-WEB-007"


def test_a_large_body_is_refused_before_it_is_read_and_while_it_comes(client):
    big = b"a=" + b"x" * 1_100_000
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-in", content=big, headers=form).status_code == 413

    def pieces():
        for _ in range(20):
            yield b"x" * 100_000

    answer = client.post("/sign-in", content=pieces(), headers=form)
    assert answer.status_code == 413
    assert "JQ-WEB-005" in answer.text


@pytest.mark.parametrize("length", ["-1", "abc", "1" * 30, "１"])
def test_a_length_that_is_none_is_refused(client, length):
    assert client.get("/help", headers={"content-length": length.encode()}).status_code in {400, 413}


def test_static_files_are_named_by_content_and_kept_for_good(client):
    for name, asset in assets().items():
        answer = client.get(asset.url)
        assert answer.status_code == 200, name
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.content == asset.content
        assert gzip.decompress(asset.small) == asset.content
    name, asset = next(iter(assets().items()))
    assert client.get(f"/static/0000000000000000/{name}").status_code == 404
    assert client.get("/static/0000000000000000/..%2f..%2fapp.py").status_code == 404
    assert client.get(asset.url, headers={"accept-encoding": "identity"}).headers.get("content-encoding") is None


def test_a_page_is_tagged_and_not_sent_twice(client):
    first = client.get("/help")
    again = client.get("/help", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert {"Cookie", "Accept-Language"} <= set(first.headers["vary"].split(", "))
    other = client.get("/help?lang=zh", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_pages_are_small_and_compressed(client):
    answer = client.get("/help", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 60_000
    assert sum(len(asset.small) for asset in assets().values()) < 60_000


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("fr,en;q=0.5,zh;q=0.4", "en"),
        ("zh;q=0,en;q=0.1", "en"),
        ("zh;q=nonsense,en", "en"),
        ("de", "en"),
        ("," * 5000, "en"),
    ],
)
def test_the_browser_says_the_language(client, accepted, tag):
    assert f'<html lang="{tag}">' in client.get("/help", headers={"accept-language": accepted}).text


def test_the_address_wins_and_is_remembered(client):
    assert '<html lang="zh-Hans">' in client.get("/help?lang=zh").text
    assert '<html lang="zh-Hans">' in client.get("/help", headers={"accept-language": "en"}).text
    page = client.get("/help?a=1&a=2&lang=en&done=x").text
    assert '<html lang="en">' in page
    assert 'href="/help?a=1&amp;a=2&amp;lang=zh"' in page
    assert '<html lang="en">' in client.get("/help?lang=xx").text


def test_errors_are_pages_in_the_readers_language(client):
    zh, en = client.get("/nowhere?lang=zh"), client.get("/nowhere?lang=en")
    assert (zh.status_code, en.status_code) == (404, 404)
    assert "没有这一页" in zh.text
    assert "There is no such page" in en.text
    answer = client.post("/help")
    assert (answer.status_code, "JQ-WEB-004" in answer.text) == (405, True)


def test_what_breaks_gets_a_number_and_no_traceback(app, client, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("jiqun.web.pages.help.page", broken)
    with caplog.at_level(logging.INFO, logger="jiqun.web"):
        answer = client.get("/help")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    number = re.search(r"the number (\w+)", answer.text)[1]
    assert f"error {number}" in caplog.text
    assert "content-security-policy" in answer.headers


def test_what_a_visitor_gets_wrong_is_theirs_and_what_we_get_wrong_is_ours(client, monkeypatch):
    class Answer(Model):
        count: int

    def broken(*_, **__):
        Answer.model_validate({"count": "many"})

    assert client.get("/clusters?min_firms=many").status_code == 422
    assert client.get("/api/v1/atlas/clusters?min_firms=many").status_code == 422
    monkeypatch.setattr("jiqun.web.pages.help.page", broken)
    answer = client.get("/help")
    assert (answer.status_code, "JQ-WEB-008" in answer.text) == (500, True)


def test_a_cursor_beyond_any_list_is_none(client):
    first = client.get("/api/v1/atlas/clusters?limit=1").json()["next"]
    start, version = json.loads(base64.urlsafe_b64decode(first + "=="))
    assert start == 1
    far = base64.urlsafe_b64encode(json.dumps([10**30, version]).encode()).decode().rstrip("=")
    answer = client.get(f"/api/v1/atlas/clusters?limit=1&cursor={far}")
    assert (answer.status_code, answer.json()["code"]) == (400, "JQ-USE-007")


def test_the_log_holds_routes_and_not_what_was_typed(client, caplog):
    with caplog.at_level(logging.INFO, logger="jiqun.web"):
        client.get("/help?q=Zhang+San&token=secret-token")
        client.get("/invitations/hidden-link")
    assert "Zhang" not in caplog.text
    assert "secret-token" not in caplog.text
    assert "hidden-link" not in caplog.text
    lines = [json.loads(record.message) for record in caplog.records if record.name == "jiqun.web"]
    assert lines[0]["route"] == "/help"
    assert lines[0]["status"] == 200


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "", None,
     "/\tevil", "/%0d%0aSet-Cookie:x\r\n", "///evil.example", "evil"],
)  # fmt: skip
def test_only_local_paths_are_gone_on_to(path):
    assert local(path) == "/"


def test_a_local_path_is_kept():
    assert local("/clusters?size=10&place=杭州") == "/clusters?size=10&place=杭州"
