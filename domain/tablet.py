"""Tablets 平板 and what they uploaded that a rule refused. Read by enrolment, the upload path and the officers' pages."""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Derived, Fact, FirstFact, Said
from domain.personal import Personal, must_be_free_of_numbers
from domain.refusals import LastValidWrong, ReasonNeeded, RefusalSettled, TabletInUse, TabletRevoked


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

        def apply(self, tablet: "Tablet") -> None:
            tablet.public_key, tablet.algorithm, tablet.origin = self.public_key, self.algorithm, self.origin
            tablet.person, tablet.area, tablet.status = self.person, self.area, "active"
            tablet.size, tablet.last_valid = 0, None

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

        def apply(self, tablet: "Tablet") -> None:
            tablet.size = self.size

    class Revoked(Fact):
        """停用: entries after last_valid (-1 for none) are kept as refused; the tablet reads nothing any more."""

        TOPIC = "tablet.revoked"
        last_valid: Said[int]
        reason: Said[str]

        def apply(self, tablet: "Tablet") -> None:
            tablet.status, tablet.last_valid = "revoked", self.last_valid

    class Forked(Fact):
        """分叉: the tablet told two histories. Both are kept; the tablet is set aside. seal contradicts ours at size."""

        TOPIC = "tablet.forked"
        seal: Derived[str]
        size: Derived[int]
        root: Derived[str]
        kept: Derived[int]

        def apply(self, tablet: "Tablet") -> None:
            tablet.status = "forked" if tablet.status == "active" else tablet.status

    class Reinstated(Fact):
        """恢复使用: an officer looked into the fork or the loss; the tablet may upload again from our size."""

        TOPIC = "tablet.reinstated"
        reason: Said[str]

        def apply(self, tablet: "Tablet") -> None:
            tablet.status, tablet.last_valid = "active", None

    public_key: str
    algorithm: str
    origin: str
    person: str
    area: str
    status: str
    size: int
    last_valid: int | None

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def enrol(
        cls,
        act: Act,
        books: Any,
        stream: UUID,
        *,
        public_key: str,
        algorithm: str,
        origin: str,
        person: str,
        area: str,
        label: str | None = None,
    ) -> "Tablet":
        """平板登记: gives a tablet whose key was proven to a person of an area."""
        must_be_free_of_numbers(label)
        said = {"public_key": public_key, "algorithm": algorithm, "origin": origin, "person": person, "area": area}
        return cls.begin(cls.Enrolled, act, stream, **said, label=label)

    def upload(self, act: Act, books: Any, *, seal: str, first: int, size: int, recorded: int, refused: int, **contact: Any) -> None:
        """上传: one batch was taken in whole. contact: waiting, skew_ms, sent_at. Whoever calls this has verified the seal."""
        self.record(self.Uploaded, act, seal=seal, first=first, size=size, recorded=recorded, refused=refused, **contact)

    def revoke(self, act: Act, books: Any, *, last_valid: int, reason: str) -> None:
        """停用: takes the tablet out of use; entries after last_valid are not trusted."""
        if self.status == "revoked":
            raise TabletRevoked(last_valid=self.last_valid)
        if last_valid < -1:
            raise LastValidWrong(last_valid=last_valid)
        _must_have_a_reason(reason)
        self.record(self.Revoked, act, last_valid=last_valid, reason=reason)

    def fork(self, act: Act, books: Any, *, seal: str, size: int, root: str, kept: int) -> None:
        """分叉: sets the tablet aside, because it told two histories."""
        self.record(self.Forked, act, seal=seal, size=size, root=root, kept=kept)

    def reinstate(self, act: Act, books: Any, *, reason: str) -> None:
        """恢复使用: an officer looked into it; the tablet may upload again."""
        if self.status == "active":
            raise TabletInUse
        _must_have_a_reason(reason)
        self.record(self.Reinstated, act, reason=reason)


class Refused(Aggregate):
    """One uploaded entry that could not become what it said, kept until an officer re-applies or dismisses it."""

    TOPIC = "refused"

    class Kept(FirstFact):
        """拒收留存: an entry that could not become what it said. leaf is its hash in the tablet's tree; its bytes are a disclosure.

        Nobody knows what a faulty client wrote where, so none of it stands here: kind is there where it is one that is known, about
        the id that the entry names, and facts are those of the refusal that hold no words of the entry.
        """

        TOPIC = "refused.kept"
        seq: Derived[int]
        code: Derived[str]
        detail: Derived[str]
        area: Derived[str]
        person: Derived[str]
        leaf: Derived[str]
        kind: Derived[str | None] = None
        about: Derived[str | None] = None
        facts: Derived[dict[str, Any] | None] = None
        personal: Derived[Personal] = ()

        def apply(self, refused: "Refused") -> None:
            refused.seq, refused.code, refused.area, refused.person = self.seq, self.code, self.area, self.person
            refused.status = "kept"

    class Reapplied(Fact):
        """重新受理: the entry became an event after all, at that position of that ledger."""

        TOPIC = "refused.reapplied"
        area: Derived[str]
        ledger: Derived[str]
        stream: Derived[str]
        version: Derived[int]
        reason: Said[str | None] = None

        def apply(self, refused: "Refused") -> None:
            refused.status = "reapplied"

    class Dismissed(Fact):
        """作废: an officer decided that it stays refused, with the reason."""

        TOPIC = "refused.dismissed"
        area: Derived[str]
        reason: Said[str]

        def apply(self, refused: "Refused") -> None:
            refused.status = "dismissed"

    seq: int
    code: str
    area: str
    person: str
    status: str

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def keep(
        cls,
        act: Act,
        books: Any,
        stream: UUID,
        *,
        seq: int,
        code: str,
        detail: str,
        area: str,
        person: str,
        leaf: str,
        kind: str | None = None,
        about: str | None = None,
        facts: dict[str, Any] | None = None,
        personal: Personal = (),
    ) -> "Refused":
        """拒收留存: keeps an entry by the hash of its bytes (base64), and their disclosure, with what was wrong with it."""
        said = {"seq": seq, "code": code, "detail": detail, "area": area, "person": person, "leaf": leaf}
        return cls.begin(cls.Kept, act, stream, **said, kind=kind, about=about, facts=facts, personal=personal)

    def reapply(self, act: Act, books: Any, *, ledger: str, stream: str, version: int, reason: str | None = None) -> None:
        """重新受理: the entry became an event after all."""
        self.must_be_open()
        must_be_free_of_numbers(reason)
        self.record(self.Reapplied, act, area=self.area, ledger=ledger, stream=stream, version=version, reason=reason)

    def dismiss(self, act: Act, books: Any, *, reason: str) -> None:
        """作废: it stays refused."""
        self.must_be_open()
        _must_have_a_reason(reason)
        self.record(self.Dismissed, act, area=self.area, reason=reason)

    def must_be_open(self) -> None:
        """RefusalSettled where an officer decided on it already."""
        if self.status != "kept":
            raise RefusalSettled(status=self.status)


def _must_have_a_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonNeeded
    must_be_free_of_numbers(reason)
