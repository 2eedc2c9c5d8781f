"""``gridtrail people``: people, their assignments and logins, from files."""

from pathlib import Path

import click

from service.cli.common import gridtrail, show_flaws
from service.imports.people import read_people
from service.imports.recording import record_people


@click.group("people")
def command() -> None:
    """People, their assignments and logins."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--verbose", is_flag=True, help="List every bad row, not only the first ones.")
def import_people(file: Path, verbose: bool) -> None:
    """Import assignments from CSV: login,label,role,unit,from,to[,password].

    Several rows of one login are one person with several assignments. The same file again records nothing. Labels stay with the accounts
    and never enter the record. Exit code 1 where a row was bad.
    """
    people = read_people(file)
    counts = record_people(gridtrail(), people)
    show_flaws(people.flaws, verbose)
    click.echo(
        f"{people.total} rows: {counts['people']} people registered, {counts['assignments']} assignments recorded, "
        f"{counts['ended']} ended, {counts['accounts']} logins made, {counts['same']} assignments as they were, "
        f"{len(people.flaws)} rows refused."
    )
    if people.flaws:
        raise SystemExit(1)
