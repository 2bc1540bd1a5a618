"""The recorded source: a recording's candles, each from the moment it closed and not before.

What was not recorded is not made up: a missing minute stays missing, an open candle is left out (how it
stood is not known), and an interval that was not recorded has no candles. A recorded exchange whose wire
format nobody here speaks is not served.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from vp_pipeline.recordings.candle_file import COLUMNS
from vp_pipeline.recordings.folder import Recording, SpotSeries
from vp_pipeline.sandbox.candles import FUTURES, MINUTE_MS, STEPS_MS, Candles, Market, concatenate, empty
from vp_pipeline.sandbox.source import Label
from vp_pipeline.sandbox.wire import SPOT_EXCHANGES

_Name = tuple[str, str]  # exchange, symbol


def servable(recording: Recording) -> tuple[Recording, tuple[SpotSeries, ...]]:
    """The recording without the spot series of exchanges that the sandbox cannot play, and those series."""
    played = tuple(series for series in recording.spot if series.exchange in SPOT_EXCHANGES)
    left_out = tuple(series for series in recording.spot if series.exchange not in SPOT_EXCHANGES)
    return replace(recording, spot=played), left_out


def left_out_note(series: SpotSeries) -> str:
    """Why a recorded series is not served, for people."""
    path = series.path.relative_to(series.path.parent.parent)
    return f"the sandbox does not speak the format of {series.exchange}, left out: {path}"


class ReplaySource:
    """Serves a recording; its listing is what it has."""

    label: Label = "recorded"

    def __init__(self, recording: Recording) -> None:
        recording, self.left_out = servable(recording)
        self._folder = recording.folder
        blocks: dict[_Name, dict[int, list[Candles]]] = defaultdict(lambda: defaultdict(list))
        for spot in sorted(recording.spot, key=lambda series: series.start):
            name = (spot.exchange, f"{spot.base}/{spot.quote}")
            blocks[name][MINUTE_MS].append(_candles(spot.frame))
        for klines in sorted(recording.klines, key=lambda series: series.start):
            name = (FUTURES, f"{klines.base}/{klines.quote}")
            blocks[name][STEPS_MS[klines.interval]].append(_candles(klines.frame))
        self._candles: dict[_Name, dict[int, Candles]] = {
            name: {step: concatenate(parts) for step, parts in by_step.items()}
            for name, by_step in blocks.items()
        }

    @property
    def description(self) -> str:
        """The label and the folder."""
        return f"{self.label}, {self._folder}"

    def markets(self, exchange: str) -> Sequence[Market]:
        """The recorded markets of one exchange."""
        return [
            Market(
                exchange,
                base=symbol.partition("/")[0],
                quote=symbol.partition("/")[2],
                listed_ms=min(int(candles.open_time[0]) for candles in by_step.values()),
            )
            for (name, symbol), by_step in self._candles.items()
            if name == exchange
        ]

    def candles(self, market: Market, step_ms: int, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        """Recorded candles that open in [start_ms, stop_ms) and have closed by `now_ms`."""
        recorded = self._candles[market.exchange, market.symbol].get(step_ms)
        if recorded is None:
            return empty()
        return recorded.between(start_ms, min(stop_ms, now_ms - step_ms + 1))


def _candles(frame: pd.DataFrame) -> Candles:
    open_time = frame["open_time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return Candles(open_time, *(frame[name].to_numpy(dtype=np.float64) for name in COLUMNS))
