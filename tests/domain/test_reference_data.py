"""Areas, people, tablets and refused entries: what every decision relies on."""

from uuid import uuid4

import pytest

from domain import refusals as no
from domain.areas import Area, ledger_of, lies_within, parent_of, unit_is_well_formed
from domain.people import Person
from domain.tablet import Refused, Tablet
from tests.domain.cast import BOOKS, FENG, GRID_A1, GRID_A2, at

ACT = FENG.act(at("2026-11-16 09:00"))
ASSIGNMENT = "5a0b7e0e-5c7a-4a53-9a44-6d1d4b0f7f10"


def area(**said) -> Area:
    return Area.register(ACT, BOOKS, uuid4(), **{"code": GRID_A1, "name": "A1", "effective_from": "2026-01-01", **said})


def person() -> Person:
    someone = Person.register(ACT, BOOKS, uuid4(), home="411502001003")
    someone.assign(ACT, BOOKS, assignment=ASSIGNMENT, role="worker", unit=GRID_A1, from_day="2026-01-01")
    return someone


def tablet() -> Tablet:
    said = {"public_key": "k", "algorithm": "ed25519", "origin": "city/tablet/1", "person": "li", "area": GRID_A1}
    return Tablet.enrol(ACT, BOOKS, uuid4(), **said)


def kept() -> Refused:
    said = {"seq": 7, "code": "not_your_case", "detail": "Another unit holds it.", "area": GRID_A1, "person": "li", "leaf": "eA=="}
    return Refused.keep(ACT, BOOKS, uuid4(), **said)


def replays(aggregate) -> bool:
    again = None
    for fact in aggregate.pending_events:
        again = fact.mutate(again)
    return vars(again) == {**vars(aggregate), "_pending_events": []}


def test_codes_nest_by_prefix():
    assert (parent_of(GRID_A1), ledger_of(GRID_A1), ledger_of("411502001/fire")) == ("411502001003", "411502001", "411502001")
    assert lies_within("411502001/fire", "411502")
    assert not lies_within("411503001", "411502")


@pytest.mark.parametrize(
    "unit", ["", "4", "41150", "\uff14\uff11\uff11\uff15", "411502/", "411502/Fire", "411502/fire/1", "/fire", "411502 "]
)
def test_what_is_no_unit(unit):
    assert not unit_is_well_formed(unit)


def test_an_area_changes_and_ends():
    grid = area(kind="general")
    grid.change(ACT, BOOKS, effective_from="2026-06-01", name="A1 north")
    assert not grid.differs("name", "A1 north")
    assert grid.differs("kind", "patrol")
    assert not grid.differs("effective_from", "2030-01-01")
    with pytest.raises(no.NothingChanged):
        grid.change(ACT, BOOKS, effective_from="2026-07-01", name="A1 north")
    grid.end(ACT, BOOKS, effective_to="2026-12-31", successors=[GRID_A2])
    with pytest.raises(no.AreaEnded):
        grid.change(ACT, BOOKS, effective_from="2027-01-01", name="gone")
    assert replays(grid)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"code": "41150200100300"}, no.NotAnArea),
        ({"name": " "}, no.TextNeeded),
        ({"kind": "huge"}, no.UnknownAreaKind),
        ({"effective_from": "2026-02-30"}, no.NotADay),
    ],
)
def test_an_area_that_cannot_be_is_refused(said, refusal):
    with pytest.raises(refusal):
        area(**said)


def test_an_area_does_not_end_before_it_began():
    with pytest.raises(no.DaysOutOfOrder):
        area().end(ACT, BOOKS, effective_to="2025-12-31")
    with pytest.raises(no.NotAnArea):
        area().end(ACT, BOOKS, effective_to="2026-12-31", successors=["A2"])


def test_a_person_acts_for_a_unit_from_a_day_to_a_day():
    someone = person()
    someone.end_assignment(ACT, BOOKS, assignment=ASSIGNMENT, to_day="2026-06-30")
    someone.assign(ACT, BOOKS, assignment="b", role="officer", unit="411502001/fire", from_day="2026-07-01")
    on = {day: someone.acts_for(day) for day in ("2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01")}
    assert on["2025-12-31"] == []
    assert on["2026-01-01"] == on["2026-06-30"] == [("worker", GRID_A1)]
    assert on["2026-07-01"] == [("officer", "411502001/fire")]
    assert replays(someone)


def test_who_leaves_ends_all_assignments_and_takes_no_new_one():
    someone = person()
    someone.leave(ACT, BOOKS, to_day="2026-09-30")
    assert someone.acts_for("2026-09-30")
    assert not someone.acts_for("2026-10-01")
    with pytest.raises(no.PersonLeft):
        someone.assign(ACT, BOOKS, assignment="b", role="worker", unit=GRID_A2, from_day="2026-10-01")
    assert replays(someone)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"assignment": ASSIGNMENT}, no.AssignmentKnown),
        ({"role": "king"}, no.UnknownRole),
        ({"unit": "fire"}, no.NotAUnit),
        ({"from_day": "soon"}, no.NotADay),
        ({"to_day": "2025-01-01"}, no.DaysOutOfOrder),
    ],
)
def test_an_assignment_that_cannot_be_is_refused(said, refusal):
    with pytest.raises(refusal):
        person().assign(ACT, BOOKS, **{"assignment": "b", "role": "worker", "unit": GRID_A2, "from_day": "2026-01-01", **said})


def test_an_assignment_that_nobody_gave_is_not_ended():
    with pytest.raises(no.UnknownAssignment):
        person().end_assignment(ACT, BOOKS, assignment="b", to_day="2026-12-31")


def test_who_gives_a_role_is_not_mistaken_for_who_gets_it():
    fact = person().pending_events[-1]
    assert (fact.by, fact.role, fact.as_role) == ("feng", "officer", "worker")


def test_a_tablet_is_revoked_and_reinstated():
    one = tablet()
    one.upload(ACT, BOOKS, seal="s", first=0, size=40, recorded=39, refused=1, waiting=0)
    one.revoke(ACT, BOOKS, last_valid=11, reason="lost")
    assert (one.status, one.last_valid, one.size) == ("revoked", 11, 40)
    with pytest.raises(no.TabletRevoked):
        one.revoke(ACT, BOOKS, last_valid=10, reason="lost")
    one.reinstate(ACT, BOOKS, reason="found")
    assert (one.status, one.last_valid) == ("active", None)
    with pytest.raises(no.TabletInUse):
        one.reinstate(ACT, BOOKS, reason="found")
    assert replays(one)


def test_a_forked_tablet_is_set_aside_and_a_revoked_one_stays_revoked():
    one, other = tablet(), tablet()
    one.fork(ACT, BOOKS, seal="s", size=3, root="r", kept=2)
    assert one.status == "forked"
    other.revoke(ACT, BOOKS, last_valid=-1, reason="stolen")
    other.fork(ACT, BOOKS, seal="s", size=3, root="r", kept=2)
    assert other.status == "revoked"


def test_revoking_names_the_last_entry_to_be_trusted_and_the_reason():
    with pytest.raises(no.LastValidWrong):
        tablet().revoke(ACT, BOOKS, last_valid=-2, reason="lost")
    with pytest.raises(no.ReasonNeeded):
        tablet().revoke(ACT, BOOKS, last_valid=-1, reason="")


def test_a_refused_entry_is_settled_once():
    one, other = kept(), kept()
    one.reapply(ACT, BOOKS, ledger="411502001", stream="x", version=3)
    other.dismiss(ACT, BOOKS, reason="a test entry")
    for settled in (one, other):
        with pytest.raises(no.RefusalSettled):
            settled.dismiss(ACT, BOOKS, reason="again")
        assert replays(settled)
    with pytest.raises(no.ReasonNeeded):
        kept().dismiss(ACT, BOOKS, reason=" ")
