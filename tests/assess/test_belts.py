"""Industry belts: the null against all tables there are, what each adds, near or linked, bad input, degenerate cases."""

import itertools

import numpy as np
import polars as pl
import pytest

from jiqun.assess import _belt_kernels as kernels
from jiqun.assess.belt_pairs import FACILITIES, belts
from jiqun.core.errors import MeasureInputError

PLACES = pl.DataFrame(
    {"cluster_id": ["c1", "c2", "c3", "c4"], "lon": [120.0, 120.5, 121.0, 100.0], "lat": [30.0, 30.0, 30.0, 30.0]}
)


def having(**clusters):
    """cluster_id, chain, item from `c1="x/a x/b"`."""
    rows = [(name, *one.split("/")) for name, told in clusters.items() for one in told.split()]
    return pl.DataFrame(rows, schema=dict.fromkeys(("cluster_id", "chain", "item"), pl.String), orient="row")


def test_chance_is_that_of_all_tables_with_the_same_margins():
    table = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 1, 0], [0, 1, 1, 0, 1], [1, 0, 0, 0, 0]])
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    choices = [
        [np.isin(np.arange(5), pick).astype(int) for pick in itertools.combinations(range(5), count)] for count in rows
    ]
    every = [np.array(one) for one in itertools.product(*choices) if (np.sum(one, axis=0) == columns).all()]
    a, b = np.triu_indices(4, 1)
    scores = np.array([np.abs(one[a] - one[b]).sum(axis=1) for one in every])
    observed = np.abs(table[a] - table[b]).sum(axis=1)
    blocks, takes = np.array([0, 5]), np.ones((4, 1), np.int64)
    draws = 40_000
    reached, mean, spread = kernels.against_chance(table, takes, blocks, a, b, draws, 20, 1)
    assert np.allclose(mean, scores.mean(axis=0), atol=0.05)
    assert np.allclose(spread, scores.std(axis=0), atol=0.05)
    assert np.allclose(reached / draws, (scores >= observed).mean(axis=0), atol=0.02)


def test_what_each_adds_counts_only_in_chains_that_both_take_part_in():
    has = having(
        c1="ai/chips ai/models facility/computing", c2="ai/models ai/apps auto/cars", c3="auto/cars auto/parts"
    )
    found = belts(PLACES, has, draws=999, possible=having(c2="ai/chips"))
    pairs = {(row["a"], row["b"]): row for row in found.pairs.to_dicts()}
    assert {"a_adds": 2, "b_adds": 1, "shared": 1, "score": 3}.items() <= pairs["c1", "c2"].items()
    assert {"a_adds": 0, "b_adds": 1, "shared": 1, "score": 1}.items() <= pairs["c2", "c3"].items()
    assert {"a_adds": 1, "b_adds": 0, "score": 1}.items() <= pairs["c1", "c3"].items()  # computing power only
    told = found.adds.filter(a="c1", b="c2").select("giver", "taker", "chain", "item", "possible").rows()
    assert told == [
        ("c1", "c2", "ai", "chips", True), ("c1", "c2", FACILITIES, "computing", False), ("c2", "c1", "ai", "apps", False),
    ]  # fmt: skip
    assert pairs["c1", "c2"]["km"] == pytest.approx(48.15, abs=0.01)


def test_far_clusters_count_only_where_they_are_linked():
    has = having(c1="ai/chips", c4="ai/models")
    assert belts(PLACES, has, draws=999).pairs.is_empty()
    links = pl.DataFrame({"a": ["c4", "c1", "c1"], "b": ["c1", "c4", "c1"], "links": [2, 3, 9]})
    (row,) = belts(PLACES, has, links=links, draws=999).pairs.to_dicts()
    assert (row["a"], row["b"], row["links"], row["score"]) == ("c1", "c4", 5, 2)
    assert belts(PLACES, has, max_km=20_000, draws=999).pairs.height == 1


def test_two_families_that_complement_each_other_are_found_beyond_chance():
    """Twelve clusters with the first half of the nodes, twelve with the second: between them everything differs."""
    n = 24
    places = pl.DataFrame(
        {"cluster_id": [f"c{i:02d}" for i in range(n)], "lon": [100 + i * 0.01 for i in range(n)], "lat": [30.0] * n}
    )
    has = having(**{f"c{i:02d}": " ".join(f"x/{'l' if i < 12 else 'r'}{k}" for k in range(6)) for i in range(n)})
    found = belts(places, has)
    across = (found.pairs["a"] < "c12") & (found.pairs["b"] >= "c12")
    assert (found.pairs.filter(across)["score"] == 12).all()
    assert (found.pairs.filter(~across)["score"] == 0).all()
    assert found.pairs.filter(across)["p"].max() < 0.02
    assert found.pairs.filter(~across)["p"].min() == 1.0
    assert found.communities["belt"].null_count() == 0


def test_random_tables_are_rarely_beyond_chance():
    rng = np.random.default_rng(7)
    n, m = 40, 20
    places = pl.DataFrame(
        {"cluster_id": [f"c{i:02d}" for i in range(n)], "lon": rng.uniform(100, 102, n), "lat": [30.0] * n}
    )
    i, j = np.nonzero(rng.random((n, m)) < 0.4)
    has = pl.DataFrame(
        {"cluster_id": places["cluster_id"].gather(i), "chain": ["x"] * i.size, "item": [f"n{k}" for k in j]}
    )
    found = belts(places, has, draws=1999)
    assert (found.pairs["p"] <= 0.05).mean() < 0.06
    assert found.pairs["q"].min() > 0.05
    again = belts(places, has, draws=1999)
    assert again.pairs.equals(found.pairs)


def test_nothing_to_compare_is_no_pairs():
    for places, has in ((PLACES, having()), (PLACES.clear(), having(c1="x/a")), (PLACES.head(1), having(c1="x/a"))):
        found = belts(places, has, draws=999)
        assert found.pairs.is_empty()
        assert found.adds.is_empty()
        assert found.communities["belt"].null_count() == places.height


@pytest.mark.parametrize(
    ("places", "more", "code"),
    [
        (PLACES, {"max_km": -1.0}, "JQ-ASSESS-119"),
        (PLACES, {"level": 0.0}, "JQ-ASSESS-119"),
        (PLACES, {"draws": 10}, "JQ-ASSESS-119"),
        (pl.concat([PLACES, PLACES.head(1)]), {}, "JQ-ASSESS-122"),
        (PLACES.with_columns(lat=pl.lit(None, pl.Float64)), {}, "JQ-ASSESS-122"),
        (PLACES.with_columns(lon=pl.lit(200.0)), {}, "JQ-ASSESS-122"),
        (PLACES.drop("lon"), {}, "JQ-USE-003"),
    ],
)
def test_unusable_input_is_refused(places, more, code):
    with pytest.raises(MeasureInputError) as refused:
        belts(places, having(c1="x/a", c2="x/b"), **more)
    assert refused.value.code == code
