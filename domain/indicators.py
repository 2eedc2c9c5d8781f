"""Indicators 考核指标: what is counted, and how counts become shares. Read by the roll-up, its pages and whoever recomputes it.

Two tables. COUNTS is code: what each number counts, the same for every city and for ever under one COUNTING. The indicators are data, a
book of the kind ``indicators`` with effective dates: each names the counts above its line, those below it, its weight and which way is
good. A city that counts exempted overtime as late, or weighs satisfaction double, publishes another version and changes no code.

Shares are exact: whole numbers above and below the line, and a decimal text of four places, rounded half up. Nothing due gives no share.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from domain.refusals import BookIsWrong

CODE = re.compile(r"[a-z0-9_]{1,40}")
MOST_ROWS = 100
COUNTING = "1"
"""The version of COUNTS. What a name counts never changes under it; a name that counts otherwise is another name."""

HANDLED, CLOSED = "handled", "closed"
"""Marks that hold only as far as the period goes: handled or closed before its end."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one number counts: items of a cohort that have all of some marks and none of others. See projections.summaries."""

    cohort: str
    has: frozenset[str]
    lacks: frozenset[str]
    zh: str
    en: str


def _count(cohort: str, zh: str, en: str, has: str = "", lacks: str = "") -> Count:
    return Count(cohort, frozenset(has.split()), frozenset(lacks.split()), zh, en)


COUNTS: dict[str, Count] = {
    # Reports, in the period in which they were made.
    "reports": _count("report", "上报数", "reports"),
    "reports_valid": _count("report", "有效上报数", "reports found valid", "valid"),
    "reports_rejected": _count("report", "不予立案数", "reports rejected", "rejected"),
    "reports_merged": _count("report", "并案数", "reports merged into another case", "merged"),
    # Registering, in the period in which it was done. In time: the report was accepted within its limit.
    "registered": _count("register", "立案数", "registered"),
    "registered_in_time": _count("register", "按时立案数", "registered in time", lacks="late"),
    "registered_late": _count("register", "超时立案数", "registered late", "late"),
    "registered_exempted": _count("register", "超时立案豁免数", "registered late, exempted", "late exempt"),
    # The first dispatch after registering. Accurate: the case was not returned afterwards.
    "dispatched": _count("dispatch", "应派遣数", "due dispatches"),
    "dispatched_accurate": _count("dispatch", "准确派遣数", "accurate dispatches", lacks="returned"),
    # Cases whose deadline lies in the period; what became of them by its end.
    "due": _count("due", "应处置数", "due"),
    "handled": _count("due", "处置数", "handled", "handled"),
    "handled_in_time": _count("due", "按期处置数", "handled in time", "handled", "late"),
    "handled_late": _count("due", "超期处置数", "handled late", "handled late"),
    "handled_exempted": _count("due", "超期处置豁免数", "handled late, exempted", "handled late exempt"),
    "overdue_pending": _count("due", "超期未处置数", "overdue and unhandled", lacks="handled"),
    "overdue_unexempted": _count("due", "超期未处置数(未豁免)", "overdue and unhandled, not exempted", lacks="handled exempt"),
    "extended": _count("due", "延期数", "extended", "extended"),
    "reworked": _count("due", "返工数", "reworked", "reworked"),
    "due_closed": _count("due", "应处置中结案数", "of the due, closed", "closed"),
    "due_closed_in_time": _count("due", "按期结案数", "of the due, closed in time", "closed", "closed_late"),
    "due_closed_exempted": _count("due", "超期结案豁免数", "of the due, closed late, exempted", "closed closed_late exempt"),
    # Solved by the reporting worker before anybody registered it: no deadline, but to be checked and closed like any other.
    "spot": _count("spot", "自行处置数", "solved on the spot"),
    "spot_closed": _count("spot", "自行处置结案数", "solved on the spot and closed", "closed"),
    # Closings and reopenings, in the period in which they happened.
    "closed": _count("close", "结案数", "closed"),
    "closed_grid": _count("close", "网格级结案数", "closed at level grid", "grid"),
    "closed_community": _count("close", "社区级结案数", "closed at level community", "community"),
    "closed_subdistrict": _count("close", "街道级结案数", "closed at level subdistrict", "subdistrict"),
    "closed_county": _count("close", "县区级结案数", "closed at level county", "county"),
    "reopened": _count("reopen", "重新立案数", "reopened"),
    "ratings": _count("rating", "评价数", "ratings given"),
    "very_satisfied": _count("rating", "非常满意数", "very satisfied", "very_satisfied"),
    "satisfied": _count("rating", "满意数", "satisfied", "satisfied"),
    "dissatisfied": _count("rating", "不满意数", "dissatisfied", "dissatisfied"),
    # Households, each once a period, by the best that came of going there.
    "households_due": _count("household", "应走访户数", "households due"),
    "households_met": _count("household", "见面走访户数", "households due and met", "met"),
    "households_refused": _count("household", "拒访户数", "households due that refused", "refused", "met"),
    "households_no_one_home": _count("household", "无人在家户数", "households due, nobody at home", "no_one_home", "met refused"),
    # Grids, and grids by day.
    "grids_due": _count("grid", "应巡查网格数", "grids due"),
    "grids_patrolled": _count("patrolled_grid", "已巡查网格数", "grids patrolled"),
    "grid_days_due": _count("grid_day", "应巡查网格日数", "grid-days due"),
    "grid_days_patrolled": _count("patrolled_grid_day", "已巡查网格日数", "grid-days patrolled"),
}

OF_COHORT: dict[str, tuple[tuple[str, Count], ...]] = {
    cohort: tuple((name, each) for name, each in COUNTS.items() if each.cohort == cohort)
    for cohort in {each.cohort for each in COUNTS.values()}
}


def counted(cohort: str, marks: Iterable[str]) -> list[str]:
    """The names under which an item counts."""
    held = frozenset(marks)
    return [name for name, each in OF_COHORT[cohort] if each.has <= held and not each.lacks & held]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One share: the sum of some counts over the sum of others. better: ``high`` or ``low``."""

    code: str
    zh: str
    en: str
    of: tuple[str, ...]
    per: tuple[str, ...]
    better: str
    weight: int

    def told(self) -> dict[str, Any]:
        """As it stands in a book, with its code."""
        return {
            "code": self.code,
            "zh": self.zh,
            "en": self.en,
            "of": list(self.of),
            "per": list(self.per),
            "better": self.better,
            "weight": self.weight,
        }

    def value(self, counts: Mapping[str, int]) -> dict[str, Any]:
        """numerator, denominator, and value as text; value is None where nothing was due, which is not nought."""
        above, below = (sum(counts.get(name, 0) for name in names) for names in (self.of, self.per))
        return {"numerator": above, "denominator": below, "value": decimal(Fraction(above, below)) if below else None}


def indicators_of(content: Mapping[str, Any]) -> list[Indicator]:
    """The indicators of a book's content (or of a document), in its order."""
    return [
        Indicator(each["code"], each["zh"], each["en"], tuple(each["of"]), tuple(each["per"]), each["better"], each["weight"])
        for each in content["indicators"]
    ]


def weighted(indicators: Iterable[Indicator], counts: Mapping[str, int]) -> dict[str, Any]:
    """The weighted mean: value as text (None where no indicator has a share) and the weight of those that have one.

    Where low is good, what is left to the whole counts. An indicator without a share is left out with its weight: it is not nought.
    """
    shares, weight = Fraction(0), 0
    for each in indicators:
        found = each.value(counts)
        if found["denominator"] and each.weight:
            share = Fraction(found["numerator"], found["denominator"])
            shares += each.weight * (share if each.better == "high" else 1 - share)
            weight += each.weight
    return {"value": decimal(shares / weight) if weight else None, "weight": weight}


def decimal(share: Fraction) -> str:
    """``0.9375``: four places, half up, without a float between."""
    tenthousandths = (abs(share) * 20_000 + 1).__floor__() // 2
    return f"{'-' if share < 0 and tenthousandths else ''}{tenthousandths // 10_000}.{tenthousandths % 10_000:04d}"


def must_be_indicators(content: Mapping[str, Any]) -> None:
    """BookIsWrong unless the content is a whole book of indicators."""
    for each in _listed(content, "indicators", {"code", "zh", "en", "of", "per", "better", "weight"}):
        for names in (each["of"], each["per"]):
            if not names or len(set(names)) != len(names) or not COUNTS.keys() >= set(names):
                raise BookIsWrong(f"{each['code']}: of and per are lists of counts, each once: {', '.join(COUNTS)}.")
        if each["better"] not in ("high", "low") or type(each["weight"]) is not int or not 0 <= each["weight"] <= 1000:
            raise BookIsWrong(f"{each['code']}: better is high or low, and weight a whole number from 0 to 1000.")


def must_be_recipients(content: Mapping[str, Any]) -> None:
    """BookIsWrong unless the content says who receives the roll-ups."""
    _listed(content, "recipients", {"code", "zh", "en"})


def _listed(content: Mapping[str, Any], member: str, members: set[str]) -> list[Mapping[str, Any]]:
    """The rows of a book that is one list of things with a code, which names files too, and a name in each language."""
    rows = content[member]
    if content.keys() != {member} or not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
        raise BookIsWrong(f"The book has the member {member}, a list of 1 to {MOST_ROWS}.")
    if any(each.keys() != members for each in rows) or len({each["code"] for each in rows}) != len(rows):
        raise BookIsWrong(f"Each of {member} has exactly {', '.join(sorted(members))}, and a code of its own.")
    for each in rows:
        if not CODE.fullmatch(each["code"]):
            raise BookIsWrong(f"{each['code']!r} is no code of at most 40 small letters, digits and _.")
        if not all(isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= 80 for name in (each["zh"], each["en"])):
            raise BookIsWrong(f"{each['code']} has a name in Chinese and one in English, of at most 80 characters.")
    return rows
