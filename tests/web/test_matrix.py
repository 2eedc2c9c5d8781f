"""Actor times endpoint times object, generated from the routes: nobody gets through, and no canary leaves its subtree."""

from collections.abc import Iterator
from itertools import product
from uuid import UUID

import pytest
import sqlalchemy as sa

from projections import refusals
from service.audit.tables import published
from service.database import reading
from service.problems import Problem
from service.routes.parsing import write_cursor
from tests.web.city import (
    CANARY,
    CAST,
    CITY,
    COMMUNITY_A,
    FIRE,
    GRID_A1,
    GRID_A2,
    GRID_B1,
    SUBDISTRICT_A,
    SUBDISTRICT_B,
    City,
    build,
    person_id,
)
from tests.web.test_inventory import MAY_BE_PUBLIC

ACTORS = [*CAST, "stranger", "expired", "revoked", "tablet", "revoked tablet"]
SEES = {
    "li": {GRID_A1},
    "wang": {GRID_A2},
    "zhao": {GRID_A1, GRID_A2},
    "chen": {GRID_A1, GRID_A2},
    "qian": {GRID_B1},
    "bai": {GRID_B1},
    "sun": {GRID_A1, GRID_A2, GRID_B1},
}
WITHOUT_TOKEN = {"stranger", "expired", "revoked", "tablet", "revoked tablet"}
"""A tablet's token opens what tablets exchange, and nothing of the console."""
ABSENT = "00000000-0000-4000-8000-000000000000"
CANARIES = {where: CANARY.format(where) for where in (GRID_A1, GRID_A2, GRID_B1)}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The city on each store, with tokens that ended as well."""
    tmp = tmp_path_factory.mktemp("matrix")
    url = f"sqlite:///{tmp}/gridtrail.db" if request.param == "sqlite" else request.getfixturevalue("copied_postgres_url")
    city = build(url, tmp)
    identity = city.gridtrail.identity
    ended = identity.make_token(identity.visitor(city.tokens["sun"]).actor.person, "revoked")
    identity.revoke_token(ended.person, ended.id)
    city.tokens["revoked"] = ended.token
    city.tokens["expired"] = identity.make_token(ended.person, "expired", days=-1).token
    city.tokens["tablet"] = city.tablets["li"].outbox.fact("token")
    lost = city.enrol("wang")
    city.tokens["revoked tablet"] = lost.outbox.fact("token")
    city.catch_up()
    answer = city.client("chen").post(f"/v1/tablets/{lost.id}/revoke", {"last_valid": -1, "reason": "lost"})
    assert answer.status_code == 200, answer.data
    city.gridtrail.publisher.turn()
    yield city
    city.gridtrail.database.dispose()


def hand(city: City, name: str):
    return city.client(None if name == "stranger" else name)


def everything_readable(city: City) -> list[str]:
    """Every GET of the document, with parameters filled in from what exists."""
    period = "?from_day=2026-11-01&to_day=2026-11-30"
    needs_period = {"/v1/workload", "/v1/coverage", "/v1/coverage/days"}
    asked = {"/v1/visits/due": "?due_by=2027-01-01", "/v1/people/names": f"?persons={ABSENT}"}
    found = []
    for path, item in city.client().get("/openapi.json").json["paths"].items():
        if "get" not in item or path.startswith(("/v1/sync", "/v1/photos")):
            continue
        cases = [*city.cases.values(), ABSENT] if "{case}" in path else [""]
        ledgers = [SUBDISTRICT_A, SUBDISTRICT_B, CITY] if "{ledger}" in path or "{log}" in path else [""]
        people = [*CANARIES.values(), "nobodys"] if "{reference}" in path else refusals_in(city) if "{refusal}" in path else [""]
        for case, ledger, whose in product(cases, ledgers, people):
            filled = {"case": case, "ledger": ledger, "log": ledger, "position": 0, "tile": widest_bundle(city, ledger), "name": "x"}
            filled |= {"period": "2026-Q4", "reference": whose, "refusal": whose, "subject": ABSENT, "tablet": city.tablets["bai"].id}
            filled |= {"person": person_id("li")}
            found.append(path.format(**filled) + (period if path in needs_period else asked.get(path, "")))
    return found


def refusals_in(city: City) -> list[str]:
    """The ids of all refused entries, and of none."""
    with reading(city.gridtrail.database) as conn:
        return [*conn.scalars(sa.select(refusals.C.refusal_id)), ABSENT]


def widest_bundle(city: City, ledger: str) -> str:
    """The path of a bundle with every entry of a small ledger."""
    with reading(city.gridtrail.database) as conn:
        point = published(conn, ledger)
    return f"entries/000.p/{point.size}" if point else ""


@pytest.mark.parametrize("name", ACTORS)
def test_no_canary_ever_leaves_its_subtree(told: City, name: str):
    may_see = SEES.get(name, set())
    for path in everything_readable(told):
        answer = hand(told, name).get(path)
        assert answer.status_code < 500, (path, answer.data)
        if name in WITHOUT_TOKEN and path.startswith(("/v1/", "/log")) and path not in MAY_BE_PUBLIC:
            assert answer.status_code == 401, path
        for where, canary in CANARIES.items():
            assert where in may_see or canary.encode() not in answer.data, f"{name} read {canary} at {path}"


@pytest.mark.parametrize("name", ACTORS)
def test_every_case_is_200_inside_and_404_outside(told: City, name: str):
    for where, case in told.cases.items():
        status = hand(told, name).get(f"/v1/cases/{case}").status_code
        if name in WITHOUT_TOKEN:
            assert status == 401
        elif name in ("guan", "nobody"):
            assert status == 403
        else:
            assert status == (200 if where in SEES.get(name, set()) else 404), (name, where)


@pytest.mark.parametrize("name", ACTORS)
def test_every_action_is_refused_to_all_but_those_whose_case_it_is(told: City, name: str):
    """A body that fits is not needed: who may not act never gets as far as the body."""
    operations = told.client().get("/openapi.json").json["paths"].items()
    paths = [path for path, item in operations if path.startswith("/v1/cases/{case}/") and "post" in item]
    assert len(paths) >= 25
    for path in paths:
        for where, case in told.cases.items():
            answer = hand(told, name).post(path.format(case=case), {"nothing": "that fits"}, If_Match='"999"')
            expected = {401} if name in WITHOUT_TOKEN else {403} if name in ("guan", "sun", "nobody") else {403, 404, 409, 412, 422}
            assert answer.status_code in expected, (name, path, where, answer.data)
            assert CANARIES[where].encode() not in answer.data


@pytest.mark.parametrize("name", [*SEES, "feng"])
def test_acting_outside_the_own_subtree_looks_like_acting_on_nothing(told: City, name: str):
    for where, case in told.cases.items():
        if where in SEES.get(name, set()):
            continue
        hidden = hand(told, name).post(f"/v1/cases/{case}/acknowledge", {}, If_Match='"1"')
        absent = hand(told, name).post(f"/v1/cases/{ABSENT}/acknowledge", {}, If_Match='"1"')
        assert (hidden.status_code, hidden.data) == (absent.status_code, absent.data)
        assert hidden.status_code in (403, 404)


READERS_OF = {
    "/v1/tablets": {"zhao", "chen", "qian", "feng", "sun", "guan"},
    "/v1/people": {"zhao", "chen", "qian", "feng", "sun", "guan"},
    "/v1/areas": {"li", "wang", "bai", "zhao", "chen", "qian", "feng", "sun", "guan"},
    "/v1/cases": {"li", "wang", "bai", "zhao", "chen", "qian", "feng", "sun"},
    "/v1/visits": {"li", "wang", "bai", "zhao", "chen", "qian", "feng", "sun"},
    "/v1/visits/due": {"li", "wang", "bai", "zhao", "chen", "qian", "feng", "sun"},
    "/v1/refusals": {"li", "wang", "bai", "zhao", "chen", "qian", "feng", "sun"},
    "/v1/rulebooks": {"li", "wang", "bai", "zhao", "chen", "qian", "feng", "sun", "guan"},
    "/v1/accounts": {"guan"},
    "/v1/signing": {"sun", "guan"},
    "/v1/health": {"sun", "guan"},
    "/v1/ledgers": {"sun"},
    f"/v1/ledgers/{SUBDISTRICT_A}": {"sun"},
    "/v1/access-log": {"sun"},
    "/log": {"sun"},
    "/log/root/checkpoint": {"sun"},
}


@pytest.mark.parametrize("path", sorted(READERS_OF))
def test_a_list_is_open_to_its_roles_and_403_to_others(told: City, path: str):
    for name in ACTORS:
        expected = 401 if name in WITHOUT_TOKEN else 200 if name in READERS_OF[path] else 403
        assert hand(told, name).get(path).status_code == expected, name


@pytest.mark.parametrize("path", ["/v1/visits", "/v1/visits/due?due_by=2027-01-01", "/v1/refusals", "/v1/cases"])
def test_lists_hold_what_the_own_subtree_holds(told: City, path: str):
    for name in SEES:
        answer = hand(told, name).get(path)
        if path == "/v1/refusals":
            assert {item["area"] for item in answer.json["items"]} == SEES[name], name
            assert "canary" not in answer.text
        else:
            assert {where for where, canary in CANARIES.items() if canary in answer.text} == SEES[name], name


def test_a_revoked_tablet_reads_nothing(told: City):
    for path in ("/v1/sync/changes", "/v1/photos/" + "0" * 64):
        answer = told.client("revoked tablet").get(path)
        assert answer.status_code in (401, 403), path
        assert not any(canary.encode() in answer.data for canary in CANARIES.values())


def test_areas_and_people_end_where_the_own_subtree_ends(told: City):
    areas = {item["code"] for item in hand(told, "zhao").get("/v1/areas").json["items"]}
    assert areas == {COMMUNITY_A, GRID_A1, GRID_A2}
    units = {item["unit"] for item in hand(told, "chen").get("/v1/people").json["items"]}
    assert units == {SUBDISTRICT_A, COMMUNITY_A, GRID_A1, GRID_A2, FIRE}


def test_a_ledger_outside_an_auditors_subtree_looks_like_none(told: City):
    from service.scope import Actor, Grant, OutOfScope, authorise

    auditor = Actor("x", (Grant("auditor", SUBDISTRICT_A),))
    assert authorise(auditor, "ledger.read", area=SUBDISTRICT_A)
    with pytest.raises(OutOfScope):
        authorise(auditor, "ledger.read", area=CITY)


def test_a_token_that_ended_tells_nothing_of_why(told: City):
    answers = {told.client(name).get("/v1/me").data for name in ("expired", "revoked")}
    assert len(answers) == 1
    with pytest.raises(Problem):
        told.gridtrail.identity.visitor(str(UUID(int=0)))


def test_a_number_that_no_column_holds_is_refused_by_every_list(told: City):
    sun, trail = told.client("sun"), f"/v1/cases/{told.cases[GRID_A1]}/history"
    for number in (2**31, 2**52, 2**53, -1, -(2**52)):
        answer = sun.get(trail, cursor=write_cursor([number], {}))
        assert (answer.status_code, answer.json["code"]) == (400, "bad_cursor"), number
    for number in (2**53, -1):
        answer = sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/events", cursor=write_cursor([number], {"start": 0}))
        assert (answer.status_code, answer.json["code"]) == (400, "bad_cursor"), number
    for path in everything_readable(told):
        for name in ("start=", f"as_of={SUBDISTRICT_A}:", "limit="):
            for number in (2**31, 2**52, 2**53, 10**14):
                query = f"{path}{'&' if '?' in path else '?'}{name}{number}"
                assert sun.get(query).status_code < 500, query
    assert sun.get(trail, cursor=write_cursor([2**31 - 1], {})).json["items"] == []
    assert (
        sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/events", cursor=write_cursor([2**53 - 1], {"start": 0, "sort": "position"})).json["items"]
        == []
    )
