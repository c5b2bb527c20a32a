"""Sets of industries: planted ones come back, the scores are the shares written out, bad tables are named."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from jiqun.atlas import industry_groups as module
from jiqun.atlas.industry_groups import industry_sets
from jiqun.atlas.industry_space import relatedness
from jiqun.core.errors import MeasureInputError


def planted(rng, sizes, noise):
    """Pairs of industries, similar within blocks."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    i, j = np.triu_indices(len(block), 1)
    value = (block[i] == block[j]) + rng.normal(0, noise, len(i))
    names = np.array([f"i{k:02d}" for k in range(len(block))])
    return block, pl.DataFrame({"industry_i": names[i], "industry_j": names[j], "relatedness": value})


def test_planted_sets_come_back_and_their_number_scores_best():
    block, pairs = planted(np.random.default_rng(2), [9, 7, 5, 4], 0.15)
    _, other = planted(np.random.default_rng(3), [9, 7, 5, 4], 0.3)
    found = industry_sets({"one": pairs, "two": other}, sizes=range(2, 9))
    assert found.candidates["sets"][0] == 4
    assert found.industries.sort("industry")["set"].to_list() == (block + 1).tolist()
    assert not found.industries["marginal"].any()
    assert found.candidates["score"].is_sorted(descending=True)


def test_scores_are_the_shares_written_out():
    rng = np.random.default_rng(4)
    _, pairs = planted(rng, [5, 4, 3, 1], 0.8)
    names, (matrix,) = module._matrices({"one": pairs}, "industry", "relatedness")
    own = module._numbered(rng.integers(0, 4, len(names)), names)
    sets = [np.flatnonzero(own == k) for k in range(own.max() + 1)]

    def mean(rows, columns):
        values = [matrix[a, b] for a in rows for b in columns if a != b]
        return np.mean(values) if values else np.nan

    found = []
    for value, others in (
        ([mean(s, s) for s in sets], [[mean(s, t) for t in sets if t is not s] for s in sets]),
        (
            [mean([a], sets[own[a]]) for a in range(len(names))],
            [[mean([a], t) for k, t in enumerate(sets) if k != own[a]] for a in range(len(names))],
        ),
    ):
        found.append(np.mean([v > np.mean(o) for v, o in zip(value, others, strict=True)]))
        found.append(np.mean([v > np.percentile(o, 95) for v, o in zip(value, others, strict=True)]))
    assert module._shares(matrix, own).tolist() == pytest.approx(found)


def test_co_location_of_a_real_table_gives_sets(shared_data):
    """German states by section (Statistisches Bundesamt through REAT): every industry is in one set."""
    table = pl.read_csv(shared_data / "real" / "de-region-industry" / "G_regions_industries.csv")
    pairs = relatedness(table, region="region", industry="ind_code", size="emp_all", method="proximity")
    found = industry_sets({"co-location": pairs}, sizes=range(2, 7), industry="ind_code")
    assert found.industries["ind_code"].n_unique() == found.industries.height
    assert set(found.industries["ind_code"]) <= set(table["ind_code"])
    assert found.candidates.height == 10
    assert found.candidates["score"][0] > found.candidates["score"][-1]


def test_bad_tables_are_named():
    good = pl.DataFrame({"industry_i": ["a", "b"], "industry_j": ["b", "c"], "relatedness": [1.0, 0.5]})
    bad = [
        good.with_columns(relatedness=pl.lit(float("inf"))),
        good.with_columns(industry_j=pl.lit("b")),
        pl.concat([good, good]),
        good.head(1),
    ]
    for frame in bad:
        with pytest.raises(MeasureInputError) as caught:
            industry_sets({"x": frame}, sizes=[2])
        assert caught.value.code == "JQ-ATLAS-027"
    for sizes in ([], [1], [3]):
        with pytest.raises(MeasureInputError):
            industry_sets({"x": good}, sizes=sizes)
    with pytest.raises(MeasureInputError):
        industry_sets({}, sizes=[2])
    with pytest.raises(MeasureInputError, match="relatedness"):
        industry_sets({"x": good.drop("relatedness")}, sizes=[2])


def test_industries_that_are_all_equally_alike_are_not_grouped():
    pairs = pl.DataFrame({"industry_i": ["a", "a", "b"], "industry_j": ["b", "c", "c"], "relatedness": [1.0, 1.0, 1.0]})
    with pytest.raises(MeasureInputError) as caught:
        industry_sets({"co-location": pairs}, sizes=[2])
    assert caught.value.code == "JQ-ATLAS-027"
