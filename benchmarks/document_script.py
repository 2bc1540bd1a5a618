"""The first document's script as it is written, from its imports to its density: what `whole_tick` measures.

    python document_script.py SANDBOX_URL DATABASE_URL

Eleven fetches of 300 minutes, one after another; volumes added up row by row under the first market's
prices; one INSERT a row in autocommit; duplicates deleted over the whole table; the whole table selected; the
density of the last four hours. Prints the seconds of each part as JSON.

What differs, each time in its favour or without effect: exchanges that have closed since are replaced by
others; ccxt lists spot markets only; rows that one exchange lacks count as nothing instead of making the sum
NaN, which its table refuses; scikit-learn and websocket, which it imports and does not use, are left out, and
so is drawing. Here belongs nothing that improves it.
"""

import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

STARTED = time.perf_counter()

import ccxt  # noqa: E402  # what importing costs is a part of the script's time
import matplotlib.pyplot  # noqa: E402, F401
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import plotly.express  # noqa: E402
import plotly.graph_objects  # noqa: E402, F401
import psycopg2  # noqa: E402
import seaborn  # type: ignore[import-untyped]  # noqa: E402, F401  # has no annotations
from psycopg2.extensions import AsIs, register_adapter  # noqa: E402
from scipy import signal, stats  # noqa: E402

MARKETS = (
    ("binance", "BTC/USDT"),
    ("binance", "BTC/USDC"),
    ("coinbaseexchange", "BTC/USD"),
    ("coinbaseexchange", "BTC/USDT"),
    ("kraken", "BTC/USD"),
    ("kraken", "BTC/USDT"),
    ("htx", "BTC/USDT"),
    ("htx", "BTC/USDC"),
    ("gate", "BTC/USDT"),
    ("gate", "BTC/USD"),
    ("okx", "BTC/USDT"),
)
COLUMNS = ["timestamp", "open", "high", "low", "close", "volume"]
LIMIT, LAST_4H, SAMPLES, FACTOR = 300, 240, 500, 0.1


def client(name: str, host: str) -> Any:
    types = {"spot": True, "linear": False, "inverse": False} if name == "htx" else ["spot"]
    spot = {"fetchMarkets": {"types": types}}
    made = getattr(ccxt, name)({"enableRateLimit": True, "options": spot})
    made.urls["api"] = _moved(made.urls["api"], f"{host}/{name}")
    return made


def _moved(urls: Any, host: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(value, host) for name, value in urls.items()}
    return host + urlsplit(urls).path if isinstance(urls, str) else urls


def main(sandbox: str, database: str) -> None:
    seconds, since = {"imports": time.perf_counter() - STARTED}, time.perf_counter()

    def passed(part: str) -> None:
        nonlocal since
        now = time.perf_counter()
        seconds[part], since = now - since, now

    register_adapter(np.int64, AsIs)
    clients = {name: client(name, sandbox) for name, _ in MARKETS}
    frames = []
    for name, symbol in MARKETS:
        bars = clients[name].fetch_ohlcv(symbol, timeframe="1m", limit=LIMIT)
        frame = pd.DataFrame(bars, columns=COLUMNS)
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="ms")
        frames.append(frame)
    passed("fetching")

    fresh = frames[0].copy()
    for frame in frames[1:]:
        fresh["volume"] = fresh["volume"] + frame["volume"].reindex(fresh.index).fillna(0)
    records = fresh.to_records(index=False).tolist()
    records = [(pd.Timestamp(row[0]).to_pydatetime(), *row[1:]) for row in records]
    passed("preprocessing")

    connection = psycopg2.connect(database)
    connection.autocommit = True
    cursor = connection.cursor()
    query = """INSERT INTO prices (Timestamp, Open, High, Low, Close, Volume)
        VALUES (%s, %s, %s, %s, %s, %s)"""
    cursor.executemany(query, records)
    connection.close()
    passed("inserting")

    connection = psycopg2.connect(database)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("""delete from prices
        where exists (select 1
                        from prices t2
                        where t2.Timestamp = prices.Timestamp and
                              t2.ctid < prices.ctid
                        );""")
    connection.close()
    passed("deleting")

    connection = psycopg2.connect(database)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM prices")
    rows = cursor.fetchall()
    table = pd.DataFrame(rows)
    table.columns = pd.Index([column[0] for column in cursor.description or ()])
    connection.close()
    passed("selecting")

    table = table.sort_values(by=["timestamp"]).tail(LAST_4H)
    density = stats.gaussian_kde(table["close"], weights=table["volume"], bw_method=FACTOR)
    prices = np.linspace(table["close"].min(), table["close"].max(), SAMPLES)
    signal.find_peaks(density(prices))
    passed("density")
    print(json.dumps({"seconds": seconds, "rows": len(rows), "fetched": [len(frame) for frame in frames]}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
