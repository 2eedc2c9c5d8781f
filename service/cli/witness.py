"""``gridtrail witness``: cosign the checkpoints of other people's logs. Runs anywhere; needs no database and none of our keys."""

import signal
import threading
from pathlib import Path

import click

from service.ledger.note import BadNote, Verifier

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("witness")
def command() -> None:
    """A witness of transparency logs (c2sp.org/tlog-witness), to be run by another body than the one that keeps the log."""


@command.command("new-key")
@click.argument("file", type=FILE)
@click.option("--name", required=True, help="The witness's name in cosignatures, like a URL without scheme: witness.example.org/1")
def new_key(file: Path, name: str) -> None:
    """Make a witness's key in a new file, and print the verifier key that others check its cosignatures with."""
    from service.audit import witness

    try:
        cosigner = witness.new_key(file, name)
    except FileExistsError:
        raise click.ClickException(f"{file} exists; a key that cosigned is never written over.") from None
    except BadNote as wrong:
        raise click.ClickException(f"{wrong}.") from wrong
    click.echo(str(cosigner.verifier))


@command.command("show-key")
@click.argument("file", type=FILE)
def show_key(file: Path) -> None:
    """Print the verifier key of a witness's key file."""
    from service.audit import witness

    click.echo(str(witness.load_key(file).verifier))


@command.command("run")
@click.option("--key", "key", type=FILE, required=True, help="The file that new-key made.")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of what was cosigned; keep it.")
@click.option("--log", "logs", multiple=True, required=True, help="Verifier key of a log to watch: <origin>+<id>+<key>. Several times.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8190, show_default=True)
@click.option("--prefix", default="", help="Path that the service stands under, such as /witness.")
def run(key: Path, state: Path, logs: tuple[str, ...], host: str, port: int, prefix: str) -> None:
    """Serve add-checkpoint until told to stop."""
    from service.audit import witness
    from service.audit.witness_server import WitnessServer

    try:
        verifiers = [Verifier.parse(each) for each in logs]
    except BadNote as wrong:
        raise click.BadParameter(f"{wrong}.", param_hint="--log") from wrong
    cosigner = witness.load_key(key)
    state.mkdir(parents=True, exist_ok=True)
    server = WitnessServer(witness.Witness(cosigner, state, verifiers), host, port, prefix)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    click.echo(f"{cosigner.verifier}")
    click.echo(f"Serves at http://{host}:{server.server_port}{server.prefix}; watches {', '.join(each.name for each in verifiers)}.")
    server.serve_forever(0.2)
    server.server_close()
