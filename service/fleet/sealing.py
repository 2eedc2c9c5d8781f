"""Seals tablets' work beforehand, so that driving them costs little more than sending. Read by ``many``."""

import base64
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.personal import Item, disclosed, pairs_of
from service.fleet.enlisting import Enlisted
from service.fleet.generated import steps_of
from service.fleet.plan import Step
from service.fleet.sealed import Sealed
from service.ledger.note import Checkpoint
from service.ledger.tree import Frontier, leaf_hash

BOOT = "fleet"


def seal(enlisted: Enlisted, entries: int, batch: int, begins: datetime, seed: int) -> Sealed:
    """A tablet's generated work, sealed in batches. Ids follow from the tablet too: the same people may work again on new tablets."""
    steps = steps_of(enlisted.member, entries, begins, f"{seed}/{enlisted.tablet}")
    key = Ed25519PrivateKey.from_private_bytes(enlisted.seed)
    tree, bodies, told = Frontier(), [], [told_of(step) for step in steps]
    lines = [entry_of(seq, step, personal) for seq, (step, (personal, _)) in enumerate(zip(steps, told, strict=True))]
    for first in range(0, len(steps), batch):
        bodies.append(_sealed(enlisted.origin, key, tree, lines[first : first + batch], len(steps)))
    items = [item for _, disclosed in told for item in disclosed]
    disclosures = orjson.dumps({"items": items}) if items else b""
    return Sealed(UUID(enlisted.tablet), enlisted.token, tree.size, tree.root(), bodies, disclosures)


def told_of(step: Step) -> tuple[list[Item], list[dict[str, str]]]:
    """What an entry vouches for, and its disclosures as they are sent; mostly nothing. Each is about somebody else."""
    if not step.personal:
        return [], []
    subject = str(uuid4())
    items, disclosures = disclosed(subject, pairs_of(step.personal))
    return items, [{"subject": subject, "area": step.area, "disclosure": each} for each in disclosures]


def _sealed(origin: str, key: Ed25519PrivateKey, tree: Frontier, lines: list[bytes], total: int) -> bytes:
    base = {"size": tree.size, "root": base64.b64encode(tree.root()).decode()}
    tree.extend(map(leaf_hash, lines))
    last = {
        "seal": Checkpoint(origin, tree.size, tree.root()).sign(key),
        "base": base,
        "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "mono_ms": 10**9,
        "boot": BOOT,
        "waiting": total - tree.size,
    }
    return b"\n".join([*lines, orjson.dumps(last), b""])


def entry_of(seq: int, step: Step, personal: list[Item]) -> bytes:
    """The bytes of one entry."""
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
