"""Table schemas 表结构, read from `schema/<table>.csv` beside this file.

One file per table, one row per attribute: `attribute, type, unit, required, default, description_zh,
description_en, aliases, check, source`. `tables.csv` lists the tables with title, home and key.
Validation, import templates, database tables and documentation are made from these files; nothing repeats them.

A table's `home` is `snapshot` (files of rows, loaded as a whole), `operational` (rows of the database that commands
change) or `given` (short tables that a user gives to an analysis, kept as revisions in the operational table of that
name); one thing has one home. For operational tables `unique` and `index` list columns, joined by `+` where several
go together.

Types: `string`, `code` (text that may look like a number), `integer`, `number`, `money` (number that
accepts 万 and 亿), `date`, `boolean`; in the database also `datetime` (UTC), `json`, `bytes`. Checks of snapshot tables:
see `jiqun.intake.check`; of operational ones: `enum:a|b`, `ref:table`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from jiqun.core.errors import UsageError

Type = Literal["string", "code", "integer", "number", "money", "date", "boolean", "datetime", "json", "bytes"]
Home = Literal["snapshot", "operational", "given"]


@dataclass(frozen=True)
class Attribute:
    """One column of a table 字段."""

    name: str
    type: Type
    unit: str
    required: bool
    default: str
    description_zh: str
    description_en: str
    aliases: tuple[str, ...]
    check: str
    source: str


@dataclass(frozen=True)
class Schema:
    """A table 表: its attributes in order, where it lives, and what identifies a row."""

    name: str
    title_zh: str
    title_en: str
    home: Home
    key: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    index: tuple[tuple[str, ...], ...] = ()

    def __getitem__(self, attribute: str) -> Attribute:
        return next(a for a in self.attributes if a.name == attribute)

    @property
    def names(self) -> tuple[str, ...]:
        """Attribute names in order."""
        return tuple(a.name for a in self.attributes)


def _rows(name: str) -> list[dict[str, str]]:
    text = files("jiqun.core").joinpath("schema", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def schemas(home: Home = "snapshot") -> dict[str, Schema]:
    """All tables of one home by name.

    Examples
    --------
    >>> sorted(schemas())
    ['carriers', 'facilities', 'indicators', 'links', 'organisations', 'sites']
    >>> schemas("operational")["jobs"]["state"].check
    'enum:queued|running|done|dead|cancelled'
    >>> sorted(schemas("given"))
    ['frontier', 'plans', 'tags']
    """
    return {row["table"]: _schema(row) for row in _rows("tables.csv") if row["home"] == home}


def schema(table: str) -> Schema:
    """The schema of one table that files may hold.

    Raises
    ------
    UsageError
        JQ-USE-001: there is no such table; names the known ones.

    Examples
    --------
    >>> schema("organisations")["industry_code"].check
    'gbt4754'
    """
    try:
        return schemas()[table]
    except KeyError:
        raise UsageError("JQ-USE-001", what="table", value=table, known=", ".join(schemas())) from None


def _schema(row: dict[str, str]) -> Schema:
    attributes = tuple(
        Attribute(
            name=a["attribute"],
            type=a["type"],  # type: ignore[arg-type]  # kept to the literal by tests/core/test_schema.py
            unit=a["unit"],
            required=a["required"] == "true",
            default=a["default"],
            description_zh=a["description_zh"],
            description_en=a["description_en"],
            aliases=tuple(filter(None, a["aliases"].split(";"))),
            check=a["check"],
            source=a["source"],
        )
        for a in _rows(f"{row['table']}.csv")
    )
    home: Home = row["home"]  # type: ignore[assignment]  # kept to the literal by tests/core/test_core_schema.py
    return Schema(
        name=row["table"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        home=home,
        key=tuple(row["key"].split(";")),
        attributes=attributes,
        unique=_groups(row["unique"]),
        index=_groups(row["index"]),
    )


def _groups(cell: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(group.split("+")) for group in cell.split(";") if group)
