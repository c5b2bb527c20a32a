"""Corrections remembered 记住的更正: what was corrected in a file that was loaded is offered again for the next one.

Nothing is applied by itself. A correction of every row that held a value is offered wherever the value stands in that
column; one of a single cell for the row of the same credit code or name, if the cell holds what it held then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import sqlalchemy as sa
from pydantic import Field

from jiqun.core.operation import Model
from jiqun.intake.columns import Column, plain
from jiqun.intake.fixes import EVERY_ROW
from jiqun.intake.known_names import comparable
from jiqun.intake.read import Batch, Reading
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table
from jiqun.store.files import ParquetStream

MOST_OFFERED = 10_000
_LONGEST = 200
"""Longer values are not remembered: they are texts, not slips."""
_AT_ONCE = 500
_OFFERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.Int64,
    "column": pl.String,
    "found": pl.String,
    "value": pl.String,
    "count": pl.Int64,
    "account": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "file": pl.String,
}


class Offer(Model):
    """A correction made before that would fit again 可沿用的更正; `row` 0: of every row with that value."""

    row: int
    column: str
    found: str
    value: str | None
    count: Annotated[int, Field(description="in how many rows")]
    account: str
    at: datetime
    file: Annotated[str, Field(description="in which file it was made")]


@dataclass(frozen=True)
class _Key:
    """The columns by which a row is known from file to file: credit code, and name."""

    code: str | None
    name: str | None

    @classmethod
    def of(cls, columns: Sequence[Column]) -> _Key:
        places = {column.target: str(column.position) for column in reversed(columns)}
        name = next((places[target] for target in ("name", "organisation", "source", "unit") if target in places), None)
        return cls(places.get("uscc"), name)

    def subjects(self, cells: pl.DataFrame) -> list[pl.Series]:
        """What rows are known by, the surest first; null where a cell is empty."""
        found = []
        if self.code:
            found.append("u:" + cells[self.code].str.strip_chars().str.to_uppercase().replace("", None))
        if self.name:
            names = comparable(cells[self.name].str.strip_chars().replace("", None).alias("name"))
            found.append("n:" + names.str.slice(0, _LONGEST))
        return found


class Witness:
    """Watches the rows of a file before they are corrected, to know what corrections of single cells replaced."""

    def __init__(self, fixes: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
        self._fixes = [fix for fix in fixes if not fix["value"] or len(fix["value"]) <= _LONGEST]
        self._single = {(fix["row"], fix["column"]): fix for fix in self._fixes if fix["row"] != EVERY_ROW}
        self._rows = sorted({row for row, _ in self._single})
        self._key = _Key.of(columns)
        self._seen: list[dict[str, Any]] = []

    def watch(self, reading: Reading) -> Reading:
        """The same reading, whose rows pass by here."""
        if not self._single:
            return reading

        def batches() -> Iterator[Batch]:
            for batch in reading.batches:
                self._look(batch, reading.headers)
                yield batch

        return replace(reading, batches=batches())

    def _look(self, batch: Batch, headers: Sequence[str]) -> None:
        which = batch.numbers.is_in(self._rows)
        if not which.any():
            return
        cells = batch.cells.filter(which).cast(pl.String)
        subject = pl.select(pl.coalesce(*found))[:, 0] if (found := self._key.subjects(cells)) else None
        if subject is None:
            return
        for k, row in enumerate(batch.numbers.filter(which)):
            for place, header in enumerate(headers):
                fix = self._single.get((row, header))
                was = (cells[k, str(place)] or "").strip() if fix else ""
                if fix and subject[k] and len(was) <= _LONGEST:
                    self._seen.append({"found": was, "subject": subject[k], **_kept(fix)})

    def remembered(self) -> list[dict[str, Any]]:
        """What is to be remembered: table columns but for the table's, the file's and the time's."""
        rules = [
            {"found": fix["found"].strip(), "subject": "", **_kept(fix)}
            for fix in self._fixes
            if fix["row"] == EVERY_ROW and len(fix["found"]) <= _LONGEST
        ]
        every = [one for one in (*rules, *self._seen) if one["found"] != (one["value"] or "")]
        return list({(one["column"], one["found"], one["subject"]): one for one in every}.values())


def _kept(fix: Mapping[str, Any]) -> dict[str, Any]:
    return {"column": plain(fix["column"])[:_LONGEST], "value": fix["value"], "account": fix["account"]}


def remember(tx: Transaction, table_name: str, file: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Remember corrections of a file that was loaded; a later one of the same replaces an earlier one."""
    rows = table("remembered")
    for one in found:
        same = (rows.c[name] == one[name] for name in ("column", "found", "subject"))
        tx.execute(sa.delete(rows).where(rows.c.table_name == table_name, *same))
    values = [{**one, "table_name": table_name, "file": file, "at": tx.now} for one in found]
    for begin in range(0, len(values), _AT_ONCE):
        tx.execute(sa.insert(rows).values(values[begin : begin + _AT_ONCE]))


class Recall:
    """Finds in the rows of a file, before they are corrected, what was corrected before; hand `watch` to a load."""

    def __init__(self, workspace: Workspace, table_name: str, columns: Sequence[Column], unseen: Sequence[int]) -> None:
        rows = table("remembered")
        hidden = set(unseen)
        self._headers = {plain(c.header)[:_LONGEST]: c for c in reversed(columns) if c.position not in hidden}
        with workspace.database.read() as connection:
            asked = sa.select(rows).where(rows.c.table_name == table_name)
            found = [dict(row) for row in connection.execute(asked).mappings()]
        self._known = [one for one in found if one["column"] in self._headers]
        self._rules = [one for one in self._known if not one["subject"]]
        self._single = [one for one in self._known if one["subject"]]
        self._key = _Key.of(columns)
        self._counts: dict[tuple[str, str], int] = {}
        self._offers: list[dict[str, Any]] = []

    def watch(self, reading: Reading) -> Reading:
        """The same reading, whose rows pass by here."""
        if not self._known:
            return reading

        def batches() -> Iterator[Batch]:
            for batch in reading.batches:
                self._look(batch)
                yield batch

        return replace(reading, batches=batches())

    def _look(self, batch: Batch) -> None:
        by_column: dict[str, list[dict[str, Any]]] = {}
        for one in self._known:
            by_column.setdefault(one["column"], []).append(one)
        for name, known in by_column.items():
            cells = batch.cells[str(self._headers[name].position)].cast(pl.String).str.strip_chars().fill_null("")
            which = cells.is_in([one["found"] for one in known])
            if not which.any():
                continue
            for value, count in cells.filter(which).value_counts().iter_rows():
                self._counts[name, value] = self._counts.get((name, value), 0) + count
            self._match(name, known, batch, which, cells)

    def _match(self, name: str, known: list[dict[str, Any]], batch: Batch, which: pl.Series, cells: pl.Series) -> None:
        single = {(one["found"], one["subject"]): one for one in known if one["subject"]}
        if not single or len(self._offers) >= MOST_OFFERED:
            return
        rows = batch.cells.filter(which).cast(pl.String)
        found, numbers = cells.filter(which), batch.numbers.filter(which)
        subjects = [part.to_list() for part in self._key.subjects(rows)]
        for k, value in enumerate(found):
            one = next((single[value, part[k]] for part in subjects if (value, part[k]) in single), None)
            if one is not None:
                self._offers.append({**one, "row": numbers[k], "column": self._headers[name].header, "count": 1})

    def keep(self, path: Path) -> None:
        """Write down what would fit again, rules first."""
        rules = [
            {**one, "row": EVERY_ROW, "column": self._headers[one["column"]].header, "count": count}
            for one in self._rules
            if (count := self._counts.get((one["column"], one["found"]), 0))
        ]
        offers = [{name: one[name] for name in _OFFERS} for one in (*rules, *self._offers)][:MOST_OFFERED]
        stream = ParquetStream(path)
        stream.write(pl.DataFrame(offers, schema=_OFFERS, orient="row"))
        stream.close()


def offers(path: Path) -> tuple[Offer, ...]:
    """What a check found to fit again; nothing where it did not look."""
    if not path.is_file():
        return ()
    return tuple(Offer.model_validate(row) for row in pl.read_parquet(path, glob=False).to_dicts())
