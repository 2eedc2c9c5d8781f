"""Why an entry was refused, in plain words: every rule that a worker's entry can meet leads to a reason and to what can be done."""

import json
import re
from pathlib import Path

import domain
import service
from domain.errors import all_refusals

FOLDER = Path(service.__file__).parent
TABLE = (FOLDER / "tablet" / "reasons.js").read_text().split("const CODES = {")[1].split("};")[0]
REASONS = {
    name: set(" ".join(re.findall(r'"([a-z_ ]+)"', codes)).split()) for name, codes in re.findall(r"(\w+): \[(.*?)\]", TABLE, re.DOTALL)
}
RULES = ("aggregate", "case", "case_actions", "case_rules", "case_status", "days", "entries", "patrol", "personal", "time_limits", "visit")
OF_THE_PROTOCOL = {
    "forked", "invalid_field", "malformed_entry", "no_such_reference", "not_your_role", "out_of_scope", "time_out_of_range",
    "undecided", "unknown_area", "unknown_kind", "unknown_version",
}  # fmt: skip
OF_THE_OFFICE = {
    "already_accepted", "cannot_be_reapplied", "entry_erased",
    "area_ended", "assignment_known", "book_is_wrong", "deadline_passed", "extended_twice",
    "extension_too_long", "found_untrue", "last_valid_wrong", "merged_into_closed", "merged_into_itself", "muster_time_wrong",
    "never_registered", "no_calendar", "no_overtime", "no_time_limit", "not_a_department", "not_a_unit", "not_merged",
    "not_suspended", "not_the_same_level", "not_verified", "not_yet_accepted", "not_yet_closed", "not_your_city",
    "not_your_subdistrict", "nothing_changed", "outside_the_county", "person_left", "refusal_settled", "suspended_before",
    "suspension_too_long", "tablet_in_use", "to_itself", "unit_named_twice", "unknown_area_kind", "unknown_assignment",
    "unknown_book", "unknown_complexity", "unknown_ground", "unknown_role", "unknown_unit", "version_published",
}  # fmt: skip
"""What no step of a worker's tablet can meet: they are met at the console."""


def met_by_entries() -> set[str]:
    """Codes of the refusals that the rules of patrols, visits and cases name."""
    rules = "".join((Path(domain.__file__).parent / f"{name}.py").read_text() for name in RULES)
    return {code for code, cls in all_refusals().items() if re.search(rf"\b{cls.__name__}\b", rules)}


def test_every_refusal_of_a_worker_s_entry_has_its_reason():
    known = set().union(*REASONS.values())
    wanted = (met_by_entries() | OF_THE_PROTOCOL) - OF_THE_OFFICE
    assert not wanted - known, sorted(wanted - known)
    assert not known - (set(all_refusals()) | OF_THE_PROTOCOL), "a code that no rule says"
    assert sum(len(codes) for codes in REASONS.values()) == len(known), "a code with two reasons"


def test_every_reason_says_why_and_what_to_do_in_both_languages():
    for language in ("en", "zh"):
        texts = json.loads((FOLDER / "texts" / f"{language}.json").read_text())
        for name in REASONS:
            assert texts[f"why.{name}"]
            assert texts[f"todo.{name}"]
