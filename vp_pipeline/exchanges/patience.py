"""How long and how often an exchange is asked. Which failures are worth another request is in `errors`."""

import random
from dataclasses import dataclass

from vp_pipeline.exchanges.errors import FetchError

# Limits are counted by the minute: coming back after half a second only counts against us.
CROWDED_FACTOR = 6.0


@dataclass(frozen=True)
class Patience:
    """`attempts` at one request, each of at most `timeout_seconds`, pauses doubling from `pause_seconds`."""

    attempts: int = 3
    timeout_seconds: float = 10.0
    pause_seconds: float = 0.5

    def after(self, failure: FetchError, attempt: int) -> float | None:
        """Seconds until the next request, or None: that was the last.

        An exchange's own wish goes before our pauses, which are jittered so that markets do not come back
        all at once.
        """
        if not failure.retryable or attempt >= self.attempts:
            return None
        if failure.wait_seconds is not None:
            return failure.wait_seconds
        base = self.pause_seconds * (CROWDED_FACTOR if failure.crowded else 1.0)
        return base * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311  # no secret


USUAL = Patience()
