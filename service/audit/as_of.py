"""The past in two senses: what was known at a moment, and what had happened by it. Read by the case routes and the replay.

known     what was recorded up to the moment, in the order of the positions: what anybody could have seen then
happened  what had happened by the moment, in the order of the positions, whenever it was recorded: what somebody who knows everything
          that is known today would have seen. A record is there from its first fact on: where that is later, all of it is left out

A list as of a moment costs what was under way then, not what was ever recorded: a case whose last event was recorded by the moment is
today what it was then, so its live row is shown; a case that went on since is folded again from its stream, up to the moment, into a
table in memory. Both are asked by the same query of ``case_lists``, and the two pages are merged.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from domain.clock import parse_utc, utc_text
from projections import case_history, case_lists, open_cases
from projections.model import Rows as Folded
from projections.model import fold_into
from projections.paging import After, Row, Rows
from projections.recorded import Recorded, read_line
from projections.sight import Sight, within
from service import deadlines
from service.database import reading, sqlite
from service.problems import CATALOGUE, Problem
from service.schemas.fields import POSITION

CATALOGUE.update(
    {
        "area_needed": (400, "Name an area of a subdistrict or below"),
        "past_too_wide": (422, "Too many cases have changed since"),
    }
)

KNOWN, HAPPENED = "known", "happened"
SENSES = (KNOWN, HAPPENED)
MOST_CHANGED = 20_000
"""Cases that were under way at the moment and went on since, at most, that one request folds again."""
TOGETHER = 500
LEDGER_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of one ledger.

    position  the last position that was recorded by then, -1 where nothing was
    time      UTC text: the one that was asked for, or that at which the position was recorded
    head      the last position that counts at all; what was recorded behind it meanwhile is left out
    """

    ledger: str
    sense: str
    position: int
    time: str
    head: int

    def keeps(self, event: Recorded) -> bool:
        """Whether an event belongs to this past."""
        if self.sense == KNOWN:
            return event.position <= self.position
        return event.position <= self.head and happened_at(event) <= self.time


def happened_at(event: Recorded) -> str:
    """When an event happened: UTC text. The time of recording for what is no fact of the field."""
    return str(event.fields.get("happened_at", event.recorded_at))


def occurred_at(event: Recorded) -> str | None:
    """What the tablet's own clock said; None for what no tablet recorded."""
    entry = event.fields.get("entry")
    return str(entry["occurred_at"]) if entry else None


def happened_by(lines: Iterable[bytes], moment: str) -> Iterator[bytes]:
    """Of a ledger's lines in order, or a stream's, those that had happened by a moment (UTC text), of streams that had begun by then."""
    begun: set[str] = set()
    for line in lines:
        event = read_line(line)
        if happened_at(event) > moment:
            continue
        if event.version == 1:
            begun.add(event.stream)
        if event.stream in begun:
            yield line


def ledger_named(as_of: str) -> str | None:
    """The ledger of an as_of that is a position; None for a time."""
    named = POSITION.fullmatch(as_of)
    return named[1] if named else None


class AsOf:
    """Cases as they were."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self._idle: list[sa.Engine] = []

    def moment(self, as_of: str, sense: str, ledger: str, read_model: str | None = "open_cases") -> Moment:
        """The moment that ``<ledger>:<position>`` or a UTC text names, once the read model has reached it.

        Problem bad_parameter where it names another ledger, or what is not yet; read_model_behind where the engine is late.
        """
        with reading(self.database) as conn:
            head = self.gridtrail.ledgers.head(conn, ledger)
            end = head.size - 1 if head else -1
            position, time = self._place(conn, as_of, ledger, end)
        moment = Moment(ledger, sense, position, time, position if sense == KNOWN else end)
        if read_model is not None and moment.head >= 0:
            patience = self.gridtrail.config.wait_for_position_s
            if not self.gridtrail.follower.wait_for(ledger, read_model, moment.head, patience):
                raise Problem("read_model_behind", f"{read_model} has not reached position {moment.head} of {ledger} yet.", ledger=ledger)
        return moment

    def _place(self, conn: sa.Connection, as_of: str, ledger: str, end: int) -> tuple[int, str]:
        named = POSITION.fullmatch(as_of)
        if named is None:
            if as_of > utc_text(self.gridtrail.clock()):
                raise _wrong("The moment lies ahead.")
            return self.gridtrail.ledgers.size_at(conn, ledger, as_of) - 1, as_of
        if named[1] != ledger:
            raise _wrong(f"The position is one of {named[1]}; what is asked for lies in {ledger}.")
        position = int(named[2])
        line = self.gridtrail.ledgers.line(conn, ledger, position) if position <= end else None
        if line is None:
            raise _wrong(f"No entry was recorded at position {position} of {ledger}.")
        return position, read_line(line).recorded_at

    # ---- many cases

    def list_cases(
        self, conn: sa.Connection, sight: Sight, moment: Moment, *, area: str, sort: str, limit: int, after: After = None, **wanted: Any
    ) -> Rows:
        """As ``case_lists.list_cases``, of a subtree that lies in the moment's ledger."""
        asked = {"area": area, "sort": sort, "limit": limit, "after": after, **wanted}
        live = case_lists.list_cases(conn, sight, unchanged_since=(moment.position, moment.time), **asked)
        with self._in_memory(self._folded_again(conn, moment, area)) as memory:
            then = case_lists.list_cases(memory, sight, **asked)
        return case_lists.merged(sort, limit, live, then)

    def _folded_again(self, conn: sa.Connection, moment: Moment, area: str) -> list[Row]:
        """The rows, as they were, of the cases that had begun by the moment and went on after it."""
        changed = (
            sa.select(open_cases.C.case_id)
            .where(open_cases.C.ledger == moment.ledger, open_cases.C.position > moment.position)
            .where(open_cases.C.reported_at <= moment.time, within(open_cases.C.area, area))
            .limit(MOST_CHANGED + 1)
        )
        streams = list(conn.scalars(changed))
        if len(streams) > MOST_CHANGED:
            said = f"More than {MOST_CHANGED} cases of {area} were under way then and went on since."
            raise Problem("past_too_wide", f"{said} Name a smaller area, or use: gridtrail replay")
        rows: list[Row] = []
        waiting = iter(streams)
        while some := list(islice(waiting, TOGETHER)):
            deadlines.check()
            rows += self._fold(conn, moment, some)
        return rows

    def _fold(self, conn: sa.Connection, moment: Moment, streams: Sequence[str]) -> list[Row]:
        found: Folded = {}
        for lines in self.gridtrail.ledgers.streams(conn, moment.ledger, map(UUID, streams)).values():
            fold_into(open_cases, found, kept(lines, moment))
        return [{"ledger": moment.ledger, **row} for row in found.values() if row is not None]

    @contextmanager
    def _in_memory(self, rows: Sequence[Row]) -> Iterator[sa.Connection]:
        """A database in memory with these cases, which is this request's alone until it is rolled back to empty."""
        try:
            engine = self._idle.pop()
        except IndexError:
            engine = sa.create_engine("sqlite://", module=sqlite, poolclass=StaticPool, connect_args={"check_same_thread": False})
            with engine.begin() as conn:
                open_cases.TABLE.create(conn)
        with engine.connect() as conn, conn.begin() as transaction:
            if rows:
                conn.execute(open_cases.TABLE.insert(), rows)
            yield conn
            transaction.rollback()
        # One that was left in the middle of something is not used again.
        self._idle.append(engine)

    # ---- one case

    def case(self, conn: sa.Connection, moment: Moment, case: UUID) -> Row | None:
        """The case as it was; None where it was not there yet."""
        rows = self._fold(conn, moment, [str(case)])
        return rows[0] if rows else None

    def tablet_clocks(self, conn: sa.Connection, ledger: str, case: UUID) -> dict[int, str]:
        """What the tablets' own clocks said, by version, of those events of a case that tablets recorded."""
        events = map(read_line, self.gridtrail.ledgers.streams(conn, ledger, [case]).get(case, []))
        return {event.version: said for event in events if (said := occurred_at(event)) is not None}

    def late_facts(self, conn: sa.Connection, moment: Moment, case: UUID) -> list[Row]:
        """What had happened to a case by a moment (in that sense) and was not known then, as rows of its trail; by how much each was late.

        late_s: seconds from happening to recording. unknown_s: seconds from the moment on until it was recorded.
        """
        lines = self.gridtrail.ledgers.streams(conn, moment.ledger, [case]).get(case, [])
        late = [event for event in kept(lines, moment) if event.position > moment.position]
        return [
            {
                **case_history.fold((event.stream, event.version), None, event),
                "late_s": _seconds(happened_at(event), event.recorded_at),
                "unknown_s": _seconds(moment.time, event.recorded_at),
                "occurred_at": occurred_at(event),
            }
            for event in late
        ]


def kept(lines: Iterable[bytes], moment: Moment) -> Iterator[Recorded]:
    """The events of one case, in order, that belong to a past: none where its report does not."""
    for number, line in enumerate(lines):
        event = read_line(line)
        if event.topic not in open_cases.TOPICS:
            continue
        if moment.keeps(event):
            yield event
        elif number == 0:
            return


def _seconds(start: str, end: str) -> float:
    return round((parse_utc(end) - parse_utc(start)).total_seconds(), 3)


def _wrong(sentence: str) -> Problem:
    return Problem("bad_parameter", sentence, errors={"query": {"as_of": [sentence]}})
