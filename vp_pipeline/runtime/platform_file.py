"""What a platform leaves in its folder about itself: how it was set up, and where it listens while it runs.

Here belongs the file `platform.json` alone. Commands that work on an installation read it: they find a
running platform by it, and start a stopped one as it was.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from vp_pipeline.runtime.kin import StartError
from vp_pipeline.storage import lock_files

_NAME = "platform.json"
# Dagster's own database is nobody else's business.
_LEFT_OUT = {"VP_DAGSTER_DATABASE_URL", "VP_CHILD_OF"}
# A platform that starts while a command looks for it, on a Raspberry Pi too.
PATIENCE_SECONDS = 180


def write(home: Path, variables: Mapping[str, str]) -> None:
    """Keep the variables of this process's platform, readable by its owner alone."""
    kept = {name: v for name, v in variables.items() if name.startswith("VP_") and name not in _LEFT_OUT}
    unfinished = home / f"{_NAME}.part"
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps({"process": os.getpid(), "variables": kept}, indent=1) + "\n")
    unfinished.replace(home / _NAME)


def last_variables(home: Path) -> dict[str, str] | None:
    """The variables of the platform that runs on the folder or last did; None if none ever has.

    Raises:
        StartError: the file cannot be read.
    """
    content = _read(home)
    return None if content is None else content[1]


def running_variables(home: Path) -> dict[str, str] | None:
    """The variables of the platform that runs on the folder, waiting while it starts; None if none runs.

    Raises:
        StartError: it does not finish its start, or the file cannot be read.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _taken(home):
        content = _read(home)
        if content is not None and psutil.pid_exists(content[0]):
            return content[1]
        if time.monotonic() > deadline:
            raise StartError(
                f"another program holds {home / lock_files.PLATFORM}, but no platform runs there after "
                f"{PATIENCE_SECONDS} s: stop it, or set VP_HOME to another folder"
            )
        time.sleep(0.5)
    return None


def _read(home: Path) -> tuple[int, dict[str, str]] | None:
    path = home / _NAME
    try:
        content = json.loads(path.read_text())
        return int(content["process"]), {str(name): str(v) for name, v in content["variables"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StartError(
            f"{path} cannot be read ({error}): remove it, and start the platform anew"
        ) from error


def _taken(home: Path) -> bool:
    """Whether a platform holds the folder's lock."""
    try:
        with (home / lock_files.PLATFORM).open("r+") as lock:
            return not lock_files.take(lock)
    except FileNotFoundError:
        return False
