"""The root log's checkpoint is stamped by an authority of RFC 3161 (openssl ts), and openssl alone verifies what is served."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from service.audit.tables import ROOT, published
from service.audit.timestamps import latest
from service.database import reading
from service.ledger.note import open_note
from service.wiring import Gridtrail, make_app
from tests.ledger.cast import append, drafts
from tests.sync.town import SUB_A, Town

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl is not there")

SETTINGS = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
"""


def openssl(*words: str, folder: Path) -> str:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's keys and settings."""
    folder = tmp_path_factory.mktemp("tsa")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-x509", "-config", "/dev/null"]
    openssl("req", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", folder=folder)
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "extendedKeyUsage=critical,timeStamping"]
    openssl("req", *key, *signed, "-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=Test TSA", folder=folder)
    (folder / "tsa.cnf").write_text(SETTINGS.format(folder=folder))
    (folder / "serial").write_text("01\n")
    return folder


class Office:
    """The service with an authority, and what the authority was asked."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town, self.folder = town, folder
        config = replace(town.gridtrail.config, tsa_url="http://tsa.example", open_logs=True)
        self.pieces = Gridtrail(config, clock=town.clock, database=town.gridtrail.database)
        self.stamps = self.pieces.publisher.timestamps
        self.stamps.post = self.post
        self.asked: list[bytes] = []
        self.moment = 0.0
        self.stamps.now = lambda: self.moment

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append(body)
        (self.folder / "query.tsq").write_bytes(body)
        openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr", folder=self.folder)
        return 200, (self.folder / "reply.tsr").read_bytes()

    def latest(self):
        with reading(self.pieces.database) as conn:
            return latest(conn)

    def grow(self, **by: float) -> None:
        append(self.pieces.ledgers, SUB_A, drafts(1))
        self.town.clock.forward(**by)
        self.pieces.publisher.turn()


@pytest.fixture
def office(town: Town, authority: Path) -> Office:
    return Office(town, authority)


def test_openssl_verifies_what_is_served(office: Office) -> None:
    office.pieces.publisher.turn()
    client = make_app(office.pieces).test_client()
    answer, note = client.get("/log/root/timestamp"), client.get("/log/root/timestamp/checkpoint")
    assert (answer.status_code, answer.content_type) == (200, "application/timestamp-reply")
    (office.folder / "served.tsr").write_bytes(answer.data)
    (office.folder / "checkpoint").write_bytes(note.data)
    said = openssl("ts", "-verify", "-data", "checkpoint", "-in", "served.tsr", "-CAfile", "ca.pem", folder=office.folder)
    assert "Verification: OK" in said
    with reading(office.pieces.database) as conn:
        root = published(conn, ROOT)
    signer = office.pieces.watermark.signer(ROOT, root.incarnation)
    assert open_note(note.text, signer.verifier).split("\n")[1] == str(root.size)
    (office.folder / "checkpoint").write_bytes(note.data.replace(b"root", b"r00t", 1))
    wrong = ["openssl", "ts", "-verify", "-data", "checkpoint", "-in", "served.tsr", "-CAfile", "ca.pem"]
    assert subprocess.run(wrong, cwd=office.folder, capture_output=True, check=False).returncode != 0


def test_without_a_timestamp_there_is_nothing_there(town: Town) -> None:
    town.gridtrail.publisher.turn()
    app = make_app(Gridtrail(replace(town.gridtrail.config, open_logs=True), clock=town.clock, database=town.gridtrail.database))
    for path in ("/log/root/timestamp", "/log/root/timestamp/checkpoint"):
        assert app.test_client().get(path).status_code == 404


def test_it_is_stamped_at_most_so_often_and_only_where_it_grew(office: Office) -> None:
    office.pieces.publisher.turn()
    first = office.latest()
    office.grow(minutes=30)
    assert office.latest() == first
    office.grow(minutes=31)
    assert office.latest().size > first.size
    office.town.clock.forward(hours=5)
    office.pieces.publisher.turn()
    assert len(office.asked) == 2


@pytest.mark.parametrize("answer", [(200, b""), (200, b"<html>"), (503, b""), (200, bytes.fromhex("30053003020102"))])
def test_an_answer_that_is_none_is_not_kept_and_nobody_is_kept_waiting(office: Office, caplog, answer: tuple[int, bytes]) -> None:
    office.stamps.post = lambda url, body: answer
    assert office.pieces.publisher.turn() > 0
    assert office.latest() is None
    assert "was not timestamped" in caplog.text
    office.stamps.post = office.post
    office.pieces.publisher.turn()
    assert office.asked == []
    office.moment = 61.0
    office.pieces.publisher.turn()
    assert office.latest() is not None


def test_a_timestamp_of_something_else_or_of_an_earlier_question_is_not_kept(office: Office) -> None:
    office.pieces.publisher.turn()
    old = office.latest()
    office.stamps.post = lambda url, body: (200, old.token)
    office.grow(hours=2)
    assert office.latest() == old


def test_an_authority_that_is_away_stops_nothing(office: Office) -> None:
    def away(url: str, body: bytes) -> tuple[int, bytes]:
        raise OSError("no route to host")

    office.stamps.post = away
    assert office.pieces.publisher.turn() > 0
    assert office.latest() is None
