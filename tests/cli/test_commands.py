"""The other commands: what they print, and how they fail."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from domain.books import shipped_items
from projections import READ_MODELS
from projections.recorded import read_line
from service.cli import COMMANDS
from service.cli.serve import engine_command, gunicorn_command
from service.config import Config
from service.database import reading
from service.fleet.settling import person_of
from service.imports.recording import terminal_actor
from service.ledger.keys import load_key
from service.wiring import Gridtrail
from tests.check import check_everything
from tests.cli.conftest import Terminal

LEDGER = "411502001"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(terminal: Terminal, command: str) -> None:
    assert "Usage: gridtrail" in terminal(command, "--help").output
    assert len(terminal("--help").output.splitlines()) > len(COMMANDS)


def test_a_wrong_setting_is_one_sentence(terminal: Terminal) -> None:
    result = terminal("db", "upgrade", code=1, GRIDTRAIL_PORT="many")
    assert result.output.startswith("Error: GRIDTRAIL_PORT")


def test_a_database_without_tables_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal("ledger", "list", code=1, GRIDTRAIL_DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert "gridtrail db upgrade" in result.output


def test_upgrading_twice_is_safe(terminal: Terminal, tmp_path: Path) -> None:
    for _ in range(2):
        terminal("db", "upgrade", GRIDTRAIL_DATABASE_URL=f"sqlite:///{tmp_path}/new.db")


def test_the_settings_are_listed_without_secrets(terminal: Terminal) -> None:
    output = terminal("config", GRIDTRAIL_METRICS_TOKEN="very-secret").output
    assert "GRIDTRAIL_ENGINE_POLL_S = 0.1" in output
    assert "very-secret" not in output


def test_a_key_is_never_written_over(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    terminal("keys", "new", "--file", path)
    assert load_key(path)
    assert "never written over" in terminal("keys", "new", "--file", path, code=1).output


def test_a_printed_key_serves_as_a_setting(terminal: Terminal) -> None:
    key = terminal("keys", "new").output.strip()
    assert "+" in terminal("keys", "show", GRIDTRAIL_SIGNING_KEY=key).output


def test_the_ledger_is_printed_as_it_is_stored(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        stored = gridtrail.ledgers.lines(conn, LEDGER, 0, 10_000)
    assert seeded("ledger", "show", LEDGER).stdout_bytes.splitlines() == stored
    middle = seeded("ledger", "show", LEDGER, "--from", 3, "--to", 5).stdout_bytes.splitlines()
    assert [read_line(line).position for line in middle] == [3, 4, 5]
    assert len(seeded("ledger", "show", LEDGER, "--limit", 2).stdout_bytes.splitlines()) == 2
    assert LEDGER in seeded("ledger", "list").output
    assert "There is no ledger 999999999" in seeded("ledger", "show", "999999999", code=1).output


def test_each_read_model_can_be_replayed_in_each_form(seeded: Terminal) -> None:
    for name in READ_MODELS:
        printed = {form: seeded("replay", LEDGER, "--read-model", name, "--format", form).output for form in ("json", "csv", "table")}
        rows = [json.loads(line) for line in printed["json"].splitlines()]
        table = list(csv.DictReader(io.StringIO(printed["csv"])))
        assert [row["ledger"] for row in table] == [row["ledger"] for row in rows] == [LEDGER] * len(rows)
        assert len(printed["table"].splitlines()) == len(rows) + 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("411502001", "--read-model", "gossip"), "is not one of"),
        (("411502001", "--read-model", "areas", "--as-of", "noon"), "neither a position nor a time"),
        (("999999999", "--read-model", "areas"), "There is no ledger"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
    code = 1 if arguments[0] == "999999999" else 2
    assert sentence in terminal("replay", *arguments, code=code).output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("accounts", "create", "bob", "--person", "nobody", "--password", "a long demo word"), "not a valid UUID"),
        (("accounts", "password", "--person", "nobody", "--password", "a long demo word"), "not a valid UUID"),
        (("replay", LEDGER, "--read-model", "areas", "--as-of", "0001-01-01T00:00:00+08:00"), "neither a position nor a time"),
    ],
)
def test_a_value_of_another_form_is_one_sentence(terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in terminal(*arguments, code=2).output


def registered(terminal: Terminal) -> None:
    """Registers li."""
    Path("people.csv").write_text("login,role,unit,from\nli,worker,411502001001001,2026-01-01\n", "utf-8")
    terminal("people", "import", "people.csv")


def test_a_login_longer_than_anybody_could_type_is_refused(any_terminal: Terminal) -> None:
    registered(any_terminal)
    created = any_terminal("accounts", "create", "x" * 65, "--person", person_of("4115", "li"), "--password", "a long demo word", code=1)
    assert "A login has 1 to 64 characters" in created.output


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": "cn\0"}, "short text"),
        ({"version": "2\ud800"}, "short text"),
        ({"version": 2}, "exactly the members"),
        ({"content": {"working_weekdays": float("nan")}}, "NaN is no number"),
        ({"kind": ["calendar"]}, "exactly the members"),
        ({"effective_from": "soon"}, "not a day"),
        ({"content": {"pad": "x" * 70_000}}, "the limit is 65535"),
    ],
)
def test_a_book_that_no_ledger_or_table_can_hold_is_one_sentence(
    any_terminal: Terminal, tmp_path: Path, changed: dict[str, object], sentence: str
) -> None:
    whole = next(dict(item) for item in shipped_items() if item["kind"] == "calendar")
    whole |= {**changed, "content": {**whole["content"], **changed.get("content", {})}}  # type: ignore[dict-item]
    path = tmp_path / "book.json"
    path.write_text(json.dumps(whole))
    assert sentence in any_terminal("rulebooks", "publish", path, code=1).output


def test_an_unknown_ledger_is_neither_rebuilt_nor_resumed(terminal: Terminal) -> None:
    assert "There is no ledger 9999" in terminal("engine", "rebuild", "areas", "--ledger", "9999", code=1).output
    assert "There is no ledger 9999" in terminal("engine", "resume", "areas", "9999", code=1).output


def test_a_read_model_is_rebuilt_and_its_standing_shown(seeded: Terminal) -> None:
    assert "open_cases was rebuilt" in seeded("engine", "rebuild", "open_cases").output
    rows = seeded("engine", "status", "--format", "csv").output.splitlines()
    assert all(row.split(",")[4] == "0" for row in rows[1:])
    assert "0 events folded" in seeded("engine", "catch-up").output
    assert "is not one of" in seeded("engine", "rebuild", "gossip", code=2).output


def test_a_tablet_is_enrolled_listed_and_revoked(seeded: Terminal, tmp_path: Path) -> None:
    png = tmp_path / "code.png"
    output = seeded("tablets", "enrol", "--login", "li", "--png", png).output
    assert "/tablet/#enrol=" in output
    assert png.read_bytes().startswith(b"\x89PNG")
    listed = seeded("tablets", "list", "--format", "csv").output.splitlines()
    assert len(listed) == 15
    tablet = listed[1].split(",")[0]
    assert "is revoked" in seeded("tablets", "revoke", tablet, "--last-valid", 3, "--reason", "lost in the rain").output
    assert "revoked" in seeded("tablets", "list").output
    assert "may upload again" in seeded("tablets", "reinstate", tablet, "--reason", "found").output
    assert "There is no tablet" in seeded("tablets", "revoke", "x", "--last-valid", 3, "--reason", "lost", code=1).output
    assert "Nobody has the login" in seeded("tablets", "enrol", "--login", "nobody", code=1).output


def test_a_fleet_at_work_is_recorded_in_whole(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    output = seeded("simulate", "--tablets", 5, "--entries", 50, "--batch", 20).output
    assert "250 entries" in output
    assert "recorded 250." in output
    assert "p99" in output
    check_everything(pieces())


def test_a_fleet_without_grids_is_one_sentence(terminal: Terminal) -> None:
    assert "There are no grids yet" in terminal("simulate", code=1).output


def test_an_account_is_made_and_its_password_changed(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    person, _ = pieces().inspection.register_person(terminal_actor(pieces().config), "4115")
    word, other = "a-good-long-word", "another-long-word"
    seeded("accounts", "create", "sunny", "--person", person, "--password", word)
    assert "10 to 256 characters" in seeded("accounts", "password", "--person", person, "--password", "short", code=1).output
    seeded("accounts", "password", "--person", person, "--password", other)
    assert pieces().identity.log_in("sunny", other).token


def test_nobody_gets_an_account_who_is_not_registered(any_terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    person = UUID(int=1)
    created = any_terminal("accounts", "create", "bob", "--person", person, "--password", "a long demo word", code=1)
    assert f"Nobody is registered as {person}" in created.output
    assert pieces().identity.label_of(str(person)) is None


def test_a_root_is_shown_whole_in_every_form(any_terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    registered(any_terminal)
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        (head,) = gridtrail.ledgers.heads(conn)
    for form in ("json", "csv", "table"):
        assert head.root.hex() in any_terminal("ledger", "list", "--format", form).output


def test_the_server_is_started_with_what_the_settings_say() -> None:
    command = gunicorn_command(Config(port=9090, workers=3, threads=7))
    assert command[command.index("--bind") + 1] == "127.0.0.1:9090"
    assert command[command.index("--workers") + 1] == "3"
    assert "--no-control-socket" in command
    assert engine_command()[-2:] == ["engine", "run"]
