"""A small city with a cast, told through the use cases and the tablets: what every test of the web layer starts from.

Li and Wang each walk a grid of community A, Bai one of B. Zhao runs community A, Chen runs subdistrict A, Qian runs subdistrict B,
Feng is fire officer of subdistrict A, Sun audits the city, Guan administers it, and Nobody has an account and no assignment.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from service.config import Config
from service.ledger import schema
from service.scope import Actor, Grant
from service.tablet_client import Answer, Tablet
from service.wiring import Gridtrail, make_app
from tests.settled import settle

CITY, COUNTY = "4115", "411502"
SUBDISTRICT_A, SUBDISTRICT_B = "411502001", "411502002"
COMMUNITY_A, COMMUNITY_B = "411502001001", "411502002001"
GRID_A1, GRID_A2, GRID_B1 = "411502001001001", "411502001001002", "411502002001001"
FIRE = f"{SUBDISTRICT_A}/fire"
PASSWORD = "correct horse battery"
NAMES = UUID("5b1d4c5e-3c2b-4c57-9d8e-6a6f0f2c9a01")

CAST = {
    "li": ("worker", GRID_A1),
    "wang": ("worker", GRID_A2),
    "bai": ("worker", GRID_B1),
    "zhao": ("officer", COMMUNITY_A),
    "chen": ("officer", SUBDISTRICT_A),
    "qian": ("officer", SUBDISTRICT_B),
    "feng": ("officer", FIRE),
    "sun": ("auditor", CITY),
    "guan": ("administrator", CITY),
    "nobody": None,
}
CANARY = "canary-{}-never-outside"


class HandClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**by)


def person_id(name: str) -> str:
    """The id of one of the cast."""
    return str(uuid5(NAMES, name))


class Wire:
    """Brings a tablet's requests to the app."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One request."""
        answer = self.app.test_client().open(url.removeprefix("http://city"), method=method, headers=headers, data=body)
        return Answer(answer.status_code, dict(answer.headers), answer.data)


class City:
    """The city, its service, and hands to act in it."""

    def __init__(self, gridtrail: Gridtrail, clock: HandClock, folder: Path) -> None:
        self.gridtrail = gridtrail
        self.clock = clock
        self.app = make_app(gridtrail)
        self.root = Actor(person_id("root"), (Grant("administrator", CITY),))
        self.folder = folder
        self.tablets: dict[str, Tablet] = {}
        self.tokens: dict[str, str] = {}
        self.cases: dict[str, str] = {}
        self.tokens |= settle(gridtrail.database, "city", self._tell)
        for where in (GRID_A1, GRID_A2, GRID_B1):
            self.cases[where] = self.report(where)
        for name in ("li", "wang", "bai"):
            self.upload_a_day(name)

    def _tell(self) -> dict[str, str]:
        """Areas, people and their accounts; gives the tokens."""
        inspection = self.gridtrail.inspection
        for code in (CITY, COUNTY, SUBDISTRICT_A, SUBDISTRICT_B, COMMUNITY_A, COMMUNITY_B, GRID_A1, GRID_A2, GRID_B1):
            kind = {"kind": "general"} if len(code) == 15 else {}
            inspection.register_area(self.root, {"code": code, "name": f"area {code}", "effective_from": "2026-01-01", **kind})
        for name, assignment in CAST.items():
            self.hire(name, assignment)
        return dict(self.tokens)

    def hire(self, name: str, assignment: tuple[str, str] | None, **more: str) -> None:
        """One more person with an account."""
        inspection, identity, person = self.gridtrail.inspection, self.gridtrail.identity, person_id(name)
        inspection.register_person(self.root, CITY, UUID(person))
        if assignment:
            role, unit = assignment
            said = {"assignment": str(uuid4()), "role": role, "unit": unit, "from_day": "2026-01-01", **more}
            inspection.change_person(self.root, CITY, person, "assign", said)
        identity.create_account(person, name, PASSWORD, label=f"label of {name}")
        self.tokens[name] = identity.make_token(person, "test").token

    def report(self, area: str, **said: Any) -> str:
        """A case in an area, reported by its worker, whose summary nobody outside may ever see."""
        worker = Actor(person_id(f"worker of {area}"), (Grant("worker", area),))
        said = {"category": "gridtrail/1/A01", "summary": CANARY.format(area), **said}
        case, _ = self.gridtrail.inspection.report_case(worker, area, said)
        self.catch_up()
        return case

    def upload_a_day(self, name: str) -> None:
        """A worker's tablet uploads a patrol, a visit, and an entry that is refused and kept."""
        area = CAST[name][1]  # type: ignore[index]
        tablet = self.tablets[name] = self.enrol(name)
        patrol, refused = str(uuid4()), str(uuid4())
        tablet.record("patrol.started", patrol, area, {})
        tablet.record("patrol.checkpoint_passed", patrol, area, {"checkpoint": "gate"})
        tablet.record("patrol.finished", patrol, area, {})
        tablet.record("visit.made", str(uuid4()), area, {"household": CANARY.format(area), "outcome": "met", "care_group": "living_alone"})
        tablet.record("case.reported", refused, area, {"category": "no/such/category", "summary": CANARY.format(area)})
        tablet.sync()
        self.catch_up()

    def enrol(self, name: str) -> Tablet:
        """A tablet in the hands of one of the cast."""
        code = self.gridtrail.enrolment.make_code(self.root, person_id(name)).code
        path = str(self.folder / f"{uuid4().hex}.db")
        return Tablet.enrol("http://city", code, path, transport=Wire(self.app), wall=self.clock, mono=lambda: 1.0, sleep=lambda _: None)

    def catch_up(self) -> None:
        """Lets all read models follow."""
        self.gridtrail.follower.catch_up()

    def client(self, name: str | None = None) -> "Hand":
        """A hand that sends requests as one of the cast, or as a stranger."""
        return Hand(self.app.test_client(), self.tokens[name] if name else None)


class Hand:
    """Sends requests with a token."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: Any) -> Any:
        """GET."""
        return self.client.get(path, query_string=query or None, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST of a JSON body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json={} if body is None else body, headers={**self.headers, **named})

    def delete(self, path: str) -> Any:
        """DELETE."""
        return self.client.delete(path, headers=self.headers)


def build(url: str, tmp: Path, **settings: Any) -> City:
    """The city on an empty database, or one that has all tables and nothing in them."""
    clock = HandClock()
    config = Config(
        database_url=url,
        signing_key_file=str(tmp / "signing.key"),
        watermark_file=str(tmp / "signed.journal"),
        photos_url=str(tmp / "photos"),
        vault_url=f"sqlite:///{tmp}/vault.db",
        vault_key_file=str(tmp / "vault.key"),
        erasures_file=str(tmp / "erasures.journal"),
        wait_for_position_s=0.05,
        log_format="json",
        base_url="http://city",
        **settings,
    )
    gridtrail = Gridtrail(config, clock=clock)
    if not sa.inspect(gridtrail.database).has_table("events"):
        schema.create_all(gridtrail.database)
    schema.stamp(gridtrail.database)
    return City(gridtrail, clock, tmp)
