"""The commands `vp profile`, `vp volatility` and `vp sessions`.

Here belong their options and what these mean; each imports the work when it is called.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vp_pipeline.own_data.options import DAYS_PER_YEAR, Finite, json_flag
from vp_pipeline.own_data.output import echo_json

if TYPE_CHECKING:
    from vp_pipeline.analytics.price_rows import Placement
    from vp_pipeline.analytics.session_hours import Preset
    from vp_pipeline.analytics.value_area import Rule
    from vp_pipeline.own_data.profile import Recipe

_FILE = click.argument("file", type=click.Path(path_type=Path))
_HTML = click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="Write one self-contained page to OUT instead.",
)


@click.command(no_args_is_help=True)
@_FILE
@click.option("--row", type=Finite(0, above=True), metavar="SIZE", help="Height of a price row; see below.")
@click.option(
    "--placement",
    type=click.Choice(["close", "midpoint", "touched", "uniform", "trades"]),
    default="uniform",
    show_default=True,
    help="Where a candle's volume goes: at its close, at the middle of low and high, in equal parts to the"
    " rows it touched, or evenly from low to high; trades reads a file of trades.",
)
@click.option(
    "--value-area",
    "rule",
    type=click.Choice(["two-row", "one-row", "both-sides"]),
    default="two-row",
    show_default=True,
    help="How the value area grows from the POC: by the larger of the two rows above and the two below,"
    " by the larger of one and one, or by one on both sides at once.",
)
@click.option(
    "--share",
    type=Finite(0, above=True),
    default=0.70,
    show_default=True,
    help="Part of the volume the value area holds, at most 1.",
)
@click.option(
    "--nodes",
    "recipe",
    type=click.Choice(["rows", "document"]),
    default="rows",
    show_default=True,
    help="How nodes are found: from the rows, or as the first document does, from closes alone.",
)
@json_flag
@_HTML
def profile(
    file: Path,
    row: float | None,
    placement: "Placement",
    rule: "Rule",
    share: float,
    recipe: "Recipe",
    print_json: bool,
    html: Path | None,
) -> None:
    """Volume by price of a candle FILE (.csv or .csv.gz), with its POC, value area and nodes.

    Columns: low, high and volume, or close and volume for --placement close, or price and amount (or volume,
    quantity, qty, size) of trades, in any order, for --placement trades; with open_time (ISO 8601,
    without an offset UTC, or Unix seconds, milliseconds or microseconds, told apart by magnitude), open,
    high, low and close, --html draws the candles too. Other columns are not read.

    Row k of size s holds the prices from k*s up to, not including, (k+1)*s. A row is named by its low edge,
    and so are POC, VAH and VAL: VAH is the low edge of the value area's highest row, which reaches up to
    VAH + s.

    Without --row the size is the least of 1, 2 or 5 times a power of ten that makes at most 100 rows of the
    price range; of a single price, about a ten-thousandth.

    Nodes are the peaks (high) of a kernel density of the rows that stand out by a tenth of its maximum, and
    the valley (low) between each two. Prominence is a share of the maximum, width is at half prominence, in
    prices, and share is the part of all volume within it.

    With --nodes document they are the peaks of the published curve that stand out by 0.3 of its maximum: a
    kernel density of the closes weighted by volume, with a bandwidth of 0.1 of their deviation, on 500
    samples from the lowest to the highest close. --json and --html have the curve and its histogram of 150
    bins.
    """
    if share > 1:
        raise click.BadParameter(f"{share} is above 1", param_hint="--share")
    _one_output(print_json, html)
    from vp_pipeline.own_data import profile as made

    result = made.make(file, row, placement, rule, share, recipe)
    how = f"({'from the price range' if row is None else 'as given'}), volume placed by {placement}"
    how += f", value area of {share:.0%} by {rule}"
    if html is not None:
        made.write_html(html, file, result, how)
    else:
        _echo(print_json, result.document, lambda: made.text(file, result, how))


@click.command(no_args_is_help=True)
@_FILE
@click.option(
    "--estimator",
    required=True,
    type=click.Choice(
        [
            "close-to-close",
            "parkinson",
            "garman-klass",
            "rogers-satchell",
            "yang-zhang",
            "realized-variance",
        ]
    ),
)
@click.option("--window", required=True, type=click.IntRange(min=1), help="Observations in a window.")
@click.option(
    "--periods-per-year",
    type=Finite(0, above=True),
    default=DAYS_PER_YEAR,
    show_default=True,
    help="Bars in a year: 365 for days, 8760 for hours, 525600 for minutes of a market that never closes.",
)
@json_flag
def volatility(file: Path, estimator: str, window: int, periods_per_year: float, print_json: bool) -> None:
    """Rolling volatility a year of a candle FILE (.csv or .csv.gz).

    Columns: close; for parkinson high and low; for garman-klass, rogers-satchell and yang-zhang open, high,
    low and close. Without open_time the lines are taken for consecutive bars.

    A value rests on the latest WINDOW observations up to its bar and is empty (null) until there are so
    many. A filled bar (volume 0 and one price) is no observation, as if it were missing. A return from one
    close to the next is none in the first bar, nor after a filled or missing bar, as it spans more than
    one bar; a bar is missing where open_time moves on by more than one and a half times its median step.
    A bar without an observation repeats the value of the one before.
    """
    from vp_pipeline.analytics.volatility import ESTIMATORS
    from vp_pipeline.own_data import volatility as made

    least = ESTIMATORS[estimator].least
    if window < least:
        raise click.BadParameter(f"{estimator} needs {least} or more", param_hint="--window")
    result = made.make(file, estimator, window, periods_per_year)
    _echo(print_json, result.document, lambda: made.text(file, result))


@click.command(no_args_is_help=True)
@_FILE
@click.option(
    "--preset",
    type=click.Choice(["document", "exchange"]),
    default="document",
    show_default=True,
    help="Sessions by fixed UTC hours, or by the local hours of three exchanges.",
)
@click.option(
    "--bars",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="Write every bar with its return, weekday and session to OUT (CSV) instead.",
)
@click.option(
    "--recipe",
    type=click.Choice(["standard", "document"]),
    default="standard",
    show_default=True,
    help="The table as it should be, or as the second document computes it, for comparison.",
)
@click.option(
    "--first-weekday",
    type=click.IntRange(0, 6),
    default=5,
    show_default=True,
    help="Weekday of the first row, 0 for Sunday; of the published recipe alone.",
)
@json_flag
@_HTML
def sessions(
    file: Path,
    preset: "Preset",
    bars: Path | None,
    recipe: str,
    first_weekday: int,
    print_json: bool,
    html: Path | None,
) -> None:
    """Volatility, volume and returns of a candle FILE (.csv or .csv.gz) by weekday and trading session.

    Columns: open_time, open, close and volume; trades (or count) and taker_buy_volume add volume per trade
    and the takers' share. A bar's length is the median step of open_time. Weekdays are those of UTC.

    \b
    document  AS 23-6, ASEU 6-8, EU 8-12, EUNA 12-15, NA 15-21, OTHERS 21-23, hours UTC
    exchange  AS 9-18 in Tokyo, EU 8-17 in London, NA 8-17 in New York, on every day of the week;
              ASEU and EUNA while two of them are open, OTHERS while none is

    A return exists from one bar to the next: none over missing bars, nor from or to a bar without a trade. A
    bar that rises by 20 % or more is left out. Intervals are from resampling whole days; groups that differ
    from the rest, after Holm's correction, are marked.
    """
    _one_output(print_json, html)
    if bars is not None and (print_json or html is not None):
        raise click.UsageError("--bars excludes --json and --html: give one")
    if recipe == "document":
        if bars is not None or html is not None or preset != "document":
            raise click.UsageError("--recipe document has no --bars, no --html and one --preset, document")
        from vp_pipeline.own_data import sessions_published

        table = sessions_published.make(file, first_weekday)
        _echo(
            print_json,
            lambda: sessions_published.document(table),
            lambda: sessions_published.text(file, table),
        )
        return
    from vp_pipeline.own_data import sessions as made

    if bars is not None:
        made.write_bars(bars, made.read(file, preset))
        return
    report = made.make(file, preset)
    if html is not None:
        made.write_html(html, file, report)
    else:
        _echo(print_json, lambda: made.document(report), lambda: made.text(file, report))


def _one_output(print_json: bool, html: Path | None) -> None:
    if print_json and html is not None:
        raise click.UsageError("--json and --html exclude each other: give one")


def _echo(print_json: bool, document: Callable[[], object], text: Callable[[], str]) -> None:
    if print_json:
        echo_json(document())
    else:
        click.echo(text())
