"""Rows against a schema 校验: what each cell means, what is wrong with it, and what becomes of its row.

A row is refused only where an attribute that the table cannot do without is empty or unusable. A bad cell elsewhere
is emptied and its row kept; a doubtful one is kept with a warning. Every finding names row, column, value and code.

Checks a schema may name: `text`, `uscc`, `gbt4754`, `gbt2260`, `country`, `lon`, `lat`, `nonnegative`, `past` (not
after the as-of date), `range:a..b`, `enum:a|b`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import polars as pl

from jiqun.core.schema import Attribute, Schema
from jiqun.intake import codes, values
from jiqun.intake.columns import Column, plain
from jiqun.intake.read import Batch
from jiqun.intake.values import Judged, at

WARNINGS = frozenset(
    {
        "JQ-DATA-018",
        "JQ-DATA-025",
        "JQ-DATA-030",
        "JQ-DATA-036",
        "JQ-DATA-037",
        "JQ-DATA-038",
        "JQ-DATA-040",
        "JQ-DATA-042",
    }
)
"""Findings that leave the value as it is."""

PROBLEMS = {
    "row": pl.Int64,
    "column": pl.String,
    "value": pl.String,
    "code": pl.String,
    "severity": pl.String,
    "detail": pl.String,
    "raw": pl.String,
}
"""A finding: spreadsheet row, header, the cell, code, severity (refused, emptied, warning, duplicate), what the
message adds, and for a row that is not kept all of it as JSON."""

_HOME = ("CN", "HK", "MO", "TW")
_SUMS = (
    r"(?i)^[\p{P}\s]*(?:(?:本页|本表|全市|全区|全县|全省|以上|各项)?[合小总共累]\s*计|(?:grand\s+|sub[\s-]?)?totals?)"
    r"[\p{P}\s]*(?:[(（\[【][^)）\]】]{0,10}[)）\]】])?[\p{P}\s]*$"
)
_NOTES = r"^(?:注|备注|说明|附注|数据来源|资料来源|来源|填表人|填报人|制表人|制表|审核人|审核|复核|负责人|联系人|联系电话|填报单位|填报日期|填表日期|日期|单位|note|notes|source|prepared by|checked by|contact)\s*\d*\s*[:：]"
_ERRORS = (
    r"^#(?:REF|VALUE|DIV/0|NAME|NULL|NUM|SPILL|CALC|FIELD|BLOCKED|CONNECT|UNKNOWN|BUSY|GETTING_DATA|引用|值)[!?]?$"
)
_LISTING = frozenset({"股票代码", "证券代码", "上市代码", "a股代码", "stockcode", "securitycode"})
_MOST_MONEY = 1e13
"""CNY; the largest firms of the world turn over less than half of it in a year."""
_LONGEST_TEXT = 100_000
_SHOWN = 1_000
_CONTROL = "[\\x00-\\x1f\\x7f-\\x9f\u200b\u200e\u200f\u2060\ufeff]"
_MARKER_BYTES = max(len(marker.encode()) for marker in values.MARKERS)

TYPES: Mapping[str, type[pl.DataType]] = {
    "string": pl.String,
    "code": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "money": pl.Float64,
    "date": pl.Date,
    "boolean": pl.Boolean,
}
"""How each schema type is kept."""


@dataclass(frozen=True)
class Rules:
    """What a load checks against: schema, columns as recognised, as-of date, region codes, and the kind of source."""

    schema: Schema
    columns: tuple[Column, ...]
    as_of: date
    region_codes: Set[str]
    excel: bool = False
    since_1904: bool = False

    def of(self, attribute: str) -> tuple[Column, ...]:
        """The columns that feed an attribute, in order of preference."""
        return tuple(column for column in self.columns if column.target == attribute)

    def instead(self, attribute: Attribute) -> tuple[Column, ...]:
        """The columns to look into where a required attribute is empty: others of the same, and names in English."""
        if not attribute.required or attribute.type != "string":
            return ()
        others = tuple(column for column in self.columns if column.why == "taken" and column.detail == attribute.name)
        return (*others, *self.of(f"{attribute.name}_en"))

    @property
    def extras(self) -> tuple[Column, ...]:
        """The columns that no attribute claims."""
        return tuple(column for column in self.columns if column.extra)


@dataclass(frozen=True)
class Checked:
    """A batch after checking: typed rows (attributes in schema order, then extra columns, then `source_row`), and findings.

    `units`: of columns of numbers, the units that cells state themselves, and how many state none.
    """

    rows: pl.DataFrame
    problems: pl.DataFrame
    units: Mapping[Column, tuple[Mapping[str, int], int]]


def no_problems() -> pl.DataFrame:
    """An empty frame of findings."""
    return pl.DataFrame(schema=PROBLEMS)


def check(batch: Batch, rules: Rules) -> Checked:
    """Check one batch 校验一批. Nothing is lost: rows that are not kept are in the findings in full."""
    cells, numbers = batch.cells, batch.numbers
    columns: dict[str, pl.Series] = {}
    found: list[pl.DataFrame] = [_unreadable(batch.refused), _remarked(batch)]
    units: dict[Column, tuple[dict[str, int], int]] = {}
    refused = _none(cells.height)
    for attribute in rules.schema.attributes:
        sources = rules.of(attribute.name)
        if not sources:
            columns[attribute.name] = _default(attribute, cells.height)
            continue
        one = _attribute(batch, rules, attribute, sources)
        columns[attribute.name] = one.value
        found += one.problems
        if attribute.required:
            refused |= one.value.is_null()
        if attribute.type in {"integer", "number", "money"}:
            units[sources[0]] = values.own_units(one.text, attribute, sources[0].factor)
    for which, lines in (_headers(cells, rules, numbers), *_no_firms(columns, rules, numbers)):
        refused |= which
        found.append(lines)
    found += [_coordinates(columns, cells, rules, numbers), _foreign(columns, cells, rules, numbers)]
    for column in rules.extras:
        text, origin, findings = _text(cells, (column,), plain=batch.plain, attribute=None)
        columns[column.target] = text.alias(column.target)
        if findings.height:
            found.append(_located(findings, cells, (column,), origin, numbers, required=False))
    rows = pl.DataFrame(list(columns.values())).with_columns(numbers.alias("source_row"))
    problems = pl.concat(found)
    repeated = problems.filter(code="JQ-DATA-035")["row"]
    if repeated.len():  # of words that stand where values should, nothing else need be said
        problems = problems.filter((pl.col("code") == "JQ-DATA-035") | ~pl.col("row").is_in(repeated.implode()))
    if refused.any():
        kept = rows.filter(~refused)
        problems = _with_raw(problems, whole_rows(cells.filter(refused), rules, numbers.filter(refused)))
        rows = kept
    return Checked(rows, problems.sort("row", maintain_order=True) if problems.height else problems, units)


@dataclass(frozen=True)
class _Attribute:
    """An attribute's cells as text, what they mean, and what is wrong with them."""

    text: pl.Series
    value: pl.Series
    problems: list[pl.DataFrame]


def _attribute(batch: Batch, rules: Rules, attribute: Attribute, sources: tuple[Column, ...]) -> _Attribute:
    cells = batch.cells
    text, origin, findings = _text(cells, sources, plain=batch.plain, attribute=attribute)
    if text.null_count() and (instead := rules.instead(attribute)):
        text, origin, findings = _with_others(cells, sources, instead, plain=batch.plain, attribute=attribute)
        sources += instead
    judged = _judge(text, attribute, rules, factor=sources[0].factor)
    if attribute.name == "source_id" and plain(sources[0].header) in _LISTING:
        judged = codes.stock_codes(judged)
    findings = pl.concat([findings, judged.findings])
    value = judged.values
    if attribute.required:
        empty = at(value.is_null() & text.is_null()).join(findings, on="at", how="anti")
        findings = pl.concat([findings, empty.select("at", code=pl.lit("JQ-DATA-001"), detail=pl.lit(""))])
    elif attribute.default:
        value = value.zip_with(text.is_not_null(), _default(attribute, cells.height))
    told = _located(findings, cells, sources, origin, batch.numbers, required=attribute.required)
    return _Attribute(text, value.alias(attribute.name), [told] if findings.height else [])


def whole_rows(cells: pl.DataFrame, rules: Rules, numbers: pl.Series) -> pl.DataFrame:
    """Rows as JSON by header, as they came: row, raw."""
    by_position = sorted({c.position: c.header for c in rules.columns if c.why != "personal"}.items())
    named = cells.select(pl.col(str(position)).alias(header) for position, header in by_position)
    return pl.DataFrame({"row": numbers, "raw": named.to_struct("raw").struct.json_encode()})


def _default(attribute: Attribute, height: int) -> pl.Series:
    """A column of the attribute's default, or of nulls."""
    value = pl.Series(attribute.name, [attribute.default or None], dtype=pl.String)
    return value.cast(TYPES[attribute.type]).new_from_index(0, height)


def _text(
    cells: pl.DataFrame, sources: tuple[Column, ...], *, plain: bool, attribute: Attribute | None
) -> tuple[pl.Series, pl.Series | None, pl.DataFrame]:
    """Cleaned cells of an attribute, which of several sources each is from, and what had to be left out."""
    text: pl.Series | None = None
    origin: pl.Series | None = None
    found = []
    for k, source in enumerate(sources):
        cleaned, findings = _clean(cells.to_series(source.position), plain=plain, attribute=attribute)
        if text is None:
            text = cleaned
            origin = None if len(sources) == 1 else pl.Series([0], dtype=pl.UInt32).new_from_index(0, len(cleaned))
        else:
            open_ = text.is_null() & (cleaned.is_not_null() | _marks(findings, len(cleaned)))
            text = text.zip_with(~open_, cleaned)
            origin = origin.set(open_, k) if origin is not None else None
        found.append(findings.with_columns(source=pl.lit(k, pl.UInt32)))
    findings = pl.concat(found)
    if origin is not None:  # only the cell that was chosen matters
        findings = findings.filter(pl.col("source") == origin.gather(findings["at"]))
    assert text is not None  # noqa: S101  # callers give at least one source
    return text, origin, findings.drop("source")


def _with_others(
    cells: pl.DataFrame, own: tuple[Column, ...], others: tuple[Column, ...], *, plain: bool, attribute: Attribute
) -> tuple[pl.Series, pl.Series | None, pl.DataFrame]:
    """As `_text`, where a row whose `own` cells are empty may take it from `others`, and that is told."""
    text, origin, findings = _text(cells, own + others, plain=plain, attribute=attribute)
    assert origin is not None  # noqa: S101  # there are two sources at least
    taken = at((origin >= len(own)) & text.is_not_null())
    told = taken.select("at", pl.lit("JQ-DATA-030").alias("code"), pl.lit("").alias("detail"))
    return text, origin, pl.concat([findings, told])


def _marks(findings: pl.DataFrame, height: int) -> pl.Series:
    return pl.Series([False]).new_from_index(0, height).scatter(findings["at"], values=True)


def _clean(cells: pl.Series, *, plain: bool, attribute: Attribute | None) -> tuple[pl.Series, pl.DataFrame]:
    nul = values.no_findings()
    if not plain and cells.str.contains(_CONTROL).any():
        nul = at(cells.str.contains("\0", literal=True).fill_null(value=False))
        nul = nul.select("at", code=pl.lit("JQ-DATA-040"), detail=pl.lit(""))
        cells = cells.str.replace_all(r"[\t\r\n\x0b\x0c]+", " ").str.replace_all(_CONTROL, "")
    cells = cells.str.strip_chars()
    cells = cells.set(cells == "", None)  # a column, not a text
    judged = Judged(cells, nul).without(cells.str.starts_with("="), "JQ-DATA-004")
    failed = cells.str.starts_with("#")
    if failed.any():
        judged = judged.without(failed & cells.str.to_uppercase().str.contains(_ERRORS), "JQ-DATA-033")
    size = judged.values.str.len_bytes()
    judged = judged.without(size > _LONGEST_TEXT, "JQ-DATA-005", str(_LONGEST_TEXT))
    text = judged.values
    if attribute is not None and attribute.type in {"string", "code"} and attribute.check != "country":
        short = (size <= _MARKER_BYTES).fill_null(value=False)
        if short.any():
            text = text.set(short & text.str.to_lowercase().is_in(list(values.MARKERS)), None)
    return text, judged.findings


def _typed(text: pl.Series, attribute: Attribute, kind: str, rules: Rules, *, factor: float) -> Judged:
    match attribute.type:
        case "string" | "code":
            return _official(text, kind, rules)
        case "integer":
            return values.whole(values.numbers(text, attribute, factor))
        case "number":
            return values.numbers(text, attribute, factor)
        case "money":
            judged = values.numbers(text, attribute, factor)
            return judged.without(judged.values.abs() > _MOST_MONEY, "JQ-DATA-043")
        case "date":
            return values.dates(text, excel=rules.excel, since_1904=rules.since_1904)
    return values.booleans(text)


def _judge(text: pl.Series, attribute: Attribute, rules: Rules, *, factor: float) -> Judged:
    kind, _, argument = attribute.check.partition(":")
    judged = _typed(text, attribute, kind, rules, factor=factor)
    found = judged.values
    match kind:
        case "nonnegative":
            return judged.without(found < 0, "JQ-DATA-008")
        case "range":
            low, _, high = argument.partition("..")
            return judged.without(~found.is_between(float(low), float(high)), "JQ-DATA-009", argument)
        case "past":
            return judged.without(found > rules.as_of, "JQ-DATA-011", rules.as_of.isoformat())
        case "enum":
            return _one_of(found, tuple(argument.split("|")))
    return judged


def _official(text: pl.Series, kind: str, rules: Rules) -> Judged:
    match kind:
        case "uscc":
            return codes.credit_codes(text)
        case "gbt4754":
            return codes.industries(text)
        case "gbt2260":
            return codes.regions(text, rules.region_codes)
        case "country":
            return codes.country_codes(text)
    return Judged(text)


@cache
def choices() -> Mapping[str, tuple[str, ...]]:
    """Chinese and other words for the values of `enum` checks, from `data/choices.csv`."""
    text = files("jiqun.intake").joinpath("data", "choices.csv").read_text(encoding="utf-8")
    return {row["value"]: tuple(row["words"].split(";")) for row in csv.DictReader(text.splitlines())}


def _one_of(text: pl.Series, known: tuple[str, ...]) -> Judged:
    words = {word: value for value in known for word in (value, *choices().get(value, ()))}
    found = text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)
    shown = ", ".join(f"{value} {choices()[value][0]}" if value in choices() else value for value in known)
    return Judged(found).without(text.is_not_null() & found.is_null(), "JQ-DATA-013", shown)


def _coordinates(columns: dict[str, pl.Series], cells: pl.DataFrame, rules: Rules, numbers: pl.Series) -> pl.DataFrame:
    """Pairs that cannot be a place are emptied, so that the place may be found by name."""
    if not (rules.of("lon") and rules.of("lat")):
        return no_problems()
    lon, lat = columns["lon"], columns["lat"]
    outside = ((lon.abs() > 180) | (lat.abs() > 90)).fill_null(value=False)  # degrees
    swapped = outside & (lat.abs() <= 180) & (lon.abs() <= 90)
    zero = ((lon == 0) & (lat == 0)).fill_null(value=False)
    half = lon.is_null() != lat.is_null()
    code = (
        pl.when(swapped).then(pl.lit("JQ-DATA-021"))
        .when(outside).then(pl.lit("JQ-DATA-020"))
        .when(zero).then(pl.lit("JQ-DATA-022"))
        .when(half).then(pl.lit("JQ-DATA-023"))
    )  # fmt: skip
    told = pl.select(code=code)["code"] if len(lon) else pl.Series("code", [], dtype=pl.String)
    bad = told.is_not_null()
    if not bad.any():
        return no_problems()
    columns["lon"], columns["lat"] = (lon.set(bad, None).alias("lon"), lat.set(bad, None).alias("lat"))
    sources = rules.of("lon")[0], rules.of("lat")[0]
    pair = cells.select(
        pl.concat_str([pl.col(str(column.position)).fill_null("") for column in sources], separator=", ")
    ).to_series()
    return pl.DataFrame({"row": numbers.filter(bad), "value": pair.filter(bad), "code": told.filter(bad)}).select(
        "row",
        pl.lit(", ".join(column.header for column in sources)).alias("column"),
        "value",
        "code",
        pl.lit("emptied").alias("severity"),
        pl.lit("").alias("detail"),
        pl.lit(None, pl.String).alias("raw"),
    )


def _headers(cells: pl.DataFrame, rules: Rules, numbers: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
    """Which rows repeat the header, as where files or printed pages were put together."""
    lead = next((rules.of(a.name)[0] for a in rules.schema.attributes if a.required and rules.of(a.name)), None)
    suspects = _none(cells.height)
    if lead is not None:
        suspects = _as_header(cells.to_series(lead.position)) == lead.header
        suspects = suspects.fill_null(value=False)
    if lead is None or not suspects.any():
        return _none(cells.height), no_problems()
    headers = {column.position: column.header for column in rules.columns}
    rows = cells.filter(suspects)
    unlike = [((told := _as_header(rows.to_series(k))) != header) & (told != "") for k, header in headers.items()]
    same = pl.DataFrame([part.fill_null(value=False).alias(str(k)) for k, part in enumerate(unlike)])
    which = suspects.scatter(suspects.arg_true(), ~same.select(pl.any_horizontal(pl.all())).to_series())
    found = _remarks(which, lead, cells.to_series(lead.position), numbers, code="JQ-DATA-035", severity="refused")
    return which, found


def _as_header(cells: pl.Series) -> pl.Series:
    return cells.str.replace_all(_CONTROL, "").str.replace_all(r"\s+", " ").str.strip_chars()


def _no_firms(
    columns: dict[str, pl.Series], rules: Rules, numbers: pl.Series
) -> tuple[tuple[pl.Series, pl.DataFrame], ...]:
    """Which rows are sums of others or notes below the table, by their name; one with a code of its own is a firm."""
    attribute = "organisation" if "organisation" in columns else "name"
    sources = rules.of(attribute)
    if not sources or not rules.schema[attribute].required:
        return ()
    names = columns[attribute]
    nameless = pl.Series([True]).new_from_index(0, len(numbers))
    for code in ("uscc", "source_id"):
        if code in columns:
            nameless &= columns[code].is_null()
    sums = names.str.contains(_SUMS).fill_null(value=False) & nameless
    notes = names.str.contains(f"(?i){_NOTES}").fill_null(value=False) & nameless & ~sums
    # what stands behind the colon may be a person's name
    said = names.str.replace(r"^([^:：]*[:：]).*$", "${1} …")
    return (
        (sums, _remarks(sums, sources[0], names, numbers, code="JQ-DATA-031", severity="refused")),
        (notes, _remarks(notes, sources[0], said, numbers, code="JQ-DATA-041", severity="refused")),
    )


def _none(height: int) -> pl.Series:
    return pl.Series([False], dtype=pl.Boolean).new_from_index(0, height)


def _remarked(batch: Batch) -> pl.DataFrame:
    """What the reader found odd about rows that are kept."""
    if batch.remarked is None or batch.remarked.is_empty():
        return no_problems()
    return batch.remarked.select(
        "row",
        pl.lit("").alias("column"),
        pl.col("detail").alias("value"),
        "code",
        pl.lit("warning").alias("severity"),
        pl.lit("").alias("detail"),
        pl.lit(None, pl.String).alias("raw"),
    )


def _foreign(columns: dict[str, pl.Series], cells: pl.DataFrame, rules: Rules, numbers: pl.Series) -> pl.DataFrame:
    """Another country's code may happen to be one of GB/T 4754."""
    sources = rules.of("industry_code")
    if not (sources and rules.of("country")):
        return no_problems()
    country = columns["country"]
    foreign = (columns["industry_code"].is_not_null() & ~country.is_in(_HOME)).fill_null(value=False)
    value = cells.to_series(sources[0].position)
    return _remarks(foreign, sources[0], value, numbers, code="JQ-DATA-032", severity="warning", detail=country)


def _remarks(
    which: pl.Series,
    column: Column,
    value: pl.Series,
    numbers: pl.Series,
    *,
    code: str,
    severity: str,
    detail: pl.Series | None = None,
) -> pl.DataFrame:
    if not which.any():
        return no_problems()
    return pl.DataFrame(
        {
            "row": numbers.filter(which),
            "column": pl.Series([column.header]).new_from_index(0, int(which.sum())),
            "value": value.filter(which).str.slice(0, _SHOWN),
        }
    ).select(
        "row",
        "column",
        "value",
        pl.lit(code).alias("code"),
        pl.lit(severity).alias("severity"),
        (pl.lit("") if detail is None else pl.lit(detail.filter(which))).alias("detail"),
        pl.lit(None, pl.String).alias("raw"),
    )


def _located(
    findings: pl.DataFrame,
    cells: pl.DataFrame,
    sources: tuple[Column, ...],
    origin: pl.Series | None,
    numbers: pl.Series,
    *,
    required: bool,
) -> pl.DataFrame:
    """Findings with row, column and the cell as it stood."""
    places = findings["at"]
    value = cells.to_series(sources[0].position).gather(places)
    header = pl.Series([sources[0].header]).new_from_index(0, len(value))
    if origin is not None:
        chosen = origin.gather(places)
        for k, source in enumerate(sources):
            value = value.zip_with(chosen != k, cells.to_series(source.position).gather(places))
            header = header.set(chosen == k, source.header)
    bad = pl.lit("refused" if required else "emptied")
    return findings.select(
        numbers.gather(places).alias("row"),
        header.alias("column"),
        value.str.slice(0, _SHOWN).alias("value"),
        "code",
        pl.when(pl.col("code").is_in(list(WARNINGS))).then(pl.lit("warning")).otherwise(bad).alias("severity"),
        "detail",
        pl.lit(None, pl.String).alias("raw"),
    )


def _unreadable(refused: pl.DataFrame) -> pl.DataFrame:
    return refused.select(
        "row",
        pl.lit("").alias("column"),
        pl.col("raw").str.slice(0, _SHOWN).alias("value"),
        "code",
        pl.lit("refused").alias("severity"),
        "detail",
        "raw",
    )


def _with_raw(problems: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    """The whole row beside the finding that refuses it; what else was found in it changes nothing any more."""
    joined = problems.join(raw.rename({"raw": "whole"}), on="row", how="left", maintain_order="left")
    # who filled a form in is nobody's business
    whole = pl.when((pl.col("severity") == "refused") & (pl.col("code") != "JQ-DATA-041")).then("whole")
    return joined.with_columns(pl.coalesce("raw", whole).alias("raw")).drop("whole")
