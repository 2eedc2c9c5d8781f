"""Roll-ups: the indicators by subdistrict and community, over time, and the quarter's sealed document. For officers and auditors."""

from typing import Any

import orjson
import sqlalchemy as sa
from flask import Response

from domain.books import Books, Item
from domain.clock import local_day, utc_text
from domain.indicators import COUNTS, Indicator, indicators_of, weighted
from domain.periods import Period, spanning
from projections.counting import Counts
from projections.paging import Row
from projections.sight import Sight
from service.database import reading
from service.problems import CATALOGUE, Problem
from service.routes.nouns import Noun, actor, filters, gridtrail
from service.routes.parsing import read_cursor, write_cursor
from service.routes.reads import reads
from service.schemas.summaries import FileQuery, Series, SeriesQuery, Summary, SummaryPage, SummaryQuery
from service.schemas.uploads import Saved
from service.scope import OutOfScope, authorise, sight_of
from service.summaries.document import NoSummary
from service.summaries.making import SUBDISTRICT, Counted, differences, file_name, parts

CATALOGUE.update({"summary_lost": (500, "The sealed roll-up cannot be written again")})

MOST_PERIODS = 60
MOST_COUNTED = 12
"""Subdistricts of one page whose numbers are counted, not sealed: half a second each where 300 visits are made a day."""
SHOWN_PERIODS = 12
COMMUNITY = 12
PLACE = "/summaries/<string(minlength=4, maxlength=9):ledger>/<string(maxlength=8):period>"
NAMES = {name: {"zh": each.zh, "en": each.en} for name, each in COUNTS.items()}
TEXT = "text/plain; charset=utf-8"
FILE_DOC = {"responses": {"200": {"description": "A C2SP signed note.", "content": {"text/plain": {"schema": {"type": "string"}}}}}}

blueprint = Noun("summaries", __name__, url_prefix="/v1", description="Indicators and quarterly roll-ups.")

# ---- many areas, one period


@blueprint.operation(
    "GET", "/summaries", policy="summary.read", query=SummaryQuery, answers=(200, SummaryPage), reads="summaries", errors=(404, 422)
)
def list_summaries(query: dict[str, Any]) -> dict[str, Any]:
    """The counts and indicators of a period, by subdistrict or community: those that were sealed, otherwise as the lists have them now.

    A page is of so many subdistricts, at most 12 of which are counted now. A community's officer reads the own community: by=community.
    """
    pieces, sight = gridtrail().summaries, sight_of(actor(), "summary.read")
    period = Period.of(query["period"]) if "period" in query else pieces.this("quarter")
    after, asked = read_cursor(query, (str,)), filters(query)
    with reading(gridtrail().database) as conn:
        found = [ledger for ledger in _ledgers(conn, sight, asked) if after is None or ledger > after[0]]
        sealed = pieces.sealed(conn, found, period) if query["by"] == "subdistrict" else {}
        shown = _portion(found, sealed, query["limit"])
        counted = pieces.present(conn, [ledger for ledger in shown if ledger not in sealed], period)
        book = pieces.book(conn, period)
        books = gridtrail().inspection.books(conn, gridtrail().config.city)
    if query["by"] == "community":
        items = [
            _row(ledger, code, counted.by_area[ledger, code], book) for ledger, code in _communities(counted, sight, asked.get("area"))
        ]
    else:
        items = [
            _row(each, each, counted.of(each), book) if each not in sealed else _sealed_row(each, sealed[each], books, book)
            for each in shown
        ]
    following = write_cursor([shown[-1]], query) if len(found) > len(shown) else None
    return {"items": items, "next": following, "period": _period(counted), "book": _book(book), "names": NAMES}


def _portion(found: list[str], sealed: dict[str, Row], limit: int) -> list[str]:
    """The subdistricts of a page: what was sealed costs nothing, what is to be counted some time."""
    shown: list[str] = []
    for ledger in found[:limit]:
        if sum(each not in sealed for each in shown) == MOST_COUNTED:
            break
        shown.append(ledger)
    return shown


def _ledgers(conn: sa.Connection, sight: Sight, asked: dict[str, Any]) -> list[str]:
    """The subdistricts' ledgers that are asked for and seen: whole, or for their communities in part."""
    area, by_community = asked.get("area", ""), asked["by"] == "community"
    known = parts(gridtrail().ledgers.ledgers(conn))
    inside = [ledger for ledger in known if ledger.startswith(area) or (by_community and area.startswith(ledger))]
    if sight.everything:
        return inside
    return [ledger for ledger in inside if sight.covers(ledger) or (by_community and any(seen.startswith(ledger) for seen in sight.areas))]


def _communities(counted: Counted, sight: Sight, area: str | None) -> list[tuple[str, str]]:
    """What lies above the communities of a subdistrict stands under the subdistrict's own code."""
    return sorted((ledger, code) for ledger, code in counted.by_area if sight.covers(code) and code.startswith((area or "")[:COMMUNITY]))


# ---- one area, many periods


@blueprint.operation(
    "GET", "/summaries/series", policy="summary.read", query=SeriesQuery, answers=(200, Series), reads="summaries", errors=(404, 422)
)
def show_series(query: dict[str, Any]) -> dict[str, Any]:
    """The counts and indicators of a subdistrict or community over weeks, months, quarters or years; at most 60 of them."""
    area, pieces = query["area"], gridtrail().summaries
    if not sight_of(actor(), "summary.read").covers(area):
        raise OutOfScope
    reads(ledger=area[:9], object=area)
    items = []
    with reading(gridtrail().database) as conn:
        if gridtrail().ledgers.head(conn, area[:9]) is None:
            raise OutOfScope
        for period in _periods(query):
            counted, book = pieces.present(conn, [area[:9]], period), pieces.book(conn, period)
            items.append(
                {"period": _period(counted), "book": book.label, **_numbers(counted.of(area[:9], area), indicators_of(book.content))}
            )
    return {"area": area, "items": items, "book": _book(book), "names": NAMES}


def _periods(query: dict[str, Any]) -> list[Period]:
    kind, pieces = query["kind"], gridtrail()
    last = query.get("to_day") or local_day(utc_text(pieces.clock()), pieces.config.zone)
    if "from_day" in query:
        found = list(spanning(kind, query["from_day"], last, MOST_PERIODS))
        if not found:
            raise Problem("bad_parameter", "from_day lies behind to_day.", errors={"query": {"from_day": ["It lies behind to_day."]}})
        return found
    year = int(last[:4]) - (SHOWN_PERIODS if kind == "year" else SHOWN_PERIODS // 4 if kind == "quarter" else 1)
    first = f"{max(year, 2000)}-{last[5:7]}-01"
    return list(spanning(kind, first, last, MOST_PERIODS))[-SHOWN_PERIODS if kind != "week" else -26 :]


# ---- one roll-up


@blueprint.operation("GET", PLACE, policy="summary.read", answers=(200, Summary), errors=(404, 422))
def show_summary(ledger: str, period: str) -> dict[str, Any]:
    """A subdistrict's roll-up of a period: the present numbers, the sealed ones, and in what they differ.

    Where it was sealed, both are told by the indicators and weights that it was sealed by.
    """
    pieces, when = _place(ledger, period)
    with reading(gridtrail().database) as conn:
        if gridtrail().ledgers.head(conn, ledger) is None:
            raise OutOfScope
        counted = pieces.present(conn, [ledger], when)
        row = pieces.sealed(conn, [ledger], when).get(ledger)
        whole = _document(conn, ledger, when) if row is not None else None
        book = {**whole["weights"], "indicators": whole["indicators"]} if whole else _book(pieces.book(conn, when))
        recipients = pieces.recipients(conn, when)
    now = counted.of(ledger)
    return {
        "area": ledger,
        "period": _period(counted),
        "book": book,
        "names": NAMES,
        **_numbers(now, indicators_of(book)),
        "sealed": {**_seal(row, now), "counts": row["counts"], "indicators": whole["indicators"], "total": whole["total"]}
        if row and whole
        else None,
        "differences": differences(row["counts"], now) if row else [],
        "recipients": recipients,
        "key": str(gridtrail().signer.verifier),
    }


@blueprint.operation(
    "GET", f"{PLACE}/file", policy="summary.read", query=FileQuery, answers=(200, None, "text/plain"), errors=(404, 422), doc=FILE_DOC
)
def download_summary(query: dict[str, Any], ledger: str, period: str) -> Response:
    """The sealed roll-up as a signed file, which anybody verifies with the service's key: gridtrail summary verify."""
    pieces, when = _place(ledger, period)
    recipient = query.get("recipient")
    with reading(gridtrail().database) as conn:
        if recipient is not None and recipient not in {each["code"] for each in pieces.recipients(conn, when)}:
            raise OutOfScope
        try:
            note = pieces.file(conn, ledger, when)
        except NoSummary as lost:
            raise Problem("summary_lost", str(lost)) from lost
    named = {"Content-Disposition": f'attachment; filename="{file_name(ledger, when.name, recipient)}"'}
    return Response(note.encode(), content_type=TEXT, headers=named)


@blueprint.operation("POST", f"{PLACE}/seal", policy="summary.seal", answers=(200, Saved), errors=(404, 409, 422))
def seal_summary(ledger: str, period: str) -> Any:
    """Seals the roll-up of a quarter that is over, at the tree that the ledger has now. Once, by an officer of the subdistrict."""
    return gridtrail().summaries.seal(actor(), ledger, Period.of(period).name)


def _place(ledger: str, period: str) -> tuple[Any, Period]:
    """What serves roll-ups, and the period, once the reader may see the subdistrict."""
    if not (len(ledger) == SUBDISTRICT and ledger.isascii() and ledger.isdigit()):
        raise OutOfScope
    authorise(actor(), "summary.read", area=ledger)
    reads(ledger=ledger, object=f"{ledger}/{period}")
    return gridtrail().summaries, Period.of(period)


def _document(conn: sa.Connection, ledger: str, period: Period) -> dict[str, Any]:
    try:
        whole: dict[str, Any] = orjson.loads(gridtrail().summaries.document(conn, ledger, period))
    except NoSummary as lost:
        raise Problem("summary_lost", str(lost)) from lost
    return whole


# ---- what is told


def _row(ledger: str, area: str, counts: Counts, book: Item) -> dict[str, Any]:
    return {"area": area, "ledger": ledger, **_numbers(counts, indicators_of(book.content)), "sealed": None}


def _sealed_row(ledger: str, row: Row, books: Books, book: Item) -> dict[str, Any]:
    """The sealed numbers, by the book that they were sealed by. Whether later facts differ is told where the roll-up itself is."""
    (by, *_) = [*books.labelled("indicators", row["book"]), book]
    return {**_row(ledger, ledger, row["counts"], by), "sealed": _seal(row, None)}


def _numbers(counts: dict[str, int], indicators: list[Indicator]) -> dict[str, Any]:
    shares = [{"code": each.code, **each.value(counts)} for each in indicators]
    return {"counts": {name: counts.get(name, 0) for name in COUNTS}, "indicators": shares, "total": weighted(indicators, counts)}


def _seal(row: Row, now: Counts | None) -> dict[str, Any]:
    names = ("sealed_at", "sealed_by", "digest", "book", "origin", "root", "position", "size")
    return {**{name: row[name] for name in names}, "differs": None if now is None else bool(differences(row["counts"], now))}


def _period(counted: Counted) -> dict[str, Any]:
    period, bounds = counted.period, counted.bounds
    said = {"name": period.name, "kind": period.kind, "first_day": period.first, "end_day": period.end}
    return {**said, "start": bounds.start, "until": bounds.until, "complete": counted.complete}


def _book(book: Item) -> dict[str, Any]:
    told = [each.told() for each in indicators_of(book.content)]
    return {"name": book.name, "version": book.version, "effective_from": book.effective_from, "indicators": told}
