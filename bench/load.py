"""The web server under load: gunicorn as a child process, and client processes that send sealed batches."""

import http.client
import multiprocessing
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.fleet import Tablet
from service.cli.serve import gunicorn_command
from service.config import Config

START_S = 60.0


@dataclass
class Sent:
    """What one client process sent: entries that were recorded, the latency of each batch, and what went wrong."""

    recorded: int
    latencies: list[float]
    wrong: list[str]


@contextmanager
def serving(config: Config, environment: dict[str, str], app: str = "wsgi:app") -> Iterator[int]:
    """Runs the web server until the block ends; gives its process id. app: the application, as gunicorn names it."""
    process = subprocess.Popen(
        [*gunicorn_command(config), app],
        env={**os.environ, **environment},
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(config, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers(config: Config, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the web server ended with {process.returncode}")
        try:
            connection = http.client.HTTPConnection(config.host, config.port, timeout=5)
            connection.request("GET", "/health")
            connection.getresponse()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web server does not answer")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send_all(config: Config, tablets: Sequence[Tablet], batches: slice, processes: int, threads: int) -> tuple[float, Sent]:
    """Sends a slice of every tablet's batches from several processes; gives the seconds that it took, and what was sent.

    The clock runs from the moment when every client stands ready to the moment when the last one is done.
    """
    context = multiprocessing.get_context("spawn")
    shares = [[(tablet.token, tablet.bodies[batches]) for tablet in tablets[number::processes]] for number in range(processes)]
    ready, results = context.Barrier(processes + 1), context.Queue()
    clients = [
        context.Process(target=_client, args=(config.host, config.port, share, threads, ready, results)) for share in shares if share
    ]
    for client in clients:
        client.start()
    ready.wait(START_S)
    began = time.perf_counter()
    parts = [results.get() for _ in clients]
    took = time.perf_counter() - began
    for client in clients:
        client.join()
    return took, Sent(
        sum(part.recorded for part in parts),
        [each for part in parts for each in part.latencies],
        [each for part in parts for each in part.wrong],
    )


def _client(host: str, port: int, share: list[tuple[str, list[bytes]]], threads: int, ready: Any, results: Any) -> None:
    sent = Sent(0, [], [])
    ready.wait(START_S)
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(lambda number: _send(host, port, share[number::threads]), range(threads)):
            sent.recorded += part.recorded
            sent.latencies += part.latencies
            sent.wrong += part.wrong
    results.put(sent)


def _send(host: str, port: int, share: list[tuple[str, list[bytes]]]) -> Sent:
    sent = Sent(0, [], [])
    connection = http.client.HTTPConnection(host, port, timeout=60)
    for number in range(max((len(bodies) for _, bodies in share), default=0)):
        for token, bodies in share:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
            began = time.perf_counter()
            connection.request("POST", "/v1/sync/batches", bodies[number], headers)
            answer = connection.getresponse()
            said = answer.read()
            sent.latencies.append(time.perf_counter() - began)
            if answer.status == 200:
                sent.recorded += sum(each["outcome"] == "recorded" for each in orjson.loads(said)["outcomes"])
            else:
                sent.wrong.append(f"{answer.status} {said[:200]!r}")
    return sent
