"""A fleet driven from several processes, and the check that nothing it holds is lost or doubled."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from werkzeug.serving import make_server

from service.fleet import checking
from service.fleet.checking import check
from service.fleet.driving import drive, receipts_of
from service.fleet.sealed import read_frame, read_sealed, write_frame, write_sealed
from service.wiring import Gridtrail, make_app
from tests.check import check_everything
from tests.cli.conftest import Terminal


@pytest.fixture
def city(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> Iterator[tuple[Terminal, Gridtrail, str]]:
    """The demo city, its pieces, and the address at which it is served."""
    gridtrail = pieces()
    server = make_server("127.0.0.1", 0, make_app(gridtrail), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield seeded, gridtrail, f"http://127.0.0.1:{server.port}"
    server.shutdown()


def test_a_fleet_of_several_processes_is_recorded_once_and_in_whole(city: tuple[Terminal, Gridtrail, str]) -> None:
    terminal, gridtrail, url = city
    asked = ("simulate", "--url", url, "--processes", 2, "--threads", 2, "--tablets", 6, "--entries", 50, "--batch", 20, "--check")
    output = terminal(*asked).output
    assert "300 entries in" in output
    assert "18 uploads, latency: p50" in output
    assert re.search(r"Checked 300 entries of 6 tablets in \d+ ledgers \(recorded 300\): nothing lost, nothing doubled\.", output)
    assert "recorded 300" in terminal(*asked).output
    check_everything(gridtrail)


@pytest.mark.parametrize("worth", [checking.WORTH, pytest.param(0, marks=pytest.mark.slow, id="in other processes")])
def test_outboxes_are_checked_too(city: tuple[Terminal, Gridtrail, str], monkeypatch: pytest.MonkeyPatch, worth: int) -> None:
    monkeypatch.setattr(checking, "WORTH", worth)
    output = city[0]("simulate", "--tablets", 3, "--entries", 30, "--check").output
    assert "Checked 90 entries of 3 tablets" in output
    assert "nothing lost, nothing doubled" in output


DAMAGES = (
    (lambda receipt: receipt["outcomes"][3].update(position=0), "and not the same"),
    (lambda receipt: receipt["outcomes"].pop(), "were told of"),
    (lambda receipt: receipt.update(size=7), "no receipt for the whole"),
)


def test_sending_again_doubles_nothing_and_whatever_was_told_otherwise_is_found(city: tuple[Terminal, Gridtrail, str]) -> None:
    files, gridtrail, url = sealed_by(city)
    assert not drive(url, files, 2, 60).wrong
    assert not check(gridtrail, files).wrong
    path = receipts_of(files[0])
    told = path.read_bytes()
    with path.open("rb") as file:
        first, *others = iter(lambda: read_frame(file), None)
    for damage, sentence in DAMAGES:
        receipt = orjson.loads(first)
        damage(receipt)
        with path.open("wb") as file:
            for frame in (orjson.dumps(receipt), *others):
                write_frame(file, frame)
        assert any(sentence in each for each in check(gridtrail, files).wrong)
    path.write_bytes(told)
    tablet, *more = read_sealed(files[0])
    tablet.bodies[0] = tablet.bodies[0].replace(b'"mono_ms":0', b'"mono_ms":1', 1)
    write_sealed(files[0], [tablet, *more])
    assert any("and not the same" in each for each in check(gridtrail, files).wrong)


def test_many_processes_need_an_address(terminal: Terminal) -> None:
    assert "--processes needs --url" in terminal("simulate", "--processes", 2, code=2).output


def sealed_by(city: tuple[Terminal, Gridtrail, str]) -> tuple[list[Path], Gridtrail, str]:
    """The files of a small fleet that has uploaded."""
    terminal, gridtrail, url = city
    terminal("simulate", "--url", url, "--processes", 1, "--tablets", 3, "--entries", 20)
    return sorted(Path("var/tablets/sealed-1").glob("*.sealed")), gridtrail, url
