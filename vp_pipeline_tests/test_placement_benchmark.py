"""The benchmark of placement rules: what it counts as misplaced."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.price_rows import PriceRows

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import placement

    return placement


def test_the_misplaced_share_is_what_would_have_to_move(benchmark: ModuleType) -> None:
    truth = PriceRows(100, 1.0, np.array([2.0, 6, 2]))
    assert benchmark.misplaced_share(truth, truth) == 0
    assert benchmark.misplaced_share(PriceRows(101, 1.0, np.array([5.0])), truth) == pytest.approx(0.4)
    assert benchmark.misplaced_share(PriceRows(200, 1.0, np.array([5.0])), truth) == pytest.approx(1)
    with pytest.raises(SystemExit, match="without volume"):
        benchmark.misplaced_share(PriceRows(1, 1.0, np.zeros(1)), truth)


def test_a_candle_of_two_trades(benchmark: ModuleType) -> None:
    trades = pd.DataFrame({"price": [100.5, 103.5], "volume": [1.0, 3.0]})
    candles = pd.DataFrame({"low": [100.5], "high": [103.5], "close": [103.5], "volume": [4.0]})
    found = benchmark.placement_errors(candles, trades, 1).set_index("placement")
    assert found["misplaced"].to_dict() == pytest.approx(
        {"uniform": 2 / 3, "touched": 0.5, "midpoint": 1, "close": 0.25, "trades": 0}
    )
    for error in ("poc_error", "vah_error", "val_error"):
        assert found[error]["close"] == 0
    assert found["poc_error"]["midpoint"] == -1
    assert found.index[-1] == "trades"


def test_on_recorded_trades_spreading_beats_the_close(benchmark: ModuleType, recorded_data: Path) -> None:
    folder = recorded_data / "kraken_trades_2023-11-17_19"
    trades = pd.read_csv(folder / "trades.csv.gz").rename(columns={"amount": "volume"})
    candles = pd.read_csv(folder / "minutes.csv.gz")
    off = []
    for _, of_day in trades.groupby(trades["timestamp"] // 86_400_000):
        start, end = of_day["timestamp"].min() // 86_400_000 * 86_400_000, of_day["timestamp"].max()
        minutes = candles[(candles["open_time_ms"] >= start) & (candles["open_time_ms"] <= end)]
        found = benchmark.placement_errors(minutes, of_day, 10).set_index("placement")
        misplaced = found["misplaced"].round(2)
        assert 0.18 <= misplaced["uniform"] <= 0.28
        assert 0.18 <= misplaced["touched"] <= 0.28
        assert 0.33 <= misplaced["close"] <= 0.53
        assert misplaced["trades"] == 0
        off.append(found["poc_error"]["uniform"])
    # On thin days several rows have about as much volume as the POC.
    assert off == pytest.approx([0, -210, -550])
