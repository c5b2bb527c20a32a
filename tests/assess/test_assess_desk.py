"""Stored assessments: once for equal input, read back as they were, open to whom they should be, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from assess_workspace import FRAMEWORK, SEARCH, indicator_rows, load_indicators
from docx import Document as Word

from jiqun.assess import annual_report as annual_report_module
from jiqun.assess import commands, composite_index, dea, desk, index_report, own_frameworks, uncertainty
from jiqun.assess import operations as room
from jiqun.assess.annual_report import annual_report
from jiqun.assess.declared import HANDLERS
from jiqun.assess.index_document import tables_of, traces
from jiqun.assess.index_report import IndexReport
from jiqun.assess.panel import panel
from jiqun.assess.stored import restored_efficiency, restored_index, restored_uncertainty
from jiqun.atlas import desk as atlas
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Section, Text
from jiqun.core.errors import InputError, MeasureInputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.report.render import render
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.worker import work

PUBLIC = Actor("public", frozenset({"public"}))
AUDITOR = Actor("aud", frozenset({"auditor"}))
MINE = desk.IndexChoice("mine")
SURE = desk.SureChoice("mine", runs=100, sensitivity=16)


@pytest.fixture
def filled(workspace):
    """With a framework of its own and a value of joint projects for each cluster."""
    own_frameworks.save(LOCAL, workspace, FRAMEWORK, key=new_key())
    ids = find_run(workspace, Which()).clusters["cluster_id"]
    load_indicators(workspace, [(unit, "joint_projects", 2023, 1.0 + (k * 7) % 4, "个") for k, unit in enumerate(ids)])
    return workspace


def test_an_index_is_that_of_the_panel_and_is_stored_once(filled):
    stored = desk.run_index(LOCAL, filled, MINE)
    found = panel(filled, own_frameworks.find_framework(filled, "mine").framework)
    wanted = composite_index(found.frame, found.rated)
    read = restored_index(stored)
    for name in ("scores", "weights", "contributions", "correlations", "reliability", "imputed"):
        assert getattr(read, name).equals(getattr(wanted, name)), name
    assert read.trace("c0001").equals(wanted.trace("c0001"))
    assert read.framework == wanted.framework
    again = desk.run_index(LOCAL, filled, MINE)
    assert (again.id, len(filled.results("index-mine"))) == (stored.id, 1)
    assert stored.lineage.parameters["framework_digest"] == found.framework.digest
    assert {one.name for one in stored.lineage.inputs} == {"indicators", "clusters"}
    assert desk.run_index(LOCAL, filled, replace(MINE, weights=(("made", 0.5), ("tied", 0.5)))).id != stored.id


def test_other_steps_and_weights_reach_the_index(filled):
    stored = desk.run_index(LOCAL, filled, replace(MINE, steps=(("normalise", "rank"),)))
    assert restored_index(stored).framework.steps.normalise == "rank"
    weighed = desk.run_index(LOCAL, filled, replace(MINE, weights=(("made", 100.0), ("tied", 0.0))))
    scores = restored_index(weighed).scores
    assert scores["mine"].to_list() == pytest.approx(scores["made"].to_list())
    with pytest.raises(UsageError, match="JQ-ASSESS-032"):
        desk.run_index(LOCAL, filled, replace(MINE, steps=(("normalise", "nonsense"),)))


def test_weights_of_what_cannot_be_rated_go_to_the_others(workspace):
    own_frameworks.save(LOCAL, workspace, FRAMEWORK, key=new_key())
    stored = desk.run_index(LOCAL, workspace, replace(MINE, weights=(("made", 0.2), ("tied", 0.8))))
    assert restored_index(stored).framework.codes == ("beyond_chance", "variety")
    assert stored.lineage.parameters["weights"] == {"made": 1.0}


def test_intervals_belong_to_their_index_and_follow_the_boundary(filled):
    atlas.run(LOCAL, filled, replace(SEARCH, eps_km=60.0))
    atlas.run(LOCAL, filled, SEARCH)
    index = desk.run_index(LOCAL, filled, MINE)
    sure = desk.run_uncertainty(LOCAL, filled, SURE)
    read = restored_uncertainty(sure, restored_index(index).framework)
    assert read.boundaries.rows() == [("eps_km 60.0", "beyond_chance, variety", pytest.approx(0.75))]
    assert set(read.factors["factor"]) == {"normalise", "boundary", "weights", "leave_out"}
    assert (read.ranks["low"] <= read.ranks["rank"]).all()
    assert desk.find_uncertainty(filled, index) is not None
    assert desk.run_uncertainty(LOCAL, filled, SURE).id == sure.id
    assert sure.values["remarks"] == []
    other = desk.run_index(LOCAL, filled, replace(MINE, year=2023, weights=(("made", 1.0), ("tied", 0.0))))
    assert desk.find_uncertainty(filled, other) is None


def test_intervals_are_those_of_the_function(filled):
    index = restored_index(desk.run_index(LOCAL, filled, MINE))
    sure = restored_uncertainty(desk.run_uncertainty(LOCAL, filled, SURE), index.framework)
    frame = panel(filled, own_frameworks.find_framework(filled, "mine").framework).frame
    wanted = uncertainty(
        frame, index.framework, normalise=("minmax", "percentile"), weight_spread=0.25, leave_out=True, runs=100, sensitivity=16
    )  # fmt: skip
    assert sure.ranks.equals(wanted.ranks)
    told = IndexReport(desk.latest(filled, desk.INDEX, "mine"), desk.latest(filled, desk.SURE, "mine")).remarks
    assert [one.code for one in told] == ["JQ-ASSESS-078"]  # no other search: the boundary did not vary
    assert sure.dominance.equals(wanted.dominance)


def test_too_many_units_are_refused_before_any_draw(filled, monkeypatch):
    desk.run_index(LOCAL, filled, MINE)
    monkeypatch.setattr(desk, "MOST_UNITS", 3)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-073"):
        desk.run_uncertainty(LOCAL, filled, SURE)


def test_reweighting_is_the_index_under_those_weights(filled):
    report = IndexReport(desk.run_index(LOCAL, filled, MINE))
    tried = report.reweighted({"made": 1, "tied": 4})
    wanted = restored_index(desk.run_index(LOCAL, filled, replace(MINE, weights=(("made", 0.2), ("tied", 0.8)))))
    scores = wanted.scores.select("unit", "rank", score="mine").sort("unit")
    assert tried.ranks.sort("unit")["score"].to_list() == pytest.approx(scores["score"].to_list())
    assert tried.ranks.sort("unit")["rank"].to_list() == scores["rank"].to_list()
    same = report.reweighted({"made": 75, "tied": 25})
    assert (same.moved, same.largest) == (0, 0)
    shift = (tried.ranks["rank"] - tried.ranks["before"]).abs()
    assert (tried.moved, tried.largest) == (int((shift > 0).sum()), int(shift.max()))
    for bad in ({"made": -1, "tied": 2}, {"made": 0, "tied": 0}, {"nonsense": 1}):
        with pytest.raises((UsageError, InputError)):
            report.reweighted(bad)


def test_a_coverage_is_kept_where_nothing_can_be_rated(workspace):
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-060"):
        desk.run_index(LOCAL, workspace, desk.IndexChoice("green"))
    told = room.framework(LOCAL, workspace, room.One(framework="green"))
    assert {row.state for row in told.coverage if row.use == "indicator"} == {"missing"}
    assert all(row.why for row in told.coverage)
    assert room.framework(PUBLIC, workspace, room.One(framework="green")).coverage is None


def test_a_frontier_is_that_of_the_function_and_says_who_is_left_out(workspace):
    rng = np.random.default_rng(3)
    frame = pl.DataFrame(
        {"unit": [f"u{k}" for k in range(12)], "staff": rng.uniform(1, 9, 12), "sales": rng.uniform(1, 9, 12)}
    )
    rows = [
        (unit, name, 2023, value)
        for unit, *both in frame.rows()
        for name, value in zip(("staff", "sales"), both, strict=True)
    ]
    load_indicators(workspace, [*rows, ("u99", "staff", 2023, 4.0), ("u0", "staff", 2020, 1.0)])
    choice = desk.FrontierChoice("firms", ("staff",), ("sales",), returns="crs")
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-041"):
        desk.run_frontier(LOCAL, workspace, choice)
    stored = desk.run_frontier(LOCAL, workspace, replace(choice, drop=True))
    wanted = dea(frame.sort("unit"), inputs=["staff"], outputs=["sales"], returns="crs")
    read = restored_efficiency(stored)
    assert read.scores.equals(wanted.scores)
    assert read.peers.equals(wanted.peers)
    assert [one.code for one in read.remarks] == ["JQ-ASSESS-074"]
    assert room.frontiers(LOCAL, workspace, room.Nothing()).rows[0].name == "firms"
    with pytest.raises(UsageError, match="JQ-ASSESS-072"):
        desk.run_frontier(LOCAL, workspace, replace(choice, inputs=("energy",)))
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-024"):
        desk.run_frontier(LOCAL, workspace, replace(choice, year=1999))
    with pytest.raises(WorkspaceError, match="JQ-ASSESS-071"):
        room.frontier(LOCAL, workspace, room.FrontierRequest(name="other"))


def test_frontier_columns_in_two_units_of_measure_or_twice_are_refused(workspace):
    load_indicators(
        workspace, [("a", "staff", 2023, 1.0, "人"), ("b", "staff", 2023, 1.0, "万人"), ("a", "sales", 2023, 1.0)]
    )
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-021"):
        desk.run_frontier(LOCAL, workspace, desk.FrontierChoice("x", ("staff",), ("sales",)))
    load_indicators(workspace, [("a", "staff", 2023, 1.0), ("a", "staff", 2023, 2.0), ("a", "sales", 2023, 1.0)])
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-012"):
        desk.run_frontier(LOCAL, workspace, desk.FrontierChoice("x", ("staff",), ("sales",)))


def test_only_what_is_published_is_open_to_all(filled):
    first = desk.run_index(LOCAL, filled, MINE)
    assert desk.find_index(AUDITOR, filled, "mine").id == first.id
    with pytest.raises(WorkspaceError, match="JQ-ASSESS-069"):
        room.index(PUBLIC, filled, room.One(framework="mine"))
    desk.publish_index(LOCAL, filled, "mine")
    assert room.index(PUBLIC, filled, room.One(framework="mine")).published
    later = desk.run_index(LOCAL, filled, replace(MINE, weights=(("made", 0.5), ("tied", 0.5))))
    assert desk.find_index(PUBLIC, filled, "mine").id == first.id
    assert desk.find_index(AUDITOR, filled, "mine").id == later.id
    desk.publish_index(LOCAL, filled, "mine", show=False)
    assert desk.indices(PUBLIC, filled) == {}
    for actor in (PUBLIC, AUDITOR, Actor("ana", frozenset({"analyst"}))):
        with pytest.raises(PermissionDeniedError):
            desk.publish_index(actor, filled, "mine")
    for call in (
        lambda: desk.run_index(AUDITOR, filled, MINE),
        lambda: desk.run_uncertainty(PUBLIC, filled, SURE),
        lambda: desk.run_frontier(AUDITOR, filled, desk.FrontierChoice("x", ("a",), ("b",))),
        lambda: room.frontiers(PUBLIC, filled, room.Nothing()),
    ):
        with pytest.raises(PermissionDeniedError):
            call()


def test_jobs_do_what_they_were_asked(filled):
    commands.run_index(
        LOCAL, filled, commands.RunIndexRequest(framework="mine", weights={"made": 0.5, "tied": 0.5}), key=new_key()
    )
    work(filled, HANDLERS, once=True, threads=1)
    stored = desk.latest(filled, desk.INDEX, "mine")
    assert stored.lineage.parameters["weights"] == {"made": 0.5, "tied": 0.5}
    commands.run_uncertainty(
        LOCAL, filled, commands.RunSureRequest(framework="mine", runs=100, sensitivity=0), key=new_key()
    )
    work(filled, HANDLERS, once=True, threads=1)
    assert room.uncertainty(LOCAL, filled, room.One(framework="mine")).runs == 100
    with pytest.raises(UsageError, match="JQ-ASSESS-061"):
        commands.run_index(LOCAL, filled, commands.RunIndexRequest(framework="nix"), key=new_key())
    with pytest.raises(WorkspaceError, match="JQ-ASSESS-069"):
        commands.run_uncertainty(LOCAL, filled, commands.RunSureRequest(framework="health"), key=new_key())


def test_all_traces_at_once_are_those_one_by_one(filled):
    gappy = FRAMEWORK.replace('missing = "renormalise"', 'impute = "mean"\ntreat = "none"')
    own_frameworks.save(LOCAL, filled, gappy, key=new_key())
    ids = find_run(filled, Which()).clusters["cluster_id"]
    load_indicators(filled, [(unit, "joint_projects", 2023, 1.0 + k, "个") for k, unit in enumerate(ids[:3])])
    found = restored_index(desk.run_index(LOCAL, filled, MINE))
    assert found.imputed.height == 1
    order = found.scores["unit"].to_list()
    wanted = pl.concat([found.trace(unit).select(pl.lit(unit).alias("unit"), pl.all()) for unit in order])
    assert traces(found).equals(wanted)


def test_too_many_traces_are_left_to_the_pages_of_units(filled, monkeypatch):
    report = IndexReport(desk.run_index(LOCAL, filled, MINE))
    assert "trace" in {table.id for table in tables_of(report.document(full=True).blocks)}
    assert "trace" not in {table.id for table in tables_of(report.document().blocks)}
    monkeypatch.setattr(index_report, "MOST_TRACED", 5)
    assert "trace" not in {table.id for table in tables_of(report.document(full=True).blocks)}


def test_a_trace_adds_up_and_names_where_values_are_from(filled):
    desk.run_index(LOCAL, filled, MINE)
    told = room.trace(LOCAL, filled, room.TraceRequest(framework="mine", unit="c0001"))
    assert sum(row.contribution for row in told.rows) == pytest.approx(told.score)
    where = {row.indicator: (row.origin, row.evidence) for row in told.rows}
    assert where["joint_projects"] == ("table", "made up <i>")
    assert where["variety"][0] == "atlas"
    assert where["variety"][1].startswith("clusters ")
    with pytest.raises(UsageError, match="JQ-ASSESS-034"):
        room.trace(LOCAL, filled, room.TraceRequest(framework="mine", unit="c9999"))


def test_frameworks_of_ones_own_are_kept_replaced_and_taken_away(workspace):
    told = own_frameworks.save(LOCAL, workspace, FRAMEWORK, key="first-key")
    assert (told.origin, told.framework.version) == ("file", "2")
    assert own_frameworks.text_of(workspace, "mine") == FRAMEWORK
    own_frameworks.save(LOCAL, workspace, FRAMEWORK.replace('version = "2"', 'version = "3"'), key="second-key")
    assert own_frameworks.find_framework(workspace, "mine").framework.version == "3"
    assert len(list((workspace.path / "frameworks").iterdir())) == 1
    with pytest.raises(InputError, match="JQ-ASSESS-004"):
        own_frameworks.save(LOCAL, workspace, FRAMEWORK.replace('parent = "tied"', 'parent = "none"'), key=new_key())
    own_frameworks.save(
        LOCAL,
        workspace,
        FRAMEWORK.replace('code = "mine"', 'code = "green"').replace('parent = "mine"', 'parent = "green"'),
        key=new_key(),
    )
    assert own_frameworks.kept(workspace)["green"].origin == "file"
    own_frameworks.drop(LOCAL, workspace, "green", key=new_key())
    assert own_frameworks.kept(workspace)["green"].origin == "shipped"
    with pytest.raises(UsageError, match="JQ-ASSESS-062"):
        own_frameworks.drop(LOCAL, workspace, "green", key=new_key())
    for bad, text in (("bad.toml", "code = "), ("twin.toml", FRAMEWORK), ("latin.toml", "é")):
        (workspace.path / "frameworks" / bad).write_text(text, encoding="latin-1" if bad == "latin.toml" else "utf-8")
    found, wrong = own_frameworks.own_files(workspace)
    assert list(found) == ["mine"]
    assert {name: error.code for name, error in wrong.items()} == {
        "bad.toml": "JQ-ASSESS-001", "twin.toml": "JQ-ASSESS-003", "latin.toml": "JQ-ASSESS-001",
    }  # fmt: skip
    assert len(room.frameworks(LOCAL, workspace, room.Nothing()).wrong) == 3
    assert room.frameworks(PUBLIC, workspace, room.Nothing()).wrong == ()


def test_the_annual_report_holds_what_is_there_for_its_reader(filled, tmp_path):
    assert "no result to report" in annual_report(filled, LOCAL).blocks[0].text.en
    desk.run_index(LOCAL, filled, MINE)
    desk.run_uncertainty(LOCAL, filled, SURE)
    load_indicators(filled, indicator_rows({f"u{k}": 1.0 + k for k in range(9)}))
    desk.run_frontier(LOCAL, filled, desk.FrontierChoice("firms", ("firms", "revenue"), ("rd_intensity",), force=True))
    found = annual_report(filled, LOCAL)
    assert [block.id for block in found.blocks] == ["indices", "frontiers", "benchmark"]
    assert {one.name for one in found.lineage.inputs} == {
        "index-mine",
        "coverage-mine",
        "uncertainty-mine",
        "frontier-firms",
    }
    assert annual_report(filled, PUBLIC).lineage.inputs == ()
    desk.publish_index(LOCAL, filled, "mine")
    assert [block.id for block in annual_report(filled, PUBLIC).blocks] == ["indices", "benchmark"]
    for language in ("zh", "en"):
        word = Word(io.BytesIO(render(found, "docx", language).content))
        text = "\n".join(paragraph.text for paragraph in word.paragraphs)
        assert ("年度评估报告" if language == "zh" else "Annual assessment report") in text
        assert ("自有" if language == "zh" else "Mine") in text
    tables = [table.id for table in tables_of(found.blocks)]
    assert len(tables) == len(set(tables))


def test_a_section_is_added_with_a_line(filled, monkeypatch):
    made = Section("parks", Text("园区", "Parks"), (Section("one", Text("一", "One"), ()),))
    monkeypatch.setattr(
        annual_report_module, "SECTIONS", [lambda _workspace, _actor: made, lambda _workspace, _actor: None]
    )
    first, last = annual_report(filled, LOCAL).blocks
    assert (first.id, first.blocks[0].id, last.id) == ("parks", "parks-one", "benchmark")


def test_units_of_the_table_need_no_clusters(tmp_path):
    workspace = Workspace.init(tmp_path / "bare")
    load_indicators(workspace, indicator_rows({"杭州": 1.0, "合肥/庐阳": 2.0, "成都": 3.5}))
    stored = desk.run_index(LOCAL, workspace, desk.IndexChoice("competitiveness"))
    report = IndexReport(stored)
    assert report.found.scores["unit"][0] == "成都"
    assert report.sentence().zh.startswith("成都居首")
    assert report.trace_document("合肥/庐阳").title.en.startswith("合肥/庐阳")
    workspace.close()


@pytest.mark.parametrize("code", ["rank", "unit", "Year", "observed"])
def test_codes_that_are_columns_of_results_are_refused(workspace, code):
    with pytest.raises(InputError, match="JQ-ASSESS-079"):
        own_frameworks.save(LOCAL, workspace, FRAMEWORK.replace('"variety"', f'"{code}"'), key=new_key())


@pytest.mark.parametrize(
    "change",
    [
        ('missing = "renormalise"', 'impute = "mean"\nweights = "bod"'),
        ('missing = "renormalise"', 'impute = "mean"\nweights = ["pca", "equal"]'),
        ('missing = "renormalise"', 'impute = "mean"\naggregate = ["geometric", "harmonic"]'),
        (
            '[[indicator]]\ncode = "joint_projects"\nparent = "tied"',
            '[[indicator]]\ncode = "joint_projects"\nparent = "mine"',
        ),
    ],
)
def test_reports_of_other_frameworks_hold_together(filled, change):
    """Benefit of the doubt, weights from values, other means, an indicator right below the index."""
    text = FRAMEWORK.replace(*change)
    if change[1].endswith('parent = "mine"'):
        a = text.index('[[dimension]]\ncode = "tied"')
        text = text[:a] + text[text.index("[[indicator]]") :]
    own_frameworks.save(LOCAL, filled, text, key=new_key())
    report = IndexReport(desk.run_index(LOCAL, filled, MINE))
    assert report.document(full=True).blocks
    assert report.trace_document("c0001").blocks
    children = report.framework.children("mine")
    tried = report.reweighted(dict.fromkeys(children, 1.0))
    assert tried.ranks.height == 4
    assert {column.key for column in report.parts_table().columns} == {"unit", "rank", "mine", *children}
    assert room.index(LOCAL, filled, room.One(framework="mine")).units
