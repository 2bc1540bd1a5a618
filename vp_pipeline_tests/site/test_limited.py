"""What one client may ask: how often, how much at once, how many streams; and that others do not notice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from vp_pipeline.settings import Settings
from vp_pipeline.site import limited, metrics, status_queries
from vp_pipeline.site.limited import AT_ONCE, MOST_STREAMS, Limited, client_of
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import Window
from vp_pipeline_tests.site.conftest import make_settings, serving


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somebody", "somebody"),
    ],
)
def test_a_client_is_an_address_and_of_ipv6_a_network(address: str, client: str) -> None:
    assert client_of({"type": "http", "client": (address, 4711)}) == client
    assert client_of({"type": "http", "client": None}) == ""


def test_addresses_of_one_network_are_counted_together(database_url: str, markets_file: Path) -> None:
    with serving(make_settings(database_url, markets_file, site_rate=4)) as url:

        def ask(address: str) -> int:
            # The server believes a proxy on this machine.
            headers = {"X-Forwarded-For": address}
            return requests.get(f"{url}/api/v1/artifacts", headers=headers, timeout=10).status_code

        assert [ask(f"2001:db8::{number}") for number in range(1, 6)] == [200] * 4 + [429]
        assert ask("2001:db8:0:1::1") == 200


def test_a_profile_from_every_candle_counts_ten_times(database_url: str, markets_file: Path) -> None:
    span = "start=2023-03-11T00:00Z&end=2023-03-12T00:00Z"
    dear = (f"/api/v1/profile?instrument=BTC&{span}&placement=close", "/?period=1d&placement=touched")
    cheap = f"/api/v1/profile?instrument=BTC&{span}&placement=uniform"
    with serving(make_settings(database_url, markets_file, site_rate=25)) as url:
        assert [requests.get(url + path, timeout=10).status_code for path in dear] == [200] * 2
        refused = requests.get(url + dear[0], timeout=10)
        assert refused.status_code == 429
        assert "of which this counts as 10" in refused.json()["detail"]
        statuses = [requests.get(url + cheap, timeout=10).status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]


def test_one_client_has_so_many_streams_and_another_its_own(settings: Settings) -> None:
    with serving(settings) as url, ExitStack() as stack:

        def follow(headers: dict[str, str] | None = None) -> requests.Response:
            return stack.enter_context(
                requests.get(f"{url}/live?instrument=BTC", headers=headers, stream=True, timeout=10)
            )

        streams = [follow() for _ in range(MOST_STREAMS)]
        assert {one.status_code for one in streams} == {200}
        refused = follow()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "streams are open" in refused.json()["detail"]
        assert follow({"X-Forwarded-For": "203.0.113.7"}).status_code == 200
        assert requests.get(f"{url}/api/v1/artifacts", timeout=10).ok, "streams are no answers under way"
        streams[0].close()
        until = time.monotonic() + 5
        while follow().status_code != 200:
            assert time.monotonic() < until, "a closed stream is counted still"
            time.sleep(0.05)


class Slow:
    """An application whose answers take until they are let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["client"][0])
        await self.go.wait()
        await PlainTextResponse("made")(scope, receive, send)


async def _nothing() -> Message:
    return {"type": "http.request"}


def _request(app: Limited, client: str, path: str = "/", said: Send | None = None) -> Awaitable[list[Any]]:
    scope = {"type": "http", "path": path, "query_string": b"", "client": (client, 1), "headers": []}

    async def ask() -> list[Any]:
        messages: list[Any] = []

        async def send(message: Message) -> None:
            messages.append(message)
            if said is not None:
                await said(message)

        await app(scope, _nothing, send)
        return messages

    return asyncio.create_task(ask())


async def _settled(true: Callable[[], bool]) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    assert true()


def test_more_requests_at_once_wait_and_hold_up_nobody_else() -> None:
    async def work() -> None:
        slow = Slow()
        app = Limited(slow, 100)
        asked = [_request(app, "192.0.2.1") for _ in range(AT_ONCE + 3)]
        await _settled(lambda: slow.asked == ["192.0.2.1"] * AT_ONCE)
        asked += [_request(app, "192.0.2.2"), _request(app, "192.0.2.1", "/static/site.css")]
        await _settled(lambda: slow.asked[AT_ONCE:] == ["192.0.2.2", "192.0.2.1"])
        slow.go.set()
        answers = await asyncio.gather(*asked)
        assert [one[0]["status"] for one in answers] == [200] * len(asked)
        del asked, answers
        assert not app._turns, "clients are forgotten"

    asyncio.run(work())


def test_an_answer_that_is_made_leaves_its_turn_though_its_reader_is_slow() -> None:
    async def work() -> None:
        slow, read = Slow(), asyncio.Event()
        slow.go.set()
        app = Limited(slow, 100)

        async def reads_slowly(_message: Message) -> None:
            await read.wait()

        slowly = [_request(app, "192.0.2.1", said=reads_slowly) for _ in range(AT_ONCE)]
        await _settled(lambda: len(slow.asked) == AT_ONCE)
        other = await asyncio.wait_for(_request(app, "192.0.2.1"), 5)
        assert other[0]["status"] == 200
        read.set()
        await asyncio.gather(*slowly)

    asyncio.run(work())


def test_who_waits_too_long_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited, "_PATIENCE_SECONDS", 0.01)

    async def work() -> None:
        slow = Slow()
        app = Limited(slow, 100)
        under_way = [_request(app, "192.0.2.1") for _ in range(AT_ONCE)]
        start, body = await asyncio.wait_for(_request(app, "192.0.2.1"), 5)
        assert start["status"] == 429
        assert dict(start["headers"])[b"retry-after"] == b"1"
        assert b"still being answered" in body["body"]
        slow.go.set()
        await asyncio.gather(*under_way)
        [again, _] = await _request(app, "192.0.2.1")
        assert again["status"] == 200

    asyncio.run(work())


def test_a_mistake_gives_the_turn_back() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("broken")

    async def work() -> None:
        app = Limited(broken, 100)
        for _ in range(AT_ONCE + 1):
            with pytest.raises(ValueError, match="broken"):
                await asyncio.wait_for(_request(app, "192.0.2.1"), 5)

    asyncio.run(work())


def test_without_a_rate_nothing_waits() -> None:
    async def work() -> None:
        slow = Slow()
        app = Limited(slow, 0)
        asked = [_request(app, "192.0.2.1") for _ in range(AT_ONCE + 3)]
        await _settled(lambda: len(slow.asked) == AT_ONCE + 3)
        slow.go.set()
        await asyncio.gather(*asked)

    asyncio.run(work())


def test_metrics_ask_the_database_once_in_ten_seconds(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Connection] = []
    known = status_queries.last_day

    def counted(connection: Connection) -> Window | None:
        asked.append(connection)
        return known(connection)

    monkeypatch.setattr(status_queries, "last_day", counted)
    with serving(settings) as url:
        texts = [requests.get(f"{url}/metrics", timeout=10).text for _ in range(3)]
        assert len(asked) == 1
        assert all("vp_database_up 1" in text for text in texts)
        assert 'route="/metrics",method="GET",status="200"} 2' in texts[-1], "what costs nothing is as of now"
        monkeypatch.setattr(metrics, "KEPT_SECONDS", 0.0)
        requests.get(f"{url}/metrics", timeout=10)
        assert len(asked) == 2
