"""`vp backup`, `vp restore` and `vp migrate` as a person calls them."""

import tempfile
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from vp_pipeline.cli import main
from vp_pipeline.storage import access, embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.upkeep.servers import beside
from vp_pipeline_tests.dumps import dump
from vp_pipeline_tests.operations.conftest import Installed


def vp(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, arguments, env=variables)


def test_a_backup_becomes_a_folder_that_starts(installed: Installed, tmp_path: Path) -> None:
    before = dump(installed.url)
    dagster = beside(installed.url, "dagster_operations")
    migrate.create_database(dagster)
    variables = {
        "VP_DATABASE_URL": installed.url,
        "VP_DAGSTER_DATABASE_URL": dagster,
        "VP_BACKUP_DIR": str(tmp_path),
    }
    result = vp("backup", **variables)
    assert result.exit_code == 0, result.output
    (file,) = tmp_path.glob("vp-backup-*.tar")
    assert "read again without an error" in result.output
    # Not pytest's folder: as root the server runs as another user, whom pytest would lock out again.
    with tempfile.TemporaryDirectory(prefix="vp-tests-") as folder:
        check_restore(file, Path(folder) / "home", before)


def check_restore(file: Path, home: Path, before: dict[str, bytes]) -> None:
    result = vp("restore", str(file), "--home", str(home))
    assert result.exit_code == 0, result.output
    assert "each compared" in result.output
    server = embedded.start(home / access.SERVER)
    try:
        assert dump(server.url(access.DATABASE)) == before
    finally:
        server.stop()
    result = vp("restore", str(file), "--home", str(home))
    assert result.exit_code == 1
    assert "has a database: name another folder" in result.output


def test_a_restore_that_fails_leaves_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no backup")
    result = vp("restore", str(tmp_path / "x.tar"), "--home", str(tmp_path / "home"))
    assert result.exit_code == 1
    assert "is damaged, or no backup" in result.output
    assert not (tmp_path / "home" / access.SERVER).exists()


@pytest.mark.parametrize("arguments", [(), ("--home", "a", "--url", "postgresql:///b")])
def test_a_restore_goes_to_one_place(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "x.tar").touch()
    result = vp("restore", str(tmp_path / "x.tar"), *arguments)
    assert result.exit_code == 2
    assert "either --home or --url" in result.output


def test_nothing_to_back_up(tmp_path: Path) -> None:
    result = vp("backup", VP_HOME=str(tmp_path))
    assert result.exit_code == 1
    assert "holds no database" in result.output


def test_migrate_makes_both_databases(postgres_server: embedded.EmbeddedPostgres) -> None:
    url, dagster = postgres_server.url("migrated"), postgres_server.url("migrated_dagster")
    variables = {"VP_DATABASE_URL": url, "VP_DAGSTER_DATABASE_URL": dagster, "VP_SOURCE": "sandbox"}
    try:
        for _ in range(2):
            result = vp("migrate", "--wait", "5", **variables)
            assert result.exit_code == 0, result.output
            assert result.output == f"tables of version {migrate.newest()}\n"
        with transaction(url) as connection:
            assert connection.execute("SELECT source FROM installation").fetchone() == ("sandbox",)
        result = vp("migrate", **{**variables, "VP_SOURCE": "live"})
        assert result.exit_code == 1
        assert "holds sandbox data" in result.output
    finally:
        with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS migrated")
            connection.execute("DROP DATABASE IF EXISTS migrated_dagster")


def test_migrate_makes_roles_that_log_in_with_their_passwords(
    postgres_server: embedded.EmbeddedPostgres,
) -> None:
    url, dagster = postgres_server.url("shared"), postgres_server.url("shared_dagster")
    variables = {"VP_DATABASE_URL": url, "VP_DAGSTER_DATABASE_URL": dagster, "VP_SOURCE": "sandbox"}
    query = "SELECT rolname, rolcanlogin, rolsuper, rolpassword ~ '^SCRAM-SHA-256' FROM pg_authid"
    try:
        result = vp("migrate", **variables, VP_WRITER_PASSWORD="of the writer")
        assert "one is set without the other" in result.output
        result = vp("migrate", **variables, VP_WRITER_PASSWORD="same", VP_READER_PASSWORD="same")
        assert "the same as VP_WRITER_PASSWORD" in result.output
        result = vp("migrate", **variables, VP_WRITER_PASSWORD="of the writer", VP_READER_PASSWORD="another")
        assert result.exit_code == 0, result.output
        assert "another" not in result.output
        with psycopg.connect(url) as connection:
            found = connection.execute(f"{query} WHERE rolname ~ '^vp_' ORDER BY 1").fetchall()
        assert found == [("vp_reader", True, False, True), ("vp_writer", True, False, True)]
        with psycopg.connect(postgres_server.url("shared_dagster", "vp_writer")) as connection:
            connection.execute("CREATE TABLE runs (one int)")
    finally:
        with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
            for name in ("shared", "shared_dagster"):
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_migrate_waits_no_longer_than_told() -> None:
    result = vp("migrate", "--wait", "1", VP_DATABASE_URL="postgresql://127.0.0.1:1/vp")
    assert result.exit_code == 1
    assert "the database cannot be used" in result.output
    assert "VP_DATABASE_URL is not set" in vp("migrate").output


def test_migrate_needs_a_name(postgres_server: embedded.EmbeddedPostgres) -> None:
    url = postgres_server.url("")
    result = vp("migrate", VP_DATABASE_URL=url, VP_DAGSTER_DATABASE_URL=url)
    assert result.exit_code == 1
    assert "the database's address names no database" in result.output
