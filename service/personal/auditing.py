"""Accounts for every personal value: each digest in an event is there, erased on record, still to come, or missing. Read by the audit.

A digest is *ok* where its disclosure opens and hashes to it, *erased* where a ``subject.erased`` of its subject or a
``personal.retention_ended`` that names it explains that it is gone, and *pending* where its event is so young that the value may still
come. Anything else is a fault. The other way round, a ciphertext that no event explains is a fault too, once it is older than that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

from domain.clock import utc_text
from domain.personal import BadDisclosure, read_disclosure
from domain.subject import Retention, Subject
from projections import personal_items
from projections.recorded import Recorded, read_line
from service.database import reading
from service.personal.tables import disclosures
from service.personal.vault import ERASED, Vault, digest_of

T = TypeVar("T")
PAGE = 500
Histories = Iterable[tuple[str, Iterable[bytes]]]
"""Ledgers with their lines in order."""
D, I = disclosures.c, personal_items.C  # noqa: E741
TOPICS = (Subject.Erased.TOPIC, Subject.ErasureCompleted.TOPIC, Retention.Ended.TOPIC)
MARKS = (b'"personal":[', *(topic.encode() for topic in TOPICS))
"""One of these stands in every line that matters here; most lines need not be parsed."""

MISSING, NOT_DESTROYED, UNEXPLAINED, OTHER_FIELD = "value_missing", "value_not_destroyed", "value_unexplained", "value_of_another_field"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold: kind, and the exact place. position is None for a value that no event names."""

    ledger: str
    position: int | None
    kind: str
    digest: str
    subject: str | None
    field: str | None

    def __str__(self) -> str:
        where = f"{self.ledger} at {self.position}" if self.position is not None else f"{self.ledger}, in no event"
        return f"{self.kind}: {self.field or 'a value'} of subject {self.subject} in {where} (digest {self.digest})"


@dataclass(frozen=True, slots=True)
class Item:
    """What an event says of one value."""

    ledger: str
    position: int
    subject: str
    field: str
    digest: str
    recorded_at: str


@dataclass(slots=True)
class Account:
    """What was counted, and what still has to be explained."""

    ok: int = 0
    erased: int = 0
    ended: int = 0
    pending: int = 0
    unnamed: int = 0
    absent: list[Item] = field(default_factory=list)
    erasing: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)

    def counts(self) -> dict[str, int]:
        """The counts by name: ok, erased, ended, pending, unnamed."""
        return {name: getattr(self, name) for name in ("ok", "erased", "ended", "pending", "unnamed")}


def faults(gridtrail: Any, account: Account | None = None, *, histories: Histories | None = None) -> Iterator[Fault]:
    """Every fault in the personal values of a deployment, in the order of the ledgers.

    histories  each ledger with its lines in order; what the database holds where they are not given
    account    takes the counts
    """
    account = account if account is not None else Account()
    young = utc_text(gridtrail.clock() - timedelta(hours=gridtrail.config.pending_hours))
    with reading(gridtrail.database) as conn:
        told = histories if histories is not None else _histories(gridtrail, conn)
        for ledger, lines in told:
            named: set[str] = set()
            for item, text in _opened(conn, gridtrail.vault, ledger, lines, account):
                named.add(item.digest)
                yield from _look_at(item, text, account)
            yield from _unexplained(conn, ledger, named, young, account)
        yield from _explained(account, young)
        yield from _not_destroyed(conn, account)


def _histories(gridtrail: Any, conn: sa.Connection) -> Iterator[tuple[str, Iterable[bytes]]]:
    for ledger in gridtrail.ledgers.ledgers(conn):
        yield ledger, _lines(gridtrail, conn, ledger)


def _lines(gridtrail: Any, conn: sa.Connection, ledger: str) -> Iterator[bytes]:
    start = 0
    while page := gridtrail.ledgers.lines(conn, ledger, start, 1000):
        yield from page
        start += len(page)


def _opened(conn: sa.Connection, vault: Vault, ledger: str, lines: Iterable[bytes], account: Account) -> Iterator[tuple[Item, Any]]:
    """Every item of a ledger with what the vault has under its digest."""
    items = _items(ledger, lines, account)
    while page := list(islice(items, PAGE)):
        opened = vault.open(conn, [item.digest for item in page], closing=True)
        for item in page:
            yield item, opened[item.digest]


def _items(ledger: str, lines: Iterable[bytes], account: Account) -> Iterator[Item]:
    for line in lines:
        if not any(mark in line for mark in MARKS):
            continue
        recorded = read_line(line)
        _note(recorded, account)
        for said in recorded.fields.get("personal") or ():
            yield Item(ledger, recorded.position, said["subject"], said["field"], said["digest"], recorded.recorded_at)


def _note(recorded: Recorded, account: Account) -> None:
    """What an event explains."""
    if recorded.topic == Subject.Erased.TOPIC:
        account.erasing.add(recorded["subject"])
    elif recorded.topic == Subject.ErasureCompleted.TOPIC:
        account.completed.add(recorded["subject"])
    elif recorded.topic == Retention.Ended.TOPIC:
        account.over.update(recorded["digests"])


def _look_at(item: Item, text: Any, account: Account) -> Iterator[Fault]:
    if text is None or text is ERASED:
        account.absent.append(item)
    elif digest_of(text) != item.digest:
        yield _fault(item, MISSING)
    elif _field_of(text) != item.field:
        yield _fault(item, OTHER_FIELD)
    else:
        account.ok += 1


def _explained(account: Account, young: str) -> Iterator[Fault]:
    """What is absent is explained, or a fault."""
    for item in account.absent:
        if item.subject in account.erasing:
            account.erased += 1
        elif item.digest in account.over:
            account.ended += 1
        elif item.recorded_at > young:
            account.pending += 1
        else:
            yield _fault(item, MISSING)


def _not_destroyed(conn: sa.Connection, account: Account) -> Iterator[Fault]:
    """What is there although the history says that it was destroyed."""
    where = sa.and_(I.ledger == D.ledger, I.digest == D.digest)
    query = sa.select(D.ledger, I.position, D.digest, D.subject, D.field).outerjoin_from(disclosures, personal_items.TABLE, where)
    query = query.where(D.ciphertext.is_not(None)).order_by(D.ledger, I.position)
    for column, gone in ((D.subject, [UUID(each) for each in account.completed]), (D.digest, account.over)):
        for some in batched(sorted(gone), PAGE):
            for row in conn.execute(query.where(column.in_(some))):
                account.ok -= row.position is not None
                yield Fault(row.ledger, row.position, NOT_DESTROYED, row.digest, str(row.subject), row.field)


def _unexplained(conn: sa.Connection, ledger: str, named: set[str], young: str, account: Account) -> Iterator[Fault]:
    """Ciphertexts beside a ledger that none of its events names."""
    last = ""
    query = sa.select(D.digest, D.subject, D.field, D.kept_at).where(D.ledger == ledger, D.ciphertext.is_not(None)).order_by(D.digest)
    while page := conn.execute(query.where(D.digest > last).limit(PAGE)).all():
        last = page[-1].digest
        for row in page:
            if row.digest in named:
                continue
            account.unnamed += 1
            if row.kept_at <= young:
                yield Fault(ledger, None, UNEXPLAINED, row.digest, str(row.subject), row.field)


def _field_of(text: str) -> str | None:
    try:
        return read_disclosure(text).field
    except BadDisclosure:
        return None


def _fault(item: Item, kind: str) -> Fault:
    return Fault(item.ledger, item.position, kind, item.digest, item.subject, item.field)


def batched(items: list[T], size: int) -> Iterator[list[T]]:
    """The items in portions."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
