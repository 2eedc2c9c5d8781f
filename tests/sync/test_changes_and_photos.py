"""What tablets download, and who may see which photo."""

import hashlib
from typing import Any
from uuid import UUID, uuid4

import pytest

from service.scope import Actor, Grant
from service.tablet_client import Answer, Refused, Tablet, Unreachable
from service.tablet_outbox import TIMED
from tests.check import check_everything
from tests.sync.town import A1, A2, B1, CATEGORY, COUNTY, OFFICER, SUB_A, SUB_B, Town, person

JPEG = b"\xff\xd8\xff\xe0" + b"a small photo" * 100


def report(tablet, area: str, **data: object) -> str:
    case = str(uuid4())
    tablet.record("case.reported", case, area, {"category": CATEGORY, "summary": f"in {area}", **data})
    return case


def test_a_tablet_holds_what_its_worker_needs_and_hears_what_changes(town: Town) -> None:
    li, wang = town.tablet("li"), town.tablet("wang")
    mine, others = report(li, A1), report(wang, A2)
    li.sync(), wang.sync()
    town.gridtrail.follower.catch_up()
    assert li.download() > 0
    assert set(li.outbox.items("case")) == {mine}
    assert A1 in li.outbox.items("area")
    assert others not in str(li.outbox.db.execute("SELECT data FROM items").fetchall())
    assert li.download() == 0
    li.record("case.self_handled", mine, A1, {"result": "swept"})
    li.record("visit.dreamt", str(uuid4()), A1, {})
    li.sync()
    town.gridtrail.follower.catch_up()
    assert li.download() == 2
    (refusal,) = li.outbox.items("refusal").values()
    assert refusal["code"] == "unknown_kind"
    check_everything(town.gridtrail)


def test_small_pages_give_the_same_as_a_large_one(town: Town) -> None:
    li = town.tablet("li")
    for _ in range(5):
        report(li, A1)
    li.sync()
    town.gridtrail.follower.catch_up()
    client, headers = town.app.test_client(), {"Authorization": f"Bearer {li.outbox.fact('token')}"}
    whole = client.get("/v1/sync/changes?limit=2000", headers=headers).json
    found, cursor, more = [], None, True
    while more:
        page = client.get("/v1/sync/changes", query_string={"limit": 2, **({"since": cursor} if cursor else {})}, headers=headers).json
        found, cursor, more = found + page["items"], page["next"], page["more"]
    assert found == whole["items"]
    assert whole["more"] is False


def test_a_worker_who_changes_area_gets_the_new_scope_afresh(town: Town) -> None:
    li, qian = town.tablet("li"), town.tablet("qian")
    old, new = report(li, A1), report(qian, B1)
    li.sync(), qian.sync()
    town.gridtrail.follower.catch_up()
    li.download()
    assert set(li.outbox.items("case")) == {old}
    town.hire_again("li", B1)
    town.gridtrail.follower.catch_up()
    li.download()
    assert set(li.outbox.items("case")) == {old, new}


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "bnVsbA", "eyJzIjoxLCJsIjp7fX0", "eyJzIjoiIiwibCI6eyJhIjpbLTEsIiJdfX0"])
def test_a_cursor_that_nobody_gave_out_is_refused(quiet_town: Town, cursor: str) -> None:
    hand = quiet_town.hand("li")
    headers = {"Authorization": f"Bearer {hand.token}"}
    answer = quiet_town.app.test_client().get(f"/v1/sync/changes?since={cursor}", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_cursor")


def test_a_department_hears_of_the_cases_that_it_holds_in_ledgers_below(town: Town) -> None:
    urban = f"{COUNTY}/urban_management"
    town.hire("hu", [("officer", urban, "2026-01-01", None)])
    li, hu = town.tablet("li"), town.tablet("hu")
    held, _ = report(li, A1), report(li, A1)
    li.sync()
    town.gridtrail.follower.catch_up()
    hu.download()
    assert hu.outbox.items("case") == {}
    for verb, said in (("accept", {}), ("register", {}), ("dispatch", {"to": urban})):
        town.gridtrail.inspection.act_on_case(OFFICER, UUID(held), SUB_A, verb, said)
    town.gridtrail.follower.catch_up()
    # The scope is the same: what is new comes without a reset, and so does what goes again.
    hu.download()
    assert set(hu.outbox.items("case")) == {held}
    assert hu.download() == 0
    holder = Actor(person("hu"), (Grant("officer", urban),))
    town.gridtrail.inspection.act_on_case(holder, UUID(held), SUB_A, "transfer", {"to": f"{COUNTY}/fire", "reason": "it burns"})
    town.gridtrail.follower.catch_up()
    assert hu.download() == 1
    assert hu.outbox.items("case") == {}


def test_a_tablet_waits_only_for_what_is_recorded_where_it_hears_of_it(town: Town) -> None:
    li, qian = town.hand("li"), town.hand("qian")
    li.send([li.entry(0)]), qian.send([qian.entry(0, area=B1)])
    town.gridtrail.follower.catch_up()
    with town.gridtrail.database.connect() as conn:
        size = town.gridtrail.ledgers.head(conn, SUB_A).size
    client, headers = town.app.test_client(), {"Authorization": f"Bearer {li.token}"}
    asked = [f"{SUB_A}:{size - 1}", f"{SUB_A}:{size}", f"{SUB_B}:0", "411599999:0"]
    answers = [client.get(f"/v1/sync/changes?min_position={each}", headers=headers) for each in asked]
    assert [answer.status_code for answer in answers] == [200, 400, 404, 404]
    assert [answer.json.get("code") for answer in answers[1:]] == ["bad_parameter", "not_found", "not_found"]


def test_a_photo_is_seen_by_who_brought_it_and_by_who_sees_the_case(town: Town) -> None:
    li, wang, chen = town.tablet("li"), town.hand("wang"), town.hand("chen")
    name = li.add_photo(JPEG)
    report(li, A1, photos=[name])
    assert li.sync().photos == 1
    town.gridtrail.follower.catch_up()

    def seen(token: str):
        return town.app.test_client().get(f"/v1/photos/{name}", headers={"Authorization": f"Bearer {token}"})

    answer = seen(li.outbox.fact("token"))
    assert (answer.status_code, answer.data, answer.content_type) == (200, JPEG, "image/jpeg")
    assert seen(chen.token).data == JPEG
    assert seen(wang.token).status_code == 404
    # Naming the photo in an entry of one's own gives no right to it.
    wang.send([wang.entry(0, "case.reported", area=A2, data={"category": CATEGORY, "summary": "x", "photos": [name]})])
    assert seen(wang.token).status_code == 404
    assert town.gridtrail.photos.get(OFFICER, name) == (JPEG, "image/jpeg")


def test_bringing_a_photo_again_changes_nothing(quiet_town: Town) -> None:
    hand = quiet_town.hand("li")
    content = JPEG + uuid4().bytes
    name = hashlib.sha256(content).hexdigest()
    headers = {"Authorization": f"Bearer {hand.token}"}
    statuses = [quiet_town.app.test_client().put(f"/v1/photos/{name}", data=content, headers=headers).status_code for _ in range(3)]
    assert statuses == [201, 200, 200]


@pytest.mark.parametrize("size", [262_145, 1_000_000, 8_388_608])
def test_a_photo_may_be_larger_than_any_json_body(quiet_town: Town, size: int) -> None:
    li = quiet_town.tablet("li")
    name = li.add_photo((JPEG + uuid4().bytes).ljust(size, b"x"))
    assert li.sync().photos == 1
    headers = {"Authorization": f"Bearer {li.outbox.fact('token')}"}
    assert len(quiet_town.app.test_client().get(f"/v1/photos/{name}", headers=headers).data) == size


def test_a_batch_may_be_larger_than_any_json_body(town: Town) -> None:
    hand = town.hand("li")
    lines = [hand.entry(seq, data={"household": f"H-{seq}", "outcome": "z" * 12_000}) for seq in range(50)]
    assert len(hand.body(lines)) > 600_000
    answer = hand.send(lines)
    assert (answer.status_code, len(answer.json["outcomes"])) == (200, 50)


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (JPEG, "0" * 64, 422, "digest_mismatch"),
        (b"<svg/>", None, 415, "not_a_photo"),
        (b"\xff\xd8", None, 415, "not_a_photo"),
        (JPEG, "../../etc/passwd", 404, "not_found"),
        (JPEG, "A" * 64, 404, "not_found"),
        (JPEG + bytes(8_388_608), None, 413, "too_large"),
    ],
)
def test_what_is_no_photo_is_refused(quiet_town: Town, content: bytes, name: str | None, status: int, code: str) -> None:
    hand = quiet_town.hand("li")
    name = name or hashlib.sha256(content).hexdigest()
    answer = quiet_town.app.test_client().put(f"/v1/photos/{name}", data=content, headers={"Authorization": f"Bearer {hand.token}"})
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_photo_that_is_refused_for_good_keeps_no_other_back(town: Town) -> None:
    li = town.tablet("li")
    large, none, good = (li.add_photo(content) for content in (JPEG + bytes(8_388_608), b"<svg/>", JPEG))
    told = li.sync()
    assert (told.photos, told.photos_refused) == (1, 2)
    refused = dict(li.outbox.db.execute("SELECT sha256, code FROM refused_photos"))
    assert refused == {large: "too_large", none: "not_a_photo"}
    assert li.outbox.db.execute("SELECT sha256 FROM photos WHERE sent = 1").fetchall() == [(good,)]
    assert (li.sync().photos, li.sync().photos_refused) == (0, 0)
    assert sum(method == "PUT" for method, _, _ in town.network.sent) == 3


def test_a_photo_that_is_not_taken_now_is_sent_again(town: Town) -> None:
    li = town.tablet("li")
    li.add_photo(JPEG)
    change = town.gridtrail.inspection.change_tablet
    change(OFFICER, SUB_A, li.id, "revoke", {"last_valid": -1, "reason": "lost"})
    with pytest.raises(Refused, match="403"):
        li.sync()
    change(OFFICER, SUB_A, li.id, "reinstate", {"reason": "found"})
    assert li.sync().photos == 1


def test_a_tablet_learns_from_a_download_that_the_service_lost_entries(town: Town) -> None:
    li = town.tablet("li")
    li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
    li.sync()
    li.outbox.remember(confirmed=1)
    town.gridtrail.follower.catch_up()
    li.download()
    assert li.waiting() == 0


def test_what_the_service_refuses_as_a_whole_is_told_and_stays(town: Town) -> None:
    li = town.tablet("li")
    li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
    li.outbox.remember(token="nonsense")
    with pytest.raises(Refused) as no:
        li.sync()
    assert (no.value.status, no.value.code, li.waiting()) == (401, "not_logged_in", 1)


def test_an_entry_that_no_strict_json_can_say_is_refused_by_the_tablet_itself(town: Town) -> None:
    li = town.tablet("li")
    for bad, why in ((float("nan"), "Out of range"), ("\ud800", "surrogates"), ("x" * 20_000, "16384")):
        with pytest.raises(ValueError, match=why):
            li.record("visit.made", str(uuid4()), A1, {"household": bad, "outcome": "met"})
    assert li.waiting() == 0


def test_confirmed_entries_are_kept_thirty_days_and_the_tree_goes_on(town: Town) -> None:
    li = town.tablet("li")
    for _ in range(3):
        li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
    li.sync()
    for _ in range(5):
        town.clock.forward(days=6)
        li.sync()
    assert len(li.outbox.entries()) == 3
    town.clock.forward(days=2)
    li.sync()
    assert li.outbox.entries() == []
    li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
    assert li.sync().recorded == 1
    check_everything(town.gridtrail)


def held(li: Tablet) -> tuple[int, int, int]:
    """How many entries, receipts and checkpoints that are to be proved a tablet has."""
    tables = ("entries", "receipts", "heads")
    entries, receipts, heads = (li.outbox.db.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables)
    return entries, receipts, heads


def test_a_tablet_whose_own_clock_is_years_wrong_forgets_nothing_too_soon(town: Town) -> None:
    li = town.tablet("li")
    for year in (2020, 2026, 2040, 2026):
        li.wall = lambda year=year: town.clock.now.replace(year=year)
        li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
        li.sync()
    assert held(li) == (4, 4, 4)
    li.wall = lambda: town.clock.now.replace(year=2020)
    for _ in range(6):
        town.clock.forward(days=6)
        li.sync()
    assert held(li)[:2] == (0, 0)


def test_a_service_whose_clock_is_years_wrong_makes_a_tablet_forget_nothing(town: Town) -> None:
    li = town.tablet("li")
    right = town.clock.now
    for year in (2026, 2060, 2026, 2024, 2026):
        town.clock.now = right.replace(year=year)
        li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
        li.sync()
    assert len(li.outbox.entries()) == 5
    assert li.outbox.now == right.timestamp()


def test_what_an_older_release_timed_by_the_tablets_clock_is_kept_thirty_days_more(town: Town) -> None:
    li = town.tablet("li")
    li.record("visit.made", str(uuid4()), A1, {"household": "H", "outcome": "met"})
    li.sync()
    for table, column in TIMED:
        li.outbox.db.execute(f"UPDATE {table} SET {column} = 1")
    li.outbox.db.execute("DELETE FROM facts WHERE name = 'clock'")
    li.sync()
    assert held(li)[:2] == (1, 1)
    for _ in range(6):
        town.clock.forward(days=6)
        li.sync()
    assert held(li)[:2] == (0, 0)


class Portal:
    """A network that answers some requests itself, until somebody has logged in."""

    def __init__(self, network: Any, path: str, answer: Answer) -> None:
        self.network, self.path, self.answer = network, path, answer

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        return self.answer if self.path in url else self.network.send(method, url, headers, body)


PAGE = b"<h1>Welcome to the hotel</h1>"
PAGES = [(200, PAGE), (302, b""), (403, PAGE), (413, PAGE), (422, b'{"error":"login"}'), (200, b"{}"), (200, b"[]"), (204, PAGE)]


@pytest.mark.parametrize(("status", "body"), PAGES)
def test_the_page_of_a_network_that_wants_a_login_is_no_answer(quiet_town: Town, status: int, body: bytes) -> None:
    li = quiet_town.tablet("li", attempts=1)
    visit = {"household": "H", "outcome": "met"}
    li.record("visit.made", str(uuid4()), A1, visit, personal={"need_voiced": "a lift"})
    name = li.add_photo(JPEG + uuid4().bytes)
    asks = [("/sync/batches", li.sync), ("/v1/photos", li.sync), ("/sync/standing", li.adopt), ("/sync/changes", li.download)]
    for path, ask in [*asks, ("/sync/personal", lambda: li.fetch_personal(household="H")), ("/sync/proofs", li.prove)]:
        li.transport = Portal(quiet_town.network, path, Answer(status, {}, body))
        with pytest.raises(Unreachable):
            ask()
        assert li.outbox.db.execute("SELECT sent FROM photos WHERE sha256 = ?", (name,)).fetchone() == (0,)
    assert li.outbox.db.execute("SELECT count(*) FROM refused_photos").fetchone() == (0,)
    li.record("visit.made", str(uuid4()), A1, visit, personal={"need_voiced": "a lift"})
    li.transport = Portal(quiet_town.network, "/sync/disclosures", Answer(status, {}, body))
    assert (li.sync().photos, len(li.outbox.disclosures(9))) == (1, 1)
    li.transport = quiet_town.network
    assert li.sync().disclosures == 1
