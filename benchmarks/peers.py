"""Other programs that ours is measured against: each in an environment of its own, outside the repository.

An environment is made when it is first needed, below `VP_BENCH_CACHE` (by default `vp-pipeline/peers` in the
user's cache folder), and used again afterwards; deleting the folder undoes it. What cannot be installed is no
reason for a benchmark to fail: it says why and goes on without.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# The versions that were compared; freqtrade brings ccxt and pandas of its own.
FREQTRADE = ("freqtrade==2026.9",)
PROFILES = ("MarketProfile==0.2.0", "KDEpy==1.1.12", "pandas==3.1.1", "numpy==2.4.6", "scipy==1.17.1")


class PeerMissingError(RuntimeError):
    """A peer cannot be installed here; the message says why."""


def environment(name: str, packages: Sequence[str]) -> Path:
    """The folder of the programs of an environment that holds these packages.

    Raises:
        PeerMissingError: they cannot be installed.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vp-pipeline" / "peers"
    folder = Path(os.environ.get("VP_BENCH_CACHE", default)) / name
    programs, stamp = folder / "bin", folder / "packages"
    wanted = "\n".join(packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return programs
    print(f"installing {', '.join(packages)} into {folder}", file=sys.stderr, flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], name)
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, *packages], name)
    stamp.write_text(wanted)
    return programs


def _run(command: Sequence[str], name: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissingError(f"{name} cannot be installed: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise PeerMissingError(f"{name} cannot be installed: {lines[-1]}")
