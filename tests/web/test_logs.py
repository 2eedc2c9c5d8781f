"""The logs over HTTP: the exact paths, what is beyond the checkpoint, caching, scope, openness; and the proof files."""

import gzip
import json
import random
import string
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from service.audit import proofs
from service.audit.tables import published
from service.database import reading
from service.ledger import tree
from service.ledger.note import Checkpoint, Verifier, open_checkpoint
from service.routes.logs import parse_tile
from service.scope import OutOfScope
from service.wiring import Gridtrail, make_app
from tests.audit.cast import LOG as FILLED
from tests.audit.cast import entry, fill
from tests.web.city import SUBDISTRICT_A, SUBDISTRICT_B, City, Hand, build

KNOWN = json.loads((Path(__file__).parents[1] / "vectors" / "known_answers.json").read_text("utf-8"))
FOREVER = "private, max-age=31536000, immutable"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The city on each store, published; and one more auditor, of subdistrict A only."""
    tmp = tmp_path_factory.mktemp("logs")
    url = f"sqlite:///{tmp}/gridtrail.db" if request.param == "sqlite" else request.getfixturevalue("copied_postgres_url")
    city = build(url, tmp)
    city.hire("lin", ("auditor", SUBDISTRICT_A))
    city.catch_up()
    city.gridtrail.publisher.turn()
    yield city
    city.gridtrail.database.dispose()


def size_of(city: City, log: str) -> int:
    with reading(city.gridtrail.database) as conn:
        point = published(conn, log)
    assert point is not None
    return point.size


def lines_of(city: City, log: str) -> list[bytes]:
    with reading(city.gridtrail.database) as conn:
        return city.gridtrail.ledgers.lines(conn, log, 0, 10_000)


def entries_of(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


# ---- what is served


def test_a_client_that_knows_only_the_format_reads_a_whole_log(told: City) -> None:
    sun = told.client("sun")
    for log in (SUBDISTRICT_A, "root"):
        verifier = Verifier.parse(sun.get(f"/log/{log}/vkey").text.strip())
        answer = sun.get(f"/log/{log}/checkpoint")
        checkpoint = open_checkpoint(answer.text, verifier)
        assert 0 < checkpoint.size < 256
        hashes = sun.get(f"/log/{log}/tile/0/000.p/{checkpoint.size}").data
        entries = entries_of(sun.get(f"/log/{log}/tile/entries/000.p/{checkpoint.size}").data)
        assert b"".join(tree.leaf_hashes(entries)) == hashes
        assert tree.root_of(tree.leaf_hashes(entries)) == checkpoint.root
        if log != "root":
            assert entries == lines_of(told, log)[: checkpoint.size]


def test_the_root_log_holds_the_checkpoints_that_are_served_of_the_ledgers(told: City) -> None:
    sun = told.client("sun")
    entries = entries_of(sun.get(f"/log/root/tile/entries/000.p/{size_of(told, 'root')}").data)
    assert sun.get(f"/log/{SUBDISTRICT_A}/checkpoint").data in entries
    index = entries.index(sun.get(f"/log/{SUBDISTRICT_A}/checkpoint").data)
    key = Verifier.parse(sun.get("/log/root/vkey").text.strip())
    proofs.verify_proof(sun.get(f"/v1/ledgers/root/events/{index}/proof").text, entries[index], key)


def test_the_list_names_each_published_log_with_its_key(told: City) -> None:
    items = {item["log"]: item for item in told.client("sun").get("/log").json["items"]}
    assert {SUBDISTRICT_A, SUBDISTRICT_B, "root"} <= set(items)
    for log, item in items.items():
        assert told.client("sun").get(f"/log/{log}/vkey").text == item["vkey"] + "\n"
        assert Verifier.parse(item["vkey"]).name == item["origin"]
        assert item["size"] == size_of(told, log)


# ---- paths


@pytest.mark.parametrize("path", KNOWN["tile_paths"]["valid"].values())
def test_published_paths_are_read(path: str) -> None:
    parse_tile(path.removeprefix("tile/"))


def test_what_a_path_names(told: City) -> None:
    assert parse_tile("0/x001/x234/067") == (0, 1_234_067, 256)
    assert parse_tile("5/x123/x456/078.p/2") == (5, 123_456_078, 2)
    assert parse_tile("entries/001.p/255") == (None, 1, 255)
    assert parse_tile("63/000") == (63, 0, 256)


ODD = [
    *(path.removeprefix("tile/") for path in KNOWN["tile_paths"]["invalid"]),
    "", "0", "0/", "0/0", "0/00", "0/0000", "0/1234", "00/000", "01/000", "64/000", "-1/000", "+0/000", "1e1/000", "entries",
    "entries/", "Entries/000", "entries/0/000", "data/000", "0/000/", "0//000", "/0/000", "0/x000", "0/x000/000", "0/x000/x001/000",
    "0/x001", "0/x01/000", "0/001/000", "0/X001/000", "0/x001/x000", "0/000.p", "0/000.p/", "0/000.p/0", "0/000.p/00", "0/000.p/01",
    "0/000.p/256", "0/000.p/257", "0/000.p/1000", "0/000.p/-1", "0/000.p/+1", "0/000.p/1.", "0/000.p/1/", "0/000.P/1", "0/000p/1",
    "0/000./1", "0/000.p/1.p/1", "0/000.p/ 1", "0/000\n", "0/000.p/1\n", " 0/000", "0/ 00", "0/\u0660\u0660\u0660", "0/000.p/\u0661",
    "\0", "0/000\0", "0/../0/000", "0/.../000", "0/" + "x999/" * 7 + "999", "0/" + "x001/" * 500 + "000", "entries/000.p/\uff11",
    "0/000?", "0/000#", "%30/000",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD, ids=lambda path: repr(path)[:30])
def test_a_path_that_is_not_in_the_grammar_is_nowhere(told: City, path: str) -> None:
    with pytest.raises(OutOfScope):
        parse_tile(path)
    answer = told.client("sun").get(f"/log/{SUBDISTRICT_A}/tile/{quote(path)}")
    assert answer.status_code in (404, 308), answer.data
    # A doubled slash is first sent to the same path without; that is not in the grammar either, or names another tile.
    if answer.status_code == 404 and answer.mimetype == "application/problem+json":
        assert answer.json["code"] == "not_found"


def test_random_paths_are_read_or_nowhere_and_never_a_fault(told: City) -> None:
    chance, sun = random.Random(5), told.client("sun")
    letters = "0123456789x/.p" * 3 + string.printable
    seen = set()
    for _ in range(100):
        path = "".join(chance.choice(letters) for _ in range(chance.randrange(1, 14)))
        seen.add(sun.get(f"/log/{SUBDISTRICT_A}/tile/{quote(path)}").status_code)
    for _ in range(60):
        level, number, width = chance.choice(["0", "1", "entries", "7"]), chance.randrange(2), chance.randrange(1, 40)
        seen.add(sun.get(f"/log/{SUBDISTRICT_A}/tile/{level}/{number:03}.p/{width}").status_code)
    assert seen <= {200, 308, 404}
    assert 200 in seen


def test_nothing_is_served_beyond_the_published_checkpoint(told: City) -> None:
    sun, size = told.client("sun"), size_of(told, SUBDISTRICT_A)
    assert len(lines_of(told, SUBDISTRICT_A)) == size < 255
    told.report("411502001001001")
    assert len(lines_of(told, SUBDISTRICT_A)) == size + 1
    for kind in ("0", "entries"):
        assert sun.get(f"/log/{SUBDISTRICT_A}/tile/{kind}/000.p/{size}").status_code == 200
        for beyond in (f"000.p/{size + 1}", "000.p/255", "000", "001.p/1", "x999/999"):
            assert sun.get(f"/log/{SUBDISTRICT_A}/tile/{kind}/{beyond}").status_code == 404, beyond
    for path in ("1/000.p/1", "1/000", "63/000", "63/000.p/255", "8/x999/x999/x999/x999/x999/x999/999"):
        assert sun.get(f"/log/{SUBDISTRICT_A}/tile/{path}").status_code == 404, path
    answer = sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/events/{size}/proof")
    assert (answer.status_code, answer.json["code"], answer.json["size"]) == (404, "not_published", size)
    told.gridtrail.publisher.turn()
    assert sun.get(f"/log/{SUBDISTRICT_A}/tile/entries/000.p/{size + 1}").status_code == 200


# ---- caching


def test_tiles_are_for_ever_and_checkpoints_for_seconds(told: City) -> None:
    sun = told.client("sun")
    for path, kind, age in [
        ("checkpoint", "text/plain; charset=utf-8", "private, max-age=3"),
        ("vkey", "text/plain; charset=utf-8", "private, max-age=3"),
        ("tile/0/000.p/3", "application/octet-stream", FOREVER),
        ("tile/entries/000.p/3", "application/octet-stream", FOREVER),
    ]:
        answer = sun.get(f"/log/{SUBDISTRICT_A}/{path}")
        assert (answer.status_code, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (200, kind, age)
        again = sun.client.get(f"/log/{SUBDISTRICT_A}/{path}", headers={**sun.headers, "If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
        assert again.headers["Cache-Control"] == age
        other = sun.client.get(f"/log/{SUBDISTRICT_A}/{path}", headers={**sun.headers, "If-None-Match": '"another"'})
        assert (other.status_code, other.data) == (200, answer.data)
    missing = sun.get(f"/log/{SUBDISTRICT_A}/tile/0/001")
    assert missing.headers["Cache-Control"] == "no-store"


def test_bundles_come_as_gzip_to_those_who_take_it(told: City) -> None:
    sun, path = told.client("sun"), f"/log/{SUBDISTRICT_A}/tile/entries/000.p/3"
    plain = sun.get(path)
    assert "Content-Encoding" not in plain.headers
    packed = sun.client.get(path, headers={**sun.headers, "Accept-Encoding": "br, gzip"})
    assert (packed.headers["Content-Encoding"], gzip.decompress(packed.data)) == ("gzip", plain.data)
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert packed.data == sun.client.get(path, headers={**sun.headers, "Accept-Encoding": "gzip"}).data
    for refused in ("gzip;q=0", "identity", "br", ""):
        assert "Content-Encoding" not in sun.client.get(path, headers={**sun.headers, "Accept-Encoding": refused}).headers


def test_head_says_what_get_would(told: City) -> None:
    sun, path = told.client("sun"), f"/log/{SUBDISTRICT_A}/tile/0/000.p/3"
    answer = sun.client.head(path, headers=sun.headers)
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "96")


# ---- who may read


def paths_of(log: str) -> list[str]:
    whole = [f"/log/{log}/{name}" for name in ("checkpoint", "vkey", "tile/0/000.p/1", "tile/entries/000.p/1")]
    return [*whole, f"/v1/ledgers/{log}/events/0/proof", f"/v1/ledgers/{log}/consistency?from=1"]


def test_an_auditor_reads_the_own_subtree_and_the_root_log_and_the_rest_is_not_there(told: City) -> None:
    lin = told.client("lin")
    assert {item["log"] for item in lin.get("/log").json["items"]} == {SUBDISTRICT_A, "root"}
    absent = lin.get("/log/411509999/checkpoint")
    for log, status in ((SUBDISTRICT_A, 200), ("root", 200), (SUBDISTRICT_B, 404), ("4115", 404), ("411509999", 404)):
        for path in paths_of(log):
            answer = lin.get(path)
            assert answer.status_code == status, path
            if status == 404:
                assert answer.data == absent.data, path


@pytest.mark.parametrize("log", ["", "Root", "root ", "411502001x", "41150200", "\uff14\uff11\uff11\uff15", "..", "4115020010", "x" * 500])
def test_what_is_no_log_is_nowhere(told: City, log: str) -> None:
    for path in paths_of(quote(log)):
        assert told.client("sun").get(path).status_code in (404, 308), path


def test_nobody_else_reads_a_log(told: City) -> None:
    for path in [*paths_of(SUBDISTRICT_A), *paths_of("root"), "/log"]:
        assert told.client().get(path).status_code == 401
        for name in ("li", "zhao", "chen", "guan", "nobody"):
            assert told.client(name).get(path).status_code == 403, (name, path)


def test_where_logs_are_open_everybody_reads_them_and_nothing_else_is_opened(told: City) -> None:
    config = replace(told.gridtrail.config, open_logs=True)
    app = make_app(Gridtrail(config, clock=told.clock, database=told.gridtrail.database))
    anybody = Hand(app.test_client(), None)
    for log in (SUBDISTRICT_A, SUBDISTRICT_B, "root"):
        for path in paths_of(log):
            answer = anybody.get(path)
            assert answer.status_code == (401 if path.startswith("/v1/") else 200), path
            if not path.startswith("/v1/"):
                assert answer.headers["Cache-Control"].startswith("public, ")
    assert len(anybody.get("/log").json["items"]) == len(told.client("sun").get("/log").json["items"])
    assert anybody.get("/log/411509999/checkpoint").status_code == 404


def test_what_an_auditor_reads_of_a_log_is_on_record(told: City) -> None:
    told.client("lin").get(f"/log/{SUBDISTRICT_A}/tile/entries/000.p/2")
    items = told.client("sun").get("/v1/access-log").json["items"]
    assert any(item["act"] == "read_tile" and "entries/000.p/2" in (item["object"] or "") for item in items)


# ---- proofs


def test_every_entry_can_be_proved_with_the_key_alone(told: City) -> None:
    sun, lines = told.client("sun"), lines_of(told, SUBDISTRICT_A)
    key = Verifier.parse(sun.get(f"/log/{SUBDISTRICT_A}/vkey").text.strip())
    for position in range(size_of(told, SUBDISTRICT_A)):
        answer = sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/events/{position}/proof")
        assert answer.mimetype == "text/plain"
        assert proofs.verify_proof(answer.text, lines[position], key).size == size_of(told, SUBDISTRICT_A)
        with pytest.raises(tree.BadProof):
            proofs.verify_proof(answer.text, lines[position] + b" ", key)


def test_a_kept_checkpoint_is_shown_to_be_the_beginning_of_the_latest(told: City) -> None:
    sun, lines = told.client("sun"), lines_of(told, SUBDISTRICT_A)
    key = Verifier.parse(sun.get(f"/log/{SUBDISTRICT_A}/vkey").text.strip())
    sign = told.gridtrail.signer.private_key

    def kept(size: int) -> str:
        return Checkpoint(key.name, size, tree.root_of(tree.leaf_hashes(lines[:size]))).sign(sign)

    size = size_of(told, SUBDISTRICT_A)
    for old in (1, 2, size // 2, size - 1, size):
        text = sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/consistency?from={old}").text
        assert proofs.verify_consistency_file(text, kept(old), key)[1].size == size
    between = sun.get(f"/v1/ledgers/{SUBDISTRICT_A}/consistency", **{"from": 2, "to": 5})
    assert between.headers["Cache-Control"] == FOREVER
    assert [each.size for each in proofs.verify_consistency_file(between.text, kept(2), key, kept(5))] == [2, 5]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400), ("from=0", 400), ("from=-1", 400), ("from=x", 400), ("from=1&from=2", 400), ("from=3&to=2", 400), ("from=1&to=0", 400),
        ("from=99999", 404), ("from=1&to=99999", 404),
        ("from=999999999999999", 404), ("from=9007199254740992", 400), ("old=1", 400), ("from=1.0", 400),
    ],
)  # fmt: skip
def test_sizes_that_make_no_sense_are_refused(told: City, query: str, status: int) -> None:
    answer = told.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_A}/consistency?{query}")
    assert answer.status_code == status, answer.data


@pytest.mark.parametrize("position", ["-1", "x", "1.0", "9007199254740991", "9007199254740992", "9" * 40, "%30x"])
def test_positions_that_are_not_there_are_404(told: City, position: str) -> None:
    assert told.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_A}/events/{position}/proof").status_code == 404


def test_entries_that_vanished_behind_a_checkpoint_are_said_to_be_missing(told: City) -> None:
    from service.audit.tables import checkpoints
    from service.database import writing

    size = size_of(told, SUBDISTRICT_B)

    def claim(claimed: int) -> None:
        with writing(told.gridtrail.database) as conn:
            conn.execute(checkpoints.update().where(checkpoints.c.ledger == SUBDISTRICT_B).values(size=claimed))

    claim(size + 5)
    answer = told.client("sun").get(f"/v1/ledgers/{SUBDISTRICT_B}/events/0/proof")
    claim(size)
    assert (answer.status_code, answer.json["code"]) == (500, "entries_missing")


# ---- a large log, read while it grows


def test_a_log_that_grows_while_it_is_read_is_whole_at_every_checkpoint(city: City, tmp_path: Path) -> None:
    pieces, sun, done, wrong = city.gridtrail, city.client("sun"), threading.Event(), []
    log = "411509001"
    assert log != FILLED

    def grow() -> None:
        try:
            for stop in range(100, 1_600, 100):
                fill(pieces.database, log, stop, start=stop - 100)
                point(pieces, log, stop)
                pieces.publisher.turn()
        except Exception as failed:
            wrong.append(failed)
        done.set()

    writer = threading.Thread(target=grow)
    writer.start()
    sizes = set()
    while not (done.is_set() and 1_500 in sizes):
        assert not wrong, wrong
        answer = sun.get(f"/log/{log}/checkpoint")
        if answer.status_code == 404:
            continue
        key = Verifier.parse(sun.get(f"/log/{log}/vkey").text.strip())
        checkpoint = open_checkpoint(answer.text, key)
        sizes.add(checkpoint.size)
        assert whole(sun, log, checkpoint.size) == checkpoint.root
    writer.join()
    assert wrong == []


def point(pieces: Gridtrail, log: str, size: int) -> None:
    """Sets the head of a ledger that fill wrote to."""
    from service.database import writing
    from service.ledger.tables import ledgers

    frontier = tree.Frontier()
    frontier.extend(tree.leaf_hashes(map(entry, range(size))))
    values = {"size": size, "frontier": frontier.to_bytes(), "root": frontier.root()}
    with writing(pieces.database) as conn:
        if not conn.execute(ledgers.update().where(ledgers.c.ledger == log).values(**values)).rowcount:
            conn.execute(ledgers.insert().values(ledger=log, incarnation="0" * 16, recorded_at="2026-11-21T00:00:00.000Z", **values))


def whole(sun: Any, log: str, size: int) -> bytes:
    """The root of a log, from its bundles, each compared with its tile."""
    leaves: list[bytes] = []
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        name = f"{number:03}" + (f".p/{width}" if width < 256 else "")
        bundle, tile = sun.get(f"/log/{log}/tile/entries/{name}"), sun.get(f"/log/{log}/tile/0/{name}")
        assert (bundle.status_code, tile.status_code) == (200, 200), (name, size)
        found = tree.leaf_hashes(entries_of(bundle.data))
        assert b"".join(found) == tile.data
        leaves += found
    if size > 256:
        top = sun.get(f"/log/{log}/tile/1/000.p/{size // 256}").data
        assert top == b"".join(tree.root_of(leaves[at : at + 256]) for at in range(0, size // 256 * 256, 256))
    return tree.root_of(leaves)
