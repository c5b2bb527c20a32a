"""Revision 0002 of the operational database. Written by scripts/migration.py; frozen once released."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the revision before."""
    op.create_table(
        "chains",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column(
            "revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "revision", name=op.f("pk_chains")),
    )
    op.create_table(
        "corrections",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    op.create_index(
        op.f("ix_corrections_organisation_attribute"), "corrections", ["organisation", "attribute"], unique=False
    )
    op.create_table(
        "crosswalk",
        sa.Column("scheme", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("roster", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scheme", "value", name=op.f("pk_crosswalk")),
    )
    op.create_index(op.f("ix_crosswalk_organisation"), "crosswalk", ["organisation"], unique=False)
    op.create_table(
        "geocode_days",
        sa.Column("provider", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("asked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("provider IN ('tianditu', 'amap', 'baidu')", name=op.f("ck_geocode_days_provider")),
        sa.PrimaryKeyConstraint("provider", "day", name=op.f("pk_geocode_days")),
    )
    op.create_table(
        "geocodes",
        sa.Column("provider", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("found", sa.Boolean(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("precision", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("region_code", sa.Text(), nullable=True),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "precision IN ('building', 'park', 'road', 'town', 'county', 'city', 'province', 'country')",
            name=op.f("ck_geocodes_precision"),
        ),
        sa.CheckConstraint("provider IN ('tianditu', 'amap', 'baidu')", name=op.f("ck_geocodes_provider")),
        sa.PrimaryKeyConstraint("provider", "digest", name=op.f("pk_geocodes")),
    )
    op.create_table(
        "labels",
        sa.Column("sample_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("hand", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("hand IN ('first', 'second', 'settled')", name=op.f("ck_labels_hand")),
        sa.CheckConstraint("label IN ('01', '02', '03', '04', '05', 'none', 'unsure')", name=op.f("ck_labels_label")),
        sa.PrimaryKeyConstraint("sample_id", "item", "hand", name=op.f("pk_labels")),
    )
    op.create_table(
        "pairings",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("roster", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("verdict IN ('same', 'different')", name=op.f("ck_pairings_verdict")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairings")),
    )
    op.create_index(op.f("ix_pairings_organisation"), "pairings", ["organisation"], unique=False)
    op.create_index(op.f("ix_pairings_row_key"), "pairings", ["row_key"], unique=False)
    op.create_table(
        "point_fixes",
        sa.Column("table_name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("row_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("fix", sa.Text(), nullable=False),
        sa.Column("given_lon", sa.Double(), nullable=False),
        sa.Column("given_lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("fix IN ('swap', 'sign', 'drop', 'keep')", name=op.f("ck_point_fixes_fix")),
        sa.PrimaryKeyConstraint("table_name", "row_id", name=op.f("pk_point_fixes")),
    )
    op.create_table(
        "remembered",
        sa.Column("table_name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("column", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("found", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "column", "found", "subject", name=op.f("pk_remembered")),
    )
    op.create_table(
        "rosters",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.Text(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('matched', 'applied', 'withdrawn', 'replaced')", name=op.f("ck_rosters_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rosters")),
    )
    op.create_index(op.f("ix_rosters_name_at"), "rosters", ["name", "at"], unique=False)
    op.create_index(op.f("ix_rosters_state"), "rosters", ["state"], unique=False)
    op.create_table(
        "sample_items",
        sa.Column("sample_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("stratum", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sample_id", "item", name=op.f("pk_sample_items")),
    )
    op.create_table(
        "samples",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("text_kind", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("strata", sa.Text(), nullable=False),
        sa.Column("first", sa.Text(), nullable=True),
        sa.Column("second", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "text_kind IN ('main_business', 'scope', 'summary', 'name')", name=op.f("ck_samples_text_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples")),
    )
    op.create_index(op.f("ix_samples_created_at"), "samples", ["created_at"], unique=False)
    op.create_table(
        "survey_contacts",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f("ck_survey_contacts_language")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_contacts")),
    )
    op.create_index(op.f("ix_survey_contacts_organisation"), "survey_contacts", ["organisation"], unique=False)
    op.create_table(
        "surveys",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("year", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("quarter", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("questions", sa.Text(), nullable=False),
        sa.Column("roster", sa.Text(), nullable=False),
        sa.Column("note_zh", sa.Text(), nullable=True),
        sa.Column("note_en", sa.Text(), nullable=True),
        sa.Column("readers", sa.Text(), nullable=False),
        sa.Column("reminders", sa.Text(), nullable=False),
        sa.Column("opens_on", sa.Date(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('indicators', 'links')", name=op.f("ck_surveys_kind")),
        sa.CheckConstraint("state IN ('draft', 'open', 'locked', 'published')", name=op.f("ck_surveys_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveys")),
    )
    op.create_table(
        "overruled",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("instead", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_overruled_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overruled")),
    )
    op.create_index(op.f("ix_overruled_import_id_row"), "overruled", ["import_id", "row"], unique=False)
    op.create_table(
        "survey_answers",
        sa.Column("survey", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=True),
        sa.Column("filled_by", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('draft', 'submitted')", name=op.f("ck_survey_answers_state")),
        sa.ForeignKeyConstraint(["survey"], ["surveys.id"], name=op.f("fk_survey_answers_survey")),
        sa.PrimaryKeyConstraint("survey", "organisation", "version", name=op.f("pk_survey_answers")),
    )
    op.create_index(op.f("ix_survey_answers_organisation"), "survey_answers", ["organisation"], unique=False)
    op.create_table(
        "survey_links",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("survey", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("secret_digest", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["survey"], ["surveys.id"], name=op.f("fk_survey_links_survey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_links")),
        sa.UniqueConstraint("secret_digest", name=op.f("uq_survey_links_secret_digest")),
    )
    op.create_index(
        op.f("ix_survey_links_survey_organisation"), "survey_links", ["survey", "organisation"], unique=False
    )
    op.create_table(
        "survey_reminders",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("survey", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'skipped', 'failed', 'unsure')",
            name=op.f("ck_survey_reminders_state"),
        ),
        sa.CheckConstraint("way IN ('notice', 'mail')", name=op.f("ck_survey_reminders_way")),
        sa.ForeignKeyConstraint(["survey"], ["surveys.id"], name=op.f("fk_survey_reminders_survey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_reminders")),
        sa.UniqueConstraint(
            "survey", "organisation", "step", "target", name=op.f("uq_survey_reminders_survey_organisation_step_target")
        ),
    )
    op.create_index(op.f("ix_survey_reminders_survey_state"), "survey_reminders", ["survey", "state"], unique=False)
    op.create_table(
        "survey_roster",
        sa.Column("survey", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("size_class", sa.Text(), nullable=False),
        sa.Column("employees", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decline", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("answered", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "decline IN ('not_applicable', 'unwilling', 'other')", name=op.f("ck_survey_roster_decline")
        ),
        sa.CheckConstraint(
            "size_class IN ('micro', 'small', 'medium', 'large', 'unknown')", name=op.f("ck_survey_roster_size_class")
        ),
        sa.CheckConstraint(
            "state IN ('silent', 'started', 'answered', 'declined')", name=op.f("ck_survey_roster_state")
        ),
        sa.ForeignKeyConstraint(["survey"], ["surveys.id"], name=op.f("fk_survey_roster_survey")),
        sa.PrimaryKeyConstraint("survey", "organisation", name=op.f("pk_survey_roster")),
    )
    op.create_index(op.f("ix_survey_roster_organisation"), "survey_roster", ["organisation"], unique=False)
    op.create_index(op.f("ix_survey_roster_survey_state"), "survey_roster", ["survey", "state"], unique=False)


def downgrade() -> None:
    """To the revision before."""
    op.drop_index(op.f("ix_survey_roster_survey_state"), table_name="survey_roster")
    op.drop_index(op.f("ix_survey_roster_organisation"), table_name="survey_roster")
    op.drop_table("survey_roster")
    op.drop_index(op.f("ix_survey_reminders_survey_state"), table_name="survey_reminders")
    op.drop_table("survey_reminders")
    op.drop_index(op.f("ix_survey_links_survey_organisation"), table_name="survey_links")
    op.drop_table("survey_links")
    op.drop_index(op.f("ix_survey_answers_organisation"), table_name="survey_answers")
    op.drop_table("survey_answers")
    op.drop_index(op.f("ix_overruled_import_id_row"), table_name="overruled")
    op.drop_table("overruled")
    op.drop_table("surveys")
    op.drop_index(op.f("ix_survey_contacts_organisation"), table_name="survey_contacts")
    op.drop_table("survey_contacts")
    op.drop_index(op.f("ix_samples_created_at"), table_name="samples")
    op.drop_table("samples")
    op.drop_table("sample_items")
    op.drop_index(op.f("ix_rosters_state"), table_name="rosters")
    op.drop_index(op.f("ix_rosters_name_at"), table_name="rosters")
    op.drop_table("rosters")
    op.drop_table("remembered")
    op.drop_table("point_fixes")
    op.drop_index(op.f("ix_pairings_row_key"), table_name="pairings")
    op.drop_index(op.f("ix_pairings_organisation"), table_name="pairings")
    op.drop_table("pairings")
    op.drop_table("labels")
    op.drop_table("geocodes")
    op.drop_table("geocode_days")
    op.drop_index(op.f("ix_crosswalk_organisation"), table_name="crosswalk")
    op.drop_table("crosswalk")
    op.drop_index(op.f("ix_corrections_organisation_attribute"), table_name="corrections")
    op.drop_table("corrections")
    op.drop_table("chains")
