"""Verifies a dossier: every file, proof, seal, signature, photo and personal value, and that the page says what the lines say.

The last part of verify.py: the standard library, and ``cryptography`` for signatures, are all it needs.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import zipfile

from service.audit.dossiers.page import (
    Facts,
    digest_of_disclosure,
    fields_of,
    offset_at,
    open_disclosure,
    pages_of,
    personal_of,
    read_utc,
    seq_of,
)
from service.audit.dossiers.words import HOW

USAGE = """Verifies a Gridtrail dossier. Needs Python 3.9 or newer and the package cryptography; no network, no Gridtrail.

Exit status: 0 all holds under the keys that you gave, 1 something does not hold, 2 it cannot be read or the command is wrong,
3 it agrees with itself, but no key was given. 核验案件卷宗。"""

KIND = "gridtrail-dossier/1"
ED25519, COSIGNATURE = 1, 4
TYPES = {"ed25519": bytes([ED25519]), "p256": b"\xffgridtrail-p256"}
PROOF = "c2sp.org/tlog-proof@v1"
MOST_FILES, MOST_TEXT = 200_000, 1 << 20
LINE_PATH = re.compile(r"ledgers/(\d{4}|\d{6}|\d{9})/(0|[1-9]\d{0,17})\.json")
PHOTO_PATH = re.compile(r"photos/([0-9a-f]{64})\.(jpg|png|webp)")
SUFFIXES = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png", b"RIFF": "webp"}
FIXED = {"verify.py", "READ-ME.txt", "index.en.html", "index.zh.html"}

READ_ME = "\n\n".join(sentence for both in HOW for sentence in both) + "\n"


class Fault(Exception):
    """Something that does not hold; the sentence names the file."""


class Unreadable(Exception):
    """No dossier, or the command is wrong."""


# ---- the folder or the zip


class Folder:
    """The files of a dossier by their names."""

    def __init__(self, path):
        self.zip, self.path = None, path
        if os.path.isdir(path):
            found = [os.path.relpath(os.path.join(folder, name), path) for folder, _, some in os.walk(path) for name in some]
            names = [name.replace(os.sep, "/") for name in found]
        elif zipfile.is_zipfile(path):
            self.zip = zipfile.ZipFile(path)
            names = self.zip.namelist()
        else:
            raise Unreadable(f"{path} is neither a folder nor a zip file.")
        if len(names) > MOST_FILES:
            raise Unreadable(f"{path} has more than {MOST_FILES} files.")
        # The zip holds one folder, and so may the folder that was named.
        tops = {name.split("/")[0] + "/" for name in names}
        self.top = tops.pop() if len(tops) == 1 and "dossier.json" not in names else ""
        self.names = sorted(name[len(self.top) :] for name in names)

    def open(self, name):
        whole = self.top + name
        return self.zip.open(whole) if self.zip else open(os.path.join(self.path, *whole.split("/")), "rb")

    def read(self, name, most=MOST_TEXT):
        """A file's bytes. Fault where it is missing or larger than such a file is."""
        if name not in self.names:
            raise Fault(f"{name} is missing.")
        with self.open(name) as file:
            found = file.read(most + 1)
        if len(found) > most:
            raise Fault(f"{name} is larger than {most} bytes.")
        return found

    def text(self, name):
        try:
            return self.read(name).decode()
        except UnicodeDecodeError:
            raise Fault(f"{name} is not UTF-8.") from None

    def digest(self, name):
        """Bytes and SHA-256 of a file, and its first bytes."""
        whole, size, start = hashlib.sha256(), 0, b""
        with self.open(name) as file:
            while True:
                chunk = file.read(1 << 20)
                if not chunk:
                    return size, whole.hexdigest(), start
                start = start or chunk[:16]
                size += len(chunk)
                whole.update(chunk)


def strict_json(plain, name):
    """The value of a JSON text in which no member stands twice."""

    def once(pairs):
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a member stands twice in one object")
        return members

    try:
        return json.loads(plain.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as wrong:
        raise Fault(f"{name} is not JSON: {wrong}.") from None


# ---- trees and notes (RFC 6962, RFC 9162, C2SP signed-note, tlog-checkpoint, tlog-proof, tlog-cosignature)


def unbase64(text):
    """Strict standard base64."""
    plain = base64.b64decode(text, validate=True)
    if base64.b64encode(plain).decode() != text:
        raise ValueError("not canonical base64")
    return plain


class Key:
    """A C2SP verifier key: name+id+base64(type, public key)."""

    def __init__(self, vkey):
        try:
            self.name, identifier, coded = vkey.split("+", 2)
            plain = unbase64(coded)
            self.type, self.public = plain[0], plain[1:]
        except (ValueError, IndexError):
            raise Unreadable(f"{vkey!r} is not a verifier key (name+id+base64).") from None
        if len(self.public) != 32 or self.type not in (ED25519, COSIGNATURE) or key_id(self.name, plain[:1], self.public) != identifier:
            raise Unreadable(f"{vkey!r} is not a verifier key: its id does not fit.")


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4].hex()


def signed_by(public, signature, message, algorithm="ed25519"):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        if algorithm == "p256":
            verify_p256(public, signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_p256(public, signature, message):
    """ECDSA over P-256 with SHA-256: an uncompressed point; r and s side by side. ValueError or InvalidSignature otherwise."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(public) != 65 or public[0] != 4 or len(signature) != 64:
        raise ValueError("not the form of P-256")
    numbers = [int.from_bytes(half, "big") for half in (signature[:32], signature[32:])]
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    key.verify(utils.encode_dss_signature(*numbers), message, ec.ECDSA(SHA256()))


class Note:
    """A signed checkpoint: origin, size, root, and the signatures on it."""

    def __init__(self, note, name):
        body, blank, tail = note.rpartition("\n\n")
        self.text, self.note, self.name = body + "\n", note, name
        lines = self.text.split("\n")
        try:
            formed = blank and tail.endswith("\n") and len(lines) >= 4 and all(lines[:-1])
            if not formed or not re.fullmatch(r"0|[1-9]\d{0,18}", lines[1]):
                raise ValueError("it has not the form of one")
            self.origin, self.size, self.root = lines[0], int(lines[1]), unbase64(lines[2])
            if len(self.root) != 32:
                raise ValueError("a root has 32 bytes")
            self.signatures = [self._signature(line) for line in tail[:-1].split("\n")]
        except ValueError as wrong:
            raise Fault(f"{name}: no signed checkpoint: {wrong}.") from None

    @staticmethod
    def _signature(line):
        match = re.fullmatch("— ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})", line)
        plain = unbase64(match[2]) if match else b""
        if match is None or len(plain) < 5:
            raise ValueError("a signature line is wrong")
        return match[1], plain[:4].hex(), plain[4:]

    def signed(self, publics, algorithm="ed25519"):
        """Fault unless one of these keys signed it under the name of its origin, and none of them wrongly."""
        found = False
        for public in publics:
            for name, identifier, signature in self.signatures:
                if name == self.origin and identifier == key_id(name, TYPES[algorithm], public):
                    if not signed_by(public, signature, self.text.encode(), algorithm):
                        raise Fault(f"{self.name}: the signature of {self.origin} is wrong.")
                    found = True
        if not found:
            raise Fault(f"{self.name}: no signature of {self.origin} by a key that was given.")

    def cosigned(self, witness):
        """The time (seconds since 1970) at which a witness cosigned it. Fault where it did not."""
        for name, identifier, signature in self.signatures:
            if name == witness.name and identifier == key_id(name, bytes([witness.type]), witness.public) and len(signature) == 72:
                time = int.from_bytes(signature[:8], "big")
                if signed_by(witness.public, signature[8:], f"cosignature/v1\ntime {time}\n{self.text}".encode()):
                    return time
                raise Fault(f"{self.name}: the cosignature of {name} is wrong.")
        raise Fault(f"{self.name}: the witness {witness.name} has not cosigned it.")


class Proof:
    """A c2sp.org/tlog-proof@v1 file: an index, hashes, and the checkpoint that they lead to."""

    def __init__(self, text, name):
        head, _, note = text.partition("\n\n")
        lines = head.split("\n")
        try:
            if lines[0] != PROOF or not re.fullmatch(r"index (0|[1-9]\d{0,18})", lines[1]) or len(lines) > 65:
                raise ValueError("it has not the form of one")
            self.index, self.hashes = int(lines[1][6:]), [unbase64(line) for line in lines[2:]]
        except (ValueError, IndexError) as wrong:
            raise Fault(f"{name}: no inclusion proof: {wrong}.") from None
        self.name, self.note = name, Note(note, name)

    def proves(self, entry):
        """Fault unless the entry stands at the index in the checkpoint's tree (RFC 9162 section 2.1.3.2)."""
        here, last, found = self.index, self.note.size - 1, hashlib.sha256(b"\x00" + entry).digest()
        good = 0 <= here <= last
        for sibling in self.hashes:
            good = good and last > 0 and len(sibling) == 32
            if here & 1 or here == last:
                found = hashlib.sha256(b"\x01" + sibling + found).digest()
                while here and not here & 1:
                    here, last = here >> 1, last >> 1
            else:
                found = hashlib.sha256(b"\x01" + found + sibling).digest()
            here, last = here >> 1, last >> 1
        if not good or last != 0 or found != self.note.root:
            raise Fault(f"{self.name}: the entry does not lead to the signed root of {self.note.size} entries.")


# ---- the dossier


class Dossier:
    """Checks everything; faults are collected, so that all of them are told."""

    def __init__(self, folder, keys, witnesses):
        self.folder, self.witnesses = folder, witnesses
        self.faults, self.counts, self.notes = [], {}, []
        self.manifest = strict_json(folder.read("dossier.json", 64 << 20), "dossier.json")
        told = self.manifest.get("kind") if isinstance(self.manifest, dict) else None
        if told != KIND:
            raise Unreadable(f"It is of the kind {told!r}; this script reads {KIND}. Take the verify.py of the release that made it.")
        self.keys = keys or [Key(self.manifest["key"])]
        self.lines, self.raw, self.heads, self.rooted, self.used = {}, {}, {}, {}, set(FIXED) | {"dossier.json"}

    def check(self):
        """Runs every check; gives the faults."""
        self.try_(self.files)
        for name in self.folder.names:
            if LINE_PATH.fullmatch(name):
                self.try_(self.line, name)
        for ledger in sorted(self.heads):
            self.try_(self.root_log, ledger)
        for check in (self.case, self.tablets, self.refusals, self.photos, self.disclosures, self.zone, self.strangers, self.page):
            self.try_(check)
        return self.faults

    def try_(self, check, *arguments):
        try:
            check(*arguments)
        except Fault as fault:
            self.faults.append(str(fault))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as wrong:
            what = arguments[0] if arguments else check.__name__
            self.faults.append(f"{what}: not what a dossier holds ({type(wrong).__name__}: {wrong}).")

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    # ---- files

    def files(self):
        """Every file is listed with its digest, and every listed file is there."""
        listed = self.manifest["files"]
        if len(set(self.folder.names)) != len(self.folder.names):
            self.faults.append("A file stands twice in the zip.")
        for name in sorted(set(self.folder.names) - set(listed) - {"dossier.json"}):
            self.faults.append(f"{name} is no part of the dossier: dossier.json does not list it.")
        for name, told in sorted(listed.items()):
            if name not in self.folder.names:
                self.faults.append(f"{name} is missing.")
                continue
            size, digest, _ = self.folder.digest(name)
            if (size, digest) != (told["bytes"], told["sha256"]):
                self.faults.append(f"{name} was changed: its SHA-256 is not the one that dossier.json lists.")
        self.count("files", len(listed))
        if self.folder.read("dossier.json", 64 << 20) != manifest_bytes(self.manifest):
            raise Fault("dossier.json was changed: it is not written as the service writes it.")
        if self.folder.text("READ-ME.txt") != READ_ME:
            raise Fault("READ-ME.txt was changed.")

    # ---- lines in ledgers

    def line(self, name):
        """One recorded line: what it says of its place, and its proof under the ledger's signed checkpoint."""
        ledger, position = name[: -len(".json")].split("/")[1:]
        plain, proof_name = self.folder.read(name), f"{name[: -len('.json')]}.tlog-proof"
        self.used |= {name, proof_name, f"ledgers/{ledger}/checkpoint"}
        line = strict_json(plain, name)
        if (line["ledger"], line["position"]) != (ledger, int(position)):
            raise Fault(f"{name} says that it stands at {line['ledger']}:{line['position']}.")
        proof = Proof(self.folder.text(proof_name), proof_name)
        head = self.head(ledger)
        if proof.note.note != head.note:
            raise Fault(f"{proof_name} is under another checkpoint than ledgers/{ledger}/checkpoint.")
        if proof.index != int(position):
            raise Fault(f"{proof_name} proves position {proof.index}.")
        proof.proves(plain)
        self.lines[ledger, int(position)], self.raw[ledger, int(position)] = line, plain
        self.count("lines proven in their ledgers")

    def head(self, ledger):
        """The ledger's checkpoint, signed by the service under the ledger's own name."""
        if ledger not in self.heads:
            name = f"ledgers/{ledger}/checkpoint"
            note = Note(self.folder.text(name), name)
            _, slash, place = note.origin.partition("/ledger/")
            if not slash or place.split("/")[0] != ledger:
                raise Fault(f"{name} is of {note.origin}, not of ledger {ledger}.")
            note.signed(self.publics(note.origin))
            self.heads[ledger] = note
            self.count("ledgers' checkpoints signed")
        return self.heads[ledger]

    def publics(self, origin):
        """The service's public keys that may sign for a log: a key bears the service's name, or the log's own."""
        found = [key.public for key in self.keys if origin == key.name or origin.startswith(f"{key.name}/")]
        if not found:
            raise Fault(f"{origin} is none of those whose keys were given: {', '.join(key.name for key in self.keys)}.")
        return found

    def root_log(self, ledger):
        """The ledger's checkpoint in the root log, which the service signed and the witnesses cosigned."""
        name = f"ledgers/{ledger}/checkpoint.tlog-proof"
        if name not in self.folder.names:
            self.rooted[ledger] = None
            if self.witnesses:
                raise Fault(f"{name} is missing: the checkpoint of {ledger} is not in the root log yet, so no witness has seen it.")
            self.notes.append(f"The checkpoint of ledger {ledger} is not in the root log yet.")
            return
        self.used.add(name)
        proof = Proof(self.folder.text(name), name)
        note = proof.note
        service = self.heads[ledger].origin.partition("/ledger/")[0]
        if not note.origin.startswith(f"{service}/root/"):
            raise Fault(f"{name} is of {note.origin}, which is not the root log of {service}.")
        note.signed(self.publics(note.origin))
        proof.proves(self.heads[ledger].note.encode())
        self.rooted[ledger] = (proof.index, len(note.signatures))
        self.count("checkpoints proven in the root log")
        for witness in self.witnesses:
            time = note.cosigned(witness)
            self.count("cosignatures of witnesses")
            seen = f"{witness.name} cosigned the root log of {note.size} entries at {moment(time)}."
            if seen not in self.notes:
                self.notes.append(seen)

    # ---- the case, and what the tablets said

    def case(self):
        """The case's steps without a gap, in the order of time."""
        place = self.manifest["ledger"]
        steps = sorted(
            (line["version"], position)
            for (ledger, position), line in self.lines.items()
            if ledger == place and line["stream"] == self.manifest["case"]
        )
        if [version for version, _ in steps] != list(range(1, len(steps) + 1)) or not steps:
            raise Fault(f"The steps of the case are {[version for version, _ in steps]}: some are missing, or stand twice.")
        if [position for _, position in steps] != sorted(position for _, position in steps):
            raise Fault("The steps of the case do not stand in the ledger in their order.")
        if self.lines[place, steps[0][1]]["topic"] != "case.reported":
            raise Fault("The case does not begin with a report.")
        times = [self.lines[place, position]["recorded_at"] for _, position in steps]
        if times != sorted(times):
            raise Fault("The steps of the case were recorded backwards in time.")
        self.count("steps of the case", len(steps))

    def tablets(self):
        """Every entry of a tablet, in the tree that the tablet itself sealed, under the key that it was enrolled with."""
        keys: dict = {}
        seals: dict = {}
        for line in self.lines.values():
            fields = fields_of(line)
            if line["topic"] == "tablet.enrolled":
                keys[line["stream"]] = (fields["origin"], unbase64(fields["public_key"]), fields["algorithm"])
            if line["topic"] == "tablet.uploaded":
                seals.setdefault(line["stream"], set()).add(fields["seal"])
        self.seals: dict = {}
        for place, line in sorted(self.lines.items()):
            entry, seq, tablet = entry_in(line, self.raw[place]), seq_of(line), (line.get("state") or {}).get("tablet")
            if entry is None or line["state"].get("code") == "forked":
                continue
            self.try_(self.entry, f"tablets/{tablet}/{seq}", entry, tablet, seq, keys, seals)
        self.count("tablets' entries proven under their seals", len(self.seals))

    def entry(self, name, entry, tablet, seq, keys, seals):
        if tablet not in keys:
            raise Fault(f"{name}: the line that enrolled the tablet is missing, and with it the tablet's key.")
        origin, public, algorithm = keys[tablet]
        if algorithm not in TYPES:
            raise Fault(f"{name}: the tablet signs with {algorithm}, which this script does not know.")
        self.used |= {f"{name}.entry", f"{name}.tlog-proof"}
        if self.folder.read(f"{name}.entry") != entry:
            raise Fault(f"{name}.entry is not what stands in the recorded line.")
        proof = Proof(self.folder.text(f"{name}.tlog-proof"), f"{name}.tlog-proof")
        if proof.index != seq:
            raise Fault(f"{name}.tlog-proof proves entry {proof.index}.")
        if proof.note.origin != origin:
            raise Fault(f"{name}.tlog-proof is sealed by {proof.note.origin}, not by {origin}.")
        if proof.note.note not in seals.get(tablet, ()):
            raise Fault(f"{name}.tlog-proof: this seal stands in no recorded upload of the tablet.")
        proof.note.signed([public], algorithm)
        proof.proves(entry)
        self.seals[tablet, seq] = proof.note.size

    def refusals(self):
        """Every refused entry names the case; decisions follow the entry that they are about."""
        kept = set()
        for place, line in sorted(self.lines.items()):
            if line["topic"] == "refused.kept":
                kept.add(line["stream"])
                if (line.get("state") or {}).get("about") != self.manifest["case"]:
                    raise Fault(f"ledgers/{place[0]}/{place[1]}.json is a refused entry that does not name the case.")
        for place, line in self.lines.items():
            if line["topic"].startswith("refused.") and line["stream"] not in kept:
                raise Fault(f"ledgers/{place[0]}/{place[1]}.json decides on a refused entry that is not here.")
        self.count("refused entries", len(kept))

    # ---- photos and personal data

    def named_photos(self):
        """Photos that lines name, and those that opened disclosures name."""
        found = set()
        for line in self.lines.values():
            photos = fields_of(line).get("photos")
            found |= {photo for photo in photos if isinstance(photo, str)} if isinstance(photos, list) else set()
        for disclosure in self.opened.values():
            field, value = open_disclosure(disclosure)
            found |= {value} if field == "photo" and isinstance(value, str) else set()
        return found

    def photos(self):
        """Each photo's bytes have the digest that a line named."""
        self.opened, self.pictures = self.read_disclosures(), {}
        named = self.named_photos()
        for name in self.folder.names:
            match = PHOTO_PATH.fullmatch(name)
            if not match:
                continue
            self.used.add(name)
            _, digest, start = self.folder.digest(name)
            if digest != match[1]:
                raise Fault(f"{name} is not the photo whose SHA-256 it bears: the picture was changed.")
            if digest not in named:
                raise Fault(f"{name} is named by no line.")
            if next((suffix for sign, suffix in SUFFIXES.items() if start.startswith(sign)), None) != match[2]:
                raise Fault(f"{name} is another kind of file than its name says.")
            self.pictures[digest] = name
            self.count("photos with the digest that was recorded")

    def read_disclosures(self):
        if "disclosures.json" not in self.folder.names:
            return {}
        self.used.add("disclosures.json")
        found = strict_json(self.folder.read("disclosures.json", 64 << 20), "disclosures.json")
        if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
            raise Fault("disclosures.json is not an object of texts.")
        return found

    def disclosures(self):
        """Each opened value has the digest that a line holds, and is of the field that the line names."""
        named = {digest: field for line in self.lines.values() for digest, _, field in personal_of(line)}
        for digest, disclosure in sorted(self.opened.items()):
            if digest not in named:
                raise Fault(f"disclosures.json opens {digest}, which no line holds.")
            if digest_of_disclosure(disclosure) != digest:
                raise Fault(f"disclosures.json: the value opened for {digest} is not the one that was recorded.")
            if open_disclosure(disclosure)[0] != named[digest]:
                raise Fault(f"disclosures.json: the value opened for {digest} is of another field.")
        self.count("personal fields opened", len(self.opened))
        self.count("personal fields sealed", len(set(named) - set(self.opened)))

    # ---- the page

    def zone(self):
        """The city's local time, as far as recorded days can tell."""
        for place, line in self.lines.items():
            fields = fields_of(line)
            if fields.get("day") and fields.get("happened_at"):
                minutes = offset_at(self.manifest["zone"], fields["happened_at"])
                day = read_utc(fields["happened_at"]).timestamp() + minutes * 60
                if moment(day)[:10] != fields["day"]:
                    raise Fault(f"dossier.json: under its time zone, ledgers/{place[0]}/{place[1]}.json is not of the day recorded.")

    def strangers(self):
        """Files that nothing of the above needed."""
        for name in sorted(set(self.folder.names) - self.used - {"disclosures.json"}):
            raise Fault(f"{name} belongs to nothing in this dossier.")

    def page(self):
        """Both pages, written anew from the lines, are the pages in the dossier, byte by byte."""
        if self.faults:
            raise Fault("The pages were not compared, since the lines do not hold.")
        logs = {
            ledger: {
                "origin": head.origin, "size": head.size, "root": base64.b64encode(head.root).decode(),
                "rooted": self.rooted[ledger][0] if self.rooted[ledger] else None,
                "signatures": self.rooted[ledger][1] if self.rooted[ledger] else 0,
            }
            for ledger, head in self.heads.items()
        }  # fmt: skip
        told = self.manifest
        facts = Facts(
            told["case"], told["ledger"], told["zone"], told["searched"], self.lines, self.opened, self.pictures, self.seals, logs
        )
        for name, page in pages_of(facts).items():
            if self.folder.read(name, 64 << 20) != page:
                raise Fault(f"{name} tells something else than the lines: the page was changed.")
            self.count("pages that say what the lines say")


def entry_in(line, plain):
    """The exact bytes that a tablet wrote, as they stand in a recorded line; None where there are none."""
    state = line.get("state") or {}
    if "entry" not in state:
        return None
    start = plain.find(b',"entry":', plain.find(b',"state":{'))
    entry = plain[start + len(b',"entry":') : -2]
    if start < 0 or strict_json(entry, "an entry") != state["entry"]:
        raise Fault(f"The line at {line['ledger']}:{line['position']} does not end with its entry.")
    return entry


def manifest_bytes(manifest):
    """How dossier.json is written."""
    return (json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def moment(seconds):
    """Seconds since 1970 as UTC text."""
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: UP017


# ---- the command


def main(arguments=None):
    """Verifies what the command line names; gives the exit status."""
    parser = argparse.ArgumentParser(description=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dossier", help="the folder or the zip file")
    parser.add_argument("--key", action="append", default=[], help="the service's public key, from the service itself: gridtrail keys show")
    parser.add_argument("--witness", action="append", default=[], help="a witness's public key, from the witness itself")
    options = parser.parse_args(arguments)
    try:
        import cryptography  # noqa: F401

        keys, witnesses = [Key(each) for each in options.key], [Key(each) for each in options.witness]
        if any(key.type != ED25519 for key in keys) or any(witness.type != COSIGNATURE for witness in witnesses):
            raise Unreadable("--key takes the service's key (type 1), --witness a witness's (type 4).")
        dossier = Dossier(Folder(options.dossier), keys, witnesses)
        dossier.check()
    except ImportError:
        print("The package cryptography is missing: python3 -m pip install cryptography", file=sys.stderr)
        return 2
    except (Unreadable, Fault, OSError, zipfile.BadZipFile, RuntimeError, KeyError) as wrong:
        print(f"Cannot verify: {wrong}", file=sys.stderr)
        return 2
    return tell(dossier, bool(keys))


def tell(dossier, keyed):
    """Prints what was checked, the faults, and what it means; gives the exit status."""
    for what, number in dossier.counts.items():
        print(f"{number:>6}  {what}")
    for note in dossier.notes:
        print(f"        {note}")
    for fault in dossier.faults:
        print(f" FAULT  {fault}")
    if dossier.faults:
        print(f"{len(dossier.faults)} faults: this dossier is not what was recorded. 卷宗与记录不符。")
        return 1
    if not keyed:
        print("It agrees with itself, but anybody could have made it: give --key, which the service itself told you.")
        print("自身一致, 但未给出公钥, 不能证明出处。")
        return 3
    seen = "" if dossier.witnesses else " No --witness was given: whether others saw the same history was not checked."
    print(f"All holds under the keys that you gave.{seen} 在所给公钥下全部成立。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
