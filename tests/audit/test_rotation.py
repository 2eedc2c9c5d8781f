"""The key is handed on: tablets follow, all logs are signed anew, a crash anywhere is finished, a thief's statement leads nobody."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit import rotating
from service.audit.rotating import Rotating, read_statements
from service.audit.tables import ROOT, all_published
from service.database import reading
from service.ledger.keys import KeyRefused, SigningKey, load_key
from service.ledger.note import BadNote, Signer, Verifier, open_note
from service.ledger.rotation import Rotation, Trusted, follow
from tests.check import check_everything
from tests.sync.town import A1, CITY, Town

ORIGIN = "gridtrail.test"
KEYS = [Signer(ORIGIN, Ed25519PrivateKey.generate()) for _ in range(4)]


def statement(old: int, new: int, last_valid: int | None = None, origin: str = ORIGIN) -> str:
    rotation = Rotation(origin, KEYS[old].verifier, KEYS[new].verifier, "2026-11-21T01:00:00.000Z", last_valid, "yearly")
    return rotation.sign(KEYS[old], KEYS[new])


def public(number: int) -> bytes:
    return KEYS[number].verifier.public


def rotate(town: Town, **said) -> list[Rotation]:
    done = Rotating(town.gridtrail).rotate(said.pop("reason", "yearly"), **{"stolen": False, **said})
    town.gridtrail.signing_key._look_at = 0.0
    return done


def visit(tablet, number: int) -> None:
    tablet.record("visit.made", f"00000000-0000-4000-8000-{number:012d}", A1, {"household": f"H-{number}", "outcome": "met"})


# ---- statements


def test_a_statement_reads_back_and_both_keys_signed_it() -> None:
    rotation = Rotation.read(statement(0, 1, 7))
    assert (rotation.old, rotation.new, rotation.last_valid) == (KEYS[0].verifier, KEYS[1].verifier, 7)


@pytest.mark.parametrize(
    "damaged",
    [
        statement(0, 1).replace("yearly", "weekly"),
        statement(0, 1).rsplit("— ", 1)[0],
        statement(0, 1).replace("\n\n— ", "\n\n", 1),
        statement(0, 1).replace("/1\n", "/2\n", 1),
        statement(0, 0),
        statement(0, 1, origin="other.test"),
        "",
        "gridtrail-key-rotation/1\n\n",
    ],
)
def test_what_is_not_signed_by_both_or_says_something_else_is_refused(damaged: str) -> None:
    with pytest.raises(BadNote):
        Rotation.read(damaged)


def test_a_chain_is_followed_from_wherever_one_stands() -> None:
    chain = [statement(0, 1), statement(1, 2)]
    assert follow(chain, ORIGIN, Trusted(public(0))) == Trusted(public(2), (public(0), public(1)))
    assert follow(chain, ORIGIN, Trusted(public(1))) == Trusted(public(2), (public(1),))
    assert follow(chain, ORIGIN, Trusted(public(3))) == Trusted(public(3))
    assert follow(chain[::-1], ORIGIN, Trusted(public(0))).key == public(1)


def test_after_a_theft_no_earlier_key_is_believed() -> None:
    assert follow([statement(0, 1), statement(1, 2, 40)], ORIGIN, Trusted(public(0))) == Trusted(public(2), ())


# ---- the service


def test_all_logs_are_signed_anew_and_the_fact_stands_in_the_citys_ledger(town: Town) -> None:
    town.gridtrail.publisher.turn()
    old = town.gridtrail.signer.verifier
    (done,) = rotate(town)
    new = town.gridtrail.signer.verifier
    assert (done.old, done.new) == (old, new)
    assert new != old
    town.clock.forward(seconds=61)
    town.gridtrail.publisher.turn()
    with reading(town.gridtrail.database) as conn:
        points = all_published(conn)
    assert {CITY, ROOT} <= points.keys()
    for point in points.values():
        open_note(point.note, Verifier(point.origin, new.public))
    (fact,) = town.events("signing_key.rotated")
    assert (fact["ledger"], fact["state"]["statement"]) == (CITY, read_statements(town.gridtrail.config)[0])
    answer = town.app.test_client().get("/log/keys")
    assert answer.json == {"origin": ORIGIN, "key": str(new), "rotations": read_statements(town.gridtrail.config)}
    check_everything(town.gridtrail)


def test_tablets_follow_the_chain_over_several_rotations(town: Town) -> None:
    tablet, quiet = town.tablet("li"), town.tablet("wang")
    visit(tablet, 1)
    tablet.sync()
    for number in (2, 3):
        rotate(town)
        visit(tablet, number)
        assert tablet.sync().recorded == 1
    now = town.gridtrail.signer.verifier.public
    assert tablet._trusted().key == now
    assert len(tablet._trusted().earlier) == 2
    quiet.sync()
    assert quiet._trusted().key == now
    town.gridtrail.publisher.turn()
    tablet.sync()


def test_a_tablet_does_not_follow_a_statement_that_its_key_did_not_sign(town: Town, monkeypatch) -> None:
    tablet = town.tablet("li")
    visit(tablet, 1)
    tablet.sync()
    thief = Signer(ORIGIN, Ed25519PrivateKey.generate())
    forged = Rotation(ORIGIN, KEYS[0].verifier, thief.verifier, "2026-11-21T01:00:00.000Z", None, "mine").sign(KEYS[0], thief)
    rotating.statements_file(town.gridtrail.config).write_text(json.dumps(forged) + "\n")
    monkeypatch.setattr(SigningKey, "signer", lambda self: thief)
    visit(tablet, 2)
    with pytest.raises(BadNote):
        tablet.sync()
    assert tablet.waiting() == 1


def test_a_stolen_key_is_believed_up_to_the_root_log_as_it_is(town: Town) -> None:
    town.gridtrail.publisher.turn()
    with reading(town.gridtrail.database) as conn:
        size = all_published(conn)[ROOT].size
    with pytest.raises(KeyRefused, match="cannot be"):
        rotate(town, stolen=True, last_valid=size + 1)
    tablet = town.tablet("li")
    (done,) = rotate(town, stolen=True, reason="the disk was taken away")
    assert done.last_valid == size
    visit(tablet, 1)
    tablet.sync()
    assert tablet._trusted().earlier == ()
    assert town.events("signing_key.rotated")[0]["state"]["data"]["last_valid"] == size


STEPS = ["keep", "finish", "record"]


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_died_is_finished_by_the_next_and_nothing_is_handed_on_twice(town: Town, monkeypatch, step: str) -> None:
    old = town.gridtrail.signer.verifier

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        if step == "keep":
            dying.setattr(Rotating, "_keep", die)
        elif step == "finish":
            finish = Rotating._finish
            dying.setattr(Rotating, "_finish", lambda self: die() if self.next.exists() else finish(self))
        else:
            dying.setattr(Rotating, "record", die)
        with pytest.raises(KeyboardInterrupt):
            rotate(town)
    if step == "record":
        assert [each.old for each in Rotating(town.gridtrail).record()] == [old]
    else:
        rotate(town)
    assert len(read_statements(town.gridtrail.config)) == 1
    assert len(town.events("signing_key.rotated")) == 1
    town.gridtrail.signing_key._look_at = 0.0
    assert town.gridtrail.signer.verifier == Rotation.read(read_statements(town.gridtrail.config)[0]).new
    assert not Path(f"{town.gridtrail.config.signing_key_file}.next").exists()
    assert Rotating(town.gridtrail).record() == []


def test_the_new_key_is_readable_by_its_owner_only_and_the_old_one_is_gone(town: Town) -> None:
    path = Path(town.gridtrail.config.signing_key_file)
    old = town.gridtrail.signer.private_key.private_bytes_raw()
    rotate(town)
    assert path.stat().st_mode & 0o077 == 0
    assert load_key(path).private_bytes_raw() != old
    assert all(old not in each.read_bytes() for each in path.parent.iterdir() if each.is_file() and each.name.startswith("signing"))


def test_a_key_by_value_is_not_rotated_here(town: Town) -> None:
    from dataclasses import replace

    from service.ledger.keys import seed_of
    from service.wiring import Gridtrail

    config = replace(town.gridtrail.config, signing_key=seed_of(Ed25519PrivateKey.generate()))
    with pytest.raises(KeyRefused, match="GRIDTRAIL_SIGNING_KEY"):
        Rotating(Gridtrail(config, clock=town.clock, database=town.gridtrail.database)).rotate("yearly", stolen=False)


def test_no_private_key_is_in_the_database(town: Town) -> None:
    seed = town.gridtrail.signer.private_key.private_bytes_raw()
    rotate(town)
    with reading(town.gridtrail.database) as conn:
        lines = [bytes(line) for line in conn.scalars(sa.text("SELECT line FROM events"))]
    for key in (seed, town.gridtrail.signer.private_key.private_bytes_raw()):
        assert all(key not in line and key.hex().encode() not in line for line in lines)
