"""What surrounds every request, and what operators read: headers, access lines, health, metrics, the page to try."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import sqlalchemy as sa

from bench.load import free_port
from projections import READ_MODELS
from projections.tables import PROGRESS
from service import problems
from service.audit.journal import Journal
from service.cli.serve import gunicorn_command
from service.config import Config
from service.database import Busy, reading, writing
from service.lag import lags
from service.ledger.keys import new_key
from service.wiring import Gridtrail, make_app
from tests.web.city import CITY, SUBDISTRICT_B, City, build


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


def test_liveness_asks_nothing_and_readiness_tells_how_far_the_lists_are(city: City):
    city.catch_up()
    assert city.client().get("/health/live").json == {"status": "ok"}
    ready = city.client().get("/health/ready").json
    assert (ready["status"], ready["behind_positions"], ready["behind_seconds"], ready["parked"]) == ("ready", 0, 0.0, [])
    assert ready["migration"]


def test_a_database_that_was_not_upgraded_is_not_ready(tmp_path: Path):
    empty = make_app(Gridtrail(Config(database_url=f"sqlite:///{tmp_path}/empty.db"))).test_client()
    for path in ("/health/ready", "/ready"):
        answer = empty.get(path)
        assert (answer.status_code, answer.json["code"]) == (503, "not_upgraded")
        assert "gridtrail db upgrade" in answer.json["detail"]
    assert empty.get("/health/live").status_code == 200


def test_lists_that_are_too_old_degrade_readiness_and_refuse_nobody(tmp_path: Path):
    late = build(f"sqlite:///{tmp_path}/late.db", tmp_path, ready_lag_s=30)
    late.gridtrail.inspection.register_person(late.root, CITY, UUID(int=7))
    for model in ("people", "areas"):
        with writing(late.gridtrail.database) as conn:
            conn.execute(PROGRESS.update().where(PROGRESS.c.ledger == CITY, PROGRESS.c.read_model == model).values(position=0))
    late.clock.forward(minutes=2)
    ready = late.client().get("/health/ready")
    assert (ready.status_code, ready.json["status"]) == (200, "degraded")
    assert ready.json["behind_positions"] > 0
    assert ready.json["behind_seconds"] >= 120
    assert late.client("sun").get("/v1/cases").status_code == 200


def test_lags_told_in_one_statement_are_those_that_the_engine_tells(city: City):
    city.catch_up()
    with writing(city.gridtrail.database) as conn:
        conn.execute(PROGRESS.update().where(PROGRESS.c.ledger == SUBDISTRICT_B, PROGRESS.c.read_model == "workload").values(position=2))
        conn.execute(PROGRESS.delete().where(PROGRESS.c.ledger == SUBDISTRICT_B, PROGRESS.c.read_model == "summaries"))
    with reading(city.gridtrail.database) as conn:
        found = {(each.ledger, each.read_model): (each.positions, each.seconds) for each in lags(conn, READ_MODELS, city.clock())}
    told = {(each.ledger, each.read_model): (each.behind, each.seconds_behind) for each in city.gridtrail.follower.status()}
    assert found == told
    assert found[SUBDISTRICT_B, "workload"][0] > 0
    with writing(city.gridtrail.database) as conn:
        conn.execute(PROGRESS.update().where(PROGRESS.c.ledger == SUBDISTRICT_B).values(position=0))
        for model in READ_MODELS:
            conn.exec_driver_sql(f"DELETE FROM {READ_MODELS[model].TABLE.name} WHERE ledger = '{SUBDISTRICT_B}'")
    city.catch_up()


def test_counts_outlive_a_database_that_is_away(city: City, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object, **__: object) -> None:
        raise Busy("away")

    monkeypatch.setattr("service.routes.metrics.lags", fails)
    scraped = city.app.test_client().get("/metrics").data
    assert b"gridtrail_database_up 0.0" in scraped
    assert b"gridtrail_requests_total" in scraped


def test_uploads_are_counted_by_what_became_of_their_entries(city: City):
    scraped = city.app.test_client().get("/metrics").text
    counts = dict(re.findall(r'gridtrail_upload_entries_total\{outcome="(\w+)"\} ([\d.]+)', scraped))
    assert float(counts["recorded"]) >= 12
    assert float(counts["refused"]) >= 3
    assert "gridtrail_upload_batch_seconds_count" in scraped


def test_what_is_below_the_level_is_not_written(tmp_path: Path):
    code = (
        "from service.config import Config; from service.logs import configure_logging; import structlog\n"
        "configure_logging(Config(log_level='warning', log_format='{form}'))\n"
        "log = structlog.get_logger(); log.info('silent', a=1); log.warning('loud', a=1)"
    )
    for form in ("json", "text"):
        said = subprocess.run([sys.executable, "-c", code.replace("{form}", form)], capture_output=True, text=True, check=True).stdout
        assert "loud" in said
        assert "silent" not in said
        assert (json.loads(said)["level"] == "warning") if form == "json" else "[warning" in said


@pytest.mark.slow
def test_two_gunicorn_processes_are_counted_together_and_lose_no_count_when_they_end(sqlite_url: str, tmp_path: Path):
    (tmp_path / "counts").mkdir()
    environment = {
        **os.environ,
        "GRIDTRAIL_DATABASE_URL": sqlite_url,
        "GRIDTRAIL_SIGNING_KEY_FILE": str(tmp_path / "signing.key"),
        "GRIDTRAIL_WATERMARK_FILE": str(tmp_path / "signed.journal"),
        "GRIDTRAIL_LOG_FORMAT": "json",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
    }
    config = Config(port=free_port(), workers=2, threads=4)
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen(gunicorn_command(config), env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(config.port)
        for _ in range(20):
            assert fetch(config.port, "/health/live")[0] == 200
        assert fetch(config.port, "/nothing/here")[0] == 404
        workers = psutil.Process(server.pid).children()
        assert len(workers) == 2
        before = counted(config.port)
        assert before >= 20
        workers[0].terminate()
        until = time.monotonic() + 20
        while time.monotonic() < until and not (tmp_path / "counts" / "counter_retired.db").exists():
            time.sleep(0.1)
        wait_for(config.port)
        assert counted(config.port) >= before
        scraped = fetch(config.port, "/metrics")[1]
        assert 'route="none",status="404"} 1.0' in scraped
        assert re.search(r"gridtrail_pool_connections_limit [24]0\.0", scraped)
    finally:
        server.terminate()
        server.wait(30)
        log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines
    assert all(json.loads(line)["event"] for line in lines)


def test_a_server_whose_signing_key_cannot_be_used_does_not_start_and_says_why(sqlite_url: str, tmp_path: Path):
    key, journal = tmp_path / "signing.key", tmp_path / "signed.journal"
    environment = {
        **os.environ,
        "GRIDTRAIL_DATABASE_URL": sqlite_url,
        "GRIDTRAIL_SIGNING_KEY_FILE": str(key),
        "GRIDTRAIL_WATERMARK_FILE": str(journal),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
    }
    command = gunicorn_command(Config(port=free_port(), workers=1, threads=4))

    def said() -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode
        return done.stderr

    new_key(key)
    key.chmod(0o640)
    assert f"Error: {key} can be read by others; run: chmod 600 {key}" in said()
    key.unlink()
    Journal(journal).record([(b"gridtrail.example/ledger/411502001/0011223344556677", 1, bytes(32))])
    assert f"Error: The signing key {key} is missing, and this deployment has signed before." in said()
    assert not key.exists()


def fetch(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if fetch(port, "/health/live")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


def counted(port: int) -> float:
    return sum(
        map(float, re.findall(r'requests_total\{method="GET",route="/health/live",status="200"\} ([\d.]+)', fetch(port, "/metrics")[1]))
    )
