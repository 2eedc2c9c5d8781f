"""Which subjects were erased, why, and whether it is done."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("subject", text(36), nullable=False),
        sa.Column("stream", text(36), nullable=False),
        sa.Column("ground", text(), nullable=False),
        sa.Column("reference", text(), nullable=True),
        sa.Column("requested_at", text(10), nullable=False),
        sa.Column("erased_at", text(24), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("backups_gone_by", text(10), nullable=False),
        sa.Column("completed_at", text(24), nullable=True),
        sa.Column("values_gone", sa.Integer(), nullable=True),
        sa.Column("photos_gone", sa.Integer(), nullable=True),
        sa.Column("photos_kept", sa.Integer(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "subject"),
    )
    op.create_index("erasures_subject", "erasures", ["subject"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("There is no way back: what was erased stays erased, and on record.")
