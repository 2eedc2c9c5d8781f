"""Why an uploaded entry is kept as refused, apart from the field's own rules. Read by the upload path; each code is stable for ever."""

from domain.errors import Refusal


class MalformedEntry(Refusal):
    """The line is not strict JSON, or not an object with the members of an entry."""

    sentence = "The line is not an entry."


class UnknownKind(Refusal):
    """The service knows no entry of this kind."""

    sentence = "No entry of this kind is known here. A newer service may know it; re-apply it then."


class UnknownVersion(Refusal):
    """The kind is known, this version of it is not."""

    sentence = "This version of the kind is not known here. A newer service may know it; re-apply it then."


class InvalidField(Refusal):
    """A member of ``data`` is missing, unknown or wrong; ``pointer`` says which."""

    sentence = "A field is wrong."
    status = 422


class TimeOutOfRange(Refusal):
    """The tablet's time lies outside the years 1970 to 2100."""

    sentence = "occurred_at lies outside the years 1970 to 2100."


class UnknownArea(Refusal):
    """No such area was registered, or not on that day."""

    sentence = "No such area was in force on that day."


class EntryOutOfScope(Refusal):
    """The worker had no assignment that reaches the area on that day."""

    code = "out_of_scope"
    sentence = "You had no assignment that reaches this area on that day."


class EntryNotYourRole(Refusal):
    """The worker's roles in that area may not do this."""

    code = "not_your_role"
    sentence = "Your role in this area may not do this."


class NoSuchReference(Refusal):
    """The entry names a patrol, visit or case that is not recorded in this area, or not within reach: the two are not told apart."""

    sentence = "What the entry refers to is not recorded within your reach."


class Forked(Refusal):
    """The entry stands in a history of its tablet that contradicts the one recorded."""

    sentence = "The tablet told another history before; an officer looks into it."


class Undecided(Refusal):
    """Deciding the entry failed in a way that nobody foresaw. It is kept, and can be re-applied once the service is repaired."""

    sentence = "The service could not decide this entry; it is kept and can be re-applied after a repair."
