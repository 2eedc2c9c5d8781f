"""What the list of cases, a case's trail and the workload say after a history."""

import pytest

from projections import case_history, case_lists, open_cases, people, workload
from projections.case_lists import list_cases
from projections.engine import fold_lines
from projections.sight import EVERYTHING, Sight
from projections.tables import NEVER
from service.database import reading
from tests.projections.telling import A1, A2, COMMUNITY, FIRE, LEDGER, LI, WANG, ZHAO, History, at, id_of

B1 = "411502002001001"


def the_case(history: History, case: str = "one") -> dict:
    (row,) = [row for row in fold_lines(open_cases, history.lines) if row["case_id"] == id_of(case)]
    return row


def test_a_reported_case_lies_with_its_holder_and_is_late_when_nobody_accepts_it():
    history = History()
    history.case_reported("one", place={"lat": 32, "lon": 114.5, "purpose": "case"}, photos=["aa"])
    row = the_case(history)
    assert (row["status"], row["open"], row["holder"], row["area"], row["reporter"]) == ("reported", True, A1, A1, LI)
    assert (row["urgency"], row["level"], row["source"]) == ("normal", "grid", "patrol")
    assert (row["lat"], row["lon"], row["photos"]) == (32.0, 114.5, '["aa"]')
    assert (row["late_from"], row["held_since"], row["version"], row["position"]) == (at(30), at(0), 1, 0)


def test_registering_starts_the_clock_and_handling_stops_it():
    history = History()
    history.case_reported("one")
    history.case_registered("one", due_at=at(100))
    assert (the_case(history)["late_from"], the_case(history)["registrar"]) == (at(100), COMMUNITY)
    history.case_handled("one", by=WANG)
    row = the_case(history)
    assert (row["status"], row["late_from"], row["handler"], row["handled_at"]) == ("handled", NEVER, WANG, at(2))


def test_a_case_that_moves_keeps_what_was_filled_in_and_counts_its_returns():
    history = History()
    history.case_reported("one", reference="R-7")
    history.case_registered("one")
    history.case_moved("one", FIRE)
    assert (the_case(history)["holder"], the_case(history)["held_since"]) == (FIRE, at(2))
    history.tell("case.returned", "one", {"area": A1, "reason": "not ours"}, holder=A1, from_holder=FIRE)
    row = the_case(history)
    assert (row["holder"], row["returns"], row["reason"], row["reference"]) == (A1, 1, "not ours", "R-7")


def test_a_whistle_calls_units_until_the_case_is_sent_on():
    history = History()
    history.case_reported("one")
    history.case_registered("one")
    said = {"area": A1, "lead": FIRE, "assists": [A2], "muster_minutes": 20, "task": "gas"}
    history.tell("case.whistled", "one", said, holder=FIRE, from_holder=A1, muster_due_at=at(60))
    history.tell("case.mustered", "one", {"area": A1, "unit": A2}, holder=FIRE, overtime=False)
    row = the_case(history)
    assert (row["status"], row["called"], row["mustered"]) == ("mustering", f'["{FIRE}","{A2}"]', f'["{A2}"]')
    history.case_moved("one", A1, was=FIRE)
    assert the_case(history)["called"] is None


def test_a_suspended_case_has_no_running_clock_and_goes_on_where_it_was():
    history = History()
    history.case_reported("one")
    history.case_registered("one")
    history.tell("case.suspended", "one", {"area": A1, "until": "2027-01-01", "reason": "winter"}, holder=A1)
    row = the_case(history)
    assert (row["status"], row["paused"], row["late_from"], row["open"]) == ("suspended", "registered", NEVER, True)
    history.tell("case.resumed", "one", {"area": A1}, holder=A1, due_at=at(300))
    row = the_case(history)
    assert (row["status"], row["paused"], row["late_from"], row["suspended_until"]) == ("registered", None, at(300), None)


def test_overtime_stays_on_record_when_it_is_exempted():
    history = History()
    history.case_reported("one")
    history.case_registered("one")
    history.case_handled("one", overtime=True)
    history.tell("case.overtime_exempted", "one", {"area": A1, "reason": "flood"}, holder=A1)
    assert (the_case(history)["overtime"], the_case(history)["overtime_exempted"]) == (True, True)


def test_a_merged_case_is_not_open_and_a_split_one_is_again():
    history = History()
    history.case_reported("one")
    history.case_registered("one")
    history.tell("case.merged", "one", {"area": A1, "into": id_of("two"), "reason": "same"}, holder=A1)
    assert (the_case(history)["open"], the_case(history)["merged_into"]) == (False, id_of("two"))
    history.tell("case.split", "one", {"area": A1, "reason": "other"}, holder=A1, due_at=at(200))
    row = the_case(history)
    assert (row["status"], row["open"], row["merged_into"], row["late_from"]) == ("registered", True, None, at(200))


def test_a_reopened_case_has_no_handler_and_no_end():
    history = History()
    history.case_reported("one")
    history.case_registered("one")
    history.case_handled("one")
    history.tell("case.checked", "one", {"area": A1, "passed": True, "photos": ["bb"]}, holder=A1, by=ZHAO)
    history.tell("case.evaluated", "one", {"area": A1, "rating": "satisfied", "rated_by": "resident"}, holder=A1, by=WANG)
    history.case_closed("one")
    row = the_case(history)
    assert (row["status"], row["checker"], row["rating"], row["closed_at"]) == ("closed", ZHAO, "satisfied", at(5))
    history.tell("case.reopened", "one", {"area": A1, "reason": "again"}, holder=COMMUNITY, from_holder=A1, due_at=at(300))
    row = the_case(history)
    assert (row["open"], row["handler"], row["closed_at"], row["checker"], row["photos"]) == (True, None, None, None, '["bb"]')


def test_an_exemption_does_not_outlive_reopening():
    """As ``Case.Reopened`` has it."""
    history = History()
    history.case_reported("one")
    history.case_closed("one", overtime=True)
    history.tell("case.overtime_exempted", "one", {"area": A1, "reason": "flood"}, holder=A1)
    history.tell("case.reopened", "one", {"area": A1, "reason": "again"}, holder=COMMUNITY, from_holder=A1, due_at=at(300))
    assert (the_case(history)["overtime"], the_case(history)["overtime_exempted"]) == (True, False)


def test_every_case_event_has_its_step_in_the_trail():
    assert case_history.TOPICS == open_cases.TOPICS
    assert set(case_history.STEPS) == {"report", "transfer", "handle", "evaluate"}


@pytest.fixture
def conn(follow, database):
    """Three open cases and a closed one, in two grids, and who works where."""
    history = History()
    history.tell("person.registered", "li", {"home": COMMUNITY})
    history.tell("person.assigned", "li", {"assignment": id_of("a"), "as_role": "worker", "unit": A1, "from_day": "2026-01-01"})
    for case, area in (("one", A1), ("two", A1), ("three", A2), ("old", A2)):
        history.case_reported(case, area, summary=f"rubbish {case} 100%")
    for number, (case, area) in enumerate((("one", A1), ("two", A1), ("three", A2))):
        history.case_registered(case, area, due_at=at(100 + number))
    history.case_moved("three", FIRE, A2, was=A2)
    history.case_handled("old", A2, holder=A2)
    history.case_closed("old", A2, holder=A2, overtime=True)
    follow(history).catch_up()
    with reading(database) as conn:
        yield conn


def names(rows: list[dict]) -> list[str]:
    return [name for row in rows for name in ("one", "two", "three", "old") if row["case_id"] == id_of(name)]


def test_the_most_urgent_open_cases_come_first_in_pages(conn):
    found, after = [], None
    while rows := list_cases(conn, EVERYTHING, open=True, after=after, limit=2):
        found += names(rows)
        after = (rows[-1]["late_from"], rows[-1]["case_id"])
    assert found == ["one", "two", "three"]


def test_latest_reports_first_in_pages(conn):
    first = list_cases(conn, EVERYTHING, sort="-reported_at", limit=3)
    after = (first[-1]["reported_at"], first[-1]["case_id"])
    assert names(first) + names(list_cases(conn, EVERYTHING, sort="-reported_at", after=after)) == ["old", "three", "two", "one"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"area": A1}, ["one", "two"]),
        ({"area": "4115"}, ["one", "two", "three", "old"]),
        ({"holder": FIRE}, ["three"]),
        ({"status": "closed"}, ["old"]),
        ({"open": False}, ["old"]),
        ({"overdue_at": at(101)}, ["one"]),
        ({"text": "TWO 100%"}, ["two"]),
        ({"text": id_of("three").upper()}, ["three"]),
        ({"text": "100_"}, []),
        ({"text": id_of("three")}, ["three"]),
        ({"category": "other"}, []),
        ({"urgency": "normal"}, ["one", "two", "three", "old"]),
        ({"urgency": "emergency"}, []),
        ({"reported_from": at(3)}, ["two", "three", "old"]),
        ({"reported_to": at(4)}, ["one", "two"]),
        ({"reported_from": at(3), "reported_to": at(5), "sort": "-reported_at"}, ["three", "two"]),
        ({"reported_from": at(3), "reported_to": at(5), "open": True, "status": "registered", "sort": "reported_at"}, ["two"]),
        ({"level": "grid", "area": A2}, ["three", "old"]),
    ],
)
def test_cases_are_found_by(conn, asked, found):
    assert names(list_cases(conn, EVERYTHING, **asked)) == found


@pytest.mark.parametrize(
    ("sight", "found"),
    [
        (Sight(areas=(A2,)), ["three", "old"]),
        (Sight(units=(FIRE,)), ["three"]),
        (Sight(areas=(A1,), units=(FIRE,)), ["one", "two", "three"]),
        (Sight(), []),
    ],
)
def test_a_list_holds_only_what_is_seen(conn, sight, found):
    assert names(list_cases(conn, sight)) == found
    seen = [name for name in ("one", "two", "three", "old") if open_cases.get_case(conn, sight, id_of(name))]
    assert sorted(seen) == sorted(found)


@pytest.mark.parametrize("sort", ["due_at", "reported_at", "-reported_at"])
def test_a_search_looks_at_so_many_cases_for_a_page_and_says_where_to_go_on(conn, sort, monkeypatch):
    sight, found, after, pages = Sight(areas=("4115", A1), units=(FIRE,)), [], None, 0
    asked = {"text": "t", "sort": sort, "reported_from": at(0), "reported_to": at(50)}
    whole = names(list_cases(conn, sight, **asked))
    monkeypatch.setattr(case_lists, "SCANNED", 1)
    case_lists._horizons.cache_clear()
    while pages == 0 or after is not None:
        rows = list_cases(conn, sight, after=after, **asked)
        assert rows.reached != after or after is None
        found, after, pages = [*found, *names(rows)], rows.reached, pages + 1
    case_lists._horizons.cache_clear()
    assert found == whole
    assert pages > 2


@pytest.mark.parametrize("sort", ["due_at", "reported_at", "-reported_at"])
@pytest.mark.parametrize("open", [True, False, None])
def test_pages_of_one_row_hold_what_one_page_holds(conn, sort, open):
    sight, found, after = Sight(areas=(A1, "411502"), units=(FIRE, A2)), [], None
    column = case_lists.SORTS[sort][0].name
    while rows := list_cases(conn, sight, open=open, sort=sort, after=after, limit=1):
        found += names(rows)
        after = (rows[-1][column], rows[-1]["case_id"])
    assert found == names(list_cases(conn, sight, open=open, sort=sort))
    assert len(found) == {True: 3, False: 1, None: 4}[open]


def test_a_unit_that_is_called_to_a_case_sees_it_and_the_unit_that_registered_it_too(follow, database):
    history = History()
    case = history.case_reported("one")
    history.case_registered("one")
    said = {"area": A1, "lead": FIRE, "assists": ["411502/water_%"], "muster_minutes": 20, "task": "gas"}
    history.tell("case.whistled", "one", said, holder=FIRE, from_holder=A1, muster_due_at=at(60))
    follow(history).catch_up()
    with reading(database) as conn:
        for unit in (FIRE, "411502/water_%", COMMUNITY):
            assert [row["case_id"] for row in list_cases(conn, Sight(units=(unit,)))] == [case]
        assert list_cases(conn, Sight(units=("411502/water", "411502/waters%"))) == []


def test_a_trail_is_read_in_order_and_as_it_was(conn):
    trail = case_history.history(conn, EVERYTHING, id_of("three"))
    assert [row["topic"] for row in trail] == ["case.reported", "case.registered", "case.transferred"]
    assert [(row["step"], row["from_holder"], row["holder"]) for row in trail[2:]] == [("transfer", A2, FIRE)]
    assert trail[2]["fields"] == f'{{"reason":"theirs","to":"{FIRE}"}}'
    assert case_history.history(conn, EVERYTHING, id_of("three"), as_of_position=trail[1]["position"]) == trail[:2]
    assert case_history.history(conn, EVERYTHING, id_of("three"), as_of_time=trail[0]["recorded_at"]) == trail[:1]
    assert case_history.history(conn, EVERYTHING, id_of("three"), after=(2,)) == trail[2:]
    assert case_history.history(conn, Sight(units=(FIRE,)), id_of("three")) == trail
    assert case_history.history(conn, Sight(areas=(A1,)), id_of("three")) == []


@pytest.fixture
def twins(follow, database):
    """One id in two ledgers. The case of A1 was recorded first, and changed last."""
    first, second = History(), History("411502002")
    case = first.case_reported("one", summary="ours")
    second.visit_made("visit", "house")
    second.case_reported("one", B1, summary="theirs")
    second.case_handled("one", B1, holder=B1)
    first.case_registered("one")
    first.case_moved("one", COMMUNITY)
    first.case_moved("one", A1, was=COMMUNITY)
    follow(first, second).catch_up()
    with reading(database) as conn:
        yield conn, case


def test_a_case_is_seen_in_ones_own_ledger_though_another_has_its_id(twins):
    conn, case = twins
    for sight, summary, ledger in ((Sight(areas=(A1,)), "ours", LEDGER), (Sight(areas=(B1,), units=(B1,)), "theirs", "411502002")):
        row = open_cases.get_case(conn, sight, case)
        assert row is not None
        assert (row["summary"], row["ledger"]) == (summary, ledger)
        assert {step["ledger"] for step in case_history.history(conn, sight, case)} == {ledger}
    assert open_cases.get_case(conn, Sight(areas=(B1,)), case, LEDGER) is None
    assert case_history.history(conn, Sight(areas=(B1,)), case, ledger=LEDGER) == []


def test_who_sees_two_cases_of_one_id_reads_the_first_recorded_or_the_one_named(twins):
    conn, case = twins
    row, trail = open_cases.get_case(conn, EVERYTHING, case), case_history.history(conn, EVERYTHING, case)
    assert row is not None
    assert row["summary"] == "ours"
    assert [step["version"] for step in trail] == [1, 2, 3, 4]
    assert {step["ledger"] for step in trail} == {LEDGER}
    other = open_cases.get_case(conn, EVERYTHING, case, "411502002")
    assert other is not None
    assert other["summary"] == "theirs"
    assert len(case_history.history(conn, EVERYTHING, case, ledger="411502002")) == 2
    assert case_history.history(conn, EVERYTHING, case, after=(2,)) == trail[2:]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rUbBiSh", True),
        ("RUE D'ÉCOLE", True),
        ("école", False),
        ("100%_/", True),
        ("100__", False),
        ("r-7é", True),
        ("R-7É", False),
    ],
)
def test_text_is_found_alike_on_every_store(follow, database, text, found):
    """A to Z in either case, other letters as they are written, and no wildcards."""
    history = History()
    history.case_reported("one", summary="RUBBISH, rue d'ÉCOLE, 100%_/", reference="R-7é")
    follow(history).catch_up()
    with reading(database) as conn:
        assert names(list_cases(conn, EVERYTHING, text=text)) == (["one"] if found else [])


def test_workload_counts_a_persons_day_and_what_lies_on_the_desk_now(conn):
    rows = workload.list_workload(conn, EVERYTHING, from_day="2026-11-21", to_day="2026-11-21", person=LI)
    assert [(row["cases_reported"], row["cases_handled"], row["overtime"]) for row in rows] == [(4, 1, 0)]
    (zhao,) = workload.list_workload(conn, EVERYTHING, from_day="2026-11-21", to_day="2026-11-21", person=ZHAO)
    assert (zhao["cases_reported"], zhao["overtime"]) == (0, 1)
    in_a1 = workload.list_workload(conn, Sight(areas=(A1,)), from_day="2026-11-01", to_day="2026-11-30")
    assert [(row["person"], row["cases_reported"]) for row in in_a1] == [(LI, 2)]
    assert workload.list_workload(conn, EVERYTHING, from_day="2026-11-22", to_day="2026-11-30") == []
    assert workload.on_the_desk(conn, EVERYTHING, [LI, WANG], day="2026-11-21", now=at(101)) == {
        LI: {"held": 2, "overdue": 1},
        WANG: {"held": 0, "overdue": 0},
    }
    assert people.assignments_of(conn, LI, "2025-12-31") == []
