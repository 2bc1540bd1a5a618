import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.sessions import SESSIONS, WEEKDAYS, SessionTable, returns_pct, session_table
from vp_pipeline.figures.page import Heading, Section, render_page
from vp_pipeline.figures.sessions import (
    GROUPINGS,
    MAX_POINTS,
    Grouping,
    box_figure,
    heatmap_figure,
    session_sections,
    thinned,
    violin_figure,
    volatility_figure,
    volume_figure,
    volume_per_trade_figure,
)

BAR = pd.Timedelta(minutes=5)


def klines(days: int = 14, known: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    count = days * 288
    close = 100 * np.exp(rng.normal(0, 0.002, count).cumsum())
    volume = rng.gamma(2, 10, count)
    return pd.DataFrame(
        {
            "open_time": pd.date_range("2024-02-04", periods=count, freq=BAR, tz="UTC"),
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "volume": volume,
            "trades": rng.integers(1, 50, count) if known else np.nan,
            "taker_buy_volume": volume * 0.5 if known else np.nan,
        }
    )


@pytest.fixture(scope="module")
def table() -> SessionTable:
    return session_table(klines(), BAR)


def figures(sections: list[Section]) -> list[go.Figure]:
    return [f for section in sections if isinstance(section, tuple) for f in section]


@pytest.mark.parametrize(("by", "horizon", "groups"), [("weekday", "1d", 7), ("session", "1h", 6)])
def test_volatility_bars_and_the_line_of_all_bars(
    table: SessionTable, by: Grouping, horizon: str, groups: int
) -> None:
    bars, line = volatility_figure(table, by).data
    assert list(bars.y) == table.group(by)["volatility_pct"].tolist()
    assert len(bars.x) == groups
    assert set(line.y) == {table.volatility_pct("1d" if horizon == "1d" else "1h")}


@pytest.mark.parametrize("by", GROUPINGS)
def test_volume_carries_the_taker_share(table: SessionTable, by: Grouping) -> None:
    volume, taken, line = volume_figure(table, by).data
    assert list(volume.y) == table.group(by)["mean_volume"].tolist()
    assert set(taken.text) == {"50.0%"}
    assert line.y[0] == table.group("all")["mean_volume"].iloc[0]


@pytest.mark.parametrize("by", GROUPINGS)
def test_boxes_are_those_of_the_table(table: SessionTable, by: Grouping) -> None:
    (box,) = box_figure(table, by).data
    groups = table.group(by)
    for drawn, column in (
        (box.q1, "return_q1"),
        (box.upperfence, "whisker_high"),
        (box.median, "return_median"),
    ):
        assert list(drawn) == groups[column].tolist()


def test_violins_keep_the_extremes(table: SessionTable) -> None:
    frame = klines()
    returns = returns_pct(frame, BAR)
    drawn = violin_figure(returns, table, "weekday").data
    assert [trace.name for trace in drawn] == list(WEEKDAYS)
    lowest = min(np.min(trace.y) for trace in drawn)
    assert lowest == pytest.approx(np.nanmin(returns.return_pct), rel=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3 * MAX_POINTS), st.integers(0, 100))
def test_thinning_keeps_extremes_median_and_limit(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count)
    kept = thinned(values)
    assert len(kept) == min(count, MAX_POINTS)
    assert (kept[0], kept[-1]) == (values.min(), values.max())
    assert abs(np.mean(values <= np.median(kept)) - 0.5) <= 1 / min(count, MAX_POINTS) + 1e-9
    assert set(kept) <= set(values)


def test_the_heatmap_has_weekdays_down_and_sessions_across(table: SessionTable) -> None:
    (cells,) = heatmap_figure(table).data
    assert np.shape(cells.z) == (len(WEEKDAYS), len(SESSIONS))
    frame = table.to_frame()
    tuesday_eu = frame[(frame["weekday"] == "Tue") & (frame["session"] == "EU")]["volatility_pct"].iloc[0]
    assert cells.z[2][2] == tuesday_eu


def test_every_axis_is_named_with_its_unit(table: SessionTable) -> None:
    for figure in figures(session_sections("BTCUSDT", table, klines())):
        assert "UTC" in figure.layout.xaxis.title.text
        assert any(unit in figure.layout.yaxis.title.text for unit in ("%", "base units"))


def test_unknown_taker_volume_and_trades_are_left_out_with_the_reason() -> None:
    frame = klines(known=False)
    sections = session_sections("BTCUSDT", session_table(frame, BAR), frame)
    assert "Taker share: left out, as these bars come without taker-buy volume." in sections
    assert "Volume per trade: left out, as these bars come without trade counts." in sections
    titles = [figure.layout.title.text for figure in figures(sections)]
    assert not [title for title in titles if "per trade" in title]
    known = figures(session_sections("BTCUSDT", session_table(klines(), BAR), klines()))
    assert volume_per_trade_figure(session_table(klines(), BAR), "weekday").layout.title.text in [
        figure.layout.title.text for figure in known
    ]


def test_the_summary_says_what_was_left_out() -> None:
    frame = klines(2).drop(index=[100])
    frame.loc[200:, "close"] *= 1.5
    frame.loc[300:, "open_time"] += BAR
    sections = session_sections("BTCUSDT", session_table(frame, BAR), frame)
    assert sections[0] == Heading("BTCUSDT")
    assert "left out: 1 bars as outliers and 2 returns across missing bars" in str(sections[1])


def test_thinned_violins_say_so() -> None:
    def said(days: int) -> bool:
        frame = klines(days)
        sections = session_sections("BTCUSDT", session_table(frame, BAR), frame)
        return any(isinstance(s, str) and "at most 2,000 returns" in s for s in sections)

    assert (said(14), said(35)) == (False, True)


def test_the_same_bars_are_the_same_document() -> None:
    frame = klines()
    pages = {
        render_page("t", "s", None, session_sections("BTCUSDT", session_table(frame, BAR), frame))
        for _ in range(2)
    }
    assert len(pages) == 1
