"""Destroys single values whose declared time is over, and those of emergencies that are over. Read by the engine's process and the job.

What is destroyed is recorded in the same transaction, in the ledger beside which it was: ``personal.retention_ended`` with the digests.
A run does a bounded amount; what is left is done by the next. Running again, or in several processes, destroys nothing twice.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from domain.clock import utc_text
from domain.personal import FIELDS
from domain.subject import EMERGENCY_OVER, MOST_DIGESTS, RETENTION_OVER
from domain.subject import Retention as Ending
from projections import open_cases, personal_items
from service.database import is_sqlite, reading, writing
from service.inspection import drafts_of
from service.ledger.store import HistoryBehind
from service.personal.brought import drop_unnamed
from service.personal.erasure import GONE, gone_by
from service.personal.removing import PHOTO, remove_photos
from service.personal.scrubbing import NotScrubbed, scrub_values
from service.personal.tables import disclosures

log = logging.getLogger(__name__)

MOST = 20_000
"""Values that one run destroys, about."""
EMERGENCY = "emergency"
D, I, C = disclosures.c, personal_items.C, open_cases.C  # noqa: E741


class Retention:
    """The retention of one deployment. Holds no state beside its pieces."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.config = gridtrail.config
        self.clock = gridtrail.clock

    def run(self, most: int = MOST) -> dict[str, int]:
        """Finishes erasures that were cut short, then destroys what is due. Gives the counts.

        erasures   subjects whose erasure was finished
        unnamed    values that no event ever named
        and each field with how many of its values were destroyed
        """
        now = self.clock()
        counts = Counter(erasures=self.gridtrail.erasure.resume())
        with writing(self.database) as conn:
            counts["unnamed"] = drop_unnamed(conn, now)
        ended: Counter[str] = Counter()
        for ground, field, kept_before, digests in self._due(now):
            if ended.total() >= most:
                break
            ended.update(self._end(ground, field, kept_before, digests))
        if ended or counts["unnamed"]:
            scrub_values(self.database)
        return {**counts, **ended}

    def follow(self, stop: threading.Event) -> None:
        """Runs now and every GRIDTRAIL_RETAIN_HOURS until told to stop. What fails is tried again an hour later."""
        while self.config.retain_hours and not stop.is_set():
            pause = self.config.retain_hours * 3600
            try:
                log.info("the retention ran: %s", self.run())
            except NotScrubbed as held:
                log.warning("%s", held)
                pause = min(pause, 3600.0)
            except Exception:
                log.exception("the retention could not run; it tries again")
                pause = min(pause, 3600.0)
            stop.wait(pause)

    # ---- what is due

    def _due(self, now: datetime) -> Iterator[tuple[str, str, str, dict[str, list[str]]]]:
        """Portions that are due: ground, field, before when they were kept, and the digests by ledger."""
        for field, declared in FIELDS.items():
            kept_before = utc_text(now - timedelta(days=declared.retention_days))
            over = sa.select(D.ledger, D.digest).where(D.field == field, D.gone_at.is_(None), D.kept_at < kept_before)
            yield from self._portions(RETENTION_OVER, field, kept_before, over)
        over_since = utc_text(now - timedelta(days=self.config.emergency_days))
        for field in FIELDS:
            yield from self._portions(EMERGENCY_OVER, field, utc_text(now), _of_emergencies(field, over_since))

    def _portions(self, ground: str, field: str, kept_before: str, query: sa.Select[Any]) -> Iterator[Any]:
        skipped: set[str] = set()
        while True:
            with reading(self.database) as conn:
                some = query.where(D.ledger.not_in(sorted(skipped))) if skipped else query
                rows = conn.execute(some.order_by(D.kept_at, D.ledger, D.digest).limit(MOST_DIGESTS)).all()
            if not rows:
                return
            by_ledger: dict[str, list[str]] = {}
            for ledger, digest in rows:
                by_ledger.setdefault(ledger, []).append(digest)
            yield ground, field, kept_before, by_ledger
            with reading(self.database) as conn:
                left = set(conn.execute(some.where(D.digest.in_([digest for _, digest in rows]))).scalars())
            # A ledger that may not be written now must not keep the others waiting, nor be asked for ever.
            skipped |= left

    # ---- destroying

    def _end(self, ground: str, field: str, kept_before: str, digests: dict[str, list[str]]) -> Counter[str]:
        ended: Counter[str] = Counter()
        for ledger, some in digests.items():
            try:
                if field == PHOTO:
                    remove_photos(self.gridtrail, some)
                ended[field] += self._record(ledger, ground, field, kept_before, some)
            except HistoryBehind as behind:
                log.warning("nothing was destroyed in %s: %s", ledger, behind)
        return ended

    def _record(self, ledger: str, ground: str, field: str, kept_before: str, digests: list[str]) -> int:
        """The fact and the destruction, in one transaction."""
        act = self.gridtrail.erasure.system_act()
        with writing(self.database) as conn:
            query = sa.select(D.digest).where(D.ledger == ledger, D.digest.in_(digests), D.gone_at.is_(None)).order_by(D.digest)
            ours = list(conn.scalars(query if is_sqlite(conn) else query.with_for_update(skip_locked=True)))
            if not ours:
                return 0
            mine = sa.update(disclosures).where(D.ledger == ledger, D.digest.in_(ours))
            conn.execute(mine.values(**GONE, gone_at=utc_text(self.clock())))
            ending = Ending.end(
                act, None, uuid4(), ground=ground, field=field, kept_before=kept_before, digests=ours,
                backups_gone_by=gone_by(self.config, act.day),
            )  # fmt: skip
            self.gridtrail.ledgers.append(conn, ledger, drafts_of(ending))
        return len(ours)


def _of_emergencies(field: str, over_since: str) -> sa.Select[Any]:
    """Held values of a field that only cases of the urgency emergency name, all of them over since before a moment."""
    over = sa.and_(C.urgency == EMERGENCY, C.open.is_(False), C.changed_at < over_since)
    named = sa.select(I.digest).where(I.ledger == D.ledger, I.digest == D.digest)
    theirs = sa.select(C.case_id).where(C.ledger == I.ledger, C.case_id == I.stream, over)
    return sa.select(D.ledger, D.digest).where(
        D.field == field, D.gone_at.is_(None), sa.exists(named), ~sa.exists(named.where(~sa.exists(theirs)))
    )
