"""Every kind of tampering with a real database, behind the service's back, is found at its place and by its kind."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from projections import open_cases
from service.audit.tables import cosignatures
from service.audit.tiles import tiles
from service.audit.verifying.faults import Findings
from service.audit.verifying.run import Verified, verify
from service.audit.verifying.sources import Wanted, open_source
from service.audit.verifying.vaults import FromVault
from service.ledger import p256
from service.ledger.keys import seed_of
from service.ledger.note import split_note, verifier_of_tablet
from service.ledger.tables import events, ledgers
from service.personal.tables import disclosures
from service.sync.tables import tablet_states
from service.wiring import Gridtrail
from tests.audit.history import (
    SUB_A,
    SUB_B,
    WITNESS_KEY,
    Copy,
    key_of,
    line_like,
    made_on_postgres,
    make_sqlite,
    publish,
    renumbered,
)
from tests.conftest import empty_postgres_database


@pytest.fixture(scope="module")
def story_on_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story's file, which each test copies."""
    return make_sqlite(sqlite_template, tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def story_on_postgres(postgres_template: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """The server and the name of the story's database, which each test copies."""
    folder = tmp_path_factory.mktemp("story")
    with made_on_postgres(*postgres_template, folder) as name:
        yield postgres_template[0], name, folder


@pytest.fixture(params=["sqlite", "postgres"])
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copy]:
    """A copy of the story on each store."""
    if request.param == "sqlite":
        path = tmp_path / "copy.db"
        story = request.getfixturevalue("story_on_sqlite")
        shutil.copyfile(story, path)
        made = Copy(f"sqlite:///{path}", tmp_path, story.parent)
        yield made
        made.engine.dispose()
    else:
        server, template, folder = request.getfixturevalue("story_on_postgres")
        with empty_postgres_database(server, template) as url:
            made = Copy(url, tmp_path, folder)
            yield made
            made.engine.dispose()


def audit(copy: Copy, **wanted: Any) -> Findings:
    """What an auditor finds who has the service's key and the witness's."""
    asked = {"keys": (key_of(),), "witnesses": (str(WITNESS_KEY),), "read_models": False, **wanted}
    return verified(copy, **asked).findings


def verified(copy: Copy, **wanted: Any) -> Verified:
    """The whole verification of a copy."""
    return verify(open_source(copy.url), Wanted(**wanted))


def places(findings: Findings, kind: str, ledger: str = SUB_A) -> list[int | None]:
    """Where a kind of fault was found."""
    return [each.position for each in findings.faults if (each.kind, each.ledger) == (kind, ledger)]


# ---- untouched


def test_an_untouched_history_with_something_of_everything_holds(copy: Copy) -> None:
    vault = FromVault(copy.config())
    found = verified(copy, keys=(key_of(),), witnesses=(str(WITNESS_KEY),), refused=vault, values=vault.judge_values)
    assert [str(fault) for fault in found.findings.faults] == []
    assert found.holds
    checked = found.findings.checked
    assert checked["entries"] == checked["events judged by the rules"] == found.events > 320
    assert checked["sealed entries"] > 270
    assert checked["tiles"] >= 1
    assert checked["read models"] >= 44
    assert checked["cosignatures"] == 1
    assert checked["personal values: ok"] >= 2, "the refused entries are in the vault"
    assert checked["signed roots"] >= 8


def test_it_holds_with_several_processes_too(copy: Copy) -> None:
    found = verify(open_source(copy.url), Wanted(keys=(key_of(),), read_models=False), jobs=2, least=0)
    assert [str(fault) for fault in found.findings.faults] == []


# ---- single entries


def test_a_byte_in_an_entry(copy: Copy) -> None:
    place = copy.place_of(SUB_A, "visit.made", 40)
    copy.set_line(SUB_A, place, copy.lines(SUB_A)[place].replace(b'"H-1"', b'"H-2"'))
    findings = audit(copy)
    assert places(findings, "tile_wrong") == [place]
    first, last = next((fault.position, fault.last) for fault in findings.faults if fault.kind == "seal_root")
    assert first <= place <= last
    assert findings.counts["root_wrong"] >= 2


def test_a_byte_in_the_last_entry_that_no_tile_holds_yet(copy: Copy) -> None:
    place = copy.place_of(SUB_A, "refused.kept", -1)
    line = copy.lines(SUB_A)[place]
    leaf = orjson.loads(line)["state"]["leaf"].encode()
    copy.set_line(SUB_A, place, line.replace(leaf, (b"B" if leaf[:1] == b"A" else b"A") + leaf[1:]))
    findings = audit(copy)
    assert place in places(findings, "derived_wrong"), "the stream of a refusal follows from the hash of the entry"
    assert findings.counts["seal_root"] + findings.counts["head_wrong"] >= 2


def test_a_column_beside_an_entry(copy: Copy) -> None:
    place = copy.place_of(SUB_A, "visit.made", 3)
    mine = (events.c.ledger == SUB_A) & (events.c.position == place)
    for name, value in {"topic": "case.closed", "recorded_at": "2026-01-01T00:00:00.000Z", "seq": 77, "by_person": uuid4()}.items():
        with copy.behind_the_back() as conn:
            was = conn.execute(sa.select(events.c[name]).where(mine)).scalar_one()
            conn.execute(sa.update(events).where(mine).values({name: value}))
        findings = audit(copy)
        assert [(fault.kind, fault.position) for fault in findings.faults] == [("column_wrong", place)]
        assert findings.faults[0].detail.startswith(name)
        with copy.behind_the_back() as conn:
            conn.execute(sa.update(events).where(mine).values({name: was}))
    assert not audit(copy).total


def test_two_entries_swapped(copy: Copy) -> None:
    one, other = copy.place_of(SUB_A, "visit.made", 20), copy.place_of(SUB_A, "visit.made", 50)
    lines = copy.lines(SUB_A)
    copy.set_line(SUB_A, one, lines[other])
    copy.set_line(SUB_A, other, lines[one])
    findings = audit(copy)
    assert places(findings, "entry_misplaced") == [one, other]
    assert places(findings, "tile_wrong") == [one]


def test_one_removed_from_the_middle(copy: Copy) -> None:
    place = copy.place_of(SUB_A, "visit.made", 60)
    with copy.behind_the_back() as conn:
        conn.execute(sa.delete(events).where(events.c.ledger == SUB_A, events.c.position == place))
    findings = audit(copy)
    assert places(findings, "entry_missing") == [place]
    assert findings.counts["sequence_missing"] == 1
    assert findings.counts["tail_missing"] >= 1, "the head and what was signed count one more"


def test_the_tail_removed(copy: Copy) -> None:
    size = len(copy.lines(SUB_A))
    with copy.behind_the_back() as conn:
        conn.execute(sa.delete(events).where(events.c.ledger == SUB_A, events.c.position >= size - 3))
    findings = audit(copy)
    assert set(places(findings, "tail_missing")) == {size - 3}


def test_the_tail_removed_and_the_head_with_it(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    copy.rewrite(SUB_A, lines[:-3])
    findings = audit(copy)
    assert set(places(findings, "tail_missing")) == {len(lines) - 3}
    assert {fault.kind for fault in findings.faults} <= {"tail_missing", "state_wrong"}


def test_one_inserted(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "visit.made", 30)
    new = line_like(lines[place], place, stream=str(uuid4()))
    copy.rewrite(SUB_A, [*lines[:place], new, *renumbered(lines)[place:]][: place + 1] + shifted(lines[place:], 1))
    findings = audit(copy)
    assert place in places(findings, "not_allowed"), "the entry names another stream"
    assert findings.counts["entry_twice"] == 1
    assert findings.counts["root_wrong"] >= 1


def test_one_inserted_by_moving_rows(copy: Copy) -> None:
    place, size = copy.place_of(SUB_A, "visit.made", 30), len(copy.lines(SUB_A))
    line = copy.lines(SUB_A)[place]
    with copy.behind_the_back() as conn:
        for position in range(size - 1, place - 1, -1):
            mine = (events.c.ledger == SUB_A) & (events.c.position == position)
            conn.execute(sa.update(events).where(mine).values(position=position + 1))
        row = {"ledger": SUB_A, "position": place, "stream": uuid4(), "version": 1, "topic": "visit.made"}
        conn.execute(sa.insert(events), {**row, "recorded_at": orjson.loads(line)["recorded_at"], "line": line})
    findings = audit(copy)
    assert places(findings, "entries_shifted") == [place + 1]


def shifted(lines: list[bytes], by: int) -> list[bytes]:
    """The lines as they read that many places further on."""
    found = []
    for line in lines:
        was = orjson.loads(line)["position"]
        found.append(line.replace(b'"position":%d,' % was, b'"position":%d,' % (was + by), 1))
    return found


def test_a_line_that_is_none(copy: Copy) -> None:
    copy.set_line(SUB_A, 7, b"{")
    assert places(audit(copy), "not_a_line") == [7]


def test_a_line_that_reads_in_two_ways(copy: Copy) -> None:
    place = copy.place_of(SUB_A, "visit.made", 5)
    line = copy.lines(SUB_A)[place]
    copy.set_line(SUB_A, place, line.replace(b'"outcome":"met"', b'"outcome":"met","outcome":"met"'))
    assert places(audit(copy), "not_a_line") == [place]
    copy.set_line(SUB_A, place, line.replace(b'"role":"worker"', b'"role":"officer","role":"worker"'))
    assert places(audit(copy), "line_form") == [place]


def test_a_line_whose_members_are_of_other_kinds(copy: Copy) -> None:
    place = copy.place_of(SUB_A, "visit.made", 6)
    line = copy.lines(SUB_A)[place]
    told = orjson.loads(line)["state"]
    for name, instead, kind in (
        ("by", b'["x"]', "column_wrong"),
        ("tablet", b'{"a":1}', "column_wrong"),
        ("tablet", b"null", "tablet_unknown"),
        ("happened_at", b"5", "stream_wrong"),
        ("day", b"true", "derived_wrong"),
    ):
        was = b'"%b":"%b"' % (name.encode(), told[name].encode())
        copy.set_line(SUB_A, place, line.replace(was, b'"%b":%b' % (name.encode(), instead), 1))
        assert place in places(audit(copy), kind), (name, instead)


# ---- what is derived


def test_a_tile_changed(copy: Copy) -> None:
    with copy.engine.begin() as conn:
        hashes = bytearray(conn.execute(sa.select(tiles.c.hashes).where(tiles.c.ledger == SUB_A)).scalar_one())
        hashes[32 * 99] ^= 1
        conn.execute(sa.update(tiles).where(tiles.c.ledger == SUB_A).values(hashes=bytes(hashes)))
    findings = audit(copy)
    assert [(fault.kind, fault.ledger, fault.position) for fault in findings.faults] == [("tile_wrong", SUB_A, 99)]


def test_a_row_of_a_read_model_changed(copy: Copy) -> None:
    case = copy.place_of(SUB_A, "case.handled")
    with copy.engine.begin() as conn:
        conn.execute(sa.update(open_cases.TABLE).values(summary="nothing at all"))
    findings = audit(copy, read_models=True)
    assert [(fault.kind, fault.position) for fault in findings.faults] == [("row_wrong", case)]
    assert findings.faults[0].detail.startswith("open_cases ")


def test_a_row_of_a_read_model_removed(copy: Copy) -> None:
    with copy.engine.begin() as conn:
        conn.execute(sa.delete(open_cases.TABLE))
    findings = audit(copy, read_models=True)
    assert [fault.kind for fault in findings.faults] == ["row_wrong"]


def test_a_head_changed(copy: Copy) -> None:
    with copy.engine.begin() as conn:
        conn.execute(sa.update(ledgers).where(ledgers.c.ledger == SUB_A).values(root=bytes(32)))
    findings = audit(copy)
    assert [(fault.kind, fault.ledger) for fault in findings.faults] == [("head_wrong", SUB_A)]


def test_a_tablets_state_changed(copy: Copy) -> None:
    with copy.engine.begin() as conn:
        conn.execute(sa.update(tablet_states).where(tablet_states.c.size == 12).values(size=11))
    findings = audit(copy)
    assert [fault.kind for fault in findings.faults] == ["state_wrong"]


def test_a_tablets_algorithm_changed_in_its_state(copy: Copy) -> None:
    with copy.engine.begin() as conn:
        conn.execute(sa.update(tablet_states).where(tablet_states.c.algorithm == "p256").values(algorithm="ed25519"))
    findings = audit(copy)
    assert [(fault.kind, "algorithm" in fault.detail) for fault in findings.faults] == [("state_wrong", True)]


def test_a_value_taken_out_of_the_vault(copy: Copy) -> None:
    with copy.engine.begin() as conn:
        digest, ledger = conn.execute(sa.select(disclosures.c.digest, disclosures.c.ledger).order_by(disclosures.c.digest)).first()
        conn.execute(sa.delete(disclosures).where(disclosures.c.digest == digest))
    place = next(orjson.loads(line)["position"] for line in copy.lines(ledger) if digest.encode() in line)
    findings = audit(copy, values=FromVault(copy.config(pending_hours=1)).judge_values)
    assert [(fault.kind, fault.ledger, fault.position) for fault in findings.faults] == [("value_missing", ledger, place)]


# ---- forged with right hashes, by somebody who has the database alone


def resigned(findings: Findings) -> set[str]:
    """The kinds of faults besides those that only tell that the tree is another than the signed one."""
    return {fault.kind for fault in findings.faults} - {"root_wrong", "tail_missing", "state_wrong"}


def test_a_seal_removed(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "tablet.uploaded", -1)
    copy.rewrite(SUB_A, renumbered([*lines[:place], *lines[place + 1 :]]))
    findings = audit(copy)
    assert "entry_unsealed" in resigned(findings)
    assert place - 1 in places(findings, "entry_unsealed")


@pytest.mark.parametrize(("own", "other"), [("ed25519", "p256"), ("p256", "ed25519"), ("p256", "es256")])
def test_a_key_that_is_said_to_be_of_another_algorithm(copy: Copy, own: str, other: str) -> None:
    lines = copy.lines(SUB_A)
    enrolled = [orjson.loads(line) for line in lines if b'"topic":"tablet.enrolled"' in line]
    place = next(each["position"] for each in enrolled if each["state"]["data"]["algorithm"] == own)
    lines[place] = line_like(lines[place], place, lambda told: {**told, "data": {**told["data"], "algorithm": other}})
    copy.rewrite(SUB_A, lines)
    findings = audit(copy)
    assert "seal_wrong" in resigned(findings)
    assert place in places(findings, "seal_wrong")


def test_a_seal_by_another_key_of_the_same_kind(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    enrolled = next(each for each in map(orjson.loads, lines) if each["state"].get("data", {}).get("algorithm") == "p256")
    place = next(
        each["position"] for each in map(orjson.loads, lines) if each["stream"] == enrolled["stream"] and each["topic"] == "tablet.uploaded"
    )

    def forged(told: dict[str, Any]) -> dict[str, Any]:
        origin = enrolled["state"]["origin"]
        known = verifier_of_tablet(origin, base64.b64decode(enrolled["state"]["data"]["public_key"]), "p256")
        text, _ = split_note(told["seal"])
        signature = base64.b64encode(known.id + p256.PrivateKey.generate().sign(text.encode())).decode()
        return {**told, "seal": f"{text}\n— {origin} {signature}\n"}

    lines[place] = line_like(lines[place], place, forged)
    copy.rewrite(SUB_A, lines)
    assert places(audit(copy), "seal_wrong") == [place]


def test_an_entry_that_its_tablet_never_sealed(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "visit.made", 100)
    last = orjson.loads(lines[-1])["recorded_at"]

    def another(told: dict[str, Any]) -> dict[str, Any]:
        return {**told, "entry": {**told["entry"], "seq": 500, "id": new}}

    new = str(uuid4())
    copy.rewrite(SUB_A, [*lines, line_like(lines[place], len(lines), another, stream=new, recorded_at=last)])
    findings = audit(copy)
    assert resigned(findings) == {"entry_unsealed"}
    assert places(findings, "entry_unsealed") == [len(lines)]


def test_an_event_that_no_rule_allows(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    handled = copy.place_of(SUB_A, "case.handled")

    def closed(told: dict[str, Any]) -> dict[str, Any]:
        said = {"area": told["data"]["area"]}
        return {**{name: told[name] for name in told if name != "data"}, "level": "subdistrict", "data": said}

    last = orjson.loads(lines[-1])["recorded_at"]
    forged = line_like(lines[handled], len(lines), closed, topic="case.closed", version=5, recorded_at=last)
    copy.rewrite(SUB_A, [*lines, forged])
    findings = audit(copy)
    assert places(findings, "not_allowed") == [len(lines)]
    assert "not_yet_checked" in next(fault.detail for fault in findings.faults if fault.kind == "not_allowed")


def test_a_deadline_that_does_not_follow(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "case.registered")
    due = orjson.loads(lines[place])["state"]["due_at"].encode()
    lines[place] = lines[place].replace(due, b"2027" + due[4:])
    copy.rewrite(SUB_A, lines)
    findings = audit(copy)
    assert places(findings, "derived_wrong") == [place]
    assert "due_at" in next(fault.detail for fault in findings.faults if fault.kind == "derived_wrong")


def test_somebody_who_had_no_right_to_it(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "case.handled")
    by = orjson.loads(lines[place])["state"]["by"].encode()
    lines[place] = lines[place].replace(by, str(uuid4()).encode())
    copy.rewrite(SUB_A, lines)
    assert places(audit(copy), "actor_unknown") == [place]


def test_an_entry_kept_as_refused_that_no_rule_refuses(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "refused.kept")
    lines[place] = lines[place].replace(b'"code":"out_of_scope"', b'"code":"case_closed"')
    copy.rewrite(SUB_A, lines)
    assert places(audit(copy, refused=FromVault(copy.config())), "refused_wrongly") == [place]


def test_a_time_that_the_clocks_do_not_tell(copy: Copy) -> None:
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "visit.made", 9)
    happened = orjson.loads(lines[place])["state"]["happened_at"].encode()
    lines[place] = lines[place].replace(b'"happened_at":"' + happened, b'"happened_at":"' + happened[:17] + b"59.000Z")
    copy.rewrite(SUB_A, lines)
    assert places(audit(copy), "time_wrong") == [place]


# ---- whole trees made anew


def without_the_wangs_visit(copy: Copy) -> None:
    """A console act taken out of the history without a trace in any stream, tree or column: no seal covers it."""
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "case.handled")
    copy.rewrite(SUB_A, renumbered([*lines[:place], *lines[place + 1 :]]))


def test_a_tree_made_anew_without_the_key(copy: Copy) -> None:
    size = len(copy.lines(SUB_A))
    without_the_wangs_visit(copy)
    findings = audit(copy)
    assert {fault.kind for fault in findings.faults} == {"tail_missing"}
    assert set(places(findings, "tail_missing")) == {size - 1}


def test_a_tree_made_anew_and_signed_by_another_key(copy: Copy) -> None:
    without_the_wangs_visit(copy)
    copy.forget_what_was_signed()
    publish(Gridtrail(copy.config(signing_key=seed_of(Ed25519PrivateKey.generate())), database=copy.engine))
    findings = audit(copy)
    assert {fault.kind for fault in findings.faults} == {"no_checkpoint", "root_log_entry", "not_witnessed"}


def test_a_tree_made_anew_with_the_key_is_found_by_what_the_witness_cosigned(copy: Copy) -> None:
    with copy.engine.connect() as conn:
        seen = conn.execute(sa.select(cosignatures.c.note)).scalar_one()
    without_the_wangs_visit(copy)
    copy.forget_what_was_signed()
    copy.gridtrail().publisher.turn()
    alone = audit(copy, witnesses=())
    assert not alone.total, "who has the key and the database, and no witness, leaves no trace"
    assert {fault.kind for fault in audit(copy).faults} == {"not_witnessed"}
    findings = audit(copy, checkpoints=(seen,))
    assert {(fault.kind, fault.ledger) for fault in findings.faults} == {("root_wrong", "root")}


def test_a_tree_made_anew_with_the_key_is_found_by_a_checkpoint_that_somebody_has(copy: Copy) -> None:
    with copy.engine.connect() as conn:
        from service.audit.tables import checkpoints

        seen = conn.execute(sa.select(checkpoints.c.note).where(checkpoints.c.ledger == SUB_A)).scalar_one()
    size = len(copy.lines(SUB_A))
    without_the_wangs_visit(copy)
    copy.forget_what_was_signed()
    copy.gridtrail().publisher.turn()
    findings = audit(copy, witnesses=(), checkpoints=(seen,))
    assert places(findings, "tail_missing") == [size - 1]


# ---- how it is told


def test_no_fault_is_hidden_where_few_are_listed_or_asked_for(copy: Copy) -> None:
    with copy.behind_the_back() as conn:
        conn.execute(sa.update(events).where(events.c.ledger == SUB_B).values(recorded_at="2026-01-01T00:00:00.000Z"))
    count = len(copy.lines(SUB_B))
    assert audit(copy).counts["column_wrong"] == count
    few = verified(copy, read_models=False, stop_after=2)
    assert few.stopped
    assert not few.holds
    assert few.findings.total == 2
