"""Every route has a policy, a schema and an entry in the document; the document holds nothing else."""

from service.routes.nouns import LOGGED_IN, PUBLIC
from service.scope import ACTIONS_BY_ROLE
from tests.web.city import City

MAY_BE_PUBLIC = {
    "/v1/sessions",
    "/health",
    "/health/live",
    "/health/ready",
    "/ready",
    "/metrics",
    "/openapi.json",
    "/log/keys",
    "/docs",
    "/docs/try.js",
    "/docs/try.css",
    "/",
    "/console/",
    "/console/<string(maxlength=64):name>",
    "/pages/<string(maxlength=64):name>",
    "/tablet/",
    "/texts/<string(maxlength=64):name>",
    "/v1/base-map",
    "/v1/case-rules",
    "/tablet/release.json",
    "/tablet/<string(maxlength=64):name>",
    "/vendor/<string(maxlength=64):name>",
    "/v1/tablets/enrolments",
}
ON_THE_TABLET = ("/v1/sync/", "/v1/photos/")
"""Routes that tablets use with their own token; their policies are tested with the sync."""


def documented(city: City) -> dict[str, dict]:
    return city.client().get("/openapi.json").json["paths"]


def rules(city: City) -> list:
    return [rule for rule in city.app.url_map.iter_rules() if not rule.rule.startswith(ON_THE_TABLET)]


def spec_path(rule: str) -> str:
    return "".join("{" + part.split(":")[-1] + "}" if at % 2 else part for at, part in enumerate(rule.replace(">", "<").split("<")))


def test_every_route_has_a_policy(city: City):
    for rule in rules(city):
        policy = getattr(city.app.view_functions[rule.endpoint], "policy", None)
        assert policy in (PUBLIC, LOGGED_IN) or policy in ACTIONS_BY_ROLE, f"{rule} has no policy"
        assert policy != PUBLIC or rule.rule in MAY_BE_PUBLIC, f"{rule} is public"


def test_every_route_is_documented_with_its_answers(city: City):
    paths = documented(city)
    for rule in rules(city):
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            operation = paths[spec_path(rule.rule)][method.lower()]
            statuses = set(operation["responses"])
            assert statuses & {"200", "201", "204"}, rule
            assert "default" not in statuses, f"{rule} documents its answers one by one"
            assert operation["summary"], f"{rule} says what it does"
            policy = city.app.view_functions[rule.endpoint].policy
            assert policy == PUBLIC or {"401", "403"} <= statuses, rule
            assert "security" in operation if policy == PUBLIC else "security" not in operation


def test_every_body_is_documented_with_a_schema(city: City):
    for path, item in documented(city).items():
        for method, operation in item.items():
            if method in ("post", "put") and "requestBody" in operation:
                for content in operation["requestBody"]["content"].values():
                    assert content["schema"], f"{method} {path}"


def test_the_document_is_openapi_3_1_and_names_no_host(city: City):
    answer = city.client().get("/openapi.json")
    assert answer.json["openapi"] == "3.1.0"
    assert "servers" not in answer.json
    assert b"http://" not in answer.data


def test_every_error_answer_is_documented_as_a_problem(city: City):
    document = city.client().get("/openapi.json").json
    for name, response in document["components"]["responses"].items():
        assert list(response.get("content", {"application/problem+json": None})) == ["application/problem+json"], name
