"""Asks witnesses to cosign the root log's checkpoint, and keeps what they give. Read by the publisher; nothing waits for it.

A cosignature counts only if it verifies under the witness's configured key. It is put into the note of the published checkpoint, and the
last one of each witness is kept with the checkpoint that it was given for.
"""

import base64
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import urllib3

from domain.clock import utc_text
from service.audit.tables import ROOT, Published, checkpoints, cosignatures, published
from service.config import WITNESS
from service.database import reading, writing
from service.ledger.bulk import insert_unless_present
from service.ledger.note import BadNote, Checkpoint, Verifier, open_note, split_note

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 900.0
SHOWN_WITHOUT_S = 600.0
"""How long a checkpoint of the root log waits for a cosignature, from when the last one was cosigned."""
MOST_BYTES = 16_384
C, K = checkpoints.c, cosignatures.c

Post = Callable[[str, bytes], tuple[int, bytes]]
"""Sends a body to a URL; gives status and body. OSError where there is no answer."""


class NoCosignature(Exception):
    """The witness did not cosign; the sentence says what it said."""


@dataclass
class Asked:
    """One configured witness, and when it may be asked again."""

    verifier: Verifier
    url: str
    not_before: float = 0.0
    pause_s: float = FIRST_PAUSE_S


def parse_witnesses(items: str) -> list[Asked]:
    """The witnesses of the setting: ``<verifier key>@<URL>`` with spaces between. BadNote where a key is none."""
    found = []
    for item in items.split():
        match = WITNESS.fullmatch(item)
        if match is None:
            raise BadNote(f"{item[:80]!r} is not <verifier key>@<URL>")
        found.append(Asked(Verifier.parse(match[1]), match[2].rstrip("/")))
    return found


class Witnesses:
    """The witnesses of one deployment. Keeps in memory only who is away."""

    def __init__(self, gridtrail: Any, post: Post | None = None) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.asked = parse_witnesses(gridtrail.config.witnesses)
        self.post = post or _post
        self.now: Callable[[], float] = time.monotonic

    def turn(self) -> int:
        """Asks every witness that has not cosigned the published checkpoint and is not being left alone. Gives how many cosigned."""
        with reading(self.database) as conn:
            root = published(conn, ROOT) if self.asked else None
            known = self._known(conn, root) if root else {}
        if root is None:
            return 0
        due = [each for each in self.asked if not self._has_cosigned(each, root) and each.not_before <= self.now()]
        return sum(self._ask_and_keep(each, root, known.get(str(each.verifier), 0)) for each in due)

    def _known(self, conn: sa.Connection, root: Published) -> dict[str, int]:
        """Size of the last checkpoint that each witness cosigned."""
        rows = conn.execute(sa.select(K.witness, K.size).where(K.ledger == ROOT, K.incarnation == root.incarnation))
        return {witness: size for witness, size in rows}

    def shown(self, conn: sa.Connection, point: Published) -> Published:
        """The root log's checkpoint as it is served: a newer one waits until a witness has cosigned it.

        Where none has for SHOWN_WITHOUT_S it is served as it is, so that the log can be read while all witnesses are away.
        """
        if not self.asked or any(self._has_cosigned(each, point) for each in self.asked):
            return point
        since = utc_text(self.gridtrail.clock() - timedelta(seconds=SHOWN_WITHOUT_S))
        mine = sa.select(K.size, K.note).where(K.ledger == ROOT, K.incarnation == point.incarnation, K.cosigned_at >= since)
        rows = conn.execute(mine.order_by(K.size.desc())).all()
        if not rows:
            return point
        note = rows[0].note
        for row in rows[1:]:
            if row.size == rows[0].size:
                note += row.note.rpartition("\n")[0].rpartition("\n")[2] + "\n"
        checkpoint = Checkpoint.parse(split_note(note)[0])
        return replace(point, size=checkpoint.size, root=checkpoint.root, note=note)

    def _has_cosigned(self, each: Asked, root: Published) -> bool:
        """Whether the published note bears the witness's line: after a rotation of our key it does not, at a size that is not new."""
        return any((name, key) == (each.verifier.name, each.verifier.id) for name, key, _ in split_note(root.note)[1])

    def _ask_and_keep(self, each: Asked, root: Published, old: int) -> int:
        try:
            line = self._ask(each, root, old)
        except (NoCosignature, OSError) as no:
            each.not_before, each.pause_s = self.now() + each.pause_s, min(each.pause_s * 2, LONGEST_PAUSE_S)
            log.warning("witness %s did not cosign the root log at size %d: %s", each.verifier.name, root.size, no)
            return 0
        each.not_before, each.pause_s = 0.0, FIRST_PAUSE_S
        self._keep(each, root, line)
        return 1

    def _ask(self, each: Asked, root: Published, old: int) -> str:
        """The witness's cosignature line. A witness that knows another size than we thought is asked once more with that one's proof."""
        for _ in range(2):
            status, body = self.post(f"{each.url}/add-checkpoint", self._body(root, old))
            if status == 200:
                return _verified(root, body, each.verifier)
            if status != 409:
                raise NoCosignature(f"status {status}: {body[:200].decode('utf-8', 'replace').strip()}")
            said = body.strip()
            size = int(said) if said.isdigit() and len(said) < 20 else -1
            if size > root.size:
                raise NoCosignature(f"it has seen {size} entries, and there are {root.size}: the root log lost what was published")
            if size < 0 or size == old:
                raise NoCosignature(f"it has another root for size {old}")
            old = size
        raise NoCosignature("it changes its mind")

    def _body(self, root: Published, old: int) -> bytes:
        hashes: Sequence[bytes] = ()
        if 0 < old < root.size:
            with reading(self.database) as conn:
                hashes = self.gridtrail.tiles.consistency(conn, ROOT, old, root.size)
        proof = "".join(base64.b64encode(each).decode() + "\n" for each in hashes)
        return f"old {old}\n{proof}\n{without_cosignatures(root)}".encode()

    def _keep(self, each: Asked, root: Published, line: str) -> None:
        """Stores the cosignature: with the checkpoint it was given for, and in the published note if that is still the published one."""
        row = {"size": root.size, "note": without_cosignatures(root) + line, "cosigned_at": utc_text(self.gridtrail.clock())}
        mine = (K.ledger == ROOT) & (K.incarnation == root.incarnation) & (K.witness == str(each.verifier))
        here = (C.ledger == ROOT) & (C.incarnation == root.incarnation)
        with writing(self.database) as conn:
            first = {"ledger": ROOT, "incarnation": root.incarnation, "witness": str(each.verifier), **row}
            conn.execute(insert_unless_present(conn, cosignatures).values(first))
            conn.execute(sa.update(cosignatures).where(mine, K.size <= root.size).values(**row))
            now = conn.execute(sa.select(C.note).where(here, C.size == root.size).with_for_update()).scalar_one_or_none()
            if now is not None:
                conn.execute(sa.update(checkpoints).where(here, C.note == now).values(note=_with(now, line, each.verifier)))


def _verified(root: Published, body: bytes, witness: Verifier) -> str:
    """The witness's own line of its answer, verified over the checkpoint that was sent. NoCosignature."""
    text, _ = split_note(root.note)
    try:
        answer = body.decode()
        open_note(f"{text}\n{answer}", witness)
        lines = [line for line in answer.splitlines(keepends=True) if _is_of(line, witness)]
    except (BadNote, UnicodeDecodeError) as wrong:
        raise NoCosignature(f"its answer is no cosignature of it: {wrong}") from wrong
    return lines[0]


def _is_of(line: str, witness: Verifier) -> bool:
    """Whether a signature line names the witness's key."""
    name, _, coded = line.removeprefix("— ").rstrip("\n").rpartition(" ")
    return name == witness.name and base64.b64decode(coded)[:4] == witness.id


def without_cosignatures(root: Published) -> str:
    """The note with the log's own signatures alone."""
    head, _, lines = root.note.rpartition("\n\n")
    return f"{head}\n\n" + "".join(line for line in lines.splitlines(keepends=True) if line.startswith(f"— {root.origin} "))


def _with(note: str, line: str, witness: Verifier) -> str:
    """The note with the witness's line in place of an earlier one of the same key."""
    head, _, lines = note.rpartition("\n\n")
    return f"{head}\n\n" + "".join(each for each in lines.splitlines(keepends=True) if not _is_of(each, witness)) + line


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
    try:
        answer = pool.request("POST", url, body=body, preload_content=False, redirect=False)
        try:
            return answer.status, answer.read(MOST_BYTES)
        finally:
            answer.release_conn()
    except urllib3.exceptions.HTTPError as lost:
        raise OSError(str(lost)) from lost
    finally:
        pool.clear()
