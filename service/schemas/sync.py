"""Enrolment, batches, receipts, changes and photos on the wire: what the OpenAPI document says of them. docs/sync-protocol.md says more."""

import marshmallow as ma

from service.schemas.fields import LEDGER, QueryInteger, area_code, matching, shown, text
from service.schemas.pages import Anything, Waiting
from service.sync.proofs import MOST_POSITIONS, is_root

String, Integer = ma.fields.String, ma.fields.Integer


class NewCode(ma.Schema):
    """For whom a code is made. area decides the tablet's ledger; the person's first assignment's where it is left out."""

    person = ma.fields.UUID(required=True)
    area = area_code()


class EnrolmentCode(ma.Schema.from_dict(shown(String, "id", "code", "url", "person", "area", "expires_at", "qr_png"))):  # type: ignore[misc]
    """A one-time code. qr_png is a PNG image of the url, in base64. The code is shown this once."""

    qr = ma.fields.List(String(), required=True, metadata={"description": "The same QR code as rows of 0 (light) and 1 (dark)."})


class Enrolling(ma.Schema):
    """A code, a public key (base64: 32 bytes of Ed25519, or 65 of P-256), and the signature that shows the private one."""

    code = String(required=True, validate=ma.validate.Length(1, 80))
    public_key = String(required=True, validate=ma.validate.Length(1, 128))
    proof = String(required=True, validate=ma.validate.Length(1, 128))
    algorithm = String(
        load_default="ed25519", validate=ma.validate.Length(1, 16), metadata={"description": "ed25519 or p256: what the key signs with."}
    )
    label = text(120)


class Enrolled(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "tablet", "token", "origin", "ledger", "area", "person", "ledger_origin", "checkpoint_key", "received_at")
    )
):
    """A tablet just enrolled. Its token is shown this once."""

    limits = ma.fields.Dict(keys=String(), values=Integer(), required=True)


class Outcome(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(Integer, "seq", "position") | shown(String, "outcome", "ledger", optional=("code", "detail", "pointer", "first_outcome"))
    )
):
    """What became of one entry: recorded, duplicate or refused."""


class SignedHead(ma.Schema.from_dict(shown(String, "ledger", "incarnation", "root", "checkpoint") | shown(Integer, "size"))):  # type: ignore[misc]
    """How far a ledger is, signed by the service."""


class Receipt(ma.Schema.from_dict(shown(String, "tablet", "root", "received_at") | shown(Integer, "size"))):  # type: ignore[misc]
    """The answer to a batch, which the tablet keeps."""

    outcomes = ma.fields.List(ma.fields.Nested(Outcome), required=True)
    ledgers = ma.fields.List(ma.fields.Nested(SignedHead), required=True)
    skew_ms = Integer(required=True, allow_none=True)


class ChangesQuery(Waiting):
    """From where, and how many."""

    since = String(validate=ma.validate.Length(1, 20_000), metadata={"description": "next of the page before."})
    limit = QueryInteger(load_default=500, validate=ma.validate.Range(1, 2_000))


class Change(ma.Schema.from_dict(shown(String, "ledger", "kind", "id") | shown(Integer, "position"))):  # type: ignore[misc]
    """An item as it stands now, or that it has gone from the tablet's scope."""

    gone = ma.fields.Boolean(required=True)
    data = ma.fields.Dict(required=True, allow_none=True)


class Standing(ma.Schema):
    """What the service holds of the tablet."""

    status = String(required=True)
    size = Integer(required=True)
    root = String(required=True)
    frontier = ma.fields.List(String(), required=True)
    incarnation = String(required=True, allow_none=True)


class ChangesPage(ma.Schema):
    """A page of changes."""

    reset = ma.fields.Boolean(required=True)
    items = ma.fields.List(ma.fields.Nested(Change), required=True)
    next = String(required=True)
    more = ma.fields.Boolean(required=True)
    ledgers = ma.fields.Dict(keys=String(), values=ma.fields.Nested(Anything), required=True)
    upload = ma.fields.Nested(Standing, required=True)
    received_at = String(required=True)


def _root(text: str) -> None:
    if not is_root(text):
        raise ma.ValidationError("Not the base64 of a root of 32 bytes.")


class Seen(ma.Schema):
    """Size and root of a checkpoint that the tablet holds."""

    size = Integer(strict=True, required=True, validate=ma.validate.Range(1, 2**53 - 1))
    root = String(required=True, validate=_root)


class ProofsAsked(ma.Schema):
    """Of which ledger, for which positions (as receipts named them), and what the tablet saw of it before."""

    ledger = matching(LEDGER, "411502001", required=True)
    positions = ma.fields.List(
        Integer(strict=True, validate=ma.validate.Range(0, 2**53 - 1)), required=True, validate=ma.validate.Length(max=MOST_POSITIONS)
    )
    seen = ma.fields.Nested(Seen)


class ProvedEntry(ma.Schema):
    """A line of the ledger, verbatim, and its inclusion proof (base64 hashes, from the leaf's sibling up)."""

    position = Integer(required=True)
    line = String(required=True)
    proof = ma.fields.List(String(), required=True)


class ProofsTold(ma.Schema):
    """The latest published checkpoint (a C2SP signed note), and proofs under it. consistency is null where the tablet saw a larger tree."""

    checkpoint = String(required=True)
    consistency = ma.fields.List(String(), required=True, allow_none=True)
    entries = ma.fields.List(ma.fields.Nested(ProvedEntry), required=True)
