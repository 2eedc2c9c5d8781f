"""Every value is accounted for: lawful erasure is no fault, a row that vanished is, with its exact place."""

from itertools import pairwise
from uuid import uuid4

import sqlalchemy as sa

from service.database import reading, writing
from service.personal.auditing import MISSING, NOT_DESTROYED, OTHER_FIELD, UNEXPLAINED, Account, faults
from service.personal.tables import disclosures, subject_keys
from service.wiring import Gridtrail
from tests.personal.cast import SUB_A, SUB_B, WU, ZHOU, found, keep, kept, order, root_at, told, topics, visit

NOTHING = {"ok": 0, "erased": 0, "ended": 0, "pending": 0, "unnamed": 0}


def thirty(gridtrail: Gridtrail) -> list:
    """Thirty people, a value each; the first ten are erased."""
    people = [uuid4() for _ in range(30)]
    items = [kept(who, "resident_name", f"人{n}", (SUB_A, SUB_B)[n % 2]) for n, who in enumerate(people)]
    keep(gridtrail, *items)
    for item in items:
        visit(gridtrail, item, ledger=item.ledger)
    gridtrail.follower.catch_up()
    return items


def test_the_lawful_erasure_of_ten_of_thirty_is_no_fault_and_changes_no_root(gridtrail: Gridtrail) -> None:
    items = thirty(gridtrail)
    roots = {ledger: root_at(gridtrail, ledger, 15) for ledger in (SUB_A, SUB_B)}
    for item in items[:10]:
        gridtrail.erasure.erase(item.subject, order(gridtrail))
    assert found(gridtrail) == ([], {**NOTHING, "ok": 20, "erased": 10})
    assert {ledger: root_at(gridtrail, ledger, 15) for ledger in roots} == roots


def test_three_rows_removed_in_silence_are_three_faults_with_their_places(gridtrail: Gridtrail) -> None:
    items = thirty(gridtrail)
    gridtrail.clock.forward(days=4)
    with writing(gridtrail.database) as conn:
        conn.execute(sa.delete(disclosures).where(disclosures.c.digest.in_([items[n].digest for n in (4, 11, 28)])))
    seen, counts = found(gridtrail)
    assert counts == {**NOTHING, "ok": 27}
    assert [(fault.kind, fault.ledger, fault.position, fault.digest, fault.subject) for fault in seen] == [
        (MISSING, SUB_A, 2, items[4].digest, str(items[4].subject)),
        (MISSING, SUB_A, 14, items[28].digest, str(items[28].subject)),
        (MISSING, SUB_B, 5, items[11].digest, str(items[11].subject)),
    ]
    assert "resident_name" in str(seen[0])


def test_a_key_removed_in_silence_is_a_fault_for_each_value_under_it(gridtrail: Gridtrail) -> None:
    items = [told(gridtrail, ZHOU, "resident_name", n) for n in range(3)]
    gridtrail.clock.forward(days=4)
    with writing(gridtrail.vault.keystore.engine) as conn:
        conn.execute(sa.update(subject_keys).values(wrapped=None, closed_at="x", destroyed_at="x"))
    assert [(fault.kind, fault.digest) for fault in found(gridtrail)[0]] == [(MISSING, item.digest) for item in items]


def test_a_tombstone_alone_explains_nothing(gridtrail: Gridtrail) -> None:
    item = told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.clock.forward(days=4)
    with writing(gridtrail.database) as conn:
        conn.execute(sa.update(disclosures).values(ciphertext=None, nonce=None, kid=None, gone_at="2026-11-22T00:00:00.000Z"))
    assert [(fault.kind, fault.digest) for fault in found(gridtrail)[0]] == [(MISSING, item.digest)]


def test_a_changed_ciphertext_or_one_of_another_field_is_a_fault(gridtrail: Gridtrail) -> None:
    changed = told(gridtrail, ZHOU, "resident_name", "周桂兰")
    wrong = kept(WU, "resident_name", "吴老")
    keep(gridtrail, wrong)
    visit(gridtrail, type(wrong)(SUB_A, WU, "resident_phone", wrong.digest, wrong.disclosure))
    gridtrail.clock.forward(days=4)
    with writing(gridtrail.database) as conn:
        conn.execute(sa.update(disclosures).where(disclosures.c.digest == changed.digest).values(ciphertext=b"x" * 60))
    assert [(fault.kind, fault.position) for fault in found(gridtrail)[0]] == [(OTHER_FIELD, 1), (MISSING, 0)]


def test_a_value_that_may_still_come_is_said_and_no_fault(gridtrail: Gridtrail) -> None:
    visit(gridtrail, kept(ZHOU, "resident_name", "周桂兰"))
    assert found(gridtrail) == ([], {**NOTHING, "pending": 1})
    gridtrail.clock.forward(hours=gridtrail.config.pending_hours, minutes=1)
    assert [fault.kind for fault in found(gridtrail)[0]] == [MISSING]


def test_a_ciphertext_that_no_event_explains_is_a_fault_when_it_is_old(gridtrail: Gridtrail) -> None:
    told(gridtrail, WU, "resident_name", "吴老")
    item = kept(ZHOU, "resident_name", "周桂兰")
    keep(gridtrail, item)
    assert found(gridtrail) == ([], {**NOTHING, "ok": 1, "unnamed": 1})
    gridtrail.clock.forward(hours=gridtrail.config.pending_hours, minutes=1)
    assert [(fault.kind, fault.position, fault.digest) for fault in found(gridtrail)[0]] == [(UNEXPLAINED, None, item.digest)]


def test_what_was_said_to_be_destroyed_and_came_back_is_a_fault(gridtrail: Gridtrail) -> None:
    items = [told(gridtrail, ZHOU, "resident_name", n) for n in range(2)]
    gridtrail.follower.catch_up()
    with reading(gridtrail.database) as conn:
        rows = [dict(row) for row in conn.execute(sa.select(disclosures)).mappings()]
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    with writing(gridtrail.database) as conn:
        conn.execute(sa.delete(disclosures))
        conn.execute(disclosures.insert(), rows)
    assert [(fault.kind, fault.position, fault.digest) for fault in found(gridtrail)[0]] == [
        (NOT_DESTROYED, position, item.digest) for position, item in enumerate(items)
    ]


def test_an_erasure_that_is_under_way_is_no_fault(gridtrail: Gridtrail) -> None:
    told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    gridtrail.erasure._record_erased(SUB_A, ZHOU, order(gridtrail))
    assert found(gridtrail) == ([], {**NOTHING, "ok": 1})
    gridtrail.vault.keystore.destroy(ZHOU)
    assert found(gridtrail)[0] == []


def test_histories_from_elsewhere_are_judged_by_themselves(gridtrail: Gridtrail) -> None:
    """The auditor's own copy, without the event that would explain: then it is missing there."""
    told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    gridtrail.erasure.erase(ZHOU, order(gridtrail))
    gridtrail.clock.forward(days=4)
    with reading(gridtrail.database) as conn:
        lines = gridtrail.ledgers.lines(conn, SUB_A)
    account = Account()
    assert [fault.kind for fault in faults(gridtrail, account, histories=[(SUB_A, lines[:1])])] == [MISSING]
    assert list(faults(gridtrail, histories=[(SUB_A, lines)])) == []
    assert all(first <= then for first, then in pairwise(topics(gridtrail, SUB_A)[1:]))
