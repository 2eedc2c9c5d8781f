"""``python -m bench.connections``: what gunicorn's own worker and ours do with connections, under an application of five lines.

How long the next request takes where some clients did not close the connections that the service ended, and what a request of 26 kB that is
turned away costs in processor time, on a connection that is kept and on one of its own.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from bench.load import free_port
from bench.told import keep, show

WORKERS = ("gthread", "service.worker.Worker")
UNCLOSED, ASKED, REFUSED = 4, 5, 1500
BODY = b"x" * 26_000
ANSWER = b"come again"


def refuse(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application: turns everybody away, unread."""
    if environ["QUERY_STRING"] == "close":
        start_response.__self__.force_close()  # type: ignore[attr-defined]
    start_response("503 Service Unavailable", [("Content-Length", str(len(ANSWER)))])
    return [ANSWER]


def main() -> None:
    """Both workers, one after the other."""
    found = {name: measure(name) for name in WORKERS}
    for name, figures in found.items():
        show(name, figures)
    keep("connections", found)


def measure(worker: str) -> dict[str, float]:
    """Milliseconds of the slowest request beside clients that do not close; microseconds of processor time of a refusal."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "-k", worker, "--threads", "32", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*command, "--keep-alive", "15", "--log-level", "error", "bench.connections:refuse"], env=os.environ)
    try:
        serving = _child_of(server.pid, port)
        ask(_connected(port))
        found = {"ms_beside_nobody": _slowest(port)}
        unclosed = [_connected(port) for _ in range(UNCLOSED)]
        for each in unclosed:
            each.sendall(b"nonsense\r\n\r\n")
        time.sleep(0.1)
        found["ms_beside_unclosed"] = _slowest(port)
        found["cpu_us_refusal_kept"] = _cost(serving, port, closes=False)
        found["cpu_us_refusal_closed"] = _cost(serving, port, closes=True)
        return found
    finally:
        server.terminate()
        server.wait(30)


def _child_of(pid: int, port: int) -> psutil.Process:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        children = psutil.Process(pid).children()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            children = []
        if children:
            return children[0]
        time.sleep(0.1)
    raise RuntimeError("gunicorn did not start")


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def ask(line: socket.socket, query: str = "") -> None:
    """One request and its answer."""
    line.sendall(b"POST /?%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % (query.encode(), len(BODY)) + BODY)
    said = b""
    while not said.endswith(ANSWER):
        more = line.recv(65_536)
        if not more:
            raise RuntimeError("the connection was closed before the answer")
        said += more


def _slowest(port: int) -> float:
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        with _connected(port) as line:
            ask(line)
        took.append(time.perf_counter() - began)
    return max(took) * 1000


def _cost(serving: psutil.Process, port: int, *, closes: bool) -> float:
    line, before = _connected(port), sum(serving.cpu_times()[:2])
    for _ in range(REFUSED):
        ask(line, "close" if closes else "")
        if closes:
            line.close()
            line = _connected(port)
    line.close()
    return (sum(serving.cpu_times()[:2]) - before) / REFUSED * 1e6


if __name__ == "__main__":
    main()
