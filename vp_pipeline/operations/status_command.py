"""`vp status`.

Here belongs what is printed; the figures are from `status`.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from vp_pipeline.operations.errors import told_plainly
from vp_pipeline.operations.place import Place, PlaceSettings, opened
from vp_pipeline.operations.status import MarketStatus, Trouble, market_statuses

_WIDTH = 120


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show each market's last closed minute, lag, coverage, gaps and last error."""
    with told_plainly(), opened(PlaceSettings()) as place:
        now = place.catalog.time_of(datetime.now(UTC))
        markets = market_statuses(place.connection, place.catalog, now)
        if as_json:
            click.echo(json.dumps(_document(place, now, markets), indent=2))
        else:
            _show(Console(highlight=False), place, now, markets)


def _document(place: Place, now: datetime, markets: list[MarketStatus]) -> dict[str, Any]:
    return {
        "source": place.source,
        "label": place.label,
        "time": now.isoformat(),
        "markets": [
            {
                "market": market.market,
                "state": market.state,
                "last_closed_minute": market.last and market.last.isoformat(),
                "lag_seconds": None if market.lag is None else round(market.lag.total_seconds()),
                "coverage": market.coverage,
                "unknown_minutes": market.unknown,
                "not_asked_minutes": market.not_asked,
                "unfetchable_minutes": market.unfetchable,
                "revisions": market.revised,
                "last_trouble": market.trouble
                and {
                    "state": market.trouble.state,
                    "start": market.trouble.start.isoformat(),
                    "end": market.trouble.end.isoformat(),
                    "reason": market.trouble.reason,
                },
            }
            for market in markets
        ],
    }


def _show(console: Console, place: Place, now: datetime, markets: list[MarketStatus]) -> None:
    # A row is a line, whatever the width: cut-off names say nothing.
    console.width = max(console.width, _WIDTH)
    if place.label:
        console.print(f"[bold reverse] {place.label} [/]")
    console.print(f"at {now:%Y-%m-%d %H:%M} UTC; coverage in percent, gaps in minutes\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("market", no_wrap=True)
    table.add_column("last minute", no_wrap=True)
    for name in ("lag", "24 h", "30 d", "all", "unknown", "unfetchable", "not asked"):
        table.add_column(name, justify="right", no_wrap=True)
    for market in markets:
        table.add_row(
            market.market if market.state == "live" else f"{market.market} ({market.state})",
            "never" if market.last is None else f"{market.last:%Y-%m-%d %H:%M}",
            _length(market.lag),
            *(_percent(share) for share in market.coverage.values()),
            f"{market.unknown:,}",
            f"{market.unfetchable:,}",
            f"{market.not_asked:,}",
        )
    console.print(table)
    for market in markets:
        if market.trouble is not None:
            console.print(_trouble(market.market, market.trouble), markup=False, soft_wrap=True)


def _trouble(name: str, trouble: Trouble) -> str:
    times = f"{trouble.start:%Y-%m-%d %H:%M} to {trouble.end:%Y-%m-%d %H:%M}"
    return f"\n{name}, {trouble.state} from {times} UTC:\n  {trouble.reason or 'no reason recorded'}"


def _percent(share: float | None) -> str:
    # Cut off, not rounded: 100 % is said of nothing that lacks a minute.
    return "" if share is None else f"{int(share * 10_000) / 100:.2f}"


def _length(lag: timedelta | None) -> str:
    if lag is None:
        return ""
    minutes = max(int(lag.total_seconds()) // 60, 0)
    days, rest = divmod(minutes, 1440)
    if days:
        return f"{days} d {rest // 60} h"
    return f"{rest // 60} h {rest % 60} min" if rest >= 60 else f"{rest} min"
