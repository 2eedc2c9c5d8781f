"""What a verification says: for people and as JSON. Read by the command line."""

from collections.abc import Iterator
from typing import Any

from service.audit.verifying.faults import KINDS
from service.audit.verifying.run import Verified


def as_json(found: Verified) -> dict[str, Any]:
    """The whole result as one JSON object."""
    findings = found.findings
    return {
        "holds": found.holds,
        "stopped": found.stopped,
        "events": found.events,
        "seconds": round(found.seconds, 3),
        "events_per_s": _rate(found),
        "jobs": found.jobs,
        "checked": dict(sorted(findings.checked.items())),
        "faults": findings.total,
        "kinds": dict(sorted(findings.counts.items())),
        "listed": [fault.told() for fault in findings.faults],
        "notes": findings.notes,
    }


def as_text(found: Verified) -> Iterator[str]:
    """The result in lines."""
    findings = found.findings
    processes = "1 process" if found.jobs == 1 else f"{found.jobs} processes"
    yield f"{found.events:,} events in {found.seconds:.1f} s ({_rate(found):,.0f} a second, {processes})"
    for name, count in sorted(findings.checked.items()):
        yield f"  {count:>12,}  {name}"
    for note in findings.notes:
        yield f"  note: {note}"
    for fault in findings.faults:
        yield str(fault)
    if findings.total > len(findings.faults):
        yield f"… and {findings.total - len(findings.faults):,} more faults of the same kinds, which are not listed."
    for kind, count in sorted(findings.counts.items()):
        yield f"  {count:>12,}  {kind}: {KINDS[kind]}"
    if found.stopped:
        yield f"Stopped after {findings.total:,} faults, as asked: what comes after was not looked at, and there may be more."
    elif findings.total:
        yield f"{findings.total:,} faults: this history does not hold."
    else:
        yield "Everything that was checked holds."


def _rate(found: Verified) -> float:
    return round(found.events / found.seconds, 1) if found.seconds else 0.0
