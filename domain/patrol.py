"""Daily patrols 日巡查: a worker passes through a grid and looks for problems in public space. Read by uploads and patrol coverage."""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Fact, FirstFact, Said
from domain.areas import must_be_an_area
from domain.personal import must_hold_no_number
from domain.refusals import NotYourPatrol, PatrolFinished, TextNeeded


class Patrol(Aggregate):
    """One patrol of one grid: started, checkpoints passed, finished."""

    TOPIC = "patrol"

    class Started(FirstFact):
        """巡查开始: a worker began to walk a grid."""

        TOPIC = "patrol.started"
        area: Said[str]

        def apply(self, patrol: "Patrol") -> None:
            patrol.area, patrol.walked_by, patrol.is_finished = self.area, self.by, False

    class CheckpointPassed(Fact):
        """经过点位: a stop of the patrol; never a continuous track. The checkpoint names the place: no position is taken."""

        TOPIC = "patrol.checkpoint_passed"
        area: Said[str]
        checkpoint: Said[str]

    class Finished(Fact):
        """巡查结束: the worker says the grid was walked."""

        TOPIC = "patrol.finished"
        area: Said[str]
        note: Said[str | None] = None

        def apply(self, patrol: "Patrol") -> None:
            patrol.is_finished = True

    area: str
    walked_by: str
    is_finished: bool

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def start(cls, act: Act, books: Any, stream: UUID, *, area: str) -> "Patrol":
        """巡查开始: begins to walk a grid."""
        must_be_an_area(area)
        return cls.begin(cls.Started, act, stream, area=area)

    def pass_checkpoint(self, act: Act, books: Any, *, checkpoint: str) -> None:
        """经过点位: stops at a checkpoint. A round may come by twice: both stops are facts, and coverage counts the checkpoint once."""
        self._must_be_walked_by(act)
        if not checkpoint.strip():
            raise TextNeeded("A checkpoint has a name or a number.")
        must_hold_no_number("checkpoint", checkpoint)
        self.record(self.CheckpointPassed, act, area=self.area, checkpoint=checkpoint)

    def finish(self, act: Act, books: Any, *, note: str | None = None) -> None:
        """巡查结束: says that the grid was walked."""
        self._must_be_walked_by(act)
        if note:
            must_hold_no_number("note", note)
        self.record(self.Finished, act, area=self.area, note=note)

    def _must_be_walked_by(self, act: Act) -> None:
        if act.by != self.walked_by:
            raise NotYourPatrol
        if self.is_finished:
            raise PatrolFinished
