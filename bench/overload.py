"""``python -m bench.overload``: what is left of the throughput, and who gets it, when five times as much is asked as can be done.

First the maximum: as many connections as keep the service busy. Then the overload: every tablet has work for five times the maximum, and
tries again when it was told to (polite, as the protocol says) or at its own pace (rude); some try from several connections at once and heed
nothing, and people ask for lists meanwhile. Reported are the entries recorded each second as a share of the maximum (goodput), and Jain's
index of fairness over the tablets: 1 where all got the same, 1/n where one got all.
Real gunicorn processes, durable commits, loopback; server, database and load share the machine.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from bench.fleet import ENTRIES, Tablet, make_fleet
from bench.load import free_port, serving
from bench.stores import Store, cpu_of, environment_of, postgres_store, sqlite_store
from bench.told import keep
from service.imports.recording import terminal_actor
from service.wiring import Gridtrail

STORES = {"sqlite": sqlite_store, "postgresql": postgres_store}
GREEDY_CONNECTIONS = 4
BUSY = 16
"""Connections that keep the service busy and make nobody wait long."""
LEAST_GOODPUT, LEAST_JAIN = 0.9, 0.95


@dataclass
class Told:
    """What the clients saw: batches recorded of each tablet, answers by status, times to record a batch, tries.

    cpu: seconds of processor time by who took it: clients, web, database.
    """

    recorded: list[int]
    statuses: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return sum(self.recorded) * ENTRIES / self.seconds

    @property
    def per_server_second(self) -> float:
        """Entries for each second of processor time that the web processes and the database had."""
        return sum(self.recorded) * ENTRIES / (self.cpu["web"] + self.cpu["database"])

    def count(self, status: str) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1


def main() -> None:
    """Measures each store; exit code 1 where the floors are not reached and --assert is given."""
    options = _options()
    found: list[dict[str, Any]] = []
    for name, behaviour in itertools.product(options.stores, options.behaviour):
        with STORES[name]() as store:
            found.append({"store": name, "behaviour": behaviour, **measure(store, options, behaviour)})
        print(json.dumps(found[-1]), flush=True)
    keep("overload", {"options": vars(options), "found": found})
    if options.insist and any(each["goodput_share"] < LEAST_GOODPUT or each["jain"] < LEAST_JAIN for each in found):
        raise SystemExit(f"goodput must be at least {LEAST_GOODPUT} of the maximum, Jain's index at least {LEAST_JAIN}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=list(STORES), default=["postgresql"])
    parser.add_argument("--behaviour", nargs="+", choices=["polite", "rude"], default=["polite"], help="whether tablets heed Retry-After")
    parser.add_argument("--tablets", type=int, default=300)
    parser.add_argument("--greedy", type=int, default=15, help=f"tablets that try from {GREEDY_CONNECTIONS} connections at once")
    parser.add_argument("--people", type=int, default=20, help="people who ask for lists meanwhile, in a loop")
    parser.add_argument("--ledgers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each overload; the maximum takes a third of it")
    parser.add_argument("--batches", type=int, default=100, help="batches of each tablet, at most")
    parser.add_argument("--rounds", type=int, default=2, help="of maximum and overload, one after the other")
    parser.add_argument("--factor", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--assert", dest="insist", action="store_true")
    return parser.parse_args()


def measure(store: Store, options: argparse.Namespace, behaviour: str) -> dict[str, Any]:
    """The maximum, the overload, and what they make together."""
    config = store.config(workers=options.workers, threads=options.threads, port=free_port(), request_max_seconds=20)
    pieces = Gridtrail(config)
    pieces.upgrade()
    began = time.perf_counter()
    fleet = make_fleet(pieces, options.tablets, options.batches, options.ledgers)
    token = _asker(pieces)
    pieces.database.dispose()
    print(f"fleet ready after {time.perf_counter() - began:.0f} s", file=sys.stderr)
    rounds = []
    done = [0] * len(fleet)
    with serving(config, environment_of(config)) as web:
        used = {"web": lambda: cpu_of(web), "database": store.cpu}
        for _ in range(options.rounds):
            busy = _in_a_process(used, _at_most, config.port, _shares(fleet, done), options.seconds / 3)
            done = _sum(done, busy)
            pace = options.factor * busy.per_second / ENTRIES
            rest = _shares(fleet, done)
            said = (config.port, rest, options.seconds, pace, options.greedy, options.people, token, behaviour)
            crowd = _in_a_process(used, _overloaded, *said)
            done = _sum(done, crowd)
            rounds.append((busy, crowd))
    print(f"{sum(each >= options.batches for each in done)} tablets had nothing left to send", file=sys.stderr)
    return _summary(rounds, options)


def _summary(rounds: list[tuple[Told, Told]], options: argparse.Namespace) -> dict[str, Any]:
    """Medians over the rounds; the maximum is taken from the same moments of the machine."""
    crowds = [crowd for _, crowd in rounds]
    last = crowds[-1]

    def median(values: Iterable[float], digits: int = 0) -> float:
        return round(statistics.median(values), digits)

    return {
        "maximum_per_s": median(busy.per_second for busy, _ in rounds),
        "goodput_per_s": median(crowd.per_second for crowd in crowds),
        "goodput_share": median((crowd.per_second / busy.per_second for busy, crowd in rounds), 3),
        "goodput_share_of_server_cpu": median((crowd.per_server_second / busy.per_server_second for busy, crowd in rounds), 3),
        "cores_at_most": {name: median((busy.cpu[name] / busy.seconds for busy, _ in rounds), 2) for name in last.cpu},
        "cores_overloaded": {name: median((crowd.cpu[name] / crowd.seconds for crowd in crowds), 2) for name in last.cpu},
        "jain": median((jain(crowd.recorded) for crowd in crowds), 4),
        "jain_of_those_who_heed": median((jain(crowd.recorded[options.greedy :]) for crowd in crowds), 4),
        "batches_of_a_tablet": [min(last.recorded), max(last.recorded)],
        "greedy_mean": round(statistics.mean(last.recorded[: options.greedy]), 2) if options.greedy else None,
        "others_mean": round(statistics.mean(last.recorded[options.greedy :]), 2),
        "tries_per_s": median(sum(crowd.statuses.values()) / crowd.seconds for crowd in crowds),
        "answers": dict(sorted(last.statuses.items())),
        "p99_ms": median((_percentile(crowd.latencies, 99) * 1000 for crowd in crowds), 1),
        "refused_p99_ms": median((_percentile(crowd.refusals, 99) * 1000 for crowd in crowds), 1),
    }


def _sum(done: list[int], told: Told) -> list[int]:
    return [before + more for before, more in zip(done, told.recorded, strict=True)]


def _asker(pieces: Gridtrail) -> str:
    """The token of an auditor who asks for lists."""
    person, city = uuid4(), pieces.config.city
    by = terminal_actor(pieces.config)
    pieces.inspection.register_person(by, city, person)
    said = {"assignment": str(uuid4()), "role": "auditor", "unit": city, "from_day": "2026-01-01"}
    pieces.inspection.change_person(by, city, str(person), "assign", said)
    pieces.identity.create_account(str(person), "asker", "correct horse battery")
    return pieces.identity.make_token(str(person), "bench").token


def jain(shares: list[int]) -> float:
    """(Σx)² / (n Σx²)."""
    squares = sum(each * each for each in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else 0.0


def _shares(fleet: list[Tablet], done: list[int]) -> list[list[bytes]]:
    """What each tablet has left to send."""
    return [[request_of(tablet.token, body) for body in tablet.bodies[gone:]] for tablet, gone in zip(fleet, done, strict=True)]


def request_of(token: str, body: bytes) -> bytes:
    """The bytes of one upload."""
    head = (
        f"POST /v1/sync/batches HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _in_a_process(used: dict[str, Callable[[], float]], work: Any, *said: Any) -> Told:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        before = {name: cpu() for name, cpu in used.items()}
        told = pool.apply(_run, (work, *said))
        told.cpu |= {name: cpu() - before[name] for name, cpu in used.items()}
    return told


def _run(work: Any, *said: Any) -> Told:
    began = time.process_time()
    told: Told = asyncio.run(work(*said))
    told.cpu["clients"] = time.process_time() - began
    return told


class Line:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[str, float]:
        """Status, or code of the problem, and Retry-After of an answer; ``none`` where there was no answer."""
        try:
            if self.streams is None:
                self.streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self.streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(_header(head, b"content-length", b"0"))
            body = await reader.readexactly(length)
            if b"\r\nconnection: close" in head:
                self.close()
            status = head[9:12].decode()
            return status if status == "200" else orjson.loads(body)["code"], float(_header(head, b"retry-after", b"0"))
        except (OSError, EOFError):
            self.close()
            return "none", 0.5

    def close(self) -> None:
        """Ends the connection."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def _header(head: bytes, name: bytes, default: bytes) -> bytes:
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else default


async def _at_most(port: int, tablets: list[list[bytes]], seconds: float) -> Told:
    """Few connections, each with the next batch of the next tablet as soon as it is answered."""
    told = Told([0] * len(tablets))
    waiting = itertools.cycle(range(len(tablets)))
    busy: set[int] = set()
    until = time.perf_counter() + seconds

    async def sends() -> None:
        line = Line(port)
        while time.perf_counter() < until:
            number = next(
                (each for each in itertools.islice(waiting, len(tablets)) if each not in busy and told.recorded[each] < len(tablets[each])),
                None,
            )
            if number is None:
                return
            busy.add(number)
            began = time.perf_counter()
            status, _ = await line.ask(tablets[number][told.recorded[number]])
            told.count(status)
            told.recorded[number] += status == "200"
            told.latencies.append(time.perf_counter() - began)
            busy.discard(number)
        line.close()

    began = time.perf_counter()
    await asyncio.gather(*(sends() for _ in range(BUSY)))
    told.seconds = time.perf_counter() - began
    return told


async def _overloaded(
    port: int, tablets: list[list[bytes]], seconds: float, pace: float, greedy: int, people: int, token: str, behaviour: str
) -> Told:
    """Every tablet tries at its share of the pace; the first ones from several connections at once, without heeding anything."""
    told = Told([0] * len(tablets))
    began = time.perf_counter()
    until, interval = began + seconds, len(tablets) / pace

    async def tries(number: int, *, heeds: bool) -> None:
        line, at = Line(port), began + random.uniform(0, interval)
        while (now := time.perf_counter()) < until and told.recorded[number] < len(tablets[number]):
            if at > now:
                await asyncio.sleep(min(at, until) - now)
                continue
            place, sent = told.recorded[number], time.perf_counter()
            status, retry_after = await line.ask(tablets[number][place])
            done = time.perf_counter()
            told.count(status)
            if status == "200":
                if done < until:
                    told.recorded[number] = max(told.recorded[number], place + 1)
                told.latencies.append(done - sent)
            else:
                told.refusals.append(done - sent)
            at = max(at + interval, done - interval)
            if status != "200" and heeds:
                # The field's rule: Retry-After, and a random time on top.
                at = done + retry_after * random.uniform(1, 1.25)
        line.close()

    async def asks() -> None:
        line = Line(port)
        request = f"GET /v1/cases HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        while time.perf_counter() < until:
            status, _ = await line.ask(request)
            told.count(f"query {status}")
            await asyncio.sleep(random.uniform(0.2, 0.4))
        line.close()

    work = [asks() for _ in range(people)]
    for number in range(len(tablets)):
        connections = GREEDY_CONNECTIONS if number < greedy else 1
        work += [tries(number, heeds=behaviour == "polite" and number >= greedy) for _ in range(connections)]
    await asyncio.gather(*work)
    told.seconds = seconds
    return told


if __name__ == "__main__":
    main()
