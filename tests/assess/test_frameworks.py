"""The frameworks that the program ships."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from jiqun import atlas
from jiqun.assess.composite import composite_index
from jiqun.assess.framework import framework_of, shipped
from jiqun.assess.rank_uncertainty import uncertainty

CODES = ["competitiveness", "green", "health", "nqpf", "readiness"]


def made_up(framework, n=12, seed=1):
    """Synthetic: log-normal values and denominators."""
    rng = np.random.default_rng(seed)
    below = {one.denominator for one in framework.indicators if one.denominator}
    columns = {code: rng.lognormal(1, 0.5, n) for code in sorted({*framework.codes, *below})}
    return pl.DataFrame({"unit": [f"c{k}" for k in range(n)]} | columns)


def test_those_that_were_asked_for_are_there_and_say_what_they_are():
    assert [framework.code for framework in shipped()] == CODES
    for framework in shipped():
        assert framework.status == "proposal"
        assert "权重由您决定" in framework.about_zh
        assert "weights are yours" in framework.about_en
        for one in framework.indicators:
            assert one.source
            assert one.reference
            assert one.impute is not None
        assert {one.origin for one in framework.indicators} >= {"table"}
        assert all(one.impute == "none" for one in framework.indicators if one.origin == "atlas")


def test_dimensions_are_those_of_the_texts():
    assert [framework_of(code).level(code) for code in CODES] == [2] * 5
    assert len(framework_of("competitiveness").children("competitiveness")) == 5
    assert len(framework_of("health").children("health")) == 4
    assert len(framework_of("nqpf").children("nqpf")) == 4
    named = {one.code for framework in shipped() for one in framework.indicators}
    assert {"oss_projects", "shared_facilities", "standards", "data_products"} <= named


def test_what_the_atlas_computes_names_a_function_of_the_atlas():
    for framework in shipped():
        for one in framework.indicators:
            if one.origin == "atlas" and "jiqun.atlas." in one.source:
                assert hasattr(atlas, one.source.partition("jiqun.atlas.")[2].split()[0]), one.code


def test_one_indicator_is_told_alike_in_all_frameworks():
    seen = {}
    for framework in shipped():
        for one in framework.indicators:
            told = one.model_dump(exclude={"parent", "reference", "weight"})
            assert seen.setdefault(one.code, told) == told


@pytest.mark.parametrize("code", CODES)
def test_each_gives_an_index_and_its_uncertainty(code):
    framework = framework_of(code)
    table = made_up(framework)
    found = composite_index(table, framework)
    assert found.scores["rank"].to_list() == list(range(1, 13))
    assert found.scores[code].is_between(1, 100).all()
    told = uncertainty(
        table, framework, normalise=["minmax", "percentile"], leave_out=True, weight_spread=0.25, runs=50
    )
    assert told.ranks.height == 12
