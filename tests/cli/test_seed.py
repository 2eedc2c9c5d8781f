"""The demo city: one week told over the real sync path, the same for the same seed and day, kept when planted again."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from projections import open_cases, refusals
from service.database import reading
from service.seed.city import PASSWORD, cast_of
from service.seed.story import steps_of
from service.wiring import Gridtrail
from tests.check import check_everything
from tests.cli.conftest import LAST, SAID, Terminal, terminal_on

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(params=["sqlite", "postgres"])
def said(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is printed when the demo city is planted, which is done on each store."""
    if request.param == "sqlite":
        request.getfixturevalue("seeded")
        return Path(SAID).read_text()
    on_postgres = terminal_on(request.getfixturevalue("fresh_postgres_url"), tmp_path, monkeypatch)
    return on_postgres("seed", "--last-day", LAST).output


def test_the_week_has_cases_at_all_stages_and_one_refused_entry(said: str, pieces: Callable[..., Gridtrail]) -> None:
    assert "refused, as the story wants it: li case.handled: not_your_case" in said
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        statuses = set(conn.scalars(sa.select(open_cases.C.status)))
        kept = conn.scalars(sa.select(refusals.C.code)).all()
    wanted = {"reported", "accepted", "acknowledged", "handled", "suspended", "rejected", "merged", "closed"}
    assert wanted <= statuses
    assert kept == ["not_your_case"]
    check_everything(gridtrail)


def test_seeding_again_keeps_the_data(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        before = gridtrail.ledgers.ledgers(conn)
    assert "its data is kept" in seeded("seed").output
    with reading(gridtrail.database) as conn:
        assert gridtrail.ledgers.ledgers(conn) == before


def test_a_seed_that_was_stopped_goes_on_with_its_own_week(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    told = Path("var/tablets/seed/story.json")
    told.write_text(json.dumps({**json.loads(told.read_text()), "done": False}))
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        before = gridtrail.ledgers.ledgers(conn)
    seeded("seed", "--last-day", "2026-11-21")
    with reading(gridtrail.database) as conn:
        assert gridtrail.ledgers.ledgers(conn) == before


def test_a_read_model_of_the_past_shows_what_was_known_then(seeded: Terminal) -> None:
    ledger = "411502001"
    then = seeded("replay", ledger, "--read-model", "open_cases", "--as-of", "2026-11-15T00:00:00+08:00").output.splitlines()
    now = seeded("replay", ledger, "--read-model", "open_cases").output.splitlines()
    assert 0 < len(then) < len(now)
    first = seeded("replay", ledger, "--read-model", "areas", "--as-of", "0", "--format", "csv").output.splitlines()
    assert len(first) == 2


@pytest.mark.parametrize("login", [member.key for member in cast_of("4115")])
def test_every_demo_password_is_accepted(login: str) -> None:
    assert login not in PASSWORD


def test_the_story_is_the_same_for_the_same_seed_and_day() -> None:
    told = steps_of("4115", date(2026, 11, 20), SHANGHAI)
    assert told == steps_of("4115", date(2026, 11, 20), SHANGHAI)
    assert told != steps_of("4115", date(2026, 11, 20), SHANGHAI, seed=2)
    assert {step.at.date() for step in told} <= {date(2026, 11, day) for day in range(14, 22)}


def test_everybody_can_log_in(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    identity = pieces().identity
    for member in cast_of("4115"):
        assert identity.log_in(member.key, PASSWORD).token


def test_a_new_database_gets_a_new_week_and_the_old_outboxes_stay(seeded: Terminal, tmp_path: Path) -> None:
    told = re.search(r"recorded \d+, refused 1", Path(SAID).read_text())
    assert told
    other = {"GRIDTRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    seeded("db", "upgrade", **other)
    assert told[0] in seeded("seed", "--last-day", LAST, **other).output
    assert Path("var/tablets/seed-1/li.outbox").exists()


def test_a_planted_database_whose_outboxes_are_gone_is_kept(seeded: Terminal) -> None:
    Path("var/tablets/seed").rename("var/tablets/lost")
    assert "its data is kept" in seeded("seed").output
