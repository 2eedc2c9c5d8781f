"""Every tablet as a witness: what its receipts promised is proved, and a service that keeps two histories is found out."""

import base64
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from service.audit.tables import checkpoints
from service.database import writing
from service.ledger.keys import ledger_origin
from service.ledger.note import Checkpoint
from service.ledger.tables import events
from service.ledger.tree import consistency_proof, leaf_hashes, root_of
from service.sync import proofs as module
from service.tablet_client import Answer, OtherHistory, Proved, Refused, Tablet, Unreachable
from tests.sync.town import A1, A2, OFFICER, SUB_A, SUB_B, Hand, Town

VISIT = {"household": "H-1", "outcome": "met"}


def told(town: Town, entries: int = 3, name: str = "li") -> Tablet:
    """A tablet that uploaded visits, and one entry that is refused and kept."""
    tablet = town.tablet(name)
    for _ in range(entries):
        tablet.record("visit.made", str(uuid4()), A1 if name == "li" else A2, VISIT)
    tablet.record("visit.made", str(uuid4()), A1 if name == "li" else A2, {"outcome": "nonsense"})
    tablet.sync()
    return tablet


def more(town: Town, tablet: Tablet, entries: int = 1) -> None:
    for _ in range(entries):
        tablet.record("visit.made", str(uuid4()), A1, VISIT)
    tablet.sync()


def positions_of(tablet: Tablet) -> list[int]:
    return [each["outcome"]["position"] for each in tablet.outbox.entries()]


def ask(town: Town, token: str, body: Any) -> Any:
    return town.app.test_client().post("/v1/sync/proofs", json=body, headers={"Authorization": f"Bearer {token}"})


def asked(town: Town) -> int:
    """How often tablets asked for proofs so far."""
    return sum(path == "/v1/sync/proofs" for _, path, _ in town.network.sent)


# ---- an honest service


def test_a_tablet_sees_that_its_entries_are_kept_the_refused_one_too(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    assert tablet.prove() == Proved(entries=4, checkpoints=1)
    held = tablet.outbox.fact("verified")[SUB_A]
    assert held["size"] == len([each for each in town.events() if each["ledger"] == SUB_A])
    count = asked(town)
    assert tablet.prove() == Proved()
    assert asked(town) == count, "nothing to show, nothing asked"


def test_what_is_not_published_yet_waits(town: Town) -> None:
    tablet = told(town)
    assert tablet.prove() == Proved(waiting=4)
    town.gridtrail.publisher.turn()
    assert tablet.prove() == Proved(entries=4, checkpoints=1)
    more(town, tablet, 2)
    assert tablet.prove() == Proved(waiting=2)
    town.gridtrail.publisher.turn()
    assert tablet.prove() == Proved(entries=2, checkpoints=1)


def test_every_checkpoint_of_a_receipt_is_linked_to_the_newest(town: Town) -> None:
    tablet = told(town)
    for _ in range(4):
        more(town, tablet)
    town.gridtrail.publisher.turn()
    assert tablet.prove() == Proved(entries=8, checkpoints=5)
    assert tablet.outbox.db.execute("SELECT count(*) FROM heads").fetchone() == (0,)


def test_a_round_that_breaks_off_is_taken_up_again(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    tablet.attempts = 1

    def lose() -> None:
        raise OSError("the answer is lost")

    town.network.after = lose
    with pytest.raises(Unreachable):
        tablet.prove()
    town.network.after = lambda: None
    assert tablet.prove() == Proved(entries=4, checkpoints=1)


def test_a_ledger_that_grows_between_two_questions_stays_one_history(town: Town) -> None:
    tablet, other = told(town), told(town, name="wang")
    town.gridtrail.publisher.turn()

    def grow() -> None:
        town.network.after = lambda: None
        other.record("visit.made", str(uuid4()), A2, VISIT)
        other.sync()
        town.gridtrail.publisher.turn()
        town.network.after = grow

    town.network.after = grow
    assert tablet.prove().entries == 4
    more(town, tablet)
    tablet.prove()
    town.network.after = lambda: None
    tablet.prove()
    assert tablet.outbox.db.execute("SELECT count(*) FROM heads").fetchone() == (0,)


def test_an_answer_that_is_too_large_comes_in_parts(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINE_BYTES", 1_000)
    tablet = told(town, 6)
    town.gridtrail.publisher.turn()
    assert tablet.prove().entries == 7
    assert asked(town) >= 4


def test_after_a_restore_everything_is_shown_again_under_the_new_incarnation(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    tablet.prove()
    before = tablet.outbox.fact("verified")[SUB_A]
    with writing(town.gridtrail.database) as conn:
        town.gridtrail.ledgers.begin_incarnation(conn, SUB_A)
    more(town, tablet)
    town.gridtrail.publisher.turn()
    shown = tablet.prove()
    assert (shown.entries, shown.begun_anew) == (1, 1)
    assert tablet.outbox.fact("former") == [before]
    assert tablet.outbox.fact("verified")[SUB_A]["incarnation"] != before["incarnation"]
    assert tablet.prove() == Proved(entries=4), "what was shown before is shown again"
    assert tablet.prove() == Proved()


# ---- a service that does not keep what it promised


class Lying:
    """A network on which the answers to questions for proofs are changed."""

    def __init__(self, network: Any, change: Callable[[dict[str, Any]], Any]) -> None:
        self.network, self.change = network, change

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        answer = self.network.send(method, url, headers, body)
        if not url.endswith("/v1/sync/proofs") or answer.status != 200:
            return answer
        told = answer.json()
        return Answer(200, answer.headers, json.dumps(self.change(told) or told).encode())


def shift(text: str) -> str:
    plain = bytearray(base64.b64decode(text))
    plain[0] ^= 1
    return base64.b64encode(plain).decode()


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another line": lambda told: told["entries"][0].update(line=told["entries"][1]["line"]),
    "a changed letter": lambda told: told["entries"][0].update(line=told["entries"][0]["line"].replace('"met"', '"mat"')),
    "a changed column of the line": lambda told: told["entries"][0].update(line=told["entries"][0]["line"].replace('"by":"', '"by":"0')),
    "no line at all": lambda told: told["entries"][0].update(line="?"),
    "a line of another kind": lambda told: told["entries"][0].update(line=7),
    "a wrong proof": lambda told: told["entries"][0]["proof"].__setitem__(0, shift(told["entries"][0]["proof"][0])),
    "a proof cut short": lambda told: told["entries"][0].update(proof=told["entries"][0]["proof"][:-1]),
    "a proof that is too long": lambda told: told["entries"][0]["proof"].append(told["entries"][0]["proof"][0]),
    "another position": lambda told: told["entries"][0].update(position=told["entries"][1]["position"]),
    "a position that nobody asked for": lambda told: told["entries"][0].update(position=0),
    "a changed checkpoint": lambda told: {**told, "checkpoint": told["checkpoint"].replace("\n", "\n1", 1)},
    "no checkpoint": lambda told: {**told, "checkpoint": "?"},
    "a checkpoint of another ledger": lambda told: {**told, "checkpoint": told["checkpoint"].replace(SUB_A, SUB_B)},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_does_not_hold_is_another_history(quiet_town: Town, lie: str) -> None:
    tablet = told(quiet_town)
    quiet_town.gridtrail.publisher.turn()
    tablet.transport = Lying(quiet_town.network, LIES[lie])
    with pytest.raises(OtherHistory):
        tablet.prove()
    tablet.transport = quiet_town.network
    assert tablet.prove().entries == 4, "nothing of the lie was kept"


@pytest.mark.parametrize("answer", [[], {}, {"entries": []}, "?"])
def test_an_answer_that_cannot_be_read_proves_nothing(quiet_town: Town, answer: Any) -> None:
    tablet = told(quiet_town)
    quiet_town.gridtrail.publisher.turn()
    tablet.transport = Lying(quiet_town.network, lambda _: answer or {"x": 1})
    with pytest.raises((Unreachable, OtherHistory)):
        tablet.prove()


def forged(town: Town, leaves: list[bytes]) -> str:
    """A checkpoint of other leaves, by somebody who has the service's key."""
    with town.gridtrail.database.connect() as conn:
        head = town.gridtrail.ledgers.head(conn, SUB_A)
    assert head is not None
    origin = ledger_origin("gridtrail.test", SUB_A, head.incarnation)
    return Checkpoint(origin, len(leaves), root_of(leaves)).sign(town.gridtrail.signer.private_key)


def leaves_of(town: Town) -> list[bytes]:
    with town.gridtrail.database.connect() as conn:
        return leaf_hashes(town.gridtrail.ledgers.lines(conn, SUB_A, 0, 10_000))


def test_a_tree_that_was_recomputed_under_the_right_key_is_found_by_the_tablet_that_saw_the_old_one(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    tablet.prove()
    seen = tablet.outbox.fact("verified")[SUB_A]
    more(town, tablet)
    town.gridtrail.publisher.turn()
    other = [b"x" * 32, *leaves_of(town)[1:]]
    proof = [base64.b64encode(each).decode() for each in consistency_proof(other, seen["size"])]
    lie = {"checkpoint": forged(town, other), "consistency": proof}
    tablet.transport = Lying(town.network, lambda told: {**told, **lie})
    with pytest.raises(OtherHistory, match="not what the service signed before"):
        tablet.prove()
    (pair,) = tablet.outbox.fact("contradictions")
    assert (pair["seen"], pair["told"]) == (seen["checkpoint"], lie["checkpoint"])
    assert tablet.outbox.fact("verified")[SUB_A] == seen


def test_two_roots_for_one_size_are_found_though_one_was_in_a_receipt_only(town: Town) -> None:
    tablet = told(town)
    receipt = json.loads(tablet.outbox.db.execute("SELECT receipt FROM receipts").fetchone()[0])
    (head,) = [each for each in receipt["ledgers"] if each["ledger"] == SUB_A]
    other = forged(town, [b"x" * 32, *leaves_of(town)[1:]])
    root = other.split("\n")[2]
    with tablet.outbox.changing():
        tablet.outbox.see([{**head, "root": root, "checkpoint": other}])
    town.gridtrail.publisher.turn()
    with pytest.raises(OtherHistory, match="two trees of one size differ"):
        tablet.prove()


def test_a_ledger_that_goes_back_is_found(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    with town.gridtrail.database.connect() as conn:
        old = conn.execute(sa.select(checkpoints).where(checkpoints.c.ledger == SUB_A)).mappings().one()
    more(town, tablet, 2)
    town.gridtrail.publisher.turn()
    tablet.prove()
    with writing(town.gridtrail.database) as conn:
        back = {name: old[name] for name in ("size", "root", "note")}
        conn.execute(sa.update(checkpoints).where(checkpoints.c.ledger == SUB_A).values(**back))
    tablet.outbox.db.execute("DELETE FROM proved WHERE seq = 0")
    with pytest.raises(OtherHistory, match="gone back from"):
        tablet.prove()


def test_an_entry_that_the_service_does_not_know_any_more_is_another_history(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    tablet.outbox.db.execute("UPDATE entries SET outcome = replace(outcome, '\"position\": ', '\"position\": 9') WHERE seq = 0")
    with pytest.raises(OtherHistory, match="does not know entries"):
        tablet.prove()


def test_entries_that_went_with_a_restore_since_the_last_sync_are_no_lie(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    tablet.outbox.db.execute("UPDATE entries SET outcome = replace(outcome, '\"position\": ', '\"position\": 9') WHERE seq = 0")
    tablet.outbox.remember(confirmed=5)
    assert tablet.prove().entries == 0


# ---- what may be asked


def test_a_tablet_is_shown_its_own_entries_only(town: Town) -> None:
    tablet, other = told(town), told(town, name="wang")
    town.gridtrail.publisher.turn()
    own, foreign = positions_of(tablet), positions_of(other)
    token = tablet.outbox.fact("token")
    answer = ask(town, token, {"ledger": SUB_A, "positions": own})
    assert [each["position"] for each in answer.json["entries"]] == own
    absent = ask(town, token, {"ledger": SUB_A, "positions": [10_000]})
    assert absent.status_code == 404
    # The head of the ledger's events (position 0) is nobody's entry; another tablet's looks exactly the same.
    for positions in ([0], foreign[:1], [*own, foreign[0]], [2**53 - 1]):
        answer = ask(town, token, {"ledger": SUB_A, "positions": positions})
        assert (answer.status_code, answer.data) == (404, absent.data), positions
    for ledger in (SUB_B, "4115", "411509999"):
        assert ask(town, token, {"ledger": ledger, "positions": []}).data == absent.data


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 422), ({}, 422), ({"ledger": SUB_A}, 422), ({"ledger": "root", "positions": []}, 422),
        ({"ledger": 4115, "positions": []}, 422),
        ({"ledger": SUB_A, "positions": [-1]}, 422), ({"ledger": SUB_A, "positions": ["1"]}, 422),
        ({"ledger": SUB_A, "positions": [1.5]}, 422),
        ({"ledger": SUB_A, "positions": [True]}, 422), ({"ledger": SUB_A, "positions": [2**53]}, 422),
        ({"ledger": SUB_A, "positions": None}, 422),
        ({"ledger": SUB_A, "positions": list(range(501))}, 422), ({"ledger": SUB_A, "positions": [], "more": 1}, 422),
        ({"ledger": SUB_A, "positions": [], "seen": {"size": 0, "root": "A" * 43 + "="}}, 422),
        ({"ledger": SUB_A, "positions": [], "seen": {"size": 1}}, 422),
        ({"ledger": SUB_A, "positions": [], "seen": {"size": 1, "root": "x"}}, 422),
        ({"ledger": SUB_A, "positions": [], "seen": {"size": 1, "root": "A" * 42 + "B="}}, 422),
    ],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(quiet_town: Town, body: Any, status: int) -> None:
    hand = Hand(quiet_town, "li")
    assert ask(quiet_town, hand.token, body).status_code == status


def test_a_tablet_without_entries_may_ask_about_its_own_ledger(quiet_town: Town) -> None:
    hand = Hand(quiet_town, "li")
    quiet_town.gridtrail.publisher.turn()
    root = base64.b64encode(bytes(32)).decode()
    answer = ask(quiet_town, hand.token, {"ledger": SUB_A, "positions": [], "seen": {"size": 10**6, "root": root}})
    assert (answer.status_code, answer.json["consistency"], answer.json["entries"]) == (200, None, [])


def test_the_same_position_twice_is_answered_once(quiet_town: Town) -> None:
    tablet = told(quiet_town)
    quiet_town.gridtrail.publisher.turn()
    (position, *_) = positions_of(tablet)
    answer = ask(quiet_town, tablet.outbox.fact("token"), {"ledger": SUB_A, "positions": [position] * 500})
    assert [each["position"] for each in answer.json["entries"]] == [position]


def test_before_anything_is_published_that_is_said(town: Town) -> None:
    tablet = told(town)
    answer = ask(town, tablet.outbox.fact("token"), {"ledger": SUB_A, "positions": positions_of(tablet)})
    assert (answer.status_code, answer.json["code"]) == (404, "not_published")


def test_a_revoked_tablet_is_shown_nothing(town: Town) -> None:
    tablet = told(town)
    town.gridtrail.publisher.turn()
    said = {"last_valid": -1, "reason": "lost"}
    town.gridtrail.inspection.change_tablet(OFFICER, tablet.outbox.fact("ledger"), tablet.id, "revoke", said)
    with pytest.raises(Refused, match="tablet_revoked"):
        tablet.prove()


def test_without_a_tablets_token_nothing_is_shown(quiet_town: Town) -> None:
    assert quiet_town.app.test_client().post("/v1/sync/proofs", json={"ledger": SUB_A, "positions": []}).status_code == 401
    assert ask(quiet_town, "x" * 43, {"ledger": SUB_A, "positions": []}).status_code == 401


def test_500_entries_cost_a_few_statements(quiet_town: Town) -> None:
    hand = Hand(quiet_town, "li")
    answer = hand.send([hand.entry(seq) for seq in range(500)])
    positions = [each["position"] for each in answer.json["outcomes"]]
    quiet_town.gridtrail.publisher.turn()
    statements: list[str] = []
    sa.event.listen(quiet_town.gridtrail.database, "before_cursor_execute", lambda *said: statements.append(said[2]))
    answer = ask(quiet_town, hand.token, {"ledger": SUB_A, "positions": positions})
    assert len(answer.json["entries"]) == 500
    assert len(statements) < 20
    rows = sa.select(sa.func.count()).where(events.c.tablet == UUID(hand.id))
    with quiet_town.gridtrail.database.connect() as conn:
        assert conn.scalar(rows) >= 500
