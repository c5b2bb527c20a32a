"""Operational tables 运行表 as SQLAlchemy sees them, built from the schemas whose home is the database.

Values come back as they went in on both engines: moments are aware and in UTC, JSON is text in one canonical form,
text holds no character that one of the engines refuses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator, TypeEngine

from jiqun.core.errors import UsageError
from jiqun.core.schema import Attribute, Schema, schemas
from jiqun.store.proof import canonical

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]

_MAKING = Lock()
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class TextError(UsageError, DontWrapMixin):
    """Text that cannot be stored; SQLAlchemy lets it through as it is."""


class Plain(TypeDecorator[str]):
    """Text that every engine can hold: no NUL, no half of a character."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what PostgreSQL would, on SQLite too."""
        del dialect
        if value is not None and ("\0" in value or not _encodes(value)):
            raise TextError("JQ-STORE-034")
        return value


class Moment(TypeDecorator[datetime]):
    """A moment: aware, kept in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; SQLite keeps no zone. A moment without a zone is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """In UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[Any]):
    """JSON as canonical text. Where a value is required, None is JSON's null."""

    impl = Text
    cache_ok = True

    def __init__(self, *, required: bool = False) -> None:
        super().__init__()
        self.required = required

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To text."""
        del dialect
        return None if value is None and not self.required else canonical(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From text."""
        del dialect
        return None if value is None else json.loads(value)


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def table(name: str) -> Table:
    """One operational table 运行表.

    Examples
    --------
    >>> table("jobs").c.state.nullable
    False
    """
    return metadata().tables[name]


def metadata() -> MetaData:
    """All operational tables with their keys, checks, references and indexes."""
    with _MAKING:  # threads that came at once would each get their own, and a statement of both means two tables
        return _made()


@cache
def _made() -> MetaData:
    found = MetaData(naming_convention=_NAMES)
    for schema in schemas("operational").values():
        _table(schema, found)
    return found


def _table(schema: Schema, into: MetaData) -> None:
    names = schema.names
    missing = {name for group in (schema.key, *schema.unique, *schema.index) for name in group} - {*names}
    if missing:
        raise ValueError(f"tables.csv: {schema.name} has no column {', '.join(sorted(missing))}")
    columns = [_column(attribute, schema) for attribute in schema.attributes]
    checks = [
        CheckConstraint(f"{a.name} IN ({', '.join(repr(value) for value in a.check[5:].split('|'))})", name=a.name)
        for a in schema.attributes
        if a.check.startswith("enum:")
    ]
    made = Table(schema.name, into, *columns, *checks, *(UniqueConstraint(*group) for group in schema.unique))
    for group in schema.index:
        Index(None, *(made.c[name] for name in group))


def _column(attribute: Attribute, schema: Schema) -> Column[Any]:
    key = attribute.name in schema.key
    references = [ForeignKey(_target(attribute.check[4:]))] if attribute.check.startswith("ref:") else []
    return Column(
        attribute.name,
        _type(attribute),
        *references,
        primary_key=key,
        # rows are numbered by the database where a table's only key is the whole number `id`
        autoincrement=(attribute.type == "integer" and schema.key == ("id",)) if key else "auto",
        nullable=not (attribute.required or key),
    )


def _target(name: str) -> str:
    (key,) = schemas("operational")[name].key
    return f"{name}.{key}"


def _type(attribute: Attribute) -> TypeEngine[Any]:
    if attribute.type == "json":
        return Document(required=attribute.required)
    return _TYPES[attribute.type]()


def _whole() -> TypeEngine[int]:
    return BigInteger().with_variant(Integer(), "sqlite")  # only so does SQLite number rows


_TYPES: Mapping[str, Callable[[], TypeEngine[Any]]] = {
    "string": Plain,
    "code": Plain,
    "integer": _whole,
    "number": Double,
    "money": Double,
    "date": Date,
    "boolean": Boolean,
    "datetime": Moment,
    "bytes": LargeBinary,
}
