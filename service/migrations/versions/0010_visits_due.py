"""Which household is due by which day; and what a person's tablets still owe is found by the person."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

IN_PLAN = {"sqlite_where": sa.text("next_due IS NOT NULL"), "postgresql_where": sa.text("next_due IS NOT NULL")}


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "visits_due",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("household", text(), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("care_group", text(), nullable=True),
        sa.Column("next_due", text(10), nullable=True),
        sa.Column("visit_id", text(36), nullable=False),
        sa.Column("person", text(36), nullable=False),
        sa.Column("channel", text(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("visited_at", text(24), nullable=False),
        sa.Column("visited_on", text(10), nullable=False),
        sa.Column("met_on", text(10), nullable=True),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "household"),
    )
    op.create_index("visits_due_day", "visits_due", ["next_due", "ledger", "household", "area"], unique=False, **IN_PLAN)
    op.create_index("visits_due_ledger", "visits_due", ["ledger", "next_due", "household", "area"], unique=False, **IN_PLAN)
    op.create_index("photo_uses_person", "photo_uses", ["person"], unique=False)
    op.create_index("personal_items_person", "personal_items", ["by_person", "recorded_at"], unique=False)


def downgrade() -> None:
    op.drop_index("personal_items_person", "personal_items")
    op.drop_index("photo_uses_person", "photo_uses")
    op.drop_table("visits_due")
