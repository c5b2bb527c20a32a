"""Shares of the core digital industries 核心产业占比: by firms, persons or revenue, under both definitions, with what is open.

What codes and texts leave undecided is no guess: it makes the range from none of it to all of it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, get_args

import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.core.frames import as_polars
from jiqun.taxonomy import EDITION, Kind, LinearModel, canonical, classify_firms, classify_text
from jiqun.taxonomy.codes import Definition, check_definition
from jiqun.taxonomy.firms import COLUMNS
from jiqun.taxonomy.tables import digital_entries

By = Literal["firms", "employees", "revenue", "value_added"]
BYS: tuple[By, ...] = get_args(By)
SIZE: dict[By, str | None] = {
    "firms": None,
    "employees": "employees",
    "revenue": "revenue_cny",
    "value_added": "revenue_cny",
}
"""Column that each measure adds up; value added is revenue times a rate that the caller gives."""
PROXIES: frozenset[By] = frozenset({"employees", "revenue"})
"""Measures that stand in for value added 替代指标, and say so."""
LEAST_DECIDED: Mapping[Definition, float] = MappingProxyType({"narrow": 0.5, "broad": 1.0})
"""Share of the size that must be decided for a share to be given beside its range. Under the broad definition all: no code
puts a firm outside, so those that are decided are nearly all in, and say nothing of the others."""
_COLUMNS = {
    "firms": pl.Int64, "sized": pl.Int64, "total": pl.Float64, "core": pl.Float64, "outside": pl.Float64,
    "undecided": pl.Float64, "share": pl.Float64, "low": pl.Float64, "high": pl.Float64,
}  # fmt: skip


def core_share(
    organisations: Any,
    *,
    by: str = "firms",
    definition: str = "narrow",
    group: str | None = None,
    texts: bool = True,
    models: Mapping[Kind, LinearModel] = MappingProxyType({}),
    rates: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Share of the core digital industries 数字经济核心产业占比.

        share = C / (C + N)      low = C / (C + N + U)      high = (C + U) / (C + N + U)

    C, N, U: size of the firms that are in, that are not, and that nothing decides (no code or text, a code of which only
    part belongs). `share` takes the undecided to be like the others. Narrow, that is said only where at least half of the size
    is decided. Broad, it is never said: a code can put a firm in, yet none can put it outside, so that the decided are nearly
    all in, and there is a share only where nothing is undecided; the range is the answer. `low`: none of the undecided is
    in; `high`: all of them.

    Parameters
    ----------
    organisations
        Any dataframe, one row a firm: `digital_code` where the register gives it, `industry_code`, `main_business`,
        `business_scope`, `summary`, `name` as far as they are there, and the size.
    by
        `firms`; `employees` (persons) or `revenue` (`revenue_cny`): proxies for value added; `value_added`: revenue times
        the firm's rate.
    definition
        `narrow`: divisions 01 to 04, the core industries. `broad` adds 05, which no code alone decides.
    group
        Column to group by, such as `region`; null is a group of its own. None: all firms together.
    texts
        Whether texts decide where codes do not; `models` read them instead of the lexicon.
    rates
        For `value_added`: value added per unit of revenue (0 to 1) by code of GB/T 4754-2017 (`39`, `3973`) or of the digital
        classification (`digital-2021:0105`); the longest code that fits a firm counts. Firms without one are left out.

    Returns
    -------
    A row a group, sorted by it: the group's column, firms, sized (with a size that counts), total, core, outside,
    undecided (sizes: persons, CNY, firms), share (null also where too little is decided, `LEAST_DECIDED`), low, high (0 to
    1; null where nothing is sized).

    Raises
    ------
    UsageError
        JQ-USE-001: no such measure or definition; JQ-SHARE-001: value added without rates, or a rate that is none.
    MeasureInputError
        JQ-USE-003: a column is missing; JQ-ATLAS-016: the size is no number.

    Notes
    -----
    Bounds after Manski (1990), American Economic Review 80(2), 319–323: no assumption on what is missing.

    Examples
    --------
    >>> firms = pl.DataFrame({"industry_code": ["3973", "0111", "6513", "7320"], "employees": [50, 30, 10, 10]})
    >>> core_share(firms, by="employees").select("core", "undecided", "share", "low", "high").rows()
    [(60.0, 10.0, 0.6666666666666666, 0.6, 0.7)]
    >>> core_share(firms, by="employees", definition="broad").select("core", "undecided", "share", "low", "high").rows()
    [(60.0, 40.0, None, 0.6, 1.0)]
    """
    measure = _measure(by)
    definition = check_definition(definition)
    column = SIZE[measure]
    needed = [name for name in (column, group) if name]
    frame = as_polars(organisations, *needed)
    if column and not frame.schema[column].is_numeric():
        raise MeasureInputError("JQ-ATLAS-016", column=column, type=frame.schema[column])
    size = frame[column].cast(pl.Float64) if column else pl.Series([1.0] * frame.height, dtype=pl.Float64)
    if measure == "value_added":
        size = size * rates_of(frame, rates)
    held = pl.DataFrame(
        {
            "group": frame[group] if group else pl.Series([None] * frame.height, dtype=pl.String),
            "inside": is_inside(frame, definition, texts=texts, models=models),
            "size": pl.select(pl.when(size > 0).then(size)).to_series(),
        }
    )
    table = shares_of(held, definition)
    return table.rename({"group": group}) if group else table.drop("group")


def is_inside(
    frame: pl.DataFrame,
    definition: Definition,
    *,
    texts: bool = True,
    models: Mapping[Kind, LinearModel] = MappingProxyType({}),
) -> pl.Series:
    """Whether each firm is in the digital economy under a definition; null: nothing decides.

    A code that the register gives counts first, then the industry code, then texts.
    """
    rows = frame.height
    given = (
        frame["digital_code"].cast(pl.String)
        if "digital_code" in frame.columns
        else pl.Series([None] * rows, dtype=pl.String)
    )
    bare = given.str.strip_prefix(f"{EDITION}:")
    stated = bare.is_in(list(digital_entries()))
    known = [c for c in ("industry_code", *COLUMNS.values()) if c in frame.columns]
    answers = classify_firms(
        frame.select(pl.col(c).cast(pl.String) for c in known)
        if known
        else pl.DataFrame({"name": [None] * rows}, schema={"name": pl.String}),
        texts=None if texts else {},
        models=models,
        definition=definition,
    )
    told = answers.select(
        pl.when(pl.col("decided").fill_null(value=False)).then(pl.col("digital_code").is_not_null())
    ).to_series()
    by_register = pl.Series([True] * rows) if definition == "broad" else ~bare.str.starts_with("05")
    return (
        pl.select(pl.when(stated.fill_null(value=False)).then(by_register).otherwise(told)).to_series().alias("inside")
    )


def _measure(by: str) -> By:
    for known in BYS:
        if by == known:
            return known
    raise UsageError("JQ-USE-001", what="by", value=by, known=", ".join(BYS))


def shares_of(held: pl.DataFrame, definition: Definition) -> pl.DataFrame:
    """The columns of `core_share` by `group`, from group, inside (null: undecided) and size (null: not sized) of firms."""
    size, inside = pl.col("size"), pl.col("inside")
    sums = held.group_by("group").agg(
        firms=pl.len(),
        sized=size.count(),
        total=size.sum(),
        core=size.filter(inside).sum(),
        outside=size.filter(~inside).sum(),
        undecided=size.filter(inside.is_null()).sum(),
    )
    decided, total = pl.col("core") + pl.col("outside"), pl.col("core") + pl.col("outside") + pl.col("undecided")
    shares = sums.with_columns(
        share=pl.when((decided > 0) & (decided >= LEAST_DECIDED[definition] * total)).then(pl.col("core") / decided),
        low=pl.when(total > 0).then(pl.col("core") / total),
        high=pl.when(total > 0).then((pl.col("core") + pl.col("undecided")) / total),
    )
    return shares.select("group", *(pl.col(name).cast(kind) for name, kind in _COLUMNS.items())).sort(
        "group", nulls_last=True
    )


def rates_of(frame: pl.DataFrame, rates: Mapping[str, float] | None) -> pl.Series:
    """The rate of value added of each firm, by its most detailed code that has one; null where none has."""
    if not rates:
        raise UsageError("JQ-SHARE-001", value="—")
    gbt: dict[str, float] = {}
    digital: dict[str, float] = {}
    for code, rate in rates.items():
        bare = code.removeprefix(f"{EDITION}:")
        industry = None if bare != code else canonical(code)
        if not 0 <= rate <= 1 or (industry is None and bare not in digital_entries()):
            raise UsageError("JQ-SHARE-001", value=f"{code}: {rate}")
        (gbt if industry else digital)[industry or bare] = float(rate)
    found = pl.Series([None] * frame.height, dtype=pl.Float64)
    for column, known in (("industry_code", gbt), ("digital_code", digital)):
        if column in frame.columns and known:
            codes = frame[column].cast(pl.String)
            table = {code: _fitting(code, column, known) for code in codes.unique() if code is not None}
            found = found.fill_null(codes.replace_strict(table, default=None, return_dtype=pl.Float64))
    return found


def _fitting(code: str, column: str, known: Mapping[str, float]) -> float | None:
    bare = canonical(code) if column == "industry_code" else code.removeprefix(f"{EDITION}:")
    return next((known[bare[:n]] for n in range(len(bare or ""), 1, -1) if bare and bare[:n] in known), None)


@dataclass(frozen=True)
class Quoted:
    """A share as a text gives it 引用数字: never computed here. `low`: the text says “over”."""

    key: str
    what: Text
    value: float | None
    low: float | None
    year: str
    of: Text
    source: Text
    note: Text


@cache
def quoted_shares() -> tuple[Quoted, ...]:
    """The shares that the published texts quote 文本引用的占比, each with its source.

    Examples
    --------
    >>> [one.value for one in quoted_shares() if one.key == "gdp"]
    [0.078]
    """
    text = files("jiqun.atlas").joinpath("data", "quoted_shares.csv").read_text(encoding="utf-8")
    return tuple(
        Quoted(
            row["key"],
            Text(row["what_zh"], row["what_en"]),
            float(row["value"]) if row["value"] else None,
            float(row["low"]) if row["low"] else None,
            row["year"],
            Text(row["of_zh"], row["of_en"]),
            Text(row["source_zh"], row["source_en"]),
            Text(row["note_zh"], row["note_en"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


LISTED = ("digital", "not", "undecided")


def listed_share(
    clusters: Any, *, name: str = "name", industry: str = "industry", code: str = "code", definition: str = "narrow"
) -> tuple[pl.DataFrame, dict[str, float | int | None]]:
    """How many clusters of a list are digital 名录中数字集群的占比, by a stated rule.

    A cluster is `digital` where its code decides that, else where its industry's words do, else where its name's words do;
    `not` where one of them decides the contrary; else `undecided`.

    Parameters
    ----------
    clusters
        Any dataframe with a column of names; `industry` (words) and `code` (GB/T 4754-2017, or `digital-2021:…`) as far as
        they are there.
    definition
        As in `core_share`.

    Returns
    -------
    The rows with `answer`, `by` (`code`, `industry`, `name`; null: undecided) and `words`; and the counts with
    share, low, high as in `core_share`.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: there is no column of names.

    Examples
    --------
    >>> listed = pl.DataFrame({"name": ["某市集成电路产业集群", "某市白酒产业集群", "某市第七集群"]})
    >>> rows, told = listed_share(listed)
    >>> rows["answer"].to_list(), told["share"], told["low"], told["high"]
    (['digital', 'not', 'undecided'], 0.5, 0.3333333333333333, 0.6666666666666666)
    """
    definition = check_definition(definition)
    frame = as_polars(clusters, name)
    steps: list[tuple[str, pl.DataFrame]] = []
    if code in frame.columns:
        written = frame[code].cast(pl.String)
        digital = written.str.starts_with(EDITION).fill_null(value=False)
        asked = pl.DataFrame(
            {
                "industry_code": pl.select(pl.when(~digital).then(written)).to_series(),
                "digital_code": pl.select(pl.when(digital).then(written)).to_series(),
            }
        )
        inside = is_inside(asked, definition, texts=False)
        steps.append(("code", pl.DataFrame({"inside": inside, "words": written})))
    for column, kind in ((industry, "main_business"), (name, "name")):
        if column in frame.columns:
            told = classify_text(frame[column].cast(pl.String), kind, definition=definition)
            sure = pl.when(pl.col("decided").fill_null(value=False)).then(pl.col("digital_code").is_not_null())
            steps.append(("name" if column == name else "industry", told.select(inside=sure, words="words")))
    inside = pl.Series("inside", [None] * frame.height, dtype=pl.Boolean)
    by, words = (pl.Series([None] * frame.height, dtype=pl.String) for _ in range(2))
    for step, told in steps:
        open_ = inside.is_null() & told["inside"].is_not_null()
        by = by.zip_with(~open_, pl.Series([step] * frame.height))
        words = words.zip_with(~open_, told["words"])
        inside = inside.fill_null(told["inside"])
    answer = pl.select(
        pl.when(inside)
        .then(pl.lit("digital"))
        .when(inside.is_null())
        .then(pl.lit("undecided"))
        .otherwise(pl.lit("not"))
    ).to_series()
    counts = {one: int((answer == one).sum()) for one in LISTED}
    decided, total = counts["digital"] + counts["not"], frame.height
    summary: dict[str, float | int | None] = {
        **counts,
        "share": counts["digital"] / decided if decided and decided >= LEAST_DECIDED[definition] * total else None,
        "low": counts["digital"] / total if total else None,
        "high": (counts["digital"] + counts["undecided"]) / total if total else None,
    }
    return frame.with_columns(answer=answer, by=by, words=words), summary
