"""``gridtrail db``: the tables."""

import click

from service.cli.common import gridtrail


@click.group("db")
def command() -> None:
    """The database's tables."""


@command.command("upgrade")
def upgrade() -> None:
    """Make the tables, or bring them to this version. Safe to run again."""
    pieces = gridtrail()
    pieces.upgrade()
    click.echo(f"The tables of {pieces.database.url.render_as_string(hide_password=True)} are at this version.")
