"""Assessments over a workspace 评估服务: indices, how sure their ranks are, and frontiers are computed once and stored.

Who may see everything sees the latest; others see what was published, and that only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from jiqun.assess import frontier
from jiqun.assess.composite import composite_index
from jiqun.assess.framework import Framework
from jiqun.assess.own_frameworks import find_framework
from jiqun.assess.panel import Basis, Gathered, gather, panel
from jiqun.assess.panel_boundaries import boundaries
from jiqun.assess.radial import Returns
from jiqun.assess.rank_uncertainty import uncertainty
from jiqun.assess.stored import efficiency_tables, index_tables, restored_index, uncertainty_tables
from jiqun.atlas.reading import sees_all
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import MeasureInputError, UsageError, WorkspaceError
from jiqun.core.lineage import Lineage, Source, canonical_json
from jiqun.core.progress import Progress, silent
from jiqun.core.remarks import Remark
from jiqun.store import StoredResult, Workspace

RUNS: tuple[Role, ...] = ("operator", "analyst")
PUBLISHES: tuple[Role, ...] = ("operator",)
VERSION = "3"
MOST_UNITS = 1500
"""Units whose ranks are compared in pairs."""
INDEX, SURE, FRONTIER = "index", "uncertainty", "frontier"
PUBLISHED, COVERAGE = "published-index", "coverage"


Way = str | Mapping[str, Any]
"""An alternative of a step, as `uncertainty` takes it."""


@dataclass(frozen=True)
class IndexChoice:
    """What to rate, and how; None: as the framework says, or as `panel` chooses."""

    framework: str
    basis: Basis | None = None
    year: int | None = None
    digital: str | None = None
    weights: tuple[tuple[str, float], ...] = ()
    steps: tuple[tuple[str, str | tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class SureChoice:
    """What varies around the current index of a framework; empty ways: the framework's own and another that fits it."""

    framework: str
    impute: tuple[Way, ...] = ()
    treat: tuple[Way, ...] = ()
    normalise: tuple[Way, ...] = ()
    weights: tuple[Way, ...] = ()
    aggregate: tuple[Way, ...] = ()
    weight_spread: float = 0.25
    leave_out: bool = True
    boundary: bool = True
    runs: int = 1000
    sensitivity: int = 128
    top: int = 10
    level: float = 0.9
    seed: int = 20240501


@dataclass(frozen=True)
class FrontierChoice:
    """Which units are compared by which inputs and outputs; columns are codes of the table of indicators."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    undesirable: tuple[str, ...] = ()
    year: int | None = None
    returns: Returns = "vrs"
    model: frontier.Model = "radial"
    orientation: frontier.Orientation | None = None
    super_efficiency: bool = False
    bootstrap: int = 0
    seed: int = 20240501
    drop: bool = False
    force: bool = False


def kind_of(what: str, name: str) -> str:
    """The kind of stored result, as `index-competitiveness`."""
    return f"{what}-{name.lower()}"


def run_index(actor: Actor, workspace: Workspace, choice: IndexChoice, *, progress: Progress = silent) -> StoredResult:
    """Rate the workspace's units under a framework and store that 计算并保存指数; done once for equal input.

    Stored tables: those of `CompositeIndex`, `panel`, `cells`, `coverage`, `units` as in `Panel`, and `response` and `rounds` as
    in `Surveyed`.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    UsageError
        JQ-ASSESS-061: no such framework.
    MeasureInputError, WorkspaceError
        As `panel` and `composite_index`.
    """
    actor.require("assess.run_index", *RUNS)
    told = find_framework(workspace, choice.framework).framework
    if choice.steps:
        told = told.changed(**dict(choice.steps))
    progress("indicators", 0, 2)
    gathered = gather(workspace, told, basis=choice.basis, year=choice.year, digital=choice.digital)
    keep_coverage(workspace, gathered)
    found = gathered.panel(workspace)
    progress("indicators", 1, 2)
    weights = _fitting_weights(found.rated, dict(choice.weights))
    index = composite_index(found.frame, found.rated, year="year", of=found.year, weights=weights)
    parameters = {
        "framework": told.code, "framework_version": told.version, "framework_digest": told.digest,
        "rated_digest": found.rated.digest, "steps": told.steps.model_dump(mode="json"), "basis": found.basis,
        "year": found.year, "class": choice.digital, "weights": weights,
    }  # fmt: skip
    lineage = Lineage("assess.composite_index", VERSION, parameters, found.sources)
    tables = index_tables(index) | {
        "panel": found.frame, "cells": found.cells, "coverage": found.coverage, "units": found.units,
        "response": found.survey.response, "rounds": found.survey.rounds,
    }  # fmt: skip
    values: dict[str, Any] = {
        "framework": found.rated.model_dump(mode="json"),
        "whole": told.model_dump(mode="json"),
        "year": index.year,
        "units": len(index.units),
        "weight_covered": found.weight_covered,
        "indicators": len(told.codes),
        "rated": len(found.rated.codes),
        "basis": found.basis,
        "run": found.run.id if found.run else None,
        "remarks": [asdict(one) for one in found.remarks],
    }
    progress("indicators", 2, 2)
    return workspace.put_result(kind_of(INDEX, told.code), lineage, tables, values)


def keep_coverage(workspace: Workspace, found: Gathered) -> StoredResult:
    """Store what there is for a framework and what is missing, also where that is too little to rate 保存数据齐全情况."""
    code = found.framework.code
    parameters = {
        "framework": code,
        "framework_digest": found.framework.digest,
        "basis": found.basis,
        "year": found.year,
        # why something is missing may change with what is no source of any value
        "reasons": hashlib.sha256(canonical_json(found.coverage.to_dicts())).hexdigest(),
    }
    lineage = Lineage("assess.coverage", VERSION, parameters, found.sources(workspace))
    values: dict[str, Any] = {"units": found.units.height, "remarks": [asdict(one) for one in found.remarks]}
    tables = {"coverage": found.coverage, "response": found.survey.response, "rounds": found.survey.rounds}
    return workspace.put_result(kind_of(COVERAGE, code), lineage, tables, values)


def _fitting_weights(rated: Framework, given: Mapping[str, float]) -> dict[str, float]:
    """The weights that are given, of what is rated; where some fall away, the others share what is left."""
    codes = {node.code: node.parent for node in rated.nodes}
    kept = {code: weight for code, weight in given.items() if code in codes}
    lost = {code for code in given if code not in codes}
    if not lost:
        return dict(given)
    for parent in {codes[code] for code in kept}:
        below = [code for code in kept if codes[code] == parent]
        total = sum(kept[code] for code in below)
        if total > 0:
            kept |= {code: kept[code] / total for code in below}
    return kept


def run_uncertainty(
    actor: Actor, workspace: Workspace, choice: SureChoice, *, progress: Progress = silent
) -> StoredResult:
    """How sure the ranks of the current index are, stored 计算并保存名次区间; done once for equal input.

    The index is that which `run_index` stored last for the framework. Stored tables: those of `Uncertainty`, and
    `searches`: the boundaries that there were, and which of them are used.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is no index yet.
    MeasureInputError
        As `uncertainty`; JQ-ASSESS-073: more units than `MOST_UNITS`.
    """
    actor.require("assess.run_uncertainty", *RUNS)
    index = latest(workspace, INDEX, choice.framework)
    rated = restored_index(index)
    if len(rated.units) > MOST_UNITS:
        raise MeasureInputError("JQ-ASSESS-073", units=len(rated.units), most=MOST_UNITS)
    progress("boundaries", 0, 1)
    frame = index.table("panel").filter(pl.col("unit").is_in(list(rated.units)))
    framework = rated.framework
    alternatives, searches = _boundaries(workspace, index, rated.units) if choice.boundary else ({}, _no_searches())
    progress("boundaries", 1, 1)
    ways = _ways(framework, choice)
    given = dict(index.lineage.parameters["weights"])
    parameters = {name: value for name, value in asdict(choice).items() if name != "framework"} | ways
    parameters |= {"framework": framework.code, "framework_digest": index.lineage.parameters["framework_digest"]}
    sources = [Source(index.kind, index.id, str(rated.year or "")), *index.lineage.inputs]
    sources += [Source(f"boundary {row['boundary']}", row["run"]) for row in searches.filter(pl.col("used")).to_dicts()]
    lineage = Lineage("assess.uncertainty", VERSION, _plain(parameters), tuple(sources))
    kind = kind_of(SURE, framework.code)
    if any(old.id == lineage.digest for old in workspace.results(kind)):
        return workspace.put_result(kind, lineage, {}, {})
    progress("draws", 0, 1)
    found = uncertainty(
        frame, framework, year="year", of=rated.year, given=given, weight_spread=choice.weight_spread,
        leave_out=choice.leave_out, boundaries=alternatives, runs=choice.runs, sensitivity=choice.sensitivity,
        top=choice.top, level=choice.level, seed=choice.seed, impute=ways["impute"],
        treat=ways["treat"], normalise=ways["normalise"], weights=ways["weights"], aggregate=ways["aggregate"],
    )  # fmt: skip
    progress("draws", 1, 1)
    tables = uncertainty_tables(found) | {"searches": searches}
    remarks = []
    if choice.boundary and not alternatives and index.values["basis"] == "clusters":
        remarks.append(asdict(Remark.of("JQ-ASSESS-078")))
    remarks += [
        asdict(Remark.of("JQ-ASSESS-075", boundary=row["boundary"], units=row["units"], of=row["of"]))
        for row in searches.filter(~pl.col("used")).to_dicts()
    ]
    values: dict[str, Any] = {
        "index": index.id, "runs": found.runs, "level": choice.level, "top": choice.top, "units": len(found.units),
        "sensitivity_runs": found.sensitivity_runs, "remarks": remarks,
    }  # fmt: skip
    return workspace.put_result(kind, lineage, tables, values)


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON gives them back."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _ways(framework: Framework, choice: SureChoice) -> dict[str, tuple[Any, ...]]:
    """The alternatives of each step: those that are given, else the framework's own beside one that goes with it."""
    steps = framework.steps
    normalise: tuple[Way, ...] = choice.normalise
    if not normalise:
        normalise = {"minmax": ("minmax", "percentile"), "percentile": ("percentile", "minmax")}.get(
            steps.normalise, ()
        )
    aggregate: tuple[Any, ...] = choice.aggregate
    levels = framework.level(framework.root)
    plain = "arithmetic" if not isinstance(steps.aggregate, tuple) else ("arithmetic",) * levels
    if not aggregate and steps.aggregate != plain:
        aggregate = (steps.aggregate, plain)
    return {
        "impute": choice.impute, "treat": choice.treat, "normalise": normalise, "weights": choice.weights,
        "aggregate": tuple({"aggregate": one} if isinstance(one, tuple) else one for one in aggregate),
    }  # fmt: skip


def _no_searches() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"boundary": pl.String, "run": pl.String, "units": pl.Int64, "of": pl.Int64, "used": pl.Boolean}
    )


def _boundaries(
    workspace: Workspace, index: StoredResult, units: Sequence[str]
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """The alternative boundaries of the rated clusters; none where the index does not stand on the current run."""
    told = dict(index.lineage.parameters)
    whole = Framework.model_validate(index.values["whole"])
    try:
        now = panel(workspace, whole, basis=told["basis"], year=told["year"], digital=told["class"])
    except (MeasureInputError, WorkspaceError, UsageError):
        return {}, _no_searches()
    if now.run is None or now.run.id != index.values["run"]:
        return {}, _no_searches()
    rated = Framework.model_validate(index.values["framework"])
    same = replace(now, rated=rated, units=now.units.filter(pl.col("unit").is_in(list(units))))
    return boundaries(workspace, same)


def run_frontier(
    actor: Actor, workspace: Workspace, choice: FrontierChoice, *, progress: Progress = silent
) -> StoredResult:
    """The frontier of the units of the table of indicators, stored 计算并保存效率前沿; done once for equal input.

    Stored tables: `scores`, `slacks`, `peers`, and `panel`: the values that were compared.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no indicators are loaded.
    UsageError
        JQ-ASSESS-072: columns that the table does not have; JQ-USE-001: as `dea`.
    MeasureInputError
        As `dea`; JQ-ASSESS-012, 021: as `panel`.
    """
    actor.require("assess.run_frontier", *RUNS)
    progress("indicators", 0, 1)
    frame, year, source = compared(workspace, choice)
    progress("indicators", 1, 1)
    remarks = []
    columns = [*choice.inputs, *choice.outputs, *choice.undesirable]
    if choice.drop:
        frame, gone = complete(frame, columns)
        remarks += [asdict(one) for one in gone]
    parameters = _plain(asdict(choice)) | {"year": year}
    lineage = Lineage("assess.dea", VERSION, parameters, (source,))
    kind = kind_of(FRONTIER, choice.name)
    if any(old.id == lineage.digest for old in workspace.results(kind)):
        return workspace.put_result(kind, lineage, {}, {})
    found = frontier.dea(
        frame, inputs=choice.inputs, outputs=choice.outputs, undesirable=choice.undesirable, returns=choice.returns,
        model=choice.model, orientation=choice.orientation, super_efficiency=choice.super_efficiency,
        bootstrap=choice.bootstrap, seed=choice.seed, force=choice.force, progress=progress,
    )  # fmt: skip
    tables = efficiency_tables(found) | {"panel": frame}
    values: dict[str, Any] = {
        "name": choice.name, "year": year, "units": frame.height, "efficient": int(found.scores["efficient"].sum()),
        "orientation": found.orientation, "remarks": remarks + [asdict(one) for one in found.remarks],
    }  # fmt: skip
    return workspace.put_result(kind, lineage, tables, values)


def compared(workspace: Workspace, choice: FrontierChoice) -> tuple[pl.DataFrame, int, Source]:
    """Unit and a column for every input and output, in one year 所比较的数值; with that year and what was read.

    Raises
    ------
    WorkspaceError, UsageError, MeasureInputError
        As `run_frontier`; JQ-ASSESS-024: the year has none of the values.
    """
    snapshot = workspace.snapshot("indicators")
    wanted = [*choice.inputs, *choice.outputs, *choice.undesirable]
    scan = workspace.scan("indicators", snapshot.id).filter(pl.col("value").is_not_null())
    if "quarter" in scan.collect_schema():
        scan = scan.filter(pl.col("quarter").is_null())
    known = scan.select(pl.col("indicator").unique().sort()).collect()["indicator"].to_list()
    absent = [name for name in wanted if name not in known]
    if absent:
        raise UsageError("JQ-ASSESS-072", columns=", ".join(absent), known=", ".join(known[:40]) or "—")
    rows = scan.filter(pl.col("indicator").is_in(wanted)).collect()
    years = sorted(rows["year"].unique().to_list())
    year = years[-1] if choice.year is None else choice.year
    if year not in years:
        raise MeasureInputError("JQ-ASSESS-024", year=year, known=", ".join(map(str, years)))
    rows = rows.filter(pl.col("year") == year)
    twice = rows.filter(pl.struct("unit", "indicator").is_duplicated())
    if twice.height:
        raise MeasureInputError(
            "JQ-ASSESS-012", unit=f"{twice['unit'][0]}, {twice['indicator'][0]}", count=twice.height
        )
    if "measure" in rows.columns:
        mixed = rows.drop_nulls("measure").group_by("indicator").agg(pl.col("measure").unique().sort())
        for name, measures in mixed.filter(pl.col("measure").list.len() > 1).sort("indicator").iter_rows():
            raise MeasureInputError("JQ-ASSESS-021", indicator=name, measures=", ".join(measures), expected=measures[0])
    wide = rows.pivot(on="indicator", index="unit", values="value", maintain_order=True)
    absent_now = [pl.lit(None, pl.Float64).alias(name) for name in wanted if name not in wide.columns]
    return wide.with_columns(absent_now).sort("unit").select("unit", *dict.fromkeys(wanted)), int(year), snapshot.input


def columns_loaded(workspace: Workspace, *, most: int = 500) -> tuple[str, ...]:
    """Codes of the table of indicators that have values, in their order 有数值的指标; none where it is not loaded."""
    if not workspace.history("indicators"):
        return ()
    scan = workspace.scan("indicators").filter(pl.col("value").is_not_null())
    return tuple(scan.select(pl.col("indicator").unique().sort().head(most)).collect()["indicator"])


def complete(frame: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """The units that have all values, and a remark that names those which do not 数值齐全的单元."""
    gone = frame.filter(pl.any_horizontal(pl.col(name).is_null() for name in columns))
    if gone.is_empty():
        return frame, ()
    names = ", ".join(gone["unit"].head(8)) + (", …" if gone.height > 8 else "")  # as in `panel`
    return frame.drop_nulls(columns), (Remark.of("JQ-ASSESS-074", count=gone.height, units=names),)


def publish_index(
    actor: Actor, workspace: Workspace, framework: str, *, show: bool = True, index: str | None = None
) -> StoredResult:
    """Open an index of a framework, with its intervals, to members and the public 发布指数; or close what is open.

    `index`: its id; None: the current one.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is no index.
    """
    actor.require("assess.publish_index", *PUBLISHES)
    found = latest(workspace, INDEX, framework)
    if index is not None:
        found = workspace.result(found.kind, index) or found
    told = {"index": found.id if show else None}
    lineage = Lineage("assess.publish", VERSION, {"framework": framework} | told, (Source(found.kind, found.id),))
    return workspace.put_result(kind_of(PUBLISHED, framework), lineage, {}, dict(told))


def latest(workspace: Workspace, what: str, name: str) -> StoredResult:
    """The current result, whoever may see it.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069, 070, 071: there is none.
    """
    found = workspace.result(kind_of(what, name))
    if found is None:
        raise _none(workspace, what, name)
    return found


def _none(workspace: Workspace, what: str, name: str) -> WorkspaceError:
    code = {INDEX: "JQ-ASSESS-069", SURE: "JQ-ASSESS-070", FRONTIER: "JQ-ASSESS-071"}[what]
    return WorkspaceError(code, value=name[:60], known=", ".join(frontiers(workspace)) or "—")


def published(workspace: Workspace, framework: str) -> str | None:
    """The index of a framework that is open to all; None: none."""
    found = workspace.result(kind_of(PUBLISHED, framework))
    shown = found.values["index"] if found else None
    return str(shown) if shown else None


def find_index(actor: Actor, workspace: Workspace, framework: str) -> StoredResult:
    """The index of a framework that an actor may see: the latest, or for who may not see all the published one.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is none for them.
    """
    if sees_all(actor):
        return latest(workspace, INDEX, framework)
    shown = published(workspace, framework)
    found = workspace.result(kind_of(INDEX, framework), shown) if shown else None
    if found is None:
        raise _none(workspace, INDEX, framework)
    return found


def find_uncertainty(workspace: Workspace, index: StoredResult) -> StoredResult | None:
    """How sure the ranks of an index are, if that was computed for this very index."""
    name = str(index.lineage.parameters["framework"])
    return next((one for one in workspace.results(kind_of(SURE, name)) if one.values["index"] == index.id), None)


def indices(actor: Actor, workspace: Workspace) -> dict[str, StoredResult]:
    """The indices that an actor may see, by framework."""
    found = {}
    for kind in sorted(workspace.manifest().results):
        if kind.startswith(f"{INDEX}-"):
            stored = workspace.result(kind)
            name = str(stored.lineage.parameters["framework"]) if stored else ""
            try:
                found[name] = find_index(actor, workspace, name)
            except WorkspaceError as error:
                if error.code != "JQ-ASSESS-069":
                    raise
    return found


def frontiers(workspace: Workspace) -> tuple[str, ...]:
    """Names of the stored frontiers."""
    there = sorted(workspace.manifest().results)
    return tuple(kind.removeprefix(f"{FRONTIER}-") for kind in there if kind.startswith(f"{FRONTIER}-"))
