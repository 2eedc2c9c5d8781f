"""The tables of the exchange with tablets: their state, enrolment codes, photos and who may see them. Read by service.sync only.

``tablet_states`` is what an upload locks and compares; everything in it can be told again from the ledgers.
"""

import sqlalchemy as sa

from projections.tables import METADATA

ACTIVE, REVOKED, SET_ASIDE = "active", "revoked", "set_aside"

tablet_states = sa.Table(
    "tablet_states",
    METADATA,
    sa.Column("ledger", sa.String(9), primary_key=True),
    sa.Column("tablet", sa.Uuid, primary_key=True),
    sa.Column("person", sa.Uuid, nullable=False),
    sa.Column("area", sa.String(17), nullable=False),
    sa.Column("origin", sa.String(255), nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("algorithm", sa.String(16), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("last_valid", sa.BigInteger),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    sa.Column("stream_version", sa.Integer, nullable=False),
    sa.Column("enrolled_at", sa.String(24), nullable=False),
    sa.Index("tablet_states_tablet", "tablet"),
    sa.Index("tablet_states_token_hash", "token_hash"),
)

enrolment_codes = sa.Table(
    "enrolment_codes",
    METADATA,
    sa.Column("code_hash", sa.String(64), primary_key=True),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("ledger", sa.String(9), nullable=False),
    sa.Column("area", sa.String(17), nullable=False),
    sa.Column("person", sa.Uuid, nullable=False),
    sa.Column("made_by", sa.Uuid),
    sa.Column("made_role", sa.String(16), nullable=False),
    sa.Column("made_at", sa.String(24), nullable=False),
    sa.Column("expires_at", sa.String(24), nullable=False),
    sa.Column("used_at", sa.String(24)),
    sa.Column("tablet", sa.Uuid),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Index("enrolment_codes_expires_at", "expires_at"),
)

photos = sa.Table(
    "photos",
    METADATA,
    sa.Column("ledger", sa.String(9), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("person", sa.Uuid, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.String(32), nullable=False),
    sa.Column("stored_at", sa.String(24), nullable=False),
    sa.Index("photos_sha256", "sha256"),
)
"""Who brought which photo's bytes. Naming a photo's hash gives nobody a right to it; having brought its bytes does."""

photo_uses = sa.Table(
    "photo_uses",
    METADATA,
    sa.Column("ledger", sa.String(9), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("stream", sa.Uuid, primary_key=True),
    sa.Column("person", sa.Uuid, primary_key=True),
    sa.Column("area", sa.String(17), nullable=False),
    sa.Index("photo_uses_sha256", "sha256"),
    sa.Index("photo_uses_person", "person"),
)
"""Which case or visit a person's recorded acts show a photo in, and where that lies."""
