"""The main job, run through Dagster: minutes, profiles, bars, reports.

Here belongs which runs it takes, in which order and over which hours. Starting the platform is in
`platform`, showing what came of it in `summary`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vp_pipeline.assets.keys import (
    DAY_FORMAT,
    HOUR_FORMAT,
    PROFILES_JOB,
    REPORTS_JOB,
    SESSIONS_JOB,
    TICK_JOB,
    klines_job_name,
    range_tags,
)
from vp_pipeline.catalog import Catalog, Interval
from vp_pipeline.exchanges.traits import shortest_depth
from vp_pipeline.runtime.dagster_api import DagsterApi, RunResult
from vp_pipeline.settings import Settings
from vp_pipeline.windows import DAY, HOUR, Window, ceil, floor

# What a platform that has just been started begins with: a week of bars for the session tables; the
# minutes begin yesterday.
FIRST_BARS = timedelta(days=7)
# How many hours one run takes in a recording; less where an exchange serves fewer.
LONGEST_RUN = timedelta(hours=24)
# The first parts of the keys of what the jobs of sessions and of reports make.
_SESSIONS = ("session_volatility", "session_comparison")
_REPORTS = ("daily_returns", "strategies", "tearsheets")


@dataclass(frozen=True)
class Stage:
    """One run; `events`: how many materializations to expect."""

    title: str
    job: str
    tags: dict[str, str]
    events: int
    assets: tuple[tuple[str, ...], ...] | None = None


def stages(settings: Settings, now: datetime, dagster: DagsterApi) -> Iterator[Stage]:
    """The runs of the main job that are still to be done, in order; ask for each when the last has ended.

    Hours that are there are not fetched again, but for the last: it may have been open at that time. What
    was computed is computed again; of a recording only if something that it was computed from is newer.
    """
    catalog = settings.catalog
    if catalog.markets:
        yield from _minutes(settings, now, dagster)
    if catalog.klines:
        yield from _klines(settings, now, dagster)
        if catalog.recording is None or not _is_current(_SESSIONS, ("klines",), dagster):
            yield _sessions(settings, now)
    if catalog.strategies and not (
        catalog.recording is not None and _is_current(_REPORTS, ("klines",), dagster)
    ):
        yield _reports(catalog)


def incomplete(settings: Settings, dagster: DagsterApi) -> list[str]:
    """What of a recording has never been asked for, in words; nothing on an exchange that goes on."""
    catalog = settings.catalog
    if catalog.recording is None:
        return []
    spans: list[tuple[tuple[str, ...], Window]] = [
        (("coverage",), span.hours) for span in catalog.recording.minutes
    ]
    spans += [
        (("klines", catalog.kline_key(series)), series.recorded.hours)
        for series in catalog.klines
        if series.recorded
    ]
    lefts = [(asset, _left(hours, [asset], dagster, replayed=True)) for asset, hours in spans]
    return [f"{'/'.join(asset)} from {left}" for asset, left in lefts if left]


def run(stage: Stage, dagster: DagsterApi, progress: Callable[[int], None]) -> RunResult:
    """Run one stage and wait for its end.

    Raises:
        DagsterError: the run was refused or failed.
    """
    return dagster.follow(dagster.launch(stage.job, stage.tags, stage.assets), progress)


def _minutes(settings: Settings, now: datetime, dagster: DagsterApi) -> Iterator[Stage]:
    """Minute candles and their aggregate, then the profiles of their days."""
    catalog = settings.catalog
    replayed = catalog.recording is not None
    hours_of = [span.hours for span in catalog.recording.minutes] if catalog.recording else []
    if not replayed:
        yesterday = floor(now, DAY) - DAY
        hours_of = [Window(max(settings.first_hour(now), yesterday), ceil(now, HOUR))]
    aggregates = [("aggregate", base.lower()) for base in catalog.instruments]
    # Of an instrument the aggregate and the hours' profiles.
    each = len(catalog.live_markets()) + 2 * len(catalog.instruments) + 1
    for hours in hours_of:
        left = _left(hours, aggregates, dagster, replayed)
        for part in left.split(_step(catalog) if replayed else LONGEST_RUN):
            yield Stage(
                f"candles {part}",
                TICK_JOB,
                range_tags(part.start, part.end - HOUR, HOUR_FORMAT),
                each * part.count(HOUR),
            )
    profiles = [("volume_profile", base.lower()) for base in catalog.instruments]
    for hours in hours_of:
        days = Window(floor(hours.start, DAY), ceil(hours.end, DAY))
        until = dagster.materialized_until(profiles, days.start.strftime(DAY_FORMAT))
        if (
            replayed
            and until is not None
            and until >= (days.end - DAY).strftime(DAY_FORMAT)
            and _is_current(("volume_profile",), ("aggregate", "coverage"), dagster)
        ):
            continue
        yield Stage(
            f"volume profiles {days.start:%Y-%m-%d} to {days.end - DAY:%Y-%m-%d}",
            PROFILES_JOB,
            range_tags(days.start, days.end - DAY, DAY_FORMAT),
            len(catalog.instruments) * days.count(DAY),
        )


def _left(hours: Window, assets: Sequence[tuple[str, ...]], dagster: DagsterApi, replayed: bool) -> Window:
    """What of the hours is not materialized yet."""
    until = dagster.materialized_until(assets, hours.start.strftime(HOUR_FORMAT))
    if until is None:
        return hours
    last = datetime.strptime(until, HOUR_FORMAT).replace(tzinfo=UTC)
    return Window(min(last + HOUR if replayed else last, hours.end), hours.end)


def _is_current(made: Sequence[str], of: Sequence[str], dagster: DagsterApi) -> bool:
    """Whether all assets of `made` are newer than all of `of`; both name first parts of asset keys."""
    assets = dagster.assets()
    oldest = min((asset.last or 0.0 for asset in assets if asset.path[0] in made), default=0.0)
    newest = max((asset.last or 0.0 for asset in assets if asset.path[0] in of), default=0.0)
    return oldest > newest


def _step(catalog: Catalog) -> timedelta:
    """Hours in one run, so few that no recorded exchange has forgotten the first by the end of the last."""
    depth = shortest_depth(market.exchange for market in catalog.live_markets())
    return LONGEST_RUN if depth is None else min(depth // HOUR * HOUR, LONGEST_RUN)


def _klines(settings: Settings, now: datetime, dagster: DagsterApi) -> Iterator[Stage]:
    """Bars of each interval: live the last week, of a recording all."""
    catalog = settings.catalog
    intervals: list[Interval] = list(dict.fromkeys(series.interval for series in catalog.klines))
    for interval in intervals:
        spans: dict[Window, list[tuple[str, ...]]] = {}
        for series in catalog.klines:
            if series.interval == interval:
                hours = series.recorded.hours if series.recorded else _first_bars(settings, now)
                spans.setdefault(hours, []).append(("klines", catalog.kline_key(series)))
        for hours, assets in spans.items():
            left = _left(hours, assets, dagster, replayed=catalog.recording is not None)
            if left:
                yield Stage(
                    f"{interval} bars {left}",
                    klines_job_name(interval),
                    range_tags(left.start, left.end - HOUR, HOUR_FORMAT),
                    len(assets) * left.count(HOUR),
                    assets=tuple(assets),
                )


def _first_bars(settings: Settings, now: datetime) -> Window:
    return Window(max(settings.first_hour(now), floor(now - FIRST_BARS, HOUR)), ceil(now, HOUR))


def _sessions(settings: Settings, now: datetime) -> Stage:
    """Session tables as of today, of a recording as of its last day."""
    klines = settings.catalog.klines
    ends = [series.recorded.hours.end for series in klines if series.recorded]
    day = floor(max(ends) - HOUR if ends else now, DAY)
    intervals = Counter(series.interval for series in klines)
    return Stage(
        f"session tables as of {day:%Y-%m-%d}",
        SESSIONS_JOB,
        range_tags(day, day, DAY_FORMAT),
        len(klines) + sum(count > 1 for count in intervals.values()),
    )


def _reports(catalog: Catalog) -> Stage:
    return Stage(
        "strategies, tearsheets",
        REPORTS_JOB,
        {},
        # Beside the tearsheets, daily returns and the strategies' results.
        2 + len(catalog.strategies.chosen) if catalog.strategies else 0,
    )
