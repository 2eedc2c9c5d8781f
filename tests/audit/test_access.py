"""The record of reads: whole, permanent for half a year, sealed day by day; and every fault in it is found."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.access import ACCESS_LOG, REFUSAL, TRIGGERS, C
from service.config import Config
from service.database import is_sqlite, reading, writing
from service.problems import Problem
from service.scope import Actor, Grant
from service.wiring import Gridtrail
from tests.check import check_everything

CITY = "4115"
SUN = Actor("8a5ef2a4-1111-4111-8111-000000000001", (Grant("auditor", CITY),))
LONG_AGO = datetime(2025, 11, 3, 2, 0, tzinfo=UTC)


class MovedClock:
    def __init__(self) -> None:
        self.now = LONG_AGO

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=7)
        return self.now


@pytest.fixture
def pieces(database: sa.Engine, tmp_path: Path) -> Gridtrail:
    """The pieces on each store, more than a year ago: the database's own clock is far ahead of theirs."""
    return Gridtrail(Config(watermark_file=str(tmp_path / "signed.journal")), clock=MovedClock(), database=database)


def read_on(pieces: Gridtrail, *days: int) -> None:
    """Three reads on each of some days after the first."""
    for day in days:
        pieces.clock.now = LONG_AGO + timedelta(days=day)
        for case in ("one", "two", "three"):
            pieces.access.record(None, SUN, "show_case", ledger="411502001001", object=case, purpose="complaint 17", rows=1)


def faults(pieces: Gridtrail) -> list[tuple[str, str]]:
    with reading(pieces.database) as conn:
        return [(fault.day, fault.kind) for fault in pieces.access_days.faults(conn)]


def as_an_intruder(engine: sa.Engine, statement: str) -> None:
    """Behind the service's back, with the privileges of the tables' owner: the triggers are taken off and put back."""
    with writing(engine) as conn:
        drops = (
            ("DROP TRIGGER access_log_refuse_update", "DROP TRIGGER access_log_refuse_delete")
            if is_sqlite(engine)
            else ("ALTER TABLE access_log DISABLE TRIGGER USER",)
        )
        for each in drops:
            conn.exec_driver_sql(each)
        conn.exec_driver_sql(statement)
        for each in TRIGGERS["sqlite"] if is_sqlite(engine) else ("ALTER TABLE access_log ENABLE TRIGGER USER",):
            conn.exec_driver_sql(each)


def test_a_read_says_who_what_when_and_why(pieces: Gridtrail) -> None:
    pieces.access.record(None, SUN, "list_cases", ledger="411502001001", purpose=" yearly audit ", rows=50, filters={"status": "closed"})
    with writing(pieces.database) as conn:
        pieces.access.record(conn, None, "subject.report", subject="7c9a3a0e-6a60-4a2c-9c07-000000000002")
    with reading(pieces.database) as conn:
        first, second = conn.execute(sa.select(ACCESS_LOG).order_by(C.at)).mappings().all()
    assert (first["person"], first["role"], first["act"], first["rows"]) == (SUN.person, "auditor", "list_cases", 50)
    assert (first["ledger"], first["purpose"], first["day"]) == ("411502001", "yearly audit", "2025-11-03")
    assert first["filters"] == '{"status":"closed"}'
    assert (second["ledger"], second["person"], second["token_kind"]) == (CITY, None, "os")
    assert second["account"]


@pytest.mark.parametrize("purpose", ["", "x", "y" * 201, "line\nline", "bell\x07bell"])
def test_a_purpose_is_a_few_printable_words(pieces: Gridtrail, purpose: str) -> None:
    with pytest.raises(Problem, match="purpose"):
        pieces.access.record(None, SUN, "show_case", purpose=purpose)


def test_very_long_filters_are_shortened_and_still_json(pieces: Gridtrail) -> None:
    pieces.access.record(None, SUN, "list_cases", filters={"text": "市" * 5_000})
    with reading(pieces.database) as conn:
        assert len(conn.scalar(sa.select(C.filters)) or "") < 6_100


def test_what_cannot_be_put_on_record_is_not_read(pieces: Gridtrail) -> None:
    with writing(pieces.database) as conn:
        conn.exec_driver_sql("ALTER TABLE access_log RENAME TO lost")
    with pytest.raises(Problem) as refused:
        pieces.access.record(None, SUN, "show_case")
    assert (refused.value.status, refused.value.code) == (503, "read_not_recorded")


@pytest.mark.parametrize("statement", ["UPDATE access_log SET purpose = 'other'", "DELETE FROM access_log"])
def test_the_database_itself_refuses_to_change_or_forget(pieces: Gridtrail, statement: str) -> None:
    pieces.clock.now = datetime.now(UTC) - timedelta(days=182)
    pieces.access.record(None, SUN, "show_case")
    with pytest.raises(sa.exc.DBAPIError, match=REFUSAL), writing(pieces.database) as conn:
        conn.exec_driver_sql(statement)


def test_replacing_or_emptying_is_refused_as_well(pieces: Gridtrail) -> None:
    read_on(pieces, 0)
    statement = "INSERT OR REPLACE INTO access_log SELECT * FROM access_log" if is_sqlite(pieces.database) else "TRUNCATE access_log"
    pieces.clock.now = datetime.now(UTC)
    pieces.access.record(None, SUN, "show_case")
    with pytest.raises(sa.exc.DBAPIError, match=REFUSAL), writing(pieces.database) as conn:
        conn.exec_driver_sql(statement)


def test_each_day_is_sealed_once_when_it_is_over(pieces: Gridtrail) -> None:
    read_on(pieces, 0, 2)
    assert pieces.access_days.turn() == 2
    assert pieces.access_days.turn() == 0
    pieces.clock.now = LONG_AGO + timedelta(days=4)
    assert pieces.access_days.turn() == 2
    again = Gridtrail(pieces.config, clock=pieces.clock, database=pieces.database)
    assert again.access_days.turn() == 0
    with reading(pieces.database) as conn:
        seals = pieces.access_days.seals(conn)
    assert [(seal.day, seal.reads) for seal in seals.values()] == [
        ("2025-11-03", 3),
        ("2025-11-04", 0),
        ("2025-11-05", 3),
        ("2025-11-06", 0),
    ]
    assert faults(pieces) == []
    check_everything(pieces)


def test_a_day_is_not_sealed_in_the_first_minutes_after_it(pieces: Gridtrail) -> None:
    read_on(pieces, 0)
    pieces.clock.now = datetime(2025, 11, 3, 16, 14, tzinfo=UTC)
    assert pieces.access_days.turn() == 0
    pieces.clock.now = datetime(2025, 11, 3, 16, 16, tzinfo=UTC)
    assert pieces.access_days.turn() == 1


TAMPERED = {
    "rows_missing": "DELETE FROM access_log WHERE day = '2025-11-04' AND object = 'two'",
    "rows_changed": "UPDATE access_log SET purpose = 'a better reason' WHERE day = '2025-11-04' AND object = 'two'",
    "rows_added": "INSERT INTO access_log SELECT ledger, at, 'forged', day, person, role, account, token_kind, act, object, subject, "
    "filters, rows, purpose, request_id, address FROM access_log WHERE day = '2025-11-04' AND object = 'one'",
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_whoever_changes_a_sealed_day_behind_the_services_back_is_found(pieces: Gridtrail, kind: str) -> None:
    read_on(pieces, 0, 1, 2)
    pieces.clock.now = LONG_AGO + timedelta(days=3)
    pieces.access_days.turn()
    as_an_intruder(pieces.database, TAMPERED[kind])
    assert faults(pieces) == [("2025-11-04", kind)]


def test_a_day_that_was_never_sealed_is_a_fault(pieces: Gridtrail) -> None:
    read_on(pieces, 0)
    pieces.clock.now = LONG_AGO + timedelta(days=2)
    assert faults(pieces) == [("2025-11-03", "not_sealed"), ("2025-11-04", "not_sealed")]


def test_reads_are_pruned_after_183_days_and_that_stays_on_record(pieces: Gridtrail) -> None:
    read_on(pieces, 0, 1)
    pieces.clock.now = LONG_AGO + timedelta(days=183)
    pieces.access_days.turn()
    assert pieces.access_days.prune() == (0, 0)
    pieces.clock.now = LONG_AGO + timedelta(days=184)
    assert pieces.access_days.prune() == (1, 3)
    assert pieces.access_days.prune() == (0, 0)
    with reading(pieces.database) as conn:
        assert set(conn.scalars(sa.select(C.day))) == {"2025-11-04"}
        pruned = [seal for seal in pieces.access_days.seals(conn).values() if seal.pruned_at]
    assert [(seal.day, seal.reads) for seal in pruned] == [("2025-11-03", 3)]
    pieces.access_days.turn()
    assert faults(pieces) == []
    check_everything(pieces)


def test_a_day_that_was_changed_is_kept_as_evidence(pieces: Gridtrail) -> None:
    read_on(pieces, 1)
    pieces.clock.now = LONG_AGO + timedelta(days=200)
    pieces.access_days.turn()
    as_an_intruder(pieces.database, TAMPERED["rows_changed"])
    assert pieces.access_days.prune() == (0, 0)
    assert faults(pieces) == [("2025-11-04", "rows_changed")]


def test_pruning_too_early_and_rows_that_come_back_are_found(pieces: Gridtrail) -> None:
    read_on(pieces, 1)
    pieces.clock.now = LONG_AGO + timedelta(days=2)
    pieces.access_days.turn()
    with reading(pieces.database) as conn:
        seal = pieces.access_days.seals(conn)["2025-11-04"]
    pieces.access_days._prune(seal)
    read_on(pieces, 1)
    assert {kind for _, kind in faults(pieces)} >= {"pruned_early", "rows_came_back"}


def test_no_setting_turns_it_off_or_shortens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from service.config import BadConfiguration

    for days in ("182", "0", "-1"):
        monkeypatch.setenv("GRIDTRAIL_ACCESS_RETENTION_DAYS", days)
        with pytest.raises(BadConfiguration, match="ACCESS_RETENTION_DAYS"):
            Config.from_environment()
