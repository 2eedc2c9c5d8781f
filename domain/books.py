"""The rules in force: which category, time limit, calendar, care plan or indicator holds on a day. Read by every decision that needs one.

A published item is a dict as the fact ``rulebook.published`` has it: kind, name, version, effective_from, content. The shipped items
(domain/defaults) lie beneath the published ones: a city that publishes its own calendar uses its own, and one that publishes nothing
has a working set.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domain.calendar import Calendar, must_be_a_calendar
from domain.indicators import must_be_indicators, must_be_recipients
from domain.refusals import BookIsWrong, NoCalendar, NoTimeLimit, UnknownBook, UnknownCategory
from domain.time_limits import Limit

BOOK_KINDS = ("categories", "limits", "calendar", "care_plan", "indicators", "recipients")
DEFAULTS = Path(__file__).parent / "defaults"
FIFTEEN_MINUTES = Limit("urgent_hour", 0.25)
COMPLEXITIES = ("simple", "ordinary", "complex")
URGENCIES = ("emergency", "urgent", "normal", "complex")


@dataclass(frozen=True)
class Item:
    """One published version of one book."""

    kind: str
    name: str
    version: str
    effective_from: str
    content: dict[str, Any]
    rank: tuple[bool, str, int]

    @property
    def label(self) -> str:
        """name@version, as records name it."""
        return f"{self.name}@{self.version}"

    @classmethod
    def of(cls, published: Mapping[str, Any], shipped: bool, order: int) -> "Item":
        """rank: a published item goes before a shipped one, a later day before an earlier, a later publication before an earlier."""
        kind, name, version, day, content = (published[key] for key in ("kind", "name", "version", "effective_from", "content"))
        return cls(kind, name, version, day, content, (not shipped, day, order))


class Books:
    """A value: the published items of one city, asked by day."""

    def __init__(self, items: Iterable[Item]) -> None:
        ranked = sorted(items, key=lambda item: item.rank, reverse=True)
        self._items = {kind: [item for item in ranked if item.kind == kind] for kind in BOOK_KINDS}
        self._codes: dict[str, str] = {}
        self._private: dict[str, bool] = {}
        for item in sorted(self._items["categories"], key=lambda item: item.effective_from):
            for code in item.content["codes"]:
                category = f"{item.content['scheme']}/{item.content['version']}/{code}"
                self._codes.setdefault(category, item.effective_from)
                self._private.setdefault(category, _privacy_of(code, item.content["codes"]))
        self._calendars: dict[str, Calendar] = {}
        self._found: dict[tuple[str, str | None], Item | None] = {}

    @classmethod
    def of(cls, published: Iterable[Mapping[str, Any]]) -> "Books":
        """The books of a city that published these items, in the order of publication, above the shipped ones."""
        own = [Item.of(each, False, order) for order, each in enumerate(published)]
        return cls([*own, *(Item.of(each, True, order) for order, each in enumerate(shipped_items()))])

    @classmethod
    def default(cls) -> "Books":
        """The shipped books alone."""
        return cls.of([])

    def knows_category(self, category: str, day: str | None = None) -> bool:
        """Whether the category (scheme/version/code) is published, and in force by the day where one is given."""
        begins = self._codes.get(category)
        return begins is not None and (day is None or begins <= day)

    def is_private(self, category: str) -> bool:
        """Whether matters of the category tell of persons, so that their texts are disclosures. Ask only of a category that is known."""
        return self._private[category]

    def limit_for(self, category: str, urgency: str, complexity: str | None, day: str) -> Limit:
        """The time limit: of the rules that fit, the one with the longest category code, then with complexity, then with urgency."""
        _, _, code = split_category(category)
        fitting = [
            (len(rule["category"]), rule.get("complexity") is not None, rule.get("urgency") is not None, -order, rule)
            for order, rule in enumerate(self._limits(category, day).get("limits", ()))
            if code.startswith(rule["category"]) and rule.get("complexity") in (None, complexity) and rule.get("urgency") in (None, urgency)
        ]
        if not fitting:
            raise NoTimeLimit(category=category, day=day)
        return Limit.of(max(fitting, key=lambda found: found[:4])[4])

    def accept_limit(self, category: str, day: str) -> Limit:
        """How long a report may wait to be accepted; 15 minutes where nothing else is published."""
        return self._waiting("accept", category, day)

    def dispatch_limit(self, category: str, day: str) -> Limit:
        """How long a registered case may wait to be dispatched; 15 minutes where nothing else is published."""
        return self._waiting("dispatch", category, day)

    def calendar_for(self, day: str) -> Calendar:
        """The calendar in force on a day."""
        item = self._in_force("calendar", day)
        if item is None:
            raise NoCalendar(day=day)
        return self.calendar(f"{item.name}@{item.version}")

    def calendar(self, label: str) -> Calendar:
        """The calendar that a case froze as name@version. NoCalendar where it was never published."""
        if label not in self._calendars:
            found = [item for item in self._items["calendar"] if f"{item.name}@{item.version}" == label]
            if not found:
                raise NoCalendar(calendar=label)
            self._calendars[label] = Calendar.of(label, found[0].content)
        return self._calendars[label]

    def care_interval(self, care_group: str, day: str | None = None) -> int | None:
        """Days between two visits to a household of the care group. None where the plan in force does not know the group."""
        plan = self._care_plan(day)
        group = plan["groups"].get(care_group)
        return plan["tiers"][group["tier"]] if group else None

    def no_one_home_days(self, day: str | None = None) -> int:
        """Days after which somebody goes again where nobody was at home."""
        return int(self._care_plan(day).get("no_one_home_days", 3))

    def care_groups(self, day: str | None = None) -> dict[str, Any]:
        """The care groups of the plan in force, by code."""
        return dict(self._care_plan(day)["groups"])

    def items(self, kind: str, day: str) -> list[Item]:
        """The versions of a kind in force on a day, the first of each name; what a tablet must hold."""
        found: dict[str, Item] = {}
        for item in self._items[kind]:
            if item.effective_from <= day:
                found.setdefault(item.name, item)
        return list(found.values())

    def in_force(self, kind: str, day: str) -> Item:
        """The book of a kind that holds on a day: the indicators that a roll-up is computed by, or who gets it. UnknownBook for none."""
        item = self._in_force(kind, day)
        if item is None:
            raise UnknownBook(kind=kind, day=day)
        return item

    def labelled(self, kind: str, label: str) -> list[Item]:
        """What is known as name@version: one, or two where a city published its own under a shipped label."""
        return [item for item in self._items[kind] if item.label == label]

    def deciding(self, kind: str, day: str) -> list[Item]:
        """The versions of a kind that decisions of a day use: of limits one for each scheme of categories, of calendars and plans one.

        Of categories all that are in force by then: each version has codes of its own.
        """
        found: dict[str, Item] = {}
        for item in self._items[kind]:
            if item.effective_from <= day:
                found.setdefault(_matter_of(item), item)
        return list(found.values())

    def _care_plan(self, day: str | None) -> dict[str, Any]:
        item = self._in_force("care_plan", day)
        return item.content if item else {"groups": {}, "tiers": {}}

    def _in_force(self, kind: str, day: str | None) -> Item | None:
        if (kind, day) not in self._found:
            self._found[kind, day] = next((item for item in self._items[kind] if day is None or item.effective_from <= day), None)
        return self._found[kind, day]

    def _limits(self, category: str, day: str) -> dict[str, Any]:
        scheme, version, _ = split_category(category)
        for item in self._items["limits"]:
            content = item.content
            if item.effective_from <= day and (content["scheme"], content["scheme_version"]) == (scheme, version):
                return content
        return {}

    def _waiting(self, step: str, category: str, day: str) -> Limit:
        published = self._limits(category, day).get(step)
        return Limit.of(published) if published else FIFTEEN_MINUTES


@cache
def shipped_items() -> tuple[dict[str, Any], ...]:
    """The items that come with the software, in the form in which a city would publish them."""
    return tuple(json.loads(path.read_text("utf-8")) for path in sorted(DEFAULTS.glob("*.json")))


def _matter_of(item: Item) -> str:
    """What one version at most decides on: versions of the same matter take each other's place."""
    if item.kind == "categories":
        return f"{item.content['scheme']}/{item.content['version']}"
    return f"{item.content['scheme']}/{item.content['scheme_version']}" if item.kind == "limits" else ""


def _privacy_of(code: str, codes: Mapping[str, Mapping[str, Any]]) -> bool:
    """What the code says itself, or the longest code that it begins with: F01 is as private as F. Public space where none says."""
    for length in range(len(code), 0, -1):
        said = codes.get(code[:length], {}).get("private")
        if said is not None:
            return bool(said)
    return False


def split_category(category: str) -> tuple[str, str, str]:
    """Scheme, version and code of a category."""
    parts = category.split("/")
    if len(parts) != 3 or not all(parts):
        raise UnknownCategory(category=category)
    return parts[0], parts[1], parts[2]


def must_be_a_book(kind: str, content: dict[str, Any]) -> None:
    """BookIsWrong where content is not a whole book of its kind: what is published is relied on for ever."""
    if kind not in CHECKS:
        raise UnknownBook(kind=kind)
    try:
        CHECKS[kind](content)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise BookIsWrong(f"This is no book of {kind}: {wrong!r}.", kind=kind) from wrong


def _must_be_categories(content: dict[str, Any]) -> None:
    split_category(f"{content['scheme']}/{content['version']}/any")
    codes = content["codes"]
    if not codes or any("/" in code or not code for code in codes):
        raise BookIsWrong("A book of categories has codes, at least one, without a slash.")
    if not all(isinstance(said.get("private", False), bool) for said in codes.values()):
        raise BookIsWrong("private is true for a category that tells of persons, false for one of public space.")


def _must_be_limits(content: dict[str, Any]) -> None:
    split_category(f"{content['scheme']}/{content['scheme_version']}/any")
    for rule in content["limits"]:
        Limit.of(rule)
        if not isinstance(rule["category"], str) or rule.get("complexity") not in (None, *COMPLEXITIES):
            raise BookIsWrong(f"A limit names a category code, and a complexity of {COMPLEXITIES} where it depends on one: {rule!r}.")
        if rule.get("urgency") not in (None, *URGENCIES):
            raise BookIsWrong(f"A limit names an urgency of {URGENCIES} where it depends on one: {rule!r}.")
    for step in ("accept", "dispatch"):
        if content.get(step) is not None:
            Limit.of(content[step])


def _must_be_a_care_plan(content: dict[str, Any]) -> None:
    days = [*content["tiers"].values(), content.get("no_one_home_days", 3)]
    if not all(isinstance(each, int) and 1 <= each <= 3660 for each in days):
        raise BookIsWrong("The tiers of a care plan, and no_one_home_days, are whole days from 1 on.")
    if any(group["tier"] not in content["tiers"] for group in content["groups"].values()):
        raise BookIsWrong("Each care group has one of the plan's tiers.")


CHECKS = {
    "categories": _must_be_categories,
    "limits": _must_be_limits,
    "calendar": must_be_a_calendar,
    "care_plan": _must_be_a_care_plan,
    "indicators": must_be_indicators,
    "recipients": must_be_recipients,
}
