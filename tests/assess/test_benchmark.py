"""Benchmark: quoted figures with their sources, own ones beside the same indicator, never ranked, bad input."""

import polars as pl
import pytest

from jiqun.assess.references import COLUMNS, benchmark, reference_clusters, reference_texts
from jiqun.core.errors import MeasureInputError


def test_quoted_figures_are_those_of_the_list_with_their_source():
    rows = reference_clusters()
    assert rows.schema == COLUMNS
    assert rows.null_count().sum_horizontal().item() == 0
    assert set(rows["source"]) <= set(reference_texts())
    assert set(rows["bound"]) <= {"", "over", "about", "nearly"}
    assert rows["cluster"].n_unique() == 11
    assert not rows.select("cluster", "indicator").is_duplicated().any()


def test_own_figures_stand_beside_those_of_the_same_indicator_and_say_what_differs():
    own = pl.DataFrame(
        {"cluster": ["ours", "ours"], "indicator": ["value_added", "unheard of"], "value": [1e9, 3.0], "unit": ["USD", None],
         "year": [2021, None], "concept": ["value added", None], "boundary": ["the cluster, boundary not stated", None]}
    )  # fmt: skip
    rows = benchmark(own)
    beside = rows.filter(pl.col("cluster") == "shenzhen-ict").row(0, named=True)
    assert (beside["own_value"], beside["value"], beside["differs"]) == (1e9, 564.16e9, ["unit"])
    assert rows.filter(pl.col("indicator") == "unheard of")["cluster"].to_list() == [None]
    assert not {"rank", "ratio", "difference"} & set(rows.columns)
    assert benchmark(own.reverse())["cluster"].drop_nulls().to_list() == rows["cluster"].drop_nulls().to_list()
    about = benchmark(pl.DataFrame({"cluster": ["x"], "indicator": ["population"], "value": [1], "year": [2020]}))
    assert "year" in about["differs"][0]  # the text gives about that year


def test_own_figures_that_are_none_are_refused():
    for column, value in (("value", "many"), ("year", "last"), ("value", float("inf"))):
        with pytest.raises(MeasureInputError) as refused:
            benchmark(
                pl.DataFrame({"cluster": ["x"], "indicator": ["firms"], "value": [1], "year": [2020]}).with_columns(
                    pl.lit(value).alias(column)
                )
            )
        assert refused.value.code == "JQ-ASSESS-125"
    with pytest.raises(MeasureInputError):
        benchmark(pl.DataFrame({"cluster": ["x"]}))
