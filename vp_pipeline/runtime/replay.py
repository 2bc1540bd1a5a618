"""A recording as a platform of its own: the markets file that describes it.

Here belongs deriving instruments, leads and spans from the recorded files. Reading and checking the
files is in `recordings`; serving them in `sandbox.replay`.
"""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

from vp_pipeline.catalog import SHIPPED, load_catalog
from vp_pipeline.recordings.folder import KlineSeries, Recording, SpotSeries
from vp_pipeline.sandbox.replay import servable
from vp_pipeline.windows import Window, midnight, union

# The strategies' history begins here, as the published tables do, unless the recording begins later.
STRATEGIES_START = date(2021, 1, 1)
PREFERRED_LEAD = ("binance", "USDT")


def write_markets_file(recording: Recording, path: Path) -> None:
    """Write the markets file of a recording: its markets that can be played, series, the time they cover."""
    recording, _ = servable(recording)
    lines = [f"# The markets of a recording. Written from the files of {recording.folder}", ""]
    spot = sorted(recording.spot, key=lambda s: (s.base, s.exchange, s.quote))
    for base in dict.fromkeys(series.base for series in spot):
        own = [series for series in spot if series.base == base]
        lead = _lead(own)
        lines += [
            f"[instruments.{base}]",
            f"row_size = {_row_size(base, lead)}",
            f'lead = "{lead.exchange} {lead.base}/{lead.quote}"',
            "",
        ]
    for series in spot:
        lines += [
            "[[markets]]",
            f'exchange = "{series.exchange}"',
            f'symbol = "{series.base}/{series.quote}"',
            "",
        ]
    bars = [series for series in recording.klines if series.interval != "1d"]
    for bar in bars:
        lines += [
            "[[klines]]",
            f'symbol = "{bar.symbol}"',
            f'interval = "{bar.interval}"',
            f"recorded = {_span(Window(bar.start, bar.end))}",
            "",
        ]
    lines += _strategies([series for series in recording.klines if series.interval == "1d"])
    lines += ["[recording]"]
    if spot:
        spans = union(Window(series.start, series.end) for series in spot)
        lines += [f"minutes = [{', '.join(_span(span) for span in spans)}]"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _lead(markets: list[SpotSeries]) -> SpotSeries:
    """Binance's USDT market, or else the one with the largest volume."""
    for market in markets:
        if (market.exchange, market.quote) == PREFERRED_LEAD:
            return market
    return max(markets, key=lambda market: float(market.frame["volume"].sum()))


def _row_size(base: str, lead: SpotSeries) -> float:
    """The shipped row size, or else a round number near a two-thousandth of the price."""
    shipped = load_catalog(SHIPPED).instruments.get(base)
    if shipped is not None:
        return shipped.row_size
    target = float(lead.frame["close"].median()) / 2000
    power = 10.0 ** math.floor(math.log10(target))
    return float(f"{next(step for step in (1, 2, 5, 10) if step * power >= target) * power:.6g}")


def _strategies(daily: list[KlineSeries]) -> list[str]:
    if not daily:
        return []
    hull = Window(min(series.start for series in daily), max(series.end for series in daily))
    start = max(STRATEGIES_START, hull.start.date())
    if midnight(start) >= hull.end:
        start = hull.start.date()
    symbols = ", ".join(f'"{symbol}"' for symbol in _document_order(series.symbol for series in daily))
    return ["[strategies]", f"symbols = [{symbols}]", f"start = {start}", f"recorded = {_span(hull)}", ""]


def _document_order(symbols: Iterable[str]) -> list[str]:
    """The shipped order of the symbols, others behind by name."""
    shipped = load_catalog(SHIPPED).strategies
    order = list(shipped.symbols) if shipped is not None else []
    return sorted(
        set(symbols), key=lambda symbol: (order.index(symbol) if symbol in order else len(order), symbol)
    )


def _span(window: Window) -> str:
    return f"{{ start = {_toml(window.start)}, end = {_toml(window.end)} }}"


def _toml(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
