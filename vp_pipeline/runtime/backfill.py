"""`vp backfill`: months of history through Dagster, on the platform that runs or on one for the duration.

Here belongs the command, from its options to its exit code. Loading is the assets' affair, following the runs
that of `backfill_runs`, what is printed at the end that of `backfill_summary`.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from vp_pipeline.assets.keys import HISTORY_JOB, HISTORY_KLINES_JOB
from vp_pipeline.catalog import Catalog, Market, load_catalog
from vp_pipeline.runtime import backfill_runs, backfill_summary, platform, platform_file
from vp_pipeline.runtime.backfill_runs import Load
from vp_pipeline.runtime.backfill_summary import Tally
from vp_pipeline.runtime.commands import adopted, console, tell, told_plainly
from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.runtime.platform import Options
from vp_pipeline.settings import Settings, Source, UserSettings, load_settings

_DAY = timedelta(days=1)
# So many months are loaded side by side where workers load them, unless --at-once says otherwise.
_AT_ONCE = 4
Check = Callable[[], None]


class Day(click.ParamType[date]):
    """A day as in 2024-03-01, in UTC."""

    name = "date"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day such as 2024-03-01", param, ctx)


@click.command()
@click.option("--from", "start", required=True, type=Day(), help="First day; its whole month is loaded.")
@click.option("--to", "end", required=True, type=Day(), help="Day after the last; today or earlier.")
@click.option(
    "--market",
    "names",
    multiple=True,
    metavar="'EXCHANGE BASE/QUOTE'",
    help="A market of the markets file; may be given again. All of them if neither this nor --klines.",
)
@click.option("--klines", is_flag=True, help="The bars of the USD-M perpetuals, alone or beside --market.")
@click.option("--at-once", type=click.IntRange(1, 16), help="Months side by side; needs workers (default 4).")
@click.option(
    "--dagster", "url", metavar="URL", help="Dagster of a platform that runs elsewhere, as VP_* describe it."
)
def backfill(
    start: date, end: date, names: tuple[str, ...], klines: bool, at_once: int | None, url: str | None
) -> None:
    """Load months of history into the database of VP_HOME (.vp/live if not set).

    The platform that runs there is used, or one is started for the duration. What is loaded already is not
    asked for again: a backfill that was stopped goes on where it was.
    """
    months = _months(start, end)
    with told_plainly():
        if url is not None:
            settings = load_settings()
            loads = _loads(settings.catalog, names, klines)
            _load(loads, months, settings, DagsterApi(url.rstrip("/")), lambda: None, at_once, stop_runs=True)
            return
        user = UserSettings()
        home = user.home_or("live")
        last = platform_file.last_variables(home)
        _no_replay(last, home)
        if last is None and user.database_url is not None:
            raise click.UsageError(
                "VP_DATABASE_URL names a database, whose platform is not one of `vp up`: name its Dagster,"
                " such as --dagster http://127.0.0.1:3000 (in Docker http://webserver:3000/dagster)"
            )
        file = Path(last["VP_MARKETS_FILE"]) if last is not None else user.markets_file
        loads = _loads(load_catalog(file), names, klines)
        with _attached(home, last, user) as (settings, check, ours):
            dagster = DagsterApi(str(settings.dagster_url).rstrip("/"))
            _load(loads, months, settings, dagster, check, at_once, stop_runs=not ours)


def _load(
    loads: Sequence[Load],
    months: Sequence[date],
    settings: Settings,
    dagster: DagsterApi,
    check: Check,
    at_once: int | None,
    *,
    stop_runs: bool,
) -> None:
    """Load and tell what came; exits with 1 if something is left to be done."""
    _not_before(settings, months)
    if at_once is not None and at_once > 1 and settings.broker is None:
        raise click.UsageError("--at-once needs workers: see docs/cluster.md and VP_BROKER_URL")
    at_once = at_once or (1 if settings.broker is None else _AT_ONCE)
    if settings.label:
        console.print(f"[bold reverse] {settings.label} [/]")
    tally = Tally()
    try:
        backfill_runs.run(loads, months, dagster, check, tally, console, at_once=at_once, stop_runs=stop_runs)
    finally:
        backfill_summary.show(console, tally)
    if tally.incomplete:
        raise click.exceptions.Exit(1)


def _months(start: date, end: date) -> list[date]:
    """First days of the months that hold a day of [start, end)."""
    today = datetime.now(UTC).date()
    if start >= end:
        raise click.UsageError(f"--from {start} is not before --to {end}: nothing lies between them")
    if end > today + _DAY:
        raise click.UsageError(f"--to {end} lies in the future: today is {today} (UTC)")
    months, month = [], start.replace(day=1)
    while month < end:
        months.append(month)
        month = (month + 31 * _DAY).replace(day=1)
    return months


def _loads(catalog: Catalog, names: Sequence[str], klines: bool) -> list[Load]:
    """What to run, as asked for; a usage error that names the nearest market if one is not in the file."""
    known = {market.name: market for market in catalog.markets}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0) or ["none: the file has no market"]
            raise click.UsageError(f"no market {name!r} in the markets file; the nearest is {near[0]!r}")
    chosen = [known[name] for name in dict.fromkeys(names)]
    if not chosen and not klines:
        chosen = list(catalog.markets)
    loads = [_spot_load(chosen)] if chosen else []
    if klines:
        bars = tuple(("history", "klines", catalog.kline_key(series)) for series in catalog.klines)
        if not bars:
            raise click.UsageError("the markets file has no [[klines]]: add one, or leave out --klines")
        loads.append(Load(HISTORY_KLINES_JOB, bars))
    if not loads:
        raise click.UsageError("the markets file has no [[markets]]: add one, or ask for --klines")
    return loads


def _spot_load(markets: Sequence[Market]) -> Load:
    aggregates = tuple(
        ("history", "aggregate", base.lower()) for base in dict.fromkeys(market.base for market in markets)
    )
    keys = tuple(("history", *market.path) for market in markets)
    return Load(HISTORY_JOB, keys, (("history", "coverage"), *aggregates))


def _no_replay(last: dict[str, str] | None, home: Path) -> None:
    if last is not None and last["VP_SOURCE"] == "replay":
        raise click.UsageError(
            f"{home} holds a replay, which has its recording and no history: name another folder in VP_HOME"
        )


def _not_before(settings: Settings, months: Sequence[date]) -> None:
    first = settings.history_start.replace(day=1)
    if months[0] < first:
        raise click.UsageError(
            f"the history begins with {first:%Y-%m}: set VP_HISTORY_START={months[0]}"
            " and start the platform anew"
        )


@contextmanager
def _attached(
    home: Path, last: dict[str, str] | None, user: UserSettings
) -> Iterator[tuple[Settings, Check, bool]]:
    """The settings of the platform on the folder, what to call now and then, and whether it is ours."""
    variables = platform_file.running_variables(home)
    if variables is not None:
        console.print(f"on the platform that runs on {home}")
        yield adopted(variables), lambda: None, False
        return
    options = Options(home, "live", user.markets_file.resolve())
    if last is not None:
        source: Source = "sandbox" if last["VP_SOURCE"] == "sandbox" else "live"
        # A simulated platform's first hour is its own; a live one's is the user's setting or none.
        first_hour = last.get("VP_HOURLY_START") if source == "sandbox" else None
        options = Options(home, source, Path(last["VP_MARKETS_FILE"]), first_hour=first_hour)
    console.print(f"no platform runs on {home}: starting one for the duration")
    with platform.running(options, tell) as running:
        yield adopted(running.processes.environment), running.guard.check, True
