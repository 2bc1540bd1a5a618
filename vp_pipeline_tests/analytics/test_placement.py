"""Volume by price: what any way of summing it up must keep, and what rounding must not do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics import placement as rules
from vp_pipeline.analytics.price_rows import CANDLE_RULES, Placement, PriceRows, row_of, volume_by_price

FEW = settings(deadline=None, max_examples=40)

candle = st.tuples(
    st.floats(0.5, 900), st.floats(0, 300), st.floats(0, 1), st.floats(0, 1e6, allow_subnormal=False)
).map(lambda c: (c[0], c[0] + c[1], c[0] + c[1] * c[2], c[3]))
lists = st.lists(candle, min_size=1, max_size=30)
sizes = st.sampled_from([0.05, 0.1, 0.25, 1.0, 3.0, 10.0, 1000.0])


def frame(candles: list[tuple[float, ...]]) -> pd.DataFrame:
    return pd.DataFrame(candles, columns=["low", "high", "close", "volume"])


def whole(rows: PriceRows, first: int, count: int) -> list[float]:
    volume: list[float] = rows.between(first, count).volume.tolist()
    return volume


@FEW
@given(lists, sizes, st.sampled_from(CANDLE_RULES))
def test_volume_is_conserved(candles: list[tuple[float, ...]], size: float, name: Placement) -> None:
    given_volume = sum(numbers[3] for numbers in candles)
    assert volume_by_price(frame(candles), size, name).total == pytest.approx(given_volume, rel=1e-12)


@FEW
@given(lists, sizes, st.sampled_from(CANDLE_RULES), st.data())
def test_any_split_of_the_window_adds_up(
    candles: list[tuple[float, ...]], size: float, name: Placement, data: st.DataObject
) -> None:
    at_once = volume_by_price(frame(candles), size, name)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(candles)), max_size=4)))
    pieces = zip([0, *cuts], [*cuts, len(candles)], strict=True)
    added = PriceRows.sum_of(volume_by_price(frame(candles[a:b]), size, name) for a, b in pieces)
    assert added.first_row == at_once.first_row
    assert added.volume == pytest.approx(at_once.volume, rel=1e-9, abs=1e-12 * at_once.total)


@FEW
@given(lists, sizes, st.sampled_from(CANDLE_RULES), st.randoms(use_true_random=False))
def test_the_order_of_the_candles_is_nothing(
    candles: list[tuple[float, ...]], size: float, name: Placement, random: object
) -> None:
    shuffled = list(candles)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    one, other = volume_by_price(frame(candles), size, name), volume_by_price(frame(shuffled), size, name)
    assert one.first_row == other.first_row
    assert other.volume == pytest.approx(one.volume, rel=1e-9, abs=1e-12 * one.total)


@pytest.mark.parametrize("size", [0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 10])
@pytest.mark.parametrize("price", [0.3, 1.1, 29.95, 100.7, 944.5, 26_849.25, 109_123.0])
def test_a_price_that_was_summed_up_is_on_its_edge(size: float, price: float) -> None:
    row = round(price / size)
    edge = row * size
    noisy = np.array([edge, edge * (1 - 4e-16), edge * (1 - 1e-12), edge * (1 + 1e-12), edge * (1 - 9e-10)])
    assert row_of(noisy, size).tolist() == [row] * 5
    below = np.array([edge - 0.05 * size])
    assert row_of(below, size).tolist() == [row - 1]
    candles = frame([(price_, price_, price_, 1.0) for price_ in noisy.tolist()])
    for name in CANDLE_RULES:
        near = 4 if name == "uniform" else 5
        rows = volume_by_price(candles[:near], size, name)
        assert (rows.first_row, rows.volume.tolist()) == (row, [near])


def test_a_high_on_an_edge_does_not_reach_the_row_above_even_with_noise() -> None:
    for noise in (0, 1e-13, -1e-13):
        rows = volume_by_price(frame([(29.9, 30.1 * (1 + noise), 30, 4)]), 0.1)
        assert rows.price.tolist() == [29.9, 30.0]
        assert rows.volume == pytest.approx([2, 2], rel=1e-9)


@pytest.mark.parametrize("size", [0.01, 0.1, 0.25, 0.3, 2.5, 1e-8, 50.0])
def test_rows_are_named_as_one_would_write_them(size: float) -> None:
    names = PriceRows(12_345, size, np.ones(3)).price.tolist()
    assert names == [float(f"{(12_345 + i) * round(size * 1e8)}e-8") for i in range(3)]


def test_tiny_and_large_prices() -> None:
    tiny = volume_by_price(frame([(1.2e-7, 1.5e-7, 1.3e-7, 9)]), 1e-8)
    assert tiny.price == pytest.approx([1.2e-7, 1.3e-7, 1.4e-7])
    assert tiny.volume == pytest.approx([3, 3, 3])
    # A relative tolerance would be many rows here: it ends at a fiftieth of one.
    large = volume_by_price(frame([(1e9, 1e9 + 0.002, 1e9, 9)]), 0.001)
    assert large.volume == pytest.approx([4.5, 4.5], rel=0.03)


def test_the_wickra_reference_distribution() -> None:
    """Its bins have a closed upper edge; a single print and a candle over four rows of 1."""
    rows = volume_by_price(frame([(10, 10, 10, 100), (10, 14, 12, 80)]), 1)
    assert dict(zip(rows.price.tolist(), rows.volume.tolist(), strict=True)) == pytest.approx(
        {10: 120, 11: 20, 12: 20, 13: 20}
    )


def test_nothing_is_left_where_no_candle_was() -> None:
    rng = np.random.default_rng(3)
    low = np.concatenate((rng.uniform(100, 200, 4000), rng.uniform(400, 500, 4000)))
    candles = pd.DataFrame(
        {"low": low, "high": low + rng.exponential(5, 8000), "volume": rng.exponential(1, 8000)}
    )
    for name in ("uniform", "touched"):
        rows = volume_by_price(candles, 0.5, name)
        gap = (rows.price > candles["high"][:4000].max()) & (rows.price + 0.5 < 400)
        assert gap.sum() > 200
        assert (rows.volume[gap] == 0).all()


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    low = 1000 + rng.normal(0, 3, 5000).cumsum()
    high, volume = low + rng.exponential(20, 5000), rng.exponential(1, 5000)
    first, at_once = rules.uniform(low, high, volume, 5.0)
    monkeypatch.setattr(rules, "_BLOCK", 64)
    again, in_blocks = rules.uniform(low, high, volume, 5.0)
    assert (first, len(at_once)) == (again, len(in_blocks))
    assert in_blocks == pytest.approx(at_once, rel=1e-9)


def test_trades_go_where_they_were(recorded_data: Path) -> None:
    trades = pd.read_csv(recorded_data / "kraken_trades_2023-11-17_19" / "trades.csv.gz")
    trades = trades.rename(columns={"amount": "volume"})
    rows = volume_by_price(trades, 10, "trades")
    expected = trades["volume"].groupby(trades["price"] // 10 * 10).sum()
    held = pd.Series(rows.volume, rows.price)
    assert held[held > 0].to_dict() == pytest.approx(expected.to_dict())
    with pytest.raises(ValueError, match="no column 'price'"):
        volume_by_price(frame([(1, 2, 1, 1)]), 1, "trades")


def test_sums_between_and_trimmed() -> None:
    one, two = PriceRows(3, 1.0, np.array([0.0, 1, 2])), PriceRows(8, 1.0, np.array([4.0]))
    total = PriceRows.sum_of([one, two, PriceRows(0, 1.0, np.zeros(0))])
    assert (total.first_row, total.volume.tolist()) == (3, [0, 1, 2, 0, 0, 4])
    assert whole(total, 0, 5) == [0, 0, 0, 0, 1]
    assert whole(total, 20, 2) == [0, 0]
    assert (total.trimmed().first_row, total.trimmed().volume.tolist()) == (4, [1, 2, 0, 0, 4])
    assert len(PriceRows(3, 1.0, np.zeros(4)).trimmed().volume) == 0
    with pytest.raises(ValueError, match="no profile to add up"):
        PriceRows.sum_of([])
