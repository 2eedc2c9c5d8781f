"""No stored event and no row of a read model says a name, a number of a person or a private text: seed, fleet, imports, every kind."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from domain.books import Books
from domain.personal import CARRIERS, FIELDS, IN_PLACE_OF, NEVER_PLAIN, bears_a_number, read_disclosure
from projections import READ_MODELS
from projections.recorded import read_line
from service.database import reading
from service.fleet.generated import NEEDS, QUARRELS
from service.personal.tables import disclosures
from service.seed.cases import SCRIPTS
from service.seed.story import VOICED
from service.wiring import Gridtrail
from tests.cli.conftest import ST_LOUIS, Terminal, pieces, planted, seeded, terminal  # noqa: F401
from tests.cli.test_cases import import_all

HISTORY = Path(__file__).parents[1] / "history"
NAMES = (
    *("王秀英", "李桂兰", "张建国", "王伟", "李娜", "张敏", "刘洋", "陈静", "杨磊", "赵强", "黄丽", "周杰", "吴刚", "徐芳", "孙丽", "马超"),
    *("Wang Xiuying", "Zhang Jianguo"),
)
"""Whom the seed tells of, and the commonest names there are."""
BOOKS = Books.default()


def private_texts() -> Iterator[str]:
    """What the seed and the fleet say of persons, word by word."""
    for script in SCRIPTS:
        if BOOKS.is_private(script.said["category"]):
            told = [script.said, *(act[3] for act in script.acts)]
            yield from (said[name] for said in told for name in IN_PLACE_OF if isinstance(said.get(name), str))
        yield from (value for value in script.personal.values())
    yield from (value for voiced in VOICED for value in voiced.values())
    yield from (*QUARRELS, *NEEDS)


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from texts_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)


def faults_of(line: bytes) -> list[str]:
    """What a recorded line says that no event may say."""
    recorded = read_line(line)
    said = [text for text in texts_in(json.loads(line)) if text]
    whole = "\n".join(said)
    found = [f"{name} in {recorded.topic}" for name in NAMES if name in whole]
    found += [f"a number in {recorded.topic}: {text}" for text in said if bears_a_number(text)]
    found += [f"{text!r} in {recorded.topic}" for text in PRIVATE if text in whole]
    if recorded.topic in NEVER_PLAIN:
        found += [f"{name} in {recorded.topic}" for name in NEVER_PLAIN[recorded.topic] if name in recorded.fields]
    return found


PRIVATE = sorted(set(private_texts()))


def faults_in(gridtrail: Gridtrail) -> list[str]:
    """The same of a whole database: every line of every ledger, and every row of every read model."""
    gridtrail.follower.catch_up()
    found: list[str] = []
    with reading(gridtrail.database) as conn:
        for ledger in gridtrail.ledgers.ledgers(conn):
            for line in gridtrail.ledgers.lines(conn, ledger, 0, 100_000):
                found += faults_of(line)
        for name, model in READ_MODELS.items():
            rows = "\n".join(str(tuple(row)) for row in conn.execute(sa.select(model.TABLE)))
            found += [f"{text!r} in {name}" for text in (*NAMES, *PRIVATE) if text in rows]
    return found


def held_in(gridtrail: Gridtrail) -> dict[str, int]:
    """How many values of each field the vault opens."""
    with reading(gridtrail.database) as conn:
        digests = list(conn.scalars(sa.select(disclosures.c.digest)))
        opened = [text for text in gridtrail.vault.open(conn, digests).values() if isinstance(text, str)]
    fields = [read_disclosure(text).field for text in opened]
    return {name: fields.count(name) for name in sorted(set(fields))}


def test_the_scan_finds_what_it_looks_for():
    line = {"ledger": "4115", "position": 0, "stream": "s", "version": 1, "topic": "visit.made", "recorded_at": ""}
    for data in ({"note": "王秀英"}, {"note": "13800138000"}, {"x": {"y": [PRIVATE[0]]}}, {"needs": ["x"]}):
        assert faults_of(json.dumps({**line, "state": {"data": data}}).encode()), data
    assert len(PRIVATE) > 15


def test_the_demo_city_and_a_fleet_say_nothing_of_persons_in_the_open(seeded: Terminal, pieces: Callable[..., Gridtrail]):  # noqa: F811
    seeded("simulate", "--tablets", 6, "--entries", 120, "--batch", 60)
    gridtrail = pieces()
    assert faults_in(gridtrail) == []
    held = held_in(gridtrail)
    assert {"need_voiced", "case_summary", "case_reason", "case_result", "resident_name", "resident_phone", "refused_entry"} <= held.keys()


def test_an_import_says_nothing_of_persons_in_the_open(terminal: Terminal, pieces: Callable[..., Gridtrail]):  # noqa: F811
    import_all(terminal)
    gridtrail = pieces(city=ST_LOUIS["GRIDTRAIL_CITY"], time_zone=ST_LOUIS["GRIDTRAIL_TIME_ZONE"])
    assert faults_in(gridtrail) == []


@pytest.mark.parametrize("release", sorted(HISTORY.glob("*.jsonl")), ids=lambda release: release.stem)
def test_the_example_of_every_kind_says_nothing_of_persons_in_the_open(release: Path):
    lines = release.read_bytes().splitlines()
    assert [fault for line in lines for fault in faults_of(line)] == []
    assert {read_line(line).topic for line in lines} >= CARRIERS


def test_every_declared_field_is_scanned_for_by_its_own_example():
    assert set(FIELDS) >= {field for instead in (IN_PLACE_OF, *NEVER_PLAIN.values()) for field in instead.values()}
