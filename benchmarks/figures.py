"""Time and memory of the whole platform on this machine, against the sandbox exchanges.

Run it with `make figures` on a machine with nothing else to do; it takes some minutes, prints a Markdown
table and leaves nothing behind. With `--write` the table replaces the one in the README.

Here belongs what to do and which figures to show; how a process or a page is measured is in `gauges`.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import gauges
import psutil
import psycopg

from vp_pipeline.assets.keys import HOUR_FORMAT, TICK_JOB, range_tags
from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.storage import embedded
from vp_pipeline.windows import HOUR, floor

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- figures: make figures ARGS=--write -->", "<!-- end of figures -->"
TICKS = 5
READY = "Running until Ctrl-C."
PAGES = ("/", "/sessions", "/strategies", "/artifacts/", "/status")

Rows = list[tuple[str, str]]


def demo_command(*options: str) -> list[str]:
    return [sys.executable, "-m", "vp_pipeline.cli", "demo", *options]


def once(environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds and peak memory (PSS of all processes, in bytes) of one `vp demo --once`."""
    started = time.perf_counter()
    with subprocess.Popen(
        demo_command("--once"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        peak = gauges.watch(lambda: gauges.platform_processes(environment["VP_HOME"]), process)
        output = process.stdout.read().decode() if process.stdout else ""
    if process.returncode:
        sys.exit(f"vp demo --once failed:\n{output}")
    return time.perf_counter() - started, peak


@contextmanager
def running(environment: Mapping[str, str], log: Path) -> Iterator[tuple[str, str]]:
    """A demo that stays; the addresses of Dagster and of the site."""
    with log.open("wb") as output:
        process = subprocess.Popen(demo_command(), env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        while READY not in log.read_text():
            if process.poll() is not None:
                sys.exit(f"vp demo ended:\n{log.read_text()}")
            time.sleep(0.5)
        words = [line.split() for line in log.read_text().splitlines()]
        found = {line[0]: line[1].rstrip("/") for line in words if line and line[0] in ("Dagster", "Site")}
        yield found["Dagster"], found["Site"]
    finally:
        process.terminate()
        process.wait()


def ticks(dagster: DagsterApi, server: embedded.EmbeddedPostgres, code_server: psutil.Process) -> Rows:
    """Medians of several ticks, each over the last whole hour: as three in four by schedule."""
    with psycopg.connect(server.url("dagster"), autocommit=True) as connection:
        measured = [_tick(dagster, connection, code_server) for _ in range(TICKS + 1)][1:]
    medians = {name: statistics.median(tick[name] for tick in measured) for name in measured[0]}
    return [
        ("tick of one hour, from launch to end of run", f"{medians['wall']:.1f} s"),
        ("tick, processor time of the run's process", f"{medians['cpu']:.1f} s"),
        ("tick, peak memory of the run's process (RSS)", f"{medians['rss'] / 1e6:.0f} MB"),
        ("tick, rows in Dagster's event log", f"{medians['events']:.0f}"),
        ("tick, WAL of the whole server", f"{medians['wal'] / 1e3:.0f} kB"),
        ("tick, transactions of the whole server, reading ones included", f"{medians['commits']:.0f}"),
        ("tick, fsyncs of the WAL", f"{medians['fsyncs']:.0f}"),
    ]


def _tick(
    dagster: DagsterApi, connection: gauges.Connection, code_server: psutil.Process
) -> dict[str, float]:
    before = gauges.database_counters(connection)
    known = {child.pid for child in code_server.children(recursive=True)}
    hour = floor(datetime.now(UTC), HOUR) - HOUR
    started = time.perf_counter()
    run_id = dagster.launch(TICK_JOB, range_tags(hour, hour, HOUR_FORMAT))
    worker = gauges.watch_worker(code_server, known)
    dagster.follow(run_id, lambda _: None)
    wall = time.perf_counter() - started
    after = gauges.database_counters(connection)
    events = connection.execute("SELECT count(*) FROM event_logs WHERE run_id = %s", [run_id]).fetchone()
    return {
        "wall": wall,
        "cpu": worker.cpu_seconds,
        "rss": worker.peak_rss,
        "events": events[0] if events else 0,
        **{name: after[name] - before[name] for name in after},
    }


def memory(home: str) -> Rows:
    """Memory of each service that waits for work, and of all."""
    services = gauges.services(gauges.platform_processes(home))
    lines = [
        (f"idle memory, {name}", f"{one.pss / 1e6:.0f} MB ({one.rss / 1e6:.0f} MB)")
        for name, one in services.items()
    ]
    total = sum(one.pss for one in services.values()), sum(one.rss for one in services.values())
    dagsters = sum(one.pss for name, one in services.items() if name in gauges.DAGSTERS)
    return [
        *lines,
        ("idle memory, what imports Dagster", f"{dagsters / 1e6:.0f} MB"),
        ("idle memory, all", f"{total[0] / 1e6:.0f} MB ({total[1] / 1e6:.0f} MB)"),
    ]


def documents(site: str, server: embedded.EmbeddedPostgres) -> Rows:
    """Sizes of the artifacts, and weights of the pages."""
    with psycopg.connect(server.url("vp")) as connection:
        sizes = connection.execute(
            "SELECT split_part(name, '/', 1), max(size), max(octet_length(content))"
            " FROM artifact GROUP BY 1 ORDER BY 1"
        ).fetchall()
        shared = connection.execute("SELECT sum(octet_length(content)) FROM artifact_include").fetchone()
    lines = [
        (f"artifact {name}, download (stored)", f"{whole / 1e6:.1f} MB ({stored / 1e3:.0f} kB)")
        for name, whole, stored in sizes
    ]
    lines.append(("plotly.js, stored once for all artifacts", f"{(shared or [0])[0] / 1e6:.1f} MB"))
    for path in PAGES:
        weight = gauges.page_weight(site, path)
        text = f"{weight.page / 1e3:.0f} kB, with everything it loads {weight.all / 1e3:.0f} kB"
        lines.append((f"page {path}, compressed", text))
    return lines


def measure() -> str:
    """The table."""
    with tempfile.TemporaryDirectory(prefix="vp-figures-") as folder:
        home = str(Path(folder).resolve() / "home")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
        environment = {**kept, "VP_HOME": home, "COLUMNS": "120"}
        first, second = once(environment), once(environment)
        lines = [
            ("`make demo ONCE=1`, new folder", f"{first[0]:.0f} s, at most {first[1] / 1e6:.0f} MB"),
            ("`make demo ONCE=1`, again", f"{second[0]:.0f} s, at most {second[1] / 1e6:.0f} MB"),
        ]
        with running(environment, Path(folder) / "demo.log") as (dagster, site):
            time.sleep(20)
            lines += memory(home)
            server = embedded.start(Path(home) / "postgres")  # the one that runs there
            code_server = gauges.named(gauges.platform_processes(home), "code server")
            lines += ticks(DagsterApi(dagster), server, code_server)
            lines += documents(site, server)
    table = "\n".join(f"| {name} | {value} |" for name, value in lines)
    units = "memory as PSS, where both are shown (RSS)"
    return f"Measured on {machine()}; {units}.\n\n| figure | value |\n|---|---|\n{table}"


def machine() -> str:
    """What kind of machine this is: no name, no date."""
    cpu = Path("/proc/cpuinfo")
    models = [
        line.split(":", 1)[1].strip()
        for line in (cpu.read_text().splitlines() if cpu.exists() else [])
        if line.startswith(("model name", "Model"))
    ]
    gigabytes = psutil.virtual_memory().total / 2**30
    model = models[-1] if models else platform.processor()
    return (
        f"{model}, {platform.machine()}, {psutil.cpu_count()} cores, {gigabytes:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of the platform on this machine.")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    table = measure()
    print(table)
    if options.write:
        before, _, rest = README.read_text().partition(BEGIN)
        _, found, after = rest.partition(END)
        if not found:
            sys.exit(f"{README} lacks the marks {BEGIN} and {END}")
        README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
