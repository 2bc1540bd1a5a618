"""`vp export`.

Here belong its options and what it says; reading is in `export`, writing in `export_files`.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from vp_pipeline.analytics.timeframes import MINUTES
from vp_pipeline.operations import export as exporting
from vp_pipeline.operations.errors import told_plainly
from vp_pipeline.operations.export_files import Format, write
from vp_pipeline.operations.place import PlaceSettings, opened
from vp_pipeline.windows import EPOCH, Window


class Moment(click.ParamType[datetime]):
    """A day or an ISO 8601 time; without an offset it is UTC."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2024-01-31 or 2024-01-31T12:00", param, ctx)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if moment.second or moment.microsecond:
            self.fail(f"{value!r} is no whole minute", param, ctx)
        return moment


@click.command()
@click.option("--instrument", metavar="BASE", help="The aggregate of an instrument, such as BTC.")
@click.option("--market", metavar="NAME", help="The candles of a market, such as 'binance BTC/USDT'.")
@click.option("--from", "start", type=Moment(), help="First minute, UTC; without it the first stored.")
@click.option("--to", "end", type=Moment(), help="Where it ends, itself not included; without it the last.")
@click.option("--timeframe", type=click.Choice(list(MINUTES)), default="1m", show_default=True)
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet"]), help="Without it, what the file's name says."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def export(
    instrument: str | None,
    market: str | None,
    start: datetime | None,
    end: datetime | None,
    timeframe: str,
    form: Format | None,
    out: Path,
    overwrite: bool,
) -> None:
    """Write candles of an instrument or a market to a CSV or Parquet file."""
    if (instrument is None) == (market is None):
        raise click.UsageError("say either --instrument or --market")
    window = _window(start or EPOCH, end or datetime.now(UTC) + timedelta(days=1))
    form = form or _by_name(out)
    with told_plainly(), opened(PlaceSettings()) as place:
        if instrument is not None:
            series = exporting.instrument(place, instrument)
        else:
            series = exporting.market(place, str(market))
        if place.label:
            click.echo(f"{place.label}: the column `source` of every row says so", err=True)
        blocks = exporting.blocks(place, series, window, timeframe)
        metadata = {
            "vp.source": place.source,
            "vp.label": place.label or "",
            "vp.series": series.name,
            "vp.timeframe": timeframe,
        }
        count = write(out, form, blocks, metadata, overwrite)
    click.echo(f"{out}: {count:,} candles of {series.name}, {timeframe}")


def _window(start: datetime, end: datetime) -> Window:
    if end <= start:
        raise click.UsageError(f"--to {end:%Y-%m-%d %H:%M} is not after --from {start:%Y-%m-%d %H:%M}")
    return Window(start, end)


def _by_name(out: Path) -> Format:
    by_suffix: dict[str, Format] = {".csv": "csv", ".parquet": "parquet"}
    found = by_suffix.get(out.suffix.lower())
    if found is None:
        raise click.UsageError(f"{out} is neither .csv nor .parquet: say --format")
    return found
