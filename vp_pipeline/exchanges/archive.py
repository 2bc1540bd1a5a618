"""Binance's archive: months and days of candles as files, verified by their published checksums.

Here belong asking, limits and retries; what is accepted as a file is in `archive_file`.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self, TypeVar

import aiohttp
import pandas as pd

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.archive_file import ArchiveFile, BadArchiveError, read
from vp_pipeline.exchanges.errors import FetchError, by_status, heeding
from vp_pipeline.exchanges.patience import Patience

LIVE = "https://data.binance.vision"
HOST = "binance_archive"
"""The name under which a sandbox stands in for the archive."""

T = TypeVar("T")

PATIENCE = Patience(attempts=3, timeout_seconds=120.0)
_LARGEST_FILE = 32 * 1024 * 1024
_LARGEST_CHECKSUM = 1024
_PIECE = 64 * 1024
_CONNECTIONS = 8


@dataclass(frozen=True)
class Archived:
    """A verified file: its SHA-256 and its bars, with `file.columns`."""

    file: ArchiveFile
    sha256: str
    frame: pd.DataFrame


class ArchiveClient:
    """`host`, if given, stands in for the archive's own: a sandbox."""

    def __init__(self, host: str | None = None, patience: Patience = PATIENCE) -> None:
        self._host = host or LIVE
        self._patience = patience
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=patience.timeout_seconds),
            trust_env=host is None,
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def checksum(self, file: ArchiveFile) -> str | None:
        """The published SHA-256 of a file; None if the archive has no such file (yet).

        Raises:
            FetchError: the archive could not be asked, or answered with something else.
        """
        return await self._patiently(lambda: self._checksum(file))

    async def fetch(self, file: ArchiveFile) -> Archived | None:
        """A file, parsed only after its bytes have the published checksum; None if there is none (yet).

        Raises:
            FetchError: the archive could not be asked, or the file is not what it should be.
        """
        return await self._patiently(lambda: self._fetch(file))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What is asked for, asked again after pauses as long as that may help."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await ask()
            except FetchError as error:
                pause = self._patience.after(error, attempt)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _fetch(self, file: ArchiveFile) -> Archived | None:
        body = asyncio.create_task(self._get(file, file.path, _LARGEST_FILE))
        try:
            published, content = await self._checksum(file), await body
        finally:
            body.cancel()
            await asyncio.gather(body, return_exceptions=True)
        if published is None or content is None:
            return None
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        if digest != published:
            reason = f"{len(content)} bytes do not have the published checksum: nothing of them is used"
            raise FetchError(_market(file), f"{file.path}: {reason}", retryable=True)
        try:
            frame = await asyncio.to_thread(read, file, content)
        except BadArchiveError as error:
            raise FetchError(_market(file), f"{file.path} is refused: {error}") from error
        return Archived(file, digest, frame)

    async def _checksum(self, file: ArchiveFile) -> str | None:
        content = await self._get(file, f"{file.path}.CHECKSUM", _LARGEST_CHECKSUM)
        if content is None:
            return None
        text = content.decode("ascii", errors="replace")
        match = re.fullmatch(rf"([0-9a-f]{{64}})  {re.escape(file.name)}\.zip\s*", text)
        if match is None:
            reason = f"{file.path}.CHECKSUM is no checksum of it: {text[:80]!r}"
            raise FetchError(_market(file), reason, retryable=True)
        return match[1]

    async def _get(self, file: ArchiveFile, path: str, limit: int) -> bytes | None:
        """The body, never more than `limit` bytes of it; None if it is not found."""
        market, answer, parts, size = _market(file), Answer(), [], 0
        try:
            async with self._session.get(f"{self._host}/{path}", allow_redirects=False) as response:
                answer.note(response.status, response.headers)
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise _refused(market, path, answer)
                async for part in response.content.iter_chunked(_PIECE):
                    size += len(part)
                    if size > limit:
                        raise FetchError(market, f"{path} has more than {limit} bytes: it is refused")
                    parts.append(part)
        except TimeoutError as error:
            seconds = f"{self._patience.timeout_seconds:g} s"
            raise FetchError(market, f"{path} did not arrive within {seconds}", retryable=True) from error
        except aiohttp.ClientError as error:
            reason = f"{path} cannot be fetched ({type(error).__name__}: {str(error)[:160]})"
            raise FetchError(market, reason, retryable=True) from error
        return b"".join(parts)


def _market(file: ArchiveFile) -> str:
    return f"binance archive {file.symbol}"


def _refused(market: str, path: str, answer: Answer) -> FetchError:
    """What a status other than found and not found means."""
    failure = by_status(market, answer, "the archive")
    if failure is None:
        status = answer.status or 0
        passing = status == 408 or status >= 500
        what = "has an error" if passing else "refused the request"
        failure = FetchError(market, f"the archive {what} (HTTP {status} for {path})", passing)
    return heeding(failure, answer)
