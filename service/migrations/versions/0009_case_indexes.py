"""Indexes of cases that hold what a list's reasons and filters ask, and those of called units by county."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

COUNTY = "substr(ledger, 1, 6)"
OPEN, OVER = ("open IS 1", "open IS true"), ("open IS 0", "open IS false")
CALLED = " AND called IS NOT NULL"
INDEXES = {
    "cases_open_called": ([COUNTY, "late_from", "case_id", "ledger", "called", "reported_at"], OPEN, CALLED),
    "cases_open_due": (["ledger", "late_from", "case_id", "area", "status", "category"], OPEN, ""),
    "cases_open_due_wide": (["late_from", "case_id", "ledger", "status", "category"], OPEN, ""),
    "cases_open_holder": (["holder", "late_from", "case_id", "ledger", "reported_at"], OPEN, ""),
    "cases_open_registrar": (["registrar", "late_from", "case_id", "ledger", "reported_at"], OPEN, ""),
    "cases_open_reported": (["ledger", "reported_at", "case_id", "area", "status", "category"], OPEN, ""),
    "cases_open_reported_wide": (["reported_at", "case_id", "ledger", "status", "category"], OPEN, ""),
    "cases_over_called": ([COUNTY, "reported_at", "case_id", "ledger", "called"], OVER, CALLED),
    "cases_over_holder": (["holder", "reported_at", "case_id", "ledger"], OVER, ""),
    "cases_over_registrar": (["registrar", "reported_at", "case_id", "ledger"], OVER, ""),
    "cases_over_reported": (["ledger", "reported_at", "case_id", "area"], OVER, ""),
}


def upgrade() -> None:
    for name, (columns, (sqlite, postgres), also) in INDEXES.items():
        op.drop_index(name, "cases")
        parts = [sa.text(each) if "(" in each else each for each in columns]
        op.create_index(name, "cases", parts, sqlite_where=sa.text(sqlite + also), postgresql_where=sa.text(postgres + also))


def downgrade() -> None:
    raise NotImplementedError("There is no way back: read models are made from history, in the tables of this code.")
