"""HTML that escapes by construction 安全标记: only `Html` passes as markup, every other string is text.

`Html` answers `__html__`, so template engines take it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.core.text import visible

TAGS: dict[Language, str] = {"zh": "zh-Hans", "en": "en"}
"""BCP 47 tags of the two languages."""

LANGUAGES: tuple[Language, ...] = ("zh", "en")

_VOID = frozenset({"meta", "input", "br", "hr", "col", "link"})


class Html(str):
    """Markup: whatever it holds has been escaped already."""

    __slots__ = ()

    def __html__(self) -> Html:
        return self


def text(content: str) -> Html:
    """Escaped text; unseen characters are made visible (`jiqun.core.text.visible`)."""
    return content if isinstance(content, Html) else Html(escape(visible(content)))


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
        parts.append(" " + name.rstrip("_").replace("_", "-"))
        if value is not True:
            parts.append(f'="{text(str(value))}"')
    parts.append(">")
    if tag not in _VOID:
        parts += map(text, children)
        parts.append(f"</{tag}>")
    return Html("".join(parts))


def both(content: Text, tag: str = "span", **attributes: str | float | bool | None) -> Html:
    """A text in both languages, each marked with `lang`; once, where they are the same.

    Examples
    --------
    >>> both(Text("集群", "cluster"))
    '<span lang="zh-Hans">集群</span><span lang="en">cluster</span>'
    >>> both(Text("ACME", "ACME"))
    'ACME'
    """
    zh, en = content.zh or content.en, content.en or content.zh
    if zh == en:
        return element(tag, zh, **attributes) if attributes or tag != "span" else text(zh)
    return Html(element(tag, zh, lang=TAGS["zh"], **attributes) + element(tag, en, lang=TAGS["en"], **attributes))


def flat(content: Text, most: int = 200) -> str:
    """Both languages on two lines, for places that hold no markup such as `<title>` in a drawing."""
    zh, en = (clipped(part, most) for part in (content.zh or content.en, content.en or content.zh))
    return zh if zh == en else f"{zh} \u00b7 {en}"


def clipped(content: str, most: int = 200) -> str:
    """At most so many characters, the last one “…” where some are missing.

    Examples
    --------
    >>> clipped("abcdef", 4)
    'abc…'
    """
    return content if len(content) <= most else content[: most - 1] + "…"
