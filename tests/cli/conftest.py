"""A terminal for the tests: runs commands on a fresh database, in a folder of its own."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.config import Config
from service.wiring import Gridtrail

DATA = Path(__file__).parent.parent / "data"
ST_LOUIS = {"GRIDTRAIL_CITY": "2951", "GRIDTRAIL_TIME_ZONE": "America/Chicago"}

LAST = "2026-11-20"
"""The last day of the demo city's week."""

SAID = "seed.txt"
"""Where the planted city's folder keeps what was printed when it was planted."""

Terminal = Callable[..., Result]


def terminal_on(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Runs ``gridtrail ARGUMENTS``; the settings given by name stand in the environment."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GRIDTRAIL_DATABASE_URL", url)

    def run(*arguments: object, code: int = 0, input: str | None = None, **settings: str) -> Result:
        words = [str(each) for each in arguments]
        result = CliRunner().invoke(main, words, env=settings, input=input, prog_name="gridtrail", catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def terminal(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on SQLite, for what does not depend on the store."""
    return terminal_on(sqlite_url, tmp_path, monkeypatch)


@pytest.fixture
def any_terminal(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on each store."""
    return terminal_on(database_url, tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo city: its database, made by the migrations, keys, journals and tablets. Made once, for tests to copy."""
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = terminal_on(f"sqlite:///{folder}/gridtrail.db", folder, monkeypatch)
        run("db", "upgrade")
        (folder / SAID).write_text(run("seed", "--last-day", LAST).output)
    gc.collect()  # The commands were processes of their own: their connections are gone.
    return folder


@pytest.fixture
def seeded(planted: Path, terminal: Terminal, tmp_path: Path) -> Terminal:
    """A terminal on a copy of the demo city."""
    shutil.copytree(planted, tmp_path, dirs_exist_ok=True)
    return terminal


@pytest.fixture
def pieces() -> Callable[..., Gridtrail]:
    """The wired pieces on the terminal's database."""
    return lambda **overrides: Gridtrail(Config.from_environment(**overrides))
