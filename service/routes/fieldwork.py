"""What was done in the field: visits, patrol coverage, workload. Read by officers who plan relief, and by workers about themselves."""

from typing import Any

import sqlalchemy as sa

from domain.areas import department_of
from domain.clock import local_day, utc_text
from projections import patrol_coverage, people, visit_log, visits_due, workload
from projections.sight import EVERYTHING, Sight
from service.database import glancing, reading
from service.routes.nouns import Noun, actor, filters, gridtrail, paged
from service.schemas.pages import page_of
from service.schemas.places import (
    CalendarPage,
    CalendarQuery,
    CoveragePage,
    DuePage,
    DueQuery,
    PeriodQuery,
    Visit,
    VisitQuery,
    WorkloadPage,
    WorkloadQuery,
)
from service.scope import WORKER, OutOfScope, authorise, sight_of

blueprint = Noun("fieldwork", __name__, url_prefix="/v1", description="Visits, patrol coverage, workload.")


def own_or_overseen(oversees: str, person: str | None) -> tuple[Sight, str | None]:
    """Whose work may be seen: an officer's or auditor's subtree, and of a worker's colleagues nothing; one's own always, wherever done."""
    me = actor().person
    overseen = sight_of(actor(), oversees)
    if person == me or not (overseen.areas or overseen.units):
        if person not in (None, me):
            raise OutOfScope
        return EVERYTHING, me
    return overseen, person


def as_text(query: dict[str, Any]) -> dict[str, Any]:
    """The filters of a query, ids as the text that the read models hold."""
    return {name: str(value) if name in ("person", "tablet") else value for name, value in filters(query).items()}


@blueprint.operation(
    "GET", "/visits", policy="visit.read", query=VisitQuery, answers=(200, page_of(Visit)), reads="visit_log", errors=(404,)
)
def list_visits(query: dict[str, Any]) -> dict[str, Any]:
    """Visits, latest first."""
    with reading(gridtrail().database) as conn:
        sight = sight_of(actor(), "visit.read")
        return paged(query, lambda **at: visit_log.list_visits(conn, sight, **as_text(query), **at), happened_at=str, visit_id=str)


@blueprint.operation("GET", "/visits/due", policy="visit.read", query=DueQuery, answers=(200, DuePage), reads="visits_due", errors=(404,))
def list_visits_due(query: dict[str, Any]) -> dict[str, Any]:
    """Households that are to be visited by a day, as their care group's rhythm wants it, the longest overdue first."""
    pieces = gridtrail()
    today = local_day(utc_text(pieces.clock()), pieces.config.zone)
    with glancing(pieces.database) as conn:
        sight = sight_of(actor(), "visit.read")
        books = pieces.inspection.books(conn, pieces.config.city)
        groups = [{"care_group": code, **each, "days": books.care_interval(code, today)} for code, each in books.care_groups(today).items()]
        wanted = {"due_by": query.get("due_by", today), **_narrowed(conn, query, groups, today)}
        page = paged(query, lambda **at: visits_due.list_due(conn, sight, **wanted, **at), next_due=str, ledger=str, household=str)
        counts = None if "cursor" in query else visits_due.count_due(conn, sight, today=today, **wanted)
    return {**page, "today": today, "counts": counts, "care_groups": groups}


def _narrowed(conn: sa.Connection, query: dict[str, Any], groups: list[dict[str, Any]], today: str) -> dict[str, Any]:
    """What a list of visits due is narrowed by: area, the places of a worker, the care groups."""
    narrowed: dict[str, Any] = {"area": query.get("area")}
    if "worker" in query:
        narrowed["places"] = _places_of(conn, str(query["worker"]), today)
    wanted = {name: query[name] for name in ("care_group", "tier") if name in query}
    if wanted:
        narrowed["groups"] = [each["care_group"] for each in groups if wanted.items() <= each.items()]
    return narrowed


def _places_of(conn: sa.Connection, worker: str, day: str) -> list[str]:
    """The areas that somebody works as a worker on a day. Whose they are is told to officers, and to oneself."""
    if worker != actor().person:
        authorise(actor(), "person.read")
    assigned = people.assignments_of(conn, worker, day)
    return [each["unit"] for each in assigned if each["role"] == WORKER and department_of(each["unit"]) is None]


@blueprint.operation(
    "GET", "/coverage", policy="coverage.read", query=PeriodQuery, answers=(200, CoveragePage), reads="patrol_coverage", errors=(404,)
)
def list_coverage(query: dict[str, Any]) -> dict[str, Any]:
    """Which areas were patrolled in a period, and the share of the grids that were due."""
    with reading(gridtrail().database) as conn:
        sight = sight_of(actor(), "coverage.read")
        page = paged(query, lambda **at: patrol_coverage.list_coverage(conn, sight, **filters(query), **at), area=str)
        rate = patrol_coverage.coverage_rate(conn, sight, **filters(query))
    return {**page, **rate, "rate": rate["patrolled"] / rate["due"] if rate["due"] else None}


@blueprint.operation(
    "GET",
    "/coverage/days",
    policy="coverage.read",
    query=CalendarQuery,
    answers=(200, CalendarPage),
    reads="patrol_coverage",
    errors=(404,),
)
def list_coverage_by_day(query: dict[str, Any]) -> dict[str, Any]:
    """A calendar of patrols: each grid that existed in the period, by code, with the days on which it was patrolled."""
    with reading(gridtrail().database) as conn:
        sight = sight_of(actor(), "coverage.read")
        page = paged(query, lambda **at: patrol_coverage.list_days(conn, sight, **filters(query), **at), area=str)
        days = None if "cursor" in query else patrol_coverage.days_of_period(conn, sight, **filters(query))
    return {**page, "days": days}


@blueprint.operation(
    "GET", "/workload", policy="workload.read", query=WorkloadQuery, answers=(200, WorkloadPage), reads="workload", errors=(404,)
)
def list_workload(query: dict[str, Any]) -> dict[str, Any]:
    """What each person did on each day of a period, and what stands with them now. No score, no rank."""
    pieces = gridtrail()
    now = utc_text(pieces.clock())
    wanted = as_text(query)
    sight, wanted["person"] = own_or_overseen("workload.oversee", wanted.get("person"))
    with reading(pieces.database) as conn:
        page = paged(query, lambda **at: workload.list_workload(conn, sight, **wanted, **at), day=str, person=str)
        persons = sorted({row["person"] for row in page["items"]})
        desk = workload.on_the_desk(conn, sight, persons, day=local_day(now, pieces.config.zone), now=now)
    return {**page, "desk": [{"person": person, **desk[person]} for person in persons]}
