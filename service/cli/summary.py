"""``gridtrail summary``: a roll-up recomputed from the ledger, sealed, sent as files, and verified by whoever has one."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from domain.clock import system_clock, utc_text
from domain.periods import Period
from service.cli.common import gridtrail, read_key
from service.config import Config
from service.database import reading
from service.imports.recording import terminal_actor
from service.ledger.note import Verifier
from service.summaries import document
from service.summaries.document import LONGEST_FILE, NoSummary
from service.summaries.making import file_name
from service.summaries.recounting import FromDatabase, History, compare, make, open_folder, remake, survey

FAULTS = 1
LEDGER = re.compile(r"\d{4,9}", re.ASCII)
folder_option = click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Count in a folder of gridtrail audit fetch or gridtrail export instead of the database; the city's ledger must be in it too.",
)
keys_option = click.option("--key", "keys", multiple=True, help="The service's public key (gridtrail keys show), known from elsewhere.")


class Nouns(click.Group):
    """``summary LEDGER PERIOD`` is ``summary make LEDGER PERIOD``: making one is what the noun is mostly asked for."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """A ledger's code in the place of a command means make."""
        return super().resolve_command(ctx, ["make", *args] if args and LEDGER.fullmatch(args[0]) else args)


@click.group("summary", cls=Nouns)
def command() -> None:
    """The roll-up of a subdistrict and a period: gridtrail summary 411502001 2026-Q3."""


@command.command("make")
@click.argument("ledger")
@click.argument("period")
@folder_option
@click.option("--database", is_flag=True, help="Count in the database of the settings; this is what is done without --from.")
@keys_option
@click.option("--at", "size", type=click.IntRange(min=1), help="Count in the ledger's first SIZE entries only.")
@click.option("--present", is_flag=True, help="Count all entries there are, also where the roll-up was sealed.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write; standard output, if not given.")
def make_one(
    ledger: str,
    period: str,
    folder: Path | None,
    database: bool,
    keys: tuple[str, ...],
    size: int | None,
    present: bool,
    output: Path | None,
) -> None:
    """Compute the roll-up of LEDGER for PERIOD (2026-Q3, 2026-11, 2026-W47, 2026) from the ledger's entries, as canonical JSON.

    Where the roll-up was sealed, it is computed at the tree at which it was sealed, and must come out as it was: the same bytes.
    """
    if folder and database:
        raise click.UsageError("Name --from or --database, not both.")
    asked = Period.of(period)
    history = _history(folder, keys)
    try:
        sealed = None if present or size is not None else survey(history, ledger, asked.name).sealed
        if sealed is not None:
            written = remake(history, ledger, sealed)
        else:
            zone = Config.from_environment().time_zone
            written = make(history, ledger, asked, zone, now=utc_text(system_clock()), size=size)
    except NoSummary as wrong:
        raise click.ClickException(str(wrong)) from wrong
    told = f"sealed at position {sealed.position}" if sealed is not None else "not sealed"
    whole = document.read(written)
    click.echo(f"{ledger} {asked.name}: {told}; {whole['checkpoint']['size']} entries; sha256 {document.digest(written)}", err=True)
    if output is None:
        sys.stdout.buffer.write(written)
    else:
        output.write_bytes(written)


@command.command("seal")
@click.argument("ledgers", nargs=-1, required=True)
@click.argument("quarter")
def seal(ledgers: tuple[str, ...], quarter: str) -> None:
    """Seal the roll-ups of LEDGERS (subdistricts) for QUARTER, once it is over: record the numbers and the tree that they are of."""
    pieces = gridtrail()
    for ledger in ledgers:
        saved = pieces.summaries.seal(terminal_actor(pieces.config), ledger, quarter)
        with reading(pieces.database) as conn:
            written = pieces.summaries.document(conn, ledger, Period.of(quarter))
        click.echo(f"{ledger} {quarter}: sealed at position {saved.position}  sha256 {document.digest(written)}")


@command.command("send")
@click.argument("ledger")
@click.argument("quarter")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def send(ledger: str, quarter: str, folder: Path) -> None:
    """Write the sealed roll-up of LEDGER for QUARTER into FOLDER, signed, one file for each of the recipients that the city's book names.

    How the files travel is the office's own way; nothing is sent over a network.
    """
    pieces, period = gridtrail(), Period.of(quarter)
    with reading(pieces.database) as conn:
        if not pieces.summaries.sealed(conn, [ledger], period):
            raise click.ClickException(
                f"The roll-up {quarter} of {ledger} is not sealed. Seal it: gridtrail summary seal {ledger} {quarter}"
            )
        note, recipients = pieces.summaries.file(conn, ledger, period), pieces.summaries.recipients(conn, period)
    folder.mkdir(parents=True, exist_ok=True)
    for names in recipients:
        path = folder / file_name(ledger, quarter, names["code"])
        path.write_bytes(note.encode())
        click.echo(f"{path}  {names['zh']}  {names['en']}")
    click.echo(f"Verify them with: gridtrail summary verify FILE --key '{pieces.signer.verifier}'")


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@keys_option
@folder_option
@click.option("--database", is_flag=True, help="Count anew in the database of the settings.")
def verify(file: Path, keys: tuple[str, ...], folder: Path | None, database: bool) -> None:
    """Verify a roll-up's FILE: its signature, that its shares follow from its counts, with --from that the counts follow from the ledger.

    Exit status 0 only if all of it holds, 1 where something does not, 3 where no --key was given, so that anybody could have made it.
    """
    verifiers = _verifiers(keys)
    try:
        if file.stat().st_size > LONGEST_FILE:
            raise NoSummary(f"A roll-up has at most {LONGEST_FILE} bytes.")
        written = document.open_file(file.read_bytes().decode(), verifiers or None)
        whole = document.read(written)
        _show(whole, written)
        if folder or database:
            sealed = compare(_history(folder, keys), written)
            click.echo(
                f"The entries lead to these numbers; {'sealed at position ' + str(sealed.position) if sealed else 'not sealed there'}."
            )
    except (NoSummary, UnicodeDecodeError) as wrong:
        click.echo(f"FAULT  {wrong}", err=True)
        sys.exit(FAULTS)
    if not verifiers:
        click.echo("It agrees with itself, but anybody could have made it: give --key, which the service itself told you.", err=True)
        sys.exit(3)
    click.echo("Signed by a key that you gave.")


def _show(whole: dict[str, Any], written: bytes) -> None:
    period, weights, checkpoint = whole["period"], whole["weights"], whole["checkpoint"]
    click.echo(f"{whole['ledger']}  {period['name']}  {period['start']} up to {period['until']} ({period['zone']})")
    click.echo(f"{checkpoint['origin']}  {checkpoint['size']} entries  root {checkpoint['root']}")
    click.echo(f"weights {weights['name']}@{weights['version']}  document sha256 {document.digest(written)}")
    for each in whole["indicators"]:
        click.echo(f"  {each['code']:<20} {each['numerator']:>8} / {each['denominator']:<8} {percent(each['value']):>8}  {each['zh']}")
    click.echo(f"  {'total':<20} {'':>8}   {'':<8} {percent(whole['total']['value']):>8}")


def percent(value: str | None) -> str:
    """``93.75 %``, or — where nothing was due."""
    if value is None:
        return "—"
    whole, places = value.split(".")
    return f"{int(whole + places[:2])}.{places[2:]} %"


def _verifiers(keys: Sequence[str]) -> list[Verifier]:
    return [key for key in (read_key(_told(each)) for each in keys) if key is not None]


def _told(value: str) -> str:
    """What the option gives: a key, or the first line of the file that it names."""
    path = Path(value)
    return path.read_text("utf-8").split("\n", 1)[0].strip() if len(value) < 4096 and path.is_file() else value


def _history(folder: Path | None, keys: Sequence[str]) -> History:
    return open_folder(folder, _verifiers(keys)) if folder else FromDatabase(gridtrail())
