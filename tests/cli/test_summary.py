"""gridtrail summary: made, sealed, sent as files and verified, on each store and without one."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from service.cli import summary
from service.imports.recording import terminal_actor
from service.wiring import Gridtrail
from tests.cli.conftest import Terminal

LEDGER, GRID = "411502001", "411502001001001"


@pytest.fixture
def told(any_terminal: Terminal, pieces: Callable[..., Gridtrail]) -> Terminal:
    """A subdistrict in which one case was reported."""
    made = pieces()
    actor = terminal_actor(made.config)
    for code in ("4115", "411502", LEDGER, GRID[:12], GRID):
        made.inspection.register_area(actor, {"code": code, "name": f"area {code}", "effective_from": "2020-01-01"})
    case, _ = made.inspection.report_case(actor, GRID, {"category": "gridtrail/1/A01", "summary": "rubbish at the gate"})
    made.inspection.act_on_case(actor, UUID(case), LEDGER, "accept", {})
    made.follower.catch_up()
    made.database.dispose()
    return any_terminal


def test_a_past_quarter_is_sealed_sent_and_verified(told: Terminal, tmp_path: Path):
    assert "sealed at position" in told("summary", "seal", LEDGER, "2024-Q3").output
    sent = told("summary", "send", LEDGER, "2024-Q3", tmp_path / "out")
    files = sorted((tmp_path / "out").iterdir())
    assert [each.name for each in files] == [
        f"summary-{LEDGER}-2024-Q3-county_governance_centre.note",
        f"summary-{LEDGER}-2024-Q3-county_social_work.note",
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "县区党委社会工作部" in sent.output
    key = told("keys", "show").output.strip().splitlines()[0]
    assert "Signed by a key that you gave." in told("summary", "verify", files[0], "--key", key, "--database").output
    told("summary", "verify", files[0], code=3)
    text = files[0].read_text()
    (tmp_path / "spoiled").write_text(text.replace('"grids_due":1', '"grids_due":2'))
    assert "FAULT" in told("summary", "verify", tmp_path / "spoiled", "--key", key, code=1).output
    (tmp_path / "none").write_bytes(b"\xff")
    told("summary", "verify", tmp_path / "none", "--key", key, code=1)
    told("summary", LEDGER, "2024-Q3", "-o", tmp_path / "again")
    assert (tmp_path / "again").read_text() == text.split("\n")[1] + "\n"


def test_the_same_entries_give_the_same_bytes_with_the_noun_alone(told: Terminal, tmp_path: Path):
    for name in ("one", "two"):
        assert "not sealed" in told("summary", LEDGER, "2025-Q1", "-o", tmp_path / name).output
    told("summary", "make", LEDGER, "2025-Q1", "--database", "-o", tmp_path / "three")
    whole = (tmp_path / "one").read_bytes()
    assert whole == (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes()
    assert orjson.loads(whole)["counts"]["grid_days_due"] == 90


def test_an_export_gives_the_bytes_that_the_database_gives(told: Terminal, tmp_path: Path):
    told("rulebooks", "publish", "--shipped")
    for ledger in (LEDGER, "4115"):
        told("export", ledger, "--format", "jsonl", "-o", tmp_path / "out", "--purpose", "test")
    told("summary", LEDGER, "2025-Q1", "-o", tmp_path / "one")
    told("summary", LEDGER, "2025-Q1", "--from", tmp_path / "out", "-o", tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_cannot_be_made_is_one_sentence(told: Terminal, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert "not a period" in told("summary", LEDGER, "2025-Q7", code=1).output
    assert "There is nothing of ledger 411502002" in told("summary", "411502002", "2025-Q1", code=1).output
    assert "There is no export" in told("summary", LEDGER, "2025-Q1", "--from", tmp_path / "empty", code=1).output
    assert "The quarter goes on" in told("summary", "seal", LEDGER, "2098-Q1", code=1).output
    assert "is not sealed" in told("summary", "send", LEDGER, "2025-Q1", tmp_path / "out", code=1).output
    told("summary", "nothing", "2025-Q1", code=2)


@pytest.mark.parametrize(("value", "text"), [(None, "—"), ("0.9375", "93.75 %"), ("1.0000", "100.00 %"), ("0.0000", "0.00 %")])
def test_a_share_is_shown_as_percent_and_nothing_due_as_a_dash(value: str | None, text: str):
    assert summary.percent(value) == text
