"""Who is who 标识: duplicates within a load, and the same id for the same thing over loads.

A row is identified by its key: of organisations the credit code, else the register's own id, else name, country and
city; of other tables the attributes that the schema names. Names are compared without case, spaces and punctuation,
cities also without 市. A firm that none of its keys finds is looked for by its name alone (`known_names`), when all rows
are known. Keys are held as 128-bit fingerprints, about 50 bytes a row, so that ten million rows need no second pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from jiqun.core.schema import Schema
from jiqun.intake import _kernels
from jiqun.intake.known_names import KnownNames, comparable

_SEEDS = (0x6A69, 0x71756E)
_LOAD = 0.6
_SMALLEST = 1 << 12
_DIGITS = 7
_ORGANISATION_KEYS = (("uscc",), ("source_id",), ("name", "country", "city"))


def key_alternatives(schema: Schema) -> tuple[tuple[str, ...], ...]:
    """Attributes that identify a row, in order of preference: the first group whose first attribute is there counts.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> key_alternatives(schema("sites"))
    (('organisation', 'address'),)
    """
    return _ORGANISATION_KEYS if schema.name == "organisations" else (schema.key,)


@dataclass(frozen=True)
class Identified:
    """Per row of a batch: its id, and for a repeated row the spreadsheet row that is kept instead (null otherwise)."""

    ids: pl.Series
    repeats: pl.Series
    keyed_by: pl.Series


class _Table:
    """Fingerprints and their positions, in arrays that grow."""

    def __init__(self) -> None:
        self.count = 0
        self._slots = np.full(_SMALLEST, -1, dtype=np.int32)
        self._first = np.empty(_SMALLEST, dtype=np.uint64)
        self._second = np.empty(_SMALLEST, dtype=np.uint64)

    def add(self, first: _kernels.Hashes, second: _kernels.Hashes) -> _kernels.Ints:
        self._reserve(self.count + first.size)
        places, self.count = _kernels.find_or_add(self._slots, self._first, self._second, self.count, first, second)
        return places

    def find(self, first: _kernels.Hashes, second: _kernels.Hashes) -> _kernels.Ints:
        places: _kernels.Ints = _kernels.find(self._slots, self._first, self._second, first, second)
        return places

    def _reserve(self, count: int) -> None:
        if count > self._first.size:
            size = max(count, int(self._first.size * 1.5))
            self._first, self._second = (np.resize(array, size) for array in (self._first, self._second))
        if count > self._slots.size * _LOAD:
            size = 1 << int(np.ceil(np.log2(count / _LOAD)))
            self._slots = np.full(size, -1, dtype=np.int32)
            _kernels.fill_slots(self._slots, self._first, self.count)


class Register:
    """The keys seen so far: those of the previous snapshot with their ids, then those of this load.

    `next_id` is the first number that no row has had yet, in whatever snapshot: numbers never serve twice.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> rows = pl.DataFrame({"source": ["A", "a", "B"], "target": ["B"] * 3, "kind": ["supply"] * 3,
    ...     "since": pl.Series([None] * 3, dtype=pl.Date), "source_row": [2, 3, 4]})
    >>> found = Register(schema("links")).identify(rows)
    >>> found.ids.to_list(), found.repeats.to_list()
    (['l0000001', 'l0000001', 'l0000002'], [None, 2, None])
    """

    def __init__(self, schema: Schema, *, next_id: int = 1) -> None:
        self.prefix = schema.name[0]
        self.alternatives = key_alternatives(schema)
        self.new = 0
        self._table = _Table()
        self._number = np.zeros(0, dtype=np.int64)
        self._row = np.zeros(0, dtype=np.int64)
        self._taken = np.zeros(0, dtype=np.bool_)
        self._counter = next_id - 1
        self._before = 0
        self._levels_before: set[int] = set()
        self._names = KnownNames(len(self.alternatives) - 1) if len(self.alternatives) > 1 else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The attributes that keys are made from."""
        return tuple(dict.fromkeys(name for group in self.alternatives for name in group))

    @property
    def gone(self) -> int:
        """How many of the previous snapshot have not come again."""
        return int((~self._taken[: self._before]).sum())

    @property
    def next_id(self) -> int:
        """The number that the next new row gets."""
        return self._counter + 1

    def remember(self, rows: pl.DataFrame) -> None:
        """Enter rows of the previous snapshot: `id` and the key attributes."""
        rows, level = self._comparable(rows), self._level(rows)
        places = self._table.add(*self._fingerprints(rows, level))
        self._grow()
        numbers = rows["id"].str.slice(1).cast(pl.Int64).to_numpy()
        self._number[places] = numbers
        self._counter = max(self._counter, int(numbers.max(initial=0)))
        self._before = self._table.count
        self._levels_before.update(level.unique())
        if self._names is not None:
            self._names.remember(rows, pl.Series(places), level)

    def identify(self, rows: pl.DataFrame) -> Identified:
        """Ids of the rows of a batch; the first row with a key is the one that counts."""
        rows, level = self._comparable(rows), self._level(rows)
        places = self._table.add(*self._fingerprints(rows, level))
        self._grow()
        numbers = rows["source_row"].to_numpy()
        _, first_at = np.unique(places, return_index=True)
        leads = np.zeros(places.size, dtype=np.bool_)
        leads[first_at] = True
        leads &= self._row[places] == 0
        self._row[places[leads]] = numbers[leads]
        fresh = np.flatnonzero(leads & ((self._number[places] == 0) | self._taken[places]))
        self._taken[places[leads]] = True
        if fresh.size:
            fresh = self._inherit(rows, level, places, fresh)
        if self._names is not None:
            new = np.zeros(places.size, dtype=np.bool_)
            new[fresh] = True
            self._names.see(rows, pl.Series(places), level, leads=pl.Series(leads), fresh=pl.Series(new))
        self._number[places[fresh]] = self._counter + 1 + np.arange(fresh.size)
        self._counter += fresh.size
        self.new += fresh.size
        repeats = pl.Series("repeats", self._row[places]).set(pl.Series(leads), None)
        return Identified(self._ids(places), repeats, level)

    def follow(self) -> pl.DataFrame:
        """When all rows are known: which of their new ids (`id`) give way to one that the firm had before (`before`)."""
        nothing = pl.DataFrame(schema={"id": pl.String, "before": pl.String})
        if self._names is None:
            return nothing
        pairs = self._names.same(pl.Series(self._taken))
        if pairs.is_empty():
            return nothing
        now, before = (pairs[side].to_numpy() for side in ("now", "before"))
        told = pl.DataFrame({"id": self._ids(now), "before": self._ids(before)})
        self._number[now] = self._number[before]
        self._taken[before] = True
        self.new -= pairs.height
        return told

    def lacks(self, ids: pl.Series) -> pl.Series:
        """Which of some ids no row of this load has."""
        came = self._number[: self._table.count][self._row[: self._table.count] > 0]
        numbers = ids.str.slice(1).cast(pl.Int64, strict=False).fill_null(-1).to_numpy()
        return pl.Series(~np.isin(numbers, came))

    def _ids(self, places: _kernels.Ints) -> pl.Series:
        numbers = pl.Series("id", self._number[places]).cast(pl.String).str.zfill(_DIGITS)
        return pl.select(pl.lit(self.prefix) + numbers).to_series().alias("id")

    def _inherit(
        self, rows: pl.DataFrame, level: pl.Series, places: _kernels.Ints, fresh: _kernels.Ints
    ) -> _kernels.Ints:
        """Rows that now have a better key may be known by a lesser one: they keep that id. Returns the others."""
        for weaker in sorted(self._levels_before - {0}):
            # only rows whose own key is a better one
            better = fresh[level.gather(fresh).to_numpy() < weaker]
            if not better.size:
                continue
            part = rows[better]
            lesser = pl.Series([weaker], dtype=pl.UInt8).new_from_index(0, part.height)
            found = self._table.find(*self._fingerprints(part, lesser))
            usable = (found >= 0) & (found < self._before)
            usable &= ~self._taken[np.where(usable, found, 0)]
            _, one = np.unique(np.where(usable, found, -1), return_index=True)
            chosen = one[usable[one]]
            self._number[places[better[chosen]]] = self._number[found[chosen]]
            self._taken[found[chosen]] = True
            fresh = np.setdiff1d(fresh, better[chosen], assume_unique=True)
        return fresh

    def _grow(self) -> None:
        size = self._number.size
        if self._table.count > size:
            wanted = max(self._table.count, int(size * 1.5))
            for name in ("_number", "_row", "_taken"):
                array = getattr(self, name)
                larger = np.zeros(wanted, dtype=array.dtype)
                larger[:size] = array
                setattr(self, name, larger)

    def _comparable(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(comparable(rows[name]) for name in self.columns)

    def _level(self, rows: pl.DataFrame) -> pl.Series:
        """Which group of attributes identifies each row."""
        cases = [
            pl.when(pl.col(group[0]).is_not_null()).then(pl.lit(k, pl.UInt8))
            for k, group in enumerate(self.alternatives)
        ]
        last = pl.lit(len(self.alternatives) - 1, pl.UInt8)
        return rows.select(level=pl.coalesce(*cases, last))["level"]

    def _fingerprints(self, rows: pl.DataFrame, level: pl.Series) -> tuple[_kernels.Hashes, _kernels.Hashes]:
        first, second = (np.zeros(rows.height, dtype=np.uint64) for _ in _SEEDS)
        for k, group in enumerate(self.alternatives):
            which = (level == k).arg_true().to_numpy()
            if which.size:
                part = rows.select(group) if which.size == rows.height else rows.select(group)[which]
                level_column = pl.Series("level", [k], dtype=pl.UInt8).new_from_index(0, part.height)
                struct = part.insert_column(0, level_column).to_struct()
                first[which], second[which] = (struct.hash(seed).to_numpy() for seed in _SEEDS)
        return first, second


def shown_key(rows: pl.DataFrame, alternatives: Sequence[Sequence[str]], level: pl.Series) -> pl.Series:
    """The key of each row for people."""
    texts = [
        pl.concat_str([pl.col(name).cast(pl.String) for name in group], separator=" | ", ignore_nulls=True)
        for group in alternatives
    ]
    chosen = texts[-1]
    for k in range(len(texts) - 2, -1, -1):
        chosen = pl.when(pl.lit(level) == k).then(texts[k]).otherwise(chosen)
    return rows.select(chosen.alias("value")).to_series() if rows.height else pl.Series("value", [], dtype=pl.String)
