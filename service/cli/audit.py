"""``gridtrail audit``: an auditor's commands. They trust nothing that is stored beside the entries, and need no running service."""

import os
import sys
from pathlib import Path

import click
import orjson
import sqlalchemy as sa
from tqdm import tqdm

from service.audit.downloading import CannotFetch, Downloads, Http
from service.audit.fetching import Fetching
from service.audit.verifying.checkpoints import Keys
from service.audit.verifying.run import LEAST
from service.audit.verifying.run import verify as verify_all
from service.audit.verifying.sources import NoSuchHistory, Wanted, bytes_unknown, open_source
from service.audit.verifying.telling import as_json, as_text
from service.audit.verifying.vaults import FromVault
from service.config import BadConfiguration, Config
from service.database import DatabaseRefused
from service.ledger.note import BadNote

FAULTS, COULD_NOT = 1, 2


@click.group("audit")
def command() -> None:
    """Copy and verify the history."""


@command.command("fetch")
@click.argument("url")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--log", "logs", multiple=True, help="Only this log: a ledger's code, or root. All that the token may read, if not given.")
@click.option("--key", "keys", multiple=True, help="The service's key as a C2SP verifier key (gridtrail keys show), or a file.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file with an auditor's token.")
@click.option("--parallel", type=click.IntRange(1, 32), default=8, show_default=True, help="Requests at once.")
def fetch(url: str, folder: Path, logs: tuple[str, ...], keys: tuple[str, ...], token_file: Path | None, parallel: int) -> None:
    """Copy the logs of the service at URL into FOLDER, as C2SP tlog-tiles, and verify them while they are copied.

    The auditor's token comes from GRIDTRAIL_AUDIT_TOKEN or --token-file. May be interrupted and run again at any time. Exit status 0
    only if every log goes on from what was fetched before, 1 where one does not, 2 where it could not be fetched.
    """
    token = token_file.read_text("utf-8").strip() if token_file is not None else os.environ.get("GRIDTRAIL_AUDIT_TOKEN")
    downloads = Downloads(url, token, Http(parallel))
    wrong = 0
    try:
        with tqdm(desc="fetch", unit="entry", unit_scale=True, disable=None, leave=False) as bar:
            fetching = Fetching(downloads, folder, Keys(map(_told, keys)), parallel, bar.update)
            for each in fetching.fetch(logs):
                wrong += each.wrong is not None
                bar.write(each.wrong or f"{each.log}: {each.size:,} entries, {each.new:,} of them new, {each.files:,} files fetched")
        for note in fetching.notes:
            click.echo(f"note: {note}")
    except (CannotFetch, BadNote, OSError) as failed:
        click.echo(f"It could not be fetched: {failed}", err=True)
        sys.exit(COULD_NOT)
    sys.exit(FAULTS if wrong else 0)


@command.command("verify")
@click.argument("source")
@click.option("--key", "keys", multiple=True, help="The service's key as a C2SP verifier key (gridtrail keys show), or a file.")
@click.option("--witness", "witnesses", multiple=True, help="A witness's verifier key, or a file; several times.")
@click.option("--quorum", type=click.IntRange(min=1), help="How many of the witnesses must have cosigned; all, if not given.")
@click.option("--checkpoint", "checkpoints", multiple=True, type=click.Path(exists=True), help="A file with a checkpoint that you have.")
@click.option("--ledger", "logs", multiple=True, help="Only this ledger. What crosses ledgers is then not complete.")
@click.option("--without-read-models", is_flag=True, help="Do not fold the history anew to compare the read models.")
@click.option("--without-rules", is_flag=True, help="Do not decide every event again.")
@click.option("--with-vault", is_flag=True, help="Open the vault of the settings: account for every value, decide kept refusals again.")
@click.option("--tolerance", type=click.FloatRange(min=0, max=3600), default=60.0, show_default=True, help="Seconds; see docs/audit.md.")
@click.option("--zone", help="The city's time zone; GRIDTRAIL_TIME_ZONE, if not given.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    help=f"Processes; as many as there are cores, and one below {LEAST:,} events.",
)
@click.option("--stop-after", type=click.IntRange(min=1), help="Stop after so many faults.")
@click.option("--json", "as_object", is_flag=True, help="One JSON object instead of text.")
def verify(
    source: str,
    keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    quorum: int | None,
    checkpoints: tuple[str, ...],
    logs: tuple[str, ...],
    without_read_models: bool,
    without_rules: bool,
    with_vault: bool,
    tolerance: float,
    zone: str | None,
    jobs: int,
    stop_after: int | None,
    as_object: bool,
) -> None:
    """Verify the history in SOURCE: a folder that was fetched, or the URL of a database.

    Exit status 0 only if all holds, 1 where there are faults, 2 where it could not be checked.
    """
    try:
        vault = FromVault(Config.from_environment(database_url=source)) if with_vault else None
        wanted = Wanted(
            keys=tuple(map(_told, keys)),
            witnesses=tuple(map(_told, witnesses)),
            quorum=quorum,
            zone=zone or Config.from_environment().time_zone,
            tolerance_s=tolerance,
            read_models=not without_read_models,
            rules=not without_rules,
            stop_after=stop_after,
            logs=logs,
            refused=vault if vault is not None else bytes_unknown,
            values=vault.judge_values if vault is not None else None,
            checkpoints=tuple(Path(path).read_text("utf-8") for path in checkpoints),
        )
        history = open_source(source)
        with tqdm(desc="verify", unit="event", unit_scale=True, total=sum(history.logs().values()), disable=None, leave=False) as bar:
            found = verify_all(history, wanted, jobs=jobs, on_events=bar.update)
    except (BadConfiguration, NoSuchHistory, BadNote, DatabaseRefused, OSError, UnicodeDecodeError, sa.exc.SQLAlchemyError) as wrong:
        click.echo(f"It could not be checked: {_sentence(wrong)}", err=True)
        sys.exit(COULD_NOT)
    if as_object:
        click.echo(orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in as_text(found):
            click.echo(line)
    sys.exit(0 if found.holds else FAULTS)


def _told(value: str) -> str:
    """What an option gives: the value itself, or the first line of the file that it names."""
    path = Path(value)
    try:
        return path.read_text("utf-8").strip().splitlines()[0] if len(value) < 4096 and path.is_file() else value
    except (OSError, IndexError, UnicodeDecodeError):
        return value


def _sentence(wrong: Exception) -> str:
    return str(wrong.orig) if isinstance(wrong, sa.exc.DBAPIError) and wrong.orig is not None else str(wrong)
