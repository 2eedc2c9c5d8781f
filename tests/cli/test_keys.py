"""The key's commands: show under a log's name, and hand on."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.audit.journal import Journal
from service.cli import main
from service.ledger.keys import load_key
from service.ledger.note import Verifier


@pytest.fixture
def deployment(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = {"DATABASE_URL": sqlite_url, "SIGNING_KEY_FILE": tmp_path / "signing.key", "WATERMARK_FILE": tmp_path / "signed.journal"}
    for name, value in settings.items():
        monkeypatch.setenv(f"GRIDTRAIL_{name}", str(value))
    return tmp_path


def run(*words: str):
    return CliRunner().invoke(main, ["keys", *words])


def test_the_key_is_shown_and_handed_on(deployment: Path) -> None:
    old = Verifier.parse(run("show").output.strip())
    done = run("rotate", "--reason", "yearly")
    assert done.exit_code == 0, done.output
    new = Verifier.parse(run("show").output.strip())
    assert done.output.split("\n")[:3] == [str(old), "handed on to", f"{new}."]
    assert load_key(deployment / "signing.key").public_key().public_bytes_raw() == new.public


def test_what_cannot_be_is_a_sentence(deployment: Path) -> None:
    run("show")
    assert "There is no log root yet" in run("show", "--log", "root").output
    assert "goes with --stolen" in run("rotate", "--reason", "x", "--last-valid", "3").output
    assert "cannot be 3" in run("rotate", "--reason", "x", "--stolen", "--last-valid", "3").output
    refused = run("rotate", "--reason", " ")
    assert refused.exit_code == 1
    assert not (deployment / "signing.key.rotations").exists()


def test_a_missing_key_is_handed_on_by_nobody(deployment: Path) -> None:
    run("show")
    (deployment / "signing.key").unlink()
    Journal(deployment / "signed.journal").record([(b"gridtrail.example/ledger/411502001/0011223344556677", 1, bytes(32))])
    for words in (["show"], ["rotate", "--reason", "yearly"]):
        refused = run(*words)
        assert (refused.exit_code, "is missing, and this deployment has signed before" in refused.output) == (1, True)
    assert not (deployment / "signing.key").exists()
    assert run("new", "--file", str(deployment / "signing.key")).exit_code == 0
    assert run("rotate", "--reason", "yearly").exit_code == 0
