"""`vp demo`, `vp up` and `vp exchanges`: what they print and how they end.

Here belongs talking to the person at the terminal. Starting processes is in `platform`, the work in
`main_job`.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from vp_pipeline.catalog import CatalogError, load_catalog
from vp_pipeline.runtime import main_job, platform, signals, summary
from vp_pipeline.runtime.dagster_api import DagsterApi, DagsterError, RunResult
from vp_pipeline.runtime.kin import StartError
from vp_pipeline.runtime.platform import Options, Platform
from vp_pipeline.runtime.progress import Progress
from vp_pipeline.settings import Settings, SettingsError, UserSettings, load_settings
from vp_pipeline.storage.embedded import EmbeddedPostgresError
from vp_pipeline.windows import DAY, floor

console = Console(highlight=False)


@click.command()
@click.option("--once", is_flag=True, help="Exit when the main job is done: 0 if every asset is there.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Run on the recorded market data of this folder.",
)
def demo(once: bool, replay: Path | None) -> None:
    """Run the whole main job on sandbox exchanges: simulated data, or a recording."""
    with told_plainly():
        _run(_replay_options(replay) if replay else _demo_options(), stay=not once)


@click.command()
def up() -> None:
    """Run the platform on the live exchanges; no keys needed."""
    with told_plainly():
        user = UserSettings()
        load_catalog(user.markets_file)
        probe = [sys.executable, "-m", "vp_pipeline.cli", "exchanges"]
        if subprocess.run(probe, check=False).returncode != 0:  # noqa: S603  # our own command
            raise click.exceptions.Exit(1)
        options = Options(user.home_or("live"), "live", user.markets_file.resolve(), polls=user.polls)
        _run(options, stay=True)


@click.command()
def exchanges() -> None:
    """Say of each exchange whether it answers, and if not, why; exit with 1 if none does."""
    from vp_pipeline.runtime.reachability import reachable

    with told_plainly():
        if not reachable(console, load_catalog(UserSettings().markets_file)):
            console.print(
                "\nNo exchange can be reached, so that there is nothing to run on.\n"
                "Check this machine's network, or see the platform work on simulated data: [bold]make demo[/]"
            )
            raise click.exceptions.Exit(1)


def _run(options: Options, stay: bool) -> None:
    load_catalog(options.markets_file)  # a mistake in it is told before anything starts
    started = time.monotonic()
    with platform.running(options, tell) as running, _stopping():
        settings = adopted(running.processes.environment)
        if settings.label:
            console.print(f"[bold reverse] {settings.label} [/]")
        for note in running.notes:
            console.print(note)
        console.print(f"Dagster  {running.addresses.dagster_url}\nSite     {running.addresses.site_url}")
        console.print(f"ready after {time.monotonic() - started:.1f} s; now the main job\n")
        dagster = DagsterApi(running.addresses.dagster_url)
        runs = _main_job(settings, running, dagster)
        missing = summary.show(console, settings, dagster, runs, time.monotonic() - started)
        if stay:
            console.print("\nRunning until Ctrl-C.")
            while True:
                running.guard.check()
                time.sleep(1)
        if missing:
            raise click.exceptions.Exit(1)


def _main_job(settings: Settings, running: Platform, dagster: DagsterApi) -> list[summary.StageResult]:
    """Run all stages. One that fails is told and stops no other: a day without prices has no profile."""
    results, todo = [], False
    for stage in main_job.stages(settings, datetime.now(UTC), dagster):
        todo = True
        try:
            results.append(summary.StageResult(stage, _stage(stage, running, dagster)))
        except DagsterError as error:
            tell(str(error))
    if not todo:
        console.print("  all of it is there already")
    return results


def _stage(stage: main_job.Stage, running: Platform, dagster: DagsterApi) -> RunResult:
    """Run one stage; once more if it failed while a process of the platform had to start again."""
    mended = running.guard.mended
    with Progress(console, stage.title, stage.events) as progress:

        def update(done: int) -> None:
            running.guard.check()
            progress.update(done)

        try:
            return main_job.run(stage, dagster, update)
        except DagsterError as error:
            if running.guard.mended == mended:
                raise
            tell(f"{error}\nOnce more, since a process of the platform had ended meanwhile.")
            return main_job.run(stage, dagster, update)


def tell(message: str) -> None:
    """Something that went wrong while the rest goes on."""
    console.print(message, style="red", markup=False, soft_wrap=True)


def adopted(variables: Mapping[str, str]) -> Settings:
    """The settings of a platform's processes, from now on this process's too."""
    os.environ.update({name: value for name, value in variables.items() if name.startswith("VP_")})
    return load_settings()


def _demo_options() -> Options:
    """Simulated data; the hours begin where the first bars do, so that every weekday has some."""
    first = floor(datetime.now(UTC) - main_job.FIRST_BARS, DAY)
    user = UserSettings()
    return Options(user.home_or("demo"), "sandbox", first_hour=first.isoformat(), polls=user.polls)


def _replay_options(folder: Path) -> Options:
    """A home of its own for each state of a recording."""
    from vp_pipeline.recordings.folder import RecordingError, scan
    from vp_pipeline.runtime.replay import write_markets_file
    from vp_pipeline.sandbox.replay import left_out_note, servable

    folder = folder.resolve()
    try:
        recording = scan(folder)
    except RecordingError as error:
        raise click.ClickException(str(error)) from error
    for path in recording.ignored:
        console.print(f"not part of a recording, left out: {path.relative_to(folder)}", markup=False)
    played, left_out = servable(recording)
    for series in left_out:
        console.print(left_out_note(series), markup=False)
    if not played.spot and not played.klines:
        raise click.ClickException(f"nothing in {folder} is of an exchange that the sandbox can play")
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))]
    digest = hashlib.sha256(repr(files).encode()).hexdigest()[:8]
    home = UserSettings().home_or(f"replay-{folder.name}-{digest}")
    markets_file = home / "markets.toml"
    try:
        write_markets_file(played, markets_file)
    except OSError as error:
        raise StartError(
            f"{markets_file} cannot be written ({error.strerror}): "
            "set VP_HOME to a folder that this user may write to"
        ) from error
    return Options(home, "replay", markets_file, replay=folder)


@contextmanager
def _stopping() -> Iterator[None]:
    """Say at once that a signal was heard, as stopping takes a moment."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("\nstopping")
        raise


@contextmanager
def told_plainly() -> Iterator[None]:
    """Our own errors end the command with their message and status 1."""
    signals.raise_terminated()
    try:
        yield
    except (CatalogError, DagsterError, EmbeddedPostgresError, SettingsError, StartError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.show_cursor()
        console.print("stopped")
        raise
