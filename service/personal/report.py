"""What is held of a person: each value, where, since when, for what, until when, and who read it. Read by command line and routes.

Made for the person themself, who has a right to it (PIPL art. 45): readable in English and Chinese, or as JSON.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.clock import parse_utc, utc_text
from domain.personal import FIELDS, BadDisclosure, read_disclosure
from projections import erasures, personal_items
from service.access import ACCESS_LOG
from service.database import reading
from service.personal.tables import disclosures
from service.personal.vault import ERASED
from service.personal.words import FIELD_WORDS, WORDS

MOST_READS = 50
"""Reads that are listed one by one, the latest; all of them are counted."""
D, I, A = disclosures.c, personal_items.C, ACCESS_LOG.c  # noqa: E741


def report_of(gridtrail: Any, subject: UUID, ledgers: list[str]) -> dict[str, Any]:
    """The report on a subject, as far as it lies in the ledgers given.

    values     field, value, state (held, erased, awaited), ledger, area, stream, topic, position, since, until, purpose, basis
    erasures   ledger, ground, reference, requested_at, erased_at, completed_at, backups_gone_by
    reads      how often values were read on record, and the latest: at, act, role, purpose
    """
    with reading(gridtrail.database) as conn:
        rows = _rows(conn, subject, ledgers)
        opened = gridtrail.vault.open(conn, [row["digest"] for row in rows])
        reads = sa.select(A.at, A.act, A.role, A.purpose).where(A.subject == str(subject), A.ledger.in_(ledgers))
        latest = conn.execute(reads.order_by(A.at.desc()).limit(MOST_READS)).mappings().all()
        count = conn.scalar(sa.select(sa.func.count()).select_from(reads.subquery()))
        erased = [row for row in erasures.of_subject(conn, str(subject)) if row["ledger"] in ledgers]
    return {
        "subject": str(subject),
        "made_at": utc_text(gridtrail.clock()),
        "values": [_value(row, opened[row["digest"]]) for row in rows],
        "erasures": [{name: row[name] for name in ERASURE} for row in erased],
        "reads": {"count": count, "latest": [{name: row[name] for name in READ} for row in latest]},
    }


READ = ("at", "act", "role", "purpose")
ERASURE = ("ledger", "ground", "reference", "requested_at", "erased_at", "completed_at", "backups_gone_by")


def _rows(conn: sa.Connection, subject: UUID, ledgers: list[str]) -> list[dict[str, Any]]:
    """Every digest of the subject, whether an event vouches for it, a value is kept under it, or both; in the order of the record."""
    named = sa.select(I.ledger, I.digest, I.field, I.area, I.stream, I.topic, I.position, I.happened_at)
    named = named.where(I.subject == str(subject), I.ledger.in_(ledgers))
    rows = {(row["ledger"], row["digest"]): dict(row) for row in conn.execute(named).mappings()}
    kept = sa.select(D.ledger, D.digest, D.field, D.kept_at).where(D.subject == subject, D.ledger.in_(ledgers))
    for row in conn.execute(kept).mappings():
        rows.setdefault((row["ledger"], row["digest"]), {"area": None, "stream": None, "topic": None, "position": None, **row}).update(row)
    return sorted(rows.values(), key=_order)


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["ledger"], row["position"] is None, row["position"] or 0, row["field"], row["digest"]


def _value(row: dict[str, Any], text: Any) -> dict[str, Any]:
    declared = FIELDS.get(row["field"])
    since = row.get("kept_at")
    until = None
    if since is not None and declared is not None and text is not ERASED:
        until = utc_text(parse_utc(since) + timedelta(days=declared.retention_days))
    return {
        "field": row["field"],
        "value": _said(text),
        "state": "erased" if text is ERASED else "held" if isinstance(text, str) else "awaited",
        **{name: row[name] for name in ("ledger", "area", "stream", "topic", "position", "digest")},
        "since": since,
        "until": until,
        "purpose": declared.purpose if declared else None,
        "basis": declared.basis if declared else None,
    }


def _said(text: Any) -> Any:
    try:
        return read_disclosure(text).value if isinstance(text, str) else None
    except BadDisclosure:
        return None


# ---- for people


def readable(report: dict[str, Any], language: str) -> Iterator[str]:
    """The report as lines of text: language is en or zh."""
    words, at = WORDS[language], ("en", "zh").index(language)
    yield words["title"].format(subject=report["subject"])
    yield words["made"].format(at=_minute(report["made_at"]))
    if not report["values"]:
        yield words["nothing"]
    for value in report["values"]:
        name, purpose = FIELD_WORDS.get(value["field"], ((value["field"],) * 2, (value["purpose"] or "?",) * 2))
        shown = words[value["state"]] if value["state"] != "held" else _shown(value["value"])
        yield ""
        yield f"{name[at]}: {shown}"
        where = value["position"] if value["position"] is not None else words["no event"]
        yield "  " + words["where"].format(ledger=value["ledger"], position=where, topic=value["topic"] or "")
        if value["since"] and value["until"]:
            yield "  " + words["time"].format(since=_minute(value["since"]), until=value["until"][:10])
        yield "  " + words["why"].format(purpose=purpose[at], basis=value["basis"] or "?")
    yield from _told_of_erasures(report, words)
    yield ""
    yield words["reads"].format(count=report["reads"]["count"])
    for read in report["reads"]["latest"]:
        yield f"  {_minute(read['at'])}  {read['role']}  {read['act']}  {read['purpose'] or ''}".rstrip()


def _told_of_erasures(report: dict[str, Any], words: dict[str, str]) -> Iterator[str]:
    for erased in report["erasures"]:
        yield ""
        done = _minute(erased["completed_at"]) if erased["completed_at"] else words["under way"]
        yield words["erasure"].format(**{**erased, "erased_at": _minute(erased["erased_at"]), "completed_at": done})


def _minute(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
