"""Records what files said: areas, people, rulebooks. The same again records nothing. Read by the imports, the fleet and the seed."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from tqdm import tqdm

from domain.areas import area_of
from domain.errors import Refusal
from domain.refusals import AssignmentKnown
from projections.people import C, get_person
from projections.recorded import LINE_LIMIT
from service.config import Config
from service.database import reading
from service.imports.areas import Areas
from service.imports.people import Assignment, People
from service.imports.table import Flaw
from service.ledger.store import EntryTooLarge
from service.problems import Problem
from service.scope import Actor, Grant, OutOfScope
from service.wiring import Gridtrail


def terminal_actor(config: Config) -> Actor:
    """Who a command is: whoever can run it on the server administers the whole city; recorded as ``system``."""
    return Actor(person="system", grants=(Grant("administrator", config.city), Grant("officer", config.city)))


def record_areas(pieces: Gridtrail, areas: Areas) -> Counter[str]:
    """Records areas, parents first. Counts new, changed and same; what a rule refuses joins the flaws."""
    actor = terminal_actor(pieces.config)
    counts: Counter[str] = Counter()
    for said in tqdm(areas.found, desc="areas", unit="area", disable=None, leave=False):
        line = areas.lines.get(said["code"], 0)
        if not said["code"].startswith(pieces.config.city):
            sentence = f"{said['code']} lies outside of city {pieces.config.city} (GRIDTRAIL_CITY)."
            areas.flaws.append(Flaw(line, "code", "another_city", sentence))
            continue
        try:
            saved = pieces.inspection.register_area(actor, said)
        except Refusal as refused:
            areas.flaws.append(Flaw(line, "code", refused.code, f"{said['code']}: {refused.detail}"))
            continue
        except EntryTooLarge as large:
            sentence = f"{said['code']} would take {large.size} bytes in the ledger, at most {LINE_LIMIT} fit: simplify its outline."
            areas.flaws.append(Flaw(line, "geometry", "too_large", sentence))
            continue
        counts["same" if saved.position < 0 else "new" if saved.version == 1 else "changed"] += 1
    return counts


def record_people(pieces: Gridtrail, people: People) -> Counter[str]:
    """Records people, assignments and logins. Counts what was new; what a rule refuses joins the flaws."""
    counts: Counter[str] = Counter()
    homes: dict[str, str] = {}
    for each in tqdm(people.found, desc="people", unit="row", disable=None, leave=False):
        try:
            home = homes.get(each.login) or _home(pieces, each)
            _record(pieces, each, home, counts)
            homes[each.login] = home
        except Refusal as refused:
            people.flaws.append(Flaw(each.line, "", refused.code, refused.detail))
        except Problem as problem:
            people.flaws.append(Flaw(each.line, "login", problem.code, str(problem.detail)))
        except OutOfScope:
            people.flaws.append(Flaw(each.line, "unit", "another_city", f"{each.unit} lies outside of city {pieces.config.city}."))
    return counts


def _home(pieces: Gridtrail, each: Assignment) -> str:
    """Where the person is registered, or the area of their first row: all facts of a person stand in one ledger, whatever comes later."""
    with reading(pieces.database) as conn:
        known = get_person(conn, str(each.person_id(pieces.config.city)))
    return area_of(known["unit"] if known else each.unit)


def _record(pieces: Gridtrail, each: Assignment, home: str, counts: Counter[str]) -> None:
    """One row of a person whose home is known."""
    actor, city = terminal_actor(pieces.config), pieces.config.city
    person = each.person_id(city)
    told = {"assignment": each.id(city), "role": each.role, "unit": each.unit, "from_day": each.from_day, "to_day": each.to_day}
    said = {name: value for name, value in told.items() if value}
    _, saved = pieces.inspection.register_person(actor, home, person, said)
    counts["people"] += saved.position >= 0
    try:
        if saved.position < 0:
            pieces.inspection.change_person(actor, home, str(person), "assign", said)
        counts["assignments"] += 1
    except AssignmentKnown:
        ended = _end(pieces, each, home)
        counts["ended" if ended else "same"] += 1
    if each.password and pieces.identity.label_of(str(person)) is None:
        pieces.identity.create_account(str(person), each.login, each.password, each.label)
        counts["accounts"] += 1


def _end(pieces: Gridtrail, each: Assignment, home: str) -> bool:
    """Records the last day of a known assignment, where the file names one that is not recorded."""
    person, assignment = each.person_id(pieces.config.city), each.id(pieces.config.city)
    with reading(pieces.database) as conn:
        known = conn.execute(sa.select(C.to_day).where(C.person == str(person), C.assignment == assignment)).scalar()
    if not each.to_day or known == each.to_day:
        return False
    said = {"assignment": assignment, "to_day": each.to_day}
    pieces.inspection.change_person(terminal_actor(pieces.config), home, str(person), "end_assignment", said)
    return True


def publish_books(pieces: Gridtrail, books: Iterable[dict[str, Any]]) -> None:
    """Publishes rulebooks of the city; a version that is published already records nothing."""
    for book in books:
        pieces.inspection.publish_book(terminal_actor(pieces.config), pieces.config.city, book)
