"""An index for what auditors say that they verified: the latest word on each ledger, whatever else was read."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

VERIFIED = sa.text("act = 'ledger.verified'")


def upgrade() -> None:
    op.create_index("access_log_verified", "access_log", ["ledger", "at"], unique=False, sqlite_where=VERIFIED, postgresql_where=VERIFIED)


def downgrade() -> None:
    op.drop_index("access_log_verified", table_name="access_log")
