"""Which bars symbols have in common, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.bar_returns import returns_pct
from vp_pipeline.analytics.common_bars import common_bars
from vp_pipeline.analytics.sessions import table_of
from vp_pipeline_tests.analytics.bars import FIVE_MINUTES, random_bars


def test_the_set_difference_is_counted_shown_and_left_out() -> None:
    whole, holed, late = (random_bars(seed, days=2) for seed in (1, 2, 3))
    holed = holed.drop(index=[50, 51, 52, 300])
    late = late.iloc[100:]
    found = common_bars(
        {name: returns_pct(frame, FIVE_MINUTES) for name, frame in (("A", whole), ("B", holed), ("C", late))}
    )
    counts = found.counts.set_index("symbol")
    assert counts["bars"].to_dict() == {"A": 576, "B": 572, "C": 476}
    # Of the 476 bars from the 100th on B lacks one.
    assert counts["common"].unique().tolist() == [475]
    assert counts["not_in_all"].to_dict() == {"A": 101, "B": 97, "C": 1}
    assert counts["lacks"].to_dict() == {"A": 0, "B": 4, "C": 100}
    stretches = found.lacking[["symbol", "bars"]].to_numpy().tolist()
    assert stretches == [["B", 3], ["B", 1], ["C", 100]]
    assert found.lacking["first"].iloc[0] == pd.Timestamp("2024-02-04 04:10", tz="UTC")
    assert found.lacking["last"].iloc[0] == pd.Timestamp("2024-02-04 04:20", tz="UTC")
    # B has no return after its missing bar, so nobody has one there.
    assert found.unequal == 1
    assert found.bars == 474
    times = [returns.open_time for returns in found.returns.values()]
    assert all(index.equals(times[0]) for index in times)
    known = np.isfinite([returns.return_pct for returns in found.returns.values()])
    assert known.all()
    assert {int(table_of(returns).group("all")["returns"].iloc[0]) for returns in found.returns.values()} == {
        474
    }


def test_symbols_without_a_common_bar_have_none() -> None:
    frame = random_bars(days=2)
    found = common_bars(
        {"A": returns_pct(frame.iloc[:100], FIVE_MINUTES), "B": returns_pct(frame.iloc[200:], FIVE_MINUTES)}
    )
    assert found.bars == 0
    assert found.counts["not_in_all"].tolist() == [100, 376]


def test_bars_of_several_lengths_cannot_be_compared() -> None:
    quarter = pd.Timedelta(minutes=15)
    with pytest.raises(ValueError, match="bars of 2 lengths cannot be compared"):
        common_bars(
            {
                "A": returns_pct(random_bars(), FIVE_MINUTES),
                "B": returns_pct(random_bars(bar=quarter), quarter),
            }
        )
    with pytest.raises(ValueError, match="no symbols"):
        common_bars({})
