"""The blocks of a document as HTML 版块: paragraphs, key figures, figures with their table twins, sections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from jiqun.core.document import (
    Block,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Map,
    Mark,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.core.lineage import Lineage
from jiqun.report import drawing, land, lineage, maps, tables
from jiqun.report.markup import Html, both, element, flat
from jiqun.report.voice import voice

_ANCHOR = re.compile(r"[\w.:-]+")
_OWN = "jq-"
"""Ids that the page itself uses begin so."""


def walk(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those in sections too, in reading order."""
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from walk(block.blocks)


def tables_of(blocks: Iterable[Block]) -> dict[str, Table]:
    """What to print for each table, by id: for a figure's, one like it that stands on its own, if there is one.

    A page folds the table of a figure away; a file would print the same twice.
    """
    blocks = list(walk(blocks))
    standing = {block.id: block for block in blocks if isinstance(block, Table)}
    drawn = (block.table for block in blocks if isinstance(block, Figure))
    like = {table.id: next((other for other in standing.values() if _same(table, other)), table) for table in drawn}
    return like | standing


def _same(one: Table, other: Table) -> bool:
    return (
        (one.title, one.columns, one.source, one.as_of, one.note)
        == (other.title, other.columns, other.source, other.as_of, other.note)
        and len(one.rows) == len(other.rows)
        and all(row == beside for row, beside in zip(one.rows, other.rows, strict=True))
    )


def marks(blocks: Iterable[Block]) -> Iterator[Mark]:
    """What the figures draw."""
    return (block.mark for block in walk(blocks) if isinstance(block, Figure))


def credits_of(document: Document) -> list[Text]:
    """Whom to thank: for the data, and for the map base where there is a map."""
    return [*document.attributions, *map_credits(document.blocks)]


def map_credits(blocks: Iterable[Block]) -> list[Text]:
    """Whom to thank for what lies under the maps."""
    return [land.SOURCE] if any(isinstance(mark, Map) and maps.shows_coast(mark) for mark in marks(blocks)) else []


def check(document: Document) -> None:
    """Ids are unique and can be anchors, anchors lead somewhere.

    Raises
    ------
    ValueError
        Names the id or the anchor.
    """
    seen = claim_ids(document.blocks)
    anchors: dict[str, str] = {}
    for block in walk(document.blocks):
        if isinstance(block, Figure) and isinstance(block.mark, Map):
            anchors |= {bubble.anchor: block.id for bubble in block.mark.bubbles if bubble.anchor}
            areas = block.mark.areas.areas if block.mark.areas else ()
            anchors |= {area.anchor: block.id for area in areas if area.anchor}
        table = block.table if isinstance(block, Figure) else block
        if isinstance(table, Table):
            anchors |= {link: table.id for link in table.links if link}
    lost = sorted(anchor for anchor in anchors if anchor not in seen)
    if lost:
        raise ValueError(f"{anchors[lost[0]]}: the anchor {lost[0]!r} leads nowhere")


def claim_ids(blocks: Iterable[Block]) -> dict[str, object]:
    """What each id names.

    Raises
    ------
    ValueError
        An id is used twice or cannot be an anchor; a table has not one link for each row.
    """
    seen: dict[str, object] = {}
    for block in walk(blocks):
        if isinstance(block, (Section, Figure, Table)):
            _claim(seen, block.id, block)
        table = block.table if isinstance(block, Figure) else block
        if isinstance(table, Table):
            _claim(seen, table.id, table)
            if table.links and len(table.links) != len(table.rows):
                raise ValueError(f"table {table.id}: {len(table.links)} links for {len(table.rows)} rows")
    return seen


def _claim(seen: dict[str, object], id_: str, owner: object) -> None:
    if not _ANCHOR.fullmatch(id_) or id_.startswith(_OWN):
        raise ValueError(
            f"id {id_!r} cannot be an anchor: use letters, digits, '.', ':', '_', '-', not beginning with {_OWN!r}"
        )
    if seen.setdefault(id_, owner) != owner:
        raise ValueError(f"id {id_!r} is used twice")


class Writer:
    """Writes blocks that stand together; a table among them more than once is written once and linked to."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._standing = {block.id for block in walk(blocks) if isinstance(block, Table)}
        self._written: set[str] = set()

    def block(self, block: Block, level: int = 2) -> Html:
        """One block; headings of sections begin at `level`."""
        match block:
            case Paragraph():
                return _paragraph(block)
            case KeyFigures():
                return _key_figures(block)
            case Table():
                return self._table(block)
            case Figure():
                return self._figure(block)
            case Section():
                return self._section(block, level)

    def _table(self, table: Table) -> Html:
        if table.id in self._written:
            return _see(table)
        self._written.add(table.id)
        return tables.draw(table)

    def _figure(self, figure: Figure) -> Html:
        title_id = f"jq-{figure.id}-title"
        table = figure.table
        picture = [
            drawing.draw(figure.mark, title_id=title_id),
            drawing.listed(figure.mark),
            drawing.legend(figure.mark),
        ]
        elsewhere = table.id in self._standing or table.id in self._written
        if elsewhere:
            twin = _see(table)
        else:
            self._written.add(table.id)
            summary = element("summary", both(Text("表格形式", "As a table")))
            twin = element("details", summary, tables.draw(table, source=False))
        caption = element(
            "figcaption",
            element("p", both(figure.title), class_="finding", id=title_id),
            both(figure.subtitle, "p", class_="measure"),
        )
        source = tables.source_line(table, downloads=not elsewhere)
        return element("figure", caption, *picture, twin, source, id=figure.id)

    def _section(self, section: Section, level: int) -> Html:
        title_id = f"jq-{section.id}-title"
        inner = (self.block(block, level + 1) for block in section.blocks)
        return element(
            "section", _head(section.title, level, title_id), *inner, id=section.id, aria_labelledby=title_id
        )


def _head(title: Text, level: int, title_id: str) -> Html:
    heading = element(f"h{min(level, 6)}", both(title), id=title_id)
    top = voice().top
    label = flat(Text("回到开头", "To the top"))
    up = [element("a", "↑", href=top, class_="up", aria_label=label)] if top else []
    return element("div", heading, *up, class_="head")


def written_lineage(of: Lineage, level: int = 2) -> Html:
    """Method, parameters and inputs in words, last in a document."""
    rows = []
    for fact in lineage.facts(of):
        told = [part for part in (both(fact.words), element("code", fact.code)) if part]
        between = [element("br")] if len(told) > 1 else []
        rows += [element("dt", both(fact.name)), element("dd", *told[:1], *between, *told[1:])]
    return element(
        "section",
        element("div", element(f"h{level}", both(lineage.TITLE)), class_="head"),
        both(lineage.introduction(of), "p"),
        element("dl", *rows, class_="lineage"),
        id="jq-lineage",
    )


def _see(table: Table) -> Html:
    link = element("a", both(table.title), href=f"#{table.id}")
    return element("p", both(Text("数据见表：", "Numbers in the table: ")), link, class_="twin")


def _paragraph(paragraph: Paragraph) -> Html:
    if paragraph.tone == "caution":
        word = element("strong", both(Text("注意 ", "Caution ")))
        return element("p", word, both(paragraph.text), class_="caution")
    return element("p", both(paragraph.text), class_=paragraph.tone if paragraph.tone == "lead" else None)


def _explained(figure: KeyFigure) -> Html:
    name = both(figure.name)
    return element("a", name, href=voice().href(figure.anchor)) if figure.anchor else name


def _key_figures(row: KeyFigures) -> Html:
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", _explained(figure)),
                element("dd", both(figure.value), class_="value"),
                *([element("dd", both(figure.note), class_="varies")] if figure.note else []),
            )
            for figure in row.figures
        ),
        class_="key-figures",
    )
