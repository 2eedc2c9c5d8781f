"""The wire form of what tablets say: one table of fields, a marshmallow schema per kind, and a fast check made from the same fields.

Read by the upload path (fast check), by the OpenAPI document and by whoever wants all faults of a value (schemas). Nothing is ever
transformed: what was checked is what was said. A member without a value is left out; null is no value.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from datetime import date
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from domain import event_classes
from domain.aggregate import fields_of
from domain.areas import LEVEL_OF_LENGTH
from domain.entries import KINDS
from domain.personal import MOST_ITEMS, is_digest

Fault = tuple[str, str]
"""Where (a JSON pointer below the value, "" for the value itself) and what is wrong (a sentence)."""

SAFE_INTEGER = 2**53 - 1
VERSIONS = frozenset({1})

_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_area = re.compile(r"[0-9]{4}(?:[0-9]{2}(?:[0-9]{3}(?:[0-9]{3}(?:[0-9]{3}(?:[0-9]{2})?)?)?)?)?").fullmatch
_unit = re.compile(r"([0-9]{4,17})(?:/[a-z0-9_]{1,64})?").fullmatch
_word = re.compile(r"[a-z0-9_]{1,64}").fullmatch
_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch
_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def is_uuid(value: Any) -> bool:
    """Whether a value is a UUID in canonical lower-case text."""
    return type(value) is str and _uuid(value) is not None


def is_area(value: Any) -> bool:
    """Whether a value has the form of an area code."""
    return type(value) is str and _area(value) is not None


class Said(ABC):
    """What the fields share: one judgement, ``fault``, serves marshmallow and the fast check alike."""

    @abstractmethod
    def fault(self, value: Any) -> Fault | None:
        """What is wrong with a value, None where nothing is."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        wrong = self.fault(value)
        if wrong:
            raise ValidationError({wrong[0]: [wrong[1]]} if wrong[0] else wrong[1])
        return value


class Text(Said, fields.String):
    """Text of a bounded length, without NUL, kept as it is."""

    def __init__(self, longest: int, shortest: int = 1, **kwargs: Any) -> None:
        self.shortest, self.longest = shortest, longest
        self.sentence = f"Must be text of {shortest} to {longest} characters without NUL."
        super().__init__(**kwargs)

    def fault(self, value: Any) -> Fault | None:
        if type(value) is str and self.shortest <= len(value) <= self.longest and "\0" not in value:
            return None
        return "", self.sentence


class Matching(Said, fields.String):
    """Text of one form."""

    def __init__(self, matches: Callable[[str], Any], sentence: str, **kwargs: Any) -> None:
        self.matches, self.sentence = matches, sentence
        super().__init__(**kwargs)

    def fault(self, value: Any) -> Fault | None:
        return None if type(value) is str and self.matches(value) else ("", self.sentence)


class Flag(Said, fields.Boolean):
    """true or false, nothing that looks like it."""

    def fault(self, value: Any) -> Fault | None:
        return None if value is True or value is False else ("", "Must be true or false.")


class Whole(Said, fields.Integer):
    """A whole number within bounds; true is no number."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        self.least, self.most = least, most
        super().__init__(**kwargs)

    def fault(self, value: Any) -> Fault | None:
        if type(value) is int and self.least <= value <= self.most:
            return None
        return "", f"Must be a whole number from {self.least} to {self.most}."


class Number(Said, fields.Float):
    """A finite number within bounds."""

    def __init__(self, least: float, most: float, **kwargs: Any) -> None:
        self.least, self.most = least, most
        super().__init__(**kwargs)

    def fault(self, value: Any) -> Fault | None:
        if (type(value) is float or type(value) is int) and self.least <= value <= self.most:
            return None
        return "", f"Must be a number from {self.least:g} to {self.most:g}."


class Many(Said, fields.List):
    """A list of such values."""

    def __init__(self, inner: Any, most: int, **kwargs: Any) -> None:
        self.most = most
        super().__init__(inner, **kwargs)

    def fault(self, value: Any) -> Fault | None:
        if type(value) is not list or len(value) > self.most:
            return "", f"Must be a list of at most {self.most}."
        for index, each in enumerate(value):
            wrong = self.inner.fault(each)  # type: ignore[attr-defined]
            if wrong:
                return f"/{index}{wrong[0]}", wrong[1]
        return None


class Members(Said, fields.Dict):
    """An object with exactly such members."""

    def __init__(self, members: dict[str, Any], needed: tuple[str, ...], **kwargs: Any) -> None:
        self.members, self.needed = members, needed
        super().__init__(**kwargs)

    def fault(self, value: Any) -> Fault | None:
        if type(value) is not dict:
            return "", "Must be an object."
        for name, each in value.items():
            member = self.members.get(name)
            if member is None:
                return f"/{escaped(name)}", "Unknown field."
            wrong = member.fault(each)
            if wrong:
                return f"/{name}{wrong[0]}", wrong[1]
        for name in self.needed:
            if name not in value:
                return f"/{name}", "Missing."
        return None


class Amounts(Said, fields.Dict):
    """Named quantities: what was counted, and how much of it."""

    def fault(self, value: Any) -> Fault | None:
        if type(value) is not dict or len(value) > 20:
            return "", "Must be an object of at most 20 quantities."
        for name, each in value.items():
            if not _named(name):
                return f"/{escaped(name)}", "A quantity's name has 1 to 64 characters without NUL."
            wrong = AMOUNT.fault(each)
            if wrong:
                return f"/{escaped(name)}", wrong[1]
        return None


def _named(name: str) -> bool:
    return 1 <= len(name) <= 64 and "\0" not in name


def _is_day(text: str) -> bool:
    if not _day(text):
        return False
    try:
        return 1970 <= date.fromisoformat(text).year <= 2100
    except ValueError:
        return False


def _is_unit(text: str) -> bool:
    parts = _unit(text)
    return parts is not None and len(parts[1]) in LEVEL_OF_LENGTH


def escaped(name: str) -> str:
    """A member's name as a part of a JSON pointer (RFC 6901)."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def word(**kwargs: Any) -> Matching:
    return Matching(_word, "Must be a word of 1 to 64 of a-z, 0-9 and _.", **kwargs)


def identifier(**kwargs: Any) -> Matching:
    return Matching(_uuid, "Must be a UUID in lower-case text.", **kwargs)


def unit(**kwargs: Any) -> Matching:
    return Matching(_is_unit, "Must be an area code, or an area code, a slash and a department.", **kwargs)


def day(**kwargs: Any) -> Matching:
    return Matching(_is_day, "Must be a day such as 2026-11-21, from 1970 to 2100.", **kwargs)


def photos(**kwargs: Any) -> Many:
    return Many(Matching(_sha256, "Must be a SHA-256 in lower-case hexadecimal."), 20, **kwargs)


class Anything(Said, fields.Raw):
    """Any JSON value; the declared field judges it."""

    def fault(self, value: Any) -> Fault | None:
        return None


VALUE = {"field": word(), "value": Anything(), "subject": identifier()}
"""A personal value as it is said at the console."""
AMOUNT = Number(-1e12, 1e12)
PLACE = {"lat": Number(-90, 90), "lon": Number(-180, 180), "accuracy_m": Number(0, 1e6), "purpose": word()}


def place(**kwargs: Any) -> Members:
    return Members(PLACE, ("lat", "lon", "purpose"), **kwargs)


def personal(**kwargs: Any) -> Many:
    """What an entry vouches for without saying it: subject, declared field, digest of the disclosure."""
    members = {
        "subject": identifier(),
        "field": word(),
        "digest": Matching(is_digest, "Must be the digest of a disclosure: 43 characters of base64url."),
    }
    return Many(Members(members, ("subject", "field", "digest")), MOST_ITEMS, **kwargs)


def reference(longest: int) -> Callable[..., Matching]:
    matches = re.compile(rf"[A-Za-z0-9._:/-]{{1,{longest}}}").fullmatch
    sentence = f"Must be a reference of 1 to {longest} of A-Z, a-z, 0-9 and ._:/-, never a name."
    return lambda **kwargs: Matching(matches, sentence, **kwargs)


def text(longest: int, shortest: int = 1) -> Callable[..., Text]:
    return lambda **kwargs: Text(longest, shortest, **kwargs)


FIELDS: dict[str, Callable[..., Any]] = {
    "amount": lambda **kwargs: Whole(1, 100_000, **kwargs),
    "assists": lambda **kwargs: Many(unit(), 20, **kwargs),
    "care_group": word,
    "category": text(64),
    "channel": word,
    "checkpoint": text(64),
    "complexity": word,
    "found": lambda **kwargs: Flag(**kwargs),
    "household": reference(64),
    "into": identifier,
    "lead": unit,
    "level": word,
    "muster_minutes": lambda **kwargs: Whole(1, 10_080, **kwargs),
    "next_visit": day,
    "note": text(2000),
    "outcome": word,
    "passed": lambda **kwargs: Flag(**kwargs),
    "patrol": identifier,
    "personal": personal,
    "photos": photos,
    "place": place,
    "quantities": lambda **kwargs: Amounts(**kwargs),
    "rated_by": word,
    "rating": word,
    "reason": text(2000),
    "reference": reference(128),
    "result": text(2000),
    "severity": word,
    "source": word,
    "summary": text(2000),
    "task": text(2000),
    "to": unit,
    "unit": unit,
    "until": day,
    "urgency": word,
    "visit": identifier,
}
"""The form of every field that a tablet may say, by its name: a name means one thing in all kinds. Which words are known is a rule's
matter, not a form's: a new word is refused by the rule that reads it, with the rule's own code."""


def schema_of(topic: str) -> type[Schema]:
    """The marshmallow schema of a kind's ``data``: its event's said fields, except the area, which stands in the entry itself."""
    event = event_classes()[topic]
    needed = {each.name for each in dataclass_fields(event) if each.default is MISSING and each.default_factory is MISSING}
    said = [name for name in fields_of(event)[0] if name != "area"]
    members = {name: FIELDS[name](required=name in needed) for name in said}
    base: type[Schema] = Schema.from_dict(members, name="".join(part.title() for part in re.split(r"[._]", topic)))
    return type(base.__name__, (base,), {"Meta": type("Meta", (), {"unknown": RAISE})})


def spoken_schema_of(topic: str) -> type[Schema]:
    """The same as people say it at the console: personal values as they are, which the service makes disclosures of."""
    base = schema_of(topic)
    if "personal" not in base._declared_fields:
        return base
    return type(f"Spoken{base.__name__}", (base,), {"personal": Many(Members(VALUE, ("field", "value")), MOST_ITEMS), "Meta": base.Meta})


class Shape:
    """The fast check of one kind's ``data``, with the very fields of its schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.texts = {name: each.matches for name, each in schema.fields.items() if type(each) is Matching}
        self.checks = {name: each.fault for name, each in schema.fields.items()}  # type: ignore[attr-defined]
        self.needed = frozenset(name for name, each in schema.fields.items() if each.required)

    def fault(self, data: dict[str, Any]) -> Fault | None:
        """The first fault of the data as (JSON pointer in the entry, sentence), None where there is none."""
        texts, checks = self.texts, self.checks
        for name, value in data.items():
            matches = texts.get(name)
            if matches is not None and type(value) is str and matches(value):
                continue
            check = checks.get(name)
            if check is None:
                return f"/data/{escaped(name)}", "Unknown field."
            wrong = check(value)
            if wrong is not None:
                return f"/data/{name}{wrong[0]}", wrong[1]
        if len(data) < len(self.needed) or not self.needed <= data.keys():
            return f"/data/{min(self.needed - data.keys())}", "Missing."
        return None


SHAPES: dict[str, Shape] = {topic: Shape(schema_of(topic)()) for topic in KINDS}
"""The shape of each kind that a tablet may send."""
