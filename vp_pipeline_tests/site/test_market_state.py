"""The address of a view: every control in it, read back as written, and complaints that name the remedy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vp_pipeline.analytics.timeframes import MINUTES
from vp_pipeline.catalog import load_catalog
from vp_pipeline.site.market_state import (
    CHARTS,
    MOST_BARS,
    PERIODS,
    PLACEMENTS,
    RULES,
    State,
    StateError,
    UnknownError,
    read,
)
from vp_pipeline.windows import DAY, EPOCH, HOUR, MINUTE, Window
from vp_pipeline_tests.site.conftest import MARKETS

VENUES = ("binance BTC/USDT", "kraken BTC/USD", "ftx BTC/USD")
STORED = Window(datetime(2021, 1, 1, tzinfo=UTC), datetime(2023, 3, 12, 0, 7, tzinfo=UTC))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "markets.toml"
    path.write_text(MARKETS)
    return path


def states() -> st.SearchStrategy[State]:
    minute = st.integers(0, 40_000_000).map(lambda number: EPOCH + number * MINUTE)
    dates = (
        st.tuples(minute, minute).filter(lambda two: two[0] != two[1]).map(lambda two: Window(*sorted(two)))
    )
    some = st.sets(st.sampled_from(VENUES), max_size=2)
    view = {
        "timeframe": st.none() | st.sampled_from(list(MINUTES)),
        "venues": some.map(lambda chosen: tuple(name for name in VENUES if name in chosen)),
        "placement": st.sampled_from(list(PLACEMENTS)),
        "rule": st.sampled_from(list(RULES)),
        "chart": st.sampled_from(list(CHARTS)),
    }
    by_period = st.builds(State, st.just("BTC"), st.sampled_from(list(PERIODS)), st.none(), **view)
    by_dates = st.builds(State, st.just("BTC"), st.just("4h"), dates, **view)
    return by_period | by_dates


@given(state=states())
def test_an_address_read_again_is_the_same_view(state: State, file: Path) -> None:
    assert read(load_catalog(file), state.parameters()) == state


def test_an_empty_address_is_the_first_instrument_as_usual(file: Path) -> None:
    assert read(load_catalog(file), []) == State("BTC")
    assert State("BTC").address() == "/?instrument=BTC&period=4h"


def test_empty_fields_of_a_form_say_nothing(file: Path) -> None:
    given = [("instrument", ""), ("period", "1d"), ("timeframe", ""), ("from", ""), ("to", "")]
    assert read(load_catalog(file), given) == State("BTC", "1d")


def test_all_venues_chosen_are_all(file: Path) -> None:
    assert read(load_catalog(file), [("venue", name) for name in VENUES]).venues == ()


@pytest.mark.parametrize(
    ("given", "error", "named"),
    [
        ([("instrument", "DOGE")], UnknownError, "There are: BTC, ETH"),
        ([("period", "3h")], UnknownError, "1h, 2h, 4h, 12h, 1d, 1w, 1m, 1y, all"),
        ([("timeframe", "7m")], UnknownError, "1m, 3m, 5m"),
        ([("venue", "binance ETH/USDT")], UnknownError, "kraken BTC/USD"),
        ([("placement", "trades")], UnknownError, "uniform"),
        ([("rule", "x")], UnknownError, "two-row, one-row, both-sides"),
        ([("chart", "x")], UnknownError, "candles, line"),
        ([("colour", "red")], StateError, "colour: there is no such parameter"),
        ([("period", "1h"), ("period", "2h")], StateError, "period: given twice"),
        ([("from", "2023-03-11")], StateError, "to: missing"),
        ([("period", "dates")], StateError, "from and to are needed"),
        ([("from", "2023-03-11"), ("to", "2023-03-11")], StateError, "to: must be after from"),
        ([("from", "yesterday"), ("to", "2023-03-11")], StateError, "write 2023-03-11"),
        ([("from", "2023-03-11T00:00:01"), ("to", "2023-03-12")], StateError, "no whole minute"),
        ([("from", "0001-01-01T00:00+14:00"), ("to", "2023-03-12")], StateError, "from:"),
        ([("from", "1969-12-31"), ("to", "2023-03-12")], StateError, "1970"),
        ([("period", "1h"), ("from", "2023-03-11"), ("to", "2023-03-12")], StateError, "leave one out"),
    ],
)
def test_complaints_name_the_parameter_and_what_it_may_be(
    given: list[tuple[str, str]], error: type[StateError], named: str, file: Path
) -> None:
    with pytest.raises(error, match=named):
        read(load_catalog(file), given)


def test_times_are_utc_unless_they_say_otherwise(file: Path) -> None:
    dates = read(load_catalog(file), [("from", "2023-03-11"), ("to", "2023-03-12T02:00+01:00")]).dates
    assert dates == Window(datetime(2023, 3, 11, tzinfo=UTC), datetime(2023, 3, 12, 1, tzinfo=UTC))


def test_periods_count_back_from_the_newest_minute() -> None:
    assert State("BTC", "2h").window(STORED) == Window(STORED.end - 2 * HOUR, STORED.end)
    assert State("BTC", "all").window(STORED) == STORED
    assert State("BTC", "1y").window(Window(STORED.end - DAY, STORED.end)).start == STORED.end - DAY


@pytest.mark.parametrize(
    ("length", "timeframe"),
    [(HOUR, "1m"), (12 * HOUR, "3m"), (DAY, "5m"), (7 * DAY, "30m"), (30 * DAY, "2h"), (365 * DAY, "1d")],
)
def test_the_period_chooses_a_timeframe(length: timedelta, timeframe: str) -> None:
    assert State("BTC").timeframe_of(Window(STORED.end - length, STORED.end)) == timeframe


def test_too_many_candles_are_refused_with_what_would_do() -> None:
    window = Window(STORED.end - 365 * DAY, STORED.end)
    with pytest.raises(StateError, match=r"1m would be 525,600 candles.*choose 4h") as raised:
        State("BTC", timeframe="1m").timeframe_of(window)
    named = str(raised.value).split("choose ")[1].split()[0]
    assert State("BTC", timeframe=named).timeframe_of(window) == named
    assert window.count(MINUTE) / MINUTES[named] <= MOST_BARS


def test_placements_that_read_every_candle_are_for_a_month_at_most() -> None:
    State("BTC", placement="close").check_placement(Window(STORED.end - 31 * DAY, STORED.end))
    with pytest.raises(StateError, match="at most 31 days, or uniform"):
        State("BTC", placement="close").check_placement(STORED)
