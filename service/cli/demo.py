"""``gridtrail demo``: everything for a first look, in one command; what ``make run`` starts."""

import os

import click

from service.cli.common import gridtrail
from service.cli.seed import guide, sow
from service.cli.serve import engine_command, gunicorn_command, run_together
from service.fleet.settling import person_of
from service.imports.recording import terminal_actor

FIRST, SECOND = "li", "zhao"


@click.command("demo")
def command() -> None:
    """Make the database, plant the demo city, and serve it with the engine until Ctrl-C. Again: keeps the data."""
    os.environ.setdefault("GRIDTRAIL_LOG_FORMAT", "text")
    pieces = gridtrail()
    pieces.upgrade()
    pieces.signer  # noqa: B018 (with its sentence, where the key is missing)
    sow(pieces.config)
    code = pieces.enrolment.make_code(terminal_actor(pieces.config), str(person_of(pieces.config.city, FIRST)))
    pieces.database.dispose()
    click.echo(guide(pieces.config))
    click.echo(f"""A walk through it, in two browser windows:
  1  {code.url}
     enrols this browser as {FIRST}'s tablet (once; more codes: the console's page Tablets, or gridtrail tablets enrol --login {FIRST}).
     Report something, also with the network off; then sync.
  2  http://{pieces.config.host}:{pieces.config.port}/console/
     log in as {SECOND}, who is in charge of that grid: the case appears in the list by itself.
""")
    click.echo(f"Gridtrail serves at http://{pieces.config.host}:{pieces.config.port}; Ctrl-C ends it.")
    raise SystemExit(run_together([gunicorn_command(pieces.config), engine_command()]))
