import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.storage import artifacts
from vp_pipeline.storage.artifacts import Include
from vp_pipeline.storage.connection import Connection, transaction

PLOTLY = Include("<!-- plotly.js -->", "/* very long script */ " * 10_000)
PAGE = f"<html><head>{PLOTLY.marker}</head><body>Volume profile of ₿</body></html>"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with transaction(database_url) as connection:
        yield connection
        connection.rollback()


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_the_download_is_the_whole_document(connection: Connection) -> None:
    before = datetime.now(UTC)
    kept = artifacts.put(connection, "btc_profile", "2026-03-01", PAGE, "run-1", PLOTLY)
    whole = PAGE.replace(PLOTLY.marker, PLOTLY.content).encode()
    assert artifacts.content(connection, "btc_profile", "2026-03-01") == whole
    assert kept.size == len(whole)
    assert kept.sha256 == artifacts.sha256_of(PAGE, PLOTLY) != artifacts.sha256_of(PAGE)
    assert kept.media_type == "text/html; charset=utf-8"
    assert (kept.name, kept.partition, kept.run_id) == ("btc_profile", "2026-03-01", "run-1")
    assert before <= kept.created_at <= datetime.now(UTC)
    assert artifacts.find(connection, "btc_profile", "2026-03-01") == kept


def test_what_is_shared_is_stored_once(connection: Connection) -> None:
    for day in range(1, 6):
        artifacts.put(connection, "btc_profile", f"2026-03-0{day}", f"{PAGE}{day}", "run", PLOTLY)
    newer = Include(PLOTLY.marker, "/* next version */")
    artifacts.put(connection, "btc_profile", "2026-03-06", PAGE, "run", newer)
    assert count(connection, "artifact") == 6
    assert count(connection, "artifact_include") == 2
    stored = connection.execute("SELECT max(length(content)) FROM artifact").fetchone()
    assert stored is not None
    assert stored[0] < 200
    third = artifacts.content(connection, "btc_profile", "2026-03-03")
    assert third == f"{PAGE}3".replace(PLOTLY.marker, PLOTLY.content).encode()


def test_the_same_document_again_is_not_written(connection: Connection) -> None:
    first = artifacts.put(connection, "page", "", PAGE, "run-1", PLOTLY)
    place = "SELECT ctid, xmin FROM artifact"
    before = connection.execute(place).fetchall()
    with connection.transaction():
        assert artifacts.put(connection, "page", "", PAGE, "run-2", PLOTLY) == first
    assert connection.execute(place).fetchall() == before


@pytest.mark.parametrize(
    ("document", "include", "media_type"),
    [
        (f"{PAGE} ", PLOTLY, "text/html; charset=utf-8"),
        (PAGE, Include(PLOTLY.marker, "/* next version */"), "text/html; charset=utf-8"),
        (PAGE, PLOTLY, "text/plain"),
    ],
    ids=["document", "include", "media type"],
)
def test_a_change_replaces(connection: Connection, document: str, include: Include, media_type: str) -> None:
    first = artifacts.put(connection, "page", "", PAGE, "run-1", PLOTLY)
    second = artifacts.put(connection, "page", "", document, "run-2", include, media_type)
    assert (second.run_id, second.media_type) == ("run-2", media_type)
    assert second.created_at > first.created_at
    assert artifacts.content(connection, "page") == document.replace(include.marker, include.content).encode()
    assert count(connection, "artifact") == 1


def test_a_document_may_share_nothing(connection: Connection) -> None:
    artifacts.put(
        connection, "weights", "2026", "day,weight\n<!--vp:include-->", "run", media_type="text/csv"
    )
    assert artifacts.content(connection, "weights", "2026") == b"day,weight\n<!--vp:include-->"
    assert count(connection, "artifact_include") == 0


@pytest.mark.parametrize(
    "document", ["no place", PLOTLY.marker * 2, f"{PLOTLY.marker} <!--vp:include-->"], ids=len
)
def test_a_document_has_one_place_for_the_include(connection: Connection, document: str) -> None:
    with pytest.raises(ValueError, match=r"artifact page: <!-- plotly.js --> must stand .* exactly once"):
        artifacts.put(connection, "page", "", document, "run", PLOTLY)


def test_what_is_not_there_is_none(connection: Connection) -> None:
    artifacts.put(connection, "page", "2026-03-01", PAGE, "run", PLOTLY)
    assert artifacts.find(connection, "page") is None
    assert artifacts.content(connection, "page", "2026-03-02") is None


@pytest.mark.parametrize("table", ["artifact", "artifact_include"])
def test_changed_content_is_an_error(connection: Connection, table: str) -> None:
    artifacts.put(connection, "page", "2026-03-01", PAGE, "run", PLOTLY)
    other = gzip.compress(b"something else")
    connection.execute(f"UPDATE {table} SET content = %s", [other])
    with pytest.raises(artifacts.ArtifactError, match=r"page 2026-03-01: .* checksum; make it again"):
        artifacts.content(connection, "page", "2026-03-01")


def test_an_include_in_use_cannot_be_deleted(connection: Connection) -> None:
    artifacts.put(connection, "page", "", PAGE, "run", PLOTLY)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute("DELETE FROM artifact_include")


def test_listing_is_by_name_and_newest_first(connection: Connection) -> None:
    for name, partition in [("b", "2026-01-01"), ("a", "2026-01-01"), ("b", "2026-01-02"), ("a", "")]:
        artifacts.put(connection, name, partition, PAGE, "run", PLOTLY)
    listed = artifacts.listing(connection)
    assert [(artifact.name, artifact.partition) for artifact in listed] == [
        ("a", "2026-01-01"),
        ("a", ""),
        ("b", "2026-01-02"),
        ("b", "2026-01-01"),
    ]
    assert listed[1] == artifacts.find(connection, "a")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TEXTS, content=TEXTS, after=TEXTS)
def test_any_document_comes_back(connection: Connection, before: str, content: str, after: str) -> None:
    document = f"{before}{PLOTLY.marker}{after}"
    artifacts.put(connection, "any", "", document, "run", Include(PLOTLY.marker, content))
    assert artifacts.content(connection, "any") == f"{before}{content}{after}".encode()
