"""The first document's script as a whole against one whole tick of ours, on the same exchanges and server.

A platform runs on sandbox exchanges, each of whose answers comes a tenth of a second late. The document's
script (`document_script`) runs in a process of its own, from start to exit. Ours is what a tick is: a run
that Dagster launches in a process of its own, from the request to its end, candles, ledger, checks, aggregate
and the profiles of its hours included. Both take turns; medians count. Both tables hold as many rows, those
of the document one market's minutes, as it has them. The limit is a page for each market over plain sockets,
all at once.

The database's part is compared twice: the same work (the document's INSERT, DELETE and SELECT by its own
clock, against storing the same candles, their ledger and reading the last four hours), and all of a tick's
work, as the time that the server spent on statements in the database of each (`pg_stat_database`).

Run it with `python benchmarks/whole_tick.py [--rows N ...] [--runs N]`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gauges
import psutil
import psycopg
import requests
import sockets
from claims import Point, Ratio, tell
from document_script import MARKETS
from made_up import made_up, minutes

from vp_pipeline.assets.keys import HOUR_FORMAT, TICK_JOB, range_tags
from vp_pipeline.runtime import platform
from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.storage import candles, embedded, ledger, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, HOUR, MINUTE, floor

SCRIPT = Path(__file__).resolve().parent / "document_script.py"
LATENCY_SECONDS = 0.1
PAGE, NEW = 300, 15
SETTLING_SECONDS = 2  # sessions report what they did with a delay of a second
GOAL_ROWS, GOAL_DATABASE, GOAL_PROCESS = 5_000_000, 200.0, 5.0
# As the document makes it: no key, whole volumes.
TABLE = """
CREATE TABLE prices (Timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL, Open FLOAT NOT NULL,
    High FLOAT NOT NULL, Low FLOAT NOT NULL, Close FLOAT NOT NULL, Volume BIGINT NOT NULL)"""


@dataclass(frozen=True)
class Turn:
    """One run of one side: seconds of the whole and of its database's work, and peak memory in bytes."""

    whole: float
    database: float
    server: float
    memory: float


@dataclass(frozen=True)
class Stage:
    """What both run on."""

    server: embedded.EmbeddedPostgres
    dagster: DagsterApi
    sandbox: str
    home: Path

    @property
    def ours(self) -> str:
        """Our candles."""
        return self.server.url("vp")

    @property
    def document(self) -> str:
        """The document's table."""
        return self.server.url("document")


def markets_file() -> str:
    """The document's eleven markets for our platform."""
    lines = ["[instruments.BTC]", "row_size = 10", 'lead = "binance BTC/USDT"']
    for exchange, symbol in MARKETS:
        lines += ["[[markets]]", f'exchange = "{exchange}"', f'symbol = "{symbol}"']
    return "\n".join(lines) + "\n"


@contextmanager
def stage() -> Iterator[Stage]:
    """A platform on exchanges that answer late, and the document's empty table beside it."""
    with tempfile.TemporaryDirectory(prefix="vp-whole-tick-") as name:
        home, file = Path(name).resolve() / "home", Path(name).resolve() / "markets.toml"
        file.write_text(markets_file())
        first_hour = (floor(datetime.now(UTC), DAY) - DAY).isoformat()
        options = platform.Options(home, "sandbox", file, first_hour=first_hour)
        with platform.running(options, lambda message: print(message, file=sys.stderr)) as running:
            server = embedded.start(home / "postgres")  # the one that runs there
            sandbox = running.addresses.sandbox_url
            assert sandbox is not None
            migrate.create_database(server.url("document"))
            with psycopg.connect(server.url("document")) as connection:
                connection.execute(TABLE.encode())
            yield Stage(server, DagsterApi(running.addresses.dagster_url), sandbox, home)


def delay(sandbox: str) -> None:
    """Let each exchange answer late."""
    exchanges = dict.fromkeys(exchange for exchange, _ in MARKETS)
    faults = [{"exchange": name, "kind": "delay", "seconds": LATENCY_SECONDS} for name in exchanges]
    requests.put(f"{sandbox}/_sandbox/faults", json={"faults": faults}, timeout=10).raise_for_status()


def pages(sandbox: str) -> list[str]:
    """A page of candles of each market, all in Binance's format: what they ask the network for."""
    page = f"{sandbox}/binance/api/v3/klines?symbol=BTCUSDT&interval=1m&limit={PAGE}"
    return [page for _ in MARKETS]


def fill(on: Stage, have: int, count: int) -> None:
    """Bring both tables from `have` rows to `count`; ours in a past that no tick asks about."""
    with transaction(on.ours) as connection:
        numbers = sorted(market_ids(connection, list(MARKETS)).values())
        for part in minutes(have // len(numbers), count // len(numbers)).split(90 * DAY):
            candles.store(connection, {number: made_up(number, part) for number in numbers})
    newest = floor(datetime.now(UTC), MINUTE) - NEW * MINUTE
    with psycopg.connect(on.document) as connection:
        connection.execute("TRUNCATE prices")
        connection.execute(
            "INSERT INTO prices SELECT %s - n * interval '1 minute', price, price + 5, price - 5, price + 1,"
            " 1 + n %% 7 FROM generate_series(%s, 1, -1) AS n,"
            " LATERAL (SELECT 20000 + 500 * sin(n / 700.0)) AS made (price)",
            [newest.replace(tzinfo=None), count],
        )
    for url, table in ((on.ours, "candle"), (on.document, "prices")):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"VACUUM ANALYZE {table}".encode())
            connection.execute("CHECKPOINT")


def server_seconds(on: Stage, database: str) -> float:
    """What the server has spent on statements in a database since it started."""
    time.sleep(SETTLING_SECONDS)
    with psycopg.connect(on.server.url("postgres"), autocommit=True) as connection:
        row = connection.execute(
            "SELECT active_time / 1000 FROM pg_stat_database WHERE datname = %s", [database]
        ).fetchone()
    return float(row[0]) if row else 0.0


def document_turn(on: Stage) -> tuple[Turn, dict[str, float]]:
    """The script, from start to exit; also the seconds of its parts."""
    before = server_seconds(on, "document")
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), on.sandbox, on.document], stdout=subprocess.PIPE
    ) as process:
        watched, peak = psutil.Process(process.pid), 0.0
        while process.poll() is None:
            peak = max(peak, gauges.high_water(watched.pid))
            time.sleep(0.02)
        whole = time.perf_counter() - started
        output = process.stdout.read() if process.stdout else b""
    if process.returncode:
        sys.exit(f"{SCRIPT.name} ended with {process.returncode}")
    told = json.loads(output)
    assert all(0.9 * PAGE <= count <= PAGE for count in told["fetched"]), told["fetched"]
    seconds: dict[str, float] = told["seconds"]
    database = seconds["inserting"] + seconds["deleting"] + seconds["selecting"]
    return Turn(whole, database, server_seconds(on, "document") - before, peak), seconds


def our_turn(on: Stage, first_minute: int) -> Turn:
    """A tick of the last whole hour and the open one, and by itself the same work that the document does."""
    hour = floor(datetime.now(UTC), HOUR)
    code_server = gauges.named(gauges.platform_processes(str(on.home)), "code server")
    known = {child.pid for child in code_server.children(recursive=True)}
    before = server_seconds(on, "vp")
    started = time.perf_counter()
    run_id = on.dagster.launch(TICK_JOB, range_tags(hour - HOUR, hour, HOUR_FORMAT))
    worker = gauges.watch_worker(code_server, known)
    on.dagster.follow(run_id, lambda _: None)
    whole = time.perf_counter() - started
    server = server_seconds(on, "vp") - before
    return Turn(whole, _same_work(on, first_minute), server, worker.peak_rss)


def _same_work(on: Stage, first_minute: int) -> float:
    """Seconds to store a page of each market, a part of it new, with its ledger, and to read four hours."""
    window = minutes(first_minute - PAGE + NEW, first_minute + NEW)
    with transaction(on.ours) as connection:
        numbers = sorted(market_ids(connection, list(MARKETS)).values())
    frames = {number: made_up(number, window) for number in numbers}
    findings = [Finding(number, window, "answered") for number in numbers]
    started = time.perf_counter()
    with transaction(on.ours) as connection:
        candles.store(connection, frames)
        ledger.record(connection, findings)
    with transaction(on.ours) as connection:
        four_hours = minutes(first_minute + NEW - 240, first_minute + NEW)
        frame = candles.read(connection, numbers, four_hours, ["open_time", "close", "volume"])
    seconds = time.perf_counter() - started
    assert len(frame) == len(numbers) * (four_hours.end - four_hours.start) // MINUTE
    return seconds


def median(turns: Sequence[Turn], name: str) -> float:
    return statistics.median(float(getattr(turn, name)) for turn in turns)


def report(
    count: int, ours: Sequence[Turn], theirs: Sequence[Turn], parts: dict[str, float], limit: float
) -> str:
    """A row of the table, and what the report is told."""
    goals = count >= GOAL_ROWS
    figures = []
    for name, title, goal in (
        ("whole", "whole process", GOAL_PROCESS),
        ("database", "database, the same work", GOAL_DATABASE),
        ("server", "database, all of a tick", GOAL_DATABASE),
        ("memory", "peak memory of the process", None),
    ):
        one = Ratio(
            f"tick at {count:,} rows: {title}",
            "the document's script",
            median(ours, name),
            median(theirs, name),
            unit="B" if name == "memory" else "s",
            goal=goal if goals else None,
        )
        tell(one)
        figures.append(one.cells)
    own = median(ours, "whole")
    tell(
        Ratio(
            f"tick at {count:,} rows: whole process",
            "its requests by plain sockets",
            own,
            limit,
            kind="limit",
        ),
        Point("whole tick, ours", "rows in the table", count, own),
        Point("whole tick, document's", "rows in the table", count, median(theirs, "whole")),
    )
    shares = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())
    return f"| {count:,} | {' | '.join(figures)} | {shares} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rows, have = [], 0
    with stage() as on:
        delay(on.sandbox)
        our_turn_first = floor(datetime.now(UTC), HOUR)
        run = on.dagster.launch(TICK_JOB, range_tags(our_turn_first - 4 * HOUR, our_turn_first, HOUR_FORMAT))
        on.dagster.follow(run, lambda _: None)  # the first run has more to do than any later one
        for count in sorted(options.rows):
            fill(on, have, count)
            have = count
            ours, theirs, parts = [], [], dict[str, float]()
            for number in range(options.runs):
                ours.append(our_turn(on, count // len(MARKETS) + number * NEW))
                turn, parts = document_turn(on)
                theirs.append(turn)
            limit = statistics.median(sockets.seconds(pages(on.sandbox)) for _ in range(5))
            rows.append(report(count, ours, theirs, parts, limit))
    wait = timedelta(seconds=LATENCY_SECONDS) / timedelta(milliseconds=1)
    print(f"{len(MARKETS)} markets, answers {wait:.0f} ms late, medians of {options.runs} runs.\n")
    names = ("whole process", "database, same work", "database, all", "peak memory")
    head = " | ".join(f"{name}, ours | document's | ratio" for name in names)
    print(f"| rows | {head} | seconds of the document's parts |")
    print(f"|{'---:|' * (2 + 3 * len(names) - 1)}---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
