"""The page of green efficiency: who sees it, what it computes, twins and files, what cannot be asked, a browser."""

from __future__ import annotations

import csv
import io
import re

import polars as pl
import pytest
from test_web_pages import check_harmless
from web_people import HOSTILE, NAMES

from jiqun.assess import green_room
from jiqun.assess.green_efficiency import green
from jiqun.web.visitor import SESSION

BASE = "/assess/green"
ASKED = "inputs=energy&outputs=output&undesirable=co2"
PARKS = pl.DataFrame(
    {
        "unit": [*HOSTILE[:4], "E", "F", "G", "H", "成都"],
        "energy": [2.0, 4, 8, 5, 6, 8, 3, 7, 9],
        "output": [2.0, 6, 8, 3, 6, 5, 3, 7, 4],
        "co2": [1.0, 6, 4, 4, 3, 6, 2, 7, 8],
    }
)
"""Synthetic; as the example of `green`, some with hostile names."""


@pytest.fixture
def loaded(workspace):
    """Parks of two years; in the later one a unit lacks a value, in the earlier all emit twice as much."""
    rows = PARKS.unpivot(index="unit", variable_name="indicator").with_columns(year=pl.lit(2023))
    before = rows.with_columns(
        year=pl.lit(2022), value=pl.when(pl.col("indicator") == "co2").then(pl.col("value") * 2).otherwise("value")
    )
    lacking = pl.DataFrame({"unit": ["Half <b>"], "indicator": ["energy"], "value": [3.0], "year": [2023]})
    lone = pl.DataFrame({"unit": ["E"], "indicator": ["water <b>"], "value": [0.0], "year": [2023]})
    whole = pl.concat([rows, before, lacking, lone], how="diagonal_relaxed")
    with workspace.new_snapshot("indicators", as_of="2023-12-31", source="made up") as writer:
        writer.write(whole.with_columns(id=pl.format("i{}", pl.int_range(pl.len()))))
    return workspace


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("role", ["public", *NAMES])
def test_who_may_see_it_finds_it_among_the_assessments(browse, signed_in, loaded, role, language):
    browser = browse() if role == "public" else signed_in(role)
    seen = role in {"operator", "analyst", "auditor"}
    assert (f'href="{BASE}"' in browser.get("/assess").text) == seen
    status = 200 if seen else (303 if role == "public" else 403)
    for path in ("", f"?{ASKED}", f".csv?{ASKED}", f".docx?{ASKED}", f"/green-slacks.json?{ASKED}"):
        answer = browser.get(f"{BASE}{path}{'&' if '?' in path else '?'}lang={language}")
        assert answer.status_code == status, path
        if seen and path in {"", f"?{ASKED}"}:
            check_harmless(answer.text, path)
            assert ("投入" if language == "zh" else "Inputs") in answer.text
            assert (">unit</th>" in answer.text) is False


def test_it_computes_what_the_library_does_and_says_whom_it_left_out(signed_in, loaded):
    analyst = signed_in("analyst")
    page = analyst.get(f"{BASE}?{ASKED}&lang=en").text
    expected = green(PARKS.sort("unit"), inputs=["energy"], outputs=["output"], bad=["co2"])
    best = int(expected.scores["efficient"].sum())
    assert f"{best} of 9 units are efficient" in page
    assert "Half &lt;b&gt; (1)" in page
    assert "2023, slacks-based measure" in page
    told = analyst.get(f"{BASE}.json?{ASKED}").json()
    assert [(row["unit"], row["with_bad"]) for row in told["scores"]] == [
        (unit, pytest.approx(score)) for unit, score in expected.scores.select("unit", "with_bad").rows()
    ]
    assert told["year"] == 2023
    assert told == analyst.get(f"/api/v1{BASE}?{ASKED}").json()
    for kind, code in (("inputs", "energy"), ("outputs", "output"), ("undesirable", "co2")):
        assert re.search(rf'name="{kind}" value="{code}" checked', page)
        assert page.count(f'name="{kind}"') == 4  # every code of the table, ticked or not
    assert page.count(" checked") == 3
    assert not [kind for kind in loaded.manifest().results if "green" in kind]


def test_another_year_is_another_comparison(signed_in, loaded):
    analyst = signed_in("analyst")
    old, new = (analyst.get(f"{BASE}.json?{ASKED}&year={year}").json() for year in (2022, 2023))
    co2 = [{row["unit"]: row["value"] for row in one["slacks"] if row["column"] == "co2"} for one in (old, new)]
    assert co2[0] == {unit: pytest.approx(2 * value) for unit, value in co2[1].items()}
    page = analyst.get(f"{BASE}?{ASKED}&year=2022&lang=en").text
    assert '<option value="2022" selected>' in page
    assert "year=2022" in re.search(r'href="(/assess/green\.docx[^"]+)"', page)[1]


def test_twins_and_files_hold_what_the_page_shows(signed_in, loaded):
    analyst = signed_in("analyst")
    page = analyst.get(f"{BASE}?{ASKED}").text
    twins = set(re.findall(rf'href="({BASE}/[\w-]+\.(?:csv|json)\?[^"]+)"', page))
    assert len(twins) == 6
    for twin in twins:
        assert analyst.get(twin.replace("&amp;", "&")).status_code == 200, twin
    rows = list(csv.DictReader(io.StringIO(analyst.get(f"{BASE}.csv?{ASKED}").text.lstrip("\ufeff"))))
    assert len(rows) == 9
    for ending, start in (("docx", b"PK"), ("xlsx", b"PK"), ("pdf", b"%PDF"), ("html", b"<!doctype")):
        answer = analyst.get(f"{BASE}.{ending}?{ASKED}")
        assert answer.content[:9].lower().startswith(start.lower()), ending


@pytest.mark.parametrize(
    ("asked", "at", "code"),
    [
        ("year=", "inputs", "JQ-ASSESS-032"),
        ("inputs=energy&undesirable=co2", "outputs", "JQ-ASSESS-032"),
        ("inputs=energy&outputs=output", "undesirable", "JQ-ASSESS-032"),
        (f"{ASKED}&year=<b>", "year", "JQ-ASSESS-032"),
        (f"{ASKED}&year=1999", "year", "JQ-ASSESS-024"),
        (f"{ASKED}{'&inputs=energy' * 7}", "inputs", "JQ-ASSESS-032"),
        (f"{ASKED}&inputs={'x' * 61}", "inputs", "JQ-ASSESS-032"),
        (f"{ASKED}&inputs=co2", "", "JQ-ASSESS-045"),
        (f"{ASKED}&inputs=<b>nix", "", "JQ-ASSESS-072"),
        (f"{ASKED}&inputs=water <b>", "", "JQ-ASSESS-040"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_cannot_be_asked_is_told_at_the_form(signed_in, loaded, asked, at, code, language):
    analyst = signed_in("analyst")
    answer = analyst.get(f"{BASE}?{asked}&lang={language}")
    assert answer.status_code == 422
    assert code in answer.text
    check_harmless(answer.text, asked)
    assert "<b>" not in answer.text
    assert not at or (f'href="#f-{at}"' in answer.text and f'id="e-{at}"' in answer.text)
    assert 'name="undesirable" value="co2"' in answer.text
    if "undesirable=co2" in asked:
        assert 'name="undesirable" value="co2" checked' in answer.text
    assert 400 <= analyst.get(f"{BASE}.csv?{asked}").status_code < 500


def test_more_units_than_one_waits_for_are_refused(signed_in, loaded, monkeypatch):
    analyst = signed_in("analyst")
    monkeypatch.setattr(green_room, "MOST_UNITS", 9)
    assert analyst.get(f"{BASE}.json?{ASKED}").status_code == 200
    monkeypatch.setattr(green_room, "MOST_UNITS", 8)
    answer = analyst.get(f"{BASE}?{ASKED}&lang=en")
    assert answer.status_code == 422
    assert "JQ-ASSESS-134" in answer.text
    assert "9 units have all values" in answer.text
    assert analyst.get(f"{BASE}.json?{ASKED}").status_code == 422
    assert analyst.get(f"/api/v1{BASE}?{ASKED}").json()["code"] == "JQ-ASSESS-134"


def test_without_indicators_it_says_what_to_load(signed_in, workspace):
    page = signed_in("analyst").get(f"{BASE}?lang=en").text
    assert "No indicators are loaded" in page
    assert 'href="/imports"' in page
    assert 'name="inputs"' not in page
    asked = signed_in("auditor").get(f"{BASE}?{ASKED}&lang=en")
    assert asked.status_code == 422
    assert "JQ-STORE-006" in asked.text


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_a_browser_without_scripts_asks_at_380_pixels(chrome, live, loaded, people, language, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    from jiqun.accounts import sessions  # noqa: PLC0415

    cookie = {"name": SESSION, "value": sessions.open_session(loaded, people["analyst"].id).secret, "url": live}
    plain = chrome.new_context(java_script_enabled=False, viewport={"width": 380, "height": 800})
    plain.add_cookies([cookie])
    tab = plain.new_page()
    tab.goto(f"{live}{BASE}?lang={language}")
    for kind, code in (("inputs", "energy"), ("outputs", "output"), ("undesirable", "co2")):
        tab.check(f'input[name="{kind}"][value="{code}"]')
    tab.click(f'form[action="{BASE}"] button')
    assert tab.locator("#green").count() == 1
    address = tab.url
    plain.close()
    context = chrome.new_context(color_scheme=scheme, viewport={"width": 380, "height": 800})
    context.add_cookies([cookie])
    tab = context.new_page()
    for path in (f"{live}{BASE}?lang={language}", f"{address}&lang={language}", f"{live}{BASE}?year=&lang={language}"):
        tab.goto(path)
        tab.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        violations = Axe().run(tab).response["violations"]
        assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in violations], path
        assert tab.evaluate("document.documentElement.scrollWidth") <= 380, path
    context.close()
