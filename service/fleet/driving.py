"""Drives sealed tablets from several processes at the rate that the service takes them. Read by ``simulate`` and the bench.

A tablet does what the reference client does: one upload at a time, again after what passes by itself, with growing random pauses and
never sooner than asked. Its receipts go to a file as they came; what they say is looked at afterwards, by ``checking``.
"""

import http.client
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from service.fleet.sealed import Sealed, read_sealed, write_frame
from service.tablet_client import AGAIN, ATTEMPTS, FIRST_PAUSE_S, LONGEST_PAUSE_S

BATCHES, DISCLOSURES = ("POST", "/v1/sync/batches", "application/x-ndjson"), ("PUT", "/v1/sync/disclosures", "application/json")
"""How the two kinds of bodies are sent: method, path, media type."""
Request = tuple[str, str, str]
START_S = 120.0
LOOK_S = 0.2
MOST_WRONG = 20


@dataclass
class Driven:
    """What a fleet's uploads came to: seconds of each that was answered, repeated tries, batches that failed for good.

    starting: seconds until the processes stood ready, which are not among the seconds.
    """

    seconds: float = 0.0
    starting: float = 0.0
    latencies: list[float] = field(default_factory=list)
    retries: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Driven") -> None:
        """Adds another process's share."""
        self.latencies += other.latencies
        self.retries += other.retries
        self.wrong += other.wrong


def receipts_of(path: Path) -> Path:
    """Where the receipts for a file of sealed tablets are kept."""
    return path.with_suffix(".receipts")


def drive(url: str, files: Sequence[Path], threads: int, entries: int) -> Driven:
    """Sends every file from a process of its own. The clock runs from when all stand ready until the last is done.

    entries: how many there are, for the progress bar.
    """
    context = multiprocessing.get_context("spawn")
    ready, results, sent = context.Barrier(len(files) + 1), context.Queue(), [context.Value("q", 0) for _ in files]
    processes = [
        context.Process(target=_process, args=(url, path, threads, ready, results, count), daemon=True)
        for path, count in zip(files, sent, strict=True)
    ]
    called = time.perf_counter()
    for process in processes:
        process.start()
    ready.wait(START_S)
    began = time.perf_counter()
    whole = Driven(starting=began - called)
    with tqdm(total=entries, desc="upload", unit="entry", disable=None, leave=False) as bar:
        for part in _parts(processes, results, lambda: bar.update(sum(count.value for count in sent) - bar.n)):
            whole.add(part)
    whole.seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return whole


def _parts(processes: Sequence[Any], results: Any, look: Any) -> Iterator[Driven]:
    """Each process's share as it ends. RuntimeError where one died."""
    left = len(processes)
    while left:
        look()
        with suppress(Empty):
            yield results.get(timeout=LOOK_S)
            left -= 1
            continue
        if any(process.exitcode for process in processes):
            raise RuntimeError("a process of the fleet died; what it had sent is recorded, run the check")


def _process(url: str, path: Path, threads: int, ready: Any, results: Any, sent: Any) -> None:
    tablets, lock = read_sealed(path), threading.Lock()
    with receipts_of(path).open("wb") as kept, ThreadPoolExecutor(threads) as pool:
        senders = [_Sender(url, lock, tablets, kept, sent) for _ in range(threads)]
        ready.wait(START_S)
        for sender in pool.map(_Sender.run, senders):
            senders[0].driven.add(sender.driven) if sender is not senders[0] else None
    results.put(senders[0].driven)


class _Sender:
    """One thread with one connection, which takes the next tablet as soon as it is done with the last."""

    def __init__(self, url: str, lock: threading.Lock, tablets: Iterator[Sealed], kept: Any, sent: Any) -> None:
        self.parts = urlsplit(url)
        self.prefix = self.parts.path.rstrip("/")
        self.lock, self.tablets, self.kept, self.sent = lock, tablets, kept, sent
        self.driven = Driven()
        self.connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        make = http.client.HTTPSConnection if self.parts.scheme == "https" else http.client.HTTPConnection
        return make(self.parts.hostname or "", self.parts.port, timeout=90)

    def run(self) -> "_Sender":
        """Sends tablets until there are none left."""
        while True:
            with self.lock:
                tablet = next(self.tablets, None)
            if tablet is None:
                self.connection.close()
                return self
            if tablet.disclosures:
                self._deliver(tablet, DISCLOSURES, tablet.disclosures)
            for body in tablet.bodies:
                if not self._deliver(tablet, BATCHES, body):
                    # What follows a batch that failed for good would only be a gap.
                    break

    def _deliver(self, tablet: Sealed, request: Request, body: bytes) -> bool:
        """Sends a body until it is answered; False where it failed for good. Receipts of batches are kept."""
        for attempt in range(ATTEMPTS):
            began = time.perf_counter()
            status, said, wait = self._send(tablet.token, request, body)
            if status == 200:
                if request is BATCHES:
                    took = time.perf_counter() - began
                    with self.lock:
                        write_frame(self.kept, said)
                        self.sent.value += body.count(b"\n") - 1
                    self.driven.latencies.append(took)
                return True
            if status and status not in AGAIN:
                break
            self.driven.retries[str(status or "no answer")] += 1
            time.sleep(wait + random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)))
        if len(self.driven.wrong) < MOST_WRONG:
            self.driven.wrong.append(f"tablet {tablet.tablet}: {status or 'no answer'} {said[:200]!r}")
        return False

    def _send(self, token: str, request: Request, body: bytes) -> tuple[int, bytes, float]:
        """Status (0 where no answer came), body, and the seconds that the service asks to wait."""
        method, path, media_type = request
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
        try:
            self.connection.request(method, self.prefix + path, body, headers)
            answer = self.connection.getresponse()
            said, wait = answer.read(), answer.headers.get("Retry-After", "")
        except (OSError, http.client.HTTPException) as lost:
            self.connection.close()
            self.connection = self._connect()
            return 0, str(lost).encode(), 0.0
        return answer.status, said, min(float(wait), 600.0) if wait.isascii() and wait.isdigit() else 0.0
