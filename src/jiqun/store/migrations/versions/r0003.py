"""Revision 0003 of the operational database. Written by scripts/migration.py; frozen once released."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the revision before."""
    op.create_table(
        "given",
        sa.Column("table_name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column(
            "revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("rows", sa.Text(), nullable=True),
        sa.Column("row_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("act IN ('given', 'text', 'frontier', 'removed', 'back')", name=op.f("ck_given_act")),
        sa.CheckConstraint("table_name IN ('plans', 'tags', 'frontier')", name=op.f("ck_given_table_name")),
        sa.PrimaryKeyConstraint("table_name", "revision", name=op.f("pk_given")),
    )
    op.create_table(
        "unit_edits",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_edits")),
    )
    op.create_index(op.f("ix_unit_edits_unit_attribute"), "unit_edits", ["unit", "attribute"], unique=False)


def downgrade() -> None:
    """To the revision before."""
    op.drop_index(op.f("ix_unit_edits_unit_attribute"), table_name="unit_edits")
    op.drop_table("unit_edits")
    op.drop_table("given")
