from collections.abc import Iterator

import pytest

from vp_pipeline.storage import installation
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.installation import MixedSourcesError


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with transaction(database_url) as connection:
        yield connection
        connection.rollback()


def test_the_first_claim_is_kept(connection: Connection) -> None:
    assert installation.source_of(connection) is None
    installation.claim(connection, "live")
    installation.claim(connection, "live")
    assert installation.source_of(connection) == "live"


@pytest.mark.parametrize(("held", "other"), [("live", "sandbox"), ("sandbox", "live"), ("replay", "sandbox")])
def test_another_source_is_refused(connection: Connection, held: str, other: str) -> None:
    installation.claim(connection, held)
    message = (
        rf"holds {held} data, and {other} data must not be mixed with it: name another folder in VP_HOME"
    )
    with pytest.raises(MixedSourcesError, match=message):
        installation.claim(connection, other)
    assert installation.source_of(connection) == held
