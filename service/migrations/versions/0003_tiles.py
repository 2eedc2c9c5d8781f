"""Full tiles of the ledgers' trees."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def text(length: int) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "tiles",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "level", "number", name="tiles_pkey"),
    )


def downgrade() -> None:
    op.drop_table("tiles")
