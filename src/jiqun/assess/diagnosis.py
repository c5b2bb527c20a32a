"""Diagnosis over a workspace 诊断服务: the ailments of clusters and regions, found, not found or unknown, stored with lineage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from jiqun.assess.ailments.governance import frontier_finding, governance_finding
from jiqun.assess.ailments.homogeneity import (
    LEAST_PERIODS,
    LEVEL,
    Homogeneity,
    homogeneity,
    homogeneity_findings,
    similarity_trend,
)
from jiqun.assess.ailments.plans import plans_finding
from jiqun.assess.ailments.risks import (
    SUPPLIERS,
    TECHNOLOGIES,
    balance_finding,
    data_finding,
    dependence_finding,
    lock_in_finding,
    virtual_finding,
)
from jiqun.assess.ailments.unconnected import linkage_finding, missing_kinds, research_finding
from jiqun.assess.checks import checklist
from jiqun.assess.diagnosis_parts import GROUP_DIGITS, MOST_CLUSTERS, Given, Inputs, unit_rows
from jiqun.assess.findings import Finding, to_frame
from jiqun.assess.given_records import given_now, keep
from jiqun.assess.given_tables import digest
from jiqun.assess.parks_desk import idle_findings
from jiqun.atlas.classes import classified, reader
from jiqun.atlas.measured import one_class
from jiqun.atlas.reading import Run, Which, find_run, kind_of
from jiqun.atlas.regions import named, with_regions
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.lineage import Lineage, Source
from jiqun.core.operation import Model
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted, in_review
from jiqun.intake.gazetteer import Gazetteer, fingerprint
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy import EDITION
from jiqun.taxonomy.tables import digital_entries

OPERATION = "assess.diagnose"
METHOD, VERSION = "assess.diagnose", "3"
MOST_LOADS = 5
"""Loads of the register, of as many dates, over which similarity is followed."""
EMPTY = pl.DataFrame(
    schema={
        "supplier": pl.String,
        "supplier_id": pl.String,
        "customer": pl.String,
        "customer_id": pl.String,
        "weight": pl.Float64,
        "outside": pl.Boolean,
    }
)
OTHERS: tuple[Callable[[Workspace], Sequence[Finding]], ...] = (idle_findings,)
"""What other modules of the room find in a workspace, as idle carriers; a line for each."""


class DiagnoseRequest(Model):
    """What to diagnose 诊断设置."""

    digital: Annotated[
        str | None, Field(pattern=r"^\d{2,6}$", description="class whose clusters are diagnosed; none: all firms")
    ] = None
    year: Annotated[int | None, Field(ge=1900, le=2100, description="last year of indicators that counts")] = None
    throws: Annotated[
        int | None, Field(ge=99, le=59_999, description="random tables; none: as many as one pair needs to stand out")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**53)] = 20240501


def kind_name(digital: str | None) -> str:
    """Diagnoses of one class follow each other: `diagnosis`, `diagnosis-01`."""
    return "diagnosis" if digital is None else f"diagnosis-{digital}"


def diagnose(
    actor: Actor,
    workspace: Workspace,
    request: DiagnoseRequest,
    *,
    given: Given | None = None,
    more: Sequence[Finding] = (),
    progress: Progress = silent,
) -> StoredResult:
    """Diagnose the clusters and regions of what is loaded now, and store it 集群诊断. The same is not computed twice.

    Stored tables: `findings` (`jiqun.assess.findings.STORED`), `units`, where regions can be compared `pairs` and `causes`,
    with several loads `trend`, and what was `given`.

    Parameters
    ----------
    given
        Plans, tags and frontier scores of the user's, to be kept and read from now on; of what is not given here, what was
        given last is read (`jiqun.assess.given_records`).
    more
        Findings made elsewhere, as those of idle carriers; they stand beside ours.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: no organisations were loaded. JQ-ATLAS-013: a class is asked for that was not searched.
    MeasureInputError
        As the functions of `jiqun.assess.ailments`.
    InputError
        JQ-ASSESS-140 to 149: a given table cannot be used.
    """
    actor.require(OPERATION, "operator", "analyst")
    register = workspace.snapshot("organisations")
    kind = kind_name(request.digital)
    before = workspace.result(kind)
    keep(actor, workspace, given or Given())
    given = given_now(workspace, before)
    run = _run(workspace, request.digital)
    by = reader(workspace, "auto")
    progress("classes", 0, None)
    others = [*more, *(one for find in OTHERS for one in find(workspace))]
    organisations = classified(counted(workspace, register.id).collect(), by)
    inputs = Inputs.of(workspace, organisations, register, run, given)
    loads = _loads(workspace)
    sources = [*inputs.sources, Source("gazetteer", fingerprint())]
    sources += [load.input for load in loads[1:]]
    sources += [Source(name, digest(frame)) for name, frame in given.tables().items()]
    sources += [Source("other findings", digest(to_frame(others)))] if others else []
    parameters = {**request.model_dump(), "taxonomy": EDITION, "text_method": by.digest}
    lineage = Lineage(METHOD, VERSION, parameters, tuple(sources))
    if any(old.id == lineage.digest for old in workspace.results(kind)):
        return workspace.put_result(kind, lineage, {}, {})
    findings = list(others)
    if not any(one.group == "idle" for one in others):
        findings.append(_no_carriers())
    regional, regions, compared = _regional(inputs, request, progress)
    findings += regional
    tables: dict[str, pl.DataFrame] = {}
    if compared is not None:
        tables |= {"pairs": compared.pairs, "causes": compared.causes}
        trend, tables["trend"] = _trend(workspace, loads, request, progress)
        findings.append(trend)
    findings += [plans_finding(given.plans, labels=_labels()), data_finding()]
    findings += _of_clusters(inputs, request, progress)
    units = unit_rows(inputs.clusters, regions)
    known = set(units["unit"])
    extra = sorted({one.unit for one in findings} - known)
    if extra:
        more_units = pl.DataFrame(
            {
                "unit": extra,
                "kind": ["carrier"] * len(extra),
                "name_zh": extra,
                "name_en": extra,
                "firms": [None] * len(extra),
            },
            schema=units.schema,
        )
        units = units.vstack(more_units)
    frame = to_frame(findings)
    values: dict[str, Any] = {
        "as_of": register.as_of.isoformat(), "run": run.id if run else None, "digital": request.digital,
        "clusters": inputs.clusters.height, "clusters_in_run": run.clusters.height if run else 0,
        "most_clusters": MOST_CLUSTERS, "in_review": in_review(workspace, register.id),
        "states": {str(state): n for state, n in frame["state"].value_counts().iter_rows()},
        "throws": compared.throws if compared else 0, "least_q": compared.least_q if compared else None,
        "left_out": list(compared.left_out) if compared else [],
    }  # fmt: skip
    return workspace.put_result(kind, lineage, {"findings": frame, "units": units, **tables, **given.tables()}, values)


def check(workspace: Workspace, request: DiagnoseRequest) -> None:
    """Refuse, before any work, what cannot be diagnosed; as `diagnose`."""
    workspace.snapshot("organisations")
    _run(workspace, request.digital)


def _run(workspace: Workspace, digital: str | None) -> Run | None:
    """The search whose clusters are diagnosed; None where there is none and no class is asked for."""
    if digital is None and workspace.result(kind_of(None)) is None:
        return None
    return find_run(workspace, Which(digital=digital))


def _labels() -> dict[str, Text]:
    """Names of digital groups and divisions by code."""
    return {
        code: Text(entry.name_zh, entry.name_en)
        for code, entry in digital_entries().items()
        if len(code) <= GROUP_DIGITS
    }


def _loads(workspace: Workspace) -> list[Any]:
    """The newest load of each of the last dates, newest first."""
    found: dict[str, Any] = {}
    for load in workspace.history("organisations"):
        found.setdefault(load.as_of.isoformat(), load)
    return [found[date] for date in sorted(found, reverse=True)[:MOST_LOADS]]


def _cells(organisations: pl.DataFrame, gazetteer: Gazetteer) -> tuple[pl.DataFrame, str]:
    """region, industry of each firm that has both; the level of regions."""
    placed, level = with_regions(organisations, gazetteer)
    if "region" not in placed.columns:
        return pl.DataFrame(schema={"region": pl.String, "industry": pl.String}), level
    code = pl.col("digital_code").str.extract(r"^([0-9]{4})")
    return placed.select("region", industry=code).drop_nulls(), level


def _regional(
    inputs: Inputs, request: DiagnoseRequest, progress: Progress
) -> tuple[list[Finding], dict[str, tuple[Text, int]], Homogeneity | None]:
    """Homogeneous competition: findings, the regions that were compared with their firms, and the comparison."""
    if one_class(inputs.workspace):
        why = Text("登记册只含一类企业", "the register holds firms of one class only")
        return [_not_compared(why)], {}, None
    gazetteer = Gazetteer.load(inputs.workspace.cache)
    there = {"lon", "lat"} <= set(inputs.organisations.columns)
    if not there:
        return [_not_compared(Text("企业没有坐标", "firms have no place"))], {}, None
    cells, level = _cells(inputs.organisations, gazetteer)
    try:
        found = homogeneity(cells, throws=request.throws, seed=request.seed, progress=progress)
    except MeasureInputError as error:
        if error.code != "JQ-ASSESS-080":
            raise
        return [_not_compared(Text(error.render("zh"), error.render("en")))], {}, None
    firms = {str(region): n for region, n in cells.group_by("region").len().iter_rows()}
    told = named(pl.DataFrame({"region": list(found.regions)}), gazetteer, level)
    names = {code: Text(zh, en) for code, zh, en in told.select("region", "name_zh", "name_en").iter_rows()}
    findings = homogeneity_findings(found, names=names, labels=_labels())
    return list(findings), {code: (names[code], firms[code]) for code in found.regions}, found


def _not_compared(why: Text) -> Finding:
    return Finding(
        unit="all", code="homogeneity.overall", title=Text("同质竞争", "Homogeneous competition"), state="unknown",
        sentence=Text(f"各地区的产业构成无法比较：{why.zh}", f"The mixes of regions cannot be compared: {why.en}"),
        varies=Text("没有数据", "no data"), missing=(why,),
        action=Text("装载多个产业、至少三个地区的登记册。", "Load a register of several industries and at least three regions."),
    )  # fmt: skip


def _no_carriers() -> Finding:
    return Finding(
        unit="all", code="idle.carriers", title=Text("载体闲置", "Idle carriers"), state="unknown",
        sentence=Text(
            "没有载体数据，或装载后还没有评估。", "There are no carriers, or they have not been assessed since they were loaded."
        ),
        varies=Text("没有数据", "no data"),
        missing=(Text("园区、楼宇及其单元、租户", "parks and buildings with their units and tenants"),),
        action=Text(
            "导入载体、单元和租约，再运行 jiqun parks assess。",
            "Import carriers, units and leases, then run jiqun parks assess.",
        ),
    )  # fmt: skip


def _trend(
    workspace: Workspace, loads: list[Any], request: DiagnoseRequest, progress: Progress
) -> tuple[Finding, pl.DataFrame]:
    """Whether regions grow more alike over the loads of the register."""
    common: dict[str, Any] = {
        "unit": "all",
        "code": "homogeneity.trend",
        "title": Text("同质化趋势", "Trend of homogeneity"),
    }
    varies = Text(
        "只比较每期都有的地区和产业；登记册收录范围的变化不在其中",
        "only regions and industries of every date are compared; a change in what the register covers is not in it",
    )
    told = pl.DataFrame(schema={"period": pl.String, "firms": pl.Int64, "similarity": pl.Float64, "expected": pl.Float64, "differentiation": pl.Float64, "slope": pl.Float64, "p": pl.Float64})  # fmt: skip
    if len(loads) > 1:
        gazetteer, by, parts = Gazetteer.load(workspace.cache), reader(workspace, "auto"), []
        for done, load in enumerate(loads):
            progress("earlier loads", done, len(loads))
            frame = classified(counted(workspace, load.id).collect(), by)
            if {"lon", "lat"} <= set(frame.columns):
                parts.append(_cells(frame, gazetteer)[0].with_columns(period=pl.lit(load.as_of.isoformat())))
        try:
            told = similarity_trend(pl.concat(parts), seed=request.seed)
        except MeasureInputError as error:
            if error.code != "JQ-ASSESS-080":
                raise
    slope, p = (told[name][0] if told.height else None for name in ("slope", "p"))
    if slope is None or p is None:
        return Finding(
            **common, state="unknown",
            sentence=Text(f"只有 {told.height} 个可比的时点，说不上趋势。", f"There are {told.height} dates that can be compared, too few for a trend."),
            varies=varies, evidence=told, missing=(Text(f"至少 {LEAST_PERIODS} 个不同日期的登记册", f"registers of at least {LEAST_PERIODS} dates"),),
            action=Text("每年装载一次登记册。", "Load the register every year."),
        ), told  # fmt: skip
    found = p < LEVEL and slope < 0
    return Finding(
        **common, state="found" if found else "not_found", severity="medium" if found else None, statistic=slope,
        measure=Text("每期分化度的变化", "change of differentiation a date"),
        sentence=Text(f"{told.height} 期的分化度每期变化 {slope:+.3f}(无趋势的 p = {p:.3f})。", f"Over {told.height} dates differentiation changed by {slope:+.3f} a date (p of no trend {p:.3f})."),
        varies=varies, evidence=told,
        action=Text("查明哪些产业在各地同时增长。", "Find out which industries grow everywhere at once.") if found else Text("无需行动。", "Nothing to do."),
    ), told  # fmt: skip


def _of_clusters(inputs: Inputs, request: DiagnoseRequest, progress: Progress) -> list[Finding]:
    """All findings of each cluster."""
    found: list[Finding] = []
    residuals = inputs.linkage()
    sectors, all_sectors = inputs.sectors
    linked, share = inputs.research
    mixed = not one_class(inputs.workspace)
    total = inputs.clusters.height
    sizes = {str(cluster): n for cluster, n in inputs.members.group_by("cluster_id").len().iter_rows()}
    nothing = {"firms": 0, "classed": 0, "virtual": 0, "making": 0}
    tags = inputs.tags
    indicators = (
        inputs.indicators
        if inputs.indicators is not None
        else pl.DataFrame(schema={"unit": pl.String, "indicator": pl.String, "year": pl.Int64, "value": pl.Float64})
    )
    asked = [check.indicator for check in checklist("governance").checks]
    indicators = indicators.filter(pl.col("indicator").is_in(asked))
    coming = {of.kind: inputs.coming(of.kind) for of in (SUPPLIERS, TECHNOLOGIES)}
    for done, row in enumerate(inputs.clusters.to_dicts()):
        unit, names = row["cluster_id"], (row["name_zh"], row["name_en"])
        found.append(governance_finding(unit, indicators, names=names, year=request.year))
        if inputs.given.frontier is not None:
            found.append(frontier_finding(unit, inputs.given.frontier, names=names))
        found.append(linkage_finding(unit, row, residuals.get(unit)))
        found.append(missing_kinds(unit, inputs.kinds.get(unit, {}), inputs.register_kinds, mixed=mixed))
        found.append(research_finding(unit, linked.get(unit, {}), register=inputs.register_kinds, share=share))
        found.append(virtual_finding(unit, sectors.get(unit, nothing | {"firms": sizes.get(unit, 0)}), all_sectors))
        for of in (SUPPLIERS, TECHNOLOGIES):
            links = coming[of.kind].get(unit, EMPTY)
            found.append(dependence_finding(unit, links, of, seed=request.seed))
        history = inputs.history.get(unit)
        empty = pl.DataFrame(schema={"as_of": pl.String, "industry": pl.String, "n": pl.Int64})
        found.append(lock_in_finding(unit, empty if history is None else history, seed=request.seed))
        here = tags[0].get(unit, {}) if tags else None
        found.append(balance_finding(unit, here, tags[1] if tags else None, members=sizes.get(unit, 0)))
        progress("clusters", done + 1, total)
    return found
