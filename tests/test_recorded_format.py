"""docs/recorded-format.md says what the code records: every event, every field, who sets it."""

import re
from pathlib import Path

import pytest

import domain
from domain.aggregate import Fact, fields_of

PAGE = (Path(__file__).parent.parent / "docs" / "recorded-format.md").read_text(encoding="utf-8")
EVENTS = domain.event_classes()
COMMON = set(fields_of(Fact)[1])


def rows_under(heading: str) -> dict[str, str]:
    """Field name → who sets it, of the table that follows a heading."""
    part = PAGE.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    return {name: who for name, who in re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| (person|server) \|", part, re.MULTILINE)}


def test_every_event_is_on_the_page_and_no_other() -> None:
    assert re.findall(r"^### `([\w.]+)`$", PAGE, re.MULTILINE) == list(EVENTS)


def test_what_every_event_records_is_on_the_page() -> None:
    assert rows_under("## Every event records") == dict.fromkeys(fields_of(Fact)[1], "server")


@pytest.mark.parametrize("topic", EVENTS)
def test_every_field_is_on_the_page_with_who_sets_it(topic: str) -> None:
    said, derived = fields_of(EVENTS[topic])
    expected = dict.fromkeys(said, "person") | {name: "server" for name in derived if name not in COMMON}
    assert rows_under(f"### `{topic}`") == expected


def test_no_reason_is_missing() -> None:
    assert "| ? |" not in PAGE
    assert not re.findall(r"\|\s*\|\s*$", PAGE, re.MULTILINE)
