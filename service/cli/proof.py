"""``gridtrail proof``: proofs as files. To get one reads the database; to check one needs no server, database or configuration."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import click

from service.audit import proofs
from service.ledger.note import BadNote, Checkpoint, Verifier
from service.ledger.tree import BadProof

if TYPE_CHECKING:
    import sqlalchemy as sa

    from service.audit.tables import Published
    from service.wiring import Gridtrail

T = TypeVar("T")

MOST_BYTES = 1_048_576
"""Longer files are neither proofs nor entries: an entry has at most 65,535 bytes."""
LOG = re.compile(r"\d{4}|\d{6}|\d{9}|root", re.ASCII)
FILE = click.File("rb")
OUTPUT = click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there instead of printing it.")
KEYS = click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="The log's verifier key, or a file that holds it. Give a witness's key too, and its cosignature must be there.",
)


@click.group("proof")
def command() -> None:
    """Prove that an entry stands in a ledger, or that a ledger only grew; and check such proofs anywhere."""


@command.command("get")
@click.argument("ledger")
@click.argument("position", type=click.IntRange(min=0, max=2**53 - 1))
@OUTPUT
@click.option("--entry", "entry_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the entry's bytes there as well.")
@click.option("--purpose", help="Why you read the entry; goes on record with the read.")
def get(ledger: str, position: int, output: Path | None, entry_file: Path | None, purpose: str | None) -> None:
    """Get the proof of the entry at POSITION of LEDGER (or of `root`) under the latest published checkpoint (c2sp.org/tlog-proof@v1)."""
    from service.audit.leaves import read_entries

    def ask(pieces: "Gridtrail", conn: "sa.Connection", point: "Published") -> tuple[str, bytes, "Gridtrail"]:
        if position >= point.size:
            raise click.ClickException(f"The latest published checkpoint of {ledger} reaches position {point.size - 1}.")
        hashes = pieces.tiles.inclusion(conn, ledger, position, point.size)
        return proofs.write_proof(position, hashes, point.note), b"".join(read_entries(conn, ledger, position, position + 1)), pieces

    text, entry, pieces = _asked(ledger, ask)
    _give(text, output)
    if entry_file:
        pieces.access.record(None, None, "proof.get", ledger=ledger, object=f"{ledger}/{position}", purpose=purpose, rows=1)
        entry_file.write_bytes(entry)


@command.command("verify")
@click.argument("file", type=FILE)
@click.option("--entry", type=FILE, required=True, help="The file with the entry's bytes; - for standard input.")
@KEYS
def verify(file: BinaryIO, entry: BinaryIO, keys: tuple[str, ...]) -> None:
    """Check that FILE proves the entry. Exit status 0 only if it does."""
    text, plain, verifiers = _text(file), _bytes(entry), _verifiers(keys)
    checkpoint, note = _held(lambda: _verified(text, plain, verifiers))
    click.echo(f"The entry stands at position {proofs.read_proof(text).index} of {checkpoint.origin}{note},")
    click.echo(f"whose first {checkpoint.size} entries are signed by {_names(verifiers)}.")


@command.group("consistency")
def consistency() -> None:
    """Prove that a ledger of one size begins with that of an earlier size: nothing was changed or removed."""


@consistency.command("get")
@click.argument("ledger")
@click.argument("old", type=click.IntRange(min=1, max=2**53 - 1))
@click.argument("new", type=click.IntRange(min=1, max=2**53 - 1), required=False)
@OUTPUT
def get_consistency(ledger: str, old: int, new: int | None, output: Path | None) -> None:
    """Get the proof that LEDGER (or `root`) of NEW entries, or of all that are published, begins with its first OLD ones."""

    def ask(pieces: "Gridtrail", conn: "sa.Connection", point: "Published") -> str:
        size = point.size if new is None else new
        if not old <= size <= point.size:
            raise click.ClickException(f"Give an earlier size, then a later one of at most {point.size}, which {ledger} has published.")
        hashes = pieces.tiles.consistency(conn, ledger, old, size)
        return proofs.write_consistency(old, size, hashes, point.note if size == point.size else "")

    _give(_asked(ledger, ask), output)


@consistency.command("verify")
@click.argument("file", type=FILE)
@click.option("--old", type=FILE, required=True, help="The file with the checkpoint that you kept.")
@click.option("--new", type=FILE, help="The file with the newer checkpoint, where the proof does not bring it.")
@KEYS
def verify_consistency(file: BinaryIO, old: BinaryIO, new: BinaryIO | None, keys: tuple[str, ...]) -> None:
    """Check that FILE proves that nothing was changed or removed between two checkpoints. Exit status 0 only if it does."""
    text, kept, later, verifiers = _text(file), _text(old), _text(new) if new else "", _verifiers(keys)
    first, second = _held(lambda: proofs.verify_consistency_file(text, kept, verifiers, later))
    click.echo(f"{second.origin} of {second.size} entries begins with the {first.size} entries of the checkpoint that you kept.")
    click.echo(f"Both are signed by {_names(verifiers)}.")


# ---- getting


def _asked(ledger: str, ask: Callable[["Gridtrail", "sa.Connection", "Published"], T]) -> T:
    """What ask gives for the latest checkpoint of a log."""
    from service.audit.tables import published
    from service.audit.tiles import NotRecorded
    from service.cli.common import gridtrail
    from service.database import reading

    if not LOG.fullmatch(ledger):
        raise click.ClickException(f"{ledger!r} is no ledger: those have codes of 4, 6 or 9 digits, and one is called root.")
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        point = published(conn, ledger)
        if point is None:
            raise click.ClickException(f"No checkpoint of {ledger} is published; the engine publishes them: gridtrail engine run.")
        try:
            return ask(pieces, conn, point)
        except NotRecorded as missing:
            raise click.ClickException(f"Entries that a published checkpoint vouches for are missing: {missing}.") from None


def _give(text: str, output: Path | None) -> None:
    if output:
        output.write_text(text, encoding="utf-8", newline="\n")
    else:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


# ---- checking


def _held(check: Callable[[], T]) -> T:
    """What the check gives; its refusal as a sentence."""
    try:
        return check()
    except (BadProof, BadNote) as wrong:
        said = str(wrong).rstrip(".")
        raise click.ClickException(f"This does not hold: {said}.") from None


def _verified(text: str, plain: bytes, verifiers: list[Verifier]) -> tuple[Checkpoint, str]:
    """The checkpoint, for the file's bytes or for them without the line feed that ends a line of text."""
    try:
        return proofs.verify_proof(text, plain, verifiers), ""
    except BadProof:
        if not plain.endswith(b"\n"):
            raise
        return proofs.verify_proof(text, plain[:-1], verifiers), " (without the line feed at the end of the file)"


def _bytes(file: BinaryIO) -> bytes:
    plain = file.read(MOST_BYTES + 1)
    if len(plain) > MOST_BYTES:
        raise click.ClickException(f"{file.name} is longer than any proof, checkpoint or entry.")
    return plain


def _text(file: BinaryIO) -> str:
    try:
        return _bytes(file).decode()
    except UnicodeDecodeError:
        raise click.ClickException(f"{file.name} is not a text in UTF-8.") from None


def _verifiers(keys: tuple[str, ...]) -> list[Verifier]:
    return [_verifier(line) for key in keys for line in _lines(key)]


def _lines(key: str) -> list[str]:
    """The key itself, or those of the file that it names."""
    if "+" in key and not Path(key).is_file():
        return [key]
    try:
        with Path(key).open("rb") as file:
            found = [line.strip() for line in _text(file).splitlines() if line.strip()]
    except OSError:
        raise click.ClickException(f"{key!r} is neither a verifier key (<name>+<id>+<key>) nor a file with one.") from None
    if not found:
        raise click.ClickException(f"{key} is empty; a verifier key is <name>+<id>+<key>.")
    return found


def _verifier(line: str) -> Verifier:
    try:
        return Verifier.parse(line)
    except BadNote as wrong:
        raise click.ClickException(f"{line[:80]!r} is no verifier key: {wrong}.") from None


def _names(verifiers: list[Verifier]) -> str:
    return ", ".join(dict.fromkeys(each.name for each in verifiers))
