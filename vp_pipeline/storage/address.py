"""Addresses of Postgres, as they are written in settings.

Here belongs what libpq takes of them, and what is wrong with one, said without showing it: it has a password.
Connecting is in `connection`.
"""

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

_DRIVER = re.compile(r"(postgres(?:ql)?)\+\w+(?=://)")
_HOW = (
    "such as postgresql://user:password@host:5432/name; in a password %, /, @ and : are written"
    " %25, %2F, %40 and %3A"
)


def plain(url: str) -> str:
    """An address as libpq takes it: SQLAlchemy names its driver in the scheme."""
    return _DRIVER.sub(r"\1", url, count=1) if _DRIVER.match(url) else url


def checked(url: str) -> str:
    """The address as libpq takes it.

    Raises:
        ValueError: it would not, or would take a part of the password for something else. The message does
            not show it.
    """
    url = plain(url)
    try:
        parts = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        # What libpq says quotes the address.
        raise ValueError(f"must be an address of Postgres, {_HOW}") from None
    ports = str(parts.get("port") or "").split(",")
    if not all(port.isdigit() or not port for port in ports) or _has_two_at(url):
        raise ValueError(f"has a password with signs that end it, {_HOW}")
    return url


def _has_two_at(url: str) -> bool:
    _, scheme, rest = url.partition("://")
    login, _, path = rest.partition("/")
    return bool(scheme) and (login.count("@") > 1 or "@" in path.partition("?")[0])
