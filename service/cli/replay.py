"""``gridtrail replay``: a read model as it stood at a moment, folded from the history and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from domain.clock import parse_utc, utc_text
from projections import READ_MODELS
from projections.engine import digest_of_rows, fold_lines
from projections.recorded import read_line
from service.audit.as_of import KNOWN, SENSES, happened_by
from service.audit.export_reading import check_export
from service.cli.common import FORMATS, gridtrail, purpose_option, read_key, show_rows
from service.database import reading
from service.wiring import Gridtrail

PAGE = 500


@click.command("replay")
@click.argument("ledger")
@click.option("--read-model", "name", help="Which one, such as open_cases.")
@click.option("--digests", is_flag=True, help="Instead of rows: of each read model, how many rows it has and their SHA-256.")
@click.option("--as-of", "moment", help="A position, or a time such as 2026-11-21T08:00:00Z. The end, if not given.")
@click.option(
    "--sense",
    type=click.Choice(SENSES),
    default=KNOWN,
    show_default=True,
    help="known: what was recorded by then. happened: what had happened by then, whenever it was recorded.",
)
@click.option(
    "--from", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Fold an export instead of the database."
)
@click.option("--key", help="With --from: the deployment's public key (gridtrail keys show), known from elsewhere, that must have signed.")
@click.option("--format", "form", type=FORMATS, default="json", show_default=True)
@purpose_option
def command(
    ledger: str,
    name: str | None,
    digests: bool,
    moment: str | None,
    sense: str,
    folder: Path | None,
    key: str | None,
    form: str,
    purpose: str | None,
) -> None:
    """Fold LEDGER's history up to a moment and print the read model's rows as they stood then.

    With --from, the export's files, tree and signed checkpoint are checked first; no database is needed. Otherwise the read is put on
    record before anything is printed.
    """
    if not digests and name is None:
        raise click.UsageError("Name a read model with --read-model, or ask for --digests of all of them.")
    if name is not None and name not in READ_MODELS:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(READ_MODELS)}.", param_hint="--read-model")
    bounds = boundary(moment)
    if folder:
        lines = as_of(lines_of_export(folder, ledger, key), sense, *bounds)
    else:
        pieces = gridtrail()
        lines = as_of(lines_of_database(pieces, ledger), sense, *bounds)
        said = {"read_model": name, "digests": digests, "as_of": moment, "sense": sense}
        pieces.access.record(None, None, "replay", ledger=ledger, purpose=purpose, filters=said)
    if digests:
        show_digests([name] if name else list(READ_MODELS), lines, form)
        return
    model = READ_MODELS[str(name)]
    show_rows(fold_lines(model, lines()), [str(column.name) for column in model.TABLE.columns], form)


Lines = Callable[[], Iterator[bytes]]
"""Begins to read the same lines anew at each call."""


def show_digests(names: list[str], lines: Lines, form: str) -> None:
    """Prints how many rows each read model has, and the digest that gridtrail's engine would give for the same rows in its table."""
    found = []
    for name in names:
        rows = fold_lines(READ_MODELS[name], lines())
        found.append({"read_model": name, "rows": len(rows), "sha256": digest_of_rows(rows)})
    show_rows(found, ("read_model", "rows", "sha256"), form)


def boundary(moment: str | None) -> tuple[int | None, str | None]:
    """The last position, or the last time of recording, that a moment names."""
    if moment is None:
        return None, None
    if moment.isascii() and moment.isdigit():
        return int(moment), None
    try:
        return None, utc_text(parse_utc(moment))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{moment!r} is neither a position nor a time with an offset.", param_hint="--as-of") from None


def as_of(lines: Lines, sense: str, position: int | None, recorded_at: str | None) -> Lines:
    """The lines that had been recorded by a position or a time; or those that had happened by that time, or by the position's recording."""
    if sense == KNOWN or (position, recorded_at) == (None, None):
        return lambda: until(lines(), position, recorded_at)
    if recorded_at is None:
        *_, last = until(lines(), position, None)
        recorded_at = read_line(last).recorded_at
    return lambda: happened_by(lines(), recorded_at)


def lines_of_export(folder: Path, ledger: str, key: str | None) -> Lines:
    """The lines of an export, once all of it holds."""
    checked = check_export(folder, ledger, read_key(key))
    manifest = checked.manifest
    if manifest.before.size:
        raise click.ClickException(f"This export begins at position {manifest.before.size}; read models need a ledger's whole history.")
    end, under = manifest.end.size, checkpoint_told(checked.signed, checked.checkpoint.size)
    files = "1 month" if len(manifest.months) == 1 else f"{len(manifest.months)} months"
    click.echo(f"{folder / ledger}: {end} lines in {files} lead to the root of the checkpoint, {under}.", err=True)
    return checked.lines


def checkpoint_told(signed: bool, size: int) -> str:
    """How far a checkpoint is believed."""
    return f"{size} entries, signed by the key given" if signed else f"{size} entries; who signed it is not checked, for want of --key"


def lines_of_database(pieces: Gridtrail, ledger: str) -> Lines:
    """The ledger's lines in order."""
    with reading(pieces.database) as conn:
        if not pieces.ledgers.lines(conn, ledger, 0, 1):
            raise click.ClickException(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
    return lambda: walk(pieces, ledger)


def walk(pieces: Gridtrail, ledger: str) -> Iterator[bytes]:
    """All lines of a ledger in order."""
    start = 0
    while True:
        with reading(pieces.database) as conn:
            lines = pieces.ledgers.lines(conn, ledger, start, PAGE)
        yield from lines
        start += len(lines)
        if len(lines) < PAGE:
            return


def until(lines: Iterator[bytes], position: int | None, recorded_at: str | None) -> Iterator[bytes]:
    """The lines up to and with a position or a time of recording."""
    for at, line in enumerate(lines):
        if position is not None and at > position:
            return
        if recorded_at is not None and read_line(line).recorded_at > recorded_at:
            return
        yield line
