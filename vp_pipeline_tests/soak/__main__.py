"""The soak as a command: `python -m vp_pipeline_tests.soak --help`."""

import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import click
from dagster import BetaWarning

from vp_pipeline_tests.soak.campaign import Report, soak


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides which faults strike when.")
@click.option("--faults", default=1000, show_default=True, help="Stop when so many have met something.")
@click.option("--days", default=365.0, show_default=True, help="Or when so much simulated time has passed.")
def main(seed: int, faults: int, days: float) -> None:
    """Run the platform's jobs on simulated time against real parts, strike them, and judge what is stored."""
    began = time.monotonic()
    # Directly below /tmp: as root the database runs as another user, who must get there.
    folder = Path(tempfile.mkdtemp(prefix="vp-soak-"))
    report = soak(folder, seed, faults, days, lambda line: click.echo(line, err=True))
    for line in told(report, time.monotonic() - began):
        click.echo(line)
    if report.problems:
        click.echo(f"logs of the runs and of the exchanges: {folder}")
        click.echo(f'again: make soak ARGS="--seed {seed} --faults {faults} --days {days:g}"')
        sys.exit(1)
    shutil.rmtree(folder)


def told(report: Report, seconds: float) -> list[str]:
    """What came of a soak, in lines."""
    figures = {
        "simulated": f"{report.simulated.total_seconds() / 86400:.1f} days in {seconds:.0f} s",
        "faults injected": f"{report.injected:,} in {report.rounds:,} rounds",
        **{f"  {kind}": f"{count:,}" for kind, count in report.faults.most_common() if count},
        "minutes checked": f"{report.checked:,}",
        "minutes lost": f"{report.lost:,}",
        "unfetchable, rightly": f"{report.unfetchable:,}",
        "duplicates": f"{report.duplicates:,}",
        "artifacts checked": f"{report.artifacts:,}",
        "longest recovery": f"{report.most_quiet_ticks} quiet ticks until nothing was unknown",
        "longest unknown": f"{report.longest_unknown.total_seconds() / 3600:.2f} h of simulated time",
        "longest round": f"{report.longest_round:.1f} s",
    }
    width = max(map(len, figures)) + 2
    lines = [f"seed {report.seed}", *(f"{name:<{width}}{figure}" for name, figure in figures.items())]
    return [*lines, *report.notes, *(f"WRONG: {problem}" for problem in report.problems)]


if __name__ == "__main__":
    warnings.simplefilter("ignore", BetaWarning)
    main()
