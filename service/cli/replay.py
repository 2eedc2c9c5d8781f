"""``gridtrail replay``: a read model as it stood at a moment, folded from the history and nothing else."""

from collections.abc import Iterator

import click

from domain.clock import parse_utc, utc_text
from projections import READ_MODELS
from projections.engine import fold_lines
from projections.recorded import read_line
from service.cli.common import FORMATS, gridtrail, show_rows
from service.database import reading
from service.wiring import Gridtrail

PAGE = 500


@click.command("replay")
@click.argument("ledger")
@click.option("--read-model", "name", required=True, help="Which one, such as open_cases.")
@click.option("--as-of", "moment", help="A position, or a time of recording such as 2026-11-21T08:00:00Z. The end, if not given.")
@click.option("--format", "form", type=FORMATS, default="json", show_default=True)
def command(ledger: str, name: str, moment: str | None, form: str) -> None:
    """Fold LEDGER's history up to a moment and print the read model's rows as they stood then."""
    if name not in READ_MODELS:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(READ_MODELS)}.", param_hint="--read-model")
    model = READ_MODELS[name]
    pieces = gridtrail()
    rows = fold_lines(model, lines_until(pieces, ledger, *boundary(moment)))
    show_rows(rows, [str(column.name) for column in model.TABLE.columns], form)


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


def lines_until(pieces: Gridtrail, ledger: str, position: int | None, recorded_at: str | None) -> Iterator[bytes]:
    """The ledger's lines in order, up to and with the last position or the last time of recording."""
    start = 0
    while True:
        with reading(pieces.database) as conn:
            lines = pieces.ledgers.lines(conn, ledger, start, PAGE)
        if not lines and start == 0:
            raise click.ClickException(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
        for line in lines:
            if position is not None and start > position:
                return
            if recorded_at is not None and read_line(line).recorded_at > recorded_at:
                return
            yield line
            start += 1
        if len(lines) < PAGE:
            return
