"""Binance's archive of candles: zip files by month and day with their checksums, at the original's paths.

Here belong which files there are at the sandbox's time, what they hold and how they go wrong on demand. The
form is that of data.binance.vision: spot files have no header and count microseconds from 2025 on, those of
USD-M futures have a header from the middle of 2022 on. A recording's unknown values are empty cells.
"""

import asyncio
import hashlib
import io
import re
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from aiohttp import web
from pydantic import BaseModel, ConfigDict, field_validator

from vp_pipeline.sandbox import faults
from vp_pipeline.sandbox.candles import FUTURES, STEPS_MS, Candles, Market
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.control import read_body
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.sandbox.wire.base import texts

ARCHIVE = faults.ARCHIVE
SPOT = "binance"

_PATH = re.compile(
    r"data/(?P<folder>spot|futures/um)/(?P<every>monthly|daily)/klines/(?P<symbol>[A-Z0-9]+)/(?P<interval>\w+)"
    r"/(?P=symbol)-(?P=interval)-(?P<date>\d{4}-\d{2}(-\d{2})?)\.zip"
)
_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
_HEADERS_FROM = datetime(2022, 7, 1, tzinfo=UTC)
_MICROSECONDS_FROM = datetime(2025, 1, 1, tzinfo=UTC)
# When a file appears, counted from the end of what it holds.
_DAILY_AFTER = timedelta(hours=3)
_MONTHLY_AFTER = timedelta(days=2)
_CACHED_BYTES = 64 << 20
_KNOWN_DIGESTS = 10_000
# In a revised file every so manieth candle has more volume than before.
_REVISED_EVERY = 7


@dataclass(frozen=True)
class ArchiveFile:
    """One file by its path, which holds the candles that open in [start, stop)."""

    path: str
    market: Market
    interval: str
    start: datetime
    stop: datetime
    monthly: bool

    @property
    def member(self) -> str:
        """The name of the table within the zip file."""
        return f"{self.path.rsplit('/', 1)[1].removesuffix('.zip')}.csv"

    @property
    def published(self) -> datetime:
        """When it appears."""
        return self.stop + (_MONTHLY_AFTER if self.monthly else _DAILY_AFTER)


class Revisions(BaseModel):
    """Body of PUT /_sandbox/archive: the paths of the files whose content is another one from now on."""

    model_config = ConfigDict(extra="forbid")

    revised: list[str]

    @field_validator("revised")
    @classmethod
    def _paths(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if not _PATH.fullmatch(path):
                raise ValueError(f"{path!r} is no path of a file, such as data/spot/monthly/klines/...zip")
        return paths


def revised(candles: Candles) -> Candles:
    """The candles as a revised file has them: some with twice their volume."""
    factor = np.where(np.arange(len(candles)) % _REVISED_EVERY == 0, 2.0, 1.0)
    names = ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
    return replace(candles, **{name: getattr(candles, name) * factor for name in names})


class Archive:
    """The files of one candle source, made when they are first asked for; the last ones are kept."""

    def __init__(self, source: CandleSource, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._markets = {
            (folder, market.base + market.quote): market
            for folder, exchange in (("spot", SPOT), ("futures/um", FUTURES))
            for market in source.markets(exchange)
        }
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._making = asyncio.Lock()
        self.revised: frozenset[str] = frozenset()

    def revise(self, paths: Sequence[str]) -> None:
        """Give these files, and no others, their revised content."""
        for path in self.revised ^ set(paths):
            self._files.pop(path, None)
            self._digests.pop(path, None)
        self.revised = frozenset(paths)

    def find(self, path: str) -> ArchiveFile | None:
        """The file of a path, whether it has appeared yet or not; None if there can be none."""
        match = _PATH.fullmatch(path)
        if match is None or match["interval"] not in STEPS_MS:
            return None
        market = self._markets.get((match["folder"], match["symbol"]))
        monthly = match["every"] == "monthly"
        try:
            start = datetime.strptime(match["date"], "%Y-%m" if monthly else "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            return None
        stop = (start + timedelta(days=31)).replace(day=1) if monthly else start + timedelta(days=1)
        return None if market is None else ArchiveFile(path, market, match["interval"], start, stop, monthly)

    async def content(self, file: ArchiveFile) -> bytes | None:
        """The zip file; None if it has not appeared or holds nothing."""
        if self._clock.now() < file.published:
            return None
        async with self._making:
            if file.path not in self._files:
                candles = self._candles(file)
                if not len(candles):
                    return None
                # Packing takes longer than all the rest: the exchanges answer meanwhile.
                self._keep(file.path, await asyncio.to_thread(_zipped, file, candles))
            self._files.move_to_end(file.path)
            return self._files[file.path]

    async def digest(self, file: ArchiveFile) -> str | None:
        """The SHA-256 of the zip file; None if there is none."""
        if self._clock.now() < file.published:
            return None
        if file.path not in self._digests and await self.content(file) is None:
            return None
        return self._digests[file.path]

    def _candles(self, file: ArchiveFile) -> Candles:
        start, stop = (round(moment.timestamp() * 1000) for moment in (file.start, file.stop))
        step = STEPS_MS[file.interval]
        candles = self._source.candles(file.market, step, start, stop, self._clock.now_ms())
        return revised(candles) if file.path in self.revised else candles

    def _keep(self, path: str, content: bytes) -> None:
        self._files[path] = content
        self._digests[path] = hashlib.sha256(content).hexdigest()
        while len(self._files) > 1 and sum(map(len, self._files.values())) > _CACHED_BYTES:
            self._files.popitem(last=False)
        if len(self._digests) > _KNOWN_DIGESTS:
            self._digests.popitem(last=False)


def add_routes(app: web.Application, source: CandleSource, clock: Clock, active: faults.Faults) -> None:
    """Register the archive below /binance_archive/ and its control endpoint."""
    archive = Archive(source, clock)

    async def get_file(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        file = archive.find(path.removesuffix(".CHECKSUM"))
        fault = active.take(ARCHIVE, file.market.symbol if file else None)
        answer = await _answer(archive, file, path.endswith(".CHECKSUM"), fault)
        return answer if fault is None else await faults.apply(fault, request, answer)

    async def get_revisions(_: web.Request) -> web.Response:
        return web.json_response({"revised": sorted(archive.revised)})

    async def put_revisions(request: web.Request) -> web.Response:
        archive.revise((await read_body(request, Revisions)).revised)
        return web.json_response({"revised": sorted(archive.revised)})

    app.router.add_get(f"/{ARCHIVE}/{{path:.*}}", get_file)
    app.router.add_get("/_sandbox/archive", get_revisions)
    app.router.add_put("/_sandbox/archive", put_revisions)


async def _answer(
    archive: Archive, file: ArchiveFile | None, checksum: bool, fault: faults.Fault | None
) -> web.Response:
    if file is not None and checksum:
        digest = await archive.digest(file)
        if digest is not None:
            if fault is not None and fault.kind == "wrong_checksum":
                digest = digest[::-1]
            return web.Response(text=f"{digest}  {file.path.rsplit('/', 1)[1]}\n")
    elif file is not None:
        content = await archive.content(file)
        if content is not None:
            if fault is not None and fault.kind == "truncated_zip":
                content = content[: len(content) // 2]
            return web.Response(body=content, content_type="application/zip")
    body = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'
    return web.Response(status=404, text=body, content_type="application/xml")


def _zipped(file: ArchiveFile, candles: Candles) -> bytes:
    """The zip file, the same bytes whenever it is made."""
    buffer = io.BytesIO()
    member = zipfile.ZipInfo(file.member, (2020, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, _table(file, candles), zipfile.ZIP_DEFLATED, compresslevel=3)
    return buffer.getvalue()


def _table(file: ArchiveFile, candles: Candles) -> str:
    """The candles as lines of twelve values."""
    futures = file.market.exchange == FUTURES
    scale = 1000 if not futures and file.start >= _MICROSECONDS_FROM else 1
    closes = (candles.open_time + STEPS_MS[file.interval]) * scale - 1
    columns = [
        (candles.open_time * scale).tolist(),
        *(texts(getattr(candles, name)) for name in ("open", "high", "low", "close", "volume")),
        closes.tolist(),
        texts(candles.quote_volume),
        ["nan" if np.isnan(count) else str(int(count)) for count in candles.trades.tolist()],
        texts(candles.taker_buy_volume),
        texts(candles.taker_buy_quote_volume),
    ]
    lines = [",".join(map(str, row)).replace("nan", "") + ",0" for row in zip(*columns, strict=True)]
    if futures and file.start >= _HEADERS_FROM:
        lines.insert(0, _HEADER)
    return "\n".join(lines) + "\n"
