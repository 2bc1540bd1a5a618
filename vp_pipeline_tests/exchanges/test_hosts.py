"""Which hosts are asked: the exchanges' own or a sandbox, never both, and each with its own listings."""

import asyncio
import json
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support
import pytest

from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.futures import FuturesClient
from vp_pipeline.exchanges.listings import LIFETIME_SECONDS
from vp_pipeline.exchanges.spot_client import SpotClient
from vp_pipeline.exchanges.traits import TRAITS, shortest_depth, traits_of
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import HOUR, Window, floor
from vp_pipeline_tests.exchanges.conftest import ONCE, Traffic
from vp_pipeline_tests.exchanges.worlds import NOW, fetch_all, world

WINDOW = Window(floor(NOW, HOUR) - HOUR, floor(NOW, HOUR))


def leaves(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from leaves(value)
    else:
        yield tree


def api(exchange: str, host: str | None) -> list[str]:
    async def main() -> list[str]:
        async with SpotClient(exchange, ["BTC/USDT"], host) as client:
            return list(leaves(client._ccxt.urls["api"]))

    return asyncio.run(main())


def test_certificates_are_read_once_and_asked_of_every_host() -> None:
    async def main() -> list[ssl.SSLContext]:
        found = []
        for exchange in ("binance", "kraken"):
            async with SpotClient(exchange, ["BTC/USDT"]) as client:
                client._ccxt.open()
                found.append(client._ccxt.ssl_context)
                assert client._ccxt.tcp_connector._ssl is found[-1]
        return found

    one, other = asyncio.run(main())
    assert one is other
    assert (one.verify_mode, one.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert one.cert_store_stats()["x509_ca"] > 50


@pytest.mark.parametrize("exchange", TRAITS)
def test_a_host_replaces_every_address_and_keeps_its_path(exchange: str) -> None:
    own = list(leaves(getattr(ccxt.async_support, exchange)().urls["api"]))
    host = "http://127.0.0.1:1/some/where"
    assert api(exchange, None) == own
    assert all(url.startswith("https://") for url in own)
    assert api(exchange, host) == [host + urlsplit(url).path for url in own]


@pytest.mark.parametrize("exchange", TRAITS)
def test_without_a_host_the_exchanges_own_names_alone_are_looked_up(
    exchange: str, source: GeneratedSource, traffic: Traffic
) -> None:
    async def main() -> dict[tuple[str, str], Fetched | FetchError]:
        async with world(source, Clock(NOW, frozen=True)) as here:
            others = {name: host for name, host in here.hosts.items() if name != exchange}
            return await fetch_all([(exchange, "BTC/USDT")], WINDOW, others, None, ONCE)

    outcome = asyncio.run(main())[exchange, "BTC/USDT"]
    assert isinstance(outcome, FetchError)
    assert outcome.retryable
    assert "cannot be reached" in outcome.reason
    made = getattr(ccxt.async_support, exchange)()
    urls = [url.replace("{hostname}", made.hostname or "") for url in leaves(made.urls["api"])]
    assert traffic.names
    assert set(traffic.names) <= {urlsplit(url).hostname for url in urls}


def test_with_hosts_no_name_is_looked_up(source: GeneratedSource, traffic: Traffic) -> None:
    async def main() -> None:
        async with world(source, Clock(NOW, frozen=True)) as here:
            wanted = [(name, here.markets(name)[0].symbol) for name in TRAITS]
            outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, ONCE)
            assert all(isinstance(outcome, Fetched) for outcome in outcomes.values())
            assert all(url.startswith(here.url) for url in traffic.urls)

    asyncio.run(main())
    assert traffic.names == []


def test_the_futures_client_asks_the_exchange_unless_told_otherwise(traffic: Traffic) -> None:
    with pytest.raises(FetchError, match="binanceusdm BTCUSDT: cannot be reached") as caught:
        FuturesClient(patience=ONCE).fetch("BTCUSDT", "1h", HOUR, WINDOW)
    assert caught.value.retryable
    assert set(traffic.names) == {"fapi.binance.com"}


def test_depths() -> None:
    assert shortest_depth(["binance", "okx"]) is None
    assert shortest_depth(["binance", "gate", "kraken"]) == traits_of("kraken").depth
    assert traits_of("an exchange without a line").page == 300


class Ticks:
    """Rounds of requests against one sandbox and one folder of listings."""

    def __init__(self, source: GeneratedSource, traffic: Traffic, folder: Path) -> None:
        self.source, self.traffic, self.folder = source, traffic, folder

    def run(self, *rounds: list[str]) -> list[int]:
        """How many requests other than for candles each round of symbols of binance took."""

        async def main() -> list[int]:
            taken = []
            async with world(self.source, Clock(NOW, frozen=True)) as here:
                for symbols in rounds:
                    self.traffic.urls.clear()
                    # The same address each time: the port is part of a sandbox's name.
                    wanted = [("binance", symbol) for symbol in symbols]
                    outcomes = await fetch_all(wanted, WINDOW, here.hosts, self.folder, ONCE)
                    assert all(isinstance(outcomes[key], Fetched) for key in wanted), outcomes
                    taken.append(len(self.traffic.urls) - len(self.traffic.candles()))
                    (self.file,) = self.folder.glob("binance@*.json")
                    self.between()
            return taken

        return asyncio.run(main())

    def between(self) -> None:
        """What happens to the file after a round."""


@pytest.fixture
def ticks(source: GeneratedSource, traffic: Traffic, tmp_path: Path) -> Ticks:
    return Ticks(source, traffic, tmp_path / "cache")


def test_listings_are_asked_for_once(ticks: Ticks) -> None:
    assert ticks.run(["BTC/USDT", "ETH/USDT"], ["BTC/USDT", "ETH/USDT"], ["ETH/USDT"]) == [1, 0, 0]
    kept = json.loads(ticks.file.read_text())
    assert set(kept) == {"BTC/USDT", "ETH/USDT"}
    assert ticks.file.stat().st_size < 20_000
    assert list(ticks.folder.iterdir()) == [ticks.file]


def test_a_new_symbol_refreshes_the_listings_and_keeps_the_old(ticks: Ticks) -> None:
    assert ticks.run(["BTC/USDT"], ["ETH/USDT"], ["BTC/USDT"], ["BTC/USDT", "ETH/USDT"]) == [1, 1, 0, 0]


@pytest.mark.parametrize("damaged", ['{"BTC/USDT": {"id": "BT', "", "null", "[1]", "\x00"])
def test_damaged_listings_are_asked_for_again(damaged: str, ticks: Ticks) -> None:
    def damage() -> None:
        ticks.file.write_text(damaged)

    ticks.between = damage  # type: ignore[method-assign]
    assert ticks.run(["BTC/USDT"], ["BTC/USDT"]) == [1, 1]


def test_listings_are_kept_for_a_day(ticks: Ticks) -> None:
    def older(by: float) -> None:
        os.utime(ticks.file, (time.time() - by, time.time() - by))

    ticks.between = lambda: older(LIFETIME_SECONDS - 60)  # type: ignore[method-assign]
    assert ticks.run(["BTC/USDT"], ["BTC/USDT"]) == [1, 0]
    ticks.between = lambda: older(LIFETIME_SECONDS + 60)  # type: ignore[method-assign]
    ticks.file.unlink()
    assert ticks.run(["BTC/USDT"], ["BTC/USDT"]) == [1, 1]


def test_a_sandboxs_listings_are_not_the_exchanges(ticks: Ticks, traffic: Traffic) -> None:
    ticks.run(["BTC/USDT"])
    traffic.urls.clear()
    outcomes = asyncio.run(fetch_all([("binance", "BTC/USDT")], WINDOW, {}, ticks.folder, ONCE))
    assert isinstance(outcomes["binance", "BTC/USDT"], FetchError)
    assert "exchangeInfo" in traffic.urls[0]
    assert not (ticks.folder / "binance.json").exists()


def test_a_folder_that_cannot_be_written_is_named(source: GeneratedSource, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")

    async def main() -> Fetched | FetchError:
        async with world(source, Clock(NOW, frozen=True)) as here:
            outcomes = await fetch_all([("binance", "BTC/USDT")], WINDOW, here.hosts, blocked, ONCE)
            return outcomes["binance", "BTC/USDT"]

    outcome = asyncio.run(main())
    assert isinstance(outcome, FetchError)
    assert "cannot keep the exchange's listings" in outcome.reason
    assert str(blocked) in outcome.reason


def test_the_clock_is_asked_where_requests_depend_on_it_and_listings_did_not_tell(
    source: GeneratedSource, traffic: Traffic, tmp_path: Path
) -> None:
    async def main() -> None:
        async with world(source, Clock(NOW, frozen=True)) as here:
            wanted = [("okx", "BTC/USDT"), ("gate", "BTC/USDT"), ("binance", "BTC/USDT")]
            for expected in ([], ["/gate/api/v4/spot/time", "/okx/api/v5/public/time"]):
                traffic.urls.clear()
                outcomes = await fetch_all(wanted, WINDOW, here.hosts, tmp_path, ONCE)
                assert all(len(outcomes[key].frame) == 60 for key in wanted)  # type: ignore[union-attr]  # fails
                assert sorted(urlsplit(url).path for url in traffic.urls if "time" in url[-9:]) == expected

    asyncio.run(main())
