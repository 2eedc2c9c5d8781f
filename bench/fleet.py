"""Tablets with batches sealed beforehand, so that the load generator only sends bytes. Read by the parts of bench."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.fleet.generated import cast_of, steps_of
from service.fleet.plan import Member, Step
from service.fleet.sealing import told_of
from service.fleet.settling import person_of, settle
from service.imports.areas import Areas
from service.imports.recording import record_areas, terminal_actor
from service.ledger.note import Checkpoint
from service.ledger.tree import Frontier, leaf_hash
from service.seed.city import FROM_DAY
from service.sync.enrolment import proof_text
from service.wiring import Gridtrail

ENTRIES = 40
"""Entries of a batch: what one worker's day brings."""
BOOT = "bench"


@dataclass
class Tablet:
    """One enrolled tablet: its token, and the bodies that it sends, in order."""

    token: str
    bodies: list[bytes]


def grids_of(city: str, ledgers: int, grids: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Areas of a flat city with so many subdistricts, each with one community's grids; and the grids' codes, one ledger after another."""
    county = city + "02"
    areas: list[dict[str, Any]] = [{"code": city, "name": "City"}, {"code": county, "name": "District"}]
    codes: list[str] = []
    for ledger in range(1, ledgers + 1):
        subdistrict = f"{county}{ledger:03d}"
        areas.append({"code": subdistrict, "name": f"Subdistrict {ledger}"})
        areas.append({"code": subdistrict + "001", "name": f"Community {ledger}"})
        codes.extend(f"{subdistrict}001{grid:03d}" for grid in range(1, grids + 1))
    areas.extend({"code": code, "name": code, "kind": "general"} for code in codes)
    return [{"effective_from": FROM_DAY, **area} for area in areas], codes


def make_fleet(pieces: Gridtrail, tablets: int, batches: int, ledgers: int) -> list[Tablet]:
    """Registers areas and people, enrols the tablets and seals their batches."""
    areas, codes = grids_of(pieces.config.city, ledgers, max(1, min(10, tablets // ledgers)))
    record_areas(pieces, Areas(len(areas), areas))
    cast = cast_of(codes, tablets)
    settle(pieces, cast)
    return [_tablet(pieces, member, batches) for member in cast]


def _tablet(pieces: Gridtrail, member: Member, batches: int) -> Tablet:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    code = pieces.enrolment.make_code(terminal_actor(pieces.config), str(person_of(pieces.config.city, member.key)), member.units[0]).code
    proof = base64.b64encode(key.sign(proof_text(code, public))).decode()
    made = pieces.enrolment.enrol(code, public, proof)
    begins = datetime.now(UTC) - timedelta(days=7)
    steps = steps_of(member, batches * ENTRIES, begins, seed=1)
    return Tablet(made["token"], _sealed(made["origin"], key, steps))


def _sealed(origin: str, key: Ed25519PrivateKey, steps: list[Step]) -> list[bytes]:
    tree, bodies = Frontier(), []
    for first in range(0, len(steps), ENTRIES):
        base = {"size": tree.size, "root": base64.b64encode(tree.root()).decode()}
        entries = [entry_of(first + at, step) for at, step in enumerate(steps[first : first + ENTRIES])]
        tree.extend(leaf_hash(entry) for entry in entries)
        seal = {
            "seal": Checkpoint(origin, tree.size, tree.root()).sign(key),
            "base": base,
            "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "mono_ms": 10**9,
            "boot": BOOT,
            "waiting": len(steps) - tree.size,
        }
        bodies.append(b"\n".join([*entries, orjson.dumps(seal)]) + b"\n")
    return bodies


def entry_of(seq: int, step: Step) -> bytes:
    """The bytes of one entry. What it discloses is not sent: this measures entries."""
    personal, _ = told_of(step)
    return orjson.dumps(
        {
            "seq": seq,
            "kind": step.kind,
            "v": 1,
            "id": step.stream,
            "area": step.area,
            "occurred_at": step.at.isoformat(timespec="milliseconds"),
            "mono_ms": seq * 1000,
            "boot": BOOT,
            "data": {**step.data, "personal": personal} if personal else step.data,
        }
    )
