"""Records what files said: areas, people, rulebooks. The same again records nothing. Read by the imports, the fleet and the seed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from tqdm import tqdm

from domain.areas import area_of, ledger_of
from domain.errors import Refusal
from domain.refusals import AssignmentKnown
from projections.people import C, get_person
from projections.recorded import LINE_LIMIT
from service import deadlines
from service.config import Config
from service.database import reading
from service.imports.areas import Areas, points_of
from service.imports.people import Assignment, People
from service.imports.table import Flaw
from service.inspection import Registered
from service.ledger.store import EntryTooLarge
from service.problems import Problem
from service.scope import Actor, Grant, OutOfScope
from service.wiring import Gridtrail


def terminal_actor(config: Config) -> Actor:
    """Who a command is: whoever can run it on the server administers the whole city; recorded as ``system``."""
    return Actor(person="system", grants=(Grant("administrator", config.city), Grant("officer", config.city)))


@dataclass
class AreasRecorded:
    """What a file of areas came to, or would: counts of new, changed and same, and the changes themselves, in the order of the codes."""

    counts: Counter[str] = field(default_factory=Counter)
    changes: list[dict[str, Any]] = field(default_factory=list)
    """{line, code, name, what, differs}: differs gives {before, after} of the members that change; outlines are told by their size only."""


def record_areas(pieces: Gridtrail, areas: Areas, actor: Actor | None = None, *, dry_run: bool = False) -> AreasRecorded:
    """Records areas ledger by ledger, those above first. What a rule refuses joins the flaws. dry_run: only sees what it would come to."""
    by = actor or terminal_actor(pieces.config)
    recorded = AreasRecorded()
    of_ledger: dict[str, list[dict[str, Any]]] = {}
    for said in areas.found:
        if _lies_in_the_city(pieces.config, areas, said):
            of_ledger.setdefault(ledger_of(said["code"]), []).append(said)
    ledgers = sorted(of_ledger, key=lambda ledger: (len(ledger), ledger))
    for ledger in tqdm(ledgers, desc="areas", unit="ledger", disable=None, leave=False):
        deadlines.check()
        told = of_ledger[ledger]
        for said, became in zip(told, pieces.inspection.register_areas(by, ledger, told, dry_run=dry_run), strict=True):
            line = areas.lines.get(said["code"], 0)
            if became.refused is not None:
                areas.flaws.append(_flaw_of_area(line, said["code"], became.refused))
                continue
            recorded.counts[became.what] += 1
            if became.what != "same":
                recorded.changes.append(_change_of(line, said, became))
    areas.flaws.sort(key=lambda flaw: flaw.line)
    recorded.changes.sort(key=lambda change: str(change["code"]))
    return recorded


def _lies_in_the_city(config: Config, areas: Areas, said: dict[str, Any]) -> bool:
    inside = bool(said["code"].startswith(config.city))
    if not inside:
        sentence = f"{said['code']} lies outside of city {config.city} (GRIDTRAIL_CITY)."
        areas.flaws.append(Flaw(areas.lines.get(said["code"], 0), "code", "another_city", sentence))
    return inside


def _flaw_of_area(line: int, code: str, refused: Exception) -> Flaw:
    if isinstance(refused, Refusal):
        return Flaw(line, "code", refused.code, f"{code}: {refused.detail}")
    if isinstance(refused, EntryTooLarge):
        sentence = f"{code} would take {refused.size} bytes in the ledger, at most {LINE_LIMIT} fit: simplify its outline."
        return Flaw(line, "geometry", "too_large", sentence)
    return Flaw(line, "code", "out_of_scope", f"{code} is not yours to administer.")


def _change_of(line: int, said: dict[str, Any], became: Registered) -> dict[str, Any]:
    after = {name: value for name, value in said.items() if value is not None and name not in ("code", "effective_from")}
    names = after.keys() if became.what == "new" else became.before.keys()
    differs = {name: {"before": _brief(became.before.get(name)), "after": _brief(after.get(name))} for name in sorted(names)}
    return {"line": line, "code": said["code"], "name": said["name"], "what": became.what, "differs": differs}


def _brief(value: Any) -> Any:
    """A value as a list of changes shows it: an outline is told by how many points it has."""
    if isinstance(value, dict):
        return {"type": value.get("type"), "points": sum(1 for _ in points_of(value.get("coordinates")))}
    return value


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
