"""What the sandbox's tests share: one seeded world and the instant at which most of them look at it."""

from datetime import UTC, datetime

import pytest

from vp_pipeline.sandbox.generator import GeneratedSource

NOW = datetime(2025, 3, 5, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def source() -> GeneratedSource:
    return GeneratedSource(seed=7)
