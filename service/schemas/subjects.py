"""What is held of a person, and its erasure, on the wire."""

import marshmallow as ma

from domain.subject import GROUNDS
from service.schemas.fields import Day, matching, one_of, shown

String, Integer = ma.fields.String, ma.fields.Integer


class Erasing(ma.Schema):
    """Why somebody is erased. reference names the letter or file that asked for it, never a person."""

    reason = one_of(*GROUNDS, required=True)
    reference = matching(r"[A-Za-z0-9._:/-]{1,128}", "letter/2026-118")
    requested_at = Day()


class ErasureDone(ma.Schema):
    """What an erasure came to. again: all had been done before."""

    subject = String(required=True)
    ledgers = ma.fields.List(String(), required=True)
    values = Integer(required=True)
    photos = Integer(required=True)
    photos_kept = Integer(required=True)
    checks = ma.fields.List(String(), required=True)
    again = ma.fields.Boolean(required=True)


class HeldValue(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "field", "state", "ledger", "digest", optional=("area", "stream", "topic", "since", "until", "purpose", "basis"))
    )
):
    """One value: what it says (null unless held), where it stands, since when and until when at the latest, for what."""

    value = ma.fields.Raw(required=True, allow_none=True)
    position = Integer(required=True, allow_none=True)


class RecordedErasure(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "ledger", "ground", "requested_at", "erased_at", "backups_gone_by", optional=("reference", "completed_at"))
    )
):
    """An erasure in one ledger."""


class OneRead(ma.Schema.from_dict(shown(String, "at", "act", "role", optional=("purpose",)))):  # type: ignore[misc]
    """One read on record."""


class Reads(ma.Schema):
    """How often the person's data was read, and the latest reads."""

    count = Integer(required=True)
    latest = ma.fields.List(ma.fields.Nested(OneRead), required=True)


class SubjectReport(ma.Schema):
    """All that is held of one person."""

    subject = String(required=True)
    made_at = String(required=True)
    values = ma.fields.List(ma.fields.Nested(HeldValue), required=True)
    erasures = ma.fields.List(ma.fields.Nested(RecordedErasure), required=True)
    reads = ma.fields.Nested(Reads, required=True)
