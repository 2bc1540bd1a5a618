"""Sessions, strategies and status: the stored numbers, in words and tables."""

import re
from datetime import UTC, datetime

import pytest
import requests

from vp_pipeline.analytics.strategies import STRATEGIES, performance
from vp_pipeline.settings import Settings
from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_RETURN
from vp_pipeline_tests.site import seed

END = datetime(2023, 3, 12, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _stored(settings: Settings, database_url: str) -> None:
    frame = seed.fill_market(settings, END, 3000)
    with transaction(database_url) as connection:
        seed.fill_reports(connection, END)
        seed.fill_artifacts(connection, frame)


def _page(address: str, path: str) -> tuple[str, str]:
    """The page, and the text people read."""
    html = requests.get(address + path, timeout=10).text
    bare = re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL)
    return html, re.sub(r"\s+", " ", bare)


def test_sessions_show_every_group_of_the_chosen_series(address: str, database_url: str) -> None:
    with transaction(database_url) as connection:
        table = rows.read(connection, SESSION_VOLATILITY, {"symbol": "ETHUSDT", "interval": "15m"})
    table = table[(table["span"] == "all") & (table["day"] == table["day"].max())]
    assert len(table) == 62
    html, text = _page(address, "/sessions?series=ETHUSDT-15m")
    for value in table.loc[~table["grouping"].isin(["all", "quarter"]), "volatility_pct"]:
        assert f"{value:.3f}" in text
    for name in ("Sun", "Sat", "ASEU 06\u201308", "OTHERS 21\u201323"):
        assert name in text
    assert 'href="/artifacts/session_volatility/ethusdt/2023-03-11"' in html


def test_an_unknown_series_is_a_404_that_names_the_known(address: str) -> None:
    answer = requests.get(f"{address}/sessions?series=DOGE-5m", timeout=10)
    assert answer.status_code == 404
    assert "BTCUSDT-15m, ETHUSDT-15m" in answer.text


def test_strategies_show_the_figures_of_their_returns(address: str, database_url: str) -> None:
    with transaction(database_url) as connection:
        stored = rows.read(connection, STRATEGY_RETURN, {"strategy": "mean_reversion"})
    expected = performance(stored["return"])
    html, text = _page(address, "/strategies")
    assert f"{expected.cagr * 100:,.1f} %" in text
    assert f"{expected.sharpe:.2f}" in text
    assert f"\u2212{-expected.max_drawdown * 100:.1f} %" in text
    assert 'href="/artifacts/tearsheets/mean_reversion"' in html
    assert text.count("not made yet") == len(STRATEGIES) - 1
    assert text.count("looks ahead") == 1


def test_status_names_every_market_and_why_it_lacks_minutes(address: str) -> None:
    html, text = _page(address, "/status")
    assert "Last 24 stored hours: 2023-03-11 00:00 UTC to 2023-03-12 00:00 UTC." in text
    for name, last, figures in (
        ("binance BTC/USDT", "23:59", "2,999 99.9 % binance"),
        ("kraken BTC/USD", "23:47", "2,987 99.1 % kraken"),
    ):
        line = rf"{name} 2023-03-11 {last} UTC [\d,]+ days {figures}: {re.escape(seed.REASON)}"
        assert re.search(line, text), line
    assert "volume_profile/btc/2023-03-11" in text
    assert 'href="http://127.0.0.1:3000/runs/9f8b7c6d-0000-0000-0000-000000000000"' in html
    assert "ftx BTC/USD \u2013 0 \u2013 retired 2022-11-12" in text
    assert "binance ETH/USDT \u2013 0 \u2013" in text
