"""The request weight that an address may spend in a minute, shared by the threads of a process.

Here belongs the count; what a request weighs is the client's affair.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

SECONDS = 60.0


class WeightLimiter:
    """At most `budget` within any 60 seconds: stricter than the exchange, which counts by calendar minute."""

    def __init__(
        self,
        budget: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget, self._clock, self._sleep = budget, clock, sleep
        self._lock = threading.Lock()
        self._spent: deque[tuple[float, int]] = deque()  # moment and weight, oldest first

    def take(self, weight: int) -> None:
        """Wait until so much may be spent, and spend it. ValueError if that is more than a whole budget."""
        if weight > self._budget:
            raise ValueError(f"a request of weight {weight} exceeds {self._budget} a minute")
        while (pause := self._try(weight)) > 0:
            self._sleep(pause)

    def told(self, used: int) -> None:
        """Heed the exchange's own count, which knows what other processes of this address spent."""
        with self._lock:
            surplus = min(used, self._budget) - self._used()
            if surplus > 0:
                self._spent.append((self._clock(), surplus))

    def _try(self, weight: int) -> float:
        """Spend, or say how long to wait before the next try."""
        with self._lock:
            used = self._used()
            if used + weight <= self._budget:
                self._spent.append((self._clock(), weight))
                return 0.0
            for moment, spent in self._spent:
                used -= spent
                if used + weight <= self._budget:
                    return max(moment + SECONDS - self._clock(), 0.001)
            raise AssertionError("an empty minute has room for any weight")

    def _used(self) -> int:
        while self._spent and self._spent[0][0] <= self._clock() - SECONDS:
            self._spent.popleft()
        return sum(weight for _, weight in self._spent)
