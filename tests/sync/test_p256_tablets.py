"""Tablets whose browser has no Ed25519: enrolled, sealing, witnessing and audited with P-256, and never taken for the other kind."""

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from service.ledger.note import Checkpoint, key_id
from service.sync.codes import proof_text
from service.tablet_client import Proved
from tests.check import check_everything
from tests.sync.town import A1, A2, Hand, Town, new_key

ALGORITHMS = ["ed25519", "p256"]
VISIT = {"household": "H-1", "outcome": "met"}


def asked(town: Town, key: Any, **said: Any) -> Any:
    """The answer to an enrolment with a key."""
    code = town.code("li")
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    proof = base64.b64encode(key.sign(proof_text(code, public))).decode()
    body = {"code": code, "public_key": public, "proof": proof, **said}
    return town.app.test_client().post("/v1/tablets/enrolments", json=body)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_day_of_a_tablet_with_either_key(town: Town, algorithm: str) -> None:
    tablet = town.tablet("li", algorithm=algorithm)
    for _ in range(3):
        tablet.record("visit.made", str(uuid4()), A1, VISIT)
    assert tablet.sync().recorded == 3
    tablet.record("visit.made", str(uuid4()), A1, VISIT)
    assert tablet.sync().recorded == 1
    town.gridtrail.publisher.turn()
    assert tablet.prove() == Proved(entries=4, checkpoints=2)
    (enrolled,) = town.events("tablet.enrolled")
    said = enrolled["state"]["data"]
    assert (said["algorithm"], len(base64.b64decode(said["public_key"]))) == (algorithm, {"ed25519": 32, "p256": 65}[algorithm])
    check_everything(town.gridtrail)


def test_tablets_of_both_kinds_stand_side_by_side(town: Town) -> None:
    tablets = [town.tablet("li", algorithm="p256"), town.tablet("wang", algorithm="ed25519")]
    for tablet, area in zip(tablets, (A1, A2), strict=True):
        tablet.record("visit.made", str(uuid4()), area, VISIT)
        assert tablet.sync().recorded == 1
    check_everything(town.gridtrail)


def test_a_killed_client_goes_on_with_the_kind_of_key_that_it_stored(town: Town) -> None:
    tablet = town.tablet("li", "one.db", algorithm="p256")
    tablet.record("visit.made", str(uuid4()), A1, VISIT)
    tablet.outbox.close()
    again = type(tablet)(str(town.folder / "one.db"), **town.options())
    assert again.sync().recorded == 1


def test_a_lost_answer_is_given_again_for_the_same_key(town: Town) -> None:
    code, key = town.code("li"), new_key("p256")
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    # Two signatures of one text differ with P-256: the key is what makes it the same tablet.
    told = [
        town.gridtrail.enrolment.enrol(code, public, base64.b64encode(key.sign(proof_text(code, public))).decode(), algorithm="p256")
        for _ in range(2)
    ]
    assert told[0]["tablet"] == told[1]["tablet"]


@pytest.mark.parametrize(
    ("algorithm", "changes", "code", "sentence"),
    [
        ("p256", {"algorithm": "ed25519"}, "bad_key", "32 bytes"),
        ("p256", {"algorithm": None}, "bad_fields", ""),
        ("ed25519", {"algorithm": "p256"}, "bad_key", "65 bytes"),
        ("p256", {"algorithm": "P256"}, "bad_key", "one of ed25519, p256"),
        ("p256", {"algorithm": "p-256"}, "bad_key", "one of ed25519, p256"),
        ("p256", {"public_key": base64.b64encode(b"\x04" + bytes(64)).decode()}, "bad_key", "no point of the curve"),
        ("p256", {"public_key": base64.b64encode(b"\x02" + bytes(32)).decode()}, "bad_key", "65 bytes"),
        ("p256", {"public_key": base64.b64encode(b"\x05" + bytes(64)).decode()}, "bad_key", "65 bytes"),
        ("p256", {"public_key": "A" * 200}, "bad_fields", ""),
        ("p256", {"public_key": "nonsense!"}, "bad_key", "not base64"),
        ("p256", {"proof": base64.b64encode(bytes(64)).decode()}, "bad_proof", "p256 signature"),
        ("p256", {"proof": base64.b64encode(bytes(63)).decode()}, "bad_proof", "63 bytes"),
        ("p256", {"proof": base64.b64encode(bytes(72)).decode()}, "bad_proof", "72 bytes"),
        ("p256", {"proof": ""}, "bad_fields", ""),
    ],
)
def test_what_is_no_key_and_no_proof_of_its_algorithm_is_refused_with_a_sentence(
    quiet_town: Town, algorithm: str, changes: dict[str, Any], code: str, sentence: str
) -> None:
    answer = asked(quiet_town, new_key(algorithm), **{"algorithm": algorithm, **changes})
    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert sentence in answer.json.get("detail", "")


def test_a_tablet_that_says_nothing_signs_with_ed25519(quiet_town: Town) -> None:
    assert asked(quiet_town, new_key("ed25519")).status_code == 201
    assert asked(quiet_town, new_key("p256")).json["code"] == "bad_key"


# ---- seals


def with_seal(hand: Hand, seal: str) -> bytes:
    """An empty batch with another seal."""
    last = json.loads(hand.body([]))
    return json.dumps({**last, "seal": seal}).encode() + b"\n"


def note_of(hand: Hand, key: Any, identifier: bytes, signature: bytes | None = None) -> str:
    text = Checkpoint(hand.origin, 0, hand.frontier.root()).text()
    coded = base64.b64encode(identifier + (key.sign(text.encode()) if signature is None else signature)).decode()
    return f"{text}\n— {hand.origin} {coded}\n"


@pytest.mark.parametrize("own", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_a_seal_by_another_key_of_either_kind_is_refused(quiet_town: Town, own: str, other: str) -> None:
    hand, stranger = quiet_town.hand("li", own), new_key(other)
    answer = hand.post(hand.body([], key=stranger))
    assert (answer.status_code, answer.json["code"]) == (400, "wrong_seal")
    forged = note_of(hand, stranger, hand.verifier.id)
    assert hand.post(with_seal(hand, forged)).json["code"] == "wrong_seal"
    assert hand.post(hand.body([])).status_code == 200


@pytest.mark.parametrize("own", ALGORITHMS)
def test_the_algorithm_cannot_be_swapped_by_a_message(quiet_town: Town, own: str) -> None:
    hand = quiet_town.hand("li", own)
    public = hand.key.public_key().public_bytes_raw()
    for kind in (0x01, 0x04, 0xFF):
        identifier = key_id(hand.origin, public, kind)
        answer = hand.post(with_seal(hand, note_of(hand, hand.key, identifier)))
        assert (answer.status_code == 200) == (identifier == hand.verifier.id), kind


@pytest.mark.parametrize("own", ALGORITHMS)
@pytest.mark.parametrize("length", [1, 32, 63, 65, 70, 72])
def test_a_signature_of_another_length_is_refused_with_a_sentence(quiet_town: Town, own: str, length: int) -> None:
    hand = quiet_town.hand("li", own)
    answer = hand.post(with_seal(hand, note_of(hand, hand.key, hand.verifier.id, b"\x01" * length)))
    assert (answer.status_code, answer.json["code"]) == (400, "wrong_seal")
    assert f"has {length} bytes" in answer.json["detail"]


def test_the_twin_of_a_seal_is_the_same_seal(town: Town) -> None:
    """Whoever writes (r, n - s) instead of (r, s) has told nothing else; what was given is recorded, and sending again doubles nothing."""
    hand = town.hand("li", "p256")
    lines = [hand.entry(0)]
    body = hand.body(lines)
    *_, last = body.split(b"\n")[:-1]
    told = json.loads(last)
    head, _, coded = told["seal"].rpartition(" ")
    plain = base64.b64decode(coded)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = plain[:36] + (order - int.from_bytes(plain[36:], "big")).to_bytes(32, "big")
    other = {**told, "seal": f"{head} {base64.b64encode(twin).decode()}\n"}
    assert hand.post(lines[0] + b"\n" + json.dumps(other).encode() + b"\n").json["outcomes"][0]["outcome"] == "recorded"
    assert hand.post(body).json["outcomes"][0]["outcome"] == "duplicate"
    (uploaded,) = town.events("tablet.uploaded")
    assert uploaded["state"]["seal"] == other["seal"]
    check_everything(town.gridtrail)


def test_a_fork_is_told_on_the_signature_of_either_kind(town: Town) -> None:
    hand = town.hand("li", "p256")
    hand.send([hand.entry(0)])
    other = type(hand.frontier)()
    answer = hand.post(hand.body([hand.entry(0, data={"household": "H-2", "outcome": "met"})], base=other))
    assert (answer.status_code, answer.json["code"]) == (409, "forked")
    check_everything(town.gridtrail)
