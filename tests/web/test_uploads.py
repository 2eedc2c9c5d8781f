"""Tablets and refused entries as officers decide about them; ledgers as auditors read them."""

import base64

import orjson

from service.database import reading
from service.ledger.tree import Frontier, leaf_hash
from tests.web.city import CANARY, CITY, GRID_A1, GRID_A2, SUBDISTRICT_A, SUBDISTRICT_B, City, person_id

ABSENT = "00000000-0000-4000-8000-000000000000"


def test_an_officer_sees_what_each_tablet_owes(city: City):
    items = city.client("chen").get("/v1/tablets").json["items"]
    assert {item["person"] for item in items} >= {person_id("li"), person_id("wang")}
    assert person_id("bai") not in {item["person"] for item in items}
    mine = next(item for item in items if item["tablet_id"] == city.tablets["li"].id)
    assert (mine["status"], mine["size"], mine["recorded"], mine["refused"], mine["waiting"]) == ("active", 5, 4, 1, 0)
    assert mine["last_contact"]


def test_one_tablet_and_one_refusal_are_told_to_whom_the_lists_tell_them(city: City):
    tablet = city.tablets["li"].id
    assert city.client("chen").get(f"/v1/tablets/{tablet}").json in city.client("chen").get("/v1/tablets").json["items"]
    assert [city.client(name).get(f"/v1/tablets/{tablet}").status_code for name in ("li", "sun", "qian", "nobody")] == [403, 200, 404, 403]
    refused = refusals_of(city, "li")[0]
    path = f"/v1/refusals/{refused['refusal_id']}"
    assert {city.client(name).get(path).text for name in ("li", "zhao", "sun")} == {city.client("li").get(path).text}
    assert city.client("li").get(path).json == refused
    assert [city.client(name).get(path).status_code for name in ("wang", "qian", "feng", "guan")] == [404, 404, 404, 403]


def test_a_lost_tablet_is_revoked_and_reinstated_by_its_officer_only(city: City):
    tablet = city.enrol("wang")
    city.catch_up()
    path, said = f"/v1/tablets/{tablet.id}/revoke", {"last_valid": -1, "reason": "lost on the bus"}
    assert city.client("li").post(path, said).status_code == 403
    assert city.client("sun").post(path, said).status_code == 403
    assert city.client("qian").post(path, said).status_code == 404
    assert city.client("qian").post(path, said).data == city.client("qian").post(f"/v1/tablets/{ABSENT}/revoke", said).data
    assert city.client("chen").post(path, {"last_valid": "none", "reason": "x"}).status_code == 422
    done = city.client("chen").post(path, said)
    assert done.status_code == 200, done.data
    position = f"{done.json['ledger']}:{done.json['position']}"
    city.catch_up()
    revoked = city.client("chen").get("/v1/tablets", status="revoked", min_position=position).json["items"]
    assert tablet.id in [item["tablet_id"] for item in revoked]
    assert city.client("chen").post(f"/v1/tablets/{tablet.id}/reinstate", {"reason": "found again"}).status_code == 200


def refusals_of(city: City, name: str, **query: str) -> list[dict]:
    return city.client(name).get("/v1/refusals", **query).json["items"]


def test_a_worker_sees_the_own_refused_entries_and_an_officer_the_subtrees(city: City):
    assert {item["person"] for item in refusals_of(city, "li")} == {person_id("li")}
    assert {item["person"] for item in refusals_of(city, "zhao")} == {person_id("li"), person_id("wang")}
    assert city.client("li").get("/v1/refusals", person=person_id("wang")).status_code == 404
    kept = refusals_of(city, "li")[0]
    assert (kept["state"], kept["code"], kept["kind"]) == ("waiting", "unknown_category", "case.reported")
    assert CANARY.format(GRID_A1) not in str(kept)
    path = f"/v1/refusals/{kept['refusal_id']}/entry"
    told = city.client("li").get(path)
    assert (told.status_code, told.json["entry"]["data"]["summary"]) == (200, CANARY.format(GRID_A1))
    assert city.client("zhao").get(path).json["code"] == "purpose_needed"
    assert [city.client(name).get(path).status_code for name in ("wang", "qian", "sun")] == [404, 404, 403]


def test_a_refused_entry_is_dismissed_by_its_officer_with_a_reason(city: City):
    kept = next(item for item in refusals_of(city, "zhao", state="waiting") if item["area"] == GRID_A2)
    path = f"/v1/refusals/{kept['refusal_id']}/dismiss"
    assert city.client("wang").post(path, {"reason": "mine"}).status_code == 403
    assert city.client("qian").post(path, {"reason": "not mine"}).status_code == 404
    assert city.client("zhao").post(path, {}).status_code == 422
    assert city.client("zhao").post(path, {"reason": "no such category"}).status_code == 200
    city.catch_up()
    decided = refusals_of(city, "zhao", state="dismissed")[0]
    assert (decided["refusal_id"], decided["reason"], decided["decided_by"]) == (kept["refusal_id"], "no such category", person_id("zhao"))
    assert city.client("zhao").post(path, {"reason": "again"}).status_code == 409


def test_a_refused_entry_that_still_breaks_a_rule_cannot_be_reapplied(city: City):
    kept = next(item for item in refusals_of(city, "zhao", state="waiting") if item["area"] == GRID_A1)
    answer = city.client("zhao").post(f"/v1/refusals/{kept['refusal_id']}/reapply", {})
    assert (answer.status_code, answer.json["code"]) == (409, "unknown_category")


def test_an_auditor_reads_every_stored_line_and_hashes_it_to_the_root(city: City):
    sun = city.client("sun")
    ledgers = {item["ledger"]: item for item in sun.get("/v1/ledgers").json["items"]}
    assert {CITY, SUBDISTRICT_A, SUBDISTRICT_B} <= set(ledgers)
    lines, cursor = [], {}
    while True:
        page = sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/events", limit=7, **cursor).json
        lines += [item["line"].encode() for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    frontier = Frontier()
    frontier.extend(leaf_hash(line) for line in lines)
    told = ledgers[SUBDISTRICT_A]
    assert (frontier.size, base64.b64encode(frontier.root()).decode()) == (told["size"], told["root"])
    with reading(city.gridtrail.database) as conn:
        assert lines == [bytes(line) for line in city.gridtrail.ledgers.lines(conn, SUBDISTRICT_A, 0, 1000)]


def test_an_auditor_filters_entries_by_stream_topic_person_and_time(city: City):
    sun, path = city.client("sun"), f"/v1/ledgers/{SUBDISTRICT_A}/events"

    def lines(**query: str) -> list[dict]:
        answer = sun.get(path, **query)
        assert answer.status_code == 200, answer.data
        return [orjson.loads(item["line"]) for item in answer.json["items"]]

    assert {line["stream"] for line in lines(stream=city.cases[GRID_A1])} == {city.cases[GRID_A1]}
    assert {line["topic"] for line in lines(topic="visit.made")} == {"visit.made"}
    assert {line["state"]["by"] for line in lines(person=person_id("li"), topic="patrol.started")} == {person_id("li")}
    assert lines(recorded_to="2026-01-01T00:00:00Z") == []
    assert lines(recorded_from="2026-01-01T00:00:00+08:00")
    assert lines(start="3")[0]["position"] == 3


def test_only_auditors_read_ledgers(city: City):
    for name in ("li", "zhao", "guan", "nobody"):
        assert city.client(name).get(f"/v1/ledgers/{SUBDISTRICT_A}/events").status_code == 403
    assert city.client("sun").get("/v1/ledgers/999999999/events").status_code == 404
