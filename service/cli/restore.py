"""``gridtrail restore``: a backup back into a database, whole and checked, or not at all."""

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from domain.clock import system_clock
from service.audit.backup_vault import check_vault, restore_vault
from service.audit.restoring import NotEmpty, Restored, check_source, restore, restore_photos
from service.cli.backup import FOLDER, bars
from service.cli.common import gridtrail
from service.config import Config

ERASURE = "service.personal.erasure"


@click.command("restore")
@click.argument("source", type=FOLDER)
@click.option("--check", "only_check", is_flag=True, help="Only check the backup; restore nothing.")
@click.option("--replace", is_flag=True, help="Also where the database is not empty: asks for its name, and removes what is in it.")
@click.option(
    "--nothing-lost", is_flag=True, help="The service was stopped before the backup and has not run since: ledgers keep their names."
)
@click.option("--photos", is_flag=True, help="Also put the backup's photos into the store, those that it has not.")
@click.option("--vault", type=FOLDER, help="Also the keys of this backup of the key store, those that it has not.")
def command(source: Path, only_check: bool, replace: bool, nothing_lost: bool, photos: bool, vault: Path | None) -> None:
    """Put the backup SOURCE into the configured database, of either kind. The service must not run.

    The backup is checked before anything is touched, and the database before anybody can see it; a crash leaves what was there before.
    """
    config = Config.from_environment()
    if vault:
        check_vault(vault)
    with bars("checked", "restored", "verified") as begin:
        if only_check:
            manifest, checked = check_source(source, begin)
        else:
            done = _restore(config, source, replace, nothing_lost, begin)
            manifest, checked = done.manifest, done.checked
    click.echo(f"Checked  {source} of {manifest['made_at']}, release {manifest['release']}: {checked}.")
    if only_check:
        return
    pieces = gridtrail()
    if photos:
        click.echo(f"Photos   {restore_photos(source, pieces.photos.store)} were put back.")
    if vault:
        click.echo(f"Vault    {restore_vault(pieces, vault)} keys were put back.")
    click.echo(f"Erasures {_erase_again(pieces)}")
    _say_what_follows(pieces, done)


def _restore(config: Config, source: Path, replace: bool, nothing_lost: bool, begin: Any) -> Restored:
    try:
        return restore(config, source, clock=system_clock, held=not nothing_lost, begin=begin)
    except NotEmpty as full:
        if not replace:
            raise
        name = click.prompt(f"The database {full.name} is not empty, and all that is in it will be gone. Its name, to go on")
        return restore(config, source, clock=system_clock, held=not nothing_lost, begin=begin, replace=name)


def _erase_again(pieces: Any) -> str:
    """Whoever was erased since the backup was made comes back with it, and is erased again before anybody can read."""
    if find_spec(ERASURE) is None:
        return "none: this release erases nobody."
    again = importlib.import_module(ERASURE).reapply(pieces)
    return f"{again} were applied again."


def _say_what_follows(pieces: Any, done: Restored) -> None:
    where = pieces.database.url.render_as_string(hide_password=True)
    entries = sum(each["size"] for each in done.manifest["ledgers"])
    click.echo(f"Restored {entries} entries in {len(done.manifest['ledgers'])} ledgers into {where}, and verified there.")
    if not done.held:
        return
    click.echo(
        "\nWhat was recorded after the backup is not here; tablets still have what they uploaded, acts at the console are lost.\n"
        "So the service reads and refuses to write, until the ledgers go on under new names:\n\n"
        '  gridtrail ledger continue --new-incarnation --reason "…" --approved-by LOGIN\n\n'
        "Then start it. Tablets see the new name with their next upload and send again what was lost."
    )
