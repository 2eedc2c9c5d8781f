"""``gridtrail tablets``: give tablets to people, list them, revoke them."""

from pathlib import Path
from typing import Any

import click
import segno
import sqlalchemy as sa

from projections import tablets as tablets_model
from projections.sight import Sight
from service.cli.common import FORMATS, gridtrail, show_rows
from service.database import reading
from service.identity import ACCOUNTS
from service.imports.recording import terminal_actor
from service.scope import OutOfScope

LISTED = ("tablet_id", "area", "person", "label", "status", "size", "recorded", "refused", "waiting", "skew_ms", "last_contact")
MOST = 100_000


@click.group("tablets")
def command() -> None:
    """Tablets."""


@command.command("enrol")
@click.option("--person", help="The person's id.")
@click.option("--login", help="The person's login, instead of the id.")
@click.option("--area", help="Area that decides the tablet's ledger; the person's first assignment's, if not given.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Also write the QR code there.")
def enrol(person: str | None, login: str | None, area: str | None, png: Path | None) -> None:
    """Make a one-time code with which a person's tablet enrols itself, and show it as text and as a QR code."""
    pieces = gridtrail()
    person = person or _person_of(pieces, login)
    try:
        code = pieces.enrolment.make_code(terminal_actor(pieces.config), person, area)
    except OutOfScope as absent:
        raise click.ClickException(f"{person} is nobody who is registered here, or the area is not theirs or not in force.") from absent
    image = segno.make(code.url, error="m")
    click.echo(f"Code     {code.code}\nAddress  {code.url}\nFor      {code.person} in {code.area}, until {code.expires_at}, once.")
    image.terminal(compact=True)
    if png:
        image.save(str(png), kind="png", scale=6)
        click.echo(f"Wrote {png}.")


def _person_of(pieces: Any, login: str | None) -> str:
    if not login:
        raise click.UsageError("Say for whom: --person ID or --login NAME.")
    with reading(pieces.database) as conn:
        person = conn.execute(sa.select(ACCOUNTS.c.person).where(ACCOUNTS.c.login == login)).scalar()
    if person is None:
        raise click.ClickException(f"Nobody has the login {login}.")
    return str(person)


@command.command("list")
@click.option("--area", help="Only in this subtree.")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
def list_tablets(area: str | None, form: str) -> None:
    """List the tablets: last contact, clock skew, what each still owes."""
    with reading(gridtrail().database) as conn:
        rows = tablets_model.list_tablets(conn, Sight((), everything=True), area=area, limit=MOST)
    show_rows(rows, LISTED, form)


@command.command("revoke")
@click.argument("tablet")
@click.option("--last-valid", type=click.IntRange(min=-1), required=True, help="Number of the last entry to be trusted; -1 for none.")
@click.option("--reason", required=True, help="Why.")
def revoke(tablet: str, last_valid: int, reason: str) -> None:
    """Revoke a tablet that was lost: it reads nothing more, and what it sends beyond the last valid entry is kept as refused."""
    _change(tablet, "revoke", {"last_valid": last_valid, "reason": reason})
    click.echo(f"Tablet {tablet} is revoked.")


@command.command("reinstate")
@click.argument("tablet")
@click.option("--reason", required=True, help="Why.")
def reinstate(tablet: str, reason: str) -> None:
    """Let a tablet upload again after its loss or fork was looked into."""
    _change(tablet, "reinstate", {"reason": reason})
    click.echo(f"Tablet {tablet} may upload again.")


def _change(tablet: str, method: str, said: dict[str, Any]) -> None:
    pieces = gridtrail()
    pieces.follower.catch_up(models=["tablets"])
    with reading(pieces.database) as conn:
        row = tablets_model.get_tablet(conn, Sight((), everything=True), tablet)
    if row is None:
        raise click.ClickException(f"There is no tablet {tablet}; gridtrail tablets list shows what there is.")
    pieces.inspection.change_tablet(terminal_actor(pieces.config), row["ledger"], tablet, method, said)
    pieces.follower.catch_up(row["ledger"], models=["tablets"])
