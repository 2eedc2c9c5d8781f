"""A roll-up computed again from a ledger's own lines: of the database, of a copy that was fetched, or of an export. Read by the commands.

Nothing that is stored beside the lines is believed: they are hashed to the tree that the roll-up names. For a folder no server and no
database is needed; its lines must lead to the signed checkpoint that lies beside them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from domain.books import Books
from domain.clock import local_day, parse_utc, utc_text
from domain.periods import Period, day_after
from projections import rulebooks
from projections.counting import Bounds, Counts, Recount
from projections.recorded import Recorded, read_line
from service.audit.export_reading import check_export
from service.audit.manifests import BadExport, b64
from service.audit.verifying.folders import FolderSource
from service.database import reading
from service.ledger.keys import log_origin
from service.ledger.note import BadNote, Checkpoint, Verifier, open_checkpoint, split_note
from service.ledger.tree import Frontier, leaf_hashes
from service.summaries import document
from service.summaries.document import NoSummary, Summed

PAGE = 1_000
SEALED = "summary.sealed"


class History(Protocol):
    """Where lines are read from."""

    def lines(self, ledger: str) -> Iterator[bytes]:
        """All lines of a ledger in order. NoSummary where there is none."""

    def origin(self, ledger: str) -> str:
        """The name under which the ledger's tree is signed."""

    def books(self, city: str) -> Books:
        """The rules that the city published."""


# ---- one ledger, read


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at a ledger tells: how long it is, when it was last recorded in, and the seal of a period, if there is one."""

    size: int
    last: str
    sealed: Recorded | None


@dataclass(frozen=True, slots=True)
class Recounted:
    """Counts of a period, and the tree in which they were counted. root: base64."""

    counts: Counts
    size: int
    root: str


def survey(history: History, ledger: str, period: str) -> Survey:
    """Looks at a ledger once."""
    size, last, sealed = 0, b"", None
    for page in _pages(history.lines(ledger)):
        size, last = size + len(page), page[-1]
        for line in page:
            if SEALED.encode() in line:
                event = read_line(line)
                if event.topic == SEALED and event["period"] == period:
                    sealed = event
    if not size:
        raise NoSummary(f"There is nothing of ledger {ledger} there.")
    return Survey(size, read_line(last).recorded_at, sealed)


def recount(history: History, ledger: str, bounds: Bounds, size: int) -> Recounted:
    """Counts a period in the first ``size`` lines of a ledger. NoSummary where there are fewer."""
    counting, tree = Recount(bounds), Frontier()
    for page in _pages(islice(history.lines(ledger), size)):
        tree.extend(leaf_hashes(page))
        counting.take(map(read_line, page))
    if tree.size != size:
        raise NoSummary(f"The roll-up is of {size} entries; of ledger {ledger} there are {tree.size}.")
    return Recounted(counting.counts(), size, b64(tree.root()))


def _pages(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while page := [bytes(line) for line in islice(lines, PAGE)]:
        yield page


# ---- a roll-up, made of it


def bounds_of(period: Period, zone: ZoneInfo, until: str) -> Bounds:
    """The bounds of a period that was counted up to a moment."""
    start, end = period.start_at(zone), period.end_at(zone)
    if until >= end:
        return Bounds(start, end, period.first, period.end)
    return Bounds(start, max(start, until), period.first, max(period.first, min(period.end, day_after(local_day(until, zone)))))


def make(history: History, ledger: str, period: Period, zone: str, *, now: str, size: int | None = None) -> bytes:
    """The document of the present numbers, or of those at a size of the ledger. A period that goes on is counted up to the last entry."""
    seen = survey(history, ledger, period.name)
    end = period.end_at(ZoneInfo(zone))
    until = end if now >= end else utc_text(parse_utc(seen.last) + timedelta(milliseconds=1))
    bounds = bounds_of(period, ZoneInfo(zone), until)
    found = recount(history, ledger, bounds, seen.size if size is None else size)
    summed = Summed(ledger, period, zone, bounds.start, bounds.until, found.counts, history.origin(ledger), found.size, found.root)
    return document.write(summed, history.books(ledger[:4]).in_force("indicators", period.first))


def remake(history: History, ledger: str, sealed: Recorded) -> bytes:
    """The document that a seal is of, from a new count. NoSummary where that is another one than was sealed."""
    fields = sealed.fields
    period, zone = Period.of(fields["period"]), ZoneInfo(fields["zone"])
    found = recount(history, ledger, bounds_of(period, zone, fields["until"]), fields["size"])
    _must_agree(found, ledger, fields["root"], fields["counts"])
    return document.of_record(ledger, fields, history.books(ledger[:4]))


def compare(history: History, written: bytes) -> Recorded | None:
    """Recounts what a document is of. NoSummary where another one follows, or was sealed; gives the seal, where there is one."""
    whole = document.read(written)
    ledger, told, checkpoint = whole["ledger"], whole["period"], whole["checkpoint"]
    period, zone = Period.of(told["name"]), ZoneInfo(told["zone"])
    bounds = bounds_of(period, zone, told["until"])
    found = recount(history, ledger, bounds, checkpoint["size"])
    _must_agree(found, ledger, checkpoint["root"], whole["counts"])
    summed = Summed(ledger, period, told["zone"], bounds.start, bounds.until, whole["counts"], checkpoint["origin"], found.size, found.root)
    label = f"{whole['weights']['name']}@{whole['weights']['version']}"
    if not any(document.write(summed, book) == written for book in history.books(ledger[:4]).labelled("indicators", label)):
        raise NoSummary(f"The city's book {label} does not lead to these indicators and weights.")
    sealed = survey(history, ledger, period.name).sealed
    if sealed is not None and sealed["digest"] != document.digest(written):
        raise NoSummary(f"Another roll-up was sealed at position {sealed.position}: {sealed['digest']}.")
    return sealed


def _must_agree(found: Recounted, ledger: str, root: str, counts: dict[str, int]) -> None:
    if found.root != root:
        raise NoSummary(f"The first {found.size} entries of ledger {ledger} have another root than the roll-up says.")
    wrong = [f"{name} {number} instead of {found.counts.get(name)}" for name, number in counts.items() if number != found.counts.get(name)]
    if wrong:
        raise NoSummary(f"The entries lead to other counts: {', '.join(wrong[:5])}.")


# ---- where lines are read from


class FromDatabase:
    """The ledgers of the service's own database."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail

    def lines(self, ledger: str) -> Iterator[bytes]:
        start = 0
        while True:
            with reading(self.gridtrail.database) as conn:
                page = self.gridtrail.ledgers.lines(conn, ledger, start, PAGE)
            yield from page
            start += len(page)
            if len(page) < PAGE:
                return

    def origin(self, ledger: str) -> str:
        with reading(self.gridtrail.database) as conn:
            head = self.gridtrail.ledgers.head(conn, ledger)
        if head is None:
            raise NoSummary(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
        return log_origin(self.gridtrail.config.origin, ledger, head.incarnation)

    def books(self, city: str) -> Books:
        with reading(self.gridtrail.database) as conn:
            books: Books = self.gridtrail.inspection.books(conn, city)
        return books


class FromExport:
    """A folder that ``gridtrail export`` made, one folder for each ledger in it."""

    def __init__(self, folder: Path, keys: Sequence[Verifier] = ()) -> None:
        self.folder = folder
        self.keys = keys
        self._checked: dict[str, Any] = {}

    def _of(self, ledger: str) -> Any:
        if ledger not in self._checked:
            self._checked[ledger] = self._check(ledger)
        return self._checked[ledger]

    def _check(self, ledger: str) -> Any:
        checked, wrong = None, None
        for key in self.keys or (None,):
            try:
                checked = check_export(self.folder, ledger, key)
                break
            except BadExport as failed:
                wrong = failed
        if checked is None:
            raise NoSummary(str(wrong)) from wrong
        if checked.manifest.before.size:
            raise NoSummary(f"The export of {ledger} begins at position {checked.manifest.before.size}; counting needs the whole history.")
        return checked

    def lines(self, ledger: str) -> Iterator[bytes]:
        return iter(self._of(ledger).lines())

    def origin(self, ledger: str) -> str:
        return str(self._of(ledger).checkpoint.origin)

    def books(self, city: str) -> Books:
        if not (self.folder / city).is_dir():
            raise NoSummary(f"The city's rules stand in its ledger {city}, which is not in {self.folder}. Export it too.")
        return books_of(self.lines(city))


class FromCopy:
    """A folder that ``gridtrail audit fetch`` made."""

    def __init__(self, folder: Path, keys: Sequence[Verifier] = ()) -> None:
        self.source = FolderSource(folder)
        self.keys = keys
        self._origins: dict[str, str] = {}

    def lines(self, ledger: str) -> Iterator[bytes]:
        self.origin(ledger)
        with self.source.open(ledger) as log:
            for page in log.pages():
                yield from page.lines

    def origin(self, ledger: str) -> str:
        if ledger not in self._origins:
            self._origins[ledger] = self._check(ledger)
        return self._origins[ledger]

    def _check(self, ledger: str) -> str:
        """Hashes the copy's lines to the root of its checkpoint, which one of the keys must have signed, where keys are given."""
        note = self.source.checkpoint(ledger)
        if note is None:
            raise NoSummary(f"There is no ledger {ledger} in {self.source.folder}. Fetch it: gridtrail audit fetch.")
        try:
            checkpoint = Checkpoint.parse(split_note(note)[0])
            _must_be_of(checkpoint.origin, ledger)
            if self.keys:
                _must_be_signed(note, checkpoint.origin, self.keys)
        except BadNote as wrong:
            raise NoSummary(f"The checkpoint of {ledger} does not hold: {wrong}.") from wrong
        tree = Frontier()
        with self.source.open(ledger) as log:
            for page in log.pages():
                tree.extend(leaf_hashes(page.lines[: max(0, checkpoint.size - tree.size)]))
        if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
            raise NoSummary(f"The copy of {ledger} does not lead to the root of its checkpoint. Run gridtrail audit verify.")
        return checkpoint.origin

    def books(self, city: str) -> Books:
        return books_of(self.lines(city))


def open_folder(folder: Path, keys: Sequence[Verifier] = ()) -> History:
    """The history in a folder, whichever of the two kinds it is."""
    return FromCopy(folder, keys) if (folder / "log").is_dir() else FromExport(folder, keys)


def books_of(lines: Iterable[bytes]) -> Books:
    """The rules that a city's ledger tells."""
    events = (read_line(line) for line in lines if b'"topic":"rulebook.published"' in line)
    rows = [
        rulebooks.fold(next(iter(rulebooks.keys(event))), None, event) | {"content": event["content"]}
        for event in events
        if event.topic in rulebooks.TOPICS
    ]
    return Books.of(rows)


def _must_be_of(origin: str, ledger: str) -> None:
    if origin.rpartition("/ledger/")[2].partition("/")[0] != ledger:
        raise BadNote(f"it is of {origin}")


def _must_be_signed(note: str, origin: str, keys: Sequence[Verifier]) -> None:
    """One of the deployment's keys signed the ledger's checkpoint, under the ledger's name."""
    base = origin.rpartition("/ledger/")[0]
    named = [Verifier(origin, key.public) for key in keys if key.name in (base, origin)]
    if not named:
        raise BadNote(f"it is of {origin}, and none of the keys given is")
    for at, key in enumerate(named):
        try:
            open_checkpoint(note, key)
            return
        except BadNote:
            if at == len(named) - 1:
                raise
