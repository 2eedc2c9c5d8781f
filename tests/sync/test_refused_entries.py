"""An entry that cannot be what it says is kept, says why, and holds up nothing else."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import pytest
import sqlalchemy as sa

from service.database import Busy
from service.ledger.tree import leaf_hash
from service.sync import deciding
from tests.check import check_everything
from tests.sync.town import A1, A2, B1, CATEGORY, FIRE, OFFICER, SUB_A, Town, person

DEEP = json.loads("[" * 40 + "]" * 40)
GOOD = {"household": "H-1", "outcome": "met"}
PLACE = {"lat": 32.1, "lon": 114.0, "purpose": "visit"}
ITEM = {"subject": "5b0c3a4e-0d6e-4f0e-9f54-7d6c1c0d2a11", "field": "need_voiced", "digest": "x" * 43}
SEEN = {"category": CATEGORY, "summary": "rubbish"}

BAD_DATA = {
    "unknown field": ({**GOOD, "mood": "good"}, "invalid_field", "/data/*"),
    "missing field": ({"household": "H-1"}, "invalid_field", "/data/outcome"),
    "null": ({**GOOD, "care_group": None}, "invalid_field", "/data/care_group"),
    "number for text": ({**GOOD, "household": 7}, "invalid_field", "/data/household"),
    "text for list": ({**GOOD, "personal": "x"}, "invalid_field", "/data/personal"),
    "a need in the open": ({**GOOD, "needs": ["x"]}, "personal_text", "/data/needs"),
    "a position in the open": ({**GOOD, "place": PLACE}, "personal_text", "/data/place"),
    "a photo in the open": ({**GOOD, "photos": ["a" * 64]}, "personal_text", "/data/photos"),
    "a name as a reference": ({**GOOD, "household": "Grandma Wang"}, "invalid_field", "/data/household"),
    "a phone as a reference": ({**GOOD, "household": "13812345678"}, "personal_number_in_text", "/data/household"),
    "undeclared": ({**GOOD, "personal": [{**ITEM, "field": "shoe_size"}]}, "undeclared_personal_field", "/data/personal/0/field"),
    "of another kind": ({**GOOD, "personal": [{**ITEM, "field": "case_result"}]}, "undeclared_personal_field", "/data/personal/0/field"),
    "no digest": ({**GOOD, "personal": [{**ITEM, "digest": "x" * 42}]}, "invalid_field", "/data/personal/0/digest"),
    "no subject": ({**GOOD, "personal": [{"field": "need_voiced", "digest": "x" * 43}]}, "invalid_field", "/data/personal/0/subject"),
    "a value beside the digest": ({**GOOD, "personal": [{**ITEM, "value": "a lift"}]}, "invalid_field", "/data/personal/0/*"),
    "21 of them": ({**GOOD, "personal": [ITEM] * 21}, "invalid_field", "/data/personal"),
    "empty text": ({**GOOD, "household": ""}, "invalid_field", "/data/household"),
    "NUL": ({**GOOD, "household": "a\0b"}, "invalid_field", "/data/household"),
    "too long": ({**GOOD, "household": "x" * 65}, "invalid_field", "/data/household"),
    "no such day": ({**GOOD, "next_visit": "2026-02-30"}, "invalid_field", "/data/next_visit"),
    "year 9999": ({**GOOD, "next_visit": "9999-01-01"}, "invalid_field", "/data/next_visit"),
    "area twice": ({**GOOD, "area": A2}, "invalid_field", "/data/area"),
    "derived field": ({**GOOD, "next_due": "2026-12-01"}, "invalid_field", "/data/*"),
    "who did it": ({**GOOD, "by": person("wang")}, "invalid_field", "/data/*"),
    "when it was recorded": ({**GOOD, "recorded_at": "x"}, "invalid_field", "/data/*"),
    "unknown word": ({**GOOD, "outcome": "seen_from_afar"}, None, None),
    "too deep": ({**GOOD, "personal": DEEP}, "malformed_entry", None),
}
BAD_REPORTS = {
    "off the globe": ({**SEEN, "place": {**PLACE, "lat": 90.5}}, "invalid_field", "/data/place/lat"),
    "true as a number": ({**SEEN, "place": {**PLACE, "lon": True}}, "invalid_field", "/data/place/lon"),
    "no purpose": ({**SEEN, "place": {"lat": 1, "lon": 1}}, "invalid_field", "/data/place/purpose"),
    "huge number": ({**SEEN, "place": {**PLACE, "accuracy_m": 10**30}}, "invalid_field", "/data/place/accuracy_m"),
    "not a photo": ({**SEEN, "photos": ["A" * 64]}, "invalid_field", "/data/photos/0"),
    "no text at all": ({"category": CATEGORY}, "text_needed", None),
    "a private matter in the open": ({"category": "gridtrail/1/D", "summary": "They quarrel"}, "personal_text", "/data/summary"),
    "a private place": (
        {"category": "gridtrail/1/F01", "place": PLACE, "personal": [{**ITEM, "field": "case_summary"}]}, "personal_text", "/data/place",
    ),
    "a phone in the text": ({**SEEN, "summary": "Call 138-1234-5678"}, "personal_number_in_text", "/data/summary"),
    "an identity number": ({**SEEN, "summary": "He is 11010519491231002X"}, "personal_number_in_text", "/data/summary"),
    "a name as a reference": ({**SEEN, "reference": "the one of Mrs Li"}, "invalid_field", "/data/reference"),
    "what a report does not carry": (
        {**SEEN, "personal": [{**ITEM, "field": "case_task"}]}, "undeclared_personal_field", "/data/personal/0/field",
    ),
}  # fmt: skip
BAD_MEMBERS = {
    "unknown kind": ({"kind": "visit.dreamt"}, "unknown_kind"),
    "kind of the service": ({"kind": "person.assigned"}, "unknown_kind"),
    "unknown version": ({"v": 2}, "unknown_version"),
    "version as text": ({"v": "1"}, "malformed_entry"),
    "urn id": ({"id": f"urn:uuid:{uuid4()}"}, "malformed_entry"),
    "braced id": ({"id": f"{{{uuid4()}}}"}, "malformed_entry"),
    "upper-case id": ({"id": str(uuid4()).upper()}, "malformed_entry"),
    "area of other digits": ({"area": "\u0664\u0661\u0661\u0665"}, "malformed_entry"),
    "area of ten digits": ({"area": "4115020010"}, "malformed_entry"),
    "unknown area": ({"area": f"{A1}99"}, "unknown_area"),
    "out of scope": ({"area": A2}, "out_of_scope"),
    "another subdistrict": ({"area": B1}, "out_of_scope"),
    "year 1": ({"occurred_at": "0001-01-01T00:00:00.000+14:00"}, "time_out_of_range"),
    "year 9999": ({"occurred_at": "9999-12-31T23:59:59.999-12:00"}, "time_out_of_range"),
    "1969": ({"occurred_at": "1969-12-31T23:59:59.999+00:00"}, "time_out_of_range"),
    "no offset": ({"occurred_at": "2026-11-21T09:00:00.000"}, "time_out_of_range"),
    "not a time": ({"occurred_at": "yesterday"}, "time_out_of_range"),
    "a name as the boot": ({"boot": "Li's tablet"}, "malformed_entry"),
    "negative clock": ({"mono_ms": -1}, "malformed_entry"),
    "clock beyond 2^53": ({"mono_ms": 2**53}, "malformed_entry"),
    "another member": ({"position": 7}, "malformed_entry"),
    "server's member": ({"recorded_at": "2026-11-21T09:00:00.000Z"}, "malformed_entry"),
    "role": ({"role": "officer"}, "malformed_entry"),
}
BAD_LINES = {
    "empty line": b"",
    "not JSON": b"{nonsense",
    "a list": b"[]",
    "a number": b"1",
    "NaN": b'{"a":NaN}',
    "1e999": b'{"a":1e999}',
    "infinity": b'{"a":-Infinity}',
    "5,000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "duplicate key": b'{"a":1,"a":2}',
    "duplicate key inside": b'{"a":{"b":1,"b":2}}',
    "duplicate key escaped": b'{"a":1,"\\u0061":2}',
    "duplicate key spaced": b'{"a" :1,"a"\t:2}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "bad UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16-le").replace(b"\n", b""),
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "raw NUL": b'{"a":"\x00"}',
    "deep": b"[" * 5000 + b"]" * 5000,
    "trailing comma": b'{"a":1,}',
    "two values": b"{} {}",
    "comment": b'{"a":1/*x*/}',
    "leading zero": b'{"a":01}',
}


def one_bad_among_good(town: Town, bad: bytes) -> dict:
    hand = town.hand("li")
    answer = hand.send([hand.entry(0), bad, hand.entry(2)])
    assert answer.status_code == 200, answer.json
    first, refused, last = answer.json["outcomes"]
    assert (first["outcome"], refused["outcome"], last["outcome"]) == ("recorded", "refused", "recorded")
    again = hand.post(hand.body([]))
    assert again.json["size"] == 3
    return refused


@pytest.mark.parametrize("case", BAD_DATA)
def test_a_wrong_field_is_refused_and_named(quiet_town: Town, case: str) -> None:
    data, code, pointer = BAD_DATA[case]
    refused = one_bad_among_good(quiet_town, quiet_town.hand("li").entry(1, data=data))
    if code:
        assert (refused["code"], refused.get("pointer")) == (code, pointer)


@pytest.mark.parametrize("case", BAD_REPORTS)
def test_a_report_that_says_what_it_must_not_is_refused_and_named(quiet_town: Town, case: str) -> None:
    data, code, pointer = BAD_REPORTS[case]
    refused = one_bad_among_good(quiet_town, quiet_town.hand("li").entry(1, "case.reported", data=data))
    assert (refused["code"], refused.get("pointer")) == (code, pointer)


def test_a_patrol_carries_nothing_personal(quiet_town: Town) -> None:
    bad = quiet_town.hand("li").entry(1, "patrol.started", data={"personal": [ITEM]})
    assert one_bad_among_good(quiet_town, bad)["code"] == "undeclared_personal_field"


@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_a_wrong_member_is_refused_and_named(quiet_town: Town, case: str) -> None:
    members, code = BAD_MEMBERS[case]
    refused = one_bad_among_good(quiet_town, quiet_town.hand("li").entry(1, **members))
    assert refused["code"] == code


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_line_that_is_no_entry_is_kept_byte_by_byte(quiet_town: Town, case: str) -> None:
    refused = one_bad_among_good(quiet_town, BAD_LINES[case])
    assert refused["code"] == "malformed_entry"


def test_everything_odd_that_was_sent_stands_in_ledgers_that_check(quiet_town: Town) -> None:
    check_everything(quiet_town.gridtrail)


@pytest.mark.parametrize("place", [0, 7, 19])
def test_one_bad_entry_among_twenty_holds_up_none(town: Town, place: int) -> None:
    hand = town.hand("li")
    lines = [hand.entry(seq, **({"kind": "visit.dreamt"} if seq == place else {})) for seq in range(20)]
    outcomes = hand.send(lines).json["outcomes"]
    assert [each["seq"] for each in outcomes if each["outcome"] == "refused"] == [place]
    assert len(town.uploaded()) == 19
    check_everything(town.gridtrail)


def test_a_rule_that_says_no_is_told_with_its_own_code(town: Town) -> None:
    hand = town.hand("li")
    patrol, case = str(uuid4()), str(uuid4())
    outcomes = hand.send(
        [
            hand.entry(0, "patrol.finished", id=patrol, data={}),
            hand.entry(1, "case.reported", id=case, data={"category": "no/1/X", "summary": "?"}),
            hand.entry(2, "case.reported", id=case, data={"category": CATEGORY, "summary": "rubbish"}),
            hand.entry(3, "case.reported", id=case, data={"category": CATEGORY, "summary": "rubbish again"}),
        ]
    ).json["outcomes"]
    assert [each.get("code", each["outcome"]) for each in outcomes] == ["not_begun", "unknown_category", "recorded", "already_begun"]
    check_everything(town.gridtrail)


def test_an_id_that_another_tablet_took_a_moment_ago_is_refused(town: Town) -> None:
    li, wang = town.hand("li"), town.hand("wang")
    taken = str(uuid4())
    assert li.send([li.entry(0, id=taken)]).json["outcomes"][0]["outcome"] == "recorded"
    outcomes = wang.send([wang.entry(0, area=A2, id=taken), wang.entry(1, area=A2)]).json["outcomes"]
    assert [each.get("code", each["outcome"]) for each in outcomes] == ["already_begun", "recorded"]
    check_everything(town.gridtrail)


def test_a_right_in_one_area_does_not_reach_a_case_in_another(town: Town) -> None:
    li, wang = town.hand("li"), town.hand("wang")
    case = str(uuid4())
    wang.send([wang.entry(0, "case.reported", area=A2, id=case, data={"category": CATEGORY, "summary": "x"})])
    outcomes = li.send(
        [
            li.entry(0, "case.self_handled", area=A1, id=case, data={"result": "stolen"}),
            li.entry(1, "case.self_handled", area=A1, id=str(uuid4()), data={"result": "invented"}),
            li.entry(2, "case.self_handled", area=A2, id=case, data={"result": "stolen"}),
        ]
    ).json["outcomes"]
    assert [each["code"] for each in outcomes] == ["not_begun", "not_begun", "out_of_scope"]


@pytest.mark.parametrize("of", [A2, None])
def test_a_reference_out_of_reach_is_answered_as_one_that_does_not_exist(town: Town, of: str | None) -> None:
    li, wang = town.hand("li"), town.hand("wang")
    patrol = str(uuid4())
    if of:
        wang.send([wang.entry(0, "patrol.started", area=of, id=patrol, data={})])
    (outcome,) = li.send([li.entry(0, "case.reported", data={"category": CATEGORY, "summary": "x", "patrol": patrol})]).json["outcomes"]
    assert (outcome["code"], outcome["pointer"]) == ("no_such_reference", "/data/patrol")


def test_a_department_acts_on_the_case_that_it_holds_and_on_no_other(town: Town) -> None:
    li, chen, feng = town.hand("li"), town.hand("chen"), town.hand("feng")
    held, other = str(uuid4()), str(uuid4())
    li.send([li.entry(seq, "case.reported", id=id_, data={"category": CATEGORY, "summary": "x"}) for seq, id_ in enumerate((held, other))])
    steps = [("case.accepted", {}), ("case.registered", {}), ("case.dispatched", {"to": FIRE})]
    answer = chen.send([chen.entry(seq, kind, id=held, data=data) for seq, (kind, data) in enumerate(steps)])
    accepted = [each["outcome"] for each in answer.json["outcomes"]]
    outcomes = feng.send([feng.entry(seq, "case.acknowledged", id=id_, data={}) for seq, id_ in enumerate((held, other))]).json["outcomes"]
    assert [each.get("code", each["outcome"]) for each in outcomes] == ["recorded", "out_of_scope"], (accepted, answer.json)
    check_everything(town.gridtrail)


def test_a_refused_entry_stands_where_its_officers_look_and_can_be_reapplied(town: Town) -> None:
    qian = town.hand("qian")
    (outcome,) = qian.send([qian.entry(0, area=A1)]).json["outcomes"]
    assert (outcome["code"], outcome["ledger"]) == ("out_of_scope", B1[:9])
    (kept,) = town.events("refused.kept")
    assert (kept["state"]["area"], kept["state"]["person"]) == (B1, person("qian"))
    town.hire_again("qian", A1)
    officer = type(OFFICER)(person("root"), (type(OFFICER.grants[0])("officer", "4115"),))
    saved = town.gridtrail.inspection.reapply_refused(officer, kept["ledger"], kept["stream"], "assigned too late")
    assert saved.ledger == SUB_A
    (event,) = town.uploaded()
    assert (event["topic"], event["state"]["by"], event["state"]["entry"]["seq"]) == ("visit.made", person("qian"), 0)
    again = qian.post(qian.body([], base=qian.frontier))
    assert again.status_code == 200
    check_everything(town.gridtrail)


def test_late_facts_of_a_worker_who_moved_are_kept_and_attributed(town: Town) -> None:
    moved = town.hand("moved")
    before, after = "2026-11-19T15:59:59.000+08:00", "2026-11-20T00:00:01.000+08:00"
    outcomes = moved.send(
        [
            moved.entry(0, area=A1, occurred_at=before),
            moved.entry(1, area=A1, occurred_at=after),
            moved.entry(2, area=B1, occurred_at=after),
            moved.entry(3, area=B1, occurred_at=before),
        ]
    ).json["outcomes"]
    assert [each.get("code", each["outcome"]) for each in outcomes] == ["recorded", "out_of_scope", "recorded", "out_of_scope"]
    assert {each["state"]["by"] for each in town.uploaded()} == {person("moved")}
    check_everything(town.gridtrail)


def test_a_fault_that_nobody_foresaw_keeps_the_entry_and_lets_the_rest_pass(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    from domain.patrol import Patrol

    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Patrol, "start", breaks)
    hand = town.hand("li")
    patrol = str(uuid4())
    lines = [hand.entry(0, "patrol.started", id=patrol, data={}), hand.entry(1), hand.entry(2, "patrol.finished", id=patrol, data={})]
    outcomes = hand.send(lines).json["outcomes"]
    assert [each.get("code", each["outcome"]) for each in outcomes] == ["undecided", "recorded", "undecided"]
    check_everything(town.gridtrail)


@pytest.mark.parametrize("fault", [Busy("no connection is free"), sa.exc.OperationalError("SELECT", {}, Exception("gone"))])
def test_a_database_that_fails_while_an_entry_is_decided_refuses_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fails(*_: object) -> None:
        raise fault

    hand = town.hand("li")
    body = hand.body([hand.entry(0)])
    with monkeypatch.context() as down:
        down.setattr(town.gridtrail.uploads.shelf, "books", fails)
        assert hand.post(body).status_code == 503
    assert [each["outcome"] for each in hand.post(body).json["outcomes"]] == ["recorded"]
    check_everything(town.gridtrail)


def test_a_stream_that_cannot_be_read_holds_up_only_what_acts_on_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    hand = town.hand("li")
    patrol = str(uuid4())
    hand.send([hand.entry(0, "patrol.started", id=patrol, data={})])

    def unknown(_: object) -> None:
        raise ValueError("a topic of a later release")

    with monkeypatch.context() as older:
        older.setattr(deciding, "aggregate_of", unknown)
        answer = hand.send([hand.entry(1, "patrol.finished", id=patrol, data={}), hand.entry(2)])
    assert [each.get("code", each["outcome"]) for each in answer.json["outcomes"]] == ["undecided", "recorded"]
    check_everything(town.gridtrail)


def test_a_batch_that_names_hundreds_of_ledgers_is_answered_entry_by_entry(town: Town) -> None:
    hand = town.hand("li")
    begun = str(uuid4())
    hand.send([hand.entry(0, "patrol.started", id=begun, data={})])
    elsewhere = [hand.entry(seq, "patrol.finished", area=f"4115{seq:05d}001001", data={}) for seq in range(1, 901)]
    outcomes = hand.send([*elsewhere, hand.entry(901, "patrol.finished", id=begun, data={})]).json["outcomes"]
    assert {each["outcome"] for each in outcomes[:-1]} == {"refused"}
    assert outcomes[-1]["outcome"] == "recorded"


def test_times_are_estimated_from_three_clocks(town: Town) -> None:
    hand = town.hand("li")
    now = town.clock.now
    right = hand.body([hand.entry(0, occurred_at="2026-11-21T08:59:00.000+08:00")], waiting=3)
    assert hand.post(right).json["skew_ms"] == 0
    wrong = town.hand("wang")
    lines = [
        wrong.entry(0, area=A2, occurred_at="2016-11-21T08:59:00.000+08:00", mono_ms=1_000),
        wrong.entry(1, area=A2, occurred_at="2016-11-21T08:58:00.000+08:00", boot="earlier"),
        wrong.entry(2, area=A2, occurred_at="2050-11-21T08:58:00.000+08:00", boot="earlier"),
    ]
    skewed = now.replace(year=2016)
    answer = wrong.post(wrong.body(lines, sent_at=skewed.isoformat(), mono_ms=61_000))
    assert answer.json["skew_ms"] == (now - skewed).total_seconds() * 1000
    times = [each["state"]["happened_at"] for each in town.uploaded()]
    assert times == ["2026-11-21T00:59:00.000Z", "2026-11-21T00:59:00.000Z", "2026-11-21T00:58:00.000Z", "2026-11-21T01:00:00.000Z"]
    assert datetime(2026, 11, 21, 1, 0, tzinfo=UTC) == now
    (fact,) = (each["state"] for each in town.events("tablet.uploaded") if each["state"].get("waiting"))
    assert (fact["waiting"], fact["first"], fact["size"], fact["recorded"]) == (3, 0, 1, 1)


@pytest.mark.parametrize(("refused", "batches"), [(0, [2]), (1, [2]), (0, [1, 1]), (1, [1, 1])])
def test_an_entry_with_the_id_of_a_refused_one_holds_nothing_up(town: Town, refused: int, batches: list[int]) -> None:
    hand = town.hand("li")
    wrong = hand.entry(refused, kind="visit.dreamt")
    taken = str(uuid5(UUID(hand.id), f"{refused}:{leaf_hash(wrong).hex()}"))
    lines = [wrong, hand.entry(1, id=taken)] if refused == 0 else [hand.entry(0, id=taken), wrong]
    told = []
    for number in batches:
        answer = hand.send(lines[:number])
        assert answer.status_code == 200, answer.json
        told, lines = told + answer.json["outcomes"], lines[number:]
    assert told[refused]["code"] == "unknown_kind"
    assert told[1 - refused].get("code", "recorded") == ("already_begun" if (refused, batches) == (0, [1, 1]) else "recorded")
    check_everything(town.gridtrail)
