"""The record of reads: sealed day by day into the city's ledger, proved from there, pruned when its time is over. Read by the commands.

A day is sealed by its RFC 6962 root over the rows as canonical JSON, in the order of (ledger, at, id). So whoever removes, changes or
adds a row behind the service's back must also rewrite the ledger, which signatures and witnesses forbid; and a single row can be proven
to the person whom it concerns without showing the others. What the rows of the present day say is as safe as the database, until midnight.
"""

import base64
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson
import sqlalchemy as sa

from domain.access import AccessDay
from domain.aggregate import Act
from domain.clock import local_day, parse_utc, utc_text
from projections.recorded import Recorded, read_line
from service.access import ACCESS_LOG, RETAINED_DAYS, C
from service.database import reading, writing
from service.inspection import drafts_of
from service.ledger.mapper import aggregate_of
from service.ledger.store import VersionTaken
from service.ledger.tree import Frontier, leaf_hash

log = logging.getLogger(__name__)

DAY_STREAMS = UUID("c2f0a6c1-5f0e-5d0b-8f43-2a4c3d1b9e77")
SETTLING = timedelta(minutes=15)
"""A day is sealed so long after it is over: longer than a request may take, and than clocks of several machines differ."""
LOOKED_BACK = 400
FETCHED = 1_000
LOOK_EVERY_S = 60.0
COLUMNS = tuple(str(column.name) for column in C)
ORDER = (C.ledger, C.at, C.id)


@dataclass(frozen=True, slots=True)
class AccessFault:
    """One thing that is wrong with a day of the record of reads."""

    day: str
    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Seal:
    """A day that was sealed, as the city's ledger has it. pruned_at: when its reads were removed, None where they were not."""

    day: str
    reads: int
    root: str
    position: int
    pruned_at: str | None = None


def leaf_of(row: dict[str, Any]) -> bytes:
    """The bytes of one read that are hashed: canonical JSON of all its columns."""
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


class AccessDays:
    """Seals, verifies and prunes the days of the record of reads."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.city: str = gridtrail.config.city
        self._sealed_to: str | None = None

    # ---- sealing

    def turn(self) -> int:
        """Seals every day that is over and not sealed yet, also those without a read. Gives how many. Several processes may try at once."""
        last = self._last_day_over()
        if self._sealed_to is not None and self._sealed_to >= last:
            return 0
        sealed = sum(self._seal(day) for day in self._unsealed(last))
        self._sealed_to = last
        return sealed

    def run(self, stop: threading.Event, every_s: float = LOOK_EVERY_S) -> None:
        """Seals days as they end, until told to stop. A database that is away is tried again at the next look."""
        while not stop.is_set():
            try:
                self.turn()
            except Exception:
                # Beside the engine this must outlive whatever the database does; a day that was not sealed is sealed at the next turn.
                log.exception("the record of reads could not be sealed; it is tried again")
            stop.wait(every_s)

    def _last_day_over(self) -> str:
        today = local_day(utc_text(self.gridtrail.clock() - SETTLING), self.gridtrail.config.zone)
        return _days_after(today, -1)

    def _unsealed(self, last: str) -> Iterator[str]:
        looked = [_days_after(last, -back) for back in range(LOOKED_BACK)]
        with reading(self.database) as conn:
            known = self.gridtrail.ledgers.streams(conn, self.city, [self._stream(day) for day in looked])
            earliest = conn.scalar(sa.select(sa.func.min(C.day)))
        sealed = [day for day in looked if self._stream(day) in known]
        day = _days_after(max(sealed), 1) if sealed else earliest
        while day is not None and day <= last:
            yield day
            day = _days_after(day, 1)

    def _seal(self, day: str) -> bool:
        with reading(self.database) as conn:
            reads, root = digest_of_day(conn, day)
        sealed = AccessDay.seal(self._act(), None, self._stream(day), sealed_day=day, reads=reads, root=root)
        try:
            with writing(self.database) as conn:
                self.gridtrail.ledgers.append(conn, self.city, drafts_of(sealed))
        except VersionTaken:
            return False
        return True

    def _stream(self, day: str) -> UUID:
        return uuid5(DAY_STREAMS, f"{self.city}/{day}")

    def _act(self) -> Act:
        now = utc_text(self.gridtrail.clock())
        return Act(by="system", role="system", happened_at=now, day=local_day(now, self.gridtrail.config.zone))

    # ---- verifying

    def seals(self, conn: sa.Connection) -> dict[str, Seal]:
        """Every day that the city's ledger says was sealed, in order."""
        pruned = {str(event["sealed_day"]): event.recorded_at for event in self._events(conn, AccessDay.Pruned.TOPIC)}
        found = {}
        for event in self._events(conn, AccessDay.Sealed.TOPIC):
            day = str(event["sealed_day"])
            found[day] = Seal(day, event["reads"], event["root"], event.position, pruned.get(day))
        return dict(sorted(found.items()))

    def _events(self, conn: sa.Connection, topic: str) -> Iterator[Recorded]:
        start = 0
        while lines := self.gridtrail.ledgers.find(conn, self.city, start=start, limit=FETCHED, topic=topic):
            events = [read_line(line) for line in lines]
            yield from events
            start = events[-1].position + 1

    def faults(self, conn: sa.Connection) -> Iterator[AccessFault]:
        """What is wrong: rows that are not what was sealed, days that were left out, rows that were removed early.

        The seals are as good as the ledger that they stand in: that one is proved by ``gridtrail audit verify``.
        """
        seals = self.seals(conn)
        for seal in seals.values():
            yield from self._faults_of(conn, seal)
        last = self._last_day_over()
        first = min([*seals, *filter(None, [conn.scalar(sa.select(sa.func.min(C.day)))])], default=None)
        while first is not None and first <= last:
            if first not in seals:
                yield AccessFault(first, "not_sealed", "The day is over and was not sealed; run: gridtrail access seal")
            first = _days_after(first, 1)

    def _faults_of(self, conn: sa.Connection, seal: Seal) -> Iterator[AccessFault]:
        reads, root = digest_of_day(conn, seal.day)
        if seal.pruned_at is None and (reads, root) != (seal.reads, seal.root):
            said = f"{seal.reads} reads were sealed at position {seal.position}; {reads} are here"
            kind = "rows_missing" if reads < seal.reads else "rows_added" if reads > seal.reads else "rows_changed"
            yield AccessFault(seal.day, kind, f"{said}, and their root is another.")
        elif seal.pruned_at is not None and reads:
            yield AccessFault(seal.day, "rows_came_back", f"The day's reads were pruned, and {reads} are here.")
        if seal.pruned_at is not None and not _is_due(seal.day, seal.pruned_at, RETAINED_DAYS, self.gridtrail.config.zone):
            said = f"The day's reads were pruned at {seal.pruned_at}, before {RETAINED_DAYS} days were over."
            yield AccessFault(seal.day, "pruned_early", said)

    # ---- pruning

    def prune(self) -> tuple[int, int]:
        """Removes the reads of every sealed day whose time is over: (days, reads). A day that is not as it was sealed is kept: evidence."""
        now, config = utc_text(self.gridtrail.clock()), self.gridtrail.config
        with reading(self.database) as conn:
            due = [
                seal
                for seal in self.seals(conn).values()
                if seal.pruned_at is None and seal.reads and _is_due(seal.day, now, config.access_retention_days, config.zone)
            ]
            whole = [seal for seal in due if digest_of_day(conn, seal.day) == (seal.reads, seal.root)]
        for seal in whole:
            self._prune(seal)
        return len(whole), sum(seal.reads for seal in whole)

    def _prune(self, seal: Seal) -> None:
        stream = self._stream(seal.day)
        with writing(self.database) as conn:
            day = aggregate_of(self.gridtrail.ledgers.streams(conn, self.city, [stream])[stream])
            conn.execute(ACCESS_LOG.delete().where(C.day == seal.day))
            day.prune(self._act())
            self.gridtrail.ledgers.append(conn, self.city, drafts_of(day))


def digest_of_day(conn: sa.Connection, day: str) -> tuple[int, str]:
    """How many reads a day has, and the base64 of their root."""
    frontier = Frontier()
    found = conn.execution_options(yield_per=FETCHED).execute(sa.select(ACCESS_LOG).where(C.day == day).order_by(*ORDER))
    frontier.extend(leaf_hash(leaf_of(dict(zip(COLUMNS, row, strict=True)))) for row in found)
    return frontier.size, base64.b64encode(frontier.root()).decode()


def _days_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _is_due(day: str, moment: str, kept_days: int, zone: Any) -> bool:
    """Whether, at a moment, so many whole days have passed since the end of a local day."""
    return local_day(utc_text(parse_utc(moment) - timedelta(days=kept_days)), zone) > day
