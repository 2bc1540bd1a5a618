"""`vp export` on a real database: the files are what is stored, whole or not there, and say what they are."""

import io
from collections.abc import Iterator
from pathlib import Path

import fastparquet
import pandas as pd
import pytest

from vp_pipeline.analytics.timeframes import resample
from vp_pipeline.operations import export_files
from vp_pipeline.storage import candles, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import HOUR, Window
from vp_pipeline_tests.operations.conftest import Installed
from vp_pipeline_tests.operations.installation import END, START, candles_of, vp

MARKET = ("--market", "binance BTC/USDT")


def export(installed: Installed, out: Path, *arguments: str) -> str:
    result = vp("export", *arguments, "--out", str(out), url=installed.url, markets=installed.markets)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("SIMULATED DATA")
    return result.output


def read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, keep_default_na=True)
    frame["open_time"] = pd.to_datetime(frame["open_time"], utc=True).astype("datetime64[us, UTC]")
    return frame


def read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    with path.open("rb") as file:
        parquet = fastparquet.ParquetFile(io.BytesIO(file.read()))
    return parquet.to_pandas(), dict(parquet.key_value_metadata)


def stored(installed: Installed) -> pd.DataFrame:
    with transaction(installed.url) as connection:
        return candles.read(connection, [installed.numbers["binance"]], Window(START, END))


def test_a_market_as_csv_is_what_is_stored(installed: Installed, tmp_path: Path) -> None:
    out = tmp_path / "btc.csv"
    printed = export(installed, out, *MARKET)
    frame, expected = read_csv(out), stored(installed)
    assert f"{len(expected):,} candles of binance BTC/USDT, 1m" in printed
    assert out.read_text().splitlines()[1].startswith(f"{START:%Y-%m-%dT%H:%M:%SZ},")
    for name in ("open", "high", "low", "close", "volume"):
        assert frame[name].tolist() == expected[name].tolist()
    assert frame["open_time"].tolist() == expected["open_time"].tolist()
    assert set(frame["source"]) == {"SIMULATED DATA"}
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("timeframe", ["5m", "1h", "1d", "1w"])
def test_an_instrument_in_a_timeframe_as_parquet(
    installed: Installed, tmp_path: Path, timeframe: str
) -> None:
    out = tmp_path / "btc.parquet"
    export(installed, out, "--instrument", "BTC", "--timeframe", timeframe)
    frame, metadata = read_parquet(out)
    with transaction(installed.url) as connection:
        expected = resample(rows.read(connection, AGGREGATE, {"base": "BTC"}), timeframe)
    pd.testing.assert_frame_equal(frame[expected.columns], expected, check_dtype=False)
    assert set(frame["source"]) == {"SIMULATED DATA"}
    assert metadata["vp.label"] == "SIMULATED DATA"
    assert metadata["vp.source"] == "sandbox"
    assert (metadata["vp.series"], metadata["vp.timeframe"]) == ("BTC", timeframe)


def test_blocks_make_the_same_file_as_one(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vp_pipeline.operations import export as exporting

    for form in ("csv", "parquet"):
        export(installed, tmp_path / f"one.{form}", "--instrument", "BTC", "--timeframe", "15m")
    monkeypatch.setattr(exporting, "BLOCK", 6 * HOUR)
    for form in ("csv", "parquet"):
        export(installed, tmp_path / f"many.{form}", "--instrument", "BTC", "--timeframe", "15m")
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "many.csv").read_text()
    one, many = (read_parquet(tmp_path / f"{name}.parquet")[0] for name in ("one", "many"))
    pd.testing.assert_frame_equal(one, many)


def test_a_window_is_half_open(installed: Installed, tmp_path: Path) -> None:
    out = tmp_path / "btc.csv"
    start = START + 5 * HOUR
    arguments = [
        "--from",
        f"{start:%Y-%m-%dT%H:%M}",
        "--to",
        (start + HOUR).isoformat(),
        "--instrument",
        "BTC",
    ]
    export(installed, out, *arguments)
    frame = read_csv(out)
    assert len(frame) == 60
    assert frame["open_time"].iloc[0] == start


def test_a_file_that_exists_is_kept_unless_said_otherwise(installed: Installed, tmp_path: Path) -> None:
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    result = vp("export", *MARKET, "--out", str(out), url=installed.url, markets=installed.markets)
    assert result.exit_code == 1
    assert "exists: choose another name, or say --overwrite" in result.output
    assert out.read_text() == "mine"
    export(installed, out, *MARKET, "--overwrite")
    assert out.read_text() != "mine"


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_whole_or_not_there(tmp_path: Path, form: export_files.Format, overwrite: bool) -> None:
    out = tmp_path / "broken"
    if overwrite:
        out.write_text("before")

    def blocks() -> Iterator[pd.DataFrame]:
        yield candles_of(Window(START, START + HOUR))
        raise ConnectionError("the database went away")

    with pytest.raises(Exception, match=r"the database went away|cannot be written"):
        export_files.write(out, form, blocks(), {}, overwrite)
    assert [path.read_text() for path in tmp_path.iterdir()] == (["before"] if overwrite else [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--instrument", "DOGE"], "there is no aggregate of DOGE: there is one of BTC"),
        (["--market", "binance DOGE/USDT"], "stored are binance BTC/USDT, gate BTC/USD, kraken BTC/USD"),
        (["--market", "gate BTC/USD"], "gate BTC/USD has no candles"),
        (["--instrument", "BTC", "--to", "2020-01-01"], "BTC has no candles from"),
    ],
)
def test_what_is_not_there_is_said(
    installed: Installed, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "x.csv"
    result = vp("export", *arguments, "--out", str(out), url=installed.url, markets=installed.markets)
    assert result.exit_code == 1
    assert said in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either --instrument or --market"),
        (["--instrument", "BTC", "--market", "binance BTC/USDT"], "either --instrument or --market"),
        (["--instrument", "BTC", "--from", "yesterday"], "'yesterday' is no time"),
        (["--instrument", "BTC", "--from", "2024-02-01", "--to", "2024-01-01"], "is not after --from"),
        (["--instrument", "BTC", "--timeframe", "7m"], "'7m' is not one of"),
    ],
)
def test_a_mistake_in_the_options_is_a_usage_error(
    installed: Installed, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "x.csv"
    result = vp("export", *arguments, "--out", str(out), url=installed.url, markets=installed.markets)
    assert result.exit_code == 2
    assert said in result.output


def test_the_format_follows_from_the_name_or_is_said(installed: Installed, tmp_path: Path) -> None:
    result = vp(
        "export", *MARKET, "--out", str(tmp_path / "x.txt"), url=installed.url, markets=installed.markets
    )
    assert "neither .csv nor .parquet: say --format" in result.output
    export(
        installed, tmp_path / "x.txt", *MARKET, "--format", "csv", "--from", f"{END - HOUR:%Y-%m-%dT%H:%M}"
    )
    assert len(read_csv(tmp_path / "x.txt")) == 60
