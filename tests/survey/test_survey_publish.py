"""What is published: exactly what was handed in, once, with who answered beside it, even after kill -9."""

import signal
import subprocess
import sys
from datetime import date

import polars as pl
import pytest
from survey_nursery import FIGURES, OPERATOR, opened, respondent, submit

from jiqun.core.schema import schema
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import publish, records, respond, rounds

OLD = pl.DataFrame(
    [
        ("i0000001", "o0000001", "revenue", 2025, 3, 1.0, "CNY", "old"),
        ("i0000002", "o0000001", "revenue", 2024, 3, 2.0, "CNY", "old"),
        ("i0000003", "杭州市", "revenue", 2025, None, 3.0, "CNY", "old"),
    ],
    schema={
        "id": pl.String, "unit": pl.String, "indicator": pl.String, "year": pl.Int64, "quarter": pl.Int64,
        "value": pl.Float64, "measure": pl.String, "evidence": pl.String,
    },
    orient="row",
)  # fmt: skip


def load(workspace, table, frame):
    with workspace.new_snapshot(table, as_of="2025-06-30", source="old.csv") as writer:
        writer.write(frame)


def published(workspace, survey):
    rounds.lock(OPERATOR, workspace, survey, key=new_key())
    again(workspace, survey)


def again(workspace, survey):
    publish.publish(OPERATOR, workspace, survey, key=new_key())
    work(workspace, publish.HANDLERS, once=True, threads=1)
    assert records.find(workspace, survey).state == "published"


def test_figures_are_merged_by_their_key_and_the_rest_stays(workspace):
    load(workspace, "indicators", OLD)
    survey = opened(workspace).id
    submit(workspace, respondent(workspace, survey), FIGURES)
    published(workspace, survey)
    frame = workspace.scan("indicators").collect()
    assert frame["id"].is_unique().all()
    rows = {tuple(row) for row in frame.select("id", "unit", "indicator", "year", "quarter", "value").iter_rows()}
    assert ("i0000001", "o0000001", "revenue", 2025, 3, 3_500_000.0) in rows
    assert ("i0000002", "o0000001", "revenue", 2024, 3, 2.0) in rows
    assert ("i0000003", "杭州市", "revenue", 2025, None, 3.0) in rows
    assert frame.height == 6
    assert set(schema("indicators").names) <= set(frame.columns)
    snapshot = workspace.snapshot("indicators")
    assert snapshot.as_of == date(2025, 9, 30)
    assert (snapshot.summary["replaced"], snapshot.summary["rows"], snapshot.summary["survey"]) == (1, 4, survey)
    assert snapshot.summary["response"]["rate"] == 0.2
    assert set(frame.filter(pl.col("x_survey") == survey)["evidence"]) == {f"企业季度主要指标 2025Q3 ({survey})"}


def test_what_was_left_empty_is_not_published_as_zero(workspace):
    survey = opened(workspace).id
    submit(workspace, respondent(workspace, survey), {"revenue": "0", "employees": "12"})
    published(workspace, survey)
    values = dict(workspace.scan("indicators").select("indicator", "value").collect().iter_rows())
    assert values == {"revenue": 0.0, "employees": 12.0}


def test_published_again_after_a_correction_the_old_rows_are_gone(workspace):
    load(workspace, "indicators", OLD)
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    submit(workspace, who, FIGURES | {"exports": "1"})
    published(workspace, survey)
    rounds.reopen(OPERATOR, workspace, survey, closes_on=date(2025, 11, 7), reason="x", key=new_key())
    submit(workspace, who, FIGURES | {"employees": "13"})
    published(workspace, survey)
    frame = workspace.scan("indicators").filter(pl.col("x_survey") == survey).collect()
    values = dict(frame.select("indicator", "value").iter_rows())
    assert values["employees"] == 13.0
    assert "exports" not in values
    assert workspace.scan("indicators").collect().height == 6
    assert len(workspace.results("survey-indicators")) == 2


def test_nobody_answered_is_published_as_such(workspace):
    survey = opened(workspace).id
    published(workspace, survey)
    assert workspace.scan("indicators").collect().height == 0
    result = workspace.result("survey-indicators")
    assert (result.values["answered"], result.values["silent"], result.values["rate"]) == (0, 5, 0.0)


TIES = {
    "o0000001": {"customers": [{"id": "o0000002", "name": "二号公司", "strength": 3}, {"name": "外部公司"}]},
    "o0000002": {
        "suppliers": [{"id": "o0000001", "name": "一号公司", "strength": 1}],
        "partners": [{"name": "三号公司"}, {"id": "o0000001", "name": "一号公司"}],
    },
}


def test_links_say_who_reported_them_and_nodes_who_answered(workspace):
    survey = opened(workspace, "links", year=2025).id
    for organisation, given in TIES.items():
        assert submit(workspace, respondent(workspace, survey, organisation), given).submitted
    published(workspace, survey)
    frame = workspace.scan("links").collect()
    rows = {tuple(row) for row in frame.select("source", "target", "kind", "weight", "reported_by").iter_rows()}
    assert rows == {
        ("o0000001", "o0000002", "supply", 2.0, "both"),
        ("o0000001", "外部公司", "supply", 1.0, "source"),
        ("o0000001", "o0000002", "project", 1.0, "target"),
        ("o0000002", "o0000003", "project", 1.0, "source"),
    }
    result = workspace.result("survey-links")
    nodes = dict(result.table("nodes").select("organisation", "responded").iter_rows())
    assert nodes == {"o0000001": True, "o0000002": True, "o0000003": False, "o0000004": False, "o0000005": False}
    assert result.values["report_agreement"] == 0.5
    assert result.table("outside").rows() == [("外部公司", 1)]
    links = result.table("links")
    ends = links.filter(pl.col("target") == "外部公司").select("source_responded", "target_responded").row(0)
    assert ends == (True, None)
    rates = result.table("rates")
    whole = rates.filter(pl.col("by") == "all").row(0, named=True)
    assert (whole["expected"], whole["answered"], whole["silent"]) == (5, 2, 3)
    assert set(rates["by"]) == {"all", "size_class", "region"}


def test_links_of_other_sources_stay(workspace):
    old = pl.DataFrame({"id": ["l0000007"], "source": ["甲"], "target": ["乙"], "kind": ["supply"], "weight": [5.0]})
    load(workspace, "links", old)
    survey = opened(workspace, "links").id
    submit(workspace, respondent(workspace, survey), TIES["o0000001"])
    published(workspace, survey)
    frame = workspace.scan("links").collect()
    assert frame.filter(pl.col("source") == "甲")["id"].to_list() == ["l0000007"]
    assert sorted(frame["id"]) == ["l0000007", "l0000008", "l0000009"]


def test_publishing_twice_at_once_is_refused_and_a_dead_job_is_no_obstacle(workspace):
    survey = opened(workspace).id
    rounds.lock(OPERATOR, workspace, survey, key=new_key())
    job = publish.publish(OPERATOR, workspace, survey, key=new_key())
    with pytest.raises(Exception, match="JQ-SURVEY-030"):
        publish.publish(OPERATOR, workspace, survey, key=new_key())
    with pytest.raises(Exception, match="JQ-SURVEY-030"):
        rounds.reopen(OPERATOR, workspace, survey, closes_on=date(2025, 11, 7), reason="x", key=new_key())
    workspace.database.jobs.cancel(OPERATOR, new_key(), job)
    again(workspace, survey)


def test_no_name_of_a_person_is_published(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    submit(workspace, who, FIGURES | {"remark": "问王工"}, by="王工")
    respond.decline(workspace, respondent(workspace, survey, "o0000002"), "other", "李经理不在", key=new_key())
    published(workspace, survey)
    result = workspace.result("survey-indicators")
    for frame in (workspace.scan("indicators").collect(), *map(result.table, result.tables)):
        text = str(frame.to_dicts())
        assert "王工" not in text
        assert "李经理" not in text


KILLED = """
import os, signal, sys
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace, workspace as module
from jiqun.store.worker import work
from jiqun.survey import publish

where, folder = sys.argv[1], sys.argv[2]
workspace = Workspace.open(folder)

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "before the snapshot":
    publish._write = die
if where == "in the snapshot":
    workspace.new_snapshot = die
if where == "before the result":
    publish.put_result = die
if where == "before the round":
    command = workspace.database.command
    workspace.database.command = lambda actor, key, operation, *a, **k: (
        die() if operation == "survey.published" else command(actor, key, operation, *a, **k)
    )
work(workspace, publish.HANDLERS, once=True, threads=1)
"""


@pytest.mark.parametrize("where", ["before the snapshot", "in the snapshot", "before the result", "before the round"])
def test_kill_9_anywhere_leaves_one_snapshot_and_one_result(workspace, clock, where):
    survey = opened(workspace).id
    submit(workspace, respondent(workspace, survey), FIGURES)
    rounds.lock(OPERATOR, workspace, survey, key=new_key())
    publish.publish(OPERATOR, workspace, survey, key=new_key())
    # the job is due by this machine's clock too
    killed = subprocess.run([sys.executable, "-c", KILLED, where, workspace.path], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert records.find(workspace, survey).state == "locked"
    clock.now = Workspace.open(workspace.path).clock()
    clock.move(minutes=5)
    work(workspace, publish.HANDLERS, once=True, threads=1)
    found = records.find(workspace, survey)
    assert (found.state, found.job) == ("published", None)
    assert len(workspace.history("indicators")) == 1
    assert len(workspace.results("survey-indicators")) == 1
    assert workspace.scan("indicators").collect().height == 4
    assert workspace.snapshot("indicators").id == found.snapshot
    assert workspace.verify() == ()
