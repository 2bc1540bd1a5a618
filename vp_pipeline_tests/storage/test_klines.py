"""Bars in their table: merged, counted, and their gaps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from vp_pipeline.storage import klines, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.klines import Stored
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import HOUR, Window

START = datetime(2025, 3, 4, tzinfo=UTC)
BAR = timedelta(minutes=15)
WINDOW = Window(START, START + 2 * HOUR)
SCOPE = klines.scope_of("BTCUSDT", "15m")
NAN = float("nan")


@pytest.fixture(autouse=True)
def _empty(database_url: str) -> None:
    with transaction(database_url) as connection:
        connection.execute("TRUNCATE kline")


def bars(*places: int, volume: float = 1.0, trades: float = 7.0) -> pd.DataFrame:
    opens = pd.Series([START + place * BAR for place in places], dtype="datetime64[us, UTC]")
    prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    frame = pd.DataFrame({"open_time": opens})
    return frame.assign(
        **prices, volume=volume, quote_volume=100 * volume, trades=trades, taker_buy_volume=0.5
    )


def store(url: str, frame: pd.DataFrame) -> Stored:
    """What storing them changed, but for the hours."""
    with transaction(url) as connection:
        return replace(klines.store(connection, SCOPE, frame, WINDOW), hours=())


def column(url: str, name: str) -> list[object]:
    with transaction(url) as connection:
        return rows.read(connection, KLINE, SCOPE)[name].tolist()


def test_new_and_revised_bars_are_counted_and_others_stay(database_url: str) -> None:
    assert store(database_url, bars(0, 1, 3)) == Stored(3, 0)
    assert store(database_url, bars(0, 1, 3)) == Stored(0, 0)
    assert store(database_url, bars(3, 4, volume=2.0)) == Stored(1, 1)
    assert column(database_url, "volume") == [1.0, 1.0, 2.0, 2.0]
    assert store(database_url, bars()) == Stored(0, 0)
    assert column(database_url, "open_time") == [START + place * BAR for place in (0, 1, 3, 4)]


def test_hours_with_new_bars_are_told(database_url: str) -> None:
    with transaction(database_url) as connection:
        assert klines.store(connection, SCOPE, bars(0, 1, 5), WINDOW).hours == (START, START + HOUR)
        assert klines.store(connection, SCOPE, bars(0, 2, volume=2.0), WINDOW).hours == (START,)
        assert klines.store(connection, SCOPE, bars(5, volume=2.0), WINDOW).hours == ()


def test_what_is_not_known_erases_nothing(database_url: str) -> None:
    store(database_url, bars(0))
    assert store(database_url, bars(0, trades=NAN)) == Stored(0, 0)
    assert store(database_url, bars(0, volume=3.0, trades=NAN)) == Stored(0, 1)
    assert (column(database_url, "volume"), column(database_url, "trades")) == ([3.0], [7])
    assert store(database_url, bars(1, trades=NAN)) == Stored(1, 0)
    assert [str(trades) for trades in column(database_url, "trades")] == ["7", "<NA>"]
    assert store(database_url, bars(1, trades=9.0)) == Stored(0, 1)


def test_bars_outside_of_the_window_are_refused(database_url: str) -> None:
    with pytest.raises(ValueError, match="not all within"):
        store(database_url, bars(8))


def test_gaps_and_the_first_bar(database_url: str) -> None:
    with transaction(database_url) as connection:
        assert klines.first(connection, SCOPE) is None
        assert klines.gaps(connection, SCOPE, WINDOW, BAR) == [WINDOW]
        klines.store(connection, SCOPE, bars(1, 2, 5), WINDOW)
        assert klines.first(connection, SCOPE) == START + BAR
        expected = [(0, 1), (3, 5), (6, 8)]
        assert klines.gaps(connection, SCOPE, WINDOW, BAR) == [
            Window(START + first * BAR, START + end * BAR) for first, end in expected
        ]
        inside = Window(START + BAR, START + 3 * BAR)
        assert klines.gaps(connection, SCOPE, inside, BAR) == []
        assert klines.opens(connection, SCOPE, inside).tolist() == [START + BAR, START + 2 * BAR]
        other = klines.scope_of("BTCUSDT", "5m")
        assert klines.gaps(connection, other, inside, BAR) == [inside]
