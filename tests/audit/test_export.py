"""Exports: verbatim by month, resumable, checked and folded again to the rows of the live tables."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from projections import READ_MODELS
from projections.engine import digest_of_rows, fold_lines
from service.audit.export import Exported, export
from service.audit.export_forms import COLUMNS, FORMS, MissingPackage, arrow, row_of
from service.audit.export_reading import check_export
from service.audit.manifests import BadExport, Manifest
from service.cli.common import show_rows
from service.database import open_database, reading
from service.ledger import schema
from service.ledger.note import Verifier
from service.wiring import Gridtrail
from tests.cli.conftest import terminal_on
from tests.sync.town import A1, CATEGORY, OFFICER, SUB_A, Town

QUOTED = "a \"quoted\", =cmd|'/c calc'!A1 垃圾 \u2028 summary\r\n-of two lines"


def told(database: sa.Engine, folder: Path) -> Town:
    """A town with work in three of the city's months; the last entry of November is recorded a moment before its end there."""
    town = Town(database, folder)
    tablet = town.tablet("li")
    for days in (0, 9.62, 0.01, 30):
        town.clock.forward(days=days)
        case = str(uuid4())
        tablet.record("patrol.started", str(uuid4()), A1, {})
        tablet.record("case.reported", case, A1, {"category": CATEGORY, "summary": QUOTED})
        tablet.record("case.reported", str(uuid4()), A1, {"category": "no/such/category", "summary": "refused"})
        tablet.record("visit.made", str(uuid4()), A1, {"household": "H-1", "outcome": "met"})
        tablet.sync()
    town.gridtrail.follower.catch_up()
    return town


@pytest.fixture
def town(database: sa.Engine, tmp_path: Path) -> Town:
    return told(database, tmp_path)


@pytest.fixture
def small_town(sqlite_url: str, tmp_path: Path) -> Town:
    """The same on SQLite, for what does not depend on the store."""
    return told(open_database(sqlite_url), tmp_path)


@pytest.fixture(scope="module")
def quiet_town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """One town for all tests that only read it."""
    engine = open_database("sqlite://")
    schema.create_all(engine)
    return told(engine, tmp_path_factory.mktemp("quiet"))


@pytest.fixture(scope="module")
def exported(quiet_town: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export as JSON lines, to be copied and spoiled."""
    folder = tmp_path_factory.mktemp("exported")
    export(quiet_town.gridtrail, SUB_A, "jsonl", folder)
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """A copy of the export."""
    return Path(shutil.copytree(exported, tmp_path / "out"))


def stored(gridtrail: Gridtrail) -> list[bytes]:
    with reading(gridtrail.database) as conn:
        return [bytes(line) for line in gridtrail.ledgers.lines(conn, SUB_A, 0, 10_000)]


def lines_in(folder: Path) -> list[bytes]:
    return list(check_export(folder, SUB_A).lines())


def live_digests(gridtrail: Gridtrail) -> dict[str, str]:
    with reading(gridtrail.database) as conn:
        return {name: gridtrail.follower.digest(conn, name, SUB_A) for name in READ_MODELS}


def months(made: Exported) -> dict[str, tuple[int, bool]]:
    return {month.month: (month.rows, month.complete) for month in made.manifest.months}


@pytest.mark.parametrize("form", FORMS)
def test_an_export_folds_to_the_rows_of_the_live_tables(town: Town, tmp_path: Path, form: str):
    made = export(town.gridtrail, SUB_A, form, tmp_path / "out")
    checked = check_export(tmp_path / "out", SUB_A, town.gridtrail.signer.verifier)
    assert checked.signed
    assert list(checked.lines()) == stored(town.gridtrail)
    assert list(months(made)) == ["2026-11", "2026-12"]
    folded = {name: digest_of_rows(fold_lines(model, checked.lines())) for name, model in READ_MODELS.items()}
    assert folded == live_digests(town.gridtrail)


def test_months_are_those_of_the_citys_clock(quiet_town: Town, tmp_path: Path):
    """9.62 days after 09:00 of the 21st it is November in the city, a quarter of an hour later December; in UTC both are November."""
    export(quiet_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    edges = [(month.first_recorded_at, month.last_recorded_at) for month in Manifest.read(tmp_path / "out" / SUB_A).months]
    assert edges[0][1] == "2026-11-30T15:52:48.000Z"
    assert edges[1][0] == "2026-11-30T16:07:12.000Z"


def test_finished_months_are_not_written_again(small_town: Town, tmp_path: Path):
    first = export(small_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    november = first.folder / "2026-11.jsonl"
    stamp = november.stat().st_mtime_ns
    small_town.hand("wang").send([])
    did: dict[str, bool] = {}
    again = export(small_town.gridtrail, SUB_A, "jsonl", tmp_path / "out", told=lambda month, written: did.update({month.month: written}))
    assert did == {"2026-11": False, "2026-12": True}
    assert november.stat().st_mtime_ns == stamp
    assert lines_in(tmp_path / "out") == stored(small_town.gridtrail)
    assert months(again)["2026-12"][0] > months(first)["2026-12"][0]


def test_an_export_that_was_stopped_goes_on(small_town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written: list[str] = []

    def stop_after(month: Any, _: bool) -> None:
        written.append(month.month)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(small_town.gridtrail, SUB_A, "csv", tmp_path / "out", told=stop_after)
    with pytest.raises(BadExport, match="not finished"):
        check_export(tmp_path / "out", SUB_A)
    made = export(small_town.gridtrail, SUB_A, "csv", tmp_path / "out")
    assert (written, months(made)["2026-11"][1]) == (["2026-11"], True)
    assert lines_in(tmp_path / "out") == stored(small_town.gridtrail)


def test_a_damaged_finished_month_is_written_anew(small_town: Town, tmp_path: Path):
    export(small_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    november = tmp_path / "out" / SUB_A / "2026-11.jsonl"
    november.write_bytes(november.read_bytes()[:-3])
    with pytest.raises(BadExport, match="not the file"):
        check_export(tmp_path / "out", SUB_A)
    export(small_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    assert lines_in(tmp_path / "out") == stored(small_town.gridtrail)


def test_a_part_of_the_months_leads_to_the_signed_root_as_well(town: Town, tmp_path: Path):
    lines = stored(town.gridtrail)
    later = export(town.gridtrail, SUB_A, "jsonl", tmp_path / "later", from_month="2026-12")
    first = later.manifest.before.size
    assert 0 < first < len(lines)
    assert lines_in(tmp_path / "later") == lines[first:]
    earlier = export(town.gridtrail, SUB_A, "jsonl", tmp_path / "earlier", to_month="2026-11")
    assert earlier.manifest.consistency
    assert lines_in(tmp_path / "earlier") == lines[:first]
    with pytest.raises(BadExport, match="Nothing was recorded"):
        export(town.gridtrail, SUB_A, "jsonl", tmp_path / "none", from_month="2030-01")
    with pytest.raises(BadExport, match="behind --to-month"):
        export(town.gridtrail, SUB_A, "jsonl", tmp_path / "none", from_month="2026-12", to_month="2026-11")
    with pytest.raises(BadExport, match="begins at position"):
        export(town.gridtrail, SUB_A, "jsonl", tmp_path / "later")


def test_a_folder_that_goes_further_is_never_cut(small_town: Town, tmp_path: Path):
    small_town.clock.forward(days=31)
    small_town.hand("wang").send([])
    export(small_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    with pytest.raises(BadExport, match="beyond 2026-11"):
        export(small_town.gridtrail, SUB_A, "jsonl", tmp_path / "out", to_month="2026-11")
    assert len(Manifest.read(tmp_path / "out" / SUB_A).months) == 3


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda told: told["months"][0].update(rows=3), "says something else"),
        (lambda told: told["months"][0].update(last_recorded_at="2026-11-30T15:52:48.001Z"), "says something else"),
        (lambda told: told["months"].pop(0), "is no part of the export"),
        (lambda told: told["months"].pop(), "is no part of the export"),
        (lambda told: told["months"].reverse(), "where 411502001:0 is due"),
        (lambda told: told.update(zone="UTC"), "in another month"),
        (lambda told: told.update(ledger="411502002"), "says that it holds 411502002"),
        (lambda told: told["before"].update(size=5), "is not a manifest"),
        (lambda told: told["before"].update(root="AAAA"), "another root"),
        (lambda told: told.update(kind="other/1"), "another kind"),
        (lambda told: told.pop("form"), "is not a manifest"),
        (lambda told: told["months"][0].update(file="../2026-11.jsonl"), "is no part of the export"),
        (lambda told: told.update(checkpoint=told["checkpoint"].replace("411502001", "411502002")), "not of ledger"),
        (lambda told: told.update(checkpoint="x"), "does not hold"),
        (lambda told: told.update(consistency=["AAAA"]), "do not lead"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(copied: Path, spoil: Callable[[Any], Any], sentence: str):
    path = copied / SUB_A / "manifest.json"
    told = json.loads(path.read_bytes())
    spoil(told)
    path.write_text(json.dumps(told))
    with pytest.raises(BadExport, match=sentence):
        check_export(copied, SUB_A)


def test_lines_that_were_changed_with_their_digests_do_not_lead_to_the_root(quiet_town: Town, tmp_path: Path):
    """Somebody who changes a line and writes the manifest anew, trees and all, still has not the key."""
    from service.audit.manifests import Edge, b64, digest_of
    from service.ledger.tree import Frontier, leaf_hashes

    made = export(quiet_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    tree, told = Frontier(), made.manifest
    for at, month in enumerate(told.months):
        path = made.folder / month.file
        path.write_bytes(path.read_bytes().replace(b"quoted", b"QUOTED"))
        tree.extend(leaf_hashes(path.read_bytes().splitlines()))
        size, digest = digest_of(path)
        values = {name: getattr(month, name) for name in month.__slots__}
        told.months[at] = type(month)(**{**values, "bytes": size, "sha256": digest, "tree": Edge.of(tree)})
    told.write(made.folder)
    with pytest.raises(BadExport, match="do not lead to the signed root"):
        check_export(tmp_path / "out", SUB_A)
    note = str(told.checkpoint).split("\n")
    told.checkpoint = "\n".join([*note[:2], b64(tree.root()), *note[3:]])
    told.write(made.folder)
    assert not check_export(tmp_path / "out", SUB_A).signed
    with pytest.raises(BadExport, match="signature"):
        check_export(tmp_path / "out", SUB_A, quiet_town.gridtrail.signer.verifier)


def test_another_deployments_key_is_refused(quiet_town: Town, tmp_path: Path):
    export(quiet_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    with pytest.raises(BadExport, match="the key that you gave"):
        check_export(tmp_path / "out", SUB_A, Verifier("other.example", quiet_town.gridtrail.signer.verifier.public))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_that_say_something_else_than_their_line_are_found(quiet_town: Town, tmp_path: Path, form: str):
    lines = stored(quiet_town.gridtrail)
    path = tmp_path / f"x.{form}"
    rows = [list(row_of(line)) for line in lines]
    rows[3][COLUMNS.index("day")] = "2026-01-01"
    if form == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *([*row[:-1], row[-1].decode()] for row in rows)])
    else:
        pyarrow = arrow()
        columns = {name: [row[at] if name != "line" else row[at].decode() for row in rows] for at, name in enumerate(COLUMNS)}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(ValueError, match="say something else than the line"):
        list(FORMS[form].read(path))


def test_duckdb_answers_questions_from_an_export(quiet_town: Town, tmp_path: Path):
    import duckdb

    export(quiet_town.gridtrail, SUB_A, "parquet", tmp_path / "out")
    lines = [json.loads(line) for line in stored(quiet_town.gridtrail)]
    asked = """
        SELECT day, topic, count(*), count(DISTINCT json_extract_string(line, '$.state.entry.id'))
        FROM read_parquet(?) WHERE json_extract_string(line, '$.state.entry.id') IS NOT NULL GROUP BY ALL ORDER BY ALL
    """
    found = duckdb.execute(asked, [str(tmp_path / "out" / SUB_A / "*.parquet")]).fetchall()
    ids: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if "entry" in line["state"]:
            ids.setdefault((line["state"]["day"], line["topic"]), []).append(line["state"]["entry"]["id"])
    assert found == [(*key, len(some), len(set(some))) for key, some in sorted(ids.items())]
    assert len(found) > 8


def test_no_cell_of_a_machines_csv_begins_like_a_formula(quiet_town: Town, tmp_path: Path):
    export(quiet_town.gridtrail, SUB_A, "csv", tmp_path / "out")
    for path in (tmp_path / "out" / SUB_A).glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_table_that_people_open_runs_nobodys_words(capsys: pytest.CaptureFixture[str]):
    rows = [{"a": "=1+1", "b": "@x", "c": -1, "d": "-x", "e": "plain", "f": None}]
    show_rows(rows, list("abcdef"), "csv")
    assert list(csv.reader(io.StringIO(capsys.readouterr().out)))[1] == ["'=1+1", "'@x", "-1", "'-x", "plain", ""]
    show_rows(rows, list("abcdef"), "json")
    assert json.loads(capsys.readouterr().out) == rows[0]


def test_parquet_without_its_package_is_one_sentence(quiet_town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"gridtrail\[export\]"):
        export(quiet_town.gridtrail, SUB_A, "parquet", tmp_path / "out")


def test_an_export_needs_a_folder_of_its_own(quiet_town: Town, tmp_path: Path):
    here = tmp_path / "out" / SUB_A
    here.mkdir(parents=True)
    (here / "notes.txt").write_text("mine")
    with pytest.raises(BadExport, match="not empty"):
        export(quiet_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    shutil.rmtree(here)
    export(quiet_town.gridtrail, SUB_A, "jsonl", tmp_path / "out")
    with pytest.raises(BadExport, match="Take another folder"):
        export(quiet_town.gridtrail, SUB_A, "csv", tmp_path / "out")
    (here / "notes.txt").write_text("mine")
    with pytest.raises(BadExport, match="no part of the export"):
        check_export(tmp_path / "out", SUB_A)


def test_the_commands_export_and_replay(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    town = told(open_database(database_url), tmp_path)
    run = terminal_on(database_url, tmp_path, monkeypatch)
    key = {"GRIDTRAIL_SIGNING_KEY_FILE": str(tmp_path / "signing.key"), "GRIDTRAIL_ORIGIN": "gridtrail.test"}
    said = run("export", SUB_A, "--format", "csv", "-o", "out", "--purpose", "yearly audit", **key).output
    assert "2026-11  written" in said
    assert "needs" not in said
    vkey = run("keys", "show", **key).output.strip()
    replayed = run("replay", SUB_A, "--digests", "--from", "out", "--key", vkey, GRIDTRAIL_DATABASE_URL="sqlite:///nowhere/no.db")
    digests = {row["read_model"]: row["sha256"] for row in map(json.loads, replayed.stdout.splitlines())}
    assert digests == live_digests(town.gridtrail)
    assert "signed by the key given" in replayed.stderr
    assert run("replay", SUB_A, "--digests").stdout == replayed.stdout
    for moment in ("20", "2026-11-30T16:00:00Z"):
        both = [run("replay", SUB_A, "--read-model", "open_cases", "--as-of", moment, *more).stdout for more in ((), ("--from", "out"))]
        assert both[0] == both[1]
        assert both[0]
    assert "Name a read model" in run("replay", SUB_A, code=2).output
    assert "There is no export of 411502009" in run("replay", "411502009", "--digests", "--from", "out", code=1).output
    assert "There is no ledger 411502009" in run("export", "411502009", "-o", "x", "--purpose", "audit", code=1).output
    with reading(town.gridtrail.database) as conn:
        rows = conn.execute(sa.text("SELECT act, object, purpose FROM access_log WHERE act = 'export' ORDER BY at")).all()
    assert ("export", SUB_A, "yearly audit") in [tuple(row) for row in rows]


def test_an_export_by_the_officers_hand_is_exact_too(town: Town, tmp_path: Path):
    """What was said at the console stands in data, not in an entry."""
    case, _ = town.gridtrail.inspection.report_case(OFFICER, A1, {"category": CATEGORY, "summary": "=HYPERLINK(1)"})
    export(town.gridtrail, SUB_A, "csv", tmp_path / "out")
    assert case in lines_in(tmp_path / "out")[-1].decode()
