"""``gridtrail export``: a ledger's history as files by month, for other tools and other machines."""

from pathlib import Path

import click

from service.audit.export import export
from service.audit.export_forms import FORMS
from service.audit.manifests import Month
from service.cli.common import gridtrail

MONTH = click.DateTime(["%Y-%m"])


@click.command("export")
@click.argument("ledger")
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="parquet", show_default=True)
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Files go to DIR/LEDGER/.")
@click.option("--from-month", type=MONTH, help="First month, such as 2026-03. The first there is, if not given.")
@click.option("--to-month", type=MONTH, help="Last month. The last there is, if not given.")
@click.option("--purpose", required=True, help="Why; it goes on record.")
def command(ledger: str, form: str, folder: Path, from_month: object, to_month: object, purpose: str) -> None:
    """Write LEDGER's lines, verbatim, into one file for each month, with a manifest of digests under the ledger's signed checkpoint.

    A month is the city's month in which lines were recorded. Run again, it goes on: months that are over are not written anew. CSV is for
    machines: no cell is changed, and none begins with what a spreadsheet takes for a formula.
    """
    pieces = gridtrail()
    first, last = (each.strftime("%Y-%m") if each else None for each in (from_month, to_month))  # type: ignore[attr-defined]
    filters = {"format": form, "from_month": first, "to_month": last}
    pieces.access.record(None, None, "export", ledger=ledger, object=ledger, purpose=purpose, filters=filters)
    made = export(pieces, ledger, form, folder, from_month=first, to_month=last, told=_tell)
    manifest = made.manifest
    click.echo(f"{made.folder / 'manifest.json'}  sha256 {made.digest}")
    rows = sum(month.rows for month in manifest.months)
    click.echo(f"{rows} lines ({made.written} now), positions {manifest.before.size} to {manifest.end.size - 1}, root {manifest.end.root}")


def _tell(month: Month, written: bool) -> None:
    did = "written" if written else "kept   "
    click.echo(f"{month.month}  {did}  {month.rows:>9} lines  {month.bytes:>12} bytes  sha256 {month.sha256}")
