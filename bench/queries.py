"""What the open-case page and the download cost, at a size and at a hundredth of it, on PostgreSQL and SQLite.

    python -m bench.queries                       1 million events, 100,000 cases, 10,000 open; and a hundredth
    python -m bench.queries --events 10000000     10 million events, 1 million cases, 100,000 open

Server time: one call of the WSGI application, from the request's environ to the answer's last byte: token, grants, query, schema, JSON.
Cases are copies of rows that real lines fold to; events are there for their size only (bench/filler.py).
"""

import argparse
import base64
import io
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import orjson
import sqlalchemy as sa
from flask import Flask
from tqdm import tqdm

from bench.city_day import GRIDS, LEDGERS, areas_of
from bench.filler import DEPARTMENTS, analyse, fill, templates
from bench.stores import Store, postgres_store, sqlite_store
from bench.told import keep
from projections import tablet_changes
from service.database import reading
from service.fleet.enlisting import Enlisted, enlist
from service.fleet.plan import Member
from service.fleet.settling import person_of
from service.logs import write_from
from service.seed.city import FROM_DAY
from service.wiring import Gridtrail, make_app

STORES = {"postgresql": postgres_store, "sqlite": sqlite_store}
EVENTS_OF_CASE = 10
PEOPLE = 6
"""Of each kind."""
PAGES: dict[str, dict[str, str]] = {
    "due": {"open": "true"},
    "due, deep": {"open": "true"},
    "reported": {"open": "true", "sort": "reported_at"},
    "newest": {"open": "true", "sort": "-reported_at"},
    "overdue": {"overdue": "true"},
    "status": {"open": "true", "status": "reported"},
    "category": {"open": "true", "category": "gridtrail/1/A01"},
    "text": {"open": "true", "text": "Lamp"},
    "text, none": {"open": "true", "text": "no such words"},
    "closed": {"open": "false", "sort": "-reported_at"},
    "all": {"sort": "-reported_at"},
    "all, deep": {"sort": "-reported_at"},
}
TARGETS = {"page": (3.0, 10.0), "download, nothing new": (2.0, None), "download, 20 changes": (5.0, None)}


def main() -> None:
    """Measures each store at both sizes and prints them side by side."""
    options = _options()
    rows = templates()
    found = {}
    for name in options.stores:
        sizes = {}
        for size in (options.events // 100, options.events):
            with STORES[name]() as store:
                sizes[size] = measure(store, size, options, rows)
        found[name] = {"sizes": sizes, "ratio": _ratios(*sizes.values())}
        _print(name, found[name])
    keep("queries", {"options": vars(options), "found": found})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="+", choices=list(STORES), default=list(STORES))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=60, help="of each page of each kind of reader")
    parser.add_argument("--ledgers", type=int, default=LEDGERS)
    parser.add_argument("--grids", type=int, default=GRIDS)
    parser.add_argument("--only", help="Pages whose name begins so.")
    parser.add_argument("--explain", type=float, default=1e9, help="Show the plans of pages whose median takes more ms than this.")
    return parser.parse_args()


def cast_of(grids: list[str], dice: random.Random) -> dict[str, list[Member]]:
    """Readers by kind."""
    units: dict[str, Callable[[str], str]] = {
        "worker": lambda grid: grid,
        "community": lambda grid: grid[:12],
        "subdistrict": lambda grid: grid[:9],
        "district": lambda grid: grid[:6],
        "city": lambda grid: grid[:4],
        "department": lambda grid: f"{grid[:6]}/{dice.choice(DEPARTMENTS)}",
    }
    return {
        kind: [
            Member(f"{kind}-{number}", "worker" if kind == "worker" else "officer", (unit(dice.choice(grids)),), FROM_DAY)
            for number in range(PEOPLE)
        ]
        for kind, unit in units.items()
    }


def measure(store: Store, size: int, options: argparse.Namespace, rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Fills a fresh database to a size and measures all pages and downloads: p50 and p99 in ms."""
    config = store.config(statement_timeout_s=600)
    pieces = Gridtrail(config)
    pieces.upgrade()
    areas, grids = areas_of(config.city, options.ledgers, options.grids)
    cast = cast_of(grids, random.Random(3))
    began = time.perf_counter()
    tablets = enlist(pieces, areas, [member for members in cast.values() for member in members])
    fill(pieces, grids, size, size // EVENTS_OF_CASE, rows)
    analyse(pieces.database)
    print(f"filled to {size:,} events in {time.perf_counter() - began:.0f} s")
    caller = Caller(make_app(pieces))
    write_from("warning")
    found = dict(_pages(pieces, caller, cast, options))
    if not options.only:
        found |= _downloads(pieces, caller, [each for each in tablets if each.member.role == "worker"], options.requests)
    pieces.database.dispose()
    return found


class Caller:
    """Calls the WSGI application without a network."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def get(self, path: str, token: str, query: dict[str, Any]) -> tuple[float, Any]:
        """Milliseconds, and the answer's JSON."""
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": urlencode(query), "SERVER_NAME": "bench", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_AUTHORIZATION": f"Bearer {token}", "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.version": (1, 0), "wsgi.multithread": True,
            "wsgi.multiprocess": True, "wsgi.run_once": False,
        }  # fmt: skip
        told: list[str] = []
        began = time.perf_counter()
        answer = self.app.wsgi_app(environ, lambda status, headers, *_: told.append(status))  # type: ignore[arg-type, return-value]
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        took = (time.perf_counter() - began) * 1000
        if not told[0].startswith("200"):
            raise SystemExit(f"{path}: {told[0]} {body[:300]!r}")
        return took, orjson.loads(body)


# ---- pages


def _pages(pieces: Gridtrail, caller: Caller, cast: dict[str, list[Member]], options: argparse.Namespace) -> Iterable[tuple[str, Any]]:
    work = [(kind, page) for kind in cast for page in PAGES if page.startswith(options.only or "")]
    tokens = {kind: [token_of(pieces, member) for member in members] for kind, members in cast.items()}
    for kind, page in tqdm(work, desc="pages", disable=None, leave=False):
        queries = [_query(caller, token, page) for token in tokens[kind]]
        for token, query in zip(tokens[kind], queries, strict=True):
            caller.get("/v1/cases", token, query)
        times, items = [], 0
        for number in range(options.requests):
            at = number % len(queries)
            took, answer = caller.get("/v1/cases", tokens[kind][at], queries[at])
            times.append(took)
            items += len(answer["items"])
        yield f"{kind}: {page}", {**_told(times), "items": items / options.requests}
        if statistics.median(times) > options.explain:
            _explain(pieces, lambda kind=kind, query=queries[0]: caller.get("/v1/cases", tokens[kind][0], query))


def token_of(pieces: Gridtrail, member: Member) -> str:
    """A token of a member, who is given an account."""
    person = str(person_of(pieces.config.city, member.key))
    if pieces.identity.label_of(person) is None:
        pieces.identity.create_account(person, member.key, "a long word for the bench", member.key)
    return pieces.identity.make_token(person, "bench").token


def _query(caller: Caller, token: str, page: str) -> dict[str, Any]:
    """The page's query; for a deep one, with a cursor that stands in the middle of the list's range of times."""
    query: dict[str, Any] = dict(PAGES[page])
    if page.endswith("deep"):
        _, first = caller.get("/v1/cases", token, query)
        if first["next"]:
            query["cursor"] = _moved(first["next"], first["items"][0], page)
    return query


def _moved(cursor: str, item: dict[str, Any], page: str) -> str:
    """The cursor as if much of the list had been paged through: sorted by due, to cases without a clock; by time, to a year ago."""
    told = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    day = "2026-11-21" if page.startswith("due") else "2025-11-21"
    told["after"][0] = f"{day}T00:00:00.000Z"
    return base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def _told(times: list[float]) -> dict[str, float]:
    ranked = sorted(times)
    return {"least": ranked[0], "p50": statistics.median(ranked), "p99": ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]}


def _explain(pieces: Gridtrail, call: Callable[[], Any]) -> None:
    """Runs a call again and prints the plan of its slowest statement."""
    seen: list[tuple[float, str, Any]] = []

    def before(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        conn.info["began"] = time.perf_counter()

    def after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((time.perf_counter() - conn.info["began"], statement, parameters))

    sa.event.listen(pieces.database, "before_cursor_execute", before)
    sa.event.listen(pieces.database, "after_cursor_execute", after)
    call()
    sa.event.remove(pieces.database, "before_cursor_execute", before)
    sa.event.remove(pieces.database, "after_cursor_execute", after)
    took, statement, parameters = max(seen, key=lambda each: each[0])
    explain = "EXPLAIN (ANALYZE, BUFFERS)" if pieces.database.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    whole = sum(each[0] for each in seen)
    print(f"{took * 1000:.1f} of {whole * 1000:.1f} ms, {len(seen)} statements: {statement[statement.find('FROM') :]} {parameters}")
    with reading(pieces.database) as conn:
        for row in conn.exec_driver_sql(f"{explain} {statement}", parameters):
            print("   ", *row)


# ---- downloads


def _downloads(pieces: Gridtrail, caller: Caller, tablets: list[Enlisted], requests: int) -> dict[str, dict[str, float]]:
    cursors = {each.token: read_to_the_end(caller, each) for each in tablets}
    nothing, some = [], []
    for number in range(requests * 4):
        tablet = tablets[number % len(tablets)]
        took, page = caller.get("/v1/sync/changes", tablet.token, {"since": cursors[tablet.token]})
        if page["items"] or page["more"]:
            raise SystemExit("there should be nothing new")
        nothing.append(took)
        took, page = caller.get("/v1/sync/changes", tablet.token, {"since": _back(pieces, tablet, cursors[tablet.token])})
        some.append(took)
        if len(page["items"]) < 20:
            raise SystemExit(f"{len(page['items'])} changes")
    return {"download, nothing new": _told(nothing), "download, 20 changes": _told(some)}


def read_to_the_end(caller: Caller, tablet: Enlisted) -> str:
    """Downloads everything; gives the cursor behind it."""
    query: dict[str, Any] = {"limit": 500}
    while True:
        _, page = caller.get("/v1/sync/changes", tablet.token, query)
        query["since"] = page["next"]
        if not page["more"]:
            return str(page["next"])


def _back(pieces: Gridtrail, tablet: Enlisted, cursor: str) -> str:
    """The cursor as it was twenty changes ago."""
    told = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    unit = tablet.member.units[0]
    here = sa.select(tablet_changes.C.position).where(tablet_changes.C.ledger == unit[:9], tablet_changes.C.audience == unit)
    with reading(pieces.database) as conn:
        position = conn.scalar(here.order_by(tablet_changes.C.position.desc()).offset(19).limit(1))
    told["l"][unit[:9]][0] = position or 0
    return base64.urlsafe_b64encode(orjson.dumps(told)).decode().rstrip("=")


# ---- telling


def _ratios(small: dict[str, Any], large: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Of the medians, and of the least times, which other work on the machine disturbs less."""
    return {name: {each: large[name][each] / small[name][each] for each in ("least", "p50")} for name in large}


def _print(store: str, found: dict[str, Any]) -> None:
    (small, first), (large, second) = found["sizes"].items()
    print(f"{store}, ms of server time{small:>22,} events{large:>23,} events        ratio of")
    print(f"{'':<26}{'least':>8}{'p50':>8}{'p99':>8}{'least':>12}{'p50':>8}{'p99':>8}{'least':>8}{'p50':>8}  rows")
    for name, there in second.items():
        here, ratio = first[name], found["ratio"][name]
        before, after = ([times[each] for each in ("least", "p50", "p99")] for times in (here, there))
        times = "".join(f"{value:>8.2f}" for value in before) + "    " + "".join(f"{value:>8.2f}" for value in after)
        bad = " *" if _missed(name, there) else ""
        print(f"{name:<26}{times}{ratio['least']:>8.2f}{ratio['p50']:>8.2f}{there.get('items', 0):>6.0f}{bad}")


def _missed(name: str, there: dict[str, float]) -> bool:
    p50, p99 = TARGETS.get(name, TARGETS["page"])
    return there["p50"] > p50 or (p99 is not None and there["p99"] > p99)


if __name__ == "__main__":
    main()
