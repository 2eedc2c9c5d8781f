"""``make audit-demo``: the whole story of a proof in one go, with the project's own commands on real input.

A year of a city's requests is told as the work of tablets; a witness cosigns; an auditor copies and verifies; somebody tampers, with the
database and then with the key as well, and is found; the database is lost and restored, and what the backup lacked comes back from the
tablets; a person is erased; and all of it verifies again. Every command is printed as it is run, and what it says below it.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import urllib3

from service.ledger.keys import load_key
from service.ledger.note import Checkpoint
from service.ledger.tree import Frontier, leaf_hashes
from service.tablet_client import Refused, Tablet, Unreachable

HERE = Path(__file__).resolve().parents[2]
DATA = HERE.parent / "shared" / "data" / "stlouis"
SAMPLE = HERE / "tests" / "data"
PASSWORD = "demo-grid-2026"
PEOPLE = """login,label,role,unit,from,to,password
ana,Auditor,auditor,2951,2000-01-01,,{password}
kim,Subdistrict officer,officer,{ledger},2000-01-01,,{password}
lee,Grid worker,worker,{grid},2000-01-01,,{password}
"""
SUBJECT = "3e0c6a52-8f5b-4b0e-9d57-1f3a7c2b9e10"
NAME, PHONE = "Wang Xiulan", "+1 314 555 0137"
WAIT_S = 120.0
SETTLED_S = 8.0
"""Longer than the publisher and the root log take over what was just recorded."""
LISTED = (0, 1)
"""Exit statuses of an import: 1 where it lists rows that it did not take."""
SHOWN = 14
"""Lines of a command's output that are printed."""


class Failed(Exception):
    """The story did not go as it must."""


class Stage:
    """A folder, its environment, and the processes that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.witness_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.witness_url = f"http://127.0.0.1:{self.witness_port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GRIDTRAIL_")},
            "PYTHONPATH": str(HERE),
            "GRIDTRAIL_CITY": "2951",
            "GRIDTRAIL_TIME_ZONE": "America/Chicago",
            "GRIDTRAIL_ORIGIN": "grid.stlouis.example",
            "GRIDTRAIL_PORT": str(self.port),
            "GRIDTRAIL_BASE_URL": self.url,
            "GRIDTRAIL_LOG_LEVEL": "error",
            "GRIDTRAIL_ROOT_LOG_S": "1",
        }
        self.key = self.witness_key = ""
        self.token = self.grid = self.attacked = ""
        self.last_root = b""

    # ---- commands

    def run(self, *arguments: object, code: int | tuple[int, ...] = 0, shown: int = SHOWN) -> str:
        """Runs ``gridtrail ARGUMENTS``, prints it and the first lines of what it says; gives all of it. Failed for another exit code."""
        said = [str(each) for each in arguments]
        print(f"$ gridtrail {self._short(said)}")
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *said],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        output = (done.stdout + done.stderr).rstrip()
        lines = output.splitlines()
        print("\n".join([*lines[:shown], *(["…"] if len(lines) > shown else [])]))
        if done.returncode:
            print(f"(exit status {done.returncode})")
        print(flush=True)
        if done.returncode not in (code if isinstance(code, tuple) else (code,)):
            raise Failed(f"gridtrail {said[0]} ended with {done.returncode}, not with {code}:\n{output}")
        return output

    def show(self, *command: str, name: str, code: int = 0) -> None:
        """Runs any other command in the folder and prints what it says."""
        print(f"$ {name} {self._short(command[1:])}")
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        print(f"{done.stdout}{done.stderr}", flush=True)
        if done.returncode != code:
            raise Failed(f"{name} ended with {done.returncode}, not with {code}")

    def _short(self, said: Sequence[str]) -> str:
        line = shlex.join(said)
        for name, value in (("$KEY", self.key), ("$WITNESS", self.witness_key)):
            line = line.replace(shlex.quote(value), f'"{name}"') if value else line
        return line

    @contextmanager
    def running(self, *arguments: str, at: str) -> Iterator[None]:
        """Runs a command beside the story until the block ends; waits until its address answers."""
        print(f"$ gridtrail {self._short(arguments)} &\n", flush=True)
        with (self.folder / "processes.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _until(lambda: _listens(at) or process.poll() is not None, f"{arguments[0]} does not answer at {at}")
            if process.poll() is not None:
                raise Failed(f"gridtrail {arguments[0]} ended at once; see {self.folder}/processes.log")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_S)

    def serving(self) -> Any:
        """The service with its engine and publisher."""
        return self.running("serve", "--with-engine", at=self.url)

    def ask(self, path: str, token: str = "", method: str = "GET", body: Any = None) -> tuple[int, bytes]:
        """One request, printed as curl would be typed."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = urllib3.request(method, f"{self.url}{path}", headers=headers, body=json.dumps(body) if body is not None else None)
        return answer.status, answer.data

    def log_in(self, login: str) -> str:
        """A session's token."""
        status, body = self.ask("/v1/sessions", method="POST", body={"login": login, "password": PASSWORD})
        if status != 201 and status != 200:
            raise Failed(f"{login} cannot log in: {status} {body!r}")
        return str(json.loads(body)["token"])

    @property
    def ledger(self) -> str:
        """The ledger of the grid that the story looks at."""
        return self.grid[:9]

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.folder / "var" / "gridtrail.db"

    @property
    def database_url(self) -> str:
        """Its URL, as the commands take it."""
        return "sqlite:///var/gridtrail.db"


def main() -> None:
    """Tells the story; exit status 1 where something did not go as it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("var/audit-demo"), help="is emptied first")
    parser.add_argument("--rows", type=int, default=400, help="rows of the real file that are told, where it is there")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    began = time.monotonic()
    try:
        tell(Stage(folder), *inputs(folder, options.rows))
    except Failed as wrong:
        raise SystemExit(f"The story went wrong: {wrong}") from None
    print(f"Told in {time.monotonic() - began:.0f} s. Everything lies in {folder}.")


def inputs(folder: Path, rows: int) -> tuple[Path, Path]:
    """Neighbourhoods and requests: the first rows of the real file where it lies beside the project, else the sample of the tests."""
    if not DATA.exists():
        return SAMPLE / "neighborhoods.geojson", SAMPLE / "requests.csv"
    requests = folder / "requests.csv"
    with (DATA / "service_requests_2008_2011.csv").open("rb") as whole, requests.open("wb") as part:
        part.writelines(line for number, line in enumerate(whole) if number <= rows)
    return DATA / "neighborhoods.geojson", requests


def tell(stage: Stage, neighbourhoods: Path, requests: Path) -> None:
    """The chapters, in order."""
    found_a_city(stage, neighbourhoods, requests)
    with stage.serving():
        work(stage, requests)
        case = a_case(stage)
        tablet = visit(stage)
        with witness(stage):
            audit(stage)
            say(f"tablet.prove() → {tablet.prove()}   (every tablet is a witness, too)")
            show_one_case(stage, case)
            back_up(stage)
            work_on(stage, tablet)
            audit(stage)
    tamper(stage)
    tamper_with_the_key(stage)
    lose_and_restore(stage, tablet)
    erase(stage)
    nothing_left(stage)


def heading(words: str) -> None:
    """A chapter's title."""
    print(f"\n## {words}\n", flush=True)


def say(words: str) -> None:
    """What happens beside the command line."""
    print(f"> {words}\n", flush=True)


# ---- chapters


def found_a_city(stage: Stage, neighbourhoods: Path, requests: Path) -> None:
    heading("A city and its key, and the key of a witness")
    stage.run("db", "upgrade")
    stage.run("areas", "import", neighbourhoods, "--mapping", "stlouis", "--pairs", requests, code=LISTED)
    stage.grid = _a_grid(stage)
    (stage.folder / "people.csv").write_text(PEOPLE.format(password=PASSWORD, ledger=stage.ledger, grid=stage.grid))
    stage.run("people", "import", "people.csv")
    stage.key = stage.run("keys", "show")
    stage.witness_key = stage.run("witness", "new-key", "witness.key", "--name", "witness.audit-office.example/1")
    stage.environment["GRIDTRAIL_WITNESSES"] = f"{stage.witness_key}@{stage.witness_url}"


def witness(stage: Stage) -> AbstractContextManager[None]:
    """The other body's witness, which watches the root log from now on."""
    heading("Another body runs a witness of the root log, on its own machine with its own key")
    _until(lambda: stage.ask("/log/root/checkpoint", stage.token)[0] == 200, "the root log is not published")
    root_key = stage.run("keys", "show", "--log", "root")
    command = ("witness", "run", "--key", "witness.key", "--state", "witness", "--log", root_key, "--port", str(stage.witness_port))
    return stage.running(*command, at=stage.witness_url)


def work(stage: Stage, requests: Path) -> None:
    heading("Upload: the requests, told as the work of tablets")
    stage.run("cases", "import", requests, "--mapping", "stlouis", "--url", stage.url, "--tablets", "tablets", code=LISTED)


def a_case(stage: Stage) -> str:
    """The id of a case with a long trail."""
    stage.token = stage.log_in("ana")
    status, body = stage.ask("/v1/cases?open=false&limit=1", stage.token)
    if status != 200 or not json.loads(body)["items"]:
        raise Failed(f"there is no closed case: {status} {body!r}")
    return str(json.loads(body)["items"][0]["case_id"])


def visit(stage: Stage) -> Tablet:
    """A worker visits somebody and records personal values, as disclosures. Gives the tablet."""
    heading("A visit, with personal values that the history holds as salted digests only")
    code = stage.run("tablets", "enrol", "--login", "lee", shown=1).splitlines()[0].split()[1]
    tablet = Tablet.enrol(stage.url, code, str(stage.folder / "lee.outbox"))
    said = {"household": "H-0815", "outcome": "met"}
    personal = {"resident_name": NAME, "resident_phone": PHONE, "need_voiced": "A handrail in the bathroom"}
    say(f"tablet.record('visit.made', …, {said}, personal={{'resident_name': {NAME!r}, …}}, subject={SUBJECT!r})")
    tablet.record("visit.made", str(uuid4()), stage.grid, said, personal=personal, subject=SUBJECT)
    say(f"tablet.sync()  → {tablet.sync()}")
    return tablet


def audit(stage: Stage, copy: str = "copy") -> None:
    """Copies everything as an auditor does and verifies the copy, without the database."""
    heading("The auditor copies the history and verifies it, with the service's key and the witness's")
    stage.last_root = b""
    _until(lambda: _cosigned(stage), "the witness did not cosign")
    print(f"$ curl {stage.url}/log/root/checkpoint\n{stage.ask('/log/root/checkpoint', stage.token)[1].decode()}")
    stage.environment["GRIDTRAIL_AUDIT_TOKEN"] = stage.token
    stage.run("audit", "fetch", stage.url, copy, "--key", stage.key)
    stage.run("audit", "verify", copy, "--key", stage.key, "--witness", stage.witness_key, "--jobs", "1", shown=30)


def show_one_case(stage: Stage, case: str) -> None:
    """One entry's proof, and one case as a dossier that verifies without Gridtrail."""
    heading("One entry proved, and one case in a dossier that needs no Gridtrail to be verified")
    stage.run("proof", "get", stage.ledger, "3", "--output", "3.tlog-proof", "--entry", "3.entry")
    log_key = stage.run("keys", "show", "--log", stage.ledger)
    stage.run("proof", "verify", "3.tlog-proof", "--entry", "3.entry", "--key", log_key)
    stage.run("dossier", case, "-o", "case.zip", "--purpose", "The story of the audit chapter")
    with zipfile.ZipFile(stage.folder / "case.zip") as dossier:
        (stage.folder / "verify.py").write_bytes(dossier.read(next(name for name in dossier.namelist() if name.endswith("verify.py"))))
    stage.show(sys.executable, "-I", "verify.py", "case.zip", "--key", stage.key, "--witness", stage.witness_key, name="python3")


def tamper(stage: Stage) -> None:
    """Somebody with the database changes one byte."""
    heading("Somebody with the database changes one date of the past")
    position = _change_a_date(stage, "UPDATE events SET line = ? WHERE ledger = ? AND position = ?")
    say(f"sqlite3: UPDATE events SET line = … WHERE ledger = '{stage.attacked}' AND position = {position}  (the triggers dropped first)")
    stage.run("audit", "verify", stage.database_url, "--key", stage.key, "--without-read-models", "--jobs", "1", code=1, shown=24)


def tamper_with_the_key(stage: Stage) -> None:
    """The same with the signing key: the whole tree is made anew and signed. The witness has cosigned the old one."""
    heading("The same person has the signing key as well, makes the whole tree anew, and signs it")
    _sign_the_lie(stage)
    say("every hash, head, tile and checkpoint of the ledger is made again from the changed lines, and signed with the stolen key")
    stage.run("audit", "verify", stage.database_url, "--key", stage.key, "--witness", stage.witness_key, "--jobs", "1", code=1, shown=40)
    say("and whoever kept an older checkpoint finds it too:")
    kept = f"copy/log/{stage.attacked}/checkpoint"
    stage.run("audit", "verify", stage.database_url, "--key", stage.key, "--checkpoint", kept, "--jobs", "1", code=1)


def back_up(stage: Stage) -> None:
    heading("A backup, verified after it was written")
    stage.run("backup", "backup-1", shown=4)


def work_on(stage: Stage, tablet: Tablet) -> None:
    heading("The work goes on after the backup")
    for number in range(3):
        tablet.record("visit.made", str(uuid4()), stage.grid, {"household": f"H-09{number}", "outcome": "no_one_home"})
    say(f"tablet.sync()  → {tablet.sync()}")


def lose_and_restore(stage: Stage, tablet: Tablet) -> None:
    """The database is lost; the backup lacks what was signed since; the service refuses to write until it is told to go on."""
    heading("The database is lost, and restored from the backup, which lacks what was signed since")
    for file in stage.database.parent.glob("gridtrail.db*"):
        file.unlink()
    stage.run("restore", "backup-1")
    with stage.serving():
        say("a tablet comes with its next entry:")
        tablet.record("visit.made", str(uuid4()), stage.grid, {"household": "H-0999", "outcome": "no_one_home"})
        tablet.attempts = 1
        try:
            say(f"tablet.sync()  → {tablet.sync()}")
            raise Failed("the service recorded into a history that is behind what was signed")
        except (Unreachable, Refused) as no:
            say(f"tablet.sync()  → {type(no).__name__}: {no}")
    stage.run(
        "ledger", "continue", "--new-incarnation", "--reason", "Restored from backup-1 after the disk was lost", "--approved-by", "kim"
    )
    with stage.serving():
        tablet.attempts = 8
        say(f"tablet.sync()  → {tablet.sync()}   (sends again what the backup lacked)")
        stage.token = stage.log_in("ana")
        with witness(stage):
            audit(stage, "copy-2")


def erase(stage: Stage) -> None:
    """A person asks to be forgotten."""
    heading("A person asks to be forgotten")
    stage.run("subject", "report", SUBJECT, "--purpose", "The person asked what is held")
    stage.run("subject", "erase", SUBJECT, "--reason", "request", "--reference", "letter/2026-17")
    stage.run("subject", "report", SUBJECT, "--purpose", "To show the person that it is done")


def nothing_left(stage: Stage) -> None:
    """No file of the service holds the value any more, and all still verifies."""
    heading("No file of the service holds the values any more, and every proof still holds")
    found = [path.name for path in stage.database.parent.rglob("*") if path.is_file() and _holds(path, NAME, PHONE)]
    say(f"files of the service that hold {NAME!r} or {PHONE!r} in the clear: {found or 'none'}")
    if found:
        raise Failed(f"{found} still hold the erased values")
    stage.run("engine", "catch-up", shown=1)
    stage.run("audit", "verify", stage.database_url, "--key", stage.key, "--with-vault", "--jobs", "1", shown=30)


# ---- an attacker


def _change_a_date(stage: Stage, statement: str) -> int:
    """Changes when something was handled, as somebody would who has the database's file. Gives the position."""
    with sqlite3.connect(stage.database) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        query = "SELECT ledger, position, line FROM events WHERE topic = 'case.handled' ORDER BY ledger, position LIMIT 1"
        stage.attacked, position, line = db.execute(query).fetchone()
        changed = bytes(line).replace(b'"happened_at":"20', b'"happened_at":"19', 1)
        db.execute(statement, (changed, stage.attacked, position))
    db.close()
    return int(position)


def _sign_the_lie(stage: Stage) -> None:
    """What somebody with the database and the key can do: all that is computed follows from the changed lines again."""
    log, key = stage.attacked, load_key(stage.folder / "var" / "signing.key")
    with sqlite3.connect(stage.database) as db:
        lines = [bytes(line) for (line,) in db.execute("SELECT line FROM events WHERE ledger = ? ORDER BY position", (log,))]
        frontier = Frontier()
        frontier.extend(leaf_hashes(lines))
        head = (frontier.to_bytes(), frontier.root(), log)
        db.execute("UPDATE ledgers SET frontier = ?, root = ? WHERE ledger = ?", head)
        db.execute("DELETE FROM tiles WHERE ledger = ?", (log,))
        (origin,) = db.execute("SELECT origin FROM checkpoints WHERE ledger = ?", (log,)).fetchone()
        note = Checkpoint(origin, frontier.size, frontier.root()).sign(key)
        signed = (frontier.size, frontier.root(), note, log)
        db.execute("UPDATE checkpoints SET size = ?, root = ?, note = ? WHERE ledger = ?", signed)
    db.close()


def _a_grid(stage: Stage) -> str:
    """The first grid of the ledger that has most of them."""
    with sqlite3.connect(stage.database) as db:
        query = "SELECT min(code) FROM areas WHERE length(code) = 15 GROUP BY substr(code, 1, 9) ORDER BY count(*) DESC, 1 LIMIT 1"
        (code,) = db.execute(query).fetchone()
    db.close()
    return str(code)


def _holds(path: Path, *values: str) -> bool:
    content = path.read_bytes()
    return any(value.encode() in content for value in values)


def _cosigned(stage: Stage) -> bool:
    """Whether the published root checkpoint bears the witness's cosignature, and nothing newer is on its way."""
    note = stage.ask("/log/root/checkpoint", stage.token)[1]
    settled = note == stage.last_root and f"— {stage.witness_key.partition('+')[0]} " in note.decode()
    stage.last_root = note
    if not settled:
        time.sleep(SETTLED_S)
    return settled


# ---- small things


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(url: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def _until(holds: Any, otherwise: str) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > until:
            raise Failed(otherwise)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
