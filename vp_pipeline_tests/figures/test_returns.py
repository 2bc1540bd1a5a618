import numpy as np
import pandas as pd
import pytest

from vp_pipeline.figures.returns import drawdown_figure, monthly_figure, monthly_returns


def returns_of(dates: pd.DatetimeIndex) -> pd.Series:
    return pd.Series(np.random.default_rng(1).normal(0, 0.02, len(dates)), dates, name="own")


def test_months_compound_to_the_whole_and_months_without_a_row_are_empty() -> None:
    dates = pd.date_range("2022-11-15", "2024-02-10", tz="UTC")
    returns = returns_of(dates[(dates.month != 5)])
    table = monthly_returns(returns)
    assert list(table.index) == [2022, 2023, 2024]
    assert table.notna().sum(axis=1).tolist() == [2, 11, 2]
    assert table[5].isna().all()
    assert np.nanprod(1 + table.to_numpy()) == pytest.approx((1 + returns).prod())


def test_a_year_without_a_row_is_a_row_without_months() -> None:
    table = monthly_returns(pd.Series([0.1, 0.2], pd.DatetimeIndex(["2020-06-01", "2022-06-01"])))
    assert list(table.index) == [2020, 2021, 2022]
    assert table.loc[2021].isna().all()
    assert monthly_figure(pd.Series([0.0], pd.DatetimeIndex(["2020-06-01"]))).data[0].zmax == 1


def test_gains_and_losses_of_a_size_are_as_far_from_the_middle() -> None:
    heat = monthly_figure(returns_of(pd.date_range("2023-01-01", periods=200)), "own").data[0]
    assert heat.zmin == -heat.zmax
    assert heat.text[0][11] == ""
    assert heat.text[0][0] == f"{heat.z[0][0]:.1%}"


def test_drawdowns_are_below_zero_and_reach_it() -> None:
    dates = pd.date_range("2023-01-01", periods=4)
    figure = drawdown_figure(pd.DataFrame({"a": [-0.5, 1.0, 0.1, -0.1]}, dates))
    assert list(figure.data[0].y) == pytest.approx([-0.5, 0, 0, -0.1])
