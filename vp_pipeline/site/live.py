"""Word of every change, to pages that are open: Postgres tells this process once, it tells all its readers.

Here belongs the stream of events. `change` says that an instrument changed, and its number which change that
is; what changed is for the reader to fetch. So nothing is lost by a broken connection: who comes back with
the number it heard last is told at once if there is a newer one. `fresh` holds all minutes that a lead market
has and no sum knows yet, for whoever comes too.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import StreamingResponse

from vp_pipeline.settings import Settings
from vp_pipeline.site.database import address, become_reader
from vp_pipeline.site.limited import STREAM_PATH
from vp_pipeline.site.pages import settings_of
from vp_pipeline.site.parameters import check_known
from vp_pipeline.storage import latest
from vp_pipeline.storage.latest import CHANNEL, Latest

LOG = logging.getLogger(__name__)
# A stream says something at least this often, so that whatever stands between knows it is alive.
BEAT_SECONDS = 15.0
MOST_READERS = 1000

_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
_RECONNECT_MS = 2000

router = APIRouter(include_in_schema=False)


class Hub:
    """The changes as far as they are known, and those who wait for the next.

    Everything happens in the server's event loop. The connection to Postgres is opened for the first reader.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers: dict[str, int] = {}
        self._latest: dict[str, Latest] = {}
        self._away = False
        self._turned = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self.readers = 0
        self.closed = False

    async def follow(self, base: str, after: int | None) -> AsyncIterator[bytes]:
        """Events of an instrument, newer than the number that was heard last."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        self.readers += 1
        try:
            yield f"retry: {_RECONNECT_MS}\n\n".encode()
            await self._first.wait()
            told, told_away, shown = after, False, None
            while not self.closed:
                turned = self._turned
                if self._away != told_away:
                    told_away = self._away
                    yield _event("away" if told_away else "back", base, None)
                number = self._numbers.get(base, 0)
                if number != told and not self._away:
                    told = number
                    yield _event("change", base, number)
                fresh = self._latest.get(base)
                if fresh is not None and fresh != shown and not self._away:
                    shown = fresh
                    yield _event("fresh", base, None, **told_of(fresh, self._settings))
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        await turned.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.readers -= 1

    async def close(self) -> None:
        """End all streams."""
        self.closed = True
        self._first.set()
        self._turn()
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    def _turn(self) -> None:
        """Wake everybody; who waits next waits for another event."""
        self._turned.set()
        self._turned = asyncio.Event()

    async def _listen(self) -> None:
        attempt = 0
        while not self.closed:
            try:
                async with await psycopg.AsyncConnection.connect(
                    address(self._settings), autocommit=True, application_name="vp"
                ) as connection:
                    await become_reader(connection)
                    await connection.execute(f"LISTEN {CHANNEL}")
                    attempt = 0
                    # Only now: what changes from here on is announced.
                    await self._read(connection)
                    while not self.closed:
                        await self._wait(connection)
            except psycopg.Error as error:
                LOG.warning("no word of changes: %s", " ".join(str(error).split()))
                self._away = True
                self._first.set()
                self._turn()
                await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
                attempt += 1

    async def _wait(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        """For a word, or until a question has to show whether anybody is there to say it."""
        async for _ in connection.notifies(timeout=BEAT_SECONDS, stop_after=1):
            pass
        await self._read(connection)

    async def _read(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        cursor = await connection.execute("SELECT base, number FROM site.change")
        numbers = {str(base): int(str(number)) for base, number in await cursor.fetchall()}
        cursor = await connection.execute(latest.OF_ALL)
        fresh = latest.collected(await cursor.fetchall())
        if (numbers, fresh) != (self._numbers, self._latest) or self._away or not self._first.is_set():
            self._numbers, self._latest, self._away = numbers, fresh, False
            self._first.set()
            self._turn()


def told_of(latest: Latest, settings: Settings) -> dict[str, Any]:
    """The lead's minutes for readers; `late_seconds` after `read_at` the next reading is overdue."""
    return {
        "market": latest.market,
        "read_at": None if latest.read_at is None else latest.read_at.isoformat(),
        # Three may fail, each after its timeout.
        "late_seconds": 3 * settings.poll_seconds + 15,
        "trouble": latest.trouble,
        "provisional": True,
        "minutes": [{**one._asdict(), "open_time": one.open_time.isoformat()} for one in latest.minutes],
    }


@router.get(STREAM_PATH)
async def live(request: Request, instrument: str, after: int | None = None) -> StreamingResponse:
    """The stream of an instrument's changes, as server-sent events."""
    check_known("instrument", instrument, list(settings_of(request).catalog.instruments))
    hub: Hub = request.app.state.hub
    if hub.closed or hub.readers >= MOST_READERS:
        raise HTTPException(503, f"More than {MOST_READERS} readers follow already. Try again later.")
    last = request.headers.get("last-event-id", "")
    heard = int(last) if last.isdecimal() else after
    return StreamingResponse(
        hub.follow(instrument, heard),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def _event(kind: str, base: str, number: int | None, **more: object) -> bytes:
    data = json.dumps({"instrument": base, "number": number, "at": datetime.now(UTC).isoformat(), **more})
    identity = "" if number is None else f"id: {number}\n"
    return f"event: {kind}\n{identity}data: {data}\n\n".encode()
