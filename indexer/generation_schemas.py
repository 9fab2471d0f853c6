"""The records of generations in PostgreSQL: each generation's in a schema of its own, made in one transaction."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Connection, Index, MetaData, PrimaryKeyConstraint, Table, func, select, text
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable, DropSchema

from indexer.records import IndexedImage, Notice
from indexer.tables import CORNERS, Base, ImageRow, NoticeRow, ObjectRow, image_row, notice_rows, object_rows

_NUL, _REPLACEMENT = "\0", "\N{REPLACEMENT CHARACTER}"
_TYPES: dict[type, str] = {int: "int8", str: "varchar", float: "float8", bool: "bool"}
_IMAGES, _OBJECTS, _NOTICES = (Base.metadata.tables[row.__tablename__] for row in (ImageRow, ObjectRow, NoticeRow))


def _stored(column: Column[Any]) -> Column[Any]:
    name = f"box_{column.name}" if column.name in CORNERS else column.name
    return Column(name, column.type, nullable=column.nullable, autoincrement=False)


# PostgreSQL has columns "xmin" and "xmax" of its own in each table, but not in a view, which this one is read by.
_STORED_OBJECTS = Table(
    "stored_objects",
    MetaData(),
    *(_stored(column) for column in _OBJECTS.columns),
    PrimaryKeyConstraint("object_id"),
    *(Index(index.name, *index.columns.keys()) for index in _OBJECTS.indexes),
)


def schema_of(collection: str, number: int) -> str:
    """The name of a generation's schema."""
    return f"lookalike_{collection}_{number:06d}"


def schema_numbers(connection: Connection, collection: str) -> list[int]:
    """The generations of a collection whose schemas are there, oldest first."""
    named = re.compile(rf"lookalike_{re.escape(collection)}_(\d{{6,}})")
    names = connection.scalars(text("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'lookalike\\_%'"))
    return sorted(int(found[1]) for found in map(named.fullmatch, names) if found)


def drop_schema(connection: Connection, schema: str) -> None:
    """Delete a schema and all in it; none is no error."""
    connection.execute(DropSchema(schema, cascade=True, if_exists=True))


def write_schema(
    connection: Connection, schema: str, images: Sequence[IndexedImage], notices: Sequence[Notice]
) -> None:
    """Make a schema anew, with all of a generation's records."""
    drop_schema(connection, schema)
    connection.execute(CreateSchema(schema))
    readable = [replace(notice, reason=notice.reason.replace(_NUL, _REPLACEMENT)) for notice in notices]
    _fill(connection, schema, _IMAGES, map(image_row, images))
    _fill(connection, schema, _STORED_OBJECTS, object_rows(images))
    _fill(connection, schema, _NOTICES, notice_rows(readable))
    columns = zip(_STORED_OBJECTS.columns.keys(), _OBJECTS.columns.keys(), strict=True)
    told = ", ".join(f"{stored} AS {read}" for stored, read in columns)
    as_read = f"SELECT {told} FROM {schema}.{_STORED_OBJECTS}"  # noqa: S608 - names of our own making
    connection.execute(text(f"CREATE VIEW {schema}.{_OBJECTS} AS {as_read}"))


def counts(connection: Connection, schema: str) -> tuple[int, int]:
    """How many images and objects there are in a schema."""
    here: dict[str, Any] = {"schema_translate_map": {None: schema}}
    images, objects = (
        connection.execute(select(func.count()).select_from(table), execution_options=here).scalar_one()
        for table in (_IMAGES, _OBJECTS)
    )
    return images, objects


def _fill(connection: Connection, schema: str, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Make a table of rows; what can be made of them afterwards, is: it takes less time then."""
    here: dict[str, Any] = {"schema_translate_map": {None: schema}}
    # All rows come from one place at once: a foreign key would only cost the time to hold it.
    connection.execute(CreateTable(table, include_foreign_key_constraints=()), execution_options=here)
    _copy(connection, schema, table, rows)
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        connection.execute(CreateIndex(index), execution_options=here)
    connection.execute(text(f"ANALYZE {schema}.{table.name}"))


def _copy(connection: Connection, schema: str, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    from indexer.postgresql_driver import copy_rows  # noqa: PLC0415 - whoever has a connection has it imported

    values = (tuple(row.values()) for row in rows)
    columns = [(column.name, _TYPES[column.type.python_type]) for column in table.columns]
    driver: Any = connection.connection.driver_connection
    copy_rows(driver, (schema, table.name), columns, values)
