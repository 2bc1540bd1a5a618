"""Which installation a command is about, and that it is opened and left as it was."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from vp_pipeline.catalog import SHIPPED
from vp_pipeline.operations.place import PlaceSettings, opened
from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline_tests.operations.conftest import Installed
from vp_pipeline_tests.operations.installation import MARKETS, document, fill, vp


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home() -> Iterator[Path]:
    """An installation whose platform does not run."""
    # Not pytest's folder: as root the server runs as another user, whom pytest would lock out again.
    with tempfile.TemporaryDirectory(prefix="vp-home-") as name:
        folder = Path(name)
        _install(folder)
        yield folder
        assert embedded.running(folder / "postgres") is None


def _install(folder: Path) -> None:
    server = embedded.start(folder / "postgres")
    try:
        migrate.create_database(server.url("vp"))
        migrate.upgrade(server.url("vp"))
        with transaction(server.url("vp")) as connection:
            fill(connection, "replay")
    finally:
        server.stop()
    (folder / "markets.toml").write_text(MARKETS)


def test_a_folder_is_enough(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_HOME", str(home))
    settings = PlaceSettings()
    assert settings.catalog_file == home / "markets.toml"
    with opened(settings) as place:
        assert place.label == "RECORDED DATA"
        assert len(place.catalog.markets) == 4
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            place.connection.execute("DELETE FROM market")


def test_variables_go_before_what_the_folder_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_HOME", str(tmp_path))
    assert PlaceSettings().catalog_file == SHIPPED
    (tmp_path / "markets.toml").write_text(MARKETS)
    monkeypatch.setenv("VP_MARKETS_FILE", str(SHIPPED))
    assert PlaceSettings().catalog_file == SHIPPED


def test_what_the_database_says_of_its_data_cannot_be_talked_away(installed: Installed) -> None:
    found = document(vp("status", "--json", url=installed.url, markets=installed.markets, VP_SOURCE="live"))
    assert found["label"] == "SIMULATED DATA"


def test_a_variable_that_cannot_be_used_is_named(installed: Installed) -> None:
    result = vp("status", url=installed.url, markets=installed.markets, VP_SOURCE="real")
    assert result.exit_code == 1
    assert result.output.startswith("Error: VP_SOURCE: ")


def test_a_folder_without_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="holds no database"), opened(PlaceSettings()):
        pass
