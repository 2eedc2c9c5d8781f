"""``gridtrail backup``: the whole database at one moment, verified before it counts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tqdm import tqdm

from service.audit.backup import Made, back_up
from service.audit.backup_vault import back_up_vault, must_be_apart
from service.cli.common import gridtrail

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("backup")
@click.argument("target", type=FOLDER)
@click.option("--photos", is_flag=True, help="Also the photos, out of whatever store they are in.")
@click.option("--vault", type=FOLDER, help="Also the key store of personal values, into this folder apart, to be deleted soon.")
def command(target: Path, photos: bool, vault: Path | None) -> None:
    """Write everything in the database, as it stands at one moment, into the new folder TARGET; the service goes on meanwhile.

    The backup is then read again from the disk: every digest, and every ledger's tree from its lines. Exit code 1, and nothing under
    TARGET, where it does not verify. It goes into either database again: gridtrail restore.
    """
    pieces = gridtrail()
    if vault:
        must_be_apart(target, vault)
    with bars("written", "verified") as begin:
        made = back_up(pieces, target, photos=photos, begin=begin)
    show(made)
    if vault:
        # After the ledgers: a key is durable before anything is kept under it, so none of theirs is missing.
        keys = back_up_vault(pieces, vault)
        rows = sum(table["rows"] for table in keys["tables"] if table["name"] == "subject_keys")
        click.echo(f"Vault    {vault}, {rows} keys. Delete it by {keys['delete_by']}: an erased value could be brought back with it.")


def show(made: Made) -> None:
    """Says what was written, and what is not inside."""
    manifest = made.manifest
    click.echo(f"Backup   {made.folder}, {made.bytes / 1e6:.1f} MB, of {manifest['made_at']}, migration {manifest['migration']}.")
    click.echo(f"Holds    {len(manifest['ledgers'])} ledgers with {sum(each['size'] for each in manifest['ledgers'])} entries.")
    click.echo(f"Verified {made.checked}.")
    photos = manifest["photos"]
    if photos["included"]:
        click.echo(f"Photos   {photos['kept']} of {photos['known']}.")
        for sha256 in photos["missing"]:
            click.echo(f"  the store has no whole photo {sha256}", err=True)
    click.echo(f"Delete   it by {manifest['delete_by']}: what is erased later is still in it until then.")
    click.echo("Not inside, and needed for a whole service:")
    for each in manifest["not_inside"]:
        click.echo(f"  {each['what']} ({each['where']}): {each['how']}")


@contextmanager
def bars(*names: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """One progress bar after another, each begun by its total, for the eye only."""
    shown: list[tqdm] = []

    def begin(total: int) -> Callable[[int], None]:
        if shown:
            shown[-1].close()
        bar = tqdm(total=total, desc=names[min(len(shown), len(names) - 1)], unit="row", unit_scale=True, disable=None, leave=False)
        shown.append(bar)

        def seen(count: int) -> None:
            bar.update(count)

        return seen

    try:
        yield begin
    finally:
        for bar in shown:
            bar.close()
