"""``gridtrail dossier``: one case as a folder that proves itself to somebody who has never seen Gridtrail."""

import os
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import click

from service.audit.dossiers.script import script
from service.cli.common import gridtrail
from service.scope import OutOfScope


def _only_script(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    path.write_bytes(script())
    click.echo(f"{path}  sha256 {sha256(script()).hexdigest()}")
    ctx.exit()


@click.command("dossier")
@click.argument("case", type=click.UUID)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The zip file to write.")
@click.option("--purpose", required=True, help="Why; it goes on record.")
@click.option("--with-personal", is_flag=True, help="Open the personal values that the vault holds. Without it they stay digests.")
@click.option("--without-photos", is_flag=True, help="Name photos by their digests only.")
@click.option(
    "--verifier",
    type=click.Path(dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_only_script,
    help="Only write verify.py there, to be given to whoever doubts, apart from any dossier.",
)
def command(case: UUID, output: Path, purpose: str, with_personal: bool, without_photos: bool) -> None:
    """Write CASE with its lines, tablets' entries, photos and all proofs into one zip, with a page for people and verify.py.

    The same state gives the same bytes. To verify it: python3 -I verify.py FILE --key KEY --witness KEY
    """
    pieces = gridtrail()
    try:
        ledger, _ = pieces.dossiers.ledger_of(str(case))
    except OutOfScope:
        raise click.ClickException(f"No case {case} is in the lists. If it was recorded just now, let the engine catch up.") from None
    filters = {"personal": with_personal, "photos": not without_photos}
    pieces.access.record(None, None, "dossier", ledger=ledger, object=str(case), purpose=purpose, filters=filters)
    dossier = pieces.dossiers.make(str(case), personal=with_personal, photos=not without_photos)
    beside, digest = output.with_name(f"{output.name}.part"), sha256()
    with beside.open("wb") as file:
        for piece in pieces.dossiers.stream(dossier):
            file.write(piece)
            digest.update(piece)
    os.replace(beside, output)
    lines = sum(name.startswith("ledgers/") and name.endswith(".json") for name in dossier.files)
    entries = sum(name.endswith(".entry") for name in dossier.files)
    click.echo(f"{output}  {output.stat().st_size} bytes  sha256 {digest.hexdigest()}")
    click.echo(f"{lines} lines, {entries} entries of tablets, {len(dossier.photos)} photos; verify it with {pieces.signer.verifier}")
