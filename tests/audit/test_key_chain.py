"""The key is handed on between two fetches: who has the old key alone verifies on; a forged chain and a stolen key are refused by name."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit.downloading import Answer, Downloads
from service.audit.fetching import Fetched, Fetching
from service.audit.rotating import Rotating, read_statements, statements_file
from service.audit.tables import ROOT, checkpoints, published
from service.audit.verifying.checkpoints import Keys, StolenKey
from service.audit.verifying.faults import Findings
from service.audit.verifying.run import verify
from service.audit.verifying.sources import Wanted, open_source
from service.database import reading
from service.ledger.keys import parse_key
from service.ledger.note import BadNote, Checkpoint, Signer
from service.ledger.rotation import Rotation
from service.wiring import Gridtrail, make_app
from tests.audit.history import SEED, SUB_A, Copy, key_of, make_sqlite

ORIGIN = "gridtrail.test"
SIGNERS = [Signer(ORIGIN, Ed25519PrivateKey.generate()) for _ in range(5)]


@pytest.fixture(scope="module")
def story(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story's file."""
    return make_sqlite(sqlite_template, tmp_path_factory.mktemp("story"))


class Deployment:
    """A service whose key is in a file, on a copy of the story, and an auditor who only ever knew its first key."""

    def __init__(self, copy: Copy, folder: Path) -> None:
        self.copy = copy
        self.folder = folder / "fetched"
        self.key_file = folder / "signing.key"
        self.key_file.write_text(SEED)
        self.key_file.chmod(0o600)
        self.config = copy.config(signing_key="", signing_key_file=str(self.key_file), open_logs=True, root_log_s=0.0)
        self.gridtrail = Gridtrail(self.config, database=copy.engine)
        self.client = make_app(self.gridtrail).test_client()
        self.first = Signer(ORIGIN, parse_key(SEED))
        self.instead: dict[str, bytes] = {}
        self.notes: list[str] = []

    def get(self, url: str, headers: dict[str, str], limit: int) -> Answer:
        path = url.removeprefix("http://town")
        if path in self.instead:
            return Answer(200, {}, self.instead[path][: limit + 1])
        got = self.client.get(path)
        return Answer(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.data[: limit + 1])

    def rotate(self, **said: Any) -> Rotation:
        """Hands the key on, and signs all logs anew."""
        (done,) = Rotating(self.gridtrail).rotate("yearly", **{"stolen": False, **said})
        self.gridtrail.signing_key._look_at = 0.0
        self.publish()
        return done

    def publish(self) -> None:
        self.gridtrail.publisher.turn()
        self.gridtrail.publisher.turn()

    def fetch(self, key: str = "") -> dict[str, Fetched]:
        fetching = Fetching(Downloads("http://town", None, self, sleep=lambda _: None), self.folder, Keys([key or key_of()]), 2)
        done = {each.log: each for each in fetching.fetch()}
        self.notes = fetching.notes
        return done

    def audit(self, source: str = "", key: str = "", **wanted: Any) -> Findings:
        asked = Wanted(**{"keys": (key or key_of(),), "rules": False, "read_models": False, **wanted})
        return verify(open_source(source or str(self.folder)), asked).findings

    def root_size(self) -> int:
        with reading(self.copy.engine) as conn:
            root = published(conn, ROOT)
        return root.size if root else 0

    def tell(self, statements: list[str]) -> bytes:
        """What a forger would serve as /log/keys."""
        told = json.dumps({"origin": ORIGIN, "key": str(SIGNERS[4].verifier), "rotations": statements}).encode()
        self.instead["/log/keys"] = told
        return told


@pytest.fixture
def service(story: Path, tmp_path: Path) -> Iterator[Deployment]:
    """The deployment."""
    shutil.copyfile(story, tmp_path / "copy.db")
    copy = Copy(f"sqlite:///{tmp_path / 'copy.db'}", tmp_path)
    yield Deployment(copy, tmp_path)
    copy.engine.dispose()


def kinds(findings: Findings) -> set[str]:
    return set(findings.counts)


def handed(old: Signer, new: Signer, last_valid: int | None = None) -> str:
    return Rotation(ORIGIN, old.verifier, new.verifier, "2026-11-21T01:00:00.000Z", last_valid, "yearly").sign(old, new)


def wrong(done: dict[str, Fetched]) -> dict[str, str]:
    return {log: each.wrong for log, each in done.items() if each.wrong}


# ---- the chain holds


def test_rotations_between_two_fetches_verify_with_the_old_key_alone(service: Deployment) -> None:
    assert wrong(service.fetch()) == {}
    service.rotate()
    done = service.rotate()
    assert wrong(service.fetch()) == {}
    assert (service.folder / "log/keys").read_bytes() == service.client.get("/log/keys").data
    assert sum("was handed on" in note for note in service.notes) == 2
    findings = service.audit()
    assert [str(fault) for fault in findings.faults] == []
    assert findings.checked["statements that the key was handed on"] == 2
    assert kinds(service.audit(key=str(done.new))) == {"root_log_entry"}, "whoever gives the newest key does not believe older entries"
    assert kinds(service.audit(service.copy.url)) == set()


def test_a_copy_without_the_file_is_led_by_the_citys_ledger(service: Deployment) -> None:
    service.rotate()
    service.fetch()
    (service.folder / "log/keys").unlink()
    assert kinds(service.audit()) == set()


def test_a_key_that_was_handed_on_while_fetching_is_followed(service: Deployment) -> None:
    before = service.client.get("/log/keys").data
    service.rotate()
    told = iter([before])
    get = service.get
    service.get = lambda url, headers, limit: (  # type: ignore[method-assign]
        Answer(200, {}, early) if url.endswith("/log/keys") and (early := next(told, None)) else get(url, headers, limit)
    )
    assert wrong(service.fetch()) == {}


# ---- the chain does not hold


def test_a_forged_statement_is_refused_by_fetch_and_kept(service: Deployment) -> None:
    service.fetch()
    genuine = (service.folder / "log/keys").read_bytes()
    thief = SIGNERS[0]
    half = handed(service.first, thief).split("\n\n")[0] + "\n\n" + thief.sign(Rotation.read(handed(service.first, thief)).text())
    for statements in ([half], [handed(SIGNERS[1], thief), handed(SIGNERS[2], thief)], ["nonsense"]):
        told = service.tell(statements)
        assert "key_chain_wrong" in wrong(service.fetch())["keys"]
        assert told in [path.read_bytes() for path in (service.folder / "evidence").iterdir()]
    assert (service.folder / "log/keys").read_bytes() == genuine


@pytest.mark.parametrize("plain", [b"", b"[]", b'{"rotations":[1]}', b"[" * 100_000, b'{"rotations":["\\ud800"]}'])
def test_what_is_no_list_of_statements_is_named(service: Deployment, plain: bytes) -> None:
    service.fetch()
    (service.folder / "log/keys").write_bytes(plain)
    assert kinds(service.audit()) == {"key_chain_wrong"}
    service.instead["/log/keys"] = plain
    assert "key_chain_wrong" in wrong(service.fetch())["keys"]


def test_statements_that_are_told_no_more_are_reported(service: Deployment) -> None:
    service.rotate()
    service.fetch()
    service.tell([])
    assert "not told any more" in wrong(service.fetch())["keys"]
    assert kinds(service.audit()) == set()


def test_a_rival_of_the_recorded_statement_leads_nobody(service: Deployment) -> None:
    service.rotate()
    service.fetch()
    service.tell([handed(service.first, SIGNERS[0])])
    (service.folder / "log/keys").write_bytes(service.instead["/log/keys"])
    findings = service.audit()
    assert kinds(findings) == {"key_chain_wrong"}
    assert "handed on before" in findings.faults[0].detail


def test_a_statement_with_a_hole_before_it_is_named(service: Deployment) -> None:
    service.rotate()
    service.rotate()
    service.fetch()
    first, second = read_statements(service.config)
    assert Keys([key_of()]).follow([first, second]).wrong == []
    damaged = Keys([key_of()]).follow([first.replace("yearly", "weekly"), second])
    assert (len(damaged.wrong), damaged.count) == (1, 0)
    forged = Keys([key_of()]).follow([first, handed(SIGNERS[0], SIGNERS[1]), second])
    assert (len(forged.wrong), forged.count) == (2, 2), "the genuine ones are followed, and both breaks are named"


# ---- theft


def signed(signer: Signer, origin: str, size: int) -> str:
    return Checkpoint(origin, size, bytes(32)).sign(signer.private_key)


def test_a_stolen_key_counts_up_to_the_size_that_the_statement_names_and_no_further() -> None:
    keys = Keys([str(SIGNERS[0].verifier)])
    followed = keys.follow([handed(SIGNERS[0], SIGNERS[1]), handed(SIGNERS[1], SIGNERS[2], 7)])
    assert (followed.wrong, followed.count) == ([], 2)
    root, ledger = f"{ORIGIN}/root/ab", f"{ORIGIN}/ledger/{SUB_A}/ab"
    for stolen in SIGNERS[:2]:
        assert keys.open(signed(stolen, root, 7)).size == 7
        assert keys.open(signed(stolen, ledger, 900), place=6).size == 900
        for late in (lambda: keys.open(signed(stolen, root, 8)), lambda: keys.open(signed(stolen, ledger, 9), place=7)):  # noqa: B023
            with pytest.raises(StolenKey, match="stolen key"):
                late()
        with pytest.raises(StolenKey):
            keys.open(signed(stolen, ledger, 9))
    assert keys.open(signed(SIGNERS[2], root, 8)).size == 8
    with pytest.raises(BadNote, match="known here"):
        keys.open(signed(SIGNERS[3], root, 1))


def test_an_older_limit_is_not_widened_by_a_later_theft() -> None:
    keys = Keys([str(SIGNERS[0].verifier)])
    keys.follow([handed(SIGNERS[0], SIGNERS[1], 5), handed(SIGNERS[1], SIGNERS[2], 40)])
    assert [keys.limits[each.verifier.public] for each in SIGNERS[:2]] == [5, 40]


def test_a_key_of_one_log_leads_to_a_key_of_that_log_alone() -> None:
    from service.ledger.note import Verifier

    root = f"{ORIGIN}/root/ab"
    keys = Keys([str(Verifier(root, SIGNERS[0].verifier.public))])
    keys.follow([handed(SIGNERS[0], SIGNERS[1])])
    assert keys.open(signed(SIGNERS[1], root, 3)).size == 3
    with pytest.raises(BadNote):
        keys.open(signed(SIGNERS[1], f"{ORIGIN}/ledger/{SUB_A}/ab", 3))


def test_after_a_theft_what_was_signed_before_still_verifies(service: Deployment) -> None:
    service.fetch()
    done = service.rotate(stolen=True)
    assert done.last_valid
    assert wrong(service.fetch()) == {}
    assert [str(fault) for fault in service.audit().faults] == []
    assert [str(fault) for fault in service.audit(service.copy.url).faults] == []


def test_what_the_thief_signs_after_the_theft_is_refused(service: Deployment) -> None:
    service.fetch()
    service.rotate(stolen=True)
    service.fetch()
    checkpoint = service.folder / "log" / SUB_A / "checkpoint"
    genuine = checkpoint.read_text()
    forged = Checkpoint.parse(genuine.partition("\n\n")[0] + "\n")
    late = Checkpoint(forged.origin, forged.size - 1, bytes(32)).sign(service.first.private_key)
    checkpoint.write_text(late)
    findings = service.audit()
    assert {fault.kind for fault in findings.faults if fault.ledger == SUB_A} == {"key_stolen"}
    service.instead[f"/log/{SUB_A}/checkpoint"] = (
        Checkpoint(forged.origin, forged.size + 1, bytes(32)).sign(service.first.private_key).encode()
    )
    assert "stolen key" in wrong(service.fetch())[SUB_A]
    with service.copy.engine.begin() as conn:
        conn.execute(sa.update(checkpoints).where(checkpoints.c.ledger == SUB_A).values(note=late))
    assert "key_stolen" in kinds(service.audit(service.copy.url))


def test_root_log_entries_beyond_the_last_valid_size_are_named_at_their_places(service: Deployment) -> None:
    service.fetch()
    size = service.root_size()
    service.rotate(stolen=True, last_valid=size - 2)
    service.fetch()
    for source in ("", service.copy.url):
        findings = service.audit(source)
        assert kinds(findings) == {"key_stolen"}
        assert {fault.position for fault in findings.faults if fault.ledger == ROOT} - {None} == {size - 2, size - 1}


def test_the_statements_file_is_what_is_served(service: Deployment) -> None:
    service.rotate()
    assert json.loads(service.client.get("/log/keys").data)["rotations"] == read_statements(service.config)
    assert statements_file(service.config).exists()
