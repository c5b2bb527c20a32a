"""What is different between two snapshots of a table 变动, told row by row and bounded in memory.

A row is followed by its id. Every difference is a line of `CHANGES`; a row may have several:

============ =====================================================================================
new          its id was not there before
gone         its id is not there any more
moved        its place changed by more than either place is exact (at least 100 m)
renamed      its name differs in letters or digits, not only in spaces, punctuation or case
reclassified its industry code differs, or else the digital class that the register, the code or the texts give it
changed      any other attribute differs: one line for each; or its place became known, or is not any more
merged       gone, and another row that was there before has its code, or its name and city
split        new, and a row that was there before and still is had its code, or its name and city
renumbered   new, and a row that is gone had its code, or as the only two its name: the same under another id
============ =====================================================================================

Counts add up: before + new - gone = after. `merged` are among those gone, `split` and `renumbered` among those new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import polars as pl
from pydantic import Field

from jiqun.core.operation import Model
from jiqun.core.progress import Progress, silent
from jiqun.core.schema import Schema
from jiqun.intake._geo import distance_km
from jiqun.intake.columns import EXTRA
from jiqun.intake.known_names import comparable
from jiqun.taxonomy import classify_firms
from jiqun.taxonomy.firms import COLUMNS

KINDS = ("new", "gone", "renamed", "moved", "reclassified", "changed", "merged", "split", "renumbered")
"""Kinds of difference."""
CHANGES = {
    "kind": pl.String,
    "id": pl.String,
    "name": pl.String,
    "attribute": pl.String,
    "before": pl.String,
    "after": pl.String,
    "km": pl.Float64,
    "digital_before": pl.String,
    "digital_after": pl.String,
    "country": pl.String,
    "city": pl.String,
    "lon_before": pl.Float64,
    "lat_before": pl.Float64,
    "lon": pl.Float64,
    "lat": pl.Float64,
}
"""A difference. Of merged, split and renumbered rows `before` and `after` are the ids, `attribute` what they share;
`digital_…` are classes of the 2021 classification: as the register gives them, as the code decides, else as the words of the
lexicon do; null where nothing decides."""

_SHOWN = 5
_PLACE = ("lon", "lat", "precision_km")
_NO_CHANGE = (*_PLACE, "as_of")
_LABELS = ("name", "organisation", "source", "unit")
_FINEST_KM = 0.1
_AT_ONCE = 1_000_000
"""Rows of either side that are compared at once."""
_MOST_MATCHED = 1_000_000
"""Beyond so many new or gone rows nobody asks which of them are the same."""
_MOST_NAMESAKES = 20
"""A name that more rows of one country have says nothing of who is who."""
_CODE = "industry_code"
_GIVEN = "digital_code"
_SOURCES = (_GIVEN, _CODE, *COLUMNS.values())
_CLASS = "_class"


class Named(Model):
    """A row that changed: its id and what it is called."""

    id: str
    name: str
    km: Annotated[float | None, Field(description="how far it moved")] = None


class Changes(Model):
    """How a snapshot differs from another 变动: counts of rows, and the first few of each.

    None where the table has no places or no industry codes. `merged`, `split`, `renumbered` are None where too many rows
    came or went to tell. `divisions` counts reclassified rows by division before and after ("" where undecided).
    """

    new: int
    gone: int
    moved: int | None
    changed: int
    examples: dict[str, tuple[Named, ...]]
    before: int = 0
    after: int = 0
    unchanged: int = 0
    renamed: int | None = None
    reclassified: int | None = None
    merged: int | None = None
    split: int | None = None
    renumbered: int | None = None
    divisions: tuple[tuple[str, str, int], ...] = ()


Sink = Callable[[pl.DataFrame], None]


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Named]] = field(default_factory=dict)
    divisions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, rows: pl.DataFrame) -> None:
        for (kind,), part in rows.partition_by("kind", as_dict=True).items():
            ids = part["id"].unique(maintain_order=True)
            self.counts[str(kind)] += ids.len()
            shown = self.examples.setdefault(str(kind), [])
            if kind == "moved":
                part = part.sort("km", descending=True)  # noqa: PLW2901
            told = part.unique("id", maintain_order=True).head(_SHOWN)
            shown += [
                Named(id=id_, name=name or "—", km=None if km is None or kind != "moved" else round(km, 1))
                for id_, name, km in told.select("id", "name", "km").iter_rows()
            ]
            if kind == "moved":
                shown.sort(key=lambda one: -(one.km or 0.0))
            del shown[_SHOWN:]
        turned = (
            rows.filter(kind="reclassified")
            .unique("id", maintain_order=True)
            .select(pl.col(f"digital_{when}").str.slice(0, 2).fill_null("") for when in ("before", "after"))
        )
        for old, new, count in turned.group_by(pl.all()).len().iter_rows():
            self.divisions[old, new] += count


def compare(
    before: pl.LazyFrame,
    after: pl.LazyFrame,
    schema: Schema,
    *,
    write: Sink | None = None,
    progress: Progress = silent,
) -> Changes:
    """Compare two snapshots of a table 比较快照; both have an `id`. `write` is given the differences as they are found.

    Rows are compared a million at a time, by a hash of their id, so that memory does not grow with the table.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> def rows(ids, lon): return pl.LazyFrame({"id": ids, "name": ids, "lon": lon, "lat": 30.0, "precision_km": 1.0})
    >>> found = compare(rows(["a", "b"], [120.0, 120.0]), rows(["b", "c"], [121.0, 120.0]), schema("organisations"))
    >>> found.new, found.gone, found.moved, [row.id for row in found.examples["moved"]]
    (1, 1, 1, ['b'])
    """
    columns = _Columns.of(before, after, schema)
    sizes = [int(side.select(pl.len()).collect().item()) for side in (before, after)]
    parts = max(1, -(-max(sizes) // _AT_ONCE))
    tally = _Tally()
    unchanged = 0
    gone, come = _Few(), _Few()
    for part in range(parts):
        progress("compare", part, parts)
        then, now = (_part(side, columns, part, parts) for side in (before, after))
        lost = then.join(now, on="id", how="anti", maintain_order="left")
        fresh = now.join(then, on="id", how="anti", maintain_order="left")
        rows, same = _differences(then, now, lost, fresh, columns)
        unchanged += same
        gone.add(lost)
        come.add(fresh)
        tally.add(rows)
        if write is not None:
            write(rows)
    told = not (gone.many or come.many)
    if told and gone.count + come.count and columns.label == "name":
        same_firms = _identities(before, after, gone.rows(), come.rows(), columns)
        tally.add(same_firms)
        if write is not None:
            write(same_firms)
    progress("compare", parts, parts)
    counts = tally.counts
    return Changes(
        new=counts["new"],
        gone=counts["gone"],
        moved=counts["moved"] if columns.placed else None,
        changed=counts["changed"],
        examples={kind: tuple(tally.examples.get(kind, ())) for kind in KINDS},
        before=sizes[0],
        after=sizes[1],
        unchanged=unchanged,
        renamed=counts["renamed"] if columns.label == "name" else None,
        reclassified=counts["reclassified"] if columns.classed else None,
        **{kind: counts[kind] if told else None for kind in ("merged", "split", "renumbered")},
        divisions=tuple((old, new, count) for (old, new), count in sorted(tally.divisions.items())),
    )


def no_changes() -> pl.DataFrame:
    """An empty frame of differences."""
    return pl.DataFrame(schema=CHANGES)


@dataclass(frozen=True)
class _Columns:
    """Which columns tell whether a row changed."""

    told: tuple[str, ...]
    placed: bool
    label: str
    keys: tuple[str, ...]
    where: tuple[str, ...]
    classed: bool
    """Whether rows are firms, which have a class."""
    alike: bool
    """Whether both sides say the same things that a class can come from."""

    @classmethod
    def of(cls, before: pl.LazyFrame, after: pl.LazyFrame, schema: Schema) -> _Columns:
        old, new = before.collect_schema(), after.collect_schema()
        shared = [name for name in old if name in new and old[name] == new[name]]
        # neither what the placing adds nor the date of the record is a change of the row
        told = [name for name in shared if (name in schema.names or name.startswith(EXTRA)) and name not in _NO_CHANGE]
        label = next((name for name in _LABELS if name in told), "id")
        keys = [name for name in ("uscc", "source_id") if name in told]
        where = [name for name in ("country", "city") if name in shared]
        sources = [[name for name in _SOURCES if name in side] for side in (old, new)]
        placed = set(_PLACE) <= set(shared)
        return cls(
            tuple(told),
            placed,
            label,
            tuple(keys),
            tuple(where),
            schema.name == "organisations",
            sources[0] == sources[1],
        )

    @property
    def all(self) -> list[str]:
        return list(dict.fromkeys(("id", self.label, *self.told, *self.where, *(_PLACE if self.placed else ()))))


def _part(side: pl.LazyFrame, columns: _Columns, part: int, parts: int) -> pl.DataFrame:
    sources = [name for name in _SOURCES if columns.classed and name in side.collect_schema()]
    chosen = side.select(list(dict.fromkeys((*columns.all, *sources))))
    if parts > 1:
        chosen = chosen.filter(pl.col("id").hash(0) % parts == part)
    return chosen.collect(engine="streaming")


def _with_class(rows: pl.DataFrame, columns: _Columns) -> pl.DataFrame:
    """Rows with the class that each is taken for: as given, by its code, else by its texts."""
    none = pl.lit(None, pl.String)
    if not columns.classed:
        return rows.with_columns(none.alias(_CLASS))
    rows = rows.with_columns(pl.col(_GIVEN) if _GIVEN in rows.columns else none.alias(_GIVEN)).with_row_index("_at")
    open_ = rows.filter(pl.col(_GIVEN).is_null())
    found = classify_firms(open_.select(name for name in _SOURCES[1:] if name in rows.columns))
    told = open_.select("_at").with_columns(
        found.select(pl.when("decided").then("digital_code").alias(_CLASS)).to_series()
    )
    both = rows.join(told, on="_at", how="left", maintain_order="left")
    return both.with_columns(pl.coalesce(_GIVEN, _CLASS).alias(_CLASS)).drop("_at")


def _differences(
    before: pl.DataFrame, after: pl.DataFrame, gone: pl.DataFrame, come: pl.DataFrame, columns: _Columns
) -> tuple[pl.DataFrame, int]:
    """All differences of some rows, and how many of them have none."""
    both = after.select(columns.all).join(before.select(columns.all), on="id", suffix="_before", maintain_order="left")
    count = both.height
    if columns.alike or not columns.classed:
        # what says the same as before is of the same class, and need not be read
        both = both.filter(_differs(columns))
    for suffix, side in (("", after), ("_before", before)):
        classes = _with_class(side.join(both.select("id"), on="id", how="semi"), columns)
        classes = classes.select("id", pl.col(_CLASS).alias(f"{_CLASS}{suffix}"))
        both = both.join(classes, on="id", how="left", maintain_order="left")
    found = list(_each(both, columns))
    differing = pl.concat(found)["id"].n_unique() if found else 0
    sides = [
        _side("new", _with_class(come, columns), columns, now=True),
        _side("gone", _with_class(gone, columns), columns, now=False),
    ]
    return pl.concat([*sides, *found]), count - differing


def _differs(columns: _Columns) -> pl.Expr:
    names = [*columns.told, *(("lon", "lat") if columns.placed else ())]
    return pl.any_horizontal(
        *(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in names), pl.lit(value=False)
    )


def _each(both: pl.DataFrame, columns: _Columns) -> Iterator[pl.DataFrame]:
    if columns.placed:
        km = distance_km(pl.col("lon_before"), pl.col("lat_before"), pl.col("lon"), pl.col("lat"))
        exact = pl.max_horizontal("precision_km", "precision_km_before", pl.lit(_FINEST_KM))
        far = both.with_columns(km=pl.when(km > exact).then(km)).filter(pl.col("km").is_not_null())
        was, now = (pl.concat_str(pl.col(f"lon{s}", f"lat{s}").round(6), separator=", ") for s in ("_before", ""))
        yield _lines(far, "moved", columns, "place", was, now, km=pl.col("km"))
        placed = both.filter(pl.col("lon").is_null() != pl.col("lon_before").is_null())
        yield _lines(placed, "changed", columns, "place", was, now)
    for name in columns.told:
        was, now = pl.col(f"{name}_before"), pl.col(name)
        turned = both.filter(now.ne_missing(was))
        if turned.is_empty():
            continue
        texts = _told(was, turned.schema[name]), _told(now, turned.schema[name])
        if name == "name" and columns.label == "name":
            written = comparable(turned["name"]) == comparable(turned["name_before"].alias("name"))
            written = written.fill_null(value=False)
            yield _lines(turned.filter(~written), "renamed", columns, name, *texts)
            yield _lines(turned.filter(written), "changed", columns, name, *texts)
        else:
            kind = "reclassified" if name in {_CODE, _GIVEN} else "changed"
            yield _lines(turned, kind, columns, name, *texts)
    if columns.classed:
        stated = [name for name in (_CODE, _GIVEN) if name in columns.told]
        same = [pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in stated]
        turned = both.filter(pl.col(_CLASS).ne_missing(pl.col(f"{_CLASS}_before")), *same)
        yield _lines(turned, "reclassified", columns, "class", pl.col(f"{_CLASS}_before"), pl.col(_CLASS))


def _told(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A value as text; whole numbers without a point."""
    if dtype == pl.Float64:
        whole = (value == value.round()) & (value.abs() < 2.0**53)
        return pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    return value.cast(pl.String)


def _side(kind: str, rows: pl.DataFrame, columns: _Columns, *, now: bool) -> pl.DataFrame:
    """Rows of one side only."""
    none = pl.lit(None, pl.String)
    lon, lat = (pl.col(name) if columns.placed else pl.lit(None, pl.Float64) for name in ("lon", "lat"))
    no_place = pl.lit(None, pl.Float64)
    told = {
        "kind": pl.lit(kind),
        "id": pl.col("id"),
        "name": pl.col(columns.label),
        "attribute": none,
        "before": none,
        "after": none,
        "km": no_place,
        "digital_before": none if now else pl.col(_CLASS),
        "digital_after": pl.col(_CLASS) if now else none,
        **{name: pl.col(name) if name in columns.where else none for name in ("country", "city")},
        "lon_before": no_place if now else lon,
        "lat_before": no_place if now else lat,
        "lon": lon if now else no_place,
        "lat": lat if now else no_place,
    }
    return rows.select(told[name].cast(dtype).alias(name) for name, dtype in CHANGES.items())


def _lines(
    rows: pl.DataFrame,
    kind: str,
    columns: _Columns,
    attribute: str,
    was: pl.Expr,
    now: pl.Expr,
    *,
    km: pl.Expr | None = None,
) -> pl.DataFrame:
    """Rows of both sides, with what was and what is."""
    none = pl.lit(None)
    told = {
        "kind": pl.lit(kind),
        "id": pl.col("id"),
        "name": pl.col(columns.label),
        "attribute": pl.lit(attribute),
        "before": was,
        "after": now,
        "km": none if km is None else km,
        "digital_before": pl.col(f"{_CLASS}_before"),
        "digital_after": pl.col(_CLASS),
        **{name: pl.col(name) if name in columns.where else none for name in ("country", "city")},
        **{name: pl.col(name) if columns.placed else none for name in ("lon_before", "lat_before", "lon", "lat")},
    }
    return rows.select(told[name].cast(dtype).alias(name) for name, dtype in CHANGES.items())


# Who is the same under another id


class _Few:
    """Rows kept as long as they are not too many."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self.count = 0
        self.many = False

    def add(self, rows: pl.DataFrame) -> None:
        self.count += rows.height
        self.many = self.many or self.count > _MOST_MATCHED
        self._parts = [] if self.many else [*self._parts, rows]

    def rows(self) -> pl.DataFrame:
        return pl.concat(self._parts)


def _identities(
    before: pl.LazyFrame, after: pl.LazyFrame, gone: pl.DataFrame, come: pl.DataFrame, columns: _Columns
) -> pl.DataFrame:
    """Rows that are merged, split or renumbered, each once, by the strongest thing they share."""
    gone, come = (_keyed(rows.lazy(), columns).collect() for rows in (gone, come))
    renumbered = _pairs(gone, come, columns.keys, lone=True)
    left = gone.join(renumbered, left_on="id", right_on="one", how="anti")
    fresh = come.join(renumbered, left_on="id", right_on="other", how="anti")
    # into a row of both snapshots one went, as that is now; out of one came another, as that was
    merged = _pairs(left, _sharing(after, left, come["id"], columns), columns.keys)
    split = _pairs(fresh, _sharing(before, fresh, gone["id"], columns), columns.keys)
    return pl.concat(
        [
            _same(renumbered, "renumbered", come, subject="other", before="one", after="other"),
            _same(merged, "merged", gone, subject="one", before="one", after="other"),
            _same(split, "split", come, subject="one", before="other", after="one"),
        ]
    )


def _keyed(side: pl.LazyFrame, columns: _Columns) -> pl.LazyFrame:
    """Id, name, codes and place of rows, and the name in the form in which names are compared."""
    plain = pl.col("name").map_batches(comparable, return_dtype=pl.String)
    names = ["id", "name", *columns.keys, *columns.where]
    absent = [pl.lit(None, pl.String).alias(name) for name in ("country", "city") if name not in columns.where]
    return side.select(*names, *absent, plain=plain)


def _sharing(side: pl.LazyFrame, rows: pl.DataFrame, but: pl.Series, columns: _Columns) -> pl.DataFrame:
    """Rows of a snapshot that share a code or the name with `rows`, without those of the ids `but`."""
    if rows.is_empty():
        return rows
    same = [pl.col(key).is_in(rows[key].drop_nulls().unique().implode()) for key in (*columns.keys, "plain")]
    shared = _keyed(side, columns).filter(pl.any_horizontal(same))
    return shared.filter(~pl.col("id").is_in(but.implode())).collect(engine="streaming")


def _pairs(ones: pl.DataFrame, others: pl.DataFrame, keys: Sequence[str], *, lone: bool = False) -> pl.DataFrame:
    """Which of `others` each of `ones` is: one, other, shared. A name counts with the city, or (`lone`) where unique."""
    found = [pl.DataFrame(schema={"one": pl.String, "other": pl.String, "shared": pl.String})]
    for key in keys:
        both = ones.drop_nulls(key).join(others.drop_nulls(key), on=key, suffix="_other")
        found.append(both.select(one="id", other="id_other", shared=pl.lit(key)).sort("one", "other"))
    named: tuple[pl.DataFrame, ...] = (ones.drop_nulls("plain"), others.drop_nulls("plain"))
    most = 1 if lone else _MOST_NAMESAKES
    named = tuple(side.filter(pl.len().over("plain", "country") <= most) for side in named)
    both = named[0].join(named[1], on=["plain", "country"], suffix="_other", nulls_equal=True)
    # two codes that differ are two firms, whatever their name
    for key in keys:
        both = both.filter((pl.col(key) == pl.col(f"{key}_other")).fill_null(value=True))
    if not lone:
        both = both.filter((pl.col("city") == pl.col("city_other")).fill_null(value=True))
    found.append(both.select(one="id", other="id_other", shared=pl.lit("name")).sort("one", "other"))
    pairs = pl.concat(found).filter(pl.col("one") != pl.col("other")).unique("one", keep="first", maintain_order=True)
    return pairs.unique("other", keep="first", maintain_order=True) if lone else pairs


def _same(pairs: pl.DataFrame, kind: str, rows: pl.DataFrame, *, subject: str, before: str, after: str) -> pl.DataFrame:
    told = pairs.join(rows, left_on=subject, right_on="id", how="left", coalesce=False)
    given = {
        "kind": pl.lit(kind),
        "id": pl.col(subject),
        "attribute": pl.col("shared"),
        "before": pl.col(before),
        "after": pl.col(after),
        **{name: pl.col(name) for name in ("name", "country", "city")},
    }
    return told.select(given.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in CHANGES.items())
