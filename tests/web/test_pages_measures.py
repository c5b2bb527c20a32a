"""The page of the measures: what it shows whom, its form and job, what it says where nothing can be known, its twins."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import polars as pl
import pytest

from jiqun.atlas.declared import HANDLERS
from jiqun.atlas.measured import MeasureRequest, measure
from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key
from jiqun.store.worker import work

TOWNS = ((-105.27, 40.01), (0.12, 52.2), (9.99, 53.55), (13.41, 52.52), (2.35, 48.86), (126.98, 37.57), (114.06, 22.54))
CLASSES = ("0101", "0102", "0104", "0105", "0301", "0303", "0304", "0404", "0501")
QUICK = MeasureRequest(draws=19, max_km=60)


def load(workspace, frame, day="2024-06-01"):
    with workspace.new_snapshot("organisations", as_of=day, source="made up for a test") as writer:
        writer.write(frame)


def firms(n=500) -> pl.DataFrame:
    """Made-up firms of nine classes in seven towns."""
    rng = np.random.default_rng(4)
    town = rng.integers(0, len(TOWNS), n)
    kind = (2 * town + rng.integers(0, 4, n)) % len(CLASSES)
    lon, lat = np.array(TOWNS)[town].T + rng.normal(0, 0.1, (2, n))
    return pl.DataFrame(
        {
            "id": [f"o{k}" for k in range(n)],
            "name": [f"Maker {k}" for k in range(n)],
            "lon": lon,
            "lat": lat,
            "digital_code": np.array(CLASSES)[kind],
            "precision_km": 0.1,
            "employees": rng.integers(1, 90, n).astype(float),
        }
    )


@pytest.fixture
def measured(workspace):
    """A workspace with several classes, and its measures."""
    load(workspace, firms())
    return measure(LOCAL, workspace, QUICK)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_was_measured_is_shown_with_its_bands_and_twins(client, measured, language):
    answer = client.get(f"/measures?lang={language}")
    assert answer.status_code == 200
    page = answer.text
    assert page.count("<h1>") == 1
    assert len(answer.content) < 90_000
    assert "None" not in re.sub(r"<code>.*?</code>", "", page)
    assert page.count('class="band"') == 2
    assert "γ" in page
    assert ("超出偶然" if language == "zh" else "beyond chance") in page
    assert "<form" not in page.partition("<main")[2]  # who is signed out is not asked to measure
    tables = set(re.findall(r'href="(/measures/[\w-]+\.csv[^"]*)"', page))
    assert {link.partition(".")[0].rpartition("/")[2] for link in tables} == {
        "classes-table",
        "k-curve",
        "m-curve",
        "complexity-table",
        "neighbours-table",
        "sets-table",
    }
    for link in tables:
        sheet = client.get(link)
        assert sheet.status_code == 200
        assert sheet.content.startswith(b"\xef\xbb\xbf")
    told = json.loads(client.get("/measures.json").content)
    assert told["id"] == measured.id
    assert len(told["m"]["points"]) == len(pl.read_csv(client.get("/measures/m-curve.csv").content))
    assert client.get("/measures/no-such.csv").status_code == 404
    assert client.get("/measures?run=ffff").status_code == 404


def test_the_report_is_a_file(client, measured):
    for form in ("docx", "xlsx"):
        answer = client.get(f"/measures.{form}?lang=zh")
        assert answer.status_code == 200
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    page = client.get("/measures.html").text
    assert "整体测度" in page
    assert "one row in 4; all are in the CSV" in page
    assert len(pl.read_csv(client.get("/measures/k-curve.csv").content)) == 181


def test_a_form_measures_and_the_page_says_how_far_it_is(signed_in, workspace):
    load(workspace, firms())
    analyst = signed_in("analyst")
    form = analyst.get("/measures?lang=en").text
    assert "Nothing has been measured yet" in form
    assert 'name="size"' in form
    token = re.search(r'name="csrf" value="([^"]+)"', form)[1]
    said = {"csrf": token, "key": new_key(), "by": "digital", "class": "0301", "draws": "19", "max_km": "60"}
    sent = analyst.post("/measures", data={**said, "size": ""})
    assert sent.status_code == 303
    job = sent.headers["location"]
    assert job.startswith("/jobs/")
    waiting = analyst.get("/measures?lang=en").text
    assert job in waiting
    assert "waiting" in waiting
    assert work(workspace, HANDLERS, once=True) >= 1
    assert 'href="/measures"' in analyst.get(f"{job}?lang=en").text
    done = analyst.get("/measures?lang=en").text
    assert "Software development" in done
    assert job not in done
    assert analyst.post("/measures", data={**said, "key": new_key(), "draws": "3"}).status_code == 422
    refused = analyst.post("/measures", data={**said, "key": new_key(), "class": "9999"})
    assert refused.status_code in {400, 404, 422}
    assert "JQ-TAXONOMY-004" in refused.text
    assert signed_in("auditor").post("/measures", data=said).status_code == 403


def test_a_newer_register_makes_the_measures_old(client, workspace, measured):
    assert "Older register" not in client.get("/measures?lang=en").text
    load(workspace, firms(300), day="2024-07-01")
    assert "Older register" in client.get("/measures?lang=en").text
    assert client.get("/measures.json").status_code == 200


def test_sizes_that_are_not_for_everybody_are_not_on_the_public_page(client, signed_in, workspace):
    load(workspace, firms())
    sized = measure(LOCAL, workspace, QUICK.model_copy(update={"size": "employees"}))
    page = client.get("/measures?lang=en").text
    assert "Nothing has been measured yet" in page
    assert client.get("/measures.json").status_code == 404
    assert client.get(f"/measures?run={sized.id[:12]}&lang=en").text.count("γ") == 0
    assert json.loads(signed_in("auditor").get("/measures.json").content)["size"] == "employees"


def test_a_register_of_one_class_is_told_that_nothing_can_be_compared(client, signed_in, workspace):
    load(workspace, firms().with_columns(digital_code=pl.lit("0101")))
    page = signed_in("operator").get("/measures?lang=en").text
    assert "holds firms of one class only" in page
    assert 'name="max_km"' not in page
    assert "未知" in client.get("/measures?lang=zh").text


def test_a_register_without_classes_may_be_measured_and_the_job_says_why_not(signed_in, workspace):
    operator = signed_in("operator")
    form = operator.get("/measures?lang=en").text
    token = re.search(r'name="csrf" value="([^"]+)"', form)[1]
    sent = operator.post("/measures", data={"csrf": token, "key": new_key()})
    assert sent.status_code == 303
    work(workspace, HANDLERS, once=True)
    page = operator.get("/measures?lang=en").text
    assert "JQ-ATLAS-028" in page


def test_other_pages_lead_to_the_measures(client):
    for path in ("/clusters", "/regions", "/method"):
        assert 'href="/measures"' in client.get(path).text


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh", 380, "light"), ("en", 1280, "dark")])
def test_the_page_is_accessible_and_fits(live, chrome, measured, language, width, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    tab = chrome.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(f"{live}/measures?lang={language}")
    assert tab.locator("svg.curves").count() == 2
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert said == []
    tab.close()


def test_a_phone_without_scripts_sees_all_of_it(live, chrome, measured):
    context = chrome.new_context(viewport={"width": 380, "height": 800}, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{live}/measures?lang=en")
    for words in ("Ellison–Glaeser", "Distances between", "How this is known"):
        assert tab.get_by_text(words).first.is_visible()
    context.close()
