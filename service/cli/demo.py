"""``gridtrail demo``: everything for a first look, in one command; what ``make run`` starts."""

import os

import click

from service.cli.common import gridtrail
from service.cli.seed import guide, sow
from service.cli.serve import engine_command, gunicorn_command, run_together


@click.command("demo")
def command() -> None:
    """Make the database, plant the demo city, and serve it with the engine until Ctrl-C. Again: keeps the data."""
    os.environ.setdefault("GRIDTRAIL_LOG_FORMAT", "text")
    pieces = gridtrail()
    pieces.upgrade()
    sow(pieces.config)
    pieces.database.dispose()
    click.echo(guide(pieces.config))
    click.echo(f"Gridtrail serves at http://{pieces.config.host}:{pieces.config.port}; Ctrl-C ends it.")
    raise SystemExit(run_together([gunicorn_command(pieces.config), engine_command()]))
