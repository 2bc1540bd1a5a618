"""What an installation does for itself every day: a backup, and pruning what would grow without end.

Here belongs what Dagster shows of it; the work is in `upkeep.backup` and `upkeep.prune`.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    asset,
)

from vp_pipeline.settings import Settings
from vp_pipeline.upkeep.disk import LEAST_FREE

GROUP = "upkeep"
DISK_CHECK = "disk_space"


def build_upkeep(settings: Settings) -> list[AssetsDefinition]:
    """The assets `backup`, unless none are kept, and `maintenance`."""
    return [*([_backup(settings)] if settings.backup_keep else []), _maintenance(settings)]


def _backup(settings: Settings) -> AssetsDefinition:
    @asset(
        name="backup",
        group_name=GROUP,
        kinds={"postgres"},
        description="Both databases in one file with checksums, read again after it was written; older ones"
        " are removed. `vp restore` restores it.",
    )
    def backup(context: AssetExecutionContext) -> MaterializeResult[None]:
        from vp_pipeline.upkeep import backup as backups

        now, folder = datetime.now(UTC), settings.backup_folder
        made = backups.make(_urls(settings), backups.default_path(folder, now), now)
        removed = backups.retain(folder, settings.backup_keep)
        context.log.info("%s: %d bytes, %d rows", made.path, made.size, made.rows)
        return MaterializeResult(
            metadata={
                "file": MetadataValue.path(made.path),
                "megabytes": made.size / 1e6,
                "rows": made.rows,
                "removed": len(removed),
            }
        )

    return backup


def _maintenance(settings: Settings) -> AssetsDefinition:
    @asset(
        name="maintenance",
        group_name=GROUP,
        kinds={"postgres"},
        check_specs=[
            AssetCheckSpec(
                DISK_CHECK, asset="maintenance", description="At least 2 GB are free where the data are."
            )
        ],
        description="Deletes Dagster's old logs, ticks, check results and superseded materializations, and"
        " reports sizes. The newest materialization of every partition stays.",
    )
    def maintenance(context: AssetExecutionContext) -> Iterator[MaterializeResult[None]]:
        from vp_pipeline.upkeep import indexes, prune
        from vp_pipeline.upkeep.databases import DAGSTER, OWN

        urls = _urls(settings)
        dagster, own = urls[DAGSTER], urls[OWN]
        now = datetime.now(UTC)
        deleted = prune.prune(dagster, now - timedelta(days=settings.log_days), settings.first_hour(now))
        vacuumed = [*prune.vacuum(dagster), *prune.vacuum(own)]
        rebuilt = indexes.rebuild(dagster)
        context.log.info("deleted %s, vacuumed %s, rebuilt %s", deleted, vacuumed, rebuilt)
        metadata: dict[str, float | int | str] = {f"deleted {kind}": count for kind, count in deleted.items()}
        for name, url in ((DAGSTER, dagster), (OWN, own)):
            size, tables = prune.sizes(url)
            metadata[f"{name}, MB"] = size / 1e6
            metadata |= {f"{name}.{table}, MB": bytes_ / 1e6 for table, bytes_ in tables.items()}
        free = shutil.disk_usage(settings.home).free
        yield MaterializeResult(
            metadata={
                **metadata,
                "vacuumed": ", ".join(vacuumed) or "nothing",
                "rebuilt": ", ".join(rebuilt) or "nothing",
                "free, MB": free / 1e6,
            },
            check_results=[_disk_result(free)],
        )

    return maintenance


def _disk_result(free: int) -> AssetCheckResult:
    enough = free >= LEAST_FREE
    return AssetCheckResult(
        check_name=DISK_CHECK,
        passed=enough,
        severity=AssetCheckSeverity.ERROR,
        description=None if enough else f"{free / 1e9:.1f} GB are free: free at least 2 GB, or move the data",
        metadata={"free, MB": free / 1e6},
    )


def _urls(settings: Settings) -> dict[str, str]:
    from vp_pipeline.upkeep.databases import addresses

    return addresses(settings.database_url.get_secret_value(), settings.dagster_database_url)
