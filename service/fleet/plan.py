"""Steps and rounds: who says what, and when each tablet uploads so that nothing arrives before what it follows from. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Member:
    """One person of the cast: key names the person and the tablet; units are where the role is held."""

    key: str
    role: str
    units: tuple[str, ...]
    from_day: str
    label: str = ""
    tablet: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One entry to be: said on a member's tablet at a moment. after: indexes of earlier steps that it follows from; line: of the source.

    personal: values by declared field, of which the entry holds digests only.
    """

    tablet: str
    kind: str
    stream: str
    area: str
    at: datetime
    data: dict[str, Any]
    after: tuple[int, ...] = ()
    line: int = 0
    personal: dict[str, Any] = field(default_factory=dict)


@dataclass
class Round:
    """What is uploaded side by side: nothing in a round follows from another tablet's step of the same round."""

    ends_at: datetime
    wave: int
    steps: dict[str, list[Step]] = field(default_factory=dict)


def rounds_of(steps: Sequence[Step], window: timedelta) -> list[Round]:
    """The steps in rounds: window by window in time, and inside a window wave after wave along what follows from what.

    A step that follows from another tablet's step of its window waits one wave; on the same tablet it goes into the same upload.
    """
    placed: list[tuple[int, int]] = []
    for step in steps:
        slot, wave = (step.at - EPOCH) // window, 0
        for index in step.after:
            before_slot, before_wave = placed[index]
            if before_slot > slot:
                slot, wave = before_slot, 0
            if before_slot == slot:
                wave = max(wave, before_wave + (steps[index].tablet != step.tablet))
        placed.append((slot, wave))
    rounds: dict[tuple[int, int], Round] = {}
    order = sorted(range(len(steps)), key=lambda index: (*placed[index], steps[index].at, index))
    for index in order:
        slot, wave = placed[index]
        here = rounds.setdefault(placed[index], Round(EPOCH + (slot + 1) * window, wave))
        here.steps.setdefault(steps[index].tablet, []).append(steps[index])
    return list(rounds.values())
