"""Made-up rows for every page, the same at each call."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from vp_pipeline.analytics.bar_returns import returns_pct
from vp_pipeline.analytics.price_rows import volume_by_price
from vp_pipeline.analytics.session_report import session_report
from vp_pipeline.analytics.strategies import STRATEGIES, strategy_returns
from vp_pipeline.analytics.value_area import value_area
from vp_pipeline.assets import aggregate_run, hour_profiles_run
from vp_pipeline.figures.page import PLOTLY_INCLUDE, plotly_script, render_page
from vp_pipeline.figures.volume_profile import volume_profile_figure
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, candles, ledger, rows
from vp_pipeline.storage.artifacts import Artifact, Include
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.profile_tables import NAKED_POC, VOLUME_PROFILE, VOLUME_PROFILE_NODE
from vp_pipeline.storage.table import PgType
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_NET, STRATEGY_RETURN, STRATEGY_SUMMARY
from vp_pipeline.windows import HOUR, MINUTE, Window, ceil, floor

KRAKEN = "kraken BTC/USD"
BARS = ["open", "high", "low", "close", "volume"]
REASON = "did not answer (HTTP 503)"


def minutes(start: datetime, count: int, price: float = 20_000.0) -> pd.DataFrame:
    """A random walk as rows of the aggregate but for the base."""
    random = np.random.default_rng(7)
    close = price * np.exp(np.cumsum(random.normal(0, 4e-4, count)))
    opened = np.concatenate(([price], close[:-1]))
    spread = np.abs(random.normal(0, 2e-4, count)) * price
    return pd.DataFrame(
        {
            "open_time": pd.date_range(start, periods=count, freq="min"),
            "open": opened,
            "high": np.maximum(opened, close) + spread,
            "low": np.minimum(opened, close) - spread,
            "close": close,
            "volume": random.gamma(2, 4, count),
            "markets": 2,
            "missing": "",
            "price_market": "binance BTC/USDT",
            "vwap": close,
            "robust_price": close,
            "quote_volume_usd": close,
            "taker_buy_volume": np.nan,
            "left_out": "",
        }
    )


def fill_market(settings: Settings, end: datetime, count: int, price: float = 20_000.0) -> pd.DataFrame:
    """BTC up to `end`, by the platform's own steps: candles, ledger, aggregate, profiles.

    kraken lacks the last 12 minutes, and one minute half an hour ago lacks everything.
    """
    frame = minutes(end - count * MINUTE, count, price)
    frame = frame[frame["open_time"] != end - 30 * MINUTE]
    parts = {"binance BTC/USDT": frame, KRAKEN: at_kraken(frame.iloc[:-12])}
    add_minutes(settings, parts, Window(end - count * MINUTE, end))
    return frame


def at_kraken(frame: pd.DataFrame) -> pd.DataFrame:
    """The same minutes at another venue: a little dearer, other volumes."""
    prices = {name: frame[name] * 1.0003 for name in ("open", "high", "low", "close")}
    return frame.assign(**prices, volume=np.random.default_rng(13).gamma(2, 2, len(frame)))


def add_minutes(settings: Settings, frames: dict[str, pd.DataFrame], asked: Window) -> None:
    """Store candles by market's name, and all that follows from them."""
    url = settings.database_url.get_secret_value()
    with transaction(url) as connection:
        names = {name: (name.split()[0], name.split()[1]) for name in frames}
        numbers = market_ids(connection, list(names.values()))
        for name, frame in frames.items():
            number = numbers[names[name]]
            candles.store(connection, {number: frame[["open_time", *BARS]]})
            reason = f"{names[name][0]}: {REASON}"
            ledger.record(connection, [Finding(number, asked, "unknown", reason)])
    hours = Window(floor(asked.start, HOUR), ceil(asked.end, HOUR))
    aggregate_run.recompute(url, settings, "BTC", hours)
    hour_profiles_run.recompute(url, settings, "BTC", hours)


def fill_days(connection: Connection, end: datetime) -> None:
    """What the daily profiles say of the day before `end`, with a naked point of control."""
    day = pd.Timestamp(end.date()) - pd.Timedelta(days=1)
    nothing = {name: None for name in VOLUME_PROFILE.columns if name not in ("base", "day")}
    levels = {"poc": 20_000.0, "poc_low": 19_950.0, "poc_high": 20_050.0, "vah": 20_200.0, "val": 19_800.0}
    whole = {"value_area_share": 0.7, "row_size": 10.0, "total_volume": 1.0, "minutes": 1440}
    row = pd.DataFrame([{**nothing, "day": day, **levels, **whole}])
    rows.replace(connection, VOLUME_PROFILE, row, {"base": "BTC"})
    of_node = {"day": day, "kind": "high", "price": 20_010.0, "prominence": 0.5, "width": 80.0}
    node = {**dict.fromkeys(VOLUME_PROFILE_NODE.columns), **of_node, "low": 19_990.0, "high": 20_030.0}
    node |= {"share": 0.4, "base": "BTC"}
    rows.replace(connection, VOLUME_PROFILE_NODE, pd.DataFrame([node]), {"base": "BTC"})
    naked = {"day": day, "poc_day": day - pd.Timedelta(days=3), "poc": 19_400.0, "age_days": 3.0}
    rows.replace(connection, NAKED_POC, pd.DataFrame([{**naked, "touched": pd.NaT}]), {"base": "BTC"})


def fill_reports(connection: Connection, end: datetime) -> None:
    """Session tables of two series and three strategies over two years."""
    random = np.random.default_rng(11)
    tables = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        bars = minutes(end - 28 * 24 * HOUR, 28 * 24 * 4)
        bars["open_time"] = pd.date_range(end - 28 * 24 * HOUR, periods=len(bars), freq="15min")
        bars["taker_buy_volume"] = bars["volume"] * random.uniform(0.3, 0.7, len(bars))
        bars["trades"] = 100.0
        rows_of = session_report(returns_pct(bars, pd.Timedelta(minutes=15)), samples=50).rows
        for days_before in (1, 2):
            day = pd.Timestamp(end.date()) - pd.Timedelta(days=days_before)
            tables += [
                rows_of.assign(symbol=symbol, interval="15m", span=span, day=day) for span in ("30d", "all")
            ]
    rows.replace(connection, SESSION_VOLATILITY, pd.concat(tables), {})

    days = pd.date_range(end.date() - timedelta(days=730), periods=730, freq="D", name="day")
    symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    returns = pd.DataFrame(random.normal(0.001, 0.03, (730, 3)), index=days, columns=symbols)
    earned = [
        strategy_returns(returns, one.weights(returns)).rename("return").reset_index().assign(strategy=name)
        for name, one in STRATEGIES.items()
    ]
    gross = pd.concat(earned)
    rows.replace(connection, STRATEGY_RETURN, gross, {})
    net = gross.rename(columns={"return": "net"}).assign(turnover=0.5, cost=1e-4)
    rows.replace(connection, STRATEGY_NET, net, {})
    rows.replace(connection, STRATEGY_SUMMARY, pd.DataFrame(map(summary, STRATEGIES)), {})


def summary(strategy: str) -> dict[str, object]:
    """A strategy's row of the league table."""
    values: dict[PgType, object] = {"float8": 0.1, "int4": 3, "text": "x", "date": pd.Timestamp("2023-01-01")}
    known = STRATEGIES[strategy]
    said = {"strategy": strategy, "title": known.title, "looks_ahead": known.looks_ahead}
    return {name: said.get(name, values.get(kind)) for name, kind in STRATEGY_SUMMARY.columns.items()}


def fill_artifacts(connection: Connection, frame: pd.DataFrame) -> list[Artifact]:
    """Two daily profiles and a report, all with the real figure."""
    by_price = volume_by_price(frame, 10)
    figure = volume_profile_figure(frame, by_price, value_area(by_price), "BTC")
    include = Include(PLOTLY_INCLUDE, plotly_script())
    names = [("volume_profile/btc", "2023-03-10"), ("volume_profile/btc", "2023-03-11")]
    names += [("session_volatility/ethusdt", "2023-03-11"), ("tearsheets/mean_reversion", "")]
    return [
        artifacts.put(
            connection,
            name,
            partition,
            render_page(f"{name} {partition}", "made up", "SIMULATED DATA", [figure]),
            "9f8b7c6d-0000-0000-0000-000000000000",
            include,
        )
        for name, partition in names
    ]
