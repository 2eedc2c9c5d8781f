"""The manifest of an export: which files there are, what they hold, and which tree they lead to. Read by the export and the replay.

``DIR/<ledger>/manifest.json``, beside one file for each month. It is written anew after each month, so that an export that was stopped goes
on with the next one.
"""

import base64
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import orjson

from domain.clock import parse_utc, utc_text
from service.durable import write_whole
from service.ledger.tree import Frontier

NAME = "manifest.json"
KIND = "gridtrail-export/1"
CHUNK = 1 << 20


class BadExport(ValueError):
    """A folder that is no export, is not finished, or is not what its manifest says; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A tree's right edge at a size: enough to go on hashing from there. Hashes are base64."""

    size: int
    root: str
    frontier: list[str]

    @classmethod
    def of(cls, frontier: Frontier) -> Self:
        """The edge of a frontier."""
        return cls(frontier.size, b64(frontier.root()), [b64(each) for each in frontier.roots])

    def tree(self) -> Frontier:
        """The frontier again. ValueError where it is none."""
        return Frontier(self.size, (base64.b64decode(each, validate=True) for each in self.frontier))


@dataclass(frozen=True, slots=True)
class Month:
    """One month's file. complete: a later month has begun, so that this one never grows."""

    month: str
    file: str
    bytes: int
    sha256: str
    rows: int
    first: int
    last: int
    first_recorded_at: str
    last_recorded_at: str
    complete: bool
    tree: Edge


@dataclass(slots=True)
class Manifest:
    """What the folder of one ledger holds.

    before       the tree's edge before the first line: size 0 unless the export begins with a later month
    consistency  proof (base64 hashes) that the tree after the last line is a beginning of the checkpoint's; empty where they are one
    checkpoint   the ledger's signed checkpoint (C2SP), None until the export is finished
    """

    ledger: str
    form: str
    zone: str
    before: Edge
    months: list[Month] = field(default_factory=list)
    consistency: list[str] = field(default_factory=list)
    checkpoint: str | None = None

    @property
    def end(self) -> Edge:
        """The tree's edge after the last line."""
        return self.months[-1].tree if self.months else self.before

    def write(self, folder: Path) -> str:
        """Puts the manifest in its place at once, durably. Gives its SHA-256."""
        written = orjson.dumps({"kind": KIND, "month_of": "recorded_at", **asdict(self)}, option=orjson.OPT_INDENT_2) + b"\n"
        write_whole(folder / NAME, written)
        return sha256(written).hexdigest()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a folder. BadExport where it is none; FileNotFoundError where there is none."""
        try:
            told = orjson.loads((folder / NAME).read_bytes())
            if told.pop("kind") != KIND or told.pop("month_of") != "recorded_at":
                raise BadExport(f"{folder / NAME} is of another kind than {KIND}; a newer Gridtrail may read it.")
            months = [Month(**{**month, "tree": Edge(**month["tree"])}) for month in told.pop("months")]
            made = cls(**{**told, "before": Edge(**told["before"])}, months=months)
            for edge in (made.before, *(month.tree for month in months)):
                edge.tree()
            return made
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError, ValueError) as wrong:
            raise wrong if isinstance(wrong, BadExport) else BadExport(f"{folder / NAME} is not a manifest: {wrong}") from wrong


def b64(plain: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(plain).decode()


def digest_of(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file."""
    whole, size = sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            whole.update(chunk)
            size += len(chunk)
    return size, whole.hexdigest()


class Months:
    """The city's calendar months as stretches of UTC text, so that a line's month is found by comparing text."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    def of(self, recorded_at: str) -> str:
        """``2026-11``: the city's month in which something was recorded."""
        return parse_utc(recorded_at).astimezone(self.zone).strftime("%Y-%m")

    def begin(self, month: str) -> str:
        """The first moment of a month, UTC text. ValueError where it is no month."""
        return utc_text(datetime.strptime(month, "%Y-%m").replace(tzinfo=self.zone))

    def end(self, month: str) -> str:
        """The first moment of the month after it."""
        later = date.fromisoformat(f"{month}-28") + timedelta(days=4)
        return self.begin(later.strftime("%Y-%m"))


def unknown_files(folder: Path, known: Iterable[str]) -> list[str]:
    """Names of files in an export's folder that its manifest does not know."""
    return sorted({path.name for path in folder.iterdir()} - {NAME, *known})
