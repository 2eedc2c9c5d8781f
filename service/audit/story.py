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
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.tablet_client import Tablet

HERE = Path(__file__).resolve().parents[2]
DATA = HERE.parent / "shared" / "data" / "stlouis"
SAMPLE = HERE / "tests" / "data"
LEDGER = "295100001"
GRID = "295100001001001"
PASSWORD = "demo-grid-2026"
PEOPLE = f"""login,label,role,unit,from,to,password
ana,Auditor,auditor,2951,2000-01-01,,{PASSWORD}
kim,Subdistrict officer,officer,{LEDGER},2000-01-01,,{PASSWORD}
lee,Grid worker,worker,{GRID},2000-01-01,,{PASSWORD}
"""
WAIT_S = 60.0
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
        self.token = ""

    # ---- commands

    def run(self, *arguments: object, code: int = 0, typed: str | None = None, shown: int = SHOWN) -> str:
        """Runs ``gridtrail ARGUMENTS``, prints it and the first lines of what it says; gives all of it. Failed for another exit code."""
        said = [str(each) for each in arguments]
        print(f"$ gridtrail {self._short(said)}")
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *said],
            cwd=self.folder,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
        )
        output = (done.stdout + done.stderr).rstrip()
        lines = output.splitlines()
        print("\n".join([*lines[:shown], *(["…"] if len(lines) > shown else [])]))
        if done.returncode:
            print(f"(exit status {done.returncode})")
        print(flush=True)
        if done.returncode != code:
            raise Failed(f"gridtrail {said[0]} ended with {done.returncode}, not with {code}:\n{output}")
        return output

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
        import urllib3

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
    def database(self) -> Path:
        return self.folder / "var" / "gridtrail.db"


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
    with stage.running(*witness_command(stage), at=stage.witness_url):
        with stage.serving():
            work(stage, requests)
            case = a_case(stage)
            tablet = visit(stage)
            audit(stage)
            show_one_case(stage, case)
        tamper(stage)
        tamper_with_the_key(stage)
        lose_and_restore(stage, tablet)
        with stage.serving():
            erase(stage, tablet)
            verify_again(stage)


def heading(words: str) -> None:
    """A chapter's title."""
    print(f"\n## {words}\n", flush=True)


# ---- chapters


def found_a_city(stage: Stage, neighbourhoods: Path, requests: Path) -> None:
    heading("A city, its key, and a witness that another body runs")
    (stage.folder / "people.csv").write_text(PEOPLE)
    stage.run("db", "upgrade")
    stage.run("areas", "import", neighbourhoods, "--mapping", "stlouis", "--pairs", requests)
    stage.run("people", "import", "people.csv")
    stage.key = stage.run("keys", "show")
    stage.witness_key = stage.run("witness", "new-key", "witness.key", "--name", "witness.audit-office.example/1")
    stage.environment["GRIDTRAIL_WITNESSES"] = f"{stage.witness_key}@{stage.witness_url}"


def witness_command(stage: Stage) -> list[str]:
    return ["witness", "run", "--key", "witness.key", "--state", "witness", "--log", stage.key, "--port", str(stage.witness_port)]


def work(stage: Stage, requests: Path) -> None:
    heading("Upload: the requests, told as the work of tablets")
    stage.run("cases", "import", requests, "--mapping", "stlouis", "--url", stage.url, "--tablets", "tablets")


def a_case(stage: Stage) -> str:
    """The id of a case with a long trail."""
    stage.token = stage.log_in("ana")
    status, body = stage.ask("/v1/cases?open=false&limit=1", stage.token)
    if status != 200 or not json.loads(body)["items"]:
        raise Failed(f"there is no closed case: {status} {body!r}")
    return str(json.loads(body)["items"][0]["case_id"])


def visit(stage: Stage) -> Tablet:
    """A worker visits somebody and records personal values, as disclosures."""
    heading("A visit, with personal values that the history holds as salted digests only")
    code = stage.run("tablets", "enrol", "--login", "lee", shown=1).splitlines()[0].split()[1]
    tablet = Tablet.enrol(stage.url, code, str(stage.folder / "lee.outbox"))
    return tablet


def audit(stage: Stage) -> None:
    raise NotImplementedError


def show_one_case(stage: Stage, case: str) -> None:
    raise NotImplementedError


def tamper(stage: Stage) -> None:
    raise NotImplementedError


def tamper_with_the_key(stage: Stage) -> None:
    raise NotImplementedError


def lose_and_restore(stage: Stage, tablet: Tablet) -> None:
    raise NotImplementedError


def erase(stage: Stage, tablet: Tablet) -> None:
    raise NotImplementedError


def verify_again(stage: Stage) -> None:
    raise NotImplementedError


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
