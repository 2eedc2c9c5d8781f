"""``gridtrail areas``: the tree of areas, from files."""

from collections import Counter
from pathlib import Path

import click
from tqdm import tqdm

from domain.errors import Refusal
from service.cli.common import gridtrail, show_flaws, terminal_actor
from service.imports.areas import Areas, read_areas
from service.imports.mapping import load_mapping
from service.imports.table import Flaw
from service.wiring import Gridtrail

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("areas")
def command() -> None:
    """The tree of areas."""


@command.command("import")
@click.argument("file", type=FILE)
@click.option("--mapping", "mapping_name", help="For outlines of another city: a shipped mapping's name (stlouis), or a TOML file.")
@click.option("--pairs", type=FILE, help="With --mapping: the CSV table whose rows say which grid lies in which subdistrict.")
@click.option("--from", "effective_from", default="2000-01-01", show_default=True, help="Day from which areas without a day of their own exist.")
@click.option("--verbose", is_flag=True, help="List every bad row, not only the first ones.")
def import_areas(file: Path, mapping_name: str | None, pairs: Path | None, effective_from: str, verbose: bool) -> None:
    """Import areas from a CSV tree (level,code,name,parent_code,…) or outlines from GeoJSON.

    Codes are ours, or official ones of 12 digits. Good rows are recorded, bad ones are named by line and column. The same file again
    records nothing; what differs is recorded as a change. Exit code 1 where a row was bad.
    """
    mapping = load_mapping(mapping_name) if mapping_name else None
    areas = read_areas(file, effective_from, mapping, pairs)
    counts = record_areas(gridtrail(), areas)
    show_flaws(areas.flaws, verbose)
    click.echo(
        f"{areas.total} rows: {counts['new']} areas registered, {counts['changed']} changed, {counts['same']} as they were, "
        f"{len(areas.flaws)} rows refused."
    )
    if areas.flaws:
        raise SystemExit(1)


def record_areas(pieces: Gridtrail, areas: Areas) -> Counter[str]:
    """Records areas, parents first. Counts new, changed and same; what a rule refuses joins the flaws."""
    actor = terminal_actor(pieces.config)
    counts: Counter[str] = Counter()
    for said in tqdm(areas.found, desc="areas", unit="area", disable=None, leave=False):
        if not said["code"].startswith(pieces.config.city):
            areas.flaws.append(Flaw(0, "code", "another_city", f"{said['code']} lies outside of city {pieces.config.city} (GRIDTRAIL_CITY)."))
            continue
        try:
            saved = pieces.inspection.register_area(actor, said)
        except Refusal as refused:
            areas.flaws.append(Flaw(0, "code", refused.code, f"{said['code']}: {refused.detail}"))
            continue
        counts["same" if saved.position < 0 else "new" if saved.version == 1 else "changed"] += 1
    return counts
