"""A person is erased: nothing of her opens any more, nothing of the history changes, and a crash at any step is made good."""

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Thread
from uuid import UUID, uuid4, uuid5

import pytest
import sqlalchemy as sa

from domain.errors import Refusal
from projections import erasures
from service.database import reading, writing
from service.inspection import drafts_of
from service.personal.erasure import SUBJECT_STREAMS, Order, reapply
from service.personal.tables import disclosures, subject_keys
from service.personal.vault import ERASED, Outcome
from service.scope import OutOfScope
from service.wiring import Gridtrail
from tests.check import check_everything
from tests.personal.cast import (
    SUB_A,
    SUB_B,
    WU,
    ZHOU,
    fields_of_last,
    found,
    keep,
    kept,
    order,
    root_at,
    seen,
    told,
    topics,
    visit,
    zhou_and_wu,
)

ERASED_TOPIC, COMPLETED = "subject.erased", "subject.erasure_completed"
JPEG = b"\xff\xd8\xff\xe0" + b"a face" * 50


def test_nothing_of_an_erased_person_opens_and_nothing_of_the_history_changes(gridtrail: Gridtrail) -> None:
    items = zhou_and_wu(gridtrail)
    before = {ledger: root_at(gridtrail, ledger, 100) for ledger in (SUB_A, SUB_B)}
    sizes = {ledger: len(topics(gridtrail, ledger)) for ledger in before}
    done = gridtrail.erasure.erase(ZHOU, order(gridtrail))
    assert (done.ledgers, done.values, done.again) == ([SUB_A, SUB_B], 3, False)
    assert seen(gridtrail, *items.values()) == [ERASED, ERASED, ERASED, "吴老"]
    assert {ledger: root_at(gridtrail, ledger, sizes[ledger]) for ledger in before} == before
    assert topics(gridtrail, SUB_A) == ["visit.made"] * 3 + [ERASED_TOPIC, COMPLETED]
    assert topics(gridtrail, SUB_B) == ["visit.made", ERASED_TOPIC, COMPLETED]
    assert found(gridtrail) == ([], {"ok": 1, "erased": 3, "ended": 0, "pending": 0, "unnamed": 0})
    assert check_everything(gridtrail) == 8


def test_the_facts_say_what_was_destroyed_why_and_until_when_backups_have_it(gridtrail: Gridtrail) -> None:
    zhou_and_wu(gridtrail)
    kid = str(gridtrail.vault.keystore.keys([ZHOU])[ZHOU].kid)
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    said = fields_of_last(gridtrail, SUB_A, ERASED_TOPIC)
    assert (said["subject"], said["ground"], said["requested_at"]) == (str(ZHOU), "request", "2026-11-20")
    assert said["reference"] == "letter/2026-118"
    assert (said["count"], said["fields"]) == (2, {"resident_name": 1, "resident_phone": 1})
    assert (said["kids"], said["backups_gone_by"], said["by"]) == ([kid], "2026-12-21", "system")
    done = fields_of_last(gridtrail, SUB_A, COMPLETED)
    assert (done["values"], done["keys"], done["photos"]) == (2, 1, 0)
    assert {"key_destroyed", "values_gone", "nothing_opens"} <= set(done["checks"])
    assert len(done["checks"]) == 5


def test_erasing_again_records_nothing(gridtrail: Gridtrail) -> None:
    zhou_and_wu(gridtrail)
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    before = topics(gridtrail, SUB_A)
    assert gridtrail.erasure.erase(ZHOU, order(gridtrail, "unlawful")).again
    assert topics(gridtrail, SUB_A) == before
    gridtrail.follower.catch_up()
    assert gridtrail.erasure.resume() == 0
    assert topics(gridtrail, SUB_A) == before


def test_who_was_never_heard_of_is_not_erased(gridtrail: Gridtrail) -> None:
    with pytest.raises(OutOfScope):
        gridtrail.erasure.erase(ZHOU, order(gridtrail))
    assert gridtrail.vault.keystore.closed() == {}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ground": "because"}, "unknown_ground"),
        ({"requested_at": "tomorrow"}, "not_a_day"),
        ({"requested_at": "2027-01-01"}, "days_out_of_order"),
        ({"reference": "letter of Mrs Zhou"}, "not_a_reference"),
    ],
)
def test_a_wrong_order_destroys_nothing(gridtrail: Gridtrail, wrong: dict[str, str], code: str) -> None:
    items = zhou_and_wu(gridtrail)
    given = {"ground": "request", "requested_at": "2026-11-20", "act": gridtrail.erasure.system_act(), **wrong}
    with pytest.raises(Refusal) as refused:
        gridtrail.erasure.erase(ZHOU, Order(**given))
    assert refused.value.code == code
    assert seen(gridtrail, items["name"]) == ["周桂兰"]
    assert ERASED_TOPIC not in topics(gridtrail, SUB_A)


def test_a_late_value_of_an_erased_person_is_refused_and_her_sealed_entry_recorded(gridtrail: Gridtrail) -> None:
    zhou_and_wu(gridtrail)
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    late = kept(ZHOU, "resident_phone", "13800000009")
    assert keep(gridtrail, late) == [Outcome.ERASED]
    visit(gridtrail, late)
    never_brought = kept(ZHOU, "health_note", "糖尿病")
    visit(gridtrail, never_brought)
    gridtrail.follower.catch_up()
    gridtrail.clock.forward(days=30)
    assert seen(gridtrail, late, never_brought, kept(WU, "health_note", "never said")) == [ERASED, ERASED, None]
    assert found(gridtrail) == ([], {"ok": 1, "erased": 5, "ended": 0, "pending": 0, "unnamed": 0})


def test_an_erased_person_who_turns_up_in_another_ledger_is_erased_there_too(gridtrail: Gridtrail) -> None:
    told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    visit(gridtrail, kept(ZHOU, "health_note", "高血压", SUB_B), ledger=SUB_B)
    gridtrail.follower.catch_up()
    assert gridtrail.erasure.resume() == 1
    assert topics(gridtrail, SUB_B) == ["visit.made", ERASED_TOPIC, COMPLETED]
    assert fields_of_last(gridtrail, SUB_B, ERASED_TOPIC)["reference"] == "letter/2026-118"
    gridtrail.follower.catch_up()
    assert gridtrail.erasure.resume() == 0


def test_an_id_that_was_given_to_something_else_does_not_keep_anybody_from_being_erased(gridtrail: Gridtrail) -> None:
    from domain.books import Books
    from domain.visit import Visit
    from tests.personal.cast import GRID_A, act

    item = told(gridtrail, ZHOU, "resident_name", "周桂兰")
    taken = uuid5(SUBJECT_STREAMS, f"{SUB_A}/{ZHOU}/0")
    made = Visit.make(act(gridtrail), Books.default(), taken, area=GRID_A, household="H-1", outcome="met")
    with writing(gridtrail.database) as conn:
        gridtrail.ledgers.append(conn, SUB_A, drafts_of(made))
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    assert seen(gridtrail, item) == [ERASED]
    assert topics(gridtrail, SUB_A)[-2:] == [ERASED_TOPIC, COMPLETED]


# ---- crashes


class PowerGone(RuntimeError):
    """The machine went away at this step."""


STEPS = {
    "the fact in the first ledger": ("erasure", "_record_erased"),
    "the journal": ("erasure", "_note"),
    "the key is closed": ("keystore", "close"),
    "the photos": ("erasure", "_remove_photos"),
    "the key is destroyed": ("keystore", "destroy"),
    "the values": ("erasure", "_blank"),
    "the files": ("erasure", "_scrub"),
    "the check": ("erasure", "_check"),
    "the second fact in the first ledger": ("erasure", "_record_completed"),
}


def crash_at(monkeypatch: pytest.MonkeyPatch, gridtrail: Gridtrail, step: str, *, before: bool) -> None:
    """Lets the power go at a step: before it does anything, or when it has done all."""
    piece, name = STEPS[step]
    target = gridtrail.erasure if piece == "erasure" else gridtrail.vault.keystore
    real: Callable = getattr(target, name)

    def cut(*args: object, **named: object) -> None:
        if not before:
            real(*args, **named)
        raise PowerGone

    monkeypatch.setattr(target, name, cut)


@pytest.mark.parametrize(
    ("step", "before", "then"),
    [
        (step, before, ("resume", "erase again", "reapply")[(2 * number + before) % 3])
        for number, step in enumerate(STEPS)
        for before in (True, False)
    ],
)
def test_a_crash_at_any_step_is_made_good(gridtrail: Gridtrail, step: str, before: bool, then: str) -> None:
    items = zhou_and_wu(gridtrail)
    gridtrail.photos.put(SUB_A, str(uuid4()), (sha := hashlib.sha256(JPEG).hexdigest()), io.BytesIO(JPEG), len(JPEG))
    told(gridtrail, ZHOU, "photo", sha)
    gridtrail.follower.catch_up()
    with pytest.MonkeyPatch.context() as monkeypatch:
        crash_at(monkeypatch, gridtrail, step, before=before)
        with pytest.raises(PowerGone):
            gridtrail.erasure.erase(ZHOU, order(gridtrail))
    begun = ERASED_TOPIC in topics(gridtrail, SUB_A)
    assert begun == (step != "the fact in the first ledger" or not before)
    again = Gridtrail(gridtrail.config, clock=gridtrail.clock)
    again.follower.catch_up()
    if then == "erase again" or not begun:
        again.erasure.erase(ZHOU, order(gridtrail))
    elif then == "resume":
        assert again.erasure.resume() == 1
    else:
        assert reapply(again) == 1
    assert seen(again, *items.values()) == [ERASED, ERASED, ERASED, "吴老"]
    assert again.photos.store.get(sha) is None
    for ledger in (SUB_A, SUB_B):
        assert topics(again, ledger).count(ERASED_TOPIC) == 1
        assert topics(again, ledger).count(COMPLETED) == 1
    assert (fields_of_last(again, SUB_A, COMPLETED)["values"], fields_of_last(again, SUB_A, COMPLETED)["photos"]) == (3, 1)
    assert found(again) == ([], {"ok": 1, "erased": 4, "ended": 0, "pending": 0, "unnamed": 0})
    again.follower.catch_up()
    assert again.erasure.resume() == 0
    again.forget()


# ---- photos


def photo(gridtrail: Gridtrail, content: bytes) -> str:
    sha = hashlib.sha256(content).hexdigest()
    gridtrail.photos.put(SUB_A, str(uuid4()), sha, io.BytesIO(content), len(content))
    return sha


def test_photos_of_the_erased_go_and_those_that_others_use_stay(gridtrail: Gridtrail) -> None:
    from service.sync.photos import record_uses

    hers, shared, public = (photo(gridtrail, JPEG + bytes([n])) for n in range(3))
    for sha in (hers, shared, public):
        told(gridtrail, ZHOU, "photo", sha)
    told(gridtrail, WU, "photo", shared)
    with writing(gridtrail.database) as conn:
        record_uses(conn, [(SUB_A, public, uuid4(), str(uuid4()), SUB_A)])
    gridtrail.follower.catch_up()
    done = gridtrail.erasure.erase(ZHOU, order(gridtrail))
    assert (done.photos, done.photos_kept) == (1, 2)
    assert [gridtrail.photos.store.get(sha) is None for sha in (hers, shared, public)] == [True, False, False]
    with reading(gridtrail.database) as conn:
        assert conn.exec_driver_sql(f"SELECT count(*) FROM photos WHERE sha256 = '{hers}'").scalar() == 0


# ---- races


def test_a_value_that_races_an_erasure_never_stays_behind(gridtrail: Gridtrail) -> None:
    told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    others = [Gridtrail(gridtrail.config, clock=gridtrail.clock) for _ in range(3)]
    barrier, outcomes, failures = Barrier(4), [], []

    def bring(pieces: Gridtrail) -> None:
        barrier.wait()
        try:
            for number in range(25):
                outcomes.extend(keep(pieces, *(kept(ZHOU, "health_note", f"{number}.{n}") for n in range(4))))
        except Exception as failed:
            failures.append(failed)

    threads = [Thread(target=bring, args=(each,)) for each in others]
    for each in threads:
        each.start()
    barrier.wait()
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    for each in threads:
        each.join()
    assert failures == []
    assert len(outcomes) == 300
    with reading(gridtrail.database) as conn:
        left = conn.scalar(sa.select(sa.func.count()).where(disclosures.c.subject == ZHOU, disclosures.c.ciphertext.is_not(None)))
    assert left == 0
    with reading(gridtrail.vault.keystore.engine) as conn:
        assert conn.scalar(sa.select(subject_keys.c.wrapped).where(subject_keys.c.subject == ZHOU)) is None
    for each in others:
        each.forget()


def test_a_value_on_its_way_when_the_key_is_closed_is_waited_for_and_removed(gridtrail: Gridtrail) -> None:
    """The upload found the key open and has not committed; the erasure comes in between."""
    told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    item, other = kept(ZHOU, "health_note", "高血压"), Gridtrail(gridtrail.config, clock=gridtrail.clock)
    eraser = Thread(target=lambda: other.erasure.finish(ZHOU, other.erasure.system_act()))
    gridtrail.erasure._record_erased(SUB_A, ZHOU, order(gridtrail))
    with writing(gridtrail.database) as conn:
        assert gridtrail.vault.keep(conn, [item]) == {item.digest: Outcome.KEPT}
        eraser.start()
        while not other.vault.keystore.closed():
            assert eraser.is_alive()
            time.sleep(0.001)
    eraser.join()
    assert seen(gridtrail, item) == [ERASED]
    with reading(gridtrail.database) as conn:
        assert conn.scalar(sa.select(disclosures.c.ciphertext).where(disclosures.c.digest == item.digest)) is None
    other.forget()


def test_two_who_erase_the_same_person_at_once_record_it_once(gridtrail: Gridtrail) -> None:
    zhou_and_wu(gridtrail)
    both = [Gridtrail(gridtrail.config, clock=gridtrail.clock) for _ in range(2)]
    barrier = Barrier(2)

    def erase(pieces: Gridtrail) -> None:
        barrier.wait()
        pieces.erasure.erase(ZHOU, order(pieces))

    threads = [Thread(target=erase, args=(each,)) for each in both]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert topics(gridtrail, SUB_A).count(ERASED_TOPIC) == 1
    assert topics(gridtrail, SUB_A).count(COMPLETED) >= 1
    assert found(gridtrail)[0] == []
    check_everything(gridtrail)
    for each in both:
        each.forget()


# ---- restores


def test_a_restored_key_store_brings_nobody_back(gridtrail: Gridtrail) -> None:
    items = zhou_and_wu(gridtrail)
    engine = gridtrail.vault.keystore.engine
    with reading(engine) as conn:
        backup = [dict(row) for row in conn.execute(sa.select(subject_keys)).mappings()]
    with reading(gridtrail.database) as conn:
        values = [dict(row) for row in conn.execute(sa.select(disclosures)).mappings()]
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    with writing(engine) as conn:
        conn.execute(sa.delete(subject_keys))
        conn.execute(subject_keys.insert(), backup)
    with writing(gridtrail.database) as conn:
        conn.execute(sa.delete(disclosures))
        conn.execute(disclosures.insert(), values)
    assert seen(gridtrail, items["name"]) == ["周桂兰"]
    assert reapply(gridtrail) == 1
    assert seen(gridtrail, *items.values()) == [ERASED, ERASED, ERASED, "吴老"]
    assert topics(gridtrail, SUB_A).count(ERASED_TOPIC) == 1
    assert topics(gridtrail, SUB_A).count(COMPLETED) == 2
    assert reapply(gridtrail) == 1
    assert topics(gridtrail, SUB_A).count(COMPLETED) == 2
    assert found(gridtrail)[0] == []


def test_backups_of_both_databases_from_before_the_erasure_bring_nobody_back(sqlite_url: str, tmp_path) -> None:
    """What the restored history does not know the journal does: the erasure is recorded anew."""
    import shutil

    from tests.personal.cast import gridtrail_on

    pieces = gridtrail_on(sqlite_url, f"sqlite:///{tmp_path}/vault.db", tmp_path)
    items = zhou_and_wu(pieces)
    pieces.forget()
    for name in ("gridtrail.db", "vault.db"):
        shutil.copyfile(tmp_path / name, tmp_path / f"{name}.backup")
    pieces.erasure.erase(ZHOU, order(pieces))
    pieces.forget()
    for name in ("gridtrail.db", "vault.db"):
        for end in ("-wal", "-shm"):
            (tmp_path / f"{name}{end}").unlink(missing_ok=True)
        shutil.copyfile(tmp_path / f"{name}.backup", tmp_path / name)
        (tmp_path / f"{name}.backup").unlink()
    assert seen(pieces, items["name"]) == ["周桂兰"]
    assert reapply(pieces) == 1
    assert seen(pieces, *items.values()) == [ERASED, ERASED, ERASED, "吴老"]
    said = fields_of_last(pieces, SUB_A, ERASED_TOPIC)
    assert (said["ground"], said["requested_at"], said["reference"]) == ("request", "2026-11-20", "letter/2026-118")
    assert found(pieces)[0] == []
    pieces.forget()


def test_a_torn_line_of_the_journal_hides_no_other(gridtrail: Gridtrail) -> None:
    journal = gridtrail.erasure.journal
    journal.note({"subject": str(ZHOU), "ground": "request", "requested_at": "2026-11-20"})
    with journal.path.open("ab") as file:
        file.write(b'{"subject":"5f0e')
    journal.note({"subject": str(WU), "ground": "unlawful", "requested_at": "2026-11-20"})
    assert {subject: line["ground"] for subject, line in journal.erased().items()} == {ZHOU: "request", WU: "unlawful"}


def test_the_read_model_tells_where_and_why(gridtrail: Gridtrail) -> None:
    zhou_and_wu(gridtrail)
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    gridtrail.follower.catch_up()
    with reading(gridtrail.database) as conn:
        rows = erasures.of_subject(conn, str(ZHOU))
    assert [(row["ledger"], row["count"], row["values_gone"]) for row in rows] == [(SUB_A, 2, 2), (SUB_B, 1, 1)]
    assert {row["ground"] for row in rows} == {"request"}
    assert all(row["completed_at"] for row in rows)
    assert UUID(rows[0]["stream"])


def test_where_files_cannot_be_cleaned_now_all_is_recorded_and_the_rest_is_done_later(
    gridtrail: Gridtrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.personal import scrubbing

    gridtrail = Gridtrail(replace(gridtrail.config, lock_timeout_s=0.2), clock=gridtrail.clock)
    items = zhou_and_wu(gridtrail)
    reader = gridtrail.database.connect()
    reader.execution_options(isolation_level="REPEATABLE READ") if reader.dialect.name == "postgresql" else None
    reader.exec_driver_sql("SELECT count(*) FROM disclosures").scalar()
    with monkeypatch.context() as hurried:
        hurried.setattr(scrubbing, "WAIT_S", 0.2)
        with pytest.raises(scrubbing.NotScrubbed):
            gridtrail.erasure.erase(ZHOU, order(gridtrail))
    assert seen(gridtrail, items["name"]) == [ERASED]
    assert COMPLETED not in topics(gridtrail, SUB_A)
    reader.close()
    gridtrail.follower.catch_up()
    assert gridtrail.erasure.resume() == 1
    assert topics(gridtrail, SUB_A)[-1] == COMPLETED
    gridtrail.forget()
