"""A table of service requests told over the real sync path, every row accounted for. Read by ``cases import`` and ``simulate``."""

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from domain.areas import ledger_of
from projections import areas as areas_model
from service.database import reading
from service.fleet.plan import rounds_of
from service.fleet.requests import books_of, case_of, cast_of, steps_of
from service.fleet.run import Fleet, Tally
from service.fleet.settling import code_for, settle
from service.imports.mapping import Mapping
from service.imports.recording import publish_books
from service.imports.requests import Requests, read_requests
from service.imports.table import UnreadableFile
from service.spreadsheets import guarded
from service.wiring import Gridtrail

COLUMNS = ("line", "reference", "outcome", "code", "reason", "case", "ledger", "remarks")


@dataclass(frozen=True, slots=True)
class Account:
    """What became of one row: recorded as a case, refused by a rule, or listed because it cannot be told."""

    line: int
    outcome: str
    reference: str = ""
    code: str = ""
    reason: str = ""
    case: str = ""
    ledger: str = ""
    remarks: str = ""


def read_for(pieces: Gridtrail, path: Path, mapping: Mapping) -> Requests:
    """Reads the table against the areas that are registered. UnreadableFile where the deployment is another city's."""
    if pieces.config.city != mapping.city or pieces.config.time_zone != mapping.time_zone:
        wanted = f"GRIDTRAIL_CITY={mapping.city} GRIDTRAIL_TIME_ZONE={mapping.time_zone}"
        raise UnreadableFile(f"mapping {mapping.name} is of another city than this deployment; set {wanted}.")
    with reading(pieces.database) as conn:
        known = set(conn.scalars(sa.select(areas_model.C.code).where(areas_model.C.ledger.startswith(mapping.city))))
    if mapping.county not in known:
        raise UnreadableFile(f"no areas of {mapping.city_name} are registered; run gridtrail areas import first.")
    return read_requests(path, mapping, known)


def tell(pieces: Gridtrail, mapping: Mapping, requests: Requests, fleet: Fleet, window: timedelta) -> Tally:
    """Settles the cast, enrols its tablets and uploads the work of all requests."""
    cast = cast_of(mapping, requests.found)
    publish_books(pieces, books_of(mapping))
    settle(pieces, cast)
    fleet.enrol(cast, lambda member: code_for(pieces, member))
    return fleet.run(rounds_of(steps_of(mapping, requests.found), window))


def accounts_of(mapping: Mapping, requests: Requests, tally: Tally) -> list[Account]:
    """One account for each row of the table, in the table's order."""
    refused: dict[int, tuple[str, dict[str, Any]]] = {}
    for step, outcome in tally.refused:
        refused.setdefault(step.line, (step.kind, outcome))
    accounts = [Account(flaw.line, "listed", code=flaw.code, reason=flaw.sentence) for flaw in requests.listed]
    for request in requests.found:
        facts = {
            "reference": request.reference,
            "case": case_of(mapping, request.reference),
            "ledger": ledger_of(request.area),
            "remarks": "; ".join(request.remarks),
        }
        if request.line in refused:
            kind, outcome = refused[request.line]
            code, reason = outcome.get("code", ""), f"{kind}: {outcome.get('detail', '')}"
            accounts.append(Account(request.line, "refused", code=code, reason=reason, **facts))
        else:
            accounts.append(Account(request.line, "recorded", **facts))
    return sorted(accounts, key=lambda account: account.line)


def write_report(path: Path, accounts: list[Account]) -> None:
    """Writes the accounts as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([guarded(getattr(account, name)) for name in COLUMNS] for account in accounts)


def summary_of(requests: Requests, accounts: list[Account]) -> str:
    """How many rows became what, with the reasons; says so where a row was lost, which must never be."""
    counts = Counter(account.outcome for account in accounts)
    reasons = Counter((account.outcome, account.code) for account in accounts if account.outcome != "recorded")
    lines = [f"{requests.total} rows: {counts['recorded']} recorded, {counts['refused']} refused by a rule, {counts['listed']} listed."]
    lines.extend(f"  {outcome} {count:>5}  {code}" for (outcome, code), count in sorted(reasons.items()))
    remarks = Counter(remark for account in accounts for remark in account.remarks.split("; ") if remark)
    lines.extend(f"  recorded {count:>4}  with {remark}" for remark, count in sorted(remarks.items()))
    lost = requests.total - len(accounts)
    lines.append("Every row is accounted for." if not lost else f"{lost} rows are NOT accounted for: report this as a bug.")
    return "\n".join(lines)
