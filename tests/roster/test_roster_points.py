"""Decisions on points: told in the history, listed, and taken back, whatever was loaded and merged since."""

from __future__ import annotations

import polars as pl
import pytest
from roster_samples import REGISTER, load, organisations

from jiqun.cli.work import HANDLERS
from jiqun.core.actor import LOCAL
from jiqun.core.errors import UsageError
from jiqun.intake import doubtful_points as points
from jiqun.roster import corrections
from jiqun.roster.derive import derive
from jiqun.roster.history import history
from jiqun.store.commands import new_key
from jiqun.store.worker import work

FAR = REGISTER.with_columns(
    lon=pl.Series([100.1234, 120.1512, None, None, None, None]),
    lat=pl.Series([30.1234, 30.2712, None, None, None, None]),
)
GIVEN = (100.1234, 30.1234, "coordinates")


def point(workspace, organisation="o0000001"):
    return organisations(workspace).filter(pl.col("id") == organisation).select("lon", "lat", "placed_by").row(0)


def settle(workspace):
    """Do the jobs that wait."""
    while workspace.database.jobs.counts().get("queued"):
        work(workspace, HANDLERS, once=True, threads=1)


def decide(workspace, fix):
    points.decide(LOCAL, workspace, "organisations", ["o0000001"], fix, key=new_key())
    settle(workspace)


def undo(workspace):
    points.undo(LOCAL, workspace, "organisations", ["o0000001"], key=new_key())
    settle(workspace)


@pytest.fixture
def decided(workspace):
    load(workspace, FAR, "2024-02-01")
    decide(workspace, "drop")
    assert point(workspace)[2] == "city"
    return workspace


def test_a_decision_is_listed_and_taken_back_at_once(decided):
    (row,) = points.decided_points(LOCAL, decided, "organisations").drop("at").rows()
    assert row == ("o0000001", "drop", *GIVEN[:2], None, None, "JQ-PLACE-011", "local")
    undo(decided)
    assert point(decided) == GIVEN
    assert points.decided_points(LOCAL, decided, "organisations").is_empty()
    with pytest.raises(UsageError, match="JQ-PLACE-027"):
        points.undo(LOCAL, decided, "organisations", ["o0000001"], key="again")
    (offered,) = points.doubtful_points(LOCAL, decided, "organisations")["id"].to_list()
    assert offered == "o0000001"  # it can be treated anew
    decide(decided, "keep")
    assert point(decided) == GIVEN


def test_a_decision_is_taken_back_after_a_load_that_kept_to_it_and_under_corrections(decided):
    load(decided, FAR.with_columns(pl.col("employees") + 1), "2024-03-01")
    assert point(decided)[2] == "city"
    corrections.correct(LOCAL, decided, "o0000001", {"employees": "9"}, key="correct")
    derive(decided)
    undo(decided)
    assert point(decided) == GIVEN
    assert organisations(decided).filter(pl.col("id") == "o0000001")["employees"].item() == 9
    corrections.correct(LOCAL, decided, "o0000002", {"employees": "8"}, key="other")
    derive(decided)
    assert point(decided) == GIVEN


def test_a_decision_made_over_corrections_is_taken_back(workspace):
    load(workspace, FAR, "2024-02-01")
    corrections.correct(LOCAL, workspace, "o0000001", {"employees": "9"}, key="correct")
    derive(workspace)
    decide(workspace, "drop")
    assert point(workspace)[2] == "city"
    undo(workspace)
    assert point(workspace) == GIVEN


def test_what_is_taken_back_late_does_not_bring_an_old_point_to_a_new_load(decided):
    points.undo(LOCAL, decided, "organisations", ["o0000001"], key=new_key())
    load(decided, REGISTER, "2024-04-01")  # gives no points at all
    settle(decided)
    assert point(decided)[2] == "city"


def test_history_tells_who_decided_about_a_point_and_what_only_placing_found(decided):
    load(decided, FAR.with_columns(pl.col("employees") + 1), "2024-03-01")
    told = [(one.kind, one.value, one.who, one.shown) for one in history(decided, "o0000001", "lon")]
    shown = str(point(decided)[0])
    assert ("point", None, "local", False) in told
    assert ("placing", shown, None, True) in told
    assert ("register", str(GIVEN[0]), None, False) in told
    assert "JQ-PLACE-011: 100.1234, 30.1234" in next(
        one.source for one in history(decided, "o0000001", "lon") if one.kind == "point"
    )
    placed = [(one.kind, one.source) for one in history(decided, "o0000003", "lon")]
    assert placed == [("placing", "city")]
