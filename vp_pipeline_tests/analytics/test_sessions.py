from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.cbook import boxplot_stats

from vp_pipeline.analytics.bar_returns import Gaps, returns_pct
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.session_hours import Preset
from vp_pipeline.analytics.sessions import COLUMNS, KEYS, SESSIONS, WEEKDAYS, SessionTable, table_of
from vp_pipeline_tests.analytics.bars import FIVE_MINUTES, klines, random_bars


def session_table(
    frame: pd.DataFrame,
    bar: pd.Timedelta,
    outlier_pct: float = 20.0,
    gaps: Gaps = "drop",
    preset: Preset = "document",
) -> SessionTable:
    return table_of(returns_pct(frame, bar, outlier_pct, gaps, preset))


def test_sessions_cover_every_hour_once() -> None:
    hours = [hour % 24 for start, end in SESSIONS.values() for hour in range(start, end + 24 * (end < start))]
    assert sorted(hours) == list(range(24))


@pytest.mark.parametrize(
    ("time", "session"),
    [
        ("22:59", "OTHERS"),
        ("23:00", "AS"),
        ("00:00", "AS"),
        ("05:59", "AS"),
        ("06:00", "ASEU"),
        ("08:00", "EU"),
        ("11:59", "EU"),
        ("12:00", "EUNA"),
        ("15:00", "NA"),
        ("20:59", "NA"),
        ("21:00", "OTHERS"),
    ],
)
def test_the_session_is_that_of_the_opening_utc_hour(time: str, session: str) -> None:
    returns = returns_pct(klines([100], f"2024-02-01 {time}"), pd.Timedelta(minutes=1))
    assert list(SESSIONS)[returns.session[0]] == session


def test_the_documents_rows_of_opusdt() -> None:
    """Its first rows of 2024-02-01, a Thursday, which it counts as day 5 of a week from Sunday."""
    frame = klines([2.9039, 2.9086, 2.9124, 2.9127, 2.9112], "2024-02-01").assign(open=2.8986)
    returns = returns_pct(frame, FIVE_MINUTES)
    published = [0.182847, 0.161851, 0.130647, 0.010301, -0.051499]
    assert returns.return_pct == pytest.approx(published, abs=5e-7)
    assert {WEEKDAYS[day] for day in returns.weekday} == {"Thu"}
    assert {list(SESSIONS)[code] for code in returns.session} == {"AS"}


def test_volatility_scales_with_the_root_of_the_horizon() -> None:
    table = session_table(klines([101, 100, 102, 99]), FIVE_MINUTES)
    of_bar = np.std([1, 100 * (100 / 101 - 1), 2, 100 * (99 / 102 - 1)], ddof=1)
    assert table.volatility_pct("bar") == pytest.approx(of_bar)
    assert table.volatility_pct("1h") == pytest.approx(of_bar * np.sqrt(12))
    assert table.volatility_pct("1d") == pytest.approx(of_bar * np.sqrt(288))


@pytest.mark.parametrize("bar", [pd.Timedelta(minutes=5), pd.Timedelta(minutes=15), pd.Timedelta(hours=1)])
def test_every_cell_equals_pandas(bar: pd.Timedelta) -> None:
    frame = random_bars(bar=bar)
    expected = frame.assign(
        r=100 * frame["close"].pct_change(),
        weekday=frame["open_time"].dt.strftime("%a"),
        session=frame["open_time"].dt.hour.map(
            lambda h: next(n for n, (a, b) in SESSIONS.items() if (a <= h < b if a < b else h >= a or h < b))
        ),
        minute=frame["open_time"].dt.floor("15min").dt.strftime("%M"),
    )
    expected["r"] = expected["r"].fillna(100 * (frame["close"][0] / frame["open"][0] - 1))
    table = session_table(frame, bar).to_frame()
    horizons = {"bar": bar, "1h": pd.Timedelta(hours=1), "1d": pd.Timedelta(days=1)}
    row: Any
    for row in table.itertuples():
        part = expected
        for column in ("weekday", "session", "minute"):
            value = str(getattr(row, column))
            part = part[part[column] == value] if value else part
        assert row.bars == row.returns == len(part)
        assert row.days == part["open_time"].dt.date.nunique()
        assert row.variance_share == pytest.approx((part["r"] ** 2).sum() / (expected["r"] ** 2).sum())
        assert row.volatility_pct == pytest.approx(
            part["r"].std() * np.sqrt(horizons[str(row.horizon)] / bar), nan_ok=True
        )
        if part.empty:
            assert np.isnan(row.mean_volume)
            continue
        assert row.mean_volume == pytest.approx(part["volume"].mean())
        assert row.mean_taker_buy_volume == pytest.approx(part["taker_buy_volume"].mean())
        assert row.taker_share == pytest.approx(part["taker_buy_volume"].sum() / part["volume"].sum())
        assert row.volume_per_trade == pytest.approx(part["volume"].sum() / part["trades"].sum())
        drawn = boxplot_stats(part["r"].to_numpy())[0]
        assert [row.return_q1, row.return_median, row.return_q3] == pytest.approx(
            [drawn["q1"], drawn["med"], drawn["q3"]]
        )
        assert [row.whisker_low, row.whisker_high] == pytest.approx([drawn["whislo"], drawn["whishi"]])


def test_rows_and_columns_are_always_the_same_in_the_same_order() -> None:
    short, long = session_table(klines([100]), FIVE_MINUTES), session_table(random_bars(), FIVE_MINUTES)
    keys = list(KEYS)
    assert tuple(short.to_frame().columns) == tuple(long.to_frame().columns) == COLUMNS
    assert short.to_frame()[keys].equals(long.to_frame()[keys])
    frame = long.to_frame()
    assert frame["grouping"].value_counts(sort=False).to_dict() == {
        "all": 3,
        "weekday": 7,
        "session": 6,
        "weekday_session": 42,
        "quarter": 4,
    }
    assert not frame[keys].duplicated().any()
    assert not frame[keys].isna().any().any()
    assert long.group("weekday")["weekday"].tolist() == list(WEEKDAYS)
    assert long.group("session")["session"].tolist() == list(SESSIONS)


def test_groups_without_bars_are_empty_not_zero() -> None:
    monday = session_table(klines([101, 102]), FIVE_MINUTES).group("weekday").iloc[1]
    counts = ["bars", "returns", "days"]
    assert monday[counts].tolist() == [0, 0, 0]
    # Of the variance it has a share, and that is nothing.
    assert monday["variance_share"] == 0
    rest = [name for name in COLUMNS if name not in (*KEYS, *counts, "variance_share")]
    assert monday[rest].isna().all()


def test_changing_the_frame_does_not_change_the_table() -> None:
    table = session_table(klines([101, 102]), FIVE_MINUTES)
    frame = table.to_frame()
    frame["volatility_pct"] = 0.0
    assert table.volatility_pct("1d") > 0


def test_a_return_over_missing_bars_is_no_return_of_one_bar() -> None:
    frame = klines([101, 102, 103, 150, 151]).drop(index=[3])
    dropped, taken = session_table(frame, FIVE_MINUTES), session_table(frame, FIVE_MINUTES, gaps="document")
    assert (dropped.gap_returns, dropped.outliers, dropped.bars) == (1, 0, 4)
    assert np.isnan(returns_pct(frame, FIVE_MINUTES).return_pct[3])
    # The bar after the gap was traded all the same.
    assert dropped.group("all")["mean_volume"].iloc[0] == np.mean([10, 20, 30, 50])
    assert dropped.group("all")["bars"].iloc[0] == 4
    # Over the gap it is 46.6 percent: with the document's way an outlier.
    assert (taken.gap_returns, taken.outliers) == (0, 1)
    assert dropped.volatility_pct("bar") == pytest.approx(taken.volatility_pct("bar"))
    assert taken.group("all")["bars"].iloc[0] == 3


def test_a_filled_bar_has_no_return_and_neither_has_the_one_after() -> None:
    frame = klines([101, 102, 103, 104, 105])
    frame.loc[2, ["open", "close", "volume", "trades", "taker_buy_volume"]] = [102, 102, 0, 0, 0]
    returns, table = returns_pct(frame, FIVE_MINUTES), session_table(frame, FIVE_MINUTES)
    assert np.isnan(returns.return_pct).tolist() == [False, False, True, True, False]
    assert (table.filled, table.gap_returns) == (1, 0)
    # Nothing was traded in it, which counts for the volume.
    row = table.group("all").iloc[0]
    assert (row["bars"], row["returns"], row["mean_volume"]) == (5, 3, np.mean([10, 20, 0, 40, 50]))
    taken = session_table(frame, FIVE_MINUTES, gaps="document")
    assert (taken.filled, taken.group("all")["returns"].iloc[0]) == (0, 5)


def test_shares_of_the_variance_add_up_to_one() -> None:
    frame = random_bars().drop(index=range(100, 140))
    table = session_table(frame, FIVE_MINUTES)
    for grouping in ("weekday", "session", "weekday_session", "quarter"):
        assert table.group(grouping)["variance_share"].sum() == pytest.approx(1)


def test_a_variance_is_exact_where_the_mean_is_large() -> None:
    """Of a return that is always the same nothing is left but rounding."""
    frame = klines((100 * 1.01 ** np.arange(1, 400)).tolist())
    assert session_table(frame, FIVE_MINUTES).volatility_pct("bar") < 1e-7


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_the_times_does_not_matter(unit: Literal["s", "ms", "us", "ns"]) -> None:
    frame = random_bars(days=3)
    other = frame.assign(open_time=frame["open_time"].dt.as_unit(unit))
    pd.testing.assert_frame_equal(
        session_table(other, FIVE_MINUTES).to_frame(), session_table(frame, FIVE_MINUTES).to_frame()
    )


def test_bars_between_two_times_keep_their_returns() -> None:
    frame = random_bars(days=3)
    whole = returns_pct(frame, FIVE_MINUTES)
    day = whole.between(pd.Timestamp("2024-02-05", tz="UTC"), pd.Timestamp("2024-02-06", tz="UTC"))
    assert len(day) == 288
    assert day.return_pct.tolist() == whole.return_pct[288:576].tolist()
    assert table_of(day).group("weekday")["bars"].tolist() == [0, 288, 0, 0, 0, 0, 0]
    assert table_of(day).sums.days == 1


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        # Hours of a week from Monday on by hand, for Tokyo 9-18, London 8-17, New York 8-17.
        # America changes on Sunday 2024-03-10: six days of winter, one of four hours more in common.
        ("2024-03-04", {"AS": 7 * 8, "ASEU": 7, "EU": 6 * 4 + 3, "EUNA": 6 * 4 + 5, "NA": 6 * 5 + 4}),
        # Europe changes on Sunday 2024-03-31.
        ("2024-03-25", {"AS": 6 * 8 + 7, "ASEU": 6 + 2, "EU": 7 * 3, "EUNA": 6 * 5 + 4, "NA": 6 * 4 + 5}),
        # Europe changes back on Sunday 2024-10-27, America on Sunday 2024-11-03.
        ("2024-10-21", {"AS": 6 * 7 + 8, "ASEU": 6 * 2 + 1, "EU": 7 * 3, "EUNA": 6 * 4 + 5, "NA": 6 * 5 + 4}),
        ("2024-10-28", {"AS": 7 * 8, "ASEU": 7, "EU": 6 * 3 + 4, "EUNA": 6 * 5 + 4, "NA": 6 * 4 + 5}),
    ],
)
def test_hours_of_the_weeks_in_which_the_clocks_change(first: str, expected: dict[str, int]) -> None:
    frame = klines([100.0 + place % 2 for place in range(7 * 288)], first)
    groups = session_table(frame, FIVE_MINUTES, preset="exchange").group("session")
    hours = dict(zip(groups["session"], groups["bars"] / 12, strict=True))
    assert hours == {**expected, "OTHERS": 168 - sum(expected.values())}


def test_rises_of_20_percent_and_more_are_left_out_falls_are_not() -> None:
    table = session_table(klines([100, 120, 60, 71.9]), FIVE_MINUTES)
    assert (table.outliers, table.group("all")["bars"].iloc[0]) == (1, 3)
    assert table.group("all")["mean_volume"].iloc[0] == np.mean([10, 30, 40])
    assert table.volatility_pct("bar") == pytest.approx(np.std([0, -50, 100 * (71.9 / 60 - 1)], ddof=1))
    assert session_table(klines([100, 120]), FIVE_MINUTES, outlier_pct=20.1).outliers == 0


def test_the_taker_share_is_of_the_bars_that_know_it() -> None:
    frame = klines([101, 102, 103])
    frame["taker_buy_volume"] = [2.5, 5, np.nan]
    row = session_table(frame, FIVE_MINUTES).group("all").iloc[0]
    assert (row["taker_share"], row["mean_taker_buy_volume"]) == (0.25, np.mean([2.5, 5]))


def test_unknown_trades_and_taker_volume_stay_unknown() -> None:
    frame = klines([101, 102, 103]).assign(trades=np.nan, taker_buy_volume=np.nan)
    table = session_table(frame, FIVE_MINUTES).to_frame()
    assert table[["taker_share", "mean_taker_buy_volume", "volume_per_trade"]].isna().all(axis=None)
    assert table["mean_volume"].iloc[0] == 20


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000))
def test_the_order_of_bars_does_not_matter(seed: int) -> None:
    frame = random_bars(days=2)
    mixed = session_table(frame.sample(frac=1, random_state=seed), FIVE_MINUTES)
    pd.testing.assert_frame_equal(mixed.to_frame(), session_table(frame, FIVE_MINUTES).to_frame())


def test_bad_bars_are_named() -> None:
    good = klines([101, 102, 103])
    with pytest.raises(NotEnoughData, match="no bars"):
        session_table(good.iloc[:0], FIVE_MINUTES)
    with pytest.raises(ValueError, match="open_time must be UTC-aware"):
        session_table(good.assign(open_time=good["open_time"].dt.tz_localize(None)), FIVE_MINUTES)
    with pytest.raises(
        ValueError, match=r"less than 0 days 00:05:00 apart, the first at 2024-02-04 00:05:00"
    ):
        session_table(pd.concat([good, good.iloc[1:]]), FIVE_MINUTES)
    with pytest.raises(ValueError, match="check the bar length"):
        session_table(good, pd.Timedelta(minutes=15))
    with pytest.raises(ValueError, match="every bar needs a positive close"):
        session_table(good.assign(close=[101, np.nan, 102]), FIVE_MINUTES)


def test_a_recorded_month(recorded_data: Path) -> None:
    frame = pd.read_csv(recorded_data / "usdm_1m_12col_2023-02" / "LINKUSDT.csv.gz")
    frame["open_time"] = pd.to_datetime(frame["open_time"], unit="ms", utc=True)
    frame = frame.rename(columns={"count": "trades"})
    table = session_table(frame, pd.Timedelta(minutes=1))
    assert (table.bars, table.gap_returns, table.outliers) == (28 * 1440, 0, 0)
    assert table.group("weekday")["bars"].tolist() == [4 * 1440] * 7
    sessions = table.group("session")
    assert sessions["bars"].tolist() == [28 * 60 * hours for hours in (7, 2, 4, 3, 6, 2)]
    assert sessions["session"].iloc[int(sessions["volatility_pct"].argmax())] == "EUNA"
    whole = frame["taker_buy_volume"].sum() / frame["volume"].sum()
    assert table.group("all")["taker_share"].iloc[0] == pytest.approx(whole)
    assert (table.start, table.end) == (
        pd.Timestamp("2023-02-01", tz="UTC"),
        pd.Timestamp("2023-03-01", tz="UTC"),
    )
