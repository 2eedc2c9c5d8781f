"""check_everything: what must hold of the whole system at any moment. Every story ends in it.

It believes nothing that is stored beside the lines: trees, streams, tablets' histories and read models are made again from the lines alone.
"""

import base64
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.tablet import Tablet
from projections import READ_MODELS
from projections.engine import digest_of_rows, fold_lines
from projections.recorded import Recorded, entry_of, read_line
from service.database import reading
from service.ledger.mapper import aggregate_of
from service.ledger.note import open_checkpoint, verifier_of_tablet
from service.ledger.store import Ledgers
from service.ledger.tables import events
from service.ledger.tree import Frontier, leaf_hash
from service.wiring import Gridtrail


def check_everything(gridtrail: Gridtrail) -> int:
    """Checks the whole database. Gives the number of events looked at; AssertionError says what does not hold and where."""
    gridtrail.follower.catch_up()
    histories = {}
    with reading(gridtrail.database) as conn:
        for head in gridtrail.ledgers.heads(conn):
            lines = all_lines(conn, gridtrail.ledgers, head.ledger)
            check_ledger(conn, head, lines)
            histories[head.ledger] = lines
        check_tablets(histories)
        for ledger, lines in histories.items():
            for name, model in READ_MODELS.items():
                live = gridtrail.follower.digest(conn, name, ledger)
                assert live == digest_of_rows(fold_lines(model, lines)), f"{name} of {ledger} is not what its history says"
    return sum(map(len, histories.values()))


def all_lines(conn: sa.Connection, ledgers: Ledgers, ledger: str) -> list[bytes]:
    """Every line of a ledger."""
    lines: list[bytes] = []
    while page := ledgers.lines(conn, ledger, len(lines), 1000):
        lines.extend(page)
    return lines


def check_ledger(conn: sa.Connection, head, lines: list[bytes]) -> None:
    """Gapless, hashed to the head's root, in time, streams without gaps that replay, columns that say what the lines say."""
    frontier = Frontier()
    frontier.extend(leaf_hash(line) for line in lines)
    assert (frontier.size, frontier.root()) == (head.size, head.root), f"the tree of {head.ledger} is not its lines'"
    columns = conn.execute(sa.select(events).where(events.c.ledger == head.ledger).order_by(events.c.position)).mappings().all()
    streams: dict[str, list[bytes]] = {}
    last = ""
    for position, (line, row) in enumerate(zip(lines, columns, strict=True)):
        recorded = read_line(line)
        assert (recorded.ledger, recorded.position) == (head.ledger, position)
        assert recorded.recorded_at >= last
        last = recorded.recorded_at
        check_columns(recorded, row, line)
        streams.setdefault(recorded.stream, []).append(line)
        assert recorded.version == len(streams[recorded.stream]), f"stream {recorded.stream} has a gap before {recorded.version}"
        assert recorded["happened_at"] <= recorded.recorded_at
    for stream in streams.values():
        assert aggregate_of(stream).version == len(stream)


def check_columns(recorded: Recorded, row, line: bytes) -> None:
    """The columns are indexes: they repeat the line and add nothing."""
    assert row["line"] == line
    assert str(row["stream"]) == recorded.stream
    assert (row["version"], row["topic"], row["recorded_at"]) == (recorded.version, recorded.topic, recorded.recorded_at)
    tablet = recorded.state.get("tablet")
    assert row["tablet"] == (UUID(tablet) if tablet else None)
    assert row["by_person"] == (None if recorded["by"] == "system" else UUID(recorded["by"]))
    entry = entry_of(line)
    if entry is not None and recorded.topic != "refused.kept" and row["seq"] is not None:
        assert row["seq"] == orjson.loads(entry)["seq"]


def check_tablets(histories: dict[str, list[bytes]]) -> None:
    """Each tablet's tree is hashed again from the ledgers alone, up to every seal, and every seal is signed by its key."""
    entries: dict[str, dict[int, bytes]] = {}
    tablets: dict[str, list[bytes]] = {}
    reapplied = reapplications(histories)
    for lines in histories.values():
        for line in lines:
            recorded = read_line(line)
            if recorded.topic.startswith("tablet."):
                tablets.setdefault(recorded.stream, []).append(line)
            leaf = leaf_of_entry(recorded, line)
            again = (recorded.ledger, recorded.stream, recorded.version) in reapplied
            if leaf is not None and recorded.state.get("code") != "forked" and not again:
                seq = recorded.state["seq"] if recorded.topic == "refused.kept" else orjson.loads(entry_of(line))["seq"]
                mine = entries.setdefault(recorded.state["tablet"], {})
                assert seq not in mine, f"entry {seq} of {recorded.state['tablet']} stands twice"
                mine[seq] = leaf
    for tablet, lines in tablets.items():
        check_seals(lines, entries.get(tablet, {}))


def reapplications(histories: dict[str, list[bytes]]) -> set[tuple[str, str, int]]:
    """The events that refused entries became later: the leaf of the tablet's tree is the refusal, not they."""
    events = (read_line(line) for lines in histories.values() for line in lines)
    facts = (event.state for event in events if event.topic == "refused.reapplied")
    return {(fact["ledger"], fact["stream"], fact["version"]) for fact in facts}


def leaf_of_entry(recorded: Recorded, line: bytes) -> bytes | None:
    """The leaf of the tablet's tree that a line holds: the hash of its entry, or what a kept refusal says."""
    if recorded.topic == "refused.kept":
        return base64.b64decode(recorded["leaf"])
    entry = entry_of(line)
    return None if entry is None else leaf_hash(entry)


def check_seals(lines: list[bytes], entries: dict[int, bytes]) -> None:
    """Every upload of one tablet: signed, and the root of the entries up to its size."""
    tablet = aggregate_of(lines)
    assert isinstance(tablet, Tablet)
    frontier = Frontier()
    key = None
    for line in lines:
        recorded = read_line(line)
        if recorded.topic == "tablet.enrolled":
            key = verifier_of_tablet(recorded["origin"], base64.b64decode(recorded["public_key"]), recorded["algorithm"])
        if recorded.topic == "tablet.uploaded":
            frontier.extend(entries[seq] for seq in range(frontier.size, recorded["size"]))
            checkpoint = open_checkpoint(recorded["seal"], key)
            assert (checkpoint.size, checkpoint.root) == (frontier.size, frontier.root())
    assert frontier.size == len(entries), "entries stand in the ledgers that no seal covers"
