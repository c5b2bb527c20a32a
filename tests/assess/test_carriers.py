"""Carriers as a tree, and which organisations their tenants are: paths, cycles, regions, brute force."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.assess.carriers import carrier_tree, match_tenants
from jiqun.core.errors import MeasureInputError
from jiqun.roster.names import Normaliser

UNITS = pl.DataFrame(
    {
        "region_code": ["330000", "330100"], "level": ["province", "city"], "unit": ["浙江省", "杭州市"],
        "short": ["浙江", "杭州"], "province": ["330000"] * 2, "city": ["330000", "330100"], "name": ["Zhejiang", "Hangzhou"],
    }
)  # fmt: skip


def rows(*given, **more):
    """name, kind, parent, and other columns."""
    frame = pl.DataFrame(given, schema={"name": pl.String, "kind": pl.String, "parent": pl.String}, orient="row")
    return frame.with_columns(pl.Series(name, values) for name, values in more.items())


def states(tree):
    return tree.nodes["parent_state"].to_list()


def codes(tree):
    return [remark.code for remark in tree.remarks]


def test_equal_names_are_told_apart_by_their_paths():
    tree = carrier_tree(
        rows(
            ("P", "park", None), ("A", "building", "P"), ("B", "building", "P"), ("1", "floor", "A"), ("1", "floor", "P／B"),
            ("101", "unit", "A/1"), ("101", "unit", "P/B/1"), ("101", "unit", "1"),
        )
    )  # fmt: skip
    assert tree.nodes["path"].to_list() == ["P", "P/A", "P/B", "P/A/1", "P/B/1", "P/A/1/101", "P/B/1/101", "101"]
    assert states(tree) == ["none", *["ok"] * 6, "ambiguous"]
    assert codes(tree) == ["JQ-ASSESS-114"]
    assert tree.nodes["children"].to_list() == [2, 1, 1, 1, 1, 0, 0, 0]
    assert tree.of(tree.nodes["id"][0]).height == 7


def test_parents_of_another_region_are_others():
    tree = carrier_tree(
        rows(("A", "building", None), ("A", "building", None), ("1", "unit", "A"), ("2", "unit", "A"), ("3", "unit", "A"),
             region_code=["330106", "330108", "330108", "440300", None])
    )  # fmt: skip
    assert tree.nodes["parent_id"].to_list() == [None, None, "1", None, None]
    assert states(tree) == ["none", "none", "ok", "unknown", "ambiguous"]


def test_cycles_unknown_and_lower_parents_stand_at_the_top_and_are_told():
    tree = carrier_tree(
        rows(("x", "park", "y"), ("y", "park", "z"), ("z", "park", "x"), ("under", "unit", "x"), ("lost", "unit", "nowhere"),
             ("u", "unit", None), ("high", "building", "u"), ("self", "park", "self"))
    )  # fmt: skip
    assert states(tree) == ["cycle"] * 3 + ["ok", "unknown", "none", "order", "unknown"]
    assert tree.nodes["depth"].to_list() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert codes(tree) == ["JQ-ASSESS-113", "JQ-ASSESS-115", "JQ-ASSESS-116"]


def test_children_that_exceed_their_parent_are_told():
    given = rows(("P", "park", None), ("1", "unit", "P"), ("2", "unit", "P"), area_m2=[100.0, 60.0, 50.0])
    assert codes(carrier_tree(given)) == ["JQ-ASSESS-117"]
    assert codes(carrier_tree(given.with_columns(area_m2=pl.Series([110.0, 60.0, 50.0])))) == []


@given(st.lists(st.integers(-1, 7), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_parents_among_parks_are_as_by_walking_up(parents):
    parents = [at if at < len(parents) and at != i else -1 for i, at in enumerate(parents)]
    tree = carrier_tree(rows(*((f"n{i}", "park", f"n{at}" if at >= 0 else None) for i, at in enumerate(parents))))

    def walk(i):
        seen = [i]
        while parents[seen[-1]] >= 0 and parents[seen[-1]] not in seen:
            seen.append(parents[seen[-1]])
        return seen, parents[seen[-1]]

    on_cycle = {i for i in range(len(parents)) if walk(i)[1] == i}
    cut = [-1 if i in on_cycle else at for i, at in enumerate(parents)]
    for i in range(len(parents)):
        depth, at = 0, i
        while cut[at] >= 0:
            depth, at = depth + 1, cut[at]
        assert tree.nodes.row(i, named=True)["park_id"] == str(at)
        assert tree.nodes["depth"][i] == depth
        assert (tree.nodes["parent_state"][i] == "cycle") == (i in on_cycle)


@pytest.mark.parametrize(
    ("column", "values", "code"),
    [
        ("id", ["a", "a"], "JQ-ASSESS-110"),
        ("id", ["a", None], "JQ-ASSESS-110"),
        ("area_m2", [1.0, -1.0], "JQ-ASSESS-111"),
        ("rent_cny_m2_month", [1.0, float("inf")], "JQ-ASSESS-111"),
        ("status", ["let", "gone"], "JQ-ASSESS-112"),
        ("area_m2", ["1", "many"], "JQ-ASSESS-127"),
        ("as_of", ["2024-05-01", "last year"], "JQ-ASSESS-127"),
    ],
)
def test_unusable_values_are_refused(column, values, code):
    with pytest.raises(MeasureInputError) as refused:
        carrier_tree(rows(("a", "park", None), ("b", "park", None), **{column: values}))
    assert refused.value.code == code


def test_no_rows_are_no_parks():
    tree = carrier_tree(rows())
    assert tree.nodes.is_empty()
    assert tree.parks.is_empty()


def test_tenants_are_found_by_code_then_id_then_name_and_never_guessed():
    tree = carrier_tree(
        pl.DataFrame(
            {
                "name": list("abcdefg"), "kind": ["unit"] * 7,
                "tenant": ["谁都行", "o2", "杭州甲乙（软件）有限公司", "旧名电子公司", "重名公司", "没有的公司", None],
                "tenant_uscc": ["91330100MA0000001a", None, None, None, None, None, None],
            }
        )
    )  # fmt: skip
    firms = pl.DataFrame(
        {
            "id": ["o1", "o2", "o3", "o4", "o5", "o6"],
            "name": ["某公司", "二号公司", "杭州甲乙(软件)有限公司", "新名电子公司", "重名公司", "重名公司"],
            "uscc": ["91330100MA0000001A", None, None, None, None, None],
            "former_names": [None, None, None, "更旧;旧名电子公司", None, None],
        }
    )
    found = match_tenants(tree, firms, Normaliser(UNITS))
    assert found.select("organisation", "by").rows() == [
        ("o1", "uscc"), ("o2", "id"), ("o3", "name"), ("o4", "former_name"), (None, "ambiguous"), (None, "unmatched"),
    ]  # fmt: skip
    assert match_tenants(carrier_tree(rows(("P", "park", None))), firms, Normaliser(UNITS)).is_empty()
