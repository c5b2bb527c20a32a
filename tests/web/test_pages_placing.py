"""Pages of placing: what a geocoder would be asked, starting it, and treating doubtful points."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl
import pytest

from jiqun.core.actor import LOCAL
from jiqun.intake import desk, place_room
from jiqun.store.worker import work

sys.path.insert(0, str(Path(__file__).parents[1] / "intake"))
from fake_geocoders import KEY, serving  # a fake that both kinds of test ask


@pytest.fixture
def firms(workspace):
    rows = pl.DataFrame(
        {
            "企业名称": ["甲公司", "乙公司", "丙公司"],
            "地址": ["深圳市南山区科技南路1号", "深圳市南山区科技南路2号", "深圳市南山区科技南路3号"],
            "经度": [None, 91.9, -113.95],
            "纬度": [None, 30.0, 22.53],
        }
    )
    desk.load(LOCAL, workspace, rows, "organisations")
    return workspace


def form(page, action, **more):
    """Send the form of a page with what it holds hidden."""
    found = re.search(rf'<form action="{re.escape(action)}" method="post">(.*?)</form>', page.text, re.DOTALL)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[1]))
    return action, fields | more


def test_the_plan_is_shown_before_anything_is_asked(firms, signed_in):
    page = signed_in("analyst").get("/placing?provider=amap&lang=en")
    assert page.status_code == 200
    assert "Would be asked for" in page.text
    assert "There is no key for this service yet." in page.text
    assert "Start asking" not in page.text


def test_a_service_without_a_key_is_refused_in_words(firms, signed_in):
    browser = signed_in("operator")
    _, fields = form(browser.get("/placing/points?lang=en"), "/placing/points")
    asked = {"provider": "baidu", "table": "organisations", "key": fields["key"], "csrf": fields["csrf"]}
    sent = browser.post("/placing", data=asked)
    assert sent.status_code == 422
    assert "JIQUN_BAIDU_KEY" in sent.text
    assert browser.post("/placing", data=asked | {"csrf": ""}).status_code == 403


@pytest.fixture
def keyed(monkeypatch):
    with serving("amap") as fake:
        for name, value in {"KEY": KEY, "URL": fake.url, "PER_SECOND": "0"}.items():
            monkeypatch.setenv(f"JIQUN_AMAP_{name}", value)
        yield fake


def test_geocoding_is_started_and_its_outcome_shown(keyed, firms, signed_in):
    browser = signed_in("analyst")
    page = browser.get("/placing?provider=amap&lang=en")
    action, fields = form(page, "/placing")
    sent = browser.post(action, data=fields, follow_redirects=True)
    assert "Started; it goes on when you leave this page." in sent.text
    work(firms, place_room.HANDLERS, once=True, threads=1)
    page = browser.get("/placing?lang=en")
    assert "1 asked, 1 found, 0 left; 1 rows placed" in page.text
    assert "高德" in page.text
    assert KEY not in page.text
    assert keyed.asked == ["广东省深圳市南山区科技南路1号"]


def test_doubtful_points_are_listed_and_treated(firms, signed_in):
    browser = signed_in("analyst")
    page = browser.get("/placing/points?lang=en")
    assert "2 points do not fit their rows" in page.text
    assert "-113.9500, 22.5300" in page.text
    assert "→ 113.9500, 22.5300" in page.text
    action, fields = form(page, "/placing/points")
    assert fields["fix"] == "drop"
    sent = browser.post(action, data=fields, follow_redirects=True)
    assert "Noted; the table is being placed anew." in sent.text
    work(firms, place_room.HANDLERS, once=True, threads=1)
    assert "1 point does not fit its row" in browser.get("/placing/points?lang=en").text
    rows = {row["name"]: row for row in firms.scan("organisations").collect().iter_rows(named=True)}
    assert rows["乙公司"]["placed_by"] == "address"
    page = browser.get("/placing/points?lang=en")
    assert "<h2>Decided</h2>" in page.text
    undo = re.search(r'name="row" value="([^"]+)"><input type="hidden" name="fix" value="undo"', page.text)[1]
    sent = browser.post(action, data={**fields, "row": undo, "fix": "undo", "key": "undo-of-this-test"})
    assert sent.status_code == 303
    work(firms, place_room.HANDLERS, once=True, threads=1)
    assert "2 points do not fit their rows" in browser.get("/placing/points?lang=en").text
    assert "<h2>Decided</h2>" not in browser.get("/placing/points?lang=en").text


def test_points_can_be_asked_for_by_code_and_in_chinese(firms, signed_in):
    page = signed_in("operator").get("/placing/points?code=JQ-PLACE-016&lang=zh")
    assert "1 个坐标与本行不符" in page.text
    assert "改正负号" in page.text


def test_without_a_table_the_pages_say_so(workspace, browse, signed_in):
    page = signed_in("analyst").get("/placing/points?table=sites&lang=en")
    assert page.status_code == 200
    assert "Nothing is doubtful here." in page.text


@pytest.mark.parametrize("role", ["member", "auditor"])
def test_others_are_refused(firms, signed_in, role):
    assert signed_in(role).get("/placing").status_code == 403
    assert signed_in(role).get("/placing/points").status_code == 403
