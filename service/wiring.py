"""All wiring: which piece is given to which. Read by create_app, the command line and the tests."""

import os
from functools import cached_property

import sqlalchemy as sa
from flask import Flask

from domain.clock import Clock, system_clock
from projections import READ_MODELS
from projections.engine import Follower
from service import database as databases
from service import deadlines
from service.access import Access
from service.audit.access_days import AccessDays
from service.audit.as_of import AsOf
from service.audit.dossier import Dossiers
from service.audit.publishing import Publisher
from service.audit.tiles import Tiles
from service.audit.watermark import Watermark
from service.config import Config, folder_of
from service.durable import make_folder
from service.identity import Identity
from service.inspection import Inspection
from service.ledger import keys, schema
from service.ledger.note import Signer
from service.ledger.store import Ledgers
from service.personal.bringing import Bringing
from service.personal.erasure import Erasure
from service.personal.kek import KeyEncryptionKeys
from service.personal.keystore import KeyStore
from service.personal.reading import Reading
from service.personal.retention import Retention
from service.personal.vault import Vault
from service.summaries.making import Summaries
from service.sync.changes import Changes
from service.sync.enrolment import Enrolment
from service.sync.photos import Photos
from service.sync.proofs import TabletProofs
from service.sync.upload import Uploads


class Gridtrail:
    """The pieces of one running service, made on first use. Keeps no state beside connections and caches."""

    def __init__(self, config: Config | None = None, *, clock: Clock = system_clock, database: sa.Engine | None = None) -> None:
        self.config = config or Config.from_environment()
        self.clock = clock
        self._given_database = database

    @cached_property
    def database(self) -> sa.Engine:
        """The one database; durable settings are asserted when it is opened."""
        if self._given_database is not None:
            return self._given_database
        return self._opened(self.config.database_url)

    def _opened(self, url: str) -> sa.Engine:
        folder = folder_of(url)
        if folder:
            make_folder(folder)
        engine = databases.open_database(
            url,
            lock_timeout_s=self.config.lock_timeout_s,
            statement_timeout_s=self.config.statement_timeout_s,
            pool_size=self.config.pool_size,
        )
        return deadlines.watch(engine)

    def forget(self, *, close: bool = True) -> None:
        """Lets go of every piece; they are made anew on next use. close: ends the connections too, which only their own process may do."""
        database = self.__dict__.get("database")
        if database is not None and self._given_database is None:
            database.dispose(close=close)
        if "vault" in self.__dict__:
            self.vault.keystore.dispose(close=close)
        if "watermark" in self.__dict__:
            self.watermark.journal.close()
        for name in [name for name, piece in vars(type(self)).items() if isinstance(piece, cached_property)]:
            self.__dict__.pop(name, None)

    def upgrade(self) -> None:
        """Makes or upgrades the tables, those of the key store too."""
        schema.upgrade(self.database)
        self.vault.keystore.engine  # noqa: B018

    @cached_property
    def ledgers(self) -> Ledgers:
        """The store of recorded lines."""
        return Ledgers(self.database, clock=self.clock, watch=self.watermark)

    @cached_property
    def tiles(self) -> Tiles:
        """Tiles, roots and proofs of every log."""
        return Tiles(self)

    @cached_property
    def follower(self) -> Follower:
        """The engine that keeps the read models."""
        return Follower(self.database, self.ledgers, READ_MODELS, writing=databases.writing, reading=databases.reading, clock=self.clock)

    @cached_property
    def signing_key(self) -> keys.SigningKey:
        """The key that signs the ledgers' checkpoints."""
        config = self.config
        return keys.SigningKey(config.signing_key, config.signing_key_file, config.origin, lambda: self.watermark.has_signed())

    @property
    def signer(self) -> Signer:
        """What signs the ledgers' checkpoints now."""
        return self.signing_key.signer()

    @cached_property
    def watermark(self) -> Watermark:
        """What was signed, outside of the database; nothing may fall behind it."""
        return Watermark(self)

    @cached_property
    def publisher(self) -> Publisher:
        """What publishes the logs' checkpoints."""
        return Publisher(self)

    @cached_property
    def vault(self) -> Vault:
        """Personal values, and the store of their keys. Beside a database in memory the key store is in memory too."""
        url = "sqlite://" if databases.is_memory(self.database) else self.config.vault_url
        value = self.config.vault_key or (KeyEncryptionKeys.random() if url == "sqlite://" else "")
        keys = KeyEncryptionKeys(value, self.config.vault_key_file)
        return Vault(KeyStore(lambda: self._opened_for_its_owner(url), keys, self.clock), self.clock)

    def _opened_for_its_owner(self, url: str) -> sa.Engine:
        folder = folder_of(url)
        if folder:
            make_folder(folder)
            # SQLite gives its -wal and -shm files the rights of the database's own.
            os.close(os.open(sa.make_url(url).database or "", os.O_RDWR | os.O_CREAT, 0o600))
        return self._opened(url)

    @cached_property
    def dossiers(self) -> Dossiers:
        """Cases as folders that prove themselves."""
        return Dossiers(self)

    @cached_property
    def erasure(self) -> Erasure:
        """The erasure of subjects."""
        return Erasure(self)

    @cached_property
    def retention(self) -> Retention:
        """Destroys values whose time is over."""
        return Retention(self)

    @cached_property
    def identity(self) -> Identity:
        """Accounts, sessions, tokens."""
        return Identity(self.database, self.clock, self.config)

    @cached_property
    def access(self) -> Access:
        """Who read what, on record."""
        return Access(self.database, self.clock, self.config)

    @cached_property
    def access_days(self) -> AccessDays:
        """The record of reads, sealed day by day."""
        return AccessDays(self)

    @cached_property
    def as_of(self) -> AsOf:
        """Cases as they were."""
        return AsOf(self)

    @cached_property
    def inspection(self) -> Inspection:
        """The use cases."""
        return Inspection(self.database, self.ledgers, self.follower, self.clock, self.config, self.vault)

    @cached_property
    def summaries(self) -> Summaries:
        """The roll-ups."""
        return Summaries(self)

    @cached_property
    def enrolment(self) -> Enrolment:
        """Codes and tablets."""
        return Enrolment(self)

    @cached_property
    def uploads(self) -> Uploads:
        """Batches of tablets' entries."""
        return Uploads(self)

    @cached_property
    def changes(self) -> Changes:
        """What a tablet must hold."""
        return Changes(self)

    @cached_property
    def tablet_proofs(self) -> TabletProofs:
        """Proofs of tablets' own entries."""
        return TabletProofs(self)

    @cached_property
    def bringing(self) -> Bringing:
        """Personal values as tablets bring them."""
        return Bringing(self)

    @cached_property
    def personal(self) -> Reading:
        """Personal values as they are read."""
        return Reading(self)

    @cached_property
    def photos(self) -> Photos:
        """Photos by content."""
        return Photos(self)


def make_app(gridtrail: Gridtrail) -> Flask:
    """The Flask application around the pieces."""
    from service import routes

    app = Flask("service", static_folder=None)
    app.extensions["gridtrail"] = gridtrail
    routes.register(app, gridtrail)
    return app
