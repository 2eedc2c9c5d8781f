"""``gridtrail simulate``: a fleet at work over HTTP, with rates and latencies at the end, and a check that nothing was lost or doubled."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import sqlalchemy as sa

from projections import areas as areas_model
from service.cli.cases import DEFAULT_TABLETS, make_fleet
from service.cli.common import gridtrail
from service.database import reading
from service.fleet.checking import OUTBOX, check
from service.fleet.driving import Driven, drive
from service.fleet.generated import cast_of, steps_of
from service.fleet.importing import read_for, tell
from service.fleet.many import make_ready
from service.fleet.plan import Member, Round, Step
from service.fleet.run import Fleet, Tally, percentiles, summary_of
from service.fleet.settling import code_for, settle
from service.imports.mapping import load_mapping
from service.wiring import Gridtrail


@click.command("simulate")
@click.option("--tablets", "count", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many tablets.")
@click.option("--entries", type=click.IntRange(1, 100_000), default=120, show_default=True, help="Entries of each tablet.")
@click.option("--batch", type=click.IntRange(1, 2000), default=40, show_default=True, help="Entries of each upload.")
@click.option("--url", help="Upload over HTTP to this service, which must use the same database. In this process, if not given.")
@click.option("--threads", type=click.IntRange(1, 64), default=8, show_default=True, help="Tablets that upload at once, of each process.")
@click.option("--processes", type=click.IntRange(1, 64), help="With --url: new tablets, sealed beforehand, sent from so many processes.")
@click.option("--check", "checked", is_flag=True, help="Afterwards compare what every tablet holds with the ledgers, entry by entry.")
@click.option("--seed", default=1, show_default=True, help="The same number makes the same work.")
@click.option("--folder", type=click.Path(path_type=Path), help="Folder of the tablets' memory. var/tablets/simulate-SEED, if not given.")
@click.option(
    "--cases", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Tell a table of requests instead; needs --mapping."
)
@click.option("--mapping", "mapping_name", help="With --cases: which column is what.")
def command(
    count: int,
    entries: int,
    batch: int,
    url: str | None,
    threads: int,
    processes: int | None,
    checked: bool,
    seed: int,
    folder: Path | None,
    cases: Path | None,
    mapping_name: str | None,
) -> None:
    """Let a fleet of tablets work and upload: generated patrols, visits and reports, or the requests of a table.

    Every tablet is a reference client with an outbox of its own. With --processes the fleet is for loads of many thousand tablets: they are
    enlisted in bulk, and their batches are sealed before the clock runs.
    """
    pieces = gridtrail()
    if processes:
        if not url or cases:
            raise click.UsageError("--processes needs --url, and tells no --cases.")
        folder = folder or DEFAULT_TABLETS / f"sealed-{seed}"
        files = make_ready(
            pieces, folder, (), grids_of(pieces), tablets=count, entries=entries, batch=batch, processes=processes, seed=seed
        )
        driven = drive(url, files, threads, count * entries)
        click.echo(summary_of_driven(driven, count * entries))
        _end(pieces, files if checked else (), driven.wrong)
        return
    if cases:
        if not mapping_name:
            raise click.UsageError("--cases needs --mapping.")
        mapping = load_mapping(mapping_name)
        fleet = make_fleet(pieces, folder or DEFAULT_TABLETS / mapping.name, url, threads)
        tally = tell(pieces, mapping, read_for(pieces, cases, mapping), fleet, timedelta(days=90))
    else:
        fleet = make_fleet(pieces, folder or DEFAULT_TABLETS / f"simulate-{seed}", url, threads)
        tally = work(pieces, fleet, count, entries, batch, seed)
    click.echo(summary_of(tally))
    for code, number in tally.codes.most_common():
        click.echo(f"  refused {number:>6}  {code}")
    _end(pieces, sorted(fleet.folder.glob(f"*{OUTBOX}")) if checked else ())


def _end(pieces: Gridtrail, files: Sequence[Path], wrong: Sequence[str] = ()) -> None:
    """Says what went wrong, checks where there is something to check, and ends with code 1 where anything is not as it must be."""
    failures = list(wrong)
    if files:
        found = check(pieces, files)
        click.echo(str(found))
        failures += found.wrong
    for each in failures[:20]:
        click.echo(f"  {each}", err=True)
    if failures:
        raise SystemExit(1)


def summary_of_driven(driven: Driven, entries: int) -> str:
    """The run in two lines for the eye."""
    times = ", ".join(f"{name} {value:.0f} ms" for name, value in percentiles(driven.latencies).items()) or "none"
    again = ", ".join(f"{count} after {status}" for status, count in sorted(driven.retries.items())) or "none"
    return (
        f"{entries} entries in {driven.seconds:.1f} s, {entries / driven.seconds:.0f} a second.\n"
        f"{len(driven.latencies)} uploads, latency: {times}. Retries: {again}."
    )


def grids_of(pieces: Gridtrail) -> list[str]:
    """The codes of the city's grids."""
    with reading(pieces.database) as conn:
        grids = [code for code in conn.scalars(sa.select(areas_model.C.code).order_by(areas_model.C.code)) if len(code) == 15]
    if not grids:
        raise click.ClickException("There are no grids yet: run gridtrail seed, or gridtrail areas import.")
    return grids


def work(pieces: Gridtrail, fleet: Fleet, count: int, entries: int, batch: int, seed: int) -> Tally:
    """Enrols workers on the city's grids and lets them upload generated work."""
    cast = cast_of(grids_of(pieces), count)
    settle(pieces, cast)
    fleet.enrol(cast, lambda member: code_for(pieces, member))
    begins = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
    return fleet.run(rounds_of_generated(cast, entries, batch, begins, seed))


def rounds_of_generated(cast: list[Member], entries: int, batch: int, begins: datetime, seed: int) -> list[Round]:
    """One round for each batch: generated work follows from nothing but the same tablet's own."""
    told: dict[str, list[Step]] = {member.key: steps_of(member, entries, begins, seed) for member in cast}
    rounds = []
    for wave, first in enumerate(range(0, entries, batch)):
        rounds.append(Round(begins, wave, {key: steps[first : first + batch] for key, steps in told.items()}))
    return rounds
