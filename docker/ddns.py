"""Calls the update address of a dynamic-DNS provider every ten minutes; VP_DDNS_URL has the token in it.

Only status and host are printed, never the address.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

MINUTES = 10


def update(url: str) -> str:
    """Call it once; what came of it."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # main refuses other schemes
            return f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        return type(error).__name__


def main() -> None:
    """Until told to stop."""
    url = os.environ.get("VP_DDNS_URL", "")
    if not url.startswith("https://"):
        sys.exit("VP_DDNS_URL must be the provider's update address, beginning with https://")
    last = ""
    while True:
        now = update(url)
        if now != last:
            print(f"{urlsplit(url).hostname}: {now}", flush=True)
        last = now
        time.sleep(60 * MINUTES)


if __name__ == "__main__":
    main()
