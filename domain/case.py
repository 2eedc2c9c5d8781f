"""Cases 案件: one matter from report to evaluation, with exactly one accountable holder. Read by everything that acts on cases."""

from typing import Any

from domain.aggregate import Aggregate, Derived, Fact, FirstFact, Said

Place = dict[str, Any]
Quantities = dict[str, float]


class CaseFact(Fact):
    """What every later fact of a case records: where the case lies and who is accountable after the fact.

    from_holder is set only where the holder changed.
    """

    area: Said[str]
    holder: Derived[str]


class Case(Aggregate):
    """One matter. Its events tell report 上报, transfer 流转, handle 处置, evaluate 评价."""

    TOPIC = "case"

    # ---- report 上报
    class Reported(FirstFact):
        """上报: a matter was reported by a worker, a steward, a resident or a sensor."""

        TOPIC = "case.reported"
        area: Said[str]
        category: Said[str]
        summary: Said[str]
        holder: Derived[str]
        accept_due_at: Derived[str]
        urgency: Said[str] = "normal"
        severity: Said[str | None] = None
        level: Said[str] = "grid"
        source: Said[str] = "patrol"
        place: Said[Place | None] = None
        photos: Said[list[str] | tuple[()]] = ()
        patrol: Said[str | None] = None
        visit: Said[str | None] = None
        household: Said[str | None] = None
        reference: Said[str | None] = None

    class Verified(CaseFact):
        """核实: somebody looked whether the matter reported by the public is real, before registering."""

        TOPIC = "case.verified"
        found: Said[bool]
        note: Said[str | None] = None
        photos: Said[list[str] | tuple[()]] = ()

    class Accepted(CaseFact):
        """受理: the holder took the report up."""

        TOPIC = "case.accepted"
        overtime: Derived[bool]
        note: Said[str | None] = None

    class Registered(CaseFact):
        """立案: the time limit is fixed here and frozen. limit = {kind, amount}; calendar = name@version."""

        TOPIC = "case.registered"
        limit: Derived[dict[str, Any]]
        calendar: Derived[str]
        due_at: Derived[str]
        dispatch_due_at: Derived[str]
        complexity: Said[str | None] = None
        note: Said[str | None] = None

    class Rejected(CaseFact):
        """不予立案: the report is not a case, with the reason."""

        TOPIC = "case.rejected"
        reason: Said[str]

    # ---- transfer 流转
    class Dispatched(CaseFact):
        """派遣: sent to the unit that shall handle it."""

        TOPIC = "case.dispatched"
        to: Said[str]
        overtime: Derived[bool]
        from_holder: Derived[str | None] = None
        note: Said[str | None] = None

    class Acknowledged(CaseFact):
        """签收: the holding unit says that it has it."""

        TOPIC = "case.acknowledged"
        note: Said[str | None] = None

    class Transferred(CaseFact):
        """流转: handed from unit to unit on the same level."""

        TOPIC = "case.transferred"
        to: Said[str]
        reason: Said[str]
        from_holder: Derived[str | None] = None

    class Returned(CaseFact):
        """回退: sent back to the unit it came from, with the reason; nothing that was filled in is lost."""

        TOPIC = "case.returned"
        reason: Said[str]
        from_holder: Derived[str | None] = None

    class Escalated(CaseFact):
        """上报上级: handed up one level, with the reason."""

        TOPIC = "case.escalated"
        reason: Said[str]
        level: Derived[str]
        from_holder: Derived[str | None] = None

    class Referred(CaseFact):
        """转办: referred to a department."""

        TOPIC = "case.referred"
        to: Said[str]
        reason: Said[str]
        from_holder: Derived[str | None] = None

    class Whistled(CaseFact):
        """吹哨: the subdistrict calls several departments, each must muster before its deadline. The lead 主责 becomes the holder."""

        TOPIC = "case.whistled"
        lead: Said[str]
        assists: Said[list[str]]
        muster_minutes: Said[int]
        task: Said[str]
        muster_due_at: Derived[str]
        from_holder: Derived[str | None] = None

    class Mustered(CaseFact):
        """报到: a called department arrived."""

        TOPIC = "case.mustered"
        unit: Said[str]
        overtime: Derived[bool]

    # ---- handle 处置
    class Handled(CaseFact):
        """处置: the holder did what there was to do, with the result and what can be counted."""

        TOPIC = "case.handled"
        result: Said[str]
        overtime: Derived[bool]
        quantities: Said[Quantities | None] = None
        photos: Said[list[str] | tuple[()]] = ()

    class SelfHandled(CaseFact):
        """自行处置: the reporting worker solved it on the spot."""

        TOPIC = "case.self_handled"
        result: Said[str]
        quantities: Said[Quantities | None] = None
        photos: Said[list[str] | tuple[()]] = ()

    class Extended(CaseFact):
        """延期: more time, at most twice, each at most the original limit (amount in the limit's own kind)."""

        TOPIC = "case.extended"
        amount: Said[int]
        reason: Said[str]
        due_at: Derived[str]

    class Suspended(CaseFact):
        """挂账: the clock stops, once, until a day at most a year away."""

        TOPIC = "case.suspended"
        until: Said[str]
        reason: Said[str]

    class Resumed(CaseFact):
        """恢复: the clock runs on; due_at is moved by what was left."""

        TOPIC = "case.resumed"
        due_at: Derived[str]
        reason: Said[str | None] = None

    class Checked(CaseFact):
        """核查: the result was looked at before closing."""

        TOPIC = "case.checked"
        passed: Said[bool]
        note: Said[str | None] = None
        photos: Said[list[str] | tuple[()]] = ()

    class Reworked(CaseFact):
        """返工: the check failed; the handling unit has it again."""

        TOPIC = "case.reworked"
        reason: Said[str]
        from_holder: Derived[str | None] = None

    # ---- evaluate 评价
    class Evaluated(CaseFact):
        """评价: the reporter or a resident rates the result."""

        TOPIC = "case.evaluated"
        rating: Said[str]
        rated_by: Said[str]
        note: Said[str | None] = None

    class Closed(CaseFact):
        """结案: the matter is over. level is where it was solved."""

        TOPIC = "case.closed"
        level: Derived[str]
        overtime: Derived[bool]
        note: Said[str | None] = None

    class Reopened(CaseFact):
        """重新立案: closed too early; the unit that registered has it again with a fresh limit."""

        TOPIC = "case.reopened"
        reason: Said[str]
        due_at: Derived[str]
        from_holder: Derived[str | None] = None

    class Merged(CaseFact):
        """并案: the same matter as another case, which goes on in its place."""

        TOPIC = "case.merged"
        into: Said[str]
        reason: Said[str]

    class Split(CaseFact):
        """拆案: not the same matter after all; it goes on where it stood when it was merged."""

        TOPIC = "case.split"
        reason: Said[str]
        due_at: Derived[str | None] = None

    class OvertimeExempted(CaseFact):
        """超时豁免: an appeal takes the overtime out of the statistic; the overtime fact itself stays."""

        TOPIC = "case.overtime_exempted"
        reason: Said[str]
