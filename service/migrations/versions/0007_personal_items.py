"""Personal values are disclosures: the read models that showed them are made anew, and who brought a value is noted.

The three read models are folded again from the history at the engine's next turn.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

FOLDED_AGAIN = {"open_cases": "cases", "visit_log": "visit_log", "refusals": "refusals", "tablet_changes": None}


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    for read_model, table in FOLDED_AGAIN.items():
        op.execute(f"DELETE FROM progress WHERE read_model = '{read_model}'")
        op.execute("DELETE FROM tablet_changes") if table is None else op.drop_table(table)
    op.create_table(
        "cases",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("case_id", text(36), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("status", text(24), nullable=False),
        sa.Column("paused", text(24), nullable=True),
        sa.Column("holder", text(), nullable=False),
        sa.Column("registrar", text(), nullable=True),
        sa.Column("called", sa.Text(), nullable=True),
        sa.Column("mustered", sa.Text(), nullable=True),
        sa.Column("category", text(), nullable=False),
        sa.Column("urgency", text(), nullable=False),
        sa.Column("complexity", text(), nullable=True),
        sa.Column("severity", text(), nullable=True),
        sa.Column("level", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("subject", text(36), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("reference", text(), nullable=True),
        sa.Column("household", text(), nullable=True),
        sa.Column("patrol", text(36), nullable=True),
        sa.Column("visit", text(36), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("photos", sa.Text(), nullable=False),
        sa.Column("reporter", text(36), nullable=False),
        sa.Column("tablet", text(36), nullable=True),
        sa.Column("reported_at", text(24), nullable=False),
        sa.Column("held_since", text(24), nullable=False),
        sa.Column("accept_due_at", text(24), nullable=True),
        sa.Column("accepted_at", text(24), nullable=True),
        sa.Column("registered_at", text(24), nullable=True),
        sa.Column("registered_by", text(36), nullable=True),
        sa.Column("time_limit", sa.Text(), nullable=True),
        sa.Column("calendar", text(), nullable=True),
        sa.Column("dispatch_due_at", text(24), nullable=True),
        sa.Column("due_at", text(24), nullable=True),
        sa.Column("late_from", text(24), nullable=False),
        sa.Column("muster_due_at", text(24), nullable=True),
        sa.Column("suspended_until", text(), nullable=True),
        sa.Column("handled_at", text(24), nullable=True),
        sa.Column("handler", text(36), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("quantities", sa.Text(), nullable=True),
        sa.Column("checked_at", text(24), nullable=True),
        sa.Column("checker", text(36), nullable=True),
        sa.Column("check_passed", sa.Boolean(), nullable=True),
        sa.Column("rating", text(), nullable=True),
        sa.Column("rated_by", text(), nullable=True),
        sa.Column("evaluator", text(36), nullable=True),
        sa.Column("closed_at", text(24), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("overtime", sa.Boolean(), nullable=False),
        sa.Column("overtime_exempted", sa.Boolean(), nullable=False),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.Column("reworks", sa.Integer(), nullable=False),
        sa.Column("merged_into", text(36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", text(24), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "case_id"),
    )
    op.create_index("cases_id", "cases", ["case_id"], unique=False)
    op.create_index(
        "cases_open_called",
        "cases",
        ["late_from", "case_id", "ledger", "called"],
        unique=False,
        sqlite_where=sa.text("open IS 1 AND called IS NOT NULL"),
        postgresql_where=sa.text("open IS true AND called IS NOT NULL"),
    )
    op.create_index(
        "cases_open_due",
        "cases",
        ["ledger", "late_from", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 1"),
        postgresql_where=sa.text("open IS true"),
    )
    op.create_index(
        "cases_open_due_wide",
        "cases",
        ["late_from", "case_id", "ledger"],
        unique=False,
        sqlite_where=sa.text("open IS 1"),
        postgresql_where=sa.text("open IS true"),
    )
    op.create_index(
        "cases_open_holder",
        "cases",
        ["holder", "late_from", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 1"),
        postgresql_where=sa.text("open IS true"),
    )
    op.create_index(
        "cases_open_registrar",
        "cases",
        ["registrar", "late_from", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 1"),
        postgresql_where=sa.text("open IS true"),
    )
    op.create_index(
        "cases_open_reported",
        "cases",
        ["ledger", "reported_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 1"),
        postgresql_where=sa.text("open IS true"),
    )
    op.create_index(
        "cases_open_reported_wide",
        "cases",
        ["reported_at", "case_id", "ledger"],
        unique=False,
        sqlite_where=sa.text("open IS 1"),
        postgresql_where=sa.text("open IS true"),
    )
    op.create_index(
        "cases_over_called",
        "cases",
        ["reported_at", "case_id", "ledger", "called"],
        unique=False,
        sqlite_where=sa.text("open IS 0 AND called IS NOT NULL"),
        postgresql_where=sa.text("open IS false AND called IS NOT NULL"),
    )
    op.create_index(
        "cases_over_holder",
        "cases",
        ["holder", "reported_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 0"),
        postgresql_where=sa.text("open IS false"),
    )
    op.create_index(
        "cases_over_registrar",
        "cases",
        ["registrar", "reported_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 0"),
        postgresql_where=sa.text("open IS false"),
    )
    op.create_index(
        "cases_over_reported",
        "cases",
        ["ledger", "reported_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("open IS 0"),
        postgresql_where=sa.text("open IS false"),
    )
    op.create_index(
        "cases_over_reported_wide",
        "cases",
        ["reported_at", "case_id", "ledger"],
        unique=False,
        sqlite_where=sa.text("open IS 0"),
        postgresql_where=sa.text("open IS false"),
    )
    op.create_table(
        "visit_log",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("visit_id", text(36), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("household", text(), nullable=False),
        sa.Column("care_group", text(), nullable=True),
        sa.Column("channel", text(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("next_due", text(), nullable=True),
        sa.Column("personal", sa.Text(), nullable=False),
        sa.Column("person", text(36), nullable=False),
        sa.Column("tablet", text(36), nullable=True),
        sa.Column("happened_at", text(24), nullable=False),
        sa.Column("day", text(10), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "visit_id"),
    )
    op.create_index("visit_log_area", "visit_log", ["area", "happened_at", "visit_id"], unique=False)
    op.create_index("visit_log_due", "visit_log", ["ledger", "next_due"], unique=False)
    op.create_index("visit_log_household", "visit_log", ["ledger", "household", "happened_at"], unique=False)
    op.create_index("visit_log_ledger", "visit_log", ["ledger", "happened_at", "visit_id"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("refusal_id", text(36), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("state", text(16), nullable=False),
        sa.Column("code", text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("person", text(36), nullable=False),
        sa.Column("tablet", text(36), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", text(), nullable=True),
        sa.Column("about", text(36), nullable=True),
        sa.Column("subject", text(36), nullable=False),
        sa.Column("digest", text(), nullable=False),
        sa.Column("happened_at", text(24), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.Column("decided_by", text(36), nullable=True),
        sa.Column("decided_at", text(24), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("became_ledger", text(9), nullable=True),
        sa.Column("became_stream", text(36), nullable=True),
        sa.Column("became_version", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "refusal_id"),
    )
    op.create_index("refusals_about", "refusals", ["about"], unique=False)
    op.create_index("refusals_area", "refusals", ["area", "state"], unique=False)
    op.create_index("refusals_id", "refusals", ["refusal_id"], unique=False)
    op.create_index("refusals_recorded", "refusals", ["ledger", "recorded_at", "refusal_id"], unique=False)
    op.create_index("refusals_tablet", "refusals", ["tablet", "seq"], unique=False)
    op.create_table(
        "personal_items",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("digest", text(43), nullable=False),
        sa.Column("stream", text(36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", text(36), nullable=False),
        sa.Column("field", text(64), nullable=False),
        sa.Column("topic", text(64), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("household", text(), nullable=True),
        sa.Column("by_person", text(36), nullable=False),
        sa.Column("happened_at", text(24), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "digest", "stream", "version"),
    )
    op.create_index("personal_items_digest", "personal_items", ["digest"], unique=False)
    op.create_index("personal_items_household", "personal_items", ["ledger", "household", "happened_at"], unique=False)
    op.create_index("personal_items_stream", "personal_items", ["stream", "ledger", "version"], unique=False)
    op.create_index("personal_items_subject", "personal_items", ["subject", "ledger", "position"], unique=False)
    op.create_table(
        "brought_values",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("digest", text(43), nullable=False),
        sa.Column("person", text(36), nullable=False),
        sa.Column("tablet", text(36), nullable=True),
        sa.Column("subject", text(36), nullable=False),
        sa.Column("field", text(64), nullable=False),
        sa.Column("brought_at", text(24), nullable=False),
        sa.Column("named_at", text(24), nullable=True),
        sa.PrimaryKeyConstraint("ledger", "digest", "person", name="brought_values_pkey"),
    )
    op.create_index("brought_values_digest", "brought_values", ["digest", "person"], unique=False)
    op.create_index(
        "brought_values_unnamed",
        "brought_values",
        ["person"],
        unique=False,
        sqlite_where=sa.text("named_at IS NULL"),
        postgresql_where=sa.text("named_at IS NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("There is no way back: the old tables had places for what is not told in the open any more.")
