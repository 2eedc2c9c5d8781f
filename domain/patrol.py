"""Daily patrols 日巡查: a worker passes through a grid and looks for problems in public space. Read by the upload path and patrol coverage."""

from typing import Any

from domain.aggregate import Aggregate, Fact, FirstFact, Said


class Patrol(Aggregate):
    """One patrol of one grid: started, checkpoints passed, finished."""

    TOPIC = "patrol"

    class Started(FirstFact):
        """巡查开始: a worker began to walk a grid."""

        TOPIC = "patrol.started"
        area: Said[str]
        place: Said[dict[str, Any] | None] = None

    class CheckpointPassed(Fact):
        """经过点位: a stop of the patrol; never a continuous track."""

        TOPIC = "patrol.checkpoint_passed"
        area: Said[str]
        checkpoint: Said[str]
        place: Said[dict[str, Any] | None] = None

    class Finished(Fact):
        """巡查结束: the worker says the grid was walked."""

        TOPIC = "patrol.finished"
        area: Said[str]
        note: Said[str | None] = None
