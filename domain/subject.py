"""Subjects 个人信息主体: that a person's values were erased, or single values when their time was over. Read by the erasure and the audit.

A subject is a random UUID, never derived from anything of the person. One stream per subject and ledger: a ledger's copy alone then says
why values that its events vouch for are not there. Destroying is done outside of the domain; here is only what is said of it, for ever.
"""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Derived, Fact, FirstFact, Said
from domain.days import must_be_a_day, must_be_in_order
from domain.personal import must_be_a_reference
from domain.refusals import UnknownGround

GROUNDS: dict[str, str] = {
    "request": "the person asked for it (PIPL art. 45-47)",
    "consent_withdrawn": "the person took the consent back (PIPL art. 15, 47(1)(3))",
    "purpose_ended": "the purpose is reached or cannot be reached (PIPL art. 47(1)(1))",
    "service_ended": "the service is no longer given (PIPL art. 47(1)(2))",
    "unlawful": "it was collected or used against the law or an agreement (PIPL art. 47(1)(4))",
}
"""Why somebody may be erased. A closed list, since a free text would itself be personal data."""

RETENTION_OVER, EMERGENCY_OVER = "retention_over", "emergency_over"
MOST_DIGESTS = 500
"""Digests that one retention event names, at most: a line has at most 65,535 bytes."""


class Subject(Aggregate):
    """One erased person in one ledger, known by a random id only."""

    TOPIC = "subject"

    class Erased(FirstFact):
        """删除个人信息: all values of a subject are to be destroyed, and none is taken any more. Recorded before anything is destroyed."""

        TOPIC = "subject.erased"
        subject: Said[str]
        ground: Said[str]
        requested_at: Said[str]
        count: Derived[int]
        fields: Derived[dict[str, int]]
        backups_gone_by: Derived[str]
        reference: Said[str | None] = None
        kids: Derived[list[str] | tuple[()]] = ()

        def apply(self, subject: "Subject") -> None:
            subject.subject, subject.completed = self.subject, False

    class ErasureCompleted(Fact):
        """删除完成: what was destroyed, and what was looked at afterwards. Once more where a restored backup had brought something back."""

        TOPIC = "subject.erasure_completed"
        subject: Derived[str]
        values: Derived[int]
        keys: Derived[int]
        photos: Derived[int]
        photos_kept: Derived[int]
        checks: Derived[list[str]]

        def apply(self, subject: "Subject") -> None:
            subject.completed = True

    subject: str
    completed: bool

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def erase(
        cls,
        act: Act,
        books: Any,
        stream: UUID,
        *,
        subject: str,
        ground: str,
        requested_at: str,
        reference: str | None,
        **found: Any,
    ) -> "Subject":
        """删除个人信息: says that a subject's values are to be destroyed. found: what Erased has beside."""
        if ground not in GROUNDS:
            raise UnknownGround(ground=ground)
        must_be_a_day(requested_at)
        must_be_in_order(requested_at, act.day)
        must_be_a_reference(reference)
        said = {"subject": subject, "ground": ground, "requested_at": requested_at, "reference": reference}
        return cls.begin(cls.Erased, act, stream, **said, **found)

    def complete(self, act: Act, books: Any, *, values: int, keys: int, photos: int, photos_kept: int, checks: list[str]) -> None:
        """删除完成: says what was destroyed."""
        counts = {"values": values, "keys": keys, "photos": photos, "photos_kept": photos_kept}
        self.record(self.ErasureCompleted, act, subject=self.subject, **counts, checks=checks)


class Retention(Aggregate):
    """Values of one field whose time was over, destroyed together."""

    TOPIC = "personal"

    class Ended(FirstFact):
        """保存期限届满: these values were destroyed in the same transaction. kept_before: all of them were kept before that moment."""

        TOPIC = "personal.retention_ended"
        ground: Derived[str]
        field: Derived[str]
        kept_before: Derived[str]
        count: Derived[int]
        digests: Derived[list[str]]
        backups_gone_by: Derived[str]

        def apply(self, retention: "Retention") -> None:
            retention.count = self.count

    count: int

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def end(
        cls, act: Act, books: Any, stream: UUID, *, ground: str, field: str, kept_before: str, digests: list[str], backups_gone_by: str
    ) -> "Retention":
        """保存期限届满: says that single values were destroyed because their time was over."""
        said = {"ground": ground, "field": field, "kept_before": kept_before, "count": len(digests), "digests": digests}
        return cls.begin(cls.Ended, act, stream, **said, backups_gone_by=backups_gone_by)
