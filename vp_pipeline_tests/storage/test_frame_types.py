import pandas as pd
import pytest
from dagster import DagsterType, check_dagster_type

from vp_pipeline.storage.frame_types import DATA_FRAME, DATA_FRAMES

FRAME = pd.DataFrame({"day": [1, 2]})


def test_frames_pass_and_say_how_many_rows_they_have() -> None:
    one = check_dagster_type(DATA_FRAME, FRAME)
    some = check_dagster_type(DATA_FRAMES, {"one": FRAME, "other": FRAME[:1]})
    assert (one.success, some.success) == (True, True)
    assert {name: entry.value for name, entry in one.metadata.items()} == {"rows": 2}
    assert {name: entry.value for name, entry in some.metadata.items()} == {"one": 2, "other": 1}


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (DATA_FRAME, [1, 2], "a DataFrame is expected, not list"),
        (DATA_FRAME, {"one": FRAME}, "a DataFrame is expected, not dict"),
        (DATA_FRAMES, FRAME, "frames by table are expected, not DataFrame"),
        (DATA_FRAMES, {"one": FRAME, "other": None}, "other: a DataFrame is expected, not NoneType"),
    ],
)
def test_anything_else_fails(kind: DagsterType, value: object, said: str) -> None:
    check = check_dagster_type(kind, value)
    assert (check.success, check.description) == (False, said)
