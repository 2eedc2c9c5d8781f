"""The reference client: what a tablet does, over docs/sync-protocol.md alone. Read by the seed, the simulator, the bench and the tests.

It survives a crash at any point: every step is taken from what the outbox holds, and sending again is always right.
"""

import base64
import gzip
import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.personal import Item, digest_of, disclosed, pairs_of
from service.ledger import p256
from service.ledger.note import BadNote, Checkpoint, PrivateKey, Verifier, open_note, unbase64
from service.ledger.rotation import MOST_STATEMENTS, Trusted, follow
from service.ledger.tree import EMPTY_ROOT, Frontier
from service.sync.codes import proof_text
from service.tablet_answers import ENROLLED, FORMS, TAKEN, fits
from service.tablet_outbox import LostHistory, OtherHistory, Outbox, entry_bytes
from service.tablet_proving import Proved, prove

__all__ = ["Answer", "LostHistory", "OtherHistory", "Proved", "Refused", "Synced", "Tablet", "Unreachable"]

ATTEMPTS = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request is right: nothing was recorded, or it is found again."""
DAMAGED = frozenset({"root_mismatch", "length_mismatch", "no_seal", "bad_gzip"})
"""Codes that say that the body suffered on the way."""
SMALLER = frozenset({"too_large", "too_many_entries", "too_slow"})
KEYS: dict[str, Any] = {"ed25519": Ed25519PrivateKey, "p256": p256.PrivateKey}
"""What a tablet can sign with."""
FOR_GOOD = frozenset({413, 415, 422})
"""Statuses after which a photo is not sent again: it is too large, or is none."""
PASSING = ("too_many_unnamed", "tablet_not_active")
"""Refusals of personal values that may pass once the entries are recorded: such are sent again then."""


class Unreachable(Exception):
    """The service did not answer, or said to come again later, as often as was tried. Everything is still in the outbox."""


class Refused(Exception):
    """The service said no, and sending the same again would not help. code and facts are those of the problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.facts = status, problem
        self.code = problem.get("code", "")
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; an empty object where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class Transport(Protocol):
    """How requests leave the tablet. OSError where no answer came."""

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer: ...


class Http:
    """Requests over urllib3, which is told not to try again by itself."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.pool = urllib3.PoolManager(retries=False, timeout=timeout_s)

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One request."""
        try:
            answer = self.pool.request(method, url, headers=headers, body=body)
        except urllib3.exceptions.HTTPError as lost:
            raise OSError(str(lost)) from lost
        return Answer(answer.status, answer.headers, answer.data)


@dataclass(frozen=True, slots=True)
class Synced:
    """What one synchronisation did: how many entries got which outcome, and what was sent beside."""

    recorded: int = 0
    duplicate: int = 0
    refused: int = 0
    photos: int = 0
    photos_refused: int = 0
    batches: int = 0
    rewound: int = 0
    disclosures: int = 0
    disclosures_refused: int = 0


def _nothing(step: str) -> None:
    """Stands at the points where a test lets the tablet die."""


class Tablet:
    """One enrolled tablet on one outbox file."""

    def __init__(
        self,
        store_path: str,
        *,
        transport: Transport | None = None,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        mono: Callable[[], float] = time.monotonic,
        boot: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        at: Callable[[str], None] = _nothing,
        compress: bool = True,
        attempts: int = ATTEMPTS,
        batch_entries: int | None = None,
        algorithm: str = "ed25519",
    ) -> None:
        self.outbox = Outbox(store_path)
        self.transport = transport or Http()
        self.wall, self.mono, self.sleep, self.chance, self.at = wall, mono, sleep, chance, at
        self.boot = boot or uuid.uuid4().hex
        self.compress = compress
        self.attempts = attempts
        self._batch_entries = batch_entries
        self._algorithm = algorithm
        self._key: PrivateKey | None = None

    # ---- enrolment

    @classmethod
    def enrol(cls, url: str, code: str, store_path: str, *, label: str | None = None, **options: Any) -> "Tablet":
        """A tablet enrolled with a code. Calling it again after a crash goes on with the same key."""
        tablet = cls(store_path, **options)
        tablet._enrol(url.rstrip("/"), code, label)
        return tablet

    def _enrol(self, url: str, code: str, label: str | None) -> None:
        if self.outbox.fact("token"):
            return
        if not self.outbox.fact("seed"):
            # The key is on disk before the service hears of it, or a lost answer would lose the tablet.
            made = KEYS[self._algorithm].generate()
            self.outbox.remember(seed=base64.b64encode(made.private_bytes_raw()).decode(), algorithm=self._algorithm)
        self.outbox.remember(url=url)
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        proof = base64.b64encode(self.key.sign(proof_text(code, public))).decode()
        asked = {"code": code, "public_key": public, "proof": proof, "algorithm": self.outbox.fact("algorithm"), "label": label}
        body = json.dumps({name: value for name, value in asked.items() if value is not None}).encode()
        self.at("enrolling")
        told = self._told("POST", "/v1/tablets/enrolments", body, {"Content-Type": "application/json"}, token=False)
        self.at("enrolled")
        with self.outbox.changing():
            self.outbox.remember(**{name: told[name] for name in (*ENROLLED, "limits")})

    def enrol_again(self, code: str) -> None:
        """After a restore of a backup that is older than the enrolment: enrols with a new code and the same key, and sends all anew.

        Refused where the service knows the tablet: then sync sends again what is missing. LostHistory where entry 0 was forgotten.
        """
        if self.outbox.fact("token"):
            try:
                self._told("GET", "/v1/sync/standing", None, {})
            except Refused as no:
                if no.status != 401:
                    raise
            else:
                raise Refused(409, {"code": "known_tablet", "detail": "The service knows this tablet; sync sends again what it lacks."})
            self.outbox.rewind(0, EMPTY_ROOT)
            self.outbox.remember(token=None, incarnations={}, cursor=None, agreed=None, forked=None)
            self.outbox.db.execute("UPDATE photos SET sent = 0")
        self._enrol(self.outbox.fact("url"), code, None)

    @property
    def key(self) -> PrivateKey:
        """The tablet's private key, of the algorithm that it was made for."""
        if self._key is None:
            kind = KEYS[self.outbox.fact("algorithm", "ed25519")]
            made: PrivateKey = kind.from_private_bytes(base64.b64decode(self.outbox.fact("seed")))
            self._key = made
        return self._key

    @property
    def id(self) -> str:
        """The tablet's id."""
        return str(self.outbox.fact("tablet"))

    # ---- recording

    def record(
        self,
        kind: str,
        stream: str,
        area: str,
        data: dict[str, Any],
        occurred_at: datetime | str | None = None,
        *,
        v: int = 1,
        personal: Mapping[str, Any] | None = None,
        subject: str | None = None,
    ) -> int:
        """Makes the next entry and stores it durably. Gives its number. ValueError where it is no JSON or too long.

        personal   values by declared field, several of one field in a list: each is salted and kept as a disclosure, and the entry holds
                   its digest only
        subject    whom they are about; the household's or the case's as this tablet knows it, or a new random id, where none is given
        """
        moment = occurred_at or self.wall()
        with self.outbox.changing():
            seq = self.outbox.size
            if personal:
                data = {**data, "personal": self._disclose(str(stream), area, data, personal, subject)}
            entry = {
                "seq": seq,
                "kind": kind,
                "v": v,
                "id": str(stream),
                "area": area,
                "occurred_at": moment if isinstance(moment, str) else moment.isoformat(timespec="milliseconds"),
                "mono_ms": int(self.mono() * 1000),
                "boot": self.boot,
                "data": data,
            }
            raw = entry_bytes(entry)
            if len(raw) > self._limit("entry_bytes"):
                raise ValueError(f"The entry has {len(raw)} bytes; the service takes {self._limit('entry_bytes')}.")
            self.at("recording")
            self.outbox.append(raw)
        self.at("recorded")
        return seq

    def _disclose(self, stream: str, area: str, data: dict[str, Any], personal: Mapping[str, Any], subject: str | None) -> list[Item]:
        """The items of an entry; its disclosures are in the same transaction of the outbox as the entry."""
        about = subject or self.outbox.subject_of(*(name for name in (data.get("household"), stream, data.get("visit")) if name))
        items, disclosures = disclosed(about, pairs_of(personal))
        kept = dict(zip((item["digest"] for item in items), disclosures, strict=True))
        self.outbox.keep_disclosures(about, area, kept)
        return items

    def add_photo(self, content: bytes) -> str:
        """Keeps a photo until it is sent; gives the name to put into an entry."""
        name = hashlib.sha256(content).hexdigest()
        with self.outbox.changing():
            self.outbox.db.execute("INSERT OR IGNORE INTO photos (sha256, content) VALUES (?, ?)", (name, content))
        return name

    def waiting(self) -> int:
        """How many entries the service has not confirmed."""
        return self.outbox.size - self.outbox.confirmed

    def _limit(self, name: str, otherwise: int = 16_384) -> int:
        return int(self.outbox.fact("limits", {}).get(name, otherwise))

    # ---- uploading

    def sync(self) -> Synced:
        """Uploads all that waits, photos too. Returns only when everything is confirmed; Unreachable, Refused otherwise.

        Even with nothing to send one empty batch goes out: so a tablet learns that the service lost entries.
        """
        if self.outbox.fact("forked"):
            # Sent once more, what the officer has just reinstated would be set aside once more.
            raise Refused(409, {"code": "forked", "detail": "An officer looks into it; adopt() goes on once the tablet is reinstated."})
        counts = dict.fromkeys(Synced.__slots__, 0)
        self._send_disclosures(counts, attempts=1)
        most = self._most()
        while True:
            before = self.outbox.confirmed
            try:
                receipt = self._upload(most)
            except Refused as no:
                most = self._after_refusal(no, most, counts)
                continue
            counts["batches"] += 1
            for each in receipt["outcomes"]:
                counts[each["outcome"]] += 1
            if not self.waiting():
                break
            if self.outbox.confirmed == before:
                raise Unreachable("The service confirmed nothing.")
        self.outbox.try_disclosures_again(PASSING)
        self._send_disclosures(counts)
        counts["photos"], counts["photos_refused"] = self._send_photos()
        self.outbox.forget()
        return Synced(**counts)

    def _most(self) -> int:
        return self._batch_entries or min(self._limit("batch_entries"), 500)

    def _after_refusal(self, no: Refused, most: int, counts: dict[str, int]) -> int:
        """Finds the way on after a refused batch: from the service's size, or with smaller batches."""
        if no.code == "sequence_gap":
            counts["rewound"] += self.outbox.confirmed - no.facts["size"]
            self.outbox.rewind(no.facts["size"], unbase64(no.facts["root"]))
            return most
        if no.code in SMALLER and most > 1:
            return max(1, most // 2)
        if "agreed" in no.facts:
            self.outbox.remember(agreed=no.facts["agreed"])
        if no.code == "forked":
            self.outbox.remember(forked=True)
        raise no

    def _upload(self, most: int) -> dict[str, Any]:
        base = self.outbox.confirmed
        lines = self.outbox.entries_from(base, most, self._limit("batch_inflated_bytes") - 8192)
        size = base + len(lines)
        root = self.outbox.frontier_at(size).root()
        seal = Checkpoint(self.outbox.fact("origin"), size, root).sign(self.key)
        # The clocks of the seal are those of the first try; a later try only looks a little more skewed.
        last = {
            "seal": seal,
            "base": {"size": base, "root": base64.b64encode(self.outbox.frontier_at(base).root()).decode()},
            "sent_at": self.wall().isoformat(timespec="milliseconds"),
            "mono_ms": int(self.mono() * 1000),
            "boot": self.boot,
            "waiting": self.outbox.size - size,
        }
        body = b"".join(raw + b"\n" for raw in [*lines, entry_bytes(last)])
        headers = {"Content-Type": "application/x-ndjson"}
        if self.compress:
            body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=6, mtime=0), "gzip"
        self.at("sending")
        receipt = self._told("POST", "/v1/sync/batches", body, headers)
        self.at("sent")
        self._check(receipt, base, size, root)
        self.outbox.confirm(size, receipt)
        self.at("confirmed")
        return receipt

    def _check(self, receipt: dict[str, Any], base: int, size: int, root: bytes) -> None:
        """A receipt counts only if it speaks of every entry that was sent, and the ledgers' signatures are the service's."""
        if [each["seq"] for each in receipt["outcomes"]] != list(range(base, size)) or receipt["size"] < size:
            raise Unreachable("The receipt does not speak of the entries that were sent.")
        if receipt["size"] == size and unbase64(receipt["root"]) != root:
            raise OtherHistory("The receipt names another root than this tablet's.")
        sizes = {each["ledger"]: each["size"] for each in receipt["ledgers"]}
        if any(each["position"] >= sizes.get(each["ledger"], 0) for each in receipt["outcomes"]):
            raise OtherHistory("The receipt names an entry that none of its signed checkpoints reaches.")
        for each in receipt["ledgers"]:
            self._check_head(each)

    def _check_head(self, told: dict[str, Any]) -> None:
        origin = self.outbox.fact("ledger_origin").replace("<ledger>", told["ledger"]).replace("<incarnation>", told["incarnation"])
        checkpoint = self.open_signed(told["checkpoint"], origin)
        if (checkpoint.size, checkpoint.root) != (told["size"], unbase64(told["root"])):
            raise OtherHistory(f"The signed checkpoint of {told['ledger']} says something else than the receipt.")

    def open_signed(self, note: str, origin: str) -> Checkpoint:
        """A checkpoint that the service's key signed under a name. Where it is another key, the statements are asked for that lead to it.

        BadNote where none of them does.
        """
        try:
            return _opened(note, origin, self._trusted())
        except BadNote:
            told = self._told("GET", "/log/keys", None, {}, token=False)
            service = self.outbox.fact("ledger_origin").split("/ledger/", 1)[0]
            before = self._trusted()
            after = follow(told["rotations"][:MOST_STATEMENTS], service, before)
            if after == before:
                raise
            self.at("following")
            keys = [base64.b64encode(key).decode() for key in (after.key, *after.earlier)]
            with self.outbox.changing():
                self.outbox.remember(checkpoint_key=keys[0], earlier_keys=keys[1:])
            return _opened(note, origin, after)

    def _trusted(self) -> Trusted:
        earlier = tuple(base64.b64decode(key) for key in self.outbox.fact("earlier_keys", []))
        return Trusted(base64.b64decode(self.outbox.fact("checkpoint_key")), earlier)

    def _send_disclosures(self, counts: dict[str, int], attempts: int | None = None) -> None:
        """Sends the values that entries vouch for, before the entries and what is left once more after them. They keep no entry back.

        A value that the service has is forgotten here at once. Faults wait for the next time.
        """
        most = min(self._limit("disclosures", 100), 500)
        while items := self.outbox.disclosures(most):
            self.at("disclosing")
            body = json.dumps({"items": items}, ensure_ascii=False).encode()
            try:
                told = self._told("PUT", "/v1/sync/disclosures", body, {"Content-Type": "application/json"}, attempts=attempts)
            except (Refused, Unreachable) as no:
                if isinstance(no, Refused) and no.status == 413 and most > 1:
                    most = max(1, most // 2)
                    continue
                return
            outcomes = told["items"]
            if [each["digest"] for each in outcomes] != [digest_of(each["disclosure"]) for each in items]:
                return
            self.at("disclosed")
            self.outbox.settle_disclosures(outcomes)
            refused = sum(each["outcome"] == "refused" for each in outcomes)
            counts["disclosures"] += len(outcomes) - refused
            counts["disclosures_refused"] += refused

    def _send_photos(self) -> tuple[int, int]:
        """Sends the photos that wait; gives how many were taken and refused. One that is refused for good keeps no other back."""
        sent = refused = 0
        waiting = "SELECT sha256 FROM photos WHERE sent = 0 AND sha256 NOT IN (SELECT sha256 FROM refused_photos)"
        for (name,) in self.outbox.db.execute(waiting).fetchall():
            (content,) = self.outbox.db.execute("SELECT content FROM photos WHERE sha256 = ?", (name,)).fetchone()
            try:
                answer = self._ask("PUT", f"/v1/photos/{name}", content, {"Content-Type": "application/octet-stream"})
            except Refused as no:
                if no.status not in FOR_GOOD:
                    raise
                with self.outbox.changing():
                    self.outbox.db.execute("INSERT INTO refused_photos VALUES (?, ?)", (name, no.code))
                refused += 1
                continue
            if answer.body:
                raise Unreachable("Somebody else answered in place of the service.")
            with self.outbox.changing():
                self.outbox.db.execute("UPDATE photos SET sent = 1 WHERE sha256 = ?", (name,))
            sent += 1
        return sent, refused

    # ---- being a witness

    def prove(self) -> Proved:
        """Checks that the service keeps what its receipts promised; to be called after sync, when idle. OtherHistory where it does not."""
        return prove(self)

    # ---- downloading

    def download(self, *, min_position: str | None = None) -> int:
        """Fetches what changed in the tablet's scope. Gives the number of changes."""
        count = 0
        while True:
            asked = {"since": self.outbox.fact("cursor"), "min_position": min_position}
            query = "&".join(f"{name}={value}" for name, value in asked.items() if value)
            page = self._told("GET", f"/v1/sync/changes{'?' + query if query else ''}", None, {})
            self.at("downloaded")
            self.outbox.take_page(page)
            count += len(page["items"])
            if page["upload"]["size"] < self.outbox.confirmed:
                self.outbox.rewind(page["upload"]["size"], unbase64(page["upload"]["root"]))
            if not page["more"]:
                return count

    def fetch_personal(self, *, case: str | None = None, household: str | None = None, purpose: str | None = None) -> list[dict[str, Any]]:
        """Asks for the values of one task and keeps them for work without network, until the task leaves the tablet's scope."""
        name, kind = (case, "case") if case else (household, "visit")
        query = urlencode({"case" if case else "household": name})
        headers = {"Gridtrail-Purpose": quote(purpose)} if purpose else {}
        told = self._told("GET", f"/v1/sync/personal?{query}", None, headers)["items"]
        self.outbox.keep_personal(kind, str(name), told)
        return list(told)

    def adopt(self) -> int:
        """After an officer reinstated a forked tablet: goes on from the service's history. Gives how many entries were numbered anew."""
        standing = self._told("GET", "/v1/sync/standing", None, {})
        if standing["status"] != "active":
            raise Refused(409, {"code": "set_aside", "detail": "The tablet was not reinstated."})
        self._confirm_agreed(standing["size"])
        return self.outbox.adopt(Frontier(standing["size"], [base64.b64decode(root) for root in standing["frontier"]]))

    def _confirm_agreed(self, size: int) -> None:
        """Fetches the receipts of entries that both histories hold: sent once more under their old numbers, they are duplicates there."""
        agreed, most = min(self.outbox.fact("agreed") or 0, size, self.outbox.size), self._most()
        while (left := agreed - self.outbox.confirmed) > 0:
            try:
                self._upload(min(most, left))
            except Refused as no:
                most = self._after_refusal(no, most, {"rewound": 0})

    # ---- asking

    def _told(self, method: str, path: str, body: bytes | None, headers: dict[str, str], **how: Any) -> dict[str, Any]:
        """What the service says. Unreachable where the answer has not the form of one: it is not the service's."""
        told: dict[str, Any] = self._ask(method, path, body, headers, **how).json()
        if not fits(told, FORMS[path.partition("?")[0]]):
            raise Unreachable(f"{method} {path}: the answer cannot be read.")
        return told

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, token: bool = True, attempts: int | None = None
    ) -> Answer:
        """One request, tried again with growing, random pauses while that can help. A no counts only if it is a problem document."""
        sent = {**headers, **({"Authorization": f"Bearer {self.outbox.fact('token')}"} if token else {})}
        said = "no answer"
        attempts = attempts or self.attempts
        for attempt in range(attempts):
            wait = None
            try:
                answer = self.transport.send(method, self.outbox.fact("url") + path, sent, body)
            except OSError as lost:
                said = str(lost) or "no answer"
            else:
                if answer.status in TAKEN:
                    return answer
                problem = answer.json()
                code = problem["code"] if fits(problem, {"code": str}) else None
                if code in SMALLER or (code and answer.status not in AGAIN and code not in DAMAGED):
                    raise Refused(answer.status, problem)
                # What a service in trouble says of itself is worth more than the number.
                said = f"status {answer.status}" + (f" {code}: {problem.get('detail', '')}" if code else "")
                wait = _retry_after(answer.headers)
            if attempt + 1 < attempts:
                self._pause(attempt, wait)
        raise Unreachable(f"{method} {path}: {said}, {attempts} times.")

    def _pause(self, attempt: int, wait: float | None) -> None:
        """Full jitter, so that a fleet that lost its network together does not come back together; never shorter than asked."""
        spread = self.chance() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
        self.sleep(spread + (wait or 0.0))


def _opened(note: str, origin: str, trusted: Trusted) -> Checkpoint:
    """The checkpoint that the present key, or one before it that was not stolen, signed under the origin."""
    checkpoint = Checkpoint.parse(open_note(note, [Verifier(origin, key) for key in (trusted.key, *trusted.earlier)]))
    if checkpoint.origin != origin:
        raise BadNote(f"this checkpoint is of {checkpoint.origin}, not of {origin}")
    return checkpoint


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service asks to wait, at most ten minutes; a date is not read."""
    said = headers.get("Retry-After", "")
    return min(float(said), 600.0) if said.isascii() and said.isdigit() else None
