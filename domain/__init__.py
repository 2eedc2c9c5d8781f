"""What can be true: aggregates, events and rules of the field. Imports every aggregate, so that recorded topics resolve."""

from domain import access, areas, case, incarnation, patrol, people, rulebook, signing_key, subject, summary, tablet, visit

AGGREGATES = (
    areas.Area,
    people.Person,
    tablet.Tablet,
    tablet.Refused,
    patrol.Patrol,
    visit.Visit,
    case.Case,
    rulebook.Rulebook,
    incarnation.Incarnation,
    access.AccessDay,
    signing_key.SigningKey,
    subject.Subject,
    subject.Retention,
    summary.Summary,
)


def event_classes() -> dict[str, type]:
    """Every event class by its recorded topic."""
    found = {}
    for aggregate in AGGREGATES:
        for member in vars(aggregate).values():
            topic = getattr(member, "TOPIC", None)
            if isinstance(member, type) and topic:
                found[topic] = member
    return found
