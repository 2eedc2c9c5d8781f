"""What the service counts about itself, for Prometheus: the instruments, and how those of several processes are put together.

With several web processes PROMETHEUS_MULTIPROC_DIR names the folder in which each keeps its counts; service.gunicorn_conf sees to it.
Read by whoever has something to count, and by ``/metrics``.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
REGISTRY = CollectorRegistry()
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter("gridtrail_requests", "Requests answered.", ["route", "method", "status"], registry=REGISTRY)
SECONDS = Histogram("gridtrail_request_seconds", "Time to answer.", ["route"], registry=REGISTRY, buckets=BUCKETS)
ENTRIES = Counter("gridtrail_upload_entries", "Uploaded entries by what became of them.", ["outcome"], registry=REGISTRY)
BATCH_SECONDS = Histogram("gridtrail_upload_batch_seconds", "Time to take a batch that was recorded.", registry=REGISTRY, buckets=BUCKETS)
TURNED_AWAY = Counter("gridtrail_turned_away", "Requests that were not admitted, by lane and code.", ["lane", "code"], registry=REGISTRY)
WAITING = Gauge("gridtrail_requests_waiting", "Requests waiting for their turn.", registry=REGISTRY, multiprocess_mode="livesum")
RUNNING = Gauge("gridtrail_requests_running", "Requests being worked on.", registry=REGISTRY, multiprocess_mode="livesum")
POOL = Gauge("gridtrail_pool_connections_in_use", "Database connections in use.", registry=REGISTRY, multiprocess_mode="livesum")
POOL_LIMIT = Gauge("gridtrail_pool_connections_limit", "Most connections at once.", registry=REGISTRY, multiprocess_mode="livesum")


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Counts one answer. The route is its pattern and odd methods are one: strangers cannot make new series."""
    REQUESTS.labels(route, method if method in METHODS else "other", str(status)).inc()
    SECONDS.labels(route).observe(seconds)


def count_batch(outcomes: Iterable[Mapping[str, Any]], seconds: float) -> None:
    """Counts a batch that was taken: what became of its entries, and how long it took."""
    found: dict[str, int] = {}
    for each in outcomes:
        found[each["outcome"]] = found.get(each["outcome"], 0) + 1
    for outcome, count in found.items():
        ENTRIES.labels(outcome).inc(count)
    BATCH_SECONDS.observe(seconds)


class Together:
    """The counts of all web processes, of those that have ended as well."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def collect(self) -> Sequence[Metric]:
        """Reads them while no ended process is being retired, so that nothing is read twice or missed."""
        with _only_one(self.folder, fcntl.LOCK_SH):
            return list(MultiProcessCollector(None, self.folder).collect())


def retire(pid: int) -> None:
    """Adds the counts of an ended process to those of all that ended before. Its files would stay for ever, and be read at each scrape."""
    folder = os.environ.get(FOLDER)
    if not folder or not Path(folder).is_dir():
        return
    with _only_one(folder, fcntl.LOCK_EX):
        mark_process_dead(pid, folder)
        for kind in ("counter", "histogram"):
            ended = Path(folder) / f"{kind}_{pid}.db"
            if ended.exists():
                _add(ended, Path(folder) / f"{kind}_retired.db")
                ended.unlink()


def _add(ended: Path, retired: Path) -> None:
    total = MmapedDict(str(retired))
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(ended)):
            before, _ = total.read_value(key)
            total.write_value(key, before + value, 0.0)
    finally:
        total.close()


@contextmanager
def _only_one(folder: str, how: int) -> Iterator[None]:
    lock = os.open(Path(folder) / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)
