"""An export read again: checked against its manifest and its tree, then handed out line by line. Read by ``gridtrail replay --from``.

Nothing that stands beside the lines is believed: files are hashed, columns compared with the lines, positions and months counted, and the
tree is hashed anew up to the signed checkpoint. No database and no server is needed.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from projections.recorded import Recorded, read_line
from service.audit.export_forms import FORMS, DamagedFile, pages
from service.audit.manifests import BadExport, Manifest, Month, Months, b64, digest_of, unknown_files
from service.ledger.note import BadNote, Checkpoint, Verifier, open_checkpoint, split_note
from service.ledger.tree import BadProof, Frontier, leaf_hashes, verify_consistency


@dataclass(frozen=True, slots=True)
class Checked:
    """An export that holds. signed: the checkpoint bears a good signature of the key that was given."""

    folder: Path
    manifest: Manifest
    manifest_digest: str
    checkpoint: Checkpoint
    signed: bool

    def lines(self) -> Iterator[bytes]:
        """All lines in order."""
        for month in self.manifest.months:
            yield from FORMS[self.manifest.form].read(self.folder / month.file)


def check_export(folder: Path, ledger: str, key: Verifier | None = None) -> Checked:
    """Checks ``folder/<ledger>`` whole. BadExport names the file or position that does not hold.

    key: the deployment's verifier key, known from elsewhere. Without it the export is only shown to agree with itself.
    """
    here = folder / ledger
    try:
        manifest = Manifest.read(here)
        digest = sha256((here / "manifest.json").read_bytes()).hexdigest()
    except FileNotFoundError:
        raise BadExport(f"There is no export of {ledger} in {folder}.") from None
    if manifest.ledger != ledger or manifest.form not in FORMS:
        raise BadExport(f"{here} says that it holds {manifest.ledger} as {manifest.form}.")
    if manifest.checkpoint is None:
        raise BadExport(f"The export in {here} was not finished. Run the same gridtrail export again; it goes on where it stopped.")
    strangers = unknown_files(here, (month.file for month in manifest.months))
    if strangers:
        raise BadExport(f"{here / strangers[0]} is no part of the export. Take it away.")
    checkpoint = _checkpoint(manifest, key)
    tree = _check_months(here, manifest)
    _check_root(manifest, tree, checkpoint)
    return Checked(here, manifest, digest, checkpoint, key is not None)


def _checkpoint(manifest: Manifest, key: Verifier | None) -> Checkpoint:
    note = manifest.checkpoint or ""
    try:
        checkpoint = Checkpoint.parse(split_note(note)[0])
        base, slash, place = checkpoint.origin.partition("/ledger/")
        if not slash or place.partition("/")[0] != manifest.ledger:
            raise BadExport(f"The checkpoint is of {checkpoint.origin}, not of ledger {manifest.ledger}.")
        if key is not None:
            if key.name not in (base, checkpoint.origin):
                raise BadExport(f"The checkpoint is of {checkpoint.origin}; the key that you gave is of {key.name}.")
            open_checkpoint(note, Verifier(checkpoint.origin, key.public))
        return checkpoint
    except BadNote as wrong:
        raise BadExport(f"The checkpoint does not hold: {wrong}") from wrong


def _check_months(here: Path, manifest: Manifest) -> Frontier:
    """Hashes every file and every line; gives the tree behind the last line."""
    try:
        tree = manifest.before.tree()
    except ValueError as wrong:
        raise BadExport(f"The manifest's edge before the first line is none: {wrong}") from wrong
    if b64(tree.root()) != manifest.before.root:
        raise BadExport("The manifest's edge before the first line has another root than it says.")
    calendar = Months(manifest.zone)
    for month in manifest.months:
        path = here / month.file
        if Path(month.file).name != month.file or not path.is_file():
            raise BadExport(f"{path} is missing. Export again.")
        if digest_of(path) != (month.bytes, month.sha256):
            raise BadExport(f"{path} is not the file that was exported: its SHA-256 differs from the manifest's.")
        try:
            _check_month(path, manifest, month, calendar, tree)
        except DamagedFile as wrong:
            raise BadExport(str(wrong)) from wrong
    return tree


def _check_month(path: Path, manifest: Manifest, month: Month, calendar: Months, tree: Frontier) -> None:
    first = tree.size
    begin, end = calendar.begin(month.month), calendar.end(month.month)
    recorded_at: list[str] = []
    for page in pages(FORMS[manifest.form].read(path), 2_000):
        for position, line in enumerate(page, tree.size):
            recorded = _read(path, line)
            if (recorded.ledger, recorded.position) != (manifest.ledger, position):
                raise BadExport(f"{path.name} has {recorded.ledger}:{recorded.position} where {manifest.ledger}:{position} is due.")
            if not begin <= recorded.recorded_at < end:
                raise BadExport(f"{path.name}: the line at {position} was recorded at {recorded.recorded_at}, in another month.")
            recorded_at = [*recorded_at[:1], recorded.recorded_at] if recorded_at else [recorded.recorded_at, recorded.recorded_at]
        tree.extend(leaf_hashes(page))
    told = (month.rows, month.first, month.last, [month.first_recorded_at, month.last_recorded_at], month.tree.size, month.tree.root)
    if told != (tree.size - first, first, tree.size - 1, recorded_at, tree.size, b64(tree.root())):
        raise BadExport(f"{path.name} holds {tree.size - first} lines from {first} on; the manifest says something else of it.")


def _read(path: Path, line: bytes) -> Recorded:
    try:
        return read_line(line)
    except (ValueError, orjson.JSONDecodeError) as wrong:
        raise BadExport(f"{path.name} holds what is no recorded line: {wrong}") from wrong


def _check_root(manifest: Manifest, tree: Frontier, checkpoint: Checkpoint) -> None:
    """The tree behind the last line is the checkpoint's, or a beginning of it."""
    try:
        proof = [base64.b64decode(each, validate=True) for each in manifest.consistency]
        if tree.size == 0:
            raise BadProof("there are no lines")
        verify_consistency(tree.size, checkpoint.size, proof, tree.root(), checkpoint.root)
    except (BadProof, ValueError) as wrong:
        raise BadExport(f"The lines do not lead to the signed root of {checkpoint.size} entries: {wrong}.") from wrong
