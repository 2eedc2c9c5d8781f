"""The vault: what is kept opens again, under a key per subject that is durable first, and nothing else opens it."""

import stat
from pathlib import Path
from threading import Barrier, Thread
from uuid import uuid4

import pytest
import sqlalchemy as sa

from service.database import open_database, reading, writing
from service.ledger.keys import KeyRefused
from service.personal.tables import disclosures, subject_keys
from service.personal.vault import ERASED, Kept, Outcome, WrongDigest
from service.wiring import Gridtrail
from tests.personal.cast import SUB_A, SUB_B, WU, ZHOU, gridtrail_on, keep, kept, seen


def rows(gridtrail: Gridtrail) -> list:
    with reading(gridtrail.database) as conn:
        return list(conn.execute(sa.select(disclosures).order_by(disclosures.c.kept_at, disclosures.c.field)).all())


def keys(gridtrail: Gridtrail) -> list:
    with reading(gridtrail.vault.keystore.engine) as conn:
        return list(conn.execute(sa.select(subject_keys).order_by(subject_keys.c.made_at)).all())


def test_what_is_kept_opens_again_and_only_its_ciphertext_is_stored(both: Gridtrail) -> None:
    name, phone = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "phone", "13800000001")
    assert keep(both, name, phone) == [Outcome.KEPT, Outcome.KEPT]
    assert seen(both, name, phone, kept(WU, "name", "吴")) == ["周桂兰", "13800000001", None]
    stored = b"".join(row.ciphertext for row in rows(both))
    assert name.disclosure.encode() not in stored
    assert "周桂兰".encode() not in stored


def test_keeping_again_changes_nothing(both: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")
    keep(both, name)
    before = rows(both)
    assert keep(both, name, name) == [Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert rows(both) == before


def test_one_digest_is_never_two_peoples(both: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")
    keep(both, name)
    assert keep(both, Kept(SUB_A, WU, "name", name.digest, name.disclosure)) == [Outcome.CONTRADICTS]
    assert rows(both)[0].subject == ZHOU


def test_a_text_with_another_digest_is_not_kept(both: Gridtrail) -> None:
    name, other = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "name", "吴")
    with pytest.raises(WrongDigest):
        keep(both, name, Kept(SUB_A, ZHOU, "name", other.digest, name.disclosure))
    assert rows(both) == []


def test_each_subject_has_one_key_and_each_value_a_nonce_of_its_own(both: Gridtrail) -> None:
    keep(both, *(kept(subject, "name", "同名", ledger) for subject in (ZHOU, WU) for ledger in (SUB_A, SUB_B) for _ in range(5)))
    assert {(row.subject, row.kid) for row in rows(both)} == {(row.subject, row.kid) for row in keys(both)}
    assert len({row.nonce for row in rows(both)}) == 20
    assert {len(row.nonce) for row in rows(both)} == {12}


def test_a_row_moved_to_another_digest_or_subject_does_not_open(both: Gridtrail) -> None:
    name, phone, other = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "phone", "13800000001"), kept(WU, "name", "吴")
    keep(both, name, phone, other)
    with writing(both.database) as conn:
        taken = conn.execute(sa.select(disclosures).where(disclosures.c.digest == phone.digest)).one()
        mine = disclosures.c.digest == name.digest
        conn.execute(sa.update(disclosures).where(mine).values(nonce=taken.nonce, ciphertext=taken.ciphertext))
        conn.execute(sa.update(disclosures).where(disclosures.c.digest == other.digest).values(subject=ZHOU))
    assert seen(both, name, phone, other) == [None, "13800000001", None]


def test_a_wrapped_key_moved_to_another_subject_does_not_open(both: Gridtrail) -> None:
    name, other = kept(ZHOU, "name", "周桂兰"), kept(WU, "name", "吴")
    keep(both, name, other)
    with writing(both.vault.keystore.engine) as conn:
        wrapped = conn.scalar(sa.select(subject_keys.c.wrapped).where(subject_keys.c.subject == WU))
        conn.execute(sa.update(subject_keys).where(subject_keys.c.subject == ZHOU).values(wrapped=wrapped))
    assert seen(both, name, other) == [None, "吴"]
    with pytest.raises(KeyRefused, match="was changed"):
        keep(both, kept(ZHOU, "phone", "13800000001"))
    with pytest.raises(KeyRefused, match="was changed"):
        both.vault.keystore.rewrap()


def test_a_key_is_durable_before_the_ciphertext_that_needs_it(both: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")

    def keep_and_fail() -> None:
        with writing(both.database) as conn:
            both.vault.keep(conn, [name])
            # What another process sees of the key store while the ciphertext is not committed yet.
            assert both.vault.keystore.keys([ZHOU])[ZHOU].open
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        keep_and_fail()
    assert rows(both) == []
    assert keep(both, name) == [Outcome.KEPT]
    assert seen(both, name) == ["周桂兰"]


def test_nothing_is_kept_for_a_subject_that_is_closed_and_it_is_told_so(both: Gridtrail) -> None:
    before, late = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "phone", "13800000001")
    keep(both, before)
    assert both.vault.keystore.close(ZHOU) == keys(both)[0].kid
    assert keep(both, late, before) == [Outcome.ERASED, Outcome.DUPLICATE]
    assert seen(both, before, late) == [ERASED, ERASED]
    assert [row.ciphertext for row in rows(both) if row.digest == late.digest] == [None]
    assert keep(both, late) == [Outcome.ERASED]


def test_a_destroyed_key_never_comes_back(both: Gridtrail) -> None:
    keystore = both.vault.keystore
    name = kept(ZHOU, "name", "周桂兰")
    keep(both, name)
    assert keystore.destroy(ZHOU)
    assert not keystore.destroy(ZHOU)
    assert seen(both, name) == [ERASED]
    assert keys(both)[0].wrapped is None
    assert keystore.keys_made([ZHOU])[ZHOU].secret is None
    assert keystore.close(WU) is None
    assert keep(both, kept(WU, "name", "吴")) == [Outcome.ERASED]
    assert keystore.closed() == {ZHOU: True, WU: True}


def test_a_thousand_values_take_one_round_and_open_again(both: Gridtrail) -> None:
    items = [kept(uuid4(), "name", f"人{n}") for n in range(1000)]
    statements = []
    sa.event.listen(both.database, "before_cursor_execute", lambda *args: statements.append(args[2]))
    sa.event.listen(both.vault.keystore.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert set(keep(both, *items)) == {Outcome.KEPT}
    assert len(statements) < 12
    assert seen(both, *items) == [f"人{n}" for n in range(1000)]


def test_two_processes_that_meet_a_new_subject_share_its_key(both: Gridtrail, tmp_path: Path) -> None:
    config = both.config
    others = [Gridtrail(config, clock=both.clock) for _ in range(4)]
    items, barrier = [kept(ZHOU, "name", n) for n in range(4)], Barrier(4)

    def bring(number: int) -> None:
        barrier.wait()
        keep(others[number], items[number])

    threads = [Thread(target=bring, args=(n,)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen(both, *items) == [0, 1, 2, 3]
    assert len(keys(both)) == 1
    for each in others:
        each.forget()


# ---- the key-encryption key


def test_the_key_encryption_key_is_made_once_for_its_owner_only(both: Gridtrail) -> None:
    keep(both, kept(ZHOU, "name", "周桂兰"))
    path = Path(both.config.vault_key_file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for part in path.parent.glob("vault.db*"):
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    made = path.read_bytes()
    again = Gridtrail(both.config, clock=both.clock)
    keep(again, kept(WU, "name", "吴"))
    assert path.read_bytes() == made
    again.forget()


def test_a_key_file_that_others_can_read_is_refused(both: Gridtrail) -> None:
    keep(both, kept(ZHOU, "name", "周桂兰"))
    Path(both.config.vault_key_file).chmod(0o640)
    again = Gridtrail(both.config, clock=both.clock)
    with pytest.raises(KeyRefused, match="chmod 600"):
        keep(again, kept(ZHOU, "name", "周桂兰"))
    again.forget()


def test_a_lost_key_file_is_never_replaced_by_a_new_one(both: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")
    keep(both, name)
    Path(both.config.vault_key_file).unlink()
    again = Gridtrail(both.config, clock=both.clock)
    with pytest.raises(KeyRefused, match="Bring the file back"):
        keep(again, kept(WU, "name", "吴"))
    with pytest.raises(KeyRefused, match="Bring the file back"):
        seen(again, name)
    assert not Path(both.config.vault_key_file).exists()
    again.forget()


@pytest.mark.parametrize("crash", ["", "add", "first chunk", "drop_old"])
def test_rotation_wraps_every_key_anew_and_goes_on_after_a_crash(both: Gridtrail, crash: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [kept(uuid4(), "name", n) for n in range(7)]
    keep(both, *names)
    stale = Gridtrail(both.config, clock=both.clock)
    assert seen(stale, names[0]) == [0]
    before, old = keys(both), Path(both.config.vault_key_file).read_bytes()
    keystore = both.vault.keystore
    if crash:
        with monkeypatch.context() as broken:
            break_at(broken, keystore, crash)
            with pytest.raises(RuntimeError, match="power"):
                keystore.rewrap(chunk=3)
    keystore.rewrap(chunk=3)
    now = keys(both)
    assert {row.kek for row in now}.isdisjoint({row.kek for row in before})
    assert {row.wrapped for row in now}.isdisjoint({row.wrapped for row in before})
    assert old not in Path(both.config.vault_key_file).read_bytes()
    # A process that runs on with what it read before finds the new key by itself.
    assert seen(stale, *names) == list(range(7))
    late = kept(uuid4(), "name", "late")
    keep(stale, late)
    assert seen(both, late) == ["late"]
    stale.forget()


def break_at(broken: pytest.MonkeyPatch, keystore, crash: str) -> None:
    def power_goes(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    if crash == "first chunk":
        some = keystore._rewrap_some
        broken.setattr(keystore, "_rewrap_some", lambda *args: some(*args) and power_goes())
    elif crash == "add":
        add = keystore.keks.add
        broken.setattr(keystore.keks, "add", lambda key: (add(key), power_goes()))
    else:
        broken.setattr(keystore.keks, crash, power_goes)


def test_a_key_given_as_a_value_is_rotated_by_giving_two(sqlite_url: str, tmp_path: Path) -> None:
    from service.personal.kek import KeyEncryptionKeys

    old, new = KeyEncryptionKeys.random(), KeyEncryptionKeys.random()
    vault_url = f"sqlite:///{tmp_path}/vault.db"
    name = kept(ZHOU, "name", "周桂兰")
    keep(gridtrail_on(sqlite_url, vault_url, tmp_path, vault_key=old), name)
    assert gridtrail_on(sqlite_url, vault_url, tmp_path, vault_key=f"{new},{old}").vault.keystore.rewrap() == 1
    assert seen(gridtrail_on(sqlite_url, vault_url, tmp_path, vault_key=new), name) == ["周桂兰"]
    with pytest.raises(KeyRefused, match="GRIDTRAIL_VAULT_KEY does not hold"):
        seen(gridtrail_on(sqlite_url, vault_url, tmp_path, vault_key=old), name)
    assert not (tmp_path / "vault.key").exists()


def test_beside_a_database_in_memory_the_key_store_is_in_memory_too(tmp_path: Path) -> None:
    from service.ledger import schema

    engine = open_database("sqlite://")
    schema.create_all(engine)
    pieces = gridtrail_on("sqlite://", f"sqlite:///{tmp_path}/vault.db", tmp_path)
    pieces._given_database = engine
    name = kept(ZHOU, "name", "周桂兰")
    keep(pieces, name)
    assert seen(pieces, name) == ["周桂兰"]
    assert list(tmp_path.iterdir()) == []


def test_a_key_store_of_a_later_release_is_refused(both: Gridtrail) -> None:
    from service.database import DatabaseRefused

    keep(both, kept(ZHOU, "name", "周桂兰"))
    with writing(both.vault.keystore.engine) as conn:
        conn.exec_driver_sql("UPDATE vault_state SET version = 99")
    again = Gridtrail(both.config, clock=both.clock)
    with pytest.raises(DatabaseRefused, match="version 99"):
        keep(again, kept(ZHOU, "name", "周桂兰"))
    again.forget()
