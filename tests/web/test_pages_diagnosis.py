"""Pages of diagnosis, stages and readiness: who sees them, what they say where nothing is known, twins, forms, a browser."""

from __future__ import annotations

import io
import json
import re
import zipfile

import polars as pl
import pytest

from jiqun.assess import stage_desk
from jiqun.assess.annual_report import annual_report
from jiqun.assess.checks import checklist
from jiqun.assess.declared import HANDLERS
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_document import sections
from jiqun.assess.stage_desk import ReadinessRequest, StageRequest, assess_readiness, assess_stage, stages_of
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Text
from jiqun.report.render import render
from jiqun.store.database import new_key
from jiqun.store.worker import work

UNIT = "甲 & 乙 <b>"
PAGES = ("/assess/diagnosis", "/assess/diagnosis/units/c0001", "/assess/stage", "/assess/readiness")


def load_indicators(workspace) -> None:
    """Half of what the stage asks for, of a unit with a hostile name; and governance of a cluster. Made up."""
    rows = [(UNIT, check.indicator, 2024, check.bound, "made up") for check in checklist("stage").checks[:8]]
    rows += [("c0001", check.indicator, 2024, 0.0, "made up") for check in checklist("governance").checks[:8]]
    frame = pl.DataFrame(rows, schema=["unit", "indicator", "year", "value", "evidence"], orient="row")
    with workspace.new_snapshot("indicators", as_of="2024-12-31", source="made up for a test") as writer:
        writer.write(frame.with_columns(id=pl.format("i{}", pl.int_range(pl.len()))))


@pytest.fixture
def diagnosed(workspace):
    """A workspace with a diagnosis, stages and an assessment of readiness."""
    load_indicators(workspace)
    assess_readiness(LOCAL, workspace, ready(workspace))
    return diagnose(LOCAL, workspace, DiagnoseRequest(throws=99))


def ready(workspace) -> ReadinessRequest:
    """A request for a region that the register has."""
    del workspace
    return ReadinessRequest(region="US", industry="0101", growth=(0.05, 0.1), decline=(0.0, 0.05), years=5, new_jobs=10)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_are_for_who_works_with_the_data(signed_in, client, diagnosed, language):
    for path in PAGES:
        assert client.get(path).status_code in {303, 401, 403}
        assert signed_in("member").get(path).status_code == 403
        for role in ("operator", "analyst", "auditor"):
            answer = signed_in(role).get(f"{path}?lang={language}")
            assert answer.status_code == 200, (path, role)
            page = answer.text
            assert page.count("<h1>") == 1
            assert "None" not in re.sub(r"<code>.*?</code>", "", page)
            assert "<b>" not in page.partition("<main")[2].replace("<body", "")
            assert len(answer.content) < 120_000


def test_every_table_of_the_pages_has_its_twins(signed_in, diagnosed):
    analyst = signed_in("analyst")
    for path in PAGES:
        page = analyst.get(f"{path}?lang=en").text
        links = set(re.findall(r'href="(/assess/[^"]+\.(?:csv|json)[^"]*)"', page))
        assert links, path
        for link in links:
            answer = analyst.get(link.replace("&amp;", "&"))
            assert answer.status_code == 200, link
            if ".json" in link:
                json.loads(answer.content)
    for path in PAGES:
        assert zipfile.ZipFile(io.BytesIO(analyst.get(f"{path}.docx").content)).testzip() is None
    told = json.loads(analyst.get("/assess/diagnosis/units/c0001.json").content)
    assert told["id"] == diagnosed.id
    assert {one["code"]: one["state"] for one in told["findings"]}["governance.checklist"] == "found"
    assert analyst.get("/assess/diagnosis/units/c9999").status_code == 404
    assert analyst.get("/assess/diagnosis/no-such.csv").status_code == 404
    assert analyst.get("/assess/diagnosis?run=ffff").status_code == 404
    assert analyst.get("/assess/stage?unit=nobody").status_code == 404


def test_a_unit_with_a_hostile_name_has_its_stage(signed_in, diagnosed):
    analyst = signed_in("analyst")
    page = analyst.get("/assess/stage?lang=en").text
    (link,) = re.findall(r'href="(/assess/stage\?unit=[^"]+)"', page)
    one = analyst.get(f"{link.replace('&amp;', '&')}&lang=en").text
    assert "digital transformation" in one
    assert "甲 &amp; 乙 &lt;b&gt;" in one


def test_a_unit_that_is_a_cluster_bears_its_name(signed_in, workspace, diagnosed):
    rows = [("c0001", check.indicator, 2024, check.bound, "made up") for check in checklist("stage").checks[:3]]
    frame = pl.DataFrame(rows, schema=["unit", "indicator", "year", "value", "evidence"], orient="row")
    with workspace.new_snapshot("indicators", as_of="2025-12-31", source="made up for a test") as writer:
        writer.write(frame.with_columns(id=pl.format("i{}", pl.int_range(pl.len()))))
    name = find_run(workspace, Which()).row("c0001")
    analyst = signed_in("analyst")
    assert f">{name['name_en']}</a>" in analyst.get("/assess/stage?lang=en").text
    assert f"<h1>{name['name_zh']}：演进阶段</h1>" in analyst.get("/assess/stage?unit=c0001&lang=zh").text


def test_nothing_there_is_said_and_a_form_diagnoses(signed_in, workspace):
    analyst = signed_in("analyst")
    form = analyst.get("/assess/diagnosis?lang=en").text
    assert "Nothing has been diagnosed yet" in form
    assert analyst.get("/assess/diagnosis.json").status_code == 404
    assert "has not been assessed yet" in analyst.get("/assess/readiness?lang=en").text
    assert "jiqun assess template stage" in analyst.get("/assess/stage?lang=en").text
    token = re.search(r'name="csrf" value="([^"]+)"', form)[1]
    said = {"csrf": token, "key": new_key(), "class": ""}
    sent = analyst.post("/assess/diagnosis", data=said)
    assert sent.status_code == 303
    assert work(workspace, HANDLERS, once=True) >= 1
    assert 'href="/assess/diagnosis"' in analyst.get(f"{sent.headers['location']}?lang=en").text
    done = analyst.get("/assess/diagnosis?lang=en").text
    assert "What is missing" in done
    assert analyst.post("/assess/diagnosis", data={**said, "key": new_key(), "class": "abc"}).status_code == 422
    assert signed_in("auditor").post("/assess/diagnosis", data=said).status_code == 403


def readiness_form(page: str) -> dict[str, str]:
    """A form of readiness that can be sent, with the token of a page."""
    token = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    filled = {"region": "us", "industry": "0101", "growth_low": "5", "growth_high": "10 %", "decline_low": "0"}
    return {"csrf": token, "key": new_key(), **filled, "decline_high": "5", "years": "5", "new_jobs": "10"}


def test_readiness_is_asked_for_on_its_page_and_answers_as_the_command_does(signed_in, workspace):
    analyst = signed_in("analyst")
    page = analyst.get("/assess/readiness?lang=en").text
    assert '<option value="US">' in page
    said = readiness_form(page)
    sent = analyst.post("/assess/readiness", data={**said, "old": "0102, 0304"})
    assert sent.status_code == 303
    assert work(workspace, HANDLERS, once=True) >= 1
    assert 'href="/assess/readiness"' in analyst.get(sent.headers["location"]).text
    stored = workspace.result("readiness")
    asked = ready(workspace).model_copy(update={"old": ("0102", "0304")})
    assert stored.id == assess_readiness(LOCAL, workspace, asked).id
    done = analyst.get("/assess/readiness?lang=en").text
    assert "Readiness of United States (US) for" in done
    for name, value in (("growth_high", "10"), ("years", "5"), ("old", "0102 0304"), ("old_tax_cny", "")):
        assert re.search(rf'name="{name}" value="{value}"', done), name
    assert signed_in("auditor").post("/assess/readiness", data=said).status_code == 403
    assert 'name="growth_low"' not in signed_in("auditor").get("/assess/readiness").text


def test_a_region_of_the_last_search_is_known_without_placing_every_firm(signed_in, workspace, monkeypatch):
    analyst = signed_in("analyst")
    said = readiness_form(analyst.get("/assess/readiness").text)

    def placing(*_):
        pytest.fail("every firm was placed anew")

    monkeypatch.setattr(stage_desk, "with_regions", placing)
    assert analyst.post("/assess/readiness", data=said).status_code == 303


@pytest.mark.parametrize(
    ("field", "typed", "code"),
    [
        ("region", "nowhere", "JQ-ASSESS-032"),
        ("region", "ZZ", "JQ-ASSESS-097"),
        ("industry", "9999", "JQ-TAXONOMY-004"),
        ("industry", "", "JQ-ASSESS-032"),
        ("growth_low", "", "JQ-ASSESS-032"),
        ("growth_high", "4", "JQ-ASSESS-032"),
        ("growth_high", "nan", "JQ-ASSESS-032"),
        ("decline_high", "101", "JQ-ASSESS-032"),
        ("years", "5.5", "JQ-ASSESS-032"),
        ("years", "1e9", "JQ-ASSESS-032"),
        ("new_jobs", "-1", "JQ-ASSESS-032"),
        ("new_jobs", "inf", "JQ-ASSESS-032"),
        ("old_tax_cny", "a <b> lot", "JQ-ASSESS-032"),
        ("old", "0103 x", "JQ-ASSESS-032"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_readiness_cannot_be_asked_is_told_at_its_field(signed_in, workspace, field, typed, code, language):
    analyst = signed_in("analyst")
    said = readiness_form(analyst.get(f"/assess/readiness?lang={language}").text) | {field: typed}
    answer = analyst.post("/assess/readiness", data=said)
    assert answer.status_code == 422
    assert code in answer.text
    assert f'href="#f-{field}"' in answer.text
    assert f'id="e-{field}"' in answer.text
    assert "<b>" not in answer.text
    other = "growth_high" if field != "growth_high" else "decline_high"
    assert f'name="{other}" value="{said[other]}"' in answer.text
    assert not work(workspace, HANDLERS, once=True)


def test_without_a_register_the_page_of_readiness_says_what_to_load(workspace, signed_in, monkeypatch):
    monkeypatch.setattr(type(workspace), "history", lambda *_: ())
    page = signed_in("analyst").get("/assess/readiness?lang=en").text
    assert "No organisations are loaded" in page
    assert 'name="growth_low"' not in page


def test_the_api_pages_findings_and_queues_readiness(signed_in, workspace, diagnosed):
    operator = signed_in("operator")
    first = operator.get("/api/v1/assess/diagnosis?limit=5").json()
    assert len(first["items"]) == 5
    assert first["total"] == diagnosed.table("findings").height
    rest = operator.get("/api/v1/assess/diagnosis", params={"limit": 5, "cursor": first["next"]}).json()
    assert rest["items"][0] != first["items"][0]
    found = operator.get("/api/v1/assess/diagnosis?state=found").json()
    assert {one["state"] for one in found["items"]} == {"found"}


def test_the_annual_report_gets_a_section_and_readers_without_a_role_none(workspace, diagnosed):
    assert sections(workspace, LOCAL).id == "diagnosis"
    assert sections(workspace, Actor("x", frozenset({"public"}))) is None


def test_the_annual_report_tells_stages_and_readiness_as_stored(workspace, diagnosed):
    stored = assess_stage(LOCAL, workspace, StageRequest())
    later = ready(workspace).model_copy(update={"industry": "0105"})
    assess_readiness(LOCAL, workspace, later)
    report = annual_report(workspace, LOCAL)
    parts = {block.id: block for block in report.blocks}
    table = parts["stages-section"].blocks[1]
    assert [row[-1] for row in table.rows] == [row[0].zh for row in table.rows] == sorted(stored.values["reached"])
    live = stages_of(workspace, StageRequest())[0]
    assert [row[1] for row in table.rows] == [
        checklist("stage").groups[one.reached] if one.reached else Text("—", "—") for one in live
    ]
    assert len(parts["readiness-section"].blocks) == 2  # one for each industry
    assert sum(source.name == "readiness" for source in report.lineage.inputs) == 2
    public = annual_report(workspace, Actor("x", frozenset({"public"})))
    assert {"stages-section", "readiness-section"}.isdisjoint(getattr(block, "id", "") for block in public.blocks)
    for kind in ("docx", "html"):
        assert render(report, kind, "zh").content


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh", 380, "light"), ("en", 1280, "dark")])
def test_pages_are_accessible_and_fit(live, chrome, workspace, people, diagnosed, language, width, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    from jiqun.accounts import sessions  # noqa: PLC0415
    from jiqun.web.visitor import SESSION  # noqa: PLC0415

    context = chrome.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    secret = sessions.open_session(workspace, people["analyst"].id).secret
    context.add_cookies([{"name": SESSION, "value": secret, "url": live}])
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    for path in (*PAGES, "/assess/stage?unit=%E7%94%B2%20%26%20%E4%B9%99%20%3Cb%3E"):
        tab.goto(f"{live}{path}{'&' if '?' in path else '?'}lang={language}")
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], path
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    assert said == []
    context.close()
