"""The checkpoints that are published, the root log, and what witnesses and time-stampers put to it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("incarnation", sa.String(length=16), nullable=False),
        sa.Column("origin", text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", text(24), nullable=False),
        sa.Column("rooted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "incarnation", name="checkpoints_pkey"),
    )
    op.create_table(
        "root_entries",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "position", name="root_entries_pkey"),
    )
    op.create_table(
        "root_logs",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("incarnation", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", name="root_logs_pkey"),
    )
    op.create_table(
        "cosignatures",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("incarnation", sa.String(length=16), nullable=False),
        sa.Column("witness", text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("cosigned_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "incarnation", "witness", name="cosignatures_pkey"),
    )
    op.create_table(
        "timestamps",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("incarnation", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("stamped_at", text(24), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "incarnation", "size", name="timestamps_pkey"),
    )


def downgrade() -> None:
    for name in ("timestamps", "cosignatures", "root_logs", "root_entries", "checkpoints"):
        op.drop_table(name)
