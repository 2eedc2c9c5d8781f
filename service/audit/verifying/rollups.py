"""Sealed roll-ups are counted again from the entries that they name. Read by the run.

One pass over the ledger serves all of its seals, and is made only where there are some. The document is written again too, under the book
that the city had published by then: its digest must be the one on record.
"""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from domain.periods import Period
from projections.counting import Recount
from projections.recorded import Recorded, read_line
from service.audit.manifests import b64
from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Knowledge
from service.audit.verifying.sources import Log
from service.ledger.tree import Frontier, leaf_hash
from service.summaries.document import NoSummary, of_record
from service.summaries.recounting import bounds_of


@dataclass(slots=True)
class Count:
    """One seal, and the count that goes on until its size is reached."""

    event: Recorded
    counting: Recount
    root: str = ""


def judge_rollups(log: Log, ledger: str, seals: list[Recorded], knowledge: Knowledge, zone: str, findings: Findings) -> None:
    """Reports every seal whose numbers, tree or document do not follow from the entries."""
    report = findings.at(ledger)
    waiting = []
    for event in seals:
        findings.checked["sealed roll-ups"] += 1
        try:
            waiting.append(_begun(event, zone))
        except Exception as wrong:
            report("summary_wrong", event.position, f"{event.get('period')}: {wrong}")
    if not waiting:
        return
    _count(log, waiting)
    for each in waiting:
        fault = _fault(each, ledger, knowledge)
        if fault is not None:
            report("summary_wrong", each.event.position, f"{each.event['period']}: {fault}")


def _begun(event: Recorded, zone: str) -> Count:
    fields = event.fields
    period = Period.of(fields["period"])
    if fields["zone"] != zone or fields["until"] != period.end_at(ZoneInfo(zone)):
        raise NoSummary(f"it was counted up to {fields['until']} in {fields['zone']}, not to the quarter's end in {zone}")
    if fields["origin"].rpartition("/ledger/")[2].partition("/")[0] != event.ledger:
        raise NoSummary(f"it names the tree {fields['origin']}")
    if not 0 < fields["size"] <= event.position:
        raise NoSummary(f"it names {fields['size']} entries and stands at position {event.position}")
    return Count(event, Recount(bounds_of(period, ZoneInfo(zone), fields["until"])))


def _count(log: Log, waiting: list[Count]) -> None:
    tree, last = Frontier(), max(each.event["size"] for each in waiting)
    for page in log.pages():
        for line in page.lines[: last - tree.size]:
            tree.extend([leaf_hash(bytes(line))])
            try:
                event = read_line(line)
            except ValueError:
                continue
            for each in waiting:
                if tree.size <= each.event["size"]:
                    _take(each, event)
                if tree.size == each.event["size"]:
                    each.root = b64(tree.root())
        if tree.size >= last:
            return


def _take(each: Count, event: Recorded) -> None:
    """What cannot be folded is told by other checks; the count then comes out wrong."""
    try:
        each.counting.take([event])
    except (KeyError, TypeError, ValueError, AttributeError):
        return


def _fault(each: Count, ledger: str, knowledge: Knowledge) -> str | None:
    fields: dict[str, Any] = each.event.fields
    if each.root != fields["root"]:
        return "the entries that it names have another root"
    found = each.counting.counts()
    wrong = [f"{name} {number} instead of {found.get(name)}" for name, number in fields["counts"].items() if number != found.get(name)]
    if wrong:
        return f"the entries lead to other counts: {', '.join(wrong[:5])}"
    try:
        of_record(ledger, fields, knowledge.books_at(ledger[:4], each.event.recorded_at))
    except (NoSummary, KeyError, TypeError, ValueError) as lost:
        return str(lost)
    return None
