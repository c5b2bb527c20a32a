"""Organisations that turned out to be others 归并的机构: a row of a roster that stood by itself and is matched by now.

What was said of it, its accounts, answers and corrections stay under the id that it had, and are read with those of the
organisation that it is; if the match is taken back, they are its own again. The table `crosswalk` holds which it is.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from jiqun.store import Workspace
from jiqun.store.database import table

MOVED: Final = "moved"
"""The scheme of `crosswalk`: value is the id that it had, organisation the one that it is."""


def stands_for(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """In a query: the organisation that the id in a column stands for now."""
    walk = table("crosswalk")
    is_now = sa.select(walk.c.organisation).where(walk.c.scheme == MOVED, walk.c.value == column).scalar_subquery()
    return sa.func.coalesce(is_now, column)


def same(column: sa.ColumnElement[Any], organisation: str) -> sa.ColumnElement[bool]:
    """In a query: whether the id in a column is an organisation's, or one that it had."""
    walk = table("crosswalk")
    had = sa.select(walk.c.value).where(walk.c.scheme == MOVED, walk.c.organisation == organisation)
    return sa.or_(column == organisation, column.in_(had))


def current(workspace: Workspace, organisation: str) -> str:
    """The organisation that an id stands for now."""
    walk = table("crosswalk")
    query = sa.select(walk.c.organisation).where(walk.c.scheme == MOVED, walk.c.value == organisation)
    if not workspace.has_database:
        return organisation
    with workspace.database.read() as connection:
        return connection.execute(query).scalar() or organisation


def all_moved(workspace: Workspace) -> dict[str, str]:
    """All of them: the id that it had → the one that it is."""
    walk = table("crosswalk")
    if not workspace.has_database:
        return {}
    with workspace.database.read() as connection:
        rows = connection.execute(sa.select(walk.c.value, walk.c.organisation).where(walk.c.scheme == MOVED))
        return {row.value: row.organisation for row in rows}
