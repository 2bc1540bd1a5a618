"""What a response says besides its body: status, the exchange's time, how long to stay away.

Here belongs the reading of status and headers, for every client alike; what follows from them is in `errors`.
"""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# A year: no exchange means more, and dates have an end.
_LONGEST_SECONDS = 365 * 86_400


@dataclass
class Answer:
    """The last response to a request; all None as long as there is none.

    `ahead` is how far the exchange's clock was ahead of ours when the response came.
    """

    status: int | None = None
    exchange_time: datetime | None = None
    ahead: timedelta | None = None
    stay_away_until: datetime | None = None

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Keep what a response says. ValueError if its Date is not one."""
        fields = {name.lower(): value for name, value in headers.items()}
        sent, retry_after = fields.get("date"), fields.get("retry-after")
        self.status = status
        self.exchange_time = _instant(sent) if sent is not None else None
        self.ahead = None if self.exchange_time is None else self.exchange_time - datetime.now(UTC)
        self.stay_away_until = _retry_time(retry_after, self.now) if retry_after is not None else None

    def forget(self) -> None:
        """Make ready for another attempt."""
        self.status = self.exchange_time = self.ahead = self.stay_away_until = None

    @property
    def stay_away(self) -> timedelta | None:
        """How long the exchange wants to be left alone; None if it does not say."""
        if self.stay_away_until is None:
            return None
        return max(self.stay_away_until - self.now, timedelta(0))

    @property
    def now(self) -> datetime:
        """The exchange's time, to the second; ours if it did not tell."""
        return self.exchange_time or datetime.now(UTC)


def _instant(text: str) -> datetime:
    moment = email.utils.parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _retry_time(text: str, now: datetime) -> datetime | None:
    """Retry-After is seconds or a date (RFC 9110, 10.2.3); anything else says nothing."""
    try:
        if text.strip().isdecimal():
            return now + timedelta(seconds=min(int(text), _LONGEST_SECONDS))
        return _instant(text)
    except (ValueError, OverflowError):
        return None
