"""Pages of diagnosis, stages and readiness: who sees them, what they say where nothing is known, twins, forms, a browser."""

from __future__ import annotations

import io
import json
import re
import zipfile

import polars as pl
import pytest

from jiqun.assess.annual_report import annual_report
from jiqun.assess.checks import checklist
from jiqun.assess.declared import HANDLERS
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_document import sections
from jiqun.assess.stage_desk import ReadinessRequest, StageRequest, assess_readiness, assess_stage, stages_of
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
    assert [row[0] for row in table.rows] == sorted(stored.values["reached"])
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
