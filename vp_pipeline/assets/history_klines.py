"""A month of bars of USD-M perpetuals from the archive.

Here belongs what a file leaves behind in the table of bars; which files are needed is in `history_archive`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pandas as pd

from vp_pipeline.assets import history_archive
from vp_pipeline.assets.history_windows import minus, stretches
from vp_pipeline.catalog import INTERVAL_MINUTES, Klines
from vp_pipeline.exchanges import archive
from vp_pipeline.exchanges.archive import ArchiveClient, Archived
from vp_pipeline.exchanges.archive_file import ArchiveFile
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.settings import Settings
from vp_pipeline.storage import archive_files, rows
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import Window, floor


@dataclass
class LoadedBars:
    """What came of one series' month; `window` is the part of it that is over."""

    series: Klines
    window: Window
    new: int = 0
    revised: int = 0
    stored: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def bar(self) -> timedelta:
        """The length of a bar."""
        return timedelta(minutes=INTERVAL_MINUTES[self.series.interval])

    @property
    def missing(self) -> int:
        """Bars that no file holds."""
        return self.window.count(self.bar) - self.stored


def load_bars(
    settings: Settings,
    database_url: str,
    series: Sequence[Klines],
    month: Window,
    now: datetime | None = None,
) -> list[LoadedBars]:
    """Load what is missing of a calendar month, or revised, each file in a transaction of its own."""
    moment = now or datetime.now(UTC)

    async def all_series() -> list[LoadedBars]:
        async with ArchiveClient(settings.exchange_host(archive.HOST)) as client:
            return await asyncio.gather(*(_load(client, database_url, one, month, moment) for one in series))

    return asyncio.run(all_series())


async def _load(
    client: ArchiveClient, database_url: str, series: Klines, month: Window, now: datetime
) -> LoadedBars:
    file = ArchiveFile(series.symbol, series.interval, month, futures=True)
    bar = timedelta(minutes=INTERVAL_MINUTES[series.interval])
    loaded = LoadedBars(series, Window(month.start, max(month.start, min(month.end, floor(now, bar)))))
    with transaction(database_url) as connection:
        known = archive_files.known(connection, history_archive.paths_of(file))
        left = _left(connection, loaded)
    if left or known:
        try:
            async for archived in history_archive.needed(client, file, known, left, now):
                _keep(database_url, loaded, archived)
        except FetchError as error:
            loaded.problems.append(str(error))
    with transaction(database_url) as connection:
        loaded.stored = len(_stored(connection, loaded, ["open_time"]))
    return loaded


def _keep(database_url: str, loaded: LoadedBars, archived: Archived) -> None:
    """Store a file's bars; of a bar that is stored the file's numbers win, one that it lacks stays."""
    scope = {"symbol": loaded.series.symbol, "interval": loaded.series.interval}
    window = archived.file.window
    frame = archived.frame.assign(**scope)
    with transaction(database_url) as connection:
        before = rows.read(connection, KLINE, scope, window)
        compared = before.merge(frame, on="open_time", how="inner", suffixes=("_before", ""))
        numbers = [name for name in archived.file.columns if name != "open_time"]
        old = compared[[f"{name}_before" for name in numbers]].to_numpy(dtype=float, na_value=float("nan"))
        new = compared[numbers].to_numpy(dtype=float, na_value=float("nan"))
        loaded.revised += int((~((old == new) | ((old != old) & (new != new)))).any(axis=1).sum())
        loaded.new += len(frame) - len(compared)
        kept = before[~before["open_time"].isin(frame["open_time"])]
        if len(kept):
            frame = pd.concat([frame, kept[frame.columns].astype(frame.dtypes.to_dict())], ignore_index=True)
        rows.replace(connection, KLINE, frame.sort_values("open_time", ignore_index=True), scope, window)
        archive_files.remember(connection, archived.file.path, archived.sha256, len(archived.frame))


def _left(connection: Connection, loaded: LoadedBars) -> list[Window]:
    """Stretches without a stored bar."""
    opens = _stored(connection, loaded, ["open_time"])["open_time"]
    return minus(loaded.window, stretches(opens, loaded.bar))


def _stored(connection: Connection, loaded: LoadedBars, columns: list[str]) -> pd.DataFrame:
    scope = {"symbol": loaded.series.symbol, "interval": loaded.series.interval}
    return rows.read(connection, KLINE, scope, loaded.window, columns)
