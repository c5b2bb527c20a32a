"""Text that is safe to show 可见文本: nothing in it acts unseen."""

from __future__ import annotations

_UNSEEN = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF)
_VISIBLE = dict.fromkeys(_UNSEEN, "\ufffd") | dict.fromkeys(map(ord, "\t\n\r"), " ")


def visible(text: str) -> str:
    r"""The text without what could act unseen: control characters, direction overrides, lone surrogates 可见字符.

    Each is replaced by U+FFFD, so that the reader sees that something stood there; tabs and line breaks by a blank.

    Examples
    --------
    >>> visible("ACME\u202egpj.exe")
    'ACME�gpj.exe'
    """
    if text.isprintable():
        return text
    return text.translate(_VISIBLE).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
