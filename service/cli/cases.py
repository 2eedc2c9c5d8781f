"""``gridtrail cases``: matters from an older system, told as the work of a fleet."""

from datetime import timedelta
from pathlib import Path

import click

from service.cli.common import gridtrail
from service.fleet.importing import accounts_of, read_for, summary_of, tell, write_report
from service.fleet.run import Fleet, InProcess
from service.fleet.run import summary_of as run_summary
from service.imports.mapping import load_mapping
from service.tablet_client import Http
from service.wiring import Gridtrail

DEFAULT_TABLETS = Path("var/tablets")


@click.group("cases")
def command() -> None:
    """Cases."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help="Which column is what: a shipped mapping's name (stlouis), or a TOML file.")
@click.option("--url", help="Upload over HTTP to this service, which must use the same database. In this process, if not given.")
@click.option(
    "--tablets", "folder", type=click.Path(path_type=Path), help="Folder of the tablets' outboxes. var/tablets/MAPPING, if not given."
)
@click.option(
    "--report", type=click.Path(path_type=Path), default="var/cases-import.csv", show_default=True, help="What became of each row."
)
@click.option("--window-days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Days of work in one round of uploads.")
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Tablets that upload at once.")
def import_cases(file: Path, mapping_name: str, url: str | None, folder: Path | None, report: Path, window_days: int, threads: int) -> None:
    """Tell a table of service requests as the work of a fleet, at its real times, over the real sync path.

    Tablets are enrolled for it; each uploads its own part, in rounds, so that what follows from another tablet's work comes later. Every
    row is accounted for: recorded, refused by a rule, or listed with the reason. A run that was stopped goes on where it was.
    """
    mapping = load_mapping(mapping_name)
    pieces = gridtrail()
    requests = read_for(pieces, file, mapping)
    fleet = make_fleet(pieces, folder or DEFAULT_TABLETS / mapping.name, url, threads)
    tally = tell(pieces, mapping, requests, fleet, timedelta(days=window_days))
    pieces.follower.catch_up()
    accounts = accounts_of(mapping, requests, tally)
    write_report(report, accounts)
    click.echo(run_summary(tally))
    click.echo(summary_of(requests, accounts))
    click.echo(f"Each row's account is in {report}.")
    if len(accounts) != requests.total:
        raise SystemExit(1)


def make_fleet(pieces: Gridtrail, folder: Path, url: str | None, threads: int) -> Fleet:
    """A fleet that uploads over HTTP, or into an application of this process where no address is given."""
    if url:
        return Fleet(folder, url, Http, threads=threads)
    here = InProcess(pieces)
    return Fleet(folder, pieces.config.base_url, lambda: here, threads=1)
