"""What surrounds every request, and what operators read: headers, access lines, health, metrics, the page to try."""

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from projections.tables import PROGRESS
from service import problems
from service.database import Busy, writing
from tests.web.city import SUBDISTRICT_B, City, build


def test_every_answer_carries_the_security_headers(city: City):
    for path in ("/v1/cases", "/health", "/docs", "/openapi.json", "/nothing/here"):
        headers = city.client("sun").get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Request-ID"]


def test_an_access_line_tells_who_and_what_and_no_token(city: City, capsys: pytest.CaptureFixture[str]):
    city.client("sun").get("/v1/cases", text="somebody")
    line = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"request"' in line][-1]
    assert (line["route"], line["status"], line["method"]) == ("/v1/cases", 200, "GET")
    assert line["person"]
    assert line["ms"] >= 0
    assert city.tokens["sun"] not in str(line)
    assert "somebody" not in str(line)


def test_a_request_id_is_passed_on_unless_it_could_forge_a_line(city: City):
    client = city.app.test_client()
    assert client.get("/health", headers={"X-Request-ID": "trace-0001"}).headers["X-Request-ID"] == "trace-0001"
    assert client.get("/health", headers={"X-Request-ID": 'x" "y'}).headers["X-Request-ID"] != 'x" "y'


def test_health_and_readiness_are_public_and_tell_what_stands_still(city: City):
    assert city.client().get("/health").json == {"status": "ok", "parked": []}
    assert city.client().get("/ready").json == {"status": "ready"}


def test_health_names_a_read_model_that_an_event_has_stopped_and_not_why(city: City):
    mine = (PROGRESS.c.ledger == SUBDISTRICT_B) & (PROGRESS.c.read_model == "visit_log")
    with writing(city.gridtrail.database) as conn:
        conn.execute(
            PROGRESS.update().where(mine).values(parked_position=3, parked_error="the secret is 42", parked_at="2026-11-20T01:00:00.000Z")
        )
    health = city.client().get("/health")
    assert health.json["status"] == "degraded"
    assert health.json["parked"] == [
        {"ledger": SUBDISTRICT_B, "read_model": "visit_log", "position": 3, "since": "2026-11-20T01:00:00.000Z"}
    ]
    assert "secret" not in health.text
    assert b'gridtrail_read_model_parked{ledger="411502002",read_model="visit_log"} 1.0' in city.app.test_client().get("/metrics").data
    with writing(city.gridtrail.database) as conn:
        conn.execute(PROGRESS.update().where(mine).values(parked_position=None, parked_error=None, parked_at=None))


def test_metrics_ask_for_the_token_where_one_is_set(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/metrics.db"
    guarded = build(url, tmp_path, metrics_token="a token for metrics")
    client = guarded.app.test_client()
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong\u00e9"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer a token for metrics"}).status_code == 200


def test_metrics_answer_this_machine_only(city: City):
    here = city.app.test_client().get("/metrics")
    assert here.status_code == 200
    assert b"gridtrail_read_model_behind_positions" in here.data
    assert b"gridtrail_requests_total" in here.data
    assert city.app.test_client().get("/metrics", headers={"X-Forwarded-For": "198.51.100.4"}).status_code == 404
    assert city.app.test_client().get("/metrics", environ_base={"REMOTE_ADDR": "198.51.100.4"}).status_code == 404


def test_the_try_page_has_no_inline_code_and_no_other_host(city: City):
    page = city.client().get("/docs").text
    assert re.findall(r"<script[^>]*>", page) == ['<script src="/docs/try.js" defer>']
    assert "style=" not in page
    assert " on" not in re.sub(r">[^<]*<", "><", page)
    for path in ("/docs", "/docs/try.js", "/docs/try.css"):
        assert "//" not in city.client().get(path).text.replace("// ", "").replace("/**/", "") or path == "/docs/try.js"
    assert "https:" not in city.client().get("/docs/try.js").text


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (Busy("busy"), "database_busy"),
        (sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full")), "storage_full"),
        (sa.exc.OperationalError("SELECT", {}, Exception("connection refused")), "database_unavailable"),
    ],
)
def test_a_database_that_cannot_serve_is_503_with_retry_after(city: City, monkeypatch: pytest.MonkeyPatch, wrong: Exception, code: str):
    def fails(*_: object, **__: object) -> None:
        raise wrong

    monkeypatch.setattr(city.gridtrail.identity, "visitor", fails)
    answer = city.client("sun").get("/v1/cases")
    assert (answer.status_code, answer.json["code"]) == (503, code)
    assert answer.headers["Retry-After"]
    assert "INSERT" not in answer.text


def test_what_nobody_foresaw_is_a_bare_500_with_the_requests_id(
    city: City, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret is 42")

    monkeypatch.setattr(city.gridtrail.identity, "visitor", fails)
    answer = city.client("sun").get("/v1/cases")
    assert answer.status_code == 500
    assert set(answer.json) == {"type", "title", "status", "code", "request_id"}
    logged = capsys.readouterr().out
    assert "the secret is 42" in logged
    assert answer.json["request_id"] in logged


def test_every_code_of_the_catalogue_is_a_known_status_and_a_sentence():
    for code, (status, title) in problems.CATALOGUE.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]+", code)
        assert 400 <= status < 504
        assert title[0].isupper()
