"""Lock files of an installation: which there are, and whether one is to be had at once.

Here belongs what several programs must agree on. The standard library alone: services ask that hold nothing
else of `storage`.
"""

import fcntl
from typing import IO

PLATFORM = "lock"
"""Under an installation's folder: the platform holds it while it runs."""


def take(file: IO[str]) -> bool:
    """Lock an open file for this process alone until it is closed; False if another holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
