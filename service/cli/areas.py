"""``gridtrail areas``: the tree of areas, from files."""

from pathlib import Path

import click

from service.cli.common import gridtrail, show_flaws
from service.imports.areas import read_areas
from service.imports.mapping import load_mapping
from service.imports.recording import record_areas

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("areas")
def command() -> None:
    """The tree of areas."""


@command.command("import")
@click.argument("file", type=FILE)
@click.option("--mapping", "mapping_name", help="For outlines of another city: a shipped mapping's name (stlouis), or a TOML file.")
@click.option("--pairs", type=FILE, help="With --mapping: the CSV table whose rows say which grid lies in which subdistrict.")
@click.option("--from", "effective_from", default="2000-01-01", show_default=True, help="First day of areas that name none.")
@click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")
@click.option("--verbose", is_flag=True, help="List every bad row, not only the first ones.")
def import_areas(file: Path, mapping_name: str | None, pairs: Path | None, effective_from: str, dry_run: bool, verbose: bool) -> None:
    """Import areas from a tree in CSV or XLSX (level,code,name,parent_code,…) or outlines from GeoJSON.

    Codes are ours, or official ones of 12 digits. Good rows are recorded, bad ones are named by line and column. The same file again
    records nothing; what differs is recorded as a change. Exit code 1 where a row was bad.
    """
    mapping = load_mapping(mapping_name) if mapping_name else None
    areas = read_areas(file, effective_from, mapping, pairs)
    counts = record_areas(gridtrail(), areas, dry_run=dry_run).counts
    show_flaws(areas.flaws, verbose)
    click.echo(
        f"{'Nothing is recorded. ' if dry_run else ''}{areas.total} rows: {counts['new']} areas registered, "
        f"{counts['changed']} changed, {counts['same']} as they were, {len(areas.flaws)} rows refused."
    )
    if areas.flaws:
        raise SystemExit(1)
