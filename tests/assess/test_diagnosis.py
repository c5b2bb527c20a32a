"""The desk of diagnosis: planted ailments are found where they are, stored once with lineage; the rest is unknown and says why."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from diagnosed import TOWNS, diagnosable, load, register

from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_parts import Given
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
    hamburg = told(result, towns["DE"])
    assert {code: one.state for code, one in hamburg.items()} == {
        "governance.checklist": "unknown",
        "unconnected.linkage": "not_found",
        "unconnected.members": "not_found",
        "chains.research": "not_found",
        "real.virtual": hamburg["real.virtual"].state,
        "dependence.suppliers": "not_found",
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
        "homogeneity.trend", "homogeneity.plans", "data.risks", "carriers.idle",
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
