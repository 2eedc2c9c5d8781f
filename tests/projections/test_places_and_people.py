"""Areas, people, rulebooks, patrols, visits, refusals and tablets after a history."""

import pytest

from projections import areas, patrol_coverage, people, refusals, rulebooks, tablets, visit_log
from projections.sight import EVERYTHING, Sight
from projections.tables import METADATA
from service.database import reading
from tests.projections.telling import A1, A2, COMMUNITY, FIRE, LEDGER, LI, WANG, ZHAO, History, at, id_of


@pytest.fixture
def folded(follow, database):
    """Folds a history and gives a connection that reads what came of it."""
    opened = []

    def ask(history: History):
        follow(history).catch_up()
        opened.append(reading(database))
        return opened[-1].__enter__()

    yield ask
    for each in opened:
        each.__exit__(None, None, None)


def test_an_area_has_the_name_of_the_day_and_ends(folded):
    history = History()
    history.area_registered(A1, "Riverside", kind="general")
    history.tell("area.changed", f"area {A1}", {"code": A1, "effective_from": "2026-06-01", "name": "River Gate"})
    history.tell("area.ended", f"area {A1}", {"code": A1, "effective_to": "2026-12-31", "successors": [A2]})
    conn = folded(history)
    named = [areas.get_area(conn, A1, day)["name"] for day in ("2026-05-31", "2026-06-01", "2026-12-31")]
    assert named == ["Riverside", "River Gate", "River Gate"]
    assert areas.get_area(conn, A1, "2027-01-01") is None
    assert areas.get_area(conn, A1)["successors"] == f'["{A2}"]'
    assert (areas.get_area(conn, A1)["parent"], areas.get_area(conn, A1)["level"]) == (COMMUNITY, "grid")
    assert [areas.in_force(conn, A1, day) for day in ("2025-12-31", "2026-01-01", "2027-01-01")] == [False, True, False]
    assert [row["code"] for row in areas.list_areas(conn, EVERYTHING, area=COMMUNITY, level="grid", day="2026-02-01")] == [A1]
    assert areas.list_areas(conn, Sight(areas=(A2,))) == []


def test_areas_are_found_by_their_codes_and_may_be_told_without_outlines(folded):
    history = History()
    history.area_registered(A1, "Riverside", centre=[114.07, 32.12])
    history.area_registered(A2, "Old Gate", polygon={"type": "Polygon", "coordinates": []})
    conn = folded(history)
    assert [row["code"] for row in areas.list_areas(conn, EVERYTHING, codes=[A2, "411502001001009"])] == [A2]
    assert areas.list_areas(conn, Sight(areas=(A1,)), codes=[A2]) == []
    whole, short = areas.list_areas(conn, EVERYTHING), areas.list_areas(conn, EVERYTHING, outlines=False)
    assert (whole[0]["centre"], whole[1]["polygon"]) == ("[114.07,32.12]", '{"coordinates":[],"type":"Polygon"}')
    assert short == [{**row, "centre": None, "polygon": None} for row in whole]


def test_assignments_hold_from_a_day_to_a_day_and_leaving_ends_them_all(folded):
    history = History()
    history.tell("person.registered", "li", {"home": COMMUNITY})
    for name, unit, last in (("a", A1, "2026-03-31"), ("b", A2, None), ("c", FIRE, None)):
        said = {"assignment": id_of(name), "as_role": "worker", "unit": unit, "from_day": "2026-01-01", "to_day": last}
        history.tell("person.assigned", "li", {key: value for key, value in said.items() if value})
    history.tell("person.assignment_ended", "li", {"assignment": id_of("b"), "to_day": "2026-05-31"})
    history.tell("person.left", "li", {"to_day": "2026-08-31"})
    conn = folded(history)
    units = {day: {row["unit"] for row in people.assignments_of(conn, LI, day)} for day in ("2026-03-31", "2026-04-01", "2026-08-31")}
    assert units == {"2026-03-31": {A1, A2, FIRE}, "2026-04-01": {A2, FIRE}, "2026-08-31": {FIRE}}
    assert people.assignments_of(conn, LI, "2026-09-01") == []
    assert len(people.assignments_of(conn, LI)) == 3
    assert people.get_person(conn, LI)["unit"] == COMMUNITY
    assert people.get_person(conn, WANG) is None
    assert [row["person"] for row in people.people_of(conn, EVERYTHING, unit=FIRE, day="2026-08-31", role="worker")] == [LI]
    assert people.people_of(conn, EVERYTHING, area=A1, day="2026-08-31") == []
    assert [row["unit"] for row in people.people_of(conn, Sight(units=(FIRE,)))] == [FIRE]


def test_every_published_version_of_a_book_is_kept(folded):
    history = History("4115")
    history.tell("rulebook.opened", "limits", {"city": "4115", "kind": "limits", "name": "default"})
    for version in ("1", "2"):
        said = {"kind": "limits", "name": "default", "version": version, "effective_from": "2026-01-01", "content": {"limits": [version]}}
        history.tell("rulebook.published", "limits", said)
    conn = folded(history)
    published = [(row["version"], row["content"]) for row in rulebooks.published(conn, "4115")]
    assert published == [("1", {"limits": ["1"]}), ("2", {"limits": ["2"]})]
    assert rulebooks.published(conn, "4116") == []
    assert (rulebooks.stand(conn, "4115"), rulebooks.stand(conn, "4116")) == (2, 0)


def test_coverage_counts_grids_that_were_patrolled_of_those_that_existed(folded):
    history = History()
    history.area_registered(A1, "Riverside")
    history.area_registered(A2, "Old Gate")
    history.patrol_walked("one", stops=3)
    history.patrol_walked("two", A1 + "01", stops=1)
    history.tell("patrol.started", "unfinished", {"area": "411502001001009"})
    conn = folded(history)
    period = {"from_day": "2026-11-21", "to_day": "2026-11-21"}
    rows = patrol_coverage.list_coverage(conn, EVERYTHING, area=COMMUNITY, **period)
    assert [(row["area"], row["days"], row["started"], row["finished"], row["checkpoints"]) for row in rows] == [
        (A1, 1, 1, 1, 3),
        (A1 + "01", 1, 1, 1, 1),
        ("411502001001009", 1, 1, 0, 0),
    ]
    assert patrol_coverage.list_coverage(conn, EVERYTHING, after=(A1,), limit=1, **period) == rows[1:2]
    assert patrol_coverage.coverage_rate(conn, EVERYTHING, **period) == {"patrolled": 1, "due": 2}
    assert patrol_coverage.coverage_rate(conn, Sight(areas=(A2,)), **period) == {"patrolled": 0, "due": 1}
    assert patrol_coverage.coverage_rate(conn, EVERYTHING, area="4116", **period) == {"patrolled": 0, "due": 0}


def test_visits_are_listed_latest_first_and_by_what_is_due(folded):
    history = History()
    history.visit_made("one", "house", next_due="2026-11-25")
    history.visit_made("two", "house", next_due="2026-12-25")
    history.visit_made("three", "tower", A2, next_due="2026-11-24")
    conn = folded(history)

    def found(sight=EVERYTHING, **asked):
        rows = visit_log.list_visits(conn, sight, **asked)
        return [name for row in rows for name in ("one", "two", "three") if row["visit_id"] == id_of(name)]

    assert found() == ["three", "two", "one"]
    assert found(household="house", from_day="2026-11-21", to_day="2026-11-21") == ["two", "one"]
    assert found(due_by="2026-11-30") == ["three"]
    assert found(due_by="2026-12-31") == ["three", "two"]
    assert found(area=A1, care_group="living_alone", person=LI) == ["two", "one"]
    assert found(Sight(areas=(A2,))) == ["three"]
    assert found(after=(at(1), id_of("two"))) == ["one"]


def test_a_refused_entry_waits_until_somebody_decides(folded):
    history = History()
    bytes_ = {"leaf": "eA==", "personal": [{"subject": id_of("s"), "field": "refused_entry", "digest": "d" * 43}]}
    kept = {"area": A1, "person": LI, "tablet": id_of("t"), "detail": "no", **bytes_}
    first = history.tell("refused.kept", "one", seq=1, code="not_your_case", facts={"holder": FIRE}, **kept)
    second = history.tell("refused.kept", "two", seq=2, code="not_json", **kept)
    history.tell("refused.reapplied", "one", {"reason": "ours"}, by=ZHAO, area=A1, ledger=LEDGER, stream=id_of("x"), version=3)
    history.tell("refused.dismissed", "two", {"reason": "noise"}, by=ZHAO, area=A1)
    conn = folded(history)
    row = refusals.get_refusal(conn, EVERYTHING, first)
    assert (row["state"], row["became_stream"], row["became_version"], row["decided_by"]) == ("reapplied", id_of("x"), 3, ZHAO)
    assert row["facts"] == f'{{"holder":"{FIRE}"}}'
    (row,) = refusals.list_refusals(conn, EVERYTHING, state="dismissed", area=A1, person=LI)
    assert (row["refusal_id"], row["reason"], row["subject"], row["digest"]) == (second, "noise", id_of("s"), "d" * 43)
    assert refusals.get_refusal(conn, Sight(areas=(A2,)), first) is None
    assert [row["seq"] for row in refusals.list_refusals(conn, EVERYTHING, limit=1, after=(at(1), second))] == [1]


def test_a_tablet_shows_its_last_contact_and_what_it_owes(folded):
    history = History()
    tablet = history.tell("tablet.enrolled", "t", {"public_key": "k", "algorithm": "ed25519", "label": "7"}, origin="o", person=LI, area=A1)
    for first in (0, 5):
        upload = {"seal": "s", "first": first, "size": first + 5, "recorded": 4, "refused": 1, "waiting": 3, "skew_ms": -40}
        history.tell("tablet.uploaded", "t", **upload)
    conn = folded(history)
    row = tablets.get_tablet(conn, EVERYTHING, tablet)
    assert (row["size"], row["recorded"], row["refused"], row["waiting"], row["skew_ms"]) == (10, 8, 2, 3, -40)
    assert (row["status"], row["last_contact"], row["label"]) == ("active", at(2), "7")


@pytest.mark.parametrize(
    ("topic", "said", "derived", "status"),
    [
        ("tablet.revoked", {"last_valid": 4, "reason": "lost"}, {}, "revoked"),
        ("tablet.forked", {}, {"seal": "s", "size": 3, "root": "r", "kept": 1}, "set_aside"),
        ("tablet.reinstated", {"reason": "found"}, {}, "active"),
    ],
)
def test_a_tablet_is_listed_by_its_status(folded, topic, said, derived, status):
    history = History()
    history.tell("tablet.enrolled", "t", {"public_key": "k", "algorithm": "ed25519"}, origin="o", person=LI, area=A1)
    history.tell(topic, "t", said, **derived)
    conn = folded(history)
    assert [row["status"] for row in tablets.list_tablets(conn, EVERYTHING, status=status, person=LI, area=COMMUNITY)] == [status]


def test_sight_covers_a_subtree_and_units_by_name():
    sight = Sight(areas=(COMMUNITY,), units=(FIRE,))
    assert sight.covers(A1)
    assert sight.covers("411502002", [None, FIRE])
    assert not sight.covers("411502001")
    assert not Sight().covers(A1)
    assert EVERYTHING.covers(A1)


def test_every_read_model_table_begins_its_key_with_the_ledger_and_can_be_rebuilt():
    for name, table in METADATA.tables.items():
        if f"{name}_rebuild" in METADATA.tables:
            assert next(iter(table.primary_key.columns)).name == "ledger"
            assert [column.name for column in table.columns] == [column.name for column in METADATA.tables[f"{name}_rebuild"].columns]
