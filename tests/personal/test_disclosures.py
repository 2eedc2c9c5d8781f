"""Values brought beside entries, said at the console, read by who has a task there, and seen by nobody else."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from domain.personal import digest_of, item_of, make_disclosure
from projections.recorded import read_line
from service.access import ACCESS_LOG
from service.database import reading, writing
from service.personal import bringing
from service.personal.brought import UNNAMED_DAYS, drop_unnamed
from service.personal.tables import disclosures
from service.scope import Actor, Grant, NotYourRole, OutOfScope
from service.tablet_client import Unreachable
from tests.check import check_everything
from tests.sync.town import A1, A2, B1, CATEGORY, COMM_A, SUB_A, Hand, Town, person

NEED, NAME, PHONE = "A lift to the clinic on Thursday", "王秀英", "13800138000"
QUARREL = "Zhang and Li quarrel over noise at night"
ZHAO, SUN = Actor(person("zhao"), (Grant("officer", COMM_A),)), Actor(person("sun"), (Grant("auditor", "4115"),))
LI = Actor(person("li"), (Grant("worker", A1),))
WHY = {"Gridtrail-Purpose": "a complaint of the family"}


@pytest.fixture
def town(database: sa.Engine, tmp_path: Path) -> Town:
    return Town(database, tmp_path)


def visit(town: Town, tablet, household: str = "H-1", **personal: object) -> str:
    ident = str(uuid4())
    told = personal or {"need_voiced": NEED, "resident_name": NAME}
    tablet.record("visit.made", ident, A1, {"household": household, "outcome": "met"}, personal=told)
    return ident


def put(town: Town, hand: Hand, items: object, **headers: str):
    body = items if isinstance(items, bytes) else json.dumps({"items": items}).encode()
    named = {"Content-Type": "application/json", "Authorization": f"Bearer {hand.token}", **headers}
    return town.app.test_client().put("/v1/sync/disclosures", data=body, headers=named)


def get(town: Town, token: str, path: str, **headers: str):
    town.gridtrail.follower.catch_up()
    return town.app.test_client().get(path, headers={"Authorization": f"Bearer {token}", **headers})


def values(answer) -> dict[str, object]:
    assert answer.status_code == 200, answer.json
    return {each["field"]: each["value"] if each["state"] == "held" else each["state"] for each in answer.json["items"]}


def stored(town: Town) -> bytes:
    """Everything that the ledgers and the read models hold."""
    town.gridtrail.follower.catch_up()
    with town.gridtrail.database.connect() as conn:
        names = [name for name in sa.inspect(conn).get_table_names() if name not in ("disclosures", "access_log")]
        rows = [str(row) for name in names for row in conn.exec_driver_sql(f'SELECT * FROM "{name}"')]
        lines = [line for ledger in town.gridtrail.ledgers.ledgers(conn) for line in town.gridtrail.ledgers.lines(conn, ledger, 0, 10_000)]
    return "\n".join(rows).encode() + b"\n".join(lines)


# ---- tablets


def test_a_value_goes_beside_the_entry_and_is_read_by_who_works_there(town: Town):
    li = town.tablet("li")
    visit(town, li)
    told = li.sync()
    assert (told.recorded, told.disclosures, told.disclosures_refused) == (1, 2, 0)
    assert li.outbox.disclosures(10) == []
    (event,) = town.uploaded()
    assert [item["field"] for item in event["state"]["entry"]["data"]["personal"]] == ["need_voiced", "resident_name"]
    assert NEED.encode() not in stored(town)
    assert NAME.encode() not in stored(town)
    answer = get(town, li.outbox.fact("token"), "/v1/sync/personal?household=H-1")
    assert values(answer) == {"need_voiced": NEED, "resident_name": NAME}
    check_everything(town.gridtrail)


def test_values_are_sent_before_the_batch_and_again_after_it_and_hold_nothing_up(town: Town):
    li = town.tablet("li", attempts=1)
    visit(town, li)
    town.network.after = lambda: (_ for _ in ()).throw(OSError("lost")) if town.network.sent[-1][1].endswith("disclosures") else None
    told = li.sync()
    assert (told.recorded, told.disclosures) == (1, 0)
    assert [path for _, path, _ in town.network.sent][-3:] == ["/v1/sync/disclosures", "/v1/sync/batches", "/v1/sync/disclosures"]
    assert len(li.outbox.disclosures(10)) == 2
    town.network.after = lambda: None
    assert (li.sync().disclosures, li.outbox.disclosures(10)) == (2, [])


def test_a_value_that_is_refused_for_now_is_brought_once_the_entries_are_recorded(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bringing, "MOST_UNNAMED", 0)
    li = town.tablet("li")
    visit(town, li)
    told = li.sync()
    assert (told.recorded, told.disclosures) == (1, 0)
    town.gridtrail.follower.catch_up()
    assert li.sync().disclosures == 2
    assert li.outbox.disclosures(10) == []
    assert values(get(town, li.outbox.fact("token"), "/v1/sync/personal?household=H-1")) == {"need_voiced": NEED, "resident_name": NAME}


def test_a_tablet_that_dies_at_any_step_keeps_the_value_until_the_service_has_it(town: Town):
    for step in ("disclosing", "disclosed", "sending", "sent"):
        li = town.tablet("li")
        ident = visit(town, li)
        file = li.outbox.db.execute("PRAGMA database_list").fetchone()[2]

        def dies(at: str, where: str = step) -> None:
            if at == where:
                raise KeyboardInterrupt

        li.at = dies
        with pytest.raises(KeyboardInterrupt):
            li.sync()
        again = type(li)(file, **town.options())
        again.sync()
        assert again.outbox.disclosures(10) == []
        town.gridtrail.follower.catch_up()
        found = [each for each in town.uploaded() if each["stream"] == ident]
        digests = [item["digest"] for item in found[0]["state"]["entry"]["data"]["personal"]]
        with reading(town.gridtrail.database) as conn:
            assert all(isinstance(text, str) for text in town.gridtrail.vault.open(conn, digests).values()), step


def test_one_household_is_one_subject_on_one_tablet_and_after_a_download_on_another(town: Town):
    town.hire_again("wang", A1)
    li, wang = town.tablet("li"), town.tablet("wang")
    visit(town, li)
    visit(town, li, need_voiced="Rice")
    visit(town, li, "H-2")
    li.sync()
    town.gridtrail.follower.catch_up()
    wang.record("visit.made", str(uuid4()), A1, {"household": "H-9", "outcome": "met", "next_visit": "2026-12-01"})
    wang.sync()
    subjects = {each["state"]["entry"]["data"]["household"]: each["state"]["entry"]["data"].get("personal") for each in town.uploaded()}
    assert len({item["subject"] for item in subjects["H-1"]}) == 1
    assert subjects["H-1"][0]["subject"] != subjects["H-2"][0]["subject"]
    li.record(
        "visit.made", str(uuid4()), A1, {"household": "H-3", "outcome": "met", "care_group": "living_alone"}, personal={"need_voiced": NEED}
    )
    li.sync()
    town.gridtrail.follower.catch_up()
    wang.download()
    wang.record("visit.made", str(uuid4()), A1, {"household": "H-3", "outcome": "met"}, personal={"need_voiced": "again"})
    wang.sync()
    found = [each["state"]["entry"]["data"] for each in town.uploaded()]
    assert len({data["personal"][0]["subject"] for data in found if data["household"] == "H-3"}) == 1


def test_what_is_brought_is_judged_one_by_one(town: Town):
    hand, subject = town.hand("li"), str(uuid4())
    good = make_disclosure("need_voiced", NEED)
    wrong = [
        {"subject": subject, "disclosure": make_disclosure("shoe_size", 43)},
        {"subject": subject, "disclosure": make_disclosure("refused_entry", "e30=")},
        {"subject": subject, "disclosure": make_disclosure("need_voiced", "")},
        {"subject": subject, "disclosure": make_disclosure("resident_phone", "call me")},
        {"subject": subject, "disclosure": make_disclosure("need_voiced", NEED, "short")},
        {"subject": subject, "disclosure": make_disclosure("need_voiced", NEED) + "="},
        {"subject": subject, "disclosure": 7},
        {"subject": "somebody", "disclosure": good},
        {"subject": subject, "area": "here", "disclosure": good},
        {"subject": subject, "area": "999999999", "disclosure": good},
        {"subject": subject, "disclosure": good, "note": NAME},
        "no object",
    ]
    answer = put(town, hand, [*wrong, {"subject": subject, "area": A1, "disclosure": good}])
    assert answer.status_code == 200, answer.json
    outcomes = [each["outcome"] for each in answer.json["items"]]
    assert outcomes == ["refused"] * len(wrong) + ["kept"]
    again = [put(town, hand, [{"subject": whom, "disclosure": good}]).json["items"][0] for whom in (subject, str(uuid4()))]
    assert [each["outcome"] for each in again] == ["duplicate", "refused"]
    assert again[1]["code"] == "contradicts"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 411, "length_required"),
        (b"{", {}, 400, "bad_json"),
        (b"[]", {}, 422, "bad_fields"),
        (b'{"items":[],"items":[]}', {}, 400, "bad_json"),
        (b'{"items":[[[[[]]]]]}', {}, 400, "bad_json"),
        (b'{"items":[' + b",".join([b"1"] * 201) + b"]}", {}, 413, "too_many_disclosures"),
        (b'{"items":["' + b"x" * 300_000 + b'"]}', {}, 413, "too_large"),
        (b'{"items":[]}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b'{"items":[]}', {"Authorization": "Bearer nobody"}, 401, "not_logged_in"),
    ],
)
def test_a_request_that_cannot_be_read_says_why(town: Town, body: bytes, headers: dict[str, str], status: int, code: str):
    answer = put(town, town.hand("li"), body, **headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_revoked_tablet_brings_only_what_its_recorded_entries_name(town: Town):
    li = town.tablet("li")
    visit(town, li)
    waiting = li.outbox.disclosures(10)
    li.outbox.db.execute("DELETE FROM disclosures")
    li.sync()
    town.gridtrail.follower.catch_up()
    officer = Actor(person("chen"), (Grant("officer", SUB_A),))
    town.gridtrail.inspection.change_tablet(officer, SUB_A, li.id, "revoke", {"last_valid": 0, "reason": "lost"})
    other = {"subject": str(uuid4()), "disclosure": make_disclosure("need_voiced", "unnamed")}
    body = json.dumps({"items": [*waiting, other]}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {li.outbox.fact('token')}"}
    answer = town.app.test_client().put("/v1/sync/disclosures", data=body, headers=headers)
    assert [each.get("code", each["outcome"]) for each in answer.json["items"]] == ["kept", "kept", "tablet_not_active"]


def test_who_names_the_digest_of_anothers_value_in_an_entry_of_ones_own_sees_nothing_of_it(town: Town):
    li, wang = town.tablet("li"), town.hand("wang")
    visit(town, li)
    li.sync()
    (event,) = town.uploaded()
    stolen = event["state"]["entry"]["data"]["personal"]
    data = {"household": "W-1", "outcome": "met", "personal": stolen}
    assert wang.send([wang.entry(0, area=A2, data=data)]).json["outcomes"][0]["outcome"] == "recorded"
    assert values(get(town, wang.token, "/v1/sync/personal?household=W-1")) == {"need_voiced": "awaited", "resident_name": "awaited"}
    assert values(get(town, li.outbox.fact("token"), "/v1/sync/personal?household=H-1"))["need_voiced"] == NEED


def test_a_value_that_no_event_names_is_dropped_in_time(town: Town):
    li, hand = town.tablet("li"), town.hand("li")
    visit(town, li)
    li.sync()
    put(town, hand, [{"subject": str(uuid4()), "disclosure": make_disclosure("need_voiced", "never named")}])
    town.gridtrail.follower.catch_up()

    def held() -> int:
        with reading(town.gridtrail.database) as conn:
            return conn.scalar(sa.select(sa.func.count()).select_from(disclosures).where(disclosures.c.ciphertext.is_not(None)))

    def dropped() -> int:
        with writing(town.gridtrail.database) as conn:
            return drop_unnamed(conn, town.clock())

    assert (held(), dropped(), held()) == (3, 0, 3)
    town.clock.forward(days=UNNAMED_DAYS, seconds=1)
    assert (dropped(), held(), dropped()) == (1, 2, 0)


# ---- the console


def quarrel(town: Town, **said: object) -> str:
    told = {"category": "gridtrail/1/D", "summary": QUARREL, "source": "hotline", **said}
    case, _ = town.gridtrail.inspection.report_case(ZHAO, A1, told)
    town.gridtrail.follower.catch_up()
    return case


def test_a_private_matter_told_at_the_console_stands_nowhere_in_the_open(town: Town):
    people = [{"field": "resident_name", "value": NAME}, {"field": "resident_phone", "value": PHONE}]
    case = quarrel(town, personal=people, photos=["a" * 64], place={"lat": 32.1, "lon": 114.1, "purpose": "case"})
    act = town.gridtrail.inspection.act_on_case
    act(ZHAO, UUID(case), SUB_A, "accept", {"note": "They shout"})
    act(ZHAO, UUID(case), SUB_A, "register", {"complexity": "simple"})
    act(ZHAO, UUID(case), SUB_A, "escalate", {"reason": "Zhang hit Li"})
    whole = stored(town)
    for secret in (QUARREL, NAME, PHONE, "They shout", "Zhang hit Li", "a" * 64):
        assert secret.encode() not in whole, secret
    found = {each["field"]: each["value"] for each in town.gridtrail.personal.of_case(ZHAO, case)["items"]}
    assert found == {
        "case_summary": QUARREL, "case_place": {"lat": 32.1, "lon": 114.1, "purpose": "case"}, "photo": "a" * 64, "resident_name": NAME,
        "resident_phone": PHONE, "case_note": "They shout", "case_reason": "Zhang hit Li",
    }  # fmt: skip
    subjects = {each["subject"] for each in town.gridtrail.personal.of_case(ZHAO, case)["items"]}
    assert len(subjects) == 1
    check_everything(town.gridtrail)


def test_a_matter_of_public_space_stays_readable_and_may_disclose_beside_it(town: Town):
    told = {"category": CATEGORY, "summary": "rubbish", "source": "hotline", "personal": [{"field": "resident_phone", "value": PHONE}]}
    case, _ = town.gridtrail.inspection.report_case(ZHAO, A1, told)
    whole = stored(town)
    assert b"rubbish" in whole
    assert PHONE.encode() not in whole
    assert [each["value"] for each in town.gridtrail.personal.of_case(ZHAO, case)["items"]] == [PHONE]


def test_a_value_of_the_wrong_form_is_refused_at_the_console_and_nothing_is_kept(town: Town):
    from service.sync.refusals import InvalidField

    with pytest.raises(InvalidField) as refused:
        quarrel(town, personal=[{"field": "resident_phone", "value": "call me"}])
    assert refused.value.facts["pointer"] == "/personal/0/value"
    with reading(town.gridtrail.database) as conn:
        assert conn.scalar(sa.select(sa.func.count()).select_from(disclosures)) == 0


# ---- who reads


def test_a_worker_reads_the_open_case_that_is_the_own_to_do_and_no_other(town: Town):
    case = quarrel(town)
    li = town.tablet("li")
    path = f"/v1/sync/personal?case={case}"
    assert values(get(town, li.outbox.fact("token"), path)) == {"case_summary": QUARREL}
    assert get(town, town.hand("wang").token, path).status_code == 404
    town.gridtrail.inspection.act_on_case(ZHAO, UUID(case), SUB_A, "escalate", {"reason": "too much for a grid"})
    answer = get(town, li.outbox.fact("token"), path)
    assert (answer.status_code, answer.json["code"]) == (403, "no_task_there")
    assert get(town, li.outbox.fact("token"), "/v1/sync/personal").status_code == 400


def test_a_tablet_keeps_what_it_asked_for_until_the_task_is_gone(town: Town):
    case = quarrel(town)
    li = town.tablet("li")
    li.download()
    assert [each["value"] for each in li.fetch_personal(case=case)] == [QUARREL]
    assert li.outbox.personal("case", case)[0]["value"] == QUARREL
    assert QUARREL not in json.dumps(li.outbox.items("case"), ensure_ascii=False)
    town.gridtrail.inspection.act_on_case(ZHAO, UUID(case), SUB_A, "reject", {"reason": "they made peace"})
    town.gridtrail.follower.catch_up()
    li.download()
    assert li.outbox.personal("case", case) is None


def test_auditors_and_strangers_read_no_value(town: Town):
    case = quarrel(town)
    with pytest.raises((OutOfScope, NotYourRole)):
        town.gridtrail.personal.of_case(SUN, case)
    with pytest.raises(OutOfScope):
        town.gridtrail.personal.of_case(Actor(person("qian"), (Grant("worker", B1),)), case)
    with pytest.raises(OutOfScope):
        town.gridtrail.personal.of_household(LI, "H-unknown")


def test_each_read_is_on_record_with_whose_values_they_were(town: Town):
    case = quarrel(town)
    li = town.tablet("li")
    get(town, li.outbox.fact("token"), f"/v1/sync/personal?case={case}", **WHY)
    subject = town.gridtrail.personal.of_case(ZHAO, case)["items"][0]["subject"]
    with reading(town.gridtrail.database) as conn:
        rows = conn.execute(sa.select(ACCESS_LOG).where(ACCESS_LOG.c.act == "personal.read").order_by(ACCESS_LOG.c.at)).mappings().all()
    assert {(row["person"], row["object"], row["subject"], row["rows"]) for row in rows} == {
        (person("li"), case, subject, 1),
        (person("zhao"), case, subject, 1),
    }
    assert WHY["Gridtrail-Purpose"] in {row["purpose"] for row in rows}


# ---- refused entries


def test_the_bytes_of_a_refused_entry_stand_in_no_ledger_and_are_read_from_the_vault(town: Town):
    hand = town.hand("li")
    lines = [
        hand.entry(0, data={"household": "H-1", "outcome": "met", "needs": [NEED], NAME: "x"}),
        hand.entry(1, "case.reported", data={"category": CATEGORY, "summary": f"call {NAME} on {PHONE}"}),
        hand.entry(2, "case.handled", data={"result": QUARREL, "quantities": {NAME: 1}}),
        f'{{"name":"{NAME}"'.encode(),
        hand.entry(4, NAME),
    ]
    outcomes = hand.send(lines).json["outcomes"]
    codes = [each["code"] for each in outcomes]
    assert codes == ["personal_text", "personal_number_in_text", "not_begun", "malformed_entry", "unknown_kind"]
    whole = stored(town)
    for secret in (NEED, NAME, PHONE, QUARREL):
        assert secret.encode() not in whole, secret
        assert json.dumps(secret).strip('"').encode() not in whole, secret
    kept = {
        read_line(line.encode() if isinstance(line, str) else json.dumps(line).encode()).state["seq"]: line
        for line in town.events("refused.kept")
    }
    for seq, line in enumerate(lines):
        told = town.gridtrail.personal.of_refusal(LI, kept[seq]["stream"])
        assert told["entry"] == json.loads(line) if seq != 3 else told["raw"]
    check_everything(town.gridtrail)


def test_a_refused_entry_about_somebody_lies_under_their_key(town: Town):
    hand, subject = town.hand("li"), str(uuid4())
    item = item_of(subject, "need_voiced", make_disclosure("need_voiced", NEED))
    hand.send([hand.entry(0, area=A2, data={"household": "H-1", "outcome": "met", "personal": [item]})])
    (kept,) = town.events("refused.kept")
    assert kept["state"]["personal"][0]["subject"] == subject
    with reading(town.gridtrail.database) as conn:
        held = conn.execute(sa.select(disclosures.c.subject, disclosures.c.field)).all()
    assert [(str(row.subject), row.field) for row in held] == [(subject, "refused_entry")]


def test_a_refused_batch_waits_while_the_vault_cannot_keep_it_and_nothing_is_lost(town: Town, monkeypatch: pytest.MonkeyPatch):
    li = town.tablet("li", attempts=1)
    li.record("visit.dreamt", str(uuid4()), A1, {"household": "H-1"})
    monkeypatch.setattr(
        type(town.gridtrail.vault), "keep", lambda *_: (_ for _ in ()).throw(sa.exc.OperationalError("x", {}, Exception("gone")))
    )
    with pytest.raises(Unreachable):
        li.sync()
    assert town.events("refused.kept") == []
    monkeypatch.undo()
    assert li.sync().refused == 1


def test_the_digest_in_an_event_is_that_of_the_disclosure_that_was_brought(town: Town):
    li = town.tablet("li")
    visit(town, li)
    texts = [each["disclosure"] for each in li.outbox.disclosures(10)]
    li.sync()
    (event,) = town.uploaded()
    assert [item["digest"] for item in event["state"]["entry"]["data"]["personal"]] == [digest_of(text) for text in texts]
