"""Values whose declared time is over are destroyed, on record, a portion at a time; those of emergencies when the emergency is over."""

import hashlib
import io
from uuid import uuid4

import pytest
import sqlalchemy as sa

from domain.books import Books
from domain.case import Case
from domain.personal import FIELDS
from service.database import reading, writing
from service.inspection import drafts_of
from service.personal import retention as module
from service.personal.tables import disclosures
from service.personal.vault import ERASED, Outcome
from service.wiring import Gridtrail
from tests.check import check_everything
from tests.personal.cast import (
    GRID_A,
    SUB_A,
    SUB_B,
    WU,
    ZHOU,
    act,
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
)

ENDED = "personal.retention_ended"


def test_a_value_is_destroyed_when_its_declared_time_is_over_and_no_day_sooner(gridtrail: Gridtrail) -> None:
    place = told(gridtrail, ZHOU, "visit_place", {"lat": 32.1, "lon": 114.1, "purpose": "visit"})
    name = told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    gridtrail.clock.forward(days=FIELDS["visit_place"].retention_days)
    assert gridtrail.retention.run()["unnamed"] == 0
    assert seen(gridtrail, name) == ["周桂兰"]
    assert seen(gridtrail, place) != [ERASED]
    gridtrail.clock.forward(minutes=1)
    before, size = root_at(gridtrail, SUB_A, 100), len(topics(gridtrail, SUB_A))
    assert gridtrail.retention.run() == {"erasures": 0, "unnamed": 0, "visit_place": 1}
    assert seen(gridtrail, place, name) == [ERASED, "周桂兰"]
    said = fields_of_last(gridtrail, SUB_A, ENDED)
    assert (said["ground"], said["field"], said["digests"], said["count"]) == ("retention_over", "visit_place", [place.digest], 1)
    assert said["backups_gone_by"] > said["day"]
    assert root_at(gridtrail, SUB_A, size) == before
    assert found(gridtrail) == ([], {"ok": 1, "erased": 0, "ended": 1, "pending": 0, "unnamed": 0})
    check_everything(gridtrail)


def test_running_again_destroys_and_records_nothing(gridtrail: Gridtrail) -> None:
    item = told(gridtrail, ZHOU, "visit_place", {"lat": 32.1, "lon": 114.1, "purpose": "visit"})
    gridtrail.follower.catch_up()
    gridtrail.clock.forward(days=31)
    gridtrail.retention.run()
    before = topics(gridtrail, SUB_A)
    assert gridtrail.retention.run() == {"erasures": 0, "unnamed": 0}
    assert topics(gridtrail, SUB_A) == before
    assert keep(gridtrail, item) == [Outcome.ERASED]


def test_a_run_does_a_bounded_amount_and_the_next_goes_on(gridtrail: Gridtrail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DIGESTS", 4)
    items = [kept(uuid4(), "visit_place", {"lat": n, "lon": n, "purpose": "visit"}, ledger) for n in range(5) for ledger in (SUB_A, SUB_B)]
    keep(gridtrail, *items)
    for item in items:
        visit(gridtrail, item, ledger=item.ledger)
    gridtrail.follower.catch_up()
    gridtrail.clock.forward(days=31)
    assert gridtrail.retention.run(most=6)["visit_place"] == 8
    assert gridtrail.retention.run(most=6)["visit_place"] == 2
    assert set(seen(gridtrail, *items)) == {ERASED}
    assert found(gridtrail)[1]["ended"] == 10


def test_a_crash_between_the_fact_and_the_destruction_leaves_neither(gridtrail: Gridtrail, monkeypatch: pytest.MonkeyPatch) -> None:
    item = told(gridtrail, ZHOU, "visit_place", {"lat": 32.1, "lon": 114.1, "purpose": "visit"})
    gridtrail.follower.catch_up()
    gridtrail.clock.forward(days=31)
    with monkeypatch.context() as broken:

        def power_goes(*_: object) -> None:
            raise OSError("the power went")

        broken.setattr(type(gridtrail.ledgers), "append", power_goes)
        with pytest.raises(OSError, match="power"):
            gridtrail.retention.run()
    assert seen(gridtrail, item) != [ERASED]
    assert gridtrail.retention.run()["visit_place"] == 1


def test_the_photo_goes_with_the_value_that_names_it(gridtrail: Gridtrail) -> None:
    content = b"\xff\xd8\xff\xe0" + b"a door" * 40
    sha = hashlib.sha256(content).hexdigest()
    gridtrail.photos.put(SUB_A, str(uuid4()), sha, io.BytesIO(content), len(content))
    told(gridtrail, ZHOU, "photo", sha)
    gridtrail.follower.catch_up()
    gridtrail.clock.forward(days=366)
    assert gridtrail.retention.run()["photo"] == 1
    assert gridtrail.photos.store.get(sha) is None


def emergency(gridtrail: Gridtrail, *items: object, urgency: str = "emergency") -> Case:
    """A gas leak at Zhou's, with what had to be told of her; rejected at once, and so over."""
    personal = [{"subject": str(item.subject), "field": item.field, "digest": item.digest} for item in items]  # type: ignore[attr-defined]
    said = {"area": GRID_A, "category": "gridtrail/1/F01", "urgency": urgency, "source": "visit", "personal": personal}
    return Case.report(act(gridtrail), Books.default(), uuid4(), **said)


def end(gridtrail: Gridtrail, case: Case) -> None:
    """The case as it is, and over."""
    officer = act(gridtrail)
    reason = kept(ZHOU, "case_reason", "no leak was found")
    keep(gridtrail, reason)
    personal = [{"subject": str(ZHOU), "field": "case_reason", "digest": reason.digest}]
    case.reject(officer._replace(role="officer", units=(GRID_A[:12], GRID_A)), Books.default(), personal=personal)
    with writing(gridtrail.database) as conn:
        gridtrail.ledgers.append(conn, SUB_A, drafts_of(case))
    gridtrail.follower.catch_up()


def test_what_was_told_in_an_emergency_is_destroyed_after_it(gridtrail: Gridtrail) -> None:
    summary, calm = kept(ZHOU, "case_summary", "gas leak, she is alone"), kept(ZHOU, "case_summary", "asks for help with shopping")
    shared = kept(ZHOU, "resident_phone", "13800000001")
    keep(gridtrail, summary, calm, shared)
    visit(gridtrail, shared)
    end(gridtrail, emergency(gridtrail, summary, shared))
    end(gridtrail, emergency(gridtrail, calm, urgency="normal"))
    gridtrail.clock.forward(days=29)
    assert gridtrail.retention.run() == {"erasures": 0, "unnamed": 0}
    gridtrail.clock.forward(days=2)
    assert gridtrail.retention.run() == {"erasures": 0, "unnamed": 0, "case_summary": 1, "case_reason": 1}
    assert seen(gridtrail, summary, calm, shared) == [ERASED, "asks for help with shopping", "13800000001"]
    assert fields_of_last(gridtrail, SUB_A, ENDED)["ground"] == "emergency_over"
    assert found(gridtrail)[0] == []


def test_the_job_finishes_erasures_that_were_cut_short(gridtrail: Gridtrail) -> None:
    item = told(gridtrail, ZHOU, "resident_name", "周桂兰")
    gridtrail.follower.catch_up()
    gridtrail.erasure._record_erased(SUB_A, ZHOU, order(gridtrail))
    gridtrail.follower.catch_up()
    assert gridtrail.retention.run()["erasures"] == 1
    assert seen(gridtrail, item) == [ERASED]


def test_a_value_that_no_event_ever_named_goes_too(gridtrail: Gridtrail) -> None:
    from service.personal.brought import note_brought

    item = kept(WU, "resident_name", "吴老")
    with writing(gridtrail.database) as conn:
        gridtrail.vault.keep(conn, [item])
        note_brought(conn, [item], str(uuid4()), gridtrail.clock())
    gridtrail.clock.forward(days=31)
    assert gridtrail.retention.run()["unnamed"] == 1
    with reading(gridtrail.database) as conn:
        assert conn.scalar(sa.select(sa.func.count()).select_from(disclosures)) == 0
