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


def test_what_is_kept_opens_again_and_only_its_ciphertext_is_stored(gridtrail: Gridtrail) -> None:
    name, phone = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "phone", "13800000001")
    assert keep(gridtrail, name, phone) == [Outcome.KEPT, Outcome.KEPT]
    assert seen(gridtrail, name, phone, kept(WU, "name", "吴")) == ["周桂兰", "13800000001", None]
    stored = b"".join(row.ciphertext for row in rows(gridtrail))
    assert name.disclosure.encode() not in stored
    assert "周桂兰".encode() not in stored


def test_keeping_again_changes_nothing(gridtrail: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")
    keep(gridtrail, name)
    before = rows(gridtrail)
    assert keep(gridtrail, name, name) == [Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert rows(gridtrail) == before


def test_one_digest_is_never_two_peoples(gridtrail: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")
    keep(gridtrail, name)
    assert keep(gridtrail, Kept(SUB_A, WU, "name", name.digest, name.disclosure)) == [Outcome.CONTRADICTS]
    assert rows(gridtrail)[0].subject == ZHOU


def test_a_text_with_another_digest_is_not_kept(gridtrail: Gridtrail) -> None:
    name, other = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "name", "吴")
    with pytest.raises(WrongDigest):
        keep(gridtrail, name, Kept(SUB_A, ZHOU, "name", other.digest, name.disclosure))
    assert rows(gridtrail) == []


def test_each_subject_has_one_key_and_each_value_a_nonce_of_its_own(gridtrail: Gridtrail) -> None:
    keep(gridtrail, *(kept(subject, "name", "同名", ledger) for subject in (ZHOU, WU) for ledger in (SUB_A, SUB_B) for _ in range(5)))
    assert {(row.subject, row.kid) for row in rows(gridtrail)} == {(row.subject, row.kid) for row in keys(gridtrail)}
    assert len({row.nonce for row in rows(gridtrail)}) == 20
    assert {len(row.nonce) for row in rows(gridtrail)} == {12}


def test_a_row_moved_to_another_digest_or_subject_does_not_open(gridtrail: Gridtrail) -> None:
    name, phone, other = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "phone", "13800000001"), kept(WU, "name", "吴")
    keep(gridtrail, name, phone, other)
    with writing(gridtrail.database) as conn:
        taken = conn.execute(sa.select(disclosures).where(disclosures.c.digest == phone.digest)).one()
        mine = disclosures.c.digest == name.digest
        conn.execute(sa.update(disclosures).where(mine).values(nonce=taken.nonce, ciphertext=taken.ciphertext))
        conn.execute(sa.update(disclosures).where(disclosures.c.digest == other.digest).values(subject=ZHOU))
    assert seen(gridtrail, name, phone, other) == [None, "13800000001", None]


def test_a_wrapped_key_moved_to_another_subject_does_not_open(gridtrail: Gridtrail) -> None:
    name, other = kept(ZHOU, "name", "周桂兰"), kept(WU, "name", "吴")
    keep(gridtrail, name, other)
    with writing(gridtrail.vault.keystore.engine) as conn:
        wrapped = conn.scalar(sa.select(subject_keys.c.wrapped).where(subject_keys.c.subject == WU))
        conn.execute(sa.update(subject_keys).where(subject_keys.c.subject == ZHOU).values(wrapped=wrapped))
    with pytest.raises(KeyRefused, match="was changed"):
        seen(gridtrail, name)


def test_a_key_is_durable_before_the_ciphertext_that_needs_it(gridtrail: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")

    def keep_and_fail() -> None:
        with writing(gridtrail.database) as conn:
            gridtrail.vault.keep(conn, [name])
            # What another process sees of the key store while the ciphertext is not committed yet.
            assert gridtrail.vault.keystore.keys([ZHOU])[ZHOU].open
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        keep_and_fail()
    assert rows(gridtrail) == []
    assert keep(gridtrail, name) == [Outcome.KEPT]
    assert seen(gridtrail, name) == ["周桂兰"]


def test_nothing_is_kept_for_a_subject_that_is_closed_and_it_is_told_so(gridtrail: Gridtrail) -> None:
    before, late = kept(ZHOU, "name", "周桂兰"), kept(ZHOU, "phone", "13800000001")
    keep(gridtrail, before)
    assert gridtrail.vault.keystore.close(ZHOU) == keys(gridtrail)[0].kid
    assert keep(gridtrail, late, before) == [Outcome.ERASED, Outcome.DUPLICATE]
    assert seen(gridtrail, before, late) == [ERASED, ERASED]
    assert [row.ciphertext for row in rows(gridtrail) if row.digest == late.digest] == [None]
    assert keep(gridtrail, late) == [Outcome.ERASED]


def test_a_destroyed_key_never_comes_back(gridtrail: Gridtrail) -> None:
    keystore = gridtrail.vault.keystore
    name = kept(ZHOU, "name", "周桂兰")
    keep(gridtrail, name)
    assert keystore.destroy(ZHOU)
    assert not keystore.destroy(ZHOU)
    assert seen(gridtrail, name) == [ERASED]
    assert keys(gridtrail)[0].wrapped is None
    assert keystore.keys_made([ZHOU])[ZHOU].secret is None
    assert keystore.close(WU) is None
    assert keep(gridtrail, kept(WU, "name", "吴")) == [Outcome.ERASED]
    assert keystore.closed() == {ZHOU: True, WU: True}


def test_a_thousand_values_take_one_round_and_open_again(gridtrail: Gridtrail) -> None:
    items = [kept(uuid4(), "name", f"人{n}") for n in range(1000)]
    statements = []
    sa.event.listen(gridtrail.database, "before_cursor_execute", lambda *args: statements.append(args[2]))
    sa.event.listen(gridtrail.vault.keystore.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert set(keep(gridtrail, *items)) == {Outcome.KEPT}
    assert len(statements) < 12
    assert seen(gridtrail, *items) == [f"人{n}" for n in range(1000)]


def test_two_processes_that_meet_a_new_subject_share_its_key(gridtrail: Gridtrail, tmp_path: Path) -> None:
    config = gridtrail.config
    others = [Gridtrail(config, clock=gridtrail.clock) for _ in range(4)]
    items, barrier = [kept(ZHOU, "name", n) for n in range(4)], Barrier(4)

    def bring(number: int) -> None:
        barrier.wait()
        keep(others[number], items[number])

    threads = [Thread(target=bring, args=(n,)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen(gridtrail, *items) == [0, 1, 2, 3]
    assert len(keys(gridtrail)) == 1
    for each in others:
        each.forget()


# ---- the key-encryption key


def test_the_key_encryption_key_is_made_once_for_its_owner_only(gridtrail: Gridtrail) -> None:
    keep(gridtrail, kept(ZHOU, "name", "周桂兰"))
    path = Path(gridtrail.config.vault_key_file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = path.read_bytes()
    again = Gridtrail(gridtrail.config, clock=gridtrail.clock)
    keep(again, kept(WU, "name", "吴"))
    assert path.read_bytes() == made
    again.forget()


def test_a_key_file_that_others_can_read_is_refused(gridtrail: Gridtrail) -> None:
    keep(gridtrail, kept(ZHOU, "name", "周桂兰"))
    Path(gridtrail.config.vault_key_file).chmod(0o640)
    again = Gridtrail(gridtrail.config, clock=gridtrail.clock)
    with pytest.raises(KeyRefused, match="chmod 600"):
        keep(again, kept(ZHOU, "name", "周桂兰"))
    again.forget()


def test_a_lost_key_file_is_never_replaced_by_a_new_one(gridtrail: Gridtrail) -> None:
    name = kept(ZHOU, "name", "周桂兰")
    keep(gridtrail, name)
    Path(gridtrail.config.vault_key_file).unlink()
    again = Gridtrail(gridtrail.config, clock=gridtrail.clock)
    with pytest.raises(KeyRefused, match="Bring the file back"):
        keep(again, kept(WU, "name", "吴"))
    with pytest.raises(KeyRefused, match="Bring the file back"):
        seen(again, name)
    assert not Path(gridtrail.config.vault_key_file).exists()
    again.forget()


@pytest.mark.parametrize("crash", ["", "add", "first chunk", "drop_old"])
def test_rotation_wraps_every_key_anew_and_goes_on_after_a_crash(
    gridtrail: Gridtrail, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [kept(uuid4(), "name", n) for n in range(7)]
    keep(gridtrail, *names)
    stale = Gridtrail(gridtrail.config, clock=gridtrail.clock)
    assert seen(stale, names[0]) == [0]
    before, old = keys(gridtrail), Path(gridtrail.config.vault_key_file).read_bytes()
    keystore = gridtrail.vault.keystore
    if crash:
        with monkeypatch.context() as broken:
            break_at(broken, keystore, crash)
            with pytest.raises(RuntimeError, match="power"):
                keystore.rewrap(chunk=3)
    keystore.rewrap(chunk=3)
    now = keys(gridtrail)
    assert {row.kek for row in now}.isdisjoint({row.kek for row in before})
    assert {row.wrapped for row in now}.isdisjoint({row.wrapped for row in before})
    assert old not in Path(gridtrail.config.vault_key_file).read_bytes()
    # A process that runs on with what it read before finds the new key by itself.
    assert seen(stale, *names) == list(range(7))
    late = kept(uuid4(), "name", "late")
    keep(stale, late)
    assert seen(gridtrail, late) == ["late"]
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


def test_a_key_store_of_a_later_release_is_refused(gridtrail: Gridtrail) -> None:
    from service.database import DatabaseRefused

    keep(gridtrail, kept(ZHOU, "name", "周桂兰"))
    with writing(gridtrail.vault.keystore.engine) as conn:
        conn.exec_driver_sql("UPDATE vault_state SET version = 99")
    again = Gridtrail(gridtrail.config, clock=gridtrail.clock)
    with pytest.raises(DatabaseRefused, match="version 99"):
        keep(again, kept(ZHOU, "name", "周桂兰"))
    again.forget()
