"""Firms on chains: who stands where, how strong, what is missing, what hangs on it, who could fill it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from chain_samples import CODES, WORDS, chain, firms, node
from hypothesis import given
from hypothesis import strategies as st

from jiqun.atlas.chain_data import Chain, Edge
from jiqun.atlas.chain_graph import ChainGraph
from jiqun.atlas.chain_places import place_firms
from jiqun.atlas.chain_strength import candidates, chain_gaps, chain_map
from jiqun.core.errors import InputError, MeasureInputError
from jiqun.taxonomy.products import ProductWords

CHAIN = chain()


def state_of(frame: pl.DataFrame, made: Chain = CHAIN) -> list[str]:
    """The state of each firm."""
    return place_firms(made, frame).states["state"].to_list()


def nodes_of(frame: pl.DataFrame, made: Chain = CHAIN) -> list[tuple[str, str, str]]:
    """Where firms stand, and by what."""
    return place_firms(made, frame).at.select("id", "node", "by").rows()


class TestPlaces:
    def test_a_code_of_one_node_decides_whatever_the_words_say(self):
        frame = pl.DataFrame({"id": ["a"], "industry_code": ["3973"], "main_business": ["硅片"]})
        assert nodes_of(frame) == [("a", "fab", "code")]

    def test_of_a_code_that_two_nodes_claim_the_words_decide(self):
        made = Chain(
            id="c", zh="c", en="c", version="1",
            nodes=(node("wafer", gbt=("3985",), words_zh=("硅片",)), node("resist", gbt=("3985",), words_zh=("光刻胶",))),
        )  # fmt: skip
        frame = pl.DataFrame(
            {
                "id": list("abcd"),
                "industry_code": ["3985"] * 4,
                "main_business": ["光刻胶的研发和生产", "硅片；光刻胶", "电子胶", None],
            }
        )
        found = place_firms(made, frame)
        assert found.at.select("id", "node").rows() == [("a", "resist"), ("b", "wafer"), ("b", "resist")]
        assert found.states["state"].to_list() == ["placed", "placed", "open", "open"]
        assert found.possible.sort("id", "node").rows() == [
            ("c", "resist"), ("c", "wafer"), ("d", "resist"), ("d", "wafer"),
        ]  # fmt: skip

    def test_of_a_code_that_belongs_in_part_a_text_without_a_word_says_no(self):
        made = Chain(id="c", zh="c", en="c", version="1", nodes=(node("wafer", gbt=("3985*",), words_zh=("硅片",)),))
        frame = pl.DataFrame(
            {"id": list("abc"), "industry_code": ["3985"] * 3, "main_business": ["硅片", "铜箔", None]}
        )
        assert state_of(frame, made) == ["placed", "outside", "open"]

    def test_a_code_above_the_nodes_leaves_them_open_and_decides_none(self):
        frame = pl.DataFrame({"id": list("ab"), "industry_code": ["397", "C39"]})
        assert state_of(frame) == ["open", "open"]
        assert nodes_of(frame) == []

    def test_the_most_detailed_claim_counts(self):
        made = Chain(
            id="c", zh="c", en="c", version="1", nodes=(node("all", gbt=("391",)), node("control", gbt=("3914",)))
        )
        frame = pl.DataFrame({"id": list("ab"), "industry_code": ["3914", "3911"]})
        assert [row[:2] for row in nodes_of(frame, made)] == [("a", "control"), ("b", "all")]

    def test_a_digital_code_places_where_there_is_no_industry_code(self):
        made = Chain(id="c", zh="c", en="c", version="1", nodes=(node("fab", digital=("digital-2021:010508",)),))
        frame = pl.DataFrame({"id": list("abc"), "digital_code": ["010508", "030103", "nonsense"]})
        assert nodes_of(frame, made) == [("a", "fab", "code")]
        assert state_of(frame, made) == ["placed", "outside", "unknown"]

    def test_who_only_sells_uses_or_once_made_it_does_not_stand_there(self):
        texts = ["硅片销售", "物业管理；产品广泛应用于硅片", "硅片的制造", "房地产开发"]
        frame = pl.DataFrame({"id": list("abcd"), "main_business": texts})
        assert [row[0] for row in nodes_of(frame)] == ["c"]

    def test_nothing_known_is_not_outside(self):
        frame = pl.DataFrame(
            {"id": list("abc"), "name": ["甲", "乙光刻胶有限公司", None], "main_business": [None, None, ""]}
        )
        assert state_of(frame) == ["unknown", "placed", "unknown"]

    def test_english_words_match_whole_and_in_the_plural(self):
        words = ProductWords.of({"chip": ["IC design"]})
        found = words.read(pl.Series(["IC designs for phones", "basic designer", "IC-Design"]), "summary")
        assert found["row"].to_list() == [0, 2]

    def test_a_table_without_ids_is_refused(self):
        with pytest.raises(MeasureInputError, match="JQ-USE-003"):
            place_firms(CHAIN, pl.DataFrame({"name": ["x"]}))

    def test_no_firms_are_no_trouble(self):
        found = chain_map(CHAIN, firms())
        assert found.nodes["status"].unique().to_list() == ["unknown"]
        assert found.members == 0
        assert chain_gaps(found)["rank"].null_count() == 5


class TestMap:
    def test_concentration_is_the_sum_of_squared_shares(self):
        found = chain_map(CHAIN, firms(("a", "3973", 60), ("b", "3973", 30), ("c", "3973", 10)), size="employees")
        row = found.nodes.filter(node="fab").row(0, named=True)
        assert row["hhi"] == pytest.approx(0.6**2 + 0.3**2 + 0.1**2)
        assert (row["top"], row["top_share"], row["single"]) == ("a", pytest.approx(0.6), True)

    def test_unknown_sizes_are_left_out_and_told(self):
        found = chain_map(CHAIN, firms(("a", "3973", 60), ("b", "3973", None), ("c", "3973", 0)), size="employees")
        row = found.nodes.filter(node="fab").row(0, named=True)
        assert (row["firms"], row["sized"], row["size"], row["hhi"]) == (3, 1, 60.0, None)
        empty = (
            chain_map(CHAIN, firms(("a", "3973", None)), size="employees").nodes.filter(node="fab").row(0, named=True)
        )
        assert (empty["hhi"], empty["size"], empty["single"]) == (None, None, True)

    def test_shares_of_a_size_that_is_known_of_few_are_not_told_and_nothing_hangs_on_the_one_that_is(self):
        for known, single, share in ((1, False, None), (4, False, None), (5, True, 50 / 54)):
            rows = [(f"f{i}", "3973", (50 if i == 0 else 1) if i < known else None) for i in range(10)]
            row = chain_map(CHAIN, firms(*rows), size="employees").nodes.filter(node="fab").row(0, named=True)
            assert (row["single"], row["top_share"]) == (single, share), known
            assert row["sized"] == known
            assert (row["hhi"] is None) == (row["top"] is None) == (share is None)

    def test_location_quotient_by_hand(self):
        rows = [(f"f{i}", "3973", 1) for i in range(6)] + [(f"o{i}", "0111", 1) for i in range(14)]
        found = chain_map(CHAIN, firms(*rows), ["f0", "f1", "f2", "o0"])
        assert found.nodes.filter(node="fab").item(0, "lq") == pytest.approx((3 / 4) / (6 / 20))
        assert found.nodes.filter(node="fab").item(0, "status") == "strong"

    def test_too_little_known_is_unknown_not_missing(self):
        rows = [("a", "3973", 1), ("b", None, 1)]
        assert chain_map(CHAIN, firms(*rows)).nodes.filter(node="wafer").item(0, "status") == "unknown"
        told = chain_map(CHAIN, firms(*rows), most_undecided=0.5)
        assert told.undecided == 0.5
        assert told.nodes.filter(node="wafer").item(0, "status") == "missing"

    def test_a_firm_that_may_stand_there_keeps_a_node_from_being_missing(self):
        rows = [("a", "3973", 1), *((f"o{i}", "0111", 1) for i in range(8)), ("b", "356", 1)]
        told = {row["node"]: row["status"] for row in chain_map(CHAIN, firms(*rows)).nodes.to_dicts()}
        assert told["pack"] == "unknown"
        assert told["wafer"] == "missing"

    def test_links_between_nodes_are_counted_by_id_or_name_and_edges_without_one_are_told(self):
        frame = firms(("a", "3985", 1), ("b", "3973", 1), ("c", "3973", 1)).with_columns(
            name=pl.Series(["甲", "乙", "丙"])
        )
        links = pl.DataFrame({"source": ["a", "甲", "b", "x"], "target": ["b", "丙", "c", "b"]})
        flows = chain_map(CHAIN, frame, links=links).flows
        assert flows.filter(start="wafer", end="fab").row(0) == ("wafer", "fab", True, 2, 1)
        assert flows.filter(start="pack", end="phone").row(0) == ("pack", "phone", True, 0, 0)
        assert flows.filter(pl.col("start") == pl.col("end")).is_empty()
        assert chain_map(CHAIN, frame).flows is None

    def test_shares_out_of_range_are_refused(self):
        with pytest.raises(InputError, match="JQ-CHAIN-018"):
            chain_map(CHAIN, firms(), single_share=1.5)
        with pytest.raises(MeasureInputError, match="JQ-ATLAS-016"):
            chain_map(CHAIN, firms(("a", "3973", 1)), size="industry_code")


many = st.lists(
    st.tuples(st.sampled_from([*CODES.values(), "0111", None, "397"]), st.one_of(st.none(), st.integers(1, 1000))),
    max_size=25,
)


def numbered(rows) -> pl.DataFrame:
    """Firms with ids."""
    return firms(*((f"f{i}", code, size) for i, (code, size) in enumerate(rows)))


@given(many, st.sampled_from([*CODES.values(), None]))
def test_adding_a_firm_never_lowers_a_node(rows, code):
    before = chain_map(CHAIN, numbered(rows), size="employees").nodes
    after = chain_map(CHAIN, numbered([*rows, (code, 5)]), size="employees").nodes
    assert (after["firms"] >= before["firms"]).all()
    assert (after["possible"] >= before["possible"]).all()
    assert after["firms"].sum() - before["firms"].sum() == (code is not None)


@given(many)
def test_states_add_up_and_shares_lie_in_their_bounds(rows):
    found = chain_map(CHAIN, numbered(rows), size="employees")
    assert found.members == len(rows)
    for row in found.nodes.to_dicts():
        assert row["firms"] + row["possible"] <= len(rows)
        if row["hhi"] is not None:
            assert 1 / row["sized"] - 1e-12 <= row["hhi"] <= 1 + 1e-12
            assert row["top_share"] ** 2 <= row["hhi"] + 1e-12
            assert row["hhi"] <= row["top_share"] + 1e-12


@given(many, st.sampled_from(sorted(CODES)))
def test_taking_the_only_firm_of_a_node_makes_it_a_gap(rows, name):
    rest = [(code, size) for code, size in rows if code not in (CODES[name], "397", None)]
    with_one = chain_map(CHAIN, numbered([*rest, (CODES[name], 7)]), most_undecided=1.0)
    assert with_one.nodes.filter(node=name).item(0, "single")
    if rest:
        without = chain_map(CHAIN, numbered(rest), most_undecided=1.0)
        assert without.nodes.filter(node=name).item(0, "status") == "missing"
        assert name in chain_gaps(without).filter(pl.col("rank").is_not_null())["node"].to_list()


def brute_share(edges, count, v, d):
    """Share of the ways from a source to d that lead through v, all ways written out."""
    after = {i: [b for a, b in edges if a == i] for i in range(count)}
    sources = [i for i in range(count) if all(b != i for _, b in edges)]
    ways = []

    def go(trail):
        if trail[-1] == d:
            ways.append(tuple(trail))
        for following in after[trail[-1]]:
            go([*trail, following])

    for source in sources:
        go([source])
    through = [way for way in ways if v in way]
    return len(through) / len(ways) if ways and v != d else 0.0


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1]), max_size=12))
def test_dependence_is_the_share_of_ways_written_out(edges):
    made = ChainGraph(tuple("abcdefg"), tuple(sorted(edges)), (0,) * 7)
    found = made.dependence
    expected = np.array([[brute_share(edges, 7, v, d) for d in range(7)] for v in range(7)])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert ((found == 1) == (expected == 1)).all()
    for v in range(7):
        for d in range(7):
            way = made.way(v, d)
            assert bool(way) == (found[v, d] > 0)
            assert all(pair in edges for pair in pairwise(way))
    assert all(made.layers[a] < made.layers[b] for a, b in edges)


def test_nodes_of_a_circle_hang_on_each_other():
    made = ChainGraph(tuple("abcd"), ((0, 1), (1, 2), (2, 1), (2, 3)), (0,) * 4)
    assert made.dependence[1, 2] == made.dependence[2, 1] == made.dependence[1, 3] == 1
    assert made.dependence[3, 1] == 0


class TestGaps:
    def test_what_hangs_on_a_node_by_hand(self):
        """Two ways lead to the fab, one from there on: half of it hangs on each material, all of it on packaging."""
        rows = [("a", "3973", 100), ("b", "3922", 300), ("x", "0111", 1)]
        gaps = chain_gaps(chain_map(CHAIN, firms(*rows), size="employees"))
        told = {row["node"]: row for row in gaps.to_dicts()}
        assert told["pack"]["hangs"] == told["pack"]["only"] == 300
        assert told["wafer"]["hangs"] == pytest.approx((100 + 300) / 2)
        assert told["wafer"]["only"] == 0
        assert told["wafer"]["path"] == ["wafer", "fab", "pack", "phone"]
        assert told["fab"]["single"]
        assert gaps["node"].to_list()[0] in {"pack", "fab"}
        assert gaps["hangs"].to_list() == sorted(gaps["hangs"].to_list(), reverse=True)

    def test_where_sizes_are_hardly_known_firms_are_counted_so_that_what_hangs_is_not_nothing(self):
        rows = [(f"f{i}", "3973", None if i else 7) for i in range(10)]
        mapped = chain_map(CHAIN, firms(*rows), size="employees")
        wafer = chain_gaps(mapped).filter(node="wafer").row(0, named=True)
        assert (mapped.unit, wafer["unit"]) == (None, None)
        assert (wafer["status"], wafer["dependants"], wafer["hangs"]) == ("missing", 10, 5.0)
        known = chain_map(CHAIN, firms(*((*row[:2], 7) for row in rows)), size="employees")
        assert chain_gaps(known).filter(node="wafer").select("hangs", "unit").row(0) == (35.0, "employees")

    def test_a_firm_at_two_nodes_counts_once(self):
        places = place_firms(CHAIN, firms(("a", "3973", 1)))
        at = pl.concat([places.at, places.at.with_columns(node=pl.lit("phone"))])
        twice = type(places)(at, places.possible, places.states)
        gaps = chain_gaps(chain_map(CHAIN, firms(("a", "3973", 40)), size="employees", places=twice))
        assert gaps.filter(node="pack").item(0, "hangs") == 40
        assert gaps.filter(node="pack").item(0, "dependants") == 1

    def test_where_nobody_stands_after_a_node_nothing_hangs_on_it(self):
        gaps = chain_gaps(chain_map(CHAIN, firms(("a", "3985", 9), ("o", "0111", 1))))
        assert gaps.filter(node="phone").select("hangs", "dependants", "path").row(0) == (0.0, 0, [])

    def test_what_is_not_known_comes_last_without_a_rank(self):
        gaps = chain_gaps(chain_map(CHAIN, firms(("a", "3973", 1), ("b", "356", 1)), most_undecided=1.0))
        assert gaps["rank"].to_list()[-1] is None
        assert gaps["node"].to_list()[-1] == "pack"


class TestCandidates:
    FIRMS = pl.DataFrame(
        {
            "id": list("abcdef"),
            "name": ["=1+1", "乙", "丙", "丁", "戊", "己"],
            "industry_code": [None, "2664", "2664", "2664", "3973", "2664"],
            "main_business": ["光刻胶", None, None, None, None, None],
            "digital_code": [None, None, None, None, "010508", None],
            "lon": [120.0, 121.0, 121.0, None, 120.0, 120.5],
            "lat": [30.0, 31.0, 31.0, None, 30.0, 30.0],
            "employees": [10, 20, 30, 40, 50, None],
        }
    )

    def find(self, **more) -> pl.DataFrame:
        """Candidates for the resist node; e is the cluster."""
        places = place_firms(CHAIN, self.FIRMS.drop("digital_code"))
        return candidates(places, "resist", self.FIRMS, ["e"], centre=(120.0, 30.0), **more)

    def test_the_order_is_as_stated(self):
        links = pl.DataFrame({"source": ["e", "乙"], "target": ["b", "e"]})
        found = self.find(size="employees", links=links)
        assert found["id"].to_list() == ["b", "d", "c", "f", "a"]
        assert found["links"].to_list() == [2, 0, 0, 0, 0]
        assert found["rank"].to_list() == [1, 2, 3, 4, 5]

    def test_what_is_not_known_is_null(self):
        found = self.find()
        assert found["links"].null_count() == found.height
        assert found.filter(id="d")["distance_km"].to_list() == [None]
        assert found.filter(id="a")["distance_km"].to_list() == [0.0]
        there = found.filter(id="b").item(0, "distance_km")
        straight = math.hypot(111.195 * math.cos(math.radians(30.5)), 111.195)
        assert there == pytest.approx(straight, rel=1e-3)

    def test_members_are_none(self):
        places = place_firms(CHAIN, self.FIRMS.drop("digital_code"))
        found = candidates(places, "resist", self.FIRMS, ["a", "b", "c"])
        assert found["id"].sort().to_list() == ["d", "f"]

    def test_relatedness_goes_by_the_candidates_own_class(self):
        density = pl.DataFrame({"industry": ["0105"], "density": [0.7]})
        frame = self.FIRMS.with_columns(digital_code=pl.Series(["010516", None, "030103", None, None, None]))
        places = place_firms(CHAIN, self.FIRMS.drop("digital_code"))
        found = candidates(places, "resist", frame, ["e"], relatedness=density)
        assert dict(found.select("id", "relatedness").rows())["a"] == 0.7
        assert dict(found.select("id", "relatedness").rows())["c"] is None


def test_words_of_the_samples_are_read_as_their_nodes():
    frame = pl.DataFrame({"id": list(WORDS), "main_business": [f"{word}的生产" for word in WORDS.values()]})
    assert {(a, b) for a, b, _ in nodes_of(frame)} == {(name, name) for name in WORDS}


def test_edges_of_a_chain_are_told_by_their_ends():
    assert Edge(start="a", end="b", en="x").flow.zh == "x"


def test_a_sole_claim_decides_and_words_add_what_others_claim_in_part():
    nodes = (node("design", gbt=("6520",), words_zh=("芯片设计",)), node("cores", gbt=("6520*",), words_zh=("IP核",)))
    made = Chain(id="c", zh="c", en="c", version="1", nodes=nodes)
    frame = pl.DataFrame({"id": list("ab"), "industry_code": ["6520"] * 2, "main_business": [None, "IP核授权"]})
    assert nodes_of(frame, made) == [("a", "design", "code"), ("b", "cores", "main_business"), ("b", "design", "code")]
