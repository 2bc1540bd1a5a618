"""What the market page shows, as its address says it: read, checked, and written again.

Here belongs the state of one view. How it is shown is in `market`, what is
stored in `market_data`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args
from urllib.parse import urlencode

from vp_pipeline.analytics.price_rows import Placement
from vp_pipeline.analytics.timeframes import MINUTES
from vp_pipeline.analytics.value_area import Rule
from vp_pipeline.catalog import Catalog
from vp_pipeline.windows import DAY, EPOCH, HOUR, MINUTE, Window

PERIODS: Final[dict[str, timedelta | None]] = {
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "1w": 7 * DAY,
    "1m": 30 * DAY,
    "1y": 365 * DAY,
    "all": None,
}
DATES: Final = "dates"
"""The period of a view between two dates of the reader's own."""

PLACEMENTS: Final[dict[Placement, str]] = {
    "uniform": "evenly from low to high",
    "touched": "equal shares to the rows touched",
    "midpoint": "the middle of the candle",
    "close": "the close, as published",
}
RULES: Final[dict[Rule, str]] = {
    "two-row": "two rows at a time",
    "one-row": "one row at a time",
    "both-sides": "both sides at once",
}
CHARTS: Final = {"candles": "candles", "line": "closes with bubbles, as published"}

MOST_BARS: Final = 3_000
"""More candles would be thinner than a pixel and take long to draw."""

_USUAL_BARS = 400
_CANDLES_READ = 31 * DAY
_DEFAULT_PERIOD = "4h"
_LAST = datetime(3000, 1, 1, tzinfo=UTC)


class StateError(ValueError):
    """The address asks for what cannot be shown; the message names the parameter and what it may be."""


class UnknownError(StateError):
    """It names something that does not exist."""


@dataclass(frozen=True)
class State:
    """One view of one instrument. `timeframe` is None if the period chooses it, `venues` empty for all."""

    instrument: str
    period: str = _DEFAULT_PERIOD
    dates: Window | None = None
    timeframe: str | None = None
    venues: tuple[str, ...] = ()
    placement: Placement = "uniform"
    rule: Rule = "two-row"
    chart: str = "candles"

    def parameters(self, **changes: Any) -> list[tuple[str, str]]:
        """Names and values of the address, those left out that are as usual."""
        state = replace(self, **changes)
        usual = State(state.instrument)
        found = [("instrument", state.instrument)]
        if state.dates is not None:
            found += [("from", _written(state.dates.start)), ("to", _written(state.dates.end))]
        else:
            found.append(("period", state.period))
        found += [("timeframe", state.timeframe)] if state.timeframe else []
        found += [("venue", venue) for venue in state.venues]
        found += [
            (name, getattr(state, name))
            for name in ("placement", "rule", "chart")
            if getattr(state, name) != getattr(usual, name)
        ]
        return found

    def address(self, **changes: Any) -> str:
        """The path and query that show this."""
        return "/?" + urlencode(self.parameters(**changes))

    def window(self, stored: Window) -> Window:
        """What to show of what is stored: dates as they are, periods counted back from the newest minute."""
        if self.dates is not None:
            return self.dates
        length = PERIODS[self.period]
        return stored if length is None else Window(max(stored.start, stored.end - length), stored.end)

    def timeframe_of(self, window: Window) -> str:
        """The timeframe to show the window in.

        Raises:
            StateError: that would be more than `MOST_BARS` candles.
        """
        if self.timeframe is None:
            return next(name for name in MINUTES if _bars(window, name) <= _USUAL_BARS or name == "1w")
        if _bars(window, self.timeframe) > MOST_BARS:
            first = next(name for name in MINUTES if _bars(window, name) <= MOST_BARS or name == "1w")
            raise StateError(
                f"timeframe: {self.timeframe} would be {_bars(window, self.timeframe):,} candles,"
                f" more than {MOST_BARS:,}: choose {first} or longer, or a shorter period."
            )
        return self.timeframe

    def check_placement(self, window: Window) -> None:
        """Refuse what would have to read too many candles.

        Raises:
            StateError: the rule needs all candles of a long window.
        """
        if self.placement != "uniform" and window.end - window.start > _CANDLES_READ:
            raise StateError(
                f"placement: {self.placement} is computed from every candle:"
                f" choose a period of at most {_CANDLES_READ.days} days, or uniform."
            )


def read(catalog: Catalog, given: Sequence[tuple[str, str]]) -> State:
    """The state of an address; without an instrument that of the first in the markets file.

    Raises:
        UnknownError: it names what does not exist.
        StateError: a value cannot be used.
    """
    known = ("instrument", "period", "from", "to", "timeframe", "venue", "placement", "rule", "chart")
    values: dict[str, str] = {}
    for name, value in given:
        if name not in known:
            raise StateError(f"{name}: there is no such parameter. There are: {', '.join(known)}.")
        if name != "venue" and value:
            if values.get(name, value) != value:
                raise StateError(f"{name}: given twice, as {values[name]} and {value}.")
            values[name] = value
    instrument = _one_of("instrument", values.get("instrument"), list(catalog.instruments))
    markets = [market.name for market in catalog.markets_of(instrument)]
    named = [value for name, value in given if name == "venue" and value]
    venues = {_one_of("venue", value, markets) for value in named}
    dates = _dates(values)
    period = _DEFAULT_PERIOD if dates else _one_of("period", values.get("period", _DEFAULT_PERIOD), PERIODS)
    timeframe = values.get("timeframe")
    placement = _one_of("placement", values.get("placement", "uniform"), PLACEMENTS)
    rule = _one_of("rule", values.get("rule", "two-row"), RULES)
    return State(
        instrument,
        period,
        dates,
        None if timeframe is None else _one_of("timeframe", timeframe, MINUTES),
        tuple(name for name in markets if name in venues) if len(venues) < len(markets) else (),
        next(one for one in get_args(Placement) if one == placement),
        next(one for one in get_args(Rule) if one == rule),
        _one_of("chart", values.get("chart", "candles"), CHARTS),
    )


def moment(name: str, text: str) -> datetime:
    """A date or a time, in UTC unless it says otherwise.

    Raises:
        StateError: it is none, or none of a whole minute.
    """
    try:
        found = datetime.fromisoformat(text)
        found = (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise StateError(f"{name}: {text!r} is no time: write 2023-03-11 or 2023-03-11T04:05.") from error
    if not EPOCH <= found < _LAST:
        raise StateError(f"{name}: must be between the years 1970 and 3000.")
    if (found - EPOCH) % MINUTE:
        raise StateError(f"{name}: {text!r} is no whole minute.")
    return found


def _dates(values: Mapping[str, str]) -> Window | None:
    if "from" not in values and "to" not in values:
        if values.get("period") == DATES:
            raise StateError("from: with the period dates, from and to are needed.")
        return None
    if values.get("period", DATES) != DATES:
        raise StateError(f"period: {values['period']} and dates are given: leave one out.")
    for name in ("from", "to"):
        if name not in values:
            raise StateError(f"{name}: missing: a view between two dates needs from and to.")
    start, end = (moment(name, values[name]) for name in ("from", "to"))
    if end <= start:
        raise StateError("to: must be after from.")
    return Window(start, end)


def _one_of(name: str, value: str | None, known: Sequence[str] | Mapping[Any, Any]) -> str:
    names = list(known)
    if value is None:
        if not names:
            raise UnknownError("instrument: the markets file has none.")
        return str(names[0])
    if value not in names:
        raise UnknownError(f"{name}: there is no {value!r}. There are: {', '.join(map(str, names))}.")
    return value


def _bars(window: Window, timeframe: str) -> int:
    return -(-window.count(MINUTE) // MINUTES[timeframe])


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment == moment.replace(hour=0, minute=0) else f"{moment:%Y-%m-%dT%H:%M}"
