"""Roll-ups on the wire: the numbers of a period by subdistrict or community, over time, and as they were sealed."""

import marshmallow as ma

from domain.periods import KINDS
from service.schemas.fields import Day, area_code, matching, one_of, shown
from service.schemas.pages import Listing, Waiting

String, Integer = ma.fields.String, ma.fields.Integer
PERIOD = r"20\d\d(-(W\d\d|Q[1-4]|\d\d))?"
DECIMAL = {"description": "A share of four decimal places as text, such as 0.9375; null where nothing was due.", "example": "0.9375"}


def counts_field() -> ma.fields.Dict:
    """Counts by name."""
    return ma.fields.Dict(keys=String(), values=Integer(), required=True, metadata={"description": "Every count by its name."})


class SummaryQuery(Listing, Waiting):
    """The subdistricts or communities of a subtree, in one period: this quarter, where none is named."""

    period = matching(PERIOD, "2026-Q4")
    area = area_code()
    by = one_of("subdistrict", "community", load_default="subdistrict")


class SeriesQuery(Waiting):
    """The periods of a kind from the one that holds from_day to the one that holds to_day; the last twelve where neither is given."""

    area = matching(r"(\d{9}|\d{12})", "411502001", required=True)
    kind = one_of(*KINDS, load_default="month")
    from_day = Day()
    to_day = Day()


class Words(ma.Schema.from_dict(shown(String, "zh", "en"))):  # type: ignore[misc]
    """A name in Chinese and one in English."""


class Share(ma.Schema.from_dict(shown(String, "code") | shown(Integer, "numerator", "denominator"))):  # type: ignore[misc]
    """One indicator of one area and period."""

    value = String(required=True, allow_none=True, metadata=DECIMAL)


class Total(ma.Schema):
    """The weighted mean of the indicators that have a share, and their weight."""

    value = String(required=True, allow_none=True, metadata=DECIMAL)
    weight = Integer(required=True)


class Definition(ma.Schema.from_dict(shown(String, "code", "zh", "en", "better") | shown(Integer, "weight"))):  # type: ignore[misc]
    """One indicator as the book has it: the sum of the counts ``of`` over the sum of those ``per``."""

    of = ma.fields.List(String(), required=True)
    per = ma.fields.List(String(), required=True)


class Book(ma.Schema.from_dict(shown(String, "name", "version", "effective_from"))):  # type: ignore[misc]
    """The version of the weights."""

    indicators = ma.fields.List(ma.fields.Nested(Definition), required=True)


class PeriodTold(ma.Schema.from_dict(shown(String, "name", "kind", "first_day", "end_day", "start", "until"))):  # type: ignore[misc]
    """A period: from its first day up to, and without, end_day. until: the moment up to which was counted."""

    complete = ma.fields.Boolean(required=True, metadata={"description": "Whether it is over."})


class Numbers(ma.Schema):
    """Counts, and what follows from them."""

    counts = counts_field()
    indicators = ma.fields.List(ma.fields.Nested(Share), required=True)
    total = ma.fields.Nested(Total, required=True)


class Seal(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "sealed_at", "sealed_by", "digest", "book", "origin", "root") | shown(Integer, "position", "size")
    )
):
    """Where and when a roll-up was sealed, and the tree that it was computed from. root: base64."""

    differs = ma.fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "Whether the present counts are others; null in lists, which do not count."},
    )


class SummaryRow(Numbers):
    """The numbers of one area: the sealed ones where there are some, otherwise the present ones."""

    area = String(required=True)
    ledger = String(required=True)
    sealed = ma.fields.Nested(Seal, required=True, allow_none=True)


class SummaryPage(ma.Schema):
    """A page of areas, the period, and the book that makes indicators of counts."""

    items = ma.fields.List(ma.fields.Nested(SummaryRow), required=True)
    next = String(required=True, allow_none=True)
    period = ma.fields.Nested(PeriodTold, required=True)
    book = ma.fields.Nested(Book, required=True)
    names = ma.fields.Dict(keys=String(), values=ma.fields.Nested(Words), required=True, metadata={"description": "The counts' names."})


class SeriesItem(Numbers):
    """The numbers of one period."""

    period = ma.fields.Nested(PeriodTold, required=True)
    book = String(required=True, metadata={"description": "name@version of the weights."})


class Series(ma.Schema):
    """One area over time. indicators: of the newest book."""

    area = String(required=True)
    items = ma.fields.List(ma.fields.Nested(SeriesItem), required=True)
    book = ma.fields.Nested(Book, required=True)
    names = ma.fields.Dict(keys=String(), values=ma.fields.Nested(Words), required=True)


class SealedNumbers(Seal):
    """What was sealed."""

    counts = counts_field()
    indicators = ma.fields.List(ma.fields.Nested(Share), required=True)
    total = ma.fields.Nested(Total, required=True)


class Difference(ma.Schema.from_dict(shown(String, "count") | shown(Integer, "sealed", "present"))):  # type: ignore[misc]
    """A count that is another one now than was sealed."""


class Recipient(Words):
    """Who receives the roll-up."""

    code = String(required=True)


class Summary(Numbers):
    """A subdistrict's roll-up of one period: the present numbers, and those that were sealed, where they were."""

    area = String(required=True)
    period = ma.fields.Nested(PeriodTold, required=True)
    book = ma.fields.Nested(Book, required=True)
    names = ma.fields.Dict(keys=String(), values=ma.fields.Nested(Words), required=True)
    sealed = ma.fields.Nested(SealedNumbers, required=True, allow_none=True)
    differences = ma.fields.List(ma.fields.Nested(Difference), required=True)
    recipients = ma.fields.List(ma.fields.Nested(Recipient), required=True)
    key = String(
        required=True, metadata={"description": "The service's verifier key (C2SP vkey). Compare it with one that came another way."}
    )


class FileQuery(ma.Schema):
    """For whom the file is; it is the same for all, and called after them."""

    recipient = matching(r"[a-z0-9_]{1,40}", "county_social_work")
