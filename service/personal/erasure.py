"""Erases a person: records it, destroys the key, the values and the photos, takes them out of the files, records that it is done.

The order makes a crash at any step harmless. First the fact, in every ledger that vouches for something of the subject, so that what is
missing is explained; then the journal outside both databases; then the key takes nothing new; then photos (their names are values), the
key, the ciphertexts, the remains in the files; last the second fact. Every step can be done again, and ``resume`` does what is not done.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

from domain.aggregate import Act
from domain.clock import local_day, utc_text
from domain.subject import Subject
from projections import erasures, personal_items
from projections.recorded import read_line
from service.database import reading, writing
from service.inspection import drafts_of
from service.ledger.mapper import aggregate_of
from service.ledger.store import HistoryBehind, VersionTaken
from service.ledger.tables import events
from service.personal.journal import Journal
from service.personal.removing import photo_digests, remove_photos
from service.personal.scrubbing import scrub_keys, scrub_values
from service.personal.tables import disclosures
from service.personal.vault import ERASED
from service.scope import OutOfScope

SUBJECT_STREAMS = UUID("7b1c3a52-5d0e-5c7f-9b0e-2f8d1c6a4e33")
SYSTEM = "system"
GONE = {"kid": None, "nonce": None, "ciphertext": None}
D, E, I = disclosures.c, erasures.C, personal_items.C  # noqa: E741


@dataclass(frozen=True, slots=True)
class Order:
    """Why somebody is erased, and on whose decision. requested_at is a day; reference names a letter or a case file, never a person."""

    ground: str
    requested_at: str
    act: Act
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What an erasure came to. again: everything had been done before, and nothing was recorded."""

    subject: str
    ledgers: list[str]
    values: int
    photos: int
    photos_kept: int
    checks: list[str]
    again: bool


class Erasure:
    """The erasure of subjects. Holds no state beside its pieces."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.ledgers = gridtrail.ledgers
        self.vault = gridtrail.vault
        self.keystore = gridtrail.vault.keystore
        self.config = gridtrail.config
        self.clock = gridtrail.clock
        self.journal = Journal(gridtrail.config.erasures_file)

    # ---- what is asked for

    def erase(self, subject: UUID, order: Order) -> Done:
        """Erases a subject everywhere. OutOfScope where nothing was ever said of it; NotScrubbed (a Busy) where files could not be cleaned
        now: then all is recorded and destroyed, and resume does the rest.
        """
        ledgers = self.ledgers_of(subject)
        if not ledgers:
            raise OutOfScope
        for ledger in ledgers:
            self._record_erased(ledger, subject, order)
        self._note(subject, order)
        return self.finish(subject, order.act)

    def system_act(self) -> Act:
        """An act of the service itself, now."""
        now = utc_text(self.clock())
        return Act(by=SYSTEM, role=SYSTEM, happened_at=now, day=local_day(now, self.config.zone))

    def resume(self) -> int:
        """Does what is left of every erasure: one that a crash cut short, and one whose subject turned up in a further ledger since.

        Gives how many subjects there was something to do for.
        """
        count = 0
        for subject, order in self._begun(self._recorded()).items():
            if not self._is_done(subject):
                count += 1
                self._again(subject, order)
        return count

    def reapply(self) -> int:
        """Applies every erasure again after a restore, before anybody may read: destroys first, records where a ledger may be written.

        Gives how many subjects there are. What a held ledger keeps from being recorded, resume records later.
        """
        with reading(self.database) as conn:
            # Read models need not be what the restored history says yet.
            lines = conn.scalars(sa.select(events.c.line).where(events.c.topic == Subject.Erased.TOPIC)).all()
        begun = self._begun([read_line(line).fields for line in lines])
        came_back = {subject: self._destroy(subject) for subject in begun}
        if any(came_back.values()):
            self._scrub()
        for subject, order in begun.items():
            try:
                self._again(subject, order, came_back[subject])
            except HistoryBehind:
                continue
        return len(begun)

    def _again(self, subject: UUID, order: Order, came_back: bool = False) -> None:
        for ledger in self.ledgers_of(subject):
            self._record_erased(ledger, subject, order)
        self._note(subject, order)
        self.finish(subject, order.act, came_back)

    # ---- who is erased

    def ledgers_of(self, subject: UUID) -> list[str]:
        """The ledgers that vouch for something of the subject, or beside which something of it is kept."""
        with reading(self.database) as conn:
            kept = set(conn.scalars(sa.select(D.ledger).where(D.subject == subject).distinct()))
            return sorted(kept | set(conn.scalars(sa.select(I.ledger).where(I.subject == str(subject)).distinct())))

    def _recorded(self) -> list[dict[str, Any]]:
        """Why each subject was erased, as the read model has it."""
        with reading(self.database) as conn:
            return [dict(row) for row in conn.execute(sa.select(E.subject, E.ground, E.requested_at, E.reference)).mappings()]

    def _begun(self, recorded: list[dict[str, Any]]) -> dict[UUID, Order]:
        """Every subject whose erasure has begun, as the ledgers, the journal and the key store know it, with why."""
        begun: dict[UUID, Order] = {}
        for line in [*self.journal.erased().values(), *recorded]:
            if line.get("ground"):
                begun[UUID(line["subject"])] = Order(line["ground"], line["requested_at"], self.system_act(), line.get("reference"))
        for subject in self.keystore.closed():
            begun.setdefault(subject, Order("request", self.system_act().day, self.system_act()))
        return begun

    def _is_done(self, subject: UUID) -> bool:
        held = self._count(D.subject == subject, D.gone_at.is_(None))
        destroyed = self.keystore.closed().get(subject, False)
        return not held and destroyed and all(self._is_completed(ledger, subject) for ledger in self.ledgers_of(subject))

    def _is_completed(self, ledger: str, subject: UUID) -> bool:
        found = self._load(ledger, subject)[1]
        return found is not None and found.completed

    def _count(self, *where: sa.ColumnElement[bool]) -> int:
        with reading(self.database) as conn:
            return conn.scalar(sa.select(sa.func.count()).select_from(disclosures).where(*where)) or 0

    # ---- the two facts

    def _load(self, ledger: str, subject: UUID) -> tuple[UUID, Subject | None]:
        """The subject's stream in a ledger. Should somebody have given that id to something else, the next one."""
        for number in range(16):
            stream = uuid5(SUBJECT_STREAMS, f"{ledger}/{subject}/{number}")
            with reading(self.database) as conn:
                found = aggregate_of(self.ledgers.streams(conn, ledger, [stream]).get(stream, []))
            if found is None or (isinstance(found, Subject) and found.subject == str(subject)):
                return stream, found
        raise RuntimeError(f"All ids of subject {subject} in ledger {ledger} are taken.")

    def _record_erased(self, ledger: str, subject: UUID, order: Order) -> None:
        while True:
            stream, known = self._load(ledger, subject)
            if known is not None:
                return
            made = Subject.erase(
                order.act, None, stream, subject=str(subject), ground=order.ground, requested_at=order.requested_at,
                reference=order.reference, **self._found(ledger, subject, order.act.day),
            )  # fmt: skip
            try:
                with writing(self.database) as conn:
                    self.ledgers.append(conn, ledger, drafts_of(made))
            except VersionTaken:
                continue
            return

    def _found(self, ledger: str, subject: UUID, day: str) -> dict[str, Any]:
        """What there is to destroy in a ledger, as the first fact says it."""
        with reading(self.database) as conn:
            held = Counter(conn.scalars(sa.select(D.field).where(D.ledger == ledger, D.subject == subject, D.gone_at.is_(None))))
        key = self.keystore.keys([subject]).get(subject)
        return {
            "count": held.total(),
            "fields": dict(sorted(held.items())),
            "kids": [str(key.kid)] if key is not None else [],
            "backups_gone_by": gone_by(self.config, day),
        }

    def _record_completed(self, ledger: str, subject: UUID, act: Act, counts: dict[str, int], checks: list[str]) -> None:
        while True:
            _, known = self._load(ledger, subject)
            if known is None:
                return
            values = self._count(D.ledger == ledger, D.subject == subject, D.gone_at.is_not(None))
            keys = int(self.keystore.had_key(subject))
            known.complete(act, None, values=values, keys=keys, **counts, checks=checks)
            try:
                with writing(self.database) as conn:
                    self.ledgers.append(conn, ledger, drafts_of(known))
            except VersionTaken:
                continue
            return

    def _note(self, subject: UUID, order: Order) -> None:
        if "ground" not in self.journal.erased().get(subject, {}):
            said = {"ground": order.ground, "reference": order.reference, "requested_at": order.requested_at}
            self.journal.note({"subject": str(subject), **said, "at": utc_text(self.clock())})

    # ---- destroying

    def finish(self, subject: UUID, act: Act, came_back: bool = False) -> Done:
        """Destroys what there is of a subject whose erasure is recorded, looks whether it is gone, and records that."""
        changed = self._destroy(subject) or came_back
        ledgers = self.ledgers_of(subject)
        noted = self.journal.erased().get(subject, {})
        counts = {"photos": noted.get("photos", 0), "photos_kept": noted.get("photos_kept", 0)}
        todo = [ledger for ledger in ledgers if changed or not self._is_completed(ledger, subject)]
        checks = [*self._scrub(), *self._check(subject)] if todo else []
        for ledger in todo:
            self._record_completed(ledger, subject, act, counts, checks)
        values = self._count(D.subject == subject, D.gone_at.is_not(None))
        return Done(str(subject), ledgers, values, **counts, checks=checks, again=not todo)

    def _destroy(self, subject: UUID) -> bool:
        """The photos, the key, the ciphertexts. True where there was anything left."""
        self.keystore.close(subject)
        self._remove_photos(subject)
        key = self.keystore.destroy(subject)
        return self._blank(subject) > 0 or key

    def _remove_photos(self, subject: UUID) -> None:
        with writing(self.database) as conn:
            # Whoever found the key open before it was closed has committed by now.
            self.vault.hold(conn, subject)
            digests = photo_digests(conn, subject)
        if digests:
            gone, kept = remove_photos(self.gridtrail, digests, closing=True)
            # Nothing is found where the key is destroyed already: then they were dealt with, and counted, before.
            if gone or kept:
                self.journal.note({"subject": str(subject), "photos": gone, "photos_kept": kept, "at": utc_text(self.clock())})

    def _blank(self, subject: UUID) -> int:
        with writing(self.database) as conn:
            self.vault.hold(conn, subject)
            mine = sa.update(disclosures).where(D.subject == subject, D.gone_at.is_(None))
            return conn.execute(mine.values(**GONE, gone_at=utc_text(self.clock()))).rowcount

    def _scrub(self) -> list[str]:
        return [scrub_keys(self.keystore.engine), scrub_values(self.database)]

    def _check(self, subject: UUID) -> list[str]:
        """Looks at what stands there now. RuntimeError where something of the subject can still be read."""
        key = self.keystore.keys([subject]).get(subject)
        with reading(self.database) as conn:
            digests = list(conn.scalars(sa.select(D.digest).where(D.subject == subject)))
            left = conn.scalar(sa.select(sa.func.count()).where(D.subject == subject, D.ciphertext.is_not(None)))
            opened = set(self.vault.open(conn, digests, closing=True).values())
        if key is None or key.open or key.secret is not None or left or opened - {ERASED}:
            raise RuntimeError(f"Something of subject {subject} is still there; its erasure is not done.")
        return ["key_destroyed", "values_gone", "nothing_opens"]


def gone_by(config: Any, day: str) -> str:
    """The day by which no backup holds any more what was destroyed on a day."""
    return (date.fromisoformat(day) + timedelta(days=config.backup_keep_days)).isoformat()


def reapply(gridtrail: Any) -> int:
    """Applies every erasure again after a restore. Gives how many subjects were erased. Called by ``gridtrail restore``."""
    return Erasure(gridtrail).reapply()
