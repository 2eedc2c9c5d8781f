"""Service requests told as a fleet's work: every row of a dirty table is accounted for, on every store."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from domain.clock import parse_utc
from projections import case_history, open_cases
from service.database import reading
from service.fleet.plan import rounds_of
from service.fleet.requests import case_of, steps_of
from service.imports.mapping import load_mapping
from service.imports.requests import read_requests
from service.imports.table import UnreadableFile
from service.wiring import Gridtrail
from tests.check import check_everything
from tests.cli.conftest import DATA, ST_LOUIS, Terminal

REQUESTS = DATA / "requests.csv"
LISTED = {
    "repeated": 1,
    "no_subdistrict": 1,
    "unknown_subdistrict": 1,
    "unknown_department": 1,
    "unknown_category": 1,
    "unknown_status": 1,
    "closed_before_opened": 1,
    "handled_before_opened": 1,
    "closed_before_handled": 1,
    "not_a_time": 1,
    "off_the_globe": 1,
    "unknown_area": 1,
    "ragged": 1,
}


def import_all(terminal: Terminal, *options: str) -> str:
    """Areas first, then the requests; what the second prints."""
    terminal("areas", "import", DATA / "neighborhoods.geojson", "--mapping", "stlouis", "--pairs", REQUESTS, code=1, **ST_LOUIS)
    output: str = terminal("cases", "import", REQUESTS, "--mapping", "stlouis", *options, **ST_LOUIS).output
    return output


def test_every_row_is_recorded_or_listed_with_its_reason(any_terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    output = import_all(any_terminal)
    assert "27 rows: 14 recorded, 0 refused by a rule, 13 listed." in output
    assert "Every row is accounted for." in output
    with Path("var/cases-import.csv").open(encoding="utf-8") as file:
        accounts = list(csv.DictReader(file))
    assert [int(each["line"]) for each in accounts] == list(range(2, 29))
    assert Counter(each["code"] for each in accounts if each["outcome"] == "listed") == LISTED
    gridtrail = pieces(city="2951", time_zone="America/Chicago")
    with reading(gridtrail.database) as conn:
        statuses = dict(conn.execute(sa.select(open_cases.C.status, sa.func.count()).group_by(open_cases.C.status)).all())
    assert statuses == {"closed": 10, "rejected": 2, "acknowledged": 1, "merged": 1}
    gridtrail.publisher.turn()
    url, key = gridtrail.config.database_url, str(gridtrail.signer.verifier)
    assert "Everything that was checked holds." in any_terminal("audit", "verify", url, "--key", key, **ST_LOUIS).output
    check_everything(gridtrail)


def test_the_record_has_the_real_times_in_the_towns_own_zone(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    import_all(terminal)
    gridtrail = pieces(city="2951", time_zone="America/Chicago")
    case = case_of(load_mapping("stlouis"), "1023")
    with reading(gridtrail.database) as conn:
        rows = (
            conn.execute(sa.select(case_history.TABLE).where(case_history.C.case_id == case).order_by(case_history.C.version))
            .mappings()
            .all()
        )
    times = {row["topic"]: row["happened_at"] for row in rows}
    assert times["case.reported"] == "2010-03-14T07:59:30.000Z"
    assert times["case.handled"] == "2010-03-14T08:00:10.000Z"
    assert times["case.closed"] == "2010-11-07T06:30:00.000Z"


def test_importing_again_changes_nothing(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    import_all(terminal)
    gridtrail = pieces(city="2951", time_zone="America/Chicago")
    with reading(gridtrail.database) as conn:
        before = gridtrail.ledgers.ledgers(conn)
    assert "14 recorded" in import_all(terminal)
    with reading(gridtrail.database) as conn:
        assert gridtrail.ledgers.ledgers(conn) == before


def test_the_same_number_with_other_content_is_merged_into_the_first(terminal: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    import_all(terminal)
    mapping = load_mapping("stlouis")
    with reading(pieces(city="2951", time_zone="America/Chicago").database) as conn:
        query = sa.select(open_cases.C.status).where(open_cases.C.case_id == case_of(mapping, "1011.2"))
        assert conn.execute(query).scalar() == "merged"


def test_outboxes_of_another_database_never_count_as_recorded(terminal: Terminal, tmp_path: Path) -> None:
    import_all(terminal)
    other = {**ST_LOUIS, "GRIDTRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    terminal("db", "upgrade", **other)
    terminal("areas", "import", DATA / "neighborhoods.geojson", "--mapping", "stlouis", "--pairs", REQUESTS, code=1, **other)
    result = terminal("cases", "import", REQUESTS, "--mapping", "stlouis", code=1, **other)
    assert "belong to another database" in result.output


def test_another_citys_deployment_is_refused_in_a_sentence(terminal: Terminal) -> None:
    result = terminal("cases", "import", REQUESTS, "--mapping", "stlouis", code=1)
    assert "set GRIDTRAIL_CITY=2951 GRIDTRAIL_TIME_ZONE=America/Chicago" in result.output


def test_without_areas_nothing_is_imported(terminal: Terminal) -> None:
    result = terminal("cases", "import", REQUESTS, "--mapping", "stlouis", code=1, **ST_LOUIS)
    assert "run gridtrail areas import first" in result.output


def test_no_round_holds_what_follows_from_another_tablet_of_the_same_round() -> None:
    mapping = load_mapping("stlouis")
    steps = steps_of(mapping, read_requests(REQUESTS, mapping).found)
    for days in (1, 30, 3660):
        rounds = rounds_of(steps, timedelta(days=days))
        order = [step for each in rounds for steps_of_tablet in each.steps.values() for step in steps_of_tablet]
        assert sorted(map(id, order)) == sorted(map(id, steps))
        at = {id(step): number for number, each in enumerate(rounds) for told in each.steps.values() for step in told}
        for step in steps:
            for index in step.after:
                before = steps[index]
                assert at[id(before)] <= at[id(step)]
                assert at[id(before)] < at[id(step)] or before.tablet == step.tablet


def test_each_cases_steps_go_forward_in_time() -> None:
    mapping = load_mapping("stlouis")
    last: dict[str, str] = {}
    for step in steps_of(mapping, read_requests(REQUESTS, mapping).found):
        assert step.at.utcoffset() is not None
        moment = parse_utc(step.at.isoformat()).isoformat()
        assert moment >= last.get(step.stream, "")
        last[step.stream] = moment


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('county = "295100"', "county is missing"),
        ('closed = "closed"', "statuses must mean"),
        ('time_zone = "America/Chicago"', "No time zone found"),
        ('status = "STATUS"', "columns lacks status"),
    ],
)
def test_a_mapping_that_lacks_something_says_what(tmp_path: Path, line: str, sentence: str) -> None:
    shipped = Path(load_mapping.__code__.co_filename).parent / "stlouis.toml"
    changed = {'closed = "closed"': 'closed = "over"', 'time_zone = "America/Chicago"': 'time_zone = "America/Nowhere"'}.get(line, "")
    path = tmp_path / "broken.toml"
    text = shipped.read_text("utf-8")
    assert line in text
    path.write_text(text.replace(line, changed, 1), "utf-8")
    with pytest.raises(UnreadableFile, match=sentence):
        load_mapping(str(path))


def test_an_unknown_mapping_names_the_shipped_ones() -> None:
    with pytest.raises(UnreadableFile, match="Shipped mappings: stlouis"):
        load_mapping("atlantis")
