"""Rulebooks: what is shipped, what a city publishes above it, and which version holds on a day."""

import json
from uuid import uuid4

import pytest

from domain import refusals as no
from domain.books import shipped_items
from domain.rulebook import Books, Rulebook
from domain.time_limits import Limit
from tests.domain.cast import BOOKS, FENG, ZHAO, at

NOW = ZHAO.act(at("2026-11-16 09:00"))
STLOUIS = [
    {
        "kind": "categories",
        "name": "stlouis",
        "version": "1",
        "effective_from": "2008-01-01",
        "content": {"scheme": "stlouis", "version": "1", "codes": {"STREET": {"name": "Street"}}},
    },
    {
        "kind": "limits",
        "name": "stlouis",
        "version": "1",
        "effective_from": "2008-01-01",
        "content": {"scheme": "stlouis", "scheme_version": "1", "limits": [{"category": "", "kind": "natural_day", "amount": 3}]},
    },
]


@pytest.mark.parametrize(
    ("category", "complexity", "kind", "amount"),
    [
        ("A01", None, "work_hour", 4),
        ("A02", None, "work_day", 1),
        ("A03", None, "urgent_hour", 2),
        ("B01", None, "work_hour", 2),
        ("B02", None, "urgent_hour", 1),
        ("B03", None, "urgent_hour", 1),
        ("B04", None, "urgent_hour", 2),
        ("B05", None, "urgent_hour", 2),
        ("B06", None, "urgent_hour", 2),
        ("D", "simple", "natural_day", 1),
        ("D", "ordinary", "natural_day", 7),
        ("D", "complex", "natural_day", 20),
        ("E01", None, "work_day", 5),
        ("E02", None, "work_day", 15),
        ("F01", None, "urgent_hour", 24),
        ("F04", None, "urgent_hour", 24),
    ],
)
def test_the_shipped_limits_are_the_fields(category, complexity, kind, amount):
    assert BOOKS.limit_for(f"gridtrail/1/{category}", "normal", complexity, "2026-11-16") == Limit(kind, amount)


def test_every_shipped_category_has_a_limit_and_every_shipped_book_could_be_published():
    for item in shipped_items():
        book = Rulebook.open(NOW, BOOKS, uuid4(), city="4115", kind=item["kind"], name=item["name"])
        book.publish(NOW, BOOKS, **{name: item[name] for name in ("version", "effective_from", "content")})
        if item["kind"] == "categories":
            for code in item["content"]["codes"]:
                assert BOOKS.limit_for(f"gridtrail/1/{code}", "normal", None, "2026-11-16")


def test_accepting_and_dispatching_take_15_minutes_as_shipped_and_where_nothing_is_published():
    for books, category in ((BOOKS, "gridtrail/1/A01"), (Books.of(STLOUIS), "stlouis/1/STREET")):
        assert books.accept_limit(category, "2026-11-16") == books.dispatch_limit(category, "2026-11-16") == Limit("urgent_hour", 0.25)


def test_the_calendar_of_the_day_is_taken():
    assert BOOKS.calendar_for("2026-02-01").label == "cn@2026"
    assert BOOKS.calendar_for("2008-09-02").label == "cn@weekdays"
    with pytest.raises(no.NoCalendar):
        BOOKS.calendar("cn@1999")


def test_a_citys_own_scheme_stands_beside_the_shipped_one():
    books = Books.of(STLOUIS)
    assert books.knows_category("stlouis/1/STREET")
    assert books.knows_category("gridtrail/1/A01")
    assert not books.knows_category("stlouis/1/STREET", "2007-12-31")
    assert books.limit_for("stlouis/1/STREET", "normal", None, "2008-09-02") == Limit("natural_day", 3)
    with pytest.raises(no.NoTimeLimit):
        books.limit_for("stlouis/1/STREET", "normal", None, "2007-12-31")


def test_a_published_book_goes_before_the_shipped_one_from_its_day_on():
    night = {"category": "A01", "urgency": "emergency", "kind": "urgent_hour", "amount": 1}
    content = {"scheme": "gridtrail", "scheme_version": "1", "limits": [{"category": "A", "kind": "work_day", "amount": 9}, night]}
    books = Books.of([{"kind": "limits", "name": "own", "version": "1", "effective_from": "2026-06-01", "content": content}])
    assert books.limit_for("gridtrail/1/A01", "normal", None, "2026-05-31") == Limit("work_hour", 4)
    assert books.limit_for("gridtrail/1/A01", "normal", None, "2026-06-01") == Limit("work_day", 9)
    assert books.limit_for("gridtrail/1/A01", "emergency", None, "2026-06-01") == Limit("urgent_hour", 1)


def test_a_later_version_takes_the_place_of_an_earlier_one():
    def plan(version, day, days):
        content = {"tiers": {"all": days}, "groups": {"living_alone": {"tier": "all"}}}
        return {"kind": "care_plan", "name": "own", "version": version, "effective_from": day, "content": content}

    books = Books.of([plan("2", "2026-07-01", 10), plan("1", "2026-01-01", 20), plan("2b", "2026-07-01", 9)])
    assert [books.care_interval("living_alone", day) for day in ("2025-12-31", "2026-06-30", "2026-07-01")] == [30, 20, 9]


def test_the_shipped_care_plan_has_the_fields_groups_and_no_other_tags():
    groups = {"living_alone", "empty_nest", "left_behind", "disabled_elderly", "severe_disability", "bereaved_family", "extreme_poverty"}
    assert set(BOOKS.care_groups()) == groups | {"child_in_need", "left_behind_child"}
    assert {BOOKS.care_interval(group) for group in BOOKS.care_groups()} == {7, 30, 90}


def test_a_published_version_never_changes():
    content = STLOUIS[0]["content"]
    book = Rulebook.open(NOW, BOOKS, uuid4(), city="2951", kind="categories", name="stlouis")
    book.publish(NOW, BOOKS, version="1", effective_from="2008-01-01", content=content)
    assert book.has_version("1", json.loads(json.dumps(content)))
    assert not book.has_version("1", {**content, "codes": {}})
    with pytest.raises(no.VersionPublished):
        book.publish(NOW, BOOKS, version="1", effective_from="2008-01-01", content={**content, "codes": {"X": {}}})


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("categories", {"scheme": "s", "version": "1", "codes": {}}),
        ("categories", {"scheme": "s", "version": "1", "codes": {"A/1": {}}}),
        ("categories", {"codes": {"A": {}}}),
        ("limits", {"scheme": "s", "scheme_version": "1", "limits": [{"category": "A", "kind": "week", "amount": 1}]}),
        ("limits", {"scheme": "s", "scheme_version": "1", "limits": [{"category": "A", "kind": "work_day", "amount": 1, "urgency": "x"}]}),
        ("limits", {"scheme": "s", "scheme_version": "1", "limits": [], "accept": {"kind": "work_day", "amount": -1}}),
        ("care_plan", {"tiers": {"high": 7}, "groups": {"living_alone": {"tier": "low"}}}),
        ("care_plan", {"tiers": {"high": 0}, "groups": {}}),
        ("calendar", {"zone": "Asia/Shanghai"}),
    ],
)
def test_half_a_book_is_not_published(kind, content):
    book = Rulebook.open(NOW, BOOKS, uuid4(), city="4115", kind=kind, name="x")
    with pytest.raises(no.BookIsWrong):
        book.publish(NOW, BOOKS, version="1", effective_from="2026-01-01", content=content)


def test_a_book_has_a_kind_a_city_and_a_name_that_a_label_can_hold():
    for wrong, refusal in (
        ({"kind": "songs"}, no.UnknownBook),
        ({"city": "411502"}, no.NotYourCity),
        ({"name": "a@b"}, no.TextNeeded),
    ):
        with pytest.raises(refusal):
            Rulebook.open(FENG.act(at("2026-11-16 09:00")), BOOKS, uuid4(), **{"city": "4115", "kind": "limits", "name": "x", **wrong})
