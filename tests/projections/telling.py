"""A small history told line by line, for tests of folds and of the engine: no domain rules, no database."""

from typing import Any
from uuid import UUID, uuid5

from domain.personal import item_of, make_disclosure
from projections.recorded import write_line, write_state

SPACE = UUID("6d0f1b0e-6a55-4b7e-9a6e-0b6c0c1f2a3d")
LEDGER = "411502001"
COMMUNITY = "411502001001"
A1 = "411502001001001"
A2 = "411502001001002"
FIRE = "411502001/fire"
MORNING = "2026-11-21T01:00:00.000Z"


def id_of(name: str) -> str:
    """The same id for the same name, in every run."""
    return str(uuid5(SPACE, name))


LI, WANG, ZHAO = id_of("li"), id_of("wang"), id_of("zhao")


def at(minutes: int) -> str:
    """A time that many minutes into the morning of 2026-11-21."""
    return f"2026-11-21T{1 + minutes // 60:02d}:{minutes % 60:02d}:00.000Z"


def item_about(subject: str, field: str, value: str) -> dict[str, str]:
    """What an event says of a disclosure."""
    return item_of(id_of(subject), field, make_disclosure(field, value, "s" * 22))


def kept_bytes(name: str) -> dict[str, Any]:
    """What a kept refusal says of its entry."""
    return {"leaf": "eA==", "personal": [item_about(name, "refused_entry", "e30=")]}


class History:
    """Tells events of one ledger; versions and positions follow by themselves."""

    def __init__(self, ledger: str = LEDGER) -> None:
        self.ledger = ledger
        self.lines: list[bytes] = []
        self.versions: dict[str, int] = {}

    def tell(
        self, topic: str, stream: str, said: dict[str, Any] | None = None, /, *, by: str = LI, minute: int | None = None, **derived: Any
    ) -> str:
        """Records one event; gives the stream's id. The minute is both when it happened and when it was recorded."""
        ident = id_of(stream)
        minute = len(self.lines) if minute is None else minute
        version = self.versions[ident] = self.versions.get(ident, 0) + 1
        base = {"by": by, "role": "worker", "happened_at": at(minute), "day": "2026-11-21"}
        state = write_state({**base, **derived}, said or {}, None)
        self.lines.append(write_line(self.ledger, len(self.lines), UUID(ident), version, topic, at(len(self.lines)), state, inline=True))
        return ident

    # ---- the field's words

    def case_reported(self, case: str, area: str = A1, *, by: str = LI, **said: Any) -> str:
        said = {"area": area, "category": "default/1/A", "summary": "exposed rubbish", **said}
        return self.tell("case.reported", case, said, by=by, holder=area, accept_due_at=at(30), tablet=id_of("tablet"))

    def case_registered(self, case: str, area: str = A1, *, due_at: str = at(100)) -> str:
        limit = {"kind": "work_hour", "amount": 4}
        derived = {"limit": limit, "calendar": "default@1", "due_at": due_at, "dispatch_due_at": at(45), "registrar": COMMUNITY}
        return self.tell("case.registered", case, {"area": area}, by=ZHAO, holder=area, **derived)

    def case_moved(self, case: str, to: str, area: str = A1, *, was: str = A1) -> str:
        return self.tell("case.transferred", case, {"area": area, "to": to, "reason": "theirs"}, by=ZHAO, holder=to, from_holder=was)

    def case_handled(self, case: str, area: str = A1, *, holder: str = A1, by: str = LI, overtime: bool = False) -> str:
        return self.tell("case.handled", case, {"area": area, "result": "cleared"}, by=by, holder=holder, overtime=overtime)

    def case_closed(self, case: str, area: str = A1, *, holder: str = A1, overtime: bool = False) -> str:
        return self.tell("case.closed", case, {"area": area}, by=ZHAO, holder=holder, level="grid", overtime=overtime)

    def visit_made(
        self, visit: str, household: str, area: str = A1, *, next_due: str | None = None, minute: int | None = None, **more: Any
    ) -> str:
        said = {"area": area, "household": household, "outcome": "met", "care_group": "living_alone", **more}
        return self.tell("visit.made", visit, said, minute=minute, next_due=next_due)

    def patrol_walked(self, patrol: str, area: str = A1, stops: int = 2, *, by: str = LI) -> str:
        self.tell("patrol.started", patrol, {"area": area}, by=by)
        for stop in range(stops):
            self.tell("patrol.checkpoint_passed", patrol, {"area": area, "checkpoint": f"c{stop}"}, by=by)
        return self.tell("patrol.finished", patrol, {"area": area}, by=by)

    def area_registered(self, code: str, name: str, **said: Any) -> str:
        return self.tell("area.registered", f"area {code}", {"code": code, "name": name, "effective_from": "2026-01-01", **said})

    def a_bit_of_everything(self, rounds: int = 1) -> "History":
        """Every kind of event that a ledger of a subdistrict sees, round after round."""
        self.area_registered(A1, "Riverside", kind="general", centre=[114.07, 32.12])
        self.area_registered(A2, "Old Gate", polygon={"type": "Polygon", "coordinates": []})
        self.tell("person.registered", "li", {"home": COMMUNITY})
        self.tell("person.assigned", "li", {"assignment": id_of("a"), "as_role": "worker", "unit": A1, "from_day": "2026-01-01"})
        enrolled = {"public_key": "k", "algorithm": "ed25519"}
        self.tell("tablet.enrolled", "tablet", enrolled, origin="example.org/tablet/1", person=LI, area=A1)
        for each in range(rounds):
            self.patrol_walked(f"patrol {each}")
            voiced = {"personal": [item_about(f"house {each % 7}", "need_voiced", f"need {each}")]} if each % 3 == 0 else {}
            self.visit_made(f"visit {each}", f"house {each % 7}", next_due="2026-12-21", **voiced)
            case = f"case {each}"
            self.case_reported(case, place={"lat": 32.12, "lon": 114, "purpose": "case"})
            self.case_registered(case)
            if each % 3 == 0:
                self.case_moved(case, FIRE)
            if each % 2 == 0:
                holder = FIRE if each % 3 == 0 else A1
                self.case_handled(case, holder=holder, by=WANG, overtime=each % 4 == 0)
                self.case_closed(case, holder=holder)
            kept = {"seq": each, "code": "not_your_case", "detail": "no", "area": A1, "person": LI, "tablet": id_of("tablet")}
            self.tell("refused.kept", f"refused {each}", **kept, **kept_bytes(f"entry {each}"))
            self.tell("tablet.uploaded", "tablet", seal="s", first=each, size=each + 1, recorded=7, refused=1, waiting=0, skew_ms=12)
        return self


class Told:
    """The engine's reader over histories that were told: what a ledger store would give."""

    def __init__(self, *histories: History) -> None:
        self.histories = {history.ledger: history for history in histories}

    def ledgers(self, conn: Any) -> dict[str, int]:
        return {ledger: len(history.lines) for ledger, history in self.histories.items()}

    def lines(self, conn: Any, ledger: str, start: int, limit: int) -> list[bytes]:
        return self.histories[ledger].lines[start : start + limit]

    def stretches(self, conn: Any, wanted: Any) -> list[list[bytes]]:
        return [self.histories[ledger].lines[start:end] for ledger, start, end in wanted]
