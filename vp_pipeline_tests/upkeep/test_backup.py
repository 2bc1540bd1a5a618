"""Backups on a real server: whole or not there, and the same again after a restore."""

import json
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.upkeep import archive, backup, contents, restore, servers
from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.backup import MANIFEST
from vp_pipeline.upkeep.databases import DAGSTER, OWN
from vp_pipeline_tests.dumps import dump
from vp_pipeline_tests.storage.test_migrate import OF_EVERY_VERSION

NOW = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(filled: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> backup.Made:
    return backup.make(filled, tmp_path_factory.mktemp("backups") / "one.tar", NOW)


def test_every_table_is_the_same_after_a_restore(
    made: backup.Made, filled: dict[str, str], empty: dict[str, str]
) -> None:
    restore.restore(made.path, restore.restorable(made.path), empty)
    for name in (DAGSTER, OWN):
        before, after = dump(filled[name]), dump(empty[name])
        assert len(before) >= 10
        assert before == after
    assert sum(len(rows) for rows in before.values()) > 10_000
    with pytest.raises(BackupError, match=r"vp_copy_\d+ is not empty|dagster_copy_\d+ is not empty"):
        restore.restore(made.path, made.manifest, empty)


def test_the_file_is_read_by_common_programs(made: backup.Made, tmp_path: Path) -> None:
    subprocess.run(["tar", "xf", made.path], cwd=tmp_path, check=True)
    subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True
    )
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert manifest["source"] == "sandbox"
    assert manifest["databases"]["vp"]["schema"] == migrate.newest()
    assert made.path.stat().st_mode & 0o077 == 0
    assert made.rows == sum(
        table["rows"] for database in manifest["databases"].values() for table in database["tables"].values()
    )


def test_any_damage_is_told(made: backup.Made, tmp_path: Path) -> None:
    whole = made.path.read_bytes()
    damaged = tmp_path / "damaged.tar"
    with tarfile.open(made.path) as tar:
        parts = (0.02, 0.3, 0.5, 0.97)
        places = [m.offset_data + int(m.size * part) for m in tar.getmembers() for part in parts]
        places += [member.offset + 30 for member in tar.getmembers()]
    for place in places:
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BackupError, match=r"damaged|cut off"):
            restore.restorable(damaged)
    for length in (0, 100, 512, len(whole) // 2, len(whole) - 2000):
        damaged.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"damaged|cut off"):
            restore.restorable(damaged)
    damaged.write_text("not a backup")
    with pytest.raises(BackupError, match="no backup"):
        restore.restorable(damaged)


def changed(made: backup.Made, path: Path, manifest: backup.Manifest) -> Path:
    """The same dumps with another manifest."""
    with archive.opened(made.path) as old, archive.new_file(path, 0) as new:
        for name in (DAGSTER, OWN):
            new.add(f"{name}.dump", old.blocks(f"{name}.dump"))
        new.add(MANIFEST, iter([json.dumps(manifest).encode()]))
    return path


def test_a_newer_programs_backup_is_refused(
    made: backup.Made, filled: dict[str, str], tmp_path: Path
) -> None:
    manifest: backup.Manifest = json.loads(json.dumps(made.manifest))
    manifest["databases"][OWN]["schema"] = "9999"
    with pytest.raises(BackupError, match="tables of version 9999"):
        restore.restorable(changed(made, tmp_path / "schema.tar", manifest))
    manifest["format"] = 2
    with pytest.raises(BackupError, match="newer format"):
        restore.restorable(changed(made, tmp_path / "format.tar", manifest))
    manifest = json.loads(json.dumps(made.manifest))
    manifest["databases"][OWN]["server"] = 99
    with pytest.raises(BackupError, match="from PostgreSQL 99, and the server is 18"):
        restore.restore(made.path, manifest, {OWN: servers.beside(filled[OWN], "nowhere")})


def test_what_differs_after_loading_is_told_and_removed(
    made: backup.Made, filled: dict[str, str], tmp_path: Path
) -> None:
    manifest: backup.Manifest = json.loads(json.dumps(made.manifest))
    manifest["databases"][OWN]["tables"]["market"]["rows"] += 1
    manifest["databases"][OWN]["tables"]["installation"]["hash"] = "0"
    path = changed(made, tmp_path / "other.tar", manifest)
    targets = {DAGSTER: servers.beside(filled[OWN], "other_1"), OWN: servers.beside(filled[OWN], "other_2")}
    with pytest.raises(BackupError, match=r"installation: 1 rows, but .*; market: .* rows instead of"):
        restore.restore(path, restore.restorable(path), targets)
    with transaction(filled[OWN]) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'other%'").fetchall()
    assert names == []


def test_a_hash_knows_each_value_but_no_order(filled: dict[str, str]) -> None:
    with transaction(filled[OWN]) as connection:
        before = contents.of(connection)
        connection.execute("CREATE TABLE again AS SELECT * FROM aggregate ORDER BY open_time DESC")
        again = contents.of(connection)["again"]
        assert again == before["aggregate"]
        connection.execute(
            "UPDATE again SET close = close + 1e-9 WHERE open_time = (SELECT min(open_time) FROM again)"
        )
        after = contents.of(connection)
        connection.rollback()
    assert again != after["again"]
    assert contents.differences(before, after) == ["again: not in the backup"]


def test_a_backup_that_fails_leaves_nothing(filled: dict[str, str], tmp_path: Path) -> None:
    broken = {**filled, OWN: servers.beside(filled[OWN], "is_not_there")}
    with pytest.raises(BackupError, match='"is_not_there" does not exist'):
        backup.make(broken, tmp_path / "a.tar", NOW)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(BackupError, match="exists"):
        backup.make(filled, tmp_path / "b.tar", NOW)
    assert (tmp_path / "b.tar").read_text() == "mine"
    with pytest.raises(BackupError, match="cannot be written"):
        backup.make(filled, Path("/proc/no/backup.tar"), NOW)
    with pytest.raises(BackupError, match="cannot be written"):
        backup.make(filled, tmp_path / "b.tar" / "below.tar", NOW)


def test_writing_while_others_write(filled: dict[str, str], tmp_path: Path) -> None:
    """The counts in the manifest are those of the dump, whatever happens between the two."""
    with psycopg.connect(filled[OWN], autocommit=True) as connection:
        original = servers.dump

        def meddling(url: str, snapshot: str) -> object:
            if url == filled[OWN]:
                connection.execute("INSERT INTO stale_hour VALUES ('late', 'late', now())")
            return original(url, snapshot)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(servers, "dump", meddling)
            made = backup.make(filled, tmp_path / "c.tar", NOW)
        connection.execute("DELETE FROM stale_hour WHERE consumer = 'late'")
    targets = {DAGSTER: servers.beside(filled[OWN], "while_1"), OWN: servers.beside(filled[OWN], "while_2")}
    try:
        restore.restore(made.path, made.manifest, targets)
    finally:
        with psycopg.connect(filled[OWN], autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS while_1")
            connection.execute("DROP DATABASE IF EXISTS while_2")


def test_a_backup_calls_no_function_of_the_database(filled: dict[str, str], tmp_path: Path) -> None:
    """Dagster's database is the writer's, and `vp backup` the owner's."""
    evil = "LANGUAGE plpgsql AS $$ BEGIN RAISE 'called as %', current_user; END $$"
    name = psycopg.conninfo.conninfo_to_dict(filled[DAGSTER])["dbname"]
    with psycopg.connect(filled[DAGSTER], autocommit=True) as connection:
        connection.execute(f"CREATE FUNCTION public.md5(text) RETURNS text {evil}")
        connection.execute(f"CREATE FUNCTION public.to_regclass(text) RETURNS regclass {evil}")
        connection.execute(f"CREATE FUNCTION public.told(event_logs) RETURNS text {evil}")
        connection.execute("CREATE CAST (event_logs AS text) WITH FUNCTION public.told(event_logs)")
        connection.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    try:
        made = backup.make(filled, tmp_path / "d.tar", NOW)
        assert made.manifest["databases"][DAGSTER]["tables"]["event_logs"]["rows"] == 50
    finally:
        with psycopg.connect(filled[DAGSTER], autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} RESET search_path")
            connection.execute("DROP FUNCTION public.md5, public.to_regclass, public.told CASCADE")


def test_the_hash_is_what_it_was(filled: dict[str, str]) -> None:
    """Those in older backups are compared too."""
    former = "SELECT sum(('x' || substr(md5(whole::text), 1, 16))::bit(64)::bigint::numeric)::text"
    former += " FROM aggregate AS whole"
    with transaction(filled[OWN]) as connection:
        assert connection.execute(former).fetchone() == (contents.of(connection)["aggregate"]["hash"],)


def with_dump(made: backup.Made, path: Path, name: str, dump: bytes) -> Path:
    """The same backup, with checksums that are right, but for one dump."""
    with archive.opened(made.path) as old, archive.new_file(path, 0) as new:
        for each in (DAGSTER, OWN):
            new.add(f"{each}.dump", iter([dump]) if each == name else old.blocks(f"{each}.dump"))
        new.add(MANIFEST, old.blocks(MANIFEST))
    return path


@pytest.mark.parametrize(
    "statement", ["COPY (SELECT 1) TO PROGRAM 'touch marker';", r"\! touch marker", "SELECT lo_create(1);"]
)
def test_no_statement_of_a_backup_is_run(
    made: backup.Made, empty: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Where a dump says how rows are copied, anything may stand."""
    monkeypatch.chdir(tmp_path)
    with archive.opened(made.path) as old:
        dump = b"".join(old.blocks("vp.dump"))
    copy = b"COPY public.stale_hour (consumer, base, hour) FROM stdin;\n"
    assert copy in dump
    changed = dump.replace(copy, statement.encode().ljust(len(copy) - 1) + b"\n")
    path = with_dump(made, tmp_path / "other.tar", OWN, changed)
    with pytest.raises(BackupError, match="something other than rows"):
        restore.restore(path, restore.restorable(path), empty)
    assert not (tmp_path / "marker").exists()
    with psycopg.connect(servers.beside(empty[OWN], "postgres")) as connection:
        data = connection.execute("SELECT current_setting('data_directory')").fetchone()
        names = connection.execute("SELECT datname FROM pg_database WHERE datname ~ 'copy'").fetchall()
    assert data is not None
    assert not (Path(str(data[0])) / "marker").exists()
    assert names == []


def test_what_a_database_has_beside_its_rows_is_not_restored(
    filled: dict[str, str], empty: dict[str, str], tmp_path: Path, postgres_server: embedded.EmbeddedPostgres
) -> None:
    """A view that is filled when it is loaded calls a function of whoever made the backup."""
    marker = postgres_server.folder / "data" / "marker"
    with psycopg.connect(filled[OWN], autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION public.mine() RETURNS int LANGUAGE plpgsql AS $$"
            f" BEGIN COPY (SELECT 1) TO PROGRAM 'touch {marker}'; RETURN 1; END $$"
        )
        connection.execute("CREATE MATERIALIZED VIEW mine AS SELECT public.mine()")
        assert marker.exists()
        marker.unlink()
        try:
            made = backup.make(filled, tmp_path / "e.tar", NOW)
        finally:
            connection.execute("DROP FUNCTION public.mine() CASCADE")
    restore.restore(made.path, restore.restorable(made.path), empty)
    assert not marker.exists()
    with psycopg.connect(empty[OWN], autocommit=True) as connection:
        assert connection.execute("SELECT FROM pg_class WHERE relname = 'mine'").fetchall() == []
        # Everything else is as the migrations make it: what follows from rows follows again.
        triggers = "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgenabled <> 'O'"
        assert connection.execute(triggers).fetchall() == []
        constraints = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2"
        found = connection.execute(constraints).fetchall()
    with psycopg.connect(filled[OWN]) as connection:
        assert connection.execute(constraints).fetchall() == found


@pytest.mark.parametrize("version", ["0002", "0006", "0008"])
def test_an_older_versions_backup(
    filled: dict[str, str],
    empty: dict[str, str],
    postgres_server: embedded.EmbeddedPostgres,
    tmp_path: Path,
    version: str,
) -> None:
    url = postgres_server.url(f"backup_of_{version}")
    migrate.create_database(url)
    migrate.upgrade(url, version)
    with transaction(url) as connection:
        for statement in OF_EVERY_VERSION.split(";\n"):
            connection.execute(statement)
    made = backup.make({**filled, OWN: url}, tmp_path / "older.tar", NOW)
    restore.restore(made.path, restore.restorable(made.path), empty)
    migrate.upgrade(url)
    assert dump(empty[OWN], "change") == dump(url, "change")
    with transaction(empty[OWN]) as connection:
        connection.execute("INSERT INTO market (exchange, symbol) VALUES ('okx', 'BTC/USDT')")
        assert connection.execute("SELECT max(market_id) FROM market").fetchone() == (2,)
        assert connection.execute("SELECT to_regclass('candle_2')::text").fetchone() == ("candle_2",)


def test_a_database_that_was_there_is_empty_again(
    made: backup.Made, empty: dict[str, str], tmp_path: Path
) -> None:
    manifest: backup.Manifest = json.loads(json.dumps(made.manifest))
    manifest["databases"][OWN]["tables"]["market"]["rows"] += 1
    other = changed(made, tmp_path / "other.tar", manifest)
    for url in empty.values():
        migrate.create_database(url)
    with pytest.raises(BackupError, match=r"market: .* rows instead of"):
        restore.restore(other, restore.restorable(other), empty)
    restore.restore(made.path, made.manifest, empty)


def test_tables_of_another_dagster_are_refused(made: backup.Made, tmp_path: Path) -> None:
    manifest: backup.Manifest = json.loads(json.dumps(made.manifest))
    manifest["databases"][DAGSTER]["schema"] = "of tomorrow"
    with pytest.raises(BackupError, match=r"another version of Dagster recorded.*of tomorrow"):
        restore.restorable(changed(made, tmp_path / "schema.tar", manifest))
    manifest = json.loads(json.dumps(made.manifest))
    manifest["databases"][DAGSTER]["tables"]["mine"] = {"rows": 0, "hash": "0"}
    with pytest.raises(BackupError, match=r"other tables beside it \(mine\)"):
        restore.restorable(changed(made, tmp_path / "tables.tar", manifest))


def test_a_table_of_ones_own_is_not_restored(
    filled: dict[str, str], empty: dict[str, str], tmp_path: Path
) -> None:
    with psycopg.connect(filled[OWN], autocommit=True) as connection:
        connection.execute("CREATE TABLE notes AS SELECT 1 AS one")
        try:
            made = backup.make(filled, tmp_path / "f.tar", NOW)
        finally:
            connection.execute("DROP TABLE notes")
    with pytest.raises(BackupError, match=r"rows of public\.notes, a table that neither this program"):
        restore.restore(made.path, restore.restorable(made.path), empty)


def test_retention_keeps_the_newest_and_what_is_not_ours(tmp_path: Path) -> None:
    names = [backup.default_path(tmp_path, NOW.replace(day=day)).name for day in range(1, 10)]
    for name in [*names, "mine.tar", f"{names[8]}.part"]:
        (tmp_path / name).touch()
    removed = backup.retain(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.tar", *names[6:]]
    assert len(removed) == 7
    assert backup.retain(tmp_path / "nowhere", 3) == ()
