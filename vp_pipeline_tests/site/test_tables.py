"""Sessions, strategies and status: the stored numbers, in words and tables."""

import re
from datetime import UTC, datetime

import pandas as pd
import pytest
import requests

from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.operations.status import market_statuses
from vp_pipeline.settings import Settings
from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_NET, STRATEGY_SUMMARY
from vp_pipeline_tests.site import seed
from vp_pipeline_tests.site.conftest import reading, serving

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


def test_sessions_of_any_stored_day_and_span(address: str) -> None:
    html, text = _page(address, "/sessions?series=BTCUSDT-15m&span=30d&day=2023-03-10")
    assert "As of the end of 2023-03-10" in text
    assert 'href="/sessions?series=BTCUSDT-15m&amp;span=30d&amp;day=2023-03-11" rel="next"' in html
    assert 'href="/sessions?series=BTCUSDT-15m&amp;day=2023-03-10"' in html, "the span, all, is as usual"
    for missing, words in (
        ("day=2020-01-01", "There are some from 2023-03-10 to 2023-03-11"),
        ("span=90d", "There are: 30d, all"),
    ):
        answer = requests.get(f"{address}/sessions?{missing}", timeout=10)
        assert (answer.status_code, words in answer.text) == (404, True)
    assert requests.get(f"{address}/sessions?day=yesterday", timeout=10).status_code == 422
    url = f"{address}/api/v1/sessions?symbol=ETHUSDT&interval=15m"
    rows_of = requests.get(f"{url}&span=30d&limit=100", timeout=10).json()["rows"]
    assert {row["span"] for row in rows_of} == {"30d"}
    assert requests.get(f"{url}&span=90d", timeout=10).status_code == 404
    assert requests.get(f"{url}&day=2020-01-01", timeout=10).json()["rows"] == []


def test_an_unknown_series_is_a_404_that_names_the_known(address: str) -> None:
    answer = requests.get(f"{address}/sessions?series=DOGE-5m", timeout=10)
    assert answer.status_code == 404
    assert "BTCUSDT-15m, ETHUSDT-15m" in answer.text


def test_strategies_name_every_one_with_its_tearsheet(address: str) -> None:
    html, text = _page(address, "/strategies")
    assert all(one.title in text for one in STRATEGIES.values())
    assert 'href="/artifacts/tearsheets/mean_reversion"' in html
    assert text.count("not made yet") == len(STRATEGIES) - 1
    assert text.count("looks ahead") == 1


def test_without_figures_after_costs_the_strategies_page_says_what_to_do(
    address: str, database_url: str
) -> None:
    with transaction(database_url) as connection:
        kept = rows.read(connection, STRATEGY_SUMMARY, {})
        rows.replace(connection, STRATEGY_SUMMARY, kept.iloc[:0], {})
    try:
        assert "No returns yet" in _page(address, "/strategies")[1]
    finally:
        with transaction(database_url) as connection:
            rows.replace(connection, STRATEGY_SUMMARY, kept, {})


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


def test_minutes_that_the_exchange_does_not_have_are_covered(settings: Settings, database_url: str) -> None:
    change = (
        "UPDATE coverage_run SET state = %s FROM market WHERE market.market_id = coverage_run.market_id"
        " AND exchange = 'kraken' AND end_time = %s"
    )
    with transaction(database_url) as connection:
        connection.execute(change, ["exchange-empty", END])
    try:
        with serving(settings) as url:
            [row] = [
                one
                for one in requests.get(f"{url}/api/v1/markets", timeout=10).json()["rows"]
                if one["market"] == seed.KRAKEN
            ]
            assert (row["expected_24h"], row["got_24h"], row["empty_24h"]) == (1440, 1427, 12)
            metrics = requests.get(f"{url}/metrics", timeout=10).text
            share = f"{1439 / 1440:.6f}"
            assert f'vp_market_coverage_ratio{{market="{seed.KRAKEN}",span="24h"}} {share}' in metrics
            assert re.search(rf"{seed.KRAKEN} .* 2,987 99.9 % ", _page(url, "/status")[1])
        with reading(settings) as connection:
            statuses = market_statuses(connection, settings.catalog, END)
        [kraken] = [one for one in statuses if one.market == seed.KRAKEN]
        assert kraken.coverage["24h"] == 1439 / 1440
    finally:
        with transaction(database_url) as connection:
            connection.execute(change, ["unknown", END])


def test_strategies_show_figures_after_costs(address: str, database_url: str) -> None:
    days = pd.date_range("2023-01-01", periods=30, freq="D")
    net = pd.DataFrame(
        {"strategy": "mean_reversion", "day": days, "net": 0.01, "turnover": 0.5, "cost": 1e-4}
    )
    values = seed.summary("mean_reversion") | {"title": "Mean reversion", "evidence": "weak", "trials": 4}
    values |= {"cagr": 0.123, "cagr_gross": 0.456, "sharpe": 0.77, "sharpe_low": -0.5, "dsr": float("nan")}
    with transaction(database_url) as connection:
        rows.replace(connection, STRATEGY_NET, net, {})
        rows.replace(connection, STRATEGY_SUMMARY, pd.DataFrame([values]), {})
    html, text = _page(address, "/strategies")
    assert "after fees and slippage, 2023-01-01 to 2023-01-30" in text
    assert "Mean reversion weak 12.3 % 45.6 % 10.0 % 0.77 \u22120.50 to 0.10 \u2013 10.0 % 10.0 %" in text
    assert 'href="/artifacts/tearsheets/mean_reversion"' in html
    [line] = requests.get(f"{address}/api/v1/strategies", timeout=10).json()["rows"]
    assert (line["strategy"], line["cagr"], line["dsr"]) == ("mean_reversion", 0.123, None)
    returns = requests.get(f"{address}/api/v1/strategies/mean_reversion?limit=7", timeout=10).json()
    assert len(returns["rows"]) == 7
    following = requests.get(returns["next"], timeout=10).json()["rows"]
    assert following[0]["day"] > returns["rows"][-1]["day"]


def test_the_api_has_the_same_session_table(address: str) -> None:
    url = f"{address}/api/v1/sessions?symbol=ETHUSDT&interval=15m&limit=100"
    first = requests.get(url, timeout=10).json()
    assert len(first["rows"]) == 100
    rest = requests.get(first["next"], timeout=10).json()
    assert rest["next"] is None
    assert len(rest["rows"]) == 2 * 62 - 100
