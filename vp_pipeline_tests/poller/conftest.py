"""Simulated exchanges whose time stands still, for the tests of the poller."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.poller.installation import Installed, installed


@pytest.fixture(scope="module")
def source() -> GeneratedSource:
    return GeneratedSource(seed=7)


@pytest.fixture(scope="module")
def sandbox(source: GeneratedSource) -> Iterator[str]:
    with recordings.serving(source, Clock()) as address:
        yield address


@pytest.fixture
def here(database_url: str, tmp_path: Path, sandbox: str, source: GeneratedSource) -> Iterator[Installed]:
    found = installed(database_url, tmp_path, sandbox, source)
    yield found
    found.faults()
