"""The short form of the soak of the whole platform."""

from pathlib import Path

import pytest

from vp_pipeline_tests.soak.whole import soak_whole


@pytest.mark.platform
def test_a_platform_comes_back_whatever_is_killed(folder: Path) -> None:
    report = soak_whole(folder.resolve(), seed=1, rounds=2)
    assert report.problems == []
    assert (report.lost, report.duplicates, report.rounds) == (0, 0, 2)
    assert report.checked > 0
    # All seven have their turn; one that is down already, as another took it along, is not killed.
    assert report.kills.total() >= 3, report.kills
