"""The same measures, unchanged, on PySpark local[2]."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jiqun.atlas.measures import herfindahl, krugman_index, location_quotient


@pytest.mark.parametrize("measure", [location_quotient, herfindahl, krugman_index])
def test_equal_to_polars(measure, spark):
    rng = np.random.default_rng(1)
    table = pl.DataFrame(
        {
            "region": rng.choice(list("ABCDE"), 400).tolist(),
            "industry": rng.choice(list("stuvwxyz"), 400).tolist(),
            "employees": rng.integers(0, 90, 400).tolist(),
        }
    )
    found = measure(spark.createDataFrame(table.to_arrow()))
    assert type(found).__module__.startswith("pyspark")
    assert_frame_equal(pl.DataFrame(found.toArrow()), measure(table), check_row_order=False, check_dtypes=False)
