"""What auditors say that they verified outside: rows of the record of reads, latest first. Read by the ledger routes.

Whoever verifies a ledger reads all of it, on a machine of their own; the service sees neither that it was done nor how. So what stands here
is an auditor's word: the size and the root that were found, and beside it what the service has at that size. It is a row and no event: an
auditor changes nothing in a ledger, and each day of this record is sealed into the city's ledger, so that a word once given stays given.
"""

import base64
from collections.abc import Collection
from typing import Any

import orjson
import sqlalchemy as sa

from service.access import ACCESS_LOG, VERIFIED, VERIFIED_ACT, C
from service.audit.tiles import NotRecorded
from service.database import reading
from service.ledger.store import Head
from service.scope import Actor

SHOWN = 10
NEWEST = (
    sa.select(C.ledger, C.at, C.person, C.account, C.purpose, C.filters)
    .where(VERIFIED, C.ledger == sa.bindparam("ledger", type_=C.ledger.type))
    .order_by(C.at.desc(), C.id.desc())
    .limit(SHOWN)
)


def state(pieces: Any, actor: Actor, head: Head, said: dict[str, Any]) -> dict[str, Any]:
    """Puts an auditor's word on record. Gives it back with same_root: whether the service has that root at that size, too.

    said: size, root (base64 of 32 bytes), holds, faults, how. A root that differs is kept as it was said: it is the very evidence.
    """
    with reading(pieces.database) as conn:
        same = _root_at(pieces, conn, head, said["size"]) == base64.b64decode(said["root"])
    row = {**said, "same_root": same}
    pieces.access.record(None, actor, VERIFIED_ACT, ledger=head.ledger, object=str(said["size"]), rows=said["size"], filters=row)
    return row


def _root_at(pieces: Any, conn: sa.Connection, head: Head, size: int) -> bytes | None:
    """The root of the first size entries of a ledger; None where there are not so many."""
    if size > head.size:
        return None
    try:
        root: bytes = pieces.tiles.root(conn, head.ledger, size)
    except NotRecorded:
        return None
    return root


def of_ledger(conn: sa.Connection, ledger: str) -> list[dict[str, Any]]:
    """The latest verifications of a ledger that are on record, latest first."""
    return [_shown(row) for row in conn.execute(NEWEST, {"ledger": ledger}).mappings()]


def latest(conn: sa.Connection, ledgers: Collection[str]) -> dict[str, dict[str, Any]]:
    """The latest verification of each of the ledgers that has one."""
    last = sa.select(C.ledger, sa.func.max(C.at).label("at")).where(VERIFIED).group_by(C.ledger).subquery()
    query = (
        sa.select(C.ledger, C.at, C.person, C.account, C.purpose, C.filters)
        .select_from(ACCESS_LOG.join(last, sa.and_(last.c.ledger == C.ledger, last.c.at == C.at)))
        .where(VERIFIED)
        .order_by(C.id)
    )
    return {row["ledger"]: _shown(row) for row in conn.execute(query).mappings() if row["ledger"] in ledgers}


def _shown(row: Any) -> dict[str, Any]:
    said = orjson.loads(row["filters"])
    return {"at": row["at"], "person": row["person"], "account": row["account"], "purpose": row["purpose"], **said}
