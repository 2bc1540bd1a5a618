"""A run's process looks for no garbage until the definitions are loaded; its server does all the time."""

import os
import subprocess
import sys
from pathlib import Path

PROBE = """\
import gc
import multiprocessing


def look():
    before = gc.isenabled()
    import vp_pipeline.definitions
    print("run", before, gc.isenabled(), gc.get_freeze_count() > 100_000, flush=True)


def main():
    print("server", gc.isenabled(), flush=True)
    run = multiprocessing.get_context("spawn").Process(target=look)
    run.start()
    run.join()
"""


def test_only_runs_import_without_looking_for_garbage(tmp_path: Path) -> None:
    """The server begins a run as Dagster's does: by spawning."""
    (tmp_path / "probe.py").write_text(PROBE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
    environment |= {"VP_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    environment |= {"VP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-W", "ignore:Parameter", "-m", "vp_pipeline.runtime.plain", "probe"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == ["server True", "run False True True"]
