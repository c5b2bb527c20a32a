"""Benchmark 对标: figures of one's own beside those of reference clusters as published texts quote them; never ranked.

The quoted figures differ in year, in what is counted and in what the cluster's boundary is. So each stands with all of
that, and what differs from one's own figure is said; nothing is converted, summed or put in order of size. Nothing here
reads a workspace.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

BOUNDS = {
    "": Text("", ""),
    "over": Text("超过", "over"),
    "about": Text("约", "about"),
    "nearly": Text("近", "nearly"),
}
"""How a text words a figure that it does not give exactly."""
DIFFERENCES = {
    "year": Text("年份", "year"),
    "concept": Text("口径", "concept"),
    "boundary": Text("边界", "boundary"),
    "unit": Text("单位", "unit"),
}
COLUMNS = {
    "cluster": pl.String, "cluster_zh": pl.String, "cluster_en": pl.String, "boundary_zh": pl.String,
    "boundary_en": pl.String, "year": pl.Int64, "about_year": pl.Boolean, "indicator": pl.String, "concept_zh": pl.String,
    "concept_en": pl.String, "value": pl.Float64, "quoted": pl.String, "bound": pl.String, "unit": pl.String, "source": pl.String,
}  # fmt: skip


def _rows(name: str) -> list[dict[str, str]]:
    text = files("jiqun.assess").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def reference_texts() -> dict[str, Text]:
    """The published texts that are quoted, by their codes 引用文本.

    Examples
    --------
    >>> sorted(reference_texts())
    ['A', 'A-E', 'B', 'C', 'D', 'E']
    """
    return {row["code"]: Text(row["zh"], row["en"]) for row in _rows("reference_texts.csv")}


def reference_clusters() -> pl.DataFrame:
    """Figures of reference clusters, as quoted 对标集群: `COLUMNS`, in the order of the list.

    `bound`: the text says “over”, “about”, “nearly”. `quoted`: how the text writes a figure that is no decimal, as 1/6; else
    empty. `unit`: CNY, USD, share (of 1), firms, persons, km2 …

    Examples
    --------
    >>> reference_clusters().filter(cluster="hefei-voice", indicator="firms").select("year", "value").row(0)
    (2021, 1423.0)
    """
    rows: list[dict[str, Any]] = [
        {**row, "year": int(row["year"]), "about_year": bool(row["about_year"]), "value": float(row["value"])}
        for row in _rows("reference_clusters.csv")
    ]
    return pl.DataFrame(rows, schema=COLUMNS)


_OWN = ("cluster", "indicator", "value", "unit", "year", "concept", "boundary", "source")


def benchmark(own: Any = None, *, references: pl.DataFrame | None = None) -> pl.DataFrame:
    """Own figures beside quoted ones of the same indicator 对标: side by side, with what differs; never ranked.

    Parameters
    ----------
    own
        Any dataframe with cluster, indicator (a code of `reference_clusters`, such as firms, revenue, value_added) and value;
        unit, year, concept, boundary and source as far as known. None: the references alone.
    references
        The quoted figures, default `reference_clusters()`; one's own table with the same columns may take their place.

    Returns
    -------
    Polars frame in the order of the own rows, each with the references in theirs: own (null without own rows), own_value, own_unit,
    own_year, own_concept, own_boundary, own_source, then `COLUMNS`, and `differs`: list of what is not known to be the same,
    of year, concept, boundary, unit. An own row whose indicator no reference has stands alone (`cluster` null).

    Raises
    ------
    MeasureInputError
        JQ-USE-003: cluster, indicator or value is missing. JQ-ASSESS-125: a value or year that is no number.

    Notes
    -----
    There is no order by size and no difference or ratio: figures of other years, concepts or boundaries do not compare.

    Examples
    --------
    >>> mine = pl.DataFrame({"cluster": ["ours"], "indicator": ["firms"], "value": [900], "unit": ["firms"], "year": [2021]})
    >>> row = benchmark(mine).filter(pl.col("cluster") == "hefei-voice").row(0, named=True)
    >>> row["own_value"], row["value"], row["differs"]
    (900.0, 1423.0, ['concept', 'boundary'])
    """
    quoted = reference_clusters() if references is None else as_polars(references, *COLUMNS).select(list(COLUMNS))
    rows = _own(own)
    if own is not None:
        joined = rows.join(quoted, on="indicator", how="left", maintain_order="left_right")
    else:
        joined = quoted.join(rows, on="indicator", how="left", maintain_order="left")
    same = {
        "year": (pl.col("own_year") == pl.col("year")) & ~pl.col("about_year"),
        "concept": (pl.col("own_concept") == pl.col("concept_zh")) | (pl.col("own_concept") == pl.col("concept_en")),
        "boundary": (pl.col("own_boundary") == pl.col("boundary_zh"))
        | (pl.col("own_boundary") == pl.col("boundary_en")),
        "unit": pl.col("own_unit") == pl.col("unit"),
    }
    both = pl.col("own").is_not_null() & pl.col("cluster").is_not_null()
    told = [pl.when(both & ~alike.fill_null(value=False)).then(pl.lit(name)) for name, alike in same.items()]
    return joined.with_columns(differs=pl.concat_list(told).list.drop_nulls()).select(
        "own", *(f"own_{name}" for name in _OWN[2:]), *COLUMNS, "differs"
    )


def _own(given: Any) -> pl.DataFrame:
    """Own rows with all columns, in their types."""
    kinds = dict.fromkeys(_OWN, pl.String) | {"value": pl.Float64, "year": pl.Int64}
    if given is None:
        rows = pl.DataFrame(schema=kinds)
    else:
        rows = as_polars(given, *_OWN[:3])
        rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in _OWN if name not in rows.columns)
        for name in ("value", "year"):
            number = rows[name].cast(pl.Float64, strict=False)
            bad = rows.filter((rows[name].is_not_null() & number.is_null()) | ~number.is_finite().fill_null(value=True))
            if bad.height:
                raise MeasureInputError("JQ-ASSESS-125", column=name, value=bad[name][0])
            rows = rows.with_columns(number.alias(name))
        rows = rows.select(pl.col(name).cast(kind) for name, kind in kinds.items())
    names = {"cluster": "own"} | {name: f"own_{name}" for name in _OWN[2:]}
    return rows.rename(names)
