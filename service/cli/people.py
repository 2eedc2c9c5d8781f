"""``gridtrail people``: people, their assignments and logins, from files."""

from collections import Counter
from pathlib import Path

import click
from tqdm import tqdm

from domain.areas import area_of
from domain.errors import Refusal
from domain.refusals import AssignmentKnown
from service.cli.common import gridtrail, show_flaws, terminal_actor
from service.imports.people import Assignment, People, read_people
from service.imports.table import Flaw
from service.problems import Problem
from service.scope import OutOfScope
from service.wiring import Gridtrail


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
        f"{people.total} rows: {counts['people']} people registered, {counts['assignments']} assignments recorded, {counts['ended']} ended, "
        f"{counts['accounts']} logins made, {counts['same']} assignments as they were, {len(people.flaws)} rows refused."
    )
    if people.flaws:
        raise SystemExit(1)


def record_people(pieces: Gridtrail, people: People) -> Counter[str]:
    """Records people, assignments and logins. Counts what was new; what a rule refuses joins the flaws."""
    counts: Counter[str] = Counter()
    homes: dict[str, str] = {}
    for each in tqdm(people.found, desc="people", unit="row", disable=None, leave=False):
        try:
            _record(pieces, each, homes.setdefault(each.login, area_of(each.unit)), counts)
        except Refusal as refused:
            people.flaws.append(Flaw(each.line, "", refused.code, refused.detail))
        except Problem as problem:
            people.flaws.append(Flaw(each.line, "login", problem.code, str(problem.detail)))
        except OutOfScope:
            people.flaws.append(Flaw(each.line, "unit", "another_city", f"{each.unit} lies outside of city {pieces.config.city}."))
    return counts


def _record(pieces: Gridtrail, each: Assignment, home: str, counts: Counter[str]) -> None:
    """One row. The person's home is the area of their first row, so that all their facts stand in one ledger."""
    actor, city = terminal_actor(pieces.config), pieces.config.city
    person = each.person_id(city)
    _, saved = pieces.inspection.register_person(actor, home, person)
    counts["people"] += saved.position >= 0
    said = {"assignment": each.id(city), "role": each.role, "unit": each.unit, "from_day": each.from_day}
    try:
        pieces.inspection.change_person(actor, home, str(person), "assign", said)
        counts["assignments"] += 1
    except AssignmentKnown:
        counts["same"] += 1
    if each.to_day and _end(pieces, each, home):
        counts["ended"] += 1
    if each.password and pieces.identity.label_of(str(person)) is None:
        pieces.identity.create_account(str(person), each.login, each.password, each.label)
        counts["accounts"] += 1


def _end(pieces: Gridtrail, each: Assignment, home: str) -> bool:
    """Records the assignment's last day, unless it is recorded."""
    city = pieces.config.city
    with_end = pieces.inspection.assignment(home, str(each.person_id(city)), each.id(city))
    if with_end == each.to_day:
        return False
    said = {"assignment": each.id(city), "to_day": each.to_day}
    pieces.inspection.change_person(terminal_actor(pieces.config), home, str(each.person_id(city)), "end_assignment", said)
    return True
