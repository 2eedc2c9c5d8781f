"""A small town for the tests of the exchange: a few areas, a cast, tablets in their hands, and a network that can fail."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

from service.config import Config
from service.ledger import p256
from service.ledger.note import Checkpoint, PrivateKey, Verifier, verifier_of_tablet
from service.ledger.tree import Frontier, leaf_hash
from service.scope import Actor, Grant
from service.sync.codes import proof_text
from service.tablet_client import Answer, Tablet
from service.wiring import Gridtrail, make_app
from tests.settled import settle

CITY, COUNTY, SUB_A, SUB_B = "4115", "411502", "411502001", "411502002"
COMM_A, COMM_B = "411502001001", "411502002001"
A1, A2, B1 = "411502001001001", "411502001001002", "411502002001001"
FIRE = f"{SUB_A}/fire"
PEOPLE = UUID("0a1b2c3d-0000-5000-8000-000000000001")
ROOT = Actor(str(uuid5(PEOPLE, "root")), (Grant("administrator", CITY),))
CAST = {
    "li": [("worker", A1, "2026-01-01", None)],
    "wang": [("worker", A2, "2026-01-01", None)],
    "zhao": [("officer", COMM_A, "2026-01-01", None)],
    "chen": [("officer", SUB_A, "2026-01-01", None)],
    "feng": [("officer", FIRE, "2026-01-01", None)],
    "moved": [("worker", A1, "2026-01-01", "2026-11-19"), ("worker", B1, "2026-11-20", None)],
    "qian": [("worker", B1, "2026-01-01", None)],
}
CATEGORY = "gridtrail/1/A01"
OFFICER = Actor(str(uuid5(PEOPLE, "chen")), (Grant("officer", SUB_A),))


def person(name: str) -> str:
    """The id of one of the cast."""
    return str(uuid5(PEOPLE, name))


def new_key(algorithm: str = "ed25519") -> PrivateKey:
    """A key that a tablet could have."""
    return p256.PrivateKey.generate() if algorithm == "p256" else Ed25519PrivateKey.generate()


class HandClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**by)


class Network:
    """Sends a tablet's requests to the app. before and after may raise OSError, and so lose the request or its answer."""

    def __init__(self, town: "Town") -> None:
        self.town = town
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.sent: list[tuple[str, str, int]] = []

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One request."""
        self.before()
        path = url.removeprefix("http://town")
        answer = self.town.app.test_client().open(path, method=method, headers=headers, data=body)
        self.sent.append((method, path, answer.status_code))
        self.after()
        return Answer(answer.status_code, dict(answer.headers), answer.data)


class Town:
    """The service with its town, and hands to act in it."""

    def __init__(self, database: sa.Engine, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.clock = HandClock()
        config = Config(
            origin="gridtrail.test", base_url="http://town", signing_key_file=str(folder / "signing.key"),
            watermark_file=str(folder / "signed.journal"),
            photos_url=str(folder / "photos"), vault_url=f"sqlite:///{folder}/vault.db", vault_key_file=str(folder / "vault.key"),
            erasures_file=str(folder / "erasures.journal"),
            wait_for_position_s=0.05, log_format="json", upload_attempts=20, **settings,
        )  # fmt: skip
        self.gridtrail = Gridtrail(config, clock=self.clock, database=database)
        self.network = Network(self)
        settle(database, ("town", ROOT), self._tell)

    @cached_property
    def app(self) -> Flask:
        """The service's application: not every test needs it."""
        return make_app(self.gridtrail)

    def _tell(self) -> None:
        for code in (CITY, COUNTY, SUB_A, SUB_B, COMM_A, COMM_B, A1, A2, B1):
            self.gridtrail.inspection.register_area(ROOT, {"code": code, "name": f"area {code}", "effective_from": "2026-01-01"})
        for name, assignments in CAST.items():
            self.hire(name, assignments)

    def hire(self, name: str, assignments: list[tuple[str, str, str, str | None]]) -> None:
        """Registers a person with assignments."""
        self.gridtrail.inspection.register_person(ROOT, CITY, UUID(person(name)))
        for role, unit, first, last in assignments:
            self.hire_again(name, unit, role, first, last)

    def hire_again(self, name: str, unit: str, role: str = "worker", first: str = "2026-01-01", last: str | None = None) -> None:
        """Gives a person one more assignment."""
        said = {"assignment": str(uuid4()), "role": role, "unit": unit, "from_day": first, **({"to_day": last} if last else {})}
        self.gridtrail.inspection.change_person(ROOT, CITY, person(name), "assign", said)

    def code(self, name: str) -> str:
        """An enrolment code for one of the cast."""
        return self.gridtrail.enrolment.make_code(ROOT, person(name)).code

    def tablet(self, name: str, file: str | None = None, **options: Any) -> Tablet:
        """A tablet with the reference client, in the hands of one of the cast."""
        path = str(self.folder / (file or f"{uuid4().hex}.db"))
        return Tablet.enrol("http://town", self.code(name), path, **{**self.options(), **options})

    def options(self) -> dict[str, Any]:
        """How a test's client is set up."""
        return {
            "transport": self.network, "wall": self.clock, "mono": lambda: self.clock.now.timestamp() - 1_700_000_000,
            "sleep": lambda _: None, "chance": lambda: 0.5,
        }  # fmt: skip

    def hand(self, name: str, algorithm: str = "ed25519") -> "Hand":
        """A tablet whose every byte the test writes itself."""
        return Hand(self, name, algorithm)

    def events(self, topic: str | None = None) -> list[dict[str, Any]]:
        """All recorded lines of a topic, or of what tablets sent."""
        found = []
        with self.gridtrail.database.connect() as conn:
            for ledger in self.gridtrail.ledgers.ledgers(conn):
                found += [orjson.loads(line) for line in self.gridtrail.ledgers.lines(conn, ledger, 0, 10_000)]
        return [each for each in found if topic is None or each["topic"] == topic]

    def uploaded(self) -> list[dict[str, Any]]:
        """The events that entries of tablets became, refused ones apart."""
        return [each for each in self.events() if "entry" in each.get("state", {}) and each["topic"] != "refused.kept"]


class Hand:
    """A tablet by hand: a key, a token, a tree."""

    def __init__(self, town: Town, name: str, algorithm: str = "ed25519") -> None:
        self.town, self.algorithm = town, algorithm
        self.key = new_key(algorithm)
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        code = town.code(name)
        proof = base64.b64encode(self.key.sign(proof_text(code, public))).decode()
        told = town.gridtrail.enrolment.enrol(code, public, proof, algorithm=algorithm)
        self.token, self.origin, self.id, self.ledger = told["token"], told["origin"], told["tablet"], told["ledger"]
        self.frontier = Frontier()

    @property
    def verifier(self) -> Verifier:
        """What opens its seals."""
        return verifier_of_tablet(self.origin, self.key.public_key().public_bytes_raw(), self.algorithm)

    def entry(self, seq: int, kind: str = "visit.made", area: str = A1, data: Any = None, **members: Any) -> bytes:
        """The bytes of an entry."""
        data = {"household": "H-1", "outcome": "met"} if data is None else data
        entry = {
            "seq": seq, "kind": kind, "v": 1, "id": str(uuid4()), "area": area, "occurred_at": self.town.clock.now.isoformat(),
            "mono_ms": 1_000, "boot": "b", "data": data, **members,
        }  # fmt: skip
        return json.dumps(entry, separators=(",", ":")).encode()

    def body(self, lines: list[bytes], base: Frontier | None = None, key: Any = None, origin: str | None = None, **said: Any) -> bytes:
        """A whole batch body on top of a frontier (this tablet's own, if none is given)."""
        base = base if base is not None else self.frontier
        after = base.copy()
        after.extend(leaf_hash(line) for line in lines)
        seal = Checkpoint(origin or self.origin, after.size, after.root()).sign(key or self.key)
        last = {
            "seal": seal, "base": {"size": base.size, "root": base64.b64encode(base.root()).decode()},
            "sent_at": self.town.clock.now.isoformat(), "mono_ms": 2_000, "boot": "b", "waiting": 0, **said,
        }  # fmt: skip
        return b"".join(line + b"\n" for line in [*lines, json.dumps(last).encode()])

    def post(self, body: bytes, token: str | None = None, process: Any = None, **headers: str) -> Any:
        """Sends a body as it is, to the town's one process or to another that stands beside it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            (process or self.town.app)
            .test_client()
            .post(
                "/v1/sync/batches",
                data=body,
                headers={"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {token or self.token}", **named},
            )
        )

    def send(self, lines: list[bytes]) -> Any:
        """Sends the next entries, and moves on where they were taken."""
        answer = self.post(self.body(lines))
        if answer.status_code == 200:
            self.frontier.extend(leaf_hash(line) for line in lines)
        return answer
