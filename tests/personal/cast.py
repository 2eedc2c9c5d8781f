"""The cast of the tests of personal values: grandmother Zhou 周 and old Wu 吴, what is known of them, and how it is kept."""

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from domain.aggregate import Act
from domain.books import Books
from domain.clock import utc_text
from domain.visit import Visit
from projections.recorded import read_line
from service.config import Config
from service.database import reading, writing
from service.inspection import drafts_of
from service.ledger.tree import Frontier, leaf_hash
from service.personal.auditing import Account, Fault, faults
from service.personal.erasure import Order
from service.personal.vault import ERASED, Kept, Outcome, digest_of
from service.wiring import Gridtrail

SUB_A, SUB_B = "411502001", "411502002"
ZHOU = UUID("c2a7d9f4-6f1c-4c5e-9d6d-0d4e6b0d1a01")
WU = UUID("5f0e3b62-0f8f-4c1d-8a6f-2f5f6a1b7c02")


class HandClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**by)


def gridtrail_on(url: str, vault_url: str, folder: Path, **settings: object) -> Gridtrail:
    """The wired pieces on two databases, with keys and photos in a folder."""
    config = Config(
        database_url=url, vault_url=vault_url, vault_key_file=str(folder / "vault.key"), signing_key_file=str(folder / "signing.key"),
        photos_url=str(folder / "photos"), erasures_file=str(folder / "erasures.journal"), **settings,
    )  # fmt: skip
    return Gridtrail(config, clock=HandClock())


def disclosure(field: str, value: object) -> str:
    """A disclosure as a tablet makes it."""
    text = json.dumps([base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode(), field, value], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def value_of(text: str) -> object:
    """The value in a disclosure."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))[2]


def kept(subject: UUID, field: str, value: object, ledger: str = SUB_A) -> Kept:
    """One value to keep."""
    text = disclosure(field, value)
    return Kept(ledger, subject, field, digest_of(text), text)


def keep(gridtrail: Gridtrail, *items: Kept) -> list[Outcome]:
    """Keeps values in a transaction of their own; the outcome of each."""
    with writing(gridtrail.database) as conn:
        outcomes = gridtrail.vault.keep(conn, items)
    return [outcomes[item.digest] for item in items]


def seen(gridtrail: Gridtrail, *items: Kept) -> list[object]:
    """What a reader sees of values: the value, ERASED, or None."""
    with reading(gridtrail.database) as conn:
        opened = gridtrail.vault.open(conn, [item.digest for item in items])
    return [text if (text := opened[item.digest]) is ERASED or text is None else value_of(text) for item in items]


# ---- what happened

GRID_A, GRID_B = "411502001001001", "411502002001001"
WORKER = "0a1b2c3d-0000-4000-8000-00000000000a"


def act(gridtrail: Gridtrail) -> Act:
    """Li's act, now."""
    now = utc_text(gridtrail.clock())
    return Act(by=WORKER, role="worker", happened_at=now, day=now[:10])


def visit(gridtrail: Gridtrail, *items: Kept, ledger: str = SUB_A) -> UUID:
    """A visit that vouches for values; gives its stream."""
    stream = uuid4()
    area = GRID_A if ledger == SUB_A else GRID_B
    personal = [{"subject": str(item.subject), "field": item.field, "digest": item.digest} for item in items]
    made = Visit.make(act(gridtrail), Books.default(), stream, area=area, household="H-17", outcome="met", personal=personal)
    with writing(gridtrail.database) as conn:
        gridtrail.ledgers.append(conn, ledger, drafts_of(made))
    return stream


def told(gridtrail: Gridtrail, subject: UUID, field: str, value: object, ledger: str = SUB_A) -> Kept:
    """A value that was brought, and the visit that vouches for it."""
    item = kept(subject, field, value, ledger)
    keep(gridtrail, item)
    visit(gridtrail, item, ledger=ledger)
    return item


def zhou_and_wu(gridtrail: Gridtrail) -> dict[str, Kept]:
    """What was told of Zhou in two subdistricts, and of her neighbour Wu."""
    items = {
        "name": told(gridtrail, ZHOU, "resident_name", "周桂兰"),
        "phone": told(gridtrail, ZHOU, "resident_phone", "13800000001"),
        "health": told(gridtrail, ZHOU, "health_note", "高血压, 每天服药", SUB_B),
        "neighbour": told(gridtrail, WU, "resident_name", "吴老"),
    }
    gridtrail.follower.catch_up()
    return items


def order(gridtrail: Gridtrail, ground: str = "request") -> Order:
    """Zhou asked for it in a letter."""
    return Order(ground, "2026-11-20", gridtrail.erasure.system_act(), "letter/2026-118")


def topics(gridtrail: Gridtrail, ledger: str) -> list[str]:
    """The topics of a ledger's events, in order."""
    with reading(gridtrail.database) as conn:
        return [read_line(line).topic for line in gridtrail.ledgers.lines(conn, ledger)]


def fields_of_last(gridtrail: Gridtrail, ledger: str, topic: str) -> dict:
    """What the latest event of a topic says."""
    with reading(gridtrail.database) as conn:
        return [read for line in gridtrail.ledgers.lines(conn, ledger) if (read := read_line(line)).topic == topic][-1].fields


def root_at(gridtrail: Gridtrail, ledger: str, size: int) -> bytes:
    """The root of a ledger's first entries, hashed anew."""
    frontier = Frontier()
    with reading(gridtrail.database) as conn:
        frontier.extend(leaf_hash(line) for line in gridtrail.ledgers.lines(conn, ledger, 0, size))
    return frontier.root()


def found(gridtrail: Gridtrail) -> tuple[list[Fault], dict[str, int]]:
    """What the audit says of the personal values: faults and counts."""
    account = Account()
    return list(faults(gridtrail, account)), account.counts()
