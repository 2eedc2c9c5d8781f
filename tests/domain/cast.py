"""The cast of the domain's stories, and a case whose whole history is checked after each step that is told."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from domain.aggregate import Act
from domain.case import Case
from domain.clock import local_day, parse_utc, utc_text
from domain.entries import ACTIONS, KINDS, decide
from domain.personal import told_apart
from domain.rulebook import Books
from tests.domain.recount import check_history

CITY_TIME = ZoneInfo("Asia/Shanghai")
BOOKS = Books.default()

SUBJECT = "5b0c3a4e-0d6e-4f0e-9f54-7d6c1c0d2a11"
COUNTY = "411502"
SUBDISTRICT = "411502001"
COMMUNITY = "411502001003"
GRID_A1 = "411502001003001"
GRID_A2 = "411502001003002"
OTHER_SUBDISTRICT_GRID = "411502002001001"
OTHER_COUNTY_GRID = "411503001001001"
FIRE = "411502001/fire"
URBAN = "411502001/urban_management"
COUNTY_WATER = "411502/water"


@dataclass(frozen=True)
class Person:
    """One of the cast, in one role, for the units that they act for."""

    name: str
    role: str
    units: tuple[str, ...]

    def act(self, moment: str, tablet: str | None = None) -> Act:
        return Act(self.name, self.role, moment, local_day(moment, CITY_TIME), self.units, tablet)

    def as_if(self, **changed: Any) -> "Person":
        return replace(self, **changed)


LI = Person("li", "worker", (GRID_A1,))  # walks grid A1
WANG = Person("wang", "worker", (GRID_A2,))  # walks grid A2
ZHAO = Person("zhao", "officer", (COMMUNITY,))  # runs community A
CHEN = Person("chen", "officer", (COMMUNITY,))  # her deputy
SUN = Person("sun", "auditor", ("4115",))  # audits
QIAN = Person("qian", "worker", (OTHER_SUBDISTRICT_GRID,))  # has no rights here
ZHOU = Person("zhou", "officer", (SUBDISTRICT,))  # the subdistrict's office
ZHENG = Person("zheng", "officer", (SUBDISTRICT,))  # who checks there
FENG = Person("feng", "officer", (COUNTY,))  # the county's office
WU = Person("wu", "officer", (FIRE,))  # the fire brigade
XU = Person("xu", "officer", (URBAN,))  # urban management
HE = Person("he", "officer", (COUNTY_WATER,))  # the county's water works
CAST = (LI, WANG, ZHAO, CHEN, SUN, QIAN, ZHOU, ZHENG, FENG, WU, XU, HE)


def at(local: str) -> str:
    """UTC text of a time of the city, ``2026-11-16 09:00``, a Monday."""
    return utc_text(datetime.fromisoformat(local).replace(tzinfo=CITY_TIME))


class Matter:
    """A case with its clock. Each step that is told is checked: one holder, one deadline for all readers, an equal replay.

    What is said of a private case is said in disclosures.
    """

    def __init__(self, now: str = "2026-11-16 09:00", books: Books = BOOKS, by: Person = LI, **said: Any) -> None:
        self.books, self.now = books, at(now)
        self.id: UUID = uuid4()
        told = {"area": GRID_A1, "category": "gridtrail/1/E01", "summary": "a hole in the road", **said}
        if books.knows_category(told["category"]) and books.is_private(told["category"]):
            told, _ = told_apart("case.reported", told, SUBJECT)
        self.case = Case.report(by.act(self.now), books, self.id, **told)
        self.history: list[Any] = []
        self._check()

    def says(self, who: Person, action: str, **said: Any) -> "Matter":
        """The person takes the action, now; gives the matter, so that a story reads on."""
        kind = KINDS[ACTIONS[action]]
        if self.case.is_private:
            said, _ = told_apart(ACTIONS[action], said, SUBJECT)
        try:
            decide(kind, who.act(self.now), self.books, stream=self.id, area=self.case.area, said=said, aggregate=self.case)
        finally:
            self._check()
        return self

    def _check(self) -> None:
        self.history.extend(self.case.collect_events())
        check_history(self.history, self.case, self.books)

    def wait(self, **time: float) -> "Matter":
        """Time passes: minutes=, hours=, days=."""
        self.now = utc_text(parse_utc(self.now) + timedelta(**time))
        return self

    def until(self, local: str) -> "Matter":
        """Time passes until a moment of the city."""
        self.now = at(local)
        return self

    # ---- the beginnings of most stories
    def accepted(self, by: Person = ZHAO) -> "Matter":
        return self.says(by, "accept")

    def registered(self, by: Person = ZHAO, **said: Any) -> "Matter":
        return self.accepted(by).says(by, "register", **said)

    def with_fire(self) -> "Matter":
        """Registered by the subdistrict and dispatched to the fire brigade, who has it."""
        return self.registered(ZHOU).says(ZHOU, "dispatch", to=FIRE).says(WU, "acknowledge")

    def handled(self) -> "Matter":
        return self.with_fire().says(WU, "handle", result="filled")

    def checked(self) -> "Matter":
        return self.handled().says(ZHENG, "check", passed=True)

    def closed(self) -> "Matter":
        return self.checked().says(ZHOU, "close")

    @property
    def last(self) -> Any:
        """The last fact."""
        return self.history[-1]
