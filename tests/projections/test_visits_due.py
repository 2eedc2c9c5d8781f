"""Which household is due by which day, after visits in whatever order they were uploaded."""

import random
from itertools import permutations

import orjson

from projections import tablet_changes, visits_due
from projections.engine import fold_lines
from projections.sight import EVERYTHING, Sight
from service.database import reading
from tests.projections.telling import A1, A2, COMMUNITY, LI, History, id_of

FAR = "2099-01-01"


def households(database, sight=EVERYTHING, **asked):
    with reading(database) as conn:
        return [row["household"] for row in visits_due.list_due(conn, sight, **{"due_by": FAR, **asked})]


def test_the_longest_overdue_stands_first_and_who_is_in_no_plan_stands_nowhere(follow, database):
    history = History()
    history.visit_made("one", "house", next_due="2026-11-25")
    history.visit_made("two", "tower", A2, next_due="2026-11-22", care_group="extreme_poverty")
    history.visit_made("three", "barn", next_due="2026-12-01")
    history.visit_made("four", "shop", care_group=None)
    follow(history).catch_up()
    assert households(database) == ["tower", "house", "barn"]
    assert households(database, due_by="2026-11-25") == ["tower", "house"]
    assert households(database, due_by="2026-11-21") == []
    assert households(database, area=A1) == ["house", "barn"]
    assert households(database, area=COMMUNITY, groups=["extreme_poverty"]) == ["tower"]
    assert households(database, places=[A2]) == ["tower"]
    assert households(database, places=[]) == households(database, groups=[]) == []
    assert households(database, Sight(areas=(A1,))) == ["house", "barn"]
    assert households(database, Sight()) == []
    assert households(database, after=("2026-11-25", history.ledger, "house")) == ["barn"]
    assert households(database, limit=1) == ["tower"]


def test_overdue_today_and_later_are_counted_by_the_day_of_asking(follow, database):
    history = History()
    for number, day in enumerate(("2026-11-20", "2026-11-21", "2026-11-21", "2026-11-24", "2027-01-01")):
        history.visit_made(f"v{number}", f"h{number}", next_due=day)
    follow(history).catch_up()
    with reading(database) as conn:
        counted = visits_due.count_due(conn, EVERYTHING, today="2026-11-21", due_by="2026-11-30")
        assert counted == {"overdue": 1, "today": 2, "later": 1}
        assert visits_due.count_due(conn, Sight(), today="2026-11-21", due_by=FAR) == {"overdue": 0, "today": 0, "later": 0}


def test_the_latest_visit_decides_in_whatever_order_visits_came():
    visits = [(1, "met", "2026-12-21"), (2, "no_one_home", "2026-11-24"), (3, "refused", "2026-12-23")]
    for order in permutations(visits):
        history = History()
        for minute, outcome, due in order:
            history.visit_made(f"v{minute}", "house", minute=minute, outcome=outcome, next_due=due)
        (row,) = fold_lines("visits_due", history.lines)
        assert (row["next_due"], row["visit_id"], row["outcome"], row["visits"]) == ("2026-12-23", id_of("v3"), "refused", 3)
        assert (row["met_on"], row["person"]) == ("2026-11-21", LI)


def test_a_visit_that_sets_no_day_takes_the_household_out_of_the_plan():
    history = History()
    history.visit_made("one", "house", next_due="2026-11-25")
    history.visit_made("two", "house", care_group=None)
    (row,) = fold_lines("visits_due", history.lines)
    assert (row["next_due"], row["visits"]) == (None, 2)


def test_the_console_and_the_tablets_have_the_same_plan():
    chance = random.Random(20261121)
    history = History()
    for number in range(300):
        household, minute = f"h{chance.randint(1, 40)}", chance.randint(0, 120)
        due = chance.choice((None, f"2026-12-{chance.randint(1, 31):02d}"))
        history.visit_made(f"v{number}", household, chance.choice((A1, A2)), minute=minute, next_due=due)
    shared = ("household", "area", "care_group", "next_due", "outcome", "visit_id")
    console = {row["household"]: [row[name] for name in shared] for row in fold_lines("visits_due", history.lines)}
    base = [row for row in fold_lines("tablet_changes", history.lines) if row["kind"] == "visit" and row["audience"] == tablet_changes.BASE]
    told = [orjson.loads(row["payload"]) for row in base]
    assert console == {each["household"]: [each[name] for name in shared] for each in told}
    assert len(console) == 40
