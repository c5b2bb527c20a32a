"""How a document is being drawn 行文: in which languages, and where its links lead.

One voice holds while one document is drawn (`speaking`), so that the same drawing code writes the bilingual file that
stands alone and the fragment of a page in one language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from jiqun.core.document import Table
from jiqun.core.errors import Language


@dataclass(frozen=True)
class Voice:
    """The languages to write, the address of an anchor, and the addresses of a table's twins by name 行文方式.

    Without `twin` a table carries its CSV and JSON in itself; `top` is where headings lead back to, if anywhere.
    """

    languages: tuple[Language, ...] = ("zh", "en")
    href: Callable[[str], str] = "#{}".format
    twin: Callable[[Table], Mapping[str, str]] | None = None
    top: str = "#jq-top"


_VOICE: ContextVar[Voice] = ContextVar("voice", default=Voice())  # noqa: B039  # a Voice cannot be changed


def voice() -> Voice:
    """The voice that holds now; both languages, in a file of its own, unless somebody speaks otherwise."""
    return _VOICE.get()


@contextmanager
def speaking(as_: Voice) -> Iterator[None]:
    """Draw with this voice until the end of the block.

    Examples
    --------
    >>> with speaking(Voice(("en",))):
    ...     voice().languages
    ('en',)
    >>> voice().languages
    ('zh', 'en')
    """
    before = _VOICE.set(as_)
    try:
        yield
    finally:
        _VOICE.reset(before)
