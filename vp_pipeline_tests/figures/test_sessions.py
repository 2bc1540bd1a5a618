from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.bar_returns import WEEKDAYS, returns_pct
from vp_pipeline.analytics.common_bars import common_bars
from vp_pipeline.analytics.session_hours import SESSIONS
from vp_pipeline.analytics.session_report import SessionReport, session_report
from vp_pipeline.figures.page import Heading, Section, inline, render_page
from vp_pipeline.figures.session_axes import GROUPINGS, Grouping
from vp_pipeline.figures.session_cells import bars_3d_figure, heatmap_figure, intervals_figure
from vp_pipeline.figures.session_comparison import comparison_sections
from vp_pipeline.figures.session_groups import (
    MAX_POINTS,
    box_figure,
    share_figure,
    thinned,
    violin_figure,
    volatility_figure,
    volume_figure,
    volume_per_trade_figure,
)
from vp_pipeline.figures.session_time import stability_figure, within_hour_figure
from vp_pipeline.figures.sessions import session_sections, windows_section
from vp_pipeline_tests.browsers import chromium

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


def made(frame: pd.DataFrame) -> SessionReport:
    return session_report(returns_pct(frame, BAR), samples=100)


@pytest.fixture(scope="module")
def report() -> SessionReport:
    return made(klines())


def figures(sections: list[Section]) -> list[go.Figure]:
    rows = [section if isinstance(section, tuple) else (section,) for section in sections]
    return [figure for row in rows for figure in row if isinstance(figure, go.Figure)]


@pytest.mark.parametrize(("by", "horizon", "groups"), [("weekday", "1d", 7), ("session", "1h", 6)])
def test_volatility_bars_and_the_line_of_all_bars(
    report: SessionReport, by: Grouping, horizon: str, groups: int
) -> None:
    bars, line = volatility_figure(report, by).data
    rows = report.group(by)
    assert list(bars.y) == rows["volatility_pct"].tolist()
    assert len(bars.x) == groups
    np.testing.assert_allclose(bars.error_y.array, rows["volatility_high"] - rows["volatility_pct"])
    assert set(line.y) == {report.table.volatility_pct("1d" if horizon == "1d" else "1h")}


@pytest.mark.parametrize("by", GROUPINGS)
def test_volume_carries_the_taker_share(report: SessionReport, by: Grouping) -> None:
    volume, taken, line = volume_figure(report, by).data
    assert list(volume.y) == report.group(by)["mean_volume"].tolist()
    assert set(taken.text) == {"50.0%"}
    assert line.y[0] == report.group("all")["mean_volume"].iloc[0]


@pytest.mark.parametrize("by", GROUPINGS)
def test_boxes_are_those_of_the_table(report: SessionReport, by: Grouping) -> None:
    (box,) = box_figure(report, by).data
    groups = report.group(by)
    for drawn, column in (
        (box.q1, "return_q1"),
        (box.upperfence, "whisker_high"),
        (box.median, "return_median"),
    ):
        assert list(drawn) == groups[column].tolist()


def test_violins_keep_the_extremes(report: SessionReport) -> None:
    returns = report.returns
    drawn = violin_figure(report, "weekday").data
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


def test_the_heatmap_has_weekdays_down_and_sessions_across(report: SessionReport) -> None:
    (cells,) = heatmap_figure(report).data
    assert np.shape(cells.z) == (len(WEEKDAYS), len(SESSIONS))
    frame = report.rows
    tuesday_eu = frame[(frame["weekday"] == "Tue") & (frame["session"] == "EU")]["volatility_pct"].iloc[0]
    assert cells.z[2][2] == tuesday_eu


def test_bars_in_space_reach_up_to_the_cells(report: SessionReport) -> None:
    (mesh,) = bars_3d_figure(report).data
    cells = report.group("weekday_session")["volatility_pct"].to_numpy()
    assert len(mesh.x) == 8 * len(cells)
    assert len(mesh.i) == len(mesh.facecolor) == 10 * len(cells)
    assert np.reshape(mesh.z, (42, 8)).max(axis=1) == pytest.approx(cells)
    # The corner of Monday's first session stands at 0, 1.
    assert np.reshape(mesh.x, (42, 8))[6].mean() == pytest.approx(0)
    assert np.reshape(mesh.y, (42, 8))[6].mean() == pytest.approx(1)


def test_cells_without_bars_are_not_drawn_in_space() -> None:
    (mesh,) = bars_3d_figure(made(klines(days=3))).data
    assert len(mesh.x) == 8 * 18


def test_intervals_of_all_cells_are_drawn_once(report: SessionReport) -> None:
    drawn = [place for trace in intervals_figure(report).data for place in trace.y]
    assert len(drawn) == len(set(drawn)) == 42


def test_shares_and_their_references_add_up(report: SessionReport) -> None:
    bars, dots = share_figure(report, "session").data
    assert sum(bars.y) == pytest.approx(1)
    assert sum(dots.y) == pytest.approx(1)


def test_minutes_of_whole_quarters_stand_out(report: SessionReport) -> None:
    quarters, others = within_hour_figure(report).data
    assert list(quarters.x) == [0, 15, 30, 45]
    assert len(others.x) == 8


def test_rolling_windows_have_a_line_a_group(report: SessionReport) -> None:
    assert [line.name for line in stability_figure(report, "session").data] == list(SESSIONS)


def test_windows_have_a_row_each(report: SessionReport) -> None:
    assert windows_section({"30d": report, "all": report})["window"].tolist() == ["30d", "all"]


def test_a_comparison_shows_the_bars_left_out() -> None:
    whole, holed = klines(), klines().drop(index=[100, 101])
    common = common_bars({"AAA": returns_pct(whole, BAR), "BBB": returns_pct(holed, BAR)})
    reports = {symbol: session_report(found, samples=20) for symbol, found in common.returns.items()}
    sections = comparison_sections("all", common, reports)
    text = " ".join(section for section in sections if isinstance(section, str))
    assert "AAA has 2 more." in text
    assert "1 common bars have a return in some symbols only" in text
    tables = [section for section in sections if isinstance(section, pd.DataFrame)]
    assert tables[-1].to_numpy().tolist() == [["BBB", "2024-02-04 08:20", "2024-02-04 08:25", 2]]
    page = render_page("t", "s", None, sections)
    assert page.count("draw(") == len(figures(sections))


def test_every_axis_is_named_with_its_unit(report: SessionReport) -> None:
    drawn = figures(session_sections("BTCUSDT", report))
    assert len(drawn) == 19
    for figure in drawn:
        layout = figure.layout.scene if figure.data[0].type == "mesh3d" else figure.layout
        named = f"{layout.xaxis.title.text} {layout.yaxis.title.text} {layout.to_plotly_json()}"
        assert any(unit in named for unit in ("%", "base units", "1 = the same", "Weekday (UTC)"))
        assert layout.xaxis.title.text
        assert layout.yaxis.title.text


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_a_real_browser_draws_every_figure_without_a_network(
    report: SessionReport, tmp_path: Path, width: int
) -> None:
    sections = session_sections("BTCUSDT", report)
    count = len(figures(sections))
    path = tmp_path / "page.html"
    path.write_text(inline(render_page("t", "s", None, sections)), encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot').length == {count}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not errors


def test_unknown_taker_volume_and_trades_are_left_out_with_the_reason() -> None:
    frame = klines(known=False)
    sections = session_sections("BTCUSDT", made(frame))
    assert "Taker share: left out, as these bars come without taker-buy volume." in sections
    assert "Volume per trade: left out, as these bars come without trade counts." in sections
    titles = [figure.layout.title.text for figure in figures(sections)]
    assert not [title for title in titles if "per trade" in title]
    known = figures(session_sections("BTCUSDT", made(klines())))
    assert volume_per_trade_figure(made(klines()), "weekday").layout.title.text in [
        figure.layout.title.text for figure in known
    ]


def test_the_summary_says_what_was_left_out() -> None:
    frame = klines(2).drop(index=[100])
    frame.loc[200:, "close"] *= 1.5
    frame.loc[300:, "open_time"] += BAR
    sections = session_sections("BTCUSDT", made(frame))
    assert sections[0] == Heading("BTCUSDT")
    assert "left out: 1 bars as outliers and 2 returns across missing bars" in str(sections[1])


def test_thinned_violins_say_so() -> None:
    def said(days: int) -> bool:
        frame = klines(days)
        sections = session_sections("BTCUSDT", made(frame))
        return any(isinstance(s, str) and "at most 2,000 returns" in s for s in sections)

    assert (said(14), said(35)) == (False, True)


def test_the_same_bars_are_the_same_document() -> None:
    frame = klines()
    pages = {render_page("t", "s", None, session_sections("BTCUSDT", made(frame))) for _ in range(2)}
    assert len(pages) == 1
