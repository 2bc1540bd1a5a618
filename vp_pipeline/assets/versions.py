"""Documents of which older versions stay: one for each day on which another was made.

Here belongs what is set aside and what is dropped again; the newest is kept as every artifact is, under its
name alone, and the others under their day.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from dagster import AssetExecutionContext, AssetKey

from vp_pipeline.assets.artifacts import links, shared_part
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.connection import Connection, transaction

_SET_ASIDE = "UPDATE artifact SET partition = %s WHERE name = %s AND partition = ''"
_DROP_DAY = "DELETE FROM artifact WHERE name = %s AND partition = %s"
# Of the days before the first one kept, the last of each month stays.
_DROP_OLD = """
DELETE FROM artifact WHERE name = %(name)s AND partition <> '' AND partition < %(first)s
AND (%(days)s = 0 OR partition NOT IN (
    SELECT max(partition) FROM artifact WHERE name = %(name)s AND partition <> '' GROUP BY left(partition, 7)
))
"""


def publish_version(
    context: AssetExecutionContext, settings: Settings, key: AssetKey, document: str, keep_days: int
) -> dict[str, Any]:
    """Keep the document as the newest under the asset's name; metadata that link to it.

    Another document of an earlier day is set aside under that day. The same document again changes nothing.
    """
    name = "/".join(key.path)
    today = datetime.now(UTC).date()
    with transaction(settings.database_url.get_secret_value()) as connection:
        set_aside(connection, name, document, today, keep_days)
        artifact = artifacts.put(connection, name, "", document, context.run.run_id, shared_part(document))
    return links(settings, artifact)


def set_aside(connection: Connection, name: str, document: str, today: date, keep_days: int) -> None:
    """Make room for a document that replaces the newest of an earlier day, and drop versions too old."""
    newest = artifacts.find(connection, name)
    if newest is None or newest.sha256 == artifacts.sha256_of(document, shared_part(document)):
        return
    made = newest.created_at.astimezone(UTC).date()
    if keep_days and made < today:
        connection.execute(_DROP_DAY, [name, made.isoformat()])
        connection.execute(_SET_ASIDE, [made.isoformat(), name])
    first = (today - timedelta(days=keep_days)).isoformat()
    connection.execute(_DROP_OLD, {"name": name, "first": first, "days": keep_days})
