"""``gridtrail keys``: the key that signs the ledgers' checkpoints."""

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit.tables import heads_of
from service.cli.common import gridtrail
from service.database import reading
from service.ledger import keys


@click.group("keys")
def command() -> None:
    """The key that signs checkpoints."""


@command.command("new")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Write it there (readable by the owner only) instead of printing it.")
def new(path: Path | None) -> None:
    """Make a new Ed25519 key: the value of GRIDTRAIL_SIGNING_KEY, or the file of GRIDTRAIL_SIGNING_KEY_FILE."""
    if path is None:
        click.echo(keys.seed_of(Ed25519PrivateKey.generate()))
        return
    try:
        keys.new_key(path)
    except FileExistsError:
        raise click.ClickException(f"{path} exists; a key that signed checkpoints is never written over.") from None
    click.echo(f"Wrote {path}.")


@command.command("where")
def where() -> None:
    """Print where the keys are: the one that signs, and the one that wraps the keys of personal values. Back both up apart."""
    pieces = gridtrail()
    signing = "GRIDTRAIL_SIGNING_KEY" if pieces.config.signing_key else Path(pieces.config.signing_key_file).resolve()
    wrapping = "GRIDTRAIL_VAULT_KEY" if pieces.config.vault_key else Path(pieces.config.vault_key_file).resolve()
    click.echo(f"signing   {signing}\nwrapping  {wrapping}")


@command.command("show")
@click.option("--log", "log", help="A ledger's code, or root: the key under the name of that log, as witnesses and auditors want it.")
def show(log: str | None) -> None:
    """Print the public key as verifiers want it (a C2SP vkey)."""
    pieces = gridtrail()
    if log is None:
        click.echo(str(pieces.signer.verifier))
        return
    with reading(pieces.database) as conn:
        head = next((each for each in heads_of(conn) if each.ledger == log), None)
    if head is None:
        raise click.ClickException(f"There is no log {log} yet. The root log begins when the publisher first runs: gridtrail engine run.")
    click.echo(str(pieces.watermark.signer(log, head.incarnation).verifier))


@command.command("rotate")
@click.option("--reason", required=True, help="Why; it is on record for ever.")
@click.option("--stolen", is_flag=True, help="The old key is in other hands: what it signs from now on counts for nothing.")
@click.option("--last-valid", type=click.IntRange(min=0), help="With --stolen: size of the root log up to which the old key is believed.")
def rotate(reason: str, stolen: bool, last_valid: int | None) -> None:
    """Hand on to a new key: a statement signed by both, kept beside the key's file, served at /log/keys and recorded in the city's ledger.

    Running processes take the new key within a second and sign all logs anew; tablets follow by themselves. Run it again after a crash: it
    finishes what was begun.
    """
    from service.audit.rotating import Rotating

    if last_valid is not None and not stolen:
        raise click.UsageError("--last-valid goes with --stolen.")
    for each in Rotating(gridtrail()).rotate(reason, stolen=stolen, last_valid=last_valid):
        until = "" if each.last_valid is None else f"; the old key is believed up to size {each.last_valid} of the root log"
        click.echo(f"{each.old}\nhanded on to\n{each.new}{until}.")
