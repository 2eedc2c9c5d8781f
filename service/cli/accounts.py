"""``gridtrail accounts``: logins and passwords."""

from uuid import UUID

import click

from projections.people import get_person
from service.cli.common import gridtrail
from service.database import reading


@click.group("accounts")
def command() -> None:
    """Logins and passwords."""


@command.command("create")
@click.argument("login")
@click.option("--person", type=click.UUID, required=True, help="The person's id.")
@click.option("--label", default="", help="How the account is called on pages; the login, if not given.")
@click.password_option()
def create(login: str, person: UUID, label: str, password: str) -> None:
    """Give a person a login. Asks for the password; GRIDTRAIL_PASSWORD is not read, on purpose."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        if get_person(conn, str(person)) is None:
            raise click.ClickException(f"Nobody is registered as {person}: gridtrail people import registers people.")
    pieces.identity.create_account(str(person), login, password, label or login)
    click.echo(f"{login} can log in.")


@command.command("password")
@click.option("--person", type=click.UUID, required=True, help="The person's id.")
@click.password_option()
def password(person: UUID, password: str) -> None:
    """Set a new password; every session and token of the person ends."""
    gridtrail().identity.set_password(str(person), password)
    click.echo("The password is set, and every session and token of the person has ended.")
