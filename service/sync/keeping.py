"""What is kept of an entry that was refused: its leaf hash in the event, its bytes as a disclosure in the vault. Read by uploads.

Nobody knows what a faulty client wrote where, so no byte of a refused entry stands in a ledger. The leaf hash is enough to hash the
tablet's tree again; the bytes, salted and encrypted like any personal value, can be read, re-applied and erased.
"""

import base64
from typing import Any
from uuid import UUID, uuid5

import orjson

from domain.aggregate import Act
from domain.entries import KINDS
from domain.errors import Refusal
from domain.personal import REFUSED_ENTRY, digest_of, make_disclosure, read_disclosure
from domain.tablet import Refused
from projections.recorded import Recorded
from service.ledger.mapper import draft_of
from service.ledger.store import Draft
from service.ledger.tree import leaf_hash
from service.personal.vault import Kept
from service.schemas.entries import FIELDS, is_uuid
from service.sync.batch import MEMBERS, Line

MOST_DETAIL = 500
# The library's metaclass makes the events' constructors, which a type checker cannot see.
KEPT: Any = Refused.Kept
KNOWN_NAMES = frozenset({*FIELDS, *MEMBERS, "needs", "lat", "lon", "accuracy_m", "purpose", "subject", "field", "digest"})
"""What a pointer may name. Any other name is the client's own, and may be anything."""


def keep(tablet: UUID, line: Line, refusal: Refusal, area: str, act: Act, *, forked: bool = False) -> tuple[Draft, Kept]:
    """The draft that keeps an entry as refused, and its bytes for the vault. A forked entry is no leaf of the tree that we hold.

    The refusal's facts are freed of the entry's words, so that the answer says what the record says.
    """
    leaf = leaf_hash(line.raw)
    stream = uuid5(tablet, f"{'fork:' if forked else ''}{line.seq}:{leaf.hex()}")
    disclosure = make_disclosure(REFUSED_ENTRY, base64.b64encode(line.raw).decode())
    subject = subject_of(line.entry) or str(stream)
    item = {"subject": subject, "field": REFUSED_ENTRY, "digest": digest_of(disclosure)}
    refusal.facts = without_words_of(line.entry, refusal.facts)
    event = KEPT(
        originator_id=stream,
        originator_version=1,
        timestamp=None,
        originator_topic="",
        seq=line.seq,
        code=refusal.code,
        detail=refusal.detail[:MOST_DETAIL],
        area=area,
        person=act.by,
        leaf=base64.b64encode(leaf).decode(),
        kind=line.entry["kind"] if line.entry is not None and line.entry["kind"] in KINDS else None,
        about=about_of(line),
        facts=refusal.facts or None,
        personal=[item],
        **{**act.recorded(), "entry": None},
    )
    draft = draft_of(event, line.seq)
    if forked:
        draft.seq = None
    return draft, Kept(area[:9], UUID(subject), REFUSED_ENTRY, item["digest"], disclosure)


def subject_of(entry: dict[str, Any] | None) -> str | None:
    """Whom an entry is about, as far as it says so: the bytes are erased with that person. None where it names nobody."""
    said = entry["data"].get("personal") if entry is not None else None
    first = said[0] if isinstance(said, list) and said else None
    subject = first.get("subject") if isinstance(first, dict) else None
    return subject if is_uuid(subject) else None


def about_of(line: Line) -> str | None:
    """The patrol, visit or case that a line names, as far as it can be read: it finds the refusals of a case."""
    entry = line.entry
    if entry is None:
        try:
            entry = orjson.loads(line.raw)
        except orjson.JSONDecodeError:
            return None
    named = entry.get("id") if isinstance(entry, dict) else None
    return named.lower() if isinstance(named, str) and is_uuid(named.lower()) else None


def bytes_of(disclosure: str) -> bytes:
    """The entry's bytes, from what the vault kept."""
    return base64.b64decode(read_disclosure(disclosure).value)


def digest_of_kept(recorded: Recorded) -> str:
    """Under which digest the vault holds the bytes of a kept entry."""
    return str(recorded.state["personal"][0]["digest"])


# ---- facts without the entry's words


def without_words_of(entry: dict[str, Any] | None, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that say nothing in the entry's own words; a pointer's unknown names become ``*``."""
    words = set(_texts_in(entry["data"])) if entry is not None else set()
    kept = {name: value for name, value in facts.items() if words.isdisjoint(_texts_in(value))}
    if "pointer" in facts:
        parts = facts["pointer"].split("/")
        kept["pointer"] = "/".join(part if not part or part in KNOWN_NAMES or part.isdigit() else "*" for part in parts)
    return kept


def _texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, each in value.items() for text in (name, *_texts_in(each))]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _texts_in(each)]
    return []
