"""The runs of a backfill: a month each, oldest first, one after another or several side by side.

Here belongs launching and following them; which months of what is for `backfill` to say.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from vp_pipeline.assets.keys import MONTH_FORMAT, range_tags
from vp_pipeline.runtime.backfill_summary import Tally
from vp_pipeline.runtime.dagster_api import DagsterApi, DagsterError

_POLL_SECONDS = 0.25
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@dataclass(frozen=True)
class Load:
    """One run for each month: a job, the series that are counted, and what else the run makes."""

    job: str
    series: tuple[tuple[str, ...], ...]
    beside: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Month:
    """A run to be made."""

    load: Load
    first: date

    @property
    def name(self) -> str:
        """What the person at the terminal reads."""
        return f"{self.load.job.replace('_', ' ')} {self.first:%Y-%m}"


def run(
    loads: Sequence[Load],
    months: Sequence[date],
    dagster: DagsterApi,
    check: Callable[[], None],
    tally: Tally,
    console: Console,
    *,
    at_once: int,
    stop_runs: bool,
) -> None:
    """All runs, `at_once` of them side by side; one that fails stops no other. `check` is called meanwhile.

    With `stop_runs` an interruption ends the runs that are under way.

    Raises:
        DagsterError: Dagster does not answer, or refuses a run.
    """
    waiting = deque(Month(load, month) for month in months for load in loads)
    total, done = sum(len(month.load.series) for month in waiting), 0
    under_way: dict[str, Month] = {}
    with Bar(*_COLUMNS, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("history", total=total)
        try:
            while waiting or under_way:
                while waiting and len(under_way) < at_once:
                    run_id = _launch(dagster, waiting[0])
                    under_way[run_id] = waiting.popleft()
                bar.update(task, description=next(iter(under_way.values())).name)
                made = 0
                for run_id, month in list(under_way.items()):
                    check()
                    progress = dagster.look(run_id)
                    most = len(month.load.series)
                    if not progress.ended:
                        made += min(progress.materializations, most)
                        continue
                    del under_way[run_id]
                    _count(dagster, run_id, month, tally)
                    done += most
                    if not console.is_terminal:
                        console.print(f"  {month.name}  {done} of {total}")
                bar.update(task, completed=done + made)
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            if stop_runs:
                for run_id in under_way:
                    dagster.terminate(run_id)
            console.print("stopped; what is loaded stays, and the same command goes on from here")
            raise


def _launch(dagster: DagsterApi, month: Month) -> str:
    first = datetime(month.first.year, month.first.month, 1, tzinfo=UTC)
    load = month.load
    return dagster.launch(load.job, range_tags(first, first, MONTH_FORMAT), [*load.series, *load.beside])


def _count(dagster: DagsterApi, run_id: str, month: Month, tally: Tally) -> None:
    failure = None
    try:
        dagster.result(run_id)
    except DagsterError as error:
        failure = str(error)
    tally.add(f"{month.first:%Y-%m}", dagster.told(run_id), month.load.series, failure)
