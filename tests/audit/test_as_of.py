"""The past, in two senses: for any history, what a list as of a moment tells is what a fold of that past's events gives."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.clock import utc_text
from projections import case_lists, open_cases
from projections.engine import fold_lines
from projections.recorded import read_line, write_line, write_state
from projections.sight import EVERYTHING
from service.audit import as_of
from service.audit.as_of import HAPPENED, KNOWN, SENSES, happened_by
from service.cli.replay import as_of as replayed
from service.config import Config
from service.database import open_database, reading, writing
from service.ledger.store import Draft
from service.problems import Problem
from service.wiring import Gridtrail
from tests.check import all_lines
from tests.conftest import empty_postgres_database
from tests.examples import examples

LEDGER, AREA_1, AREA_2 = "411502001", "411502001001001", "411502001002001"
SPACE = UUID("0f6f0c1e-7d53-4a45-b7a4-5b8f3d0a9a11")
START = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
STEPS = tuple(f"case.{step}" for step in ("accepted", "registered", "dispatched", "handled", "closed", "reopened", "suspended", "resumed"))
DERIVED: dict[str, dict[str, Any]] = {
    "case.registered": {"limit": {"kind": "work_hour", "amount": 4}, "calendar": "cn@1", "registrar": LEDGER},
    "case.closed": {"level": "grid"},
    "case.reopened": {},
}
DUE = {"case.reported", "case.registered", "case.reopened", "case.resumed"}
LI = str(uuid5(SPACE, "li"))
MODELS = ("open_cases", "case_history")
SAID: dict[str, dict[str, Any]] = {
    "case.handled": {"result": "done"},
    "case.dispatched": {"to": AREA_2, "reason": "theirs"},
    "case.suspended": {"until": "2026-12-01"},
}


class Told:
    """Random cases of one ledger, recorded as time goes on; some facts long after they happened."""

    def __init__(self, database: sa.Engine, dice: random.Random) -> None:
        self.now = START
        self.pieces = Gridtrail(Config(wait_for_position_s=0.01), clock=lambda: self.now, database=database)
        self.dice = dice
        self.versions: dict[str, int] = {}
        self.moments: list[str] = []

    def go_on(self, steps: int) -> None:
        """So many facts."""
        with writing(self.pieces.database) as conn:
            self._tell(conn, steps)
        self.pieces.follower.catch_up(LEDGER, MODELS)

    def _tell(self, conn: sa.Connection, steps: int) -> None:
        for number in range(steps):
            self.now += timedelta(minutes=self.dice.choice([0, 1, 30, 600]))
            late = timedelta(minutes=self.dice.choice([0, 0, 0, 5, 90, 3_000]))
            happened = utc_text(max(START, self.now - late))
            self.moments += [happened, utc_text(self.now)]
            known = list(self.versions)
            case = self.dice.choice(known) if known and self.dice.random() < 0.7 else f"case {len(known)}"
            self.record(conn, case, "case.reported" if case not in self.versions else self.dice.choice(STEPS), happened, number)

    def record(self, conn: sa.Connection, case: str, topic: str, happened: str, number: int) -> None:
        """One fact of a case."""
        stream = uuid5(SPACE, case)
        version = self.versions[case] = self.versions.get(case, 0) + 1
        area = AREA_1 if stream.int % 3 else AREA_2
        due = utc_text(self.now + timedelta(minutes=self.dice.choice([10, 500])))
        dues = {"accept_due_at": due, "due_at": due, "dispatch_due_at": due} if topic in DUE else {}
        fact = {"by": LI, "role": "worker", "happened_at": happened, "day": happened[:10], "tablet": LI}
        derived = {**fact, "holder": SAID.get(topic, {}).get("to", area), **dues, **DERIVED.get(topic, {})}
        said = {"area": area, "category": "gridtrail/1/A01", "summary": f"rubbish {number}", **SAID.get(topic, {})}
        draft = Draft(stream, version, topic, write_state(derived, said, None), inline=True)
        self.pieces.ledgers.append(conn, LEDGER, [draft])

    # ---- what is compared

    def lines(self) -> list[bytes]:
        with reading(self.pieces.database) as conn:
            return all_lines(conn, self.pieces.ledgers, LEDGER)

    def listed(self, said: str, sense: str, area: str = LEDGER, limit: int = 4, **wanted: Any) -> list[dict[str, Any]]:
        """All pages of the list as of a moment."""
        moment = self.pieces.as_of.moment(said, sense, LEDGER)
        sort = wanted.pop("sort", "due_at")
        rows: list[dict[str, Any]] = []
        after = None
        with reading(self.pieces.database) as conn:
            while True:
                asked = {"area": area, "sort": sort, "limit": limit, "after": after, **wanted}
                page = self.pieces.as_of.list_cases(conn, EVERYTHING, moment, **asked)
                rows += page
                if len(page) < limit and page.reached is None:
                    return rows
                after = (rows[-1][str(case_lists.SORTS[sort][0].name)], rows[-1]["case_id"]) if len(page) == limit else page.reached

    def folded(self, said: str, sense: str) -> list[dict[str, Any]]:
        """The same by folding the whole history, as gridtrail replay does."""
        position, time = (int(said.split(":")[1]), None) if said.startswith(LEDGER) else (None, said)
        return fold_lines(open_cases, replayed(lambda: iter(self.lines()), sense, position, time)())


def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As lists show and sort them by themselves."""
    return sorted(({name: row[name] for name in case_lists.NAMES} for row in rows), key=lambda row: row["case_id"])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes fresh databases of one store, one for each history."""
    if request.param == "sqlite":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("as_of")
        template = request.getfixturevalue("sqlite_template")
        count = iter(range(10_000))

        def fresh_sqlite() -> sa.Engine:
            path = folder / f"{next(count)}.db"
            path.write_bytes(template.read_bytes())
            return open_database(f"sqlite:///{path}")

        yield fresh_sqlite
        return
    server, template = request.getfixturevalue("postgres_template")
    with empty_postgres_database(server, template) as url:
        engine = open_database(url)

        def emptied() -> sa.Engine:
            with writing(engine) as conn:
                conn.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
                for table in ("events", "ledgers", "cases", "case_history", "progress"):
                    conn.exec_driver_sql(f"DELETE FROM {table}")
                conn.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER USER")
            return engine

        yield emptied
        engine.dispose()


quick = settings(
    max_examples=examples(5),
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def told_on(stores: Any, dice: random.Random, steps: int) -> Told:
    told = Told(stores(), dice)
    told.go_on(steps)
    return told


def test_the_past_is_what_a_fold_of_its_events_gives(stores: Any) -> None:
    @quick
    @given(st.randoms(use_true_random=False), st.integers(1, 40))
    def compare(dice: random.Random, steps: int) -> None:
        told = told_on(stores, dice, steps)
        positions = [f"{LEDGER}:{dice.randrange(steps)}", f"{LEDGER}:{steps - 1}"]
        for said in (*positions, *dice.sample(told.moments, 2), utc_text(told.now), "2026-10-01T00:00:00.000Z"):
            for sense in SENSES:
                folded = shown(told.folded(said, sense))
                for sort in case_lists.SORTS:
                    assert shown(told.listed(said, sense, sort=sort)) == folded, (said, sense)
        if told.pieces.database.dialect.name == "sqlite":
            told.pieces.database.dispose()

    compare()


def test_the_past_of_now_is_the_live_list_page_by_page(stores: Any) -> None:
    @quick
    @given(st.randoms(use_true_random=False), st.integers(1, 40))
    def compare(dice: random.Random, steps: int) -> None:
        told = told_on(stores, dice, steps)
        for wanted in ({}, {"open": True}, {"status": "registered"}, {"area": AREA_1}, {"text": "rubbish 1"}, {"holder": AREA_2}):
            said, sense = dice.choice([utc_text(told.now), f"{LEDGER}:{steps - 1}"]), dice.choice(SENSES)
            for sort in case_lists.SORTS:
                asked = {"area": LEDGER, "sort": sort, "limit": 1_000, **wanted}
                with reading(told.pieces.database) as conn:
                    live = case_lists.list_cases(conn, EVERYTHING, **asked)
                assert told.listed(said, sense, **{"sort": sort, **wanted}) == list(live), (wanted, sort, said, sense)
        if told.pieces.database.dialect.name == "sqlite":
            told.pieces.database.dispose()

    compare()


def test_filters_of_the_past_look_at_the_past_and_not_at_today(stores: Any) -> None:
    told = told_on(stores, random.Random(7), 120)
    said = f"{LEDGER}:70"
    for sense in SENSES:
        then = shown(told.folded(said, sense))
        for status in {row["status"] for row in then}:
            expected = [row for row in then if row["status"] == status]
            assert shown(told.listed(said, sense, status=status)) == expected
        moment = told.pieces.as_of.moment(said, sense, LEDGER)
        overdue = [row for row in then if row["open"] and row["late_from"] < moment.time]
        assert shown(told.listed(said, sense, overdue_at=moment.time)) == overdue


def test_one_case_and_what_was_known_late(stores: Any) -> None:
    told = told_on(stores, random.Random(11), 150)
    late_seen = 0
    for said in (f"{LEDGER}:{position}" for position in range(0, 150, 10)):
        known, happened = (told.pieces.as_of.moment(said, sense, LEDGER) for sense in SENSES)
        rows = [{row["case_id"]: row for row in told.folded(said, sense)} for sense in SENSES]
        for name in told.versions:
            case = uuid5(SPACE, name)
            with reading(told.pieces.database) as conn:
                assert told.pieces.as_of.case(conn, known, case) == rows[0].get(str(case))
                assert told.pieces.as_of.case(conn, happened, case) == rows[1].get(str(case))
                late = told.pieces.as_of.late_facts(conn, happened, case)
            late_seen += len(late)
            assert all(fact["happened_at"] <= known.time and fact["position"] > known.position for fact in late)
            assert all(fact["late_s"] >= fact["unknown_s"] >= 0 for fact in late)
            if not late:
                assert rows[0].get(str(case)) == rows[1].get(str(case))
    assert late_seen > 10


def test_what_happened_by_a_moment_leaves_out_records_that_began_later() -> None:
    def line(position: int, version: int, topic: str, happened: str) -> bytes:
        state = write_state({"by": "x", "role": "worker", "happened_at": happened, "day": "2026-11-21"}, {"area": AREA_1}, None)
        return write_line(LEDGER, position, SPACE, version, topic, "2026-11-21T09:00:00.000Z", state, inline=True)

    lines = [line(0, 1, "case.reported", "2026-11-21T08:05:00.000Z"), line(1, 2, "case.accepted", "2026-11-21T08:00:00.000Z")]
    assert list(happened_by(lines, "2026-11-21T08:02:00.000Z")) == []
    assert list(happened_by(lines, "2026-11-21T08:05:00.000Z")) == lines
    assert [read_line(each).position for each in happened_by(lines[:1], "2026-11-21T08:05:00.000Z")] == [0]


@pytest.mark.parametrize("said", ["411502002:0", f"{LEDGER}:99", "2027-01-01T00:00:00.000Z"])
def test_a_moment_that_is_none_is_refused(stores: Any, said: str) -> None:
    told = told_on(stores, random.Random(1), 5)
    for sense in SENSES:
        with pytest.raises(Problem) as refused:
            told.pieces.as_of.moment(said, sense, LEDGER)
        assert refused.value.code == "bad_parameter"


def test_the_past_waits_for_the_engine_and_says_so(stores: Any) -> None:
    told = told_on(stores, random.Random(2), 5)
    with writing(told.pieces.database) as conn:
        told.record(conn, "another", "case.reported", utc_text(told.now), 5)
    with pytest.raises(Problem) as refused:
        told.pieces.as_of.moment(f"{LEDGER}:5", KNOWN, LEDGER)
    assert refused.value.code == "read_model_behind"
    assert told.pieces.as_of.moment(f"{LEDGER}:4", KNOWN, LEDGER).position == 4
    with pytest.raises(Problem):
        told.pieces.as_of.moment(f"{LEDGER}:4", HAPPENED, LEDGER)


def test_a_past_that_is_too_wide_is_refused(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_on(stores, random.Random(3), 80)
    monkeypatch.setattr(as_of, "MOST_CHANGED", 2)
    with pytest.raises(Problem) as refused:
        told.listed(f"{LEDGER}:40", KNOWN)
    assert refused.value.code == "past_too_wide"
