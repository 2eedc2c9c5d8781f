"""Every table of the first release, and the triggers that refuse to change history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are permanent: a recorded event is never changed or removed'); END",
        "CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are permanent: a recorded event is never changed or removed'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'events are permanent: a recorded event is never changed or removed' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION events_refuse()",
    ),
}


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("made_at", sa.String(length=24), nullable=False),
        sa.Column("disabled_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("person"),
        sa.UniqueConstraint("login"),
    )
    op.create_table(
        "areas",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("code", text(17), nullable=False),
        sa.Column("area_id", text(36), nullable=False),
        sa.Column("level", text(16), nullable=False),
        sa.Column("parent", text(17), nullable=True),
        sa.Column("name", text(), nullable=False),
        sa.Column("kind", text(), nullable=True),
        sa.Column("reference", text(), nullable=True),
        sa.Column("centre", sa.Text(), nullable=True),
        sa.Column("polygon", sa.Text(), nullable=True),
        sa.Column("effective_from", text(10), nullable=False),
        sa.Column("effective_to", text(10), nullable=True),
        sa.Column("successors", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "code"),
    )
    op.create_index("areas_code", "areas", ["code"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("person", text(36), nullable=False),
        sa.Column("assignment", text(), nullable=False),
        sa.Column("role", text(), nullable=False),
        sa.Column("unit", text(), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("from_day", text(10), nullable=True),
        sa.Column("to_day", text(10), nullable=True),
        sa.Column("assigned", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "person", "assignment"),
    )
    op.create_index("assignments_area", "assignments", ["area"], unique=False)
    op.create_index("assignments_person", "assignments", ["person"], unique=False)
    op.create_index("assignments_unit", "assignments", ["unit"], unique=False)
    op.create_table(
        "case_history",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("case_id", text(36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("topic", text(64), nullable=False),
        sa.Column("step", text(16), nullable=False),
        sa.Column("by_person", text(36), nullable=False),
        sa.Column("role", text(), nullable=False),
        sa.Column("tablet", text(36), nullable=True),
        sa.Column("happened_at", text(24), nullable=False),
        sa.Column("day", text(10), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.Column("from_holder", text(), nullable=True),
        sa.Column("holder", text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "case_id", "version"),
    )
    op.create_index("case_history_case", "case_history", ["case_id", "version"], unique=False)
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
        sa.Column("summary", sa.Text(), nullable=False),
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
        "enrolment_codes",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ledger", sa.String(length=9), nullable=False),
        sa.Column("area", sa.String(length=17), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_role", sa.String(length=16), nullable=False),
        sa.Column("made_at", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.String(length=24), nullable=False),
        sa.Column("used_at", sa.String(length=24), nullable=True),
        sa.Column("tablet", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("code_hash"),
    )
    op.create_index("enrolment_codes_expires_at", "enrolment_codes", ["expires_at"], unique=False)
    op.create_table(
        "events",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("topic", text(255), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.Column("by_person", sa.Uuid(), nullable=True),
        sa.Column("tablet", sa.Uuid(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "position", name="events_pkey"),
        sa.UniqueConstraint("ledger", "stream", "version", name="events_stream_version"),
    )
    op.create_index(
        "events_tablet_seq",
        "events",
        ["tablet", "seq"],
        unique=False,
        sqlite_where=sa.text("tablet IS NOT NULL"),
        postgresql_where=sa.text("tablet IS NOT NULL"),
    )
    op.create_table(
        "ledgers",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("incarnation", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", name="ledgers_pkey"),
    )
    op.create_table(
        "login_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("login_attempts_subject_at", "login_attempts", ["subject", "at"], unique=False)
    op.create_table(
        "patrol_coverage",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("day", text(10), nullable=False),
        sa.Column("started", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("checkpoints", sa.Integer(), nullable=False),
        sa.Column("last_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "area", "day"),
    )
    op.create_index("patrol_coverage_area_day", "patrol_coverage", ["area", "day"], unique=False)
    op.create_table(
        "photo_uses",
        sa.Column("ledger", sa.String(length=9), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("area", sa.String(length=17), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "sha256", "stream", "person"),
    )
    op.create_index("photo_uses_sha256", "photo_uses", ["sha256"], unique=False)
    op.create_table(
        "photos",
        sa.Column("ledger", sa.String(length=9), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("stored_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "sha256", "person"),
    )
    op.create_index("photos_sha256", "photos", ["sha256"], unique=False)
    op.create_table(
        "progress",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("read_model", text(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("parked_position", sa.BigInteger(), nullable=True),
        sa.Column("parked_error", sa.Text(), nullable=True),
        sa.Column("parked_at", text(24), nullable=True),
        sa.PrimaryKeyConstraint("ledger", "read_model"),
    )
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
        sa.Column("entry", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
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
    op.create_index("refusals_area", "refusals", ["area", "state"], unique=False)
    op.create_index("refusals_id", "refusals", ["refusal_id"], unique=False)
    op.create_index("refusals_recorded", "refusals", ["ledger", "recorded_at", "refusal_id"], unique=False)
    op.create_index("refusals_tablet", "refusals", ["tablet", "seq"], unique=False)
    op.create_table(
        "rulebooks",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("version", text(), nullable=False),
        sa.Column("effective_from", text(10), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("published_at", text(24), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "kind", "name", "version"),
    )
    op.create_table(
        "tablet_changes",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("audience", text(), nullable=False),
        sa.Column("kind", text(16), nullable=False),
        sa.Column("item", text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("audiences", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ledger", "audience", "kind", "item"),
    )
    op.create_index("tablet_changes_position", "tablet_changes", ["ledger", "audience", "position"], unique=False)
    op.create_table(
        "tablet_states",
        sa.Column("ledger", sa.String(length=9), nullable=False),
        sa.Column("tablet", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("area", sa.String(length=17), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("last_valid", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("stream_version", sa.Integer(), nullable=False),
        sa.Column("enrolled_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "tablet"),
    )
    op.create_index("tablet_states_tablet", "tablet_states", ["tablet"], unique=False)
    op.create_index("tablet_states_token_hash", "tablet_states", ["token_hash"], unique=False)
    op.create_table(
        "tablets",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("tablet_id", text(36), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("person", text(36), nullable=False),
        sa.Column("status", text(16), nullable=False),
        sa.Column("label", text(), nullable=True),
        sa.Column("origin", text(), nullable=False),
        sa.Column("algorithm", text(), nullable=False),
        sa.Column("public_key", text(), nullable=False),
        sa.Column("enrolled_at", text(24), nullable=False),
        sa.Column("last_contact", text(24), nullable=True),
        sa.Column("sent_at", text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=True),
        sa.Column("skew_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_valid", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "tablet_id"),
    )
    op.create_index("tablets_area", "tablets", ["area"], unique=False)
    op.create_index("tablets_id", "tablets", ["tablet_id"], unique=False)
    op.create_index("tablets_person", "tablets", ["person"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("made_at", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.String(length=24), nullable=False),
        sa.Column("revoked_at", sa.String(length=24), nullable=True),
        sa.Column("last_used_on", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_tokens_person"), "tokens", ["person"], unique=False)
    op.create_table(
        "visit_log",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("visit_id", text(36), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("household", text(), nullable=False),
        sa.Column("care_group", text(), nullable=True),
        sa.Column("channel", text(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("next_due", text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("photos", sa.Text(), nullable=False),
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
        "workload",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("person", text(36), nullable=False),
        sa.Column("day", text(10), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("patrols", sa.Integer(), nullable=False),
        sa.Column("checkpoints", sa.Integer(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("cases_reported", sa.Integer(), nullable=False),
        sa.Column("cases_handled", sa.Integer(), nullable=False),
        sa.Column("overtime", sa.Integer(), nullable=False),
        sa.Column("last_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "person", "day", "area"),
    )
    op.create_index("workload_area_day", "workload", ["area", "day"], unique=False)
    op.create_index("workload_person_day", "workload", ["person", "day"], unique=False)
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(sa.text(statement))


def downgrade() -> None:
    raise NotImplementedError("There is no way back from the first migration: it would remove history.")
