"""``gridtrail``: the command line, one file for each noun. Errors are one sentence on stderr and an exit code that is not zero."""

import importlib
from typing import Any

import click
import sqlalchemy as sa

from domain.errors import Refusal

COMMANDS = (
    "access",
    "accounts",
    "areas",
    "audit",
    "backup",
    "cases",
    "config",
    "db",
    "demo",
    "dossier",
    "engine",
    "export",
    "keys",
    "ledger",
    "people",
    "proof",
    "replay",
    "restore",
    "rulebooks",
    "seed",
    "serve",
    "simulate",
    "subject",
    "summary",
    "tablets",
    "witness",
)
"""Each is a module of this package with a ``command``; only the one that is asked for is imported."""


class Failed(click.ClickException):
    """A sentence for the person at the terminal, and exit code 1."""


class Commands(click.Group):
    """The commands, imported when they are asked for, with known errors turned into sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All nouns, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a noun, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"service.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what it may fail with becomes one sentence."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as wrong:
            sentence = sentence_of(wrong)
            if sentence is None:
                raise
            raise Failed(sentence) from wrong


def sentence_of(wrong: Exception) -> str | None:
    """The sentence of an error that a person can act on; None for a bug, which keeps its traceback."""
    from service.audit.backup import NotBackedUp
    from service.audit.backup_files import BadBackup
    from service.audit.continuing import NobodyApproved
    from service.audit.export_forms import MissingPackage
    from service.audit.journal import JournalRefused
    from service.audit.manifests import BadExport
    from service.audit.restoring import NotRestored
    from service.config import BadConfiguration
    from service.database import Busy, DatabaseRefused
    from service.fleet.run import ForeignOutbox
    from service.imports.table import UnreadableFile
    from service.ledger.keys import KeyRefused
    from service.ledger.store import EntryTooLarge, HistoryBehind
    from service.problems import Problem
    from service.scope import NotYourRole, OutOfScope
    from service.summaries.document import NoSummary
    from service.tablet_client import Refused, Unreachable

    if isinstance(wrong, Problem):
        return str(wrong.detail or wrong)
    if isinstance(wrong, OutOfScope | NotYourRole):
        return "This lies outside of the city that GRIDTRAIL_CITY names, or is not an administrator's to do."
    told = (
        *(Refusal, BadConfiguration, UnreadableFile, DatabaseRefused, KeyRefused, EntryTooLarge, ForeignOutbox, Refused, Unreachable),
        *(BadExport, MissingPackage, NoSummary),
        *(HistoryBehind, JournalRefused, Busy),
        *(NotBackedUp, BadBackup, NotRestored, NobodyApproved),
    )
    if isinstance(wrong, told):
        return str(wrong)
    if isinstance(wrong, sa.exc.OperationalError | sa.exc.ProgrammingError):
        return f"The database says: {wrong.orig}. If it is new, run: gridtrail db upgrade"
    return None


@click.command(cls=Commands)
@click.version_option(package_name="gridtrail")
def main() -> None:
    """Gridtrail: the record and the sync of a city's grid workers. Settings come from GRIDTRAIL_* variables: gridtrail config."""
