import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.history import History
from vp_pipeline_tests.analytics.histories import bars_history


def test_prices_of_returns_lead_to_the_returns() -> None:
    returns = bars_history().returns
    history = History.of_returns(returns)
    again = history.close.pct_change(fill_method=None)
    both = again.notna()
    assert both.to_numpy().sum() > 300
    assert again.to_numpy()[both] == pytest.approx(returns.to_numpy()[both])
    assert (history.high >= history.close).to_numpy()[both].all()
    assert (history.low <= history.close).to_numpy()[both].all()
    assert history.close.isna().equals(returns.isna())


def test_closes_are_kept_and_a_days_range_begins_at_the_close_before() -> None:
    dates = pd.date_range("2024-01-01", periods=3)
    closes = pd.DataFrame({"A": [100.0, 110, 99], "B": [np.nan, 5, 6]}, dates)
    history = History.of_closes(closes)
    assert history.close is closes
    assert history.high["A"].tolist() == [100, 110, 110]
    assert history.low["A"].tolist() == [100, 100, 99]
    assert history.returns["B"].tolist()[2] == pytest.approx(0.2)
    assert history.volume["B"].isna().tolist() == [True, False, False]


def test_another_world_differs_in_every_known_value_and_misses_the_same() -> None:
    history = bars_history()
    other = history.changed(seed=0)
    for name in ("returns", "close", "high", "low", "volume"):
        mine, theirs = getattr(history, name), getattr(other, name)
        assert theirs.isna().equals(mine.isna()), name
        known = mine.notna().to_numpy()
        assert (mine.to_numpy() != theirs.to_numpy())[known].all(), name
    assert (np.sign(other.returns) == -np.sign(history.returns)).to_numpy()[known].all()
    assert (other.returns.to_numpy()[known] > -1).all()


def test_worlds_are_joined_at_a_row() -> None:
    history, other = bars_history(), bars_history(seed=2)
    joined = history.until(40, other)
    assert joined.close[:40].equals(history.close[:40])
    assert joined.close[40:].equals(other.close[40:])


def test_bars_of_other_days_are_refused() -> None:
    history = bars_history()
    with pytest.raises(ValueError, match="low: a table of the days and symbols"):
        History.of_bars(
            history.returns,
            {"close": history.close, "high": history.high, "low": history.low[1:], "volume": history.volume},
        )
