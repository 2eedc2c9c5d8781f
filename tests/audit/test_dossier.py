"""Dossiers: one case that proves itself on a machine without Gridtrail, and whose every file, tampered with, is refused."""

import base64
import hashlib
import html
import io
import json
import re
import subprocess
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from projections import case_history
from projections.sight import EVERYTHING
from service.audit.dossiers import page, words
from service.audit.dossiers.script import script
from service.audit.dossiers.verifier import main, manifest_bytes, signed_by
from service.audit.dossiers.zones import zone_of
from service.database import open_database, reading, writing
from service.ledger import p256, schema
from service.ledger.note import COSIGNATURE, Verifier
from service.ledger.store import Draft
from service.personal.vault import Kept, digest_of
from tests.audit.test_witnessing import Stand
from tests.cli.conftest import terminal_on
from tests.sync.town import A1, CATEGORY, FIRE, OFFICER, SUB_A, Town

JPEG = b"\xff\xd8\xff\xe0 not a real picture, but it begins like one"
SUMMARY = 'Rubbish <script>alert(1)</script> & "more" 垃圾'


@dataclass
class Told:
    """A town, the case that its dossiers are about, and the dossier's bytes."""

    town: Town
    case: str
    folder: Path

    def dossier(self, **wanted: Any) -> bytes:
        made = self.town.gridtrail.dossiers.make(self.case, **wanted)
        return b"".join(self.town.gridtrail.dossiers.stream(made))

    @property
    def key(self) -> str:
        return str(self.town.gridtrail.signer.verifier)


def tell(database: sa.Engine, folder: Path, algorithm: str = "ed25519") -> Told:
    """A case through all four steps: on a tablet and at the console, with a photo and a refused entry."""
    town = Town(database, folder, root_log_s=0, publish_s=1)
    li, zhao, feng = town.tablet("li", algorithm=algorithm), town.tablet("zhao"), town.tablet("feng")
    case, photo = str(uuid4()), hashlib.sha256(JPEG).hexdigest()

    def say(tablet: Any, kind: str, minutes: float = 3, **said: Any) -> None:
        town.clock.forward(minutes=minutes)
        tablet.record(kind, case, A1, said)
        tablet.sync()

    li.add_photo(JPEG)
    say(li, "case.reported", category=CATEGORY, summary=SUMMARY, urgency="urgent", photos=[photo])
    say(li, "case.handled", result="swept it myself")
    say(zhao, "case.accepted", 40)
    say(zhao, "case.registered")
    say(zhao, "case.dispatched", to=FIRE)
    say(feng, "case.acknowledged")
    town.clock.forward(days=3)
    say(feng, "case.handled", result="Taken away", quantities={"bags": 3})
    town.gridtrail.follower.catch_up()
    town.gridtrail.inspection.act_on_case(OFFICER, UUID(case), SUB_A, "check", {"passed": True})
    say(zhao, "case.closed", note="done")
    town.gridtrail.follower.catch_up()
    return Told(town, case, folder)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One case for all tests that only read it."""
    folder = tmp_path_factory.mktemp("told")
    engine = open_database("sqlite://")
    schema.create_all(engine)
    return tell(engine, folder)


@pytest.fixture(scope="module")
def whole(told: Told) -> bytes:
    return told.dossier()


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """verify.py alone in a folder."""
    path = tmp_path_factory.mktemp("verifier") / "verify.py"
    path.write_bytes(script())
    return path


def files_of(dossier: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(dossier)) as whole:
        return {name.partition("/")[2]: whole.read(name) for name in whole.namelist()}


def unpacked(files: dict[str, bytes], folder: Path) -> Path:
    for name, plain in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plain)
    return folder


def verify(path: Path, *arguments: str) -> tuple[int, str]:
    """Runs the verifier in this process, as its own module; what it prints."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        status = main([str(path), *arguments])
    return status, out.getvalue()


def test_it_verifies_on_a_machine_that_has_never_seen_gridtrail(told: Told, whole: bytes, verifier: Path, tmp_path: Path):
    path = tmp_path / "case.zip"
    path.write_bytes(whole)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", ISOLATED, str(verifier), str(path), "--key", told.key],
        capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    assert "All holds" in ran.stdout
    assert re.search(r"\d+  tablets' entries proven under their seals", ran.stdout)


ISOLATED = """
import runpy, sys
from importlib.abc import MetaPathFinder

ALLOWED = {*sys.stdlib_module_names, "cryptography", "cffi", "_cffi_backend", "pycparser"}

class Only(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise AssertionError(f"verify.py asks for {name}")

sys.meta_path.insert(0, Only())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def other_kind(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The same case, reported on a tablet whose browser had no Ed25519."""
    engine = open_database("sqlite://")
    schema.create_all(engine)
    return tell(engine, tmp_path_factory.mktemp("other_kind"), "p256")


def test_a_tablet_that_signs_with_p256_is_verified_by_the_script_alone(other_kind: Told, verifier: Path, tmp_path: Path):
    path = tmp_path / "case.zip"
    path.write_bytes(other_kind.dossier())
    ran = subprocess.run(
        [sys.executable, "-I", "-c", ISOLATED, str(verifier), str(path), "--key", other_kind.key],
        capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    files = files_of(path.read_bytes())
    assert b"ECDSA P-256" in files["index.en.html"]
    assert b"Ed25519" in files["index.en.html"], "two tablets of this case sign with the one, one with the other"


def test_a_seal_of_p256_that_is_changed_is_found(other_kind: Told, tmp_path: Path):
    files = files_of(other_kind.dossier())
    enrolled = next(json.loads(plain) for name, plain in files.items() if name.startswith("ledgers/") and b'"algorithm":"p256"' in plain)
    tablet = enrolled["stream"]
    name = next(each for each in files if each.startswith(f"tablets/{tablet}/") and each.endswith(".tlog-proof"))
    head, _, coded = files[name].decode().rstrip("\n").rpartition(" ")
    plain = bytearray(base64.b64decode(coded))
    for at, what in ((0, "key id"), (10, "signature")):
        spoiled = bytearray(plain)
        spoiled[at] ^= 1
        changed = {**files, name: f"{head} {base64.b64encode(spoiled).decode()}\n".encode()}
        status, said = verify(written(relisted(changed), tmp_path), "--key", other_kind.key)
        assert status == 1, (what, said)


@pytest.mark.parametrize(("signature", "holds"), [("own", True), ("short", False), ("long", False), ("other", False)])
def test_the_script_judges_p256_as_the_service_does(signature: str, holds: bool):
    key, text = p256.PrivateKey.generate(), b"text"
    made = {"own": key.sign(text), "short": key.sign(text)[:-1], "long": key.sign(text) + b"\0", "other": key.sign(b"other")}[signature]
    public = key.public_key().public_bytes_raw()
    assert signed_by(public, made, text, "p256") is holds
    for broken in (public[:-1], public + b"\0", b"\x02" + public[1:33], b"\x04" + bytes(64)):
        assert not signed_by(broken, made, text, "p256")


def test_the_same_state_gives_the_same_bytes(told: Told, whole: bytes):
    assert told.dossier() == whole
    assert told.dossier(photos=False) != whole


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_it_agrees_with_itself_but_proves_nothing_without_a_key(whole: bytes, tmp_path: Path, form: str):
    path = tmp_path / "case.zip"
    path.write_bytes(whole)
    if form == "folder":
        path = unpacked(files_of(whole), tmp_path / "case")
    status, said = verify(path)
    assert (status, "anybody could have made it" in said) == (3, True)


def test_every_file_that_is_tampered_with_is_refused(told: Told, whole: bytes, tmp_path: Path):
    """A byte changed in any file; then the same by somebody who writes the list of digests anew as well."""
    files = files_of(whole)
    assert len(files) > 40
    for name, plain in files.items():
        at = len(plain) // 2
        changed = {**files, name: plain[:at] + bytes([plain[at] ^ 1]) + plain[at + 1 :]}
        status, said = verify(written(changed, tmp_path), "--key", told.key)
        assert status in (1, 2), (name, said)
        if name in ("dossier.json", "verify.py"):
            # The script in the folder is not the one that runs: only its digest tells. See the page: take it from elsewhere.
            continue
        status, said = verify(written(relisted(changed), tmp_path), "--key", told.key)
        assert status == 1, (name, said)


def test_every_file_that_is_taken_away_or_added_is_refused(told: Told, whole: bytes, tmp_path: Path):
    files = files_of(whole)
    for name in files:
        fewer = {other: plain for other, plain in files.items() if other != name}
        assert verify(written(fewer, tmp_path), "--key", told.key)[0] in (1, 2), name
        if name in ("dossier.json", "verify.py") or name.startswith("photos/") or name.endswith("checkpoint.tlog-proof"):
            continue
        assert verify(written(relisted(fewer), tmp_path), "--key", told.key)[0] in (1, 2), name
    assert verify(written(relisted({**files, "notes.txt": b"x"}), tmp_path), "--key", told.key)[0] == 1


def test_a_photo_that_is_taken_away_shows_on_the_page(told: Told, whole: bytes, tmp_path: Path):
    fewer = {name: plain for name, plain in files_of(whole).items() if not name.startswith("photos/")}
    status, said = verify(written(relisted(fewer), tmp_path), "--key", told.key)
    assert (status, "the page was changed" in said) == (1, True)


def written(files: dict[str, bytes], folder: Path) -> Path:
    path = folder / "tampered.zip"
    with zipfile.ZipFile(path, "w") as whole:
        for name, plain in files.items():
            whole.writestr(f"dossier/{name}", plain)
    return path


def relisted(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with a list of digests that fits them."""
    manifest = json.loads(files["dossier.json"])
    others = {name: plain for name, plain in files.items() if name != "dossier.json"}
    manifest["files"] = {name: {"bytes": len(plain), "sha256": hashlib.sha256(plain).hexdigest()} for name, plain in others.items()}
    return {**others, "dossier.json": manifest_bytes(manifest)}


@pytest.mark.parametrize(
    ("member", "value", "sentence"),
    [
        ("case", "00000000-0000-4000-8000-000000000000", "steps of the case"),
        ("ledger", "411502002", "steps of the case"),
        ("searched", [], "page was changed"),
        ("zone", {"name": "Asia/Shanghai", "offsets": [["1970-01-01T00:00:00.000Z", -600]]}, "not of the day"),
        ("zone", {"name": "Asia/Tokyo", "offsets": [["1970-01-01T00:00:00.000Z", 480]]}, "page was changed"),
        ("kind", "gridtrail-dossier/2", "It is of the kind"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(told: Told, whole: bytes, tmp_path: Path, member: str, value: Any, sentence: str):
    files = files_of(whole)
    files["dossier.json"] = manifest_bytes({**json.loads(files["dossier.json"]), member: value})
    status, said = verify(written(files, tmp_path), "--key", told.key)
    assert status in (1, 2)
    assert sentence in said


def test_a_dossier_made_with_another_key_is_refused(told: Told, whole: bytes, tmp_path: Path):
    """Somebody who has the code and not the key makes everything anew, and says that his key is the service's."""
    engine = open_database("sqlite://")
    schema.create_all(engine)
    forger = tell(engine, tmp_path)
    path = tmp_path / "forged.zip"
    path.write_bytes(forger.dossier())
    assert verify(path, "--key", forger.key)[0] == 0
    status, said = verify(path, "--key", told.key)
    assert (status, "no signature of" in said) == (1, True)


def test_a_witness_that_did_not_cosign_is_missed(told: Told, whole: bytes, tmp_path: Path):
    path = tmp_path / "case.zip"
    path.write_bytes(whole)
    witness = str(Verifier("witness.example", told.town.gridtrail.signer.verifier.public, COSIGNATURE))
    status, said = verify(path, "--key", told.key, "--witness", witness)
    assert (status, "has not cosigned" in said) == (1, True)
    for wrong in (["--key", "x"], ["--key", witness], ["--witness", told.key]):
        assert verify(path, *wrong)[0] == 2


def test_witnesses_that_cosigned_are_found(sqlite_url: str, tmp_path: Path):
    """Both have seen the first state; of the next, one of them: then the dossier stands under what that one cosigned."""
    told = tell(open_database(sqlite_url), tmp_path)
    stand = Stand(told.town, ["w1.example", "w2.example"])
    witnesses = {name: ("--witness", str(key.verifier)) for name, key in stand.keys.items()}
    stand.publisher.turn()
    path = tmp_path / "case.zip"
    path.write_bytes(told.dossier())
    status, said = verify(path, "--key", told.key, *witnesses["w1.example"], *witnesses["w2.example"])
    assert status == 0, said
    assert "w2.example cosigned the root log" in said
    stranger = str(Verifier("w1.example", Ed25519PrivateKey.generate().public_key().public_bytes_raw(), COSIGNATURE))
    assert verify(path, "--key", told.key, "--witness", stranger)[0] == 1
    stand.away.add("w2.example")
    told.town.clock.forward(minutes=61)
    told.town.gridtrail.inspection.act_on_case(OFFICER, UUID(told.case), SUB_A, "reopen", {"reason": "it is back"})
    stand.publisher.turn()
    path.write_bytes(told.dossier())
    assert verify(path, "--key", told.key, *witnesses["w1.example"])[0] == 0
    assert verify(path, "--key", told.key, *witnesses["w2.example"])[0] == 1


def test_an_entry_that_was_taken_after_all_is_proven_as_the_refusal_that_it_was(sqlite_url: str, tmp_path: Path):
    town = Town(open_database(sqlite_url), tmp_path, root_log_s=0)
    case, zhao, li = str(uuid4()), town.tablet("zhao"), town.tablet("li")
    zhao.record("case.accepted", case, A1, {})
    zhao.sync()
    li.record("case.reported", case, A1, {"category": CATEGORY, "summary": "x"})
    li.sync()
    (kept,) = town.events("refused.kept")
    town.gridtrail.inspection.reapply_refused(OFFICER, kept["ledger"], kept["stream"], "came too early")
    strange = town.hand("wang")
    strange.send([strange.entry(0, kind="case.handled", id=case, data=[1, {"a": None}]), strange.entry(1, kind=["<b>"], id=case.upper())])
    town.gridtrail.follower.catch_up()
    told = Told(town, case, tmp_path)
    path = tmp_path / "case.zip"
    path.write_bytes(told.dossier())
    status, said = verify(path, "--key", told.key)
    assert status == 0, said
    assert re.search(r"3  refused entries", said)
    assert re.search(r"2  tablets' entries", said)
    text = files_of(path.read_bytes())["index.en.html"].decode()
    assert "came too early" in text
    assert "<b>" not in text


def test_personal_values_are_opened_only_where_asked_and_only_if_they_fit(sqlite_url: str, tmp_path: Path):
    told = tell(open_database(sqlite_url), tmp_path)
    gridtrail, alive, erased = told.town.gridtrail, uuid4(), uuid4()
    values = {digest_of(text): text for text in (disclosure("note", "Mrs. Wang, 3rd floor"), disclosure("note", "Mr. Sun"))}
    fields = [{"subject": str(who), "field": "note", "digest": digest} for who, digest in zip((alive, erased), values, strict=True)]
    said = {"by": told.town.events("case.closed")[0]["state"]["by"], "role": "officer", "day": "2026-11-24", "holder": FIRE}
    said["happened_at"] = "2026-11-24T03:00:00.000Z"
    first = next(iter(values))
    with writing(gridtrail.database) as conn:
        gridtrail.vault.keep(conn, [Kept(SUB_A, alive, "note", first, values[first])])
        drafts = [
            Draft(UUID(told.case), 9, "case.verified", orjson.dumps({**said, "data": {"area": A1, "found": True, "personal": fields}})),
            Draft(erased, 1, "subject.erased", orjson.dumps({**said, "data": {"reason": "asked for it"}})),
        ]
        gridtrail.ledgers.append(conn, SUB_A, drafts)
    closed, opened = told.dossier(), told.dossier(personal=True)
    for dossier, shown in ((closed, False), (opened, True)):
        text = files_of(dossier)["index.en.html"].decode()
        assert ("Mrs. Wang" in text) is shown
        assert (first in text) is not shown
        assert '<span class="erased">erased</span>' in text
        assert (b"Mrs. Wang" in dossier) is shown
        assert verify(written(files_of(dossier), tmp_path), "--key", told.key)[0] == 0
    files = files_of(opened)
    for text, sentence in (
        (disclosure("note", "Mrs. Wu"), "is not the one that was recorded"),
        (disclosure("phone", "Mrs. Wang, 3rd floor"), "is not the one that was recorded"),
    ):
        changed = {**files, "disclosures.json": orjson.dumps({first: text})}
        status, told_so = verify(written(relisted(changed), tmp_path), "--key", told.key)
        assert (status, sentence in told_so) == (1, True), told_so
    stranger = {**files, "disclosures.json": orjson.dumps({**json.loads(files["disclosures.json"]), "A" * 43: "x"})}
    assert "which no line holds" in verify(written(relisted(stranger), tmp_path), "--key", told.key)[1]


def disclosure(field: str, value: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(["c2FsdHNhbHRzYWx0c2E", field, value])).decode().rstrip("=")


def test_the_lines_are_the_stored_ones_and_the_whole_trail_is_there(told: Told, whole: bytes):
    files, gridtrail = files_of(whole), told.town.gridtrail
    with reading(gridtrail.database) as conn:
        trail = case_history.history(conn, EVERYTHING, told.case, ledger=SUB_A)
        for row in trail:
            name = f"ledgers/{SUB_A}/{row['position']}.json"
            assert files[name] == bytes(gridtrail.ledgers.line(conn, SUB_A, row["position"]))
    assert [row["topic"] for row in trail][-1] == "case.closed"
    assert [row["topic"] for row in trail if row["topic"] not in words.TOPICS] == []


def test_the_page_tells_who_where_when_deadlines_and_overtime(told: Told, whole: bytes):
    files = files_of(whole)
    for language, late, refused in (("en", "late", "Refused entry, kept"), ("zh", "超时", "拒收留存")):
        text = files[f"index.{language}.html"].decode()
        assert "<script" not in text
        assert html.escape(SUMMARY) in text
        assert refused in text
        assert "not_yet_registered" in text
        assert f'<strong class="late">{late}</strong>' in text
        assert f'area {A1} <span class="code">{A1}</span>' in text
        assert f"photos/{hashlib.sha256(JPEG).hexdigest()}.jpg" in text
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    assert '2026-11-21 09:03:00</time> <span class="code">+08:00' in files["index.en.html"].decode()


def test_each_step_says_the_same_step_as_the_trail():
    for topic, step in case_history.STEP_OF.items():
        assert words.STEP_OF[topic.partition(".")[2]] == step
        assert topic in words.TOPICS


def test_every_word_is_there_in_both_languages():
    for table in (words.TOPICS, words.STEPS, words.FIELDS, words.DEADLINES, words.VALUES, words.PAGE):
        for name, pair in table.items():
            assert len(pair) == 2, name
            assert all(pair), name
    assert all(len(pair) == 2 for table in (words.PROVEN, words.UNPROVEN, words.HOW) for pair in table)


def test_the_citys_time_needs_no_database_of_zones():
    times = [f"2026-{month:02d}-15T12:00:00.000Z" for month in range(1, 13)]
    zone = ZoneInfo("America/Chicago")
    told = zone_of(zone, times)
    assert [minutes for _, minutes in told["offsets"]] == [-360, -300, -360]
    for text in [*times, "2026-03-08T07:59:59.999Z", "2026-03-08T08:00:00.000Z", "2026-11-01T06:59:59.999Z", "2026-11-01T07:00:00.000Z"]:
        offset = page.read_utc(text).astimezone(zone).utcoffset()
        assert offset is not None
        assert page.offset_at(told, text) == offset.total_seconds() / 60, text


@pytest.fixture
def stored(database_url: str, tmp_path: Path) -> tuple[str, Told]:
    return database_url, tell(open_database(database_url), tmp_path)


def test_the_command_writes_it_and_the_record_says_why(
    stored: tuple[str, Told], verifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url, told = stored
    settings = {
        "GRIDTRAIL_SIGNING_KEY_FILE": str(tmp_path / "signing.key"), "GRIDTRAIL_ORIGIN": "gridtrail.test",
        "GRIDTRAIL_PHOTOS_URL": str(tmp_path / "photos"), "GRIDTRAIL_ROOT_LOG_S": "0",
    }  # fmt: skip
    run = terminal_on(url, tmp_path, monkeypatch)
    said = run("dossier", told.case, "-o", "case.zip", "--purpose", "complaint 17", **settings).output
    assert "7 entries of tablets, 1 photos" in said
    assert Path("case.zip").read_bytes() == told.dossier()
    assert verify(Path("case.zip"), "--key", told.key)[0] == 0
    assert "No case" in run("dossier", uuid4(), "-o", "x.zip", "--purpose", "complaint 17", code=1, **settings).output
    run("dossier", "--verifier", "mine.py")
    assert Path("mine.py").read_bytes() == verifier.read_bytes()
    with reading(told.town.gridtrail.database) as conn:
        row = conn.execute(sa.text("SELECT object, purpose, ledger FROM access_log WHERE act = 'dossier'")).one()
    assert tuple(row) == (told.case, "complaint 17", SUB_A)
