"""One exchange's turns, shared by every process of every machine that has the same Redis.

ccxt's limiter counts the requests of one process. Here belongs the count of all: a place in line for each
request, as far behind the one before as the exchange's limit says, whoever made that.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from vp_pipeline.exchanges.errors import FetchError

if TYPE_CHECKING:
    from redis.asyncio import Redis

# How long history waits for a Redis that is away.
PATIENCE_SECONDS = 60.0
_ANSWER_SECONDS = 3.0
_KEY = "vp:pace:"
# The next free place in milliseconds of Redis's own clock, and its key's time to live.
_NEXT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local next = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local function set(place)
    redis.call('SET', KEYS[1], string.format('%.3f', place), 'PX', math.ceil(place - now) + 1000)
end
"""
_TAKE = f"{_NEXT} set(next + tonumber(ARGV[1])) return string.format('%.3f', next - now)"
_HOLD = f"{_NEXT} set(math.max(next, now + tonumber(ARGV[1]))) return '0'"


@asynccontextmanager
async def shared(url: str | None, *, patient: bool) -> AsyncIterator["Pace | None"]:
    """The turns at this Redis; None without one, since nobody else asks then.

    History is `patient` when Redis is away. A tick goes on by ccxt's limiter alone: it would come too late,
    and months that are being loaded wait.
    """
    if url is None:
        yield None
        return
    from redis.asyncio import Redis

    redis = Redis.from_url(
        url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS, retry=None
    )
    async with redis:
        yield Pace(redis, patient=patient)


class Pace:
    """Turns at this Redis, for one event loop."""

    def __init__(self, redis: "Redis", *, patient: bool) -> None:
        self._redis, self._patient, self._away = redis, patient, False
        # A process has one place in line at each exchange, however many markets it asks for.
        self._waiting: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def turn(self, exchange: str, interval_ms: float) -> None:
        """Wait for this request's place in line; the next is as far behind it.

        Raises:
            FetchError: Redis is away for longer than history waits.
        """
        async with self._waiting[exchange]:
            await asyncio.sleep(await self._run(_TAKE, exchange, interval_ms) / 1000)

    async def hold(self, exchange: str, seconds: float) -> None:
        """Let nobody ask before so many seconds are over: the exchange said so to one of us.

        Raises:
            FetchError: as `turn`.
        """
        await self._run(_HOLD, exchange, seconds * 1000)

    async def _run(self, script: str, exchange: str, milliseconds: float) -> float:
        from redis.exceptions import RedisError

        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while not self._away:
            try:
                answer: Any = await self._redis.eval(script, 1, f"{_KEY}{exchange}", milliseconds)
                return float(answer)
            except (RedisError, OSError) as error:
                if not self._patient:
                    self._away = True
                elif asyncio.get_running_loop().time() > deadline:
                    reason = f"Redis, by which workers share the exchange's limit, is away ({error})"
                    raise FetchError(exchange, reason, retryable=True) from error
                else:
                    await asyncio.sleep(1)
        return 0.0
