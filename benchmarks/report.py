"""Every ratio that the project claims, in one report.

    python benchmarks/report.py [--quick] [--write] [NAME ...]

Runs the benchmarks named, or all, one after the other, each in a process of its own, those after one that
failed too. What each of them found is kept in .vp/bench, and the report is made of all that is kept: the
tables of `summary`, the figure of `curves`, then each benchmark's own table. With `--write` it also replaces
docs/benchmarks.md and its figure. The sizes are those of the goals: some 45 minutes and 8 GB of memory;
`--quick` takes small ones.

Here belongs which benchmarks there are. What each compares is in its own script.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import curves
from claims import VARIABLE, Claim, Point, Ratio, unpacked
from figures import machine
from summary import summary

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / ".vp" / "bench"
DOCS = HERE.parent / "docs"
FIGURE = "images/benchmarks.svg"


@dataclass(frozen=True)
class Benchmark:
    """A script, what it shows, and its arguments for the sizes of the goals and for small ones."""

    name: str
    title: str
    goals: str = ""
    quick: str = ""
    script: str = ""

    @property
    def file(self) -> Path:
        """The script, by default of the same name."""
        return HERE / f"{self.script or self.name}.py"


BENCHMARKS = (
    Benchmark(
        "whole_tick",
        "The first document's script and a tick of ours",
        "--rows 10000 1000000",
        "--rows 10000 --runs 1",
    ),
    Benchmark(
        "whole_tick_goal",
        "The same at five million rows",
        "--rows 5000000",
        "--rows 100000 --runs 1",
        script="whole_tick",
    ),
    Benchmark("run_start", "Starting a run", "", "--runs 1"),
    Benchmark(
        "history_peer", "History against freqtrade, without Dagster's runs", "", "--archive-months 1 --runs 1"
    ),
    Benchmark("history_venues", "A month of ten exchanges against freqtrade", "", "--runs 1"),
    Benchmark("function_peers", "Profile and density against others", "", "--candles 1440 44640 --runs 1"),
    Benchmark("tick_write", "Writing a tick", "--rows 10000 1000000 5000000", "--rows 10000 100000"),
    Benchmark("history_load", "Loading history", "", "--months 1 --runs 3"),
    Benchmark("reads", "Reading candles", "--rows 10000000", "--rows 500000"),
    Benchmark("history_cost", "What history costs", "--months 12 --years 10", "--months 1 --years 1"),
    Benchmark("profile_store", "A window of years from the profile store", "", "--years 1"),
    Benchmark("kde", "Kernel density", "240 44640 525600 5256000", "240 44640"),
    Benchmark("histogram", "Volume by price"),
    Benchmark("sessions", "Sessions", "", "--years 0.5"),
    Benchmark("site", "Pages of the site", "--rows 5000000", "--rows 200000"),
    Benchmark("readers", "Two hundred readers during ticks", "", "--readers 50 --seconds 10"),
    Benchmark("tearsheet", "Tearsheets"),
)


@dataclass(frozen=True)
class Result:
    """What a benchmark printed and told; `load` is the machine's before it began."""

    quick: bool
    command: str
    seconds: float
    load: float
    text: str
    claims: list[dict[str, object]]


class FailedError(Exception):
    """A benchmark came to no end."""


def run(benchmark: Benchmark, quick: bool) -> Result:
    """Run it and keep what it found.

    Raises:
        FailedError: it failed; what it printed.
    """
    arguments = (benchmark.quick if quick else benchmark.goals).split()
    told = KEPT / f"{benchmark.name}.claims"
    told.unlink(missing_ok=True)
    load, started = os.getloadavg()[0], time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(benchmark.file), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, VARIABLE: str(told)},
        check=False,
    )
    if done.returncode:
        raise FailedError(f"{benchmark.file.name} ended with {done.returncode}:\n{done.stdout}")
    lines = told.read_text().splitlines() if told.exists() else []
    told.unlink(missing_ok=True)
    result = Result(
        quick and benchmark.quick != benchmark.goals,
        " ".join([f"benchmarks/{benchmark.file.name}", *arguments]),
        time.perf_counter() - started,
        load,
        done.stdout.strip(),
        [json.loads(line) for line in lines],
    )
    _file(benchmark).write_text(json.dumps(asdict(result)))
    return result


def _file(benchmark: Benchmark) -> Path:
    return KEPT / f"{benchmark.name}.json"


def kept() -> dict[Benchmark, Result]:
    """What was found last, in the report's order."""
    return {
        benchmark: Result(**json.loads(_file(benchmark).read_text()))
        for benchmark in BENCHMARKS
        if _file(benchmark).exists()
    }


def write(folder: Path, results: dict[Benchmark, Result]) -> None:
    """The report and its figure into a folder."""
    claims: list[Claim] = [one for result in results.values() for one in unpacked(result.claims)]
    points = [claim for claim in claims if isinstance(claim, Point)]
    (folder / FIGURE).parent.mkdir(parents=True, exist_ok=True)
    curves.draw(points, folder / FIGURE)
    (folder / "benchmarks.md").write_text(
        "\n\n".join(
            [
                "# Benchmarks",
                f"Made by `make bench`, measured on {machine()}. Both sides of a ratio are measured in one"
                " run, by turns, and medians count. Load is how many processes wanted the processor before a"
                " benchmark began: near or above the number of cores the machine was shared, which slows down"
                " what computes more than what waits for a network.",
                summary([claim for claim in claims if isinstance(claim, Ratio)]),
                f"## Growth\n\n![Seconds by rows, markets and years]({FIGURE})",
                *(_section(benchmark, result) for benchmark, result in results.items()),
            ]
        )
        + "\n"
    )


def _section(benchmark: Benchmark, result: Result) -> str:
    how = f"`{result.command}`, {result.seconds:.0f} s, load {result.load:.1f}"
    if result.quick:
        how += "; small sizes"
    return f"## {benchmark.title}\n\n{result.text}\n\n{how}"


def main() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(description="Every ratio that the project claims.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes")
    parser.add_argument("--write", action="store_true", help="put the report into docs/benchmarks.md")
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    KEPT.mkdir(parents=True, exist_ok=True)
    failed = []
    for benchmark in BENCHMARKS:
        if options.names and benchmark.name not in options.names:
            continue
        print(f"{benchmark.name}: {benchmark.title} ...", file=sys.stderr, flush=True)
        try:
            print(f"{_section(benchmark, run(benchmark, options.quick))}\n", flush=True)
        except FailedError as error:
            print(f"## {benchmark.title}\n\nfailed: {error}\n", flush=True)
            failed.append(benchmark.name)
    results = kept()
    write(KEPT, results)
    print(f"The report is {KEPT / 'benchmarks.md'}", file=sys.stderr)
    if failed:
        sys.exit(f"failed, the others were measured: {', '.join(failed)}")
    if options.write:
        missing = [benchmark.name for benchmark in BENCHMARKS if benchmark not in results]
        if missing:
            sys.exit(f"docs/benchmarks.md wants all of them; not measured here yet: {', '.join(missing)}")
        write(DOCS, results)


if __name__ == "__main__":
    main()
