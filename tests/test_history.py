"""Lines of every release are read for ever: into events, back to the same bytes, and by every read model."""

from pathlib import Path

import pytest

import domain
from projections import READ_MODELS
from projections.engine import fold_lines
from projections.recorded import entry_of, read_line, state_of, write_line
from service.ledger.mapper import draft_of, event_of

RELEASES = sorted((Path(__file__).parent / "history").glob("*.jsonl"))
LINES = [(release.stem, line) for release in RELEASES for line in release.read_bytes().splitlines()]


@pytest.mark.parametrize(("release", "line"), LINES, ids=[f"{release}-{read_line(line).topic}" for release, line in LINES])
def test_a_recorded_line_is_still_the_same_event(release: str, line: bytes) -> None:
    recorded = read_line(line)
    event = event_of(line)
    assert recorded.topic == type(event).TOPIC
    assert event.entry == entry_of(line)
    where = (recorded.ledger, recorded.position, event.originator_id, recorded.version, recorded.topic, recorded.recorded_at)
    assert write_line(*where, state_of(line)) == line
    assert draft_of(event).state == state_of(line)


@pytest.mark.parametrize("name", READ_MODELS)
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.stem)
def test_every_read_model_takes_the_first_facts_of_a_stream(release: Path, name: str) -> None:
    lines = release.read_bytes().splitlines()
    begun = [line for line in lines if read_line(line).version == 1]
    fold_lines(name, begun)


def test_every_event_of_today_is_in_the_newest_release() -> None:
    newest = RELEASES[-1].read_bytes().splitlines()
    assert {read_line(line).topic for line in newest} == set(domain.event_classes())
