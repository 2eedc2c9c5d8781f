"""The library's view of one ledger: recorder and factory on the extension points of ``eventsourcing``.

Found by ``PERSISTENCE_MODULE=service.ledger.recorder``, with GRIDTRAIL_DATABASE_URL and GRIDTRAIL_LEDGER (which ledger) in the environment.
A notification's id is the event's position + 1. Nothing is retried: after a broken connection the caller must look before it writes again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any, Never, TypeVar
from uuid import UUID

import sqlalchemy as sa
from eventsourcing.domain import TAggregateID
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    Mapper,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    TrackingRecorder,
    Transcoder,
)

from projections.recorded import read_line, state_of
from service.database import Busy, CommitUnknown, open_database, reading, writing
from service.ledger import schema
from service.ledger.mapper import LedgerMapper, draft_of_stored, stored_of
from service.ledger.store import Ledgers, VersionTaken
from service.ledger.tables import events

T = TypeVar("T")
POLL_S = 0.05
PAGE = 500


class LedgerRecorder(ApplicationRecorder):
    """Records and reads the events of one ledger for the library."""

    def __init__(self, store: Ledgers, ledger: str) -> None:
        self.store = store
        self.ledger = ledger

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        if not stored_events:
            return []
        drafts = [draft_of_stored(each) for each in stored_events]
        with _library_errors(), writing(self.store.engine) as conn:
            appended = self.store.append(conn, self.ledger, drafts)
        return [position + 1 for position in range(appended.first, appended.size)]

    def select_events(
        self, originator_id: UUID | str, *, gt: int | None = None, lte: int | None = None, desc: bool = False, limit: int | None = None
    ) -> Sequence[StoredEvent]:
        version = events.c.version
        query = sa.select(events.c.line).where(events.c.ledger == self.ledger, events.c.stream == UUID(str(originator_id)))
        if gt is not None:
            query = query.where(version > gt)
        if lte is not None:
            query = query.where(version <= lte)
        return self._lines(query.order_by(version.desc() if desc else version).limit(limit), stored_of)

    def select_notifications(
        self, start: int | None, limit: int, stop: int | None = None, topics: Sequence[str] = (), *, inclusive_of_start: bool = True
    ) -> Sequence[Notification]:
        position = events.c.position
        query = sa.select(events.c.line).where(events.c.ledger == self.ledger)
        if start is not None:
            query = query.where(position >= (start - 1 if inclusive_of_start else start))
        if stop is not None:
            query = query.where(position < stop)
        if topics:
            query = query.where(events.c.topic.in_(topics))
        return self._lines(query.order_by(position).limit(limit), notification_of)

    def max_notification_id(self) -> int | None:
        with _library_errors(), reading(self.store.engine) as conn:
            head = self.store.head(conn, self.ledger)
        return head.size if head is not None else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return LedgerSubscription(self, gt, topics)

    def _lines(self, query: sa.Select[Any], made: Callable[[bytes], T]) -> list[T]:
        with _library_errors(), reading(self.store.engine) as conn:
            return [made(line) for line in conn.scalars(query)]


class LedgerAggregateRecorder(LedgerRecorder):
    """The same, for whoever wants streams only: tells no positions."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class LedgerSubscription(Subscription[LedgerRecorder]):
    """Follows one ledger by asking again: works across processes and on every store, without a listening connection."""

    def __init__(self, recorder: LedgerRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._stopped = Event()
        self._page: Iterator[Notification] = iter(())

    def stop(self) -> None:
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._stopped.is_set():
            for notification in self._page:
                self._last_notification_id = notification.id
                return notification
            page = self._recorder.select_notifications(self._last_notification_id or 0, PAGE, topics=self._topics, inclusive_of_start=False)
            self._page = iter(page)
            if not page:
                self._stopped.wait(POLL_S)
        raise StopIteration


class LedgerFactory(InfrastructureFactory[TrackingRecorder]):
    """Makes recorders of the ledger that the environment names."""

    DATABASE_URL = "GRIDTRAIL_DATABASE_URL"
    LEDGER = "GRIDTRAIL_LEDGER"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        url, ledger = self.env.get(self.DATABASE_URL), self.env.get(self.LEDGER)
        if not url or not ledger:
            raise InfrastructureFactoryError(f"Set {self.DATABASE_URL} and {self.LEDGER}: a recorder writes one ledger of one database.")
        self.ledger = ledger
        self.engine = open_database(url)
        self.store = Ledgers(self.engine)
        if self.env.get(self.CREATE_TABLE, "no").lower() in ("y", "yes", "t", "true", "on", "1"):
            schema.upgrade(self.engine)

    def close(self) -> None:
        self.engine.dispose()

    def mapper(self, transcoder: Transcoder | None = None, mapper_class: type[Mapper[TAggregateID]] | None = None) -> Mapper[TAggregateID]:
        if mapper_class is None and not self.env.get(self.MAPPER_TOPIC):
            return super().mapper(transcoder, LedgerMapper)  # type: ignore[arg-type]
        return super().mapper(transcoder, mapper_class)

    def application_recorder(self) -> ApplicationRecorder:
        return LedgerRecorder(self.store, self.ledger)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose != "events":
            raise InfrastructureFactoryError(f"A ledger holds facts for ever, no {purpose}: leave IS_SNAPSHOTTING_ENABLED unset.")
        return LedgerAggregateRecorder(self.store, self.ledger)

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> Never:
        raise InfrastructureFactoryError("Read models keep their positions themselves, in projections.engine.")

    def process_recorder(self) -> ProcessRecorder:
        raise InfrastructureFactoryError("Read models keep their positions themselves, in projections.engine.")


def notification_of(line: bytes) -> Notification:
    """The library's notification for a line."""
    recorded = read_line(line)
    return Notification(UUID(recorded.stream), recorded.version, recorded.topic, state_of(line), id=recorded.position + 1)


@contextmanager
def _library_errors() -> Iterator[None]:
    """The library's names for what the store refuses."""
    try:
        yield
    except VersionTaken as taken:
        raise IntegrityError(str(taken)) from taken
    except (Busy, CommitUnknown) as failed:
        raise OperationalError(str(failed)) from failed
