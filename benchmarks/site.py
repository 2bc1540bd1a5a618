"""Showing a window of the market: the site's way against the first document's.

The document's page selects the whole table, keeps the rows of the period, and evaluates scipy's Gaussian
kernel density at 500 prices, weighted by volume. The site reads bars of hours and days and adds up stored
profiles; its time is that of the whole page, chart and tables included, asked by HTTP, with no view kept from
before. Both have the same closes and volumes, in the page cache; the document's table has no index.

Medians of `--runs`; the document's way runs once, and its density over a million rows and more is timed on a
part of them and multiplied, as its cost is proportional (it says so then). The limit is the same bytes
through a plain socket.

Run it with `python benchmarks/site.py [--rows N] [--runs N]`.
"""

import argparse
import statistics
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import psycopg2
import requests
import sockets
import uvicorn
from claims import Ratio, tell
from made_up import MARKETS, START, database
from pydantic import SecretStr
from scipy import stats
from starlette.applications import Starlette

from vp_pipeline.assets import hour_profiles_run
from vp_pipeline.settings import Settings
from vp_pipeline.site.market import Views
from vp_pipeline.site.server import listen, server
from vp_pipeline.storage import candles, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, ceil

LEAD = "kraken BTC/USD"
CATALOG = f"""
[instruments.BTC]
row_size = 10
lead = "{LEAD}"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"
"""
_BLOCK = 30 * DAY
_SAMPLES = 500
_PART = 1_000_000
GOALS, GOAL_ROWS = {"1h": 1.0, "all": 500.0}, 5_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="minutes stored")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with database() as (url, _), listen("127.0.0.1", 0) as listener:
        running = server(fill(url, arguments.rows))
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        print(f"{arguments.rows:,} minutes\n")
        print("| period | site | first document's | ratio |\n|---|---:|---:|---:|")
        try:
            for period, length in (("1h", HOUR), ("1d", DAY), ("1y", 365 * DAY), ("all", None)):
                page(running, address, period)
                ours = statistics.median(page(running, address, period) for _ in range(arguments.runs))
                theirs, note = document(url, arguments.rows, length)
                what = f"page of {period} of {arguments.rows:,} minutes"
                goal = GOALS.get(period) if arguments.rows >= GOAL_ROWS else None
                one = Ratio(what, "the document's page", ours, theirs, goal=goal)
                content = requests.get(address, params={"period": period}, timeout=60).content
                limit = statistics.median(sockets.transfer(content) for _ in range(arguments.runs))
                tell(one, Ratio(what, "its bytes by a plain socket", ours, limit, kind="limit"))
                print(f"| {period} | {ours * 1e3:.0f} ms | {theirs * 1e3:,.0f} ms{note} | {one.ratio:,.1f} |")
        finally:
            running.should_exit = True
            thread.join()


def page(running: uvicorn.Server, address: str, period: str) -> float:
    """Seconds of the whole page, with no view kept from before."""
    assert isinstance(running.config.app, Starlette)
    running.config.app.state.views = Views()
    before = time.perf_counter()
    answer = requests.get(address, params={"period": period}, timeout=60)
    seconds = time.perf_counter() - before
    assert answer.status_code == 200, answer.text[:500]
    assert 'application/json">{"data"' in answer.text
    return seconds


def document(url: str, count: int, length: timedelta | None) -> tuple[float, str]:
    """Seconds of the document's page, and a remark if a part was multiplied."""
    before = time.perf_counter()
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT timestamp, open, high, low, close, volume FROM prices ORDER BY timestamp")
        frame = pd.DataFrame(
            cursor.fetchall(), columns=["timestamp", "open", "high", "low", "close", "volume"]
        )
    connection.close()
    chosen = frame if length is None else frame[frame["timestamp"] > frame["timestamp"].iloc[-1] - length]
    close, volume = chosen["close"].to_numpy(float), chosen["volume"].to_numpy(float)
    prices = np.linspace(close.min(), close.max(), _SAMPLES)
    read = time.perf_counter() - before
    times = -(-len(close) // (_PART // 10)) if len(close) >= _PART else 1
    before = time.perf_counter()
    stats.gaussian_kde(close[::times], weights=volume[::times], bw_method=0.1)(prices)
    dense = (time.perf_counter() - before) * times
    assert len(frame) == count
    return read + dense, f" (density: {times} times a part)" if times > 1 else ""


def fill(url: str, count: int) -> Settings:
    """The same minutes as candles, aggregate, profiles and the document's table."""
    path = Path(url.split("host=")[1].split("&")[0].replace("%2F", "/")).parent / "markets.toml"
    path.write_text(CATALOG)
    settings = Settings(database_url=SecretStr(url), markets_file=path)
    random = np.random.default_rng(5)
    close = 20_000 * np.exp(np.cumsum(random.normal(0, 4e-4, count)))
    close = 1_000 + 60_000 * (np.log(close) - np.log(close).min()) / np.ptp(np.log(close))
    frame = pd.DataFrame({"open_time": pd.date_range(START, periods=count, freq="min"), "close": close})
    frame["open"] = np.concatenate((close[:1], close[:-1]))
    spread = np.abs(random.normal(0, 4e-4, count)) * close
    frame["high"] = np.maximum(frame["open"], close) + spread
    frame["low"] = np.minimum(frame["open"], close) - spread
    frame["volume"] = random.gamma(2, 4, count)
    whole = Window(START, START + count * MINUTE)
    with transaction(url) as connection:
        number = market_ids(connection, [("kraken", "BTC/USD")])["kraken", "BTC/USD"]
    for block in whole.split(_BLOCK):
        part = frame[(frame["open_time"] >= block.start) & (frame["open_time"] < block.end)]
        made = part.assign(markets=MARKETS, missing="", price_market=LEAD, left_out="", vwap=part["close"])
        made = made.assign(robust_price=part["close"], quote_volume_usd=1.0, taker_buy_volume=np.nan)
        with transaction(url) as connection:
            candles.store(connection, {number: part})
            rows.replace(connection, AGGREGATE, made, {"base": "BTC"}, block)
            with connection.cursor().copy("COPY prices FROM STDIN") as copy:
                for minute in part[["open_time", "open", "high", "low", "close", "volume"]].itertuples(
                    index=False
                ):
                    copy.write_row((1, *minute))
    hour_profiles_run.recompute(url, settings, "BTC", Window(START, ceil(whole.end, HOUR)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return settings


if __name__ == "__main__":
    main()
