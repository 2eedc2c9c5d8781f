"""A tablet that tells two histories: both are kept, it is set aside, and an officer lets it go on."""

import pytest

from service.ledger.tree import Frontier, leaf_hash
from service.scope import Actor, Grant
from service.sync import upload
from service.tablet_client import Refused, Tablet
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
    assert tablet.adopt() == 1
    assert tablet.sync().recorded == 1
    assert sorted(each["state"]["entry"]["data"]["household"] for each in town.uploaded()) == ["H-1", "H-2", "H-3"]
    check_everything(town.gridtrail)


def test_a_forked_entry_can_be_dismissed_by_an_officer(town: Town) -> None:
    hand = town.hand("li")
    hand.send([hand.entry(0)])
    hand.post(hand.body([hand.entry(0)], base=Frontier()))
    (kept,) = town.events("refused.kept")
    town.gridtrail.inspection.dismiss_refused(OFFICER, kept["ledger"], kept["stream"], "told twice")
    check_everything(town.gridtrail)
