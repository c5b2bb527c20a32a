"""Clusters keep their ids from run to run."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.atlas.identity import succeed


def run(groups: list[str]) -> pl.DataFrame:
    rows = [(firm, cluster, 1.0) for cluster, firms in enumerate(groups) for firm in firms]
    return pl.DataFrame(rows, schema={"id": pl.String, "cluster": pl.Int64, "weight": pl.Float64}, orient="row")


def before(groups: dict[str, str]) -> pl.DataFrame:
    rows = [(firm, name, 1.0) for name, firms in groups.items() for firm in firms]
    return pl.DataFrame(rows, schema={"id": pl.String, "cluster_id": pl.String, "weight": pl.Float64}, orient="row")


def test_the_first_run_bears_all():
    first = succeed(run(["abc", "de"]), None)
    assert first.current.select("cluster_id", "event").rows() == [("c0001", "born"), ("c0002", "born")]
    assert (first.died, first.next_number) == ((), 3)


@pytest.mark.parametrize(
    ("then", "now", "events", "died"),
    [
        ({"c0001": "abcd"}, ["abcx"], [("c0001", "continued")], ()),
        ({"c0001": "abcd"}, ["xyz"], [("c0009", "born")], ("c0001",)),
        ({"c0001": "abcdef"}, ["abc", "de"], [("c0001", "split"), ("c0009", "split")], ()),
        ({"c0001": "ab", "c0002": "cde"}, ["abcde"], [("c0002", "merged")], ()),
        ({"c0001": "abcd", "c0002": "ef"}, ["ef", "abcd"], [("c0002", "continued"), ("c0001", "continued")], ()),
        ({"c0001": "abcdefgh"}, ["axyz"], [("c0009", "born")], ("c0001",)),
        ({"c0001": "ab"}, ["abcdefgh"], [("c0001", "continued")], ()),
    ],
)
def test_events(then, now, events, died):
    found = succeed(run(now), before(then), next_number=9)
    assert found.current.select("cluster_id", "event").rows() == events
    assert found.died == died


def test_weights_decide_not_heads():
    members = run(["ab"]).with_columns(weight=pl.Series([10.0, 1.0]))
    old = before({"c0001": "b", "c0002": "a"}).with_columns(weight=pl.Series([1.0, 10.0]))
    assert succeed(members, old, next_number=3).current["cluster_id"].to_list() == ["c0002"]


GROUPS = st.lists(st.sets(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=8), min_size=1, max_size=5)


def disjoint(groups: list[set[str]]) -> list[str]:
    seen: set[str] = set()
    result = []
    for group in groups:
        result.append("".join(sorted(group - seen)))
        seen |= group
    return [g for g in result if g]


@given(GROUPS, GROUPS)
def test_every_cluster_has_its_own_id_and_no_id_is_used_again(then, now):
    old = {f"c{i:04d}": firms for i, firms in enumerate(disjoint(then), 1)}
    found = succeed(run(disjoint(now)), before(old), next_number=len(old) + 1)
    ids = found.current["cluster_id"].to_list()
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(found.died)
    assert found.next_number == len(old) + 1 + len(set(ids) - set(old))
    again = succeed(run(disjoint(then)), before(old), next_number=len(old) + 1)
    assert again.current["cluster_id"].to_list() == list(old)
    assert set(again.current["event"]) == {"continued"}
