"""Addresses of Postgres that are written wrongly are refused, and shown to nobody."""

import psycopg
import pytest

from vp_pipeline.storage.address import checked, plain
from vp_pipeline.storage.connection import guarded, transaction
from vp_pipeline.storage.embedded import EmbeddedPostgres


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://vp:a%2Fb%40c%25@db/vp",
        "postgres://vp@db:5432,other:5433/vp?options=-c%20a%3Db",
        "postgresql://postgres@/vp?host=/tmp/a@b",
        "host=db dbname=vp password='a+b://c'",
        "",
    ],
)
def test_an_address_stays(url: str) -> None:
    assert checked(url) == url


def test_a_driver_is_left_out() -> None:
    assert checked("postgresql+psycopg2://vp:a+b@db/vp") == "postgresql://vp:a+b@db/vp"
    assert plain("postgres+psycopg://db/vp") == "postgres://db/vp"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://vp:s3cret%@db/vp",
        "postgresql://vp:s3cret/more@db/vp",
        "postgresql://vp:1/s3cret@db/vp",
        "postgresql://vp:more@s3cret@db/vp",
        "postgresql://db:s3cret/vp",
        "mysql://vp:s3cret@db/vp",
        "vp:s3cret@db/vp",
    ],
)
def test_what_would_be_read_as_something_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"such as postgresql://user:password@host:5432/name") as refused:
        checked(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_driver_does_not_keep_one_from_connecting(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("postgres").replace("://", "+psycopg2://")
    with transaction(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_guarded_address_keeps_its_options(postgres_server: EmbeddedPostgres) -> None:
    url = psycopg.conninfo.make_conninfo(postgres_server.url("postgres"), options="-c statement_timeout=7s")
    with psycopg.connect(guarded(url)) as connection:
        query = "SELECT current_setting('statement_timeout'), current_setting('search_path')"
        assert connection.execute(query).fetchone() == ("7s", "pg_catalog")
