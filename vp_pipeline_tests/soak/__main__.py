"""The soak as a command: `python -m vp_pipeline_tests.soak --help`."""

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from vp_pipeline.runtime import signals
from vp_pipeline_tests.soak.campaign import Report, soak
from vp_pipeline_tests.soak.whole import WholeReport, soak_whole


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides which faults strike when.")
@click.option("--faults", default=1000, show_default=True, help="Stop when so many have met something.")
@click.option("--days", default=365.0, show_default=True, help="Or when so much simulated time has passed.")
@click.option("--platform", "rounds", type=int, help="Strike a whole platform, in so many rounds.")
def main(seed: int, faults: int, days: float, rounds: int | None) -> None:
    """Run the platform's jobs on simulated time against real parts, strike them, and judge what is stored."""
    signals.raise_terminated()
    began = time.monotonic()
    # Directly below /tmp: as root the database runs as another user, who must get there.
    folder = Path(tempfile.mkdtemp(prefix="vp-soak-")).resolve()
    options = f"--faults {faults} --days {days:g}" if rounds is None else f"--platform {rounds}"
    again = f'logs: {folder}\nagain: make soak ARGS="--seed {seed} {options}"'
    try:
        if rounds is None:
            report = soak(folder, seed, faults, days, _say)
            lines, problems = told(report, time.monotonic() - began), report.problems
        else:
            whole = soak_whole(folder, seed, rounds, _say)
            lines, problems = told_of_whole(whole, time.monotonic() - began), whole.problems
    except Exception:
        click.echo(again)
        raise
    for line in lines:
        click.echo(line)
    if problems:
        click.echo(again)
        sys.exit(1)
    shutil.rmtree(folder)


def _say(line: str) -> None:
    click.echo(line, err=True)


def told(report: Report, seconds: float) -> list[str]:
    """What came of a soak, in lines."""
    figures = {
        "simulated": f"{report.simulated.total_seconds() / 86400:.1f} days in {seconds:.0f} s",
        "faults injected": f"{report.injected:,} in {report.rounds:,} rounds",
        **{f"  {kind}": f"{count:,}" for kind, count in report.faults.most_common() if count},
        "minutes checked": f"{report.checked:,}",
        "minutes lost": f"{report.lost:,}",
        "unfetchable, rightly": f"{report.unfetchable:,}",
        "early numbers, rightly": f"{report.early:,}",
        "duplicates": f"{report.duplicates:,}",
        "artifacts checked": f"{report.artifacts:,}",
        "longest recovery": f"{report.most_quiet_ticks} quiet ticks until nothing was unknown",
        "longest unknown": f"{report.longest_unknown.total_seconds() / 3600:.2f} h of simulated time",
        "longest round": f"{report.longest_round:.1f} s",
    }
    return [*_lines(report.seed, figures, report.problems), *report.notes]


def told_of_whole(report: WholeReport, seconds: float) -> list[str]:
    """What came of a soak of the whole platform, in lines."""
    figures = {
        "kills": f"{report.kills.total():,} in {report.rounds:,} rounds, in {seconds:.0f} s",
        **{f"  {target}": f"{count:,}" for target, count in report.kills.most_common()},
        **{f"struck runs that {ended}": f"{count:,}" for ended, count in report.runs.most_common()},
        "minutes checked": f"{report.checked:,}",
        "minutes lost": f"{report.lost:,}",
        "unfetchable, rightly": f"{report.unfetchable:,}",
        "early numbers, rightly": f"{report.early:,}",
        "duplicates": f"{report.duplicates:,}",
        "artifacts checked": f"{report.artifacts:,}",
        "longest recovery": f"{report.longest_recovery:.1f} s until all answered and the run had ended",
    }
    return [*_lines(report.seed, figures, report.problems), *report.notes]


def _lines(seed: int, figures: Mapping[str, str], problems: Sequence[str]) -> list[str]:
    width = max(map(len, figures)) + 2
    lines = [f"seed {seed}", *(f"{name:<{width}}{figure}" for name, figure in figures.items())]
    return [*lines, *(f"WRONG: {problem}" for problem in problems)]


if __name__ == "__main__":
    main()
