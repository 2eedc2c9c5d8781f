"""How a tablet comes to a person, and how it is taken away."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.database import Busy
from service.problems import Problem
from service.scope import Actor, Grant, NotYourRole, OutOfScope
from service.sync.codes import canonical_code, proof_text
from tests.check import check_everything
from tests.sync.town import A1, A2, B1, CITY, COUNTY, OFFICER, ROOT, SUB_A, Town, person

VECTORS = Path(__file__).parents[1] / "vectors"


def asked(town: Town, code: str, key: Ed25519PrivateKey | None = None, **changes: str):
    key = key or Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    proof = base64.b64encode(key.sign(proof_text(code, public))).decode()
    body = {"code": code, "public_key": public, "proof": proof, **changes}
    body["code"] = body.pop("other_code", code)
    return town.app.test_client().post("/v1/tablets/enrolments", json=body)


def test_a_code_makes_one_tablet(town: Town) -> None:
    code = town.code("li")
    answer = asked(town, code.lower().replace("-", " "), label="blue cover")
    told = answer.json
    assert answer.status_code == 201
    assert (told["person"], told["area"], told["ledger"]) == (person("li"), A1, SUB_A)
    assert told["origin"] == f"gridtrail.test/tablet/{told['tablet']}"
    (event,) = town.events("tablet.enrolled")
    assert (event["stream"], event["state"]["data"]["label"]) == (told["tablet"], "blue cover")
    with town.gridtrail.database.connect() as conn:
        stored = str([conn.exec_driver_sql(f"SELECT * FROM {table}").all() for table in ("tablet_states", "enrolment_codes")])
    assert told["token"] not in stored
    assert code not in stored
    again = asked(town, code)
    assert (again.status_code, again.json["code"]) == (409, "code_used")
    check_everything(town.gridtrail)


def test_a_lost_answer_is_given_again_for_the_same_key_until_the_tablet_uploads(town: Town) -> None:
    code, key = town.code("li"), Ed25519PrivateKey.generate()
    first, second = asked(town, code, key).json, asked(town, code, key).json
    assert first["tablet"] == second["tablet"]
    assert first["token"] != second["token"]
    headers = {"Authorization": f"Bearer {first['token']}"}
    assert town.app.test_client().get("/v1/sync/standing", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"proof": base64.b64encode(bytes(64)).decode()}, 422, "bad_proof"),
        ({"proof": "nonsense"}, 422, "bad_proof"),
        ({"public_key": "nonsense"}, 422, "bad_key"),
        ({"public_key": base64.b64encode(bytes(31)).decode()}, 422, "bad_key"),
        ({"public_key": base64.b64encode(b"\x01" + bytes(31)).decode()}, 422, "weak_key"),
        ({"algorithm": "rsa"}, 422, "bad_key"),
        ({"other_code": "0000-0000-0000-0000"}, 404, "code_unknown"),
        ({"is_admin": "yes"}, 422, "bad_fields"),
        ({"person": "x"}, 422, "bad_fields"),
    ],
)
def test_a_wrong_enrolment_is_refused(quiet_town: Town, changes: dict, status: int, code: str) -> None:
    answer = asked(quiet_town, quiet_town.code("li"), **changes)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_small_order_keys_are_refused(quiet_town: Town) -> None:
    found = sorted(VECTORS.rglob("ed25519_low_order_public_keys.json"))
    assert found
    for public in json.loads(found[0].read_text())["keys"]:
        coded = base64.b64encode(bytes.fromhex(public)).decode()
        assert asked(quiet_town, quiet_town.code("li"), public_key=coded).json["code"] in ("weak_key", "bad_key")


def test_a_code_expires(town: Town) -> None:
    code = town.code("li")
    town.clock.forward(hours=24)
    answer = asked(town, code)
    assert (answer.status_code, answer.json["code"]) == (410, "code_expired")


def test_a_code_that_is_tried_too_often_is_locked_even_for_the_right_proof(town: Town) -> None:
    code = town.code("li")
    for _ in range(5):
        assert asked(town, code, proof=base64.b64encode(bytes(64)).decode()).json["code"] == "bad_proof"
    answer = asked(town, code)
    assert (answer.status_code, answer.json["code"]) == (429, "code_locked")


def test_right_proofs_whose_answers_were_lost_lock_no_code(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    code, key = town.code("li"), Ed25519PrivateKey.generate()

    def away(*_: object) -> None:
        raise Busy("The database is busy.")

    with monkeypatch.context() as busy:
        busy.setattr(town.gridtrail.enrolment, "_enrolled", away)
        assert [asked(town, code, key).status_code for _ in range(8)] == [503] * 8
    assert [asked(town, code, key).status_code for _ in range(8)] == [201] * 8


def test_a_right_proof_gives_nobody_another_guess(town: Town) -> None:
    code, key, wrong = town.code("li"), Ed25519PrivateKey.generate(), base64.b64encode(bytes(64)).decode()
    for _ in range(4):
        assert asked(town, code, proof=wrong).json["code"] == "bad_proof"
        assert asked(town, code, key).status_code == 201
    assert asked(town, code, proof=wrong).json["code"] == "bad_proof"
    assert asked(town, code, proof=wrong).json["code"] == asked(town, code, key).json["code"] == "code_locked"


def test_of_guesses_made_at_once_no_more_are_looked_at_than_are_left(town: Town) -> None:
    code, key = town.code("li"), Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    wrong, right = (base64.b64encode(each).decode() for each in (bytes(64), key.sign(proof_text(code, public))))

    def one(number: int) -> str:
        try:
            town.gridtrail.enrolment.enrol(code, public, right if number % 4 == 0 else wrong)
        except Problem as no:
            return no.code
        return "enrolled"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(one, range(24)))
    assert said.count("bad_proof") == 5
    assert set(said[::4]) <= {"enrolled", "code_locked"}
    assert one(0) == "code_locked"


def test_guessing_codes_is_throttled(town: Town) -> None:
    for _ in range(50):
        assert asked(town, "0000-0000-0000-0000").status_code == 404
    answer = asked(town, town.code("li"))
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_attempts")
    assert answer.headers["Retry-After"]


def test_codes_are_made_by_officers_and_administrators_of_the_area_only(quiet_town: Town) -> None:
    enrolment = quiet_town.gridtrail.enrolment
    employ(quiet_town, "local", A1, ("worker", A1))
    assert enrolment.make_code(OFFICER, person("local")).area == A1
    with pytest.raises(OutOfScope):
        enrolment.make_code(OFFICER, person("qian"))
    with pytest.raises(NotYourRole):
        enrolment.make_code(Actor(person("li"), (Grant("worker", A1),)), person("li"))
    assert enrolment.make_code(ROOT, person("qian")).url.startswith("http://town/tablet/#enrol=")


def employ(town: Town, name: str, home: str, *assignments: tuple[str, str], from_day: str = "2026-01-01") -> str:
    """Somebody whose home is not the city's office."""
    inspection = town.gridtrail.inspection
    inspection.register_person(ROOT, home, UUID(person(name)))
    for role, unit in assignments:
        said = {"assignment": str(uuid4()), "role": role, "unit": unit, "from_day": from_day}
        inspection.change_person(ROOT, home, person(name), "assign", said)
    return person(name)


@pytest.mark.parametrize(
    ("home", "assignments"),
    [
        (B1, [("worker", B1)]),
        (B1, [("worker", A1)]),
        (A1, [("worker", A1), ("officer", COUNTY)]),
        (A1, [("worker", A1), ("auditor", CITY)]),
        (A1, [("worker", A1), ("officer", f"{COUNTY}/fire")]),
    ],
)
def test_nobody_makes_a_code_for_more_than_they_reach_themselves(quiet_town: Town, home: str, assignments: list) -> None:
    """Whoever holds a tablet acts as its person: an officer could become anybody."""
    name = employ(quiet_town, f"{home} {assignments}", home, *assignments)
    enrolment = quiet_town.gridtrail.enrolment
    for area in (None, A1, SUB_A):
        with pytest.raises(OutOfScope):
            enrolment.make_code(OFFICER, name, area)
    assert enrolment.make_code(ROOT, name).person == name


def test_a_right_that_is_still_to_come_counts_too(quiet_town: Town) -> None:
    name = employ(quiet_town, "rising", A1, ("worker", A1))
    assert quiet_town.gridtrail.enrolment.make_code(OFFICER, name)
    employ(quiet_town, "rising", A1, ("officer", COUNTY), from_day="2027-01-01")
    with pytest.raises(OutOfScope):
        quiet_town.gridtrail.enrolment.make_code(OFFICER, name)


def test_a_code_is_for_somebody_who_is_registered_and_for_their_own_area_in_force(quiet_town: Town) -> None:
    enrolment, name = quiet_town.gridtrail.enrolment, employ(quiet_town, "placed", A1, ("worker", A1))
    with pytest.raises(OutOfScope):
        enrolment.make_code(ROOT, str(uuid4()), SUB_A)
    for area in (A2, B1, f"{A1}77", f"{SUB_A}777"):
        with pytest.raises(OutOfScope):
            enrolment.make_code(ROOT, name, area)
    assert enrolment.make_code(OFFICER, name, SUB_A).area == SUB_A
    with pytest.raises(Problem, match="assignment in force"):
        enrolment.make_code(ROOT, employ(quiet_town, "idle", A1), A1)
    later = employ(quiet_town, "later", A1, ("worker", A1), from_day="2027-01-01")
    with pytest.raises(Problem, match="assignment in force"):
        enrolment.make_code(ROOT, later)
    assert enrolment.make_code(ROOT, later, A1).area == A1


def test_a_code_of_somebody_who_left_is_of_no_use(town: Town) -> None:
    name = employ(town, "leaving", A1, ("worker", A1))
    code = town.gridtrail.enrolment.make_code(OFFICER, name).code
    town.gridtrail.inspection.change_person(ROOT, A1, name, "leave", {"to_day": "2026-11-20"})
    answer = asked(town, code)
    assert (answer.status_code, answer.json["code"]) == (409, "no_assignment")
    assert town.events("tablet.enrolled") == []


def test_codes_are_read_as_people_type_them() -> None:
    assert canonical_code(" o1il-23 ab\u4e2dcd99 ") == "0111-23AB-CD99"


def test_a_revoked_tablet_delivers_what_counts_and_reads_nothing(town: Town) -> None:
    hand = town.hand("li")
    hand.send([hand.entry(0)])
    saved = town.gridtrail.inspection.change_tablet(OFFICER, SUB_A, hand.id, "revoke", {"last_valid": 1, "reason": "lost"})
    assert saved.ledger == SUB_A
    outcomes = hand.send([hand.entry(1), hand.entry(2), hand.entry(3)]).json["outcomes"]
    assert [each.get("code", each["outcome"]) for each in outcomes] == ["recorded", "tablet_revoked", "tablet_revoked"]
    headers = {"Authorization": f"Bearer {hand.token}"}
    client = town.app.test_client()
    assert client.get("/v1/sync/changes", headers=headers).json["code"] == "tablet_revoked"
    assert client.get(f"/v1/photos/{'0' * 64}", headers=headers).status_code == 403
    for path in ("/v1/cases", "/v1/me", "/v1/tablets"):
        assert client.get(path, headers=headers).status_code == 401
    check_everything(town.gridtrail)
