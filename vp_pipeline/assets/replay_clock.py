"""The clock of a recording: it shows the end of whatever window is being made.

An exchange with a short memory answers about an old hour only while that hour is young. In a replay
every partition is made as it would have been at its own time, whenever and by whom it is started.
"""

from datetime import datetime

from vp_pipeline.settings import Settings


def turn_clock(settings: Settings, now: datetime) -> None:
    """Set the recorded exchanges' clock; live and simulated exchanges have their own."""
    address = settings.exchange_host("_sandbox/clock")
    if settings.source != "replay" or address is None:
        return
    import requests

    with requests.Session() as session:
        session.trust_env = False  # a loopback address is not a proxy's business
        setting = {"now": now.isoformat(), "frozen": True}
        answer = session.put(address, json=setting, timeout=10)
        answer.raise_for_status()
