"""The cast of the tests of personal values: grandmother Zhou 周 and old Wu 吴, what is known of them, and how it is kept."""

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from service.config import Config
from service.database import reading, writing
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
        photos_url=str(folder / "photos"), **settings,
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
