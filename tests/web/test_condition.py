"""How the service is, as administrators see it: read models, stores, admission, publishing. On both stores."""

import pytest
import sqlalchemy as sa

from projections import READ_MODELS
from projections.tables import PROGRESS
from service import condition
from service.database import writing
from service.measures import TURNED_AWAY
from tests.web.city import GRID_B1, SUBDISTRICT_B, City


def told(town: City) -> dict:
    town.catch_up()
    return town.client("guan").get("/v1/health").json


def test_a_service_that_works_is_ready_and_every_store_answers(town: City) -> None:
    town.gridtrail.publisher.turn()
    found = told(town)
    assert found["status"] == "ready"
    assert {each["read_model"] for each in found["read_models"]} == set(READ_MODELS)
    assert all(each["behind_positions"] == 0 and each["parked"] == [] for each in found["read_models"])
    assert {each["store"]: each["ok"] for each in found["stores"]} == {"record": True, "keys": True, "photos": True, "journal": True}
    record = found["stores"][0]
    assert record["kind"] == town.gridtrail.database.dialect.name
    assert record["bytes"] > 100_000
    assert record["version"]
    assert (found["publishing"]["unpublished"], found["publishing"]["history_behind"]) == (0, [])
    assert found["admission"]["slots"] >= 1


def test_it_tells_no_address_path_or_secret(town: City) -> None:
    text = town.client("guan").get("/v1/health").text
    config = town.gridtrail.config
    for secret in (config.database_url, config.vault_url, config.photos_url, config.watermark_file, str(town.folder)):
        assert secret not in text


def test_what_is_behind_and_what_stands_still_is_counted_by_list(town: City) -> None:
    town.report(GRID_B1)
    mine = (PROGRESS.c.ledger == SUBDISTRICT_B) & (PROGRESS.c.read_model == "visit_log")
    with writing(town.gridtrail.database) as conn:
        before = conn.execute(sa.select(PROGRESS).where(mine)).mappings().one()
        conn.execute(PROGRESS.update().where(mine).values(position=before["position"] - 1))
    late = next(each for each in town.client("guan").get("/v1/health").json["read_models"] if each["read_model"] == "visit_log")
    assert (late["behind_positions"], late["behind_ledgers"]) == (1, 1)
    with writing(town.gridtrail.database) as conn:
        conn.execute(
            PROGRESS.update().where(mine).values(parked_position=3, parked_error="the secret is 42", parked_at=before["parked_at"])
        )
    answer = town.client("guan").get("/v1/health")
    row = next(each for each in answer.json["read_models"] if each["read_model"] == "visit_log")
    assert [(each["ledger"], each["position"]) for each in row["parked"]] == [(SUBDISTRICT_B, 3)]
    assert answer.json["status"] == "degraded"
    assert "secret" not in answer.text
    with writing(town.gridtrail.database) as conn:
        conn.execute(PROGRESS.update().where(mine).values(parked_position=None, parked_error=None, position=before["position"]))
    assert told(town)["status"] == "ready"


def test_a_store_that_is_away_is_said_to_be_and_takes_nothing_with_it(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        @property
        def engine(self) -> object:
            raise OSError("no such key file")

    monkeypatch.setattr(town.gridtrail.vault, "keystore", Away())
    monkeypatch.setattr(condition.os, "access", lambda *_: False)
    found = {each["store"]: each["ok"] for each in town.client("guan").get("/v1/health").json["stores"]}
    assert found == {"record": True, "keys": False, "photos": False, "journal": False}


def test_who_was_turned_away_is_counted_by_lane(town: City) -> None:
    def count() -> int:
        rows = told(town)["admission"]["turned_away"]
        return sum(each["count"] for each in rows if (each["lane"], each["code"]) == ("pasts", "overloaded"))

    before = count()
    TURNED_AWAY.labels("pasts", "overloaded").inc()
    assert count() == before + 1
