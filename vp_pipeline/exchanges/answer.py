"""What a response says besides its body: status, the exchange's time, how long to stay away.

Here belongs the reading of status and headers, for every client alike; what follows from them is in `errors`.
"""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Answer:
    """The last response to a request; all None as long as there is none."""

    status: int | None = None
    exchange_time: datetime | None = None
    stay_away_until: datetime | None = None

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Keep what a response says. ValueError if its Date is not one."""
        fields = {name.lower(): value for name, value in headers.items()}
        sent, retry_after = fields.get("date"), fields.get("retry-after")
        self.status = status
        self.exchange_time = _instant(sent) if sent is not None else None
        self.stay_away_until = _retry_time(retry_after, self.now) if retry_after is not None else None

    def forget(self) -> None:
        """Make ready for another attempt."""
        self.status = self.exchange_time = self.stay_away_until = None

    @property
    def now(self) -> datetime:
        """The exchange's time, to the second; ours if it did not tell."""
        return self.exchange_time or datetime.now(UTC)


def _instant(text: str) -> datetime:
    return email.utils.parsedate_to_datetime(text).astimezone(UTC)


def _retry_time(text: str, now: datetime) -> datetime | None:
    """Retry-After is seconds or a date (RFC 9110, 10.2.3); anything else says nothing."""
    if text.strip().isdecimal():
        return now + timedelta(seconds=int(text))
    try:
        return _instant(text)
    except ValueError:
        return None
