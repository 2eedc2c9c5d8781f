"""What belongs to one case: its lines, those that say whose tablets and which areas they name, refused entries, photos, personal values.

Read by the dossier. Everything is told from recorded lines; the read models only say where to look.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.areas import area_of, ledger_of
from projections import refusals
from projections.sight import Sight
from service.audit.dossiers.page import fields_of, open_disclosure, personal_of, seq_of
from service.audit.dossiers.verifier import entry_in
from service.database import reading
from service.inspection import area_stream, book_stream
from service.ledger.tree import inclusion_proof
from service.problems import Problem
from service.sync.history import leaf_of
from service.sync.tables import photos as photo_rows
from service.sync.tables import tablet_states

Place = tuple[str, int]
PAGE = 1_000
MOST_LINES = 20_000
"""Lines of one dossier; no case has a thousandth of them, and a forged one must not fill the memory."""
STANDING = ("tablet.enrolled", "tablet.revoked", "tablet.forked", "tablet.reinstated")
PERSONAL_PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class Entry:
    """A tablet's entry with the proof under the earliest recorded seal that covers it."""

    plain: bytes
    hashes: Sequence[bytes]
    seal: str
    size: int


@dataclass(slots=True)
class Gathered:
    """The parts of one case.

    lines     (ledger, position) → stored line
    entries   (tablet, seq) → entry with its proof
    photos    SHA-256 → (media type, bytes)
    opened    digest → disclosure
    searched  ledgers in which refused entries were looked for
    """

    case: str
    ledger: str
    lines: dict[Place, bytes] = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    photos: dict[str, tuple[str, int]] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)
    searched: list[str] = field(default_factory=list)

    def add(self, lines: Iterable[bytes]) -> None:
        """Adds lines at the places that they say."""
        for line in lines:
            told = orjson.loads(line)
            self.lines[told["ledger"], told["position"]] = bytes(line)
        if len(self.lines) > MOST_LINES:
            raise Problem("dossier_too_large", f"More than {MOST_LINES} lines belong to it.", max_lines=MOST_LINES)

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines parsed, in the order of their places."""
        for place in sorted(self.lines):
            yield orjson.loads(self.lines[place])

    def times(self) -> list[str]:
        """Every time that the page may show."""
        named = ("happened_at", "accept_due_at", "dispatch_due_at", "muster_due_at", "due_at")
        found = [line["recorded_at"] for line in self.read()]
        for line in self.read():
            fields = fields_of(line)
            found += [fields[name] for name in named if isinstance(fields.get(name), str)]
        return found


def gather(gridtrail: Any, case: str, ledger: str, sight: Sight, *, personal: bool, photos: bool) -> Gathered:
    """All parts of a case, in one view of the database."""
    found = Gathered(case, ledger)
    with reading(gridtrail.database) as conn:
        found.add(gridtrail.ledgers.streams(conn, ledger, [UUID(case)]).get(UUID(case), []))
        _refusals(gridtrail, conn, found, sight)
        _tablets(gridtrail, conn, found)
        _areas(gridtrail, conn, found)
        _books(gridtrail, conn, found)
        _subjects(gridtrail, conn, found, personal)
        if photos:
            _photos(gridtrail, conn, found)
    return found


def _tablets_of(found: Gathered) -> list[str]:
    return sorted({line["state"]["tablet"] for line in found.read() if (line.get("state") or {}).get("tablet")})


def _refusals(gridtrail: Any, conn: sa.Connection, found: Gathered, sight: Sight) -> None:
    """Refused entries that name the case, in its own ledger, those above it, and those of the tablets that had a part in it."""
    tablets = [UUID(tablet) for tablet in _tablets_of(found)]
    theirs = conn.scalars(sa.select(tablet_states.c.ledger).where(tablet_states.c.tablet.in_(tablets))) if tablets else ()
    known = gridtrail.ledgers.ledgers(conn)
    found.searched = sorted({found.ledger, found.ledger[:6], found.ledger[:4], *theirs} & set(known))
    c = refusals.TABLE.c
    query = sa.select(c.ledger, c.refusal_id).where(c.ledger.in_(found.searched), sight.where(c.area), c.about == found.case)
    for ledger, refusal in conn.execute(query.limit(MOST_LINES)).all():
        found.add(gridtrail.ledgers.streams(conn, ledger, [UUID(refusal)]).get(UUID(refusal), []))


def _tablets(gridtrail: Any, conn: sa.Connection, found: Gathered) -> None:
    """Each tablet's enrolment and standing, its entries here, and their proofs under its own seals; of refused ones no bytes are here."""
    wanted: dict[str, dict[int, bytes]] = {}
    for place in sorted(found.lines):
        line = orjson.loads(found.lines[place])
        state, seq, plain = line.get("state") or {}, seq_of(line), entry_in(line, found.lines[place])
        if plain is not None and seq is not None and state.get("code") != "forked":
            wanted.setdefault(state["tablet"], {})[seq] = plain
    for tablet in _tablets_of(found):
        ledger = conn.scalar(sa.select(tablet_states.c.ledger).where(tablet_states.c.tablet == UUID(tablet)))
        if ledger is None:
            continue
        for topic in STANDING:
            found.add(gridtrail.ledgers.find(conn, ledger, stream=UUID(tablet), topic=topic))
        _seal(gridtrail, conn, found, tablet, ledger, wanted.get(tablet, {}))


def _seal(gridtrail: Any, conn: sa.Connection, found: Gathered, tablet: str, ledger: str, wanted: dict[int, bytes]) -> None:
    """Proves a tablet's entries under the earliest recorded seals that cover them."""
    if not wanted:
        return
    uploads = list(_uploads(gridtrail, conn, ledger, UUID(tablet), max(wanted)))
    leaves = _leaves(gridtrail, conn, UUID(tablet), orjson.loads(uploads[-1])["state"]["size"]) if uploads else []
    for seq, plain in sorted(wanted.items()):
        line = next((line for line in uploads if orjson.loads(line)["state"]["size"] > seq), None)
        if line is None:
            continue
        state = orjson.loads(line)["state"]
        found.add([line])
        found.entries[tablet, seq] = Entry(plain, inclusion_proof(leaves[: state["size"]], seq), state["seal"], state["size"])


def _uploads(gridtrail: Any, conn: sa.Connection, ledger: str, tablet: UUID, last: int) -> Iterator[bytes]:
    """The tablet's uploads in order, up to the one that covers entry ``last``."""
    start = 0
    while True:
        page = gridtrail.ledgers.find(conn, ledger, start=start, limit=PAGE, stream=tablet, topic="tablet.uploaded")
        for line in page:
            yield bytes(line)
            told = orjson.loads(line)
            start = told["position"] + 1
            if told["state"]["size"] > last:
                return
        if len(page) < PAGE:
            return


def _leaves(gridtrail: Any, conn: sa.Connection, tablet: UUID, size: int) -> list[bytes]:
    """Leaf hashes of the tablet's tree: of its events and kept refusals, in the order of their sequence."""
    leaves: list[bytes] = []
    for first in range(0, size, PAGE):
        seen: dict[int, bytes] = {}
        for seq, _, _, _, line in gridtrail.ledgers.uploaded(conn, tablet, first, min(first + PAGE, size) - 1):
            seen.setdefault(seq, leaf_of(bytes(line)))
        leaves += [seen[seq] for seq in sorted(seen)]
    return leaves


def _areas(gridtrail: Any, conn: sa.Connection, found: Gathered) -> None:
    """The lines that say what the areas are called that the page names, so that the names are proven too."""
    codes: set[str] = set()
    for line in list(found.read()):
        fields = fields_of(line)
        units = [fields.get(name) for name in ("area", "holder", "from_holder", "to", "lead", "unit", "registrar")]
        units += fields["assists"] if isinstance(fields.get("assists"), list) else []
        codes |= {area_of(unit) for unit in units if isinstance(unit, str) and area_of(unit).isdigit()}
    for code in sorted(codes):
        stream = area_stream(code)
        found.add(gridtrail.ledgers.streams(conn, ledger_of(code), [stream]).get(stream, []))


def _books(gridtrail: Any, conn: sa.Connection, found: Gathered) -> None:
    """The published book that names the case's category; none where the city uses the shipped one without having published it."""
    city = found.ledger[:4]
    for line in list(found.read()):
        scheme, _, rest = str(fields_of(line).get("category") or "").partition("/")
        if line["topic"] != "case.reported" or not rest:
            continue
        stream = book_stream(city, "categories", scheme)
        for published in gridtrail.ledgers.streams(conn, city, [stream]).get(stream, []):
            fields = fields_of(orjson.loads(published))
            if fields.get("version") == rest.partition("/")[0] and "content" in fields:
                found.add([published])


def _subjects(gridtrail: Any, conn: sa.Connection, found: Gathered, personal: bool) -> None:
    """The erasures of people whose data the case names, and, where asked for, what the vault holds."""
    named = [each for line in found.read() for each in personal_of(line)]
    ledgers = {line["ledger"] for line in found.read() if personal_of(line)}
    for ledger in sorted(ledgers):
        subjects = sorted({UUID(subject) for _, subject, _ in named})
        for lines in gridtrail.ledgers.streams(conn, ledger, subjects).values():
            found.add(lines)
    if personal and named:
        opened = gridtrail.vault.open(conn, sorted({digest for digest, _, _ in named}))
        found.opened = {digest: text for digest, text in sorted(opened.items()) if isinstance(text, str)}


def _photos(gridtrail: Any, conn: sa.Connection, found: Gathered) -> None:
    """The pictures that lines or opened values name and whose bytes were brought."""
    names: set[str] = set()
    for line in found.read():
        photos = fields_of(line).get("photos")
        names |= {photo for photo in photos if isinstance(photo, str)} if isinstance(photos, list) else set()
    for disclosure in found.opened.values():
        name, value = open_disclosure(disclosure)
        names |= {value} if name == PERSONAL_PHOTO and isinstance(value, str) else set()
    rows = conn.execute(sa.select(photo_rows).where(photo_rows.c.sha256.in_(sorted(names)))).all() if names else ()
    found.photos = {row.sha256: (row.media_type, row.bytes) for row in rows if gridtrail.photos.store.has(row.sha256)}
