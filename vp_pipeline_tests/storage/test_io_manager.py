import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    BetaWarning,
    DagsterInstance,
    DailyPartitionsDefinition,
    ExecuteInProcessResult,
    HourlyPartitionsDefinition,
    asset,
    materialize,
)
from psycopg import sql

from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import Batch, PostgresIOManager, stored_as
from vp_pipeline.storage.tables import (
    AGGREGATE,
    DAILY_RETURN,
    STRATEGY_RETURN,
    STRATEGY_WEIGHT,
    TABLES,
    VOLUME_PROFILE_ROW,
)
from vp_pipeline.windows import DAY, HOUR, Window

HOURS = HourlyPartitionsDefinition(start_date="2026-03-01-00:00", end_offset=1)
DAYS = DailyPartitionsDefinition(start_date="2026-03-01", end_offset=1)
START = datetime(2026, 3, 1, tzinfo=UTC)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", BetaWarning)  # on backfill policies

    @asset(
        partitions_def=HOURS,
        backfill_policy=BackfillPolicy.single_run(),
        metadata=stored_as(AGGREGATE, base="BTC"),
        io_manager_key="postgres",
    )
    def minutes(context: AssetExecutionContext) -> pd.DataFrame:
        span = context.partition_time_window
        times = pd.date_range(span.start, span.end, freq="min", inclusive="left")
        prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
        numbers = dict.fromkeys(("vwap", "robust_price", "quote_volume_usd", "taker_buy_volume"), 1.0)
        texts = {"missing": "", "price_market": "kraken BTC/USD", "left_out": ""}
        return pd.DataFrame({"open_time": times, **prices, "volume": 1.0, "markets": 2, **texts, **numbers})

    @asset(
        partitions_def=DAYS,
        backfill_policy=BackfillPolicy.single_run(),
        metadata=stored_as(VOLUME_PROFILE_ROW, base="BTC"),
        io_manager_key="postgres",
    )
    def volume_by_day(minutes: pd.DataFrame) -> pd.DataFrame:
        days = minutes.groupby(minutes["open_time"].dt.date)["volume"].sum()
        return pd.DataFrame({"day": days.index, "price": 100.0, "volume": days.to_numpy()})


@pytest.fixture
def postgres(database_url: str) -> PostgresIOManager:
    with transaction(database_url) as connection:
        for table in TABLES:
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))
    return PostgresIOManager(database_url=database_url)


def run(
    postgres: PostgresIOManager, definition: AssetsDefinition, first: str, last: str | None = None
) -> ExecuteInProcessResult:
    others = [known for known in (minutes, volume_by_day) if known is not definition]
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return materialize(
        [definition, *others],
        selection=[definition],
        partition_key=None if last else first,
        tags={name: value for name, value in tags.items() if value} if last else None,
        resources={"postgres": postgres},
        instance=DagsterInstance.ephemeral(),
    )


def read(postgres: PostgresIOManager) -> pd.DataFrame:
    with transaction(postgres.database_url) as connection:
        return rows.read(connection, AGGREGATE, {"base": "BTC"})


def test_one_partition_is_written(postgres: PostgresIOManager) -> None:
    result = run(postgres, minutes, "2026-03-01-05:00")
    written = read(postgres)
    assert (len(written), written["open_time"].min()) == (60, START + 5 * HOUR)
    metadata = result.asset_materializations_for_node("minutes")[0].metadata
    assert metadata["dagster/row_count"].value == 60


def test_a_range_is_written_in_one_run(postgres: PostgresIOManager) -> None:
    run(postgres, minutes, "2026-03-01-05:00")
    result = run(postgres, minutes, "2026-03-01-04:00", "2026-03-01-06:00")
    written = read(postgres)
    assert written["open_time"].tolist() == list(pd.date_range(START + 4 * HOUR, periods=180, freq="min"))
    keys = {event.partition for event in result.asset_materializations_for_node("minutes")}
    assert keys == {"2026-03-01-04:00", "2026-03-01-05:00", "2026-03-01-06:00"}


def test_again_changes_nothing(postgres: PostgresIOManager) -> None:
    run(postgres, minutes, "2026-03-01-04:00", "2026-03-01-06:00")
    before = read(postgres)
    run(postgres, minutes, "2026-03-01-05:00")
    pd.testing.assert_frame_equal(read(postgres), before)


@pytest.mark.parametrize(("last", "volumes"), [(None, [1440.0]), ("2026-03-02", [1440.0, 1440.0])])
def test_a_partition_loads_its_own_window(
    postgres: PostgresIOManager, last: str | None, volumes: list[float]
) -> None:
    run(postgres, minutes, "2026-03-01-00:00", "2026-03-03-23:00")
    run(postgres, volume_by_day, "2026-03-01", last)
    with transaction(postgres.database_url) as connection:
        stored = rows.read(connection, VOLUME_PROFILE_ROW, {"base": "BTC"})
    assert stored["volume"].tolist() == volumes


def unpartitioned(value: Any, metadata: Mapping[str, Any]) -> AssetsDefinition:
    @asset(name="strategy", metadata=metadata, io_manager_key="postgres")
    def made() -> Any:
        return value

    return made


WEIGHTS = pd.DataFrame({"day": [START] * 2, "symbol": ["BTCUSDT", "ETHUSDT"], "weight": [0.6, 0.4]})
RETURNS = pd.DataFrame({"day": pd.to_datetime(["2026-03-01"]), "return": [0.01]})


def store(postgres: PostgresIOManager, value: object, metadata: Mapping[str, Any]) -> ExecuteInProcessResult:
    return materialize([unpartitioned(value, metadata)], resources={"postgres": postgres})


def test_an_asset_may_fill_several_tables(postgres: PostgresIOManager) -> None:
    frames = {"strategy_return": RETURNS, "strategy_weight": WEIGHTS.assign(day=WEIGHTS["day"].dt.date)}
    result = store(postgres, frames, stored_as(STRATEGY_RETURN, strategy="momentum"))
    store(postgres, frames, stored_as(STRATEGY_RETURN, strategy="carry"))
    with transaction(postgres.database_url) as connection:
        assert len(rows.read(connection, STRATEGY_RETURN, {"strategy": "momentum"})) == 1
        assert rows.read(connection, STRATEGY_WEIGHT, {"strategy": "carry"})["weight"].tolist() == [0.6, 0.4]
    metadata = result.asset_materializations_for_node("strategy")[0].metadata
    assert metadata["dagster/row_count"].value == 1


def test_several_tables_are_filled_together_or_not_at_all(postgres: PostgresIOManager) -> None:
    broken = WEIGHTS.assign(day=WEIGHTS["day"].dt.date, symbol="BTCUSDT")
    with pytest.raises(ValueError, match="rows for strategy_weight repeat the key"):
        store(
            postgres,
            {"strategy_return": RETURNS, "strategy_weight": broken},
            stored_as(STRATEGY_RETURN, strategy="momentum"),
        )
    with transaction(postgres.database_url) as connection:
        assert rows.read(connection, STRATEGY_RETURN, {}).empty


@pytest.mark.parametrize("frames", [{}, {"strategy_return": RETURNS, "strategy": RETURNS}])
def test_unexpected_tables_are_named(postgres: PostgresIOManager, frames: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="frames for strategy_return and other tables expected, got"):
        store(postgres, frames, stored_as(STRATEGY_RETURN, strategy="momentum"))


def test_an_asset_must_say_where_it_is_stored(postgres: PostgresIOManager) -> None:
    with pytest.raises(ValueError, match=r"give it metadata=stored_as\(table, ...\)"):
        store(postgres, RETURNS, {})


def test_batches_are_written_in_one_transaction(postgres: PostgresIOManager) -> None:
    returns = RETURNS.assign(symbol="BTCUSDT", close=1.0, high=1.0, low=1.0, volume=1.0)
    outside = pd.DataFrame({"day": [START.date()], "price": 1.0, "volume": 1.0})
    batches = [
        Batch(DAILY_RETURN, returns, {}),
        Batch(VOLUME_PROFILE_ROW, outside, {"base": "BTC"}, Window(START + DAY, START + 2 * DAY)),
    ]
    with pytest.raises(ValueError, match="rows for volume_profile_row are not all within"):
        postgres.write(batches)
    postgres.write(batches[:1])
    with transaction(postgres.database_url) as connection:
        assert len(rows.read(connection, DAILY_RETURN, {})) == 1


def test_metadata_shows_table_and_columns_in_the_catalog() -> None:
    metadata = minutes.metadata_by_key[AssetKey("minutes")]
    assert metadata["dagster/table_name"] == "aggregate"
    schema = metadata["dagster/column_schema"].schema
    assert {column.name: column.type for column in schema.columns} == AGGREGATE.columns


def test_password_is_not_shown() -> None:
    manager = PostgresIOManager(database_url="postgresql://vp:geheim@127.0.0.1/vp")
    assert "geheim" not in f"{manager!r} {manager}"
