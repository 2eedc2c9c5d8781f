"""Tablets and refused entries on the wire: what was uploaded and what became of it."""

import marshmallow as ma

from service.schemas.fields import Parsed, area_code, one_of, shown, text, word
from service.schemas.pages import Listing, Waiting

String, Integer = ma.fields.String, ma.fields.Integer


class TabletQuery(Listing, Waiting):
    """Tablets of a subtree, of one state, of one person."""

    area = area_code()
    status = one_of("active", "revoked", "set_aside")
    person = ma.fields.UUID()


class Tablet(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "tablet_id",
            "area",
            "person",
            "status",
            "origin",
            "algorithm",
            "public_key",
            "enrolled_at",
            optional=("label", "last_contact", "sent_at", "reason"),
        )
        | shown(
            Integer,
            "size",
            "recorded",
            "refused",
            "version",
            "photos_awaited",
            "values_awaited",
            optional=("waiting", "skew_ms", "last_valid"),
        )
    )
):
    """A tablet: last contact, clock skew in ms, what it still owes.

    waiting: entries that it had still to send when it last sent, so that it claimed size + waiting. photos_awaited, values_awaited: photos,
    and personal values of the last 60 days, that its person's recorded entries name and that did not come yet, from whichever tablet.
    """


class Revocation(ma.Schema):
    """Why a tablet is revoked, and the last of its entries that counts (-1 for none)."""

    last_valid = ma.fields.Integer(strict=True, required=True, validate=ma.validate.Range(-1, 2**53 - 1))
    reason = text(2_000, required=True)


class Reason(ma.Schema):
    """Why."""

    reason = text(2_000, required=True)


class Reapplication(ma.Schema):
    """Why, if there is something to say."""

    reason = text(2_000)


class RefusalQuery(Listing, Waiting):
    """Refused entries of a subtree."""

    area = area_code()
    state = one_of("waiting", "reapplied", "dismissed")
    person = ma.fields.UUID()
    tablet = ma.fields.UUID()
    code = word()


class RefusedEntry(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "refusal_id",
            "ledger",
            "area",
            "state",
            "code",
            "detail",
            "person",
            "subject",
            "happened_at",
            "recorded_at",
            optional=("tablet", "kind", "about", "decided_by", "decided_at", "reason", "became_ledger", "became_stream"),
        )
        | shown(Integer, "seq", "version", optional=("became_version",))
    )
):
    """An uploaded entry that a rule refused, kept, and what became of it. What it said is given by GET /v1/refusals/{id}/entry."""

    facts = Parsed(required=True, allow_none=True)


class Saved(ma.Schema):
    """Where it was recorded. Pass ``min_position=<ledger>:<position>`` to lists that shall show it."""

    ledger = String(required=True)
    position = Integer(required=True)
    version = Integer(required=True)
