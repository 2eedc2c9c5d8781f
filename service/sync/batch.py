"""Takes one body of ``POST /v1/sync/batches`` apart and verifies its form, before anybody looks at what it says.

A body cut short is never taken for a whole one: it ends in a seal line, which names the size and the root of the tablet's tree.
Faults of the body or of the seal refuse the batch; a fault of one entry stays with that entry.
"""

import re
import time
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm

from domain.entries import KINDS
from domain.errors import Refusal
from domain.personal import CARRIERS, NEVER_PLAIN
from domain.refusals import PersonalText, UndeclaredPersonalField
from service.config import Config
from service.ledger.note import BadNote, Checkpoint, Verifier, open_checkpoint, unbase64
from service.problems import CATALOGUE, Problem
from service.schemas.entries import SAFE_INTEGER, SHAPES, VERSIONS, is_area, is_uuid
from service.sync.refusals import InvalidField, MalformedEntry, UnknownKind, UnknownVersion
from service.sync.strict import NotStrict, strict_loads

CATALOGUE.update(
    {
        "length_required": (411, "Content-Length is required"),
        "length_mismatch": (400, "The body is not as long as Content-Length says"),
        "unsupported_encoding": (415, "The body's encoding is not read here"),
        "bad_gzip": (400, "The body is not one whole gzip member"),
        "too_many_entries": (413, "Too many entries in one batch"),
        "entry_too_large": (413, "An entry is too long"),
        "no_seal": (400, "The body does not end in a seal"),
        "bad_seal": (400, "The seal cannot be read"),
        "wrong_seal": (400, "The seal is not this tablet's"),
        "wrong_sequence": (400, "The entries are not numbered one after another"),
        "too_slow": (408, "The body took too long"),
    }
)

MEDIA_TYPE = "application/x-ndjson"
CHUNK = 16_384
MEMBERS = ("seq", "kind", "v", "id", "area", "occurred_at", "mono_ms", "boot", "data")
ENTRY_MEMBERS = frozenset(MEMBERS)
BOOT = re.compile(r"[A-Za-z0-9._:-]{1,36}")
SEAL_MEMBERS = frozenset({"seal", "base", "sent_at", "mono_ms", "boot", "waiting"})


class Headers(Protocol):
    """A request's headers."""

    def get(self, name: str, default: str, /) -> str:
        """The header's value, or the default."""
        ...


class Readable(Protocol):
    """Where a body comes from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


@dataclass(slots=True)
class Line:
    """One entry as it came: its exact bytes, what they say, and what is wrong with its form (None if nothing)."""

    seq: int
    raw: bytes
    entry: dict[str, Any] | None
    fault: Refusal | None


@dataclass(frozen=True, slots=True)
class Seal:
    """The last line of a batch, verified: note is the signed checkpoint, checkpoint what it says."""

    note: str
    checkpoint: Checkpoint
    base_size: int
    base_root: bytes
    sent_at: str
    mono_ms: int
    boot: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries base_size..size-1 of a tablet, and their seal."""

    lines: list[Line]
    seal: Seal


def read_body(headers: Headers, stream: Readable, config: Config) -> bytes:
    """The body's bytes, inflated. Problem for a wrong type, encoding or length; costs little however large the body is."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Problem("unsupported_media_type", f"A batch is {MEDIA_TYPE}.")
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Problem("unsupported_encoding", "Send the body plain or with Content-Encoding: gzip.", allowed=["gzip", "identity"])
    said = headers.get("Content-Length", "")
    if not (said.isascii() and said.isdigit()):
        raise Problem("length_required", "Say how many bytes the body has.")
    length = int(said[:20])
    if length > config.batch_max_bytes:
        raise Problem("too_large", "The body is longer than allowed.", max_bytes=config.batch_max_bytes)
    body = _read(stream, length, config.batch_max_seconds)
    return _inflate(body, config.batch_max_inflated_bytes) if encoding == "gzip" else body


def _read(stream: Readable, length: int, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    chunks, missing = [], length
    while missing and (chunk := stream.read(min(missing, CHUNK))):
        chunks.append(chunk)
        missing -= len(chunk)
        if time.monotonic() > deadline:
            raise Problem("too_slow", "Send smaller batches.", max_seconds=seconds)
    if missing:
        raise Problem("length_mismatch", f"{length - missing} bytes came of {length}.", expected=length, received=length - missing)
    return b"".join(chunks)


def _inflate(body: bytes, limit: int) -> bytes:
    """Inflates at most limit bytes, whatever the body claims to hold."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as wrong:
        raise Problem("bad_gzip", "The gzip data is damaged.") from wrong
    if len(plain) > limit:
        raise Problem("too_large", "The inflated body is longer than allowed.", max_inflated_bytes=limit)
    if not inflater.eof or inflater.unused_data:
        raise Problem("bad_gzip", "The body must be exactly one gzip member, from its first byte to its last.")
    return plain


def decode_batch(body: bytes, tablet: Verifier, config: Config) -> Batch:
    """The batch in a body: seal verified with the tablet's key, entries numbered one after another. Problem otherwise."""
    if not body.endswith(b"\n"):
        raise Problem("no_seal", "The body is cut short: its last line does not end.")
    if body.count(b"\n") > config.batch_max_entries + 1:
        raise Problem("too_many_entries", "Send fewer entries at a time.", max_entries=config.batch_max_entries)
    raws = body[:-1].split(b"\n")
    seal = _seal_of(raws.pop(), tablet, config.entry_max_depth)
    for index, raw in enumerate(raws):
        if len(raw) > config.entry_max_bytes:
            raise Problem("entry_too_large", "An entry is longer than allowed.", max_entry_bytes=config.entry_max_bytes, line=index + 1)
    if seal.checkpoint.size != seal.base_size + len(raws):
        raise Problem(
            "wrong_seal",
            "The sealed size is not the base's size plus the entries sent.",
            base=seal.base_size,
            entries=len(raws),
            size=seal.checkpoint.size,
        )
    return Batch([line_of(seal.base_size + index, raw, config.entry_max_depth) for index, raw in enumerate(raws)], seal)


def _seal_of(raw: bytes, tablet: Verifier, depth: int) -> Seal:
    try:
        said = strict_loads(raw, depth)
    except NotStrict as wrong:
        raise Problem("no_seal", f"The last line is no seal: {wrong}") from wrong
    if type(said) is not dict or "seal" not in said:
        raise Problem("no_seal", "The last line is no seal: the body is cut short.")
    fault = _fault_of_seal(said)
    if fault:
        raise Problem("bad_seal", fault)
    try:
        base_root = unbase64(said["base"]["root"])
        checkpoint = open_checkpoint(said["seal"], tablet)
    except (BadNote, UnsupportedAlgorithm) as wrong:
        raise Problem("wrong_seal", f"The seal does not verify with this tablet's key: {wrong}") from wrong
    if len(base_root) != 32:
        raise Problem("bad_seal", "base.root must be 32 bytes in base64.")
    return Seal(said["seal"], checkpoint, said["base"]["size"], base_root, said["sent_at"], said["mono_ms"], said["boot"], said["waiting"])


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= SAFE_INTEGER


def _is_short(value: Any, longest: int) -> bool:
    return type(value) is str and 1 <= len(value) <= longest and "\0" not in value


def _fault_of_seal(said: dict[str, Any]) -> str | None:
    if said.keys() != SEAL_MEMBERS:
        return f"The seal line has exactly the members {', '.join(sorted(SEAL_MEMBERS))}."
    base = said["base"]
    if type(base) is not dict or base.keys() != {"size", "root"} or not _is_count(base["size"]) or not _is_short(base["root"], 64):
        return "base must be an object with size (a whole number) and root (base64)."
    if not _is_short(said["seal"], 2048):
        return "seal must be a signed checkpoint of at most 2048 characters."
    if not _is_short(said["sent_at"], 40) or type(said["boot"]) is not str or not BOOT.fullmatch(said["boot"]):
        return "sent_at must be a short text, boot 1 to 36 of A-Z, a-z, 0-9 and ._:-."
    if not _is_count(said["mono_ms"]) or not _is_count(said["waiting"]):
        return "mono_ms and waiting must be whole numbers."
    return None


def line_of(seq: int, raw: bytes, depth: int) -> Line:
    """One entry, judged on its form alone. A line that bears another number than its place says is a fault of the whole batch."""
    try:
        entry = strict_loads(raw, depth)
    except NotStrict as wrong:
        return Line(seq, raw, None, MalformedEntry(str(wrong)))
    if type(entry) is not dict:
        return Line(seq, raw, None, MalformedEntry("The line is not an object."))
    said = entry.get("seq")
    if said != seq and type(said) is int:
        raise Problem("wrong_sequence", f"The entry in the place of {seq} has the number {said}.", expected=seq)
    fault = _fault_of_envelope(entry)
    if fault:
        return Line(seq, raw, None, fault)
    return Line(seq, raw, entry, fault_of_entry(entry))


def _fault_of_envelope(entry: dict[str, Any]) -> Refusal | None:
    """What keeps a line from being an entry at all; such a line is kept as raw bytes."""
    if entry.keys() != ENTRY_MEMBERS:
        names = sorted(ENTRY_MEMBERS ^ entry.keys())[:5]
        return MalformedEntry(f"An entry has exactly the members {', '.join(sorted(ENTRY_MEMBERS))}.", pointer="/" + names[0][:64])
    kind, moment, boot = entry["kind"], entry["occurred_at"], entry["boot"]
    right = (
        type(entry["seq"]) is int,
        type(kind) is str and 0 < len(kind) <= 64 and "\0" not in kind,
        type(entry["v"]) is int,
        is_uuid(entry["id"]),
        is_area(entry["area"]),
        type(moment) is str and 0 < len(moment) <= 40 and "\0" not in moment,
        _is_count(entry["mono_ms"]),
        type(boot) is str and BOOT.fullmatch(boot) is not None,
        type(entry["data"]) is dict,
    )
    if False in right:
        name = MEMBERS[right.index(False)]
        return MalformedEntry(f"{name} has not the form that the protocol names.", pointer=f"/{name}")
    return None


def fault_of_entry(entry: dict[str, Any]) -> Refusal | None:
    """What is wrong with the kind, the version or a field of a well-formed entry."""
    shape = SHAPES.get(entry["kind"])
    if shape is None or entry["kind"] not in KINDS:
        return UnknownKind(pointer="/kind")
    if entry["v"] not in VERSIONS:
        return UnknownVersion(pointer="/v")
    wrong = shape.fault(entry["data"])
    return _named(entry, *wrong) if wrong else None


def _named(entry: dict[str, Any], pointer: str, sentence: str) -> Refusal:
    """The refusal of a field that is wrong: with its own code where a person may be told of in a place that is not for it."""
    name = pointer.split("/")[2]
    instead = NEVER_PLAIN.get(entry["kind"], {}).get(name)
    if instead is not None:
        return PersonalText(field=instead, pointer=f"/data/{name}")
    if name == "personal" and entry["kind"] not in CARRIERS:
        return UndeclaredPersonalField(pointer="/data/personal")
    return InvalidField(sentence, pointer=pointer)
