"""The roll-up as a document: canonical JSON, signed as a C2SP signed note. Read by the sealing, the recount and whoever verifies a file.

    gridtrail/summary@v1
    {"checkpoint":{…},"counting":"1","counts":{…},"indicators":[…],"kind":"gridtrail/summary@v1","ledger":"411502001",…}
                                                     (an empty line)
    — gridtrail.example <signature>

The document is the second line: members sorted, no spaces, whole numbers and texts only. So the same counts, book and checkpoint are the
same bytes on every machine, and a difference is a difference of facts.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from domain.books import Books, Item
from domain.indicators import COUNTING, indicators_of, weighted
from domain.periods import Period
from domain.rulebook import digest_of
from service.ledger.note import BadNote, Signer, Verifier, open_note, sign_note, split_note

KIND = "gridtrail/summary@v1"
LONGEST_FILE = 262_144


class NoSummary(ValueError):
    """A file or a record that is no roll-up, or not the one that it says it is; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Summed:
    """What a roll-up says: the counts of a period of a ledger, and the tree that they were counted in.

    until: the moment up to which was counted; the period's end where it is over. root: base64.
    """

    ledger: str
    period: Period
    zone: str
    start: str
    until: str
    counts: Mapping[str, int]
    origin: str
    size: int
    root: str


def write(summed: Summed, book: Item) -> bytes:
    """The document, with the indicators of a book of that kind."""
    period = summed.period
    indicators = indicators_of(book.content)
    whole = {
        "kind": KIND,
        "ledger": summed.ledger,
        "period": {
            "name": period.name,
            "first_day": period.first,
            "end_day": period.end,
            "start": summed.start,
            "until": summed.until,
            "zone": summed.zone,
        },
        "counting": COUNTING,
        "counts": dict(summed.counts),
        "indicators": [{**each.told(), **each.value(summed.counts)} for each in indicators],
        "total": weighted(indicators, summed.counts),
        "weights": {
            "name": book.name,
            "version": book.version,
            "effective_from": book.effective_from,
            "sha256": digest_of(book.content),
        },
        "checkpoint": {"origin": summed.origin, "size": summed.size, "root": summed.root},
    }
    return canonical(whole)


def canonical(whole: Mapping[str, Any]) -> bytes:
    """The one form of a document, a line."""
    return json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def digest(document: bytes) -> str:
    """SHA-256 of a document: what a sealed roll-up is known by."""
    return sha256(document).hexdigest()


def sign(document: bytes, signer: Signer) -> str:
    """The signed note."""
    return sign_note(f"{KIND}\n{document.decode()}", signer)


def open_file(note: str, verifiers: Verifier | Iterable[Verifier] | None) -> bytes:
    """The document of a signed file. NoSummary where nobody known signed it, or it is none. Without verifiers no signature is checked."""
    try:
        text = split_note(note)[0] if verifiers is None else open_note(note, verifiers)
    except BadNote as wrong:
        raise NoSummary(f"{wrong}.") from wrong
    head, _, line = text.partition("\n")
    if head != KIND:
        raise NoSummary(f"This is {head[:60]!r}, not {KIND}.")
    return line.encode()


def read(document: bytes) -> dict[str, Any]:
    """The members of a document. NoSummary unless it is a roll-up in its one form whose shares follow from its counts."""
    try:
        whole: dict[str, Any] = json.loads(document, parse_float=_no_float, parse_constant=_no_float)
        if canonical(whole) != document:
            raise NoSummary("It is not written in the one form that a roll-up has.")
        _must_add_up(whole)
    except NoSummary:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise NoSummary(f"It is no roll-up: {type(wrong).__name__}: {wrong}.") from wrong
    return whole


def _no_float(word: str) -> Any:
    raise ValueError(f"{word} is no whole number")


def _must_add_up(whole: dict[str, Any]) -> None:
    if whole["kind"] != KIND or whole["counting"] != COUNTING:
        raise NoSummary(f"It counts by the rules {whole['counting']!r} of {whole['kind']!r}; this Gridtrail knows {COUNTING!r} of {KIND}.")
    counts = whole["counts"]
    if not all(type(number) is int and number >= 0 for number in counts.values()):
        raise NoSummary("Its counts are not whole numbers.")
    indicators = indicators_of(whole)
    for told, each in zip(whole["indicators"], indicators, strict=True):
        if {**each.told(), **each.value(counts)} != told:
            raise NoSummary(f"{each.code} does not follow from the counts.")
    if weighted(indicators, counts) != whole["total"]:
        raise NoSummary("The weighted total does not follow from the indicators.")


def of_record(ledger: str, said: Mapping[str, Any], books: Books) -> bytes:
    """The document of a sealed roll-up, written again from what was recorded. NoSummary where it cannot be: the book is not to be found.

    said: the fields of ``summary.sealed``, counts as a dict.
    """
    period = Period.of(said["period"])
    summed = Summed(
        ledger=ledger,
        period=period,
        zone=said["zone"],
        start=period.start_at(ZoneInfo(said["zone"])),
        until=said["until"],
        counts=said["counts"],
        origin=said["origin"],
        size=said["size"],
        root=said["root"],
    )
    for book in books.labelled("indicators", said["book"]):
        document = write(summed, book)
        if digest(document) == said["digest"]:
            return document
    raise NoSummary(f"The roll-up {said['period']} of {ledger} cannot be written again: no book {said['book']} leads to its digest.")
