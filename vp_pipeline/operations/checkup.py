"""What is looked at on this machine: configuration, disk, database, partitions.

Here belong checks that ask no exchange; those that do are in `checkup_exchanges`.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vp_pipeline.catalog import Catalog, CatalogError, load_catalog
from vp_pipeline.operations.place import PlaceSettings
from vp_pipeline.storage import migrate
from vp_pipeline.storage.connection import Connection
from vp_pipeline.upkeep.disk import LEAST_FREE
from vp_pipeline.windows import HOUR, floor

# Dagster's pages grow slow with the keys; the moving window has at most 62 days.
MOST_LIVE_HOURS = 100 * 24


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, what was found, and what to do if that is bad."""

    name: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.remedy


def configuration(settings: PlaceSettings) -> tuple[Check, Catalog | None]:
    """The markets file, and the catalog if it can be used."""
    try:
        catalog = load_catalog(settings.catalog_file)
    except CatalogError as error:
        return Check("configuration", str(error), "correct the markets file"), None
    live = catalog.live_markets()
    found = f"{settings.catalog_file}: {len(live)} live markets of {len(catalog.instruments)} instruments"
    return Check("configuration", found), catalog


def disk(home: Path) -> Check:
    """Free space where the installation is or would be."""
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LEAST_FREE:
        return Check("disk", found, f"free at least {LEAST_FREE / 1e9:.0f} GB, or move VP_HOME")
    return Check("disk", found)


def database(connection: Connection) -> list[Check]:
    """The server's version, the schema's, broken pages, and a place for each market's candles."""
    return [_server(connection), _schema(connection), _pages(connection), _partitions(connection)]


def live_hours(first: datetime | None, now: datetime) -> Check:
    """The hourly partitions' start, VP_HOURLY_START if that is set."""
    if first is None:
        return Check("live partitions", "from the start of last month on, moving with the calendar")
    first = first.replace(tzinfo=UTC) if first.tzinfo is None else first.astimezone(UTC)
    if first != floor(first, HOUR):
        remedy = "set VP_HOURLY_START to a whole hour, such as 2026-01-01T00:00:00Z"
        return Check("live partitions", f"from {first.isoformat()} on", remedy)
    hours = (now - first) // HOUR
    found = f"from {first:%Y-%m-%d %H:%M} UTC on, {max(hours, 0):,} hours"
    if hours < 0:
        return Check(
            "live partitions", found, "VP_HOURLY_START is in the future: unset it or set an earlier hour"
        )
    if hours > MOST_LIVE_HOURS:
        remedy = f"more than {MOST_LIVE_HOURS:,} hours make Dagster's pages slow: set a later VP_HOURLY_START"
        return Check("live partitions", found, remedy)
    return Check("live partitions", found)


def _server(connection: Connection) -> Check:
    info = connection.info
    version = info.server_version
    return Check(
        "database", f"PostgreSQL {version // 10_000}.{version % 10_000}, {info.dbname} at {info.host}"
    )


def _schema(connection: Connection) -> Check:
    newest = migrate.newest()
    held = migrate.version(connection)
    if held is None:
        return Check("schema", "none", "start the platform once, which makes it")
    if held != newest:
        remedy = "start the platform once with this version, or use the version that made it"
        return Check("schema", f"version {held}, this program needs {newest}", remedy)
    return Check("schema", f"version {held}")


def _pages(connection: Connection) -> Check:
    row = connection.execute(
        "SELECT current_setting('data_checksums'), coalesce(checksum_failures, 0) FROM pg_stat_database"
        " WHERE datname = current_database()"
    ).fetchone()
    checked, broken = row or ("off", 0)
    if broken:
        return Check(
            "stored pages",
            f"{broken} read with a wrong checksum",
            "the disk fails: copy what can be read with pg_dump, and restore it on another one",
        )
    return Check("stored pages", "none broken" if checked == "on" else "without checksums, not checked")


def _partitions(connection: Connection) -> Check:
    rows = connection.execute(
        "SELECT exchange || ' ' || symbol, to_regclass('candle_' || market_id) IS NULL FROM market"
        " ORDER BY market_id"
    ).fetchall()
    lacking = [str(name) for name, lacks in rows if lacks]
    if lacking:
        return Check("candle tables", f"none for {', '.join(lacking)}", "restore the database from a backup")
    return Check("candle tables", f"one for each of {len(rows)} markets")


def clock(skew: timedelta | None, limit: timedelta) -> Check:
    """This machine's clock, ahead of the exchanges' by `skew`; None if none told the time."""
    if skew is None:
        return Check("clock", "no exchange told the time", "see the exchanges below")
    seconds = skew.total_seconds()
    found = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the exchanges"
    if abs(skew) > limit:
        return Check("clock", found, "set it by NTP, such as with: timedatectl set-ntp true")
    return Check("clock", found)
