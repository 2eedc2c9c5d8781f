"""Who may do what to a case, and when: one table, and the rules that ask it.

Read by the actions of a case, and by pages that show what can be done next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from domain import refusals
from domain.aggregate import Act
from domain.areas import LENGTH_OF_LEVEL, area_of, department_of, lies_within, unit_is_well_formed
from domain.case_status import STATUSES
from domain.errors import Refusal
from domain.personal import Personal, must_be_told_apart, must_bear_no_number, tells

LEVELS = ("grid", "community", "subdistrict", "county")
SEVERITIES = ("01", "02", "03", "04")
PUBLIC_SOURCES = ("resident", "steward", "sensor")
"""What the public reports is verified before it is registered.

The other sources need none: patrol and visit were seen by a worker, hotline by a call centre that asked back, import by an older system.
"""
SOURCES = ("patrol", "visit", *PUBLIC_SOURCES, "hotline", "import")
RATINGS = ("very_satisfied", "satisfied", "dissatisfied")
RATERS = ("reporter", "resident")

FIELD = frozenset({"worker", "officer"})
OFFICE = frozenset({"officer"})


@dataclass(frozen=True, slots=True)
class Rule:
    """When (statuses before), who (any of the names in WHO) and in which roles; what is said where it is too early or too late."""

    statuses: tuple[str, ...]
    who: tuple[str, ...]
    roles: frozenset[str]
    early: type[Refusal]
    late: type[Refusal]


NEW = ("reported", "verified")
UNREGISTERED = (*NEW, "accepted")
MOVABLE = ("accepted", "registered", "dispatched", "acknowledged", "rework")
CLOCKED = ("registered", "dispatched", "mustering", "acknowledged", "rework")
UNHANDLED = (*UNREGISTERED, *CLOCKED)

HOLDER = ("holder",)
OVER_HOLDER = ("holder", "supervisor")
ANSWERABLE = ("registrar", "over_registrar")
EITHER = (*OVER_HOLDER, *ANSWERABLE)

R = refusals
RULES: dict[str, Rule] = {
    # action: statuses before, who, roles, too early, too late
    "verify": Rule(UNREGISTERED, ("covering",), FIELD, R.AlreadyRegistered, R.AlreadyRegistered),
    "accept": Rule(NEW, OVER_HOLDER, OFFICE, R.AlreadyAccepted, R.AlreadyAccepted),
    "register": Rule(("accepted",), OVER_HOLDER, OFFICE, R.NotYetAccepted, R.AlreadyRegistered),
    "reject": Rule(UNREGISTERED, OVER_HOLDER, OFFICE, R.AlreadyRegistered, R.AlreadyRegistered),
    "dispatch": Rule(("registered", "dispatched", "acknowledged", "rework"), OVER_HOLDER, OFFICE, R.NotYetRegistered, R.AlreadyHandled),
    "acknowledge": Rule(("registered", "dispatched"), HOLDER, FIELD, R.NotYetRegistered, R.AlreadyAcknowledged),
    "transfer": Rule((*NEW, *MOVABLE), OVER_HOLDER, OFFICE, R.AlreadyHandled, R.AlreadyHandled),
    "return": Rule(UNHANDLED, HOLDER, FIELD, R.AlreadyHandled, R.AlreadyHandled),
    "escalate": Rule(UNHANDLED, OVER_HOLDER, FIELD, R.AlreadyHandled, R.AlreadyHandled),
    "refer": Rule(MOVABLE, OVER_HOLDER, OFFICE, R.NotYetAccepted, R.AlreadyHandled),
    "whistle": Rule(("registered", "dispatched", "acknowledged", "rework"), ("subdistrict",), OFFICE, R.NotYetRegistered, R.AlreadyHandled),
    "muster": Rule(("mustering", "acknowledged", "rework"), ("called",), FIELD, R.NotCalled, R.AlreadyHandled),
    "handle": Rule(("registered", "dispatched", "acknowledged", "rework"), HOLDER, FIELD, R.NotYetRegistered, R.AlreadyHandled),
    "self_handle": Rule((*UNREGISTERED, "registered"), ("reporter",), FIELD, R.AlreadyHandled, R.AlreadyHandled),
    "extend": Rule(CLOCKED, EITHER, OFFICE, R.NotYetRegistered, R.AlreadyHandled),
    "suspend": Rule(CLOCKED, EITHER, OFFICE, R.NotYetRegistered, R.AlreadyHandled),
    "resume": Rule(("suspended",), EITHER, OFFICE, R.NotSuspended, R.NotSuspended),
    "check": Rule(("self_handled", "handled"), ANSWERABLE, OFFICE, R.NotYetHandled, R.AlreadyChecked),
    "rework": Rule(("check_failed",), ANSWERABLE, OFFICE, R.CheckHasNotFailed, R.CheckHasNotFailed),
    "evaluate": Rule(("checked", "closed"), ("reporter", "covering"), FIELD, R.NotYetChecked, R.AlreadyEvaluated),
    "close": Rule(("checked",), ANSWERABLE, OFFICE, R.NotYetChecked, R.CaseClosed),
    "reopen": Rule(("closed",), ANSWERABLE, OFFICE, R.NotYetClosed, R.NotYetClosed),
    "merge": Rule(UNHANDLED, EITHER, OFFICE, R.AlreadyHandled, R.AlreadyHandled),
    "split": Rule(("merged",), EITHER, OFFICE, R.NotMerged, R.NotMerged),
    "exempt_overtime": Rule(
        (*CLOCKED, "self_handled", "handled", "check_failed", "checked", "closed"),
        ("over_registrar",),
        OFFICE,
        R.NotYetRegistered,
        R.NoOvertime,
    ),
}

SET_ASIDE: dict[str, type[Refusal]] = {
    "suspended": R.CaseSuspended,
    "rejected": R.CaseRejected,
    "merged": R.CaseMerged,
    "closed": R.CaseClosed,
}
EXACT: dict[tuple[str, str], type[Refusal]] = {
    ("handle", "mustering"): R.MusterFirst,
    ("acknowledge", "mustering"): R.MusterFirst,
    ("dispatch", "mustering"): R.MusterFirst,
    ("transfer", "mustering"): R.MusterFirst,
    ("refer", "mustering"): R.MusterFirst,
    ("whistle", "mustering"): R.MusterFirst,
    ("check", "check_failed"): R.CheckHasFailed,
    ("close", "check_failed"): R.CheckHasFailed,
    ("evaluate", "check_failed"): R.CheckHasFailed,
    ("acknowledge", "handled"): R.AlreadyHandled,
    ("acknowledge", "check_failed"): R.CheckHasFailed,
    ("acknowledge", "checked"): R.AlreadyChecked,
    ("check", "closed"): R.CaseClosed,
    ("rework", "self_handled"): R.CheckHasNotFailed,
    ("self_handle", "dispatched"): R.NotYourCase,
    ("self_handle", "acknowledged"): R.NotYourCase,
    ("self_handle", "mustering"): R.NotYourCase,
    ("self_handle", "rework"): R.NotYourCase,
}
"""Where too early or too late would not say what is wrong."""

AT_ANY_PAUSE = frozenset({"resume", "split"})
"""Actions that end a pause: they say that there is none, rather than which other one there is."""


class CaseRules:
    """What every action of a case asks before it records. No rule changes anything."""

    id: Any
    area: str
    holder: str
    status: str
    source: str
    reported_by: str
    registrar: str | None
    called: dict[str, bool]
    did: dict[str, list[str]]

    def _may(self, action: str, act: Act) -> None:
        """The table's three questions: the role, the status, the unit."""
        rule = RULES[action]
        if act.role not in rule.roles:
            raise refusals.RoleMayNotDoThis(role=act.role, action=action)
        if self.status not in rule.statuses:
            raise self._why_not_now(action, rule)(status=self.status, action=action)
        if not any(self._is(who, act) for who in rule.who):
            raise self._whose(rule)(holder=self.holder, action=action)

    def _why_not_now(self, action: str, rule: Rule) -> type[Refusal]:
        exact = EXACT.get((action, self.status))
        if exact:
            return exact
        if self.status in SET_ASIDE and action not in AT_ANY_PAUSE:
            return SET_ASIDE[self.status]
        first = min(STATUSES.index(status) for status in rule.statuses)
        return rule.early if STATUSES.index(self.status) < first else rule.late

    @staticmethod
    def _whose(rule: Rule) -> type[Refusal]:
        by_who: dict[str, type[Refusal]] = {"subdistrict": refusals.NotYourSubdistrict, "called": refusals.NotCalled}
        if rule.who == ("reporter",):
            return refusals.NotYourReport
        return by_who.get(rule.who[0], refusals.NotYourCase)

    def _is(self, who: str, act: Act) -> bool:
        """Whether the actor stands to this case as the table says. registrar: who registered, or the holder where nobody did."""
        answerable = self.registrar or self.holder
        if who == "holder":
            return self.holder in act.units
        if who == "supervisor":
            return is_above(act, self.holder)
        if who == "registrar":
            return answerable in act.units
        if who == "over_registrar":
            return is_above(act, answerable)
        if who == "reporter":
            return act.by == self.reported_by
        if who == "covering":
            return any(covers(unit, self.area) for unit in act.units)
        if who == "subdistrict":
            return self.area[:9] in act.units
        return any(unit in act.units for unit in self.called)

    def _must_be_somebody_else(self, step: str, act: Act) -> None:
        """handled, checked and evaluated are never two of one person, in the whole life of a case."""
        for other, people in self.did.items():
            if other != step and act.by in people:
                raise refusals.SamePerson(did=other, step=step)

    def _must_be_reachable(self, unit: str) -> None:
        """A case goes to a well-formed unit of its own county."""
        if not unit_is_well_formed(unit):
            raise refusals.NotAUnit(unit=unit)
        if not lies_within(unit, self.area[:6]):
            raise refusals.OutsideTheCounty(unit=unit, county=self.area[:6])

    def _must_be_another(self, unit: str) -> None:
        self._must_be_reachable(unit)
        if unit == self.holder:
            raise refusals.ToItself(unit=unit)

    def _must_be_verified(self, found: bool | None) -> None:
        if self.source in PUBLIC_SOURCES and found is not True:
            raise (refusals.NotVerified if found is None else refusals.FoundUntrue)(source=self.source)

    def _must_be_within_a_year(self, day: str, until: str) -> None:
        ahead = (date.fromisoformat(until) - date.fromisoformat(day)).days
        if not 1 <= ahead <= 365:
            raise refusals.SuspensionTooLong(until=until, days=ahead)


def covers(unit: str, area: str) -> bool:
    """Whether a unit is an area's own office (or grid) and the area lies within it."""
    return department_of(unit) is None and lies_within(area, unit)


def is_above(act: Act, unit: str) -> bool:
    """Whether the actor is an officer of an office above a unit: of an area around it, or of a department's own area."""
    return act.role == "officer" and any(own != unit and covers(own, unit) for own in act.units)


def holder_of_level(area: str, level: str) -> str:
    """The unit that holds a case of a level: the office (or grid) of that level that covers the area."""
    if level not in LEVELS:
        raise refusals.UnknownLevel(level=level)
    if len(area) < LENGTH_OF_LEVEL[level]:
        raise refusals.LevelBelowArea(area=area, level=level)
    return area[: LENGTH_OF_LEVEL[level]]


def level_above(level: str, holder: str) -> str:
    """The level above both the case's own and its holder's."""
    held_at = next((each for each in LEVELS if len(area_of(holder)) >= LENGTH_OF_LEVEL[each]), LEVELS[-1])
    here = max(LEVELS.index(level), LEVELS.index(held_at))
    if here + 1 == len(LEVELS):
        raise refusals.AlreadyAtTheTop(holder=holder)
    return LEVELS[here + 1]


def must_have_text(
    text: str | None, personal: Personal, disclosed_as: str = "case_reason", refusal: type[Refusal] = refusals.ReasonNeeded
) -> None:
    """A reason, a result or a summary says something: in plain words, or in a disclosure of the field that takes their place."""
    if (text is None or not text.strip()) and not tells(personal, disclosed_as):
        raise refusal


def must_be_sayable(private: bool, said: Mapping[str, Any]) -> None:
    """What is said of a private matter is disclosed, and no plain text of any other bears a number of a person."""
    if private:
        must_be_told_apart(said)
    must_bear_no_number(said)
