"""The whole schema: which modules define tables, and how a database gets them. Read by the start-up, the migrations and the tests."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import projections
from projections.tables import METADATA
from service.database import writing

MIGRATIONS = Path(__file__).parents[1] / "migrations"
TABLE_MODULES = [
    *(f"projections.{module.name}" for module in pkgutil.iter_modules(projections.__path__)),
    "service.ledger.tables",
    "service.identity",
    "service.access",
    "service.sync.tables",
    "service.audit.tiles",
    "service.audit.tables",
    "service.personal.tables",
    "service.audit.held",
    "service.personal.brought",
]
"""Modules that define tables. A module that defines tables anywhere else must be added here."""


def metadata() -> sa.MetaData:
    """Every table of the service, once the modules that define them are imported."""
    for name in TABLE_MODULES:
        importlib.import_module(name)
    return METADATA


def triggers(dialect: str) -> list[str]:
    """The statements of every module of TABLE_MODULES that has TRIGGERS, for one dialect."""
    modules = [importlib.import_module(name) for name in TABLE_MODULES]
    return [statement for module in modules for statement in getattr(module, "TRIGGERS", {}).get(dialect, ())]


def create_all(engine: sa.Engine) -> None:
    """Makes all tables and triggers at once in an empty database: the quick way, for tests. Equal to upgrade (a test compares)."""
    tables = metadata()
    with writing(engine) as conn:
        tables.create_all(conn, checkfirst=False)
        for statement in triggers(engine.dialect.name):
            conn.exec_driver_sql(statement)


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Makes or upgrades the tables by the migrations, in one transaction."""
    with writing(engine) as conn:
        command.upgrade(alembic_config(conn), revision)


@cache
def head() -> str:
    """The newest migration of this code."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def stamp(engine: sa.Engine) -> None:
    """Says that a database that create_all made stands at the newest migration."""
    with writing(engine) as conn:
        command.stamp(alembic_config(conn), "head")


def revision_of(conn: sa.Connection) -> str | None:
    """The migration that a database stands at, None where it has none."""
    return MigrationContext.configure(conn).get_current_revision()


def alembic_config(conn: sa.Connection) -> AlembicConfig:
    """Alembic's settings for a connection that is in a transaction already; there is no alembic.ini."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    return config
