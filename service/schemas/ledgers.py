"""Ledgers and their stored entries on the wire, and what an auditor says of one that was verified outside."""

import marshmallow as ma

from service.schemas.fields import Moment, QueryInteger, one_of, shown, text, word
from service.schemas.pages import Listing
from service.sync.proofs import is_root

String, Integer, Boolean = ma.fields.String, ma.fields.Integer, ma.fields.Boolean
ROOT_TEXT = r"[A-Za-z0-9+/]{43}="
OLDEST_FIRST, NEWEST_FIRST = "position", "-position"


def _must_be_a_root(value: str) -> None:
    if not is_root(value):
        raise ma.ValidationError("Not the base64 of a root of 32 bytes.")


class NewVerification(ma.Schema):
    """What was verified outside: the ledger's first size entries, whose tree has this root, and whether all held. how: with what."""

    size = ma.fields.Integer(strict=True, required=True, validate=ma.validate.Range(1, 2**53 - 1))
    root = String(required=True, validate=[ma.validate.Regexp(ROOT_TEXT), _must_be_a_root], metadata={"description": "Base64 of 32 bytes."})
    holds = ma.fields.Boolean(required=True, truthy={True}, falsy={False})
    faults = ma.fields.Integer(strict=True, load_default=0, validate=ma.validate.Range(0, 2**31 - 1))
    how = text(200, required=True)

    @ma.validates_schema
    def _faults_do_not_hold(self, data: dict[str, object], **_: object) -> None:
        if data["holds"] and data["faults"]:
            raise ma.ValidationError("What has faults does not hold.", "holds")


class Verification(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "root", "how") | shown(Integer, "size", "faults") | shown(Boolean, "holds", "same_root")
    )
):
    """An auditor's word that a ledger was verified. same_root: whether the service had that root at that size when it was said."""


class StatedVerification(Verification.from_dict(shown(String, "at", "account", optional=("person", "purpose")))):  # type: ignore[misc]
    """The same, with who said it and when."""


class Ledger(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "ledger", "root", "incarnation", "recorded_at", optional=("published_at",))
        | shown(Integer, "size", optional=("published_size", "signed_size"))
        | shown(Boolean, "halted")
    )
):
    """A ledger: how many entries it has, the root of its RFC 6962 tree in base64, and the size that was published last.

    halted: it is not what was signed of it (signed_size entries were), so nothing more is recorded in it.
    """


class LedgerInList(Ledger):
    """A ledger with the last word on its verification."""

    verified = ma.fields.Nested(StatedVerification, required=True, allow_none=True)


class Ledgers(ma.Schema):
    """The ledgers within sight."""

    items = ma.fields.List(ma.fields.Nested(LedgerInList), required=True)


class Checkpoint(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "origin", "vkey", "root", "signed_at", "note") | shown(Integer, "size", optional=("rooted",))
    )
):
    """The latest published checkpoint. note: the signed note itself; rooted: the size that stands in the root log."""


class Incarnation(
    ma.Schema.from_dict(shown(String, "incarnation", "origin", "root", "signed_at") | shown(Integer, "size") | shown(Boolean, "present"))  # type: ignore[misc]
):
    """One name under which a ledger was published, and its last checkpoint. A ledger gets another after a backup was restored."""


class LedgerInFull(LedgerInList):
    """One ledger in full. cosigned_by: witnesses whose last cosignature covers its place in the root log. now: by the service's clock."""

    now = String(required=True)
    begun_at = String(required=True, allow_none=True)
    checkpoint = ma.fields.Nested(Checkpoint, required=True, allow_none=True)
    cosigned_by = ma.fields.List(String(), required=True)
    incarnations = ma.fields.List(ma.fields.Nested(Incarnation), required=True)
    verifications = ma.fields.List(ma.fields.Nested(StatedVerification), required=True)


class EntryQuery(Listing):
    """Stored entries from a position on, of one stream, topic, person or tablet, recorded in a time; -position: latest first."""

    start = QueryInteger(load_default=0, validate=ma.validate.Range(0, 2**53 - 1))
    stream = ma.fields.UUID()
    topic = word()
    person = ma.fields.UUID()
    tablet = ma.fields.UUID()
    recorded_from = Moment()
    recorded_to = Moment()
    sort = one_of(OLDEST_FIRST, NEWEST_FIRST, load_default=OLDEST_FIRST)


class StoredEntry(ma.Schema):
    """One stored entry. line is verbatim: its UTF-8 bytes are the leaf of the ledger's tree."""

    position = Integer(required=True)
    line = String(required=True)


class Witness(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "name", "key", optional=("cosigned_at",)) | shown(Integer, optional=("size",)) | shown(Boolean, "in_note")
    )
):
    """A configured witness of the root log, and what it cosigned last. in_note: its line stands in the published checkpoint."""

    age_s = ma.fields.Float(required=True, allow_none=True)


class KeyHandedOn(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "statement", optional=("at", "old", "new", "reason"))
        | shown(Integer, optional=("last_valid",))
        | shown(Boolean, "holds")
    )
):
    """A statement that the signing key was handed on, signed by both keys."""


class RootLog(Ledger):
    """The root log: its entries are the ledgers' checkpoints."""

    checkpoint = ma.fields.Nested(Checkpoint, required=True, allow_none=True)


class Timestamp(ma.Schema.from_dict(shown(String, "stamped_at") | shown(Integer, "size"))):  # type: ignore[misc]
    """The newest timestamp of the root log."""


class Signing(ma.Schema.from_dict(shown(String, "origin", "key") | shown(Boolean, "timestamping"))):  # type: ignore[misc]
    """What signs this deployment's logs, and who else vouches for them."""

    rotations = ma.fields.List(ma.fields.Nested(KeyHandedOn), required=True)
    root_log = ma.fields.Nested(RootLog, required=True, allow_none=True)
    witnesses = ma.fields.List(ma.fields.Nested(Witness), required=True)
    timestamp = ma.fields.Nested(Timestamp, required=True, allow_none=True)
    publish_s = ma.fields.Float(required=True)
    root_log_s = ma.fields.Float(required=True)
