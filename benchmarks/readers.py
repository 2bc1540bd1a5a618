"""The site under load: readers who ask without a pause, each with an open stream, while ticks run.

The whole platform runs on the sandbox's exchanges. Each reader asks for pages and answers of the API in turn,
the next as soon as the last has come, and follows its instrument's stream; the limit of requests a minute is
off, since all have one address. A request is lost if it fails or is answered by anything but 200. Then,
without the readers, what the first visit of the market page takes: bytes, and the time to its first chart in
Chromium, on this machine and with the processor slowed down to a fourth, as a phone's.

Run it with `python benchmarks/readers.py [--readers N] [--seconds N]`.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import figures
import gauges
from playwright.sync_api import sync_playwright

from vp_pipeline.assets.keys import HOUR_FORMAT, TICK_JOB, range_tags
from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.windows import HOUR, floor
from vp_pipeline_tests.browsers import ARGUMENTS
from vp_pipeline_tests.site.visits import DRAWN

PATHS = (
    "/?instrument=BTC&period=4h",
    "/?instrument=BTC&period=1d&chart=line",
    "/?instrument=BTC&period=all",
    "/sessions",
    "/status",
    "/api/v1/status",
    "/api/v1/latest?instrument=BTC",
)
VISITS = 5
SLOWED = 4


class Load:
    """What the readers saw: seconds of each answer, and what was lost."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.seconds: list[float] = []
        self.lost: list[str] = []
        self.told = 0

    async def run(self, readers: int, until: float) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self.site, connector=connector, timeout=timeout) as session:
            streams = [asyncio.create_task(self._follow(session)) for _ in range(readers)]
            await asyncio.gather(*(self._read(session, number, until) for number in range(readers)))
            for stream in streams:
                if stream.done():
                    self.lost.append(f"a stream ended: {stream.exception()}")
                stream.cancel()

    async def _read(self, session: aiohttp.ClientSession, number: int, until: float) -> None:
        while time.monotonic() < until:
            path = PATHS[number % len(PATHS)]
            number += 1
            began = time.perf_counter()
            try:
                async with session.get(path) as answer:
                    await answer.read()
                if answer.status != 200:
                    self.lost.append(f"{path}: {answer.status}")
            except (aiohttp.ClientError, TimeoutError) as error:
                self.lost.append(f"{path}: {error!r}")
            self.seconds.append(time.perf_counter() - began)

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        forever = aiohttp.ClientTimeout(total=None)
        async with session.get("/live?instrument=BTC", timeout=forever) as answer:
            async for line in answer.content:
                self.told += line.startswith(b"event: ")


def ticks(url: str, stop: threading.Event) -> list[float]:
    """Ticks one after the other until told to stop; seconds of each. One that fails raises."""
    dagster, seconds = DagsterApi(url), []
    while not stop.is_set():
        hour, began = floor(datetime.now(UTC), HOUR), time.perf_counter()
        dagster.follow(dagster.launch(TICK_JOB, range_tags(hour, hour, HOUR_FORMAT)), lambda _: None)
        seconds.append(time.perf_counter() - began)
    return seconds


def first_chart(site: str, slowed: int) -> float:
    """Seconds from the click to the first bar of the profile, nothing kept from before; a median."""
    times = []
    with sync_playwright() as playwright:
        path = os.environ.get("VP_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for _ in range(VISITS):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
            began = time.perf_counter()
            page.goto(f"{site}/?instrument=BTC", wait_until="commit")
            page.wait_for_selector(DRAWN, state="attached")
            times.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
    with tempfile.TemporaryDirectory(prefix="vp-readers-") as folder:
        home = str(Path(folder).resolve() / "home")
        environment = {**kept, "VP_HOME": home, "VP_SITE_RATE": "0", "COLUMNS": "120"}
        with figures.running(environment, Path(folder) / "demo.log") as (dagster, site):
            load = Load(site)
            with ThreadPoolExecutor(1) as thread:
                stop = threading.Event()
                ticking = thread.submit(ticks, dagster, stop)
                asyncio.run(load.run(arguments.readers, time.monotonic() + arguments.seconds))
                stop.set()
                taken = ticking.result()
            weight = gauges.page_weight(site, "/?instrument=BTC")
            charts = [first_chart(site, slowed) for slowed in (1, SLOWED)]
    ordered = sorted(load.seconds)
    middle, most = (ordered[int(len(ordered) * part)] for part in (0.5, 0.95))
    print("| figure | value |\n|---|---:|")
    print(f"| readers at once, each with an open stream | {arguments.readers} |")
    print(f"| answers | {len(ordered):,}, {len(ordered) / arguments.seconds:,.0f} a second |")
    print(f"| lost | {len(load.lost)} |")
    print(f"| time of an answer, median and 95 % | {middle:.2f} s, {most:.2f} s |")
    print(f"| events heard | {load.told:,} |")
    print(f"| ticks meanwhile, all of which succeeded | {len(taken)} |")
    print(f"| time of a tick, median | {statistics.median(taken):.1f} s |")
    print(f"| market page, compressed | {weight.page / 1e3:.0f} kB |")
    print(f"| the same with all it loads, kept by the browser | {weight.all / 1e3:.0f} kB |")
    print(f"| first visit to the first chart | {charts[0] * 1e3:.0f} ms |")
    print(f"| the same with a fourth of the processor | {charts[1] * 1e3:.0f} ms |")
    if load.lost:
        print("\n".join(load.lost[:10]), file=sys.stderr)
        sys.exit(f"{len(load.lost)} requests were lost")


if __name__ == "__main__":
    main()
