"""gridtrail proof: got from the database, checked where nothing of Gridtrail runs; every no is a sentence and an exit status."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.database import reading, writing
from service.ledger.keys import log_origin
from service.ledger.note import Signer
from service.wiring import Gridtrail
from tests.cli.conftest import Terminal
from tests.ledger.cast import drafts

LEDGER = "411502001"
Files = dict[str, Path]


@pytest.fixture
def files(any_terminal: Terminal, pieces: Callable[..., Gridtrail], tmp_path: Path) -> Files:
    """A ledger that was published at 300 and at 700 entries, a proof of each kind, the checkpoints and the key."""
    run, made = any_terminal, pieces()
    found = {name: tmp_path / name for name in ("proof", "entry", "growth", "old", "new", "vkey")}
    for name, count in (("old", 300), ("new", 400)):
        with writing(made.database) as conn:
            head = made.ledgers.append(conn, LEDGER, drafts(count))
        made.publisher.turn()
        with reading(made.database) as conn:
            found[name].write_text(made_note(made, conn))
    origin = log_origin(made.config.origin, LEDGER, head.incarnation)
    found["vkey"].write_text(f"{Signer(origin, made.signer.private_key).verifier}\n")
    run("proof", "get", LEDGER, 123, "-o", found["proof"], "--entry", found["entry"])
    run("proof", "consistency", "get", LEDGER, 300, "-o", found["growth"])
    made.database.dispose()
    return found


def made_note(made: Gridtrail, conn: object) -> str:
    from service.audit.tables import published

    point = published(conn, LEDGER)  # type: ignore[arg-type]
    assert point is not None
    return point.note


def elsewhere(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command on a machine without a database, a key or a working configuration."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("GRIDTRAIL_")}
    bare |= {"GRIDTRAIL_DATABASE_URL": "nonsense", "GRIDTRAIL_SIGNING_KEY_FILE": "/nonexistent/key", "GRIDTRAIL_PORT": "many"}
    told = [sys.executable, "-m", "service.cli", *map(str, arguments)]
    (folder / "empty").mkdir(exist_ok=True)
    return subprocess.run(told, cwd=folder / "empty", env=bare, capture_output=True, text=True, timeout=60)


def test_a_proof_is_checked_where_nothing_else_of_gridtrail_is(files: Files, tmp_path: Path) -> None:
    good = elsewhere(tmp_path, "proof", "verify", files["proof"], "--entry", files["entry"], "--key", files["vkey"])
    assert (good.returncode, good.stderr) == (0, "")
    assert "at position 123 of gridtrail.example/ledger/411502001/" in good.stdout
    assert "first 700 entries" in good.stdout
    key = files["vkey"].read_text().strip()
    grown = elsewhere(tmp_path, "proof", "consistency", "verify", files["growth"], "--old", files["old"], "--key", key)
    assert (grown.returncode, grown.stderr) == (0, "")
    assert "of 700 entries begins with the 300 entries" in grown.stdout
    assert list((tmp_path / "empty").iterdir()) == [], "nothing was made"


def test_a_line_of_text_is_the_entry_that_it_holds(any_terminal: Terminal, files: Files, tmp_path: Path) -> None:
    shown = any_terminal("ledger", "show", LEDGER, "--from", 123, "--limit", 1).stdout_bytes
    assert shown == files["entry"].read_bytes() + b"\n"
    (tmp_path / "line").write_bytes(shown)
    told = any_terminal("proof", "verify", files["proof"], "--entry", tmp_path / "line", "--key", files["vkey"]).output
    assert "without the line feed" in told


def test_what_does_not_hold_is_said_in_a_sentence(any_terminal: Terminal, files: Files, tmp_path: Path) -> None:
    run = any_terminal

    def told(proof: Path, entry: Path, *keys: object) -> str:
        return run("proof", "verify", proof, "--entry", entry, *(part for key in keys for part in ("--key", key)), code=1).output

    other = tmp_path / "other"
    other.write_bytes(files["entry"].read_bytes().replace(b'"position":123', b'"position":124'))
    assert told(files["proof"], other, files["vkey"]) == "Error: This does not hold: the leaf does not lead to the root.\n"
    other.write_text(files["proof"].read_text().replace("index 123", "index 124"))
    assert "does not lead to the root" in told(other, files["entry"], files["vkey"])
    assert "cut short" in told(files["entry"], files["entry"], files["vkey"])
    assert "first line" in told(files["new"], files["entry"], files["vkey"])
    assert "not a text" in told(binary(tmp_path), files["entry"], files["vkey"])
    assert "longer than any" in told(long(tmp_path), files["entry"], files["vkey"])
    witness = "witness.example+" + "00000000" + "+" + "A" * 44
    wrong = {witness: "no verifier key", "nobody": "neither a verifier key", binary(tmp_path): "not a text", empty(tmp_path): "empty"}
    for key, said in wrong.items():
        assert said in told(files["proof"], files["entry"], key)
    stranger = tmp_path / "stranger"
    run("keys", "new", "--file", stranger)
    other_key = run("keys", "show", GRIDTRAIL_SIGNING_KEY_FILE=str(stranger)).output.strip().splitlines()[0]
    assert "not signed by a key that is known here" in told(files["proof"], files["entry"], other_key)
    assert "no valid signature of" in told(files["proof"], files["entry"], files["vkey"], other_key)


def binary(folder: Path) -> Path:
    (folder / "binary").write_bytes(b"\xff\xfe")
    return folder / "binary"


def long(folder: Path) -> Path:
    (folder / "long").write_bytes(b"x" * 1_100_000)
    return folder / "long"


def empty(folder: Path) -> Path:
    (folder / "nothing").write_bytes(b"\n")
    return folder / "nothing"


def test_another_history_is_no_growth(any_terminal: Terminal, files: Files, tmp_path: Path) -> None:
    run, at = any_terminal, ("--key", files["vkey"])
    backwards = run("proof", "consistency", "verify", files["growth"], "--old", files["new"], *at, code=1).output
    assert "the checkpoints are of 700 and 700" in backwards
    between = run("proof", "consistency", "get", LEDGER, 100, 300).output
    (tmp_path / "between").write_text(between)
    assert between.startswith("gridtrail/tlog-consistency@v1\nold 100\nnew 300\n")
    missing = run("proof", "consistency", "verify", tmp_path / "between", "--old", files["old"], *at, code=1).output
    assert "brings no newer checkpoint" in missing
    wrong = run("proof", "consistency", "verify", tmp_path / "between", "--old", files["old"], "--new", files["new"], *at, code=1).output
    assert "for the sizes 100 and 300" in wrong


def test_what_cannot_be_proved_is_a_sentence(any_terminal: Terminal, files: Files) -> None:
    run = any_terminal
    assert "reaches position 699" in run("proof", "get", LEDGER, 700, code=1).output
    assert "No checkpoint of 411502002" in run("proof", "get", "411502002", 0, code=1).output
    assert "is no ledger" in run("proof", "get", "../etc", 0, code=1).output
    assert "at most 700" in run("proof", "consistency", "get", LEDGER, 701, code=1).output
    assert "at most 700" in run("proof", "consistency", "get", LEDGER, 20, 10, code=1).output
    run("proof", "get", LEDGER, "-1", code=2)
    run("proof", "verify", "nowhere", "--entry", files["entry"], "--key", "x", code=2)
    run("proof", "verify", files["proof"], "--entry", files["entry"], code=2)


def test_an_entry_that_is_written_out_is_on_record(any_terminal: Terminal, files: Files, tmp_path: Path) -> None:
    any_terminal("proof", "get", LEDGER, 7, "--entry", tmp_path / "seven", "--purpose", "complaint 12")
    any_terminal("proof", "get", LEDGER, 8)
    listed = any_terminal("access", "list", "--format", "json").output
    assert f"{LEDGER}/7" in listed
    assert "complaint 12" in listed
    assert f"{LEDGER}/8" not in listed


def test_the_root_log_is_proved_alike(any_terminal: Terminal, files: Files, tmp_path: Path) -> None:
    any_terminal("proof", "get", "root", 0, "-o", tmp_path / "rooted", "--entry", tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").read_text() == files["old"].read_text()
