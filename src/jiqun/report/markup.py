"""HTML that escapes by construction 安全标记: only `Html` passes as markup, every other string is text.

`Html` answers `__html__`, so template engines take it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.core.text import visible
from jiqun.report.voice import Voice, voice

TAGS: dict[Language, str] = {"zh": "zh-Hans", "en": "en"}
"""BCP 47 tags of the two languages."""

LANGUAGES: tuple[Language, ...] = Voice.languages

_SPECIAL = re.compile("[&<>\"']")
_VOID = frozenset({"meta", "input", "br", "hr", "col", "link"})


class Html(str):
    """Markup: whatever it holds has been escaped already."""

    __slots__ = ()

    def __html__(self) -> Html:
        return self


def text(content: str) -> Html:
    """Escaped text; unseen characters are made visible (`jiqun.core.text.visible`)."""
    if isinstance(content, Html):
        return content
    shown = visible(content)
    return Html(escape(shown) if _SPECIAL.search(shown) else shown)


def join(parts: Iterable[str], between: str = "") -> Html:
    """Several pieces in one."""
    return Html(text(between).join(map(text, parts)))


def element(tag: str, *children: str, **attributes: str | float | bool | None) -> Html:
    """An element. Attribute names lose a trailing underscore, inner ones become hyphens; None and False leave it out.

    Examples
    --------
    >>> element("p", "1 < 2", class_="lead", aria_label='"', hidden=True)
    '<p class="lead" aria-label="&quot;" hidden>1 &lt; 2</p>'
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        parts.append(_attribute(name) if value is True else f'{_attribute(name)}="{text(str(value))}"')
    parts.append(">")
    if tag not in _VOID:
        parts += map(text, children)
        parts.append(f"</{tag}>")
    return Html("".join(parts))


@cache
def _attribute(name: str) -> str:
    return " " + name.rstrip("_").replace("_", "-")


def told(content: Text) -> dict[Language, str]:
    """What a text says in each language of the voice; where one is missing, what the other says.

    Examples
    --------
    >>> told(Text("集群", ""))
    {'zh': '集群', 'en': '集群'}
    """
    zh, en = content.zh or content.en, content.en or content.zh
    return {language: zh if language == "zh" else en for language in voice().languages}


def both(content: Text, tag: str = "span", **attributes: str | float | bool | None) -> Html:
    """A text in both languages, each marked with `lang`; once, where they are the same or the voice has only one.

    Examples
    --------
    >>> both(Text("集群", "cluster"))
    '<span lang="zh-Hans">集群</span><span lang="en">cluster</span>'
    >>> both(Text("ACME", "ACME"))
    'ACME'
    """
    said = told(content)
    first, *others = said.values()
    if all(other == first for other in others):
        return element(tag, first, **attributes) if attributes or tag != "span" else text(first)
    return join(element(tag, part, lang=TAGS[language], **attributes) for language, part in said.items())


def flat(content: Text, most: int = 200) -> str:
    """Both languages in one line, for places that hold no markup such as `<title>` in a drawing."""
    return " \u00b7 ".join(dict.fromkeys(clipped(part, most) for part in told(content).values()))


def clipped(content: str, most: int = 200) -> str:
    """At most so many characters, the last one “…” where some are missing.

    Examples
    --------
    >>> clipped("abcdef", 4)
    'abc…'
    """
    return content if len(content) <= most else content[: most - 1] + "…"
