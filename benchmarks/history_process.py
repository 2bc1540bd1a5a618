"""The process that `history_sides` times: months of some exchanges, from the sandbox into PostgreSQL.

The markets are those of the markets file. It imports what loading needs and nothing else, as freqtrade's
does. Run by `history_sides` as
`python benchmarks/history_process.py FIRST_MONTH COUNT EXCHANGE...`, with the variables of the platform.
"""

import sys
from datetime import UTC, datetime

from vp_pipeline.assets.history_spot import SpotHistory
from vp_pipeline.exchanges.archive_file import month_of
from vp_pipeline.settings import load_settings


def main(first: str, count: str, *exchanges: str) -> None:
    settings = load_settings()
    chosen = [market for market in settings.catalog.markets if market.exchange in exchanges]
    history = SpotHistory(settings, settings.database_url.get_secret_value())
    month = month_of(datetime.strptime(first, "%Y-%m").replace(tzinfo=UTC))
    for _ in range(int(count)):
        for load in history.load(chosen, month):
            if load.problems:
                raise SystemExit("; ".join(load.problems))
        month = month_of(month.end)


if __name__ == "__main__":
    main(*sys.argv[1:])
