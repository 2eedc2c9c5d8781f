"""``gridtrail ledger``: the stored lines, exactly as they are stored."""

import sys

import click

from service.cli.common import FORMATS, gridtrail, show_rows
from service.database import reading

PAGE = 500


@click.group("ledger")
def command() -> None:
    """The recorded history."""


@command.command("list")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
def list_ledgers(form: str) -> None:
    """List the ledgers with their sizes and roots."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        heads = pieces.ledgers.heads(conn)
    columns = ("ledger", "size", "root", "incarnation", "recorded_at")
    show_rows([{**{name: getattr(head, name) for name in columns}, "root": head.root.hex()} for head in heads], columns, form)


@command.command("show")
@click.argument("ledger")
@click.option("--from", "start", type=click.IntRange(min=0), default=0, help="First position; 0 if not given.")
@click.option("--to", "end", type=click.IntRange(min=0), help="Last position.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many lines.")
def show(ledger: str, start: int, end: int | None, limit: int | None) -> None:
    """Print the stored lines of a ledger, byte for byte: what is hashed into its tree."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        head = pieces.ledgers.head(conn, ledger)
    if head is None:
        raise click.ClickException(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
    stop = min(head.size, head.size if end is None else end + 1, head.size if limit is None else start + limit)
    while start < stop:
        with reading(pieces.database) as conn:
            lines = pieces.ledgers.lines(conn, ledger, start, min(PAGE, stop - start))
        for line in lines:
            sys.stdout.buffer.write(bytes(line) + b"\n")
        start += len(lines)
        if not lines:
            break
    sys.stdout.buffer.flush()
