"""Who is meant by a name 名称沿用: firms whose key changed, followed by what they are and were called.

A key of name and place breaks where a register writes the place otherwise, leaves its codes out or renames a firm. A
firm that would get a new id keeps the one it had if its name, or a former name that the load gives, is one firm's in
its country in the old snapshot and one firm's in the load. Two codes of one kind that differ are two firms.
"""

from __future__ import annotations

import polars as pl

from jiqun.intake._geo import key

_AS_WRITTEN = frozenset({"uscc", "source_id", "country"})
_SPECIAL = r"[^\x00-\x7f\u4e00-\u9fff（）()《》“”、，。·—－]"
_CITY = r"^(.{2,})市$"
_SEED = 0x6E616D65
_SPLIT = r"[;；、|]"
_ROWS = {"name": pl.UInt64, "place": pl.Int64, "level": pl.UInt8}
_FRESH = {**_ROWS, "fresh": pl.Boolean}


def comparable(column: pl.Series) -> pl.Series:
    """Names without case, spaces and punctuation, as `key` makes them, cities also without 市; codes as they are."""
    if column.dtype != pl.String or column.name in _AS_WRITTEN:
        return column
    plain = column.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    # decomposing accents and wide letters takes long, and few names have any
    special = column.str.contains(_SPECIAL).fill_null(value=False)
    if special.any():
        folded = pl.DataFrame({"text": column.filter(special)}).select(key(pl.col("text"))).to_series()
        plain = plain.scatter(special.arg_true(), folded)
    if column.name == "city":
        plain = plain.str.replace(_CITY, "$1")
    return plain.zip_with((plain != "") | plain.is_null(), column).alias(column.name)


class KnownNames:
    """Names, as `comparable` makes them, of the snapshot before and of a load, as hashes with the places of their rows in a `Register`.

    `codes` is how many of the register's levels are codes: rows keyed by the same kind of code are told apart by it.
    """

    def __init__(self, codes: int) -> None:
        self._codes = codes
        self._before = [pl.DataFrame(schema=_ROWS)]
        self._now = [pl.DataFrame(schema=_FRESH)]
        self._former = [pl.DataFrame(schema=_ROWS)]

    def remember(self, rows: pl.DataFrame, places: pl.Series, level: pl.Series) -> None:
        """Enter rows of the snapshot before."""
        self._before.append(
            pl.DataFrame({"name": _hashed(rows["name"], rows["country"]), "place": places, "level": level})
        )

    def see(
        self, rows: pl.DataFrame, places: pl.Series, level: pl.Series, *, leads: pl.Series, fresh: pl.Series
    ) -> None:
        """Enter rows of the load; `leads` are no repeats, `fresh` are those that would get a new id."""
        if len(self._before) == 1:
            return
        told = pl.DataFrame(
            {"name": _hashed(rows["name"], rows["country"]), "place": places, "level": level, "fresh": fresh}
        )
        self._now.append(told.filter(leads))
        if "former_names" not in rows.columns:
            return
        told = pl.DataFrame(
            {"former": rows["former_names"], "country": rows["country"], "place": places, "level": level}
        )
        told = told.filter(fresh & rows["former_names"].is_not_null())
        told = told.with_columns(pl.col("former").str.replace_all(_SPLIT, ";").str.split(";")).explode("former")
        told = told.filter(pl.col("former").str.strip_chars() != "")
        self._former.append(
            told.select(_hashed(comparable(told["former"]), told["country"]).alias("name"), "place", "level")
        )

    def same(self, taken: pl.Series) -> pl.DataFrame:
        """Pairs of places, `now` and `before`, that are one firm; `taken` tells of every place whether it came again."""
        before, now, former = (pl.concat(parts) for parts in (self._before, self._now, self._former))
        if before.is_empty():
            return pl.DataFrame(schema={"now": pl.Int64, "before": pl.Int64})
        left = before.filter(~taken.gather(before["place"]))
        fresh = now.filter("fresh")
        named = fresh.join(left, on="name", suffix="_before")
        once_before, once_now = (_once(side, named["name"]) for side in (before, now))
        named = named.join(once_before, on="name", how="semi").join(once_now, on="name", how="semi")
        # a name that someone bears today is no sign of who bore it once
        called = former.join(now, on="name", how="anti").join(left, on="name", suffix="_before")
        for side in (before, former):
            called = called.join(_once(side, called["name"]), on="name", how="semi")
        pairs = pl.concat([named.select(_PAIR), called.select(_PAIR)])
        codes = (pl.col("level") == pl.col("level_before")) & (pl.col("level") < self._codes)
        found = pairs.filter(~codes).unique("place", keep="first", maintain_order=True)
        found = found.unique("place_before", keep="first", maintain_order=True)
        return found.select(now="place", before="place_before")


_PAIR = ("place", "place_before", "level", "level_before")


def _once(side: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """Those of some names that a side has once."""
    wanted = names.unique().alias("name").to_frame()
    return side.join(wanted, on="name", how="semi").group_by("name").len().filter(pl.col("len") == 1)


def _hashed(names: pl.Series, countries: pl.Series) -> pl.Series:
    return pl.DataFrame([names.alias("name"), countries.alias("country")]).to_struct().hash(_SEED)
