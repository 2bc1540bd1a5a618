"""What all tests of the cluster stand on: a Redis and simulated exchanges."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vp_pipeline.runtime import ports
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.cluster.machines import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis of this test run."""
    with ports.taken() as take, tempfile.TemporaryDirectory(prefix="vp-redis-") as folder:
        server = RedisServer(Path(folder), take(0))
        yield server
        server.cut()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """Simulated exchanges."""
    with recordings.serving(GeneratedSource(7), Clock()) as address:
        yield address
