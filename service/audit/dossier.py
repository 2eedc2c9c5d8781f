"""One case as a folder that proves itself: lines, tablets' entries, photos and every proof, in one zip. Read by route and command.

The zip is the same, byte by byte, for the same state of the ledgers, the checkpoints, the vault and the photos: files in the order of
their names, without times, stored and not compressed (compression differs between versions of zlib).
"""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from projections import open_cases
from projections.sight import EVERYTHING, Sight
from service.audit.chain import Chain, chain_of
from service.audit.dossiers.gathering import Gathered, gather
from service.audit.dossiers.page import Facts, pages_of
from service.audit.dossiers.script import script
from service.audit.dossiers.verifier import KIND, READ_ME, manifest_bytes
from service.audit.dossiers.zones import zone_of
from service.audit.manifests import b64
from service.audit.proofs import write_proof
from service.database import reading
from service.problems import CATALOGUE, Problem
from service.scope import OutOfScope

CATALOGUE.update({"dossier_too_large": (409, "The case is too large for one answer")})

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


@dataclass(slots=True)
class Dossier:
    """The parts of a dossier. Photos are named only; their bytes are read while the zip is written."""

    case: str
    files: dict[str, bytes] = field(default_factory=dict)
    zone: dict[str, Any] = field(default_factory=dict)
    photos: dict[str, str] = field(default_factory=dict)
    """Path in the zip → SHA-256."""


class Dossiers:
    """Makes dossiers."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail

    def ledger_of(self, case: str, sight: Sight = EVERYTHING) -> tuple[str, str]:
        """Ledger and area of a case within sight. OutOfScope otherwise."""
        with reading(self.gridtrail.database) as conn:
            row = open_cases.get_case(conn, sight, case)
        if row is None:
            raise OutOfScope
        return str(row["ledger"]), str(row["area"])

    def make(self, case: str, *, sight: Sight = EVERYTHING, personal: bool = False, photos: bool = True) -> Dossier:
        """Gathers a case and proves each of its parts. OutOfScope where it is not within sight; Problem dossier_too_large.

        personal  opens the personal values that the vault holds; whoever asks for them puts that on record first
        photos    brings the pictures' bytes
        """
        ledger, _ = self.ledger_of(case, sight)
        gathered = gather(self.gridtrail, case, ledger, sight, personal=personal, photos=photos)
        self._must_fit(gathered)
        chains = self._chains(gathered)
        dossier = Dossier(case, zone=zone_of(self.gridtrail.config.zone, gathered.times()))
        dossier.photos = {f"photos/{name}.{SUFFIX[kind]}": name for name, (kind, _) in gathered.photos.items()}
        self._lines(dossier, gathered, chains)
        for (tablet, seq), entry in gathered.entries.items():
            dossier.files[f"tablets/{tablet}/{seq}.entry"] = entry.plain
            dossier.files[f"tablets/{tablet}/{seq}.tlog-proof"] = write_proof(seq, entry.hashes, entry.seal).encode()
        if personal:
            dossier.files["disclosures.json"] = _json(gathered.opened)
        self._pages(dossier, gathered, chains)
        dossier.files["dossier.json"] = self._manifest(dossier, gathered)
        return dossier

    def _must_fit(self, gathered: Gathered) -> None:
        most, size = self.gridtrail.config.dossier_max_bytes, sum(size for _, size in gathered.photos.values())
        if size > most:
            raise Problem("dossier_too_large", f"Its photos have {size} bytes; ask for it without photos.", max_bytes=most)

    def _chains(self, gathered: Gathered) -> dict[str, Chain]:
        """For each ledger that gives a line, the checkpoint that all of its lines are under."""
        last: dict[str, int] = {}
        for ledger, position in gathered.lines:
            last[ledger] = max(position, last.get(ledger, -1))
        return {ledger: chain_of(self.gridtrail, ledger, position + 1) for ledger, position in sorted(last.items())}

    def _lines(self, dossier: Dossier, gathered: Gathered, chains: dict[str, Chain]) -> None:
        with reading(self.gridtrail.database) as conn:
            for ledger, chain in chains.items():
                places = [position for name, position in gathered.lines if name == ledger]
                view = self.gridtrail.tiles.view(conn, ledger, chain.size)
                view.expect(places)
                for position in places:
                    name = f"ledgers/{ledger}/{position}"
                    dossier.files[f"{name}.json"] = gathered.lines[ledger, position]
                    dossier.files[f"{name}.tlog-proof"] = write_proof(position, view.inclusion(position), chain.note).encode()
                dossier.files[f"ledgers/{ledger}/checkpoint"] = chain.note.encode()
                if chain.proof is not None:
                    dossier.files[f"ledgers/{ledger}/checkpoint.tlog-proof"] = chain.proof.encode()

    def _pages(self, dossier: Dossier, gathered: Gathered, chains: dict[str, Chain]) -> None:
        logs = {
            ledger: {
                "origin": chain.origin,
                "size": chain.size,
                "root": b64(chain.root),
                "rooted": chain.rooted,
                "signatures": chain.signatures,
            }
            for ledger, chain in chains.items()
        }
        facts = Facts(
            dossier.case,
            gathered.ledger,
            dossier.zone,
            gathered.searched,
            {place: json.loads(line) for place, line in gathered.lines.items()},
            gathered.opened,
            {name: path for path, name in dossier.photos.items()},
            {place: entry.size for place, entry in gathered.entries.items()},
            logs,
        )
        dossier.files |= pages_of(facts)
        dossier.files |= {"verify.py": script(), "READ-ME.txt": READ_ME.encode()}

    def _manifest(self, dossier: Dossier, gathered: Gathered) -> bytes:
        files = {name: {"bytes": len(plain), "sha256": sha256(plain).hexdigest()} for name, plain in dossier.files.items()}
        sizes = {path: gathered.photos[name][1] for path, name in dossier.photos.items()}
        files |= {path: {"bytes": sizes[path], "sha256": name} for path, name in dossier.photos.items()}
        return manifest_bytes(
            {
                "kind": KIND,
                "case": dossier.case,
                "ledger": gathered.ledger,
                "key": str(self.gridtrail.signer.verifier),
                "searched": gathered.searched,
                "zone": dossier.zone,
                "files": files,
            }
        )

    def stream(self, dossier: Dossier) -> Iterator[bytes]:
        """The zip in pieces, one file after another; a photo at a time is held in memory."""
        pieces = Pieces()
        with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as whole:  # type: ignore[call-overload]
            for name in sorted([*dossier.files, *dossier.photos]):
                plain = dossier.files.get(name)
                if plain is None:
                    plain = self.gridtrail.photos.store.get(dossier.photos[name]) or b""
                entry = zipfile.ZipInfo(f"dossier-{dossier.case}/{name}", FIXED_TIME)
                entry.create_system, entry.external_attr = 3, 0o100644 << 16
                whole.writestr(entry, plain)
                yield pieces.taken()
        yield pieces.taken()


class Pieces:
    """A file that cannot be sought, so that a zip is written in one pass, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def write(self, plain: bytes) -> int:
        self.held.append(bytes(plain))
        return len(plain)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        whole = b"".join(self.held)
        self.held.clear()
        return whole


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
