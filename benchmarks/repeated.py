"""What runs of Dagster left in its database, written again as of other times, a day in a few statements.

Here belongs how rows are repeated; when which run is repeated is in `growth`.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from vp_pipeline.assets import keys
from vp_pipeline.windows import HOUR

Connection = psycopg.Connection[tuple[Any, ...]]

EVENTS = "event_logs"
# Events first: others refer to them.
TABLES = (EVENTS, "asset_event_tags", "asset_check_executions", "runs", "run_tags")
EVENT_IDS = ("event_id", "evaluation_event_storage_id", "materialization_event_storage_id")
RUN, MOMENT = "<run>", "<moment>"


@dataclass(frozen=True)
class Template:
    """A run that is repeated: how many rows it left in each table, and its partitions, the newest first."""

    rows: Mapping[str, int]
    partitions: tuple[str, ...]


class Repeater:
    """Takes down what runs left, empties the tables, and fills them with the same at other times.

    Texts are taken down with marks where the run's id, its partitions and the times of its events stand.
    """

    def __init__(self, connection: Connection, runs: Mapping[str, str]) -> None:
        self._connection = connection
        self._columns = {table: _columns(connection, table) for table in TABLES}
        for table in TABLES:
            self._run(
                "CREATE TEMP TABLE {copy} AS SELECT ''::text AS template, 0::bigint AS n, 0::bigint AS old,"
                " {table}.* FROM {table} LIMIT 0",
                table,
            )
        self.templates = {name: self._take_down(name, run) for name, run in runs.items()}
        self._depth = max(len(template.partitions) for template in self.templates.values())
        counters = ", ".join(f"{table} bigint" for table in TABLES)
        connection.execute(
            "CREATE TEMP TABLE launched"
            f" (template text, run text, moment timestamp, partitions text[], {counters})".encode()
        )
        connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE".encode())
        self._next = dict.fromkeys(TABLES, 1)

    def repeat(self, runs: Sequence[tuple[str, datetime]]) -> None:
        """These runs, named by their templates, in one transaction."""
        with self._connection.transaction():
            self._connection.execute("TRUNCATE launched")
            with self._connection.cursor().copy("COPY launched FROM STDIN") as copy:
                for name, moment in runs:
                    template = self.templates[name]
                    first = [self._next[table] for table in TABLES]
                    partitions = _as_of(template.partitions, moment)
                    copy.write_row([name, str(uuid.uuid4()), moment.replace(tzinfo=None), partitions, *first])
                    for table in TABLES:
                        self._next[table] += template.rows[table]
            for table in TABLES:
                self._insert(table)

    def finish(self) -> None:
        """Let the tables' own ids go on behind those that were made here."""
        for table in TABLES:
            self._connection.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, self._next[table]]
            )

    def _run(self, statement: str, table: str, *values: object, **parts: sql.Composable) -> int:
        names = {"table": sql.Identifier(table), "copy": sql.Identifier(f"copied_{table}"), **parts}
        return self._connection.execute(sql.SQL(statement).format(**names), values or None).rowcount

    def _take_down(self, name: str, run: str) -> Template:
        found = self._connection.execute(
            "SELECT DISTINCT partition FROM event_logs WHERE run_id = %s AND partition IS NOT NULL"
            " ORDER BY 1 DESC",
            [run],
        ).fetchall()
        partitions = tuple(str(partition) for (partition,) in found)
        marks = {run: RUN, **{old: _mark(number) for number, old in enumerate(partitions)}}
        rows = {table: self._copy(table, name, run, marks) for table in TABLES}
        return Template(rows, partitions)

    def _copy(self, table: str, name: str, run: str, marks: Mapping[str, str]) -> int:
        texts = {
            column: _replaced(sql.Identifier(column), [(old, sql.Literal(new)) for old, new in marks.items()])
            for column, kind in self._columns[table].items()
            if kind in ("text", "character varying")
        }
        if "event" in texts:
            texts["event"] = sql.SQL("regexp_replace({}, {}, {}, 'g')").format(
                texts["event"], '"timestamp": [0-9.]+', f'"timestamp": {MOMENT}'
            )
        for column in EVENT_IDS:
            texts[column] = sql.SQL(
                "(SELECT n FROM copied_event_logs e WHERE e.template = {} AND e.old = {})"
            ).format(name, sql.Identifier(column))
        columns = [texts.get(column, sql.Identifier(column)) for column in self._columns[table]]
        owner = "event_id IN (SELECT id FROM event_logs WHERE run_id = %s)"
        return self._run(
            "INSERT INTO {copy} SELECT {name}, row_number() OVER (ORDER BY id) - 1, id, {columns}"
            f" FROM {{table}} WHERE {owner if 'run_id' not in self._columns[table] else 'run_id = %s'}",
            table,
            run,
            name=sql.Literal(name),
            columns=sql.SQL(", ").join(columns),
        )

    def _insert(self, table: str) -> None:
        values = [self._value(table, column, kind) for column, kind in self._columns[table].items()]
        self._run(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM launched JOIN {copy} USING (template)"
            " ORDER BY launched.{table}, n",
            table,
            columns=sql.SQL(", ").join(map(sql.Identifier, self._columns[table])),
            values=sql.SQL(", ").join(values),
        )

    def _value(self, table: str, column: str, kind: str) -> sql.Composable:
        """What the column holds in a repeated row."""
        source = sql.SQL("{}.{}").format(sql.Identifier(f"copied_{table}"), sql.Identifier(column))
        if column == "id":
            return sql.SQL("launched.{} + n").format(sql.Identifier(table))
        if column in EVENT_IDS:
            return sql.SQL("launched.event_logs + {}").format(source)
        if column in ("start_time", "end_time"):
            return sql.SQL("extract(epoch FROM moment) + {} - start_time").format(source)
        if kind.startswith("timestamp"):
            return sql.SQL("CASE WHEN {} IS NOT NULL THEN moment END").format(source)
        if kind not in ("text", "character varying"):
            return source
        news = [
            (_mark(number), sql.SQL(f"launched.partitions[{number + 1}]")) for number in range(self._depth)
        ]
        if column == "event":
            news.append((MOMENT, sql.SQL("extract(epoch FROM moment)::text")))
        # Nothing is put in place of what the run did not have: replace() of nothing by NULL is NULL.
        guarded = [(old, sql.SQL("coalesce({}, '')").format(new)) for old, new in news]
        return _replaced(source, [(RUN, sql.SQL("launched.run")), *guarded])


def _columns(connection: Connection, table: str) -> dict[str, str]:
    """The type of each column, by name."""
    return dict(
        connection.execute(
            "SELECT column_name::text, data_type::text FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
            [table],
        ).fetchall()
    )


def _replaced(text: sql.Composable, pairs: Sequence[tuple[str, sql.Composable]]) -> sql.Composable:
    for old, new in pairs:
        text = sql.SQL("replace({}, {}, {})").format(text, sql.Literal(old), new)
    return text


def _mark(number: int) -> str:
    return f"<partition {number}>"


def _as_of(partitions: Sequence[str], moment: datetime) -> list[str]:
    """As many partitions, counted back from another moment."""
    if not partitions:
        return []
    hourly = len(partitions[0]) > len("2026-01-01")
    step, form = (HOUR, keys.HOUR_FORMAT) if hourly else (timedelta(days=1), keys.DAY_FORMAT)
    return [(moment - back * step).strftime(form) for back in range(len(partitions))]
