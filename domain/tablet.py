"""Tablets 平板 and what they uploaded that a rule refused. Read by enrolment, the upload path and the officers' pages."""

from typing import Any

from domain.aggregate import Aggregate, Derived, Fact, FirstFact, Said


class Tablet(Aggregate):
    """One enrolled tablet: a transparency log of its own, with one key, in the hands of one worker."""

    TOPIC = "tablet"

    class Enrolled(FirstFact):
        """平板登记: a tablet showed that it holds a key and was given to a person. origin names its tree in its seals."""

        TOPIC = "tablet.enrolled"
        public_key: Said[str]
        algorithm: Said[str]
        origin: Derived[str]
        person: Derived[str]
        area: Derived[str]
        label: Said[str | None] = None

    class Uploaded(Fact):
        """上传: one batch was taken in whole. seal is the tablet's signed checkpoint; entries first..size-1 came with it."""

        TOPIC = "tablet.uploaded"
        seal: Derived[str]
        first: Derived[int]
        size: Derived[int]
        recorded: Derived[int]
        refused: Derived[int]
        waiting: Derived[int | None] = None
        skew_ms: Derived[int | None] = None
        sent_at: Derived[str | None] = None

    class Revoked(Fact):
        """停用: entries after last_valid (-1 for none) are kept as refused; the tablet reads nothing any more."""

        TOPIC = "tablet.revoked"
        last_valid: Said[int]
        reason: Said[str]

    class Forked(Fact):
        """分叉: the tablet told two histories. Both are kept; the tablet is set aside. seal contradicts ours at size."""

        TOPIC = "tablet.forked"
        seal: Derived[str]
        size: Derived[int]
        root: Derived[str]
        kept: Derived[int]

    class Reinstated(Fact):
        """恢复使用: an officer looked into the fork or the loss; the tablet may upload again from our size."""

        TOPIC = "tablet.reinstated"
        reason: Said[str]


class Refused(Aggregate):
    """One uploaded entry that could not become what it said, kept with its bytes until an officer re-applies or dismisses it."""

    TOPIC = "refused"

    class Kept(FirstFact):
        """拒收留存: the entry stands here verbatim. raw (base64) only where its bytes are not one JSON object."""

        TOPIC = "refused.kept"
        seq: Derived[int]
        code: Derived[str]
        detail: Derived[str]
        area: Derived[str]
        person: Derived[str]
        raw: Derived[str | None] = None
        facts: Derived[dict[str, Any] | None] = None

    class Reapplied(Fact):
        """重新受理: the entry became an event after all, at that position of that ledger."""

        TOPIC = "refused.reapplied"
        area: Derived[str]
        ledger: Derived[str]
        stream: Derived[str]
        version: Derived[int]
        reason: Said[str | None] = None

    class Dismissed(Fact):
        """作废: an officer decided that it stays refused, with the reason."""

        TOPIC = "refused.dismissed"
        area: Derived[str]
        reason: Said[str]
