"""Long work says how far it is 进度: a function of (what, done, total); total is None while unknown."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]


def silent(what: str, done: int, total: int | None) -> None:
    """Report to nobody."""
