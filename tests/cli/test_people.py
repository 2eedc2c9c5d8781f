"""People and assignments from files."""

from collections.abc import Callable
from pathlib import Path

from projections import people as people_model
from service.database import reading
from service.fleet.settling import person_of
from service.imports.people import read_people
from service.wiring import Gridtrail
from tests.cli.conftest import Terminal

FILE = """login,label,role,unit,from,to,password
li,Li,worker,411502001001001,2026-01-01,,a-long-demo-word
li,Li,worker,411502001001002,2026-01-01,2026-06-30,
hu,Hu,officer,411502/urban_management,2026-01-01,,
"""
BAD = """,X,worker,4115,2026-01-01,,
zhao,X,king,4115,2026-01-01,,
zhao,X,officer,41152,2026-01-01,,
zhao,X,officer,411502/,2026-01-01,,
zhao,X,officer,411502,soon,,
zhao,X,officer,411502,2026-02-01,2026-01-01,
"""


def test_every_bad_row_says_its_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(FILE + BAD, "utf-8")
    people = read_people(path)
    assert len(people.found) == 3
    assert [(flaw.line, flaw.column, flaw.code) for flaw in people.flaws] == [
        (5, "login", "empty"),
        (6, "role", "unknown_role"),
        (7, "unit", "not_a_unit"),
        (8, "unit", "not_a_unit"),
        (9, "from", "not_a_day"),
        (10, "to", "ends_before_it_begins"),
    ]


def test_the_same_file_twice_records_once(terminal: Terminal, tmp_path: Path, pieces: Callable[..., Gridtrail]) -> None:
    path = tmp_path / "people.csv"
    path.write_text(FILE, "utf-8")
    first = terminal("people", "import", path).output
    assert "3 rows: 2 people registered, 3 assignments recorded, 0 ended, 1 logins made, 0 assignments as they were" in first
    again = terminal("people", "import", path).output
    assert "3 rows: 0 people registered, 0 assignments recorded, 0 ended, 0 logins made, 3 assignments as they were" in again
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        held = people_model.assignments_of(conn, str(person_of("4115", "li")), "2026-07-01")
    assert [each["unit"] for each in held] == ["411502001001001"]


def test_a_last_day_that_is_named_later_ends_the_assignment(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(FILE, "utf-8")
    terminal("people", "import", path)
    path.write_text(FILE.replace("urban_management,2026-01-01,,", "urban_management,2026-01-01,2026-09-30,"), "utf-8")
    assert "1 ended" in terminal("people", "import", path).output


def test_a_weak_password_is_named_and_the_person_stays(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(FILE.replace("a-long-demo-word", "short"), "utf-8")
    result = terminal("people", "import", path, code=1)
    assert "line 2, column login" in result.output
    assert "2 people registered" in result.output


def test_a_unit_of_another_city_is_refused_in_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("login,role,unit,from\nli,worker,9999,2026-01-01\n", "utf-8")
    assert "lies outside of city 4115" in terminal("people", "import", path, code=1).output


def test_a_row_that_is_refused_registers_nobody(any_terminal: Terminal, tmp_path: Path, pieces: Callable[..., Gridtrail]) -> None:
    path = tmp_path / "people.csv"
    head, good, *_ = FILE.splitlines()
    refused_rows = [f"{name},,worker,411502001/Fire!,2026-01-01,,a-long-demo-word" for name in ("li", "wu")]
    path.write_text("\n".join([head, *refused_rows]), "utf-8")
    refused = any_terminal("people", "import", path, code=1).output
    assert "0 people registered, 0 assignments recorded, 0 ended, 0 logins made" in refused
    assert "line 2" in refused
    gridtrail = pieces()
    with reading(gridtrail.database) as conn:
        assert gridtrail.ledgers.heads(conn) == []
    # A later row of the same person decides afresh where that person belongs.
    path.write_text("\n".join([head, "li,Li,worker,9999/fire,2026-01-01,,", good]), "utf-8")
    assert "1 people registered, 1 assignments recorded, 0 ended, 1 logins made" in any_terminal("people", "import", path, code=1).output


def test_a_person_of_two_files_stays_one_person_in_one_ledger(terminal: Terminal, tmp_path: Path, pieces: Callable[..., Gridtrail]) -> None:
    head, first, second, *_ = FILE.replace("411502001001002", "411502002001001").splitlines()
    path = tmp_path / "people.csv"
    for rows, recorded in (([first], "1 people registered, 1 assignments"), ([second], "0 people registered, 1 assignments")):
        path.write_text("\n".join([head, *rows, ""]), "utf-8")
        assert recorded in terminal("people", "import", path).output
    path.write_text("\n".join([head, second, first, ""]), "utf-8")
    assert "0 people registered, 0 assignments recorded" in terminal("people", "import", path).output
    with reading(pieces().database) as conn:
        assigned = people_model.assignments_of(conn, str(person_of("4115", "li")))
    assert [(each["ledger"], each["unit"]) for each in assigned] == [("411502001", "411502001001001"), ("411502001", "411502002001001")]


def test_a_label_that_is_too_long_is_named_and_the_good_rows_stay(any_terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(FILE + f"zhao,{'Z' * 121},officer,411502,2026-01-01,,another-demo-word\n", "utf-8")
    result = any_terminal("people", "import", path, code=1)
    assert "line 5, column label" in result.output
    assert "3 assignments recorded" in result.output
