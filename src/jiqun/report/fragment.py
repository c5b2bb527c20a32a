"""Blocks of a document inside a page 页面片段: in the page's language, with its links, without its own frame.

The page brings the style sheet (`stylesheet`) and loads nothing else for it: no script, no style attribute, no picture
that is not drawn in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files

from jiqun.core.document import Block, Document, Map, Table
from jiqun.core.errors import Language
from jiqun.report import basemap
from jiqun.report.blocks import Writer, claim_ids, credits_of, map_credits, marks, written_lineage
from jiqun.report.markup import Html, both, element
from jiqun.report.voice import Voice, speaking


def fragment(
    content: Document | Sequence[Block],
    language: Language,
    *,
    twin: Callable[[Table], Mapping[str, str]],
    href: Callable[[str], str] = "#{}".format,
    level: int = 2,
) -> Html:
    """Blocks in one language, to stand inside a page 单语片段.

    Parameters
    ----------
    content
        A document, whose title and subtitle the page sets itself; or some blocks, then without lineage.
    language
        The page's language.
    twin
        The addresses of a table's other forms by name, as `{"csv": url, "json": url}`; empty for none.
    href
        The address of an anchor (`Table.links`, `Bubble.anchor`): a section below or another page.
    level
        The heading level of sections.

    Raises
    ------
    ValueError
        An id is used twice or cannot be an anchor, or a row does not fit its columns.

    Notes
    -----
    A page holds at most one fragment with maps: they share one outline of the world's land.

    Examples
    --------
    >>> from jiqun.core.document import Paragraph, Text
    >>> fragment([Paragraph(Text("三家", "Three firms"))], "en", twin=lambda table: {})
    '<div class="doc"><p>Three firms</p></div>'
    """
    blocks = content.blocks if isinstance(content, Document) else content
    claim_ids(blocks)
    mapped = any(isinstance(mark, Map) for mark in marks(blocks))
    thanks = credits_of(content) if isinstance(content, Document) else map_credits(blocks)
    with speaking(Voice((language,), href, twin, top="")):
        writer = Writer(blocks)
        parts = [writer.block(block, level) for block in blocks]
        if isinstance(content, Document):
            parts.append(written_lineage(content.lineage, level))
        parts += [both(credit, "p", class_="source") for credit in thanks]
        return element("div", *([basemap.land_symbol()] if mapped else []), *parts, class_="doc")


@cache
def stylesheet() -> str:
    """The style of fragments and of the drawings in them, light and dark, on screen and on paper."""
    assets = files("jiqun.report").joinpath("assets")
    return "".join(assets.joinpath(name).read_text(encoding="utf-8") for name in ("marks.css", "blocks.css"))
