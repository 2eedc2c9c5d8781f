"""The rulebook 规则: categories, time limits and calendars of a city, as published versions. Read when a case is registered."""

from typing import Any

from domain.aggregate import Aggregate, Fact, FirstFact, Said

KINDS = ("categories", "limits", "calendar", "care_plan")


class Rulebook(Aggregate):
    """All versions of one named book of one city. A published version never changes; a later one takes its place from a day on."""

    TOPIC = "rulebook"

    class Opened(FirstFact):
        """立规: a book exists. kind is one of KINDS."""

        TOPIC = "rulebook.opened"
        city: Said[str]
        kind: Said[str]
        name: Said[str]

    class Published(Fact):
        """发布: a version of the book holds from a day on. content is the whole book, so that a deadline can be recomputed for ever."""

        TOPIC = "rulebook.published"
        kind: Said[str]
        name: Said[str]
        version: Said[str]
        effective_from: Said[str]
        content: Said[dict[str, Any]]
