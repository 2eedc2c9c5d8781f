"""``gridtrail subject``: what is held of a person, its erasure, the retention of single values, and the key that wraps the keys."""

from datetime import date
from typing import Any
from uuid import UUID

import click
import orjson

from domain.subject import GROUNDS
from service.cli.common import gridtrail
from service.personal.auditing import Account, faults
from service.personal.erasure import Order
from service.personal.report import readable, report_of
from service.scope import OutOfScope

UNKNOWN = "Nothing was ever said of this subject; is the id right?"


@click.group("subject")
def command() -> None:
    """Persons whose data is held, known by a random id."""


@command.command("report")
@click.argument("subject", type=click.UUID)
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of the page.")
@click.option("--purpose", required=True, help="Why it is read, 3 to 200 characters; it goes on record.")
def report(subject: UUID, language: str, as_json: bool, purpose: str) -> None:
    """Print what is held of a person: values, where, since when, for what, until when. The read itself goes on record."""
    pieces = gridtrail()
    pieces.follower.catch_up(models=("personal_items", "erasures"))
    ledgers = pieces.erasure.ledgers_of(subject)
    if not ledgers:
        raise click.ClickException(UNKNOWN)
    for ledger in ledgers:
        pieces.access.record(None, None, "subject.report", ledger=ledger, subject=subject, purpose=purpose)
    made = report_of(pieces, subject, ledgers)
    click.echo(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() if as_json else "\n".join(readable(made, language)))


@command.command("erase")
@click.argument("subject", type=click.UUID)
@click.option("--reason", type=click.Choice(list(GROUNDS)), required=True, help="The ground of the law.")
@click.option("--reference", help="The letter or file that asked for it, such as letter/2026-118; never a name.")
@click.option("--requested-at", type=click.DateTime(["%Y-%m-%d"]), help="The day on which it was asked for; today if not given.")
def erase(subject: UUID, reason: str, reference: str | None, requested_at: Any) -> None:
    """Erase a person: record it, destroy key, values and photos, clean the files, record that it is done. Safe to run again."""
    pieces = gridtrail()
    pieces.follower.catch_up(models=("personal_items", "erasures"))
    act = pieces.erasure.system_act()
    day = requested_at.date() if requested_at else date.fromisoformat(act.day)
    ledgers = pieces.erasure.ledgers_of(subject)
    if not ledgers:
        raise click.ClickException(UNKNOWN)
    for ledger in ledgers:
        pieces.access.record(None, None, "subject.erase", ledger=ledger, subject=subject, purpose=reason)
    try:
        done = pieces.erasure.erase(subject, Order(reason, day.isoformat(), act, reference))
    except OutOfScope:
        raise click.ClickException(UNKNOWN) from None
    if done.again:
        click.echo(f"Subject {subject} was erased before; nothing was left to do.")
        return
    click.echo(
        f"Subject {subject} is erased in {', '.join(done.ledgers)}: {done.values} values, 1 key, {done.photos} photos "
        f"({done.photos_kept} photos stay, others use them).\nChecked: {', '.join(done.checks)}."
    )


@command.command("resume")
def resume() -> None:
    """Do what is left of erasures that were cut short, and in ledgers where an erased person turned up since."""
    pieces = gridtrail()
    pieces.follower.catch_up(models=("personal_items", "erasures"))
    click.echo(f"{pieces.erasure.resume()} erasures were finished.")


@command.command("retain")
@click.option("--most", type=click.IntRange(1), default=20_000, show_default=True, help="Values to destroy in this run, about.")
def retain(most: int) -> None:
    """Destroy values whose declared time is over, and record which. The engine's process does it daily (GRIDTRAIL_RETAIN_HOURS)."""
    pieces = gridtrail()
    pieces.follower.catch_up(models=("personal_items", "erasures", "open_cases"))
    for name, count in pieces.retention.run(most).items():
        click.echo(f"{name}: {count}")


@command.command("audit")
def audit() -> None:
    """Account for every value that an event vouches for: there, erased on record, still to come, or missing. Exit code 1 for a fault."""
    pieces = gridtrail()
    pieces.follower.catch_up(models=("personal_items",))
    account, count = Account(), 0
    for fault in faults(pieces, account):
        count += 1
        click.echo(str(fault))
    for name, number in account.counts().items():
        click.echo(f"{name}: {number}")
    click.echo(f"{count} faults.")
    if count:
        raise SystemExit(1)


@command.command("rewrap")
def rewrap() -> None:
    """Wrap every subject's key under a new key-encryption key. Safe to run beside the service, and to run again."""
    keystore = gridtrail().vault.keystore
    count = keystore.rewrap()
    click.echo(f"{count} keys are wrapped under key {keystore.keks.newest(make=False)} of {keystore.keks.where}.")
