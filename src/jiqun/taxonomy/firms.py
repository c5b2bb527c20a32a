"""Texts and codes together 代码与文本合判: an official code decides where it is decisive, and the firm's words where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import narwhals as nw
import polars as pl

from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.taxonomy.codes import GBT, Definition, check_definition, check_scheme, known_codes
from jiqun.taxonomy.digital import NOT_CORE, common, decide
from jiqun.taxonomy.frames import classify_codes, like, wrap
from jiqun.taxonomy.linear import LinearModel, read_by_model
from jiqun.taxonomy.text import ANSWER, KINDS, Kind, check_kind, read_texts

COLUMNS: dict[Kind, str] = {
    "main_business": "main_business",
    "scope": "business_scope",
    "summary": "summary",
    "name": "name",
}
"""Where a table of organisations has each kind of text."""

BY_CODE = "code"
FIRM_ANSWER = {**ANSWER, "classified_by": pl.String}


def classify_text(
    texts: Any,
    kind: str = "main_business",
    *,
    codes: Any = None,
    column: str | None = None,
    scheme: str = GBT,
    definition: str = "narrow",
) -> Any:
    """Digital class of firms by what they say of themselves 按文本判定数字经济类别, Chinese or English.

    An official industry code decides where it is decisive. Else words of the lexicon speak for digital groups or
    against them, weighed by where they stand; the heavier side decides, its division first and its group only where one
    has half of the division's weight. Division 05 is named only under `broad`, and only where words say that digital
    technology is used.

    Parameters
    ----------
    texts
        A list or series of texts, or any dataframe in memory (Polars also lazy) with a column of them.
    kind
        `main_business` (主营业务), `scope` (经营范围, its first items weigh most), `summary` (profile) or `name`.
    codes
        Industry codes of the same firms, as a list or series; of a dataframe the name of their column.
    column
        Of a dataframe, the column of texts; default as organisations have it: `main_business`, `business_scope`,
        `summary`, `name`.
    scheme, definition
        As in `digital_class`.

    Returns
    -------
    Of a dataframe the same kind of dataframe with these columns added, else a Polars dataframe of them: digital_code,
    digital_division, core, decided, evidence, words, score. `decided` False is *undecided*: no word that counts, or as
    much for as against; null: neither text nor code. `evidence`: `text`, or that of the code. `words`: up to four that
    weigh most on the side that won. `score`: weight for the core less weight against, in words' weights; positive
    speaks for the core. It is no probability, and scores of different kinds of text do not compare.

    Raises
    ------
    UsageError
        JQ-USE-001: no such kind, scheme or definition; JQ-TAXONOMY-008: not a table of a kind named above;
        JQ-TAXONOMY-011: as many codes as texts are needed.
    MeasureInputError
        JQ-TAXONOMY-005: no such column; -007: an answer column is there already; -012: texts are not text.

    Notes
    -----
    How well it does is told in docs/methods/classification.md; for Chinese main business and scopes it is unmeasured.

    Examples
    --------
    >>> found = classify_text(["集成电路设计；技术服务", "白酒的生产和销售", "投资管理咨询服务平台运营中心"])
    >>> found.select("digital_code", "core", "words").rows()[:2]
    [('0304', True, '集成电路设计'), (None, False, '白酒')]
    >>> classify_text(["Operates pig farms."], "summary", codes=["6513"])["digital_code"].to_list()
    ['030103']
    """
    kind, scheme, definition = check_kind(kind), check_scheme(scheme), check_definition(definition)
    if isinstance(texts, nw.Series | pl.Series) or nw.dependencies.is_into_series(texts) or _is_list(texts):
        words = _series(texts)
        written = None if codes is None else _series(codes)
        if written is not None and len(written) != len(words):
            raise UsageError("JQ-TAXONOMY-011", texts=len(words), codes=len(written))
        return _answers(words, kind, written, scheme, definition)
    frame = wrap(texts)
    column = COLUMNS[kind] if column is None else column
    _check(frame, [column, *([codes] if codes is not None else [])], ANSWER)

    def answered(part: pl.DataFrame) -> pl.DataFrame:
        written = None if codes is None else part[codes]
        return _answers(part[column], kind, written, scheme, definition)

    return _added(frame, answered, ANSWER)


def classify_firms(
    frame: Any,
    *,
    texts: Mapping[str, str] | None = None,
    codes: str | None = "industry_code",
    models: Mapping[Kind, LinearModel] = MappingProxyType({}),
    definition: str = "narrow",
) -> Any:
    """Digital class of firms by code and by all that they say of themselves 企业数字经济类别.

    As `classify_text`, of the first kind of text that decides: main business, scope, profile, name.

    Parameters
    ----------
    frame
        A dataframe in memory or a lazy Polars frame, one row per firm.
    texts
        Kind of text to column; default: those of `main_business`, `business_scope`, `summary`, `name` that are there.
    codes
        Column of codes of GB/T 4754-2017, used where it is there; None: none.
    models
        Models by the kind of text that they read, instead of the lexicon; see `jiqun.taxonomy.linear`.
    definition
        As in `digital_class`.

    Returns
    -------
    As `classify_text`, and `classified_by`: `code`, or the kind of text that decided; null where none did.

    Raises
    ------
    UsageError, MeasureInputError
        As `classify_text`.

    Examples
    --------
    >>> firms = pl.DataFrame({"name": ["甲软件有限公司", "乙"], "business_scope": [None, "硅片制造"]})
    >>> classify_firms(firms).select("digital_code", "classified_by").rows()
    [('0301', 'name'), ('0105', 'scope')]
    """
    definition = check_definition(definition)
    wrapped = wrap(frame)
    there = wrapped.collect_schema().names()
    chosen = {kind: COLUMNS[kind] for kind in KINDS if COLUMNS[kind] in there} if texts is None else dict(texts)
    kinds = sorted(map(check_kind, chosen), key=KINDS.index)
    codes = codes if codes in there else None
    _check(wrapped, [*chosen.values()], FIRM_ANSWER)

    def answered(part: pl.DataFrame) -> pl.DataFrame:
        written = None if codes is None else part[codes]
        return firm_answers(len(part), {kind: part[chosen[kind]] for kind in kinds}, written, definition, models)

    return _added(wrapped, answered, FIRM_ANSWER)


def firm_answers(
    rows: int,
    texts: Mapping[Kind, pl.Series],
    codes: pl.Series | None,
    definition: Definition,
    models: Mapping[Kind, LinearModel] = MappingProxyType({}),
) -> pl.DataFrame:
    """`classify_firms` of series: the code's answer, else that of the first text that decides."""
    best = _by_code(_empty(rows), codes, GBT, definition).with_columns(
        classified_by=pl.when("decided").then(pl.lit(BY_CODE))
    )
    places = pl.Series("row", range(rows), dtype=pl.UInt32)
    for kind, series in texts.items():
        open_ = ~best["decided"].fill_null(value=False)
        asked = None if codes is None else codes.filter(open_)
        read = _answers(series.filter(open_), kind, asked, GBT, definition, models.get(kind)).with_columns(
            row=places.filter(open_), classified_by=pl.when("decided").then(pl.lit(kind))
        )
        fresh = read.filter(pl.col("decided").fill_null(value=False) | best["decided"].filter(open_).is_null())
        kept = best.with_columns(row=places).join(fresh, on="row", how="anti")
        best = pl.concat([kept, fresh.select(kept.columns)]).sort("row").drop("row")
    return best


def _answers(
    texts: pl.Series,
    kind: Kind,
    codes: pl.Series | None,
    scheme: str,
    definition: Definition,
    model: LinearModel | None = None,
) -> pl.DataFrame:
    read = read_by_model(texts, kind, definition, model) if model else read_texts(texts, kind, definition)
    return _by_code(read, codes, scheme, definition)


def _empty(rows: int) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([None] * rows, dtype=dtype) for name, dtype in ANSWER.items()})


def _by_code(read: pl.DataFrame, codes: pl.Series | None, scheme: str, definition: Definition) -> pl.DataFrame:
    """What the code decides; where it leaves something open, the text within what the code allows."""
    if codes is None:
        return read
    asked = codes.cast(pl.String).alias("code").to_frame()
    by_code = classify_codes(asked, column="code", scheme=scheme, definition=definition).drop("code", "partial")
    allowed = codes.cast(pl.String).replace_strict(_allowed(scheme), default=None, return_dtype=pl.String)
    both = pl.concat(
        [read, by_code.rename({name: f"c_{name}" for name in by_code.columns}), allowed.alias("allowed").to_frame()],
        how="horizontal",
    )
    known, decides = pl.col("c_decided").is_not_null(), pl.col("c_decided").fill_null(value=False)
    never = known & ~decides & ~pl.col("c_core").fill_null(value=True)  # not core: only division 05 is open
    core = pl.when(decides | never | pl.col("c_core")).then("c_core").otherwise("core")
    fits = pl.col("allowed").is_not_null() & pl.col("core")
    digital = (
        pl.when(decides)
        .then("c_digital_code")
        .when(never & (pl.col("digital_code") != NOT_CORE))
        .then(None)
        .when(fits)
        .then("allowed")
        .otherwise("digital_code")
    )
    by_text = pl.col("decided").fill_null(value=False) & (~known | digital.is_not_null() | core.not_())
    by_text &= ~(never & digital.is_null())
    return both.select(
        digital_code=digital,
        digital_division=digital.str.head(2),
        core=core,
        decided=pl.when(decides).then(True).when(known | pl.col("decided").is_not_null()).then(by_text),
        evidence=pl.when(decides).then("c_evidence").when(by_text).then("evidence"),
        words=pl.when(~decides).then("words"),
        score=pl.when(~decides).then("score"),
    )


@cache
def _allowed(scheme: str) -> dict[str, str | None]:
    """Of codes that leave the core open, the entry that all their core candidates are in."""
    found = {}
    for code in known_codes(scheme):
        answer = decide(code, scheme, "narrow")
        if answer.core is None:
            found[code] = common(answer.candidates)
    return found


def _is_list(texts: Any) -> bool:
    return isinstance(texts, Sequence) and not isinstance(texts, str | bytes)


def _series(values: Any) -> pl.Series:
    if _is_list(values):
        return pl.Series(values, dtype=pl.String, strict=True)
    series = nw.from_native(values, series_only=True, allow_series=True).to_polars()
    return _texts(series, series.name or "texts")


def _texts(series: pl.Series, name: str) -> pl.Series:
    if series.dtype not in {pl.String, pl.Categorical, pl.Null} and series.null_count() < len(series):
        raise MeasureInputError("JQ-TAXONOMY-012", column=name, dtype=series.dtype)
    return series.cast(pl.String)


def _check(frame: Any, columns: Sequence[str], answer: Mapping[str, Any]) -> None:
    known = frame.collect_schema().names()
    for column in columns:
        if column not in known:
            raise MeasureInputError("JQ-TAXONOMY-005", column=column, known=", ".join(known))
    present = [name for name in answer if name in known]
    if present:
        raise MeasureInputError("JQ-TAXONOMY-007", columns=", ".join(present))


def _added(frame: Any, answered: Any, answer: Mapping[str, Any]) -> Any:
    """The frame with the answers as columns of its own kind."""
    native = frame.to_native()
    if isinstance(native, pl.LazyFrame):
        schema = {**native.collect_schema(), **answer}
        return native.map_batches(lambda part: part.hstack(answered(part)), schema=schema)
    if not isinstance(frame, nw.DataFrame):
        raise UsageError("JQ-TAXONOMY-008", kind=str(frame.implementation))
    return frame.with_columns(*like(frame, answered(frame.to_polars()), answer).iter_columns()).to_native()
