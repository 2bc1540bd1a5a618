"""Which processes the platform has: their command lines, and the environment they share.

Here belongs what each process is told. Starting and stopping them is in `platform`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vp_pipeline.catalog import SHIPPED
from vp_pipeline.runtime.ports import LOOPBACK
from vp_pipeline.runtime.processes import MODULE
from vp_pipeline.settings import Source
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline.storage.roles import READER, WRITER

ROOT = Path(__file__).resolve().parent.parent.parent
SANDBOX, CODE, SITE, POLLER = "sandbox", "code-server", "site", "poller"
WEBSERVER, DAEMON = "dagster-webserver", "dagster-daemon"
DAGSTERS = frozenset({CODE, WEBSERVER, DAEMON})
"""Those that import Dagster."""
_WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]


@dataclass(frozen=True)
class Options:
    """What distinguishes one platform from another. `replay`: the folder to replay; `first_hour`: ISO.

    `polls`: whether the leads are asked between ticks, which a replay never does.
    """

    home: Path
    source: Source
    markets_file: Path = SHIPPED
    replay: Path | None = None
    first_hour: str | None = None
    polls: bool = True


@dataclass(frozen=True)
class Addresses:
    """Ports of 127.0.0.1; `sandbox` is None on the live exchanges."""

    dagster: int
    site: int
    code: int
    sandbox: int | None

    @property
    def dagster_url(self) -> str:
        """Dagster's UI and API."""
        return f"http://{LOOPBACK}:{self.dagster}"

    @property
    def site_url(self) -> str:
        """The website."""
        return f"http://{LOOPBACK}:{self.site}"

    @property
    def sandbox_url(self) -> str | None:
        """What stands in for the exchanges."""
        return None if self.sandbox is None else f"http://{LOOPBACK}:{self.sandbox}"


def environment(
    options: Options, home: Path, addresses: Addresses, postgres: EmbeddedPostgres
) -> dict[str, str]:
    """The environment of all children, based on this process's own; they may write rows."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    optional = {"VP_EXCHANGE_URL": addresses.sandbox_url, "VP_HOURLY_START": options.first_hour}
    return {
        # Threads that each keep memory of their own make idle services larger and nothing faster.
        "MALLOC_ARENA_MAX": "1",
        **kept,
        **_proxies_spare_loopback(kept),
        **{name: value for name, value in optional.items() if value is not None},
        "DAGSTER_HOME": str(home / "dagster"),
        "VP_CODE_HOST": LOOPBACK,
        "VP_CODE_PORT": str(addresses.code),
        # What Dagster logs can be made again: it need not wait for the disk at every event.
        "VP_DAGSTER_DATABASE_URL": postgres.url("dagster", WRITER).replace("://", "+psycopg2://", 1)
        + "&options=-c%20synchronous_commit%3Doff",
        "VP_DAGSTER_URL": addresses.dagster_url,
        "VP_DATABASE_URL": postgres.url("vp", WRITER),
        "VP_HOME": str(home),
        "VP_MARKETS_FILE": str(options.markets_file),
        "VP_SITE_URL": addresses.site_url,
        "VP_SOURCE": options.source,
    }


def differing(postgres: EmbeddedPostgres) -> dict[str, dict[str, str | None]]:
    """Variables that single children have instead, None for none: the site only reads, and not Dagster's."""
    return {SITE: {"VP_DATABASE_URL": postgres.url("vp", READER), "VP_DAGSTER_DATABASE_URL": None}}


def commands(options: Options, addresses: Addresses, runs_since: datetime) -> dict[str, list[str]]:
    """The command line of each process, in order of start. Runs older than `runs_since` were cut off."""
    sandbox = [*MODULE, "vp_pipeline.cli", "sandbox", "--port", str(addresses.sandbox)]
    if options.replay is not None:
        sandbox += ["--replay", str(options.replay)]
    webserver = ["-h", LOOPBACK, "-p", str(addresses.dagster)]
    dagster = {
        name: [*MODULE, *command] for name, command in dagsters(addresses.code, webserver, runs_since).items()
    }
    return {
        **({SANDBOX: sandbox} if addresses.sandbox is not None else {}),
        CODE: dagster[CODE],
        WEBSERVER: dagster[WEBSERVER],
        SITE: [*MODULE, "vp_pipeline.cli", "site", "--port", str(addresses.site)],
        **({POLLER: [*MODULE, "vp_pipeline.cli", "poll"]} if options.polls and not options.replay else {}),
        DAEMON: dagster[DAEMON],
    }


def dagsters(code_port: int, webserver: Sequence[str], runs_since: datetime) -> dict[str, list[str]]:
    """What stands behind `python -m` for those that import Dagster; `webserver`: options of its own."""
    service = ["vp_pipeline.runtime.dagster_service"]
    code = str(code_port)
    cut_off = ["--end-runs-before", runs_since.isoformat()]
    return {
        CODE: ["vp_pipeline.runtime.code_server", LOOPBACK, code],
        WEBSERVER: [*service, code, "dagster_webserver.cli", *_WORKSPACE, *webserver],
        DAEMON: [*service, *cut_off, code, "dagster._daemon.cli", "run", *_WORKSPACE],
    }


def make_dagster_home(home: Path) -> None:
    """DAGSTER_HOME with the instance's configuration."""
    folder = home / "dagster"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "dagster.yaml", folder / "dagster.yaml")


def _proxies_spare_loopback(kept: Mapping[str, str]) -> dict[str, str]:
    """A proxy is meant for the exchanges, not for what the processes say to each other."""
    spared = [kept.get("no_proxy") or kept.get("NO_PROXY") or "", LOOPBACK, "localhost"]
    value = ",".join(host for host in spared if host)
    return {"no_proxy": value, "NO_PROXY": value}
