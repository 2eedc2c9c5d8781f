"""Cases 案件: one matter from report to evaluation, with exactly one accountable holder. Read by everything that acts on cases.

Who may do what, and when, stands in one table: domain.case_rules.RULES. The status after each fact: domain.case_status.NEXT.
"""

from dataclasses import field
from typing import Any, ClassVar
from uuid import UUID

from domain import refusals
from domain.aggregate import Act, Aggregate, Derived, Fact, FirstFact, Said
from domain.areas import must_be_an_area
from domain.books import URGENCIES, Books
from domain.case_actions import CaseActions, Photos, Quantities
from domain.case_rules import SEVERITIES, SOURCES, holder_of_level, must_be_sayable, must_have_text
from domain.case_status import CLOCK_RUNS, OPEN_STATUSES, STATUSES, paused_after, status_after
from domain.personal import Personal, must_be_a_reference, must_be_declared
from domain.time_limits import due_at

__all__ = ["CLOCK_RUNS", "OPEN_STATUSES", "STATUSES", "Case", "paused_after", "status_after"]

Place = dict[str, Any]


class CaseFact(Fact):
    """What every later fact of a case records: where the case lies and who is accountable after the fact.

    from_holder is set only where the holder changed.
    """

    TOPIC: ClassVar[str]
    area: Said[str]
    holder: Derived[str]
    personal: Said[Personal] = field(default=(), kw_only=True)

    def apply(self, case: "Case") -> None:
        before = case.status
        case.subject = _subject_of(self.personal) or case.subject
        case.status = status_after(self.TOPIC, vars(self), before, case.paused)
        case.paused = paused_after(self.TOPIC, before, case.paused)
        self.change(case)
        case.holder = self.holder

    def change(self, case: "Case") -> None:
        """What this fact changes beside the status and the holder. Runs at every replay, before the new holder is set."""


class Case(CaseActions, Aggregate):
    """One matter. Its events tell report 上报, transfer 流转, handle 处置, evaluate 评价."""

    TOPIC = "case"

    # ---- report 上报
    class Reported(FirstFact):
        """上报: a matter was reported by a worker, a steward, a resident or a sensor.

        private: the category's flag in the book of that day, frozen here: what is said of the case is then said in disclosures.
        """

        TOPIC = "case.reported"
        area: Said[str]
        category: Said[str]
        holder: Derived[str]
        accept_due_at: Derived[str]
        private: Derived[bool] = False
        summary: Said[str | None] = None
        urgency: Said[str] = "normal"
        severity: Said[str | None] = None
        level: Said[str] = "grid"
        source: Said[str] = "patrol"
        place: Said[Place | None] = None
        photos: Said[Photos] = ()
        patrol: Said[str | None] = None
        visit: Said[str | None] = None
        household: Said[str | None] = None
        reference: Said[str | None] = None
        personal: Said[Personal] = ()

        def apply(self, case: "Case") -> None:
            case.area, case.category, case.urgency = self.area, self.category, self.urgency
            case.is_private, case.subject = self.private, _subject_of(self.personal)
            case.source, case.level, case.holder = self.source, self.level, self.holder
            case.reported_by, case.accept_due_at = self.by, self.accept_due_at
            case.status = status_after(self.TOPIC, vars(self), None)

    class Verified(CaseFact):
        """核实: somebody looked whether the matter reported by the public is real, before registering."""

        TOPIC = "case.verified"
        found: Said[bool]
        note: Said[str | None] = None
        photos: Said[Photos] = ()

        def change(self, case: "Case") -> None:
            case.found = self.found

    class Accepted(CaseFact):
        """受理: the holder took the report up."""

        TOPIC = "case.accepted"
        overtime: Derived[bool]
        note: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.overtime |= self.overtime

    class Registered(CaseFact):
        """立案: the time limit is fixed here and frozen. limit = {kind, amount}; calendar = name@version.

        registrar is the unit that stays answerable to the end, whoever holds the case.
        """

        TOPIC = "case.registered"
        limit: Derived[dict[str, Any]]
        calendar: Derived[str]
        due_at: Derived[str]
        dispatch_due_at: Derived[str]
        registrar: Derived[str]
        complexity: Said[str | None] = None
        note: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.limit, case.calendar, case.registrar = self.limit, self.calendar, self.registrar
            case.due_at, case.dispatch_due_at = self.due_at, self.dispatch_due_at

    class Rejected(CaseFact):
        """不予立案: the report is not a case, with the reason."""

        TOPIC = "case.rejected"
        reason: Said[str | None] = None

    # ---- transfer 流转
    class Dispatched(CaseFact):
        """派遣: sent to the unit that shall handle it."""

        TOPIC = "case.dispatched"
        to: Said[str]
        overtime: Derived[bool]
        from_holder: Derived[str | None] = None
        note: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.overtime |= self.overtime
            case.dispatch_due_at = None
            case.sent_on(self.holder)

    class Acknowledged(CaseFact):
        """签收: the holding unit says that it has it."""

        TOPIC = "case.acknowledged"
        note: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.dispatch_due_at = None

    class Transferred(CaseFact):
        """流转: handed from unit to unit on the same level."""

        TOPIC = "case.transferred"
        to: Said[str]
        reason: Said[str | None] = None
        from_holder: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.sent_on(self.holder)

    class Returned(CaseFact):
        """回退: sent back to the unit it came from, with the reason; nothing that was filled in is lost.

        level is set where that takes back an escalation.
        """

        TOPIC = "case.returned"
        reason: Said[str | None] = None
        from_holder: Derived[str | None] = None
        level: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.called = {}
            case.level = self.level or case.level
            case.trail = case.trail[:-1]

    class Escalated(CaseFact):
        """上报上级: handed up one level, with the reason."""

        TOPIC = "case.escalated"
        level: Derived[str]
        reason: Said[str | None] = None
        from_holder: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.sent_on(self.holder)
            case.level = self.level

    class Referred(CaseFact):
        """转办: referred to a department."""

        TOPIC = "case.referred"
        to: Said[str]
        reason: Said[str | None] = None
        from_holder: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.sent_on(self.holder)

    class Whistled(CaseFact):
        """吹哨: the subdistrict calls several departments, each must muster before its deadline. The lead 主责 becomes the holder."""

        TOPIC = "case.whistled"
        lead: Said[str]
        assists: Said[list[str]]
        muster_minutes: Said[int]
        muster_due_at: Derived[str]
        task: Said[str | None] = None
        from_holder: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.sent_on(self.holder)
            case.called = dict.fromkeys([self.lead, *self.assists], False)
            case.muster_due_at, case.dispatch_due_at = self.muster_due_at, None

    class Mustered(CaseFact):
        """报到: a called department arrived."""

        TOPIC = "case.mustered"
        unit: Said[str]
        overtime: Derived[bool]

        def change(self, case: "Case") -> None:
            case.called = {**case.called, self.unit: True}
            case.overtime |= self.overtime

    # ---- handle 处置
    class Handled(CaseFact):
        """处置: the holder did what there was to do, with the result and what can be counted."""

        TOPIC = "case.handled"
        overtime: Derived[bool]
        result: Said[str | None] = None
        quantities: Said[Quantities | None] = None
        photos: Said[Photos] = ()

        def change(self, case: "Case") -> None:
            case.handled(self.by, self.overtime)

    class SelfHandled(CaseFact):
        """自行处置: the reporting worker solved it on the spot."""

        TOPIC = "case.self_handled"
        overtime: Derived[bool]
        result: Said[str | None] = None
        quantities: Said[Quantities | None] = None
        photos: Said[Photos] = ()

        def change(self, case: "Case") -> None:
            case.handled(self.by, self.overtime)

    class Extended(CaseFact):
        """延期: more time, at most twice, each at most the original limit (amount in the limit's own kind)."""

        TOPIC = "case.extended"
        amount: Said[int]
        due_at: Derived[str]
        reason: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.extensions += 1
            case.due_at = self.due_at

    class Suspended(CaseFact):
        """挂账: the clock stops, once, until a day at most a year away."""

        TOPIC = "case.suspended"
        until: Said[str]
        reason: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.was_suspended, case.stopped_at, case.stopped_until = True, self.happened_at, self.until

    class Resumed(CaseFact):
        """恢复: the clock runs on; due_at is moved by what was left."""

        TOPIC = "case.resumed"
        due_at: Derived[str]
        reason: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.due_at, case.stopped_at, case.stopped_until = self.due_at, None, None

    class Checked(CaseFact):
        """核查: the result was looked at before closing."""

        TOPIC = "case.checked"
        passed: Said[bool]
        note: Said[str | None] = None
        photos: Said[Photos] = ()

        def change(self, case: "Case") -> None:
            case.did = _with(case.did, "checked", self.by)

    class Reworked(CaseFact):
        """返工: the check failed; the handling unit has it again."""

        TOPIC = "case.reworked"
        reason: Said[str | None] = None
        from_holder: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.called = {}

    # ---- evaluate 评价
    class Evaluated(CaseFact):
        """评价: the reporter or a resident rates the result."""

        TOPIC = "case.evaluated"
        rating: Said[str]
        rated_by: Said[str]
        note: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.did = _with(case.did, "evaluated", self.by)
            case.is_evaluated = True

    class Closed(CaseFact):
        """结案: the matter is over. level is where it was solved."""

        TOPIC = "case.closed"
        level: Derived[str]
        overtime: Derived[bool]
        note: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.overtime |= self.overtime

    class Reopened(CaseFact):
        """重新立案: closed too early; the unit that registered has it again with a fresh limit."""

        TOPIC = "case.reopened"
        due_at: Derived[str]
        reason: Said[str | None] = None
        from_holder: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.trail, case.called, case.extensions = [], {}, 0
            case.due_at, case.is_evaluated, case.is_exempt = self.due_at, False, False

    class Merged(CaseFact):
        """并案: the same matter as another case, which goes on in its place."""

        TOPIC = "case.merged"
        into: Said[str]
        reason: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.stopped_at, case.merged_into = self.happened_at, self.into

    class Split(CaseFact):
        """拆案: not the same matter after all; it goes on where it stood when it was merged."""

        TOPIC = "case.split"
        reason: Said[str | None] = None
        due_at: Derived[str | None] = None

        def change(self, case: "Case") -> None:
            case.due_at = self.due_at or case.due_at
            case.stopped_at, case.merged_into = None, None

    class OvertimeExempted(CaseFact):
        """超时豁免: an appeal takes the overtime out of the statistic; the overtime fact itself stays."""

        TOPIC = "case.overtime_exempted"
        reason: Said[str | None] = None

        def change(self, case: "Case") -> None:
            case.overtime, case.is_exempt = False, True

    # ---- state
    merged_into: str | None
    subject: str | None

    def __init__(self) -> None:
        self.paused = self.found = self.registrar = self.limit = self.calendar = self.due_at = None
        self.dispatch_due_at = self.muster_due_at = self.stopped_at = self.stopped_until = self.merged_into = None
        self.is_private, self.subject = False, None
        self.trail, self.called, self.did = [], {}, {"handled": [], "checked": [], "evaluated": []}
        self.extensions, self.was_suspended, self.is_evaluated, self.overtime, self.is_exempt = 0, False, False, False, False

    def concerned_units(self) -> tuple[str, ...]:
        """The units that have to do with this case besides those of its area: holder, registrar, and who was called."""
        return tuple(dict.fromkeys(unit for unit in (self.holder, self.registrar, *self.called) if unit))

    def sent_on(self, to: str) -> None:
        """Remembers where the case comes from, for the way back. Called by facts."""
        self.called = {}
        if to != self.holder:
            self.trail = [*self.trail, (self.holder, self.level)]

    def handled(self, by: str, overtime: bool) -> None:
        """Remembers who handled. Called by facts."""
        self.did, self.is_evaluated = _with(self.did, "handled", by), False
        self.overtime |= overtime

    def _fact(self, topic: str, act: Act, *, holder: str | None = None, **said_and_derived: Any) -> None:
        """Records a fact that lies in the case's area; with another holder, who gave it away stands in it too."""
        must_be_declared(topic, said_and_derived["personal"])
        must_be_sayable(self.is_private, said_and_derived)
        if holder is not None and holder != self.holder:
            said_and_derived["from_holder"] = self.holder
        self.record(FACTS[topic], act, area=self.area, holder=holder or self.holder, **said_and_derived)

    # ---- report 上报
    @classmethod
    def report(
        cls,
        act: Act,
        books: Books,
        stream: UUID,
        *,
        area: str,
        category: str,
        summary: str | None = None,
        urgency: str = "normal",
        severity: str | None = None,
        level: str = "grid",
        source: str = "patrol",
        personal: Personal = (),
        **details: Any,
    ) -> "Case":
        """上报: reports a matter. details: place, photos, patrol, visit, household, reference."""
        must_be_an_area(area)
        if not books.knows_category(category, act.day):
            raise refusals.UnknownCategory(category=category)
        if urgency not in URGENCIES:
            raise refusals.UnknownUrgency(urgency=urgency)
        if severity is not None and severity not in SEVERITIES:
            raise refusals.UnknownSeverity(severity=severity)
        if source not in SOURCES:
            raise refusals.UnknownSource(source=source)
        must_have_text(summary, personal, "case_summary", refusals.TextNeeded)
        private = books.is_private(category)
        must_be_declared(cls.Reported.TOPIC, personal)
        must_be_a_reference(details.get("household"), details.get("reference"))
        must_be_sayable(private, {"summary": summary, **details})
        holder = holder_of_level(area, level)
        accept_due_at = due_at(act.happened_at, books.accept_limit(category, act.day), books.calendar_for(act.day))
        said = {"area": area, "category": category, "summary": summary, "urgency": urgency, "level": level, "source": source}
        derived = {"holder": holder, "accept_due_at": accept_due_at, "private": private}
        return cls.begin(cls.Reported, act, stream, **said, **derived, severity=severity, personal=personal, **details)


def _subject_of(personal: Personal) -> str | None:
    """Whom the first of some disclosures is about."""
    return personal[0]["subject"] if personal else None


def _with(did: dict[str, list[str]], step: str, by: str) -> dict[str, list[str]]:
    """What people did, with one more; each person once."""
    return did if by in did[step] else {**did, step: [*did[step], by]}


FACTS = {fact.TOPIC: fact for fact in vars(Case).values() if isinstance(fact, type) and issubclass(fact, CaseFact)}
