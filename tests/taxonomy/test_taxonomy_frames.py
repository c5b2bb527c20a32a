"""Whole tables: every code in every dataframe gets the answer that `digital_class` gives."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun import taxonomy
from jiqun.core.errors import InputError, MeasureInputError, UsageError

ANSWER = ["digital_code", "digital_division", "core", "partial", "decided", "evidence"]
STRANGERS = [
    None,
    "",
    "65O3",
    "I",
    "A6513",
    "6513 ",
    "i6513",
    "6513\n",
    "62.01Z",
    "62.01.99.1",
    "ISIC4:6201",
    "NACE2:6201",
    "abc",
]
CASES = [(scheme, definition) for scheme in taxonomy.SCHEMES for definition in ("narrow", "broad")]


def spelled(scheme):
    """Every known code in several spellings, some unknown ones, in an order that no join would leave by chance."""
    codes = sorted(taxonomy.known_codes(scheme))
    if scheme == taxonomy.GBT:
        codes += ["I6513", "GB/T 4754-2017:6513", "GB/T 4754-2017:C39"]
    else:
        codes += [code.replace(".", "") for code in codes] + [f"{scheme}:{code}" for code in codes]
    codes += STRANGERS
    return [codes[i * 7919 % len(codes)] for i in range(len(codes))]


def one_by_one(codes, scheme, definition):
    rows = []
    for code in codes:
        try:
            each = taxonomy.digital_class(code, scheme=scheme, definition=definition)
        except InputError:
            rows.append((code, *[None] * 6))
        else:
            rows.append((code, each.digital_code, each.division, each.core, each.partial, each.decided, each.evidence))
    return rows


@pytest.mark.parametrize(("scheme", "definition"), CASES)
def test_every_code_in_polars_eager_and_lazy(scheme, definition):
    codes = spelled(scheme)
    expected = one_by_one(codes, scheme, definition)
    firms = pl.DataFrame({"industry_code": codes})
    eager = taxonomy.classify_codes(firms, scheme=scheme, definition=definition)
    assert isinstance(eager, pl.DataFrame)
    assert eager.columns == ["industry_code", *ANSWER]
    assert eager.rows() == expected
    lazy = taxonomy.classify_codes(firms.lazy(), scheme=scheme, definition=definition)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().rows() == expected
    assert lazy.collect(engine="streaming").rows() == expected


@pytest.mark.parametrize(("scheme", "definition"), CASES)
def test_every_code_in_pandas(scheme, definition):
    codes = spelled(scheme)
    index = [f"firm {i}" for i in range(len(codes))]
    found = taxonomy.classify_codes(
        pd.DataFrame({"industry_code": codes}, index=index), scheme=scheme, definition=definition
    )
    assert list(found.index) == index
    plain = found.astype(object).where(found.notna(), None)
    assert list(plain.itertuples(index=False, name=None)) == one_by_one(codes, scheme, definition)
    assert found["core"].dtype == pd.BooleanDtype()


@pytest.mark.parametrize(
    "text", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
@pytest.mark.parametrize(("scheme", "definition"), [CASES[0], CASES[5]])
def test_every_code_in_pyarrow(scheme, definition, text):
    codes = spelled(scheme)
    found = taxonomy.classify_codes(
        pa.table({"industry_code": pa.array(codes).cast(text)}), scheme=scheme, definition=definition
    )
    assert isinstance(found, pa.Table)
    assert [tuple(row.values()) for row in found.to_pylist()] == one_by_one(codes, scheme, definition)
    assert found.schema.field("digital_code").type == pa.string()


@pytest.mark.parametrize(("scheme", "definition"), CASES)
def test_every_code_in_duckdb(scheme, definition):
    duckdb = pytest.importorskip("duckdb", reason="needs the package duckdb")
    codes = spelled(scheme)
    with duckdb.connect() as connection:
        firms = connection.from_arrow(pa.table({"industry_code": pa.array(codes), "row": list(range(len(codes)))}))
        found = taxonomy.classify_codes(firms, scheme=scheme, definition=definition)
        rows = found.order("row").project(", ".join(["industry_code", *ANSWER])).fetchall()
    assert rows == one_by_one(codes, scheme, definition)


@given(
    codes=st.lists(st.none() | st.text(alphabet="0123456789.ABZ:", max_size=7), max_size=30),
    scheme=st.sampled_from(taxonomy.SCHEMES),
)
def test_any_text_is_answered_as_one_by_one(codes, scheme):
    found = taxonomy.classify_codes(
        pl.DataFrame({"industry_code": codes}, schema={"industry_code": pl.String}), scheme=scheme
    )
    assert found.rows() == one_by_one(codes, scheme, "narrow")


def test_lookup_has_one_row_per_code():
    for scheme, definition in CASES:
        table = taxonomy.lookup(scheme, definition)
        assert table["code"].to_list() == sorted(taxonomy.known_codes(scheme))
        assert table.rows() == one_by_one(table["code"], scheme, definition)


def test_other_columns_and_types_of_codes_stay():
    firms = pl.DataFrame({"code": ["a", "b", "c"], "行业代码": ["6513", None, "3912"], "n": [3, 2, 1]})
    for text in (pl.String, pl.Categorical, pl.Enum(["6513", "3912"])):
        given_frame = firms.cast({"行业代码": text})
        found = taxonomy.classify_codes(given_frame, column="行业代码")
        assert found.select(firms.columns).equals(given_frame)
        assert found["digital_code"].to_list() == ["030103", None, "010102"]
    categories = taxonomy.classify_codes(pd.DataFrame({"industry_code": pd.Categorical(["6513", None])}))
    assert categories["digital_code"].tolist()[0] == "030103"


def test_no_rows_and_no_codes():
    empty = taxonomy.classify_codes(pl.DataFrame(schema={"industry_code": pl.String}))
    assert (empty.height, empty.columns) == (0, ["industry_code", *ANSWER])
    for nothing in (
        pl.DataFrame({"industry_code": [None, None]}),
        pl.DataFrame({"industry_code": [None, None]}).lazy(),
        pl.DataFrame({"industry_code": [None, None]}, schema={"industry_code": pl.Float64}),
        pd.DataFrame({"industry_code": [None, None]}),
        pd.DataFrame({"industry_code": [float("nan")] * 2}),
        pa.table({"industry_code": pa.nulls(2)}),
    ):
        found = taxonomy.classify_codes(nothing)
        found = found.collect() if isinstance(found, pl.LazyFrame) else found
        assert pl.DataFrame(found)["core"].null_count() == 2


def test_bad_frames_are_refused_with_a_code():
    with pytest.raises(MeasureInputError, match=r"JQ-TAXONOMY-005.*sic.*industry"):
        taxonomy.classify_codes(pl.DataFrame({"industry": ["6513"]}), column="sic")
    for numbers in (
        pl.DataFrame({"industry_code": [6513]}),
        pl.LazyFrame({"industry_code": [6513]}),
        pd.DataFrame({"industry_code": [6513.0]}),
    ):
        with pytest.raises(MeasureInputError, match="JQ-TAXONOMY-006"):
            taxonomy.classify_codes(numbers)
    with pytest.raises(MeasureInputError, match="JQ-TAXONOMY-006"):
        taxonomy.classify_codes(pd.DataFrame({"industry_code": ["6513", 6513]}))
    with pytest.raises(MeasureInputError, match=r"JQ-TAXONOMY-007.*core, evidence"):
        taxonomy.classify_codes(pl.DataFrame({"industry_code": ["6513"], "evidence": ["x"], "core": [1]}))
    for thing in ({"industry_code": ["6513"]}, None, pl.Series(["6513"])):
        with pytest.raises(UsageError, match="JQ-TAXONOMY-008"):
            taxonomy.classify_codes(thing)
    with pytest.raises(UsageError, match="JQ-USE-001"):
        taxonomy.classify_codes(pl.DataFrame({"industry_code": ["6513"]}), scheme="SIC")
