"""How often somebody may fail to log in: counted in the database, so that all processes share the count. Read by service.identity."""

import hashlib
import uuid
from datetime import timedelta

import sqlalchemy as sa

from domain.clock import Clock, utc_text
from service.database import reading, writing
from service.problems import Problem

ADDRESS_FACTOR = 5
"""An address may fail this many times as often as a login: an office shares one address."""


class Throttle:
    """Counts attempts by login and by address within a window of time, in a table with id, subject and at."""

    def __init__(self, engine: sa.Engine, table: sa.Table, clock: Clock, most: int, window: timedelta) -> None:
        self.engine = engine
        self.table = table
        self.clock = clock
        self.most = most
        self.window = window

    def count(self, login: str, address: str) -> list[uuid.UUID]:
        """Counts an attempt before it is decided, and commits the count: attempts made at once all see each other.

        Gives the counted attempt, for ``forget``. Problem too_many_attempts where there were too many. Such an attempt is not counted,
        or whoever keeps trying would never be let in again.
        """
        limits = {subject_of("login", login): self.most, subject_of("address", address): self.most * ADDRESS_FACTOR}
        attempts = self._write(list(limits))
        counting = sa.select(self.table.c.subject, sa.func.count()).where(self.table.c.subject.in_(limits)).group_by(self.table.c.subject)
        with reading(self.engine) as conn:
            counts = {subject: count for subject, count in conn.execute(counting)}
        if any(counts.get(subject, 0) > limit for subject, limit in limits.items()):
            with writing(self.engine) as conn:
                conn.execute(self.table.delete().where(self.table.c.id.in_(attempts)))
            seconds = int(self.window.total_seconds())
            raise Problem("too_many_attempts", f"Wait up to {seconds // 60} minutes and try again.", headers={"Retry-After": str(seconds)})
        return attempts

    def _write(self, subjects: list[str]) -> list[uuid.UUID]:
        now = self.clock()
        ids = [uuid.uuid4() for _ in subjects]
        rows = [{"id": each, "subject": subject, "at": utc_text(now)} for each, subject in zip(ids, subjects, strict=True)]
        with writing(self.engine) as conn:
            conn.execute(self.table.delete().where(self.table.c.at < utc_text(now - self.window)))
            conn.execute(self.table.insert(), rows)
        return ids

    def forget(self, login: str, attempt: list[uuid.UUID]) -> None:
        """A right password clears the login's count, and of the address's this one attempt: an office may log in as often as it likes.

        The address keeps its failures, or one known account would clear a guesser's.
        """
        mine = (self.table.c.subject == subject_of("login", login)) | self.table.c.id.in_(attempt)
        with writing(self.engine) as conn:
            conn.execute(self.table.delete().where(mine))


def subject_of(kind: str, value: str) -> str:
    """Who is counted, as a digest: what was typed as a login may be a password."""
    return hashlib.sha256(f"{kind}:{value.strip().lower()}".encode("utf-8", "surrogatepass")).hexdigest()
