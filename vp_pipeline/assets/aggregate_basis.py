"""What the aggregate depends on in the markets file, and which stored hours change with it.

Here belongs the comparison with what the file said at the last run. How marked hours are made anew is in
`aggregate_run`. An instrument's unit of volume is not part of it: candles are stored in the base asset.
"""

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import TypedDict

from vp_pipeline.assets.aggregate import rates_base
from vp_pipeline.catalog import Catalog
from vp_pipeline.storage import ledger, stale
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import HOUR, Window, ceil, floor, midnight


class Basis(TypedDict):
    """Of one base: its lead, whose markets make the rates, and each market's day of retirement, in order."""

    lead: str
    rates: str
    markets: dict[str, str | None]


def mark_changed(connection: Connection, catalog: Catalog, base: str) -> None:
    """Mark the stored hours of the base that the markets file would make otherwise now.

    A lead, an order of markets or an instrument of the rates that changed are all hours. A market that was
    added or removed changes the hours in which anything is known of it, and a day of retirement those from
    the earlier day on.
    """
    now = _basis(catalog, base)
    row = connection.execute(
        "SELECT basis FROM aggregate_basis WHERE base = %s FOR UPDATE", [base]
    ).fetchone()
    before: Basis = now if row is None else json.loads(row[0])
    if row is not None and _said(before) == _said(now):
        return
    if row is not None:
        stale.mark(connection, stale.AGGREGATE, base, _hours(connection, base, before, now))
    connection.execute(
        "INSERT INTO aggregate_basis (base, basis) VALUES (%s, %s)"
        " ON CONFLICT (base) DO UPDATE SET basis = excluded.basis",
        [base, _said(now)],
    )


def _basis(catalog: Catalog, base: str) -> Basis:
    markets = catalog.markets_of(base)
    return {
        "lead": catalog.instruments[base].lead,
        "rates": rates_base(catalog),
        "markets": {m.name: None if m.retired is None else m.retired.isoformat() for m in markets},
    }


def _said(basis: Basis) -> str:
    return json.dumps(basis)


def _hours(connection: Connection, base: str, before: Basis, now: Basis) -> Iterable[datetime]:
    old, new = before["markets"], now["markets"]
    other_order = [name for name in old if name in new] != [name for name in new if name in old]
    if other_order or (before["lead"], before["rates"]) != (now["lead"], now["rates"]):
        found = connection.execute(
            "SELECT DISTINCT date_trunc('hour', open_time, 'UTC') FROM aggregate WHERE base = %s", [base]
        )
        return [hour for (hour,) in found]
    since: dict[str, datetime | None] = dict.fromkeys(old.keys() ^ new.keys())
    for name in old.keys() & new.keys():
        if old[name] != new[name]:
            ends = [day for day in (old[name], new[name]) if day is not None]
            since[name] = midnight(date.fromisoformat(min(ends)))
    return _known(connection, since)


def _known(connection: Connection, since: dict[str, datetime | None]) -> Iterable[datetime]:
    """Hours in which anything is known of each market, from a moment on or of all time."""
    pairs = {name: (name.split(" ")[0], name.split(" ")[1]) for name in since}
    numbers = market_ids(connection, list(pairs.values()))
    known = ledger.known(connection, list(numbers.values()))
    for name, first in since.items():
        for start, end in known[numbers[pairs[name]]]:
            begin = floor(start if first is None else max(start, first), HOUR)
            yield from (hour.start for hour in Window(begin, max(begin, ceil(end, HOUR))).split(HOUR))
