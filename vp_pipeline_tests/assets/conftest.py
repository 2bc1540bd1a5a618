"""Platforms without their processes, replayed and simulated: settings, definitions and an empty database."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import ccxt.async_support
import pytest
from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult

from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.keys import DAY_FORMAT, HOUR_FORMAT, range_tags
from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.recordings.folder import scan
from vp_pipeline.runtime.replay import write_markets_file
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.replay import ReplaySource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import migrate
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.windows import HOUR
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.simulated import MARKETS_FILE, START, Simulated
from vp_pipeline_tests.dumps import dump

_numbers = itertools.count()


@dataclass
class Replayed:
    """What a test of assets works with."""

    settings: Settings
    definitions: Definitions
    instance: DagsterInstance
    sandbox: str
    recording: Path

    @property
    def url(self) -> str:
        return self.settings.database_url.get_secret_value()

    def run(
        self,
        job: str,
        first: datetime | None = None,
        last: datetime | None = None,
        only: list[AssetKey] | None = None,
        must_succeed: bool = True,
    ) -> ExecuteInProcessResult:
        """Run a job, over the hours or days from `first` to `last` if given."""
        key_format = DAY_FORMAT if job in ("volume_profiles", "sessions") else HOUR_FORMAT
        tags = range_tags(first, last or first, key_format) if first is not None else {}
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=tags, asset_selection=only, raise_on_error=must_succeed
        )

    def at_our_own_time(self) -> "Replayed":
        """The same platform, on exchanges whose clock the test sets: as on live ones, no run turns it."""
        settings = self.settings.model_copy(update={"source": "sandbox"})
        return replace(self, definitions=build_defs(settings, PostgresIOManager(database_url=self.url)))

    def all_minutes(self) -> ExecuteInProcessResult:
        """The minutes of the whole recording, in one run."""
        return self.run("tick", recordings.START, recordings.END - HOUR)

    def clock(self, now: datetime) -> None:
        """Set the exchanges' time."""
        recordings.put(self.sandbox, "clock", {"now": now.isoformat(), "frozen": True})

    def faults(self, *faults: dict[str, object]) -> None:
        """Put these faults in force, in place of those before."""
        recordings.put(self.sandbox, "faults", {"faults": list(faults)})

    def dump(self, *without: str) -> dict[str, bytes]:
        """Every table's rows but for those of the tables named."""
        return dump(self.url, *without)


@pytest.fixture(scope="package", autouse=True)
def _no_pauses() -> Iterator[None]:
    """The exchanges' limits are for the tests of `exchanges`: here every request may go at once."""

    async def at_once(*_: object) -> None:
        await asyncio.sleep(0)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ccxt.async_support.Exchange, "throttle", at_once)
        patched.setattr(ccxt.async_support.Exchange, "timeout_on_exit", 0)
        yield


@pytest.fixture(scope="package")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings.write(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def replayed(
    recording: Path, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replayed]:
    with replaying(recording, database_url, tmp_path_factory.mktemp("home")) as platform:
        yield platform


@contextmanager
def replaying(recording: Path, database_url: str, home: Path) -> Iterator[Replayed]:
    """A platform on this recording."""
    scanned = scan(recording)
    write_markets_file(scanned, home / "markets.toml")
    clock = Clock(recordings.END, frozen=True)
    with recordings.serving(ReplaySource(scanned), clock) as address, DagsterInstance.ephemeral() as instance:
        settings = Settings.model_validate(
            {
                "home": home,
                "source": "replay",
                "markets_file": home / "markets.toml",
                "database_url": database_url,
                "exchange_url": address,
            }
        )
        definitions = build_defs(settings, PostgresIOManager(database_url=database_url))
        yield Replayed(settings, definitions, instance, address, recording)


@pytest.fixture
def own_database(postgres_server: EmbeddedPostgres) -> str:
    """Address of a fresh database for one test."""
    url = postgres_server.url(f"healing_{next(_numbers)}")
    migrate.create_database(url)
    migrate.upgrade(url)
    return url


@pytest.fixture
def simulated(tmp_path: Path, own_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    impatient = Patience(timeout_seconds=2, pause_seconds=0.02)
    monkeypatch.setattr(spot, "fetch_all", partial(spot.fetch_all, patience=impatient))
    (tmp_path / "markets.toml").write_text(MARKETS_FILE)
    source = GeneratedSource(seed=3)
    with (
        recordings.serving(source, Clock(START, frozen=True)) as address,
        DagsterInstance.ephemeral() as instance,
    ):
        settings = Settings.model_validate(
            {
                "home": tmp_path,
                "source": "sandbox",
                "markets_file": tmp_path / "markets.toml",
                "database_url": own_database,
                "exchange_url": address,
                "hourly_start": "2025-03-01T00:00:00Z",
            }
        )
        definitions = build_defs(settings, PostgresIOManager(database_url=own_database))
        yield Simulated(settings, definitions, instance, address, source)
