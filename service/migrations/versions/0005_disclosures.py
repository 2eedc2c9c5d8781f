"""Personal values, encrypted, beside the ledgers. Their keys are in the key store, a database of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

HELD = sa.text("gone_at IS NULL")


def text(length: int) -> sa.types.TypeEngine:
    """Text that sorts by its bytes on every database."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "disclosures",
        sa.Column("ledger", text(9), nullable=False),
        sa.Column("digest", text(43), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("field", text(64), nullable=False),
        sa.Column("kid", sa.Uuid(), nullable=True),
        sa.Column("nonce", sa.LargeBinary(), nullable=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("kept_at", text(24), nullable=False),
        sa.Column("gone_at", text(24), nullable=True),
        sa.PrimaryKeyConstraint("ledger", "digest", name="disclosures_pkey"),
    )
    op.create_index("disclosures_digest", "disclosures", ["digest"], unique=False)
    op.create_index("disclosures_field", "disclosures", ["field", "kept_at"], unique=False, sqlite_where=HELD, postgresql_where=HELD)
    op.create_index("disclosures_subject", "disclosures", ["subject", "ledger"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("There is no way back: it would remove the personal values.")
