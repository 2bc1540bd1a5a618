"""Which market's prices a minute of the aggregate carries.

Here belongs the choice between the lead and its substitutes; the prices are looked up elsewhere.
"""

import numpy as np

from vp_pipeline.analytics.grid import HOURS, Bools, Floats, Ints

BACK = 5
_DAY, _HOUR = HOURS * 60, 60


def price_markets(present: Bools, included: Bools, traded: Floats, lead: int) -> Ints:
    """The column of the market that gives the price, of each minute of the hours; -1 for none.

    The lead serves as long as it has a candle. In a minute it lacks, the venue with the largest volume of
    the trailing 24 hours serves that has one. The substitute stays until the lead has been there in 5
    consecutive minutes, or until it lacks a minute itself; then the lead serves if it is there, else the
    largest again. Only minutes count in which any included venue has a candle. For each hour this is played
    through from the beginning of its trailing 24 hours, with the hour's volumes and verdicts, so that it
    depends on nothing earlier; among substitutes the order may therefore change with the hour.

    Args:
        present: minutes x venues, beginning 23 hours before the first hour.
        included: hours x venues, whether the venue is not left out.
        traded: hours x venues, volume of the trailing 24 hours.
        lead: the lead's column, -1 for none.
    """
    hours = len(included)
    chosen = np.full(hours * _HOUR, -1, dtype=np.int64)
    for hour in range(hours):
        day = present[hour * _HOUR : hour * _HOUR + _DAY]
        out = chosen[hour * _HOUR : (hour + 1) * _HOUR]
        if lead >= 0 and included[hour, lead] and day[-_HOUR - BACK :, lead].all():
            out[:] = lead
            continue
        ranked = [int(c) for c in np.argsort(-traded[hour], kind="stable") if included[hour, c] and c != lead]
        leads = [lead] if lead >= 0 and included[hour, lead] else []
        columns = np.array([*leads, *ranked], dtype=np.int64)
        have = day[:, columns]
        rows = np.flatnonzero(have.any(axis=1))
        first = int(np.searchsorted(rows, _DAY - _HOUR))
        if first < len(rows):
            served = _serve(have[rows], first, bool(leads))
            out[rows[first:] - (_DAY - _HOUR)] = columns[served]
    return chosen


def _serve(have: Bools, first: int, has_lead: bool) -> Ints:
    """The serving column of each row from `first` on; the lead, if any, is column 0, the rest are ranked."""
    rows = len(have)
    settled = np.flatnonzero(_run_length(have[:, 0]) >= BACK) if has_lead else np.array([], dtype=np.int64)
    absent = [np.flatnonzero(~column) for column in have.T]
    served = np.empty(rows, dtype=np.int64)
    before = settled[settled < first]
    # Where the lead has been there long enough, it serves whatever was before.
    row = int(before[-1]) if len(before) else 0
    while row < rows:
        current = int(np.argmax(have[row]))
        if has_lead and current == 0:
            until = _next(absent[0], row, rows)
        else:
            until = min(_next(absent[current], row, rows), _next(settled, row, rows))
        served[row:until] = current
        row = until
    return served[first:]


def _next(places: Ints, row: int, otherwise: int) -> int:
    at = int(np.searchsorted(places, row))
    return int(places[at]) if at < len(places) else otherwise


def _run_length(there: Bools) -> Ints:
    """How many rows in a row, this one included."""
    rows = np.arange(len(there))
    last_absent = np.maximum.accumulate(np.where(there, -1, rows))
    return rows - last_absent
