"""Making and sealing roll-ups from the read models, and giving the sealed ones out. Read by the routes and the command line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from domain.areas import LENGTH_OF_LEVEL
from domain.books import Books, Item
from domain.clock import local_day, utc_text
from domain.indicators import COUNTING
from domain.periods import Period, day_after
from domain.summary import Summary, must_be_a_quarter_over, must_not_be_sealed, summary_stream
from projections.counting import READ, Bounds, Counts, count_ledgers, total
from projections.paging import Row
from projections.sealed_summaries import sealed
from projections.tables import PROGRESS
from service.audit.manifests import b64
from service.database import reading
from service.inspection import Saved
from service.ledger.keys import log_origin
from service.problems import Problem
from service.scope import Actor, OutOfScope, authorise
from service.summaries import document
from service.summaries.document import Summed

ATTEMPTS = 5
SUBDISTRICT = LENGTH_OF_LEVEL["subdistrict"]


@dataclass(frozen=True, slots=True)
class Counted:
    """The present numbers of a period, by ledger and community, and how far they go."""

    period: Period
    bounds: Bounds
    complete: bool
    by_area: dict[tuple[str, str], Counts]

    def of(self, ledger: str, area: str | None = None) -> Counts:
        """The counts of a ledger, or of what in it lies within an area."""
        return total(
            counts for (where, code), counts in self.by_area.items() if where == ledger and (area is None or code.startswith(area))
        )


class Summaries:
    """The roll-ups of one deployment."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database

    # ---- the present numbers

    def bounds(self, period: Period) -> tuple[Bounds, bool]:
        """The bounds of a period as far as it has come, and whether it is over."""
        zone, now = self.gridtrail.config.zone, utc_text(self.gridtrail.clock())
        start, end = period.start_at(zone), period.end_at(zone)
        complete = now >= end
        last = period.end if complete else max(period.first, min(period.end, day_after(local_day(now, zone))))
        return Bounds(start, end if complete else max(start, now), period.first, last), complete

    def present(self, conn: sa.Connection, ledgers: Sequence[str], period: Period) -> Counted:
        """What the read models count of a period now."""
        bounds, complete = self.bounds(period)
        return Counted(period, bounds, complete, count_ledgers(conn, ledgers, bounds) if ledgers else {})

    def this(self, kind: str) -> Period:
        """The period of a kind that today lies in."""
        return Period.holding(kind, local_day(utc_text(self.gridtrail.clock()), self.gridtrail.config.zone))

    def book(self, conn: sa.Connection, period: Period, kind: str = "indicators") -> Item:
        """The book that holds for a period: the one in force on its first day."""
        books: Books = self.gridtrail.inspection.books(conn, self.gridtrail.config.city)
        return books.in_force(kind, period.first)

    # ---- sealing

    def seal(self, actor: Actor, ledger: str, name: str) -> Saved:
        """Seals the roll-up of a quarter that is over, at the tree that the ledger has now. SummarySealed where it was sealed before."""
        grant = authorise(actor, "summary.seal", area=ledger)
        inspection = self.gridtrail.inspection
        quarter = must_be_a_quarter_over(ledger, name, inspection.act_for(actor, grant.role).day)
        with reading(self.database) as conn:
            must_not_be_sealed(name, sealed=bool(sealed(conn, [ledger], name)))
        found = self._found(ledger, quarter)
        stream = summary_stream(ledger, name)

        def decide(known: Summary | None, books: Books) -> Summary:
            must_not_be_sealed(name, sealed=known is not None)
            return Summary.seal(inspection.act_for(actor, grant.role), books, stream, area=ledger, period=name, **found)

        saved: Saved = inspection.change(ledger, stream, decide)[0]
        self.gridtrail.follower.catch_up(ledger, ["sealed_summaries"])
        return saved

    def _found(self, ledger: str, quarter: Period) -> dict[str, Any]:
        """The server's part of the seal: the counts, and the tree that they were counted in."""
        zone = self.gridtrail.config.time_zone
        for _ in range(ATTEMPTS):
            self.gridtrail.follower.catch_up(ledger, READ)
            with reading(self.database) as conn:
                head = self.gridtrail.ledgers.head(conn, ledger)
                if head is None:
                    raise OutOfScope
                if self._stand(conn, ledger) != {head.size}:
                    continue
                counts = self.present(conn, [ledger], quarter).of(ledger)
                book = self.book(conn, quarter)
            # Nothing is put on record of a tree that the service would not sign.
            self.gridtrail.watermark.sign([head], durably=True)
            origin, root = log_origin(self.gridtrail.config.origin, ledger, head.incarnation), b64(head.root)
            start, until = quarter.start_at(self.gridtrail.config.zone), quarter.end_at(self.gridtrail.config.zone)
            summed = Summed(ledger, quarter, zone, start, until, counts, origin, head.size, root)
            said = {"zone": zone, "until": until, "origin": origin, "size": head.size, "root": root}
            digest = document.digest(document.write(summed, book))
            return {**said, "book": book.label, "counting": COUNTING, "counts": counts, "digest": digest}
        raise Problem("read_model_behind", f"The numbers of {ledger} have not caught up with its entries yet.", ledger=ledger)

    @staticmethod
    def _stand(conn: sa.Connection, ledger: str) -> set[int]:
        """Where the read models that are counted in stand."""
        P = PROGRESS.c
        query = sa.select(P.read_model, P.position).where(P.ledger == ledger, P.read_model.in_(READ))
        found = {name: position for name, position in conn.execute(query)}
        return {found.get(name, -1) for name in READ}

    # ---- what was sealed

    def sealed(self, conn: sa.Connection, ledgers: Sequence[str], period: Period) -> dict[str, Row]:
        """The sealed roll-ups of a period by ledger, counts as a dict."""
        return {ledger: {**row, "counts": orjson.loads(row["counts"])} for ledger, row in sealed(conn, ledgers, period.name).items()}

    def document(self, conn: sa.Connection, ledger: str, period: Period) -> bytes:
        """The sealed document, written again from the record. OutOfScope where none was sealed; NoSummary where it cannot be."""
        row = self.sealed(conn, [ledger], period).get(ledger)
        if row is None:
            raise OutOfScope
        return document.of_record(ledger, row, self.gridtrail.inspection.books(conn, ledger))

    def file(self, conn: sa.Connection, ledger: str, period: Period) -> str:
        """The sealed document under the service's signature: the file that is sent."""
        return document.sign(self.document(conn, ledger, period), self.gridtrail.signer)

    def recipients(self, conn: sa.Connection, period: Period) -> list[dict[str, str]]:
        """Who receives the roll-ups: code, and names in both languages."""
        told: list[dict[str, str]] = self.book(conn, period, "recipients").content["recipients"]
        return told


def file_name(ledger: str, period: str, recipient: str | None = None) -> str:
    """What a roll-up's file is called."""
    return "-".join(part for part in ("summary", ledger, period, recipient) if part) + ".note"


def differences(then: dict[str, int], now: Counts) -> list[dict[str, Any]]:
    """Each count that is another one than was sealed."""
    return [{"count": name, "sealed": number, "present": now.get(name, 0)} for name, number in then.items() if now.get(name, 0) != number]


def parts(ledgers: Iterable[str]) -> list[str]:
    """Of some ledgers, those that have roll-ups: the subdistricts'."""
    return [ledger for ledger in ledgers if len(ledger) == SUBDISTRICT]
