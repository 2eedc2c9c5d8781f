"""Writes the next migration from what the tables have become: ``python -m service.migrations 0002 "what changed"``. Read it before use.

It compares the tables of the code with what the migrations so far make of an empty database. Triggers are not compared: add them by hand.
"""

import sys

from alembic import command

from service.database import open_database, writing
from service.ledger import schema


def write_migration(number: str, message: str) -> None:
    """Writes service/migrations/versions/<number>_<message>.py."""
    engine = open_database("sqlite://")
    with writing(engine) as conn:
        config = schema.alembic_config(conn)
        command.upgrade(config, "head")
        command.revision(config, message, rev_id=number, autogenerate=True)


if __name__ == "__main__":
    write_migration(*sys.argv[1:])
