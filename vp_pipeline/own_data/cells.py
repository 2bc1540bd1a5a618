"""Reads the number in a cell.

Here belongs what is a number in every kind of file; which numbers may stand there is the file's matter.
"""

import math


def number(text: str) -> float:
    """The number, which may be infinite or NaN.

    Raises:
        ValueError: it is none.
    """
    if "_" in text:  # which Python takes for a separator of digits
        raise ValueError(text)
    return float(text)


def finite(text: str) -> float | None:
    """The finite number, or None for anything else."""
    try:
        value = number(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
