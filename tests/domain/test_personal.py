"""Disclosures and digests, the table of personal fields, and the numbers that no plain text may bear."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import domain
from domain import refusals as no
from domain.aggregate import fields_of
from domain.books import Books, must_be_a_book
from domain.entries import KINDS
from domain.personal import (
    CARRIERS,
    FIELDS,
    IN_PLACE_OF,
    NEVER_PLAIN,
    REFUSED_ENTRY,
    BadDisclosure,
    bears_a_number,
    digest_of,
    disclosed,
    is_digest,
    make_disclosure,
    must_be_declared,
    read_disclosure,
    told_apart,
    value_fault,
)
from tests.domain.cast import CHEN, LI, SUBJECT, WU, ZHENG, ZHOU, Matter

KNOWN = json.loads((Path(__file__).parents[1] / "vectors" / "known_answers.json").read_text())["sd_jwt_disclosure"]


# ---- disclosures


def test_the_known_answer_of_rfc_9901():
    assert digest_of(KNOWN["disclosure"]) == KNOWN["digest"]
    said = read_disclosure(KNOWN["disclosure"])
    assert (said.salt, said.field, said.value) == ("_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius")


@given(
    st.text(max_size=40),
    st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9), st.lists, max_leaves=5),
)
def test_what_is_disclosed_reads_back(field, value):
    text = make_disclosure(field, value)
    said = read_disclosure(text)
    assert (said.field, said.value) == (field, value)
    assert is_digest(digest_of(text))


def test_no_two_disclosures_of_one_value_are_alike():
    items, texts = disclosed(SUBJECT, [("need_voiced", "a lift")] * 50)
    assert len({item["digest"] for item in items}) == len(set(texts)) == 50


def plainly(text: str | bytes) -> str:
    """Bytes as a disclosure would be written, whatever they say."""
    return base64.urlsafe_b64encode(text if isinstance(text, bytes) else text.encode()).rstrip(b"=").decode()


SALT = "s" * 22
NO_DISCLOSURES = [
    "",
    "x",
    "\u00e9",
    KNOWN["disclosure"] + "=",
    KNOWN["disclosure"] + "A",
    KNOWN["disclosure"][:-1] + "1",
    plainly("not JSON"),
    plainly(b"\xff"),
    plainly("[" * 90_000),
    plainly('{"a":1}'),
    plainly(f'["{SALT}","a"]'),
    plainly(f'["{SALT}",1,"b"]'),
    plainly(f'["{SALT}","a",NaN]'),
    plainly(f'["{SALT}","a",{{"b":1,"b":2}}]'),
    plainly('["c2FsdA","need_voiced","short salt"]'),
    plainly(f'["{SALT[:-1]}!","a","b"]'),
]


@pytest.mark.parametrize("text", NO_DISCLOSURES)
def test_what_is_no_disclosure_is_refused(text):
    with pytest.raises(BadDisclosure):
        read_disclosure(text)


# ---- the table


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_says_why_on_which_ground_how_long_and_where(name):
    declared = FIELDS[name]
    assert len(declared.purpose.split()) > 3
    assert "PIPL art" in declared.basis
    assert 1 <= declared.retention_days <= 1095
    assert declared.topics <= set(domain.event_classes())
    for topic in declared.topics:
        said, derived = fields_of(domain.event_classes()[topic])
        assert "personal" in {*said, *derived}, f"{topic} has no place for {name}"


def test_every_event_that_has_a_place_for_personal_values_carries_some_or_refuses_all():
    having = {topic for topic, event in domain.event_classes().items() if "personal" in {*fields_of(event)[0], *fields_of(event)[1]}}
    assert having >= CARRIERS
    assert having - CARRIERS == {"case.mustered"}


def test_every_text_of_a_case_has_a_field_in_its_place():
    for topic in KINDS:
        if not topic.startswith("case."):
            continue
        for name in set(fields_of(domain.event_classes()[topic])[0]) & set(IN_PLACE_OF):
            assert topic in FIELDS[IN_PLACE_OF[name]].topics, (topic, name)
    assert all(topic in FIELDS[field].topics for topic, instead in NEVER_PLAIN.items() for field in instead.values())


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("need_voiced", ["a lift", "去医院"], ["", " ", "x" * 501, 7, None, ["a lift"], "a\0b"]),
        ("resident_phone", ["13800138000", "+86 138 0013 8000", "0376-6365000"], ["", "1234", "call me", 13800138000, "1" * 21]),
        (
            "visit_place",
            [{"lat": 32, "lon": 114.5, "purpose": "door"}],
            [{}, {"lat": 91, "lon": 0, "purpose": "x"}, {"lat": True, "lon": 0, "purpose": "x"}],
        ),
        ("photo", ["a" * 64], ["A" * 64, "a" * 63, ["a" * 64]]),
    ],
)
def test_a_value_has_the_form_of_its_field(field, good, bad):
    assert [value_fault(field, value) for value in good] == [None] * len(good)
    assert all(value_fault(field, value) for value in bad)


def test_an_undeclared_field_and_one_of_another_kind_are_refused():
    for topic, field in (
        ("visit.made", "shoe_size"),
        ("visit.made", "case_result"),
        ("case.mustered", "case_note"),
        ("case.handled", REFUSED_ENTRY),
    ):
        items, _ = disclosed(SUBJECT, [(field, "x")])
        with pytest.raises(no.UndeclaredPersonalField):
            must_be_declared(topic, items)


# ---- private matters


@pytest.mark.parametrize(
    ("code", "private"), [("A01", False), ("B", False), ("C", True), ("D", True), ("E03", False), ("F", True), ("F04", True)]
)
def test_a_category_is_private_where_its_book_says_so(code, private):
    assert Books.default().is_private(f"gridtrail/1/{code}") is private


def test_a_book_may_say_otherwise_of_a_longer_code():
    codes = {
        "F": {"name": "care", "private": True},
        "F01": {"name": "water", "private": False},
        "F011": {"name": "hot water"},
        "G": {"name": "trees"},
    }
    content = {"scheme": "city", "version": "1", "codes": codes}
    must_be_a_book("categories", content)
    books = Books.of([{"kind": "categories", "name": "city", "version": "1", "effective_from": "2026-01-01", "content": content}])
    assert [books.is_private(f"city/1/{code}") for code in codes] == [True, False, False, False]
    with pytest.raises(no.BookIsWrong):
        must_be_a_book("categories", {**content, "codes": {"F": {"name": "care", "private": "yes"}}})


QUARREL = {"category": "gridtrail/1/D", "summary": "They quarrel over noise", "photos": ["a" * 64]}


def test_a_private_matter_is_told_in_disclosures_from_beginning_to_end():
    matter = Matter(**QUARREL).registered(ZHOU, complexity="simple").says(ZHOU, "dispatch", to=matter_unit(), note="be patient")
    matter.says(WU, "acknowledge").says(WU, "handle", result="They agreed").says(ZHENG, "check", passed=True, note="quiet").says(
        ZHOU, "close"
    )
    assert matter.case.is_private
    assert matter.case.subject == SUBJECT
    told = [item["field"] for fact in matter.history for item in fact.personal]
    assert told == ["case_summary", "photo", "case_note", "case_result", "case_note"]
    for fact in matter.history:
        assert not any(getattr(fact, name, None) for name in IN_PLACE_OF)


def matter_unit():
    return WU.units[0]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("accept", {"note": "on it"}),
        ("reject", {"reason": "over"}),
        ("escalate", {"reason": "too much for us"}),
        ("verify", {"found": True, "photos": ["b" * 64]}),
    ],
)
def test_a_private_matter_is_not_told_in_the_open(action, said):
    matter = Matter(**QUARREL, source="resident")
    method = {"reject": "reject", "accept": "accept", "escalate": "escalate", "verify": "verify"}[action]
    who = LI if action in ("escalate", "verify") else CHEN
    with pytest.raises(no.PersonalText) as refused:
        getattr(matter.case, method)(who.act(matter.now), matter.books, **said)
    assert refused.value.facts["pointer"].startswith("/data/")
    assert not matter.case.pending_events


def test_a_reason_may_be_given_in_a_disclosure_and_must_be_given():
    matter = Matter()
    told, _ = told_apart("case.rejected", {"reason": "Mr Wang withdrew it"}, SUBJECT)
    with pytest.raises(no.ReasonNeeded):
        matter.case.reject(CHEN.act(matter.now), matter.books)
    matter.case.reject(CHEN.act(matter.now), matter.books, **told)
    assert matter.case.status == "rejected"


# ---- numbers of persons


@pytest.mark.parametrize(
    "text",
    [
        "13812345678",
        "call 138 1234 5678 please",
        "电话13812345678",
        "tel:138-1234-5678.",
        "+8613812345678",
        "0086 13812345678",
        "86-13812345678",
        "\uff11\uff13\uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "19912345678,",
        "11010519491231002X",
        "id 11010519491231002x",
        "身份证110105 19491231 002X",
        "440308199901010012",
    ],
)
def test_a_personal_number_is_seen(text):
    assert bears_a_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14 bags",
        "12812345678",
        "1381234567",
        "138123456789",
        "411502001001001",
        "41150200100100101",
        "2026-11-21T09:03:12.123+08:00",
        "114.13812345678, 32.15912345678",
        "1794618060000",
        "case 0b0a6a0e-8f0e-4c58-9c54-138123456780",
        "5f7a0c52-1d0b-5c3a-9a44-13812345678a",
        "a" * 20 + "13812345678" + "b" * 33,
        "H-001001001-013",
        "0376-6365000",
        "110105194912310020",
        "91411500MA3X13812X",
        "6222021234567890123",
        "the 110105194913310026 of no day",
        "1 3 8 1 2 3 4 5 6 7 8",
        "400-138-1234",
    ],
)
def test_other_numbers_are_let_pass(text):
    assert not bears_a_number(text)


def test_quantities_and_references_are_guarded_too():
    with pytest.raises(no.PersonalNumberInText):
        Matter(reference="13812345678")
    with pytest.raises(no.NotAReference):
        Matter(reference="Mrs Wang")
    matter = Matter().with_fire()
    with pytest.raises(no.PersonalNumberInText):
        matter.case.handle(WU.act(matter.now), matter.books, result="done", quantities={"call 13812345678": 1})
