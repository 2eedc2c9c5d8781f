"""Requests made from the document itself: no 5xx, and no answer that the document does not name."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from service.config import Config
from service.wiring import Gridtrail, make_app
from tests.examples import examples
from tests.web.city import GRID_A1, SUBDISTRICT_A, City, person_id

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/x-ndjson")
def as_lines(_: Any, value: Any) -> bytes:
    """A batch as the document describes it is only text."""
    return str(value).encode("utf-8", "replace")


NAMES = ("chen", "sun", "li", "guan", "zhao")

bounded = settings(
    max_examples=examples(6),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def operations() -> list[tuple[str, str]]:
    """Every operation of the document. The app is only asked for it, so no database is opened."""
    paths = make_app(Gridtrail(Config(database_url="sqlite://"))).test_client().get("/openapi.json").json["paths"]
    return [(path, method) for path, item in paths.items() for method in item if method != "parameters"]


@pytest.fixture(scope="module")
def document(city: City) -> Any:
    city.gridtrail.publisher.turn()
    return schemathesis.openapi.from_wsgi("/openapi.json", city.app)


@pytest.mark.parametrize(("path", "method"), operations(), ids=lambda part: part)
def test_every_answer_is_documented(document: Any, city: City, path: str, method: str):
    turns = iter(range(1_000_000))
    statuses = set()

    @bounded
    @given(case=document[path][method].as_strategy())
    def answers(case: Any) -> None:
        turn = next(turns)
        city.catch_up()
        if turn % 4:
            point_at_what_exists(case, city)
        case.headers.pop("Authorization", None)
        # A token of its own each time, since some operations end the token that asks.
        token = city.gridtrail.identity.make_token(person_id(NAMES[turn % len(NAMES)]), "fuzz").token
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
        statuses.add(answer.status_code)

    answers()
    assert statuses
    assert statuses != {401} or path.startswith(("/v1/sync", "/v1/sessions"))


def point_at_what_exists(case: Any, city: City) -> None:
    """A random id is only ever absent, so most requests name a case and a ledger that are there."""
    if "case" in case.path_parameters:
        case.path_parameters["case"] = city.cases[GRID_A1]
    if "ledger" in case.path_parameters:
        case.path_parameters["ledger"] = SUBDISTRICT_A
    if "log" in case.path_parameters:
        case.path_parameters["log"] = SUBDISTRICT_A
    if "tile" in case.path_parameters:
        case.path_parameters["tile"] = "entries/000.p/1"
