"""The same answers for whole tables 整表判定: one lookup table, joined to any dataframe.

Dataframes in memory keep their row order and index: the key column is answered in Polars and the answers
are attached as native columns. Lazy frames stay lazy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import narwhals as nw
import polars as pl
import pyarrow as pa
from narwhals.typing import IntoFrameT

from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.taxonomy.codes import BRIDGES, GBT, Definition, check_definition, check_scheme, gbt_spellings, known_codes
from jiqun.taxonomy.digital import decide

ANSWER = {
    "digital_code": pl.String,
    "digital_division": pl.String,
    "core": pl.Boolean,
    "partial": pl.Boolean,
    "decided": pl.Boolean,
    "evidence": pl.String,
}
_ARROW = {pl.String: pa.string(), pl.Boolean: pa.bool_(), pl.Float64: pa.float64()}
_KEY = "__jiqun_industry_key"
_TEXT = (nw.String, nw.Categorical, nw.Enum)


def lookup(scheme: str = GBT, definition: str = "narrow") -> pl.DataFrame:
    """The answers of `digital_class` for every code of a scheme 判定表, one row per code in official form.

    Returns
    -------
    Columns code, digital_code, digital_division, core, partial, decided, evidence; see `DigitalClass`.
    Null means as there: the code does not decide.

    Raises
    ------
    UsageError
        JQ-USE-001: no such scheme or definition.

    Examples
    --------
    >>> lookup().filter(code="6429").select("digital_code", "core", "evidence").row(0)
    ('0303', True, 'fitted')
    """
    return _lookup(check_scheme(scheme), check_definition(definition))


@cache
def _lookup(scheme: str, definition: Definition) -> pl.DataFrame:
    answers = [decide(code, scheme, definition) for code in sorted(known_codes(scheme))]
    rows = [(a.input, a.digital_code, a.division, a.core, a.partial, a.decided, a.evidence) for a in answers]
    return pl.DataFrame(rows, schema={"code": pl.String, **ANSWER}, orient="row")


@cache
def _join_table(scheme: str, definition: Definition) -> pl.DataFrame:
    """The lookup by every form that `_key` leaves."""
    table = _lookup(scheme, definition)
    if scheme != GBT:
        return table.select(pl.col("code").str.replace(".", "", literal=True).alias(_KEY), *ANSWER)
    spellings = gbt_spellings()
    written = pl.DataFrame({_KEY: list(spellings), "code": list(spellings.values())})
    return written.join(table, on="code").drop("code")


def _key(column: str, scheme: str) -> nw.Expr:
    """What of a code the join table is keyed by; null for what is not written like a code of the scheme."""
    code = nw.col(column).cast(nw.String)
    if scheme == GBT:
        return code
    bridge = BRIDGES[scheme]
    digits = code.str.replace_all(f"^{scheme}:", "").str.replace_all(".", "", literal=True).str.slice(0, bridge.width)
    return nw.when(code.str.contains(rf"^({scheme}:)?{bridge.pattern}\z")).then(digits)


def classify_codes(
    frame: IntoFrameT, *, column: str = "industry_code", scheme: str = GBT, definition: str = "narrow"
) -> IntoFrameT:
    """Digital class of every row of a table, by its industry code 按行业代码批量判定.

    Parameters
    ----------
    frame
        Polars (eager or lazy), pandas, PyArrow, DuckDB or PySpark, one row per firm or finer.
    column
        Industry codes as text, spelled as `digital_class` accepts them.
    scheme, definition
        As in `digital_class`.

    Returns
    -------
    The same kind of dataframe with six more columns: digital_code, digital_division (text), core,
    partial, decided (boolean), evidence (text), each as in `DigitalClass`. Null `digital_code` or `core`:
    the code does not decide. Null `decided` too: no code, or one that the scheme does not have. Frames in
    memory and lazy Polars frames keep the order of their rows.

    Raises
    ------
    MeasureInputError
        JQ-TAXONOMY-005: no such column; -006: codes are not text; -007: an answer column is there already.
    UsageError
        JQ-TAXONOMY-008: not a dataframe of a kind named above; JQ-USE-001: no such scheme or definition.

    Examples
    --------
    >>> firms = pl.DataFrame({"industry_code": ["6513", "4910", "0111", None]})
    >>> classify_codes(firms)["core"].to_list()
    [True, None, False, None]
    >>> classify_codes(firms, definition="broad")["decided"].to_list()
    [True, False, False, None]
    """
    table = _join_table(check_scheme(scheme), check_definition(definition))
    wrapped = wrap(frame)
    _check(wrapped, column)
    classified: IntoFrameT
    if isinstance(wrapped, nw.LazyFrame):
        classified = _joined(wrapped, table, column, scheme)
    else:
        keys = wrapped[column].cast(nw.String).to_polars().alias(column).to_frame().lazy()
        answers = _joined(nw.from_native(keys), table, column, scheme).select(*ANSWER).collect()
        classified = wrapped.with_columns(*like(wrapped, answers).iter_columns()).to_native()
    return classified


def wrap(frame: Any) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    """A dataframe of any kind, or JQ-TAXONOMY-008."""
    try:
        wrapped: nw.DataFrame[Any] | nw.LazyFrame[Any] = nw.from_native(frame)
    except TypeError:
        raise UsageError("JQ-TAXONOMY-008", kind=type(frame).__name__) from None
    return wrapped


def _check(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], column: str) -> None:
    schema = frame.collect_schema()
    if column not in schema:
        raise MeasureInputError("JQ-TAXONOMY-005", column=column, known=", ".join(schema))
    present = [name for name in ANSWER if name in schema]
    if present:
        raise MeasureInputError("JQ-TAXONOMY-007", columns=", ".join(present))
    if isinstance(schema[column], _TEXT):
        return
    # a column of nulls alone has no type of its own in most engines
    untyped = isinstance(schema[column], nw.Unknown)
    if not untyped and not (isinstance(frame, nw.DataFrame) and frame[column].is_null().all()):
        raise MeasureInputError("JQ-TAXONOMY-006", column=column, dtype=schema[column])


def _joined(frame: nw.LazyFrame[Any], table: pl.DataFrame, column: str, scheme: str) -> Any:
    """The native frame with the answers; the lookup goes to where the frame lives."""
    native = frame.with_columns(_key(column, scheme).alias(_KEY)).to_native()
    kind = frame.implementation
    if kind.is_polars():
        return native.join(table.lazy(), on=_KEY, how="left", maintain_order="left").drop(_KEY)
    if kind.is_pyspark() or kind.is_pyspark_connect():
        other = native.sparkSession.createDataFrame(table.to_arrow()).hint("broadcast")
    elif kind.is_duckdb():
        # a relation joins only relations of its own connection, which this reaches
        other = native.query("firms", _sql(table))
    else:
        raise UsageError("JQ-TAXONOMY-008", kind=str(kind))
    return nw.from_native(native).join(nw.from_native(other), on=_KEY, how="left").drop(_KEY).to_native()


def _sql(table: pl.DataFrame) -> str:
    """The lookup as a query: one literal, since thousands of them take seconds to parse."""
    lines = table.write_csv(include_header=False, quote_style="never").rstrip()
    cells = [
        f"nullif(cell[{i}], '')::{'BOOLEAN' if dtype == pl.Boolean else 'VARCHAR'} AS {name}"
        for i, (name, dtype) in enumerate(table.schema.items(), start=1)
    ]
    rows = f"SELECT string_split(unnest(string_split('{lines}', '\n')), ',') AS cell"
    return f"SELECT {', '.join(cells)} FROM ({rows})"  # noqa: S608  # our own codes


def like(
    frame: nw.DataFrame[Any], answers: pl.DataFrame, schema: Mapping[str, Any] = MappingProxyType(ANSWER)
) -> nw.DataFrame[Any]:
    """The answers as the frame's own kind of table."""
    kind = frame.implementation
    if kind.is_polars():
        return nw.from_native(answers, eager_only=True)
    if kind.is_pyarrow():
        # large_string, which Polars gives, does not join with string, which people have
        plain = [(name, _ARROW[dtype]) for name, dtype in schema.items()]
        return nw.from_native(answers.to_arrow().cast(pa.schema(plain)), eager_only=True)
    if kind.is_pandas():
        # a plain bool column would turn "not decided" into False
        nullable = {pa.bool_(): nw.get_native_namespace(frame).BooleanDtype()}
        return nw.from_native(answers.to_arrow().to_pandas(types_mapper=nullable.get), eager_only=True)
    raise UsageError("JQ-TAXONOMY-008", kind=str(kind))
