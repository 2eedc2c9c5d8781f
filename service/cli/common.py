"""What several commands share: the wired pieces, and how rows and flaws are printed."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import click
import orjson

from service.config import Config
from service.imports.table import Flaw
from service.ledger.note import BadNote, Verifier
from service.spreadsheets import cell, guarded
from service.wiring import Gridtrail

SHOWN_FLAWS = 20
WIDEST = 64
"""Characters of a column in a table for the eye: a SHA-256 is shown whole."""
FORMATS = click.Choice(["json", "csv", "table"])
purpose_option = click.option("--purpose", help="Why you read this; goes on record with the read.")


def gridtrail(**overrides: Any) -> Gridtrail:
    """The wired pieces under the environment's settings."""
    return Gridtrail(Config.from_environment(**overrides))


def show_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], form: str) -> None:
    """Prints rows as JSON lines, CSV or a table for the eye. JSON is exact; CSV is for spreadsheets, and guarded against formulas."""
    texts = (_as_json, _as_csv, _as_table)[("json", "csv", "table").index(form)](list(rows), columns)
    for text in texts:
        click.echo(text)


def _as_json(rows: list[dict[str, Any]], columns: Sequence[str]) -> Iterable[str]:
    for row in rows:
        yield orjson.dumps({name: row.get(name) for name in columns}, default=str).decode()


def _as_csv(rows: list[dict[str, Any]], columns: Sequence[str]) -> Iterable[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([guarded(row.get(name)) for name in columns] for row in rows)
    yield text.getvalue().rstrip("\n")


def _as_table(rows: list[dict[str, Any]], columns: Sequence[str]) -> Iterable[str]:
    cells = [list(columns), *([" ".join(cell(row.get(name)).split()) for name in columns] for row in rows)]
    widths = [min(WIDEST, max(len(row[at]) for row in cells)) for at in range(len(columns))]
    for row in cells:
        yield "  ".join(_fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _fit(cell: str, width: int) -> str:
    return (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)


def read_key(vkey: str | None) -> Verifier | None:
    """The verifier of a C2SP vkey that was typed in."""
    if vkey is None:
        return None
    try:
        return Verifier.parse(vkey)
    except (BadNote, ValueError) as wrong:
        raise click.BadParameter(f"{wrong}. Give the key as gridtrail keys show prints it.", param_hint="--key") from wrong


def show_flaws(flaws: Sequence[Flaw], verbose: bool) -> None:
    """Prints what is wrong in a file to stderr: the first ones, or all of them."""
    shown = flaws if verbose else flaws[:SHOWN_FLAWS]
    for flaw in shown:
        click.echo(str(flaw), err=True)
    if len(shown) < len(flaws):
        click.echo(f"… and {len(flaws) - len(shown)} more; --verbose lists them all.", err=True)
