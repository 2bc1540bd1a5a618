from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from vp_pipeline.catalog import SHIPPED, CatalogError, Strategies, load_catalog

GOOD = """\
[instruments.BTC]
row_size = 10
lead = "kraken BTC/USD"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"

[[markets]]
exchange = "ftx"
symbol = "BTC/USD"
retired = 2022-11-12

[[klines]]
symbol = "BTCUSDT"

[[klines]]
symbol = "BTCUSDT"
interval = "1h"

[strategies]
symbols = ["BTCUSDT", "ETHUSDT"]
start = 2021-01-01

[recording]

[[recording.minutes]]
start = 2023-03-09T00:30:00Z
end = 2023-03-11T01:00:00+01:00
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "markets.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_reads_what_the_file_says(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, GOOD))
    kraken, ftx = catalog.markets
    assert (kraken.name, kraken.path, kraken.base, kraken.quote) == (
        "kraken BTC/USD",
        ("kraken", "btc_usd"),
        "BTC",
        "USD",
    )
    assert ftx.retired == date(2022, 11, 12)
    assert catalog.live_markets() == (kraken,)
    assert catalog.markets_of("BTC") == (kraken, ftx)
    assert catalog.markets_of("ETH") == ()
    assert [catalog.kline_key(kline) for kline in catalog.klines] == ["btcusdt_5m", "btcusdt_1h"]
    assert catalog.instruments["BTC"].row_size == 10
    assert catalog.strategies is not None
    assert catalog.strategies.symbols == ("BTCUSDT", "ETHUSDT")


def test_a_recorded_span_touches_hours_and_days(tmp_path: Path) -> None:
    recording = load_catalog(write(tmp_path, GOOD)).recording
    assert recording is not None
    (span,) = recording.minutes
    assert span.window.end == datetime(2023, 3, 11, tzinfo=UTC)
    assert (span.hours.start, span.hours.end) == (
        datetime(2023, 3, 9, tzinfo=UTC),
        datetime(2023, 3, 11, tzinfo=UTC),
    )
    assert (span.days.start, span.days.end) == (span.hours.start, span.hours.end)


def test_a_recordings_time_stands_still_at_its_end(tmp_path: Path) -> None:
    recorded = GOOD.replace("2023-03-11T01:00:00+01:00", "2023-03-11T00:07:00Z")
    end = datetime(2023, 3, 11, 0, 7, tzinfo=UTC)
    catalog = load_catalog(write(tmp_path, recorded))
    assert catalog.time_of(datetime(2026, 1, 1, tzinfo=UTC)) == end
    assert catalog.time_of(end - timedelta(hours=1)) == end - timedelta(hours=1)
    live = load_catalog(write(tmp_path, GOOD[: GOOD.index("[recording]")]))
    assert live.time_of(end) == end


# What is changed in the good file, the line that must be named, and what must be said of it.
BAD: dict[str, tuple[str, str, int, str]] = {
    "syntax": ("row_size = 10", "row_size = ", 2, "is not valid TOML: Invalid value (at line 2, column 12)"),
    "syntax at the end": ("+01:00\n", "+01:00\n[[markets", 30, "is not valid TOML: "),
    "unknown table": (
        "[strategies]",
        "[strategy]",
        21,
        "strategy: unknown key: remove it or correct its spelling",
    ),
    "unknown key": ('interval = "1h"', 'intervall = "1h"', 19, "klines.1.intervall: unknown key"),
    "missing row size": ("row_size = 10\n", "", 1, "instruments.BTC.row_size: missing: add it"),
    "missing symbol": (
        'exchange = "ftx"\nsymbol = "BTC/USD"',
        'exchange = "ftx"',
        9,
        "markets.1.symbol: missing: add it",
    ),
    "row size of nothing": (
        "row_size = 10",
        "row_size = 0",
        2,
        "instruments.BTC.row_size: Input should be greater than 0 (found 0",
    ),
    "endless row size": (
        "row_size = 10",
        "row_size = inf",
        2,
        "instruments.BTC.row_size: Input should be a finite number",
    ),
    "row size as text": (
        "row_size = 10",
        'row_size = "10"',
        2,
        "instruments.BTC.row_size: Input should be a valid number (found '10')",
    ),
    "lower case instrument": ("[instruments.BTC]", "[instruments.btc]", 1, "instruments.btc"),
    "lead unknown": (
        'lead = "kraken BTC/USD"',
        'lead = "kraken BTC/EUR"',
        3,
        "instruments.BTC.lead: 'kraken BTC/EUR' is not a live BTC market of this file: name one",
    ),
    "lead retired": (
        'lead = "kraken BTC/USD"',
        'lead = "ftx BTC/USD"',
        3,
        "instruments.BTC.lead: 'ftx BTC/USD' is not a live BTC market",
    ),
    "exchange name": (
        'exchange = "ftx"',
        'exchange = "FTX"',
        10,
        "markets.1.exchange: String should match pattern '^[a-z0-9]+$' (found 'FTX')",
    ),
    "symbol without a quote": (
        'exchange = "ftx"\nsymbol = "BTC/USD"',
        'exchange = "ftx"\nsymbol = "BTC"',
        11,
        "markets.1.symbol: String should match pattern",
    ),
    "no instrument": (
        'exchange = "ftx"\nsymbol = "BTC/USD"',
        'exchange = "ftx"\nsymbol = "ETH/USD"',
        11,
        "markets.1.symbol: no instrument ETH: add [instruments.ETH] with row_size and lead",
    ),
    "market twice": (
        'exchange = "ftx"',
        'exchange = "kraken"',
        9,
        "markets.1: kraken BTC/USD is listed twice: remove one",
    ),
    "retired in words": (
        "retired = 2022-11-12",
        'retired = "long ago"',
        12,
        "markets.1.retired: Input should be a valid date (found 'long ago')",
    ),
    "volume unit": (
        "retired = 2022-11-12",
        'volume_unit = "lots"',
        12,
        "markets.1.volume_unit: Input should be 'base' or 'quote' (found 'lots')",
    ),
    "interval": (
        'interval = "1h"',
        'interval = "2h"',
        19,
        "klines.1.interval: Input should be '1m', '5m', '15m', '1h' or '1d' (found '2h')",
    ),
    "kline twice": (
        'interval = "1h"',
        'interval = "5m"',
        17,
        "klines.1: BTCUSDT 5m is listed twice: remove one",
    ),
    "no strategy symbols": (
        '["BTCUSDT", "ETHUSDT"]',
        "[]",
        22,
        "strategies.symbols: Tuple should have at least 1 item",
    ),
    "strategy symbol twice": (
        '["BTCUSDT", "ETHUSDT"]',
        '["BTCUSDT", "BTCUSDT"]',
        22,
        "strategies.symbols: BTCUSDT is listed twice: remove one",
    ),
    "span without a zone": (
        "2023-03-09T00:30:00Z",
        "2023-03-09T00:30:00",
        27,
        "recording.minutes.0: start and end need a time zone: write 2023-03-09T00:00:00Z",
    ),
    "span that ends first": (
        "2023-03-09T00:30:00Z",
        "2024-03-09T00:30:00Z",
        27,
        "recording.minutes.0: start must be before end",
    ),
    "span of dates": (
        "2023-03-09T00:30:00Z",
        "2023-03-09",
        28,
        "recording.minutes.0.start: Input should be a valid datetime",
    ),
}


@pytest.mark.parametrize(("old", "new", "line", "message"), BAD.values(), ids=BAD)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    assert GOOD.count(old) == 1
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(CatalogError) as caught:
        load_catalog(file)
    assert str(caught.value).splitlines()[0].startswith(f"{file}:{line}: {message}")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("row_size = 10", "row_size = -1").replace('"ftx"', '"FTX"').replace('"1h"', '"1 hour"')
    )
    file = write(tmp_path, text)
    with pytest.raises(CatalogError) as caught:
        load_catalog(file)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        f"{file}:{line}" for line in (2, 10, 19)
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CatalogError, match=r"absent.toml: cannot be read \(No such file .*: set VP_MARKETS_FILE"
    ):
        load_catalog(tmp_path / "absent.toml")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "markets.toml"
    file.write_bytes(b"[instruments.BTC]\n\xff")
    with pytest.raises(CatalogError, match=r"markets.toml:2: is not UTF-8 text"):
        load_catalog(file)


# The markets of the first document, under the names the exchanges have today.
FIRST_MARKETS = {
    ("binance", "BTC/USDT"),
    ("binance", "BTC/BUSD"),
    ("binance", "BTC/USDC"),
    ("coinbaseexchange", "BTC/USD"),
    ("coinbaseexchange", "BTC/USDT"),
    ("ftx", "BTC/USD"),
    ("ftx", "BTC/USDT"),
    ("htx", "BTC/USDT"),
    ("htx", "BTC/USDC"),
    ("gate", "BTC/USDT"),
    ("gate", "BTC/USD"),
}


def test_shipped_file_holds_the_first_eleven_markets() -> None:
    markets = {(market.exchange, market.symbol): market for market in load_catalog(SHIPPED).markets}
    assert len(FIRST_MARKETS) == 11
    assert markets.keys() >= FIRST_MARKETS
    retired = {name for name, market in markets.items() if market.retired is not None}
    assert retired == {("binance", "BTC/BUSD"), ("ftx", "BTC/USD"), ("ftx", "BTC/USDT")}


def test_shipped_file_holds_more_venues_and_ether() -> None:
    catalog = load_catalog(SHIPPED)
    assert {market.exchange for market in catalog.markets_of("BTC")} >= {
        *("kraken", "okx", "bybit", "bitstamp", "bitfinex", "kucoin"),
    }
    assert len(catalog.markets_of("ETH")) >= 2
    assert catalog.recording is None


STRATEGIES = '[strategies]\nsymbols = ["BTCUSDT", "SOLUSDT"]\nstart = 2021-01-01\n'


def strategies_of(tmp_path: Path, text: str) -> Strategies:
    path = tmp_path / "markets.toml"
    path.write_text(STRATEGIES + text)
    found = load_catalog(path).strategies
    assert found is not None
    return found


def test_a_file_without_variants_runs_the_shipped_ones(tmp_path: Path) -> None:
    found = strategies_of(tmp_path, "")
    shipped = load_catalog(SHIPPED).strategies
    assert shipped is not None
    assert found.chosen == shipped.variants
    assert len(found.chosen) == 8
    own = strategies_of(tmp_path, "[strategies.variants.a]\nrule = 'momentum'\nparameters = { days = 9 }\n")
    assert list(own.chosen) == ["a"]
    assert own.chosen["a"].parameters == {"days": 9}


def test_a_symbols_costs_take_the_place_of_those_of_all(tmp_path: Path) -> None:
    found = strategies_of(tmp_path, "fee_bps = 4\n[strategies.costs.SOLUSDT]\nslippage_bps = 6\n")
    assert (found.cost_bps("BTCUSDT"), found.cost_bps("SOLUSDT")) == (6, 10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fee_bps = -1\n", ":4: strategies.fee_bps: "),
        ("trials = 3\n", ":4: strategies.trials: 8 variants are named: at least as many were tried"),
        (
            "[strategies.costs.XRPUSDT]\nfee_bps = 1\n",
            ":4: strategies.costs.XRPUSDT: XRPUSDT is none",
        ),
        (
            "[strategies.variants.a]\nbenchmark = 'b'\n",
            ":5: strategies.variants.a.benchmark: 'b' is no",
        ),
        ("[strategies.variants.a]\nrules = 'b'\n", ":5: strategies.variants.a.rules: unknown key"),
    ],
)
def test_what_cannot_be_of_strategies_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CatalogError) as refused:
        strategies_of(tmp_path, text)
    assert said in str(refused.value)
