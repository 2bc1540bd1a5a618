"""The `vp strategies` command.

Here belong its options; what it says is in `strategies_report`.
"""

from pathlib import Path

import click

from vp_pipeline.own_data import options, output


def _parameters(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> dict[str, bool | int | float | str]:
    """Each NAME=VALUE, the value as a whole number, number, true or false where it is one."""
    found: dict[str, bool | int | float | str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise click.BadParameter(f"{text!r} is no NAME=VALUE", ctx, param)
        found[name.strip()] = _value(value.strip())
    return found


def _value(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@click.command()
@click.argument("path", metavar="PRICES.csv", type=click.Path(path_type=Path))
@click.option(
    "--strategy",
    "name",
    metavar="NAME",
    required=True,
    help="One of those `vp strategies` knows, or module:function.",
)
@click.option(
    "--fees-bps",
    type=options.Finite(0),
    default=0,
    help="Fees and slippage in basis points, of what is bought and of what is sold.",
)
@click.option(
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parameters,
    help="Of the strategy, in place of its default; may be given more than once.",
)
@click.option(
    "--benchmark",
    metavar="NAME",
    help="A column of the file or another strategy (default: the strategy's own).",
)
@options.periods_per_year
@options.json_flag
def strategies(
    path: Path,
    name: str,
    fees_bps: float,
    parameters: dict[str, bool | int | float | str],
    benchmark: str | None,
    periods_per_year: float,
    print_json: bool,
) -> None:
    """A strategy on the closing prices in a CSV file.

    The first line names the columns: 'date', and one for each symbol. A cell may be empty before a symbol's
    listing and after its delisting. A wrong NAME lists those there are.
    """
    # Imported here so that `vp --help` need not.
    from vp_pipeline.analytics.strategies import STRATEGIES
    from vp_pipeline.analytics.strategy import StrategyError
    from vp_pipeline.own_data import strategies_report
    from vp_pipeline.own_data.prices_file import read_closes

    if name not in STRATEGIES and ":" not in name:
        raise click.BadParameter(
            f"there is no strategy {name!r}; there are {', '.join(STRATEGIES)}", param_hint="--strategy"
        )
    closes = read_closes(path)
    try:
        report = strategies_report.strategy_report(
            path, closes, name, fees_bps, periods_per_year, parameters, benchmark
        )
    except StrategyError as error:
        raise click.UsageError(str(error)) from error
    if print_json:
        output.echo_json(strategies_report.json_of(report))
    else:
        output.echo_table(strategies_report.title_of(report), strategies_report.table_of(report))
        output.echo_remarks(strategies_report.remarks(report))
