"""The record of reads at the terminal: what the server's own users read is on it too, and whether it is whole."""

import json

import pytest
import sqlalchemy as sa

from service.access import ACCESS_LOG, C
from service.database import reading, writing
from tests.cli.conftest import Terminal


@pytest.fixture
def told(any_terminal: Terminal, pieces) -> Terminal:
    """A city with its rulebooks on record, which commands can read."""
    any_terminal("rulebooks", "publish", "--shipped")
    return any_terminal


def on_record(pieces) -> list[dict]:
    with reading(pieces().database) as conn:
        return [dict(row) for row in conn.execute(sa.select(ACCESS_LOG).order_by(C.at, C.id)).mappings()]


def test_what_is_read_at_the_servers_own_terminal_is_on_record_with_user_and_purpose(told: Terminal, pieces) -> None:
    told("ledger", "show", "4115", "--limit", 2, "--purpose", "complaint 17")
    told("replay", "4115", "--read-model", "rulebooks", "--as-of", 1, "--sense", "happened", "--purpose", "yearly audit")
    listed = told("access", "list", "--format", "json", "--purpose", "who looked?")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(row["act"], row["ledger"], row["purpose"]) for row in reversed(rows)] == [
        ("ledger.show", "4115", "complaint 17"),
        ("replay", "4115", "yearly audit"),
    ]
    assert all(row["token_kind"] == "os" and row["account"] and row["person"] is None for row in rows)
    assert [row["act"] for row in on_record(pieces)] == ["ledger.show", "replay", "access.list"]


def test_a_purpose_that_is_none_is_refused_and_nothing_is_told(told: Terminal, pieces) -> None:
    refused = told("ledger", "show", "4115", "--purpose", "x", code=1)
    assert "purpose" in refused.output
    assert "rulebook" not in refused.stdout
    assert on_record(pieces) == []


def test_the_record_is_verified_and_a_row_that_vanished_is_missed(told: Terminal, pieces) -> None:
    told("ledger", "show", "4115")
    assert "0 days sealed" in told("access", "seal").output
    assert "0 faults" in told("access", "verify").output
    days = pieces().access_days
    with writing(days.database) as conn:
        row = dict(conn.execute(sa.select(ACCESS_LOG)).mappings().first())
        conn.execute(ACCESS_LOG.insert(), {**row, "at": "2026-11-01T02:00:00.000Z", "day": "2026-11-01"})
    assert "days sealed" in told("access", "seal").output
    assert "0 faults" in told("access", "verify").output
    with writing(days.database) as conn:
        late = {**row, "id": "forged", "at": "2026-11-01T03:00:00.000Z", "day": "2026-11-01"}
        conn.execute(ACCESS_LOG.insert(), late)
    found = told("access", "verify", code=1)
    assert "2026-11-01  rows_added" in found.output
    assert "1 faults" in found.output


def test_nothing_is_pruned_before_its_time(told: Terminal, pieces) -> None:
    told("ledger", "show", "4115")
    assert "0 reads of 0 days were removed" in told("access", "prune", "--purpose", "the yearly cleaning").output
    assert [row["act"] for row in on_record(pieces)] == ["ledger.show", "access.prune"]


def test_a_replay_in_the_other_sense_tells_what_had_happened(told: Terminal) -> None:
    whole = told("replay", "4115", "--read-model", "rulebooks").stdout
    assert told("replay", "4115", "--read-model", "rulebooks", "--as-of", "2099-01-01T00:00:00Z", "--sense", "happened").stdout == whole
    assert told("replay", "4115", "--read-model", "rulebooks", "--as-of", "2000-01-01T00:00:00Z", "--sense", "happened").stdout == ""
