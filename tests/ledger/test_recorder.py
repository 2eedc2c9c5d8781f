"""The recorder and the factory against the test cases that ``eventsourcing`` ships, and under the library's own application.

The shipped cases assume one global sequence; here each runs within one ledger, whose positions are that sequence.
"""

import importlib
import sys
from collections.abc import Iterator
from unittest import TestCase, defaultTestLoader
from uuid import uuid4

import pytest
import sqlalchemy as sa
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate as LibraryAggregate
from eventsourcing.domain import event
from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError, IntegrityError, OperationalError, StoredEvent
from eventsourcing.utils import Environment

from domain.aggregate import Act
from domain.visit import Visit
from service.database import Busy, open_database, reading
from service.ledger.mapper import LedgerMapper, event_of
from service.ledger.recorder import LedgerAggregateRecorder, LedgerFactory, LedgerRecorder
from service.ledger.store import Ledgers
from tests.ledger.cast import SUBDISTRICT, check_ledger

# The shipped cases import the cipher that stands on pycryptodome; the library's other one, of the same interface, stands on cryptography.
sys.modules.setdefault("eventsourcing.cipher", importlib.import_module("eventsourcing.cryptography"))
shipped = importlib.import_module("eventsourcing.tests.persistence")

PERSON, TABLET = str(uuid4()), str(uuid4())
ACT = Act(
    PERSON,
    "worker",
    "2026-11-21T01:03:12.123Z",
    "2026-11-21",
    tablet=TABLET,
    entry=b'{"seq":7,"area":"411502001001001","data":{"household":"h","outcome":"met"}}',
)


def methods_of(case: type[TestCase], *more: str) -> list[str]:
    return [*defaultTestLoader.getTestCaseNames(case), *more]


@pytest.mark.parametrize("method", methods_of(shipped.ApplicationRecorderTestCase, "optional_test_insert_subscribe"))
def test_the_librarys_cases_for_application_recorders_pass_within_one_ledger(any_store: sa.Engine, method: str) -> None:
    class Case(shipped.ApplicationRecorderTestCase[LedgerRecorder]):
        def create_recorder(self) -> LedgerRecorder:
            return LedgerRecorder(Ledgers(any_store), SUBDISTRICT)

    Case(method).debug()
    check_ledger(any_store, SUBDISTRICT)


@pytest.mark.parametrize("method", methods_of(shipped.AggregateRecorderTestCase))
def test_the_librarys_cases_for_aggregate_recorders_pass_within_one_ledger(any_store: sa.Engine, method: str) -> None:
    """They want insert_events to give None where those for application recorders want positions: so it is a class of its own."""

    class Case(shipped.AggregateRecorderTestCase):
        def create_recorder(self) -> LedgerAggregateRecorder:
            return LedgerAggregateRecorder(Ledgers(any_store), SUBDISTRICT)

    Case(method).debug()
    check_ledger(any_store, SUBDISTRICT)


FOR_TRACKING = {"test_create_tracking_recorder", "test_create_process_recorder"}


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Variables that name one ledger of a fresh database."""
    urls = {"sqlite": "sqlite_url", "postgres": "fresh_postgres_url"}
    url = request.getfixturevalue(urls[request.param]) if request.param in urls else "sqlite://"
    return {
        "PERSISTENCE_MODULE": "service.ledger.recorder",
        "GRIDTRAIL_DATABASE_URL": url,
        "GRIDTRAIL_LEDGER": SUBDISTRICT,
        "CREATE_TABLE": "yes" if request.param == "memory" else "no",
    }


@pytest.mark.parametrize("method", [name for name in methods_of(shipped.InfrastructureFactoryTestCase) if name not in FOR_TRACKING])
def test_the_librarys_cases_for_factories_pass(environment: dict[str, str], method: str) -> None:
    """All but the two of FOR_TRACKING, which the next test turns round."""

    class Case(shipped.InfrastructureFactoryTestCase[LedgerFactory]):
        env = Environment(env=environment)

        def expected_factory_class(self) -> type[LedgerFactory]:
            return LedgerFactory

        def expected_aggregate_recorder_class(self) -> type[LedgerAggregateRecorder]:
            return LedgerAggregateRecorder

        def expected_application_recorder_class(self) -> type[LedgerRecorder]:
            return LedgerRecorder

        expected_tracking_recorder_class = expected_process_recorder_class = tracking_recorder_subclass = None

    Case.__abstractmethods__ = frozenset()
    Case(method).debug()


def test_there_is_no_tracking_recorder_no_process_recorder_and_no_snapshot(environment: dict[str, str]) -> None:
    """test_create_tracking_recorder and test_create_process_recorder do not fit: they want the ledger's database to keep, through the
    library, how far a reader has come. Here a read model's position is written by projections.engine in the transaction that writes
    its rows, per ledger and read model, and can be parked; a second record of it could only contradict that one.
    """
    factory = InfrastructureFactory.construct(Environment(env=environment))
    for refused in (factory.tracking_recorder, factory.process_recorder):
        with pytest.raises(InfrastructureFactoryError, match=r"projections\.engine"):
            refused()
    with pytest.raises(InfrastructureFactoryError, match="no snapshots"):
        factory.aggregate_recorder("snapshots")
    factory.close()


@pytest.mark.parametrize("missing", ["GRIDTRAIL_DATABASE_URL", "GRIDTRAIL_LEDGER"])
def test_a_factory_without_a_database_or_a_ledger_says_so(missing: str) -> None:
    given = {"PERSISTENCE_MODULE": "service.ledger.recorder", "GRIDTRAIL_DATABASE_URL": "sqlite://", "GRIDTRAIL_LEDGER": SUBDISTRICT}
    del given[missing]
    with pytest.raises(InfrastructureFactoryError, match=missing):
        InfrastructureFactory.construct(Environment(env=given))


class Dog(LibraryAggregate):
    """The aggregate of the library's own tutorial."""

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


@pytest.fixture
def application(environment: dict[str, str]) -> Iterator[Application]:
    made: Application = Application(env=environment)
    yield made
    made.close()


def test_the_librarys_application_keeps_any_aggregate_in_a_ledger(application: Application) -> None:
    dog = Dog("Fido")
    dog.add_trick("roll over")
    application.save(dog)
    dog.add_trick("play dead")
    application.save(dog)
    again: Dog = application.repository.get(dog.id)
    assert (again.name, again.tricks, again.version) == ("Fido", ["roll over", "play dead"], 3)
    assert [item.id for item in application.notification_log.select(start=1, limit=10)] == [1, 2, 3]


def test_the_librarys_application_keeps_our_facts_in_the_recorded_format(application: Application) -> None:
    visit = Visit.begin(Visit.Made, ACT, uuid4(), area="411502001001001", household="h", outcome="met")
    application.save(visit)
    again: Visit = application.repository.get(visit.id)
    assert (again.household, again.outcome, again.version) == ("h", "met", 1)
    factory = application.factory
    assert isinstance(factory, LedgerFactory)
    with reading(factory.engine) as conn:
        (line,) = factory.store.lines(conn, SUBDISTRICT)
        assert factory.store.uploaded(conn, visit.id, 0, 9) == []
        columns = conn.execute(sa.text("SELECT topic, seq FROM events WHERE tablet IS NOT NULL AND by_person IS NOT NULL")).all()
    assert isinstance(event_of(line), Visit.Made)
    assert [tuple(row) for row in columns] == [("visit.made", 7)]


@pytest.mark.parametrize("setting", ["COMPRESSOR_TOPIC", "CIPHER_TOPIC"])
def test_facts_are_never_compressed_or_encrypted(setting: str) -> None:
    values = {"COMPRESSOR_TOPIC": "zlib", "CIPHER_TOPIC": "eventsourcing.cipher:AESCipher"}
    env = {"GRIDTRAIL_DATABASE_URL": "sqlite://", "GRIDTRAIL_LEDGER": SUBDISTRICT, setting: values[setting], "CIPHER_KEY": ""}
    if setting == "CIPHER_TOPIC":
        env["CIPHER_KEY"] = "MDEyMzQ1Njc4OWFiY2RlZg=="
    mapper = LedgerFactory(Environment(env=env)).mapper()
    assert isinstance(mapper, LedgerMapper)
    visit = Visit.begin(Visit.Made, ACT, uuid4(), area="411502001001001", household="h", outcome="met")
    with pytest.raises(ValueError, match="auditors can read"):
        mapper.to_stored_event(visit.pending_events[0])


def test_what_the_store_refuses_has_the_librarys_names(sqlite_url: str) -> None:
    engine = open_database(sqlite_url, lock_timeout_s=0.01)
    recorder = LedgerRecorder(Ledgers(engine), SUBDISTRICT)
    stored = StoredEvent(uuid4(), 1, "topic", b"{}")
    assert recorder.insert_events([stored]) == [1]
    with pytest.raises(IntegrityError, match="next version"):
        recorder.insert_events([stored])
    other = open_database(sqlite_url)
    with other.connect().execution_options(writes=True) as conn, conn.begin(), pytest.raises(OperationalError) as refused:
        recorder.insert_events([StoredEvent(uuid4(), 1, "topic", b"{}")])
    assert isinstance(refused.value.__cause__, Busy)
    engine.dispose()
    other.dispose()
