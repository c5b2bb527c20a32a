"""Who is who 标识: duplicates within a load, and the same id for the same thing over loads.

A row is identified by its key: of organisations the credit code, else the register's own id, else name, country and
city; of other tables the attributes that the schema names. Names are compared without case, spaces and punctuation.
Keys are held as 128-bit fingerprints, about 50 bytes a row, so that ten million rows need no second pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from jiqun.core.schema import Schema
from jiqun.intake import _kernels
from jiqun.intake._geo import key

_SEEDS = (0x6A69, 0x71756E)
_LOAD = 0.6
_SMALLEST = 1 << 12
_DIGITS = 7
_AS_WRITTEN = frozenset({"uscc", "source_id", "country"})
_SPECIAL = r"[^\x00-\x7f\u4e00-\u9fff（）()《》“”、，。·—－]"
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
        level = self._level(rows)
        places = self._table.add(*self._fingerprints(rows, level))
        self._grow()
        numbers = rows["id"].str.slice(1).cast(pl.Int64).to_numpy()
        self._number[places] = numbers
        self._counter = max(self._counter, int(numbers.max(initial=0)))
        self._before = self._table.count
        self._levels_before.update(level.unique())

    def identify(self, rows: pl.DataFrame) -> Identified:
        """Ids of the rows of a batch; the first row with a key is the one that counts."""
        level = self._level(rows)
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
        self._number[places[fresh]] = self._counter + 1 + np.arange(fresh.size)
        self._counter += fresh.size
        self.new += fresh.size
        ids = pl.Series("id", self._number[places]).cast(pl.String).str.zfill(_DIGITS)
        repeats = pl.Series("repeats", self._row[places]).set(pl.Series(leads), None)
        return Identified(pl.select(pl.lit(self.prefix) + ids).to_series().alias("id"), repeats, level)

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
                columns = [comparable(column) for column in part.get_columns()]
                level_column = pl.Series("level", [k], dtype=pl.UInt8).new_from_index(0, part.height)
                struct = pl.DataFrame([level_column, *columns]).to_struct()
                first[which], second[which] = (struct.hash(seed).to_numpy() for seed in _SEEDS)
        return first, second


def comparable(column: pl.Series) -> pl.Series:
    """Names without case, spaces and punctuation, as `key` makes them; other columns as they are."""
    if column.dtype != pl.String or column.name in _AS_WRITTEN:
        return column
    plain = column.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    # decomposing accents and wide letters takes long, and few names have any
    special = column.str.contains(_SPECIAL).fill_null(value=False)
    if special.any():
        folded = pl.DataFrame({"text": column.filter(special)}).select(key(pl.col("text"))).to_series()
        plain = plain.scatter(special.arg_true(), folded)
    return plain.zip_with((plain != "") | plain.is_null(), column).alias(column.name)


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
