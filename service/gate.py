"""The places of one process: a bounded number of requests at once, a few that wait, and whose turn is next. Read by service.admission.

Among those who wait, recording goes before asking; then whoever came when told before whoever came earlier; then whoever brought least so
far, by the bytes: time would charge a tablet for what others made it wait.
"""

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from service import deadlines
from service.measures import WAITING

LEAST_COST = 1024
CREDIT = 65_536
"""So far behind the others one can fall at most, in bytes: some batches. Newcomers, and who comes back after long, begin there."""
REMEMBERED = 20_000
LONGEST_RETRY_S = 30


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of request. share: of the places; patience: of the configured wait; single: one at a time for each caller."""

    name: str
    rank: int
    share: float
    patience: float
    single: bool = False


@dataclass(slots=True, eq=False)
class Turn:
    """One request that has a place, or waits for one."""

    lane: Lane
    caller: str
    cost: int
    taken: int
    order: tuple[int, bool, int, int]
    admitted: bool = False
    began: float = 0.0
    decided: threading.Event = field(default_factory=threading.Event)

    @property
    def waited(self) -> bool:
        """Whether it did not get its place at once."""
        return self.decided.is_set()


class Refused(Exception):
    """Not admitted: code says why."""

    def __init__(self, code: str, retry_after: int) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(code)


class Gate:
    """The places of one process."""

    def __init__(self, slots: int, room: int, wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = slots
        self.room = room
        self.wait_s = wait_s
        self.clock = clock
        self.lock = threading.Lock()
        self.running: dict[str, int] = {}
        self.waiting: list[Turn] = []
        self.uploading: set[str] = set()
        self.taken: dict[str, int] = {}
        self.owed: dict[str, float] = {}
        self.level = 0
        self.arrivals = 0
        self.hold_s = 0.02

    def enter(self, lane: Lane, caller: str, cost: int = 0) -> Turn:
        """A place, perhaps after a short wait. Refused otherwise. Whoever got a place must leave it. cost: the bytes that are brought."""
        with self.lock:
            if lane.single and caller in self.uploading:
                raise Refused("upload_in_progress", random.randint(1, 2))
            turn = self._arrive(lane, caller, max(cost, LEAST_COST))
            if not turn.admitted and not self._may_wait(turn):
                raise self._turned_away(turn)
            if lane.single:
                self.uploading.add(caller)
        if not turn.admitted:
            self._wait(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        """Gives the place to whoever is next."""
        with self.lock:
            self._forget(turn)
            self.running[turn.lane.name] -= 1
            self.taken[turn.caller] = turn.taken + turn.cost
            self.owed.pop(turn.caller, None)
            self.hold_s += 0.05 * (self.clock() - turn.began - self.hold_s)
            self._admit_next()
            self._prune()

    # ---- all below under the lock

    def _arrive(self, lane: Lane, caller: str, cost: int) -> Turn:
        taken = max(self.taken.get(caller, 0), self.level - CREDIT)
        self.arrivals += 1
        # Whoever does not heed Retry-After comes after all who do, or not to heed it would pay.
        early = self.clock() < self.owed.get(caller, 0.0)
        turn = Turn(lane, caller, cost, taken, (lane.rank, early, taken, self.arrivals))
        if self._free(lane) and not any(self._free(each.lane) for each in self.waiting):
            self._admit(turn)
        return turn

    def _free(self, lane: Lane) -> bool:
        most = max(1, int(self.slots * lane.share))
        return sum(self.running.values()) < self.slots and self.running.get(lane.name, 0) < most

    def _admit(self, turn: Turn) -> None:
        turn.admitted, turn.began = True, self.clock()
        self.running[turn.lane.name] = self.running.get(turn.lane.name, 0) + 1
        self.level = max(self.level, turn.taken)

    def _may_wait(self, turn: Turn) -> bool:
        """Where all places to wait are taken, whoever comes last in the order has to go, not whoever came last."""
        if len(self.waiting) >= self.room:
            last = max(self.waiting, key=lambda each: each.order, default=turn)
            if last.order <= turn.order:
                return False
            self.waiting.remove(last)
            last.decided.set()
        self.waiting.append(turn)
        return True

    def _admit_next(self) -> None:
        able = [each for each in self.waiting if self._free(each.lane)]
        if able:
            first = min(able, key=lambda each: each.order)
            self.waiting.remove(first)
            self._admit(first)
            first.decided.set()

    def _wait(self, turn: Turn) -> None:
        """Not under the lock."""
        try:
            with WAITING.track_inprogress():
                turn.decided.wait(deadlines.left(self.wait_s * turn.lane.patience))
        except BaseException:
            # Nobody will leave the place: counting can fail too, where its files cannot be written.
            if not self._given_up(turn):
                self.leave(turn)
            raise
        if self._given_up(turn):
            with self.lock:
                raise self._turned_away(turn)

    def _given_up(self, turn: Turn) -> bool:
        """Stops waiting; False where the place was given meanwhile."""
        with self.lock:
            if turn.admitted:
                return False
            if turn in self.waiting:
                self.waiting.remove(turn)
            self._forget(turn)
            return True

    def _turned_away(self, turn: Turn) -> Refused:
        now = self.clock()
        self.taken[turn.caller] = turn.taken
        again = max(1, math.ceil(self.owed.pop(turn.caller, 0.0) - now))
        if not turn.order[1]:
            again = self._come_again()
        self.owed[turn.caller] = now + again
        # The dict is nearly in the order of time; whoever did not come again has given up.
        while now - self.owed[oldest := next(iter(self.owed))] > LONGEST_RETRY_S or len(self.owed) > REMEMBERED:
            del self.owed[oldest]
        self._prune()
        return Refused("overloaded", again)

    def _come_again(self) -> int:
        """A random time within that in which all who were turned away can be served."""
        return random.randint(1, max(2, min(LONGEST_RETRY_S, math.ceil(len(self.owed) * self.hold_s / self.slots))))

    def _forget(self, turn: Turn) -> None:
        if turn.lane.single:
            self.uploading.discard(turn.caller)

    def _prune(self) -> None:
        """Those who brought least are where newcomers begin, and need not be remembered."""
        if len(self.taken) <= REMEMBERED:
            return
        self.taken = {caller: taken for caller, taken in self.taken.items() if taken > self.level - CREDIT}
        if len(self.taken) > REMEMBERED:
            self.taken.clear()
