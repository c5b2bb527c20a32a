"""The network's service layer 网络服务: what command line, worker and pages call. Checks the actor, stamps lineage, stores."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from jiqun.atlas.classes import classified, reader
from jiqun.atlas.cluster_types import cluster_type, industry_scores
from jiqun.atlas.graphs import EXACT, NAMES, SMALL_NETWORK, Network, directed_kinds, edges, network
from jiqun.atlas.gravity import RESULT, Residuals, linkage_residual
from jiqun.atlas.identity import succeed
from jiqun.atlas.leaders import CRITERIA, chain_leaders, dependence
from jiqun.atlas.network_clusters import Filter, NetworkClusters, find_network_clusters, places, reach
from jiqun.atlas.partition import FEWEST_SEEDS, Quality
from jiqun.atlas.positions import (
    betweenness,
    brokerage,
    constraint,
    core_periphery,
    pagerank,
    reciprocity,
    strengths,
)
from jiqun.atlas.reading import READERS, current_links, kind_of
from jiqun.atlas.tie_changes import tie_changes
from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.frames import require_columns
from jiqun.core.lineage import Lineage, Source, canonical_json
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted, in_review
from jiqun.store import Snapshot, StoredResult, Workspace
from jiqun.store.database import table

KIND = "network"
METHOD, VERSION = "atlas.network", "3"
SIZES = ("employees", "revenue_cny", "size", "registered_capital_cny")
"""What sizes a firm where nobody says: the first of these that most firms have."""
TOP = 5
"""Ranks of chain leaders that are kept for each cluster."""
_SURVEY = "x_survey"
_LISTED = (
    "id", "name", "name_en", "short_name", "former_names", "uscc", "source_id", "lon", "lat", "digital_code",
    "classified_by", *SIZES,
)  # fmt: skip


@dataclass(frozen=True)
class Analysis:
    """What to look at, and how; the defaults are those of the functions that do it.

    `kinds` empty: all; `weights` as (kind, λ). `digital`: the class whose clusters on the map are looked at. `response`: share
    that answered where the links come from a survey that was not held here. `size`: column that sizes firms, None: the first
    that most have. `before`: the load of the links to compare with, None: the one before.
    """

    kinds: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    filter: Filter = "auto"
    filter_alpha: float = 0.05
    quality: Quality = "modularity"
    resolution: float | None = None
    seeds: int = FEWEST_SEEDS
    nulls: int | None = None
    alpha: float = 0.05
    eps_km: float = 20.0
    digital: str | None = None
    size: str | None = None
    response: float | None = None
    least_response: float = 0.6
    draws: int = 199
    before: int | None = None
    seed: int = 20240501


@dataclass(frozen=True)
class _Inputs:
    """What an analysis reads."""

    links: Snapshot
    before: Snapshot | None
    organisations: Snapshot | None
    clusters: StoredResult | None
    survey: StoredResult | None
    crosswalk: pl.DataFrame
    sources: tuple[Source, ...] = field(default=())


def run(actor: Actor, workspace: Workspace, analysis: Analysis, *, progress: Progress = silent) -> StoredResult:
    """Analyse the links that are loaded and store what comes of it 网络分析.

    Stored tables: `nodes`, `links` (those searched), `kinds`, `clusters`, `members`, `died`, `sweep`, `leaders`, `residuals`
    and `types` (clusters on the map, and on the network), `changes`. The same analysis of the same inputs is not computed
    twice.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-NETWORK-003: no links are loaded.
    UsageError, MeasureInputError
        JQ-NETWORK-006: no such kind; JQ-USE-001: no such load; JQ-USE-003: no such size; as `find_network_clusters`.
    """
    actor.require("atlas.network_run", "operator", "analyst")
    inputs = _read(workspace, analysis)
    by = reader(workspace, "auto")
    parameters = {name: _plain(getattr(analysis, name)) for name in analysis.__dataclass_fields__}
    parameters |= {"text_method": by.digest}
    runs = workspace.results(KIND)
    alike = [old for old in runs if dict(old.lineage.parameters) == parameters]
    for old in alike:
        if old.lineage.version == VERSION and old.lineage.inputs[: len(inputs.sources)] == inputs.sources:
            return workspace.put_result(KIND, old.lineage, {}, {})
    previous = alike[0] if alike else None
    sources = inputs.sources
    if previous:
        sources = (*sources, Source("previous analysis", previous.id, previous.lineage.inputs[0].as_of))
    organisations = None
    if inputs.organisations is not None:
        listed = classified(counted(workspace, inputs.organisations.id).collect(), by)
        organisations = listed.select(column for column in (*_LISTED, analysis.size) if column in listed.columns)
    links = workspace.scan("links", inputs.links.id).collect()
    found = find_network_clusters(
        links, organisations, crosswalk=inputs.crosswalk, kinds=analysis.kinds or None, weights=dict(analysis.weights),
        filter=analysis.filter, filter_alpha=analysis.filter_alpha, quality=analysis.quality,
        resolution=analysis.resolution, seeds=analysis.seeds, nulls=analysis.nulls, alpha=analysis.alpha,
        eps_km=analysis.eps_km, seed=analysis.seed, progress=progress,
    )  # fmt: skip
    unasked = _response_unknown(links, analysis.kinds, inputs.survey)
    told = _Told(analysis, inputs, found, organisations, _size(analysis, organisations), workspace, unasked)
    tables, values = told.all(previous, runs, progress)
    return workspace.put_result(KIND, Lineage(METHOD, VERSION, parameters, sources), tables, values)


def current(actor: Actor, workspace: Workspace, run_id: str | None = None) -> StoredResult:
    """A stored analysis: the current one, or that whose id starts with `run_id`.

    Raises
    ------
    WorkspaceError
        JQ-NETWORK-004: none was run yet.
    """
    actor.require("atlas.network", *READERS)
    result = workspace.result(KIND, run_id)
    if result is None:
        raise WorkspaceError("JQ-NETWORK-004")
    return result


def _response_unknown(links: pl.DataFrame, kinds: tuple[str, ...], survey: StoredResult | None) -> bool:
    """Whether some of the links were reported in a survey of which it is not known here who answered."""
    if "reported_by" not in links.columns:
        return False
    reported = links.filter(pl.col("reported_by").is_not_null())
    if kinds:
        reported = reported.filter(pl.col("kind").is_in(list(kinds)))
    if survey is not None:
        reported = reported.filter(pl.col(_SURVEY).ne_missing(pl.lit(survey.lineage.parameters["survey"])))
    return reported.height > 0


def check(workspace: Workspace, analysis: Analysis) -> None:
    """Refuse, before any work, an analysis that cannot be run; as `run`."""
    _read(workspace, analysis)
    if analysis.size is not None and workspace.history("organisations"):
        require_columns(workspace.scan("organisations").collect_schema().names(), analysis.size)


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _read(workspace: Workspace, analysis: Analysis) -> _Inputs:
    links = current_links(workspace)
    if links is None:
        raise WorkspaceError("JQ-NETWORK-003")
    there = set(workspace.scan("links", links.id).select(pl.col("kind").unique()).collect()["kind"])
    for kind in (*analysis.kinds, *(name for name, _ in analysis.weights)):
        if kind not in there:
            raise UsageError("JQ-NETWORK-006", value=kind, known=", ".join(sorted(map(str, there))))
    loads = workspace.history("links")
    earlier = [load for load in loads if load.as_of < links.as_of]
    if analysis.before is not None:
        earlier = [load for load in loads if load.load == analysis.before]
        if not earlier:
            known = ", ".join(str(load.load) for load in loads)
            raise UsageError("JQ-USE-001", what="load", value=analysis.before, known=known)
    before = earlier[0] if earlier else None
    organisations = workspace.snapshot("organisations") if workspace.history("organisations") else None
    clusters = workspace.result(kind_of(analysis.digital))
    survey = None
    if _SURVEY in workspace.scan("links", links.id).collect_schema().names():
        held = set(workspace.scan("links", links.id).select(pl.col(_SURVEY).unique()).collect()[_SURVEY])
        published = workspace.results("survey-links")
        survey = next((one for one in published if one.lineage.parameters.get("survey") in held), None)
    crosswalk = other_identifiers(workspace)
    sources = [links.input]
    sources += [before.input] if before else []
    sources += [organisations.input] if organisations else []
    sources += [Source(result.kind, result.id) for result in (clusters, survey) if result]
    sources += _crosswalk_source(crosswalk)
    return _Inputs(links, before, organisations, clusters, survey, crosswalk, tuple(sources))


def _crosswalk_source(crosswalk: pl.DataFrame) -> list[Source]:
    pairs = [list(pair) for pair in crosswalk.iter_rows()]
    return [Source("crosswalk", hashlib.sha256(canonical_json(pairs)).hexdigest())] if pairs else []


def directed_links(workspace: Workspace, result: StoredResult) -> pl.DataFrame | None:
    """source, target: ids of the organisations that a kind of link with direction joins in a stored analysis, each way once.

    The stored `links` join all kinds, those without direction in both directions, and may be filtered; so these are read
    anew. None where the workspace no longer has what was read then.
    """
    inputs = result.lineage.inputs
    crosswalk = other_identifiers(workspace)
    # the first is of the links that were looked at; another may be of those before
    links = next((load for load in workspace.history("links") if load.input == inputs[0]), None)
    register = next((load for load in workspace.history("organisations") if load.input in inputs), None)
    then = [source for source in inputs if source.name == "crosswalk"]
    if links is None or register is None or then != _crosswalk_source(crosswalk):
        return None
    kinds = directed_kinds(result.table("kinds")["kind"])
    listed = counted(workspace, register.id)
    called = [name for name in (*EXACT, *NAMES[0], *NAMES[1]) if name in listed.collect_schema()]
    net = network(
        workspace.scan("links", links.id).collect(), listed.select(called).collect(), crosswalk=crosswalk, kinds=kinds
    )
    ids = net.nodes.select("node", "id").drop_nulls()
    return (
        net.kinds.join(ids.rename({"node": "source", "id": "from"}), on="source")
        .join(ids.rename({"node": "target", "id": "to"}), on="target")
        .select(source="from", target="to")
        .unique()
        .sort("source", "target")
    )


def other_identifiers(workspace: Workspace) -> pl.DataFrame:
    """value, organisation: other identifiers of organisations, sorted 编号对照."""
    walk = table("crosswalk")
    with workspace.database.read() as connection:
        pairs = connection.execute(sa.select(walk.c.value, walk.c.organisation).order_by(walk.c.value)).all()
    schema = {"value": pl.String, "organisation": pl.String}
    return pl.DataFrame([tuple(pair) for pair in pairs], schema=schema, orient="row")


def _size(analysis: Analysis, organisations: pl.DataFrame | None) -> str | None:
    if organisations is None:
        return None
    if analysis.size is not None:
        require_columns(organisations.columns, analysis.size)
        return analysis.size
    half = organisations.height / 2
    fit = (name for name in SIZES if name in organisations.columns and organisations[name].count() >= half)
    return next(fit, None)


@dataclass(frozen=True)
class _Told:
    """One analysis, from what was found on the network to the tables that are stored."""

    analysis: Analysis
    inputs: _Inputs
    found: NetworkClusters
    organisations: pl.DataFrame | None
    size: str | None
    workspace: Workspace
    unasked: bool

    @property
    def net(self) -> Network:
        return self.found.network

    def all(
        self, previous: StoredResult | None, runs: tuple[StoredResult, ...], progress: Progress
    ) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
        """Tables and values."""
        progress("positions", 0, 1)
        next_number = max((int(str(old.values["next_number"])) for old in runs), default=1)
        weighed = self.found.members.select("cluster", id=pl.coalesce("id", "name"), weight=pl.lit(1.0))
        before = None
        if previous:
            old = previous.table("members")
            before = old.select("cluster_id", id=pl.coalesce("id", "name"), weight=pl.lit(1.0))
        succession = succeed(weighed, before, next_number=next_number, prefix="n")
        ids = succession.current.select("cluster", "cluster_id", "event", "previous")
        clusters = self.found.table.join(ids, on="cluster", how="left", maintain_order="left")
        members = self.found.members.join(ids.select("cluster", "cluster_id"), on="cluster", maintain_order="left")
        nodes, values = self.nodes(members)
        progress("positions", 1, 1)
        groups = self.on_the_map()
        residuals = self.residuals(groups, progress)
        leaders = pl.concat(
            [
                self.leaders("map", groups.select("cluster_id", "id"), nodes),
                self.leaders("network", members.select("cluster_id", "id"), nodes),
            ]
        )
        types = pl.concat(
            [
                self.types("map", groups.select("cluster_id", "id")),
                self.types("network", members.select("cluster_id", "id", "node")),
            ],
            how="diagonal",
        )
        clusters = clusters.join(
            types.filter(pl.col("scope") == "network").select("cluster_id", "label", "form", "digital_cluster"),
            on="cluster_id", how="left", maintain_order="left",
        ).select("cluster_id", pl.exclude("cluster_id", "cluster"))  # fmt: skip
        changed = self.changes()
        tables = {
            "nodes": nodes,
            "links": self.found.searched.links,
            "kinds": self.kinds(),
            "clusters": clusters,
            "members": members.select("cluster_id", "node", "id", "name"),
            "died": pl.DataFrame({"cluster_id": list(succession.died)}, schema={"cluster_id": pl.String}),
            "sweep": self.found.found.sweep,
            "leaders": leaders,
            "residuals": residuals.table,
            "types": types,
            "changes": changed[0],
        }
        summed: dict[str, Any] = {
            **self.net.counted, "nodes": self.net.size, "links": self.net.links.height, "searched": self.found.kept,
            "filtered": self.found.filtered, "clusters": clusters.height, "next_number": succession.next_number,
            "previous": previous.id if previous else None, "size": self.size, "weights": dict(self.net.weights),
            "survey": self.inputs.survey.id if self.inputs.survey else None,
            "map_run": self.inputs.clusters.id if self.inputs.clusters else None,
        }  # fmt: skip
        if residuals.model is not None:
            model = residuals.model
            summed["gravity"] = {
                "names": list(model.names), "coefficients": list(model.coefficients), "firms": model.firms,
                "pairs": model.pairs, "linked": model.linked, "sampled": model.sampled, "exact": model.exact,
                "dropped": model.dropped,
            }  # fmt: skip
        register = self.inputs.organisations
        waiting = in_review(self.workspace, register.id) if register else 0
        return tables, summed | values | self.partition() | {"changes": changed[1], "in_review": waiting}

    def partition(self) -> dict[str, Any]:
        """What was found of communities, in numbers."""
        found = self.found.found
        return {
            "resolution": found.resolution, "quality": found.quality, "null_quality": found.null_quality, "p": found.p,
            "nulls": found.nulls, "agreement": found.agreement, "rounds": found.rounds, "converged": found.converged,
            "communities": int((found.table["nodes"] > 1).sum()),
        }  # fmt: skip

    def nodes(self, members: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
        """Every node with its numbers, and what is said of the network as a whole."""
        n = self.net.size
        source, target, weight = self.net.arrays()
        seen_source, seen_target, _ = self.found.searched.arrays()
        between = betweenness(n, seen_source, seen_target, seed=self.analysis.seed)
        draws = 199 if source.size <= SMALL_NETWORK else 19
        core = core_periphery(n, source, target, draws=draws, seed=self.analysis.seed)
        ways = (
            self.net.kinds.filter(pl.col("kind").is_in(directed_kinds(self.net.weights)))
            .select("source", "target")
            .unique()
        )
        returned = reciprocity(n, ways["source"].to_numpy(), ways["target"].to_numpy())
        frame = self.net.nodes.with_columns(
            community=pl.Series(self.found.found.labels),
            pagerank=pl.Series(pagerank(n, source, target, weight)),
            betweenness=pl.Series(between.value),
            betweenness_error=pl.lit(None, pl.Float64) if between.error is None else pl.Series(between.error),
            constraint=pl.Series(constraint(n, source, target, weight)).fill_nan(None),
            core=pl.Series(core.core),
            core_undecided=pl.Series(core.undecided),
        ).hstack(strengths(n, source, target, weight))
        frame = frame.hstack(brokerage(n, source, target, self.found.found.labels))
        supply = self.net.kinds.filter(pl.col("kind") == "supply")
        frame = frame.hstack(dependence(n, *(supply[name].to_numpy() for name in ("source", "target", "weight"))))
        if self.organisations is not None and self.size is not None:
            sizes = self.organisations.select("id", size=pl.col(self.size).cast(pl.Float64)).unique("id")
            frame = frame.join(sizes, on="id", how="left", maintain_order="left")
        else:
            frame = frame.with_columns(size=pl.lit(None, pl.Float64))
        frame = frame.join(members.select("node", "cluster_id"), on="node", how="left", maintain_order="left")
        values = {
            "betweenness": {"sources": between.sources, "bound": between.bound},
            "core": {
                "size": int(core.core.sum()), "undecided": int(core.undecided.sum()), "misfits": core.misfits,
                "correlation": core.correlation, "p": core.p, "draws": core.draws,
            },
            "reciprocity": {
                "links": returned.links, "returned": returned.returned, "density": returned.density,
                "share": returned.share, "rho": returned.rho,
            },
        }  # fmt: skip
        return frame, values

    def kinds(self) -> pl.DataFrame:
        """kind, pairs, weight, firms, factor: each kind by itself."""
        return (
            self.net.kinds.group_by("kind")
            .agg(
                pairs=pl.len().cast(pl.Int64),
                weight=pl.col("weight").sum(),
                firms=pl.concat([pl.col("source"), pl.col("target")]).n_unique().cast(pl.Int64),
            )
            .with_columns(factor=pl.col("kind").replace_strict(dict(self.net.weights), default=1.0))
            .sort("pairs", "kind", descending=[True, False])
        )

    def on_the_map(self) -> pl.DataFrame:
        """cluster_id, id: members of the clusters on the map, of the run that was the current one."""
        if self.inputs.clusters is None:
            return pl.DataFrame(schema={"cluster_id": pl.String, "id": pl.String})
        return self.inputs.clusters.table("members").select("cluster_id", "id")

    def residuals(self, groups: pl.DataFrame, progress: Progress) -> Residuals:
        """Linkage of the clusters on the map against gravity; `group` becomes `cluster_id`."""
        empty = pl.DataFrame(schema={"cluster_id": pl.String, **{k: v for k, v in RESULT.items() if k != "group"}})
        if self.organisations is None or groups.is_empty():
            return Residuals(empty, None, "no clusters")
        names = groups.select(pl.col("cluster_id").unique().sort()).with_row_index("group")
        numbered = groups.join(names, on="cluster_id").select("id", pl.col("group").cast(pl.Int64)).unique("id")
        firms = self.organisations.unique("id", maintain_order=True).join(
            numbered, on="id", how="left", maintain_order="left"
        )
        if self.inputs.survey is not None and not self.unasked:
            asked = self.inputs.survey.table("nodes").select(id="organisation", responded="responded").unique("id")
            firms = firms.join(asked, on="id", how="left", maintain_order="left")
        ids = self.net.nodes.select("node", "id")
        links = (
            self.net.links.join(ids.rename({"node": "source", "id": "from"}), on="source")
            .join(ids.rename({"node": "target", "id": "to"}), on="target")
            .drop_nulls(["from", "to"])
            .select("weight", source="from", target="to")
        )
        found = linkage_residual(
            firms, links, size=self.size, response=self.analysis.response, least_response=self.analysis.least_response,
            surveyed=self.unasked, draws=self.analysis.draws, seed=self.analysis.seed, progress=progress,
        )  # fmt: skip
        named = found.table.join(names.with_columns(pl.col("group").cast(pl.Int64)), on="group", maintain_order="left")
        return Residuals(named.select("cluster_id", pl.exclude("cluster_id", "group")), found.model, found.reason)

    def leaders(self, scope: str, groups: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
        """The first ranks of each cluster, with every number."""
        columns = ("id", "name", *CRITERIA, "customers", "customers_half", "suppliers", "suppliers_half")
        told = nodes.drop_nulls("id").select(columns)
        members = groups.drop_nulls("id").select("cluster_id", "id").unique().join(told, on="id")
        ranked = chain_leaders(members, by="cluster_id", top=TOP).group_by("cluster_id", maintain_order=True)
        return ranked.head(4 * TOP).select(pl.lit(scope).alias("scope"), "cluster_id", "rank", *columns)

    def types(self, scope: str, groups: pl.DataFrame) -> pl.DataFrame:
        """The two scores of each cluster, and label, form and reason."""
        schema = {
            "scope": pl.String, "cluster_id": pl.String, "core": pl.Float64, "core_low": pl.Float64,
            "core_high": pl.Float64, "applied": pl.Float64, "known": pl.Float64, "space": pl.Float64,
            "placed": pl.Int64, "median_link_km": pl.Float64, "median_pair_km": pl.Float64, "label": pl.String,
            "form": pl.String, "digital_cluster": pl.Boolean, "purely_virtual": pl.Boolean, "reason_zh": pl.String,
            "reason_en": pl.String,
        }  # fmt: skip
        classes = self._classes()
        xyz = places(self.net.nodes, self.organisations)
        u, v, weight = edges(self.net)
        number = self.net.nodes.drop_nulls("id").select("id", "node")
        if "node" not in groups.columns:
            groups = groups.join(number, on="id", how="left", maintain_order="left")
        label = np.full(self.net.size, -1, np.int64)
        parts = groups.partition_by("cluster_id", as_dict=True, maintain_order=True)
        nodes_of = [part["node"].drop_nulls().unique().sort().to_numpy() for part in parts.values()]
        for at, nodes in enumerate(nodes_of):
            label[nodes] = at
        own = label[u] if u.size else np.zeros(0, np.int64)
        inside = np.flatnonzero((own >= 0) & (own == label[v])) if u.size else np.zeros(0, np.int64)
        order = inside[np.argsort(own[inside], kind="stable")]
        bounds = np.searchsorted(own[order], np.arange(len(parts) + 1))
        scores = industry_scores(groups.select("cluster_id", "id").join(classes, on="id", how="left"), by="cluster_id")
        rows = []
        for at, key in enumerate(parts):
            some = order[bounds[at] : bounds[at + 1]]
            apart = reach(xyz, nodes_of[at], u[some], v[some], weight[some], self.analysis.eps_km, self.analysis.seed)
            score = scores[str(key[0])]
            made = cluster_type(score, apart["far_share"])
            rows.append(
                (
                    scope, key[0], score.core, score.low, score.high, score.applied, score.known, apart["far_share"],
                    apart["placed"], apart["median_link_km"], apart["median_pair_km"], made.label, made.form,
                    made.digital_cluster, made.purely_virtual, made.reason.zh, made.reason.en,
                )
            )  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _classes(self) -> pl.DataFrame:
        schema = {"id": pl.String, "digital_code": pl.String, "undigital": pl.Boolean}
        if self.organisations is None or "digital_code" not in self.organisations.columns:
            return pl.DataFrame(schema=schema)
        return self.organisations.select(
            "id", "digital_code", undigital=pl.col("classified_by").is_not_null() & pl.col("digital_code").is_null()
        ).unique("id")

    def changes(self) -> tuple[pl.DataFrame, dict[str, Any] | None]:
        """Ties kept, lost and new against the load before, by firm as it is known now."""
        schema: dict[str, Any] = {
            "source": pl.String, "target": pl.String, "change": pl.String, "weight_before": pl.Float64,
            "weight_after": pl.Float64,
        }  # fmt: skip
        if self.inputs.before is None:
            return pl.DataFrame(schema=schema), None
        earlier = network(
            self.workspace.scan("links", self.inputs.before.id).collect(), self.organisations,
            crosswalk=self.inputs.crosswalk, kinds=self.analysis.kinds or None, weights=dict(self.analysis.weights),
        )  # fmt: skip
        told = tie_changes(_by_name(earlier), _by_name(self.net))
        return told.ties, {
            "before": self.inputs.before.as_of.isoformat(), "after": self.inputs.links.as_of.isoformat(),
            "load": self.inputs.before.load, "kept": told.kept, "lost": told.lost, "new": told.new,
            "jaccard": told.jaccard, "firms_both": told.firms_both, "firms_left": told.firms_left,
            "firms_joined": told.firms_joined, "lost_with_firms": told.lost_with_firms,
            "new_with_firms": told.new_with_firms,
        }  # fmt: skip


def _by_name(net: Network) -> pl.DataFrame:
    """Links by id, or by name where no organisation is known."""
    names = net.nodes.select("node", key=pl.coalesce("id", "name"))
    return (
        net.links.join(names.rename({"node": "source", "key": "from"}), on="source")
        .join(names.rename({"node": "target", "key": "to"}), on="target")
        .select("weight", source="from", target="to")
    )
