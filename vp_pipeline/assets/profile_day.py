"""One day's volume profile: what is computed of it, and the rows of its tables.

Here belongs what a day's inputs become. What is read is in `profile_inputs`, the documents are in
`profile_documents`; when and where it is kept is in `volume_profile_run`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.developing import developing_levels
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.kde import DocumentProfile, document_profile
from vp_pipeline.analytics.level_confidence import Confidence, Sureness, level_confidence
from vp_pipeline.analytics.level_study import StudyDay, level_study
from vp_pipeline.analytics.naked_history import NakedDay, naked_by_day, touches_of_day
from vp_pipeline.analytics.naked_levels import Touch
from vp_pipeline.analytics.nodes import Node, VolumeNodes, volume_nodes
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.scale_space import LastingNode, lasting_nodes
from vp_pipeline.analytics.value_area import ValueArea, value_area
from vp_pipeline.assets.profile_inputs import DayInputs
from vp_pipeline.windows import MINUTE

# Steps of the levels through the day.
STEP = pd.Timedelta(minutes=15)
# Days in a row below which a rate of touches says nothing.
FEWEST_STUDIED = 10


@dataclass(frozen=True, eq=False)
class DayProfile:
    """The day's profile and what is read from it.

    Attributes:
        nodes: with `lasting`, of each high node how long it survives.
        published: the first document's recipe on the aggregate's closes; None where it has none.
        confidence: None where less than two hours are there.
        developing: levels through the day.
        touches: of the points of control that were naked as the day began; without a time: naked still.
        study: whether levels were touched and held, over the stored days; None where it needs more.
        until: the end of the newest minute.
    """

    inputs: DayInputs
    rows: PriceRows
    area: ValueArea
    nodes: VolumeNodes | None
    lasting: tuple[LastingNode | None, ...]
    published: DocumentProfile | None
    confidence: Confidence | None
    developing: pd.DataFrame
    touches: list[Touch]
    study: pd.DataFrame | None
    until: pd.Timestamp

    @property
    def naked(self) -> list[Touch]:
        """Those nothing has touched, the newest first."""
        return sorted((t for t in self.touches if t.naked), key=lambda t: t.level.known, reverse=True)

    @property
    def levels(self) -> dict[str, Sureness | None]:
        """How sure POC, VAH and VAL are, by name."""
        sure = {one.name: one for one in self.confidence.levels} if self.confidence else {}
        return {name: sure.get(name) for name in ("POC", "VAH", "VAL")}

    @property
    def asymmetry(self) -> float:
        """Bought less sold volume."""
        return float(self.inputs.total.delta.delta.sum())


def compute(inputs: DayInputs) -> DayProfile:
    """Everything that is said of the day.

    Raises:
        NotEnoughData: no volume at a price in dollars.
    """
    if inputs.prices.empty:
        raise NotEnoughData("no minute of the aggregate has a price in US dollars")
    rows = inputs.total.rows.trimmed()
    area = value_area(rows)
    nodes = volume_nodes(rows) if (rows.volume > 0).sum() > 1 else None
    every = pd.concat(inputs.candles.values()).sort_values("open_time", kind="stable", ignore_index=True)
    until = every["open_time"].iloc[-1] + MINUTE
    history = naked_by_day(inputs.levels, rows.row_size, pd.Timestamp(inputs.day.start))
    return DayProfile(
        inputs,
        rows,
        area,
        nodes,
        _lasting(rows, nodes) if nodes else (),
        _published(inputs.aggregate),
        _confidence(inputs),
        developing_levels(every, rows.row_size, STEP),
        touches_of_day(history[-1], inputs.prices, until),
        _study(inputs, history),
        until,
    )


def _published(aggregate: pd.DataFrame) -> DocumentProfile | None:
    priced = aggregate.dropna(subset=["close"])
    try:
        return document_profile(priced["close"].to_numpy(), priced["volume"].to_numpy())
    except NotEnoughData:
        return None


def _confidence(inputs: DayInputs) -> Confidence | None:
    try:
        return level_confidence(inputs.candles, inputs.total.row_size)
    except NotEnoughData:
        return None


def _lasting(rows: PriceRows, nodes: VolumeNodes) -> tuple[LastingNode | None, ...]:
    """Of each high node, the maximum at the curve's own bandwidth that stands there."""
    bandwidth = nodes.curve.bandwidth
    found = lasting_nodes(rows, bandwidth)
    prices = np.array([one.price for one in found])

    def of(node: Node) -> LastingNode | None:
        nearest = int(np.argmin(np.abs(prices - node.price)))
        return found[nearest] if abs(prices[nearest] - node.price) <= bandwidth else None

    return tuple(of(node) for node in nodes.high)


def _study(inputs: DayInputs, history: list[NakedDay]) -> pd.DataFrame | None:
    """Levels of each ended day on the next one, over the days before this one that follow each other."""
    columns = ["poc", "vah", "val"]
    levels = dict(zip(inputs.levels["day"], inputs.levels[columns].to_numpy(dtype=float), strict=True))
    naked = {one.day: one.naked for one in history}
    size = inputs.total.row_size
    of_day = dict(list(inputs.past.groupby(inputs.past["open_time"].dt.floor("D"))))
    days: list[StudyDay] = []
    day = pd.Timestamp(inputs.day.start) - pd.Timedelta(days=1)
    while day in levels and day in of_day:
        before = day - pd.Timedelta(days=1)
        known: dict[str, list[float]] = {"POC": [], "VAH": [], "VAL": [], "naked POC": []}
        if before in levels:
            poc, vah, val = levels[before].tolist()
            # A level is a row: the middle of the POC's, the outer edges of the value area's.
            known = {
                "POC": [poc + size / 2],
                "VAH": [vah + size],
                "VAL": [val],
                "naked POC": [one.price + size / 2 for one in naked.get(day, ()) if one.known < day],
            }
        days.insert(0, StudyDay(of_day[day], known))
        day = before
    return level_study(days) if len(days) > FEWEST_STUDIED else None
