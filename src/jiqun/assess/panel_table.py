"""What the table of indicators says for a framework 指标表: rows by code, units matched to clusters, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from jiqun.assess.framework import Framework, Indicator
from jiqun.atlas.reading import Run
from jiqun.core.errors import MeasureInputError
from jiqun.core.remarks import Remark
from jiqun.store import Workspace
from jiqun.survey.publish import FROM

SHOWN = 8
"""Names that a remark lists."""
CELLS = {
    "unit": pl.String, "code": pl.String, "year": pl.Int64, "value": pl.Float64, "origin": pl.String,
    "measure": pl.String, "evidence": pl.String,
}  # fmt: skip
"""Columns of values: whose, of what, when, how much, from where."""


def loaded(workspace: Workspace, framework: Framework) -> tuple[pl.DataFrame | None, list[Remark]]:
    """Yearly rows of the framework's indicators and denominators by code, and what one has to know of the others.

    Rows that survey rounds published are of single firms: a framework that says how answers are aggregated takes them from
    the rounds, not from here.
    """
    if not workspace.history("indicators"):
        return None, []
    scan = workspace.scan("indicators").with_columns(pl.col("indicator").str.strip_chars())
    names = _codes(framework)
    there = scan.collect_schema().names()
    absent = [pl.lit(None, pl.String).alias(name) for name in ("measure", "evidence") if name not in there]
    if "quarter" not in there:
        absent.append(pl.lit(None, pl.Int64).alias("quarter"))
    scan = scan.with_columns(absent).filter(pl.col("value").is_not_null())
    if FROM in there and any(one.question for one in framework.indicators):
        scan = scan.filter(pl.col(FROM).is_null())
    rows = (
        scan.filter(pl.col("indicator").is_in(list(names)))
        .select(
            "unit", "year", "quarter", "value", "measure", "evidence",
            code=pl.col("indicator").replace_strict(names, return_dtype=pl.String),
        )
        .collect()
    )  # fmt: skip
    remarks = []
    strange = scan.filter(~pl.col("indicator").is_in(list(names))).select(pl.col("indicator").unique()).collect()
    if strange.height:
        codes = listed(strange["indicator"].sort())
        remarks.append(Remark.of("JQ-ASSESS-066", count=strange.height, codes=codes, framework=framework.code))
    quarters = rows.filter(pl.col("quarter").is_not_null()).height
    if quarters:
        remarks.append(Remark.of("JQ-ASSESS-067", count=quarters))
    rows = rows.filter(pl.col("quarter").is_null()).drop("quarter")
    bare = rows.filter(pl.col("measure").is_null()).height
    if bare:
        remarks.append(Remark.of("JQ-ASSESS-068", count=bare))
    _check_measures(rows, framework)
    return rows, remarks


def _codes(framework: Framework) -> dict[str, str]:
    """What an indicator may be called in the table: its code, its names; a denominator goes by its code."""
    names = {one.denominator: one.denominator for one in framework.indicators if one.denominator}
    for one in framework.indicators:
        for name in (one.zh, one.en):
            names.setdefault(name, one.code)
    return names | {one.code: one.code for one in framework.indicators}


def _check_measures(rows: pl.DataFrame, framework: Framework) -> None:
    """Refuse an indicator in several units of measure; of one without a denominator also in another than the framework's."""
    met = rows.drop_nulls("measure").group_by("code").agg(pl.col("measure").unique().sort())
    by_code: dict[str, Indicator] = {one.code: one for one in framework.indicators}
    for code, measures in met.sort("code").iter_rows():
        one = by_code.get(code)
        wanted = [one.unit] if one is not None and one.denominator is None else measures[:1]
        if measures != wanted:
            raise MeasureInputError("JQ-ASSESS-021", indicator=code, measures=", ".join(measures), expected=wanted[0])


def named(rows: pl.DataFrame | None, run: Run | None) -> pl.DataFrame | None:
    """The rows with the cluster of the run that each unit is, by id or name; null: none."""
    if rows is None:
        return None
    rows = rows.with_columns(pl.col("unit").str.strip_chars())
    if run is None:
        return rows.with_columns(cluster_id=pl.lit(None, pl.String))
    known = pl.concat([run.clusters.select("cluster_id", unit=name) for name in ("cluster_id", "name_zh", "name_en")])
    known = known.unique().filter(pl.col("unit").is_in(rows["unit"].unique().implode()))
    several = known.filter(pl.col("unit").is_duplicated()).sort("unit", "cluster_id")
    if several.height:
        unit = several["unit"][0]
        raise MeasureInputError(
            "JQ-ASSESS-063", unit=unit, ids=", ".join(several.filter(pl.col("unit") == unit)["cluster_id"])
        )
    return rows.join(known, on="unit", how="left", maintain_order="left")


def table_cells(
    named: pl.DataFrame | None, year: int | None, run: Run | None, asked: Sequence[int] = ()
) -> tuple[pl.DataFrame, int]:
    """The loaded values as cells, and the year that is rated; `asked`: years about which survey rounds say something."""
    empty = named is None or named.is_empty()
    years = [] if named is None else sorted(named["year"].unique().to_list())
    if year is None:
        year = years[-1] if years else asked[-1] if asked else int(run.as_of[:4]) if run else 0
    elif years and year not in {*years, *asked}:
        raise MeasureInputError("JQ-ASSESS-024", year=year, known=", ".join(map(str, sorted({*years, *asked}))))
    if empty or named is None:
        return pl.DataFrame(schema=CELLS), year
    twice = named.filter(pl.struct("unit", "year", "code").is_duplicated())
    if twice.height:
        first = twice.row(0, named=True)
        raise MeasureInputError(
            "JQ-ASSESS-012", unit=f"{first['unit']}, {first['code']}, {first['year']}", count=twice.height
        )
    cells = named.with_columns(origin=pl.lit("table"))
    return cells.select(pl.col(name).cast(kind) for name, kind in CELLS.items()), year


def listed(names: pl.Series) -> str:
    """The first names of a remark's list."""
    return ", ".join(map(str, names.head(SHOWN))) + (", …" if len(names) > SHOWN else "")
