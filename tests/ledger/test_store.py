"""Appending to ledgers and reading them back, on every store."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.recorded import LINE_LIMIT, read_line, state_of
from service.database import RolledBack, reading, writing
from service.ledger import tree
from service.ledger.store import Draft, EntryTooLarge, Ledgers, VersionTaken
from tests.ledger.cast import NEIGHBOUR, SUBDISTRICT, append, check_ledger, drafts

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


class Hands:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(any_store: sa.Engine) -> Ledgers:
    return Ledgers(any_store, clock=Hands())


def test_the_first_event_of_a_ledger_stands_at_position_0_and_makes_its_head(store: Ledgers) -> None:
    appended = append(store, SUBDISTRICT, drafts(1))
    assert (appended.first, appended.size, appended.recorded_at) == (0, 1, "2026-11-21T04:00:00.000Z")
    with reading(store.engine) as conn:
        head = store.head(conn, SUBDISTRICT)
        assert head is not None
        assert (head.size, head.root, head.incarnation, head.recorded_at) == (1, appended.root, appended.incarnation, appended.recorded_at)
        assert store.head(conn, NEIGHBOUR) is None
        assert [each.ledger for each in store.heads(conn)] == [SUBDISTRICT]
        assert store.ledgers(conn) == {SUBDISTRICT: 1}


def test_a_line_says_everything_that_its_columns_say_and_its_root_is_the_trees(store: Ledgers) -> None:
    person, tablet, stream = uuid4(), uuid4(), uuid4()
    append(store, SUBDISTRICT, drafts(3))
    appended = append(store, SUBDISTRICT, [Draft(stream, 1, "case.reported", b'{"a":"\xe8\xa1\x97"}', person, tablet, 41)])
    with reading(store.engine) as conn:
        lines = store.lines(conn, SUBDISTRICT)
        line = store.line(conn, SUBDISTRICT, 3)
        columns = conn.execute(sa.text("SELECT topic, version, recorded_at, seq FROM events WHERE position = 3")).one()
    assert line == lines[3]
    recorded = read_line(lines[3])
    assert (recorded.ledger, recorded.position, recorded.stream) == (SUBDISTRICT, 3, str(stream))
    assert (recorded.topic, recorded.version, recorded.recorded_at, 41) == tuple(columns)
    assert state_of(lines[3]) == b'{"a":"\xe8\xa1\x97"}'
    assert appended.root == tree.root_of(tree.leaf_hashes(lines))


def test_any_bytes_are_kept_as_they_are(store: Ledgers) -> None:
    states = [b"state1", b"", b"\0\xff", b'{"a":1}\n', b'{"a":1}', b"[1]", b"{}"]
    append(store, SUBDISTRICT, [Draft(uuid4(), 1, "topic", state) for state in states])
    with reading(store.engine) as conn:
        lines = store.lines(conn, SUBDISTRICT)
    assert [state_of(line) for line in lines] == states
    assert not any(b"\n" in line for line in lines)


def test_lines_come_in_pages_from_any_position(store: Ledgers) -> None:
    append(store, SUBDISTRICT, drafts(7))
    append(store, NEIGHBOUR, drafts(2))
    with reading(store.engine) as conn:
        positions = [[read_line(line).position for line in store.lines(conn, SUBDISTRICT, start, 3)] for start in (0, 3, 6, 7)]
        assert store.line(conn, SUBDISTRICT, 7) is None
    assert positions == [[0, 1, 2], [3, 4, 5], [6], []]


def test_streams_come_each_in_the_order_of_their_versions(store: Ledgers) -> None:
    one, two, none = uuid4(), uuid4(), uuid4()
    append(store, SUBDISTRICT, drafts(2, one) + drafts(1, two) + drafts(1, one, first=3))
    with reading(store.engine) as conn:
        found = store.streams(conn, SUBDISTRICT, [one, two, none])
        assert store.streams(conn, SUBDISTRICT, []) == {}
        assert store.streams(conn, NEIGHBOUR, [one]) == {}
    assert {stream: [read_line(line).version for line in lines] for stream, lines in found.items()} == {one: [1, 2, 3], two: [1]}


def test_what_became_of_a_tablets_entries_is_found_across_ledgers(store: Ledgers) -> None:
    tablet = uuid4()
    here = [Draft(uuid4(), 1, "visit.made", b"{}", tablet=tablet, seq=seq) for seq in (0, 2, 3)]
    there = [Draft(uuid4(), 1, "refused.kept", b"{}", tablet=tablet, seq=1), Draft(uuid4(), 1, "visit.made", b"{}", tablet=uuid4(), seq=2)]
    with writing(store.engine) as conn:
        appended = store.append_all(conn, {NEIGHBOUR: there, SUBDISTRICT: here, "411502": []})
    assert {ledger: each.size for ledger, each in appended.items()} == {SUBDISTRICT: 3, NEIGHBOUR: 2}
    with reading(store.engine) as conn:
        found = store.uploaded(conn, tablet, 1, 2)
        lines = store.lines(conn, SUBDISTRICT)
    assert [row[:4] for row in found] == [(1, NEIGHBOUR, 0, "refused.kept"), (2, SUBDISTRICT, 1, "visit.made")]
    assert found[1][4] == lines[1]


def test_history_can_be_filtered_by_stream_topic_person_and_time(store: Ledgers) -> None:
    person, stream = uuid4(), uuid4()
    hands = store.clock
    assert isinstance(hands, Hands)
    for minute, some in enumerate((drafts(2, stream), drafts(1, by_person=person), [Draft(uuid4(), 1, "case.reported", b"{}")])):
        hands.now = NOON + timedelta(minutes=minute)
        append(store, SUBDISTRICT, some)
    minutes = [f"2026-11-21T04:0{minute}:00.000Z" for minute in range(4)]

    def positions(**filters: object) -> list[int]:
        with reading(store.engine) as conn:
            return [read_line(line).position for line in store.find(conn, SUBDISTRICT, **filters)]  # type: ignore[arg-type]

    assert positions() == [0, 1, 2, 3]
    assert positions(stream=stream) == [0, 1]
    assert positions(topic="case.reported") == [3]
    assert positions(by_person=person) == [2]
    assert positions(recorded_from=minutes[1]) == [2, 3]
    assert positions(recorded_to=minutes[1]) == [0, 1]
    assert positions(recorded_from=minutes[1], recorded_to=minutes[2]) == [2]
    assert positions(start=1, limit=1) == [1]
    assert positions(recorded_from=minutes[3]) == positions(topic="none") == []


def test_the_size_at_a_moment_counts_what_was_recorded_up_to_it(store: Ledgers) -> None:
    hands = store.clock
    assert isinstance(hands, Hands)
    for second in (0, 5, 5, 9):
        hands.now = NOON + timedelta(seconds=second)
        append(store, SUBDISTRICT, drafts(2))
    with reading(store.engine) as conn:
        sizes = [store.size_at(conn, SUBDISTRICT, f"2026-11-21T04:00:0{second}.000Z") for second in range(10)]
        assert store.size_at(conn, SUBDISTRICT, "2026-11-21T04:00:05.000Z", including=False) == 2
        assert store.size_at(conn, SUBDISTRICT, "2026-11-21T03:59:59.999Z") == 0
        assert store.size_at(conn, NEIGHBOUR, "2026-11-21T04:00:00.000Z") == 0
    assert sizes == [2, 2, 2, 2, 2, 6, 6, 6, 6, 8]


def test_the_time_of_recording_never_goes_back_even_when_the_clock_does(store: Ledgers) -> None:
    hands = store.clock
    assert isinstance(hands, Hands)
    first = append(store, SUBDISTRICT, drafts(1))
    hands.now = NOON - timedelta(hours=1)
    assert append(store, SUBDISTRICT, drafts(1)).recorded_at == first.recorded_at
    assert append(store, NEIGHBOUR, drafts(1)).recorded_at == "2026-11-21T03:00:00.000Z"


def test_a_version_that_exists_is_refused_and_leaves_no_gap(store: Ledgers) -> None:
    stream = uuid4()
    before = append(store, SUBDISTRICT, drafts(2, stream))
    with pytest.raises(VersionTaken, match=SUBDISTRICT):
        append(store, SUBDISTRICT, drafts(3) + drafts(1, stream, first=2))
    with pytest.raises(VersionTaken):
        append(store, SUBDISTRICT, drafts(1, stream, first=3) * 2)
    assert check_ledger(store.engine, SUBDISTRICT) == 2
    after = append(store, SUBDISTRICT, drafts(1, stream, first=3))
    assert (after.first, after.incarnation) == (2, before.incarnation)
    assert check_ledger(store.engine, SUBDISTRICT) == 3


def test_the_same_version_in_another_ledger_is_another_matter(store: Ledgers) -> None:
    stream = uuid4()
    append(store, SUBDISTRICT, drafts(1, stream))
    append(store, NEIGHBOUR, drafts(1, stream))
    assert check_ledger(store.engine, NEIGHBOUR) == 1


def test_nobody_can_swallow_a_taken_version_and_commit_the_rest(store: Ledgers) -> None:
    stream = uuid4()
    append(store, SUBDISTRICT, drafts(1, stream))

    def careless() -> None:
        with writing(store.engine) as conn:
            store.append(conn, NEIGHBOUR, drafts(2))
            with suppress(VersionTaken):
                store.append(conn, SUBDISTRICT, drafts(2) + drafts(1, stream))

    with pytest.raises(RolledBack):
        careless()
    assert check_ledger(store.engine, SUBDISTRICT) == 1
    assert check_ledger(store.engine, NEIGHBOUR) == 0


def test_an_exception_in_the_transaction_takes_every_append_back(store: Ledgers) -> None:
    with suppress(InterruptedError), writing(store.engine) as conn:
        store.append_all(conn, {SUBDISTRICT: drafts(1), NEIGHBOUR: drafts(1)})
        raise InterruptedError
    with reading(store.engine) as conn:
        assert store.ledgers(conn) == {}


def test_an_event_too_large_for_an_entry_bundle_is_refused_before_it_reaches_the_store(store: Ledgers) -> None:
    fitting = LINE_LIMIT - len(orjson.dumps({"s": ""})) - _overhead(store)
    append(store, SUBDISTRICT, [Draft(uuid4(), 1, "t", orjson.dumps({"s": "x" * fitting}))])
    with reading(store.engine) as conn:
        assert len(store.lines(conn, SUBDISTRICT)[0]) == LINE_LIMIT
    with pytest.raises(EntryTooLarge, match="65535") as refused:
        append(store, SUBDISTRICT, [*drafts(1), Draft(uuid4(), 7, "t", orjson.dumps({"s": "x" * (fitting + 1)}))])
    assert (refused.value.version, refused.value.size) == (7, LINE_LIMIT + 1)
    assert check_ledger(store.engine, SUBDISTRICT) == 1


def _overhead(store: Ledgers) -> int:
    append(store, NEIGHBOUR, [Draft(UUID(int=0), 1, "t", b"{}")])
    with reading(store.engine) as conn:
        return len(store.lines(conn, NEIGHBOUR)[0]) - 2


def test_a_ledger_under_a_new_name_keeps_its_entries_and_its_neighbours_keep_theirs(store: Ledgers) -> None:
    before = {ledger: append(store, ledger, drafts(2)) for ledger in (SUBDISTRICT, NEIGHBOUR)}
    with writing(store.engine) as conn:
        new = store.begin_incarnation(conn, SUBDISTRICT)
        heads = {head.ledger: head for head in store.heads(conn)}
    assert {name: (head.size, head.root) for name, head in heads.items()} == {name: (each.size, each.root) for name, each in before.items()}
    assert heads[SUBDISTRICT].incarnation == new != before[SUBDISTRICT].incarnation
    assert heads[NEIGHBOUR].incarnation == before[NEIGHBOUR].incarnation
    assert append(store, SUBDISTRICT, drafts(1)).first == 2
    assert check_ledger(store.engine, SUBDISTRICT) == 3


def test_there_is_no_append_of_nothing(store: Ledgers) -> None:
    with pytest.raises(ValueError, match="nothing to append"):
        append(store, SUBDISTRICT, [])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["100000001", "100000002", "1000"]), st.integers(1, 9), st.booleans()), max_size=8))
def test_whatever_is_appended_and_taken_back_every_ledger_is_gapless_and_its_head_is_its_root(
    store: Ledgers, writes: list[tuple[str, int, bool]]
) -> None:
    with reading(store.engine) as conn:
        expected = store.ledgers(conn)
    for ledger, number, keep in writes:
        with suppress(InterruptedError):
            with writing(store.engine) as conn:
                store.append(conn, ledger, drafts(number))
                if not keep:
                    raise InterruptedError
            expected[ledger] = expected.get(ledger, 0) + number
    with reading(store.engine) as conn:
        assert store.ledgers(conn) == expected
    assert {ledger: check_ledger(store.engine, ledger) for ledger in expected} == expected
