"""The desk of diagnosis: planted ailments are found where they are, stored once with lineage; the rest is unknown and says why."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from diagnosed import TOWNS, diagnosable, load, register

from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_parts import Given
from jiqun.assess.diagnosis_room import FindingsRequest, findings, findings_of
from jiqun.assess.findings import from_frame
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import PermissionDeniedError, WorkspaceError
from jiqun.store import Workspace

QUICK = DiagnoseRequest(throws=1999)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, places):
    made = diagnosable(tmp_path_factory.mktemp("diagnosed") / "ws", places)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def result(workspace):
    return diagnose(LOCAL, workspace, QUICK)


@pytest.fixture(scope="module")
def towns(workspace):
    clusters = workspace.result("clusters").table("clusters")
    return dict(clusters.select("country", "cluster_id").iter_rows())


def copied(workspace, tmp_path):
    shutil.copytree(workspace.path, tmp_path / "ws")
    return Workspace.open(tmp_path / "ws")


def told(result, unit):
    return {one.code: one for one in from_frame(result.table("findings")) if one.unit == unit}


def test_planted_ailments_are_found_where_they_are(result, towns):
    assert set(towns) == set(TOWNS)
    boulder = told(result, towns["US"])
    assert boulder["governance.checklist"].severity == "high"
    assert boulder["unconnected.linkage"].state == "found"
    assert boulder["unconnected.members"].severity == "high"
    assert boulder["chains.research"].severity == "high"
    assert boulder["dependence.suppliers"].severity == "high"
    assert boulder["dependence.suppliers"].evidence["supplier"].to_list()[0].startswith("Maker 4-")
    technologies = boulder["dependence.technologies"]
    assert (technologies.severity, technologies.statistic) == ("high", 1.0)
    assert technologies.evidence["customers"].to_list() == [15]
    hamburg = told(result, towns["DE"])
    assert {code: one.state for code, one in hamburg.items()} == {
        "governance.checklist": "unknown",
        "unconnected.linkage": "not_found",
        "unconnected.members": "not_found",
        "chains.research": "not_found",
        "real.virtual": hamburg["real.virtual"].state,
        "dependence.suppliers": "not_found",
        "dependence.technologies": "unknown",
        "lock_in.diversity": "unknown",
        "balance.tags": "unknown",
    }


def test_regions_that_make_the_same_are_found(result):
    for region, twin in (("US", "United Kingdom"), ("GB", "United States")):
        one = told(result, f"region:{region}")["homogeneity.region"]
        assert one.state == "found"
        assert twin in one.sentence.en
    assert told(result, "region:FR")["homogeneity.region"].state == "not_found"
    everyone = told(result, "all")
    assert everyone["homogeneity.overall"].state == "not_found"
    assert {code for code, one in everyone.items() if one.state == "unknown"} == {
        "homogeneity.trend", "homogeneity.plans", "data.risks", "idle.carriers",
    }  # fmt: skip


def test_a_diagnosis_is_stored_once_with_what_it_read(workspace, result):
    again = diagnose(LOCAL, workspace, QUICK)
    assert (again.id, again.created) == (result.id, result.created)
    names = [one.name for one in result.lineage.inputs]
    assert names == ["organisations", "clusters", "network", "indicators", "links", "gazetteer"]
    assert set(result.tables) == {"findings", "units", "pairs", "causes", "trend"}
    assert set(result.table("findings")["unit"]) <= set(result.table("units")["unit"])


def test_what_the_user_gives_is_used_digested_and_taken_over(tmp_path, workspace, result, towns):
    made = copied(workspace, tmp_path)
    plans = pl.DataFrame(
        {
            "region": list("ABCD"),
            "text": ["发展集成电路、人工智能、锂离子电池和电子商务"] * 3 + ["种粮食，办旅游，发展集成电路"],
        }
    )
    tags = pl.DataFrame(
        {"code": ["01", "02", "03", "04"], "tag": ["traditional", "traditional", "emerging", "emerging"]}
    )
    scores = pl.DataFrame({"unit": [towns["US"]], "score": [0.4], "low": [0.3], "high": [0.5]})
    given = diagnose(LOCAL, made, QUICK, given=Given(plans, tags, scores))
    assert given.id != result.id
    boulder = told(given, towns["US"])
    assert boulder["governance.frontier"].state == "found"
    assert boulder["balance.tags"].state != "unknown"
    assert told(given, "all")["homogeneity.plans"].state != "unknown"
    assert {"given-plans", "given-tags", "given-frontier"} <= set(given.tables)
    later = diagnose(LOCAL, made, DiagnoseRequest(throws=999))
    assert told(later, towns["US"])["governance.frontier"].state == "found"
    made.database.close()


def test_loads_of_several_years_make_a_trend(tmp_path, workspace):
    made = copied(workspace, tmp_path)
    for year in (2025, 2026, 2027):
        load(made, "organisations", register(), f"{year}-05-01")
    later = diagnose(LOCAL, made, QUICK)
    trend = told(later, "all")["homogeneity.trend"]
    assert later.table("trend")["period"].to_list() == [f"{year}-05-01" for year in range(2024, 2028)]
    assert trend.state == "unknown"  # four equal registers: no order, no p
    made.database.close()


def test_roles_and_empty_workspaces_are_refused(tmp_path, workspace):
    for role in ("member", "auditor", "public"):
        with pytest.raises(PermissionDeniedError):
            diagnose(Actor("x", frozenset({role})), workspace, QUICK)
    with pytest.raises(WorkspaceError, match="JQ-STORE-006"):
        diagnose(LOCAL, Workspace.init(tmp_path / "empty"), QUICK)
    with pytest.raises(WorkspaceError, match="JQ-ATLAS-013"):
        diagnose(LOCAL, workspace, DiagnoseRequest(digital="05"))


def test_firms_that_are_not_shown_by_name_are_not_named_in_evidence(workspace, result, towns, monkeypatch):
    (named,) = (one for one in findings_of(workspace, result, towns["US"]) if one.code == "dependence.suppliers")
    (hidden,) = named.evidence["supplier_id"]
    monkeypatch.setattr("jiqun.assess.diagnosis_room.unpublished", lambda _: frozenset({hidden}))
    (masked,) = (one for one in findings_of(workspace, result, towns["US"]) if one.code == "dependence.suppliers")
    assert masked.evidence["supplier"].to_list() == ["(不公开) (not shown)"]
    told = findings(LOCAL, workspace, FindingsRequest(unit=towns["US"])).model_dump_json()
    assert named.evidence["supplier"][0] not in told


def test_the_command_line_tells_findings_and_what_is_missing(run, workspace, towns, tmp_path):
    at = ("--workspace", workspace.path)
    status, out, err = run("assess", "diagnose", *at, "--throws", 1999, "--state", "found", "--format", "csv")
    assert status == 0
    found = pl.read_csv(out.encode())
    assert set(found["state"]) == {"found"}
    assert towns["US"] in found["unit"].to_list()
    assert "unknown" in err
    report = tmp_path / "one.docx"
    assert run("assess", "diagnose", *at, "--throws", 1999, "--unit", towns["US"], "-o", report)[0] == 0
    assert report.stat().st_size > 10_000
    for wrong, code in (
        (("--unit", "nobody"), "JQ-ASSESS-090"),
        (("--tags", tmp_path / "none.csv"), "JQ-FILE-001"),
        (("--digital", "xx"), "JQ-ASSESS-032"),
    ):
        status, _, err = run("assess", "diagnose", *at, "--throws", 1999, *wrong)
        assert status in {1, 2}
        assert code in err
    tags = tmp_path / "tags.csv"
    tags.write_text("code,tag\n01,old\n", encoding="utf-8")
    err = run("assess", "diagnose", *at, "--throws", 1999, "--tags", tags)[2]
    assert "JQ-ASSESS-142 tags.csv row 2, column tag: 'old' cannot be used." in err
    assert "JQ-ASSESS-140" in err


def test_stage_on_a_file_and_readiness_on_a_workspace(run, workspace, tmp_path):
    status, out, _ = run("assess", "template", "stage", "--unit", "A")
    assert status == 0
    form = pl.read_csv(out.encode())
    values = pl.Series([25, 0.9, 150, 0.6, *[None] * 12], dtype=pl.Float64)
    filled = tmp_path / "stage.csv"
    form.with_columns(year=pl.lit(2024), value=values).write_csv(filled)
    status, out, err = run("assess", "stage", filled, "--unit", "A", "--format", "csv")
    assert status == 0
    assert pl.read_csv(out.encode())["answer"].to_list() == ["met"] * 4 + ["unknown"] * 12
    assert "At least infrastructure pull" in err
    assert "JQ-ASSESS-091" in run("assess", "stage", filled, "--unit", "B")[2]
    years = pl.DataFrame(
        {"unit": "A", "indicator": "x", "year": range(2010, 2020), "value": [float(2**t) for t in range(10)]}
    )
    years.write_csv(tmp_path / "years.csv")
    status, _, err = run("assess", "stage", tmp_path / "years.csv", "--changes", "x")
    assert (status, "p = 1.000" in err) == (0, True)
    assert "JQ-ASSESS-094" in run("assess", "stage", tmp_path / "years.csv", "--states", "value")[2]
    at = ("--workspace", workspace.path)
    assert "JQ-ASSESS-096" in run("assess", "readiness", "US", "0101", *at)[2]
    assumed = ("--growth", "0.05:0.15", "--decline", "0.02:0.08", "--old", "0102", "--new-jobs", 50)
    status, out, err = run("assess", "readiness", "US", "0101", *assumed, *at, "--format", "csv")
    assert status == 0
    assert "unknown" in err
    assert workspace.result("readiness").table("scenarios").height == 20
    for wrong, code in (
        (("ZZ", "0101", *assumed), "JQ-ASSESS-097"),
        (("US", "9999", *assumed), "JQ-TAXONOMY-004"),
        (("US", "0101", *assumed, "--growth", "a:b"), "JQ-ASSESS-032"),
        (("US", "0101", *assumed, "--growth", "0.2:0.1"), "JQ-ASSESS-054"),
        (("US", "0101", *assumed, "--bound", "mood=1"), "JQ-USE-001"),
    ):
        assert code in run("assess", "readiness", *wrong, *at)[2], wrong
