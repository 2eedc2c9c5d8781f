"""Every read by an auditor, and of personal data, is on record before its answer leaves: whatever the endpoint, also one made tomorrow."""

from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import g

from service.access import ACCESS_LOG, C
from service.database import reading, writing
from service.routes.nouns import PUBLIC
from service.routes.reads import reads
from service.wiring import make_app
from tests.web.city import CITY, GRID_A1, SUBDISTRICT_A, City, build, person_id

PERIOD = {"from_day": "2026-11-01", "to_day": "2026-11-30"}
NEEDED: dict[str, dict[str, str]] = {
    "/v1/workload": PERIOD,
    "/v1/coverage": PERIOD,
}
"""Queries without which an operation answers nothing."""


@pytest.fixture(autouse=True)
def later(city: City) -> None:
    """Each test has a time of its own, so that what it read is what was read last."""
    city.clock.forward(seconds=1)


def on_record(city: City) -> list[dict[str, Any]]:
    with reading(city.gridtrail.database) as conn:
        return [dict(row) for row in conn.execute(sa.select(ACCESS_LOG).order_by(C.at, C.id)).mappings()]


def last(city: City) -> dict[str, Any]:
    return on_record(city)[-1]


def readable(city: City) -> list[str]:
    """Every rule that answers GET to people."""
    found = []
    for rule in city.app.url_map.iter_rules():
        policy = getattr(city.app.view_functions[rule.endpoint], "policy", None)
        if "GET" in rule.methods and policy not in (PUBLIC, "tablet", "tablet_reads"):
            found.append(rule.rule)
    return sorted(found)


def path_of(city: City, rule: str) -> str:
    parts = rule.replace(">", "<").split("<")
    named = {"case": city.cases[GRID_A1], "ledger": SUBDISTRICT_A, "log": SUBDISTRICT_A, "position": "0"}
    return "".join(named.get(part.split(":")[-1], "0") if at % 2 else part for at, part in enumerate(parts))


def test_whatever_an_auditor_reads_is_on_record(city: City) -> None:
    """Goes through all routes: one that answers an auditor and leaves no record fails here."""
    answered = 0
    for rule in readable(city):
        before = len(on_record(city))
        path = path_of(city, rule)
        answer = city.client("sun").get(path, **NEEDED.get(rule, {}))
        if answer.status_code < 400:
            answered += 1
            assert len(on_record(city)) == before + 1, f"an auditor read {path} and it is not on record"
        else:
            assert len(on_record(city)) == before, f"{path} answered {answer.status_code}: nothing was read"
    assert answered >= 14


def test_a_record_says_who_what_when_and_why(city: City) -> None:
    case = city.cases[GRID_A1]
    said = {**city.client("sun").headers, "Gridtrail-Purpose": quote("2026 年度审计"), "X-Request-ID": "audit-2026-0001"}
    assert city.app.test_client().get(f"/v1/cases/{case}", headers=said).status_code == 200
    row = last(city)
    assert (row["person"], row["role"], row["account"], row["token_kind"]) == (person_id("sun"), "auditor", "sun", "api")
    assert (row["act"], row["ledger"], row["object"], row["rows"]) == ("show_case", SUBDISTRICT_A, case, 1)
    assert (row["purpose"], row["request_id"], row["address"]) == ("2026 年度审计", "audit-2026-0001", "127.0.0.1")


def test_a_list_says_its_filters_and_how_many_rows_were_told(city: City) -> None:
    shown = city.client("sun").get("/v1/cases", area=SUBDISTRICT_A, status="reported").json["items"]
    row = last(city)
    assert (row["act"], row["ledger"], row["rows"]) == ("list_cases", SUBDISTRICT_A, len(shown))
    assert row["filters"] == f'{{"area":"{SUBDISTRICT_A}","status":"reported"}}'


def test_what_others_read_and_what_is_refused_leaves_no_record(city: City) -> None:
    before = len(on_record(city))
    assert city.client("chen").get("/v1/cases").status_code == 200
    assert city.client("sun").get("/v1/cases", area="4").status_code in (400, 422)
    assert city.client("guan").get("/v1/cases").status_code == 403
    assert len(on_record(city)) == before


def test_auditors_see_the_record_of_their_own_subtree_and_their_look_is_on_it(city: City) -> None:
    city.hire("lu", ("auditor", SUBDISTRICT_A))
    city.client("sun").get(f"/v1/cases/{city.cases[GRID_A1]}")
    city.clock.forward(seconds=1)
    city.client("sun").get("/v1/people")
    city.clock.forward(seconds=1)
    mine = city.client("lu").get("/v1/access-log").json["items"]
    assert {row["ledger"] for row in mine} == {SUBDISTRICT_A}
    assert last(city)["act"] == "list_reads"
    city.clock.forward(seconds=1)
    whole = city.client("sun").get("/v1/access-log", person=person_id("lu")).json["items"]
    assert [(row["act"], row["ledger"]) for row in whole] == [("list_reads", CITY)]
    pages, query = [], {"limit": 3}
    while True:
        page = city.client("sun").get("/v1/access-log", **query, read_to="2026-11-20T01:00:04Z").json
        pages += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len(pages) == len(set(pages)) > 3


@pytest.mark.parametrize("purpose", ["ab", "x" * 201, quote("bell\x07"), "%ff%fe"])
def test_an_odd_purpose_is_refused(city: City, purpose: str) -> None:
    before = len(on_record(city))
    answer = city.app.test_client().get("/v1/me", headers={**city.client("sun").headers, "Gridtrail-Purpose": purpose})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")
    assert len(on_record(city)) == before


def test_personal_values_of_others_need_a_purpose_and_ones_own_do_not(tmp_path: Any) -> None:
    city = build(f"sqlite:///{tmp_path}/gridtrail.db", tmp_path)
    told = {"own": False}

    def show_person() -> dict[str, str]:
        g.visitor = city.gridtrail.identity.visitor(city.tokens["chen"])
        reads(ledger=SUBDISTRICT_A, object="visit-1", subject=person_id("resident"), own=told["own"])
        return {"name": "canary of a name"}

    city.app = make_app(city.gridtrail)
    city.app.add_url_rule("/v1/personal", "show_person", show_person)
    client = city.app.test_client()
    refused = client.get("/v1/personal")
    assert (refused.status_code, refused.json["code"]) == (400, "purpose_needed")
    assert b"canary" not in refused.data
    assert on_record(city) == []
    assert client.get("/v1/personal", headers={"Gridtrail-Purpose": "relief after the flood"}).status_code == 200
    told["own"] = True
    city.clock.forward(seconds=1)
    assert client.get("/v1/personal").status_code == 200
    assert [(row["subject"], row["purpose"], row["role"]) for row in on_record(city)] == [
        (person_id("resident"), "relief after the flood", "officer"),
        (person_id("resident"), None, "officer"),
    ]


def test_an_answer_that_cannot_be_put_on_record_does_not_leave(tmp_path: Any) -> None:
    city = build(f"sqlite:///{tmp_path}/gridtrail.db", tmp_path)
    with writing(city.gridtrail.database) as conn:
        conn.exec_driver_sql("ALTER TABLE access_log RENAME TO lost")
    answer = city.client("sun").get(f"/v1/cases/{city.cases[GRID_A1]}")
    assert (answer.status_code, answer.json["code"]) == (503, "read_not_recorded")
    assert b"canary" not in answer.data
    assert city.client("chen").get(f"/v1/cases/{city.cases[GRID_A1]}").status_code == 200
