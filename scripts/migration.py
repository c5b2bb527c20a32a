"""Writes the newest migration of the operational database from the schemas: `python scripts/migration.py`.

A revision that was released is frozen. Until then this rewrites it; after a release, raise `HEAD` in
`jiqun.store.migrations` first, and the difference to the revision before becomes the new file.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.types import TypeDecorator

from jiqun.store import migrations
from jiqun.store.tables import metadata

FOLDER = Path(migrations.__file__).parent / "versions"
TEMPLATE = '''\
"""Revision {revision} of the operational database. Written by scripts/migration.py; frozen once released."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the revision before."""
    {up}


def downgrade() -> None:
    """To the revision before."""
    {down}
'''


def render(connection: Connection) -> str:
    """The newest revision's file, as the schemas say it should be. The database must be of the revision before."""
    before = migrations.revision(connection)
    options = {"compare_type": True, "user_module_prefix": None}
    context = MigrationContext.configure(connection, opts=options | {"render_item": _plain})
    script = produce_migrations(context, metadata())
    up, down = (
        render_python_code(operations, render_item=_plain, migration_context=context)
        for operations in (script.upgrade_ops, script.downgrade_ops)
        if operations is not None
    )
    up, down = (re.sub(r"# ###.*###", "", code).strip() for code in (up, down))
    return _formatted(TEMPLATE.format(revision=migrations.HEAD, before=before, up=up, down=down))


def _plain(kind: str, item: Any, _: Any) -> str | bool:
    """A column's type without jiqun's own classes, so that what is frozen does not follow their changes."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def _formatted(code: str) -> str:
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FOLDER / "r.py"), "-"]
    return subprocess.run(ruff, input=code, capture_output=True, text=True, check=True).stdout


def written() -> str:
    """The newest revision's file as it should be now."""
    engine = create_engine("sqlite://")
    earlier = max((known for known in migrations.known() if known < migrations.HEAD), default=None)
    with engine.begin() as connection:
        if earlier is not None:
            migrations.upgrade(connection, earlier)
        return render(connection)


if __name__ == "__main__":
    (FOLDER / f"r{migrations.HEAD}.py").write_text(written(), encoding="utf-8")
