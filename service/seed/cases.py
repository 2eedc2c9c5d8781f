"""The demo week's cases, each as a script: who does what, how many minutes after the step before. Data for the seed; pure."""

from dataclasses import dataclass, field
from typing import Any

Acts = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One case. day counts from the week's first; grid is below the district; acts are (who, kind, minutes later, what is said).

    A department in ``to``, ``lead``, ``unit`` and ``assists`` stands by its short name. into: the script whose case this one is merged
    into. late: an act that was written so many minutes after the report, without network, and is uploaded after all the others.
    personal: what is disclosed with the report, whatever its category.
    """

    name: str
    day: int
    time: str
    reporter: str
    grid: str
    said: dict[str, Any]
    acts: Acts = ()
    into: str | None = None
    late: tuple[str, str, int, dict[str, Any]] | None = None
    personal: dict[str, Any] = field(default_factory=dict)


def taken_up(officer: str, department: str) -> Acts:
    """Accepted, registered and dispatched within a quarter of an hour, acknowledged a little later."""
    return (
        (officer, "case.accepted", 6, {}),
        (officer, "case.registered", 3, {}),
        (officer, "case.dispatched", 4, {"to": department}),
        (department, "case.acknowledged", 22, {}),
    )


def report(category: str, summary: str, **more: Any) -> dict[str, Any]:
    """What a report says."""
    return {"category": f"gridtrail/1/{category}", "summary": summary, **more}


HANDLED = {"result": "Repaired and tidied up."}

SCRIPTS: tuple[Script, ...] = (
    Script(
        "rubbish", 0, "08:50", "li", "001001001", report("A01", "Rubbish piled up beside the market gate"),
        (
            *taken_up("zhao", "urban"),
            ("urban", "case.handled", 95, {"result": "Cleared; the stall keeper was told.", "quantities": {"bags": 14}}),
            ("zhao", "case.checked", 40, {"passed": True}),
            ("li", "case.evaluated", 25, {"rating": "very_satisfied", "rated_by": "reporter"}),
            ("zhao", "case.closed", 10, {}),
        ),
    ),
    Script(
        "adverts", 0, "10:15", "wang", "001001003", report("A02", "Adverts pasted over the school's notice board"),
        (
            ("wang", "case.self_handled", 12, {"result": "Scraped off on the spot.", "quantities": {"adverts": 6}}),
            ("zhao", "case.checked", 60, {"passed": True}),
            ("zhao", "case.closed", 5, {}),
        ),
    ),
    Script(
        "fire lane", 1, "09:05", "chen", "001002002", report("B01", "Parked cars block the fire lane of block 7", urgency="urgent"),
        taken_up("zhou", "fire"),
    ),
    Script(
        "illegal structure", 1, "15:20", "liu", "002001001", report("E02", "A shed was built over the drain behind block 3"),
        (
            ("wu", "case.accepted", 8, {}),
            ("wu", "case.registered", 4, {}),
            ("wu", "case.escalated", 10, {"reason": "The community has no right to take it down."}),
            ("wu", "case.escalated", 3, {"reason": "Three departments are needed."}),
            ("ma", "case.whistled", 35, {
                "lead": "urban", "assists": ["police", "fire"], "muster_minutes": 60, "task": "Take down the shed and clear the drain.",
            }),
            ("urban", "case.mustered", 30, {"unit": "urban"}),
            ("police", "case.mustered", 12, {"unit": "police"}),
            ("urban", "case.handled", 1200, {"result": "Taken down; the drain runs again."}),
        ),
    ),
    Script(
        "road works", 2, "09:40", "yang", "002002003", report("E01", "The road has sunk over ten metres"),
        (
            *taken_up("xu", "urban"),
            ("urban", "case.suspended", 180, {"until": "+60", "reason": "The water company digs there until then."}),
        ),
    ),
    Script(
        "private quarrel", 2, "11:05", "wang", "001001002", report("C", "Loud argument in a stairwell, over when we came"),
        (("zhao", "case.rejected", 9, {"reason": "Nothing left to handle; both sides were spoken to."}),),
    ),
    Script(
        "bicycles", 3, "08:45", "chen", "001002001", report("C", "Abandoned bicycles at the side entrance"),
        (
            ("zhou", "case.accepted", 7, {}),
            ("zhou", "case.registered", 2, {}),
            ("zhou", "case.dispatched", 3, {"to": "police"}),
            ("police", "case.returned", 65, {"reason": "Abandoned bicycles are urban management's."}),
            ("zhou", "case.dispatched", 15, {"to": "urban"}),
            ("urban", "case.acknowledged", 30, {}),
        ),
    ),
    Script(
        "lamp", 3, "14:10", "li", "001001002", report("E03", "The street lamp at the playground is out"),
        (
            *taken_up("zhao", "urban"),
            ("urban", "case.handled", 70, {"result": "New bulb."}),
            ("zhao", "case.checked", 45, {"passed": False, "note": "Dark again after an hour."}),
            ("zhao", "case.reworked", 2, {"reason": "The fitting is broken, not the bulb."}),
            ("urban", "case.handled", 1010, {"result": "New fitting."}),
            ("zhao", "case.checked", 60, {"passed": True}),
            ("zhao", "case.closed", 3, {}),
        ),
    ),
    Script(
        "night works", 4, "09:30", "yang", "002002001", report("A03", "Residents: piling until two in the morning", source="resident"),
        (
            ("yang", "case.verified", 20, {"found": True, "note": "The foreman admits it."}),
            *taken_up("xu", "police"),
            ("police", "case.handled", 50, {"result": "Night work forbidden in writing."}),
            ("xu", "case.checked", 30, {"passed": True}),
            ("xu", "case.closed", 5, {}),
        ),
    ),
    Script(
        "paving", 4, "10:20", "liu", "002001002", report("E01", "Loose paving stones on the way to the clinic"),
        (*taken_up("wu", "urban"), ("urban", "case.extended", 300, {"amount": 2, "reason": "The stones have to be cut first."})),
    ),
    Script(
        "stairwell light", 4, "15:40", "chen", "001002003", report("E03", "Stairwell light out on the third floor", source="visit"),
        (
            ("zhou", "case.accepted", 5, {}),
            ("zhou", "case.registered", 3, {}),
            ("chen", "case.acknowledged", 10, {}),
            ("chen", "case.handled", 35, {"result": "Bulb changed together with the caretaker."}),
            ("zhou", "case.checked", 15, {"passed": True}),
            ("zhou", "case.closed", 4, {}),
        ),
    ),
    Script(
        "hydrant", 5, "08:40", "li", "001001002", report("B", "The hydrant at the corner leaks"),
        (*taken_up("zhao", "fire"), ("fire", "case.handled", 150, HANDLED)),
    ),
    Script(
        "hydrant again", 5, "08:55", "wang", "001001002", report("B", "Water runs from a hydrant onto the pavement"),
        (("zhao", "case.merged", 20, {"reason": "The same hydrant."}),),
        into="hydrant",
    ),
    Script(
        "pothole", 5, "10:10", "li", "001001001", report("E01", "Pothole in front of the bus stop"),
        (
            ("zhao", "case.accepted", 6, {}),
            ("zhao", "case.registered", 3, {}),
            ("zhao", "case.dispatched", 40, {"to": "urban"}),
            ("urban", "case.acknowledged", 25, {}),
        ),
        late=("li", "case.handled", 30, {"result": "Filled with gravel; no network here to say so."}),
    ),
    Script(
        "noise quarrel", 5, "14:30", "yang", "002002002", report("D", "Two families quarrel over noise at night", source="visit"),
        (
            ("xu", "case.accepted", 10, {}),
            ("xu", "case.registered", 5, {"complexity": "simple"}),
            ("yang", "case.escalated", 45, {"reason": "They ask for the community's mediator."}),
            ("xu", "case.handled", 90, {"result": "Mediated: quiet after ten, carpets in the hall."}),
            ("ma", "case.checked", 60, {"passed": True}),
            ("ma", "case.closed", 10, {}),
        ),
        personal={"resident_name": "张建国", "resident_phone": "13900139000", "address_detail": "Block 4, flat 301"},
    ),
    Script(
        "manhole", 6, "09:15", "liu", "002001003", report("B04", "Manhole cover missing beside the school", urgency="emergency"),
        (*taken_up("wu", "urban"), ("urban", "case.handled", 35, {"result": "Fenced off, new cover set."})),
    ),
    Script("standing water", 6, "16:20", "liu", "002001002", report("A", "Water stands in the underpass")),
    Script(
        "power cut", 6, "16:45", "wang", "001001003", report("F02", "No power in block 12 since noon", source="resident", urgency="urgent"),
        (("wang", "case.verified", 10, {"found": True}), ("zhao", "case.accepted", 4, {})),
    ),
    Script("cardboard", 6, "17:05", "li", "001001001", report("A01", "Cardboard left behind the market again")),
)  # fmt: skip
