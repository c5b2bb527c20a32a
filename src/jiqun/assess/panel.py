"""The table that a workspace has for a framework 评价数据: loaded indicators beside what atlas and survey rounds say of units.

Units are the clusters of a run, by their id, or the units that the table of indicators names; of a unit that is no cluster,
firms whose region in the register is called so were asked. An indicator comes from one place only: from the table where it has
any value for the rated year, else from the atlas or from survey rounds. What could not be filled is named with the reason, and
no gap is filled here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from jiqun.assess.atlas_values import ATLAS_INDICATORS, Reading, atlas_value
from jiqun.assess.framework import Framework
from jiqun.assess.panel_table import CELLS, listed, loaded, named, table_cells
from jiqun.assess.survey_values import Surveyed, declared, surveyed
from jiqun.assess.survey_values import years as survey_years
from jiqun.atlas.reading import Run, Which, find_run
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, WorkspaceError
from jiqun.core.lineage import Source
from jiqun.core.remarks import Remark
from jiqun.intake.counted import counted
from jiqun.store import Workspace

Basis = Literal["clusters", "table"]
COVERAGE = {
    "code": pl.String, "use": pl.String, "origin": pl.String, "state": pl.String, "units": pl.Int64, "zh": pl.String,
    "en": pl.String, "answered": pl.Int64, "asked": pl.Int64,
}  # fmt: skip
_BELONGS = {"unit": pl.String, "organisation": pl.String}
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
    """unit, code, year, value, origin (table, atlas, survey), measure, evidence: every value of the frame, and where it is from."""
    coverage: pl.DataFrame
    """code, use (indicator, denominator), origin, state (used, missing, equal, invalid, denominator), units, zh and en: how or
    why; of survey indicators answered and asked: firms of all units in the rated year."""
    units: pl.DataFrame
    """unit, cluster_id (null: not a cluster of the run), zh, en."""
    basis: Basis
    year: int
    run: Run | None
    remarks: tuple[Remark, ...]
    sources: tuple[Source, ...]
    survey: Surveyed

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
    survey: Surveyed = field(default_factory=Surveyed)

    def sources(self, workspace: Workspace) -> tuple[Source, ...]:
        """What the values rest on."""
        return _sources(workspace, self.reading, self.cells, self.survey, basis=self.basis)

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
        sources = _sources(workspace, self.reading, used, self.survey, basis=self.basis)
        return Panel(
            self.framework, rated, frame, used, self.coverage, units, self.basis, year, run, self.remarks, sources,
            self.survey,
        )  # fmt: skip


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
        The year to rate; default: the latest that the table has for the framework, else the latest that closed survey rounds
        ask about, else that of the run's register.
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
        that neither the table nor a survey round has.
    WorkspaceError
        JQ-ASSESS-064: neither clusters nor indicators are there. JQ-ATLAS-013: clusters are asked for, and there are none.
    """
    run = _run(workspace, digital, wanted=basis == "clusters" or digital is not None)
    rows, remarks = loaded(workspace, framework)
    asked = survey_years(workspace, framework)
    if run is None and rows is None and not asked:
        raise WorkspaceError("JQ-ASSESS-064")
    there = named(rows, run)
    if basis is None:
        known = there is not None and there["cluster_id"].is_not_null().any()
        basis = "clusters" if run is not None and (rows is None or rows.is_empty() or known) else "table"
    if basis == "table" and rows is None and not asked:
        raise WorkspaceError("JQ-STORE-006", table="indicators")
    reading = Reading(workspace, run) if run else None
    regions = _regions(workspace) if declared(framework) and basis == "table" else None
    units = _units(run, there, basis, regions)
    if there is not None and basis == "clusters":
        strange = there.filter(pl.col("cluster_id").is_null())["unit"].unique().sort()
        if len(strange):
            remarks.append(Remark.of("JQ-ASSESS-065", count=len(strange), units=listed(strange)))
        there = there.drop_nulls("cluster_id").with_columns(unit="cluster_id")
    cells, year = table_cells(there, year, run, asked)
    more, told = _atlas_cells(reading, framework, cells, units, year)
    survey = _survey_cells(workspace, framework, cells, _belongs(reading, units, regions), year)
    own = survey.cells.filter(pl.col("year") == year)["code"].unique().implode()  # one place only, for all years
    asked_of = ~pl.col("code").is_in(cells["code"].unique().implode()) | pl.col("code").is_in(own)
    whole = pl.concat([cells.filter(~pl.col("code").is_in(own)), more, survey.cells.filter(asked_of)])
    rated, coverage = _covered(framework, whole, told, year, survey, loaded=rows is not None)
    return Gathered(framework, rated, whole, coverage, units, basis, year, reading, tuple(remarks), survey)


def _run(workspace: Workspace, digital: str | None, *, wanted: bool) -> Run | None:
    try:
        return find_run(workspace, Which.model_validate({"class": digital}))
    except WorkspaceError as error:
        if error.code != "JQ-ATLAS-013" or wanted:
            raise
        return None


def _units(run: Run | None, named: pl.DataFrame | None, basis: Basis, regions: pl.DataFrame | None) -> pl.DataFrame:
    """unit, cluster_id, zh, en of what is rated; where the table says nothing, the regions of the register."""
    if basis == "clusters":
        if run is None:
            raise WorkspaceError("JQ-ATLAS-013")
        return run.clusters.select("cluster_id", zh="name_zh", en="name_en").select(
            pl.col("cluster_id").alias("unit"), "cluster_id", "zh", "en"
        )
    there = pl.DataFrame(schema={"unit": pl.String, "cluster_id": pl.String}) if named is None else named
    if there.is_empty() and regions is not None:
        there = regions.select("unit", cluster_id=pl.lit(None, pl.String))
    units = there.select("unit", "cluster_id").unique(maintain_order=True).sort("unit")
    if run is None:
        return units.with_columns(zh="unit", en="unit")
    return _named(units, run)


def unit_names(workspace: Workspace, units: Sequence[str]) -> dict[str, Text]:
    """What units are called 单元名称: those that are the id of a cluster of the current run bear its name."""
    run = _run(workspace, None, wanted=False)
    listed = pl.DataFrame({"unit": units}, schema={"unit": pl.String}).unique(maintain_order=True)
    if run is None:
        return {unit: Text(unit, unit) for unit in units}
    return {row["unit"]: Text(row["zh"], row["en"]) for row in _named(listed, run).to_dicts()}


def _named(units: pl.DataFrame, run: Run) -> pl.DataFrame:
    called = run.clusters.select("name_zh", "name_en", unit="cluster_id")
    told = units.join(called, on="unit", how="left", maintain_order="left")
    return told.with_columns(zh=_called("name_zh"), en=_called("name_en")).drop("name_zh", "name_en")


def _called(name: str) -> pl.Expr:
    """What a unit that is the id of a cluster is called 单元名称: the cluster's name, with the id where several share it."""
    named, many = pl.col(name), pl.col(name).is_duplicated() | pl.col(name).is_in(pl.col("unit").implode())
    return pl.when(many).then(pl.format("{} ({})", named, pl.col("unit"))).otherwise(named).fill_null(pl.col("unit"))


def _regions(workspace: Workspace) -> pl.DataFrame:
    """unit, organisation: the region in which the register has each, else its country, as rosters of rounds have them."""
    try:
        scan = counted(workspace)
    except WorkspaceError as error:
        if error.code != "JQ-STORE-006":
            raise
        return pl.DataFrame(schema=_BELONGS)
    there = [name for name in ("region", "country") if name in scan.collect_schema()]
    unit = pl.coalesce(*there).str.strip_chars() if there else pl.lit(None, pl.String)
    return scan.select(unit=unit, organisation="id").drop_nulls("unit").collect()


def _belongs(reading: Reading | None, units: pl.DataFrame, regions: pl.DataFrame | None) -> pl.DataFrame:
    """unit, organisation: members of the clusters that are rated, and firms of the regions."""
    parts = [pl.DataFrame(schema=_BELONGS)]
    if reading is not None:
        known = units.drop_nulls("cluster_id").select("unit", "cluster_id")
        parts.append(known.join(reading.members, on="cluster_id").select("unit", organisation="id"))
    if regions is not None:
        others = units.filter(pl.col("cluster_id").is_null())["unit"].implode()
        parts.append(regions.filter(pl.col("unit").is_in(others)))
    return pl.concat(parts)


def _survey_cells(
    workspace: Workspace, framework: Framework, cells: pl.DataFrame, belongs: pl.DataFrame, year: int
) -> Surveyed:
    """What survey rounds say for what the table does not have in the rated year."""
    has = set(cells.filter(pl.col("year") == year)["code"])
    wanted = [one.code for one in framework.indicators if one.origin == "survey" and one.code not in has]
    return surveyed(workspace, framework, wanted, belongs, year)


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
    framework: Framework, cells: pl.DataFrame, told: Mapping[str, Text], year: int, survey: Surveyed, *, loaded: bool
) -> tuple[Framework | None, pl.DataFrame]:
    """The framework with what can be rated alone, and a line for every indicator and denominator."""
    now = cells.filter(pl.col("year") == year)
    facts = {row["code"]: row for row in now.group_by("code").agg(
        units=pl.len(), low=pl.col("value").min(), high=pl.col("value").max(), origin=pl.col("origin").first()
    ).to_dicts()}  # fmt: skip
    ever = set(cells["code"])
    counts = survey.response.filter(pl.col("year") == year).group_by("code").agg(pl.col("answered", "asked").sum())
    answered = {code: pair for code, *pair in counts.iter_rows()}
    said = {"atlas": told, "survey": survey.told}
    posts = framework.steps.normalise in {"minmax", "none"}
    rows, good = [], []
    for one in framework.indicators:
        fact = facts.get(one.code)
        why = said.get(one.origin, {}).get(one.code)
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
        words = (why.zh, why.en) if why else (None, None)
        rows.append((one.code, "indicator", origin, state, units, *words, *answered.get(one.code, (None, None))))
    for name in sorted({one.denominator for one in framework.indicators if one.denominator}):
        fact = facts.get(name)
        why = told.get(name) if fact and fact["origin"] == "atlas" else None if fact else _NONE
        state = "used" if fact else "missing"
        origin, units = (fact["origin"], fact["units"]) if fact else ("table", 0)
        words = (why.zh, why.en) if why else (None, None)
        rows.append((name, "denominator", origin, state, units, *words, None, None))
    coverage = pl.DataFrame(rows, schema=COVERAGE, orient="row")
    if not good:
        return None, coverage
    columns = [one.code for one in good] + [one.denominator for one in good if one.denominator]
    return framework.replaced(indicators=tuple(good)).only(columns), coverage


def _sources(
    workspace: Workspace, reading: Reading | None, used: pl.DataFrame, survey: Surveyed, *, basis: Basis
) -> tuple[Source, ...]:
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
    asked = used.filter(pl.col("origin") == "survey")["code"].unique().to_list()
    if asked:
        if not atlas and reading is not None:
            found.append(reading.sources()["run"])  # whose members were asked
        if basis == "table" and workspace.history("organisations"):
            found.append(workspace.snapshot("organisations").input)  # which says where those that were asked are
        found += survey.sources(asked)
    return tuple(found)
