"""Whether services answer: status 0 if all do. Without imports beyond the standard library, for a Pi.

`healthy.py http://host:port/path` wants status 200, `healthy.py host:port` a connection, and
`healthy.py --daemon` a heartbeat of Dagster's daemon in the last two minutes; several can be asked for.
"""

import http.client
import os
import socket
import sys
from urllib.parse import urlsplit

HEARTBEAT = (
    "SELECT coalesce(max(timestamp) > now() AT TIME ZONE 'UTC' - interval '2 minutes', false)"
    " FROM daemon_heartbeats"
)


def answers(url: str) -> bool:
    """Whether an address answers with status 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=8)
    connection.request("GET", parts.path or "/")
    return connection.getresponse().status == 200


def listens(place: str) -> bool:
    """Whether somebody listens at host:port."""
    host, _, port = place.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=8):
        return True


def beats() -> bool:
    """Whether the daemon has said lately that it lives."""
    import psycopg2

    url = os.environ["VP_DAGSTER_DATABASE_URL"].replace("+psycopg2", "")
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(HEARTBEAT)
        return bool(cursor.fetchone()[0])


def well(what: str) -> bool:
    """Whether what an argument asks for is as it should be."""
    if what == "--daemon":
        return beats()
    return answers(what) if what.startswith("http://") else listens(what)


if __name__ == "__main__":
    sys.exit(0 if all(well(what) for what in sys.argv[1:]) else 1)
