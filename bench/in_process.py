"""``python -m bench.in_process``: what one upload of 40 entries costs the web process, without gunicorn, sockets and other threads.

Calls the WSGI application in one thread with sealed batches; tells processor time an event, the database's own aside. ``--profile``
prints where the time of one more round went (cProfile, which makes small functions look dearer than they are).
"""

import argparse
import cProfile
import gc
import io
import pstats
import sys
import time
from typing import Any

from bench.fleet import ENTRIES, make_fleet
from bench.stores import Store, postgres_store, sqlite_store
from bench.told import keep
from service.wiring import Gridtrail, make_app

STORES = {"sqlite": sqlite_store, "postgresql": postgres_store}
CYCLES = (50_000, 20, 50)
"""As the web processes look for cycles (service.gunicorn_conf)."""


def main() -> None:
    """Measures round after round; the first warms."""
    options = _options()
    with STORES[options.store]() as store:
        rounds = measure(store, options)
    web, database = (min(each[name] for each in rounds) for name in ("web_us", "database_us"))
    print(f"{options.store}: {web:.1f} µs of the web process an event at best, {database:.1f} of the database")
    keep("in_process", {"options": vars(options), "rounds": rounds})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=list(STORES), default="postgresql")
    parser.add_argument("--tablets", type=int, default=112)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


def measure(store: Store, options: argparse.Namespace) -> list[dict[str, float]]:
    """µs an event of each round: one batch of each tablet."""
    pieces = Gridtrail(store.config(log_level="warning"))
    pieces.upgrade()
    fleet = make_fleet(pieces, options.tablets, options.rounds + 2, options.tablets // 2)
    app = make_app(pieces)
    gc.freeze()
    gc.set_threshold(*CYCLES)

    def one_round(number: int) -> None:
        for tablet in fleet:
            upload(app, tablet.token, tablet.bodies[number])

    one_round(0)
    found, events = [], options.tablets * ENTRIES
    for number in range(1, options.rounds + 1):
        own, clock, database = time.process_time(), time.perf_counter(), store.cpu()
        one_round(number)
        took = {"web_us": time.process_time() - own, "clock_us": time.perf_counter() - clock, "database_us": store.cpu() - database}
        found.append({name: value / events * 1e6 for name, value in took.items()})
        print({name: round(value, 1) for name, value in found[-1].items()})
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(one_round, options.rounds + 1)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    pieces.database.dispose()
    return found


def upload(app: Any, token: str, body: bytes) -> None:
    """One batch; ends the bench where it is not taken."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/sync/batches",
        "SERVER_NAME": "bench",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/x-ndjson",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []
    answer = b"".join(app(environ, lambda status, headers, wrong=None: statuses.append(status)))
    if not statuses[0].startswith("200"):
        raise SystemExit(f"{statuses[0]}: {answer[:300]!r}")


if __name__ == "__main__":
    main()
