"""``gridtrail backup``, ``restore`` and ``ledger continue`` at the terminal."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.database import reading
from service.wiring import Gridtrail
from tests.check import check_everything
from tests.cli.conftest import Terminal

WHY = ("--reason", "the disk broke", "--approved-by")


@pytest.fixture
def seeded(planted: Path, terminal: Terminal, tmp_path: Path) -> Terminal:
    """A terminal on a copy of the demo city, which lies in demo.db."""
    shutil.copytree(planted, tmp_path, dirs_exist_ok=True)
    (tmp_path / "gridtrail.db").rename(tmp_path / "demo.db")

    def run(*arguments: object, **options: object) -> object:
        gc.collect()  # The command before was a process of its own: its connections are gone.
        return terminal(*arguments, **{"GRIDTRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/demo.db", **options})

    return run  # type: ignore[return-value]


def test_a_city_is_backed_up_restored_and_goes_on_under_new_names(
    seeded: Terminal, pieces: Callable[..., Gridtrail], tmp_path: Path
) -> None:
    told = seeded("backup", "saved", "--photos", "--vault", "keys").output
    assert "every digest and every root is right" in told
    assert "signing key" in told
    assert "Vault    keys" in told
    assert "exists" in seeded("backup", "saved", code=1).output
    assert "every root is right" in seeded("restore", "saved", "--check").output
    assert "is not empty" in seeded("restore", "saved", code=1).output
    assert "is not empty" in seeded("restore", "saved", "--replace", code=1, input="another.db\n").output

    there = {"GRIDTRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    told = seeded("restore", "saved", "--photos", "--vault", "keys", **there).output
    assert "gridtrail ledger continue --new-incarnation" in told
    assert "signed" in seeded("areas", "import", _grid(tmp_path), code=1, **there).output
    before = seeded("ledger", "list", "--format", "csv", **there).output
    assert "neither a login nor the id" in seeded("ledger", "continue", "--new-incarnation", *WHY, "nobody", code=1, **there).output
    told = seeded("ledger", "continue", "--new-incarnation", *WHY, "zhao", **there).output
    assert "411502001" in told
    assert "go on" in told
    assert "none goes on" in seeded("ledger", "continue", "--new-incarnation", *WHY, "zhao", **there).output
    after = seeded("ledger", "list", "--format", "csv", **there).output
    assert {row.split(",")[3] for row in before.splitlines()[1:]} & {row.split(",")[3] for row in after.splitlines()[1:]} == set()
    seeded("areas", "import", _grid(tmp_path), **there)
    check_everything(pieces(database_url=there["GRIDTRAIL_DATABASE_URL"]))


def _size(pieces: Gridtrail) -> int:
    with reading(pieces.database) as conn:
        return pieces.ledgers.head(conn, "411502001").size


def _grid(folder: Path) -> Path:
    path = folder / "areas.csv"
    path.write_text("level,code,name\ngrid,411502001001077,one more\n")
    return path


def test_a_database_is_moved_without_new_names_where_nothing_was_lost(
    seeded: Terminal, pieces: Callable[..., Gridtrail], tmp_path: Path
) -> None:
    seeded("backup", "saved")
    here, there = f"sqlite:///{tmp_path}/demo.db", {"GRIDTRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    before = _size(pieces(database_url=here))
    assert "ledger continue" not in seeded("restore", "saved", "--nothing-lost", **there).output
    seeded("areas", "import", _grid(tmp_path), **there)
    seeded("backup", "again", **there)
    told = seeded("restore", "again", "--replace", input="demo.db\n").output
    assert "Its name, to go on" in told
    assert _size(pieces(database_url=here)) == before + 1


def test_on_another_machine_all_is_restored_and_nothing_is_signed_until_the_key_is_brought_back(
    seeded: Terminal, pieces: Callable[..., Gridtrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces(database_url=f"sqlite:///{tmp_path}/demo.db").publisher.turn()
    key = seeded("keys", "show").output
    saved = tmp_path / "saved"
    seeded("backup", saved)
    another = tmp_path / "another"
    another.mkdir()
    monkeypatch.chdir(another)
    there = {"GRIDTRAIL_DATABASE_URL": f"sqlite:///{another}/other.db"}
    seeded("restore", saved, **there)
    seeded("ledger", "continue", "--new-incarnation", *WHY, "zhao", **there)
    for asked in (("keys", "show"), ("engine", "run")):
        refused = seeded(*asked, code=1, **there).output
        assert f"{another}/var/signing.key is missing, and this deployment has signed before" in refused
    (another / "var").mkdir(exist_ok=True)
    shutil.copy2(tmp_path / "var/signing.key", another / "var")
    assert seeded("keys", "show", **there).output == key


def test_new_names_are_given_only_where_that_is_said(seeded: Terminal) -> None:
    assert "--new-incarnation" in seeded("ledger", "continue", *WHY, "zhao", code=2).output
    assert "none goes on" in seeded("ledger", "continue", "--new-incarnation", *WHY, "zhao").output
    assert "There is no ledger" in seeded("ledger", "continue", "999999999", "--new-incarnation", *WHY, "zhao", code=1).output
    assert "411502001" in seeded("ledger", "continue", "411502001", "--new-incarnation", *WHY, "zhao").output


@pytest.mark.parametrize("source", ["nowhere", "."])
def test_what_is_no_backup_is_one_sentence(terminal: Terminal, source: str) -> None:
    assert "is no backup" in terminal("restore", source, code=1).output
