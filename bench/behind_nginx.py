"""``python -m bench.behind_nginx``: uploads while slow connections send a byte now and then, straight to the service and through nginx.

Starts a real nginx on loopback with the files of deploy/nginx, and real gunicorn processes behind it. Needs the program nginx.
"""

import argparse
import asyncio
import http.client
import http.server
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bench.fleet import ENTRIES, Tablet, make_fleet
from bench.load import free_port, serving
from bench.overload import Line, request_of
from bench.stores import environment_of, sqlite_store
from service.wiring import Gridtrail

FILES = Path(__file__).parent.parent / "deploy" / "nginx"
WHOLE = """
daemon off; pid nginx.pid; error_log error.log warn; worker_processes 1; {user}
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include http.conf;
    server {{ listen 127.0.0.1:{port}; access_log access.log gridtrail; include {locations}; }}
}}
"""


def main() -> None:
    """Prints one line for each way and number of slow connections."""
    options = _options()
    if shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") is None:
        raise SystemExit("This needs the program nginx.")
    check_headers()
    with sqlite_store() as store:
        config = store.config(port=free_port(), trusted_proxies=1, threads=options.threads)
        pieces = Gridtrail(config)
        pieces.upgrade()
        fleet = make_fleet(pieces, options.tablets, options.batches, 2)
        pieces.database.dispose()
        done = [0] * len(fleet)
        with serving(config, environment_of(config)), nginx(config.port) as front:
            _check(front)
            for way, port, slow in (
                ("direct", config.port, 0),
                ("nginx", front, 0),
                ("nginx", front, options.slow),
                ("direct", config.port, options.slow),
            ):
                found = asyncio.run(_measure(port, fleet, done, slow, options.seconds))
                print(json.dumps({"way": way, "slow_connections": slow, **found}), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--tablets", type=int, default=24)
    parser.add_argument("--batches", type=int, default=150)
    parser.add_argument("--threads", type=int, default=32)
    return parser.parse_args()


@contextmanager
def nginx(behind: int) -> Iterator[int]:
    """nginx in a folder of its own, before the service at a port; gives its own port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gridtrail-nginx-") as folder:
        (Path(folder) / "http.conf").write_text((FILES / "http.conf").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{behind}"))
        user = "user root;" if os.geteuid() == 0 else ""
        (Path(folder) / "nginx.conf").write_text(WHOLE.format(port=port, locations=FILES / "locations.conf", user=user))
        path = os.environ["PATH"] + ":/usr/sbin"
        process = subprocess.Popen(["nginx", "-p", folder, "-c", "nginx.conf"], env={**os.environ, "PATH": path}, stderr=subprocess.PIPE)
        try:
            _wait(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(10)
            warned = (Path(folder) / "error.log").read_text()
            if warned:
                print(warned[-2000:])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            assert process.stderr
            raise SystemExit(process.stderr.read().decode())
        try:
            ask(port, "GET", "/health/live")
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("nginx does not answer")


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, answer.headers, said


def _check(port: int) -> None:
    """What the proxy must do beside passing on."""
    assert ask(port, "GET", "/health/live")[0] == 200
    assert ask(port, "GET", "/metrics")[0] == 404
    assert ask(port, "GET", "/health/ready")[0] == 404
    status, headers, body = ask(port, "POST", "/v1/sync/batches", b"x" * 4_300_000)
    assert (status, headers["Content-Type"], orjson.loads(body)["code"]) == (413, "application/problem+json", "too_large")
    status, headers, body = ask(port, "GET", "/v1/cases", X_Request_ID="mine-mine-mine")
    assert (status, headers["X-Request-ID"] != "mine-mine-mine") == (401, True)


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it was sent."""

    def do_GET(self) -> None:
        body = orjson.dumps({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def check_headers() -> None:
    """What a client says about its own address does not get past nginx."""
    echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    claimed = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7", "X-Real-IP": "198.51.100.7", "X-Forwarded-Host": "evil"}
    with nginx(echo.server_port) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/", headers={**claimed, "X-Forwarded-Proto": "https", "X-Request-ID": "mine-mine-mine"})
        seen = orjson.loads(connection.getresponse().read())
    echo.shutdown()
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert not {"forwarded", "x-real-ip", "x-forwarded-host"} & seen.keys()
    assert seen["x-request-id"] != "mine-mine-mine"


async def _measure(port: int, fleet: list[Tablet], done: list[int], slow: int, seconds: float) -> dict[str, Any]:
    stop = asyncio.Event()
    dribbling = [asyncio.create_task(_dribble(port, number, stop)) for number in range(slow)]
    await asyncio.sleep(3 if slow else 0)
    latencies: list[float] = []
    answers: dict[str, int] = {}
    until = time.perf_counter() + seconds

    async def uploads(number: int) -> None:
        line = Line(port)
        while time.perf_counter() < until and done[number] < len(fleet[number].bodies):
            began = time.perf_counter()
            try:
                status, _ = await asyncio.wait_for(line.ask(request_of(fleet[number].token, fleet[number].bodies[done[number]])), 5)
            except TimeoutError:
                status = "no answer in 5 s"
                line.close()
            answers[status] = answers.get(status, 0) + 1
            latencies.append(time.perf_counter() - began)
            done[number] += status == "200"
            # Below the limit of nginx for one caller.
            await asyncio.sleep(0.12)
        line.close()

    await asyncio.gather(*(uploads(number) for number in range(len(fleet))))
    stop.set()
    await asyncio.gather(*dribbling, return_exceptions=True)
    parts = statistics.quantiles(latencies, n=100)
    return {
        "entries_per_s": round(answers.get("200", 0) * ENTRIES / seconds),
        "p50_ms": round(parts[49] * 1000, 1),
        "p99_ms": round(parts[98] * 1000, 1),
        "answers": answers,
    }


async def _dribble(port: int, number: int, stop: asyncio.Event) -> None:
    """A connection that promises 20,000 bytes and sends one each half second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/sync/batches HTTP/1.1\r\nHost: slow\r\nAuthorization: Bearer slow {number}\r\nContent-Type: application/x-ndjson\r\n"
    writer.write(head.encode() + b"Content-Length: 20000\r\n\r\n")
    while not stop.is_set() and not reader.at_eof():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.5)
    writer.close()


if __name__ == "__main__":
    main()
