"""Bodies that are not batches: each fault has its own answer, and nothing of such a body is recorded."""

import gzip
import json
import zlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.ledger.tree import Frontier
from service.problems import Problem
from service.sync.batch import decode_batch
from tests.sync.town import Hand, Town

NO_CHANGE = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def hand(quiet_town: Town) -> Hand:
    return quiet_town.hand("li")


def decoded(hand: Hand, body: bytes):
    return decode_batch(body, hand.verifier, hand.town.gridtrail.config)


def test_a_body_cut_at_any_byte_is_never_taken_for_a_whole_one(hand: Hand) -> None:
    body = hand.body([hand.entry(seq, data={"household": "H", "outcome": "met", "care_group": "\u4e2d"}) for seq in range(3)])
    assert len(decoded(hand, body).lines) == 3
    for length in range(len(body)):
        with pytest.raises(Problem) as no:
            decoded(hand, body[:length])
        assert no.value.code == "no_seal"
    packed = gzip.compress(body, mtime=0)
    events = len(hand.town.events())
    for length in range(1, len(packed), 7):
        answer = hand.post(packed[:length], Content_Encoding="gzip")
        assert (answer.status_code, answer.json["code"]) == (400, "bad_gzip")
    assert len(hand.town.events()) == events


def test_a_batch_may_be_plain_or_gzip(hand: Hand) -> None:
    assert hand.post(hand.body([])).status_code == 200
    assert hand.post(gzip.compress(hand.body([])), Content_Encoding="gzip").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        ({"Content-Type": ""}, 415, "unsupported_media_type"),
        ({"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        ({"Content-Encoding": "gzip, gzip"}, 415, "unsupported_encoding"),
        ({"Content-Length": "99999999"}, 413, "too_large"),
        ({"Content-Length": "+12"}, 411, "length_required"),
        ({"Content-Length": "\u0661\u0662"}, 411, "length_required"),
        ({"Authorization": ""}, 401, "not_logged_in"),
        ({"Authorization": "Bearer nonsense"}, 401, "not_logged_in"),
    ],
)
def test_wrong_headers_are_refused_before_the_body_is_read(hand: Hand, headers: dict, status: int, code: str) -> None:
    sent = {**NO_CHANGE, "Authorization": f"Bearer {hand.token}", **headers}
    environ = {}
    if "Content-Length" in headers:
        environ["CONTENT_LENGTH"] = sent.pop("Content-Length").encode("utf-8").decode("latin-1")
    answer = hand.town.app.test_client().post("/v1/sync/batches", data=hand.body([]), headers=sent, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_body_without_a_length_is_refused(hand: Hand) -> None:
    headers = {**NO_CHANGE, "Authorization": f"Bearer {hand.token}", "Transfer-Encoding": "chunked"}
    environ = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    answer = hand.town.app.test_client().post("/v1/sync/batches", data=hand.body([]), headers=headers, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (411, "length_required")


def test_a_body_shorter_than_it_says_is_refused(hand: Hand) -> None:
    headers = {**NO_CHANGE, "Authorization": f"Bearer {hand.token}"}
    body = hand.body([])
    answer = hand.town.app.test_client().post(
        "/v1/sync/batches", data=body, headers=headers, environ_overrides={"CONTENT_LENGTH": str(len(body) + 5)}
    )
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def test_a_bomb_is_refused_after_inflating_no_more_than_the_limit(hand: Hand) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(50)) + packer.flush()
    assert len(bomb) < 100_000
    answer = hand.post(bomb, Content_Encoding="gzip")
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    assert answer.json["max_inflated_bytes"] == hand.town.gridtrail.config.batch_max_inflated_bytes


@pytest.mark.parametrize("spoil", [lambda body: body + b"x", lambda body: body + body, lambda body: b"x" + body, lambda _: b"x"])
def test_what_is_not_one_whole_gzip_member_is_refused(hand: Hand, spoil) -> None:
    answer = hand.post(spoil(gzip.compress(hand.body([]))), Content_Encoding="gzip")
    assert (answer.status_code, answer.json["code"]) == (400, "bad_gzip")


def test_limits_are_told_with_the_refusal(hand: Hand) -> None:
    small = replace(hand.town.gridtrail.config, batch_max_entries=2, entry_max_bytes=300)
    for lines, code, fact in (
        ([hand.entry(seq) for seq in range(3)], "too_many_entries", {"max_entries": 2}),
        ([hand.entry(0, boot="b" * 300)], "entry_too_large", {"max_entry_bytes": 300, "line": 1}),
    ):
        with pytest.raises(Problem) as no:
            decode_batch(hand.body(lines, base=Frontier()), hand.verifier, small)
        assert (no.value.code, no.value.status, no.value.facts) == (code, 413, fact)


def sealed(hand: Hand, **changes: object) -> bytes:
    last = json.loads(hand.body([]))
    return json.dumps({**last, **changes}).encode() + b"\n"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seal": 7}, "bad_seal"),
        ({"seal": "x" * 3000}, "bad_seal"),
        ({"seal": "nonsense"}, "wrong_seal"),
        ({"base": None}, "bad_seal"),
        ({"base": {"size": -1, "root": "x"}}, "bad_seal"),
        ({"base": {"size": True, "root": "x"}}, "bad_seal"),
        ({"base": {"size": 2**53, "root": "x"}}, "bad_seal"),
        ({"base": {"size": 0, "root": "AAAA"}}, "bad_seal"),
        ({"base": {"size": 0, "root": "no base64"}}, "wrong_seal"),
        ({"base": {"size": 5, "root": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}, "wrong_seal"),
        ({"waiting": "0"}, "bad_seal"),
        ({"waiting": -1}, "bad_seal"),
        ({"mono_ms": 1.5}, "bad_seal"),
        ({"boot": ""}, "bad_seal"),
        ({"more": 1}, "bad_seal"),
    ],
)
def test_a_seal_that_is_wrong_refuses_the_batch(hand: Hand, changes: dict, code: str) -> None:
    answer = hand.post(sealed(hand, **changes))
    assert (answer.status_code, answer.json["code"]) == (400, code)


@pytest.mark.parametrize(
    "last", [b"NaN", b'{"seal":NaN}', b'{"seal":"a","seal":"b"}', b"[" * 100 + b"]" * 100, b"\xff", b"", b'"seal"', b'{"seal":"\\ud800"}']
)
def test_a_last_line_that_is_no_strict_json_is_no_seal(hand: Hand, last: bytes) -> None:
    answer = hand.post(last + b"\n")
    assert (answer.status_code, answer.json["code"]) == (400, "no_seal")


def test_a_stolen_token_is_no_use_without_the_tablets_key(hand: Hand) -> None:
    thief = hand.town.hand("qian")
    assert hand.post(thief.body([thief.entry(0)]), token=hand.token).json["code"] == "wrong_seal"
    own_key = hand.body([hand.entry(0)], base=Frontier(), key=Ed25519PrivateKey.generate())
    assert hand.post(own_key).json["code"] == "wrong_seal"
    assert thief.post(hand.body([hand.entry(0)]), token=thief.token).json["code"] == "wrong_seal"


def test_entries_out_of_their_order_refuse_the_batch(hand: Hand) -> None:
    for numbers in ((1,), (0, 2), (0, 0), (1, 0)):
        answer = hand.post(hand.body([hand.entry(seq) for seq in numbers], base=Frontier()))
        assert (answer.status_code, answer.json["code"]) == (400, "wrong_sequence")
