"""``gridtrail ledger``: the stored lines, exactly as they are stored; and how ledgers go on after a restore."""

import sys

import click

from service.audit.continuing import Continued, Continuing, Waiting
from service.cli.common import FORMATS, gridtrail, purpose_option, show_rows
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
@purpose_option
def show(ledger: str, start: int, end: int | None, limit: int | None, purpose: str | None) -> None:
    """Print the stored lines of a ledger, byte for byte: what is hashed into its tree."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        head = pieces.ledgers.head(conn, ledger)
    if head is None:
        raise click.ClickException(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
    stop = min(head.size, head.size if end is None else end + 1, head.size if limit is None else start + limit)
    said = {"from": start, "to": stop - 1}
    pieces.access.record(None, None, "ledger.show", ledger=ledger, purpose=purpose, rows=max(0, stop - start), filters=said)
    while start < stop:
        with reading(pieces.database) as conn:
            lines = pieces.ledgers.lines(conn, ledger, start, min(PAGE, stop - start))
        for line in lines:
            sys.stdout.buffer.write(bytes(line) + b"\n")
        start += len(lines)
        if not lines:
            break
    sys.stdout.buffer.flush()


@command.command("continue")
@click.argument("names", nargs=-1)
@click.option("--new-incarnation", is_flag=True, required=True, help="Yes: the old names are given up for good.")
@click.option("--reason", required=True, help="Why, in a sentence; it is recorded for ever. No names.")
@click.option("--approved-by", required=True, help="Login or id of the person who answers for it.")
@click.option("--all", "every", is_flag=True, help="Every ledger, not only those that are behind what was signed.")
def go_on(names: tuple[str, ...], new_incarnation: bool, reason: str, approved_by: str, every: bool) -> None:
    """After a restore: let the ledgers go on under new names, those that are behind what was signed of them, or NAMES.

    The first entry of each says why, and what is missing. Tablets see the new name and send again what was lost. Again: goes on where it
    was interrupted.
    """
    case = Continuing(gridtrail())
    person = case.approver(approved_by)
    waiting = case.waiting(names, every=every)
    if absent := sorted(set(names) - {each.head.ledger for each in waiting}):
        raise click.ClickException(f"There is no ledger {absent[0]}; gridtrail ledger list shows what there is.")
    done = [continued for each in waiting if (continued := case.go_on(each, reason, person))]
    if not done:
        click.echo("Every ledger holds all that was signed of it; none goes on under a new name.")
        return
    show_rows([_told(each) for each in done], ("ledger", "kept", "signed", "missing", "old_name", "new_name"), "table")
    click.echo(f"{len(done)} go on. Start the service; tablets send again what is missing.")


def _told(done: Continued) -> dict[str, object]:
    was: Waiting = done.was
    signed, missing = (was.signed[0] if was.signed else "unknown"), ("unknown" if was.missing is None else was.missing)
    names = {"old_name": was.origin.rpartition("/")[2], "new_name": done.origin.rpartition("/")[2]}
    return {"ledger": was.head.ledger, "kept": was.head.size, "signed": signed, "missing": missing, **names}
