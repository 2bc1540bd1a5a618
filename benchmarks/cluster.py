"""History over workers on several machines: one, two and four of them, and one killed in the middle.

Each machine is a network namespace of this one: PostgreSQL, Redis, the simulated exchanges, the platform and
each worker reach each other by their addresses alone. Every answer of an exchange and of the archive takes
as long as told. What differs from real machines: all of them share this one's processors, the exchanges'
work included, so that more workers hide waiting but cannot add processors.

Lost are minutes that the exchanges have and the table has not, doubled are rows beyond one a market and
minute; the same says whether candles and aggregate equal those that one worker made, byte by byte.

Run it as root with `python benchmarks/cluster.py [--months N] [--latency MS]`, Debian's packages iproute2 and
redis-server installed; it prints a Markdown table and leaves nothing behind.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import requests
from namespaces import NETWORK, Machines, Process, machines

from vp_pipeline.sandbox.candles import MINUTE_MS
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage import embedded
from vp_pipeline.windows import DAY, Window, to_ms

ROOT = Path(__file__).resolve().parent.parent
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
EXCHANGES = ("binance", "kucoin", "bybit")
MARKETS = '[instruments.BTC]\nrow_size = 10\nlead = "binance BTC/USDT"\n' + "".join(
    f'\n[[markets]]\nexchange = "{name}"\nsymbol = "BTC/USDT"\n' for name in EXCHANGES
)
# What a backfill fills.
TABLES = (
    "candle, coverage_run, stale_hour, archive_file, revision, aggregate, quote_rate, venue_verdict, profile"
)
_VP = [sys.executable, "-m", "vp_pipeline.cli"]
HEAD = """\
| workers | seconds | times as fast | market months an hour | minutes stored | lost | doubled | same \
| processor s: workers | PostgreSQL | exchanges |
|---|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|"""


@dataclass(frozen=True)
class Outcome:
    """Of one backfill; processor seconds of workers, PostgreSQL, exchanges."""

    seconds: float
    stored: int
    doubled: int
    digest: str
    processor: tuple[float, float, float]


def postgres(here: Machines) -> embedded.EmbeddedPostgres:
    """A server that listens in a namespace of its own; from here it is reached by its socket."""
    address, folder = here.add("db"), here.folder / "postgres"
    server = embedded.start(folder)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET listen_addresses = '{address}'".encode())
    server.stop()
    with (folder / "data" / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {NETWORK}.0/24 trust\n")
    here.stack.callback(server.stop)
    start = "from pathlib import Path; from vp_pipeline.storage import embedded;"
    start += f" embedded.start(Path({str(folder)!r}))"
    here.start("db", sys.executable, "-c", start).popen.wait()
    here.variables["VP_DATABASE_URL"] = f"postgresql://postgres@{address}/vp"
    here.variables["VP_DAGSTER_DATABASE_URL"] = f"postgresql+psycopg2://postgres@{address}/dagster"
    return server


def exchanges(here: Machines, latency: float) -> Process:
    """The simulated exchanges, whose every answer takes a while."""
    address = here.add("exchanges")
    process = here.start("exchanges", *_VP, "sandbox", "--host", address, "--port", "4100")
    process.wait_for("sandbox exchanges")
    late = [
        {"exchange": name, "kind": "delay", "seconds": latency} for name in (*EXCHANGES, "binance_archive")
    ]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.put(f"http://{address}:4100/_sandbox/faults", json={"faults": late}, timeout=10)
        answer.raise_for_status()
    here.variables.update(VP_SOURCE="sandbox", VP_EXCHANGE_URL=f"http://{address}:4100")
    return process


def platform(here: Machines) -> None:
    """Dagster: code server, webserver and daemon."""
    here.add("platform")
    (here.folder / "markets.toml").write_text(MARKETS)
    (here.folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    here.variables.update(
        DAGSTER_HOME=str(here.folder),
        VP_MARKETS_FILE=str(here.folder / "markets.toml"),
        VP_CODE_HOST="127.0.0.1",
        VP_CODE_PORT="4000",
    )
    here.start("platform", *_VP, "migrate", log="migrate").popen.wait()
    python, workspace = [sys.executable, "-m"], ["-w", str(ROOT / "workspace.yaml")]
    here.start(
        "platform", *python, "vp_pipeline.runtime.code_service", "127.0.0.1", "4000", log="code"
    ).wait_for("Started Dagster code server")
    webserver = here.start(
        "platform", *python, "dagster_webserver", "-h", "127.0.0.1", "-p", "3000", *workspace, log="webserver"
    )
    here.start(
        "platform", str(Path(sys.executable).with_name("dagster-daemon")), "run", *workspace, log="daemon"
    )
    webserver.wait_for("Serving dagster-webserver")


def backfill(
    here: Machines,
    server: embedded.EmbeddedPostgres,
    outside: Process,
    workers: Sequence[str],
    window: Window,
    kill_at: int | None,
) -> Outcome:
    """Load the months with these workers from nothing; the first is killed at so many stored minutes."""
    with psycopg.connect(server.url("vp")) as connection:
        connection.execute(f"TRUNCATE {TABLES}".encode())
    started = [here.start(name, *_VP, "worker") for name in workers]
    for worker in started:
        worker.wait_for(" ready.")
    before, begun = _processor(outside, server), time.monotonic()
    asked = ["--from", f"{window.start:%Y-%m-%d}", "--to", f"{window.end:%Y-%m-%d}"]
    asked += ["--at-once", str(len(workers) + 2), "--dagster", "http://127.0.0.1:3000"]
    command = here.start("platform", *_VP, "backfill", *asked, log="backfill")
    while command.popen.poll() is None:
        if kill_at is not None and _count(server, "candle") >= kill_at:
            started[0].end(signal.SIGKILL)
            kill_at = None
        time.sleep(0.1)
    seconds = time.monotonic() - begun
    if command.popen.returncode != 0:
        raise SystemExit(command.log.read_text())
    after = _processor(outside, server)
    spent = sum(worker.processor_seconds for worker in started if worker.popen.poll() is None)
    for worker in started:
        worker.end()
    stored = _count(server, "candle")
    one_each = _count(server, "(SELECT DISTINCT market_id, open_time FROM candle)")
    rows = [
        _digest(server, "candle", "market_id, open_time"),
        _digest(server, "aggregate", "base, open_time"),
    ]
    of_others = (after[0] - before[0], after[1] - before[1])
    return Outcome(seconds, stored, stored - one_each, " ".join(rows), (spent, of_others[0], of_others[1]))


def _processor(outside: Process, server: embedded.EmbeddedPostgres) -> tuple[float, float]:
    """Processor seconds so far of PostgreSQL and of the exchanges."""
    number = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    postmaster = psutil.Process(number)
    of_server = sum(sum(one.cpu_times()[:4]) for one in [postmaster, *postmaster.children()])
    return of_server, outside.processor_seconds


def _count(server: embedded.EmbeddedPostgres, table: str) -> int:
    with psycopg.connect(server.url("vp")) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table} AS found".encode()).fetchone()
    return int(found[0]) if found else 0


def _digest(server: embedded.EmbeddedPostgres, table: str, key: str) -> str:
    query = f"SELECT md5(string_agg(md5(found::text), '' ORDER BY {key})) FROM {table} AS found"
    with psycopg.connect(server.url("vp")) as connection:
        found = connection.execute(query.encode()).fetchone()
    return str(found[0]) if found else ""


def _truth(window: Window) -> int:
    """How many minutes the exchanges have."""
    source, start, end = GeneratedSource(), to_ms(window.start), to_ms(window.end)
    markets = [m for name in EXCHANGES for m in source.markets(name) if m.symbol == "BTC/USDT"]
    return sum(len(source.candles(m, MINUTE_MS, start, end, end + MINUTE_MS).open_time) for m in markets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--latency", type=float, default=100.0, help="milliseconds of every answer")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    # Told to stop, it leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end = FIRST
    for _ in range(options.months):
        end = (end + 31 * DAY).replace(day=1)
    window = Window(FIRST, end)
    truth = _truth(window)
    with machines() as here:
        server = postgres(here)
        broker = here.add("broker")
        redis = ["--bind", broker, "--port", "6379", "--protected-mode", "no", "--save", ""]
        here.start("broker", "redis-server", *redis).wait_for("Ready to accept connections")
        here.variables["VP_BROKER_URL"] = f"redis://{broker}:6379/0"
        outside = exchanges(here, options.latency / 1000)
        platform(here)
        names = [f"worker{number}" for number in range(1, max(options.workers) + 1)]
        for name in names:
            here.add(name)
        print(f"{options.months} months of {len(EXCHANGES)} markets, {options.latency:.0f} ms an answer\n")
        print(HEAD)
        first: Outcome | None = None
        trials = [(count, False) for count in options.workers] + [(2, True)]
        for count, killed in trials:
            kill_at = truth // 3 if killed else None
            done = backfill(here, server, outside, names[:count], window, kill_at)
            first = first or done
            cells = [
                f"{count}, one killed" if killed else str(count),
                f"{done.seconds:.0f}",
                f"{first.seconds / done.seconds:.2f}",
                f"{options.months * len(EXCHANGES) * 3600 / done.seconds:,.0f}",
                f"{done.stored:,}",
                f"{truth - done.stored:,}",
                f"{done.doubled:,}",
                "yes" if done.digest == first.digest else "NO",
                "" if killed else f"{done.processor[0]:.0f}",
                f"{done.processor[1]:.0f}",
                f"{done.processor[2]:.0f}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
