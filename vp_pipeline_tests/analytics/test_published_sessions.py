"""The second document's session table, with its mistakes."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.bar_returns import returns_pct
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.published_sessions import labelled, published_sessions
from vp_pipeline.analytics.session_hours import SESSIONS
from vp_pipeline.analytics.sessions import table_of

FIVE_MINUTES = pd.Timedelta(minutes=5)


def bars(count: int, step: pd.Timedelta = FIVE_MINUTES, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, count)))
    return pd.DataFrame(
        {
            "open_time": pd.date_range("2024-02-01", periods=count, freq=step, tz="UTC"),
            "open": np.concatenate([[100.0], close[:-1]]),
            "close": close,
            "volume": rng.exponential(5, count),
            "trades": rng.integers(1, 50, count).astype(float),
            "taker_buy_volume": rng.exponential(2, count),
        }
    )


def test_the_documents_last_rows_of_opusdt() -> None:
    """Rows 11309 to 11312, of Monday 2024-03-11, which it counts as day 3 of a week from Sunday."""
    frame = bars(11_313)
    frame.loc[11_309:, "close"] = [4.5139, 4.5043, 4.4980, 4.4997]
    found = labelled(frame).loc[11_309:]
    assert found["open_time"].iloc[0] == pd.Timestamp("2024-03-11 06:25", tz="UTC")
    assert list(found["return"][1:]) == pytest.approx([-0.212676, -0.139866, 0.037795], abs=5e-7)
    assert set(found["week"]) == {3}
    assert set(found["time_zone"]) == {"ASEU"}


def test_five_minutes_are_scaled_as_if_they_were_fifteen() -> None:
    frame = bars(3_000)
    found = published_sessions(frame).set_index(["grouping", "name", "horizon"])["volatility_pct"]
    right = table_of(returns_pct(frame, FIVE_MINUTES))
    assert found["all", "all", "bar"] == pytest.approx(right.volatility_pct("bar"))
    for horizon in ("1h", "1d"):
        assert found["all", "all", horizon] == pytest.approx(right.volatility_pct(horizon) / np.sqrt(3))


def test_of_bars_of_fifteen_minutes_from_a_fridays_midnight_on_it_is_right() -> None:
    frame = bars(96 * 14, pd.Timedelta(minutes=15))
    frame["open_time"] += pd.Timedelta(days=1)
    right = table_of(returns_pct(frame, pd.Timedelta(minutes=15)))
    found = published_sessions(frame)
    for grouping, names in (("weekday", ("Sun", "Mon", "Thu")), ("session", tuple(SESSIONS))):
        own = found[found["grouping"] == grouping].set_index("name")
        other = right.group(grouping).set_index(grouping)
        for name in names:
            for column in ("volatility_pct", "bars", "mean_volume", "taker_share", "volume_per_trade"):
                assert own.loc[name, column] == pytest.approx(other.loc[name, column]), (name, column)


def test_a_rise_of_a_fifth_is_left_out_and_what_is_not_known_is_nan() -> None:
    frame = bars(10).drop(columns=["trades", "taker_buy_volume"])
    frame.loc[5:, "close"] *= 1.3
    (row,) = published_sessions(frame)[["bars", "taker_share", "volume_per_trade"]].head(1).to_numpy()
    assert row[0] == 9
    assert np.isnan(row[1:]).all()
    with pytest.raises(NotEnoughData):
        published_sessions(frame.head(0))
