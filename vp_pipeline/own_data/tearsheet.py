"""The `vp tearsheet` command.

Here belong its options; what it says is in `returns_report`.
"""

from pathlib import Path

import click

from vp_pipeline.own_data import options, output


@click.command()
@click.argument("path", metavar="RETURNS.csv", type=click.Path(path_type=Path))
@click.option("--benchmark", metavar="COLUMN", help="Compare the others with this column.")
@click.option(
    "--fees-bps",
    type=options.Finite(0),
    default=0,
    help="Take this fee from every row whose return is not 0, as if the whole wealth were traded once:"
    " returns do not tell what was traded. The benchmark pays none.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Variants tried in all, for the deflated Sharpe ratio (default: the columns).",
)
@options.periods_per_year
@click.option(
    "--html", "page", metavar="OUT", type=click.Path(path_type=Path), help="Write a page with figures."
)
@options.json_flag
def tearsheet(
    path: Path,
    benchmark: str | None,
    fees_bps: float,
    trials: int | None,
    periods_per_year: float,
    page: Path | None,
    print_json: bool,
) -> None:
    """Statistics of the returns in a CSV file.

    The first line names the columns: 'date', and one or more of returns as fractions (0.01 for 1 %).
    """
    if page and print_json:
        raise click.UsageError("--html and --json exclude each other: choose one")
    # Imported here so that `vp --help` need not.
    from vp_pipeline.own_data import returns_report
    from vp_pipeline.own_data.returns_file import read_returns

    returns = read_returns(path)
    if benchmark is not None and benchmark not in returns:
        raise click.BadParameter(
            f"{benchmark!r} is no column of {path}; there are {', '.join(map(str, returns))}",
            param_hint="--benchmark",
        )
    variants = len(returns.columns) - (benchmark is not None)
    if not variants:
        raise click.BadParameter("the only column cannot be its own benchmark", param_hint="--benchmark")
    if trials is not None and trials < variants:
        raise click.BadParameter(
            f"the file alone has {variants} variants: name at least as many", param_hint="--trials"
        )
    report = returns_report.returns_report(path, returns, benchmark, fees_bps, periods_per_year, trials)
    if print_json:
        output.echo_json(returns_report.json_of(report))
    elif page:
        from vp_pipeline.own_data.returns_page import html_of

        output.write_text(page, html_of(report))
    else:
        output.echo_table(returns_report.title_of(report), returns_report.table_of(report))
        output.echo_remarks(returns_report.remarks(report))
