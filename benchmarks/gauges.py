"""How processes, the database and pages are measured, by public means: psutil, /proc and PostgreSQL's views.

Here belongs the measuring; what is measured when is in `figures`.
"""

import gzip
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import psutil
import psycopg
import requests

from vp_pipeline.runtime.kin import MARKER
from vp_pipeline_tests.runtime.command import is_run

Connection = psycopg.Connection[tuple[Any, ...]]

# What a service's command line holds, of those that import Dagster with a zygote and without one.
SERVICES = {
    "PostgreSQL": "postgres",
    "code server": "vp code-server|vp_pipeline.runtime.code_server",
    "Dagster webserver": "vp dagster-webserver|dagster_webserver.cli",
    "Dagster daemon": "vp dagster-daemon|dagster._daemon.cli",
    "site": "vp_pipeline.cli site",
    "poller": "vp_pipeline.cli poll",
    "sandbox exchanges": "vp_pipeline.cli sandbox",
    "supervisor": "vp_pipeline.cli demo",
}
DAGSTERS = ("code server", "Dagster webserver", "Dagster daemon")
"""Those that import Dagster."""


@dataclass(frozen=True)
class Memory:
    """In bytes. PSS counts a page that n processes share as 1/n to each, so that it adds up; RSS does not."""

    pss: float
    rss: float


@dataclass(frozen=True)
class Worker:
    """What one run's process used."""

    cpu_seconds: float
    peak_rss: float


@dataclass(frozen=True)
class PageWeight:
    """Bytes over the wire: the page alone, and with its scripts, styles and pictures."""

    page: int
    all: int


def platform_processes(home: str) -> list[psutil.Process]:
    """Every process of the platform in this folder: supervisor, services, their children, PostgreSQL."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            ours = environment.get(MARKER) == home
            supervisor = environment.get("VP_HOME") == home and "demo" in process.cmdline()
            database = process.name() == "postgres" and process.cwd().startswith(home)
            if ours or supervisor or database:
                found.append(process)
    return found


def named(processes: Iterable[psutil.Process], service: str) -> psutil.Process:
    """The process that started first of those of a service."""
    own = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # ended since
            if re.search(SERVICES[service], " ".join(process.cmdline())):
                own.append(process)
    return min(own, key=lambda process: process.create_time())


def services(processes: Iterable[psutil.Process]) -> dict[str, Memory]:
    """Memory by service, children included."""
    parts: dict[str, list[Memory]] = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            parts.setdefault(_service_of(process), []).append(memory(process))
    return {
        name: Memory(sum(part.pss for part in parts[name]), sum(part.rss for part in parts[name]))
        for name in [*SERVICES, "other"]
        if name in parts
    }


def _service_of(process: psutil.Process) -> str:
    """The service that the process is, or that started it."""
    for one in [process, *process.parents()]:
        command = " ".join([one.name(), *one.cmdline()])
        for name, mark in SERVICES.items():
            if re.search(mark, command):
                return name
    return "other"


def memory(process: psutil.Process) -> Memory:
    """Memory of one process; where the system tells no PSS, RSS stands for it."""
    full = process.memory_full_info()
    return Memory(getattr(full, "pss", full.rss), full.rss)


def watch(processes: Callable[[], list[psutil.Process]], until: "subprocess.Popen[bytes]") -> float:
    """The largest sum of PSS, looked at twice a second until a process has ended."""
    peak = 0.0
    while until.poll() is None:
        total = 0.0
        for process in processes():
            with suppress(psutil.Error):
                total += memory(process).pss
        peak = max(peak, total)
        time.sleep(0.5)
    return peak


def watch_worker(code_server: psutil.Process, known: set[int]) -> Worker:
    """What the next new child of the code server uses until it ends, looked at every 20 ms."""
    deadline = time.monotonic() + 60
    while not (new := [one for one in code_server.children(recursive=True) if _is_run(one, known)]):
        if time.monotonic() > deadline:
            raise TimeoutError("the code server has not started a process for the run within a minute")
        time.sleep(0.01)
    cpu = rss = 0.0
    with suppress(psutil.Error):
        while new[0].status() != psutil.STATUS_ZOMBIE:
            times = new[0].cpu_times()
            cpu = times.user + times.system
            rss = max(rss, new[0].memory_info().rss, high_water(new[0].pid))
            time.sleep(0.02)
    return Worker(cpu, rss)


def _is_run(process: psutil.Process, known: set[int]) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.pid not in known and is_run(process)
    return False


def high_water(pid: int) -> float:
    """The kernel's own record of the largest RSS, where there is one."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def database_counters(connection: Connection) -> dict[str, float]:
    """WAL bytes, commits and fsyncs of the WAL since the server started."""
    time.sleep(2)  # sessions report what they did with a delay of a second
    row = connection.execute(
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'),"
        " (SELECT sum(xact_commit) FROM pg_stat_database),"
        " (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')"
    ).fetchone()
    if row is None or None in row:
        raise RuntimeError("PostgreSQL does not count fsyncs of the WAL: version 18 does")
    return dict(zip(("wal", "commits", "fsyncs"), map(float, row), strict=True))


def page_weight(site: str, path: str) -> PageWeight:
    """Bytes of a page and of what it loads from the site, as a browser asks for them."""
    with requests.Session() as session:
        session.trust_env = False
        page, html = _bytes(session, urljoin(site, path))
        linked = set(re.findall(r"""<(?:script|link|img)[^>]*?(?:src|href)=["']([^"']+)["']""", html))
        loaded = sum(_bytes(session, urljoin(site, link))[0] for link in sorted(linked) if link[0] == "/")
    return PageWeight(page, page + loaded)


def _bytes(session: requests.Session, url: str) -> tuple[int, str]:
    with session.get(url, stream=True, headers={"Accept-Encoding": "gzip"}, timeout=60) as response:
        response.raise_for_status()
        raw = response.raw.read(decode_content=False)
        length = len(raw)
    compressed = response.headers.get("content-encoding") == "gzip"
    text = gzip.decompress(raw) if compressed else raw
    return length, text.decode(errors="replace")
