"""The published rows are from the futures of 2021 to 2024, as printed: six digits."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.performance import performance
from vp_pipeline.analytics.published import equal_weight, mean_reversion, volatility_weight, weighted
from vp_pipeline.analytics.strategies import STRATEGIES, daily_returns, strategy_returns
from vp_pipeline.analytics.strategy import StrategyError, configured
from vp_pipeline.catalog import SHIPPED, Variant

SYMBOLS = ["BTCUSDT", "ETHUSDT", "XRPUSDT", "BNBUSDT", "SOLUSDT"]
PRINTED = 1e-6
"""Half of the last printed digit of the result, and as much of the returns under weights that sum to 1."""

S1_S2 = {
    "2021-01-01": (0.013437, -0.010052, 0.082916, 0.010561, 0.221964, 0.063765, 0.082944),
    "2021-01-02": (0.097581, 0.062006, -0.070257, 0.012594, -0.022087, 0.015968, 0.004004),
    "2021-01-03": (0.026541, 0.264793, 0.024887, 0.079146, 0.210892, 0.121252, 0.128363),
    "2021-01-04": (-0.030963, 0.064137, 0.042384, -0.003826, 0.140809, 0.042509, 0.055165),
    "2021-01-05": (0.061454, 0.055776, -0.043626, 0.015969, -0.140021, -0.010090, -0.028143),
    "2024-01-25": (-0.003129, -0.007429, -0.008300, -0.002834, -0.020937, -0.008525, -0.009970),
    "2024-01-26": (0.046382, 0.021957, 0.035422, 0.034203, 0.061863, 0.039965, 0.041735),
    "2024-01-27": (0.007075, 0.000119, -0.003571, 0.011951, 0.021428, 0.007400, 0.008325),
    "2024-01-28": (-0.001924, -0.004848, -0.011696, -0.001439, 0.018146, -0.000352, 0.001014),
}
S3 = {
    "2021-05-20": (0.103877, 0.133214, 0.116374, 0.17015, 0.271201, 0.158963),
    "2021-05-21": (-0.081216, -0.121878, -0.147345, -0.167689, -0.124013, 0.0),
    "2021-05-22": (0.005954, -0.055886, -0.100705, -0.080031, -0.197734, -0.08568),
    "2021-05-23": (-0.074293, -0.086495, -0.127664, -0.130372, -0.214828, -0.13984),
    "2021-05-24": (0.11913, 0.263585, 0.257881, 0.325083, 0.281437, 0.249423),
    "2021-05-25": (-0.011677, 0.021727, -0.019223, -0.005502, -0.04488, 0.0),
    "2021-05-26": (0.023413, 0.065553, 0.05726, 0.104097, 0.180391, 0.09129),
    "2021-05-27": (-0.017765, -0.049059, -0.053965, -0.024975, -0.04633, 0.0),
    "2021-05-28": (-0.074139, -0.120721, -0.07787, -0.109816, -0.141686, -0.104846),
    "2021-05-29": (-0.029689, -0.055427, -0.075879, -0.07578, -0.055634, -0.058482),
}


def table(rows: Mapping[str, tuple[float, ...]], *results: str) -> pd.DataFrame:
    days = pd.DatetimeIndex(list(rows))
    return pd.DataFrame(list(rows.values()), index=days, columns=[*SYMBOLS, *results], dtype=float)


def random_returns(seed: int, days: int = 30) -> pd.DataFrame:
    """Returns of which the last two symbols were listed later."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        rng.normal(0, 0.04, (days, 5)), pd.date_range("2021-01-01", periods=days), columns=SYMBOLS
    )
    frame.iloc[:7, 3] = np.nan
    frame.iloc[:12, 4] = np.nan
    return frame


def test_every_published_equal_weight_row() -> None:
    published = table(S1_S2, "s1", "s2")
    returns = published[SYMBOLS]
    assert strategy_returns(returns, equal_weight(returns)).to_numpy() == pytest.approx(
        published["s1"].to_numpy(), abs=PRINTED
    )


def test_one_weight_vector_makes_every_published_volatility_weight_row() -> None:
    published = table(S1_S2, "s1", "s2")
    returns = published[SYMBOLS]
    # Solved from the first five rows; the last four, three years later, then check it.
    weights = pd.Series(np.linalg.solve(returns[:5].to_numpy(), published["s2"][:5].to_numpy()), SYMBOLS)
    assert weights.sum() == pytest.approx(1, abs=1e-4)
    assert (weights > 0).all()
    assert weights.idxmax() == "SOLUSDT"
    assert weights.idxmin() == "BTCUSDT"
    assert strategy_returns(returns, weighted(returns, weights)).to_numpy() == pytest.approx(
        published["s2"].to_numpy(), abs=2 * PRINTED
    )


def shipped_example() -> Variant:
    """The variant that stands in the markets file as a comment."""
    text = SHIPPED.read_text()
    start = text.index("# [strategies.variants.document_weight]")
    shown = [line.removeprefix("# ") for line in text[start:].split("\n\n")[0].splitlines()]
    found = tomllib.loads("\n".join(shown))["strategies"]["variants"]["document_weight"]
    return Variant.model_validate(found)


def test_the_published_rows_follow_from_the_weights_of_the_shipped_example() -> None:
    published = table(S1_S2, "s1", "s2")
    returns = published[SYMBOLS]
    example = shipped_example()
    assert example.rule == "volatility_weight"
    chosen = configured(example.rule, example.parameters, title=example.title, benchmark=example.benchmark)
    weights = chosen.weights(returns)
    assert weights.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(returns)))
    assert strategy_returns(returns, weights).to_numpy() == pytest.approx(
        published["s2"].to_numpy(), abs=3 * PRINTED
    )
    assert chosen.looks_ahead


def test_weights_that_cannot_be_read_are_refused() -> None:
    returns = random_returns(3)
    for text, said in (
        ("BTCUSDT", "weights: 'BTCUSDT' is no symbol with its weight, such as BTCUSDT 0.6"),
        ("BTCUSDT 0.6, ETHUSDT 0.4", "weights: no weight for BNBUSDT, SOLUSDT, XRPUSDT"),
    ):
        with pytest.raises(StrategyError, match=f"^{said}$"):
            volatility_weight(returns, weights=text)
    assert STRATEGIES["volatility_weight"].given == {}
    assert configured("volatility_weight", {"weights": "A 1"}).given == {"weights": "A 1"}


def test_every_published_mean_reversion_row() -> None:
    published = table(S3, "s3")
    returns = published[SYMBOLS]
    result = strategy_returns(returns, mean_reversion(returns))
    # 2021-05-19 is not printed: all symbols but none fell, as the mean of all five shows.
    assert returns.iloc[0].mean() == pytest.approx(published["s3"].iloc[0], abs=PRINTED)
    assert result.to_numpy()[1:] == pytest.approx(published["s3"].to_numpy()[1:], abs=PRINTED)


def test_mean_reversion_starts_with_the_plain_sum() -> None:
    returns = table(S1_S2, "s1", "s2")[SYMBOLS]
    weights = mean_reversion(returns)
    assert (weights.iloc[0] == 1).all()
    assert strategy_returns(returns, weights).iloc[0] == pytest.approx(returns.iloc[0].sum())


def test_volatility_weights_are_shares_of_the_full_samples_deviation() -> None:
    returns = random_returns(3)
    weights = volatility_weight(returns).iloc[-1]
    assert weights.to_numpy() == pytest.approx((returns.std() / returns.std().sum()).to_numpy())
    assert weights.sum() == pytest.approx(1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_equal_weights_add_up_to_one_and_mean_reversion_to_one_or_nothing(seed: int) -> None:
    returns = random_returns(seed)
    assert equal_weight(returns).sum(axis=1).to_numpy() == pytest.approx(np.ones(len(returns)))
    totals = mean_reversion(returns).iloc[1:].sum(axis=1)
    held = totals > 0
    assert totals[held].to_numpy() == pytest.approx(np.ones(held.sum()))
    fell = ((returns.shift(1) < 0) & returns.notna()).iloc[1:].any(axis=1)
    assert held.equals(fell)


@pytest.mark.parametrize("key", STRATEGIES)
def test_a_symbol_without_a_return_has_no_weight_and_adds_nothing(key: str) -> None:
    returns = random_returns(4)
    weights = STRATEGIES[key].weights(returns)
    assert weights.shape == returns.shape
    assert weights.isna().equals(returns.isna())
    assert strategy_returns(returns, weights).notna().all()


@pytest.mark.parametrize("key", STRATEGIES)
def test_looks_ahead_is_what_changing_the_future_shows(key: str) -> None:
    returns = random_returns(5)
    changed = returns.copy()
    changed.iloc[20:] *= -3
    before, after = (STRATEGIES[key].weights(frame).iloc[:21] for frame in (returns, changed))
    assert before.equals(after) is not STRATEGIES[key].looks_ahead


def test_benchmarks_are_strategies_or_symbols() -> None:
    assert {key: s.benchmark for key, s in STRATEGIES.items() if s.published} == {
        "equal_weight": "BTCUSDT",
        "volatility_weight": "equal_weight",
        "mean_reversion": "volatility_weight",
    }
    assert {s.benchmark for s in STRATEGIES.values()} <= {"BTCUSDT", *STRATEGIES}


def test_the_first_daily_return_is_from_the_open() -> None:
    returns = daily_returns(pd.Series([100.0, 111, 50]), pd.Series([110.0, 99, 99]))
    assert returns.tolist() == pytest.approx([0.1, -0.1, 0])
    assert daily_returns(pd.Series(dtype=float), pd.Series(dtype=float)).empty


def test_tables_that_do_not_match_are_refused() -> None:
    returns = random_returns(6)
    with pytest.raises(ValueError, match="same days and symbols"):
        strategy_returns(returns, equal_weight(returns).iloc[1:])
    with pytest.raises(ValueError, match="no weight for SOLUSDT"):
        weighted(returns, pd.Series(0.25, SYMBOLS[:4]))


def test_a_year_of_365_days_that_doubles_grows_by_100_percent_a_year() -> None:
    daily = pd.Series(np.full(365, 2 ** (1 / 365) - 1))
    assert performance(daily).cagr == pytest.approx(1)
    assert performance(daily, periods_per_year=252).cagr == pytest.approx(0.6137, abs=5e-5)


def test_performance_by_hand() -> None:
    result = performance(pd.Series([0.1, -0.2, np.nan, 0.05, 0.0]), periods_per_year=4)
    assert result.cagr == pytest.approx(1.1 * 0.8 * 1.05 - 1)
    deviation = np.std([0.1, -0.2, 0.05, 0], ddof=1)
    assert result.volatility == pytest.approx(deviation * 2)
    assert result.sharpe == pytest.approx(-0.0125 / deviation * 2)
    assert result.sortino == pytest.approx(-0.0125 / 0.1 * 2)
    assert result.max_drawdown == pytest.approx(-0.2)


def test_a_loss_from_the_start_is_a_drawdown() -> None:
    assert performance(pd.Series([-0.5, 0.1])).max_drawdown == pytest.approx(-0.5)
    assert performance(pd.Series([0.1, 0.1])).max_drawdown == 0


def test_undefined_ratios_are_nan_and_too_few_returns_are_refused() -> None:
    steady = performance(pd.Series([0.0, 0.0, 0.0]))
    assert np.isnan([steady.sharpe, steady.sortino]).all()
    assert (steady.cagr, steady.volatility) == (0, 0)
    with pytest.raises(NotEnoughData, match="performance needs two returns, got 1"):
        performance(pd.Series([0.1, np.nan]))


def test_spot_closes_come_near_the_published_futures(recorded_data: Path) -> None:
    columns = {}
    for symbol in SYMBOLS:
        bars = pd.read_csv(recorded_data / "daily_spot_2021-01_2024-01" / f"{symbol}.csv.gz")
        days = pd.DatetimeIndex(pd.to_datetime(bars["open_time"], utc=True)).tz_localize(None)
        columns[symbol] = daily_returns(bars["open"], bars["close"]).set_axis(days)
    returns = pd.DataFrame(columns)
    printed = table({day: row[:5] for rows in (S1_S2, S3) for day, row in rows.items()})
    apart = (returns.loc[printed.index] - printed).abs()
    # Solana fell by 14 % that day, in a market of a few months: spot and perpetual closed further apart.
    wild = (pd.Timestamp("2021-01-05"), "SOLUSDT")
    assert apart.at[wild] == pytest.approx(0.00862, abs=5e-6)
    apart.at[wild] = 0
    assert len(apart) == 19
    assert apart.to_numpy().max() <= 0.005
    result = strategy_returns(returns, mean_reversion(returns))
    for day, row in S3.items():
        assert result[pd.Timestamp(day)] == pytest.approx(row[5], abs=0.005)
