"""Which of the markets in use an exchange lists, kept on disk for a day: a full list is megabytes.

Here belongs the keeping; asking the exchange is the spot client's affair.
"""

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LIFETIME_SECONDS = 24 * 3600

# ccxt's market by symbol; None where the exchange does not list it.
Listings = dict[str, dict[str, Any] | None]


class ListingsFile:
    """One exchange's listings in `folder`; a sandbox (`host`) has its own, as it is another exchange."""

    def __init__(self, folder: Path, exchange: str, host: str | None) -> None:
        self.path = folder / file_name(exchange, host)

    def read(self, *, aged: bool = False) -> Listings:
        """What is kept and younger than a day, or with `aged` however old it is; nothing else.

        Raises:
            OSError: the file is there and cannot be read.
        """
        try:
            if not aged and time.time() - self.path.stat().st_mtime > LIFETIME_SECONDS:
                return {}
            kept = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):  # ValueError: damaged; the exchange is asked again
            return {}
        return kept if isinstance(kept, dict) else {}

    def write(self, listings: Listings) -> None:
        """Replace what is kept, whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(listings))
        temporary.replace(self.path)


def file_name(exchange: str, host: str | None) -> str:
    """The name of what is kept of a host."""
    place = "" if host is None else "@" + re.sub(r"[^0-9A-Za-z.-]+", "_", host)
    return f"{exchange}{place}.json"


def chosen(markets: dict[str, dict[str, Any]], symbols: Sequence[str]) -> Listings:
    """The spot listings of these symbols, without the exchange's raw description."""
    found = {symbol: markets.get(symbol) for symbol in symbols}
    return {
        symbol: {**market, "info": None} if market is not None and market["spot"] else None
        for symbol, market in found.items()
    }
