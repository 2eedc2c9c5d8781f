"""What people do to a case after it was reported: each action asks the rules, then records one fact. Mixed into domain.case.Case.

The facts are declared in domain.case, the table of who may do what and when in domain.case_rules. Nothing is changed here but by a fact.
"""

from typing import TYPE_CHECKING, Any

from domain import refusals
from domain.aggregate import Act
from domain.areas import LENGTH_OF_LEVEL, area_of, department_of
from domain.books import COMPLEXITIES, Books
from domain.calendar import Calendar
from domain.case_rules import (
    PUBLIC_SOURCES,
    RATERS,
    RATINGS,
    CaseRules,
    covers,
    is_above,
    level_above,
    must_have_text,
)
from domain.case_status import CLOCK_RUNS, OVER_STATUSES
from domain.clock import utc_text
from domain.days import must_be_a_day
from domain.personal import Personal
from domain.time_limits import Limit, due_at, moved

Quantities = dict[str, float]
Photos = list[str] | tuple[()]


class CaseActions(CaseRules):
    """The actions, in the order of a case's life: report 上报, transfer 流转, handle 处置, evaluate 评价."""

    category: str
    urgency: str
    level: str
    accept_due_at: str
    found: bool | None
    limit: dict[str, Any] | None
    calendar: str | None
    due_at: str | None
    dispatch_due_at: str | None
    muster_due_at: str | None
    stopped_at: str | None
    stopped_until: str | None
    paused: str | None
    trail: list[tuple[str, str]]
    extensions: int
    was_suspended: bool
    is_evaluated: bool
    overtime: bool
    is_exempt: bool

    if TYPE_CHECKING:

        def _fact(self, topic: str, act: Act, *, holder: str | None = None, **said_and_derived: Any) -> None:
            """Records a fact; the case does."""

    @property
    def clock_runs(self) -> bool:
        """Whether the time limit runs now."""
        return self.due_at is not None and self.status in CLOCK_RUNS

    def is_overdue(self, moment: str) -> bool:
        """Whether the deadline in force has passed at a moment."""
        return self.due_at is not None and moment > self.due_at

    # ---- report 上报
    def verify(self, act: Act, books: Books, *, found: bool, note: str | None = None, photos: Photos = (), personal: Personal = ()) -> None:
        """核实: says whether the matter that the public reported is real. A second look may correct the first."""
        self._may("verify", act)
        if self.source not in PUBLIC_SOURCES:
            raise refusals.VerifiesOnlyPublicReports(source=self.source)
        self._fact("case.verified", act, personal=personal, found=found, note=note, photos=photos)

    def accept(self, act: Act, books: Books, *, note: str | None = None, personal: Personal = ()) -> None:
        """受理: takes the report up."""
        self._may("accept", act)
        self._fact("case.accepted", act, personal=personal, overtime=act.happened_at > self.accept_due_at, note=note)

    def register(self, act: Act, books: Books, *, complexity: str | None = None, note: str | None = None, personal: Personal = ()) -> None:
        """立案: fixes the time limit. The unit that registers stays answerable to the end."""
        self._may("register", act)
        self._must_be_verified(self.found)
        if complexity is not None and complexity not in COMPLEXITIES:
            raise refusals.UnknownComplexity(complexity=complexity)
        limit = books.limit_for(self.category, self.urgency, complexity, act.day)
        calendar = books.calendar_for(act.day)
        self._fact(
            "case.registered",
            act,
            personal=personal,
            limit=limit.recorded(),
            calendar=calendar.label,
            due_at=due_at(act.happened_at, limit, calendar),
            dispatch_due_at=due_at(act.happened_at, books.dispatch_limit(self.category, act.day), calendar),
            registrar=self._unit_of(act),
            complexity=complexity,
            note=note,
        )

    def reject(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """不予立案: decides that the report is not a case."""
        self._may("reject", act)
        must_have_text(reason, personal)
        self._fact("case.rejected", act, personal=personal, reason=reason)

    # ---- transfer 流转
    def dispatch(self, act: Act, books: Books, *, to: str, note: str | None = None, personal: Personal = ()) -> None:
        """派遣: sends the case to the unit that shall handle it. Only the first dispatch after registering has a clock."""
        self._may("dispatch", act)
        self._must_be_another(to)
        late = self.dispatch_due_at is not None and act.happened_at > self.dispatch_due_at
        self._fact("case.dispatched", act, personal=personal, holder=to, to=to, overtime=late, note=note)

    def acknowledge(self, act: Act, books: Books, *, note: str | None = None, personal: Personal = ()) -> None:
        """签收: the holding unit says that it has it."""
        self._may("acknowledge", act)
        self._fact("case.acknowledged", act, personal=personal, note=note)

    def transfer(self, act: Act, books: Books, *, to: str, reason: str | None = None, personal: Personal = ()) -> None:
        """流转: hands the case to another unit of the same level."""
        self._may("transfer", act)
        must_have_text(reason, personal)
        self._must_be_another(to)
        if len(area_of(to)) != len(area_of(self.holder)):
            raise refusals.NotTheSameLevel(to=to, holder=self.holder)
        self._fact("case.transferred", act, personal=personal, holder=to, to=to, reason=reason)

    def send_back(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """回退: returns the case to the unit that it came from."""
        self._may("return", act)
        must_have_text(reason, personal)
        if not self.trail:
            raise refusals.NobodyToReturnTo(holder=self.holder)
        holder, level = self.trail[-1]
        self._fact("case.returned", act, personal=personal, holder=holder, reason=reason, level=level if level != self.level else None)

    def escalate(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """上报上级: hands the case up one level, to the office that covers its area there."""
        self._may("escalate", act)
        must_have_text(reason, personal)
        level = level_above(self.level, self.holder)
        self._fact("case.escalated", act, personal=personal, holder=self.area[: LENGTH_OF_LEVEL[level]], reason=reason, level=level)

    def refer(self, act: Act, books: Books, *, to: str, reason: str | None = None, personal: Personal = ()) -> None:
        """转办: hands the case to a department."""
        self._may("refer", act)
        must_have_text(reason, personal)
        self._must_be_another(to)
        if department_of(to) is None:
            raise refusals.NotADepartment(unit=to)
        self._fact("case.referred", act, personal=personal, holder=to, to=to, reason=reason)

    def whistle(
        self,
        act: Act,
        books: Books,
        *,
        lead: str,
        assists: list[str],
        muster_minutes: int,
        task: str | None = None,
        personal: Personal = (),
    ) -> None:
        """吹哨: the subdistrict calls several units; the lead becomes the holder."""
        self._may("whistle", act)
        must_have_text(task, personal, "case_task", refusals.TextNeeded)
        for unit in (lead, *assists):
            self._must_be_reachable(unit)
        if len({lead, *assists}) != 1 + len(assists):
            raise refusals.UnitNamedTwice(lead=lead, assists=list(assists))
        if not 1 <= muster_minutes <= 1440:
            raise refusals.MusterTimeWrong(muster_minutes=muster_minutes)
        due = due_at(act.happened_at, Limit("urgent_hour", muster_minutes / 60), books.calendar_for(act.day))
        said = {"lead": lead, "assists": assists, "muster_minutes": muster_minutes, "task": task}
        self._fact("case.whistled", act, personal=personal, holder=lead, muster_due_at=due, **said)

    def muster(self, act: Act, books: Books, *, unit: str, personal: Personal = ()) -> None:
        """报到: a called unit arrived. When the lead has, it can handle."""
        self._may("muster", act)
        if unit not in self.called or unit not in act.units:
            raise refusals.NotCalled(unit=unit)
        if self.called[unit]:
            raise refusals.AlreadyMustered(unit=unit)
        late = self.muster_due_at is not None and act.happened_at > self.muster_due_at
        self._fact("case.mustered", act, personal=personal, unit=unit, overtime=late)

    # ---- handle 处置
    def handle(
        self,
        act: Act,
        books: Books,
        *,
        result: str | None = None,
        quantities: Quantities | None = None,
        photos: Photos = (),
        personal: Personal = (),
    ) -> None:
        """处置: the holder says what was done. Handling without a word of acknowledgement is acknowledgement enough."""
        self._may("handle", act)
        self._must_be_somebody_else("handled", act)
        must_have_text(result, personal, "case_result", refusals.TextNeeded)
        overtime = self.is_overdue(act.happened_at)
        self._fact("case.handled", act, personal=personal, result=result, overtime=overtime, quantities=quantities, photos=photos)

    def self_handle(
        self,
        act: Act,
        books: Books,
        *,
        result: str | None = None,
        quantities: Quantities | None = None,
        photos: Photos = (),
        personal: Personal = (),
    ) -> None:
        """自行处置: the reporter solved it on the spot. It needs no registering, but a check by somebody else like any other.

        If that check fails, the case is accepted and goes the way of any other.
        """
        self._may("self_handle", act)
        self._must_be_somebody_else("handled", act)
        must_have_text(result, personal, "case_result", refusals.TextNeeded)
        overtime = self.is_overdue(act.happened_at)
        self._fact("case.self_handled", act, personal=personal, result=result, overtime=overtime, quantities=quantities, photos=photos)

    def extend(self, act: Act, books: Books, *, amount: int, reason: str | None = None, personal: Personal = ()) -> None:
        """延期: moves the deadline, before it has passed."""
        self._may("extend", act)
        must_have_text(reason, personal)
        limit, calendar = self._time_limit(books)
        if self.extensions >= 2:
            raise refusals.ExtendedTwice
        if not 1 <= amount <= limit.amount:
            raise refusals.ExtensionTooLong(amount=amount, limit=limit.recorded())
        due = due_at(self._due_ahead(act), Limit(limit.kind, amount), calendar)
        self._fact("case.extended", act, personal=personal, amount=amount, reason=reason, due_at=due)

    def suspend(self, act: Act, books: Books, *, until: str, reason: str | None = None, personal: Personal = ()) -> None:
        """挂账: stops the clock until the end of a day."""
        self._may("suspend", act)
        must_have_text(reason, personal)
        must_be_a_day(until)
        if self.was_suspended:
            raise refusals.SuspendedBefore
        self._must_be_within_a_year(act.day, until)
        self._due_ahead(act)
        self._fact("case.suspended", act, personal=personal, until=until, reason=reason)

    def resume(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """恢复: the clock runs on, from now or from the end of the day that was set, whichever was first."""
        self._may("resume", act)
        self._fact("case.resumed", act, personal=personal, due_at=self._due_after_stop(act, books), reason=reason)

    def check(self, act: Act, books: Books, *, passed: bool, note: str | None = None, photos: Photos = (), personal: Personal = ()) -> None:
        """核查: the unit that registered looks at the result; of a self-handled case, an officer of the holder or above."""
        self._may("check", act)
        self._must_be_somebody_else("checked", act)
        self._fact("case.checked", act, personal=personal, passed=passed, note=note, photos=photos)

    def rework(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """返工: gives the case back to the unit that handled it, after a failed check. The deadline stays."""
        self._may("rework", act)
        must_have_text(reason, personal)
        self._fact("case.reworked", act, personal=personal, reason=reason)

    # ---- evaluate 评价
    def evaluate(self, act: Act, books: Books, *, rating: str, rated_by: str, note: str | None = None, personal: Personal = ()) -> None:
        """评价: a rating after the check, before closing or after. Who records a resident's rating covers the area."""
        self._may("evaluate", act)
        if rating not in RATINGS:
            raise refusals.UnknownRating(rating=rating)
        if rated_by not in RATERS:
            raise refusals.UnknownRater(rated_by=rated_by)
        if not self._is("reporter" if rated_by == "reporter" else "covering", act):
            raise refusals.NotYourReport(rated_by=rated_by)
        if self.is_evaluated:
            raise refusals.AlreadyEvaluated
        self._must_be_somebody_else("evaluated", act)
        self._fact("case.evaluated", act, personal=personal, rating=rating, rated_by=rated_by, note=note)

    def close(self, act: Act, books: Books, *, note: str | None = None, personal: Personal = ()) -> None:
        """结案: ends the case after a passed check. overtime: closed later than the deadline."""
        self._may("close", act)
        self._fact("case.closed", act, personal=personal, level=self.level, overtime=self.is_overdue(act.happened_at), note=note)

    def reopen(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """重新立案: the registering unit has the case again, with the whole limit once more."""
        self._may("reopen", act)
        must_have_text(reason, personal)
        if self.registrar is None:
            raise refusals.NeverRegistered
        limit, calendar = self._time_limit(books)
        due = due_at(act.happened_at, limit, calendar)
        self._fact("case.reopened", act, personal=personal, holder=self.registrar, reason=reason, due_at=due)

    def merge(self, act: Act, books: Books, *, into: str, reason: str | None = None, personal: Personal = ()) -> None:
        """并案: another case goes on in this one's place; its clock stops."""
        self._may("merge", act)
        must_have_text(reason, personal)
        if into.lower() == str(self.id):
            raise refusals.MergedIntoItself
        self._fact("case.merged", act, personal=personal, into=into, reason=reason)

    def must_go_on(self) -> None:
        """MergedIntoClosed where this case is over: another merged into it would leave every list."""
        if self.status in OVER_STATUSES:
            raise refusals.MergedIntoClosed(into=str(self.id), into_status=self.status)

    def split(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """拆案: the case goes on where it stood, with the time that was left."""
        self._may("split", act)
        must_have_text(reason, personal)
        due = self._due_after_stop(act, books) if self.paused in CLOCK_RUNS else None
        self._fact("case.split", act, personal=personal, reason=reason, due_at=due)

    def exempt_overtime(self, act: Act, books: Books, *, reason: str | None = None, personal: Personal = ()) -> None:
        """超时豁免: an office above the answerable unit grants an appeal, for an overtime on record or one that runs up now."""
        self._may("exempt_overtime", act)
        must_have_text(reason, personal)
        runs_over = self.clock_runs and self.is_overdue(act.happened_at) and not self.is_exempt
        if not self.overtime and not runs_over:
            raise refusals.NoOvertime
        self._fact("case.overtime_exempted", act, personal=personal, reason=reason)

    # ---- what the actions above compute
    def _unit_of(self, act: Act) -> str:
        """The unit that the actor acts for: the holder where it is theirs, else their nearest office above it."""
        if self.holder in act.units or not is_above(act, self.holder):
            return self.holder
        return max((unit for unit in act.units if covers(unit, self.holder)), key=len)

    def _time_limit(self, books: Books) -> tuple[Limit, Calendar]:
        """The limit and the calendar that were frozen when the case was registered."""
        if self.limit is None or self.calendar is None:
            raise refusals.NotYetRegistered
        return Limit.of(self.limit), books.calendar(self.calendar)

    def _due_ahead(self, act: Act) -> str:
        if self.due_at is None or self.is_overdue(act.happened_at):
            raise refusals.DeadlinePassed(due_at=self.due_at)
        return self.due_at

    def _due_after_stop(self, act: Act, books: Books) -> str:
        """The deadline when a stopped clock runs on. A suspension ends with its last day, even if nobody resumes it then."""
        limit, calendar = self._time_limit(books)
        assert self.due_at is not None
        assert self.stopped_at is not None
        runs_on = act.happened_at
        if self.stopped_until is not None:
            runs_on = min(runs_on, utc_text(calendar.end_of_day(self.stopped_until)))
        return moved(self.due_at, self.stopped_at, runs_on, limit, calendar)
