"""The sandbox's clock, as the main job of a recording sets it.

Here belongs that a sandbox which starts again gets the time it had. What the clock does is in `sandbox`.
"""

from datetime import datetime

import requests


class SandboxClock:
    """The clock of one sandbox; None stands for real time."""

    def __init__(self, url: str | None) -> None:
        """`url`: None where there is no sandbox, whose clock then cannot be set."""
        self._url = url
        self.moment: datetime | None = None

    def set(self, moment: datetime) -> None:
        """Let the clock stand still at this moment.

        Raises:
            requests.RequestException: the sandbox does not answer.
        """
        if self._url is None:
            raise ValueError("there is no sandbox whose clock could be set")
        self.moment = moment
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment is not meant for loopback
            setting = {"now": moment.isoformat(), "frozen": True}
            session.put(f"{self._url}/_sandbox/clock", json=setting, timeout=10).raise_for_status()
