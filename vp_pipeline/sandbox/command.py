"""The `vp sandbox` command."""

from datetime import datetime
from pathlib import Path

import click

from vp_pipeline.recordings.folder import RecordingError, scan
from vp_pipeline.sandbox import quirks
from vp_pipeline.sandbox.clock import Clock, parse_instant
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.replay import ReplaySource, left_out_note
from vp_pipeline.sandbox.server import run
from vp_pipeline.sandbox.source import CandleSource


class Instant(click.ParamType[datetime]):
    """An ISO 8601 instant; without an offset it is UTC."""

    name = "instant"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_instant(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of simulated prices.")
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve the recorded candles of this folder instead of simulated ones.",
)
@click.option("--double", multiple=True, help="Simulated market that serves another's candles: 'A B=C D'.")
@click.option("--dead", multiple=True, help="Simulated market without trades: 'gate BTC/USD'.")
@click.option("--outage", multiple=True, help="No simulated candles: 'EXCHANGE START END'.")
@click.option("--now", type=Instant(), help="UTC instant at which the clock starts (default: real time).")
@click.option("--frozen", is_flag=True, help="Let the clock stand still at --now.")
@click.option("--port-file", type=click.Path(dir_okay=False, path_type=Path), help="Write the port here.")
def sandbox(
    host: str,
    port: int,
    seed: int,
    replay: Path | None,
    double: tuple[str, ...],
    dead: tuple[str, ...],
    outage: tuple[str, ...],
    now: datetime | None,
    frozen: bool,
    port_file: Path | None,
) -> None:
    """Serve simulated or recorded exchanges on this machine.

    Every exchange answers under http://HOST:PORT/<ccxt id> in its own format, USD-M futures under
    /binanceusdm; the sandbox's clock and faults are set under /_sandbox/.
    """
    if frozen and now is None:
        raise click.UsageError("--frozen needs --now: the instant at which the clock stands still")
    try:
        wanted = quirks.parse(double, dead, outage)
        source = _source(seed, replay)
        if wanted != quirks.Quirks():
            if replay is not None:
                raise click.UsageError(
                    "--double, --dead and --outage are for simulated candles, not for --replay"
                )
            source = quirks.QuirkySource(source, wanted)
    except ValueError as error:
        raise click.UsageError(str(error)) from error

    def ready(bound: int) -> None:
        if port_file is not None:
            _write_port(port_file, bound)
        click.echo(f"sandbox exchanges ({source.description}) on http://{host}:{bound}")

    try:
        run(host, port, source, Clock(now, frozen=frozen), ready)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _source(seed: int, replay: Path | None) -> CandleSource:
    if replay is None:
        return GeneratedSource(seed)
    try:
        source = ReplaySource(scan(replay))
    except RecordingError as error:
        raise click.ClickException(str(error)) from error
    for series in source.left_out:
        click.echo(left_out_note(series), err=True)
    return source


def _write_port(port_file: Path, port: int) -> None:
    # Renamed into place: whoever waits for the file never reads half a number.
    unfinished = port_file.with_name(f"{port_file.name}.part")
    try:
        unfinished.write_text(f"{port}\n")
        unfinished.replace(port_file)
    except OSError as error:
        raise click.ClickException(f"cannot write the port to {port_file}: {error.strerror}") from error
