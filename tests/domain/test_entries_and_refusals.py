"""The two tables that others read: what may be sent, and what is said no with."""

import inspect
import re
from pathlib import Path
from uuid import uuid4

import pytest

import domain
from domain import refusals as no
from domain.aggregate import Act, Fact, fields_of
from domain.case import Case
from domain.case_rules import RULES
from domain.case_status import NEXT, STATUSES
from domain.entries import ACTIONS, KINDS, decide
from domain.errors import Refusal
from tests.domain.cast import BOOKS, GRID_A1, GRID_A2, LI, SUN, Matter, at

SOURCES = Path(domain.__file__).parent


def test_every_kind_is_an_event_and_its_method_takes_what_the_event_says():
    events = domain.event_classes()
    for topic, kind in KINDS.items():
        said = set(fields_of(events[topic])[0]) - {"area"}
        taken = inspect.signature(getattr(kind.aggregate, kind.method)).parameters
        assert said <= set(taken) or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values()), topic
        assert kind.starts == (topic in ("patrol.started", "visit.made", "case.reported"))


def test_every_action_has_a_rule_and_every_rule_names_known_statuses():
    assert set(ACTIONS) == set(RULES)
    assert {status for rule in RULES.values() for status in rule.statuses} <= set(STATUSES)
    assert set(NEXT) <= set(domain.event_classes())


def test_no_event_says_something_under_a_name_that_every_event_has():
    common = set(fields_of(Fact)[1])
    for topic, event in domain.event_classes().items():
        assert not common & set(fields_of(event)[0]), topic


def test_an_auditor_sends_nothing():
    for topic, kind in KINDS.items():
        assert "auditor" not in kind.roles, topic
    with pytest.raises(no.RoleMayNotDoThis):
        decide(KINDS["visit.made"], SUN.act(at("2026-11-16 09:00")), BOOKS, stream=uuid4(), area=GRID_A1, said={})
    for action in ACTIONS:
        with pytest.raises(no.RoleMayNotDoThis):
            Matter().case._may(action, SUN.act(at("2026-11-16 09:00")))


def test_an_entry_begins_one_record_and_names_its_area():
    matter, act = Matter(), LI.act(at("2026-11-16 09:00"))
    report = {"category": "gridtrail/1/E01", "summary": "a hole"}
    with pytest.raises(no.AlreadyBegun):
        decide(KINDS["case.reported"], act, BOOKS, stream=matter.id, area=GRID_A1, said=report, aggregate=matter.case)
    with pytest.raises(no.NotBegun):
        decide(KINDS["case.handled"], act, BOOKS, stream=uuid4(), area=GRID_A1, said={"result": "x"})
    with pytest.raises(no.AnotherArea):
        decide(KINDS["case.escalated"], act, BOOKS, stream=matter.id, area=GRID_A2, said={"reason": "x"}, aggregate=matter.case)


def test_an_act_on_a_tablet_keeps_the_tablets_bytes():
    act = Act("li", "worker", at("2026-11-16 09:00"), "2026-11-16", (GRID_A1,), "tablet", b'{"seq":1}')
    case = Case.report(act, BOOKS, uuid4(), area=GRID_A1, category="gridtrail/1/E01", summary="a hole")
    assert (case.pending_events[0].entry, case.pending_events[0].tablet) == (b'{"seq":1}', "tablet")


def refusals() -> list[type[Refusal]]:
    return [each for each in vars(no).values() if isinstance(each, type) and issubclass(each, Refusal) and each is not Refusal]


def test_every_refusal_has_a_code_of_its_own_and_a_sentence_of_its_own():
    assert len({each.code for each in refusals()}) == len({each.sentence for each in refusals()}) == len(refusals())
    assert all(each.sentence.endswith(".") and each.sentence != Refusal.sentence for each in refusals())


def test_every_refusal_is_used():
    code = "".join(path.read_text("utf-8") for path in SOURCES.glob("*.py") if path.name != "refusals.py")
    assert [each.__name__ for each in refusals() if not re.search(rf"\b{each.__name__}\b", code)] == []


def test_every_action_that_comes_at_the_wrong_time_is_refused_by_name():
    case = Matter().case
    for action, rule in RULES.items():
        for status in set(STATUSES) - set(rule.statuses):
            case.status = status
            refusal = case._why_not_now(action, rule)
            assert issubclass(refusal, Refusal), (action, status)
            assert refusal is not Refusal, (action, status)
