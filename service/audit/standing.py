"""How each log stands: what is recorded, published, cosigned, stamped, and whether it may go on. Read by the ledger and signing routes."""

import base64
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from domain.clock import parse_utc, utc_text
from projections.recorded import read_line
from service.audit import verified
from service.audit.rotating import read_statements
from service.audit.tables import ROOT, Published, all_published, checkpoints, cosignatures, published, root_head
from service.audit.timestamps import latest as latest_stamp
from service.audit.watermark import Behind
from service.audit.witnessing import parse_witnesses
from service.ledger.note import BadNote, Verifier, split_note
from service.ledger.rotation import Rotation
from service.ledger.store import Head

C, K = checkpoints.c, cosignatures.c


def ledgers(pieces: Any, conn: sa.Connection, heads: Iterable[Head]) -> list[dict[str, Any]]:
    """Each ledger with its last publication, whether it may go on, and who verified it last."""
    found = list(heads)
    points, behind = all_published(conn), behind_of(pieces, found)
    words = verified.latest(conn, {head.ledger for head in found})
    return [
        {**_head(head), **_going(head, points.get(head.ledger), behind.get(head.ledger)), "verified": words.get(head.ledger)}
        for head in found
    ]


def ledger(pieces: Any, conn: sa.Connection, head: Head) -> dict[str, Any]:
    """One ledger in full: also its checkpoint, its incarnations and all that is on record of its verifications."""
    point = published(conn, head.ledger)
    words = verified.of_ledger(conn, head.ledger)
    first = pieces.ledgers.line(conn, head.ledger, 0)
    root = published(conn, ROOT)
    return {
        **_head(head),
        **_going(head, point, behind_of(pieces, [head]).get(head.ledger)),
        "verified": words[0] if words else None,
        "verifications": words,
        "now": utc_text(pieces.clock()),
        "begun_at": read_line(first).recorded_at if first is not None else None,
        "checkpoint": described(pieces, point) if point else None,
        # The root log's newest entry of this ledger lies below its newest size, so whoever cosigned that has cosigned this.
        "cosigned_by": [
            each["name"] for each in witnesses(pieces, conn) if root and point and point.rooted >= 0 and each["size"] == root.size
        ],
        "incarnations": _incarnations(conn, head),
    }


def signing(pieces: Any, conn: sa.Connection) -> dict[str, Any]:
    """The keys that sign, how they were handed on, the root log, its witnesses and timestamps."""
    config, head, root, stamp = pieces.config, root_head(conn), published(conn, ROOT), latest_stamp(conn)
    return {
        "origin": config.origin,
        "key": str(pieces.signer.verifier),
        "rotations": [_rotation(each) for each in read_statements(config)],
        "root_log": {**_head(head), **_going(head, root, None), "checkpoint": described(pieces, root) if root else None} if head else None,
        "witnesses": witnesses(pieces, conn),
        "timestamping": bool(config.tsa_url),
        "timestamp": {"size": stamp.size, "stamped_at": stamp.stamped_at} if stamp else None,
        "publish_s": config.publish_s,
        "root_log_s": config.root_log_s,
    }


def witnesses(pieces: Any, conn: sa.Connection) -> list[dict[str, Any]]:
    """Every configured witness, and what it last cosigned of the present root log. in_note: its line stands in the published checkpoint."""
    root = published(conn, ROOT)
    if root is None:
        known, lines = {}, set()
    else:
        rows = conn.execute(sa.select(K.witness, K.size, K.cosigned_at).where(K.ledger == ROOT, K.incarnation == root.incarnation))
        known, lines = {witness: (size, at) for witness, size, at in rows}, {(name, key) for name, key, _ in split_note(root.note)[1]}
    asked = [each.verifier for each in parse_witnesses(pieces.config.witnesses)]
    return [_witness(pieces, each, known.get(str(each)), (each.name, each.id) in lines) for each in asked]


def behind_of(pieces: Any, heads: Iterable[Head]) -> dict[str, Behind]:
    """The logs that are not what was signed of them, by name."""
    return {each.ledger: each for each in pieces.watermark.behind(heads)}


def described(pieces: Any, point: Published) -> dict[str, Any]:
    """A published checkpoint: where it stands, whose name it bears, and the note itself."""
    return {
        "origin": point.origin,
        "vkey": str(Verifier(point.origin, pieces.signer.verifier.public)),
        "size": point.size,
        "root": base64.b64encode(point.root).decode(),
        "signed_at": point.signed_at,
        "rooted": point.rooted if point.rooted >= 0 else None,
        "note": point.note,
    }


def _head(head: Head) -> dict[str, Any]:
    return {
        "ledger": head.ledger,
        "size": head.size,
        "root": base64.b64encode(head.root).decode(),
        "incarnation": head.incarnation,
        "recorded_at": head.recorded_at,
    }


def _going(head: Head, point: Published | None, behind: Behind | None) -> dict[str, Any]:
    return {
        "published_size": point.size if point else None,
        "published_at": point.signed_at if point else None,
        "halted": behind is not None,
        "signed_size": behind.signed if behind else None,
    }


def _witness(pieces: Any, verifier: Verifier, cosigned: tuple[int, str] | None, in_note: bool) -> dict[str, Any]:
    size, at = cosigned or (None, None)
    age = None if at is None else max(0.0, (pieces.clock() - parse_utc(at)).total_seconds())
    return {"name": verifier.name, "key": str(verifier), "size": size, "cosigned_at": at, "age_s": age, "in_note": in_note}


def _incarnations(conn: sa.Connection, head: Head) -> list[dict[str, Any]]:
    """Every name under which the ledger was published, latest first."""
    query = sa.select(C.incarnation, C.origin, C.size, C.root, C.signed_at).where(C.ledger == head.ledger).order_by(C.signed_at.desc())
    return [
        {**row, "root": base64.b64encode(row["root"]).decode(), "present": row["incarnation"] == head.incarnation}
        for row in conn.execute(query).mappings()
    ]


def _rotation(statement: str) -> dict[str, Any]:
    """What a statement says. One that does not hold is shown with its text alone."""
    try:
        told = Rotation.read(statement)
    except BadNote:
        return {"statement": statement, "holds": False, "at": None, "old": None, "new": None, "reason": None, "last_valid": None}
    said = {"at": told.at, "old": str(told.old), "new": str(told.new), "reason": told.reason, "last_valid": told.last_valid}
    return {"statement": statement, "holds": True, **said}
