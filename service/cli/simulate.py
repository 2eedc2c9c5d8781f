"""``gridtrail simulate``: a fleet at work over HTTP, with rates and latencies at the end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import sqlalchemy as sa

from projections import areas as areas_model
from service.cli.cases import DEFAULT_TABLETS, make_fleet
from service.cli.common import gridtrail
from service.database import reading
from service.fleet.generated import cast_of, steps_of
from service.fleet.importing import read_for, tell
from service.fleet.plan import Member, Round, Step
from service.fleet.run import Fleet, Tally, summary_of
from service.fleet.settling import code_for, settle
from service.imports.mapping import load_mapping
from service.wiring import Gridtrail


@click.command("simulate")
@click.option("--tablets", "count", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many tablets.")
@click.option("--entries", type=click.IntRange(1, 100_000), default=120, show_default=True, help="Entries of each tablet.")
@click.option("--batch", type=click.IntRange(1, 2000), default=40, show_default=True, help="Entries of each upload.")
@click.option("--url", help="Upload over HTTP to this service, which must use the same database. In this process, if not given.")
@click.option("--threads", type=click.IntRange(1, 64), default=8, show_default=True, help="Tablets that upload at once.")
@click.option("--seed", default=1, show_default=True, help="The same number makes the same work.")
@click.option("--folder", type=click.Path(path_type=Path), help="Folder of the tablets' outboxes. var/tablets/simulate-SEED, if not given.")
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
    seed: int,
    folder: Path | None,
    cases: Path | None,
    mapping_name: str | None,
) -> None:
    """Let a fleet of tablets work and upload: generated patrols, visits and reports, or the requests of a table."""
    pieces = gridtrail()
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


def work(pieces: Gridtrail, fleet: Fleet, count: int, entries: int, batch: int, seed: int) -> Tally:
    """Enrols workers on the city's grids and lets them upload generated work."""
    with reading(pieces.database) as conn:
        grids = [code for code in conn.scalars(sa.select(areas_model.C.code).order_by(areas_model.C.code)) if len(code) == 15]
    if not grids:
        raise click.ClickException("There are no grids yet: run gridtrail seed, or gridtrail areas import.")
    cast = cast_of(grids, count)
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
