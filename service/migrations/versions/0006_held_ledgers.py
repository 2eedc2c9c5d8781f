"""Ledgers that a restore holds until they go on under a new name."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def text(length: int) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "held_ledgers",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("origin", text(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", text(24), nullable=False),
        sa.Column("restored_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", name="held_ledgers_pkey"),
    )


def downgrade() -> None:
    op.drop_table("held_ledgers")
