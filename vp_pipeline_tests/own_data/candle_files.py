"""Candle files for tests, and running a command on one."""

import gzip
from pathlib import Path

from click.testing import CliRunner, Result

from vp_pipeline.cli import main

HEADER = "open_time,open,high,low,close,volume"
FOUR_HOURS = (
    "2024-01-01T00:00:00Z,100,104,99,102,10",
    "2024-01-01T01:00:00Z,102,103,100,101,20",
    "2024-01-01T02:00:00Z,101,101,97,98,30",
    "2024-01-01T03:00:00Z,98,100,98,100,40",
)


def write(folder: Path, *lines: str, name: str = "candles.csv") -> Path:
    """A file of these lines, gzipped if its name ends so."""
    path = folder / name
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    return path


def run(*arguments: object) -> Result:
    """`vp` with these arguments."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """What `vp` says of a bad file: one line on standard error, exit code 1, no traceback."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("Error: ").strip()
