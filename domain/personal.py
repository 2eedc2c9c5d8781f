"""Personal data 个人信息: which values may be told of a person, why and for how long, and how an event vouches for one without holding it.

A value travels as a *disclosure* (RFC 9901 §4.2): base64url of the JSON array ``[salt, field, value]``, the salt of 128 random bits or
more. An event holds its *digest* only, base64url of the SHA-256 of the disclosure's text, in ``personal``: a list of
``{"subject": <uuid>, "field": <a name of FIELDS>, "digest": <43 characters>}``. Pure; read by the rules, the upload path, the tablet
client, the vault's retention and the audit.

The table names the articles of the Personal Information Protection Law (PIPL 个人信息保护法) that a city's bodies rely on; its lawyers
confirm them. An undeclared field is refused: there is no place for a value that nobody said why to keep.
"""

import base64
import binascii
import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.refusals import NotAReference, PersonalNumberInText, PersonalText, UndeclaredPersonalField

Item = dict[str, str]
"""``{"subject", "field", "digest"}`` of one disclosure, as events hold it."""
Personal = Sequence[Item] | tuple[()]

MOST_ITEMS = 20
"""Disclosures that one event vouches for, at most."""
LONGEST_DISCLOSURE = 16_384
"""Characters of a disclosure that anybody may send."""
SALT_BYTES = 16
_salt = re.compile(r"[A-Za-z0-9_-]{22,86}").fullmatch
_reference = re.compile(r"[A-Za-z0-9._:/-]{1,128}").fullmatch
_digest = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch
_phone = re.compile(r"\+?[0-9](?:[ -]?[0-9]){4,19}").fullmatch
_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch
_purpose = re.compile(r"[a-z0-9_]{1,64}").fullmatch

# ---- forms of values

Form = Callable[[Any], str | None]
"""What is wrong with a value, None where nothing is."""


def text(longest: int) -> Form:
    """Text of 1 to longest characters that says something, without NUL."""

    def fault(value: Any) -> str | None:
        if isinstance(value, str) and value.strip() and len(value) <= longest and "\0" not in value:
            return None
        return f"Must be text of 1 to {longest} characters without NUL."

    return fault


def phone(value: Any) -> str | None:
    """A telephone number of 5 to 20 digits."""
    return None if isinstance(value, str) and _phone(value) else "Must be a telephone number of 5 to 20 digits."


def photo(value: Any) -> str | None:
    """The name of a photo by its content."""
    return None if isinstance(value, str) and _sha256(value) else "Must be a SHA-256 in lower-case hexadecimal."


def position(value: Any) -> str | None:
    """``{"lat", "lon", "purpose", "accuracy_m"?}``, degrees of WGS-84 and metres."""
    if not isinstance(value, dict) or not {"lat", "lon", "purpose"} <= value.keys() <= {"lat", "lon", "purpose", "accuracy_m"}:
        return "Must be an object with lat, lon, purpose and perhaps accuracy_m."
    bounds = {"lat": (-90, 90), "lon": (-180, 180), "accuracy_m": (0, 1e6)}
    for name, (least, most) in bounds.items():
        number = value.get(name, least)
        if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number <= most:
            return f"{name} must be a number from {least:g} to {most:g}."
    return None if isinstance(value["purpose"], str) and _purpose(value["purpose"]) else "purpose must be a word of a-z, 0-9 and _."


# ---- the table


@dataclass(frozen=True, slots=True)
class Declared:
    """One personal field: what for, on which ground, for how many days, which kinds of events may carry it, what a value looks like."""

    purpose: str
    basis: str
    retention_days: int
    topics: frozenset[str]
    form: Form


DUTY = "PIPL art. 13(1)(3), art. 34: needed for a statutory duty"
CONSENT = "PIPL art. 13(1)(1), art. 29: separate consent, sensitive information"
DUTY_SENSITIVE = "PIPL art. 13(1)(3), arts. 28, 34: needed for a statutory duty, sensitive information"

VISIT = frozenset({"visit.made"})
REPORT = frozenset({"case.reported"})
FOUND_OUT = frozenset({"case.reported", "case.verified"})
NOTED = frozenset(
    f"case.{did}" for did in ("verified", "accepted", "registered", "dispatched", "acknowledged", "checked", "evaluated", "closed")
)
DONE = frozenset({"case.handled", "case.self_handled"})
REASONED = frozenset(
    f"case.{did}"
    for did in (
        "rejected", "transferred", "returned", "escalated", "referred", "extended", "suspended", "resumed", "reworked", "reopened",
        "merged", "split", "overtime_exempted",
    )
)  # fmt: skip
PICTURED = VISIT | FOUND_OUT | DONE | {"case.checked"}
REFUSED_ENTRY = "refused_entry"

FIELDS: dict[str, Declared] = {
    "need_voiced": Declared("so that what was asked for on a visit is done", DUTY, 365, VISIT, text(500)),
    "visit_place": Declared("to find the door again where there is no address", DUTY_SENSITIVE, 30, VISIT, position),
    "resident_name": Declared("to know whom to ask for", DUTY, 365, VISIT | FOUND_OUT, text(64)),
    "resident_phone": Declared("to call back the person who reported, or who is cared for", DUTY, 365, VISIT | FOUND_OUT, phone),
    "address_detail": Declared("to find the flat", DUTY, 365, VISIT | FOUND_OUT, text(200)),
    "health_note": Declared("so that who visits or helps does no harm", CONSENT, 180, VISIT, text(500)),
    "case_summary": Declared("what a dispute, care or security matter is about", DUTY, 1095, REPORT, text(2000)),
    "case_place": Declared("where the persons of such a matter are found", DUTY_SENSITIVE, 180, REPORT, position),
    "case_note": Declared("what whoever goes on with the matter needs to know", DUTY, 1095, NOTED, text(2000)),
    "case_result": Declared("what was done for the persons of the matter", DUTY, 1095, DONE, text(2000)),
    "case_reason": Declared("why it was decided so, for whoever it concerns", DUTY, 1095, REASONED, text(2000)),
    "case_task": Declared("what the called units are to do there", DUTY, 1095, frozenset({"case.whistled"}), text(2000)),
    "photo": Declared("what it looked like, where a person or a home can be recognised", DUTY_SENSITIVE, 365, PICTURED, photo),
    REFUSED_ENTRY: Declared(
        "so that the worker's entry can be read, re-applied or dismissed", DUTY, 180, frozenset({"refused.kept"}), text(50_000)
    ),
}
"""Retention counts from when the value came. 1095 days: the general limitation of civil claims (Civil Code art. 188)."""

CARRIERS = frozenset().union(*(declared.topics for declared in FIELDS.values()))
"""Topics of the events that may vouch for personal values."""

IN_PLACE_OF: dict[str, str] = {
    "summary": "case_summary",
    "place": "case_place",
    "note": "case_note",
    "result": "case_result",
    "reason": "case_reason",
    "task": "case_task",
    "photos": "photo",
}
"""Said fields of cases that stand plain in matters of public space, and the disclosure that takes their place in private ones."""

NEVER_PLAIN: dict[str, dict[str, str]] = {"visit.made": {"needs": "need_voiced", "place": "visit_place", "photos": "photo"}}
"""What other systems put into an entry as it is, and the field under which it is told here."""

GUARDED = ("summary", "note", "result", "reason", "task", "checkpoint", "household", "reference", "quantities")
"""Said fields in which people may write what they like, or nearly so: none of them may bear a personal number."""


# ---- rules


def must_be_declared(topic: str, personal: Personal) -> None:
    """UndeclaredPersonalField where an event would vouch for a value that its kind may not carry."""
    for at, item in enumerate(personal):
        declared = FIELDS.get(item["field"])
        if declared is None or topic not in declared.topics:
            raise UndeclaredPersonalField(field=item["field"], kind=topic, pointer=f"/data/personal/{at}/field")


def must_be_told_apart(said: Mapping[str, Any]) -> None:
    """PersonalText where a private matter is told in plain members."""
    for name, instead in IN_PLACE_OF.items():
        if said.get(name):
            raise PersonalText(field=instead, pointer=f"/data/{name}")


def must_bear_no_number(said: Mapping[str, Any]) -> None:
    """PersonalNumberInText where a plain text holds a mobile or identity number."""
    for name in GUARDED:
        value = said.get(name)
        if value:
            must_hold_no_number(name, value)


def must_hold_no_number(name: str, value: str | Iterable[str]) -> None:
    """The same for one said field: a text, or texts."""
    for each in (value,) if isinstance(value, str) else value:
        if bears_a_number(each):
            raise PersonalNumberInText(pointer=f"/data/{name}")


def must_be_free_of_numbers(*texts: str | None) -> None:
    """The same for texts that stand alone: a reason, a name, a label."""
    if any(each is not None and bears_a_number(each) for each in texts):
        raise PersonalNumberInText


def must_be_a_reference(*texts: str | None) -> None:
    """NotAReference where what names a household or a record of another system could be a name of a person."""
    for each in texts:
        if each is not None and not _reference(each):
            raise NotAReference


def tells(personal: Personal, field: str) -> bool:
    """Whether one of the disclosures is of the field."""
    return any(item["field"] == field for item in personal)


# ---- numbers of persons in plain text

_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{64}\b", re.IGNORECASE)
_MOBILE = re.compile(r"(?<!\d)(?<!\d\.)(?:\+?(?:00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")
_IDENTITY = re.compile(r"(?<!\d)(?<!\d\.)[1-8]\d{5} ?(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) ?\d{3}[\dXx](?!\d)")
_DIGITS = re.compile(r"\d")
_ELEVEN = re.compile(r"\d(?:[ -]?\d){10}")
"""What both kinds of numbers begin with: most texts have not so many digits in a row, and are looked at once."""
_SHORTEST_NAME = 36
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def bears_a_number(said: str) -> bool:
    """Whether a text holds a mainland mobile number, or a resident identity number with its right check digit (GB 11643).

    Ids of records and names of photos are left aside; digits behind a decimal point, area codes, times and amounts are none of the two.
    """
    if len(said) < 11:
        return False
    plain = said
    if not said.isascii():
        if not _DIGITS.search(said):
            return False
        plain = unicodedata.normalize("NFKC", said)
    if len(plain) >= _SHORTEST_NAME:
        plain = _NAMES.sub(" ", plain)
    if _ELEVEN.search(plain) is None:
        return False
    if _MOBILE.search(plain) is not None:
        return True
    return _IDENTITY.search(plain) is not None and any(_checks(found[0]) for found in _IDENTITY.finditer(plain))


def _checks(number: str) -> bool:
    digits = number.replace(" ", "").upper()
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False)) % 11] == digits[17]


# ---- disclosures and digests (RFC 9901 §4.2)


class BadDisclosure(ValueError):
    """The text is no disclosure; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a disclosure says."""

    salt: str
    field: str
    value: Any


def new_salt() -> str:
    """128 random bits, base64url."""
    return _b64url(secrets.token_bytes(SALT_BYTES))


def make_disclosure(field: str, value: Any, salt: str | None = None) -> str:
    """The disclosure of a value. Whoever makes it keeps the text: the digest is of the text, not of what it says."""
    said = json.dumps([salt or new_salt(), field, value], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _b64url(said.encode())


def digest_of(disclosure: str) -> str:
    """The digest of a disclosure: 43 characters."""
    return _b64url(hashlib.sha256(disclosure.encode("ascii")).digest())


def item_of(subject: str, field: str, disclosure: str) -> Item:
    """What an event says of a disclosure."""
    return {"subject": subject, "field": field, "digest": digest_of(disclosure)}


def disclosed(subject: str, values: Iterable[tuple[str, Any]]) -> tuple[list[Item], list[str]]:
    """The items for an event, and the disclosures to keep beside it, of several values of one person."""
    disclosures = [(field, make_disclosure(field, value)) for field, value in values]
    return [item_of(subject, *each) for each in disclosures], [text for _, text in disclosures]


def values_apart(topic: str, said: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """What a kind says without its texts, positions and pictures, and these by the fields under which they are disclosed.

    For visits, and for cases whose category is private; others may stay as they are said.
    """
    instead = NEVER_PLAIN.get(topic, IN_PLACE_OF)
    values = {
        instead[name]: list(value) if isinstance(value, list | tuple) else [value]
        for name, value in said.items()
        if name in instead and value is not None
    }
    return {name: value for name, value in said.items() if name not in instead}, values


def told_apart(topic: str, said: Mapping[str, Any], subject: str) -> tuple[dict[str, Any], list[str]]:
    """The same with the disclosures made, about one subject: the said fields with their items, and the disclosures."""
    rest, values = values_apart(topic, said)
    items, disclosures = disclosed(subject, pairs_of(values))
    if items:
        rest["personal"] = [*said.get("personal", ()), *items]
    return rest, disclosures


def pairs_of(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Fields and values, one pair for each value: a field may have several, in a list."""
    return [(field, each) for field, value in values.items() for each in (value if isinstance(value, list | tuple) else (value,))]


def read_disclosure(disclosure: str) -> Disclosure:
    """What a disclosure says. BadDisclosure where it is none, or its salt is too short to hide a value that can be guessed."""
    try:
        if not disclosure.isascii() or "=" in disclosure:
            raise BadDisclosure("A disclosure is base64url without padding.")
        plain = base64.b64decode(disclosure + "=" * (-len(disclosure) % 4), altchars=b"-_", validate=True)
        if _b64url(plain) != disclosure:
            raise BadDisclosure("A disclosure is canonical base64url.")
        said = json.loads(plain, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except BadDisclosure:
        raise
    except (ValueError, binascii.Error, RecursionError) as wrong:
        raise BadDisclosure("A disclosure is base64url of a JSON array.") from wrong
    if not isinstance(said, list) or len(said) != 3 or not isinstance(said[0], str) or not isinstance(said[1], str):
        raise BadDisclosure("A disclosure says [salt, field, value].")
    if not _salt(said[0]):
        raise BadDisclosure("The salt is at least 128 random bits in base64url.")
    return Disclosure(*said)


def value_fault(field: str, value: Any) -> str | None:
    """What is wrong with a value of a declared field, None where nothing is."""
    return FIELDS[field].form(value)


def is_digest(value: Any) -> bool:
    """Whether a value has the form of a digest."""
    return isinstance(value, str) and _digest(value) is not None


def _b64url(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadDisclosure("An object has the same key twice.")
    return found


def _no_constant(name: str) -> Any:
    raise BadDisclosure(f"{name} is no JSON.")
