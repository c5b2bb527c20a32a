"""Which column is which 列识别: headers in Chinese or English, with units and brackets, matched to a schema.

Only what is certain is matched: the attribute's name, its aliases, or what the user says with `--map`. Nothing
is guessed from similarity; a column that matches nothing is kept as text under `x_` and its header.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Literal

from jiqun.core.errors import InputError, UsageError
from jiqun.core.schema import Attribute, Schema

Why = Literal["map", "name", "alias", "taken", "unit", "unknown", "ignored", "personal"]

EXTRA = "x_"
"""What the names of kept columns that no attribute claims begin with."""

UNITS: Mapping[str, tuple[str, float]] = {
    **dict.fromkeys(("元", "人民币", "人民币元", "cny", "rmb", "yuan", "¥"), ("CNY", 1.0)),
    **dict.fromkeys(("千元", "千元人民币"), ("CNY", 1e3)),
    **dict.fromkeys(("万元", "万元人民币", "人民币万元", "万人民币", "wancny", "万cny"), ("CNY", 1e4)),
    "百万元": ("CNY", 1e6),
    **dict.fromkeys(("亿元", "亿元人民币", "人民币亿元"), ("CNY", 1e8)),
    **dict.fromkeys(("人", "名", "person", "persons", "people"), ("person", 1.0)),
    "万人": ("person", 1e4),
    **dict.fromkeys(("平方米", "㎡", "m2", "m²", "平米", "sqm"), ("m2", 1.0)),
    **dict.fromkeys(("万平方米", "万㎡", "万m2"), ("m2", 1e4)),
    **dict.fromkeys(("元平方米月", "元平米月", "元m2月", "元m²月", "元㎡月", "cnym2month"), ("CNY/m2/month", 1.0)),
    **dict.fromkeys(("元平方米天", "元平米天", "元m2天", "元m²天", "元㎡天"), ("CNY/m2/month", 365 / 12)),
    **dict.fromkeys(("元平方米日", "元平米日", "元m2日", "元m²日", "元㎡日"), ("CNY/m2/month", 365 / 12)),
    **dict.fromkeys(("%", "百分比", "percent"), ("share", 0.01)),
    **dict.fromkeys(("度", "°", "degree", "degrees"), ("degree", 1.0)),
    "年": ("year", 1.0),
    **dict.fromkeys(("万", "万个"), ("", 1e4)),
    "亿": ("", 1e8),
    **dict.fromkeys(("usd", "美元", "$", "万美元", "亿美元"), ("USD", 1.0)),
    **dict.fromkeys(("eur", "欧元", "€", "万欧元"), ("EUR", 1.0)),
    **dict.fromkeys(("hkd", "港元", "港币", "万港元"), ("HKD", 1.0)),
    **dict.fromkeys(("jpy", "日元", "万日元"), ("JPY", 1.0)),
    **dict.fromkeys(("twd", "新台币", "krw", "韩元", "gbp", "英镑"), ("other", 1.0)),
}
"""Units that headers carry: what they measure, and the factor to the attribute's own unit."""

_BRACKETS = re.compile(r"[(\[{【〔<]([^)\]}】〕>]*)[)\]}】〕>]")
_FILLING = re.compile(r"[\s_\-./:·*#'\"]+")
_SEPARATORS = re.compile(r"[,/_\s、|]+")
_EXACT, _ALIAS, _STRIPPED = 3, 2, 1
_MOST_HEADER_ROWS = 3
_HEADER_WITHIN = 30
_SHOWN = 40
_ALIKE = 0.6
_INSIDE = 0.75
"""Likeness of two headers of which one holds the other."""


@dataclass(frozen=True)
class Column:
    """One column of the input 输入列 and what becomes of it.

    `target` is an attribute or an `x_…` name, and empty where personal data is left out; `factor` what numbers are multiplied by (万元 gives 10,000), and
    `why` how it was recognised; `detail` names the attribute taken or the unit that does not fit.
    """

    position: int
    header: str
    target: str
    why: Why
    factor: float = 1.0
    detail: str = ""

    @property
    def extra(self) -> bool:
        """Whether no attribute claims it."""
        return self.target.startswith(EXTRA)


def parse_map(pairs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`--map` arguments as (header, attribute) pairs; `-` for the attribute leaves a column out of recognition.

    Raises
    ------
    UsageError
        JQ-FILE-018: not of the form HEADER=attribute.

    Examples
    --------
    >>> parse_map(["单位=name", "A=B=city"])
    (('单位', 'name'), ('A=B', 'city'))
    """
    out = []
    for pair in pairs:
        header, equals, attribute = pair.rpartition("=")
        if not (equals and header.strip() and attribute.strip()):
            raise UsageError("JQ-FILE-018", value=pair)
        out.append((header.strip(), attribute.strip()))
    return tuple(out)


def plain(header: str) -> str:
    """A header in the form in which headers are compared.

    Examples
    --------
    >>> plain(" Credit_Code "), plain("企业 名称"), plain("Ｘ")
    ('creditcode', '企业名称', 'x')
    """
    return _FILLING.sub("", unicodedata.normalize("NFKC", header).casefold())


def split_unit(header: str) -> tuple[str, str]:
    """A header without brackets, and the unit that brackets or its end name.

    Examples
    --------
    >>> split_unit("营业收入（万元）"), split_unit("revenue, CNY"), split_unit("从业人数")
    (('营业收入', '万元'), ('revenue', 'cny'), ('从业人数', ''))
    """
    text = unicodedata.normalize("NFKC", header).casefold()
    for inside in _BRACKETS.findall(text):
        unit = plain(inside).removeprefix("单位")
        if unit in UNITS:
            return _BRACKETS.sub("", text).strip(), unit
    bare = _BRACKETS.sub("", text).strip()
    *head, tail = _SEPARATORS.split(bare)
    return (" ".join(head), plain(tail)) if head and plain(tail) in UNITS else (bare, "")


@cache
def _known(schema: Schema) -> dict[str, tuple[str, int]]:
    """Plain header → attribute and score; the first attribute that lists an alias has it."""
    known: dict[str, tuple[str, int]] = {}
    for attribute in schema.attributes:
        known[plain(attribute.name)] = (attribute.name, _EXACT)
    for attribute in schema.attributes:
        for alias in attribute.aliases:
            known.setdefault(plain(alias), (attribute.name, _ALIAS))
    return known


@dataclass(frozen=True)
class _Match:
    attribute: str
    score: int
    factor: float = 1.0
    misfit: str = ""


def _match(header: str, schema: Schema) -> _Match | None:
    known = _known(schema)
    if hit := known.get(plain(header)):
        return _Match(*hit)
    bare, unit = split_unit(header)
    hit = known.get(plain(bare))
    if not hit:
        return None
    attribute = schema[hit[0]]
    if not unit or attribute.type in {"string", "code", "date", "boolean"}:
        return _Match(attribute.name, _STRIPPED)
    measures, factor = UNITS[unit]
    if measures and attribute.unit and measures != attribute.unit:
        return _Match(attribute.name, _STRIPPED, misfit=unit)
    return _Match(attribute.name, _STRIPPED, factor)


def recognise(headers: Sequence[str], schema: Schema, mapping: Sequence[tuple[str, str]] = ()) -> tuple[Column, ...]:
    """What becomes of each column 列识别.

    Several `mapping` pairs with one attribute are alternatives: per row the first that is not empty counts.
    Otherwise an attribute has one column: the best match, then the leftmost; the others are kept as extra columns.

    Raises
    ------
    UsageError
        JQ-FILE-019: `mapping` names an attribute that the table does not have.
    InputError
        JQ-FILE-011: `mapping` names a header that is not there; 010: a required attribute has no column.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> for column in recognise(["企业名称", "营收（万元）", "资质"], schema("organisations")):
    ...     print(column.target, column.why, column.factor)
    name alias 1.0
    revenue_cny alias 10000.0
    x_资质 unknown 1.0
    """
    columns, missing = match_columns(headers, schema, mapping)
    if missing:
        raise InputError(
            "JQ-FILE-010",
            table=schema.name,
            missing=", ".join(f"{a.name} {a.description_zh}" for a in missing),
            headers=_listed(headers),
            example=shlex.quote(f"{headers[0][:_SHOWN] if headers else '…'}={missing[0].name}"),
        )
    return columns


def match_columns(
    headers: Sequence[str], schema: Schema, mapping: Sequence[tuple[str, str]] = ()
) -> tuple[tuple[Column, ...], tuple[Attribute, ...]]:
    """As `recognise`, but required attributes that have no column are told beside what was found."""
    chosen: list[Column] = []
    mapped = _mapped(headers, schema, mapping)
    taken = {attribute for _, attribute in mapped} - {"-"}
    used = {position for position, _ in mapped}
    for position, attribute in mapped:
        if attribute != "-":
            factor = 1.0
            if schema[attribute].type in {"integer", "number", "money"} and (unit := split_unit(headers[position])[1]):
                factor = UNITS[unit][1]
            chosen.append(Column(position, headers[position], attribute, "map", factor))
    matches = {k: match for k, header in enumerate(headers) if k not in used and (match := _match(header, schema))}
    rest: dict[int, tuple[Why, str]] = {position: ("ignored", "") for position, attribute in mapped if attribute == "-"}
    for position in sorted(matches, key=lambda k: (-matches[k].score, k)):
        match = matches[position]
        if match.misfit:
            rest[position] = ("unit", match.misfit)
        elif match.attribute in taken:
            rest[position] = ("taken", match.attribute)
        else:
            taken.add(match.attribute)
            why: Why = "name" if match.score == _EXACT else "alias"
            chosen.append(Column(position, headers[position], match.attribute, why, match.factor))
    missing = tuple(a for a in schema.attributes if a.required and a.name not in taken)
    done = {column.position for column in chosen}
    for position, header in enumerate(headers):
        if position not in done:
            reason, detail = rest.get(position, ("personal" if personal(header) else "unknown", ""))
            target = "" if reason == "personal" else f"{EXTRA}{header}"
            chosen.append(Column(position, header, target, reason, detail=detail))
    # alternatives for one attribute stay in the order in which the user gave them
    return tuple(sorted(chosen, key=lambda c: c.position if c.why != "map" else -1)), missing


_PERSONAL = re.compile(
    r"姓名|法定代表人|法人代表|^法人$|联系人|联络人|负责人|经办人|填表人|填报人|手机|电话|身份证|证件号|邮箱|邮件|微信|qq号?$|住址|家庭地址|出生日期|性别"
    r"|^(?:contact|contactperson|contactname|legalrepresentative|phone|telephone|tel|mobile|email|emailaddress|wechat"
    r"|idnumber|firstname|lastname|fullname|dateofbirth)$"
)


def personal(header: str) -> bool:
    """Whether a header speaks of persons 个人信息 rather than of firms: names, numbers, addresses of theirs.

    Examples
    --------
    >>> [header for header in ("联系人", "法定代表人", "E-mail", "企业名称", "注册地址") if personal(header)]
    ['联系人', '法定代表人', 'E-mail']
    """
    return bool(_PERSONAL.search(plain(header)))


def likely(header: str, schema: Schema, *, most: int = 3) -> tuple[str, ...]:
    """Attributes that an unknown header may mean 猜测, likeliest first: for people to choose from, never taken as found.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> likely("企业详细名称", schema("organisations"))[0], likely("staf", schema("organisations"))[0]
    ('name', 'employees')
    """
    wanted = plain(split_unit(header)[0])[:_SHOWN]
    best: dict[str, float] = {}
    for known, (attribute, _) in _known(schema).items():
        short, long = sorted((known, wanted), key=len)
        inside = _INSIDE if len(short) > 1 and short in long else 0.0
        score = max(inside, SequenceMatcher(None, wanted, known, autojunk=False).ratio())
        if score >= _ALIKE:
            best[attribute] = max(score, best.get(attribute, 0.0))
    return tuple(sorted(best, key=lambda name: -best[name])[:most])


def _mapped(headers: Sequence[str], schema: Schema, mapping: Sequence[tuple[str, str]]) -> list[tuple[int, str]]:
    places: dict[str, int] = {}
    for position, header in enumerate(headers):
        places.setdefault(plain(header), position)
    exact = {header: position for position, header in enumerate(headers)}
    out = []
    for header, attribute in mapping:
        if attribute != "-" and attribute not in schema.names:
            raise UsageError("JQ-FILE-019", value=attribute, table=schema.name, known=", ".join(schema.names))
        found = exact.get(header, places.get(plain(header)))
        if found is None:
            raise InputError("JQ-FILE-011", value=header, headers=_listed(headers))
        out.append((found, attribute))
    return out


def _listed(headers: Sequence[str]) -> str:
    return ", ".join(header if len(header) <= _SHOWN else f"{header[:_SHOWN]}…" for header in headers)


@dataclass(frozen=True)
class HeaderRows:
    """Where the header stands: rows `first` to `first + depth - 1` (from 0), `after` more that repeat it."""

    first: int
    depth: int
    after: int
    cells: tuple[str, ...]
    recognised: int


def find_header(rows: Sequence[Sequence[str]], schema: Schema, mapping: Sequence[tuple[str, str]] = ()) -> HeaderRows:
    """The header among the first rows of a sheet 找表头; titles above it, a second level and repeats below are known.

    Two or three rows are read as one header where the lower one fills gaps of the upper one (merged cells) and more
    attributes are recognised that way.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> rows = [["2024 年名录", "", ""], ["企业名称", "位置", ""], ["", "经度", "纬度"], ["甲", "113.9", "22.5"]]
    >>> find_header(rows, schema("organisations")).cells
    ('企业名称', '经度', '纬度')
    """
    asked = {plain(header) for header, _ in mapping}
    best: HeaderRows | None = None
    for first in range(min(len(rows), _HEADER_WITHIN)):
        for depth in range(1, min(_MOST_HEADER_ROWS, len(rows) - first) + 1):
            cells = _merged(rows[first : first + depth])
            count = _count(cells, schema, asked)
            if count and (best is None or (count, -depth) > (best.recognised, -best.depth)):
                best = HeaderRows(first, depth, 0, cells, count)
    if best is None:
        filled = [k for k, row in enumerate(rows) if sum(bool(cell.strip()) for cell in row) > 1]
        filled = filled or [k for k, row in enumerate(rows) if any(cell.strip() for cell in row)] or [0]
        first = filled[0]
        return HeaderRows(first, 1, 0, tuple(rows[first]) if rows else (), 0)
    after = 0
    for row in rows[best.first + best.depth : best.first + best.depth + _MOST_HEADER_ROWS - 1]:
        filled_cells = [cell for cell in row if cell.strip()]
        named = sum(_match(cell, schema) is not None for cell in filled_cells)
        if named < 2 or named * 2 < len(filled_cells):  # one such word may well be a value
            break
        after += 1
    return HeaderRows(best.first, best.depth, after, best.cells, best.recognised)


def _merged(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    width = max(map(len, rows), default=0)
    out = []
    for k in range(width):
        cells = [row[k].strip() for row in rows if k < len(row) and row[k].strip()]
        out.append(cells[-1] if cells else "")
    return tuple(out)


def _count(cells: Sequence[str], schema: Schema, asked: set[str]) -> int:
    found: set[str] = set()
    for cell in cells:
        if cell.strip():
            if plain(cell) in asked:
                found.add(f"={plain(cell)}")
            elif match := _match(cell, schema):
                found.add(match.attribute)
    return len(found)
