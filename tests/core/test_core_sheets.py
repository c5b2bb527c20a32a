import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jiqun.core.sheets import FORMULA_START, neutralise

starts = st.sampled_from([*FORMULA_START, "'", " ", "1", "甲", ""])
cells = st.none() | st.builds(str.__add__, starts, st.text(st.characters(exclude_categories=["Cs"]), max_size=6))


@given(st.lists(cells))
@example(["=1+1", "+86 755", "-1", "@SUM(A1)", "\t=1", "\r=1", "华为", "", None, "a=1"])
def test_no_cell_starts_a_formula_and_others_stay(texts):
    frame = pl.DataFrame(
        {"text": texts, "number": [-1.0] * len(texts)}, schema={"text": pl.String, "number": pl.Float64}
    )
    safe = neutralise(frame)
    assert_frame_equal(safe.select("number"), frame.select("number"))
    for before, after in zip(texts, safe["text"], strict=True):
        if before is not None and before.startswith(FORMULA_START):
            assert after == "'" + before
        else:
            assert after == before
        assert after is None or not after.startswith(FORMULA_START)
    assert_frame_equal(neutralise(safe), safe)


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["=1+1", "x"])])
def test_text_kept_as_categories_is_neutralised_too(dtype):
    frame = pl.DataFrame({"text": pl.Series(["=1+1", "x"], dtype=dtype)})
    assert neutralise(frame)["text"].cast(pl.String).to_list() == ["'=1+1", "x"]


def test_frames_without_text_or_columns_pass():
    for frame in (pl.DataFrame(), pl.DataFrame({"n": [1]})):
        assert_frame_equal(neutralise(frame), frame)
