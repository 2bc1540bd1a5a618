"""Fuzzing at length: `python -m vp_pipeline_tests.fuzz --seconds 60 [--first NUMBER] [--guided]`.

Each target gets so many seconds of numbered inputs, from `--first` on. With `--guided` those that read files
and settings are led by code coverage instead: that needs atheris, `pip install atheris`. Prints inputs tried
by target; ends with status 1 at the first that is neither read nor refused in words.
"""

import argparse
import asyncio
import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator

from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline_tests.fuzz.answers import relay
from vp_pipeline_tests.fuzz.run import FuzzError, answers_read, inputs_read
from vp_pipeline_tests.fuzz.targets import TARGETS

_AT_ONCE = 50
_GUIDED = """
import sys, atheris
with atheris.instrument_imports(include=["vp_pipeline"]):
    from vp_pipeline_tests.fuzz.targets import TARGETS
target = TARGETS[int(sys.argv.pop(1))]
atheris.Setup(sys.argv, lambda data: target.run(bytes(data)))
atheris.Fuzz()
"""


def _blocks(first: int, seconds: float) -> Iterator[range]:
    end = time.monotonic() + seconds
    for start in itertools.count(first, _AT_ONCE):
        if time.monotonic() >= end:
            return
        yield range(start, start + _AT_ONCE)


def _guided(at: int, seconds: float, first: int) -> int:
    """Inputs tried by atheris.

    Raises:
        FuzzError: it found one that is neither read nor refused.
    """
    options = [f"-max_total_time={max(1, round(seconds))}", f"-seed={first + 1}", "-print_final_stats=1"]
    command = [sys.executable, "-c", _GUIDED, str(at), *options, "-timeout=20", "-rss_limit_mb=2048"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FuzzError(f"{TARGETS[at].name}:\n{(done.stdout + done.stderr)[-4000:]}")
    found = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    return int(found[1]) if found else 0


async def _answers(first: int, seconds: float) -> int:
    tried = 0
    async with relay(GeneratedSource(seed=7)) as exchanges:
        for exchange, of in exchanges.exchanges.items():
            count = 0
            for numbers in _blocks(first, seconds):
                await answers_read(exchanges, exchange, numbers)
                count += len(numbers) * (1 + of.lists)
            print(f"| answers of {exchange} | {count:,} |", flush=True)
            tried += count
    return tried


def main() -> None:
    """Run every target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each target")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--guided", action="store_true", help="led by coverage, with atheris")
    arguments = parser.parse_args()
    print("| target | inputs |\n|---|---:|", flush=True)
    tried = 0
    try:
        for at, target in enumerate(TARGETS):
            count = _guided(at, arguments.seconds, arguments.first) if arguments.guided else 0
            for numbers in () if arguments.guided else _blocks(arguments.first, arguments.seconds):
                inputs_read(target, numbers)
                count += len(numbers)
            print(f"| {target.name} | {count:,} |", flush=True)
            tried += count
        tried += asyncio.run(_answers(arguments.first, arguments.seconds))
    except FuzzError as failure:
        sys.exit(str(failure))
    print(f"\n{tried:,} inputs tried, each read or refused in words")


if __name__ == "__main__":
    main()
