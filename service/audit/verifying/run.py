"""The whole verification: gathering, the walks over the ledgers in several processes, what is judged over all. Read by the CLI."""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from projections.recorded import Recorded, read_line
from projections.turn import without_collector
from service.audit.verifying.crossing import Crossing, judge_crossing
from service.audit.verifying.faults import Enough, Findings
from service.audit.verifying.knowledge import TOPICS, Knowledge
from service.audit.verifying.rollups import judge_rollups
from service.audit.verifying.rows import compare_rows
from service.audit.verifying.signatures import SignedFile, gather_signed
from service.audit.verifying.sources import Source, Wanted
from service.audit.verifying.states import compare_states
from service.audit.verifying.walking import Tick, Walk, Walked

LEAST = 50_000
"""Events below which other processes are not worth their start."""
START = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
"""Other processes need the modules and the knowledge of this one. What is sent to them opens its own connections."""
OnEvents = Callable[[int], Any]


@dataclass
class Verified:
    """What a verification found, and how long it took."""

    findings: Findings
    seconds: float = 0.0
    jobs: int = 1
    events: int = 0
    stopped: bool = False
    walked: dict[str, Walked] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether everything that was looked at holds, and everything was looked at."""
        return not self.findings.total and not self.stopped


@dataclass(frozen=True)
class Task:
    """One ledger's walk, as it is sent to another process."""

    source: Source
    wanted: Wanted
    ledger: str
    until: int | None
    signed: SignedFile | None
    crossing: Path


def verify(source: Source, wanted: Wanted, *, jobs: int = 1, on_events: OnEvents = lambda _: None, least: int = LEAST) -> Verified:
    """Verifies a history. Faults are in the findings, never raised; what is raised means that it could not be checked.

    least: a history of fewer events is verified by one process, however many jobs there may be.
    """
    began, findings = time.perf_counter(), Findings(stop_after=wanted.stop_after)
    found = Verified(findings, jobs=jobs)
    logs = {ledger: size for ledger, size in source.logs().items() if not wanted.logs or ledger in wanted.logs}
    if sum(logs.values()) < least:
        found.jobs = jobs = 1
    with tempfile.TemporaryDirectory(prefix="gridtrail-audit-") as folder, suppress(Enough):
        try:
            knowledge = gather(source)
            signed = gather_signed(source, wanted, logs, knowledge, Path(folder), findings)
            tasks = [
                Task(source, wanted, ledger, size if source.has_columns else None, signed.get(ledger), Path(folder) / f"{ledger}.crossing")
                for ledger, size in sorted(logs.items(), key=lambda each: -each[1])
            ]
            for walked, part in _walk_all(tasks, knowledge, jobs, on_events):
                found.walked[walked.ledger] = walked
                findings.join(part)
                found.events += walked.size
                _enough(findings)
            judge_crossing((task.crossing for task in tasks), Path(folder) / "crossing", findings, frozenset(logs))
            if source.has_columns and not wanted.logs:
                compare_states(source, knowledge, found.walked, findings)
            if wanted.values is not None:
                wanted.values(findings)
        except Enough:
            found.stopped = True
    found.seconds = time.perf_counter() - began
    findings.faults.sort(key=lambda each: (each.ledger, -1 if each.position is None else each.position, each.kind))
    return found


def gather(source: Source) -> Knowledge:
    """What was known when, from the facts about areas, people, rules and tablets in all ledgers."""
    return Knowledge.of(_reference(source))


def _reference(source: Source) -> Iterable[Recorded]:
    for ledger in source.logs():
        with source.open(ledger) as log:
            for line in log.about(TOPICS):
                with suppress(ValueError):
                    yield read_line(line)


def _enough(findings: Findings) -> None:
    if findings.stop_after is not None and findings.total >= findings.stop_after:
        raise Enough


# ---- one ledger, here or in another process


def _walk(task: Task, knowledge: Knowledge, tick: Tick) -> tuple[Walked, Findings]:
    findings = Findings(stop_after=task.wanted.stop_after)
    walked = Walked(task.ledger)
    with suppress(Enough), without_collector(), task.source.open(task.ledger) as log:
        crossing = Crossing(task.crossing)
        walk = Walk(task.ledger, log, knowledge, task.wanted, crossing, findings, task.signed, task.until, tick)
        walked = walk.walked
        walk.run()
        if walk.sealed and task.wanted.rules:
            judge_rollups(log, task.ledger, walk.sealed, knowledge, task.wanted.zone, findings)
        if task.source.has_columns and task.wanted.read_models:
            compare_rows(log.connection, task.ledger, findings)
    return walked, findings


@dataclass
class Shared:
    """What a worker process has got once for all of its tasks."""

    knowledge: Knowledge
    done: Any


_shared: list[Shared] = []


def _begin(knowledge: Knowledge, done: Any) -> None:
    _shared[:] = [Shared(knowledge, done)]


def _work(task: Task) -> tuple[Walked, Findings]:
    shared = _shared[0]

    def tick(count: int) -> None:
        with shared.done.get_lock():
            shared.done.value += count

    return _walk(task, shared.knowledge, tick)


def _walk_all(tasks: list[Task], knowledge: Knowledge, jobs: int, on_events: OnEvents) -> Iterable[tuple[Walked, Findings]]:
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield _walk(task, knowledge, on_events)
        return
    context: Any = multiprocessing.get_context(START)
    done = context.Value("q", 0)
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context, initializer=_begin, initargs=(knowledge, done)) as pool:
        waiting: list[Future[tuple[Walked, Findings]]] = [pool.submit(_work, task) for task in tasks]
        told = 0
        try:
            left = set(waiting)
            while left:
                ended, left = wait(left, timeout=0.5, return_when=FIRST_COMPLETED)
                told = _tell(done, told, on_events)
                for future in ended:
                    yield future.result()
        except (Enough, GeneratorExit):
            for future in waiting:
                future.cancel()
            raise


def _tell(done: Any, told: int, on_events: OnEvents) -> int:
    now = int(done.value)
    on_events(now - told)
    return now
