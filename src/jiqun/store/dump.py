"""Rows of the operational database as Parquet files 数据库转储, the same for every engine: one goes out, another may come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, func, insert, select, text, type_coerce

from jiqun.core.schema import Type, schemas
from jiqun.store import migrations
from jiqun.store.database import Database
from jiqun.store.files import ParquetStream
from jiqun.store.tables import metadata

_ROWS = 5_000
_LIVING = "leases"
"""They speak of processes, which a restored database does not have."""
_TYPES: Mapping[Type, Any] = {
    "string": pl.String,
    "code": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "money": pl.Float64,
    "date": pl.Date,
    "boolean": pl.Boolean,
    "datetime": pl.Datetime("us", "UTC"),
    "json": pl.String,
    "bytes": pl.Binary,
}


@dataclass(frozen=True)
class Dump:
    """What was written: the revision of the tables, and how many rows each has."""

    revision: str
    rows: Mapping[str, int]


def dump(database: Database, folder: Path) -> Dump:
    """Write every table, as of one moment, to `folder/<table>.parquet`.

    Raises
    ------
    WorkspaceError
        JQ-STORE-010: the disk refuses.
    """
    with database.read() as connection:
        streaming = connection.execution_options(yield_per=_ROWS)
        tables = (one for one in metadata().sorted_tables if one.name != _LIVING)
        return Dump(migrations.HEAD, {one.name: _write(streaming, one, folder) for one in tables})


def _write(connection: Connection, table: Table, folder: Path) -> int:
    attributes = schemas("operational")[table.name].attributes
    schema = {a.name: _TYPES[a.type] for a in attributes}
    columns = [type_coerce(table.c[a.name], Text) if a.type == "json" else table.c[a.name] for a in attributes]
    stream = ParquetStream(folder / f"{table.name}.parquet")
    try:
        stream.write(pl.DataFrame(schema=schema))
        for rows in connection.execute(select(*columns).order_by(*table.primary_key)).partitions():
            stream.write(pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row"))
        stream.close()
    except BaseException:
        stream.abandon()
        raise
    return stream.rows


def filling(made: Dump, folder: Path) -> Callable[[Connection], None]:
    """What fills an empty database with a dump, also one of an earlier revision, and brings it to this program's.

    Raises
    ------
    WorkspaceError
        JQ-STORE-037: the dump is of a later program.
    """

    def fill(connection: Connection) -> None:
        migrations.upgrade(connection, made.revision)
        then = MetaData()
        then.reflect(connection)  # as the tables were at that revision
        for table in then.sorted_tables:
            if table.name in made.rows:
                _read(connection, table, folder / f"{table.name}.parquet")
        migrations.upgrade(connection)

    return fill


def _read(connection: Connection, table: Table, path: Path) -> None:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            rows: list[dict[str, Any]] = batch.to_pylist()
            if rows:
                connection.execute(insert(table), rows)
    keys: list[Column[Any]] = [*table.primary_key]
    if connection.dialect.name == "postgresql" and len(keys) == 1 and isinstance(keys[0].type, Integer):
        latest = connection.execute(select(func.max(keys[0]))).scalar()
        follow = "SELECT setval(pg_get_serial_sequence(:table, :column), :latest)"  # nothing where there is none
        if latest is not None:
            connection.execute(text(follow), {"table": table.name, "column": keys[0].name, "latest": latest})
