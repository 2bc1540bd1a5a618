from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.price_rows import MAX_ROWS, Placement, PriceRows, volume_by_price

PLACEMENTS: tuple[Placement, ...] = ("close", "midpoint", "touched", "uniform")

FEW = settings(deadline=None, max_examples=40)

candle = st.tuples(
    st.floats(1, 60_000), st.floats(0, 2_000) | st.just(0.0), st.floats(0, 1), st.floats(0, 1e6)
).map(lambda c: {"low": c[0], "high": c[0] + c[1], "close": c[0] + c[2] * c[1], "volume": c[3]})
candle_lists = st.lists(candle, min_size=1, max_size=15)
row_sizes = st.sampled_from([0.3, 0.5, 1.0, 2.5, 10.0, 137.0])


def frame(*candles: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(candles), columns=["low", "high", "close", "volume"], dtype=float)


def by_price(rows: PriceRows) -> dict[float, float]:
    return dict(zip(rows.price.tolist(), rows.volume.tolist(), strict=True))


def test_closes_sum_into_the_row_of_that_price() -> None:
    candles = pd.DataFrame(
        {"close": [100, 101, 100, 102, 101, 100], "volume": [120, 80, 100, 50, 90, 70]}, dtype=float
    )
    assert by_price(volume_by_price(candles, 1, "close")) == {100: 290, 101: 170, 102: 50}


def test_uniform_weights_partial_rows_by_overlap() -> None:
    rows = volume_by_price(frame({"low": 100.5, "high": 103, "close": 101, "volume": 50}), 1)
    assert by_price(rows) == pytest.approx({100: 10, 101: 20, 102: 20})


def test_touched_gives_equal_shares_to_every_row_from_low_to_high() -> None:
    rows = volume_by_price(frame({"low": 100.5, "high": 103, "close": 101, "volume": 50}), 1, "touched")
    assert by_price(rows) == pytest.approx({100: 12.5, 101: 12.5, 102: 12.5, 103: 12.5})


def test_midpoint_puts_all_into_one_row() -> None:
    rows = volume_by_price(frame({"low": 100.5, "high": 104, "close": 101, "volume": 50}), 1, "midpoint")
    assert by_price(rows) == {102: 50}


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_flat_candle_stays_in_its_row(placement: Placement) -> None:
    rows = volume_by_price(frame({"low": 20340, "high": 20340, "close": 20340, "volume": 7}), 10, placement)
    assert by_price(rows) == {20340: 7}


def test_rows_between_two_candles_are_kept_and_empty() -> None:
    rows = volume_by_price(
        frame(
            {"low": 10, "high": 13.1, "close": 11, "volume": 0.1},
            {"low": 20.2, "high": 25.7, "close": 21, "volume": 0.3},
        ),
        1,
    )
    assert rows.price.tolist() == list(range(10, 26))
    assert rows.volume[4:10].tolist() == [0] * 6
    assert (np.delete(rows.volume, slice(4, 10)) > 0).all()


@pytest.mark.parametrize(
    ("price", "size", "row"), [(0.3, 0.1, 3), (0.7, 0.1, 7), (1.15, 0.05, 23), (4.35, 0.01, 435)]
)
def test_a_price_on_an_edge_belongs_to_the_row_above_whatever_its_binary_fraction(
    price: float, size: float, row: int
) -> None:
    rows = volume_by_price(frame({"low": price, "high": price, "close": price, "volume": 1}), size)
    assert rows.first_row == row
    assert rows.price.tolist() == [price]


@FEW
@given(candle_lists, row_sizes, st.sampled_from(PLACEMENTS))
def test_volume_is_conserved(candles: list[dict[str, float]], size: float, placement: Placement) -> None:
    rows = volume_by_price(frame(*candles), size, placement)
    assert rows.total == pytest.approx(sum(c["volume"] for c in candles), rel=1e-12, abs=1e-300)
    assert (rows.volume >= 0).all()


@FEW
@given(candle_lists, row_sizes)
def test_uniform_equals_the_overlap_of_every_candle_with_every_row(
    candles: list[dict[str, float]], size: float
) -> None:
    rows = volume_by_price(frame(*candles), size)
    expected = np.zeros(len(rows.volume))
    low_edge, high_edge = rows.price, rows.price + size
    for c in candles:
        if c["high"] - c["low"] > 1e-6:
            overlap = np.minimum(high_edge, c["high"]) - np.maximum(low_edge, c["low"])
            expected += c["volume"] * np.maximum(overlap, 0) / (c["high"] - c["low"])
        else:
            expected[np.searchsorted(low_edge, c["low"], "right") - 1] += c["volume"]
    # A flat candle next to an edge may be on either side of it.
    assert np.cumsum(rows.volume)[-1] == pytest.approx(np.cumsum(expected)[-1], rel=1e-6)
    if all(c["high"] - c["low"] > 1e-6 for c in candles):
        assert np.allclose(rows.volume, expected, rtol=1e-6, atol=1e-6 * rows.volume.max())


@FEW
@given(candle_lists, candle_lists, row_sizes, st.sampled_from(PLACEMENTS))
def test_profiles_of_two_windows_add_up(
    one: list[dict[str, float]], two: list[dict[str, float]], size: float, placement: Placement
) -> None:
    whole = volume_by_price(frame(*one, *two), size, placement)
    added = volume_by_price(frame(*one), size, placement) + volume_by_price(frame(*two), size, placement)
    assert added.first_row == whole.first_row
    assert np.allclose(added.volume, whole.volume, rtol=1e-9, atol=1e-9 * whole.volume.max())


@FEW
@given(candle_lists)
def test_the_order_of_candles_does_not_matter(candles: list[dict[str, float]]) -> None:
    shuffled = frame(*candles).sample(frac=1, random_state=1)
    one, two = volume_by_price(frame(*candles), 10), volume_by_price(shuffled, 10)
    assert one.first_row == two.first_row
    assert np.allclose(one.volume, two.volume, rtol=1e-9, atol=1e-9 * one.volume.max())


def test_no_candles_give_no_rows_and_add_nothing() -> None:
    none = volume_by_price(frame(), 10)
    some = volume_by_price(frame({"low": 95, "high": 105, "close": 100, "volume": 4}), 10)
    assert len(none.volume) == 0
    assert by_price(none + some) == by_price(some + none) == {90: 2, 100: 2}


def test_profiles_of_different_row_sizes_do_not_add() -> None:
    one = frame({"low": 95, "high": 105, "close": 100, "volume": 4})
    with pytest.raises(ValueError, match=r"rows of 10 and of 5 cannot be added"):
        volume_by_price(one, 10) + volume_by_price(one, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": np.nan}, "1 candles have no finite low"),
        ({"volume": np.inf}, "1 candles have no finite volume"),
        ({"volume": -1.0}, "1 candles have a negative volume"),
        ({"high": 90.0}, "1 candles have a high below their low"),
    ],
)
def test_a_bad_candle_is_named(change: dict[str, float], message: str) -> None:
    good = {"low": 95.0, "high": 105.0, "close": 100.0, "volume": 4.0}
    with pytest.raises(ValueError, match=message):
        volume_by_price(frame(good, {**good, **change}), 10)


@pytest.mark.parametrize("size", [0, -1, np.nan, np.inf])
def test_a_row_size_must_be_positive(size: float) -> None:
    with pytest.raises(ValueError, match="row size must be a positive number"):
        volume_by_price(frame({"low": 95, "high": 105, "close": 100, "volume": 4}), size)


def test_a_grid_without_end_is_refused() -> None:
    wide = frame({"low": 1, "high": 60_000, "close": 100, "volume": 4})
    with pytest.raises(ValueError, match=f"more than {MAX_ROWS:,}: choose a larger row size"):
        volume_by_price(wide, 0.001)


def test_uniform_comes_closer_to_the_traded_profile_than_closes(recorded_data: Path) -> None:
    folder = recorded_data / "kraken_trades_2023-11-17_19"
    trades = pd.read_csv(folder / "trades.csv.gz").rename(columns={"price": "close", "amount": "volume"})
    minutes = pd.read_csv(folder / "minutes.csv.gz")
    truth = volume_by_price(trades, 10, "close")

    def misplaced(placement: Placement) -> float:
        rows = volume_by_price(minutes, 10, placement)
        first = min(rows.first_row, truth.first_row)
        size = max(r.first_row + len(r.volume) for r in (rows, truth)) - first
        apart = np.zeros(size)
        for sign, part in ((1, rows), (-1, truth)):
            apart[part.first_row - first :][: len(part.volume)] += sign * part.volume
        return float(np.abs(apart).sum() / 2 / truth.total)

    assert volume_by_price(minutes, 10).total == pytest.approx(truth.total, rel=1e-3)
    assert misplaced("uniform") < 0.30 < misplaced("close")
