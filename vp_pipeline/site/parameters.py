"""What programs may ask for: parameters that several answers share, and complaints about their values.

Here belong their types, bounds and checks. The form of an answer is in `answers`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import HTTPException, Query
from pydantic import AwareDatetime, Field

from vp_pipeline.windows import EPOCH, Window

MOST_ROWS = 10_000
USUAL_ROWS = 1_000
_LAST = datetime.fromisoformat("3000-01-01T00:00:00+00:00")

Moment = Annotated[AwareDatetime, Field(ge=EPOCH, lt=_LAST)]
Start = Annotated[Moment, Query(description="First moment, with a time zone: 2023-03-11T00:00:00Z.")]
End = Annotated[Moment, Query(description="The moment after the last.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="At most so many rows.")]
Offset = Annotated[int, Query(ge=0, le=10**9, description="Rows to leave out before the first.")]
InstrumentName = Annotated[str, Query(description="A name of /api/v1/instruments.", examples=["BTC"])]


def window_of(start: datetime, end: datetime) -> Window:
    """[start, end) in UTC.

    Raises:
        HTTPException: it is empty.
    """
    if end <= start:
        raise HTTPException(422, "end: must be after start.")
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def check_known(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse what does not exist, and say what does.

    Raises:
        HTTPException: the value is none of the known ones.
    """
    if value not in known:
        raise HTTPException(
            404, f"There is no {name} {value!r}. There are: {', '.join(known) or 'none yet'}."
        )
