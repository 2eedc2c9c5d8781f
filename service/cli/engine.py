"""``gridtrail engine``: the process that keeps the read models and publishes the logs' checkpoints."""

import signal
import threading
from typing import Any

import click

from projections.rebuilding import RebuildParked
from service.cli.common import FORMATS, gridtrail, show_rows
from service.database import reading

STANDING = ("ledger", "read_model", "position", "size", "behind", "parked_position", "parked_error")


@click.group("engine")
def command() -> None:
    """The engine that keeps the read models."""


@command.command("run")
def run() -> None:
    """Follow the ledgers until told to stop; publish, seal days of reads, end what is kept too long. Several share the work."""
    pieces = gridtrail()
    pieces.signing_key.signer()  # KeyRefused ends it here: the publisher would only say it again and again.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    pieces.watermark.check_all()
    publishing = threading.Thread(target=pieces.publisher.run, args=(stop,), name="publisher")
    sealing = threading.Thread(target=pieces.access_days.run, args=(stop,), name="access-days")
    retaining = threading.Thread(target=pieces.retention.follow, args=(stop,), name="retention")
    for beside in (publishing, sealing, retaining):
        beside.start()
    pieces.follower.run(stop, pieces.config.engine_poll_s)
    for beside in (publishing, sealing, retaining):
        beside.join()


@command.command("catch-up")
def catch_up() -> None:
    """Fold everything that is recorded and not folded yet, then end."""
    click.echo(f"{gridtrail().follower.catch_up()} events folded.")


@command.command("status")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
def status(form: str) -> None:
    """Show how far each read model has come in each ledger. Exit code 1 where one is parked."""
    rows = [_row(each) for each in gridtrail().follower.status()]
    show_rows(rows, STANDING, form)
    if any(row["parked_position"] is not None for row in rows):
        raise SystemExit(1)


def _row(standing: Any) -> dict[str, Any]:
    return {name: getattr(standing, name, None) for name in STANDING}


@command.command("rebuild")
@click.argument("read_model", required=False)
@click.option("--all", "every", is_flag=True, help="All read models, in one pass over the history.")
@click.option("--ledger", help="Only this ledger.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Ledgers that are rebuilt at the same time.")
def rebuild(read_model: str | None, every: bool, ledger: str | None, processes: int) -> None:
    """Fold a read model anew from the first event, beside the live one, and put right what differs."""
    from projections import READ_MODELS
    from service.cli import rebuilding

    if every == (read_model is not None):
        raise click.UsageError("Name one read model, or give --all.")
    pieces = gridtrail()
    models = [read_model] if read_model is not None else list(READ_MODELS)
    _known(pieces, models[0], ledger)
    try:
        count = rebuilding.rebuild(pieces, models, ledger, processes)
    except RebuildParked as parked:
        raise click.ClickException(f"{parked}. The live read model is as it was.") from parked
    what = f"Read model {read_model} was" if read_model is not None else f"All {len(models)} read models were"
    click.echo(f"{what} rebuilt: {count} events folded.")


@command.command("resume")
@click.argument("read_model")
@click.argument("ledger")
def resume(read_model: str, ledger: str) -> None:
    """Go on with a read model that was parked at an event which it could not fold, after the fix is in."""
    pieces = gridtrail()
    _known(pieces, read_model, ledger)
    pieces.follower.resume(read_model, ledger)
    click.echo(f"Read model {read_model} goes on in ledger {ledger}.")


def _known(pieces: Any, read_model: str, ledger: str | None) -> None:
    from projections import READ_MODELS

    if read_model not in READ_MODELS:
        raise click.BadParameter(f"{read_model!r} is not one of {', '.join(READ_MODELS)}.")
    with reading(pieces.database) as conn:
        if ledger is not None and pieces.ledgers.head(conn, ledger) is None:
            raise click.ClickException(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
