"""Indexes that hold more empty room than entries.

Here belongs which are rebuilt. PostgreSQL gives a page of an index back when it is empty altogether. Of
Dagster's events most go and some stay, all over the pages, so that years of them would keep three times the
room they need.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from vp_pipeline.storage.address import plain

# Rebuilt when half is empty, so that no more is written anew than is gained, and not for a few pages.
_TIMES = 2
_LEAST = 16_000_000
# An entry has 8 bytes of header and 4 in the page's list, and is aligned to 8; new pages are filled to 90 %.
_SPARSE: LiteralString = """
SELECT index.relname FROM pg_index JOIN pg_class index ON index.oid = indexrelid
JOIN pg_class kept ON kept.oid = indrelid JOIN pg_am ON pg_am.oid = index.relam
CROSS JOIN LATERAL (
    SELECT sum(avg_width) AS width FROM pg_attribute JOIN pg_stats
    ON tablename = kept.relname AND schemaname = 'public' AND pg_stats.attname = pg_attribute.attname
    WHERE attrelid = indrelid AND attnum = ANY(indkey)) AS columns
WHERE kept.relnamespace = 'public'::regnamespace AND amname = 'btree' AND index.reltuples >= 0
AND pg_relation_size(indexrelid) > %(least)s + %(times)s * index.reltuples * (width + 16) / 0.9
ORDER BY 1"""


def rebuild(url: str, least: int = _LEAST) -> list[str]:
    """Rebuild the indexes that are mostly empty, by more than `least` bytes; their names.

    Sizes are estimated by what PostgreSQL knows of the rows. Who uses the table meanwhile waits.
    """
    with psycopg.connect(plain(url), autocommit=True, application_name="vp maintenance") as connection:
        found = connection.execute(_SPARSE, {"least": least, "times": _TIMES}).fetchall()
        for (name,) in found:
            connection.execute(sql.SQL("REINDEX INDEX {}").format(sql.Identifier(name)))
    return [str(name) for (name,) in found]
