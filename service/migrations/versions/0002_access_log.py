"""Who read what, on record; and the triggers that refuse to change or forget it early."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER access_log_refuse_update BEFORE UPDATE ON access_log BEGIN SELECT RAISE(ABORT, 'the record of who read what is never changed, and kept for six months at least'); END",
        "CREATE TRIGGER access_log_refuse_delete BEFORE DELETE ON access_log WHEN OLD.at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-183 days') BEGIN SELECT RAISE(ABORT, 'the record of who read what is never changed, and kept for six months at least'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION access_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the record of who read what is never changed, and kept for six months at least' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        'CREATE FUNCTION access_log_refuse_early() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.at > to_char((now() AT TIME ZONE \'utc\') - interval \'183 days\', \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\') THEN RAISE EXCEPTION \'the record of who read what is never changed, and kept for six months at least\' USING ERRCODE = \'integrity_constraint_violation\'; END IF; RETURN OLD; END $$',
        'CREATE TRIGGER access_log_refuse_change BEFORE UPDATE OR TRUNCATE ON access_log FOR EACH STATEMENT EXECUTE FUNCTION access_log_refuse()',
        'CREATE TRIGGER access_log_refuse_delete BEFORE DELETE ON access_log FOR EACH ROW EXECUTE FUNCTION access_log_refuse_early()',
    ),
}


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "access_log",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("at", text(24), nullable=False),
        sa.Column("id", text(36), nullable=False),
        sa.Column("day", text(10), nullable=False),
        sa.Column("person", text(36), nullable=True),
        sa.Column("role", text(64), nullable=False),
        sa.Column("account", text(64), nullable=False),
        sa.Column("token_kind", text(8), nullable=False),
        sa.Column("act", text(80), nullable=False),
        sa.Column("object", text(120), nullable=True),
        sa.Column("subject", text(36), nullable=True),
        sa.Column("filters", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("purpose", text(), nullable=True),
        sa.Column("request_id", text(64), nullable=True),
        sa.Column("address", text(64), nullable=True),
        sa.PrimaryKeyConstraint("ledger", "at", "id", name="access_log_pkey"),
    )
    op.create_index("access_log_at", "access_log", ["at", "id"], unique=False)
    op.create_index("access_log_day", "access_log", ["day"], unique=False)
    op.create_index("access_log_person", "access_log", ["person", "at"], unique=False)
    op.create_index("access_log_subject", "access_log", ["subject", "at"], unique=False)
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    raise NotImplementedError("There is no way back: it would remove the record of who read what.")
