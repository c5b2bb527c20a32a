"""A document as one HTML file 自足网页: both languages, no request to anywhere, whole without scripts.

The language is chosen by two radio buttons that the style sheet reads. A content security policy in the page forbids
every request, and every style and script but the two whose digests it names.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jiqun.core.document import Block, Document, Map, Section, Text
from jiqun.core.errors import Language
from jiqun.report import basemap, blocks
from jiqun.report.fragment import stylesheet
from jiqun.report.markup import TAGS, Html, both, element

_OPEN_CONTENTS = 24
"""A longer list of contents waits folded."""


def html(document: Document, *, language: Language = "zh") -> str:
    """One self-contained bilingual HTML file 双语网页报告.

    Parameters
    ----------
    document
        What to say. Ids must be unique, and every anchor in it must lead to one of them.
    language
        Shown first where scripts are off; else the reader's browser decides.

    Raises
    ------
    ValueError
        An id is used twice or cannot be an anchor, an anchor leads nowhere, or a row does not fit its columns.

    Examples
    --------
    >>> from jiqun.core.lineage import Lineage
    >>> page = html(Document(Text("集群", "Clusters"), Text("", ""), (), Lineage("atlas.find_clusters", "1")))
    >>> page.startswith("<!doctype html>"), "://" in page
    (True, False)
    """
    blocks.check(document)
    title = document.title
    mapped = any(isinstance(mark, Map) for mark in blocks.marks(document.blocks))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy()),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", " · ".join(dict.fromkeys((title.zh, title.en)))),
        element("style", _style()),
    )
    main = element(
        "main",
        element("h1", both(title)),
        *([both(document.subtitle, "p", class_="subtitle")] if document.subtitle != Text("", "") else []),
        *_blocks_with_contents(document),
        blocks.written_lineage(document.lineage),
        id="jq-main",
        class_="doc",
    )
    body = element(
        "body",
        *_radios(language),
        *([basemap.land_symbol()] if mapped else []),
        _header(),
        main,
        element("footer", *(both(attribution, "p") for attribution in blocks.credits_of(document))),
        element("script", _asset("language.js")),
    )
    return f"<!doctype html>\n{element('html', head, body, lang=TAGS[language])}\n"


@cache
def _asset(name: str) -> Html:
    return Html(files("jiqun.report").joinpath("assets", name).read_text(encoding="utf-8").strip())


@cache
def _style() -> Html:
    return Html(f"{stylesheet()}{_asset('page.css')}")


@cache
def _policy() -> str:
    def digest(content: str) -> str:
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(_style())}'; script-src 'sha256-{digest(_asset('language.js'))}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _radios(language: Language) -> list[Html]:
    return [
        element(
            "input", type="radio", name="jq-language", id=f"jq-{tongue}", checked=tongue == language, aria_label=name
        )
        for tongue, name in (("zh", "中文"), ("en", "English"))
    ]


def _header() -> Html:
    return element(
        "header",
        element("a", both(Text("跳到正文", "Skip to the text")), href="#jq-main", class_="skip"),
        element("span", "集群 jiqun", class_="brand"),
        element("span", element("label", "中文", for_="jq-zh"), element("label", "EN", for_="jq-en"), class_="switch"),
        id="jq-top",
    )


def _blocks_with_contents(document: Document) -> list[Html]:
    writer = blocks.Writer(document.blocks)
    first = next((i for i, block in enumerate(document.blocks) if isinstance(block, Section)), len(document.blocks))
    return [
        *(writer.block(block) for block in document.blocks[:first]),
        *_contents(document.blocks[first:]),
        *(writer.block(block) for block in document.blocks[first:]),
    ]


def _contents(later: tuple[Block, ...]) -> list[Html]:
    count = sum(isinstance(block, Section) for block in blocks.walk(later))
    if count < 2:
        return []
    sections = [block for block in later if isinstance(block, Section)]
    name = Text(f"目录（{count} 节）", f"Contents ({count} sections)")
    folded = element("details", element("summary", both(name)), _list(sections), open=count <= _OPEN_CONTENTS)
    return [element("nav", folded, aria_label="目录 · Contents", class_="contents")]


def _list(sections: list[Section]) -> Html:
    items = []
    nested = False
    for section in sections:
        inner = [block for block in section.blocks if isinstance(block, Section)]
        nested = nested or bool(inner)
        link = element("a", both(section.title), href=f"#{section.id}")
        items.append(element("li", link, *([_list(inner)] if inner else [])))
    return element("ul", *items, class_=None if nested else "columns")
