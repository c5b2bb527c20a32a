"""How strong each node of a chain is, what is missing, and who could fill it 链强弱、缺口与候选.

Numbers speak of the members of a cluster (or of all firms) as far as codes and texts tell where they stand. What is not
known is said to be unknown and never counted as a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from jiqun.atlas.chain_data import Chain
from jiqun.atlas.chain_graph import ChainGraph
from jiqun.atlas.chain_places import OPEN, OUTSIDE, PLACED, UNKNOWN, Places, place_firms
from jiqun.atlas.sphere import EARTH_RADIUS_KM, unit_vectors
from jiqun.core.errors import InputError, MeasureInputError
from jiqun.core.frames import as_polars

Columns = Mapping[str, pl.DataType | type[pl.DataType]]
STRONG, WEAK, PRESENT, MISSING, NOT_KNOWN = "strong", "weak", "present", "missing", "unknown"
MOST_UNDECIDED = 0.4
"""Share of members of whom it is not known where they stand, above which an empty node is unknown, not missing."""
SINGLE_SHARE = 0.5
"""Share of a node's size in one firm above which it hangs on that firm."""
LEAST_SIZED = 0.5
"""Share of a node's firms whose size must be known for shares of its size to be told; else firms are counted."""
LEAST_SHIELD = 3
"""Firms at each end of a flow from which on it is told to everybody: of fewer it would tell who is linked with whom."""
NODES: Columns = {
    "node": pl.String, "stage": pl.String, "status": pl.String, "firms": pl.Int64, "possible": pl.Int64,
    "size": pl.Float64, "sized": pl.Int64, "lq": pl.Float64, "hhi": pl.Float64, "top_share": pl.Float64,
    "top": pl.String, "single": pl.Boolean,
}  # fmt: skip
FLOWS: Columns = {"start": pl.String, "end": pl.String, "expected": pl.Boolean, "links": pl.Int64, "firms": pl.Int64}


def shaped(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """These columns of a frame, in this order and of these types."""
    return frame.select(pl.col(name).cast(kind) for name, kind in columns.items())


@dataclass(frozen=True)
class ChainMap:
    """A cluster on a chain 产业链图谱.

    `nodes`, in the chain's order: node, stage, status, firms, possible (firms that may stand there too), size (sum over
    `sized` firms), lq, hhi (0 to 1), top_share and top (largest firm), each null where sizes are known of less than half of
    the firms; single (it hangs on one firm: the only one, or one that holds most). `places`: id, node,
    by, evidence, weight, size of the members. `flows`: start, end, expected (the chain has this edge), links, firms
    (that send them); None where no links are loaded. `counts`: members by state.
    """

    chain: Chain
    nodes: pl.DataFrame
    places: pl.DataFrame
    flows: pl.DataFrame | None
    counts: dict[str, int]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> int:
        """How many firms were looked at."""
        return sum(self.counts.values())

    @property
    def unit(self) -> str | None:
        """The column of size that `hangs` adds up; None: firms, where no size is asked for or some node's is hardly known."""
        size: str | None = self.parameters.get("size")
        thin = (pl.col("firms") > 0) & (pl.col("sized") < LEAST_SIZED * pl.col("firms"))
        return None if self.nodes.filter(thin).height else size

    @property
    def undecided(self) -> float:
        """Share of them of whom it is not known where they stand; 1 where there is none."""
        return (self.counts[OPEN] + self.counts[UNKNOWN]) / self.members if self.members else 1.0


def chain_map(
    chain: Chain,
    organisations: Any,
    members: Any = None,
    *,
    size: str | None = None,
    links: Any = None,
    places: Places | None = None,
    single_share: float = SINGLE_SHARE,
    most_undecided: float = MOST_UNDECIDED,
) -> ChainMap:
    """Firms at each node of a chain, and how strong the nodes are 产业链图谱.

        LQ[v]  = (n[v, cluster] / m[cluster]) / (n[v, all] / m[all])     m: firms of whom it is known where they stand
        HHI[v] = Σ_f (s[f] / S[v])²                                      s: size of firm f, S: of all at the node

    Parameters
    ----------
    organisations
        Any dataframe with `id` and what `place_firms` reads; it may hold `name` (links may use it) and the size. Where
        `places` are given, those of the members are enough.
    members
        Ids of the firms of a cluster, as a sequence or series; None: all firms, then without LQ.
    size
        Column that sizes firms (persons, CNY …; null: not known, left out of HHI and shares). None: firms count alike.
        A firm at several nodes counts at each with its whole size.
    links
        Any dataframe with `source` and `target`, ids or names of firms.
    places
        What `place_firms` found, where it is known already; its `at` may carry a column `size` for each firm and node,
        which then counts instead.
    single_share
        A node hangs on one firm that is the only one, or has more than this share of its size; the latter only where sizes
        are known of at least half of its firms (`LEAST_SIZED`).
    most_undecided
        An empty node is `missing` only where at most this share of the members is undecided, and none is open there.

    Returns
    -------
    `ChainMap`. `status`: strong (LQ ≥ 1), weak (LQ < 1), present (nothing to compare with), missing, unknown.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing; JQ-ATLAS-016: the size is no number.
    InputError
        JQ-CHAIN-018: a share that is none.

    Notes
    -----
    HHI after Herfindahl and Hirschman; of firms that stand where words say so it is no better than the words.

    Examples
    --------
    >>> from jiqun.atlas.chain_data import Node
    >>> made = [Node(id=i, zh=i, en=i, stage="midstream", gbt=[g], status="draft") for i, g in (("fab", "3973"), ("design", "6520"))]
    >>> chain = Chain(id="c", zh="c", en="c", version="1", nodes=made)
    >>> firms = pl.DataFrame({"id": list("abcd"), "industry_code": ["3973", "3973", "6520", "0111"], "employees": [30, 10, 5, 9]})
    >>> found = chain_map(chain, firms, ["a", "b", "d"], size="employees")
    >>> found.nodes.select("node", "status", "firms", "hhi", "lq").rows()
    [('fab', 'strong', 2, 0.625, 1.3333333333333333), ('design', 'missing', 0, None, 0.0)]
    """
    for what, value in (("single_share", single_share), ("most_undecided", most_undecided)):
        if not 0 <= value <= 1:
            raise InputError("JQ-CHAIN-018", what=what, value=value, expected="0–1")
    firms = as_polars(organisations, "id", *([size] if size else [])).with_columns(pl.col("id").cast(pl.String))
    if size and not firms.schema[size].is_numeric():
        raise MeasureInputError("JQ-ATLAS-016", column=size, type=firms.schema[size])
    found = places if places is not None else place_firms(chain, firms)
    chosen = found.states["id"] if members is None else pl.Series("id", members, dtype=pl.String)
    ids = chosen.unique().to_frame("id")
    at = _sized(found.at, firms, size)
    mine = at.join(ids, on="id", how="semi", maintain_order="left")
    nodes = _strength(chain, mine, found.possible.join(ids, on="id", how="semi"))
    counts = _counts(found.states.join(ids, on="id", how="semi"))
    everywhere = None if members is None else (at, _counts(found.states))
    nodes = _compared(nodes, counts, everywhere)
    undecided = (counts[OPEN] + counts[UNKNOWN]) / max(1, sum(counts.values()))
    none = pl.col("firms") == 0
    unknown = none & ((pl.col("possible") > 0) | (undecided > most_undecided) | (sum(counts.values()) == 0))
    status = (
        pl.when(unknown).then(pl.lit(NOT_KNOWN))
        .when(none).then(pl.lit(MISSING))
        .when(pl.col("lq").is_null()).then(pl.lit(PRESENT))
        .when(pl.col("lq") >= 1).then(pl.lit(STRONG))
        .otherwise(pl.lit(WEAK))
    )  # fmt: skip
    single = (pl.col("firms") == 1) | ((pl.col("firms") > 1) & (pl.col("top_share") > single_share))
    nodes = nodes.with_columns(status=status, single=single.fill_null(value=False))
    parameters = {"size": size, "single_share": single_share, "most_undecided": most_undecided}
    flows = None if links is None else node_flows(chain, mine, firms, links)
    return ChainMap(chain, shaped(nodes, NODES), mine, flows, counts, parameters)


def _sized(at: pl.DataFrame, firms: pl.DataFrame, size: str | None) -> pl.DataFrame:
    """Places with the size of their firms; 1 for each where none is asked for."""
    if "size" in at.columns:
        return at.with_columns(pl.col("size").cast(pl.Float64))
    if size is None:
        return at.with_columns(size=pl.lit(1.0))
    sizes = firms.select("id", size=pl.col(size).cast(pl.Float64)).unique("id", maintain_order=True)
    return at.join(sizes, on="id", how="left", maintain_order="left")


def _strength(chain: Chain, mine: pl.DataFrame, possible: pl.DataFrame) -> pl.DataFrame:
    """node, stage, firms, possible, size, sized, hhi, top_share, top of the members."""
    known = pl.col("size").filter(pl.col("size") > 0)
    total, enough = known.sum(), (known.len() > 0) & (known.len() >= LEAST_SIZED * pl.col("id").n_unique())
    held = (
        mine.sort("size", "id", descending=[True, False], nulls_last=True)
        .group_by("node", maintain_order=True)
        .agg(
            firms=pl.col("id").n_unique(),
            size=pl.when(known.len() > 0).then(total),
            sized=known.len(),
            hhi=pl.when(enough).then((known / total).pow(2).sum()),
            top_share=pl.when(enough).then(known.max() / total),
            top=pl.when(enough).then(pl.col("id").first()),
        )
    )
    open_ = possible.group_by("node").agg(possible=pl.col("id").n_unique())
    listed = pl.DataFrame([(n.id, n.stage) for n in chain.nodes], schema=["node", "stage"], orient="row")
    return (
        listed.join(held, on="node", how="left", maintain_order="left")
        .join(open_, on="node", how="left", maintain_order="left")
        .with_columns(pl.col("firms", "sized", "possible").fill_null(0))
    )


def _counts(states: pl.DataFrame) -> dict[str, int]:
    told = dict(states.group_by("state").len().iter_rows())
    return {state: int(told.get(state, 0)) for state in (PLACED, OPEN, OUTSIDE, UNKNOWN)}


def _compared(
    nodes: pl.DataFrame, counts: dict[str, int], everywhere: tuple[pl.DataFrame, dict[str, int]] | None
) -> pl.DataFrame:
    """The nodes with their location quotient against all firms, where there are others."""
    here = counts[PLACED] + counts[OUTSIDE]
    if everywhere is None or not here:
        return nodes.with_columns(lq=pl.lit(None, pl.Float64))
    at, total = everywhere
    there = at.group_by("node").agg(all=pl.col("id").n_unique())
    known = total[PLACED] + total[OUTSIDE]
    both = nodes.join(there, on="node", how="left", maintain_order="left")
    quotient = (pl.col("firms") * known) / (pl.col("all") * here)
    return both.with_columns(lq=pl.when(pl.col("all") > 0).then(quotient)).drop("all")


def node_flows(chain: Chain, places: pl.DataFrame, firms: pl.DataFrame, links: Any) -> pl.DataFrame:
    """Links between firms at different nodes 环节间关联: start, end, expected, links, firms; edges without a link count 0."""
    ends = _by_id(links, firms).with_row_index("link")
    held = places.select("id", "node")
    both = ends.join(held, left_on="source", right_on="id").join(held, left_on="target", right_on="id", suffix="_end")
    seen = (
        both.filter((pl.col("source") != pl.col("target")) & (pl.col("node") != pl.col("node_end")))
        .group_by(start="node", end="node_end")
        .agg(links=pl.col("link").n_unique(), firms=pl.col("source").n_unique())
    )
    edges = pl.DataFrame(
        [(edge.start, edge.end, True) for edge in chain.edges],
        schema={"start": pl.String, "end": pl.String, "expected": pl.Boolean},
        orient="row",
    )
    joined = edges.join(seen, on=["start", "end"], how="full", coalesce=True)
    told = joined.with_columns(pl.col("links", "firms").fill_null(0), pl.col("expected").fill_null(value=False))
    ordered = told.sort("expected", "links", "start", "end", descending=[True, True, False, False])
    return shaped(ordered, FLOWS)


def shielded(flows: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
    """Flows for who may not see who is linked with whom: those alone between nodes that hold `LEAST_SHIELD` firms or more."""
    many = nodes.filter(pl.col("firms") >= LEAST_SHIELD)["node"].implode()
    return flows.filter(pl.col("start").is_in(many) & pl.col("end").is_in(many))


def _by_id(links: Any, firms: pl.DataFrame) -> pl.DataFrame:
    """The source and target of links; a name that one firm alone bears, and that is no id, as that firm's id."""
    ends = as_polars(links, "source", "target").select(pl.col("source", "target").cast(pl.String))
    if "name" not in firms.columns:
        return ends
    alone = firms.select("name", "id").drop_nulls("name").unique("name", keep="none")
    named = alone.join(firms.select(name="id"), on="name", how="anti")
    for end in ends.columns:
        known = ends.join(named, left_on=end, right_on="name", how="left", maintain_order="left")
        ends = known.with_columns(pl.coalesce("id", end).alias(end)).drop("id")
    return ends


GAPS: Columns = {
    "rank": pl.Int64, "node": pl.String, "stage": pl.String, "status": pl.String, "single": pl.Boolean,
    "firms": pl.Int64, "possible": pl.Int64, "lq": pl.Float64, "top_share": pl.Float64, "hangs": pl.Float64,
    "only": pl.Float64, "unit": pl.String, "dependants": pl.Int64, "target": pl.String, "path": pl.List(pl.String),
}  # fmt: skip


def chain_gaps(mapped: ChainMap) -> pl.DataFrame:
    """Nodes that are missing, weak or hang on one firm, by what hangs on them 产业链缺口.

        hangs[v] = Σ_f s[f] · max_d D[v, d]        f: members at nodes d after v; D: see `ChainGraph.dependence`
        only[v]  = Σ_f s[f] where D[v, d] = 1      what can be reached through v only

    Returns
    -------
    rank, node, stage, status, single, firms, possible, lq, top_share, hangs and only, unit (column of size that these add up;
    null: they count firms, which all rows do where at some node sizes are known of less than half of the firms, since what
    is not known would count as nothing; other unknown sizes do count as nothing), dependants (firms after v), target (the node after v on which most of `hangs` falls), path (nodes
    from v to it). By falling hangs, then only, then the chain's order; nodes of which nothing is known come last, without a
    rank. Where no member stands after a node, it hangs 0: nobody here needs it.

    Examples
    --------
    >>> from jiqun.atlas.chain_data import Edge, Node
    >>> made = [Node(id=i, zh=i, en=i, stage="midstream", gbt=[g], status="draft") for i, g in (("wafer", "3985"), ("fab", "3973"))]
    >>> chain = Chain(id="c", zh="c", en="c", version="1", nodes=made, edges=[Edge(start="wafer", end="fab")])
    >>> firms = pl.DataFrame({"id": ["a", "b"], "industry_code": ["3973"] * 2, "employees": [30, 10]})
    >>> chain_gaps(chain_map(chain, firms, size="employees")).select("node", "status", "hangs", "path").rows()
    [('wafer', 'missing', 40.0, ['wafer', 'fab']), ('fab', 'present', 0.0, [])]
    """
    graph, unit = ChainGraph.of(mapped.chain), mapped.unit
    share = graph.dependence
    place = {node: i for i, node in enumerate(graph.nodes)}
    held = mapped.places.select("id", "node", "size")
    firms = held["id"].unique(maintain_order=True)
    at = np.full((len(firms), len(graph.nodes)), np.nan)
    row_of = {firm: i for i, firm in enumerate(firms)}
    for firm, node, size in held.iter_rows():
        at[row_of[firm], place[node]] = (size or 0.0) if unit else 1.0
    there = ~np.isnan(at)
    sizes = np.nan_to_num(at)
    rows = []
    weak = (pl.col("status").is_in([MISSING, WEAK, NOT_KNOWN])) | pl.col("single")
    for told in mapped.nodes.filter(weak).iter_rows(named=True):
        v = place[told["node"]]
        after = there * share[v]
        by_node = (sizes * share[v]).sum(axis=0)
        weighed = (sizes * share[v]).max(axis=1, initial=0.0)
        whole = np.where(after >= 1.0, sizes, 0.0).max(axis=1, initial=0.0)
        end = int(by_node.argmax()) if by_node.any() else int(share[v].argmax())
        way = graph.way(v, end) if share[v, end] else ()
        rows.append(
            {name: told[name] for name in ("node", "stage", "status", "single", "firms", "possible", "lq", "top_share")}
            | {
                "hangs": float(weighed.sum()),
                "only": float(whole.sum()),
                "unit": unit,
                "dependants": int((after > 0).any(axis=1).sum()),
                "target": graph.nodes[end] if way else None,
                "path": [graph.nodes[i] for i in way],
            }
        )
    table = pl.DataFrame(rows, schema=pl.Schema(GAPS) if not rows else None, infer_schema_length=None)
    known = pl.col("status") != NOT_KNOWN
    ordered = (
        table.with_columns(known=known)
        .sort("known", "hangs", "only", descending=True, maintain_order=True)
        .with_columns(rank=pl.when("known").then(pl.int_range(1, pl.len() + 1)))
    )
    return shaped(ordered, GAPS)


CANDIDATES: Columns = {
    "rank": pl.Int64, "id": pl.String, "name": pl.String, "by": pl.String, "evidence": pl.String,
    "capability": pl.Float64, "links": pl.Int64, "relatedness": pl.Float64, "size": pl.Float64,
    "distance_km": pl.Float64,
}  # fmt: skip
BY_CODE = 3.0
"""Capability of a firm whose code says what it does; that of one whose words do is their weight, at most 2.9."""


def candidates(
    mapped_places: Places,
    node: str,
    organisations: Any,
    members: Any,
    *,
    centre: tuple[float, float] | None = None,
    size: str | None = None,
    links: Any = None,
    relatedness: Any = None,
    most: int = 100,
) -> pl.DataFrame:
    """Firms elsewhere that stand at a node 补链候选企业, each reason in a column of its own.

    Order: capability (its code says so, else the weight of its words), links with members, relatedness, size, all
    falling; then distance, nearest first; then id. What is not known comes last within each.

    Parameters
    ----------
    mapped_places
        What `place_firms` found.
    organisations
        Any dataframe with `id`; `name`, `digital_code`, `lon`, `lat` and the size as far as they are there.
    members
        Ids of the cluster's members; none of them is a candidate.
    centre
        (lon, lat) of the cluster, degrees of WGS-84.
    links
        Any dataframe with `source` and `target`; without it links are null, not 0.
    relatedness
        Any dataframe with `industry` (first four digits of a digital code) and `density`: how much of what is related to
        that class the cluster has (`relatedness_density`).

    Returns
    -------
    rank, id, name, by, evidence, capability, links, relatedness, size, distance_km.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing.

    Examples
    --------
    >>> at = pl.DataFrame({"id": ["a", "b"], "node": ["fab"] * 2, "by": ["name", "code"], "evidence": ["x", "y"], "weight": [2.0, None]})
    >>> places = Places(at, at.select("id", "node").clear(), at.select("id", state="by"))
    >>> candidates(places, "fab", pl.DataFrame({"id": ["a", "b", "c"]}), ["c"])["id"].to_list()
    ['b', 'a']
    """
    firms = as_polars(organisations, "id", *([size] if size else [])).with_columns(pl.col("id").cast(pl.String))
    inside = pl.Series("id", members, dtype=pl.String).unique().to_frame("id")
    here = mapped_places.at.filter(pl.col("node") == node).join(inside, on="id", how="anti", maintain_order="left")
    there = [c for c in ("name", "digital_code", "lon", "lat") if c in firms.columns]
    sized = (pl.col(size) if size else pl.lit(None)).cast(pl.Float64).alias("size")
    found = here.select("id", "by", "evidence", "weight").join(
        firms.select("id", *there, sized).unique("id", maintain_order=True), on="id", maintain_order="left"
    )
    by_code = pl.col("by") == "code"
    found = found.with_columns(
        *(pl.lit(None, kind).alias(c) for c, kind in (("name", pl.String), ("digital_code", pl.String)) if c not in there),
        capability=pl.when(by_code).then(BY_CODE).otherwise(pl.min_horizontal("weight", pl.lit(BY_CODE - 0.1))),
    )  # fmt: skip
    found = _with_links(found, firms, inside, links)
    found = _with_relatedness(found, relatedness)
    found = found.with_columns(distance_km=_distances(found, centre))
    order = ["capability", "links", "relatedness", "size", "distance_km", "id"]
    ranked = found.sort(*order, descending=[True, True, True, True, False, False], nulls_last=True).head(most)
    return shaped(ranked.with_columns(rank=pl.int_range(1, pl.len() + 1)), CANDIDATES)


def _with_links(found: pl.DataFrame, firms: pl.DataFrame, inside: pl.DataFrame, links: Any) -> pl.DataFrame:
    if links is None:
        return found.with_columns(links=pl.lit(None, pl.Int64))
    ends = _by_id(links, firms)
    ways = pl.concat([ends.select(id="source", other="target"), ends.select(id="target", other="source")])
    count = ways.join(inside, left_on="other", right_on="id", how="semi").group_by("id").agg(links=pl.len())
    return found.join(count, on="id", how="left", maintain_order="left").with_columns(
        pl.col("links").fill_null(0).cast(pl.Int64)
    )


def _with_relatedness(found: pl.DataFrame, relatedness: Any) -> pl.DataFrame:
    if relatedness is None:
        return found.with_columns(relatedness=pl.lit(None, pl.Float64))
    density = as_polars(relatedness, "industry", "density").select("industry", relatedness="density")
    coded = found.with_columns(industry=pl.col("digital_code").str.slice(0, 4))
    return coded.join(density, on="industry", how="left", maintain_order="left").drop("industry")


def _distances(found: pl.DataFrame, centre: tuple[float, float] | None) -> pl.Series:
    """Great-circle distance of each firm to the centre, in km; null where it has no place."""
    if centre is None or not {"lon", "lat"} <= set(found.columns):
        return pl.Series("distance_km", [None] * found.height, dtype=pl.Float64)
    lon, lat = (found[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("lon", "lat"))
    known = ~(np.isnan(lon) | np.isnan(lat))
    far = np.full(found.height, np.nan)
    if known.any():
        chord = unit_vectors(lon[known], lat[known]) - unit_vectors(np.array([centre[0]]), np.array([centre[1]]))
        far[known] = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, np.linalg.norm(chord, axis=0) / 2))
    return pl.Series("distance_km", far, nan_to_null=True)
