from typing import Any
from unittest.mock import Mock, call

import pytest
from dagster import Failure

from vp_pipeline.assets.outcomes import tell_outcome


def tell(count: int, failed: dict[str, str], **more: Any) -> Mock:
    """The log of the step."""
    context = Mock()
    tell_outcome(
        context, "fetched", "a line", count=count, failed=failed, if_none="None came.", again=False, **more
    )
    log: Mock = context.log
    return log


def test_how_many_are_done_is_said_and_what_failed_is_a_warning() -> None:
    assert tell(3, {}).mock_calls == [call.info("3 of 3 fetched\na line")]
    assert tell(3, {}, warn=True).mock_calls == [call.warning("3 of 3 fetched\na line")]
    assert tell(3, {"one": "why"}).mock_calls == [call.warning("2 of 3 fetched\na line")]
    assert tell(0, {}).mock_calls == [call.info("0 of 0 fetched\na line")]


def test_the_step_fails_when_all_have() -> None:
    with pytest.raises(Failure) as caught:
        tell(2, {"one": "why", "other": "because"})
    assert (caught.value.description, caught.value.allow_retries) == ("None came.", False)
    assert {name: entry.value for name, entry in caught.value.metadata.items()} == {
        "one": "why",
        "other": "because",
    }
