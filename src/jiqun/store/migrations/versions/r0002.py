"""Revision 0002 of the operational database. Written by scripts/migration.py; frozen once released."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the revision before."""
    pass


def downgrade() -> None:
    """To the revision before."""
    pass
