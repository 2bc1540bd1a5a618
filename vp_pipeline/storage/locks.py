"""The numbers of Postgres' advisory locks, and what each keeps to one at a time.

Here belongs every such number, so that no two things wait for each other by chance. Taking a lock is for the
module that needs it.
"""

from enum import IntEnum


class Lock(IntEnum):
    """Locks of one number, or the first half of those of two."""

    # Held by whoever creates or migrates, also by a version before or after this one: it never changes.
    MIGRATION = 7_620_518
    # The others are held within a transaction.
    NEW_MARKETS = 7_620_519
    MARKET = 7_620_520
    """With a market's number: its candles and its ledger."""
    KLINES = 7_620_521
    """With the name of a series: its bars."""
    AGGREGATE_DAY = 7_620_522
    """With an instrument and a day: the aggregate of that day."""
    PROFILES = 7_620_523
    """With an instrument: all of its profiles."""
