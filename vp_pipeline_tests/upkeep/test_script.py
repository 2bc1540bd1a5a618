"""What pg_restore writes of a dump is read and not run: rows go on, anything else is refused."""

import io

import pytest

from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.script import Rows, Sequence, parts

HEAD = r"""--
-- PostgreSQL database dump
--
\restrict aB3

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
"""
TABLE = """
COPY public.market (market_id, "open") FROM stdin;
1\tone
2\tDROP TABLE market;
\\.

SELECT pg_catalog.setval('public.market_market_id_seq', 2, true);
"""


def read(script: str) -> list[object]:
    return [
        (part.table, part.columns, b"".join(part.blocks)) if isinstance(part, Rows) else part
        for part in parts(io.BytesIO(script.encode()))
    ]


def test_rows_and_sequences() -> None:
    assert read(HEAD + TABLE) == [
        ("market", ("market_id", "open"), b"1\tone\n2\tDROP TABLE market;\n"),
        Sequence("public", "market_market_id_seq", 2, called=True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "DROP TABLE market;",
        "\\! touch marker",
        "\\restrict aB3 \\! touch marker",
        "COPY public.market (a) FROM PROGRAM 'touch marker';",
        "COPY public.market (a) FROM stdin; DROP TABLE market;",
        "COPY pg_catalog.pg_authid (rolname) FROM stdin;",
        'COPY public."a; b" (a) FROM stdin;',
        "SELECT pg_catalog.setval('public.a', mine(), true);",
        "SET client_encoding = 'SJIS';",
        "SET x = 1; DROP TABLE market;",
        "/* */ DROP TABLE market;",
    ],
)
def test_anything_else_is_refused(line: str) -> None:
    for script in (f"{HEAD}{line}\n{TABLE}", f"{HEAD}{TABLE}{line}\n", f"{HEAD}{TABLE}{line}"):
        with pytest.raises(BackupError, match="something other than rows"):
            read(script)


def test_an_end_within_a_table() -> None:
    with pytest.raises(BackupError, match="ends within the table market"):
        read(HEAD + TABLE.partition("2")[0])
