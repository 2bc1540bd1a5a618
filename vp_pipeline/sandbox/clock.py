"""The sandbox's clock: real time, time running from a chosen instant, or time standing still."""

import time
from datetime import UTC, datetime


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant as UTC; one without an offset is taken as UTC.

    Raises ValueError when `text` is not such an instant.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an ISO 8601 instant such as 2024-03-01T12:00:00Z") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


class Clock:
    """Tells the sandbox's time; it can be set while the sandbox runs."""

    def __init__(self, now: datetime | None = None, *, frozen: bool = False) -> None:
        self.set(now, frozen=frozen)

    def set(self, now: datetime | None, *, frozen: bool = False) -> None:
        """Start again at `now` (real time if None) and run on from there, or stand still if `frozen`."""
        if now is None and frozen:
            now = datetime.now(UTC)
        self._start_ms = None if now is None else round(now.timestamp() * 1000)
        self._started = time.monotonic()
        self._frozen = frozen

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen

    @property
    def real(self) -> bool:
        """Whether the clock follows real time."""
        return self._start_ms is None

    def now_ms(self) -> int:
        """The sandbox's time in Unix milliseconds."""
        if self._start_ms is None:
            return time.time_ns() // 1_000_000
        if self._frozen:
            return self._start_ms
        return self._start_ms + int((time.monotonic() - self._started) * 1000)

    def now(self) -> datetime:
        """The sandbox's time in UTC."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)
