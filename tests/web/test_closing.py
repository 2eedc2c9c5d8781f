"""What becomes of a connection that is ended, above all where a body was refused for its size."""

import http.client
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn

from bench.load import free_port
from service import deadlines, worker
from service.cli.serve import gunicorn_command
from service.config import Config
from service.worker import end
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


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port of a real server, and the file of its log."""
    environment = {
        **os.environ,
        "GRIDTRAIL_DATABASE_URL": sqlite_url,
        "GRIDTRAIL_SIGNING_KEY_FILE": str(tmp_path / "signing.key"),
        "GRIDTRAIL_WATERMARK_FILE": str(tmp_path / "signed.journal"),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
    }
    config, written = Config(port=free_port(), workers=1, threads=4), tmp_path / "log"
    with written.open("wb") as log:
        server = subprocess.Popen(gunicorn_command(config), env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(config.port)
            yield config.port, written
        finally:
            server.terminate()
            server.wait(30)


def test_the_connection_is_closed_where_a_body_was_too_large_to_be_read(served: tuple[int, Path]):
    port, _ = served
    assert answer_to(port, 1_000_000, b"") == (413, "close")
    assert answer_to(port, 2, b"{}") == (422, "keep-alive")


CHUNKED = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "no size": b"zzqq\r\n",
    "no end of a chunk": b"2\r\n{}zzqq\r\n",
    "a bad extension": b"2;zzqq=\x00\r\n{}\r\n0\r\n\r\n",
    "a bad trailer": b"2\r\n{}\r\n0\r\nzzqq\r\n\r\n",
}


def test_a_body_of_malformed_chunks_is_a_request_that_cannot_be_read(served: tuple[int, Path]):
    port, written = served
    for sent in MALFORMED.values():
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(CHUNKED + sent + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = connection.makefile("rb").read()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close" in head
        assert json.loads(body)["code"] == "bad_request"
        # What follows is no next request: where this one ends, nobody knows.
        assert answer.count(b"HTTP/1.1") == 1
        assert b"zzqq" not in answer
    assert "Traceback" not in written.read_text()
    assert "unforeseen" not in written.read_text()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the service's and the other side's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        other = socket.create_connection(listener.getsockname(), timeout=30)
        ours, _ = listener.accept()
    with ours, other:
        ours.settimeout(30)
        yield ours, other


def test_whoever_does_not_close_leaves_nothing_to_wait_for(ends: tuple[socket.socket, socket.socket]) -> None:
    """gunicorn waits for the end of what comes in, in the thread that accepts all others."""
    ours, other = ends
    ours.sendall(b"the answer")
    end(SimpleNamespace(sock=ours, parser=None))
    assert ours.recv(1) == b""
    assert other.makefile("rb").read() == b"the answer"


def test_whoever_still_sends_is_read_on_and_keeps_the_answer(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LINGER_S", 30)
    ours, other = ends
    body = os.urandom(50_000)
    other.sendall(b"POST /v1/sync/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + body[:100])
    parser = RequestParser(GunicornConfig(), ours, ("127.0.0.1", 1))
    next(parser)
    ours.sendall(b"the answer")
    threading.Timer(0.05, other.sendall, (body[100:],)).start()
    end(SimpleNamespace(sock=ours, parser=parser))
    assert parser.mesg.body.read(1) == b""
    ours.close()
    assert other.makefile("rb").read() == b"the answer"


@pytest.mark.parametrize("sent", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_whoever_never_ends_the_head_of_a_request_keeps_no_thread(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(worker, "HEAD_S", 0.05)
    monkeypatch.setattr(deadlines, "LOOK_S", 0.02)
    ours, other = ends
    other.sendall(sent)
    settings = GunicornConfig()
    threads = worker.Worker(0, os.getpid(), [], None, 30, settings, SimpleNamespace(debug=lambda *_: None))
    assert threads.handle(TConn(settings, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))) is False
    assert other.recv(1) == b""


def test_a_request_whose_head_is_there_has_other_deadlines(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    ours, other = ends
    other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    settings = GunicornConfig()
    threads = worker.Worker(0, os.getpid(), [], None, 30, settings, SimpleNamespace(debug=lambda *_: None))
    monkeypatch.setattr(worker.ThreadWorker, "handle_request", lambda *_: seen.append(len(threads.heads.open)))
    threads.handle(TConn(settings, ours, ("127.0.0.1", 1), ("127.0.0.1", 2)))
    assert seen == [0]


def test_whoever_sends_malformed_chunks_leaves_nothing_to_wait_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, other = ends
    other.sendall(CHUNKED + b"zz\r\n")
    parser = RequestParser(GunicornConfig(), ours, ("127.0.0.1", 1))
    next(parser)
    end(SimpleNamespace(sock=ours, parser=parser))
    assert ours.recv(1) == b""
