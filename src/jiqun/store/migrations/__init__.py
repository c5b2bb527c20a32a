"""Migrations 迁移 of the operational database, shipped with the program and run when a database is opened."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from jiqun.core.errors import WorkspaceError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The revision that this program works with."""
_one_at_a_time = threading.Lock()
"""Alembic keeps what it is doing in module globals."""


def revision(connection: Connection) -> str | None:
    """The revision of a database, None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Bring a database up to a revision, in the connection's transaction.

    Raises
    ------
    WorkspaceError
        JQ-STORE-037: the database, or the revision asked for, is of a later program.
    """
    from alembic import command  # noqa: PLC0415  # 0.2 s that only the first opening pays

    config = _config(connection)
    for found in filter(None, (revision(connection), to)):
        if found not in known():
            raise WorkspaceError("JQ-STORE-037", found=found, known=HEAD)
    with _one_at_a_time:
        command.upgrade(config, to)


def downgrade(connection: Connection, to: str) -> None:
    """Bring a database down to a revision (`base`: empty), in the connection's transaction."""
    from alembic import command  # noqa: PLC0415

    with _one_at_a_time:
        command.downgrade(_config(connection), to)


def known() -> frozenset[str]:
    """Every revision that this program can start from."""
    return frozenset(path.stem[1:5] for path in (Path(__file__).parent / "versions").glob("r*.py"))


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
