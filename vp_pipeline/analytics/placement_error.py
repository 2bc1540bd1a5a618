"""How wrong a placement rule is, against the trades themselves.

Here belongs the comparison of two profiles of the same time: one of candles, one of trades. Both are taken as
shares of their own total, so that trades which the candles lack count as differently placed volume only.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Placement, PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import Rule, value_area

CANDLE_RULES: tuple[Placement, ...] = ("uniform", "touched", "midpoint", "close")
COLUMNS = ("placement", "misplaced", "poc_error", "vah_error", "val_error", "poc", "vah", "val")


def misplaced_share(rows: PriceRows, truth: PriceRows) -> float:
    """The part of the volume that would have to move to another row, 0 to 1.

    Raises:
        ValueError: the row sizes differ, or one has no volume.
    """
    if rows.row_size != truth.row_size:
        raise ValueError(f"rows of {rows.row_size} and of {truth.row_size} cannot be compared")
    if rows.total <= 0 or truth.total <= 0:
        raise ValueError("a profile without volume cannot be compared: give candles and trades with volume")
    first = min(rows.first_row, truth.first_row)
    end = max(part.first_row + len(part.volume) for part in (rows, truth))
    ours, theirs = (part.between(first, end - first).volume / part.total for part in (rows, truth))
    return float(np.abs(ours - theirs).sum()) / 2


def placement_errors(
    candles: pd.DataFrame,
    trades: pd.DataFrame,
    row_size: float,
    placements: Sequence[Placement] = CANDLE_RULES,
    share: float = 0.70,
    rule: Rule = "two-row",
) -> pd.DataFrame:
    """For each placement rule, and for the trades: misplaced share, levels, and the levels' errors.

    Args:
        candles: as `volume_by_price` needs them.
        trades: columns price and volume, of the same time.
        row_size: as there.
        placements: rules to compare.
        share: as `value_area` has it.
        rule: as `value_area` has it.

    Returns:
        Columns `COLUMNS`; errors are level minus level of the trades, in the currency of the prices. The
        last row is that of the trades.
    """
    truth = volume_by_price(trades, row_size, "trades")
    true = value_area(truth, share, rule)
    profiles = [(name, volume_by_price(candles, row_size, name)) for name in placements]
    lines = []
    for name, rows in [*profiles, ("trades", truth)]:
        area = value_area(rows, share, rule)
        errors = (area.poc - true.poc, area.vah - true.vah, area.val - true.val)
        lines.append((name, misplaced_share(rows, truth), *errors, area.poc, area.vah, area.val))
    return pd.DataFrame(lines, columns=list(COLUMNS))
