"""Who is served, who waits and who is told to come again; deadlines; whose address counts behind a proxy."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service import deadlines
from service.admission import BATCH, QUERY, WRITE, Admission, caller_of, lane_of
from service.config import Config
from service.database import Busy, open_database, reading
from service.gate import LONGEST_RETRY_S, Gate, Lane, Refused, Turn
from tests.web.city import City, build


class Crowd:
    """People at a gate: each comes in a thread of its own, and it is known who was let in, in which order, and who was sent away."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside: dict[str, Turn] = {}
        self.let_in: list[str] = []
        self.sent_away: dict[str, Refused] = {}
        self.threads: list[threading.Thread] = []

    def comes(self, name: str, lane: Lane = BATCH) -> None:
        """Somebody comes, and has been let in, waits, or was sent away when this returns."""
        arrivals = self.gate.arrivals
        thread = threading.Thread(target=self._enter, args=(name, lane))
        self.threads.append(thread)
        thread.start()
        while thread.is_alive() and self.gate.arrivals == arrivals:
            time.sleep(0.001)
        with self.gate.lock:
            waits = name in [turn.caller for turn in self.gate.waiting]
        if not waits:
            thread.join(5)

    def _enter(self, name: str, lane: Lane) -> None:
        try:
            self.inside[name] = self.gate.enter(lane, name)
            self.let_in.append(name)
        except Refused as refused:
            self.sent_away[name] = refused

    def leaves(self, name: str) -> None:
        """Somebody is done; whoever is let in for it is inside when this returns."""
        waiting = len(self.let_in) + bool(self.gate.waiting)
        self.gate.leave(self.inside.pop(name))
        until = time.monotonic() + 5
        while time.monotonic() < until and len(self.let_in) < waiting:
            time.sleep(0.001)

    def go(self) -> None:
        """Everybody goes."""
        while self.inside:
            self.leaves(next(iter(self.inside)))
        for thread in self.threads:
            thread.join(5)


@contextmanager
def crowd(slots: int = 2, room: int = 2, wait_s: float = 60.0) -> Iterator[Crowd]:
    people = Crowd(Gate(slots, room, wait_s))
    yield people
    people.go()


@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("POST", "/v1/sync/batches", BATCH),
        ("PUT", "/v1/photos/ab", WRITE),
        ("POST", "/v1/cases", WRITE),
        ("GET", "/v1/cases", QUERY),
        ("POST", "/v1/sessions", QUERY),
        ("GET", "/health/live", None),
        ("GET", "/metrics", None),
        ("GET", "/", None),
        ("GET", "/console/app.js", None),
        ("HEAD", "/tablet/", None),
        ("GET", "/tablet/release.json", None),
        ("GET", "/pages/ui.js", None),
        ("GET", "/texts/tablet-zh.json", None),
        ("GET", "/vendor/preact.js", None),
        ("POST", "/console/app.js", WRITE),
        ("GET", "/v1/base-map", QUERY),
        ("GET", "/v1/tablets", QUERY),
    ],
)
def test_every_request_has_its_lane(method: str, path: str, lane: Lane | None):
    assert lane_of(method, path) is lane


def test_who_comes_while_all_places_are_taken_waits_for_one():
    with crowd() as people:
        for name in ("li", "wang", "zhao"):
            people.comes(name)
        assert people.let_in == ["li", "wang"]
        people.leaves("li")
        assert people.let_in == ["li", "wang", "zhao"]


def test_who_waited_too_long_is_told_to_come_again():
    with crowd(slots=1, wait_s=0.05) as people:
        people.comes("li")
        people.comes("wang")
        people.threads[-1].join(5)
        assert people.sent_away["wang"].code == "overloaded"
        assert 1 <= people.sent_away["wang"].retry_after <= LONGEST_RETRY_S
        assert not people.gate.waiting
        people.comes("wang")


def test_a_tablet_has_one_upload_at_a_time_and_may_bring_photos_beside_it():
    with crowd() as people:
        people.comes("li")
        with pytest.raises(Refused, match="upload_in_progress"):
            people.gate.enter(BATCH, "li")
        people.gate.leave(people.gate.enter(WRITE, "li"))
        people.leaves("li")
        people.comes("li")
        assert people.let_in == ["li", "li"]


def test_queries_leave_half_of_the_places_to_uploads():
    with crowd(slots=2, room=3) as people:
        people.comes("officer 1", QUERY)
        people.comes("officer 2", QUERY)
        people.comes("li")
        assert people.let_in == ["officer 1", "li"]


def test_uploads_go_before_queries_that_came_earlier():
    with crowd(slots=1) as people:
        people.comes("li")
        people.comes("officer", QUERY)
        people.comes("wang")
        people.leaves("li")
        people.leaves("wang")
        assert people.let_in == ["li", "wang", "officer"]


def test_where_the_waiting_room_is_full_a_query_gives_way_to_an_upload():
    with crowd(slots=1, room=1) as people:
        people.comes("li")
        people.comes("officer", QUERY)
        people.comes("wang")
        people.threads[1].join(5)
        assert list(people.sent_away) == ["officer"]
        people.comes("officer again", QUERY)
        assert list(people.sent_away) == ["officer", "officer again"]


def test_who_was_served_least_comes_first():
    with crowd(slots=1, room=3) as people:
        for _ in range(3):
            people.comes("greedy")
            people.leaves("greedy")
        people.comes("li")
        people.comes("greedy")
        people.comes("wang")
        people.leaves("li")
        people.leaves("wang")
        assert people.let_in[-3:] == ["li", "wang", "greedy"]


def test_who_comes_before_the_time_that_was_told_comes_last():
    with crowd(slots=1, room=1) as people:
        people.gate.clock = lambda: 0.0
        people.comes("li")
        people.comes("wang")
        people.comes("impatient")
        people.comes("impatient")
        people.leaves("li")
        people.comes("impatient")
        assert people.let_in == ["li", "wang"]
        people.comes("zhao")
        people.leaves("wang")
        assert people.let_in == ["li", "wang", "zhao"]


def test_the_crowd_is_spread_over_the_time_that_serving_it_takes():
    gate = Gate(1, 0, 1.0)
    gate.hold_s = 0.1
    turn = gate.enter(BATCH, "first")
    waits = []
    for number in range(300):
        with pytest.raises(Refused) as refused:
            gate.enter(BATCH, f"tablet {number}")
        waits.append(refused.value.retry_after)
    assert max(waits[:5]) <= 3
    assert max(waits[200:]) > 10
    assert len(set(waits[200:])) > 10
    gate.leave(turn)


def test_a_gate_remembers_a_bounded_number_of_callers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.gate.REMEMBERED", 100)
    gate = Gate(1, 0, 1.0)
    for number in range(300):
        gate.leave(gate.enter(WRITE, f"served {number}"))
    turn = gate.enter(WRITE, "long")
    for number in range(300):
        with pytest.raises(Refused):
            gate.enter(WRITE, f"away {number}")
    gate.leave(turn)
    assert len(gate.taken) <= 101
    assert len(gate.owed) <= 101


def test_a_long_token_is_remembered_by_a_short_name(city: City):
    city.app.test_client().get("/v1/cases", headers={"Authorization": "Bearer " + "x" * 7000})
    assert admission_of(city).gate.taken
    assert max(map(len, admission_of(city).gate.taken)) == 64
    assert caller_of({"HTTP_AUTHORIZATION": "Bearer \xe9"}) != caller_of({"REMOTE_ADDR": "192.0.2.1"})


@pytest.mark.parametrize("admitted", [True, False])
def test_no_place_is_lost_where_the_counting_fails(monkeypatch: pytest.MonkeyPatch, admitted: bool):
    """The counts of several processes are files, which can be unwritable."""
    gate, held = Gate(1, 3, 1.0), []

    class Full:
        def __enter__(self) -> None:
            if admitted:
                gate.leave(held.pop())
            raise OSError(24, "Too many open files")

        def __exit__(self, *_: object) -> None:
            raise AssertionError

    monkeypatch.setattr("service.gate.WAITING.track_inprogress", Full)
    held.append(gate.enter(BATCH, "li"))
    with pytest.raises(OSError, match="Too many"):
        gate.enter(BATCH, "wang")
    for turn in held:
        gate.leave(turn)
    assert (sum(gate.running.values()), gate.waiting, gate.uploading) == (0, [], set())


def test_no_place_is_lost_however_many_come_and_go():
    gate, errors = Gate(3, 4, 0.002), []

    def comes(name: str) -> None:
        for number in range(150):
            try:
                turn = gate.enter((BATCH, WRITE, QUERY)[number % 3], name)
                if sum(gate.running.values()) > 3:
                    errors.append("too many")
                time.sleep(0.0002)
                gate.leave(turn)
            except Refused:
                time.sleep(0.0005)

    threads = [threading.Thread(target=comes, args=(f"tablet {number % 9}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert (sum(gate.running.values()), gate.waiting, gate.uploading) == (0, [], set())


# ---- through the service


def hold_all_places(city: City) -> list[Turn]:
    gate = admission_of(city).gate
    return [gate.enter(WRITE, f"holder {number}") for number in range(gate.slots)]


def admission_of(city: City) -> Admission:
    found = city.app.wsgi_app
    return found if isinstance(found, Admission) else found.app  # type: ignore[attr-defined,return-value]


def test_an_overloaded_service_says_so_and_goes_on_afterwards(
    city: City, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(admission_of(city).gate, "wait_s", 0.02)
    held = hold_all_places(city)
    answer = city.client("sun").get("/v1/cases")
    assert (answer.status_code, answer.json["code"], answer.mimetype) == (503, "overloaded", "application/problem+json")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-ID"] in capsys.readouterr().out
    assert city.client().get("/health/live").status_code == 200
    assert city.client().get("/console/app.js").status_code == 200
    assert b'gridtrail_turned_away_total{code="overloaded",lane="queries"}' in city.app.test_client().get("/metrics").data
    for turn in held:
        admission_of(city).gate.leave(turn)
    assert city.client("sun").get("/v1/cases").status_code == 200


def test_a_second_upload_of_a_tablet_is_told_to_wait_and_nothing_is_lost(city: City):
    token = f"Bearer {city.tablets['li'].outbox.fact('token')}"
    gate = admission_of(city).gate
    turn = gate.enter(BATCH, caller_of({"HTTP_AUTHORIZATION": token}))
    sent = city.app.test_client().post("/v1/sync/batches", headers={"Authorization": token}, data=b"{}\n")
    assert (sent.status_code, sent.json["code"]) == (429, "upload_in_progress")
    assert sent.headers["Retry-After"] in ("1", "2")
    gate.leave(turn)


def test_a_place_is_given_back_whatever_happens(city: City, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(city.gridtrail.identity, "visitor", fails)
    for _ in range(admission_of(city).gate.slots + 2):
        assert city.client("sun").get("/v1/cases").status_code == 500
    monkeypatch.setattr("service.admission.RUNNING.track_inprogress", fails)
    for _ in range(admission_of(city).gate.slots + 2):
        with pytest.raises(ZeroDivisionError):
            city.client("sun").get("/v1/cases")
    assert sum(admission_of(city).gate.running.values()) == 0


def test_a_database_without_a_free_connection_is_busy(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/small.db", pool_size=1)
    engine.pool._timeout = 0.05  # type: ignore[attr-defined]
    with engine.connect(), engine.connect(), pytest.raises(Busy), reading(engine):
        pass
    engine.dispose()


# ---- deadlines


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = deadlines.watch(open_database(f"sqlite:///{tmp_path}/watched.db"))
    yield engine
    deadlines.end()
    engine.dispose()


def test_a_request_out_of_time_asks_the_database_nothing_more(watched: sa.Engine):
    with reading(watched) as conn:
        deadlines.begin(-1)
        with pytest.raises(Busy):
            conn.exec_driver_sql("SELECT 1")
    with pytest.raises(Busy), reading(watched):
        pass
    deadlines.end()
    with reading(watched) as conn:
        assert conn.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_long_statement_on_sqlite_ends_at_the_deadline(watched: sa.Engine):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with reading(watched) as conn:
        deadlines.begin(1)
        with pytest.raises(sa.exc.OperationalError, match="interrupted"):
            conn.exec_driver_sql(endless)


def test_who_waits_for_a_turn_waits_no_longer_than_the_deadline():
    deadlines.begin(0.05)
    assert deadlines.left(10) < 0.1
    deadlines.end()
    assert deadlines.left(10) == 10


def test_a_connection_on_which_nothing_moves_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(deadlines, "LOOK_S", 0.02)
    ours, theirs = socket.socketpair()
    finished = deadlines.Cutter(0.05)
    number = finished.add(ours)
    assert ours.recv(1) == b""
    finished.remove(number)
    for each in (ours, theirs):
        each.close()


def test_a_connection_whose_request_is_over_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(deadlines, "LOOK_S", 0.02)
    ours, theirs = socket.socketpair()
    cutter = deadlines.Cutter(60)
    number = cutter.add(ours)
    assert list(cutter.open) == [number]
    cutter.remove(number)
    assert not cutter.open
    theirs.send(b"x")
    assert ours.recv(1) == b"x"
    for each in (ours, theirs):
        each.close()


# ---- behind a proxy


def address_seen(city: City, monkeypatch: pytest.MonkeyPatch, forwarded: str) -> str:
    seen: list[str] = []
    monkeypatch.setattr(city.gridtrail.identity.throttle, "count", lambda login, address: seen.append(address))
    city.app.test_client().post("/v1/sessions", json={"login": "sun", "password": "x" * 12}, headers={"X-Forwarded-For": forwarded})
    return seen[0]


def test_an_address_that_a_stranger_claims_is_not_believed(city: City, monkeypatch: pytest.MonkeyPatch):
    assert address_seen(city, monkeypatch, "198.51.100.7") == "127.0.0.1"


def test_behind_a_trusted_proxy_the_address_that_it_saw_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    behind = build(f"sqlite:///{tmp_path}/behind.db", tmp_path, trusted_proxies=1)
    assert address_seen(behind, monkeypatch, "203.0.113.5, 198.51.100.7") == "198.51.100.7"


def test_the_settings_leave_a_thread_to_turn_others_away():
    def nothing(*_: Any) -> list[bytes]:
        return []

    for threads in (1, 2, 8, 16, 64):
        gate = Admission(nothing, Config(threads=threads), {}).gate
        assert gate.slots >= 1
        assert gate.slots + gate.room < threads or threads <= 2
