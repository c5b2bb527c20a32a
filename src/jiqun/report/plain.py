"""A document as one language says it, in plain strings and pictures 单语文稿: what Word and PDF set in type.

Texts are visible (`jiqun.core.text`), numbers are written, tables that stand twice are told once. Nothing here knows a
file format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from itertools import count
from re import split, sub
from typing import Literal

from jiqun.core.document import Block, Column, Document, Figure, KeyFigures, Paragraph, Section, Table, Text
from jiqun.core.errors import Language
from jiqun.core.text import visible
from jiqun.report import blocks, drawing, lineage
from jiqun.report.formats import NUMERIC, cell
from jiqun.report.labels import columns
from jiqun.report.markup import clipped
from jiqun.report.picture import Picture, alone, picture
from jiqun.report.tables import MOST_CHARACTERS, check_row
from jiqun.report.voice import Voice, speaking

MOST_ROWS = 2000
"""Of a table in type, some forty pages: typst takes 120 MB for every thousand. What is left out is said."""

Align = Literal["left", "right", "code"]
_SWATCH = 12.0
_LONGEST = 600
"""Of a title or a note: a page has to hold it beside all else. Paragraphs are never cut."""

_LONGEST_FACT = 4000
_RUNNING = 60
_SAMPLE = 200


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    kind: Literal["plain", "lead", "caution"]


@dataclass(frozen=True)
class Heading:
    """A section's title; 1 is the highest level."""

    text: str
    level: int
    id: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True)
class Key:
    """A key figure."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class Keys:
    """Key figures in a row."""

    figures: list[Key]
    kind: Literal["keys"] = "keys"


@dataclass(frozen=True)
class Drawing:
    """A picture: its finding, its measure, how to read it, and the numbered table that it draws.

    `across` is the share of the page's width that it takes; `source` is empty where that table follows at once and says it.
    """

    number: int
    title: str
    measure: str
    picture: Picture
    across: float
    legend: list[list[str | Picture]]
    table: int
    source: str
    kind: Literal["drawing"] = "drawing"


@dataclass(frozen=True)
class Grid:
    """A table: written cells, in rows as long as the heads; `wants` are the widths that its columns would like, in em."""

    number: int
    title: str
    heads: list[str]
    align: list[Align]
    rows: list[list[str]]
    note: str
    source: str
    wants: list[float]
    kind: Literal["grid"] = "grid"


@dataclass(frozen=True)
class Fact:
    """One line of the lineage."""

    name: str
    words: str
    code: str


Item = Words | Heading | Keys | Drawing | Grid


@dataclass(frozen=True)
class Plain:
    """All that a document says in one language; `running` is the title as every page bears it."""

    language: Language
    title: str
    running: str
    subtitle: str
    items: list[Item]
    lineage_title: str
    lineage_words: str
    facts: list[Fact]
    made: str
    digest: str
    attributions: list[str]


def plain(document: Document, language: Language, *, made: datetime | None = None, font: str = "sans-serif") -> Plain:
    """A document in one language 单语文稿.

    Parameters
    ----------
    made
        The date of the report, if it shall bear one.
    font
        The typeface named in drawings.

    Raises
    ------
    ValueError
        As `jiqun.report.html`.
    """
    blocks.check(document)
    with speaking(Voice((language,))):
        writer = _Writer(document, language, font)
        say = writer.say
        return Plain(
            language=language,
            title=say(document.title),
            running=say(document.title, _RUNNING),
            subtitle=say(document.subtitle),
            items=[item for block in document.blocks for item in writer.block(block, 1)],
            lineage_title=say(lineage.TITLE),
            lineage_words=say(lineage.introduction(document.lineage)),
            facts=[
                Fact(say(fact.name), say(fact.words), clipped(visible(fact.code), _LONGEST_FACT))
                for fact in lineage.facts(document.lineage)
            ],
            made=say(Text(f"制成日期 {made:%Y-%m-%d}", f"Made on {made:%Y-%m-%d}")) if made else "",
            digest=say(Text(f"结果摘要 {document.lineage.digest}", f"Result digest {document.lineage.digest}")),
            attributions=[say(text) for text in blocks.credits_of(document)],
        )


class _Writer:
    def __init__(self, document: Document, language: Language, font: str) -> None:
        self._language = language
        self._font = font
        self._drawings = count(1)
        # a table is told where it stands on its own, else under the figure that draws it
        self._tables = blocks.tables_of(document.blocks)
        self._standing = {block.id for block in blocks.walk(document.blocks) if isinstance(block, Table)}
        self._numbers: dict[str, int] = {}
        self._told: set[str] = set()

    def whole(self, text: Text) -> str:
        return visible(text.get(self._language) or text.get(_OTHER[self._language]))

    def say(self, text: Text | None, most: int = _LONGEST) -> str:
        return clipped(self.whole(text), most) if text else ""

    def block(self, block: Block, level: int) -> Iterator[Item]:
        match block:
            case Paragraph():
                yield Words(self.whole(block.text), block.tone)
            case KeyFigures():
                yield Keys([Key(self.say(f.value), self.say(f.name), self.say(f.note)) for f in block.figures])
            case Table():
                yield from self._grid(block)
            case Figure():
                table = self._tables[block.table.id]
                beside = [] if table.id in self._standing else list(self._grid(table))
                yield self._drawing(block, source="" if beside else self._source(block.table))
                yield from beside
            case Section():
                yield Heading(self.say(block.title), level, block.id)
                for inner in block.blocks:
                    yield from self.block(inner, level + 1)

    def _number(self, table: Table) -> int:
        return self._numbers.setdefault(self._tables[table.id].id, len(self._numbers) + 1)

    def _drawing(self, figure: Figure, source: str) -> Drawing:
        drawn = picture(figure.mark, font=self._font)
        legend = drawing.legend(figure.mark)
        return Drawing(
            next(self._drawings),
            self.say(figure.title),
            self.say(figure.subtitle),
            drawn,
            _across(drawn),
            _pieces(legend),
            self._number(figure.table),
            source,
        )

    def _grid(self, standing: Table) -> Iterator[Grid]:
        table = self._tables[standing.id]
        if table.id in self._told:
            return
        self._told.add(table.id)
        heads = [self.say(column.title, MOST_CHARACTERS) for column in table.columns]
        rows = [self._row(table, index) for index in range(min(len(table.rows), MOST_ROWS))]
        yield Grid(
            self._number(table),
            self.say(table.title),
            heads,
            [_align(column) for column in table.columns],
            rows,
            " ".join(part for part in (self.say(table.note), self.say(_left_out(table))) if part),
            self._source(table),
            _wants(heads, rows),
        )

    def _row(self, table: Table, index: int) -> list[str]:
        pairs = zip(check_row(table, index), table.columns, strict=True)
        written = (cell(value, column.kind, self._language, column.digits) for value, column in pairs)
        return [clipped(visible(each), MOST_CHARACTERS) for each in written]

    def _source(self, table: Table) -> str:
        source = self.say(table.source)
        if self._language == "zh":
            return f"来源：{source}" + (f" · 截至 {visible(table.as_of)}" if table.as_of else "")
        return f"Source: {source}" + (f" · as of {visible(table.as_of)}" if table.as_of else "")


def _wants(heads: list[str], rows: list[list[str]]) -> list[float]:
    """Widths that columns would like by their texts, between bounds."""
    wants = []
    for index, head in enumerate(heads):
        longest = max((columns(row[index]) for row in rows[:_SAMPLE]), default=0.0)
        wants.append(min(max(longest, min(columns(head), 4.0), 2.0) + 1.0, 18.0))
    return wants


def _left_out(table: Table) -> Text | None:
    if len(table.rows) <= MOST_ROWS:
        return None
    every, shown = f"{len(table.rows):,}", f"{MOST_ROWS:,}"
    return Text(
        f"共 {every} 行，此处列出前 {shown} 行；全部见 Excel 或 HTML。",
        f"The first {shown} of {every} rows; all are in the Excel and HTML forms.",
    )


_OTHER: dict[Language, Language] = {"zh": "en", "en": "zh"}


def _across(drawn: Picture) -> float:
    """National maps and the world stand across the page, a city's surroundings need less, bars are no wider than they are."""
    if drawn.width >= 800:
        return 1.0
    return 0.72 if drawn.height > 0.6 * drawn.width else 0.85


def _align(column: Column) -> Align:
    return "right" if column.kind in NUMERIC else "code" if column.kind == "code" else "left"


def _pieces(legend: str) -> list[list[str | Picture]]:
    """The entries of a legend that was written for a page, each as words and swatches."""
    entries = []
    for entry in legend.split("</span>"):
        parts = split(r"(<svg .*?</svg>)", entry)
        pieces = [
            alone(part, _SWATCH, _SWATCH) if part.startswith("<svg ") else unescape(sub(r"<[^>]*>", "", part))
            for part in parts
        ]
        told = [piece for piece in pieces if piece]
        if told:
            entries.append(told)
    return entries
