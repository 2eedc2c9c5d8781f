"""How the ledgers stand, their entries by filter, and what auditors say that they verified: on both stores."""

import base64
import hashlib
import json

import pytest

from service.audit.rotating import Rotating
from service.audit.tables import checkpoints
from service.database import writing
from service.ledger.note import Checkpoint
from tests.web.city import CITY, SUBDISTRICT_A, SUBDISTRICT_B, City, person_id

OTHER_ROOT = base64.b64encode(hashlib.sha256(b"another history").digest()).decode()
EVENTS = f"/v1/ledgers/{SUBDISTRICT_A}/events"
WORDS = f"/v1/ledgers/{SUBDISTRICT_A}/verifications"


@pytest.fixture(autouse=True)
def published(town: City) -> None:
    town.clock.forward(seconds=2)
    town.gridtrail.publisher.turn()


def of(town: City, ledger: str = SUBDISTRICT_A) -> dict:
    return next(each for each in town.client("sun").get("/v1/ledgers").json["items"] if each["ledger"] == ledger)


def test_a_ledger_says_what_was_published_of_it(town: City) -> None:
    row = of(town)
    assert (row["published_size"], row["halted"], row["signed_size"]) == (row["size"], False, None)
    whole = town.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_A}").json
    assert {name: whole[name] for name in row} == row
    note = whole["checkpoint"]["note"]
    told = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
    assert (told.size, base64.b64encode(told.root).decode()) == (row["size"], row["root"])
    assert whole["checkpoint"]["vkey"].startswith(told.origin)
    assert [each["present"] for each in whole["incarnations"]] == [True]
    first = json.loads(town.client("sun").get(EVENTS, limit=1).json["items"][0]["line"])
    assert whole["begun_at"] == first["recorded_at"]


def test_an_auditors_word_is_on_record_and_shown_with_the_ledger(town: City) -> None:
    size, root = of(town, SUBDISTRICT_B)["size"], of(town, SUBDISTRICT_B)["root"]
    said = {"size": size, "root": root, "holds": True, "how": "gridtrail audit verify"}
    assert of(town, SUBDISTRICT_B)["verified"] is None
    answer = town.client("sun").post(WORDS.replace(SUBDISTRICT_A, SUBDISTRICT_B), said, Gridtrail_Purpose="yearly audit")
    assert (answer.status_code, answer.json["same_root"]) == (201, True)
    word = of(town, SUBDISTRICT_B)["verified"]
    assert (word["size"], word["holds"], word["account"], word["purpose"]) == (size, True, "sun", "yearly audit")
    row = town.client("sun").get("/v1/access-log", act="ledger.verified").json["items"][0]
    assert (row["ledger"], row["person"], row["rows"]) == (SUBDISTRICT_B, person_id("sun"), size)


def test_another_root_than_ours_is_kept_as_it_was_said(town: City) -> None:
    said = {"size": of(town)["size"], "root": OTHER_ROOT, "holds": False, "faults": 3, "how": "tlogcheck"}
    assert town.client("sun").post(WORDS, said).json["same_root"] is False
    more = {**said, "size": of(town)["size"] + 1, "holds": True, "faults": 0}
    town.clock.forward(seconds=1)
    assert town.client("sun").post(WORDS, more).json["same_root"] is False, "the service has not so many entries"
    words = town.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_A}").json["verifications"]
    assert [(word["size"], word["root"], word["faults"]) for word in words[:2]] == [
        (more["size"], OTHER_ROOT, 0),
        (said["size"], OTHER_ROOT, 3),
    ]
    assert of(town)["verified"]["size"] == more["size"], "the latest word is the one in the list"


def test_an_earlier_size_is_compared_with_the_root_of_that_size(town: City) -> None:
    with town.gridtrail.database.connect() as conn:
        root = base64.b64encode(town.gridtrail.tiles.root(conn, SUBDISTRICT_A, 5)).decode()
    said = {"size": 5, "root": root, "holds": True, "how": "by hand"}
    assert town.client("sun").post(WORDS, said).json["same_root"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"root": "x"},
        {"root": "A" * 44},
        {"holds": "yes"},
        {"holds": True, "faults": 1},
        {"how": ""},
        {"how": "a\x00b"},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_word_of_another_form_is_refused(town: City, wrong: dict) -> None:
    said = {"size": 5, "root": OTHER_ROOT, "holds": True, "faults": 0, "how": "by hand", **wrong}
    assert town.client("sun").post(WORDS, said).status_code == 422


def test_only_an_auditor_of_the_ledger_gives_a_word(town: City) -> None:
    said = {"size": 5, "root": OTHER_ROOT, "holds": True, "how": "by hand"}
    town.hire(f"lu {town.clock.now.timestamp()}", ("auditor", SUBDISTRICT_B))
    lu = next(name for name in town.tokens if name.startswith("lu"))
    assert town.client(lu).post(WORDS, said).status_code == 404
    for name in ("chen", "guan", "li"):
        assert town.client(name).post(WORDS, said).status_code == 403, name


def test_a_ledger_that_is_behind_what_was_signed_says_so(town: City) -> None:
    head = of(town, CITY)
    origin = town.client("sun").get(f"/v1/ledgers/{CITY}").json["checkpoint"]["origin"]
    town.gridtrail.watermark.journal.halt(origin.encode(), head["size"])
    try:
        assert (of(town, CITY)["halted"], of(town, CITY)["signed_size"]) == (True, head["size"])
        assert of(town)["halted"] is False
    finally:
        town.gridtrail.watermark.journal.resume(origin.encode())
    assert of(town, CITY)["halted"] is False


def positions(town: City, **query: object) -> list[int]:
    return [item["position"] for item in town.client("sun").get(EVENTS, **query).json["items"]]


def test_entries_are_found_by_tablet_and_latest_first_in_pages(town: City) -> None:
    tablet = str(town.tablets["li"].id)
    found = town.client("sun").get(EVENTS, tablet=tablet, limit=500).json["items"]
    assert found
    assert {json.loads(item["line"])["state"].get("tablet") for item in found} == {tablet}
    whole = positions(town, limit=500)
    assert whole == list(range(len(whole)))
    backwards, query = [], {"limit": 7, "sort": "-position"}
    while True:
        page = town.client("sun").get(EVENTS, **query).json
        backwards += [item["position"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert backwards == whole[::-1]
    assert positions(town, sort="-position", topic="case.reported", limit=1) == positions(town, topic="case.reported", limit=500)[-1:]
    assert positions(town, sort="-position", start=3, limit=500)[-1] == 3


def test_what_signs_is_told_to_auditors_and_administrators(town: City) -> None:
    told = town.client("guan").get("/v1/signing").json
    assert told["key"] == str(town.gridtrail.signer.verifier)
    assert (told["rotations"], told["witnesses"], told["timestamp"], told["timestamping"]) == ([], [], None, False)
    assert told["root_log"]["size"] == told["root_log"]["checkpoint"]["size"] > 0


def test_a_witness_that_is_away_and_one_that_cosigned_are_told_apart(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.audit import standing
    from service.audit.tables import ROOT, cosignatures, published
    from service.database import reading

    keys = [f"witness-{number}.example/1+{'0' * 8}+x" for number in (1, 2)]

    class Verifier:
        def __init__(self, key: str) -> None:
            self.name, self.id, self.key = key.partition("+")[0], b"none", key

        def __str__(self) -> str:
            return self.key

    class Asked:
        def __init__(self, key: str) -> None:
            self.verifier = Verifier(key)

    with reading(town.gridtrail.database) as conn:
        root = published(conn, ROOT)
    assert root is not None
    row = {
        "ledger": ROOT,
        "incarnation": root.incarnation,
        "witness": keys[0],
        "size": root.size,
        "note": "",
        "cosigned_at": root.signed_at,
    }
    with writing(town.gridtrail.database) as conn:
        conn.execute(cosignatures.delete())
        conn.execute(cosignatures.insert(), row)
    monkeypatch.setattr(standing, "parse_witnesses", lambda _: [Asked(key) for key in keys])
    told = town.client("sun").get("/v1/signing").json["witnesses"]
    assert [(each["name"], each["size"], each["in_note"]) for each in told] == [
        ("witness-1.example/1", root.size, False),
        ("witness-2.example/1", None, False),
    ]
    assert town.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_A}").json["cosigned_by"] == ["witness-1.example/1"]
    with writing(town.gridtrail.database) as conn:
        conn.execute(checkpoints.update().where(checkpoints.c.ledger == SUBDISTRICT_A).values(rooted=-1))
    assert town.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_A}").json["cosigned_by"] == []


def test_a_key_that_was_handed_on_is_told_with_its_statement(town: City) -> None:
    old = str(town.gridtrail.signer.verifier)
    Rotating(town.gridtrail).rotate("Yearly change", stolen=False)
    (told,) = town.client("guan").get("/v1/signing").json["rotations"]
    assert (told["old"], told["reason"], told["holds"], told["last_valid"]) == (old, "Yearly change", True, None)
    assert told["new"] != old
    assert told["new"] in told["statement"]
