"""``gridtrail access``: who read what, and whether the record of it is whole. Looking at it is on record as well."""

import dataclasses
from typing import Any

import click

from projections.sight import EVERYTHING
from service.access import ACCESS_LOG
from service.cli.common import FORMATS, gridtrail, purpose_option, show_rows
from service.database import reading

SHOWN = ("at", "ledger", "person", "account", "role", "token_kind", "act", "object", "subject", "rows", "purpose", "address")


@click.group("access")
def command() -> None:
    """The record of reads: by auditors, and of personal data."""


@command.command("list")
@click.option("--area", help="Reads of this area's ledgers only.")
@click.option("--person", help="Reads by this person only.")
@click.option("--subject", help="Reads of this person's data only.")
@click.option("--object", "thing", help="Reads of this case, visit, photo or tablet only.")
@click.option("--act", help="Reads by this operation only, such as show_case.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@purpose_option
def list_reads(limit: int, form: str, purpose: str | None, thing: str | None, **wanted: str | None) -> None:
    """List the latest reads."""
    pieces = gridtrail()
    filters: dict[str, Any] = {name: value for name, value in {**wanted, "object": thing}.items() if value is not None}
    with reading(pieces.database) as conn:
        rows = pieces.access.list_reads(conn, EVERYTHING, **filters, limit=limit)
    pieces.access.record(None, None, "access.list", ledger=wanted["area"], purpose=purpose, rows=len(rows), filters=filters)
    show_rows(rows, SHOWN if form == "table" else [str(column.name) for column in ACCESS_LOG.columns], form)


@command.command("verify")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@purpose_option
def verify(form: str, purpose: str | None) -> None:
    """Compare every day's reads with what was sealed in the city's ledger. Exit code 1 where something is wrong."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        seals = pieces.access_days.seals(conn)
        faults = list(pieces.access_days.faults(conn))
    pieces.access.record(None, None, "access.verify", purpose=purpose, rows=sum(seal.reads for seal in seals.values()))
    show_rows([dataclasses.asdict(fault) for fault in faults], ("day", "kind", "sentence"), form) if faults else None
    kept = [seal for seal in seals.values() if seal.pruned_at is None]
    click.echo(
        f"{len(seals)} days sealed, {len(seals) - len(kept)} of them pruned; {sum(seal.reads for seal in kept)} reads compared, "
        f"{len(faults)} faults.",
        err=form != "table",
    )
    if faults:
        raise SystemExit(1)


@command.command("seal")
def seal() -> None:
    """Seal every day that is over, as the engine does by itself."""
    click.echo(f"{gridtrail().access_days.turn()} days sealed.")


@command.command("prune")
@purpose_option
def prune(purpose: str | None) -> None:
    """Remove the reads of days older than GRIDTRAIL_ACCESS_RETENTION_DAYS. Each day's removal is an event in the city's ledger."""
    pieces = gridtrail()
    pieces.access.record(None, None, "access.prune", purpose=purpose, filters={"retention_days": pieces.config.access_retention_days})
    days, reads = pieces.access_days.prune()
    click.echo(f"{reads} reads of {days} days were removed.")
