import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: as root the database runs as another user, whom pytest would lock out again."""
    with tempfile.TemporaryDirectory(prefix="vp-soak-") as path:
        yield Path(path)
