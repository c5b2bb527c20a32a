"""Text to numbers and dates 数值与日期: plain cells in one pass of column work, the rest by rules, once per distinct text.

Every function takes the cells of one column (text, without blanks around it, null where empty) and returns `Judged`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from jiqun.core.schema import Attribute
from jiqun.intake.columns import UNITS

EARLIEST, LATEST = 1000, 2200
"""Years that a date may have."""
_EXCEL_ZERO = date(1899, 12, 30)
_ZERO_1904 = date(1904, 1, 1)

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

    def doubting(self, odd: pl.Series, code: str, detail: pl.Series) -> Judged:
        """Keep the values where `odd` is true, with a finding that says what else they may be."""
        odd = odd.fill_null(value=False)
        if not odd.any():
            return self
        found = at(odd).with_columns(code=pl.lit(code), detail=detail.filter(odd))
        return Judged(self.values, pl.concat([self.findings, found]))


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


def own_units(cells: pl.Series, attribute: Attribute, factor: float = 1.0) -> tuple[dict[str, int], int]:
    """Units that cells state themselves and that are not the header's (`factor`) 单元格自带单位, and how many state none.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> own_units(pl.Series(["12", "1.2亿", "3,500万元", "350 万", "40万元"]), schema("organisations")["revenue_cny"], 1e4)
    ({'亿': 1}, 1)
    """
    plain = cells.cast(pl.Float64, strict=False).is_finite().fill_null(value=False)
    odd = cells.filter(cells.is_not_null() & ~plain)
    if odd.is_empty():
        return {}, int(plain.sum())
    parts = _parts(odd, attribute).filter(pl.col("digits").is_not_null() & pl.col("known"))
    bare = int(plain.sum()) + parts.filter(~pl.col("stated")).height
    other = parts.filter(pl.col("stated") & (pl.col("own") != factor))
    label = pl.concat_str(pl.col("multiple").fill_null(""), pl.col("unit")).alias("label")
    return dict(other.select(label)["label"].value_counts(sort=True).iter_rows()), bare


def _parts(texts: pl.Series, attribute: Attribute) -> pl.DataFrame:
    """What amounts consist of: sign, digits, multiple, unit, the factor that both make, and whether any is stated."""
    units = {name: scale for name, (measures, scale) in UNITS.items() if measures == attribute.unit}
    frame = pl.DataFrame({"text": texts}).with_columns(
        plain=pl.col("text").str.normalize("NFKC").str.strip_chars().str.to_lowercase()
    )
    bracketed = pl.col("plain").str.contains(r"^\(.*\)$")
    money = r"^(人民币|rmb|cny|¥)\s*"
    frame = frame.with_columns(bracketed=bracketed, plain=pl.col("plain").str.strip_chars("()").str.replace(money, ""))
    parts = pl.col("plain").str.extract_groups(_NUMBER).struct
    frame = frame.with_columns(
        sign=parts.field("1"),
        digits=parts.field("2"),
        multiple=parts.field("3"),
        unit=parts.field("4").str.replace_all(r"[\s()]", ""),
    )
    own = pl.col("multiple").replace_strict(MULTIPLIERS, default=1.0, return_dtype=pl.Float64)
    own *= pl.col("unit").replace_strict(units, default=1.0, return_dtype=pl.Float64) if units else 1.0
    return frame.with_columns(
        own=own,
        stated=pl.col("multiple").is_not_null() | (pl.col("unit") != ""),
        known=(pl.col("unit") == "") | pl.col("unit").is_in(list(units)),
    )


def _odd_numbers(texts: pl.Series, attribute: Attribute, factor: float) -> pl.DataFrame:
    foreign = [name for name, (measures, _) in UNITS.items() if measures in _FOREIGN]
    frame = _parts(texts, attribute)
    digits = pl.col("digits").str.replace_all(r"[, ']", "").cast(pl.Float64, strict=False)
    negative = pl.col("bracketed") ^ pl.col("sign").is_in(["-", "\u2212"])
    stated = pl.when("stated").then("own").otherwise(factor)
    value = digits * stated * pl.when(negative).then(-1.0).otherwise(1.0)
    value = value.round(_MONEY_DIGITS) if attribute.type == "money" else value.round_sig_figs(15)
    abroad = pl.col("unit").is_in(foreign) | pl.col("plain").str.contains(r"^(\$|€|us\$|hk\$|usd|eur|hkd|jpy)")
    fine = digits.is_not_null() & pl.col("known") & value.is_finite()
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


def dates(cells: pl.Series, *, excel: bool, since_1904: bool = False) -> Judged:
    """Dates 日期 as people write them: 2020-01-31, 2020/1/31, 2020年1月31日, 20200131, 31-Jan-2020, Jan 31, 2020.

    Also 民国109年1月31日, 二〇二〇年一月三十一日, and with a time; a missing day or month is the first. A number of five digits is what Excel means by it: from a workbook (`excel`) as a matter of course, from a text with
    a warning. `since_1904`: the workbook counts days from 1904. Day, month and year in other orders are read where only one
    order makes a date: 31/01/2020, 20.1.3 (a year of two digits, with a warning). 01/02/2020 and 20.1.31 say two
    things and are refused.

    Examples
    --------
    >>> cells = pl.Series(["2020-01-31", "2020年1月31日", "20200131", "2020/1", "43861", "31-Jan-20", "31/01/2020", "01/02/2020"])
    >>> judged = dates(cells, excel=True)
    >>> [None if day is None else day.isoformat() for day in judged.values]
    ['2020-01-31', '2020-01-31', '2020-01-31', '2020-01-01', '2020-01-31', '2020-01-31', '2020-01-31', None]
    >>> judged.findings.rows()
    [(3, 'JQ-DATA-025', '2020-01-01'), (5, 'JQ-DATA-037', '2020-01-31'), (7, 'JQ-DATA-010', '')]
    """
    values = cells.str.to_date("%Y-%m-%d", strict=False, cache=False)
    values = values.set(~values.dt.year().is_between(EARLIEST, LATEST).fill_null(value=False), None)
    zero = _ZERO_1904 if since_1904 else _EXCEL_ZERO
    return settle(
        values, cells, cells.is_not_null() & values.is_null(), lambda texts: _odd_dates(texts, zero, told=not excel)
    )


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"({'|'.join(_MONTHS)})[a-z]*"
_DAY_MONTH = rf"^(\d{{1,2}})(?:st|nd|rd|th)?[\s./\-]*{_MONTH}[\s.,/\-]*(\d{{4}}|\d{{2}})$"
_MONTH_DAY = rf"^{_MONTH}[\s.,/\-]*(\d{{1,2}})(?:st|nd|rd|th)?[\s,]+(\d{{4}})$"
_REPUBLIC = r"^(?:中华)?民[国國]\s*(元|\d{1,3})\s*年"
_ERA = 1911
"""The year before the first of the Republic 民国元年 (CNS 7648)."""
_PIVOT = 30
_HAN = {**{c: str(k) for k, c in enumerate("〇一二三四五六七八九")}, "零": "0", "○": "0"}
_HAN_NUMBER = re.compile(r"[〇零○一二三四五六七八九十]+")


def _han_number(found: re.Match[str]) -> str:
    """二〇二四 digit by digit, 二十一 and 十 as a number."""
    text = found[0]
    if "十" not in text:
        return "".join(_HAN[c] for c in text)
    tens, _, ones = text.partition("十")
    if len(tens) > 1 or len(ones) > 1:
        return text
    return str(int(_HAN.get(tens, "1")) * 10 + int(_HAN.get(ones, "0")))


_THREE = r"^(\d{1,2})-(\d{1,2})-(\d{4}|\d{1,2})(?:[ t]\s*\d{1,2}:.*)?$"


def _century(year: pl.Expr) -> pl.Expr:
    """A year of four digits, from one of two."""
    before = pl.when(year.cast(pl.Int32, strict=False) < _PIVOT).then(pl.lit("20")).otherwise(pl.lit("19"))
    return pl.when(year.str.len_chars() == 2).then(pl.concat_str(before, year)).otherwise(year)


def _turned() -> dict[str, pl.Expr]:
    """Year, month and day of three numbers, where they make a date in one order only; and whether the year is short."""
    first, second, third = (pl.col("dashed").str.extract_groups(_THREE).struct.field(str(k)) for k in (1, 2, 3))
    a, b, c = (number.cast(pl.Int32, strict=False) for number in (first, second, third))
    last = (third.str.len_chars() == 4) | (c > 31)
    # 20.1.3: nobody writes a year with one digit
    leads = (first.str.len_chars() == 2) & ~last
    leads &= (third.str.len_chars() == 1) | (a > 31) | pl.col("plain").str.contains("年")
    days = last & (b <= 12) & ((a > 12) | (a == b))
    months = last & (a <= 12) & (b > 12)
    year = pl.when(days | months).then(third).when(leads).then(first)
    return {
        "year": _century(year),
        "month": pl.when(days | leads).then(second).when(months).then(first),
        "day": pl.when(days).then(first).when(months).then(second).when(leads).then(third),
        "short": (year.str.len_chars() == 2).fill_null(value=False),
    }


def _odd_dates(texts: pl.Series, zero: date, *, told: bool) -> pl.DataFrame:
    frame = pl.DataFrame({"text": texts}).with_columns(plain=pl.col("text").str.normalize("NFKC").str.to_lowercase())
    han = frame["plain"].str.contains("[〇零○一二三四五六七八九十].*[年月日号號]").fill_null(value=False)
    if han.any():
        read = [_HAN_NUMBER.sub(_han_number, text) for text in frame["plain"].filter(han)]
        frame = frame.with_columns(plain=frame["plain"].scatter(han.arg_true(), pl.Series(read, dtype=pl.String)))
    era = pl.col("plain").str.extract(_REPUBLIC)
    year = pl.when(era == "元").then(pl.lit(1)).otherwise(era.cast(pl.Int32, strict=False)) + _ERA
    rest = pl.col("plain").str.replace(_REPUBLIC, "年")
    plain = pl.when(year.is_not_null()).then(pl.concat_str(year.cast(pl.String), rest)).otherwise("plain")
    frame = frame.with_columns(plain=plain)
    hyphened = (
        pl.col("plain").str.replace_all(r"\s*[年月/.\-]\s*", "-").str.replace("[日号號]", " ").str.strip_chars(" -")
    )
    parts = pl.col("dashed").str.extract_groups(r"^(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?:[ t]\s*\d{1,2}:.*)?$").struct
    solid = pl.col("dashed").str.extract_groups(r"^(\d{4})(\d{2})(\d{2})(?:\d{6})?$").struct
    named, turned = (pl.col("plain").str.extract_groups(pattern).struct for pattern in (_DAY_MONTH, _MONTH_DAY))
    short = (named.field("3").str.len_chars() == 2).fill_null(value=False)
    three = _turned()
    spelled = pl.coalesce(named.field("2"), turned.field("1")).replace_strict(
        {name: str(k) for k, name in enumerate(_MONTHS, 1)}, default=None, return_dtype=pl.String
    )
    frame = frame.with_columns(dashed=hyphened).with_columns(
        year=pl.coalesce(
            parts.field("1"),
            solid.field("1"),
            _century(named.field("3")),
            turned.field("3"),
            three["year"],
        ),
        month=pl.coalesce(parts.field("2"), solid.field("2"), spelled, three["month"]),
        day=pl.coalesce(parts.field("3"), solid.field("3"), named.field("1"), turned.field("2"), three["day"]),
        short=short | three["short"],
    )
    padded = [pl.col("year")] + [pl.col(part).fill_null("1").str.zfill(2) for part in ("month", "day")]
    value = pl.concat_str(padded, separator="-").str.to_date("%Y-%m-%d", strict=False)
    days = pl.col("plain").str.extract(r"^(\d{5})(?:\.\d+)?$").cast(pl.Int32)  # four digits are a year
    value = pl.when(days.is_not_null()).then((pl.lit(zero) + pl.duration(days=days)).cast(pl.Date)).otherwise(value)
    value = pl.when(value.dt.year().is_between(EARLIEST, LATEST)).then(value)
    undated = value.is_not_null() & pl.col("year").is_not_null() & pl.col("day").is_null()
    code = (
        pl.when(is_marker(pl.col("text"))).then(None)
        .when(value.is_null()).then(pl.lit("JQ-DATA-010"))
        .when(undated).then(pl.lit("JQ-DATA-025"))
        .when(pl.col("short")).then(pl.lit("JQ-DATA-037"))
        .when(days.is_not_null() & pl.lit(value=told)).then(pl.lit("JQ-DATA-036"))
    )  # fmt: skip
    detail = (
        pl.when(value.is_not_null() & code.is_not_null()).then(value.dt.to_string("%Y-%m-%d")).otherwise(pl.lit(""))
    )
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
