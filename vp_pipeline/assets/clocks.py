"""What time it is where the candles come from, when that is not here.

A sandbox may stand at any time, or run fast; a recording shows the end of whatever window is being made:
an exchange with a short memory answers about an old hour only while that hour is young. In a replay
every partition is made as it would have been at its own time, whenever and by whom it is started.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vp_pipeline.settings import Settings

if TYPE_CHECKING:
    import requests


def now(settings: Settings) -> datetime:
    """The sandbox's time; on the live exchanges this machine's, which decides what to ask for, never what
    has closed.
    """
    address = settings.exchange_host("_sandbox/clock")
    if address is None:
        return datetime.now(UTC)
    with _session() as session:
        answer = session.get(address, timeout=10)
    answer.raise_for_status()
    return datetime.fromisoformat(answer.json()["now"]).astimezone(UTC)


def turn_clock(settings: Settings, moment: datetime) -> None:
    """Set the recorded exchanges' clock; live and simulated exchanges have their own."""
    address = settings.exchange_host("_sandbox/clock")
    if settings.source != "replay" or address is None:
        return
    setting = {"now": moment.isoformat(), "frozen": True}
    with _session() as session:
        session.put(address, json=setting, timeout=10).raise_for_status()


def _session() -> "requests.Session":
    import requests

    session = requests.Session()
    session.trust_env = False  # a loopback address is not a proxy's business
    return session
