"""A real server on a free port, in a thread, for the tests of the site."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from vp_pipeline.settings import Settings
from vp_pipeline.site.database import Readers
from vp_pipeline.site.server import listen, server
from vp_pipeline.storage.connection import Connection

MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[instruments.ETH]
row_size = 1
lead = "binance ETH/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"

[[markets]]
exchange = "ftx"
symbol = "BTC/USD"
retired = 2022-11-12

[[markets]]
exchange = "binance"
symbol = "ETH/USDT"
"""

Serve = Callable[[Settings], str]


@pytest.fixture(scope="session")
def markets_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "markets.toml"
    path.write_text(MARKETS)
    return path


@pytest.fixture(scope="module")
def settings(database_url: str, markets_file: Path) -> Settings:
    return make_settings(database_url, markets_file)


def make_settings(database_url: str, markets_file: Path, **changes: Any) -> Settings:
    return Settings(database_url=SecretStr(database_url), markets_file=markets_file, **changes)


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """A connection as the site has it."""
    readers = Readers(settings, 1)
    readers.open()
    try:
        with readers.reading() as connection:
            yield connection
    finally:
        readers.close()


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The address of a site of these settings."""
    with listen("127.0.0.1", 0) as listener:
        running = server(settings)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with serving(settings) as url:
        yield url
