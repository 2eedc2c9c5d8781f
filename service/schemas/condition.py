"""How the service is, on the wire: for administrators' pages. What proxies and Prometheus read is in health.py and metrics."""

import marshmallow as ma

from service.schemas.fields import shown
from service.schemas.health import Behind, Parked

String, Integer, Float, Boolean = ma.fields.String, ma.fields.Integer, ma.fields.Float, ma.fields.Boolean


class ReadModel(ma.Schema.from_dict(shown(String, "read_model") | shown(Integer, "behind_positions", "behind_ledgers"))):  # type: ignore[misc]
    """A read model over all ledgers: events not folded yet, in how many ledgers, and the age of the oldest in seconds."""

    behind_seconds = Float(required=True)
    parked = ma.fields.List(ma.fields.Nested(Parked), required=True)


class Store(ma.Schema.from_dict(shown(String, "store", "kind", optional=("version",)) | shown(Boolean, "ok"))):  # type: ignore[misc]
    """A store: record, keys (of personal values), photos, journal (of what was signed). ok: it answered just now. Sizes in bytes."""

    bytes = Integer(required=True, allow_none=True)
    free_bytes = Integer(required=True, allow_none=True)


class TurnedAway(ma.Schema.from_dict(shown(String, "lane", "code") | shown(Integer, "count"))):  # type: ignore[misc]
    """Requests that were not admitted since the processes began."""


class Admission(ma.Schema.from_dict(shown(Integer, "running", "waiting", "slots", "processes", "connections", "connections_limit"))):  # type: ignore[misc]
    """Requests now: worked on, waiting for their turn, and how many can be worked on at once in each of so many processes."""

    turned_away = ma.fields.List(ma.fields.Nested(TurnedAway), required=True)


class Publishing(ma.Schema.from_dict(shown(Integer, "logs", "unpublished", "witnesses", "witnesses_silent"))):  # type: ignore[misc]
    """Logs, entries that no published checkpoint covers yet, and witnesses that never cosigned this root log."""

    history_behind = ma.fields.List(ma.fields.Nested(Behind), required=True)
    oldest_cosignature_s = Float(required=True, allow_none=True)


class Condition(ma.Schema.from_dict(shown(String, "status", "at", "version", "migration"))):  # type: ignore[misc]
    """How the service is: ready or degraded, and each part of it."""

    read_models = ma.fields.List(ma.fields.Nested(ReadModel), required=True)
    stores = ma.fields.List(ma.fields.Nested(Store), required=True)
    admission = ma.fields.Nested(Admission, required=True)
    publishing = ma.fields.Nested(Publishing, required=True)
    late_after_s = Float(required=True)
