"""Editions of a roster that say more or less of their rows: decisions, ids and corrections stay with the row."""

from __future__ import annotations

import polars as pl
import pytest
from roster_samples import organisations

from jiqun.core.actor import LOCAL
from jiqun.roster import corrections, desk, records
from jiqun.roster.derive import derive

NAMES = pl.DataFrame({"name": ["南都电源", "不在册的公司", "宏达科技有限公司"], "employees": [7, 4, 9]})
CODE = "91330000143977239L"


def edition(workspace, frame, as_of, *, name="members"):
    made = desk.match(LOCAL, workspace, frame, name=name, as_of=as_of)
    desk.apply(LOCAL, workspace, made.id, key=f"apply-{made.id}")
    derive(workspace)
    return made


def told(workspace, roster, name):
    row = records.now(workspace, roster).filter(pl.col("name") == name).row(0, named=True)
    return row["decision"], row["organisation"], row["by_person"]


@pytest.fixture
def first(workspace):
    """An edition of names only, with a decision on one row and a correction of another."""
    made = edition(workspace, NAMES, "2025-01-01")
    desk.decide(LOCAL, workspace, made.id, 0, "o0000002", "same", key="same")
    corrections.correct(LOCAL, workspace, own(workspace), {"employees": "77"}, key="correct")
    derive(workspace)
    return made


def own(workspace):
    """The id of the organisation that stands by itself."""
    return organisations(workspace).filter(pl.col("name") == "不在册的公司")["id"].item()


@pytest.mark.parametrize(
    "more",
    [
        {"city": ["杭州", "北京", "苏州"]},
        {"region": ["浙江", "北京", "江苏"]},
        {"uscc": [CODE, "91110000100000008J", None]},
        {"city": ["杭州", "北京", "苏州"], "uscc": [CODE, "91110000100000008J", None]},
    ],
)
def test_a_column_more_or_less_loses_neither_decision_nor_id_nor_correction(workspace, first, more):
    before = own(workspace)
    wider = NAMES.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in more.items())
    for frame, day in ((wider, "2025-04-01"), (wider.reverse(), "2025-07-01"), (NAMES, "2025-10-01")):
        later = edition(workspace, frame, day)
        assert told(workspace, later, "南都电源") == ("matched", "o0000002", True)
        assert own(workspace) == before
        assert organisations(workspace).filter(pl.col("id") == before)["employees"].item() == 77


def test_a_renamed_row_is_found_by_the_code_that_an_edition_between_gave(workspace, first):
    before = own(workspace)
    edition(workspace, NAMES.with_columns(uscc=pl.Series([None, "91110000100000008J", None])), "2025-04-01")
    renamed = NAMES.with_columns(
        name=pl.Series(["南都电源", "改了名的公司", "宏达科技有限公司"]),
        uscc=pl.Series([None, "91110000100000008J", None]),
    )
    edition(workspace, renamed, "2025-07-01")
    table = organisations(workspace)
    assert table.filter(pl.col("id") == before)["name"].item() == "改了名的公司"
    assert "不在册的公司" not in table["name"].to_list()


def test_what_several_rows_share_decides_nothing(workspace, first):
    twice = pl.DataFrame({"name": ["南都电源", "南都电源", "不在册的公司"], "city": ["杭州", "上海", None]})
    later = desk.match(LOCAL, workspace, twice, name="members", as_of="2025-04-01")
    found = records.now(workspace, later)
    assert found["by_person"].to_list() == [False, False, False]
    assert found["row_key"].n_unique() == 3
    half = pl.DataFrame({"name": ["南都电源", "南都电源"], "city": [None, "上海"]})
    later = desk.match(LOCAL, workspace, half, name="members", as_of="2025-05-01")
    assert records.now(workspace, later)["by_person"].to_list() == [False, False]


def test_another_place_or_code_is_another_firm(workspace, first):
    edition(workspace, NAMES.with_columns(city=pl.Series(["杭州", "北京", "苏州"])), "2025-04-01")
    moved = desk.match(
        LOCAL, workspace, NAMES.with_columns(city=pl.Series(["广州", "北京市", "苏州"])), name="members",
        as_of="2025-07-01",
    )  # fmt: skip
    assert not told(workspace, moved, "南都电源")[2]
    kept = records.now(workspace, moved).filter(pl.col("name") == "不在册的公司")["row_key"].item()
    assert records.organisations_of(workspace, [kept])[kept] == own(workspace)


def test_another_roster_is_not_decided_by_a_name_alone(workspace, first):
    placed = NAMES.with_columns(city=pl.Series(["杭州", "北京", "苏州"]))
    other = desk.match(LOCAL, workspace, placed, name="holders", as_of="2025-04-01")
    assert not told(workspace, other, "南都电源")[2]
    edition(workspace, placed, "2025-04-02")
    third = desk.match(LOCAL, workspace, placed.head(2), name="holders", as_of="2025-04-03")
    assert not told(workspace, third, "南都电源")[2]  # its own earlier edition comes first


def test_a_row_that_takes_the_old_name_of_another_does_not_take_its_id(workspace, first):
    edition(workspace, NAMES.with_columns(uscc=pl.Series([CODE, None, None])), "2025-04-01")
    swapped = pl.DataFrame({"name": ["南都新能源", "南都电源"], "uscc": [CODE, None]})
    later = desk.match(LOCAL, workspace, swapped, name="members", as_of="2025-07-01")
    assert told(workspace, later, "南都新能源") == ("matched", "o0000002", True)
    assert not told(workspace, later, "南都电源")[2]
