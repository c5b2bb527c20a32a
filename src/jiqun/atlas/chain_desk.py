"""Chains over a workspace 产业链服务: firms are placed once and stored; maps, gaps and candidates are read from that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from jiqun.accounts.mine import unpublished
from jiqun.atlas.chain_data import Chain
from jiqun.atlas.chain_places import PLACED, SOURCES, Places, place_firms
from jiqun.atlas.chain_records import KeptChain, find_chain, kept
from jiqun.atlas.chain_strength import ChainMap, candidates, chain_gaps, chain_map, shielded
from jiqun.atlas.industry_space import relatedness_density
from jiqun.atlas.reading import RESERVED_SIZES, Run, Which, current_links, find_cluster, find_run, sees_all
from jiqun.core.actor import Actor
from jiqun.core.errors import MeasureInputError, WorkspaceError
from jiqun.core.frames import require_columns
from jiqun.core.lineage import Lineage
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted, in_review
from jiqun.store import Snapshot, StoredResult, Workspace
from jiqun.taxonomy.lexicon import fingerprint

METHOD = "atlas.chain_map"
VERSION = "1"
SIZES = ("employees", "size")
"""What sizes firms unless said otherwise: the first that the register has and the reader may see."""
_DETAILS = ("name", "city", "place_name", "place_name_zh", "digital_code", "lon", "lat")


@dataclass(frozen=True)
class ChainView:
    """A chain as a reader sees it 产业链视图: of a cluster of a run, or (`run` None) of the whole register.

    `names` are those of the firms that are shown by name; `result` is what placed the firms.
    """

    kept: KeptChain
    result: StoredResult
    mapped: ChainMap
    gaps: pl.DataFrame
    run: Run | None
    cluster: dict[str, Any] | None
    full: bool
    hidden: frozenset[str]

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self.kept.chain

    @property
    def as_of(self) -> str:
        """Date of the register whose firms were placed."""
        return self.result.lineage.inputs[0].as_of

    @property
    def size(self) -> str | None:
        """The column that sizes firms; None: they count alike."""
        size: str | None = self.mapped.parameters["size"]
        return size


def kind_of(chain: str) -> str:
    """The kind of result that places firms on a chain."""
    return f"chain-{chain}"


def place(actor: Actor, workspace: Workspace, wanted: str, *, progress: Progress = silent) -> StoredResult:
    """Place the firms that are loaded now on a chain and store that 企业对照产业链; done once for equal input.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    UsageError
        JQ-CHAIN-010: there is no such chain.
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    """
    actor.require("atlas.place_chain", "operator", "analyst")
    chain = find_chain(workspace, wanted).chain
    snapshot = workspace.snapshot("organisations")
    parameters = {"chain": chain.id, "version": chain.version, "digest": chain.digest, "lexicon": fingerprint()}
    lineage = Lineage(METHOD, VERSION, parameters, (snapshot.input,))
    kind = kind_of(chain.id)
    if any(old.id == lineage.digest for old in workspace.results(kind)):
        return workspace.put_result(kind, lineage, {}, {})
    progress("chains", 0, 1)
    scan = counted(workspace, snapshot.id)
    there = scan.collect_schema().names()
    found = place_firms(chain, scan.select("id", *(c for c in SOURCES if c in there)).collect())
    progress("chains", 1, 1)
    counts = {row["state"]: row["len"] for row in found.states.group_by("state").len().to_dicts()}
    tables = {"at": found.at, "possible": found.possible, "states": found.states}
    return workspace.put_result(
        kind,
        lineage,
        tables,
        {"counts": counts, "placed": counts.get(PLACED, 0), "in_review": in_review(workspace, snapshot.id)},
    )


def placed(workspace: Workspace, chain: Chain) -> StoredResult | None:
    """What placed firms on this chain as it is now: of the register that is loaded, else of the latest one."""
    alike = [one for one in workspace.results(kind_of(chain.id)) if one.lineage.parameters["digest"] == chain.digest]
    loaded = workspace.history("organisations")
    digest = workspace.snapshot("organisations").digest if loaded else ""
    return next((one for one in alike if one.lineage.inputs[0].digest == digest), alike[0] if alike else None)


def stamp(workspace: Workspace) -> str:
    """Names all that a page may show of chains and core industries; it changes where any of it does."""
    placed_now = (placed(workspace, one.chain) for one in kept(workspace).values())
    core = workspace.result("core-share")
    return " ".join(result.id[:12] for result in (*placed_now, core) if result)


def places_of(result: StoredResult) -> Places:
    """The places of a stored result."""
    return _places(result.path)


@lru_cache(maxsize=4)
def _places(folder: Path) -> Places:
    try:
        return Places(
            *(pl.read_parquet(folder / f"{name}.parquet", glob=False) for name in ("at", "possible", "states"))
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError("JQ-STORE-016", path=folder) from error


def look(
    actor: Actor,
    workspace: Workspace,
    wanted: str,
    which: Which,
    cluster_id: str | None = None,
    *,
    size: str | None = None,
) -> ChainView:
    """A chain with the firms of a cluster, or of the whole register, as the actor may see it 看产业链.

    Raises
    ------
    UsageError
        JQ-CHAIN-010: there is no such chain; JQ-ATLAS-014, 018: no such cluster.
    WorkspaceError
        JQ-CHAIN-015: no firms were placed on it yet; JQ-ATLAS-013: no search has been run.
    MeasureInputError
        JQ-USE-003: the register has no such size, or the actor may not see it.
    """
    found = find_chain(workspace, wanted)
    result = placed(workspace, found.chain)
    if result is None:
        raise WorkspaceError("JQ-CHAIN-015", value=wanted)
    run = find_run(workspace, which) if cluster_id else None
    row = find_cluster(workspace, run, cluster_id) if run and cluster_id else None
    return view(workspace, found, result, run, row, full=sees_all(actor), size=size)


def view(
    workspace: Workspace,
    one: KeptChain,
    result: StoredResult,
    run: Run | None,
    row: dict[str, Any] | None,
    *,
    full: bool,
    size: str | None = None,
) -> ChainView:
    """As `look`, of a cluster that was found already; `full`: the reader may see sizes, and who is linked with whom."""
    places = places_of(result)
    members = run.members(row["cluster_id"])["id"] if run and row else None
    firms, size = _firms(workspace, result, members if members is not None else places.at["id"], size, full=full)
    links = current_links(workspace)
    ends = pl.scan_parquet(links.path, glob=False).select("source", "target").collect() if links else None
    mapped = chain_map(one.chain, firms, members, size=size, links=ends, places=places)
    if mapped.flows is not None and not full:
        mapped = replace(mapped, flows=shielded(mapped.flows, mapped.nodes))
    return ChainView(one, result, mapped, chain_gaps(mapped), run, row, full, unpublished(workspace))


def _snapshot(workspace: Workspace, result: StoredResult) -> Snapshot:
    """The register whose firms were placed, else what is loaded now."""
    digest = result.lineage.inputs[0].digest
    there = workspace.history("organisations")
    return next((one for one in there if one.digest == digest), None) or workspace.snapshot("organisations")


def _firms(
    workspace: Workspace, result: StoredResult, ids: pl.Series, size: str | None, *, full: bool
) -> tuple[pl.DataFrame, str | None]:
    """id, name and size of some firms, and what sizes them."""
    scan = workspace.scan("organisations", _snapshot(workspace, result).id)
    there = scan.collect_schema().names()
    seen = [c for c in there if full or c not in RESERVED_SIZES]
    if size is not None:
        require_columns(seen, size)
        if not scan.collect_schema()[size].is_numeric():
            raise MeasureInputError("JQ-ATLAS-016", column=size, type=scan.collect_schema()[size])
    size = size or next((c for c in SIZES if c in seen), None)
    wanted = scan.filter(pl.col("id").is_in(ids.unique().implode()))
    named = [c for c in _DETAILS if c in there]
    frame = wanted.select("id", *named, *([size] if size else [])).collect()
    if size and frame[size].null_count() == frame.height:
        return frame, None
    return frame, size


def firms_of(workspace: Workspace, shown: ChainView, ids: pl.Series) -> pl.DataFrame:
    """What is known of some firms by id: name, city, class, place, and the size that the view goes by."""
    return _firms(workspace, shown.result, ids, shown.size, full=shown.full)[0]


def find_candidates(workspace: Workspace, shown: ChainView, node: str, *, most: int = 100) -> pl.DataFrame:
    """Firms outside the view's cluster that stand at a node, with reasons; those not shown by name are left out.

    Their links count, and order them, only for a reader who may see who is linked with whom.

    Raises
    ------
    InputError
        JQ-CHAIN-014: the chain has no such node.
    """
    shown.chain.node(node)
    places = places_of(shown.result)
    here = places.at.filter((pl.col("node") == node) & ~pl.col("id").is_in(list(shown.hidden)))
    run, row = shown.run, shown.cluster
    members = run.members(row["cluster_id"])["id"] if run and row else pl.Series("id", [], dtype=pl.String)
    links = current_links(workspace)
    ends = pl.scan_parquet(links.path, glob=False).select("source", "target").collect() if links else None
    firms = _firms(
        workspace, shown.result, pl.concat([here["id"], members.cast(pl.String)]), shown.size, full=shown.full
    )[0]
    return candidates(
        Places(here, places.possible, places.states),
        node,
        firms,
        members,
        centre=(row["lon"], row["lat"]) if row else None,
        size=shown.size,
        links=ends if run and shown.full else None,
        relatedness=_density(run, row["cluster_id"]) if run and row else None,
        most=most,
    )


def _density(run: Run, cluster_id: str) -> pl.DataFrame | None:
    """How much of what is related to each class a cluster has, against the other clusters of its run."""
    cells = run.classes()
    if cells["cluster_id"].n_unique() < 2:
        return None
    found = relatedness_density(cells, region="cluster_id", industry="digital_code", size="n")
    return found.filter(pl.col("cluster_id") == cluster_id).select(industry="digital_code", density="density")
