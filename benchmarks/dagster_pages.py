"""How long Dagster's own pages take to open: a webserver that has just started, a browser without memory.

Used by `growth` on a database of years, and alone on the folder of a platform that runs:

    .venv/bin/python benchmarks/dagster_pages.py .vp/demo

For every visit the webserver is started anew, on one port, and Dagster's own cache of partitions is emptied,
as the first start in a month finds it. A page is opened in Chromium with an empty profile, or with Dagster's
scripts in its cache and nothing else. It is open when what it is for is drawn. Of that time the server has
what an answer of GraphQL was awaited; the rest is Dagster's bundle, fetched, compiled and run.

Here belong Dagster's pages; those of the site are measured in `readers`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
import psycopg
from playwright.sync_api import BrowserContext, Playwright, Request, sync_playwright
from playwright.sync_api import Page as Tab

from vp_pipeline.runtime.kin import MARKER
from vp_pipeline.runtime.ports import LOOPBACK, listens, taken
from vp_pipeline.runtime.services import ROOT
from vp_pipeline.storage.address import plain
from vp_pipeline_tests.browsers import ARGUMENTS

VISITS = 3
# Pages ask on once they are drawn.
SETTLED_MS = 1500
CANDLES = "global%40global%3Acandles"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Page:
    """A page, and a selector of what is there once it shows what it is for."""

    name: str
    path: str
    drawn: str


PAGES = (
    Page("graph of all assets", "/asset-groups", "foreignObject >> text=volume_profile"),
    Page(
        "graph, candles opened",
        f"/asset-groups?expanded={CANDLES}",
        "foreignObject >> text=btc_usdt >> nth=0",
    ),
    Page("an hourly asset", "/assets/coverage", "text=Latest check results >> xpath=../.. >> text=ago"),
    Page("runs", "/runs", "a[href*='/runs/'] >> nth=0"),
    Page("overview", "/overview", "text=tick >> nth=0"),
)


@dataclass(frozen=True)
class Visit:
    """Seconds from the click until the page was drawn; of queries, each one's own, by operation."""

    total: float
    server: float
    queries: Mapping[str, float]


@dataclass
class Listener:
    """Notes the queries of a page: operation, begin and end in seconds since the epoch."""

    found: list[tuple[str, float, float]] = field(default_factory=list)

    def __call__(self, request: Request) -> None:
        """Called at the end of each request."""
        if request.method == "POST" and "/graphql" in request.url:
            timing, asked = request.timing, json.loads(request.post_data or "{}")
            begin = timing["startTime"] / 1000
            self.found.append((asked["operationName"], begin, begin + timing["responseEnd"] / 1000))

    def awaited(self, start: float, end: float) -> float:
        """Seconds between two moments in which at least one answer was awaited."""
        total, until = 0.0, start
        for _, begin, over in sorted(self.found, key=lambda query: query[1]):
            begin, over = max(begin, until), min(over, end)
            if over > begin:
                total, until = total + over - begin, over
        return total


@contextmanager
def webserver(environment: Mapping[str, str], port: int) -> Iterator[str]:
    """A new process of Dagster's webserver that answers; its address."""
    command = [sys.executable, "-m", "dagster_webserver", "-h", LOOPBACK, "-p", str(port)]
    with subprocess.Popen(
        [*command, "-w", str(ROOT / "workspace.yaml")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("Dagster's webserver does not start")
                time.sleep(0.05)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            process.terminate()


@contextmanager
def browser(playwright: Playwright, profile: Path) -> Iterator[BrowserContext]:
    """Chromium, which keeps its cache in this folder."""
    path = os.environ.get("VP_CHROMIUM", "/usr/bin/chromium")
    size = {"width": 1280, "height": 900}
    context = playwright.chromium.launch_persistent_context(
        profile,
        executable_path=path,
        args=ARGUMENTS,
        viewport=size,  # type: ignore[arg-type]
    )
    yield context
    context.close()


def visit(tab: Tab, address: str, page: Page) -> Visit:
    """Open a page and wait until it is drawn, then until its other queries are answered."""
    listener = Listener()
    tab.on("requestfinished", listener)
    began = time.time()
    tab.goto(address + page.path, wait_until="commit")
    tab.wait_for_selector(page.drawn, timeout=PATIENCE_SECONDS * 1000)
    drawn = time.time()
    tab.wait_for_timeout(SETTLED_MS)
    tab.wait_for_load_state("networkidle", timeout=PATIENCE_SECONDS * 1000)
    queries: dict[str, float] = {}
    for operation, begin, end in listener.found:
        queries[operation] = max(queries.get(operation, 0.0), end - begin)
    return Visit(drawn - began, listener.awaited(began, drawn), queries)


def visits(environment: Mapping[str, str], page: Page, keeps_scripts: bool) -> list[Visit]:
    """Several, each with a new webserver and a new browser."""
    found = []
    with taken() as take, sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        port, filled = take(0), Path(folder) / "filled"
        if keeps_scripts:
            # The second time Chromium keeps the compiled scripts as well.
            for _ in range(2):
                with webserver(environment, port) as address, browser(playwright, filled) as context:
                    visit(context.new_page(), address, page)
        for number in range(VISITS):
            profile = Path(folder) / str(number)
            if keeps_scripts:
                shutil.copytree(filled, profile)
            with webserver(environment, port) as address, browser(playwright, profile) as context:
                forget(environment)
                tab = context.new_page()
                # What Dagster's pages keep of answers is no part of the scripts.
                session = context.new_cdp_session(tab)
                kept = {"origin": address, "storageTypes": "indexeddb,local_storage"}
                session.send("Storage.clearDataForOrigin", kept)
                found.append(visit(tab, address, page))
    return found


def forget(environment: Mapping[str, str]) -> None:
    """Empty Dagster's cache of which partitions were made."""
    with psycopg.connect(plain(environment["VP_DAGSTER_DATABASE_URL"])) as connection:
        connection.execute("UPDATE asset_keys SET cached_status_data = NULL")


def environment_of(home: Path) -> dict[str, str]:
    """What the services of Dagster of the platform in this folder were given."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            given = process.environ()
            if given.get(MARKER) == str(home) and "VP_DAGSTER_DATABASE_URL" in given:
                return given
    raise RuntimeError(f"no platform runs in {home}")


def report(home: Path, what: str) -> None:
    """Open every page of the platform that runs in this folder, and print medians."""
    environment = environment_of(home)
    print(f"\n| page, {what} | browser has | open, s | server of it, s | longest queries, s |")
    print("|---|---|---:|---:|---|")
    for page in PAGES:
        for keeps_scripts in (False, True):
            found = visits(environment, page, keeps_scripts)
            names = {name for one in found for name in one.queries}
            queries = {name: median(one.queries.get(name, 0.0) for one in found) for name in names}
            longest = sorted(queries, key=lambda name: -queries[name])[:3]
            print(
                f"| {page.name} | {'scripts' if keeps_scripts else 'nothing'}"
                f" | {median(one.total for one in found):.2f} | {median(one.server for one in found):.2f}"
                f" | {', '.join(f'{name} {queries[name]:.2f}' for name in longest)} |",
                flush=True,
            )


if __name__ == "__main__":
    report(Path(sys.argv[1]).resolve(), "as it is")
