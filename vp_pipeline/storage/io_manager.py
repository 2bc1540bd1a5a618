"""Dagster's IO manager on Postgres: an asset's frame becomes the rows of its table.

Here belongs the translation of Dagster's terms (asset, partition window) into `rows`' terms (table,
scope, window). An asset says where it is stored with `stored_as(...)` in its metadata.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeAlias

from dagster import (
    ConfigurableIOManager,
    InputContext,
    JsonMetadataValue,
    MetadataValue,
    OutputContext,
    TableColumn,
    TableConstraints,
    TableSchema,
)
from pydantic import Field

from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import TABLES, VIEWS, Table
from vp_pipeline.windows import Window

if TYPE_CHECKING:
    import pandas as pd

Stored: TypeAlias = "pd.DataFrame | Mapping[str, pd.DataFrame]"


@dataclass(frozen=True)
class Batch:
    """Rows that become all that `table` holds of `scope` within `window`."""

    table: Table
    frame: "pd.DataFrame"
    scope: Mapping[str, str | int]
    window: Window | None = None


def stored_as(table: Table, **scope: str | int) -> dict[str, Any]:
    """Metadata for an asset whose rows are those of `table` with these column values."""
    columns = [TableColumn(name, kind) for name, kind in table.columns.items()]
    constraints = TableConstraints([f"primary key ({', '.join(table.key)})"])
    return {
        "table": table.name,
        "scope": MetadataValue.json(dict(scope)),
        "dagster/table_name": table.name,
        "dagster/column_schema": MetadataValue.table_schema(TableSchema(columns, constraints)),
    }


class PostgresIOManager(ConfigurableIOManager):
    """Writes frames by binary COPY, one transaction an output; reads what a partition's window holds.

    An asset stored in several tables hands over a mapping from table name to frame, the table of its
    metadata among them; all share its scope and window.
    """

    database_url: str = Field(repr=False)

    def write(self, batches: Iterable[Batch]) -> None:
        """Write all batches in one transaction."""
        from vp_pipeline.storage import rows

        with transaction(self.database_url) as connection:
            for batch in batches:
                rows.replace(connection, batch.table, batch.frame, batch.scope, batch.window)

    def handle_output(self, context: OutputContext, obj: "Stored") -> None:
        """Make the asset's rows within its partitions exactly those handed over."""
        table, scope = _stored(context.definition_metadata)
        frames = dict(obj) if isinstance(obj, Mapping) else {table.name: obj}
        unknown = frames.keys() - TABLES.keys()
        if unknown or table.name not in frames:
            raise ValueError(f"frames for {table.name} and other tables expected, got {sorted(frames)}")
        window = _window(context)
        self.write(Batch(TABLES[name], frame, scope, window) for name, frame in frames.items())
        context.add_output_metadata({"dagster/row_count": len(frames[table.name])})

    def load_input(self, context: InputContext) -> "pd.DataFrame":
        """The upstream asset's rows within its partitions."""
        from vp_pipeline.storage import rows

        if context.upstream_output is None:
            raise ValueError("an input from Postgres needs an upstream asset")
        table, scope = _stored(context.upstream_output.definition_metadata)
        with transaction(self.database_url) as connection:
            return rows.read(connection, table, scope, _window(context))


def _stored(metadata: Mapping[str, Any]) -> tuple[Table, Mapping[str, str | int]]:
    readable = TABLES | VIEWS
    if metadata.get("table") not in readable:
        raise ValueError("the asset does not say where it is stored: give it metadata=stored_as(table, ...)")
    scope = metadata["scope"]
    values: Any = scope.value if isinstance(scope, JsonMetadataValue) else scope
    return readable[str(metadata["table"])], values


def _window(context: InputContext | OutputContext) -> Window | None:
    if not context.has_asset_partitions:
        return None
    window = context.asset_partitions_time_window
    return Window(window.start.astimezone(UTC), window.end.astimezone(UTC))
