"""The positions of what tablets download: of the audience rows alone."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

NAME, TABLE, COLUMNS = "tablet_changes_position", "tablet_changes", ["ledger", "audience", "position"]
TO_SOMEBODY = sa.text("audience != ''")


def upgrade() -> None:
    op.drop_index(NAME, TABLE)
    op.create_index(NAME, TABLE, COLUMNS, sqlite_where=TO_SOMEBODY, postgresql_where=TO_SOMEBODY)


def downgrade() -> None:
    op.drop_index(NAME, TABLE)
    op.create_index(NAME, TABLE, COLUMNS)
