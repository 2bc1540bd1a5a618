"""Markets added into one series, against the same table computed with pandas' own grouping."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vp_pipeline.analytics.plain_sum import PRICES, aggregate

START = datetime(2024, 1, 1, tzinfo=UTC)
MARKETS = {7: "binance BTC/USDT", 3: "kraken BTC/USD", 11: "okx BTC/USDT", 5: "gate BTC/USDT"}
LEAD = 7
COLUMNS = ["market_id", "open_time", *PRICES, "volume"]

prices = st.floats(min_value=1e-6, max_value=1e7)
volumes = st.floats(min_value=0, max_value=1e9)
tables = st.dictionaries(
    st.tuples(st.sampled_from(list(MARKETS)), st.integers(0, 12)),
    st.tuples(prices, prices, prices, prices, volumes),
    max_size=40,
)


def candles(rows: dict[tuple[int, int], tuple[float, float, float, float, float]]) -> pd.DataFrame:
    """Rows by (market, minute) as the function takes them, in the dictionary's order."""
    frame = pd.DataFrame(
        [(market, START + timedelta(minutes=minute), *values) for (market, minute), values in rows.items()],
        columns=COLUMNS,
    )
    return frame.astype(
        {
            "market_id": "int64",
            "open_time": "datetime64[us, UTC]",
            **dict.fromkeys([*PRICES, "volume"], "float64"),
        }
    )


def by_pandas(frame: pd.DataFrame, markets: dict[int, str], lead: int) -> pd.DataFrame:
    """The same by another way: pivot, group, and a row at a time."""
    grouped = frame.groupby("open_time")
    table = pd.DataFrame({"volume": grouped["volume"].sum(), "markets": grouped.size()})
    led = frame[frame["market_id"] == lead].set_index("open_time")[list(PRICES)]
    table = led.reindex(table.index).join(table)
    present = grouped["market_id"].apply(set)
    table["missing"] = [
        ", ".join(name for number, name in markets.items() if number not in ids) for ids in present
    ]
    return table.reset_index()


def assert_same(result: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(result.columns) == ["open_time", *PRICES, "volume", "markets", "missing"]
    assert result["open_time"].tolist() == expected["open_time"].tolist()
    np.testing.assert_array_equal(result[list(PRICES)], expected[list(PRICES)])
    np.testing.assert_allclose(result["volume"], expected["volume"], rtol=1e-12)
    assert result["markets"].tolist() == expected["markets"].tolist()
    assert result["missing"].tolist() == expected["missing"].tolist()


@given(tables.filter(bool))
def test_it_is_what_pandas_makes_of_it(rows: dict[tuple[int, int], tuple[float, ...]]) -> None:
    frame = candles(rows)  # type: ignore[arg-type]  # hypothesis' tuples
    assert_same(aggregate(frame, MARKETS, LEAD), by_pandas(frame, MARKETS, LEAD))


@given(tables.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(list(rows)))))
def test_the_order_of_rows_does_not_matter(pair: tuple[dict, list]) -> None:  # type: ignore[type-arg]
    rows, keys = pair
    shuffled = candles({key: rows[key] for key in keys})
    # To the last bit: volumes are added in the order of the markets.
    pd.testing.assert_frame_equal(
        aggregate(candles(rows), MARKETS, LEAD), aggregate(shuffled, MARKETS, LEAD), check_exact=True
    )


def test_an_index_does_not_matter() -> None:
    frame = candles({(7, 1): (1.0, 2.0, 0.5, 1.5, 10.0), (3, 0): (1.0, 2.0, 0.5, 1.5, 5.0)})
    labelled = frame.set_axis([40, 2], axis=0)
    pd.testing.assert_frame_equal(aggregate(frame, MARKETS, LEAD), aggregate(labelled, MARKETS, LEAD))


def test_a_minute_the_lead_lacks_has_volume_and_no_price() -> None:
    result = aggregate(
        candles(
            {
                (7, 0): (1.0, 4.0, 0.5, 2.0, 10.0),
                (3, 0): (9.0, 9.0, 9.0, 9.0, 1.0),
                (3, 1): (9.0, 9.0, 9.0, 9.0, 2.0),
                (5, 1): (9.0, 9.0, 9.0, 9.0, 0.25),
            }
        ),
        MARKETS,
        LEAD,
    )
    assert result["volume"].tolist() == [11.0, 2.25]
    assert result["markets"].tolist() == [2, 2]
    assert result["missing"].tolist() == [
        "okx BTC/USDT, gate BTC/USDT",
        "binance BTC/USDT, okx BTC/USDT",
    ]
    assert result[list(PRICES)].to_numpy()[0].tolist() == [1.0, 4.0, 0.5, 2.0]
    assert np.isnan(result[list(PRICES)].to_numpy()[1]).all()


def test_a_lead_that_never_reports_and_one_that_is_no_market() -> None:
    frame = candles({(3, 0): (9.0, 9.0, 9.0, 9.0, 1.0)})
    for lead in (LEAD, 99):
        result = aggregate(frame, MARKETS, lead)
        assert np.isnan(result[list(PRICES)].to_numpy()).all()
        assert result["volume"].tolist() == [1.0]


def test_all_markets_present_leaves_nothing_missing() -> None:
    frame = candles({(number, 0): (1.0, 1.0, 1.0, 1.0, 1.0) for number in MARKETS})
    result = aggregate(frame, MARKETS, LEAD)
    assert result[["volume", "markets", "missing"]].to_numpy().tolist() == [[4.0, 4, ""]]


def test_no_candles_make_an_empty_table_of_the_same_columns() -> None:
    some = aggregate(candles({(7, 0): (1.0, 1.0, 1.0, 1.0, 1.0)}), MARKETS, LEAD)
    none = aggregate(candles({}), MARKETS, LEAD)
    assert none.empty
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_a_market_that_nobody_named_is_refused() -> None:
    with pytest.raises(ValueError, match="market 99 is none of 7, 3, 11, 5"):
        aggregate(candles({(99, 0): (1.0, 1.0, 1.0, 1.0, 1.0)}), MARKETS, LEAD)
