"""gridtrail subject: the report, the erasure, the retention and the rotation at a terminal."""

import json
import re
from collections.abc import Callable
from uuid import uuid4

from domain.clock import Clock, system_clock
from service.database import writing
from service.personal.report import FIELD_WORDS
from service.wiring import Gridtrail
from tests.cli.conftest import Terminal
from tests.personal.cast import ZHOU, HandClock, told

WHY = ("--purpose", "answering letter 118")


def zhou(pieces: Callable[..., Gridtrail], clock: Clock | None = None) -> Gridtrail:
    """The pieces at the terminal's database, with what was told of Zhou."""
    made = pieces()
    made.clock = clock or HandClock()
    told(made, ZHOU, "resident_name", "周桂兰")
    told(made, ZHOU, "visit_place", {"lat": 32.1, "lon": 114.1, "purpose": "visit"})
    made.follower.catch_up()
    return made


def test_the_report_is_readable_in_two_languages_and_as_json(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    zhou(pieces)
    english = terminal("subject", "report", ZHOU, *WHY).output
    chinese = terminal("subject", "report", ZHOU, "--language", "zh", *WHY).output
    assert "Name: 周桂兰" in english
    assert "since 2026-11-21 01:00 UTC, until 2027-11-21" in english
    assert "姓名: 周桂兰" in chinese
    assert "确认联系人" in chinese
    said = json.loads(terminal("subject", "report", ZHOU, "--json", *WHY).output)
    assert {value["field"]: value["value"] for value in said["values"]}["visit_place"]["lat"] == 32.1
    assert said["reads"]["count"] == 3


def test_every_declared_field_has_a_name_and_a_purpose_in_both_languages() -> None:
    from domain.personal import FIELDS

    assert FIELD_WORDS.keys() == FIELDS.keys()
    for name, (_, (english, chinese)) in FIELD_WORDS.items():
        assert english == FIELDS[name].purpose
        assert re.search("[\u4e00-\u9fff]", chinese)


def test_an_erasure_says_what_it_did_and_again_that_nothing_was_left(any_terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    zhou(pieces)
    asked = ("--reason", "request", "--reference", "letter/2026-118", "--requested-at", "2026-11-20")
    said = any_terminal("subject", "erase", ZHOU, *asked).output
    assert f"Subject {ZHOU} is erased in 411502001: 2 values, 1 key, 0 photos" in said
    assert "nothing was left to do" in any_terminal("subject", "erase", ZHOU, "--reason", "request").output
    report = any_terminal("subject", "report", ZHOU, *WHY).output
    assert "周桂兰" not in report
    assert "Name: erased" in report
    assert "ground request, asked for 2026-11-20" in report
    assert any_terminal("subject", "resume").output == "0 erasures were finished.\n"


def test_the_account_of_all_values_has_an_exit_code(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    made = zhou(pieces)
    assert terminal("subject", "audit").output == "ok: 2\nerased: 0\nended: 0\npending: 0\nunnamed: 0\n0 faults.\n"
    terminal("subject", "erase", ZHOU, "--reason", "request")
    assert "erased: 2" in terminal("subject", "audit").output
    item = told(made, uuid4(), "resident_name", "吴老")
    with writing(made.database) as conn:
        conn.exec_driver_sql(f"DELETE FROM disclosures WHERE digest = '{item.digest}'")
    said = terminal("subject", "audit", code=1, GRIDTRAIL_PENDING_HOURS="0").output
    assert f"value_missing: resident_name of subject {item.subject} in 411502001" in said


def test_who_is_unknown_is_said_so(terminal: Terminal) -> None:
    assert "is the id right?" in terminal("subject", "report", uuid4(), *WHY, code=1).output
    assert "is the id right?" in terminal("subject", "erase", uuid4(), "--reason", "request", code=1).output
    assert "Invalid value for '--reason'" in terminal("subject", "erase", uuid4(), "--reason", "because", code=2).output


def test_a_name_as_reference_is_refused_in_a_sentence(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    zhou(pieces)
    said = terminal("subject", "erase", ZHOU, "--reason", "request", "--reference", "Mrs Zhou", code=1).output
    assert "never a name" in said
    assert "Name: 周桂兰" in terminal("subject", "report", ZHOU, *WHY).output


def test_retention_and_rotation_say_what_they_did(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    zhou(pieces, system_clock)
    assert "erasures: 0" in terminal("subject", "retain").output
    assert re.match(r"1 keys are wrapped under key [0-9a-f]{16} of var/vault.key", terminal("subject", "rewrap").output)
    assert "周桂兰" in terminal("subject", "report", ZHOU, *WHY).output
    assert "vault.key" in terminal("keys", "where").output
