"""Which files of Binance's archive a month of a series still needs.

Here belongs the choice between monthly and daily files and the noticing of revised ones; fetching and
checking is the client's affair, storing that of `history_spot` and `history_klines`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from vp_pipeline.exchanges.archive import ArchiveClient, Archived
from vp_pipeline.exchanges.archive_file import ArchiveFile
from vp_pipeline.windows import DAY, Window

EXCHANGE = "binance"


def day_files(month: ArchiveFile) -> list[ArchiveFile]:
    """The daily files of a month."""
    return [replace(month, window=day) for day in month.window.split(DAY)]


def paths_of(month: ArchiveFile) -> list[str]:
    """Every path that may hold candles of the month."""
    return [month.path, *(day.path for day in day_files(month))]


async def needed(
    client: ArchiveClient,
    month: ArchiveFile,
    known: Mapping[str, str],
    left: Sequence[Window],
    now: datetime,
) -> AsyncIterator[Archived]:
    """The month's file, or those of its days that are over as long as there is none for the month.

    A file is fetched if it may hold something of `left`, or if it is stored (in `known`, path to SHA-256)
    and the archive has another one by now.

    Raises:
        FetchError: the archive could not be asked, or a file is not what it should be.
    """
    if month.path in known and await client.checksum(month) == known[month.path]:
        return
    archived = await client.fetch(month) if left or month.path in known else None
    if archived is not None:
        yield archived
        return
    days = [
        day
        for day in day_files(month)
        if day.window.end <= now and (day.path in known or any(day.window.intersect(gap) for gap in left))
    ]
    asked = [asyncio.create_task(_newer(client, day, known)) for day in days]
    try:
        for task in asked:
            archived = await task
            if archived is not None:
                yield archived
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _newer(client: ArchiveClient, day: ArchiveFile, known: Mapping[str, str]) -> Archived | None:
    """The file of a day, if there is one and not the one that is known."""
    if day.path in known and await client.checksum(day) == known[day.path]:
        return None
    return await client.fetch(day)
