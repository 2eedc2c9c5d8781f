"""What a tablet downloads: each change of its scope once, and a tombstone for what left it."""

import pytest

from projections import tablet_changes
from service.database import reading
from tests.projections.telling import A1, A2, COMMUNITY, FIRE, LEDGER, LI, History, id_of, kept_bytes


@pytest.fixture
def download(follow, database):
    """Folds a history and asks what changed for audiences: [(kind, id, gone)]."""

    def ask(history: History, *audiences: str, since: int = 0, limit: int = 100) -> tablet_changes.Page:
        follow(history).catch_up()
        with reading(database) as conn:
            return tablet_changes.changes(conn, LEDGER, audiences, since, len(history.lines), limit)

    return ask


def told(page: tablet_changes.Page) -> list[tuple[str, str, bool]]:
    return [(item["kind"], item["id"], item["gone"]) for item in page.items]


def test_an_open_case_reaches_its_grid_and_its_holder_and_nobody_else(download):
    history = History()
    case = history.case_reported("one", place={"lat": 1, "lon": 2, "purpose": "case"})
    page = download(history, A1)
    assert told(page) == [("case", case, False)]
    data = page.items[0]["data"]
    assert (data["status"], data["holder"], data["place"]["lat"]) == ("reported", A1, 1)
    assert "due_at" not in data
    assert (page.following, page.complete) == (1, True)
    assert told(download(history, COMMUNITY)) == [("case", case, False)]
    assert told(download(history, A2, FIRE, "*")) == []


def test_what_did_not_change_since_the_cursor_is_not_told_again(download):
    history = History()
    history.case_reported("one")
    two = history.case_reported("two")
    assert told(download(history, A1, since=1)) == [("case", two, False)]
    assert told(download(history, A1, since=2)) == []


def test_a_case_that_moves_on_is_gone_for_the_unit_that_had_it(download):
    history = History()
    case = history.case_reported("one")
    history.case_registered("one")
    history.case_moved("one", FIRE)
    assert told(download(history, FIRE)) == [("case", case, False)]
    history.case_moved("one", A2, was=FIRE)
    assert told(download(history, FIRE, since=3)) == [("case", case, True)]
    assert told(download(history, FIRE, A2, since=3)) == [("case", case, False)]
    assert told(download(history, A1, since=3)) == [("case", case, False)]


def test_a_unit_that_was_called_holds_the_case_until_it_is_closed(download):
    history = History()
    case = history.case_reported("one")
    history.case_registered("one")
    said = {"area": A1, "lead": FIRE, "assists": [A2], "muster_minutes": 20, "task": "gas"}
    history.tell("case.whistled", "one", said, holder=FIRE, from_holder=A1, muster_due_at="2026-11-21T02:00:00.000Z")
    assert told(download(history, A2)) == [("case", case, False)]
    history.case_handled("one", holder=FIRE)
    history.case_closed("one", holder=FIRE)
    for audience in (A1, A2, FIRE, COMMUNITY):
        assert told(download(history, audience)) == [("case", case, True)]


def test_pages_together_tell_everything_and_never_half_of_a_position(download):
    history = History().a_bit_of_everything(6)
    audiences = (A1, COMMUNITY, "*", tablet_changes.person_audience(LI))
    whole = download(history, *audiences, limit=1000)
    items, since, pages = {}, 0, 0
    while True:
        page = download(history, *audiences, since=since, limit=3)
        items.update({(item["kind"], item["id"]): item for item in page.items})
        since, pages = page.following, pages + 1
        if page.complete:
            break
    assert pages > 3
    assert items == {(item["kind"], item["id"]): item for item in whole.items}


def test_a_page_smaller_than_one_position_still_tells_all_of_it(download):
    history = History()
    history.area_registered(A1, "Riverside", polygon={"type": "Polygon", "coordinates": []})
    history.area_registered(A2, "Old Gate")
    page = download(history, A1, "*", limit=1)
    assert told(page) == [("area", A1, False), ("outline", A1, False)]
    assert (page.following, page.complete) == (1, False)


def test_a_household_is_due_from_its_latest_visit_even_when_an_older_one_arrives_later(download):
    history = History()
    history.visit_made("new", "house", next_due="2026-12-21", minute=30)
    history.visit_made("old", "house", next_due="2026-11-30", minute=10)
    page = download(history, A1)
    assert told(page) == [("visit", "house", False)]
    assert page.items[0]["data"]["next_due"] == "2026-12-21"
    history.visit_made("last", "house", minute=40)
    assert told(download(history, A1)) == [("visit", "house", True)]


def test_a_person_hears_of_refused_entries_assignments_and_the_tablet(download):
    history = History()
    li = history.tell("person.registered", "li", {"home": COMMUNITY})
    history.tell("person.assigned", "li", {"assignment": id_of("a"), "as_role": "worker", "unit": A1, "from_day": "2026-01-01"})
    tablet = history.tell("tablet.enrolled", "t", {"public_key": "k", "algorithm": "ed25519"}, origin="o", person=LI, area=A1)
    kept = history.tell("refused.kept", "r", seq=4, code="not_your_case", detail="no", area=A1, person=LI, tablet=tablet, **kept_bytes("e"))
    audience = tablet_changes.person_audience(LI)
    page = download(history, audience)
    assert told(page) == [("person", li, False), ("tablet", tablet, False), ("refusal", kept, False)]
    assert page.items[0]["data"]["assigned"][id_of("a")]["unit"] == A1
    history.tell("tablet.uploaded", "t", seal="s", first=0, size=5, recorded=4, refused=1)
    assert told(download(history, audience, since=4)) == []
    history.tell("tablet.revoked", "t", {"last_valid": 4, "reason": "lost"})
    history.tell("refused.reapplied", "r", area=A1, ledger=LEDGER, stream=id_of("x"), version=2)
    page = download(history, audience, since=4)
    assert told(page) == [("tablet", tablet, False), ("refusal", kept, True)]
    assert page.items[0]["data"]["status"] == "revoked"
