"""What becomes of a connection on which a body was refused for its size."""

import http.client
import os
import subprocess
from pathlib import Path

from bench.load import free_port
from service.cli.serve import gunicorn_command
from service.config import Config
from tests.web.test_operations import wait_for


def answer_to(port: int, length: int, body: bytes) -> tuple[int, str | None]:
    """Status and Connection of the answer to a login, of whose body perhaps only the length was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/v1/sessions")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(length))
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Connection"]


def test_the_connection_is_closed_where_a_body_was_too_large_to_be_read(sqlite_url: str, tmp_path: Path):
    environment = {
        **os.environ,
        "GRIDTRAIL_DATABASE_URL": sqlite_url,
        "GRIDTRAIL_SIGNING_KEY_FILE": str(tmp_path / "signing.key"),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
    }
    config = Config(port=free_port(), workers=1, threads=4)
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(gunicorn_command(config), env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(config.port)
            assert answer_to(config.port, 1_000_000, b"") == (413, "close")
            assert answer_to(config.port, 2, b"{}") == (422, "keep-alive")
        finally:
            server.terminate()
            server.wait(30)
