"""What Dagster says of the frames that go from step to step, and checks of each value.

Here belong the types. They import pandas when there is a value to check: the code server, which only lists
assets, goes without. Which rows a frame becomes is for `io_manager`.
"""

from collections.abc import Mapping

from dagster import DagsterType, TypeCheck, TypeCheckContext


def _is_frame(_context: TypeCheckContext, value: object) -> TypeCheck:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return TypeCheck(success=True, metadata={"rows": len(value)})
    return TypeCheck(success=False, description=f"a DataFrame is expected, not {type(value).__name__}")


def _are_frames(context: TypeCheckContext, value: object) -> TypeCheck:
    if not isinstance(value, Mapping):
        return TypeCheck(
            success=False, description=f"frames by table are expected, not {type(value).__name__}"
        )
    for name, one in value.items():
        check = _is_frame(context, one)
        if not check.success:
            return TypeCheck(success=False, description=f"{name}: {check.description}")
    return TypeCheck(success=True, metadata={name: len(one) for name, one in value.items()})


DATA_FRAME = DagsterType(_is_frame, name="DataFrame", description="Rows of one table, as a pandas DataFrame.")
DATA_FRAMES = DagsterType(
    _are_frames, name="DataFrames", description="Rows of several tables: a pandas DataFrame by table name."
)
