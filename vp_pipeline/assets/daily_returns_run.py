"""One fetch of the daily bars that strategies trade, and their returns.

Here belongs what a run of `daily_returns` does; what is computed of the returns is in `strategy_run`.
"""

from datetime import timedelta

import pandas as pd
from dagster import AssetExecutionContext, Failure

from vp_pipeline.analytics.strategies import daily_returns
from vp_pipeline.assets.clocks import now, turn_clock
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import GRACE
from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient
from vp_pipeline.settings import Settings
from vp_pipeline.windows import DAY, Window, floor, midnight


def fetched(context: AssetExecutionContext, settings: Settings, chosen: Chosen) -> pd.DataFrame:
    """The rows of `daily_return`: all symbols from the first day to the last that is closed.

    Raises:
        Failure: a symbol could not be fetched, or has no bars.
    """
    client = FuturesClient(settings.exchange_host(EXCHANGE))
    window = _history(chosen, settings)
    turn_clock(settings, window.end + GRACE)
    frames = []
    for symbol in chosen.symbols:
        try:
            bars = client.fetch(symbol, "1d", DAY, window).frame
        except FetchError as error:
            raise Failure(f"{error}: the stored returns are left as they were.") from error
        if bars.empty:
            raise Failure(f"{symbol}: no daily bars in {window}: correct [strategies] in the markets file.")
        frames.append(
            pd.DataFrame(
                {
                    "symbol": symbol,
                    "day": bars["open_time"].dt.tz_convert(None),
                    **{name: bars[name] for name in ("close", "high", "low", "volume")},
                    "return": daily_returns(bars["open"], bars["close"]),
                }
            )
        )
        context.log.info(f"{symbol}: {len(bars)} days to {bars['open_time'].iloc[-1]:%Y-%m-%d}")
    return pd.concat(frames, ignore_index=True)


def _history(chosen: Chosen, settings: Settings) -> Window:
    """From the first day of the configuration (or of the recording) to the last closed day."""
    start = midnight(chosen.start)
    if chosen.recorded is None:
        return Window(start, floor(now(settings), DAY) + timedelta(days=1))
    return Window(max(start, chosen.recorded.days.start), chosen.recorded.days.end)
