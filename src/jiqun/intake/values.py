"""Text to numbers and dates 数值与日期: plain cells in one pass of column work, the rest by rules, once per distinct text.

Every function takes the cells of one column (text, without blanks around it, null where empty) and returns `Judged`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from jiqun.core.schema import Attribute
from jiqun.intake.columns import UNITS

EARLIEST, LATEST = 1000, 2200
"""Years that a date may have."""
_EXCEL_ZERO = date(1899, 12, 30)

_FINDINGS = {"at": pl.UInt32, "code": pl.String, "detail": pl.String}


def no_findings() -> pl.DataFrame:
    """An empty frame of findings: position in the batch, code, detail."""
    return pl.DataFrame(schema=_FINDINGS)


@dataclass(frozen=True)
class Judged:
    """Typed values of a column, null where a cell is empty or not usable, and what was found in which cell."""

    values: pl.Series
    findings: pl.DataFrame = field(default_factory=no_findings)

    def without(self, bad: pl.Series, code: str, detail: str = "") -> Judged:
        """Empty the values where `bad` is true, for the reason given."""
        bad = bad.fill_null(value=False)
        if not bad.any():
            return self
        found = at(bad).select("at", code=pl.lit(code), detail=pl.lit(detail))
        return Judged(self.values.set(bad, None), pl.concat([self.findings, found]))


def at(where: pl.Series) -> pl.DataFrame:
    """Positions at which `where` is true, as a column `at`."""
    return pl.DataFrame({"at": where.arg_true()}, schema={"at": pl.UInt32})


def settle(values: pl.Series, cells: pl.Series, odd: pl.Series, rule: Callable[[pl.Series], pl.DataFrame]) -> Judged:
    """Let `rule` decide the `odd` cells, once per distinct text.

    `rule` gets the texts and returns a frame: text, value, code (null where nothing is wrong), detail.
    """
    odd = odd.fill_null(value=False)
    if not odd.any():
        return Judged(values)
    places = at(odd).with_columns(text=cells.filter(odd))
    texts = places["text"].unique()
    told = rule(texts).with_columns(pl.col("value").cast(values.dtype), pl.col("code", "detail").cast(pl.String))
    places = places.join(told, on="text", how="left", maintain_order="left")
    values = values.scatter(places["at"], places["value"])
    return Judged(
        values, places.filter(pl.col("code").is_not_null()).select("at", "code", pl.col("detail").fill_null(""))
    )


MULTIPLIERS = {
    "千": 1e3,
    "万": 1e4,
    "十万": 1e5,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "十亿": 1e9,
    "百亿": 1e10,
    "千亿": 1e11,
    "万亿": 1e12,
}
_FOREIGN = ("USD", "EUR", "HKD", "JPY", "other")
_NUMBER = (
    r"^([-+\u2212]?)(\d{1,3}(?:[, ']\d{3})+(?:\.\d+)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)\s*"
    r"(万亿|千亿|百亿|十亿|亿|千万|百万|十万|万|千)?\s*(.*)$"
)
_MONEY_DIGITS = 2


def numbers(cells: pl.Series, attribute: Attribute, factor: float = 1.0) -> Judged:
    """Numbers 数值, also with thousands separators, 万 and 亿, full-width digits, a unit, or in brackets for negative.

    `factor` is the header's unit; a cell that states a multiple or unit of its own overrides it.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> cells = pl.Series(["12", "1.2亿", "3,500万元", "350 万", "１２", "(1,000)", "n/a", "5 USD"])
    >>> judged = numbers(cells, schema("organisations")["revenue_cny"])
    >>> judged.values.to_list()
    [12.0, 120000000.0, 35000000.0, 3500000.0, 12.0, -1000.0, None, None]
    >>> judged.findings["code"].to_list()
    ['JQ-DATA-026']
    """
    values = cells.cast(pl.Float64, strict=False)
    if factor != 1.0:
        values = _scaled(values, factor, attribute)
    odd = cells.is_not_null() & ~values.is_finite().fill_null(value=False)
    return settle(values, cells, odd, lambda texts: _odd_numbers(texts, attribute, factor))


def _scaled(values: pl.Series, factor: float, attribute: Attribute) -> pl.Series:
    scaled = values * factor
    # 1.1 万 is 11000, not 11000.000000000002
    return scaled.round(_MONEY_DIGITS) if attribute.type == "money" else scaled.round_sig_figs(15)


def _odd_numbers(texts: pl.Series, attribute: Attribute, factor: float) -> pl.DataFrame:
    units = {name: scale for name, (measures, scale) in UNITS.items() if measures == attribute.unit}
    foreign = [name for name, (measures, _) in UNITS.items() if measures in _FOREIGN]
    frame = pl.DataFrame({"text": texts}).with_columns(
        plain=pl.col("text").str.normalize("NFKC").str.strip_chars().str.to_lowercase()
    )
    bracketed = pl.col("plain").str.contains(r"^\(.*\)$")
    money = r"^(人民币|rmb|cny|¥)\s*"
    frame = frame.with_columns(bracketed=bracketed, plain=pl.col("plain").str.strip_chars("()").str.replace(money, ""))
    parts = pl.col("plain").str.extract_groups(_NUMBER).struct
    frame = frame.with_columns(
        sign=parts.field("1"), digits=parts.field("2"), multiple=parts.field("3"), unit=parts.field("4")
    )
    digits = pl.col("digits").str.replace_all(r"[, ']", "").cast(pl.Float64, strict=False)
    negative = pl.col("bracketed") ^ pl.col("sign").is_in(["-", "\u2212"])
    unit = pl.col("unit").str.replace_all(r"[\s()]", "")
    own = pl.col("multiple").replace_strict(MULTIPLIERS, default=1.0, return_dtype=pl.Float64)
    own *= unit.replace_strict(units, default=1.0, return_dtype=pl.Float64) if units else 1.0
    stated = pl.col("multiple").is_not_null() | (unit != "")
    known_unit = (unit == "") | unit.is_in(list(units))
    value = digits * pl.when(stated).then(own).otherwise(factor) * pl.when(negative).then(-1.0).otherwise(1.0)
    value = value.round(_MONEY_DIGITS) if attribute.type == "money" else value.round_sig_figs(15)
    abroad = unit.is_in(foreign) | pl.col("plain").str.contains(r"^(\$|€|us\$|hk\$|usd|eur|hkd|jpy)")
    fine = digits.is_not_null() & known_unit & value.is_finite()
    code = (
        pl.when(is_marker(pl.col("plain"))).then(None)
        .when(abroad.fill_null(value=False)).then(pl.lit("JQ-DATA-026"))
        .when(~fine.fill_null(value=False)).then(pl.lit("JQ-DATA-006"))
    )  # fmt: skip
    return frame.select("text", value=pl.when(fine & code.is_null()).then(value), code=code, detail=pl.lit(""))


def whole(judged: Judged) -> Judged:
    """Whole numbers 整数 as Int64."""
    values = judged.values
    fits = (values == values.round()) & (values.abs() < 2.0**63)
    judged = judged.without(~fits, "JQ-DATA-007")
    return Judged(judged.values.cast(pl.Int64), judged.findings)


MARKERS = (
    "-",
    "--",
    "---",
    "—",
    "——",
    "–",
    "/",
    "\\",
    "n/a",
    "#n/a",
    "na",
    "nan",
    "null",
    "none",
    "nil",
    "无",
    "暂无",
    "不详",
    "未知",
    ".",
    "…",
)
"""What people write where they have nothing to write."""


def is_marker(text: pl.Expr) -> pl.Expr:
    """Whether a text only says that there is nothing."""
    return text.str.to_lowercase().is_in(list(MARKERS))


def dates(cells: pl.Series, *, serials: bool) -> Judged:
    """Dates 日期: 2020-01-31, 2020/1/31, 2020年1月31日, 20200131, with a time; a missing day or month is the first.

    `serials` takes 43861 for what Excel means by it. Day-month-year is refused, since 01/02/2020 says two things.

    Examples
    --------
    >>> cells = pl.Series(["2020-01-31", "2020年1月31日", "20200131", "2020/1", "43861", "31/01/2020"])
    >>> judged = dates(cells, serials=True)
    >>> [None if day is None else day.isoformat() for day in judged.values]
    ['2020-01-31', '2020-01-31', '2020-01-31', '2020-01-01', '2020-01-31', None]
    >>> judged.findings.rows()
    [(3, 'JQ-DATA-025', '2020-01-01'), (5, 'JQ-DATA-010', '')]
    """
    values = cells.str.to_date("%Y-%m-%d", strict=False, cache=False)
    values = values.set(~values.dt.year().is_between(EARLIEST, LATEST).fill_null(value=False), None)
    return settle(
        values, cells, cells.is_not_null() & values.is_null(), lambda texts: _odd_dates(texts, serials=serials)
    )


def _odd_dates(texts: pl.Series, *, serials: bool) -> pl.DataFrame:
    plain = (
        pl.col("text")
        .str.normalize("NFKC")
        .str.replace_all(r"\s*[年月/.\-]\s*", "-")
        .str.replace(r"[日号]", " ")
        .str.strip_chars(" -")
    )
    parts = pl.col("plain").str.extract_groups(r"^(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?:[ T]\s*\d{1,2}:.*)?$").struct
    solid = pl.col("plain").str.extract_groups(r"^(\d{4})(\d{2})(\d{2})(?:\d{6})?$").struct
    frame = pl.DataFrame({"text": texts}).with_columns(plain=plain)
    frame = frame.with_columns(
        year=pl.coalesce(parts.field("1"), solid.field("1")),
        month=pl.coalesce(parts.field("2"), solid.field("2")),
        day=pl.coalesce(parts.field("3"), solid.field("3")),
    )
    padded = [pl.col("year")] + [pl.col(part).fill_null("1").str.zfill(2) for part in ("month", "day")]
    value = pl.concat_str(padded, separator="-").str.to_date("%Y-%m-%d", strict=False)
    if serials:
        days = pl.col("text").str.extract(r"^(\d{4,5})(?:\.\d+)?$").cast(pl.Int32)
        # four digits are a year
        serial = (pl.lit(_EXCEL_ZERO) + pl.duration(days=days)).cast(pl.Date)
        value = pl.when(pl.col("text").str.contains(r"^\d{5}(\.\d+)?$")).then(serial).otherwise(value)
    value = pl.when(value.dt.year().is_between(EARLIEST, LATEST)).then(value)
    short = value.is_not_null() & pl.col("year").is_not_null() & pl.col("day").is_null()
    code = (
        pl.when(is_marker(pl.col("text"))).then(None)
        .when(value.is_null()).then(pl.lit("JQ-DATA-010"))
        .when(short).then(pl.lit("JQ-DATA-025"))
    )  # fmt: skip
    detail = pl.when(short).then(value.dt.to_string("%Y-%m-%d")).otherwise(pl.lit(""))
    return frame.select("text", value=value, code=code, detail=detail)


_TRUE = ("true", "t", "yes", "y", "1", "是", "有", "对", "√")
_FALSE = ("false", "f", "no", "n", "0", "否", "无", "没有", "×")


def booleans(cells: pl.Series) -> Judged:
    """Yes or no 是否.

    Examples
    --------
    >>> booleans(pl.Series(["是", "No", "1", "也许"])).values.to_list()
    [True, False, True, None]
    """
    words = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    values = cells.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    return Judged(values, no_findings()).without(cells.is_not_null() & values.is_null(), "JQ-DATA-012")
