"""Intervals, tests, stability and shares against what they must be by construction or by a plain loop."""

import math

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.bar_returns import returns_pct
from vp_pipeline.analytics.multiplicity import holm
from vp_pipeline.analytics.session_confidence import INTERVALS, day_weights, session_confidence
from vp_pipeline.analytics.session_report import COLUMNS, session_report
from vp_pipeline.analytics.session_stability import rolling_relative, session_stability
from vp_pipeline.analytics.session_sums import DailySums, daily_sums
from vp_pipeline.analytics.session_tests import session_tests
from vp_pipeline.analytics.sessions import describe
from vp_pipeline.analytics.within_hour import within_hour
from vp_pipeline_tests.analytics.bars import FIVE_MINUTES, random_bars

COLUMN_OF = {"volatility": "volatility_pct", "mean_volume": "mean_volume", "taker_share": "taker_share"}
QUARTER = pd.Timedelta(minutes=15)


def sums(frame: pd.DataFrame, bar: pd.Timedelta = FIVE_MINUTES) -> DailySums:
    return daily_sums(returns_pct(frame, bar))


def uneven(days: int, seed: int = 0, factor: float = 1.0) -> pd.DataFrame:
    """Returns with heavy tails, in runs of wild days and hours; times `factor` from 12 to 15 UTC."""
    rng = np.random.default_rng(seed)
    levels = np.zeros(days)
    for day in range(1, days):
        levels[day] = 0.9 * levels[day - 1] + rng.normal(0, 0.25)
    hours = np.zeros(24 * days)
    for hour in range(1, len(hours)):
        hours[hour] = 0.8 * hours[hour - 1] + rng.normal(0, 0.25)
    frame = random_bars(seed, QUARTER, days)
    r = rng.standard_t(5, len(frame)) * 0.0015 * np.exp(np.repeat(levels, 96) + np.repeat(hours, 4))
    r *= np.where(frame["open_time"].dt.hour.isin([12, 13, 14]), factor, 1)
    frame["close"] = 100 * np.exp(r.cumsum())
    frame["open"] = frame["close"].shift(fill_value=100.0)
    return frame


def test_a_resample_has_as_many_days_of_each_weekday() -> None:
    found = sums(random_bars(days=17))
    weights = day_weights(found, 50, np.random.default_rng(1), by_weekday=True)
    for weekday in range(7):
        own = found.weekday == weekday
        assert (weights[:, own].sum(axis=1) == own.sum()).all()
    assert np.ptp(weights.sum(axis=0)) > 0


def test_intervals_are_those_of_resampled_bars() -> None:
    """The same once more by putting the days' bars together, resample by resample."""
    frame = random_bars(days=15, bar=QUARTER)
    returns = returns_pct(frame, QUARTER)
    found = daily_sums(returns)
    weights = day_weights(found, 40, np.random.default_rng(0))
    table = session_confidence(found, samples=40, level=0.9, seed=0)
    day = np.arange(len(frame)) // 96
    place = 10  # EU of all days
    assert table.loc[place, "session"] == "EU"
    values = []
    for counts in weights:
        r, volume, taker = [], [], []
        for one, times in enumerate(counts.astype(int)):
            own = (day == one) & (returns.session == 2)
            r += [returns.return_pct[own]] * times
            volume += [returns.volume[own]] * times
            taker += [returns.taker_buy_volume[own]] * times
        values.append(
            (
                np.std(np.concatenate(r), ddof=1),
                np.mean(np.concatenate(volume)),
                np.sum(np.concatenate(taker)) / np.sum(np.concatenate(volume)),
            )
        )
    for name, column in zip(
        ("volatility", "mean_volume", "taker_share"), zip(*values, strict=True), strict=True
    ):
        own = float(describe(found)[COLUMN_OF[name]].iloc[place])
        expected = own + (np.quantile(column, [0.05, 0.95]) - own) * math.sqrt(15 / 14)
        found_ends = table[[f"{name}_low", f"{name}_high"]].to_numpy()[place]
        assert list(found_ends) == pytest.approx(expected, rel=1e-9)


def test_the_daily_share_is_the_mean_of_the_days_shares() -> None:
    frame = random_bars(days=10, bar=QUARTER).drop(index=range(200, 230))
    returns = returns_pct(frame, QUARTER)
    found = session_confidence(daily_sums(returns), samples=10)
    squares = pd.DataFrame(
        {
            "day": frame["open_time"].dt.date.to_numpy(),
            "session": returns.session,
            "r2": returns.return_pct**2,
        }
    )
    by_day = squares.pivot_table(index="day", columns="session", values="r2", aggfunc="sum")
    whole = by_day.div(by_day.sum(axis=1), axis=0)[squares.groupby("day").size() > 0.9 * 96]
    sessions = found[found["grouping"] == "session"]
    assert sessions["daily_share"].tolist() == pytest.approx(whole.mean().tolist())
    assert sessions["full_days"].unique().tolist() == [9]
    assert sessions["daily_share"].sum() == pytest.approx(1)
    assert found.loc[found["grouping"] == "quarter", "daily_share"].sum() == pytest.approx(1)


def test_the_same_seed_gives_the_same_numbers_and_another_does_not() -> None:
    found = sums(random_bars(days=20))
    first, again, other = (session_confidence(found, samples=50, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["volatility_low"].equals(other["volatility_low"])


def test_intervals_hold_the_value_and_grow_narrow_with_the_days() -> None:
    short, long = (session_confidence(sums(random_bars(days=days)), 200) for days in (28, 280))
    own = describe(sums(random_bars(days=280)))
    for name, column in (("volatility", "volatility_pct"), ("mean_volume", "mean_volume")):
        assert ((long[f"{name}_low"] < own[column]) & (own[column] < long[f"{name}_high"])).mean() > 0.9
        sessions = [part[part["grouping"] == "session"] for part in (short, long)]
        width = [(part[f"{name}_high"] - part[f"{name}_low"]).median() for part in sessions]
        assert width[0] / width[1] == pytest.approx(math.sqrt(10), rel=0.3)


def test_a_group_of_one_day_has_no_interval_and_no_test() -> None:
    report = session_report(returns_pct(random_bars(days=5), FIVE_MINUTES), samples=20)
    cells = report.group("weekday")
    assert cells["days"].tolist() == [1, 1, 1, 1, 1, 0, 0]
    intervals = [f"{name}_{end}" for name in INTERVALS for end in ("low", "high")]
    assert cells[intervals].isna().all(axis=None)
    assert cells["p_value"].isna().all()
    assert not cells["differs"].any()
    assert tuple(report.rows.columns) == COLUMNS
    assert len(report.rows) == 62
    sessions = report.group("session")
    assert (sessions["volatility_high"] > sessions["volatility_low"] * 1.01).all()
    assert not report.rows["rolling_low"].notna().any()


def test_wrong_samples_and_levels_are_named() -> None:
    found = sums(random_bars(days=2))
    for samples, level in ((1, 0.9), (10, 1.0), (10, 0.0)):
        with pytest.raises(ValueError, match="cannot draw"):
            session_confidence(found, samples, level)


def test_a_wilder_session_is_found_and_its_cells() -> None:
    found = session_tests(sums(uneven(200, factor=1.6), QUARTER))
    sessions = found[found["grouping"] == "session"].set_index("session")
    assert sessions.loc["EUNA", "usual_ratio"] == pytest.approx(1.6, rel=0.1)
    assert sessions.loc["EUNA", "differs"]
    assert found.loc[(found["session"] == "EUNA") & (found["weekday"] != ""), "differs"].sum() >= 5
    assert not found.loc[found["grouping"] == "weekday", "differs"].any()


def test_where_nothing_differs_little_is_found() -> None:
    """Of 60 histories without a difference; 5 % of them are the aim, more than 15 would be broken."""
    hits = dict.fromkeys(("weekday", "session", "quarter"), 0)
    for seed in range(60):
        found = session_tests(sums(uneven(60, seed), QUARTER))
        for name in hits:
            hits[name] += bool(found.loc[found["grouping"] == name, "differs"].any())
    assert max(hits.values()) <= 9, hits


def test_holm_by_hand() -> None:
    p = np.array([0.04, 0.01, np.nan, 0.03])
    assert holm(p) == pytest.approx([0.06, 0.03, np.nan, 0.06], nan_ok=True)
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])
    assert holm(np.array([])).tolist() == []


def test_each_grouping_is_corrected_by_itself() -> None:
    found = session_tests(sums(uneven(60, 3, 1.3), QUARTER))
    for _, group in found[found["grouping"] != "all"].groupby("grouping"):
        assert group["p_adjusted"].tolist() == pytest.approx(holm(group["p_value"].to_numpy()), nan_ok=True)


def test_rolling_windows_are_tables_of_their_own() -> None:
    frame = random_bars(days=40, bar=QUARTER)
    found = rolling_relative(sums(frame, QUARTER), 30)
    assert len(found) == 11
    last = describe(sums(frame.iloc[10 * 96 :], QUARTER))["volatility_pct"]
    assert str(found.index[-1].date()) == "2024-03-14"
    # The first return of a window is from the close before it, that of a table from its open: the same here.
    assert found.iloc[-1].tolist() == pytest.approx((last / last[0]).tolist(), rel=1e-9)


def test_stability_tells_a_lasting_difference_from_none() -> None:
    found = session_stability(sums(uneven(120, factor=2.0), QUARTER))
    euna = found[(found["session"] == "EUNA") & (found["grouping"] == "session")].iloc[0]
    assert (euna["rolling_days"], euna["rolling_windows"], euna["rolling_above"]) == (30, 91, 1.0)
    assert 1 < euna["rolling_low"] <= euna["rolling_median"] <= euna["rolling_high"]
    assert session_stability(sums(random_bars(days=20)))["rolling_days"].unique().tolist() == [7]
    with pytest.raises(ValueError, match="a day or more"):
        rolling_relative(sums(random_bars(days=3)), 0)


def test_minutes_of_the_hour_by_hand() -> None:
    frame = random_bars(days=4)
    returns = returns_pct(frame, FIVE_MINUTES)
    found = within_hour(returns)
    assert found["minute"].tolist() == list(range(0, 60, 5))
    assert found["bars"].unique().tolist() == [96]
    own = frame["open_time"].dt.minute == 35
    row = found[found["minute"] == 35].iloc[0]
    assert row["volatility_pct"] == pytest.approx(np.std(returns.return_pct[own], ddof=1))
    assert row["mean_volume"] == pytest.approx(frame.loc[own, "volume"].mean())
    taken = frame.loc[own, "taker_buy_volume"].sum() / frame.loc[own, "volume"].sum()
    assert row["taker_share"] == pytest.approx(taken)
    assert found["variance_share"].sum() == pytest.approx(1)
    assert within_hour(returns_pct(random_bars(bar=pd.Timedelta(hours=1)), pd.Timedelta(hours=1))).empty
