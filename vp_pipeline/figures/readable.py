"""Lengths of bars and round numbers, as figures and tables have them.

Here belongs what is written the same way everywhere, and nothing that imports Plotly.
"""

import math

import pandas as pd

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def bar_name(bar: pd.Timedelta) -> str:
    """As 5-minute, 1-hour or 1-day."""
    seconds = bar.total_seconds()
    length, name = next(((unit, name) for unit, name in _UNITS if seconds % unit == 0), _UNITS[-1])
    return f"{seconds / length:g}-{name}"


def round_above(least: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is at least this (positive) number, but for rounding."""
    power = math.floor(math.log10(least))
    # Of text, as 1 * 10 ** -1 may differ from 0.1.
    sizes = (float(f"{step}e{exponent}") for exponent in (power, power + 1) for step in (1, 2, 5))
    return next(size for size in sizes if size >= least * (1 - 1e-9))
