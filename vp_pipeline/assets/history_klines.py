"""A month of bars of USD-M perpetuals from the archive.

Here belongs what a file leaves behind in the table of bars; which files are needed is in `history_archive`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vp_pipeline.assets import history_archive
from vp_pipeline.catalog import INTERVAL_MINUTES, Klines
from vp_pipeline.exchanges import archive
from vp_pipeline.exchanges.archive import ArchiveClient, Archived
from vp_pipeline.exchanges.archive_file import ArchiveFile
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.settings import Settings
from vp_pipeline.storage import archive_files, klines
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.rows import Scope
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
    def scope(self) -> Scope:
        """What its rows have in common."""
        return klines.scope_of(self.series.symbol, self.series.interval)

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
        left = klines.gaps(connection, loaded.scope, loaded.window, loaded.bar)
    if left or known:
        try:
            async for archived in history_archive.needed(client, file, known, left, now):
                _keep(database_url, loaded, archived)
        except FetchError as error:
            loaded.problems.append(str(error))
    with transaction(database_url) as connection:
        loaded.stored = len(klines.opens(connection, loaded.scope, loaded.window))
    return loaded


def _keep(database_url: str, loaded: LoadedBars, archived: Archived) -> None:
    """Store a file's bars; of a bar that is stored the file's numbers win, one that it lacks stays."""
    with transaction(database_url) as connection:
        done = klines.store(connection, loaded.scope, archived.frame, archived.file.window)
        archive_files.remember(connection, archived.file.path, archived.sha256, len(archived.frame))
    loaded.new += done.new
    loaded.revised += done.revised
