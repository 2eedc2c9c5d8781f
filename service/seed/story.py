"""The demo week as steps: patrols, visits and the scripted cases, the same for the same seed and the same last day. Pure."""

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from domain.books import Books
from domain.personal import values_apart
from service.fleet.plan import Step
from service.seed.cases import SCRIPTS, Script
from service.seed.city import cast_of, county_of

STORY = UUID("5f7a0c52-1d0b-5c3a-9a44-6b1f1f0d8e21")
DAYS = 7
DEPARTMENTS = {"urban": "urban_management", "fire": "fire", "police": "police"}
CARE_GROUPS = ("living_alone", "empty_nest", "disabled_elderly", "severe_disability", "extreme_poverty", "left_behind_child", None)
OUTCOMES = ("met", "met", "met", "met", "no_one_home", "refused")
CHANNELS = ("at_door", "at_door", "at_door", "phone", "video")
VOICED: tuple[dict[str, str], ...] = (
    *({},) * 9,
    {"need_voiced": "A lift to the clinic on Thursday"},
    {"need_voiced": "Somebody to read a letter from the pension office", "resident_name": "王秀英"},
    {"health_note": "Hard of hearing; ring twice and wait", "resident_name": "李桂兰", "resident_phone": "13800138000"},
)
"""What is told on visits that met somebody: mostly nothing that needs writing down."""
BOOKS = Books.default()
CHECKPOINTS = ("gate", "playground", "market", "stairwell", "bicycle_shed", "transformer")


@dataclass
class Story:
    """Collects the steps of one week that ends on ``last``."""

    city: str
    last: date
    zone: ZoneInfo
    seed: int

    def __post_init__(self) -> None:
        self.county = county_of(self.city)
        self.steps: list[Step] = []
        self.random = random.Random(f"{self.seed} {self.city} {self.last}")
        self.cases: dict[str, int] = {}

    def id_of(self, name: str) -> str:
        """The stream of a named thing of the story."""
        return str(uuid5(STORY, f"{self.city}/{self.last}/{self.seed}/{name}"))

    def at(self, day: int, clock: str) -> datetime:
        """A local time on one of the week's days, counted from the first."""
        return datetime.combine(self.last - timedelta(days=DAYS - 1 - day), time.fromisoformat(clock), self.zone)

    def say(
        self,
        who: str,
        kind: str,
        stream: str,
        area: str,
        at: datetime,
        data: dict[str, Any],
        *after: int,
        private: bool = False,
        personal: dict[str, Any] | None = None,
    ) -> int:
        """Adds a step and gives its index. private: what is said is disclosed; personal: what is disclosed in any case."""
        if private:
            data, values = values_apart(kind, data)
            personal = {**values, **(personal or {})}
        self.steps.append(Step(who, kind, stream, area, at, data, after, personal=personal or {}))
        return len(self.steps) - 1

    # ---- patrols and visits

    def workdays(self) -> None:
        """Every worker walks one grid in the morning and visits households in the afternoon; on Sundays only every other one."""
        workers = [member for member in cast_of(self.city) if member.role == "worker"]
        for day in range(DAYS):
            sunday = self.at(day, "08:00").weekday() == 6
            for number, worker in enumerate(workers):
                if sunday and number % 2:
                    continue
                self.patrol(day, worker.key, worker.units[day % len(worker.units)])
                for visit in range(self.random.randint(2, 4)):
                    self.visit(day, visit, worker.key, self.random.choice(worker.units))

    def patrol(self, day: int, who: str, grid: str) -> None:
        """One patrol: started, a few checkpoints, finished."""
        stream = self.id_of(f"patrol {who} {day}")
        moment = self.at(day, "08:10") + timedelta(minutes=self.random.randint(0, 25))
        last = self.say(who, "patrol.started", stream, grid, moment, {})
        for checkpoint in self.random.sample(CHECKPOINTS, self.random.randint(3, 5)):
            moment += timedelta(minutes=self.random.randint(6, 15))
            last = self.say(who, "patrol.checkpoint_passed", stream, grid, moment, {"checkpoint": f"{grid[-3:]}-{checkpoint}"}, last)
        self.say(who, "patrol.finished", stream, grid, moment + timedelta(minutes=5), {}, last)

    def visit(self, day: int, number: int, who: str, grid: str) -> None:
        """One visit, as the household's care group wants it."""
        household = self.random.randint(1, 30)
        group = CARE_GROUPS[household % len(CARE_GROUPS)]
        said = {
            "household": f"H-{grid[-9:]}-{household:03d}",
            "outcome": self.random.choice(OUTCOMES),
            "channel": self.random.choice(CHANNELS),
        }
        if group:
            said["care_group"] = group
        moment = self.at(day, "13:40") + timedelta(minutes=35 * number + self.random.randint(0, 20))
        voiced = self.random.choice(VOICED) if said["outcome"] == "met" else {}
        self.say(who, "visit.made", self.id_of(f"visit {who} {day} {number}"), grid, moment, said, personal=voiced)

    # ---- cases

    def case(self, script: Script) -> None:
        """One scripted case, from its report on."""
        stream, area, moment = self.id_of(script.name), self.county + script.grid, self.at(script.day, script.time)
        said = dict(script.said)
        after: tuple[int, ...] = ()
        if said.get("source") == "visit":
            said["visit"], visited = self._visit_before(script, area, moment)
            after = (visited,)
        private = BOOKS.is_private(said["category"])
        last = self.say(script.reporter, "case.reported", stream, area, moment, said, *after, private=private, personal=script.personal)
        self.cases[script.name] = last
        late_at = moment + timedelta(minutes=script.late[2]) if script.late else moment
        for who, kind, minutes, more in script.acts:
            moment += timedelta(minutes=minutes)
            others = (self.cases[script.into],) if kind == "case.merged" and script.into else ()
            last = self.say(who, kind, stream, area, moment, self._said(script, moment, more), last, *others, private=private)
        if script.late:
            who, kind, _, more = script.late
            self.say(who, kind, stream, area, late_at, more, last, private=private)

    def _visit_before(self, script: Script, area: str, moment: datetime) -> tuple[str, int]:
        """The visit on which the need was voiced, ten minutes before the report."""
        stream = self.id_of(f"visit for {script.name}")
        said = {
            "household": f"H-{area[-9:]}-900", "outcome": "met", "channel": "at_door", "care_group": "living_alone",
        }  # fmt: skip
        at, need = moment - timedelta(minutes=10), script.said["summary"]
        return stream, self.say(script.reporter, "visit.made", stream, area, at, said, personal={"need_voiced": need})

    def _said(self, script: Script, moment: datetime, more: dict[str, Any]) -> dict[str, Any]:
        said = dict(more)
        for name in ("to", "lead", "unit"):
            if name in said:
                said[name] = self._unit(said[name])
        if "assists" in said:
            said["assists"] = [self._unit(each) for each in said["assists"]]
        if "until" in said:
            said["until"] = (moment.date() + timedelta(days=int(said["until"]))).isoformat()
        if script.into and "into" not in said:
            said["into"] = self.id_of(script.into)
        return said

    def _unit(self, department: str) -> str:
        return f"{self.county}/{DEPARTMENTS[department]}"


def steps_of(city: str, last: date, zone: ZoneInfo, seed: int = 1) -> list[Step]:
    """All steps of the week that ends on ``last``."""
    story = Story(city, last, zone, seed)
    story.workdays()
    for script in SCRIPTS:
        story.case(script)
    return story.steps
