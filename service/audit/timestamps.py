"""RFC 3161 timestamps of the root log's checkpoint: a third party's word that it existed by then. Read by the publisher; optional.

The very bytes that are stamped are kept with the answer: the checkpoint's note with our signature alone. So ``openssl ts -verify`` checks
it with nothing of ours.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import urllib3

from domain.clock import parse_utc, utc_text
from service.audit.tables import ROOT, Published, published, root_logs, timestamps
from service.audit.witnessing import without_cosignatures
from service.database import reading, writing
from service.ledger.bulk import insert_unless_present

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
MOST_BYTES = 65_536
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
GRANTED = (0, 1)
"""granted, and granted with modifications (RFC 3161 section 2.4.2)."""
T = timestamps.c
LATEST: sa.Select[tuple[Any, ...]] = (
    sa.select(T.size, T.note, T.token, T.stamped_at)
    .join(root_logs, sa.and_(root_logs.c.ledger == T.ledger, root_logs.c.incarnation == T.incarnation))
    .order_by(T.size.desc())
    .limit(1)
)

Post = Callable[[str, bytes], tuple[int, bytes]]


class NotStamped(Exception):
    """The authority gave no timestamp of what was sent; the sentence says what it gave."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """A checkpoint of the root log and the authority's answer (DER) over its bytes."""

    size: int
    note: str
    token: bytes
    stamped_at: str


def latest(conn: sa.Connection) -> Stamped | None:
    """The newest timestamp of the root log's present incarnation."""
    row = conn.execute(LATEST).one_or_none()
    return None if row is None else Stamped(*row)


class Timestamps:
    """Asks the authority of GRIDTRAIL_TSA_URL, at most every GRIDTRAIL_TSA_S seconds, where the root log grew."""

    def __init__(self, gridtrail: Any, post: Post | None = None) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.url, self.every_s = gridtrail.config.tsa_url, gridtrail.config.tsa_s
        self.post = post or _post
        self.now: Callable[[], float] = time.monotonic
        self._not_before = 0.0

    def turn(self) -> int:
        """Has the published checkpoint stamped, if it is due. Gives 1 where it was; an authority that is away is asked again later."""
        if not self.url or self.now() < self._not_before:
            return 0
        with reading(self.database) as conn:
            root, last = published(conn, ROOT), latest(conn)
        if root is None or (last is not None and (last.size >= root.size or self._is_fresh(last))):
            return 0
        note = without_cosignatures(root)
        try:
            token = self._ask(note.encode())
        except (NotStamped, OSError) as no:
            self._not_before = self.now() + 60.0
            log.warning("the root log's checkpoint at size %d was not timestamped: %s", root.size, no)
            return 0
        self._keep(root, note, token)
        return 1

    def _is_fresh(self, last: Stamped) -> bool:
        return bool(parse_utc(last.stamped_at) + timedelta(seconds=self.every_s) > self.gridtrail.clock())

    def _ask(self, stamped: bytes) -> bytes:
        """The authority's answer over the bytes. NotStamped where it is not one over these bytes and to this question."""
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

        question = TimestampRequestBuilder().data(stamped).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True).build()
        status, body = self.post(self.url, question.as_bytes())
        if status != 200:
            raise NotStamped(f"status {status}")
        try:
            answer = decode_timestamp_response(body)
            granted, told = answer.status in GRANTED, answer.tst_info if answer.status in GRANTED else None
        except ValueError as wrong:
            raise NotStamped(f"its answer cannot be read: {wrong}") from wrong
        if not granted or told is None:
            raise NotStamped(f"it said no: {answer.status}")
        if told.message_imprint.message != hashlib.sha256(stamped).digest() or told.nonce != question.nonce:
            raise NotStamped("its answer is to another question")
        return body

    def _keep(self, root: Published, note: str, token: bytes) -> None:
        row = {"ledger": ROOT, "incarnation": root.incarnation, "size": root.size, "note": note, "token": token}
        with writing(self.database) as conn:
            stamped_at = utc_text(self.gridtrail.clock())
            conn.execute(insert_unless_present(conn, timestamps).values(**row, stamped_at=stamped_at))


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
    try:
        answer = pool.request("POST", url, body=body, headers={"Content-Type": QUERY}, preload_content=False, redirect=False)
        try:
            return answer.status, answer.read(MOST_BYTES)
        finally:
            answer.release_conn()
    except urllib3.exceptions.HTTPError as lost:
        raise OSError(str(lost)) from lost
    finally:
        pool.clear()
