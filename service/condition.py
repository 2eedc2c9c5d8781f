"""How the service is, put together for a page: read models, stores, admission, publishing. Read by ``GET /v1/health``.

Each store is asked now, and one that does not answer is said to be away; none of them takes the answer with it. Addresses, paths and
passwords of the stores are told to nobody.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from prometheus_client.metrics_core import Metric

from domain.clock import utc_text
from projections import READ_MODELS
from service import __version__
from service.audit.standing import witnesses
from service.audit.tables import all_published, heads_of
from service.config import folder_of
from service.database import Busy, is_memory, is_sqlite, reading
from service.lag import Lag, lags
from service.ledger import schema
from service.measures import FOLDER, REGISTRY, Together

AWAY = (sa.exc.SQLAlchemyError, Busy, OSError)


def condition(pieces: Any) -> dict[str, Any]:
    """The whole of it. sa.exc.SQLAlchemyError where the record itself does not answer."""
    with reading(pieces.database) as conn:
        found = lags(conn, READ_MODELS, pieces.clock())
        heads, points = heads_of(conn), all_published(conn)
        asked = witnesses(pieces, conn)
    behind = pieces.watermark.behind(heads)
    late = max((each.seconds for each in found if each.parked_position is None), default=0.0)
    parked = any(each.parked_position is not None for each in found)
    ages = [each["age_s"] for each in asked if each["age_s"] is not None]
    return {
        "status": "degraded" if parked or behind or late > pieces.config.ready_lag_s else "ready",
        "at": utc_text(pieces.clock()),
        "version": __version__,
        "migration": schema.head(),
        "late_after_s": pieces.config.ready_lag_s,
        "read_models": [_read_model(name, [each for each in found if each.read_model == name]) for name in READ_MODELS],
        "stores": [_record(pieces), _keys(pieces), _photos(pieces), _journal(pieces)],
        "admission": _admission(pieces),
        "publishing": {
            "logs": len(heads),
            "unpublished": sum(max(0, head.size - (points[head.ledger].size if head.ledger in points else 0)) for head in heads),
            "history_behind": [asdict(each) for each in behind],
            "witnesses": len(asked),
            "witnesses_silent": sum(each["cosigned_at"] is None for each in asked),
            "oldest_cosignature_s": max(ages, default=None),
        },
    }


def _read_model(name: str, found: list[Lag]) -> dict[str, Any]:
    going = [each for each in found if each.parked_position is None]
    return {
        "read_model": name,
        "behind_positions": sum(each.positions for each in going),
        "behind_ledgers": sum(each.positions > 0 for each in going),
        "behind_seconds": round(max((each.seconds for each in going), default=0.0), 3),
        "parked": [
            {"ledger": each.ledger, "read_model": name, "position": each.parked_position, "since": each.parked_at}
            for each in found
            if each.parked_position is not None
        ],
    }


# ---- stores


def _store(store: str, kind: str, ok: bool, version: str | None = None, size: int | None = None, free: int | None = None) -> dict[str, Any]:
    return {"store": store, "kind": kind, "ok": ok, "version": version, "bytes": size, "free_bytes": free}


def _record(pieces: Any) -> dict[str, Any]:
    kind = pieces.database.dialect.name
    try:
        with reading(pieces.database) as conn:
            if is_sqlite(conn):
                version = str(conn.scalar(sa.text("SELECT sqlite_version()")))
                size = sa.text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            else:
                version = ".".join(map(str, conn.dialect.server_version_info or ()))
                size = sa.text("SELECT pg_database_size(current_database())")
            held = int(conn.scalar(size) or 0)
    except AWAY:
        return _store("record", kind, False)
    return _store("record", kind, True, version, held, _free(pieces.config.database_url, pieces.database))


def _keys(pieces: Any) -> dict[str, Any]:
    kind = "sqlite" if is_memory(pieces.database) else pieces.config.vault_url.partition(":")[0]
    try:
        with pieces.vault.keystore.engine.connect() as conn:
            conn.execute(sa.text("SELECT 1"))
    except Exception:
        # A key that cannot be read, a database that is away, rights that are missing: all of them mean that no value can be opened.
        return _store("keys", kind, False)
    return _store("keys", kind, True, free=_free(pieces.config.vault_url, pieces.database))


def _photos(pieces: Any) -> dict[str, Any]:
    url = pieces.config.photos_url
    kind = url.partition("://")[0] if "://" in url else "folder"
    if kind not in ("folder", "file"):
        # To ask a remote store costs money and time at each look; it is asked when photos come and go.
        return _store("photos", kind, True)
    folder = _existing(url.removeprefix("file://"))
    return _store("photos", "folder", os.access(folder, os.W_OK), free=_free_of(folder))


def _journal(pieces: Any) -> dict[str, Any]:
    path = pieces.config.watermark_file
    folder = _existing(os.path.dirname(path) or ".")
    ok = os.access(path, os.R_OK | os.W_OK) if os.path.exists(path) else os.access(folder, os.W_OK)
    return _store("journal", "file", ok, size=os.path.getsize(path) if os.path.exists(path) else None, free=_free_of(folder))


def _free(url: str, database: sa.Engine) -> int | None:
    folder = None if is_memory(database) else folder_of(url)
    return _free_of(str(folder)) if folder is not None else None


def _free_of(folder: str) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _existing(folder: str) -> str:
    """The folder, or the nearest above it that exists: it is made when something is first put into it."""
    folder = os.path.abspath(folder)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


# ---- admission


def _admission(pieces: Any) -> dict[str, Any]:
    """What the instruments of all web processes say; of this one alone where it has no others."""
    folder = os.environ.get(FOLDER)
    families: dict[str, Metric] = {each.name: each for each in (Together(folder).collect() if folder else REGISTRY.collect())}
    config = pieces.config
    turned_away = [
        {"lane": sample.labels["lane"], "code": sample.labels["code"], "count": int(sample.value)}
        for sample in _samples(families, "gridtrail_turned_away")
        if sample.name.endswith("_total") and sample.value
    ]
    return {
        "running": _now(families, "gridtrail_requests_running"),
        "waiting": _now(families, "gridtrail_requests_waiting"),
        "slots": max(1, min(config.slots, config.threads // 2)),
        "processes": config.workers if folder else 1,
        "connections": _now(families, "gridtrail_pool_connections_in_use"),
        "connections_limit": _now(families, "gridtrail_pool_connections_limit"),
        "turned_away": sorted(turned_away, key=lambda each: (each["lane"], each["code"])),
    }


def _samples(families: dict[str, Metric], name: str) -> Iterable[Any]:
    return families[name].samples if name in families else ()


def _now(families: dict[str, Metric], name: str) -> int:
    return int(sum(sample.value for sample in _samples(families, name)))
