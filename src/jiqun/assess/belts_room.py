"""Belts over a workspace 产业带服务与操作: what clusters have, from chains, facilities and links; looked for once and stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import Field

from jiqun.assess.belt_pairs import FACILITIES, LEVEL, MAX_KM, belts
from jiqun.assess.room import ROOM
from jiqun.atlas.chain_desk import placed, places_of
from jiqun.atlas.chain_records import kept
from jiqun.atlas.reading import READERS, Run, Which, current_links, find_run
from jiqun.atlas.sphere import EARTH_RADIUS_KM, unit_vectors
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import InputError, WorkspaceError
from jiqun.core.lineage import Lineage, Source
from jiqun.core.operation import Model
from jiqun.core.progress import Progress, silent
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

KIND, METHOD, VERSION = "belts", "assess.belts", "1"
FIND = "assess.find_belts"
EDITS: tuple[Role, ...] = ("operator", "analyst")
SEED = 20240501
_NEAREST_KM = 5.0
"""A facility lies in a cluster within its radius, or this where that is smaller."""
_HAS = {"cluster_id": pl.String, "chain": pl.String, "item": pl.String}
KINDS = {
    "data-centre": Text("数据中心", "data centre"),
    "computing": Text("算力", "computing power"),
    "5g": Text("5G", "5G"),
    "industrial-internet": Text("工业互联网", "industrial internet"),
    "laboratory": Text("实验室", "laboratory"),
    "test-line": Text("中试线", "test line"),
    "equipment": Text("共享设备", "shared equipment"),
    "platform": Text("平台", "platform"),
}


@dataclass(frozen=True)
class _Had:
    """What clusters have, what they may have, how things are called, and what that was read from."""

    has: pl.DataFrame
    possible: pl.DataFrame
    names: pl.DataFrame
    inputs: tuple[Source, ...]


def find(
    actor: Actor,
    workspace: Workspace,
    *,
    which: Which | None = None,
    max_km: float = MAX_KM,
    level: float = LEVEL,
    progress: Progress = silent,
) -> StoredResult:
    """Look for belts among the clusters of a run and store them 识别产业带; done once for equal input.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-ATLAS-013: no search for clusters has been run.
    InputError
        JQ-ASSESS-124: nothing is known of what clusters have.
    """
    actor.require(FIND, *EDITS)
    run = find_run(workspace, which or Which())
    had = _had(workspace, run)
    if had.has.is_empty():
        raise InputError("JQ-ASSESS-124")
    parameters = {"run": run.id, "max_km": max_km, "level": level, "seed": SEED}
    lineage = Lineage(METHOD, VERSION, parameters, (*run.result.lineage.inputs[:1], *had.inputs))
    if any(old.id == lineage.digest for old in workspace.results(KIND)):
        return workspace.put_result(KIND, lineage, {}, {})
    progress("compare", 0, 1)
    table = run.clusters
    found = belts(
        table, had.has, possible=had.possible, links=_links(workspace, run), max_km=max_km, level=level, seed=SEED
    )
    progress("compare", 1, 1)
    sizes = had.has.group_by("cluster_id").agg(items=pl.len().cast(pl.Int64))
    clusters = table.select("cluster_id", "name_zh", "name_en", "lon", "lat", "firms")
    clusters = clusters.join(sizes, on="cluster_id", how="left", maintain_order="left").join(
        found.communities, on="cluster_id", how="left", maintain_order="left"
    )
    adds = found.adds.join(had.names, on=["chain", "item"], how="left", maintain_order="left")
    values: dict[str, Any] = {
        "clusters": found.clusters, "items": found.items, "pairs": found.pairs.height, "draws": found.draws,
        "max_km": max_km, "level": level, "beyond": int((found.pairs["q"] <= level).sum()),
        "belts": found.communities["belt"].n_unique() - int(found.communities["belt"].null_count() > 0),
        "digital": run.digital,
    }  # fmt: skip
    tables = {"pairs": found.pairs, "adds": adds, "clusters": clusters.with_columns(pl.col("items").fill_null(0))}
    return workspace.put_result(KIND, lineage, tables, values)


def _had(workspace: Workspace, run: Run) -> _Had:
    """Nodes of chains where members stand, and facilities within the clusters."""
    members = run.table("members").filter(pl.col("cluster_id").is_not_null()).select("id", "cluster_id")
    has, may, names, inputs = [pl.DataFrame(schema=_HAS)], [pl.DataFrame(schema=_HAS)], [], []
    for one in kept(workspace).values():
        result = placed(workspace, one.chain)
        if result is None:
            continue
        places, title = places_of(result), one.chain
        inputs.append(Source(result.kind, result.id, result.lineage.inputs[0].as_of))
        for rows, into in ((places.at, has), (places.possible, may)):
            held = rows.select("id", "node").join(members, on="id").select("cluster_id", item="node").unique()
            into.append(held.select("cluster_id", pl.lit(one.chain.id).alias("chain"), "item"))
        names += [
            (one.chain.id, node.id, title.title.zh, title.title.en, node.title.zh, node.title.en)
            for node in one.chain.nodes
        ]
    loaded = next((snapshot for snapshot in workspace.tables() if snapshot.table == "facilities"), None)
    if loaded is not None:
        inputs.append(loaded.input)
        has.append(_facilities(workspace.scan("facilities").collect(), run.clusters))
        shared = Text("共享设施", "shared facilities")
        names += [(FACILITIES, kind, shared.zh, shared.en, name.zh, name.en) for kind, name in KINDS.items()]
    if (links := current_links(workspace)) is not None:
        inputs.append(links.input)
    columns = ("chain", "item", "chain_zh", "chain_en", "item_zh", "item_en")
    named = pl.DataFrame(names, schema=dict.fromkeys(columns, pl.String), orient="row")
    return _Had(pl.concat(has).unique(), pl.concat(may).unique(), named, tuple(inputs))


def _facilities(rows: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Kinds of facilities within each cluster: the nearest one whose radius holds the facility."""
    if not {"lon", "lat", "kind"} <= set(rows.columns) or clusters.is_empty():
        return pl.DataFrame(schema=_HAS)
    rows = rows.drop_nulls(["lon", "lat", "kind"])
    centres = unit_vectors(clusters["lon"].to_numpy(), clusters["lat"].to_numpy())
    reach = np.maximum(clusters["radius_km"].fill_null(0.0).to_numpy(), _NEAREST_KM)
    at = unit_vectors(rows["lon"].to_numpy(), rows["lat"].to_numpy()).T
    found = np.full(rows.height, -1)
    for start in range(0, rows.height, 1000):
        chord = np.sqrt(np.maximum(2 - 2 * at[start : start + 1000] @ centres, 0))
        km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1, chord / 2))
        km[km > reach] = np.inf
        near = km.argmin(axis=1)
        found[start : start + 1000] = np.where(np.isfinite(km[np.arange(len(km)), near]), near, -1)
    inside = rows.with_columns(at=pl.Series(found)).filter(pl.col("at") >= 0)
    return pl.DataFrame(
        {
            "cluster_id": clusters["cluster_id"].gather(inside["at"]),
            "chain": [FACILITIES] * inside.height,
            "item": inside["kind"],
        },
        schema=_HAS,
    ).unique()


def _links(workspace: Workspace, run: Run) -> pl.DataFrame | None:
    """Links between members of two clusters, named by id or by a name that only one bears."""
    links = current_links(workspace)
    if links is None:
        return None
    members = run.table("members").filter(pl.col("cluster_id").is_not_null())
    ids = members.select("cluster_id", key="id")
    if "name" in members.columns:
        names = members.filter(pl.col("name").is_unique()).select("cluster_id", key="name")
        ids = pl.concat([ids, names.filter(~pl.col("key").is_in(ids["key"].implode()))])
    rows = pl.scan_parquet(links.path, glob=False).select("source", "target")
    rows = rows.join(ids.lazy(), left_on="source", right_on="key").join(
        ids.lazy(), left_on="target", right_on="key", suffix="_b"
    )
    rows = rows.filter(pl.col("cluster_id") != pl.col("cluster_id_b"))
    return rows.group_by(a="cluster_id", b="cluster_id_b").agg(links=pl.len().cast(pl.Int64)).collect()


def found_belts(workspace: Workspace) -> StoredResult:
    """The belts that were looked for last.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-123: none were.
    """
    result = workspace.result(KIND)
    if result is None:
        raise WorkspaceError("JQ-ASSESS-123")
    return result


class BeltsRequest(Model):
    """The belts that were looked for last; pairs the least likely first."""

    limit: Annotated[int, Field(ge=1, le=500, description="most pairs")] = 50


class AddRow(Model):
    """What one of a pair adds 互补内容; `possible`: the other may have it without it being known (null: not known)."""

    giver: str
    taker: str
    chain: str
    item: str
    name: Text
    possible: bool | None


class PairRow(Model):
    """Two clusters 互补集群对. `score`: what only one of them has; `expected`: by chance; `q`: p for all pairs at once."""

    a: str
    b: str
    a_name: Text
    b_name: Text
    km: float
    links: int
    a_adds: int
    b_adds: int
    shared: int
    score: int
    expected: float
    z: float | None
    p: float
    q: float
    adds: tuple[AddRow, ...]


class BeltRow(Model):
    """A belt 产业带: clusters joined by pairs that complement each other more than chance expects."""

    belt: int
    clusters: tuple[str, ...]
    names: tuple[Text, ...]
    firms: int


class BeltsAnswer(Model):
    """Belts and pairs; `beyond`: pairs whose q is at most `level`."""

    id: str
    as_of: str
    max_km: float
    level: float
    draws: int
    total: int
    beyond: int
    pairs: tuple[PairRow, ...]
    belts: tuple[BeltRow, ...]


class FindRequest(Model):
    """Look for belts among the clusters that were found last."""

    max_km: Annotated[float, Field(ge=0, le=20_000, description="clusters farther apart count only where linked")] = (
        MAX_KM
    )


class FindAnswer(Model):
    """The job that looks for them."""

    job: str


@ROOM.operation("belts", "产业带", "Industry belts", roles=READERS)
def belts_(_actor: Actor, workspace: Workspace, request: BeltsRequest) -> BeltsAnswer:
    """Pairs of clusters of which one has what the other lacks, against random pairs, and the belts that they form.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-123: none were looked for.
    """
    result = found_belts(workspace)
    values: Any = result.values
    clusters = result.table("clusters")
    names = {row["cluster_id"]: Text(row["name_zh"], row["name_en"]) for row in clusters.to_dicts()}
    pairs = result.table("pairs").head(request.limit)
    adds = result.table("adds").join(pairs.select("a", "b"), on=["a", "b"], how="semi", maintain_order="left")
    told: dict[tuple[str, str], list[AddRow]] = {}
    for row in adds.to_dicts():
        told.setdefault((row["a"], row["b"]), []).append(
            AddRow(
                **{name: row[name] for name in ("giver", "taker", "chain", "item", "possible")},
                name=Text(row["item_zh"] or row["item"], row["item_en"] or row["item"]),
            )
        )
    return BeltsAnswer(
        id=result.id,
        as_of=result.lineage.inputs[0].as_of,
        max_km=values["max_km"],
        level=values["level"],
        draws=values["draws"],
        total=values["pairs"],
        beyond=values["beyond"],
        pairs=tuple(
            PairRow(
                **row, a_name=names[row["a"]], b_name=names[row["b"]], adds=tuple(told.get((row["a"], row["b"]), ()))
            )
            for row in pairs.to_dicts()
        ),
        belts=tuple(_belts(clusters, names)),
    )


def _belts(clusters: pl.DataFrame, names: Mapping[str, Text]) -> Iterable[BeltRow]:
    for (belt,), part in (
        clusters.drop_nulls("belt").sort("belt").partition_by("belt", as_dict=True, maintain_order=True).items()
    ):
        ids = tuple(part.sort("firms", "cluster_id", descending=[True, False])["cluster_id"])
        yield BeltRow(
            belt=int(str(belt)), clusters=ids, names=tuple(names[one] for one in ids), firms=int(part["firms"].sum())
        )


@ROOM.operation("find_belts", "识别产业带", "Look for belts", roles=EDITS, writes=True)
def find_belts(actor: Actor, workspace: Workspace, request: FindRequest, *, key: str) -> FindAnswer:
    """Queue the search for belts among the clusters that were found last.

    Raises
    ------
    WorkspaceError
        JQ-ATLAS-013: no search for clusters has been run.
    """
    find_run(workspace, Which())
    asked = request.model_dump(mode="json")

    def queue(tx: Transaction) -> JSON:
        return {"job": tx.job(FIND, asked, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(actor, key, FIND, queue, request=asked, subject=KIND)
    return FindAnswer(job=answer["job"])


def _find(workspace: Workspace, job: Job, report: Report) -> JSON:
    asked = FindRequest.model_validate(job.payload)
    result = find(
        LOCAL, workspace, max_km=asked.max_km, progress=lambda step, done, total: report(step, done, total or 0)
    )
    return {"kind": result.kind, "result": result.id, "pairs": result.table("pairs").height}


HANDLERS: Mapping[str, Handler] = {FIND: _find}
