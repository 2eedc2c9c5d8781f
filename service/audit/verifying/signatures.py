"""Which sizes and roots were signed for each ledger. Read by the run before the walks."""

from collections.abc import Mapping

from service.audit.verifying.checkpoints import Keys, Signed, parts_of
from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Knowledge
from service.audit.verifying.sources import Source, Wanted
from service.ledger.note import BadNote


def gather_signed(
    source: Source, wanted: Wanted, logs: Mapping[str, int], knowledge: Knowledge, findings: Findings
) -> dict[str, list[Signed]]:
    """The checkpoints of every ledger that the given key signed, from wherever they are kept. Those that cannot be read are faults."""
    keys = Keys(wanted.keys)
    found: dict[str, list[Signed]] = {}
    if not keys:
        findings.notes.append("no key was given: no signature of the service was checked")
        return found
    for ledger in logs:
        latest = source.checkpoint(ledger)
        notes = [("the published checkpoint", latest)] if latest else []
        notes += [("a checkpoint kept as evidence", note) for note in source.earlier(ledger)]
        mine = (note for note in wanted.checkpoints if f"/ledger/{ledger}/" in note.partition("\n")[0])
        notes += [("a checkpoint that the auditor has", note) for note in mine]
        for source_of, note in notes:
            try:
                checkpoint = keys.open(note)
            except BadNote as wrong:
                findings.add("no_checkpoint", ledger, None, f"{source_of}: {wrong}")
                continue
            if parts_of(checkpoint.origin, ledger) is None:
                findings.add("checkpoint_unreadable", ledger, None, f"{source_of} is of {checkpoint.origin}")
                continue
            found.setdefault(ledger, []).append(Signed(checkpoint.origin, checkpoint.size, checkpoint.root, source_of))
        if ledger not in found:
            findings.add("no_checkpoint", ledger, None, "there is none")
    return found
