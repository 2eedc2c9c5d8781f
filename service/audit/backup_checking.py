"""Whether a backup is one: every file as it was written, every tree made again from its lines. Read by backup and by restore."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from service.audit.backup_files import BadBackup, check_sums, read_manifest, rows_of
from service.audit.trees import Trees

LOGS = {"events": ("ledger", "position", "line"), "root_entries": ("ledger", "position", "entry")}
"""Tables whose rows are the leaves of trees: log, index, entry."""
HEAD = "The head"
STATED = {"ledgers": HEAD, "root_logs": HEAD, "checkpoints": "The published checkpoint"}
"""Tables that state roots of logs: columns ledger, size, root."""
SHOWN = 5

Seen = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check looked at."""

    files: int
    rows: int
    entries: int
    logs: int

    def __str__(self) -> str:
        return f"{self.files} files, {self.rows} rows, {self.entries} entries in {self.logs} trees: every digest and every root is right"


def check(folder: Path, seen: Seen = lambda _: None) -> Checked:
    """Reads the backup from the disk and believes nothing of it. BadBackup says what is wrong. seen(rows) is told of progress."""
    manifest = read_manifest(folder)
    files = check_sums(folder)
    tables = {table["name"]: table for table in manifest["tables"]}
    stated = [each for name in STATED if name in tables for each in _stated(folder, tables[name], STATED[name])]
    stated += [(each["ledger"], each["size"], base64.b64decode(each["root"]), "The manifest") for each in manifest["ledgers"]]
    trees = Trees(_sizes(stated))
    for name, table in tables.items():
        columns = [column for column, _ in table["columns"]]
        rows = _counted(rows_of(folder, table), seen)
        if name in LOGS:
            _grow(trees, rows, [columns.index(column) for column in LOGS[name]], lines=name == "events")
        else:
            for _ in rows:
                pass
    faults = faults_of(trees, stated)
    if faults:
        raise BadBackup(" ".join(faults[:SHOWN]) + (f" And {len(faults) - SHOWN} more." if len(faults) > SHOWN else ""))
    return Checked(files, sum(table["rows"] for table in tables.values()), sum(trees.sizes.values()), len(trees.sizes))


def faults_of(trees: Trees, stated: list[tuple[str, int, bytes, str]]) -> list[str]:
    """What does not hold: roots that were stated and are not, and logs of which nobody states anything."""
    trees.end()
    for log, size, root, what in stated:
        trees.compare(log, size, root, what)
    heads = {log: size for log, size, _, what in stated if what == HEAD}
    for log, size in trees.sizes.items():
        if log in heads and heads[log] != size:
            trees.faults.append(f"{log} has {size} entries, and its head says {heads[log]}.")
        if log not in heads:
            trees.faults.append(f"{log} has entries and no head.")
    return trees.faults


def _sizes(stated: list[tuple[str, int, bytes, str]]) -> Mapping[str, set[int]]:
    sizes: dict[str, set[int]] = {}
    for log, size, _, _ in stated:
        sizes.setdefault(log, set()).add(size)
    return sizes


def _stated(folder: Path, table: dict[str, Any], what: str) -> Iterator[tuple[str, int, bytes, str]]:
    columns = [column for column, _ in table["columns"]]
    log, size, root = (columns.index(name) for name in ("ledger", "size", "root"))
    for row in rows_of(folder, table):
        yield row[log], row[size], row[root], what


def _grow(trees: Trees, rows: Iterator[list[Any]], at: list[int], *, lines: bool) -> None:
    log, position, entry = at
    for row in rows:
        if lines and not says(row[entry], row[log], row[position]):
            trees.faults.append(f"The line at {row[position]} of {row[log]} says that it stands elsewhere.")
        trees.add(row[log], row[position], row[entry])


def says(line: bytes, ledger: str, position: int) -> bool:
    """Whether a recorded line names the place where it stands."""
    return line.startswith(b'{"ledger":%b,"position":%d,' % (orjson.dumps(ledger), position))


def _counted(rows: Iterator[list[Any]], seen: Seen) -> Iterator[list[Any]]:
    number = 0
    for row in rows:
        number += 1
        if number % 2000 == 0:
            seen(2000)
        yield row
    seen(number % 2000)
