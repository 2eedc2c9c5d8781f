"""``gridtrail keys``: the key that signs the ledgers' checkpoints."""

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.cli.common import gridtrail
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
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        keys.new_key(path)
    except FileExistsError:
        raise click.ClickException(f"{path} exists; a key that signed checkpoints is never written over.") from None
    click.echo(f"Wrote {path}.")


@command.command("show")
def show() -> None:
    """Print the public key as verifiers want it (a C2SP vkey)."""
    click.echo(str(gridtrail().signer.verifier))
