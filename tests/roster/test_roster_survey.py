"""The firms of a roster are asked in a survey round; who waits for a decision is not asked twice."""

from __future__ import annotations

import polars as pl

from jiqun.classify import desk as classify
from jiqun.core.actor import LOCAL
from jiqun.roster import records, room
from jiqun.survey import rounds
from jiqun.survey.records import Roster


def of_state(workspace, *states):
    found = workspace.scan("organisations").filter(pl.col("roster_state").is_in(states))
    return set(found.collect()["id"])


def test_all_organisations_are_those_that_count(workspace, applied):
    assert applied.counts["review"] == 2
    asked = {one["organisation"] for one in rounds.expected(workspace, Roster(scope="all"))}
    there = set(workspace.scan("organisations").select("id").collect()["id"])
    assert there - asked == of_state(workspace, "review")
    assert len(of_state(workspace, "review")) == 2


def test_before_it_is_merged_a_roster_knows_the_firms_that_it_matched(workspace, matched):
    rows = records.now(workspace, matched)
    found = room.firms(LOCAL, workspace, room.One(roster=matched.id)).organisations
    assert list(found) == list(dict.fromkeys(rows.filter(pl.col("decision") == "matched")["organisation"]))


def test_a_merged_roster_can_be_asked_row_by_row(workspace, applied):
    found = room.firms(LOCAL, workspace, room.One(roster=applied.id)).organisations
    rows = records.now(workspace, applied)
    expected = rows.filter(pl.col("decision") == "matched")["organisation"].n_unique()
    assert len(found) == len(set(found)) == expected + len(of_state(workspace, "review", "unmatched"))
    assert of_state(workspace, "review", "unmatched") < set(found)
    asked = rounds.expected(workspace, Roster(scope="list", organisations=found))
    assert {one["organisation"] for one in asked} == set(found)


def test_texts_to_label_are_of_organisations_that_count(workspace, applied):
    drawn = classify.draw_sample(LOCAL, workspace, kind="name", size=20, seed=1, key="draw")
    items = classify.sample_items(LOCAL, workspace, drawn.id)
    assert not {one.organisation for one in items} & of_state(workspace, "review")
    assert items
