"""Which asset checks candles and aggregate have, by name and in words.

Here belongs what Dagster lists; how they are judged is in `checks`. One check covers all markets: a check a
market would leave a hundred rows in Dagster's storage at every tick.
"""

from dagster import AssetCheckSpec, AssetKey

_COVERAGE = {
    "markets_answer": "Every market could be fetched in this run; if not, the reason of each.",
    "completeness": "No minute of the last 24 hours is unknown, but for the last ones of a quiet market.",
    "staleness": "The newest final candle of every market is at most 30 minutes old, by exchange time.",
}
_AGGREGATE = {
    "ohlc_sanity": "Low <= open, close <= high; no negative volume; in the last 24 hours.",
    "regular_holes": "No market lacks minutes at a regular distance, as an error of paging makes them.",
    "price_deviation": "No market's price is more than 2 % off the median of all, in US dollars.",
    "unit_agreement": "Volume x price agrees with the exchange's own turnover. A market that does not agree"
    " is left out of the sum.",
    "duplicate_feeds": "No two markets have the same candles. The second of two is left out of the sum.",
    "dead_markets": "Every market trades. One that stands still for a day is left out of the sum.",
}


def of_coverage(key: AssetKey) -> list[AssetCheckSpec]:
    """Checks of the coverage, over all markets."""
    return [AssetCheckSpec(name, asset=key, description=text) for name, text in _COVERAGE.items()]


def of_aggregate(key: AssetKey) -> list[AssetCheckSpec]:
    """Checks of one instrument's aggregate and the candles behind it."""
    return [AssetCheckSpec(name, asset=key, description=text) for name, text in _AGGREGATE.items()]
