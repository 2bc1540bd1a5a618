"""Whole platforms: what people see, and what is left when they are stopped or killed."""

import re
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.storage import embedded
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.runtime.command import READY, STAYS, STOP_SECONDS, Vp, left_behind, postgres_of

# Assets that schedules and people ask for, and not the main job.
NOT_MADE = ("history", "backup", "maintenance")

pytestmark = [pytest.mark.platform, pytest.mark.timeout(1800)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: as root the database runs as another user, whom pytest would lock out again."""
    with tempfile.TemporaryDirectory(prefix="vp platform ") as path:
        yield Path(path)


@pytest.fixture
def started() -> Iterator[list[Vp]]:
    """The commands a test has started, ended with it whatever happens."""
    own: list[Vp] = []
    yield own
    for vp in own:
        if vp.process.poll() is None:
            vp.stop(signal.SIGTERM)
        assert left_behind(vp.home) == []


def contents(home: Path) -> dict[str, tuple[int, str]]:
    """Rows of each table, and a digest of them."""
    server = embedded.start(home / "postgres")
    try:
        with psycopg.connect(server.url("vp")) as connection:
            names = connection.execute(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            ).fetchall()
            found = {}
            for (name,) in names:
                query = (
                    "SELECT count(*), md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), ''))"
                    f' FROM "{name}" row'
                )
                row = connection.execute(query.encode()).fetchone()
                assert row is not None
                found[str(name)] = (int(row[0]), str(row[1]))
            return found
    finally:
        server.stop()


def test_a_recording_cut_off_by_kill_goes_on_and_then_changes_nothing(
    folder: Path, started: list[Vp]
) -> None:
    # So deep that the path is too long for a unix socket, and with a space in it.
    home, recording = folder / ("deep " * 20).strip() / "home", folder / "recording"
    recording.mkdir()
    recordings.write(recording)

    first = Vp("demo", "--replay", str(recording), home=home, output=folder / "first")
    started.append(first)
    first.wait_for("… candles")
    time.sleep(3)
    first.process.kill()
    first.process.wait()

    second = Vp("demo", "--once", "--replay", str(recording), home=home, output=folder / "second")
    started.append(second)
    assert second.ended() == 0, second.printed
    assert "RECORDED DATA" in second.printed
    assert "Traceback" not in second.printed
    assert left_behind(home) == []
    before = contents(home)
    assert before["candle"][0] > 0

    third = Vp("demo", "--once", "--replay", str(recording), home=home, output=folder / "third")
    started.append(third)
    assert third.ended() == 0, third.printed
    assert "all of it is there already" in third.printed
    assert contents(home) == before


def test_a_platform_beside_another_starts_again_what_is_killed_and_stops_at_once(
    folder: Path, started: list[Vp]
) -> None:
    home = folder / "home"
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:1")
    vp = Vp("demo", home=home, output=folder / "printed", variables=proxies)
    other = Vp("demo", home=folder / "other", output=folder / "other.txt")
    started += [vp, other]
    for one in started:
        one.wait_for(READY)
        port = one.address("Dagster").rsplit(":", 1)[1]
        assert port == "3000" or f"port 3000 is in use: Dagster takes {port}\n" in one.printed
    assert len({one.address(name) for one in started for name in ("Dagster", "Site")}) == 4
    status, seconds = other.stop(signal.SIGTERM)
    assert status == 143
    assert seconds < STOP_SECONDS
    assert left_behind(other.home) == []
    dagster, site = vp.address("Dagster"), vp.address("Site")

    again = Vp("demo", "--once", home=home, output=folder / "again")
    assert again.ended(30) == 1
    assert f"another platform runs on {home}" in again.printed

    vp.wait_for("… candles")
    time.sleep(3)
    for words in ("dagster-webserver", "vp_pipeline.cli site", "dagster-daemon"):
        vp.service(words).kill()
    next(postgres_of(home)).kill()
    vp.wait_for(STAYS)
    for name in ("dagster-webserver", "dagster-daemon", "site", "PostgreSQL"):
        lines = [line for line in vp.printed.splitlines() if line.startswith(name)]
        assert len(lines) <= 1
    assert "PostgreSQL has ended: starting it again" in vp.printed
    assert re.search(r"^(\d+) of \1 assets", vp.printed, re.MULTILINE)
    assert "Traceback" not in vp.printed
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{site}/healthz", timeout=10).ok
    made = [asset for asset in DagsterApi(dagster).assets() if asset.path[0] not in NOT_MADE]
    assert all(asset.materialized for asset in made)

    status, seconds = vp.stop(signal.SIGINT, again=True)
    assert status == 130
    assert seconds < STOP_SECONDS
    assert vp.printed.endswith("stopping\nstopped\n")
    assert left_behind(home) == []
