"""The same case id in two ledgers: two cases that have nothing to do with each other."""

from uuid import uuid4

from tests.check import check_everything
from tests.sync.town import A1, B1, CATEGORY, Town

JPEG = b"\xff\xd8\xff\xe0" + b"a small photo" * 100


def test_a_photo_of_a_case_is_not_seen_through_another_ledgers_case_of_the_same_id(town: Town) -> None:
    li, qian = town.tablet("li"), town.tablet("qian")
    name, case = li.add_photo(JPEG), str(uuid4())
    li.record("case.reported", case, A1, {"category": CATEGORY, "summary": "ours", "photos": [name]})
    qian.record("case.reported", case, B1, {"category": CATEGORY, "summary": "theirs"})
    li.sync(), qian.sync()
    town.gridtrail.follower.catch_up()
    assert qian.outbox.entries()[-1]["outcome"]["outcome"] == "recorded"
    headers = {"Authorization": f"Bearer {qian.outbox.fact('token')}"}
    assert town.app.test_client().get(f"/v1/photos/{name}", headers=headers).status_code == 404
    check_everything(town.gridtrail)
