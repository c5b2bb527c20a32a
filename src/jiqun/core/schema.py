"""Table schemas 表结构, read from `schema/<table>.csv` beside this file.

One file per table, one row per attribute: `attribute, type, unit, required, default, description_zh,
description_en, aliases, check, source`. `tables.csv` lists the tables with title, home and key.
Validation, import templates and documentation are made from these files; nothing repeats them.

Types: `string`, `code` (text that may look like a number), `integer`, `number`, `money` (number that
accepts 万 and 亿), `date`, `boolean`. Checks: see `jiqun.intake.check`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from jiqun.core.errors import UsageError

Type = Literal["string", "code", "integer", "number", "money", "date", "boolean"]
Home = Literal["snapshot", "operational"]


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
def schemas() -> dict[str, Schema]:
    """All tables by name.

    Examples
    --------
    >>> sorted(schemas())
    ['carriers', 'facilities', 'indicators', 'links', 'organisations', 'sites']
    """
    return {row["table"]: _schema(row) for row in _rows("tables.csv")}


def schema(table: str) -> Schema:
    """The schema of one table.

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
    home: Home = "operational" if row["home"] == "operational" else "snapshot"
    return Schema(row["table"], row["title_zh"], row["title_en"], home, tuple(row["key"].split(";")), attributes)
