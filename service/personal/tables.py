"""The tables of personal values: ciphertexts beside the ledgers, and the keys in a database of their own. Read by service.personal only."""

import sqlalchemy as sa

from projections.tables import LEDGER, METADATA, TIME, text

DIGEST = text(43)
"""base64url of a SHA-256 without padding (RFC 9901 §4.2)."""

disclosures = sa.Table(
    "disclosures",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("digest", DIGEST, nullable=False),
    sa.Column("subject", sa.Uuid, nullable=False),
    sa.Column("field", text(64), nullable=False),
    sa.Column("kid", sa.Uuid),
    sa.Column("nonce", sa.LargeBinary),
    sa.Column("ciphertext", sa.LargeBinary),
    sa.Column("kept_at", TIME, nullable=False),
    sa.Column("gone_at", TIME),
    sa.PrimaryKeyConstraint("ledger", "digest", name="disclosures_pkey"),
    sa.Index("disclosures_digest", "digest"),
    sa.Index("disclosures_subject", "subject", "ledger"),
    sa.Index("disclosures_field", "field", "kept_at", sqlite_where=sa.text("gone_at IS NULL"), postgresql_where=sa.text("gone_at IS NULL")),
)
"""One row per value. A row whose value is gone stays without it (``gone_at``), so that the value cannot be brought a second time."""

KEYS = sa.MetaData()
"""What stands in the key store: never in the database of the ledgers, nor in its backups."""

subject_keys = sa.Table(
    "subject_keys",
    KEYS,
    sa.Column("subject", sa.Uuid, primary_key=True),
    sa.Column("kid", sa.Uuid, nullable=False, unique=True),
    sa.Column("kek", sa.String(16), nullable=False),
    sa.Column("wrapped", sa.LargeBinary),
    sa.Column("made_at", sa.String(24), nullable=False),
    sa.Column("closed_at", sa.String(24)),
    sa.Column("destroyed_at", sa.String(24)),
    sa.Index("subject_keys_kek", "kek"),
)
"""The data key of each subject, wrapped. closed_at: takes nothing new, its erasure has begun. destroyed_at: a tombstone for ever."""

vault_state = sa.Table(
    "vault_state",
    KEYS,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kek", sa.String(16), nullable=False),
)
"""One row: the version of these tables, and which key-encryption key new data keys are wrapped under ('' until the first)."""

VERSION = 1
