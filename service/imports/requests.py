"""Service requests: rows of a foreign table, each either a request that can be told as a case, or listed with the reason. Pure.

Every row is accounted for once. What is decided about dirty rows:

- The same number with the same content again is listed as ``repeated``. With other content it is the same matter reported once more:
  its own case, under ``<number>.2``, which an officer merges into the first.
- A row whose times contradict each other (closed or handled before it was opened) is listed: nobody knows which of its times is true.
- A row without a subdistrict is listed: no ledger could hold it. Without a grid or a position it is recorded without.
- A day without a time of day means "on that day, not before the step before it".
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path

from service.imports.mapping import Mapping
from service.imports.table import BadValue, Flaw, Row, read_rows, read_table

SUMMARY_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be told. Times are aware; outcome is closed, cancelled or open; repeats names the first of its number."""

    line: int
    reference: str
    ward: str
    area: str
    category: str
    department: str
    summary: str
    outcome: str
    opened: datetime
    handled: datetime | None = None
    closed: datetime | None = None
    cancelled: datetime | None = None
    due: str | None = None
    position: tuple[float, float] | None = None
    repeats: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass
class Requests:
    """All rows of a file: found can be told, listed cannot. total is both."""

    total: int = 0
    found: list[Request] = field(default_factory=list)
    listed: list[Flaw] = field(default_factory=list)

    def reasons(self) -> dict[str, int]:
        """How many rows are listed for which reason."""
        return dict(sorted(Counter(flaw.code for flaw in self.listed).items()))


def read_requests(path: Path, mapping: Mapping, known_areas: set[str] | None = None) -> Requests:
    """Reads a table of requests under a mapping. known_areas: the codes that are registered, None to take any."""
    table = read_table(path, _columns(mapping))
    requests = Requests(table.total)
    seen: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for request, row in read_rows(table, lambda row: (_request(row, mapping), row)):
        if known_areas is not None and request.area not in known_areas:
            table.flaws.append(Flaw(row.line, mapping.columns["grid"], "unknown_area", f"area {request.area} is not registered."))
            continue
        earlier = seen.setdefault(request.reference, [])
        same = next((line for line, values in earlier if values == row.values), None)
        if same:
            sentence = f"request {request.reference} stands in line {same} with the same content."
            table.flaws.append(Flaw(row.line, mapping.columns["reference"], "repeated", sentence))
            continue
        earlier.append((row.line, row.values))
        requests.found.append(request if len(earlier) == 1 else _again(request, len(earlier)))
    requests.listed = sorted(table.flaws, key=lambda flaw: flaw.line)
    return requests


def _columns(mapping: Mapping) -> tuple[str, ...]:
    names: list[str] = []
    for column in mapping.columns.values():
        names.extend([column] if isinstance(column, str) else column)
    return tuple(dict.fromkeys(names))


def _again(request: Request, number: int) -> Request:
    values = {name: getattr(request, name) for name in Request.__dataclass_fields__}
    return Request(**{**values, "reference": f"{request.reference}.{number}", "repeats": request.reference})


def _request(row: Row, mapping: Mapping) -> Request:
    columns = mapping.columns
    outcome = mapping.outcome_of(row.need(columns["status"]))
    if outcome is None:
        raise BadValue(columns["status"], "unknown_status", f"{row[columns['status']]!r} is not a known status.")
    if not row[columns["subdistrict"]]:
        raise BadValue(columns["subdistrict"], "no_subdistrict", "names no subdistrict, so no ledger could hold it.")
    ward = mapping.ward_key(row[columns["subdistrict"]])
    grid = row[columns["grid"]]
    department = mapping.departments.get(row.need(columns["department"]))
    if department is None:
        raise BadValue(columns["department"], "unknown_department", f"{row[columns['department']]!r} is not a department of the mapping.")
    category = mapping.category_code(row.need(columns["category"]))
    if category is None:
        raise BadValue(columns["category"], "unknown_category", f"{row[columns['category']]!r} is not a category of the mapping.")
    times = _times(row, mapping, outcome)
    position = _position(row, mapping)
    remarks = [*times.remarks, *([] if grid else ["no grid"]), *([] if position else ["no position"])]
    return Request(
        line=row.line,
        reference=row.need(columns["reference"]),
        ward=ward,
        area=mapping.grid_code(ward, mapping.grid_key(grid)) if grid else mapping.ward_code(ward),
        category=category,
        department=department,
        summary=_summary(row, columns["summary"]),
        outcome=outcome,
        opened=times.opened,
        handled=times.handled,
        closed=times.closed,
        cancelled=times.cancelled,
        due=row[columns.get("due", "")][:10] or None,
        position=position,
        remarks=tuple(remarks),
    )


@dataclass
class _Times:
    opened: datetime
    handled: datetime | None = None
    closed: datetime | None = None
    cancelled: datetime | None = None
    remarks: tuple[str, ...] = ()


def _times(row: Row, mapping: Mapping, outcome: str) -> _Times:
    """The times that the outcome needs, in order. BadValue where they contradict each other."""
    columns = mapping.columns
    row.need(columns["opened"])
    opened, _ = _first(row, mapping, columns["opened"])
    if opened is None:
        raise BadValue(columns["opened"], "not_opened", "names no time of opening.")
    times = _Times(opened)
    if outcome == "cancelled":
        times.cancelled = _after(row, mapping, columns["cancelled"], opened, "cancelled", "opened")
    if outcome == "closed":
        times.handled = _after(row, mapping, columns["handled"], opened, "handled", "opened")
        times.closed = _after(row, mapping, columns["closed"], opened, "closed", "opened")
        if times.closed < times.handled:
            raise BadValue(_one(columns["closed"]), "closed_before_handled", "was closed before it was handled.")
        if _first(row, mapping, columns["handled"])[1] != _one(columns["handled"]):
            times.remarks = ("no time of handling: the closing's",)
    return times


def _after(row: Row, mapping: Mapping, columns: str | list[str], before: datetime, step: str, earlier: str) -> datetime:
    moment, column = _first(row, mapping, columns)
    if moment is None:
        raise BadValue(_one(columns), f"not_{step}", f"names no time at which it was {step}.")
    if moment < before:
        if _is_a_day(moment, mapping) and _day(moment, mapping) == _day(before, mapping):
            return before
        raise BadValue(column, f"{step}_before_{earlier}", f"was {step} before it was {earlier}.")
    return moment


def _first(row: Row, mapping: Mapping, columns: str | list[str]) -> tuple[datetime | None, str]:
    """The first of the columns that is filled in, as an aware UTC datetime, and its name."""
    names = [columns] if isinstance(columns, str) else columns
    for column in names:
        text = row[column]
        if text and text not in mapping.blank_times:
            try:
                local = datetime.fromisoformat(text)
            except ValueError:
                raise BadValue(column, "not_a_time", f"{text!r} is not a time such as 2008-09-02 07:49:04.") from None
            aware = local if local.tzinfo else local.replace(tzinfo=mapping.zone)
            return aware.astimezone(UTC), column
    return None, names[0]


def _one(columns: str | list[str]) -> str:
    return columns if isinstance(columns, str) else columns[0]


def _is_a_day(moment: datetime, mapping: Mapping) -> bool:
    return moment.astimezone(mapping.zone).time() == time()


def _day(moment: datetime, mapping: Mapping) -> str:
    return moment.astimezone(mapping.zone).date().isoformat()


def _position(row: Row, mapping: Mapping) -> tuple[float, float] | None:
    lon, lat = mapping.columns.get("lon", ""), mapping.columns.get("lat", "")
    if not (row[lon] and row[lat]):
        return None
    values = []
    for column, limit in ((lon, 180), (lat, 90)):
        try:
            value = float(row[column])
        except ValueError:
            raise BadValue(column, "not_a_number", f"{row[column]!r} is not a number.") from None
        if not -limit <= value <= limit:
            raise BadValue(column, "off_the_globe", f"{row[column]} lies off the globe: -{limit} to {limit}.")
        values.append(value)
    return values[0], values[1]


def _summary(row: Row, columns: str | list[str]) -> str:
    names = [columns] if isinstance(columns, str) else columns
    said = ", ".join(row[name] for name in names if row[name])
    if not said:
        raise BadValue(names[0], "empty", "is empty, and must not be.")
    return said[:SUMMARY_LIMIT]
