"""A tablet that tells two histories: both are kept, it is set aside, and an officer lets it go on."""

import json
import sqlite3
from uuid import uuid4

import pytest

from service.ledger.tree import Frontier, leaf_hash
from service.scope import Actor, Grant
from service.sync import upload
from service.tablet_client import Refused, Tablet, Unreachable
from tests.check import check_everything
from tests.sync.town import A1, OFFICER, SUB_A, Town, person


def reinstate(town: Town, tablet: str) -> None:
    officer = Actor(person("chen"), (Grant("officer", SUB_A),))
    town.gridtrail.inspection.change_tablet(officer, SUB_A, tablet, "reinstate", {"reason": "looked into"})


def test_another_entry_under_a_known_number_is_a_fork_and_both_are_kept(town: Town) -> None:
    hand = town.hand("li")
    first, other, next_ = hand.entry(0), hand.entry(0), hand.entry(1)
    assert hand.post(hand.body([first])).status_code == 200
    answer = hand.post(hand.body([other, next_]))
    assert (answer.status_code, answer.json["code"], answer.json["size"]) == (409, "forked", 1)
    kept = [each for each in town.events("refused.kept") if each["state"]["code"] == "forked"]
    assert [each["state"]["seq"] for each in kept] == [0, 1]
    assert town.events("tablet.forked")[0]["state"]["kept"] == 2
    assert len(town.uploaded()) == 1
    check_everything(town.gridtrail)


def test_a_tablet_set_aside_can_neither_go_on_nor_read(town: Town) -> None:
    hand = town.hand("li")
    first = hand.entry(0)
    hand.send([first])
    hand.post(hand.body([hand.entry(0)], base=Frontier()))
    answer = hand.post(hand.body([hand.entry(1)]))
    assert (answer.status_code, answer.json["code"]) == (409, "set_aside")
    events = len(town.events())
    assert hand.post(hand.body([hand.entry(1)])).json["code"] == "set_aside"
    assert len(town.events()) == events
    client = town.app.test_client()
    headers = {"Authorization": f"Bearer {hand.token}"}
    assert client.get("/v1/sync/changes", headers=headers).json["code"] == "tablet_set_aside"
    assert client.get("/v1/sync/standing", headers=headers).json["status"] == "set_aside"
    reinstate(town, hand.id)
    assert hand.send([hand.entry(1)]).status_code == 200
    check_everything(town.gridtrail)


def test_another_history_before_our_size_is_a_fork_even_with_new_numbers(town: Town) -> None:
    hand = town.hand("li")
    hand.send([hand.entry(0)])
    other = Frontier()
    other.append(leaf_hash(hand.entry(0)))
    answer = hand.post(hand.body([hand.entry(1)], base=other))
    assert (answer.status_code, answer.json["code"]) == (409, "forked")
    assert [each["state"]["seq"] for each in town.events("refused.kept")] == [1]


def test_entries_that_are_not_those_sealed_are_damage_and_no_fork(town: Town) -> None:
    hand = town.hand("li")
    hand.send([hand.entry(0)])
    line = hand.entry(1)
    body = hand.body([line])
    damaged = body.replace(b'"household":"H-1"', b'"household":"H-2"')
    answer = hand.post(damaged)
    assert (answer.status_code, answer.json["code"]) == (422, "root_mismatch")
    assert len(town.uploaded()) == 1
    assert hand.post(body).status_code == 200


def test_a_known_entry_that_was_damaged_on_the_way_is_no_fork(town: Town) -> None:
    hand = town.hand("li")
    body = hand.body([hand.entry(0), hand.entry(1)])
    hand.post(body)
    answer = hand.post(body.replace(b'"household":"H-1"', b'"household":"H-2"', 1))
    assert (answer.status_code, answer.json["code"]) == (422, "root_mismatch")


def test_a_long_history_is_compared_page_by_page(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PAGE", 2)
    hand = town.hand("li")
    lines = [hand.entry(seq) for seq in range(7)]
    hand.send(lines)
    early = Frontier()
    early.extend(leaf_hash(line) for line in lines[:5])
    again = hand.post(hand.body(lines[5:], base=early))
    assert [each["outcome"] for each in again.json["outcomes"]] == ["duplicate", "duplicate"]
    assert hand.post(hand.body([lines[5], hand.entry(6)], base=early)).json["code"] == "forked"


def test_a_tablet_restored_from_an_old_copy_goes_on_from_the_services_history(town: Town) -> None:
    path = town.folder / "one.db"
    tablet = town.tablet("li", "one.db")
    tablet.record("visit.made", "0b0a6a0e-8f0e-4c58-9c54-5a2f1b1de001", A1, {"household": "H-1", "outcome": "met"})
    tablet.sync()
    tablet.outbox.close()
    old = path.read_bytes()
    tablet = Tablet(str(path), **town.options())
    tablet.record("visit.made", "0b0a6a0e-8f0e-4c58-9c54-5a2f1b1de002", A1, {"household": "H-2", "outcome": "met"})
    tablet.sync()
    tablet.outbox.close()
    path.write_bytes(old)
    tablet = Tablet(str(path), **town.options())
    tablet.record("visit.made", "0b0a6a0e-8f0e-4c58-9c54-5a2f1b1de003", A1, {"household": "H-3", "outcome": "met"})
    with pytest.raises(Refused) as no:
        tablet.sync()
    assert no.value.code == "forked"
    with pytest.raises(Refused):
        tablet.adopt()
    reinstate(town, tablet.id)
    with pytest.raises(Refused) as no:
        tablet.sync()
    assert no.value.code == "forked", "and what the officer did is not undone by a tablet that syncs by itself"
    assert tablet.adopt() == 1
    assert tablet.sync().recorded == 1
    assert sorted(each["state"]["entry"]["data"]["household"] for each in town.uploaded()) == ["H-1", "H-2", "H-3"]
    check_everything(town.gridtrail)


def passed(tablet: Tablet, patrol: str, first: int, count: int) -> None:
    for each in range(first, first + count):
        tablet.record("patrol.checkpoint_passed", patrol, A1, {"checkpoint": f"gate {each}"})


@pytest.fixture
def twin(town: Town) -> Tablet:
    """A tablet restored from an old image: of 6 entries it believes 2 confirmed, and its number 5 is another than the one uploaded."""
    tablet, patrol = town.tablet("li", "one.db"), str(uuid4())
    tablet.record("patrol.started", patrol, A1, {})
    passed(tablet, patrol, 1, 1)
    tablet.sync()
    passed(tablet, patrol, 2, 3)
    image = sqlite3.connect(town.folder / "image.db")
    tablet.outbox.db.backup(image)
    image.close()
    passed(tablet, patrol, 5, 1)
    tablet.sync()
    twin = Tablet(str(town.folder / "image.db"), **town.options())
    passed(twin, patrol, 7, 1)
    return twin


def gates(town: Town) -> list[str]:
    return [each["state"]["entry"]["data"]["checkpoint"] for each in town.uploaded() if each["topic"] == "patrol.checkpoint_passed"]


def lose() -> None:
    raise OSError("the answer is lost")


OTHER = "SELECT outcome FROM other_history WHERE seq BETWEEN 2 AND 4 ORDER BY seq"
GATES = [f"gate {each}" for each in (1, 2, 3, 4, 5, 7)]


@pytest.mark.parametrize("lost", [False, True])
def test_what_both_histories_hold_is_not_recorded_again(town: Town, twin: Tablet, lost: bool) -> None:
    if lost:
        # The answer that says what forked does not arrive; the next says that it is set aside, and how far both are one.
        twin.attempts, town.network.after = 1, lose
        with pytest.raises(Unreachable):
            twin.sync()
        town.network.after = lambda: None
    with pytest.raises(Refused) as no:
        twin.sync()
    assert (no.value.code, no.value.facts["agreed"]) == ("set_aside" if lost else "forked", 5)
    reinstate(town, twin.id)
    twin.outbox.close()
    twin = Tablet(str(town.folder / "image.db"), **town.options())
    assert (twin.waiting(), twin.adopt()) == (4, 1)
    assert twin.sync().recorded == 1
    assert gates(town) == GATES
    former = [json.loads(told)["first_outcome"] for (told,) in twin.outbox.db.execute(OTHER)]
    assert former == ["recorded"] * 3, "the tablet heard what had become of them"
    town.gridtrail.publisher.turn()
    assert twin.prove().entries == 1
    check_everything(town.gridtrail)


def test_an_adoption_that_breaks_off_is_taken_up_again(town: Town, twin: Tablet) -> None:
    with pytest.raises(Refused):
        twin.sync()
    reinstate(town, twin.id)
    twin.attempts, twin._batch_entries = 1, 2
    answers = iter([lambda: None, lambda: None])
    town.network.after = lambda: next(answers, lose)()
    with pytest.raises(Unreachable):
        twin.adopt()
    town.network.after = lambda: None
    assert twin.waiting() == 2, "what was heard before stays"
    assert twin.adopt() == 1
    assert twin.sync().recorded == 1
    assert gates(town) == GATES


def test_a_service_that_does_not_say_how_far_both_agree_is_heard_as_before(town: Town, twin: Tablet) -> None:
    with pytest.raises(Refused):
        twin.sync()
    twin.outbox.remember(agreed=None)
    reinstate(town, twin.id)
    assert (twin.adopt(), twin.sync().recorded) == (4, 4)


def test_a_base_that_is_on_another_history_agrees_with_nothing(town: Town) -> None:
    hand = town.hand("li")
    hand.send([hand.entry(0)])
    other = Frontier()
    other.append(leaf_hash(hand.entry(0)))
    assert hand.post(hand.body([hand.entry(1)], base=other)).json["agreed"] == 0
    assert hand.post(hand.body([hand.entry(1)])).json["agreed"] == 1
    assert hand.post(hand.body([hand.entry(5)], base=Frontier(5, [bytes(32), bytes(32)]))).json["agreed"] == 0


def test_a_forked_entry_can_be_dismissed_by_an_officer(town: Town) -> None:
    hand = town.hand("li")
    hand.send([hand.entry(0)])
    hand.post(hand.body([hand.entry(0)], base=Frontier()))
    (kept,) = town.events("refused.kept")
    town.gridtrail.inspection.dismiss_refused(OFFICER, kept["ledger"], kept["stream"], "told twice")
    check_everything(town.gridtrail)
