"""Signing in: forms cannot be forged, sessions cannot be fixed, every role finds its pages and no other's."""

from __future__ import annotations

import re
from html import escape

import pytest

from jiqun.web.visitor import FORM, SESSION

FORMS = "/sign-in"


def token(page):
    return re.search(r'name="csrf" value="([\w-]+)"', page.text)[1]


def shown(account):
    return escape(account.name).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def sign_in(browser, login, password, **fields):
    form = {"csrf": token(browser.get("/sign-in")), "login": login, "password": password, **fields}
    return browser.post("/sign-in", data=form)


def test_the_right_password_signs_in_and_goes_on(client, people, password):
    answer = sign_in(client, people["analyst"].login, password, next="/help?a=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/help?a=1")
    (cookie,) = (cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith(f"{SESSION}="))
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert shown(people["analyst"]) in client.get("/help").text


def test_over_https_the_cookie_is_bound_to_the_host(browse, people, password):
    browser = browse("https://localhost")
    answer = sign_in(browser, people["member"].login, password)
    cookies = [cookie for cookie in answer.headers.get_list("set-cookie") if SESSION in cookie and "lang" not in cookie]
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__Host-")
        assert "secure" in cookie.lower()
        assert "domain" not in cookie.lower()


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(client, people, password, next_):
    assert sign_in(client, people["analyst"].login, password, next=next_).headers["location"] == "/"
    assert "evil.example" not in client.get("/help").text


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(client, people):
    wrong = sign_in(client, people["analyst"].login, "not the password")
    unknown = sign_in(client, "nobody@example.org", "not the password")
    assert wrong.status_code == unknown.status_code
    problems = [re.search(r'<p class="problem".*?</p>', answer.text, re.S)[0] for answer in (wrong, unknown)]
    assert problems[0] == problems[1]
    assert SESSION not in client.cookies
    assert "not the password" not in wrong.text


def test_guessing_locks_the_account_for_a_while(browse, people, password):
    login = people["auditor"].login
    answers = [sign_in(browse(), login, f"guess number {i}") for i in range(12)]
    assert {answer.status_code for answer in answers} <= {401, 403, 422, 429}
    assert sign_in(browse(), login, password).status_code != 303


@pytest.mark.parametrize("path", ["/sign-in"])
def test_a_form_needs_the_token_of_its_own_browser(client, browse, people, password, path):
    form = {"login": people["analyst"].login, "password": password}
    other = token(browse().get(path))
    client.get(path)
    for csrf in ({}, {"csrf": ""}, {"csrf": "x" * 64}, {"csrf": other}, {"csrf": "集群"}):
        answer = client.post(path, data=form | csrf)
        assert answer.status_code == 403, csrf
        assert "JQ-WEB-009" in answer.text
    assert SESSION not in client.cookies


@pytest.mark.parametrize("name", ["csrf", "login"])
def test_half_a_character_in_a_form_is_refused(client, people, password, name):
    """UTF-7 can write one, and a multipart form may name its charset; pages that read a form themselves rely on this."""
    form = {"csrf": token(client.get("/sign-in")), "login": people["analyst"].login, "password": password}
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s' % (field.encode(), value.encode("utf-7"))
        for field, value in (form | {name: "\ud800"}).items()
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}
    answer = client.post("/sign-in", content=b"\r\n".join([*parts, b"--x--\r\n"]), headers=headers)
    assert answer.status_code == 400
    assert "JQ-WEB-012" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "https://localhost"},
    ],
)
def test_a_form_of_another_site_is_refused_whatever_it_carries(client, people, password, headers):
    form = {"csrf": token(client.get("/sign-in")), "login": people["analyst"].login, "password": password}
    answer = client.post("/sign-in", data=form, headers=headers)
    assert answer.status_code == 403
    assert "JQ-WEB-010" in answer.text


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin", "origin": "http://localhost"}, {"sec-fetch-site": "none"}]
)
def test_a_form_of_this_site_passes(client, people, password, headers):
    form = {"csrf": token(client.get("/sign-in")), "login": people["analyst"].login, "password": password}
    assert client.post("/sign-in", data=form, headers=headers).status_code == 303


def test_a_session_given_by_an_attacker_is_not_taken_over(client, people, password):
    client.cookies.set(SESSION, "chosen-by-an-attacker", domain="localhost.local")
    sign_in(client, people["analyst"].login, password)
    now = client.cookies.get(SESSION, domain="localhost.local")
    assert now != "chosen-by-an-attacker"


def test_each_sign_in_makes_a_new_session_and_ends_the_one_before(browse, signed_in, people, password):
    browser = signed_in("analyst")
    first = browser.cookies.get(SESSION)
    csrf = token(browser.get("/help"))
    again = browser.post("/sign-in", data={"csrf": csrf, "login": people["analyst"].login, "password": password})
    assert again.status_code == 303
    assert browser.cookies.get(SESSION) != first
    assert token(browser.get("/help")) != csrf
    thief = browse(cookie=f"{SESSION}={first}")
    assert shown(people["analyst"]) not in thief.get("/help").text


def test_signing_out_ends_the_session_on_the_server(browse, signed_in, people):
    browser = signed_in("analyst")
    secret = browser.cookies.get(SESSION)
    assert browser.post("/sign-out", data={"csrf": "wrong"}).status_code == 403
    assert shown(people["analyst"]) in browser.get("/help").text
    answer = browser.post("/sign-out", data={"csrf": token(browser.get("/help"))})
    assert answer.status_code == 303
    assert shown(people["analyst"]) not in browse(cookie=f"{SESSION}={secret}").get("/help").text


def test_a_forged_form_cookie_is_replaced(client):
    for cookie in ("x", "a.b.c", "a.99999999999.0000", ".", "集群"):
        client.cookies.clear()
        answer = client.get("/sign-in", headers={"cookie": f"{FORM}={cookie}".encode()})
        assert FORM in answer.headers["set-cookie"]
