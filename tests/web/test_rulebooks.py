"""Rulebooks over HTTP: which decide today, what stands in them, and how one is published after a dry run. On both stores."""

import copy

import pytest

from domain.books import BOOK_KINDS, shipped_items
from tests.web.city import CITY, City

SHIPPED = {item["kind"]: item for item in shipped_items() if item["name"] in ("gridtrail", "cn")}


def book(kind: str = "limits", version: str = "2", **said: object) -> dict:
    shipped = copy.deepcopy(SHIPPED.get(kind, SHIPPED["limits"]))
    return {**shipped, "kind": kind, "version": version, "effective_from": "2026-11-01", **said}


def listed(town: City, **query: str) -> dict[tuple[str, str, str], dict]:
    items = town.client("li").get("/v1/rulebooks", limit=500, **query).json["items"]
    return {(each["kind"], each["name"], each["version"]): each for each in items}


def publish(town: City, said: dict, by: str = "guan", dry_run: str = "false"):
    client = town.app.test_client()
    return client.post("/v1/rulebooks", query_string={"dry_run": dry_run}, json=said, headers=town.client(by).headers)


def test_a_city_without_books_has_the_shipped_ones_and_they_decide(town: City) -> None:
    found = listed(town, kind="categories")
    assert found
    assert all(each["shipped"] and each["published_at"] is None for each in found.values())
    content = listed(town, kind="limits", in_force="true")[("limits", "gridtrail", "1")]["content"]
    assert content == SHIPPED["limits"]["content"]
    assert {each["content"] for each in listed(town, content="false").values()} == {None}
    assert {kind for kind, _, _ in listed(town, in_force="true")} == set(BOOK_KINDS)


def test_a_dry_run_publishes_nothing_and_the_version_then_decides_from_its_day(town: City) -> None:
    said = book()
    said["content"]["limits"][0]["amount"] = 9
    tried = publish(town, said, dry_run="true")
    assert tried.json == {"outcome": "published", "dry_run": True, "ledger": CITY, "position": None}
    assert ("limits", "gridtrail", "2") not in listed(town)
    done = publish(town, said)
    assert (done.json["outcome"], done.json["position"] >= 0) == ("published", True)
    rows = listed(town, kind="limits")
    assert [(version, row["in_force"]) for (_, _, version), row in sorted(rows.items())] == [("1", False), ("2", True)]
    assert publish(town, said).json == {"outcome": "same", "dry_run": False, "ledger": CITY, "position": None}
    assert publish(town, said, dry_run="true").json["outcome"] == "same"


def test_a_version_of_tomorrow_does_not_decide_today(town: City) -> None:
    assert publish(town, book("care_plan", "3", effective_from="2026-11-21")).status_code == 200
    rows = listed(town, kind="care_plan")
    assert [row["in_force"] for _, row in sorted(rows.items())] == [True, False]
    town.clock.forward(days=1)
    town.tokens["guan"] = town.gridtrail.identity.make_token(town.client("guan").get("/v1/me").json["person"], "later").token
    rows = listed(town, kind="care_plan")
    assert [row["in_force"] for _, row in sorted(rows.items())] == [False, True]


@pytest.mark.parametrize("dry_run", ["true", "false"])
@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"kind": "menu"}, 422, "bad_fields"),
        ({"version": "a/b"}, 409, "text_needed"),
        ({"version": ""}, 422, "bad_fields"),
        ({"effective_from": "tomorrow"}, 422, "bad_fields"),
        ({"content": {}}, 409, "book_is_wrong"),
        ({"content": {"scheme": ["x"], "scheme_version": "1", "limits": [7]}}, 409, "book_is_wrong"),
        (
            {"content": {"scheme": "x", "scheme_version": "1", "limits": [{"category": "A", "kind": "work_day", "amount": -1}]}},
            409,
            "book_is_wrong",
        ),
        ({"content": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}}, 422, "bad_fields"),
        ({"content": []}, 422, "bad_fields"),
        ({"extra": 1}, 422, "bad_fields"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_book_that_is_wrong_is_refused_the_same_in_both_runs(town: City, dry_run: str, wrong: dict, status: int, code: str) -> None:
    answer = publish(town, book(version="4", **wrong) if "version" not in wrong else book(**wrong), dry_run=dry_run)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data


def test_a_published_version_never_changes(town: City) -> None:
    publish(town, book(version="5"))
    other = book(version="5")
    other["content"]["limits"][0]["amount"] = 77
    for dry_run in ("true", "false"):
        answer = publish(town, other, dry_run=dry_run)
        assert (answer.status_code, answer.json["code"]) == (409, "version_published")


def test_a_book_too_large_for_an_entry_is_refused_in_both_runs(town: City) -> None:
    said = book("categories", version="6")
    said["content"] = {"scheme": "large", "version": "6", "codes": {f"A{number}": {"name": "x" * 20} for number in range(2_000)}}
    for dry_run in ("true", "false"):
        answer = publish(town, said, dry_run=dry_run)
        assert (answer.status_code, answer.json["code"]) == (413, "too_large"), answer.data


@pytest.mark.parametrize("name", ["chen", "sun", "li"])
def test_only_administrators_of_the_city_publish(town: City, name: str) -> None:
    assert publish(town, book(version="7"), by=name).status_code == 403


def test_an_administrator_of_a_part_does_not_publish_for_the_city(town: City) -> None:
    town.hire("part of it", ("administrator", "411502001"))
    assert publish(town, book(version="7"), by="part of it").status_code == 404


def test_versions_come_in_pages(town: City) -> None:
    keys, query = [], {"limit": 2}
    while True:
        page = town.client("sun").get("/v1/rulebooks", **query).json
        keys += [(each["kind"], each["name"], each["version"]) for each in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert keys == sorted(listed(town))
