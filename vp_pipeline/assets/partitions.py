"""Which hours and days can be materialized.

Live, the current hour and day are open and the first hour is a setting; of a recording, exactly what
was recorded.
"""

from datetime import UTC, datetime

from dagster import (
    AssetExecutionContext,
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    TimeWindowPartitionMapping,
)

from vp_pipeline.assets.keys import HOUR_FORMAT
from vp_pipeline.catalog import Klines
from vp_pipeline.settings import Settings
from vp_pipeline.windows import DAY, Window, ceil, floor

# The day that is not over has hours that do not exist yet.
HOURS_OF_DAY = TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)


def hour_key(moment: datetime) -> str:
    """The hourly partition that opens at `moment`."""
    return moment.strftime(HOUR_FORMAT)


def minute_hours(settings: Settings) -> HourlyPartitionsDefinition:
    """Hours of the minute candles."""
    return _hourly(settings, settings.recorded_minutes())


def minute_days(settings: Settings) -> DailyPartitionsDefinition:
    """Days of what is computed from the minute candles."""
    recorded = settings.recorded_minutes()
    if recorded is None:
        start = floor(settings.first_hour(datetime.now(UTC)), DAY)
        return DailyPartitionsDefinition(start_date=start, end_offset=1)
    return DailyPartitionsDefinition(start_date=floor(recorded.start, DAY), end_date=ceil(recorded.end, DAY))


def kline_hours(settings: Settings, klines: list[Klines]) -> HourlyPartitionsDefinition:
    """Hours of these series of USD-M bars."""
    recorded = [series.recorded.hours for series in klines if series.recorded is not None]
    if not recorded:
        return _hourly(settings, None)
    hull = recorded[0]
    for window in recorded[1:]:
        hull = hull.hull(window)
    return _hourly(settings, hull)


def window_of(context: AssetExecutionContext) -> Window:
    """The window of the run's partition, or of its range of partitions."""
    window = context.partition_time_window
    return Window(window.start.astimezone(UTC), window.end.astimezone(UTC))


def _hourly(settings: Settings, recorded: Window | None) -> HourlyPartitionsDefinition:
    if recorded is None:
        return HourlyPartitionsDefinition(start_date=settings.first_hour(datetime.now(UTC)), end_offset=1)
    return HourlyPartitionsDefinition(start_date=recorded.start, end_date=recorded.end)
