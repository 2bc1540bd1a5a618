"""A month of spot minutes of many markets: from which source each minute comes, and what no source has.

Here belong the order of the sources and what each of them leaves behind. Every file and every round of
requests is committed on its own, so that a load that was cut off goes on where it was. What the ledger
knows is not asked for again, but for files of the archive that were revised.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd

from vp_pipeline.assets import history_archive
from vp_pipeline.assets.history_load import KNOWN, Loaded, count, missing
from vp_pipeline.assets.history_rounds import Rounds
from vp_pipeline.assets.history_windows import clipped_to
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges import archive, pace
from vp_pipeline.exchanges.archive import ArchiveClient
from vp_pipeline.exchanges.archive_file import ArchiveFile
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.spot_client import supported
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.recordings.folder import RecordingError, SpotFile, spot_files
from vp_pipeline.settings import Settings
from vp_pipeline.storage import archive_files, candles, ledger, stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, MINUTE, Window, floor, midnight


class SpotHistory:
    """Loads months of spot minutes; `now` bounds what is asked for, by this machine's clock."""

    def __init__(self, settings: Settings, database_url: str, now: datetime | None = None) -> None:
        self._settings, self._url = settings, database_url
        self._rounds = Rounds(settings, database_url)
        self._now = now or datetime.now(UTC)

    def load(self, markets: Sequence[Market], month: Window) -> list[Loaded]:
        """Load what is missing of a calendar month; sources in the order: files, archive, exchanges."""
        with transaction(self._url) as connection:
            numbers = market_ids(connection, [(market.exchange, market.symbol) for market in markets])
        loads = [
            Loaded(market, numbers[market.exchange, market.symbol], self._loadable(market, month))
            for market in markets
        ]
        asyncio.run(self._load([load for load in loads if load.window], month))
        with transaction(self._url) as connection:
            for load in loads:
                count(connection, load)
        return loads

    async def _load(self, loads: Sequence[Loaded], month: Window) -> None:
        self._from_files(loads)
        in_archive = [load for load in loads if load.market.exchange == history_archive.EXCHANGE]
        if in_archive:
            async with ArchiveClient(self._settings.exchange_host(archive.HOST)) as client:
                await asyncio.gather(*(self._from_archive(client, load, month) for load in in_archive))
        async with pace.shared(self._settings.broker, patient=True) as line:
            await self._rounds.run([load for load in loads if _serves_years(load.market)], line)
        self._give_up([load for load in loads if not _serves_years(load.market)])

    def _loadable(self, market: Market, month: Window) -> Window:
        """The part of the month that is over and in which the market may have traded."""
        ends = [month.end, floor(self._now, MINUTE)]
        if market.retired is not None:
            ends.append(midnight(market.retired) + DAY)
        return Window(month.start, max(month.start, min(ends)))

    def strangers(self) -> list[SpotFile]:
        """A person's files of markets that the markets file does not have: nothing of them is loaded.

        Raises:
            RecordingError: the folder cannot be used.
        """
        known = {(market.exchange, market.symbol) for market in self._settings.catalog.markets}
        return [file for file in self._files() if _symbol_of(file) not in known]

    def _files(self) -> list[SpotFile]:
        folder = self._settings.history_folder
        return spot_files(folder) if folder.is_dir() else []

    def _from_files(self, loads: Sequence[Loaded]) -> None:
        by_market: dict[tuple[str, str], list[SpotFile]] = defaultdict(list)
        try:
            for file in self._files():
                by_market[_symbol_of(file)].append(file)
        except RecordingError as error:
            for load in loads:
                load.problems.append(str(error))
            return
        for load in loads:
            for file in by_market[load.market.exchange, load.market.symbol]:
                left = missing(self._url, load, KNOWN)
                if not left:
                    break
                try:
                    series = file.read()
                except RecordingError as error:
                    load.problems.append(str(error))
                    continue
                frame = clipped_to(series.frame, left)
                reason = f"{file.path.name} has no candle, and nobody else was asked"
                self._keep(load, "files", frame, Window(series.start, series.end), reason)

    async def _from_archive(self, client: ArchiveClient, load: Loaded, month: Window) -> None:
        file = ArchiveFile(load.market.base + load.market.quote, "1m", month)
        with transaction(self._url) as connection:
            known = archive_files.known(connection, history_archive.paths_of(file))
        left = missing(self._url, load, KNOWN)
        if not left and not known:
            return
        try:
            async for archived in history_archive.needed(client, file, known, left, self._now):
                frame = clipped_to(archived.frame, [load.window])
                reason = "the archive has no candle, and the exchange was not asked"
                self._keep(load, "archive", frame, archived.file.window, reason, archived)
        except FetchError as error:
            load.problems.append(str(error))

    def _keep(
        self,
        load: Loaded,
        source: str,
        frame: pd.DataFrame,
        window: Window,
        reason: str,
        archived: archive.Archived | None = None,
    ) -> None:
        """Store a file's rows; its other minutes are unknown for this reason until a source has them."""
        with transaction(self._url) as connection:
            stored = candles.store(connection, {load.number: frame})[load.number]
            finding = Finding(load.number, window.intersect(load.window), "unknown", reason)
            ledger.record(connection, [finding])
            stale.mark(connection, stale.AGGREGATE, load.market.base, stored.changed_hours)
            if archived is not None:
                rows = len(archived.frame)
                archive_files.remember(connection, archived.file.path, archived.sha256, rows)
        load.add(source, stored)

    def _give_up(self, loads: Sequence[Loaded]) -> None:
        """Note what no source can have; the last minutes of a market that trades are the ticks' affair."""
        for load in loads:
            market = load.market
            depth = traits_of(market.exchange).depth
            end, why = load.window.end, f"{market.exchange} has ended"
            if supported(market.exchange) and depth is not None:
                end = min(end, floor(self._now - depth, DAY) - DAY)
                why = f"{market.exchange} serves the last {depth // MINUTE} minutes alone"
            old = Window(load.window.start, max(load.window.start, end))
            left = [window.intersect(old) for window in missing(self._url, load)]
            reason = f"{why}, and no file of VP_HISTORY_FILES has the candle"
            with transaction(self._url) as connection:
                ledger.record(
                    connection, [Finding(load.number, window, "unfetchable", reason) for window in left]
                )


def _symbol_of(file: SpotFile) -> tuple[str, str]:
    return file.exchange, f"{file.base}/{file.quote}"


def _serves_years(market: Market) -> bool:
    return supported(market.exchange) and traits_of(market.exchange).depth is None
