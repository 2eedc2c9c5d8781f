"""``gridtrail keys``: the key that signs the ledgers' checkpoints."""

import base64
import os
import secrets
from pathlib import Path

import click

from service.cli.common import gridtrail


@click.group("keys")
def command() -> None:
    """The key that signs checkpoints."""


@command.command("new")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Write it there (readable by the owner only) instead of printing it.")
def new(path: Path | None) -> None:
    """Make a new Ed25519 key: the value of GRIDTRAIL_SIGNING_KEY, or the file of GRIDTRAIL_SIGNING_KEY_FILE."""
    seed = base64.b64encode(secrets.token_bytes(32)).decode()
    if path is None:
        click.echo(seed)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{path} exists; a key that signed checkpoints is never written over.") from None
    with os.fdopen(handle, "w") as file:
        file.write(seed + "\n")
    click.echo(f"Wrote {path}.")


@command.command("show")
def show() -> None:
    """Print the public key as verifiers want it (a C2SP vkey)."""
    click.echo(gridtrail().signer.vkey)
