"""Dagster's event log on Postgres, without the rows that say nothing of a tick.

Here belongs what is left out and why. A tick repeats every quarter of an hour for years; of the rows
that Dagster would store for it, most announce what the next row reports. On a Raspberry Pi they are
the larger part of what is written to the card. Other runs are logged in full.

The price: Dagster marks a partition or a check as failed by comparing what was planned with what came. A
failed tick shows on its run alone; its partitions and checks keep the status they had.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import Array, DagsterEventType, EventLogEntry, Field

# The type of a hook that Dagster documents without exporting it.
from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage
from dagster_postgres.utils import get_token_provider_from_config, pg_config, pg_url_from_config

LEFT_OUT = frozenset(
    {
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.LOADED_INPUT,
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
        DagsterEventType.STEP_OUTPUT,
    }
)


class LeanEventLogStorage(PostgresEventLogStorage):
    """Stores all events, but of `lean_jobs` only those that say what happened; errors always."""

    lean_jobs: frozenset[str] = frozenset()

    @classmethod
    def config_type(cls) -> Any:
        """Dagster's Postgres configuration, and `lean_jobs`: names of jobs."""
        postgres: Any = pg_config()
        return {**postgres, "lean_jobs": Field(Array(str), is_required=False, default_value=[])}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Dagster's constructor from `dagster.yaml`."""
        storage = cls(
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value["should_autocreate_tables"],
            inst_data=inst_data,
            token_provider=get_token_provider_from_config(config_value),
        )
        storage.lean_jobs = frozenset(config_value["lean_jobs"])
        # Dagster's default connects anew for every event, which takes longer than storing it.
        storage.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=10)
        return storage

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event."""
        if self._worth_storing(event):
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one type."""
        kept = [event for event in events if self._worth_storing(event)]
        if kept:
            super().store_event_batch(kept)

    def _worth_storing(self, event: EventLogEntry) -> bool:
        if event.job_name not in self.lean_jobs or event.dagster_event is None:
            return True
        data = event.dagster_event.event_specific_data
        return event.dagster_event_type not in LEFT_OUT or getattr(data, "error", None) is not None
