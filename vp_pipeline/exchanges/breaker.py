"""A circuit breaker for each host: open while it has banned us, wants no request, refuses us, or is dead.

Here belongs the decision and its memory; what a failure means is in `errors`, how often one request is
repeated in `patience`. A ban outlives the process: it is kept in the cache folder until it ends.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.errors import LONGEST_WAIT, FetchError
from vp_pipeline.exchanges.listings import file_name

DEAD_AFTER = 5
"""Failures in a row, of any markets, after which a host is taken for dead."""

# The shortest ban that is known; taken where the exchange does not say.
SHORTEST_BAN = timedelta(minutes=2)
# The longest known lasts three days; beyond a week the header is taken for broken, and asked again then.
LONGEST_BAN = timedelta(days=7)


class Breaker:
    """One host's. `check` before each request, then `failed` or `succeeded`; any thread may.

    - A ban (418) or a Retry-After beyond our patience opens it until that moment, by our clock, for every
      process that uses `folder`, those that run already included.
    - 403 and 451 open it for the session, which is this object's life.
    - DEAD_AFTER retryable failures in a row open it for `rest` (None: the session); one success closes it.
    """

    def __init__(
        self,
        folder: Path | None,
        exchange: str,
        host: str | None,
        rest: timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = None if folder is None else folder / f"away-{file_name(exchange, host)}"
        self._clock, self._rest = clock, rest
        self._lock = threading.Lock()
        self._kept_at: int | None = None  # what the file said when it was read last
        self._refusal: FetchError | None = None
        self._until: float | None = None  # None: for the session
        self._dead = False
        self._failures, self._last_failure = 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether the next `check` raises."""
        with self._lock:
            return self._current() is not None

    def check(self, market: str) -> float:
        """The moment of the request that may now be sent, to be handed to `failed`.

        Raises:
            FetchError: the host must not be asked; the reason says why and until when.
        """
        with self._lock:
            self._remember(market)
            refusal = self._current()
            if refusal is not None:
                raise replace(refusal, market=market)
            return time.monotonic()

    def succeeded(self) -> None:
        """The host gave a good answer."""
        with self._lock:
            self._failures = 0
            if self._dead:
                self._refusal, self._until, self._dead = None, None, False

    def failed(self, failure: FetchError, answer: Answer, asked_at: float) -> None:
        """Take note of a failure.

        Raises:
            FetchError: a ban could not be written down.
        """
        with self._lock:
            away = answer.stay_away
            if answer.status in (403, 451):
                self._refusal, self._until, self._dead = failure, None, False
            elif answer.status == 418 or (away is not None and away > LONGEST_WAIT):
                self._ban(failure, min(away or SHORTEST_BAN, LONGEST_BAN))
            elif failure.retryable:
                self._count(failure, answer, asked_at)

    def _count(self, failure: FetchError, answer: Answer, asked_at: float) -> None:
        # Requests side by side meet the same short trouble: where the host answered, that counts once.
        if answer.status is not None and asked_at < self._last_failure:
            return
        self._failures += 1
        self._last_failure = time.monotonic()
        if self._failures >= DEAD_AFTER and self._refusal is None:
            reason = f"{self._failures} requests in a row failed, asked no more for now: {failure.reason}"
            self._refusal = FetchError(failure.market, reason, retryable=True)
            self._until = None if self._rest is None else self._clock() + self._rest.total_seconds()
            self._dead = True

    def _ban(self, failure: FetchError, away: timedelta) -> None:
        self._until = self._clock() + away.total_seconds()
        moment = datetime.fromtimestamp(self._until, UTC)
        reason = f"{failure.reason}; not asked before {moment:%Y-%m-%d %H:%M:%S} UTC by our clock"
        self._refusal, self._dead = FetchError(failure.market, reason), False
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
            temporary.write_text(json.dumps({"until": self._until, "reason": reason}))
            temporary.replace(self.path)
        except OSError as error:
            raise FetchError(failure.market, f"{reason}; this cannot be kept: {error}") from error

    def _current(self) -> FetchError | None:
        if self._refusal is not None and self._until is not None and self._clock() >= self._until:
            self._refusal, self._until, self._dead, self._failures = None, None, False, 0
        return self._refusal

    def _remember(self, market: str) -> None:
        """What another process was told, before or meanwhile."""
        if self.path is None:
            return
        try:
            written = self.path.stat().st_mtime_ns
            if written == self._kept_at:
                return
            self._kept_at = written
            kept = json.loads(self.path.read_text())
            until, reason = float(kept["until"]), str(kept["reason"])
        except (
            FileNotFoundError,
            LookupError,
            TypeError,
            ValueError,
        ):
            return  # nothing kept, or damaged: the host will say again
        except OSError as error:
            raise FetchError(market, f"cannot read which hosts not to ask: {error}") from error
        if self._clock() < until <= self._clock() + LONGEST_BAN.total_seconds():
            self._refusal, self._until, self._dead = FetchError(market, reason), until, False
