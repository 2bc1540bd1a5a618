"""A database that holds simulated data, and the markets file beside it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from vp_pipeline.storage.connection import transaction
from vp_pipeline_tests.operations import installation


@dataclass(frozen=True)
class Installed:
    """`numbers`: market numbers by exchange."""

    url: str
    markets: Path
    numbers: dict[str, int]


@pytest.fixture(scope="module")
def installed(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    markets = tmp_path_factory.mktemp("operations") / "markets.toml"
    markets.write_text(installation.MARKETS)
    with transaction(database_url) as connection:
        numbers = installation.fill(connection, "sandbox")
    return Installed(database_url, markets, numbers)
