"""What becomes of uploaded entries."""

from uuid import uuid4

from tests.check import check_everything
from tests.sync.town import A1, CATEGORY, Town


def test_a_day_of_work_becomes_events_in_their_order(town: Town) -> None:
    tablet = town.tablet("li")
    patrol, case = str(uuid4()), str(uuid4())
    tablet.record("patrol.started", patrol, A1, {})
    tablet.record("patrol.checkpoint_passed", patrol, A1, {"checkpoint": "gate"})
    tablet.record("case.reported", case, A1, {"category": CATEGORY, "summary": "rubbish at the gate", "patrol": patrol})
    tablet.record("case.self_handled", case, A1, {"result": "swept"})
    tablet.record("patrol.finished", patrol, A1, {})
    tablet.record("visit.made", str(uuid4()), A1, {"household": "H-1", "outcome": "met", "care_group": "living_alone"})
    synced = tablet.sync()
    assert (synced.recorded, synced.refused, synced.duplicate) == (6, 0, 0), tablet.outbox.entries()
    assert [each["topic"] for each in town.uploaded()] == [
        "patrol.started", "patrol.checkpoint_passed", "case.reported", "case.self_handled", "patrol.finished", "visit.made",
    ]  # fmt: skip
    assert check_everything(town.gridtrail) > 6
