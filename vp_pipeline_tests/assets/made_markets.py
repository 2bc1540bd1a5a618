"""Markets files and stored candles of made-up markets, for tests of what is computed from them."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import MINUTE, Window
from vp_pipeline_tests.analytics.venue_candles import walk


def markets_file(markets: Mapping[str, date | None]) -> str:
    """The file's text, with the first market of each base as its lead."""
    leads = {name.split()[1].split("/")[0]: name for name in reversed(list(markets))}
    text = "".join(f'[instruments.{base}]\nrow_size = 10\nlead = "{lead}"\n' for base, lead in leads.items())
    for name, retired in markets.items():
        exchange, symbol = name.split()
        text += f'[[markets]]\nexchange = "{exchange}"\nsymbol = "{symbol}"\n'
        text += f"retired = {retired}\n" if retired else ""
    return text


def settings_of(folder: Path, url: str, markets: Mapping[str, date | None]) -> Settings:
    (folder / "markets.toml").write_text(markets_file(markets))
    return Settings.model_validate(
        {"home": folder, "markets_file": folder / "markets.toml", "database_url": url}
    )


def keep(
    url: str,
    market: str,
    window: Window,
    left_out: Iterable[Window] = (),
    seed: int = 0,
    like: str | None = None,
) -> None:
    """Store a candle of every known minute but those left out, of which the exchange had none.

    `like` names a market that is stored already, whose candles this one has too.
    """
    exchange, symbol = market.split()
    with transaction(url) as connection:
        [number] = market_ids(connection, [(exchange, symbol)]).values()
        exchange, symbol = (like or market).split()
        [origin] = market_ids(connection, [(exchange, symbol)]).values()
        frame = walk(origin, window.count(MINUTE), seed=seed, first=pd.Timestamp(window.start))
        for gap in left_out:
            frame = frame[(frame["open_time"] < gap.start) | (frame["open_time"] >= gap.end)]
        candles.store(connection, {number: frame.drop(columns="market_id")})
        ledger.record(connection, [Finding(number, window, "answered")])
