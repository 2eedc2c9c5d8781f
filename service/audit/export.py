"""``gridtrail export``: a ledger's history in files, one for each month, under a signed checkpoint. Read by the command line and the bench.

The month is the city's month of ``recorded_at``. Times of recording never decrease along a ledger, so a month is one stretch of positions,
the stretches follow one another in the tree, and a month that is over never changes: what happened earlier and was uploaded late stands
in the month in which it was recorded, and ``day`` says when it happened.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projections.recorded import read_line
from service.audit.export_forms import FORMS, Form
from service.audit.manifests import BadExport, Edge, Manifest, Month, Months, b64, digest_of
from service.audit.under import Under, edge_at, under
from service.database import reading
from service.durable import sync
from service.ledger.tree import Frontier, leaf_hashes

PAGE = 2_000
"""Lines read in one short transaction."""

Told = Callable[[Month, bool], None]
"""Is told each month that stands in the folder, and whether it was written now."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has come to."""

    folder: Path
    manifest: Manifest
    written: int
    digest: str


def export(
    gridtrail: Any,
    ledger: str,
    form: str,
    folder: Path,
    *,
    from_month: str | None = None,
    to_month: str | None = None,
    told: Told = lambda month, written: None,
) -> Exported:
    """Writes a ledger's months into ``folder/<ledger>``; months that stand there finished and whole are left as they are.

    BadExport: the folder holds something else, or the months asked for are none. Memory does not grow with the history.
    """
    months = Months(gridtrail.config.time_zone)
    here = folder / ledger
    head = under(gridtrail, ledger)
    first, stop = _stretch(gridtrail, head, months, from_month, to_month)
    manifest = _known(here, head, form, months, first) or Manifest(ledger, form, str(months.zone), edge_at(gridtrail, ledger, first))
    if manifest.end.size > stop:
        raise BadExport(f"{here} goes on beyond {to_month}; leave out --to-month, or take another folder.")
    here.mkdir(parents=True, exist_ok=True)
    for month in manifest.months:
        told(month, False)
    tree, before = manifest.end.tree(), manifest.end.size
    while tree.size < stop:
        month = _write_month(gridtrail, head, FORMS[form], here, months, tree, stop)
        manifest.months.append(month)
        manifest.checkpoint = None
        manifest.write(here)
        told(month, True)
    manifest.consistency = [b64(each) for each in head.consistency(gridtrail, tree)]
    manifest.checkpoint = head.note
    return Exported(here, manifest, tree.size - before, manifest.write(here))


def _stretch(gridtrail: Any, head: Under, months: Months, from_month: str | None, to_month: str | None) -> tuple[int, int]:
    """The first position, and the one behind the last, of the months asked for."""
    if from_month and to_month and from_month > to_month:
        raise BadExport("--from-month lies behind --to-month. Exchange them.")
    with reading(gridtrail.database) as conn:
        sizes = [
            gridtrail.ledgers.size_at(conn, head.ledger, moment, including=False) if moment else otherwise
            for moment, otherwise in (
                (from_month and months.begin(from_month), 0),
                (to_month and months.end(to_month), head.size),
            )
        ]
    first, stop = (min(size, head.size) for size in sizes)
    if first >= stop:
        raise BadExport(f"Nothing was recorded in {head.ledger} in these months.")
    return first, stop


def _known(here: Path, head: Under, form: str, months: Months, first: int) -> Manifest | None:
    """The manifest of what stands there already, its unfinished last month taken off. None where nothing stands there."""
    try:
        manifest = Manifest.read(here)
    except FileNotFoundError:
        if here.exists() and any(here.iterdir()):
            raise BadExport(f"{here} is not empty and holds no export. Take another folder.") from None
        return None
    if (manifest.ledger, manifest.form, manifest.zone) != (head.ledger, form, str(months.zone)):
        raise BadExport(f"{here} holds {manifest.ledger} as {manifest.form} in months of {manifest.zone}. Take another folder.")
    if manifest.before.size != first:
        raise BadExport(f"{here} begins at position {manifest.before.size}, not at {first}. Take the same --from-month, or another folder.")
    kept = []
    for month in manifest.months:
        path = here / month.file
        if not month.complete or not path.exists() or digest_of(path) != (month.bytes, month.sha256):
            break
        kept.append(month)
    manifest.months = kept
    return manifest


def _write_month(gridtrail: Any, head: Under, form: Form, here: Path, months: Months, tree: Frontier, stop: int) -> Month:
    """Writes the month that begins at the tree's size, and moves the tree on to its end."""
    first = tree.size
    opened = read_line(next(lines_from(gridtrail, head.ledger, first, first + 1))[0]).recorded_at
    name = months.of(opened)
    with reading(gridtrail.database) as conn:
        end = min(stop, gridtrail.ledgers.size_at(conn, head.ledger, months.end(name), including=False))
    path = here / f"{name}.{form.suffix}"
    beside = path.with_name(f"{path.name}.part")
    last = b""
    with form.writer(beside) as writer:
        for page in lines_from(gridtrail, head.ledger, first, end):
            writer.write(page)
            tree.extend(leaf_hashes(page))
            last = page[-1]
    sync(beside)
    size, digest = digest_of(beside)
    os.replace(beside, path)
    closed = read_line(last).recorded_at
    return Month(name, path.name, size, digest, end - first, first, end - 1, opened, closed, end < head.size, Edge.of(tree))


def lines_from(gridtrail: Any, ledger: str, start: int, stop: int) -> Iterator[list[bytes]]:
    """The lines start..stop-1 of a ledger in pages, each read in a transaction of its own."""
    while start < stop:
        with reading(gridtrail.database) as conn:
            page = [bytes(line) for line in gridtrail.ledgers.lines(conn, ledger, start, min(PAGE, stop - start))]
        if not page:
            raise BadExport(f"Ledger {ledger} has no line at position {start}: it has a hole. Run gridtrail audit verify.")
        yield page
        start += len(page)
