"""The `vp strategies` command.

Here belong its options; what it says is in `strategies_report`.
"""

from pathlib import Path

import click

from vp_pipeline.own_data import options


@click.command()
@click.argument("path", metavar="PRICES.csv", type=click.Path(path_type=Path))
@click.option("--strategy", "name", metavar="NAME", required=True, help="One of those `vp strategies` knows.")
@click.option(
    "--fees-bps",
    type=options.Finite(0),
    default=0,
    help="Fees and slippage in basis points, of what is bought and of what is sold.",
)
@options.periods_per_year
@options.as_json
def strategies(path: Path, name: str, fees_bps: float, periods_per_year: float, as_json: bool) -> None:
    """A strategy on the closing prices in a CSV file.

    The first line names the columns: 'date', and one for each symbol. A cell may be empty before a symbol's
    listing and after its delisting. A wrong NAME lists those there are.
    """
    # Imported here so that `vp --help` need not.
    from vp_pipeline.analytics.strategies import STRATEGIES
    from vp_pipeline.own_data import strategies_report
    from vp_pipeline.own_data.prices_file import read_closes

    if name not in STRATEGIES:
        raise click.BadParameter(
            f"there is no strategy {name!r}; there are {', '.join(STRATEGIES)}", param_hint="--strategy"
        )
    report = strategies_report.strategy_report(path, read_closes(path), name, fees_bps, periods_per_year)
    if as_json:
        options.echo_json(strategies_report.json_of(report))
    else:
        options.echo_table(strategies_report.title_of(report), strategies_report.table_of(report))
        options.echo_remarks(strategies_report.remarks(report))
