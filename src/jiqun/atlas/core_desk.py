"""Core industries over a workspace 核心产业占比服务: firms are judged once and stored; shares are read from that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.atlas.classes import SOURCES, reader
from jiqun.atlas.core_shares import BYS, PROXIES, SIZE, By, is_inside, listed_share, quoted_shares, rates_of, shares_of
from jiqun.atlas.operations import ClusterId, RegionCode
from jiqun.atlas.reading import READERS, RESERVED_SIZES, Run, Which, find_cluster, find_run, sees_all
from jiqun.atlas.regions import named
from jiqun.atlas.room import ROOM
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import WorkspaceError
from jiqun.core.frames import require_columns
from jiqun.core.lineage import Lineage
from jiqun.core.operation import Model
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted, in_review
from jiqun.intake.gazetteer import Gazetteer
from jiqun.store import Snapshot, StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON
from jiqun.taxonomy import EDITION
from jiqun.taxonomy.codes import DEFINITIONS, Definition

METHOD, VERSION, KIND = "atlas.core_share", "1", "core-share"
COUNT = "atlas.count_core"
EDITS: tuple[Role, ...] = ("operator", "analyst")
_REGION = "region"


def judge(actor: Actor, workspace: Workspace, *, progress: Progress = silent) -> StoredResult:
    """Judge under both definitions whether each firm that is loaded is in the digital economy, and store that 判定核心产业.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    """
    actor.require(COUNT, *EDITS)
    snapshot = workspace.snapshot("organisations")
    by = reader(workspace, "auto")
    parameters = {"taxonomy": EDITION, "text": by.on, "text_method": by.digest}
    lineage = Lineage(METHOD, VERSION, parameters, (snapshot.input,))
    if any(old.id == lineage.digest for old in workspace.results(KIND)):
        return workspace.put_result(KIND, lineage, {}, {})
    scan = counted(workspace, snapshot.id)
    there = scan.collect_schema().names()
    sizes = [c for c in SIZE.values() if c in there]
    frame = scan.select(
        "id", *dict.fromkeys(c for c in (*SOURCES, *sizes, "lon", "lat", "country") if c in there)
    ).collect()
    firms = {"id": frame["id"], _REGION: _regions(workspace, frame)}
    for done, definition in enumerate(DEFINITIONS):
        progress("core industries", done, len(DEFINITIONS))
        firms[definition] = is_inside(frame, definition, texts=by.on, models=by.models)
    progress("core industries", len(DEFINITIONS), len(DEFINITIONS))
    kept = pl.DataFrame(firms).with_columns(frame[c] for c in dict.fromkeys(sizes))
    return workspace.put_result(
        KIND, lineage, {"firms": kept}, {"firms": kept.height, "in_review": in_review(workspace, snapshot.id)}
    )


def _regions(workspace: Workspace, frame: pl.DataFrame) -> pl.Series:
    """Province or state of each firm as CN.30, by the gazetteer place nearest to it; else its country; else null."""
    found = pl.Series(_REGION, [None] * frame.height, dtype=pl.String)
    if {"lon", "lat"} <= set(frame.columns):
        placed = pl.Series(frame["lon"].is_not_null() & frame["lat"].is_not_null())
        at = frame.filter(placed)
        near = Gazetteer.load(workspace.cache).nearest(at["lon"], at["lat"])
        names = near.select(pl.format("{}.{}", "country", "admin1").fill_null(pl.col("country"))).to_series()
        rows = pl.Series(range(frame.height)).filter(placed)
        found = found.scatter(rows, names)
    if "country" in frame.columns:
        found = found.fill_null(frame["country"].cast(pl.String))
    return found


def judged(workspace: Workspace) -> StoredResult | None:
    """The current judgement, None where there is none yet."""
    return workspace.result(KIND)


@lru_cache(maxsize=4)
def _firms(folder: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(folder / "firms.parquet", glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError("JQ-STORE-016", path=folder) from error


def bys_of(firms: pl.DataFrame, *, full: bool) -> tuple[By, ...]:
    """The measures that a reader may have of some firms: those whose size is known of any, and is not reserved."""
    found: list[By] = []
    for by in BYS[:-1]:
        size = SIZE[by]
        if size is None or (size in firms.columns and firms[size].count() and (full or size not in RESERVED_SIZES)):
            found.append(by)
    return tuple(found)


def shares(
    result: StoredResult, *, full: bool, members: pl.Series | None = None, region: str | None = None, each: bool = False
) -> pl.DataFrame:
    """by, definition and the columns of `shares_of`: of all firms, of members, of a region; `each`: a row for every region."""
    firms = _chosen(result, members, region)
    parts = []
    for by in bys_of(firms, full=full):
        column = SIZE[by]
        size = firms[column].cast(pl.Float64) if column else pl.Series([1.0] * firms.height, dtype=pl.Float64)
        parts.append(_by_definition(firms, by, size, each=each))
    return pl.concat(parts)


def value_added(
    workspace: Workspace,
    result: StoredResult,
    rates: Mapping[str, float],
    *,
    members: pl.Series | None = None,
    each: bool = False,
) -> pl.DataFrame:
    """As `shares`, by value added 增加值: revenue times the caller's rates, over the same judgement and regions.

    Raises
    ------
    UsageError
        JQ-SHARE-001: a rate that is none.
    MeasureInputError
        JQ-USE-003: the register has no revenue.
    """
    firms, column = _chosen(result, members, None), "revenue_cny"
    require_columns(firms.columns, column)
    scan = workspace.scan("organisations", _snapshot(workspace, result).id)
    codes = [c for c in ("industry_code", "digital_code") if c in scan.collect_schema().names()]
    known = firms.join(scan.select("id", *codes).collect(), on="id", how="left", maintain_order="left")
    size = known[column].cast(pl.Float64) * rates_of(known, rates)
    return _by_definition(firms, "value_added", size, each=each)


def _snapshot(workspace: Workspace, result: StoredResult) -> Snapshot:
    """The register whose firms were judged, else what is loaded now."""
    digest = result.lineage.inputs[0].digest
    there = workspace.history("organisations")
    return next((one for one in there if one.digest == digest), None) or workspace.snapshot("organisations")


def _chosen(result: StoredResult, members: pl.Series | None, region: str | None) -> pl.DataFrame:
    firms = _firms(result.path)
    if members is not None:
        firms = firms.filter(pl.col("id").is_in(members.unique().implode()))
    if region is not None:
        inside = (pl.col(_REGION) == region) | pl.col(_REGION).str.starts_with(f"{region}.")
        firms = firms.filter(inside.fill_null(value=False))
    return firms


def _by_definition(firms: pl.DataFrame, by: By, size: pl.Series, *, each: bool) -> pl.DataFrame:
    parts = []
    for definition in DEFINITIONS:
        held = pl.DataFrame(
            {
                "group": firms[_REGION] if each else pl.Series([None] * firms.height, dtype=pl.String),
                "inside": firms[definition],
                "size": pl.select(pl.when(size > 0).then(size)).to_series(),
            }
        )
        head = [pl.lit(by).alias("by"), pl.lit(definition).alias("definition")]
        parts.append(shares_of(held, definition).select(*head, pl.all()))
    return pl.concat(parts)


def region_names(workspace: Workspace, result: StoredResult) -> dict[str, Text]:
    """What the regions of a judgement are called, by code: provinces and states, and countries where no more is known."""
    codes = _firms(result.path)[_REGION].drop_nulls().unique()
    gazetteer, found = Gazetteer.load(workspace.cache), dict[str, Text]()
    for level, held in (("region", codes.filter(codes.str.contains(".", literal=True))), ("country", codes)):
        part = held.filter(~held.is_in(list(found)))
        rows = named(pl.DataFrame({"region": part}), gazetteer, level).select("region", "name_zh", "name_en").rows()
        found |= {code: Text(zh, en) for code, zh, en in rows}
    return found


class SharesRequest(Which):
    """Shares of the core industries: of all firms, of one region, of one cluster, or of each region."""

    region: RegionCode | None = None
    cluster_id: ClusterId | None = None
    each: Annotated[bool, Field(description="a row for every region")] = False


class ShareRow(Model):
    """A share 占比 with its range. `group`: the region; `proxy`: it stands in for value added.

    `share` is null where too little is decided: narrow, less than half of the size; broad, less than all of it.
    """

    by: Literal["firms", "employees", "revenue"]
    proxy: bool
    definition: Definition
    group: str | None
    firms: int
    sized: int
    total: float
    core: float
    outside: float
    undecided: float
    share: float | None
    low: float | None
    high: float | None


class QuotedRow(Model):
    """A share as a published text gives it: not computed here. `low`: the text says “over”."""

    key: str
    what: Text
    value: float | None
    low: float | None
    year: str
    of: Text
    source: Text
    note: Text


class SharesAnswer(Model):
    """Shares under both definitions, and the quoted ones apart; `as_of` is null where nothing was counted yet."""

    as_of: str | None
    rows: tuple[ShareRow, ...]
    quoted: tuple[QuotedRow, ...]


class CountRequest(Model):
    """Judge the firms that are loaded now."""


class CountAnswer(Model):
    """The job that judges them."""

    job: str


class ListRequest(Model):
    """Clusters by name, as a list names them."""

    clusters: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=120)], ...], Field(min_length=1, max_length=200)
    ]
    definition: Definition = "narrow"


class ListedRow(Model):
    """What a cluster of the list is taken for, and the words that say so."""

    name: str
    answer: Literal["digital", "not", "undecided"]
    words: str | None


class ListAnswer(Model):
    """How many clusters of a list are digital 名录中的数字集群; `share` is null where too little is decided, as in `ShareRow`."""

    rows: tuple[ListedRow, ...]
    digital: int
    outside: int
    undecided: int
    share: float | None
    low: float | None
    high: float | None


@ROOM.operation("core_shares", "核心产业占比", "Shares of the core industries", roles=READERS)
def core_shares(actor: Actor, workspace: Workspace, request: SharesRequest) -> SharesAnswer:
    """Shares of the core digital industries by firms, persons and revenue, under both definitions, with their range."""
    quoted = tuple(QuotedRow(**vars(one)) for one in quoted_shares())
    result = judged(workspace)
    if result is None:
        return SharesAnswer(as_of=None, rows=(), quoted=quoted)
    members = None
    if request.cluster_id:
        run = find_run(workspace, Which(digital=request.digital, as_of=request.as_of, run=request.run))
        find_cluster(workspace, run, request.cluster_id)
        members = run.members(request.cluster_id)["id"]
    found = shares(result, full=sees_all(actor), members=members, region=request.region, each=request.each)
    rows = tuple(ShareRow(**row, proxy=row["by"] in PROXIES) for row in found.to_dicts())
    return SharesAnswer(as_of=result.lineage.inputs[0].as_of, rows=rows, quoted=quoted)


@ROOM.operation("core_list", "名录中的数字集群", "Digital clusters of a list", roles=READERS)
def core_list(_actor: Actor, workspace: Workspace, request: ListRequest) -> ListAnswer:
    """Which clusters of a list are digital, by their names; for codes and industries use the command line."""
    del workspace
    listed = pl.DataFrame({"name": list(request.clusters)})
    rows, told = listed_share(listed, definition=request.definition)
    counts: dict[str, Any] = {**told, "outside": told["not"]}
    counts.pop("not")
    return ListAnswer(rows=tuple(ListedRow(**row) for row in rows.drop("by").to_dicts()), **counts)


@ROOM.operation("count_core", "判定核心产业", "Judge the core industries", roles=EDITS, writes=True)
def count_core(actor: Actor, workspace: Workspace, request: CountRequest, *, key: str) -> CountAnswer:
    """Queue the judging of the firms that are loaded now.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    """
    del request
    workspace.snapshot("organisations")

    def queue(tx: Transaction) -> JSON:
        return {"job": tx.job(COUNT, {}, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(actor, key, COUNT, queue, request={}, subject=KIND)
    return CountAnswer(job=answer["job"])


def _count(workspace: Workspace, job: Job, report: Report) -> JSON:
    del job
    result = judge(LOCAL, workspace, progress=lambda step, done, total: report(step, done, total or 0))
    return {"result": result.id}


HANDLERS: Mapping[str, Handler] = {COUNT: _count}


def of_cluster(
    workspace: Workspace, run: Run, cluster_id: str, *, full: bool
) -> tuple[StoredResult, pl.DataFrame] | None:
    """The shares of a cluster with the judgement they rest on; None where there is none yet."""
    result = judged(workspace)
    return (result, shares(result, full=full, members=run.members(cluster_id)["id"])) if result else None


def of_region(workspace: Workspace, region: str, *, full: bool) -> tuple[StoredResult, pl.DataFrame] | None:
    """The shares of a region; None where there is no judgement yet."""
    result = judged(workspace)
    return (result, shares(result, full=full, region=region)) if result else None
