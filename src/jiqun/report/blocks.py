"""The blocks of a document as HTML 版块: paragraphs, key figures, figures with their table twins, sections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jiqun.core.document import Block, Document, Figure, KeyFigures, Map, Paragraph, Section, Table, Text
from jiqun.report import bars, maps, tables
from jiqun.report.markup import Html, both, element

_ANCHOR = re.compile(r"[\w.:-]+")
_OWN = "jq-"
"""Ids that the page itself uses begin so."""


def walk(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those in sections too, in reading order."""
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from walk(block.blocks)


def check(document: Document) -> None:
    """Ids are unique and can be anchors, anchors lead somewhere.

    Raises
    ------
    ValueError
        Names the id or the anchor.
    """
    seen: dict[str, object] = {}
    anchors: dict[str, str] = {}
    for block in walk(document.blocks):
        if isinstance(block, (Section, Figure, Table)):
            _claim(seen, block.id, block)
        if isinstance(block, Figure) and isinstance(block.mark, Map):
            anchors |= {bubble.anchor: block.id for bubble in block.mark.bubbles if bubble.anchor}
        table = block.table if isinstance(block, Figure) else block
        if isinstance(table, Table):
            _claim(seen, table.id, table)
            if table.links and len(table.links) != len(table.rows):
                raise ValueError(f"table {table.id}: {len(table.links)} links for {len(table.rows)} rows")
            anchors |= {link: table.id for link in table.links if link}
    lost = sorted(anchor for anchor in anchors if anchor not in seen)
    if lost:
        raise ValueError(f"{anchors[lost[0]]}: the anchor {lost[0]!r} leads nowhere")


def _claim(seen: dict[str, object], id_: str, owner: object) -> None:
    if not _ANCHOR.fullmatch(id_) or id_.startswith(_OWN):
        raise ValueError(
            f"id {id_!r} cannot be an anchor: use letters, digits, '.', ':', '_', '-', not beginning with {_OWN!r}"
        )
    if seen.setdefault(id_, owner) != owner:
        raise ValueError(f"id {id_!r} is used twice")


class Writer:
    """Writes the blocks of one document; a table that stands in it more than once is written once and linked to."""

    def __init__(self, document: Document) -> None:
        self._standing = {block.id for block in walk(document.blocks) if isinstance(block, Table)}
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
        mark, table = figure.mark, figure.table
        if isinstance(mark, Map):
            picture = [maps.draw(mark, title_id=title_id), maps.legend(mark)]
        else:
            picture = [bars.draw(mark, title_id=title_id), bars.legend(mark)]
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
        up = element("a", "↑", href="#jq-top", class_="up", aria_label="回到开头 · To the top")
        heading = element(f"h{min(level, 6)}", both(section.title), id=title_id)
        inner = (self.block(block, level + 1) for block in section.blocks)
        return element(
            "section", element("div", heading, up, class_="head"), *inner, id=section.id, aria_labelledby=title_id
        )


def _see(table: Table) -> Html:
    link = element("a", both(table.title), href=f"#{table.id}")
    return element("p", both(Text("数据见表：", "Numbers in the table: ")), link, class_="twin")


def _paragraph(paragraph: Paragraph) -> Html:
    if paragraph.tone == "caution":
        word = element("strong", both(Text("注意 ", "Caution ")))
        return element("p", word, both(paragraph.text), class_="caution")
    return element("p", both(paragraph.text), class_=paragraph.tone if paragraph.tone == "lead" else None)


def _key_figures(row: KeyFigures) -> Html:
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", both(figure.name)),
                element("dd", both(figure.value), class_="value"),
                *([element("dd", both(figure.note), class_="varies")] if figure.note else []),
            )
            for figure in row.figures
        ),
        class_="key-figures",
    )
