"""The table that a workspace has for a framework 评价数据: loaded indicators beside what the atlas computes of its clusters.

Units are the clusters of a run, by their id, or the units that the table of indicators names. An indicator comes from one
place only: from the table where it has any value for the rated year, else from the atlas. What could not be filled is named
with the reason, and no gap is filled here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from jiqun.assess.atlas_values import ATLAS_INDICATORS, Reading, atlas_value
from jiqun.assess.framework import Framework, Indicator
from jiqun.atlas.reading import Run, Which, find_run
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, WorkspaceError
from jiqun.core.lineage import Source
from jiqun.core.remarks import Remark
from jiqun.store import StoredResult, Workspace

Basis = Literal["clusters", "table"]
SHOWN = 8
"""Names that a remark lists."""
DRAWS_BOUNDARIES = (
    "background",
    "coverage",
    "eps_km",
    "min_weight",
    "floor",
    "alpha",
    "calibrate",
    "size",
    "shared_limit",
)
"""Settings of a search on which it depends where clusters end; others (draws, seed, persistence) only judge them."""
CELLS = {
    "unit": pl.String, "code": pl.String, "year": pl.Int64, "value": pl.Float64, "origin": pl.String,
    "measure": pl.String, "evidence": pl.String,
}  # fmt: skip
COVERAGE = {
    "code": pl.String, "use": pl.String, "origin": pl.String, "state": pl.String, "units": pl.Int64, "zh": pl.String,
    "en": pl.String,
}  # fmt: skip
_FIRMS = Text("集群成员数", "members of the cluster")
_NONE = Text("表中没有它的数值。", "The table has no value of it.")
_NO_TABLE = Text("没有装载指标表。", "No table of indicators is loaded.")
_NO_CLUSTERS = Text("没有识别过集群。", "No search for clusters was run.")
_EQUAL = Text("所有单元取值相同，区分不了它们。", "Equal for all units: it tells none from another.")


@dataclass(frozen=True, eq=False)
class Panel:
    """What a workspace has for a framework; see `panel`."""

    framework: Framework
    """All of it."""
    rated: Framework
    """With the indicators alone that can be rated."""
    frame: pl.DataFrame
    """unit, year, a column for every rated indicator and denominator."""
    cells: pl.DataFrame
    """unit, code, year, value, origin (table, atlas), measure, evidence: every value of the frame, and where it is from."""
    coverage: pl.DataFrame
    """code, use (indicator, denominator), origin, state (used, missing, equal, invalid, denominator), units, zh and en: how or why."""
    units: pl.DataFrame
    """unit, cluster_id (null: not a cluster of the run), zh, en."""
    basis: Basis
    year: int
    run: Run | None
    remarks: tuple[Remark, ...]
    sources: tuple[Source, ...]

    @property
    def weight_covered(self) -> float:
        """Share of the framework's own weights that rated indicators carry."""
        return weight_share(self.framework, self.rated.codes)


def weight_share(framework: Framework, codes: Sequence[str]) -> float:
    """Share of the weight that a framework gives its indicators, of some of them.

    Examples
    --------
    >>> from jiqun.assess.framework import framework_of
    >>> weight_share(framework_of("green"), framework_of("green").codes)
    1.0
    """
    total = {framework.root: 1.0}
    for parent in reversed(framework.upwards()):
        children = framework.children(parent)
        given = [framework.given(child) for child in children]
        for child, weight in zip(children, given, strict=True):
            total[child] = total[parent] * weight / sum(given)
    return round(sum(total[code] for code in codes), 12)


@dataclass(frozen=True, eq=False)
class Gathered:
    """All values that a workspace has for a framework, whether or not they are enough to rate; see `gather`."""

    framework: Framework
    rated: Framework | None
    cells: pl.DataFrame
    coverage: pl.DataFrame
    units: pl.DataFrame
    basis: Basis
    year: int
    reading: Reading | None
    remarks: tuple[Remark, ...]

    def sources(self, workspace: Workspace) -> tuple[Source, ...]:
        """What the values rest on."""
        return _sources(workspace, self.reading, self.cells)

    def panel(self, workspace: Workspace) -> Panel:
        """What can be rated.

        Raises
        ------
        MeasureInputError
            JQ-ASSESS-060: nothing can.
        """
        rated, year = self.rated, self.year
        if rated is None:
            raise MeasureInputError("JQ-ASSESS-060", framework=self.framework.code, count=len(self.framework.codes))
        wanted = {*rated.codes, *(one.denominator for one in rated.indicators if one.denominator)}
        used = self.cells.filter(pl.col("code").is_in(list(wanted)))
        there = used.filter(pl.col("year") == year)["unit"].unique().implode()
        units = self.units.filter(pl.col("unit").is_in(there))
        used = used.filter(pl.col("unit").is_in(units["unit"].implode()))
        frame = used.pivot(on="code", index=["unit", "year"], values="value")
        absent = [pl.lit(None, pl.Float64).alias(code) for code in sorted(wanted - set(frame.columns))]
        frame = frame.with_columns(absent).sort("year", "unit").select("unit", "year", *sorted(wanted))
        run = self.reading.run if self.reading else None
        sources = _sources(workspace, self.reading, used)
        return Panel(
            self.framework, rated, frame, used, self.coverage, units, self.basis, year, run, self.remarks, sources
        )


def panel(
    workspace: Workspace,
    framework: Framework,
    *,
    basis: Basis | None = None,
    year: int | None = None,
    digital: str | None = None,
) -> Panel:
    """The table that a workspace has for a framework, if it can be rated 取工作区的评价数据; as `gather`.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-060: no indicator has values that tell units apart; else as `gather`.
    """
    return gather(workspace, framework, basis=basis, year=year, digital=digital).panel(workspace)


def gather(
    workspace: Workspace,
    framework: Framework,
    *,
    basis: Basis | None = None,
    year: int | None = None,
    digital: str | None = None,
) -> Gathered:
    """What a workspace has for a framework 汇集评价数据: loaded values, those of the atlas, and what is missing.

    Parameters
    ----------
    basis
        Rate the clusters of the current run, or the units of the table of indicators. Default: clusters where the table
        names any of them or is not loaded, else the table's units.
    year
        The year to rate; default: the latest that the table has for the framework, else that of the run's register.
    digital
        The class whose run is taken; None: that of all firms.

    Returns
    -------
    `Gathered`. Rows of quarters are not used; a value without a unit of measure is taken to be in the framework's. Values of
    the atlas are those of the run, whose date `sources` tells, whatever year is rated.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-012: a unit has an indicator twice in one year, also under another of its names. JQ-ASSESS-021: an
        indicator in several units of measure, or in another than the framework's. JQ-ASSESS-063: the table names a cluster by a name that several have. JQ-ASSESS-024: a year
        that the table does not have.
    WorkspaceError
        JQ-ASSESS-064: neither clusters nor indicators are there. JQ-ATLAS-013: clusters are asked for, and there are none.
    """
    run = _run(workspace, digital, wanted=basis == "clusters" or digital is not None)
    rows, remarks = _loaded(workspace, framework)
    if run is None and rows is None:
        raise WorkspaceError("JQ-ASSESS-064")
    named = _named(rows, run)
    if basis is None:
        known = named is not None and named["cluster_id"].is_not_null().any()
        basis = "clusters" if run is not None and (rows is None or rows.is_empty() or known) else "table"
    if basis == "table" and rows is None:
        raise WorkspaceError("JQ-STORE-006", table="indicators")
    units = _units(run, named, basis)
    if named is not None and basis == "clusters":
        strange = named.filter(pl.col("cluster_id").is_null())["unit"].unique().sort()
        if len(strange):
            remarks.append(Remark.of("JQ-ASSESS-065", count=len(strange), units=_listed(strange)))
        named = named.drop_nulls("cluster_id").with_columns(unit="cluster_id")
    cells, year = _table_cells(named, year, run)
    reading = Reading(workspace, run) if run else None
    more, told = _atlas_cells(reading, framework, cells, units, year)
    whole = pl.concat([cells, more])
    rated, coverage = _covered(framework, whole, told, year, loaded=rows is not None)
    return Gathered(framework, rated, whole, coverage, units, basis, year, reading, tuple(remarks))


def boundaries(workspace: Workspace, found: Panel) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Values of the rated clusters under the alternative boundaries that the workspace has 边界方案.

    An alternative is an earlier search of the same class in the same register with other settings. A cluster's counterpart
    is that with which it shares most members. Only indicators computed from member rows follow the boundary.

    Returns
    -------
    Frames of unit and indicators by name of the boundary, as `uncertainty` takes them; and boundary, run, units (with a
    counterpart), of, used: a boundary under which a rated cluster has no counterpart, or an indicator no value, is not used.
    """
    schema = {"boundary": pl.String, "run": pl.String, "units": pl.Int64, "of": pl.Int64, "used": pl.Boolean}
    rows: list[tuple[str, str, int, int, bool]] = []
    frames: dict[str, pl.DataFrame] = {}
    if found.run is None or found.basis != "clusters":
        return frames, pl.DataFrame(schema=schema)
    atlas = set(found.coverage.filter(pl.col("origin") == "atlas")["code"])
    codes = [code for code in found.rated.codes if code in atlas and ATLAS_INDICATORS[code].by_rows]
    here = Reading(workspace, found.run)
    rated = found.units["unit"]
    for result in workspace.results(found.run.result.kind):
        other = Reading(workspace, Run.of(workspace, result))
        if result.id == found.run.id or other.register != here.register:
            continue
        name = _boundary_name(found.run.result, result)
        if not name or name in {row[0] for row in rows}:
            continue
        kin = _counterparts(here.members, other.members)
        frame = pl.DataFrame({"unit": rated}).join(kin, left_on="unit", right_on="cluster_id", how="left")
        for code in codes:
            value = atlas_value(other, code)
            if isinstance(value, pl.DataFrame):
                frame = frame.join(value.rename({"cluster_id": "other", "value": code}), on="other", how="left")
        units = int(frame["other"].is_not_null().sum())
        frame = frame.drop("other")
        fits = units == len(rated) and frame.width > 1 and set(frame.columns) == {"unit", *codes}
        if fits:
            frames[name] = frame
        rows.append((name, result.id, units, len(rated), fits))
    return frames, pl.DataFrame(rows, schema=schema, orient="row")


def _boundary_name(current: StoredResult, other: StoredResult) -> str:
    """What differs between two searches and moves boundaries, as `eps_km 10.0`; empty where nothing does."""
    ours, theirs = current.lineage.parameters, other.lineage.parameters
    return ", ".join(f"{name} {theirs.get(name)}" for name in DRAWS_BOUNDARIES if ours.get(name) != theirs.get(name))


def _counterparts(members: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """cluster_id, other: the cluster of another search that shares most members."""
    shared = members.join(others.rename({"cluster_id": "other"}), on="id").group_by("cluster_id", "other").len("n")
    return (
        shared.sort("n", "other", descending=[True, False])
        .group_by("cluster_id", maintain_order=True)
        .agg(pl.col("other").first())
    )


def _run(workspace: Workspace, digital: str | None, *, wanted: bool) -> Run | None:
    try:
        return find_run(workspace, Which.model_validate({"class": digital}))
    except WorkspaceError as error:
        if error.code != "JQ-ATLAS-013" or wanted:
            raise
        return None


def _loaded(workspace: Workspace, framework: Framework) -> tuple[pl.DataFrame | None, list[Remark]]:
    """Yearly rows of the framework's indicators and denominators by code, and what one has to know of the others."""
    if not workspace.history("indicators"):
        return None, []
    scan = workspace.scan("indicators").with_columns(pl.col("indicator").str.strip_chars())
    names = _codes(framework)
    there = scan.collect_schema().names()
    absent = [pl.lit(None, pl.String).alias(name) for name in ("measure", "evidence") if name not in there]
    if "quarter" not in there:
        absent.append(pl.lit(None, pl.Int64).alias("quarter"))
    scan = scan.with_columns(absent).filter(pl.col("value").is_not_null())
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
        listed = _listed(strange["indicator"].sort())
        remarks.append(Remark.of("JQ-ASSESS-066", count=strange.height, codes=listed, framework=framework.code))
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


def _named(rows: pl.DataFrame | None, run: Run | None) -> pl.DataFrame | None:
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


def _units(run: Run | None, named: pl.DataFrame | None, basis: Basis) -> pl.DataFrame:
    """unit, cluster_id, zh, en of what is rated."""
    if basis == "clusters":
        if run is None:
            raise WorkspaceError("JQ-ATLAS-013")
        return run.clusters.select("cluster_id", zh="name_zh", en="name_en").select(
            pl.col("cluster_id").alias("unit"), "cluster_id", "zh", "en"
        )
    listed = pl.DataFrame(schema={"unit": pl.String, "cluster_id": pl.String}) if named is None else named
    units = listed.select("unit", "cluster_id").unique(maintain_order=True).sort("unit")
    if run is None:
        return units.with_columns(zh="unit", en="unit")
    called = run.clusters.select("name_zh", "name_en", unit="cluster_id")
    told = units.join(called, on="unit", how="left", maintain_order="left")
    return told.select("unit", "cluster_id", zh=_called("name_zh"), en=_called("name_en"))


def _called(name: str) -> pl.Expr:
    """What a unit that is the id of a cluster is called 单元名称: the cluster's name, with the id where several share it."""
    named, many = pl.col(name), pl.col(name).is_duplicated() | pl.col(name).is_in(pl.col("unit").implode())
    return pl.when(many).then(pl.format("{} ({})", named, pl.col("unit"))).otherwise(named).fill_null(pl.col("unit"))


def _table_cells(named: pl.DataFrame | None, year: int | None, run: Run | None) -> tuple[pl.DataFrame, int]:
    """The loaded values as cells, and the year that is rated."""
    empty = named is None or named.is_empty()
    years = [] if named is None else sorted(named["year"].unique().to_list())
    if year is None:
        year = years[-1] if years else int(run.as_of[:4]) if run else 0
    elif years and year not in years:
        raise MeasureInputError("JQ-ASSESS-024", year=year, known=", ".join(map(str, years)))
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


def _atlas_cells(
    reading: Reading | None, framework: Framework, cells: pl.DataFrame, units: pl.DataFrame, year: int
) -> tuple[pl.DataFrame, dict[str, Text]]:
    """Values of the atlas for what the table does not have in the rated year, and what is said of each."""
    told: dict[str, Text] = {}
    parts = [pl.DataFrame(schema=CELLS)]
    has = set(cells.filter(pl.col("year") == year)["code"])
    wanted = {one.code: one.unit for one in framework.indicators if one.origin == "atlas" and one.code not in has}
    bases = {one.denominator for one in framework.indicators}
    if reading is None:
        return parts[0], dict.fromkeys(wanted, _NO_CLUSTERS)
    known = units.drop_nulls("cluster_id").select("unit", "cluster_id")
    for code, measure in wanted.items():
        found = atlas_value(reading, code)
        if isinstance(found, Text):
            told[code] = found
            continue
        told[code] = ATLAS_INDICATORS[code].how
        parts.append(
            _cells(known.join(found, on="cluster_id", maintain_order="left"), code, year, measure, reading.run)
        )
    if "firms" in bases and "firms" not in has:
        told["firms"] = _FIRMS
        firms = known.join(
            reading.run.clusters.select("cluster_id", value="firms"), on="cluster_id", maintain_order="left"
        )
        parts.append(_cells(firms, "firms", year, "家", reading.run))
    return pl.concat(parts), told


def _cells(rows: pl.DataFrame, code: str, year: int, measure: str, run: Run) -> pl.DataFrame:
    made = rows.with_columns(
        code=pl.lit(code), year=pl.lit(year), origin=pl.lit("atlas"), measure=pl.lit(measure),
        evidence=pl.lit(f"{run.result.kind} {run.id[:12]} {run.as_of}"),
    )  # fmt: skip
    return made.select(pl.col(name).cast(kind) for name, kind in CELLS.items())


def _covered(
    framework: Framework, cells: pl.DataFrame, told: Mapping[str, Text], year: int, *, loaded: bool
) -> tuple[Framework | None, pl.DataFrame]:
    """The framework with what can be rated alone, and a line for every indicator and denominator."""
    now = cells.filter(pl.col("year") == year)
    facts = {row["code"]: row for row in now.group_by("code").agg(
        units=pl.len(), low=pl.col("value").min(), high=pl.col("value").max(), origin=pl.col("origin").first()
    ).to_dicts()}  # fmt: skip
    ever = set(cells["code"])
    posts = framework.steps.normalise in {"minmax", "none"}
    rows, good = [], []
    for one in framework.indicators:
        fact = facts.get(one.code)
        why = told.get(one.code) if one.origin == "atlas" else None
        origin, units = (fact["origin"], fact["units"]) if fact else (one.origin, 0)
        kept = fact is not None or (one.code in ever and (one.impute or framework.steps.impute) == "nearest_year")
        outside = (one.valid_from or year) > year or (one.valid_to or year) < year
        held = posts and one.low is not None and one.high is not None
        equal = fact is not None and one.denominator is None and fact["low"] == fact["high"] and not held
        if outside:
            state, why = "invalid", Text(f"{year} 年不适用。", f"Not valid in {year}.")
        elif not kept:
            state, why = "missing", why or (_NONE if loaded else _NO_TABLE)
        elif one.denominator is not None and one.denominator not in facts:
            state = "denominator"
            why = Text(f"缺基数 {one.denominator}。", f"Its denominator {one.denominator} is missing.")
        elif equal and framework.steps.normalise != "none":
            state, why = "equal", _EQUAL
        else:
            state = "used"
            good.append(one)
        if origin == "table":
            why = None if state == "used" else why
        rows.append((one.code, "indicator", origin, state, units, *((why.zh, why.en) if why else (None, None))))
    for name in sorted({one.denominator for one in framework.indicators if one.denominator}):
        fact = facts.get(name)
        why = told.get(name) if fact and fact["origin"] == "atlas" else None if fact else _NONE
        state = "used" if fact else "missing"
        origin, units = (fact["origin"], fact["units"]) if fact else ("table", 0)
        rows.append((name, "denominator", origin, state, units, *((why.zh, why.en) if why else (None, None))))
    coverage = pl.DataFrame(rows, schema=COVERAGE, orient="row")
    if not good:
        return None, coverage
    columns = [one.code for one in good] + [one.denominator for one in good if one.denominator]
    return framework.replaced(indicators=tuple(good)).only(columns), coverage


def _sources(workspace: Workspace, reading: Reading | None, used: pl.DataFrame) -> tuple[Source, ...]:
    """What the values of the frame rest on."""
    found = []
    if (used["origin"] == "table").any():
        found.append(workspace.snapshot("indicators").input)
    atlas = used.filter(pl.col("origin") == "atlas")["code"].unique().to_list()
    if reading is not None and atlas:
        there = reading.sources()
        names = ["run"]
        rests = {ATLAS_INDICATORS[code].rests_on for code in atlas if code in ATLAS_INDICATORS}
        names += [name for name in there if name != "run" and (name in rests or name.split(" ")[0] in rests)]
        found += [there[name] for name in names]
    return tuple(found)


def _listed(names: pl.Series) -> str:
    return ", ".join(map(str, names.head(SHOWN))) + (", …" if len(names) > SHOWN else "")
