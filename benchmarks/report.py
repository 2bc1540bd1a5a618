"""Every ratio that the project claims, in one report.

    python benchmarks/report.py [--write] [NAME ...]

Runs the benchmarks named, or all, one after the other, each in a process of its own, and prints what they
print under their titles. With `--write` the report also replaces docs/benchmarks.md. The usual sizes take
some minutes; `--large` takes those of the goals, which need 6 GB of memory and half an hour.

Here belongs which benchmarks there are. What each compares is in its own script.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from figures import machine

HERE = Path(__file__).resolve().parent
REPORT = HERE.parent / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Benchmark:
    """A script, what it shows, and its arguments for the sizes of the goals."""

    name: str
    title: str
    large: tuple[str, ...] = ()


BENCHMARKS = (
    Benchmark("tick_write", "Writing a tick", ("--rows", "10000", "1000000", "5000000")),
    Benchmark("history_load", "Loading history"),
    Benchmark("reads", "Reading candles", ("--rows", "10000000")),
    Benchmark("history_cost", "What history costs", ("--months", "12", "--years", "10")),
    Benchmark("profile_store", "A window of years from the profile store"),
    Benchmark("kde", "Kernel density", ("240", "44640", "525600", "5256000")),
    Benchmark("histogram", "Volume by price"),
    Benchmark("sessions", "Sessions"),
    Benchmark("tearsheet", "Tearsheets"),
)


def run(benchmark: Benchmark, large: bool) -> str:
    """The section of one benchmark.

    Raises:
        SystemExit: it failed.
    """
    script = HERE / f"{benchmark.name}.py"
    command = [sys.executable, str(script), *(benchmark.large if large else ())]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script.name} failed:\n{done.stdout}")
    seconds = time.perf_counter() - started
    shown = " ".join([f"benchmarks/{script.name}", *command[2:]])
    return f"## {benchmark.title}\n\n{done.stdout.strip()}\n\n`{shown}`, {seconds:.0f} s\n"


def main() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(description="Every ratio that the project claims.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--large", action="store_true", help="the sizes of the goals")
    parser.add_argument("--write", action="store_true", help="put the report into docs/benchmarks.md")
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    head = f"# Benchmarks\n\nMade by `make bench`. Measured on {machine()}.\n"
    print(head, flush=True)
    sections = []
    for benchmark in BENCHMARKS:
        if not options.names or benchmark.name in options.names:
            sections.append(run(benchmark, options.large))
            print(sections[-1], flush=True)
    if options.write:
        REPORT.write_text("\n".join([head, *sections]))


if __name__ == "__main__":
    main()
