"""Runs a fleet: every tablet records its steps into its own outbox and uploads round by round with the reference client.

A run can be stopped at any point and started again with the same plan and folder: what an outbox holds is not recorded again, and what
the service has is not sent again.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from tqdm import tqdm

from service.fleet.plan import Member, Round, Step
from service.logs import write_from
from service.tablet_client import Answer, Http, Refused, Tablet, Transport
from service.wiring import Gridtrail, make_app

UPLOADS = "/v1/sync/batches"


@dataclass
class Tally:
    """What became of a fleet's work: outcomes by name, refusals by code, what was refused in which step, and how long uploads took."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[Step, dict[str, Any]]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, step: Step, outcome: dict[str, Any]) -> None:
        """Counts one entry. A duplicate counts as what it was first."""
        first = outcome.get("first_outcome") or outcome["outcome"]
        self.outcomes[first] += 1
        if first == "refused":
            self.codes[outcome.get("code", "")] += 1
            self.refused.append((step, outcome))


class ForeignOutbox(Exception):
    """The outboxes in a folder are of tablets that this service does not know."""


class InProcess:
    """Requests that go to an application in this process, through its whole HTTP layer. Only warnings are logged: it is no service."""

    def __init__(self, pieces: Gridtrail) -> None:
        self.app = make_app(pieces)
        write_from("warning")

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One request."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self.app.test_client().open(path, method=method, headers=headers, data=body)
        return Answer(answer.status_code, dict(answer.headers), answer.data)


class Timed:
    """Takes the time of every upload that passes through a transport; one connection pool for each thread."""

    def __init__(self, make: Callable[[], Transport], latencies: list[float]) -> None:
        self.make, self.latencies, self.local = make, latencies, threading.local()

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One request."""
        transport = getattr(self.local, "transport", None)
        if transport is None:
            transport = self.local.transport = self.make()
        began = time.perf_counter()
        answer: Answer = transport.send(method, url, headers, body)
        if url.endswith(UPLOADS):
            self.latencies.append(time.perf_counter() - began)
        return answer


def wall_clock() -> datetime:
    """The machine's time: what a real tablet's clock would show now."""
    return datetime.now(UTC)


class Fleet:
    """Tablets with their outboxes in one folder, uploading to one address."""

    def __init__(
        self,
        folder: Path,
        url: str,
        transport: Callable[[], Transport] = Http,
        *,
        threads: int = 4,
        wall: Callable[[], datetime] = wall_clock,
        before_round: Callable[[Round], None] = lambda _: None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.url, self.threads, self.wall, self.before_round = folder, url, threads, wall, before_round
        self.tally = Tally()
        self.transport = Timed(transport, self.tally.latencies)
        self._told: Counter[str] = Counter()

    def enrol(self, cast: Iterable[Member], code_for: Callable[[Member], str]) -> int:
        """Enrols the tablets that are not enrolled yet; gives how many that were.

        A tablet that is enrolled asks whether this service knows it: an outbox of another database would count its work as done.
        """
        made = 0
        for member in tqdm([each for each in cast if each.tablet], desc="enrol", unit="tablet", disable=None, leave=False):
            if not self._is_enrolled(member.key):
                options = {"transport": self.transport, "wall": self.wall}
                Tablet.enrol(self.url, code_for(member), str(self._path(member.key)), label=member.key, **options).outbox.close()
                made += 1
        return made

    def _is_enrolled(self, key: str) -> bool:
        """Whether the tablet is enrolled here. What a stopped run left in its outbox is uploaded: it was the round's turn already."""
        tablet = self._tablet(key)
        try:
            if tablet.outbox.fact("token") is None:
                return False
            tablet.sync()
            return True
        except Refused as no:
            if no.status != 401:
                raise
            raise ForeignOutbox(f"The tablets in {self.folder} belong to another database than {self.url}; name another folder.") from no
        finally:
            tablet.outbox.close()

    def run(self, rounds: Sequence[Round]) -> Tally:
        """Uploads round after round; inside a round the tablets upload side by side."""
        began = time.perf_counter()
        total = sum(len(steps) for each in rounds for steps in each.steps.values())
        with ThreadPoolExecutor(self.threads) as pool, tqdm(total=total, desc="upload", unit="entry", disable=None, leave=False) as bar:
            for each in rounds:
                self.before_round(each)
                work = [(key, steps, self._told[key]) for key, steps in each.steps.items()]
                for key, steps, outcomes in pool.map(self._upload, work):
                    self._told[key] += len(steps)
                    for step, outcome in zip(steps, outcomes, strict=True):
                        self.tally.add(step, outcome)
                    bar.update(len(steps))
        self.tally.seconds = time.perf_counter() - began
        return self.tally

    def _upload(self, work: tuple[str, list[Step], int]) -> tuple[str, list[Step], list[dict[str, Any]]]:
        """Records what the outbox does not hold yet, uploads, and gives the outcome of each step. first: the number of the first step."""
        key, steps, first = work
        tablet = self._tablet(key)
        try:
            for step in steps[max(0, tablet.outbox.size - first) :]:
                tablet.record(step.kind, step.stream, step.area, step.data, step.at, personal=step.personal)
            if tablet.waiting():
                tablet.sync()
            return key, steps, _outcomes(tablet, first, len(steps))
        finally:
            tablet.outbox.close()

    def _tablet(self, key: str) -> Tablet:
        """The tablet of a key, opened in this thread. Its monotonic clock runs with its wall clock: one boot that never ends."""
        options: dict[str, Any] = {"transport": self.transport, "wall": self.wall, "mono": lambda: self.wall().timestamp()}
        tablet = Tablet(str(self._path(key)), boot=f"fleet-{key}"[:36], **options)
        # A played tablet has to outlive its process, not a power cut: a flush for each of many thousand entries takes most of the time.
        tablet.outbox.db.execute("PRAGMA synchronous=NORMAL")
        return tablet

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.outbox"


def _outcomes(tablet: Tablet, first: int, count: int) -> list[dict[str, Any]]:
    query = "SELECT outcome FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
    return [orjson.loads(told) for (told,) in tablet.outbox.db.execute(query, (first, first + count))]


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds; nothing where nothing was measured."""
    if not latencies:
        return {}
    ranked = sorted(latencies)
    return {f"p{part}": ranked[min(len(ranked) - 1, len(ranked) * part // 100)] * 1000 for part in (50, 95, 99)}


def summary_of(tally: Tally) -> str:
    """The run in two lines for the eye."""
    entries = sum(tally.outcomes.values())
    rate = entries / tally.seconds if tally.seconds else 0.0
    shown = ", ".join(f"{outcome} {count}" for outcome, count in sorted(tally.outcomes.items())) or "nothing"
    times = ", ".join(f"{name} {value:.0f} ms" for name, value in percentiles(tally.latencies).items()) or "none"
    return f"{entries} entries in {tally.seconds:.1f} s, {rate:.0f} a second: {shown}.\n{len(tally.latencies)} uploads, latency: {times}."
