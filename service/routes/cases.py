"""Cases: the lists that officers work from, one case, its trail, and every step that is done at the console."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from flask import Response, request

from domain import event_classes
from domain.areas import ledger_of
from domain.case_rules import RULES
from domain.clock import utc_text
from domain.entries import ACTIONS
from projections import case_history, case_lists, open_cases
from projections.paging import Rows
from projections.sight import Sight
from projections.tables import NEVER
from service.audit.as_of import HAPPENED, KNOWN, LEDGER_LENGTH, Moment, ledger_named
from service.database import glancing, reading
from service.problems import Problem
from service.routes.nouns import ETAG, IF_MATCH, PUBLIC, Noun, actor, filters, gridtrail, paged
from service.routes.parsing import VERSIONS, version_seen
from service.routes.reads import reads
from service.schemas.cases import (
    Case,
    CaseInList,
    CaseQuery,
    CaseReport,
    CaseRules,
    Hindsight,
    HindsightQuery,
    Made,
    OneCaseQuery,
    Step,
    TrailQuery,
)
from service.schemas.entries import spoken_schema_of
from service.schemas.pages import page_of
from service.schemas.uploads import Saved
from service.scope import OutOfScope, authorise, sight_of

blueprint = Noun("cases", __name__, url_prefix="/v1", description="Cases, their trail, and what officers do with them.")

PLACES = frozenset({"position", "recorded_at", "version"})
"""Members of a case that say where its last event stands, and not how the case stands."""
LIST_ETAG = {"ETag": {"description": "Send it as If-None-Match: 304 where the page is the same.", "schema": {"type": "string"}}}
KEY_OF_SORT = {"due_at": "late_from", "reported_at": "reported_at", "-reported_at": "reported_at"}


@blueprint.operation(
    "GET",
    "/cases",
    policy="case.read",
    query=CaseQuery,
    answers=(200, page_of(CaseInList)),
    reads="open_cases",
    errors=(404,),
    headers=LIST_ETAG,
)
def list_cases(query: dict[str, Any]) -> Response:
    """Cases within sight: filtered, sorted, in pages. A page may be short before the end of the list: only a null next is the end.

    With as_of, for auditors, as they were: area names a subdistrict or below, unless as_of is a position of a subdistrict's ledger.
    """
    wanted = filters(query)
    find: Callable[..., Rows] = case_lists.list_cases
    sight, now, looked_at = sight_of(actor()), utc_text(gridtrail().clock()), glancing
    if "as_of" in wanted:
        looked_at = reading
        moment, sight, now = _past_of_list(wanted)
        find = partial(gridtrail().as_of.list_cases, moment=moment)
    wanted |= _period(wanted)
    if wanted.pop("overdue", None):
        wanted["overdue_at"] = now
    key = {KEY_OF_SORT[query["sort"]]: str, "case_id": str}
    with looked_at(gridtrail().database) as conn:
        page = paged(query, lambda **at: find(conn, sight, **wanted, **at), **key)
    # The columns of a list are its schema's fields already: a page of fifty is written in a tenth of the time that the schema takes.
    items = [{**_with_overdue(row, now), "late_from": None if row["late_from"] == NEVER else row["late_from"]} for row in page["items"]]
    response = Response(orjson.dumps({**page, "items": items}), content_type="application/json")
    # Pages ask again and again whether something changed: mostly it did not, and then nothing need be sent.
    response.add_etag()
    response.make_conditional(request)
    return response


def _period(wanted: dict[str, Any]) -> dict[str, str]:
    """The time from the beginning of from_day to the end of to_day, which are taken out of wanted, as UTC texts."""
    found = {}
    for name, bound, days in (("from_day", "reported_from", 0), ("to_day", "reported_to", 1)):
        day = wanted.pop(name, None)
        if day is not None:
            found[bound] = _begin(day, days, name)
    return found


def _begin(day: str, days: int, name: str) -> str:
    try:
        return utc_text(datetime.combine(date.fromisoformat(day) + timedelta(days), time(), gridtrail().config.zone))
    except OverflowError as wrong:
        raise Problem("bad_parameter", "No day of this age.", errors={"query": {name: ["No day of this age."]}}) from wrong


def _past_of_list(wanted: dict[str, Any]) -> tuple[Moment, Sight, str]:
    """The moment that a list is asked of, whose cases the auditor may see then, and its time. What is left in wanted are filters."""
    as_of, sense = wanted.pop("as_of"), wanted.pop("sense", KNOWN)
    area = wanted.setdefault("area", ledger_named(as_of) or "")
    if len(area) < LEDGER_LENGTH:
        raise Problem("area_needed", "The past is folded from one subdistrict's ledger: name an area of 9 digits or more.")
    authorise(actor(), "case.replay", area=area)
    moment = gridtrail().as_of.moment(as_of, sense, ledger_of(area))
    reads(ledger=moment.ledger)
    return moment, sight_of(actor(), "case.replay"), moment.time


@blueprint.operation("GET", "/case-rules", policy=PUBLIC, answers=(200, CaseRules))
def show_rules() -> dict[str, Any]:
    """When a case may take which step, and who takes it: the table that decides, for pages that show what can be done next."""
    return {"actions": {name: {"statuses": rule.statuses, "who": rule.who, "roles": sorted(rule.roles)} for name, rule in RULES.items()}}


@blueprint.operation("POST", "/cases", policy="case.report", body=CaseReport, answers=(201, Made), errors=(404, 409), headers=ETAG)
def report_case(body: dict[str, Any]) -> Any:
    """Report a case at the counter or by telephone."""
    area = body.pop("area")
    case_id, saved = gridtrail().inspection.report_case(actor(), area, body)
    made = {"case_id": case_id, "ledger": saved.ledger, "position": saved.position, "version": saved.version}
    return made, {"ETag": f'"{saved.version}"', "Location": f"/v1/cases/{case_id}"}


@blueprint.operation(
    "GET",
    "/cases/<uuid:case>",
    policy="case.read",
    query=OneCaseQuery,
    answers=(200, Case),
    reads="open_cases",
    errors=(404,),
    headers=ETAG,
)
def show_case(query: dict[str, Any], case: UUID) -> Any:
    """One case. Its ETag is its version; send it as If-Match when you act on the case. With as_of, for auditors, as it was."""
    row, now = _visible(case), utc_text(gridtrail().clock())
    if "as_of" in query:
        moment = _past_of_case(query, row)
        now = moment.time
        with reading(gridtrail().database) as conn:
            then = gridtrail().as_of.case(conn, moment, case)
        if then is None:
            raise OutOfScope
        row = then
    return _with_overdue(row, now), {"ETag": f'"{row["version"]}"'}


def _past_of_case(query: dict[str, Any], row: dict[str, Any], sense: str | None = None) -> Moment:
    """The moment that a case is asked of, by an auditor of where it lies."""
    authorise(actor(), "case.replay", area=row["area"])
    return gridtrail().as_of.moment(query["as_of"], sense or query.get("sense", KNOWN), row["ledger"], read_model=None)


@blueprint.operation(
    "GET",
    "/cases/<uuid:case>/history",
    policy="case.read",
    query=TrailQuery,
    answers=(200, page_of(Step)),
    reads="case_history",
    errors=(404,),
)
def show_history(query: dict[str, Any], case: UUID) -> dict[str, Any]:
    """The trail of a case: report, transfer, handle, evaluate; with as_of, for auditors, as it was known then or as it had happened."""
    row = _visible(case)
    said: dict[str, Any] = {"ledger": row["ledger"]}
    if "as_of" in query:
        moment = _past_of_case(query, row)
        said |= {"as_of_position": moment.position} if moment.sense == KNOWN else {"happened_by": moment.time}
    with reading(gridtrail().database) as conn:
        page = paged(query, partial(case_history.history, conn, sight_of(actor()), str(case), **said), version=VERSIONS)
        clocks = gridtrail().as_of.tablet_clocks(conn, row["ledger"], case)
    return {**page, "items": [{**step, "occurred_at": clocks.get(step["version"])} for step in page["items"]]}


@blueprint.operation(
    "GET",
    "/cases/<uuid:case>/hindsight",
    policy="case.replay",
    query=HindsightQuery,
    answers=(200, Hindsight),
    reads="open_cases",
    errors=(404,),
)
def show_hindsight(query: dict[str, Any], case: UUID) -> dict[str, Any]:
    """A case at one moment, side by side: as it was known, and as it was; with what was known late, and by how much."""
    pieces, seen = gridtrail(), _visible(case)
    moments = [_past_of_case(query, seen, sense) for sense in (KNOWN, HAPPENED)]
    with reading(pieces.database) as conn:
        rows = [pieces.as_of.case(conn, moment, case) for moment in moments]
        late = pieces.as_of.late_facts(conn, moments[1], case)
    if rows == [None, None]:
        raise OutOfScope
    time = moments[0].time
    known, happened = (None if row is None else _with_overdue(row, time) for row in rows)
    differs = sorted(name for name in Case().fields.keys() - PLACES if known and happened and known[name] != happened[name])
    place = {"ledger": moments[0].ledger, "position": moments[0].position, "time": time}
    return {**place, "known": known, "happened": happened, "differs": differs, "late": late}


def _visible(case: UUID) -> dict[str, Any]:
    with reading(gridtrail().database) as conn:
        row = open_cases.get_case(conn, sight_of(actor()), str(case))
    if row is None:
        raise OutOfScope
    reads(ledger=row["ledger"])
    return row


def _with_overdue(row: dict[str, Any], now: str) -> dict[str, Any]:
    return {**row, "overdue": bool(row["open"] and row["late_from"] < now)}


def _act(verb: str) -> Any:
    """The operation of one verb: the same four lines for each, with the body that its event says."""
    topic = ACTIONS[verb]

    def act(body: dict[str, Any], case: UUID) -> Any:
        expected = version_seen()
        ledger = _visible(case)["ledger"]
        saved = gridtrail().inspection.act_on_case(actor(), case, ledger, verb, body, expected)
        return saved, {"ETag": f'"{saved.version}"'}

    act.__doc__ = f"{verb.replace('_', ' ').capitalize()} a case. {event_classes()[topic].__doc__}"
    return blueprint.operation(
        "POST",
        f"/cases/<uuid:case>/{verb}",
        policy=f"case.{verb}",
        body=spoken_schema_of(topic),
        answers=(200, Saved),
        errors=(404, 409, 412, 428),
        headers=ETAG,
        endpoint=f"{verb}_case",
        doc={"parameters": [IF_MATCH]},
    )(act)


for _verb in ACTIONS:
    _act(_verb)
