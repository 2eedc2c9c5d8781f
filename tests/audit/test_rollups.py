"""Sealed roll-ups on each store: sealed once, counted again to the same bytes from the ledger, compared with what came later."""

import base64
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa

from domain import refusals as no
from domain.books import shipped_items
from domain.periods import Period
from projections.recorded import Recorded, read_line
from service.audit.export import export
from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Knowledge
from service.audit.verifying.rollups import judge_rollups
from service.audit.verifying.run import verify
from service.audit.verifying.sources import Page, Wanted, open_source
from service.database import reading
from service.imports.recording import publish_books
from service.scope import Actor, Grant, NotYourRole, OutOfScope
from service.summaries import document
from service.summaries.document import NoSummary
from service.summaries.making import differences
from service.summaries.recounting import FromDatabase, compare, make, open_folder, remake, survey
from tests.check import all_lines, check_everything
from tests.sync.town import A1, A2, CATEGORY, CITY, COMM_A, OFFICER, SUB_A, Town, person

QUARTER = "2026-Q4"
ZHENG = Actor(person("zhao"), (Grant("officer", SUB_A),))
AFTER = "2027-01-04T01:00:00.000Z"


@pytest.fixture
def quarter(town: Town) -> Town:
    """A quarter of a subdistrict that is over: cases, visits, patrols."""
    publish_books(town.gridtrail, list(shipped_items()))
    li = town.tablet("li")
    act = town.gridtrail.inspection.act_on_case
    for number in range(3):
        case = str(uuid4())
        patrol = str(uuid4())
        li.record("patrol.started", patrol, A1, {})
        li.record("patrol.checkpoint_passed", patrol, A1, {"checkpoint": "gate"})
        li.record("visit.made", str(uuid4()), A1, {"household": f"H-{number}", "outcome": "met", "care_group": "disabled_elderly"})
        li.record("case.reported", case, A1, {"category": CATEGORY, "summary": "rubbish at the gate"})
        li.sync()
        town.clock.forward(minutes=1)
        for verb, said in (("accept", {}), ("register", {}), ("dispatch", {"to": A2})):
            act(OFFICER, UUID(case), SUB_A, verb, said)
        town.clock.forward(days=number)
    town.offline = li  # type: ignore[attr-defined]
    town.clock.forward(days=45)
    town.gridtrail.follower.catch_up()
    return town


def sealed(town: Town) -> tuple[Recorded, bytes]:
    """The seal's fact, and the document that the service writes of it."""
    town.gridtrail.summaries.seal(OFFICER, SUB_A, QUARTER)
    (fact,) = town.events("summary.sealed")
    with reading(town.gridtrail.database) as conn:
        return read_line(orjson.dumps(fact)), town.gridtrail.summaries.document(conn, SUB_A, Period.of(QUARTER))


def test_a_sealed_roll_up_is_counted_again_to_the_same_bytes(quarter: Town):
    fact, written = sealed(quarter)
    whole = document.read(written)
    assert (whole["counts"]["reports"], whole["counts"]["due"], whole["counts"]["households_due"]) == (3, 3, 3)
    assert whole["counts"]["grid_days_due"] == 2 * 92
    assert document.digest(written) == fact["digest"]
    history = FromDatabase(quarter.gridtrail)
    assert remake(history, SUB_A, survey(history, SUB_A, QUARTER).sealed) == written  # type: ignore[arg-type]
    check_everything(quarter.gridtrail)


def test_the_seal_names_the_tree_that_was_counted_in(quarter: Town):
    fact, written = sealed(quarter)
    checkpoint = document.read(written)["checkpoint"]
    assert checkpoint["size"] == fact.position
    with reading(quarter.gridtrail.database) as conn:
        assert base64.b64decode(checkpoint["root"]) == quarter.gridtrail.tiles.root(conn, SUB_A, fact.position)


def test_what_is_uploaded_later_shows_as_a_difference_and_changes_no_sealed_number(quarter: Town):
    _, written = sealed(quarter)
    quarter.clock.now = quarter.clock.now.replace(year=2026, month=12, day=30)
    patrol = str(uuid4())
    quarter.offline.record("patrol.started", patrol, A1, {})  # type: ignore[attr-defined]
    quarter.clock.forward(days=10)
    quarter.offline.sync()  # type: ignore[attr-defined]
    quarter.gridtrail.follower.catch_up()
    with reading(quarter.gridtrail.database) as conn:
        summaries = quarter.gridtrail.summaries
        assert summaries.document(conn, SUB_A, Period.of(QUARTER)) == written
        row = summaries.sealed(conn, [SUB_A], Period.of(QUARTER))[SUB_A]
        now = summaries.present(conn, [SUB_A], Period.of(QUARTER)).of(SUB_A)
    changed = {each["count"]: each["present"] - each["sealed"] for each in differences(row["counts"], now)}
    assert changed["grid_days_patrolled"] == 1
    history = FromDatabase(quarter.gridtrail)
    assert remake(history, SUB_A, survey(history, SUB_A, QUARTER).sealed) == written  # type: ignore[arg-type]


def test_a_roll_up_is_sealed_once_when_the_quarter_is_over_by_the_subdistricts_officer(quarter: Town):
    summaries = quarter.gridtrail.summaries
    with pytest.raises(no.PeriodNotOver):
        summaries.seal(OFFICER, SUB_A, "2027-Q1")
    with pytest.raises(no.NotAQuarter):
        summaries.seal(OFFICER, SUB_A, "2026-11")
    with pytest.raises(OutOfScope):
        summaries.seal(Actor(person("zhao"), (Grant("officer", COMM_A),)), SUB_A, QUARTER)
    with pytest.raises(NotYourRole):
        summaries.seal(Actor(person("sun"), (Grant("auditor", CITY),)), SUB_A, QUARTER)
    with pytest.raises(no.NotASubdistrict):
        summaries.seal(Actor("system", (Grant("officer", CITY),)), CITY, QUARTER)
    summaries.seal(OFFICER, SUB_A, QUARTER)
    with pytest.raises(no.SummarySealed):
        summaries.seal(ZHENG, SUB_A, QUARTER)
    assert len(quarter.events("summary.sealed")) == 1


def test_a_signed_file_opens_with_the_known_key_and_with_no_other(quarter: Town):
    _, written = sealed(quarter)
    with reading(quarter.gridtrail.database) as conn:
        note = quarter.gridtrail.summaries.file(conn, SUB_A, Period.of(QUARTER))
    key = quarter.gridtrail.signer.verifier
    assert document.open_file(note, key) == written
    for spoiled in (note.replace('"reports":3', '"reports":4'), note.replace("gridtrail/summary@v1\n", "gridtrail/summary@v2\n")):
        with pytest.raises(NoSummary):
            document.open_file(spoiled, key)
    (checkpoint,) = quarter.gridtrail.watermark.sign(_heads(quarter))
    with pytest.raises(NoSummary):
        document.open_file(checkpoint, None)


def _heads(town: Town) -> list[object]:
    with reading(town.gridtrail.database) as conn:
        return town.gridtrail.ledgers.heads(conn, [SUB_A])


def spoiled(whole: dict, **changed: object) -> bytes:
    return document.canonical({**whole, **changed})


def test_a_document_whose_shares_do_not_follow_from_its_counts_is_none(quarter: Town):
    whole = document.read(sealed(quarter)[1])
    wrong = [
        spoiled(whole, counts={**whole["counts"], "handled": 3}),
        spoiled(whole, total={"value": "1.0000", "weight": 14}),
        spoiled(whole, counting="2"),
        spoiled(whole, kind="other"),
        spoiled(whole, counts={**whole["counts"], "due": -1}),
        document.canonical(whole)[:-2] + b" }\n",
        b"[]\n",
        b"{}\n",
        b'{"a":1.5}\n',
        b"",
    ]
    for each in wrong:
        with pytest.raises(NoSummary):
            document.read(each)


def test_an_export_and_a_copy_lead_to_the_same_bytes_without_a_database(quarter: Town, tmp_path: Path):
    _, written = sealed(quarter)
    for ledger in (SUB_A, CITY):
        export(quarter.gridtrail, ledger, "jsonl", tmp_path / "out")
    quarter.gridtrail.publisher.turn()
    key = quarter.gridtrail.signer.verifier
    copy_of(quarter, tmp_path / "copy")
    for folder in (tmp_path / "out", tmp_path / "copy"):
        history = open_folder(folder, [key])
        assert remake(history, SUB_A, survey(history, SUB_A, QUARTER).sealed) == written  # type: ignore[arg-type]
        assert compare(history, written) is not None
        assert (
            make(history, SUB_A, Period.of(QUARTER), "Asia/Shanghai", now=AFTER, size=document.read(written)["checkpoint"]["size"])
            == written
        )
        foreign = type(key)(key.name, bytes(range(1, 33)))
        with pytest.raises(NoSummary):
            survey(open_folder(folder, [foreign]), SUB_A, QUARTER)


def copy_of(town: Town, folder: Path) -> None:
    """What gridtrail audit fetch would bring: the published tiles of all logs."""
    from service.audit.tables import all_published
    from service.audit.tiles import WIDTH
    from service.audit.verifying.folders import path_of

    tiles = town.gridtrail.tiles
    with reading(town.gridtrail.database) as conn:
        for log, point in all_published(conn).items():
            here = folder / "log" / log
            (here / "tile").mkdir(parents=True)
            (here / "checkpoint").write_text(point.note)
            for number in range((point.size + WIDTH - 1) // WIDTH):
                width = min(WIDTH, point.size - number * WIDTH)
                name = path_of(number) if width == WIDTH else f"{path_of(number)}.p/{width}"
                path = here / "tile" / "entries" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tiles.bundle(conn, log, number, width))


def test_other_numbers_than_the_entries_lead_to_are_found(quarter: Town):
    whole = document.read(sealed(quarter)[1])
    more = {**whole["counts"], "reports": 4, "reports_rejected": 1}
    from domain.books import Books
    from service.summaries.document import Summed, write

    told = whole["period"]
    point = whole["checkpoint"]
    summed = Summed(
        SUB_A, Period.of(QUARTER), told["zone"], told["start"], told["until"], more, point["origin"], point["size"], point["root"]
    )
    forged = write(summed, Books.default().in_force("indicators", told["first_day"]))
    document.read(forged)
    with pytest.raises(NoSummary, match="reports 4 instead of 3"):
        compare(FromDatabase(quarter.gridtrail), forged)


class Lines:
    """A log of some lines."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines

    def pages(self, start: int = 0) -> Iterator[Page]:
        yield Page(range(len(self.lines)), self.lines)


def judged(town: Town, **changed: object) -> list[tuple[str, str]]:
    """What verification finds in the ledger whose seal says something else."""
    with reading(town.gridtrail.database) as conn:
        lines = [bytes(line) for line in all_lines(conn, town.gridtrail.ledgers, SUB_A)]
        rules = [read_line(line) for line in all_lines(conn, town.gridtrail.ledgers, CITY)]
    seals = [event for event in map(read_line, lines) if event.topic == "summary.sealed"]
    for event in seals:
        event.fields.update(changed)
    findings = Findings()
    knowledge = Knowledge.of(event for event in rules if event.topic == "rulebook.published")
    judge_rollups(Lines(lines), SUB_A, seals, knowledge, "Asia/Shanghai", findings)  # type: ignore[arg-type]
    return [(fault.kind, fault.detail) for fault in findings.faults]


def test_verification_counts_every_seal_again(quarter: Town):
    fact, _ = sealed(quarter)
    assert judged(quarter) == []
    counts = {**fact["counts"], "due": 2}
    for changed in ({"counts": counts}, {"size": fact["size"] - 1}, {"root": "A" * 43 + "="}, {"digest": "0" * 64}, {"book": "no@1"}):
        assert [kind for kind, _ in judged(quarter, **changed)] == ["summary_wrong"], changed
    for changed in ({"zone": "UTC"}, {"until": AFTER}, {"size": 10**9}, {"period": "2026-Q9"}, {"origin": "x/ledger/411502002/0"}):
        assert [kind for kind, _ in judged(quarter, **changed)] == ["summary_wrong"], changed


def test_verification_of_the_whole_database_allows_the_seal(quarter: Town, database: sa.Engine):
    fact, _ = sealed(quarter)
    source = open_source(database.url.render_as_string(hide_password=False))
    found = verify(source, Wanted(keys=(str(quarter.gridtrail.signer.verifier),)))
    assert found.findings.checked["sealed roll-ups"] == 1
    assert [fault for fault in found.findings.faults if fault.ledger == SUB_A and fault.position == fact.position] == []
    assert "summary_wrong" not in {fault.kind for fault in found.findings.faults}
