"""Plants the demo city: registers it, gives the cast logins and tablets, and lets the tablets upload the week, round by round.

The service's clock is the story's while it is told, so that the history looks as if the week had passed. The same seed and last day tell
the same week, and planting again keeps what is there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from domain.books import shipped_items
from domain.clock import utc_text
from service.config import Config
from service.fleet.plan import Round, rounds_of
from service.fleet.run import Fleet, InProcess, Tally
from service.fleet.settling import code_for, person_of, settle
from service.imports.areas import Areas
from service.imports.recording import publish_books, record_areas
from service.seed.city import PASSWORD, areas_of, cast_of
from service.seed.story import DAYS, steps_of
from service.wiring import Gridtrail

WINDOW = timedelta(hours=1)
WAVE = timedelta(minutes=1)
STORY_FILE = "story.json"


@dataclass
class StoryClock:
    """The story's time. It never runs by itself."""

    moment: datetime

    def __call__(self) -> datetime:
        """The moment that the story has reached."""
        return self.moment

    def reach(self, moment: datetime) -> None:
        """Goes on to a moment, never back."""
        self.moment = max(self.moment, moment)


def plant(config: Config, folder: Path, last: date, seed: int, say: Callable[[str], None] = lambda _: None) -> Tally | None:
    """Plants the city and its week. None where that was done before; a week that was stopped goes on. folder: of the tablets' outboxes."""
    file = folder / STORY_FILE
    if not _is_planted(config):
        _set_aside(folder)
    elif not file.exists():
        return None
    story: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"last": last.isoformat(), "seed": seed, "done": False}
    if story["done"]:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(story))
    tally = _tell(config, folder, date.fromisoformat(story["last"]), story["seed"], say)
    file.write_text(json.dumps({**story, "done": True}))
    return tally


def _is_planted(config: Config) -> bool:
    """Whether the whole cast lives in this database; its last member is settled last."""
    pieces = Gridtrail(config)
    try:
        return pieces.identity.label_of(str(person_of(config.city, cast_of(config.city)[-1].key))) is not None
    finally:
        pieces.database.dispose()


def _set_aside(folder: Path) -> None:
    """Outboxes of a database that is gone are kept under another name: their tablets are unknown to the new one."""
    if folder.exists():
        number = next(number for number in range(1, 10_000) if not folder.with_name(f"{folder.name}-{number}").exists())
        folder.rename(folder.with_name(f"{folder.name}-{number}"))


def _tell(config: Config, folder: Path, last: date, seed: int, say: Callable[[str], None]) -> Tally:
    begins = datetime.combine(last - timedelta(days=DAYS), time(12), config.zone).astimezone(UTC)
    clock = StoryClock(begins)
    pieces = Gridtrail(config, clock=clock)
    try:
        say(f"Telling the week until {last} of city {config.city}.")
        areas = Areas(0, areas_of(config.city))
        record_areas(pieces, areas)
        if areas.flaws:
            raise RuntimeError(f"the demo city cannot be registered: {areas.flaws[0]}")
        publish_books(pieces, shipped_items())
        cast = cast_of(config.city)
        settle(pieces, cast, PASSWORD)
        here = InProcess(pieces)

        def before(each: Round) -> None:
            clock.reach(each.ends_at + each.wave * WAVE)

        fleet = Fleet(folder, config.base_url, lambda: here, threads=1, wall=clock, before_round=before)
        fleet.enrol(cast, lambda member: code_for(pieces, member))
        tally = fleet.run(rounds_of(steps_of(config.city, last, config.zone, seed), WINDOW))
        pieces.follower.catch_up()
        say(f"The story ended at {utc_text(clock())}.")
        return tally
    finally:
        pieces.database.dispose()
