"""What the roll-ups count, and which of them were sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def text(length: int | None = None) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    kind = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "summaries",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("case_id", text(36), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("cohort", text(16), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("at", text(24), nullable=False),
        sa.Column("marks", text(), nullable=False),
        sa.Column("handled_at", text(24), nullable=True),
        sa.Column("closed_at", text(24), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ledger", "case_id", "round", "cohort"),
    )
    op.create_index("summaries_at", "summaries", ["ledger", "at", "cohort", "area", "marks", "handled_at", "closed_at"], unique=False)
    op.create_table(
        "sealed_summaries",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("period", text(8), nullable=False),
        sa.Column("area", text(17), nullable=False),
        sa.Column("zone", text(), nullable=False),
        sa.Column("until", text(24), nullable=False),
        sa.Column("origin", text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", text(44), nullable=False),
        sa.Column("book", text(), nullable=False),
        sa.Column("counting", text(8), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("digest", text(64), nullable=False),
        sa.Column("sealed_by", text(36), nullable=False),
        sa.Column("sealed_at", text(24), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "period"),
    )


def downgrade() -> None:
    raise NotImplementedError("There is no way back: read models are folded from the ledgers; an older release leaves these tables alone.")
