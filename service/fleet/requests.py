"""Service requests told as a fleet's work: which tablets there are, and what each says at the real times. Pure.

A ward's worker reports. Its officer accepts, registers and dispatches, or rejects. The department acknowledges and handles; another officer
of the ward checks; the first one closes. The source knows no time for accepting, registering, dispatching and acknowledging: they stand at
the time of opening, in this order, and checking stands at the time of closing.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from domain.personal import values_apart
from service.fleet.plan import Member, Step
from service.imports.mapping import Mapping
from service.imports.requests import Request

REQUESTS = UUID("b0d6a1f4-2f4f-5d6e-8f69-0a3f6a0c7d31")
FROM_DAY = "2000-01-01"


def case_of(mapping: Mapping, reference: str) -> str:
    """The case of a request: the same for the same number of the same city."""
    return str(uuid5(REQUESTS, f"{mapping.city}/{reference}"))


def cast_of(mapping: Mapping, requests: Iterable[Request]) -> list[Member]:
    """Three people in each ward and one in each department that the requests name."""
    wards, departments = set(), set()
    for request in requests:
        wards.add(request.ward)
        departments.add(request.department)
    cast = []
    for ward in sorted(wards):
        unit = mapping.ward_code(ward)
        cast.append(Member(f"worker-{ward}", "worker", (unit,), FROM_DAY))
        cast.append(Member(f"officer-{ward}", "officer", (unit,), FROM_DAY))
        cast.append(Member(f"checker-{ward}", "officer", (unit,), FROM_DAY))
    cast.extend(Member(f"department-{name}", "officer", (f"{mapping.county}/{name}",), FROM_DAY) for name in sorted(departments))
    return cast


class Telling:
    """Tells requests one after another as steps."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.steps: list[Step] = []
        self._reported: dict[str, int] = {}

    def tell(self, request: Request) -> None:
        """Adds the steps of one request, in order."""
        officer, department = f"officer-{request.ward}", f"department-{request.department}"
        last = self._say(request, f"worker-{request.ward}", "case.reported", request.opened, self._report(request))
        self._reported[request.reference] = last
        if request.repeats:
            self._merge(request, officer, last)
            return
        if request.outcome == "cancelled":
            moment = request.cancelled or request.opened
            self._say(request, officer, "case.rejected", moment, {"reason": "cancelled in the source"}, last)
            return
        planned = {"note": f"due in the source: {request.due}"} if request.due else {}
        last = self._say(request, officer, "case.accepted", request.opened, {}, last)
        last = self._say(request, officer, "case.registered", request.opened, planned, last)
        last = self._say(request, officer, "case.dispatched", request.opened, {"to": f"{self.mapping.county}/{request.department}"}, last)
        last = self._say(request, department, "case.acknowledged", request.opened, {}, last)
        if request.outcome == "closed" and request.handled and request.closed:
            last = self._say(request, department, "case.handled", request.handled, {"result": "done in the source"}, last)
            last = self._say(request, f"checker-{request.ward}", "case.checked", request.closed, {"passed": True}, last)
            self._say(request, officer, "case.closed", request.closed, {}, last)

    def _merge(self, request: Request, officer: str, last: int) -> None:
        """The same matter, reported once more: it goes on in the first case of its number."""
        first = request.repeats or ""
        said = {"into": case_of(self.mapping, first), "reason": f"request {first} was reported once more"}
        self._say(request, officer, "case.merged", request.opened, said, last, self._reported[first])

    def _report(self, request: Request) -> dict[str, Any]:
        said: dict[str, Any] = {
            "category": request.category,
            "summary": request.summary,
            "level": "subdistrict",
            "source": "import",
            "reference": request.reference,
        }
        if request.position:
            lon, lat = request.position
            said["place"] = {"lat": lat, "lon": lon, "purpose": "where_it_is"}
        return said

    def _say(self, request: Request, tablet: str, kind: str, at: datetime, data: dict[str, Any], *after: int) -> int:
        stream = case_of(self.mapping, request.reference)
        personal: dict[str, Any] = {}
        if self.mapping.is_private(request.category):
            data, personal = values_apart(kind, data)
        self.steps.append(Step(tablet, kind, stream, request.area, at.astimezone(self.mapping.zone), data, after, request.line, personal))
        return len(self.steps) - 1


def steps_of(mapping: Mapping, requests: Iterable[Request]) -> list[Step]:
    """All steps of all requests, each request's own in order. The first of a number comes before its repeats."""
    telling = Telling(mapping)
    for request in sorted(requests, key=lambda request: (bool(request.repeats), request.line)):
        telling.tell(request)
    return telling.steps


def books_of(mapping: Mapping) -> list[dict[str, Any]]:
    """The rulebooks that the city publishes for its requests: categories, a limit for each, and a calendar of weekdays."""
    scheme, version = mapping.scheme.split("/")
    codes = {each["code"]: {"name": each["name"], "private": each.get("private", False)} for each in mapping.categories.values()}
    limits = [{"category": each["code"], **each["limit"]} for each in mapping.categories.values()]
    calendar = {
        "zone": mapping.time_zone,
        "working_weekdays": [1, 2, 3, 4, 5],
        "periods": [["08:00", "12:00"], ["13:00", "17:00"]],
        "holidays": [],
        "workdays": [],
    }
    contents = {
        "categories": {"scheme": scheme, "version": version, "codes": codes},
        "limits": {"scheme": scheme, "scheme_version": version, "limits": limits},
        "calendar": calendar,
    }
    return [
        {"kind": kind, "name": scheme, "version": version, "effective_from": FROM_DAY, "content": content}
        for kind, content in contents.items()
    ]
