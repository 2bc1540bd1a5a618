"""Names by which a run is asked for: jobs, partition keys, range tags.

Here belongs what those need who start runs from outside of Dagster, so that nothing here imports it.
"""

from datetime import datetime

# Literal minutes: any moment of an hour has the hour's key.
HOUR_FORMAT = "%Y-%m-%d-%H:00"
DAY_FORMAT = "%Y-%m-%d"
MONTH_FORMAT = "%Y-%m"

TICK_JOB = "tick"
PROFILES_JOB = "volume_profiles"
SESSIONS_JOB = "sessions"
REPORTS_JOB = "reports"
UPKEEP_JOB = "upkeep"
HISTORY_JOB = "history"
HISTORY_KLINES_JOB = "history_klines"

# Tags with which Dagster runs a range of partitions as one run.
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

# By this tag `dagster.yaml` counts the runs of this machine apart from those that wait for workers.
PLACE = "vp/place"
PLATFORM, WORKERS = "platform", "workers"


def klines_job_name(interval: str) -> str:
    """The job that fetches the bars of one interval."""
    return f"klines_{interval}_job"


def range_tags(start: datetime, end: datetime, key_format: str) -> dict[str, str]:
    """Tags of one run over the partitions from that of `start` to that of `end`, both included."""
    return {RANGE_START: start.strftime(key_format), RANGE_END: end.strftime(key_format)}
