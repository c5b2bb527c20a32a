"""The page of changes without scripts: any two loads compared, filtered, downloaded; and who may see it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from test_pages_imports import Elements, form, opened
from web_people import HOSTILE

from jiqun.core.actor import LOCAL
from jiqun.intake import comparing, desk, room
from jiqun.store.worker import work


@pytest.fixture
def analyst(signed_in):
    return signed_in("analyst")


def load_again(workspace, change, as_of="2024-08-01"):
    """Load the register once more, changed."""
    rows = workspace.scan("organisations").select("name", "city", "region", "country").collect()
    desk.load(LOCAL, workspace, change(rows), "organisations", as_of=as_of)


def test_with_one_load_the_page_says_what_is_missing(analyst):
    page = opened(analyst, "/imports/changes")
    assert "has no snapshot before" in page
    assert "JQ-" not in page
    assert "/imports/changes" in opened(analyst, "/imports")


def test_two_loads_are_compared_filtered_and_downloaded(analyst, workspace):
    load_again(workspace, lambda rows: rows[3:])
    page = opened(analyst, "/imports/changes")
    assert "These two loads were not compared yet." in page
    answer = analyst.post("/imports/changes", data=form(page, "/imports/changes"))
    assert answer.status_code == 303
    waiting = opened(analyst, answer.headers["location"])
    assert '<noscript><meta http-equiv="refresh"' in waiting
    work(workspace, room.HANDLERS, once=True, threads=1)
    page = opened(analyst, answer.headers["location"])
    compared = comparing.known(workspace, *comparing.between(workspace, "organisations", None, None))
    before, after = compared.summary.before, compared.summary.after
    assert after == before - 3
    assert f"{before} rows before + 0 new − 3 no longer listed = {after} rows after" in page
    assert "Estimated by the outlines" in page
    assert not Elements.of(page).hostile
    gone = opened(analyst, "/imports/changes?kind=gone")
    assert gone.count('<span class="hint">o0') == 3
    query = "?kind=gone"
    rows = list(csv.DictReader(io.StringIO(analyst.get(f"/imports/changes.csv{query}").text.lstrip("\ufeff"))))
    told = json.loads(analyst.get(f"/imports/changes.json{query}").content)
    assert [row["id"] for row in rows] == [row["id"] for row in told]
    assert {row["kind"] for row in told} == {"gone"}
    assert json.loads(analyst.get("/imports/changes.json?kind=merged").content) == []
    book = analyst.get(f"/imports/changes.xlsx{query}")
    assert (book.status_code, book.content[:2]) == (200, b"PK")
    assert analyst.get("/imports/changes.exe").status_code == 400
    # the search for clusters is one click away
    sent = analyst.post("/imports/changes/search", data=form(page, "/imports/changes/search"))
    assert sent.headers["location"].startswith("/jobs/")


def test_what_an_address_says_wrongly_is_no_error_of_ours(analyst, workspace):
    load_again(workspace, lambda rows: rows[3:])
    comparing.make(LOCAL, workspace, "organisations")
    for query in (
        "table=nothing",
        "kind=all",
        "start=-3",
        "start=9999999999999",
        "q=" + "x" * 500,
        "job=x",
        "table=%00",
    ):
        assert analyst.get(f"/imports/changes?{query}").status_code == 200
    said = opened(analyst, "/imports/changes?old=2020-01-01-000000000000")
    assert 'role="alert"' in said
    same = workspace.snapshot("organisations").id
    assert "cannot be compared with itself" in opened(analyst, f"/imports/changes?old={same}&new={same}")
    hostile = opened(analyst, "/imports/changes?q=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert not Elements.of(hostile).hostile
    assert len([name for name in HOSTILE if name]) > 0


def test_the_page_says_it_in_chinese(analyst, workspace):
    load_again(workspace, lambda rows: rows[3:])
    comparing.make(LOCAL, workspace, "organisations")
    page = opened(analyst, "/imports/changes?lang=zh")
    assert "新增 0，不再列出 3" in page
    assert "No longer listed" not in page


@pytest.mark.parametrize("role", ["member", "auditor"])
def test_changes_are_for_operators_and_analysts(signed_in, role):
    browser = signed_in(role)
    assert browser.get("/imports/changes").status_code == 403
    assert browser.get("/imports/changes.csv").status_code == 403


def test_signed_out_visitors_are_asked_to_sign_in(client):
    assert client.get("/imports/changes").status_code in {303, 401, 403}
