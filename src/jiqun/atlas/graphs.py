"""Firms and their links as a graph 企业关联网络: who is meant by a name, kinds apart and together, the backbone.

A link without direction (co-invention, joint project, open source) counts in both directions. Links of a firm to itself and
links of weight 0 are left out and counted. A name that no organisation bears, or several bear, stays a node of its own.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

EXACT = ("id", "uscc", "source_id")
NAMES = (("name", "name_en"), ("short_name", "former_names"))
"""What an organisation may be called by, the best first; a name that several bear at its best level is not resolved."""
SMALL_NETWORK = 200_000
"""Up to so many links a network is small enough to be searched whole."""
NODES = {"node": pl.Int64, "id": pl.String, "name": pl.String}


@dataclass(frozen=True)
class LinkKind:
    """A kind of link 关联类型: whether it has a direction, and from whom to whom it runs."""

    kind: str
    directed: bool
    name: Text
    runs: Text


@cache
def link_kinds() -> dict[str, LinkKind]:
    """The kinds of links that are known, from `data/link_kinds.csv`; any other is taken as directed.

    Examples
    --------
    >>> link_kinds()["co-invention"].directed
    False
    """
    text = files("jiqun.atlas").joinpath("data", "link_kinds.csv").read_text(encoding="utf-8")
    return {
        row["kind"]: LinkKind(
            row["kind"],
            row["directed"] == "true",
            Text(row["name_zh"], row["name_en"]),
            Text(row["runs_zh"], row["runs_en"]),
        )
        for row in csv.DictReader(text.splitlines())
    }


def directed_kinds(kinds: Iterable[str]) -> list[str]:
    """Those of some kinds that have a direction; one that is not known has.

    Examples
    --------
    >>> directed_kinds(["supply", "co-invention", "of our own"])
    ['supply', 'of our own']
    """
    return [kind for kind in kinds if kind not in link_kinds() or link_kinds()[kind].directed]


@dataclass(frozen=True)
class Network:
    """Firms and their links 网络, numbered from 0.

    `nodes`: node, id (null where no organisation is known by that name), name; `kinds`: source, target, kind, weight, each
    ordered pair and kind once, in the units of the kind; `links`: source, target, weight, kinds joined. `counted`: rows,
    loops, weightless, unresolved (names), ambiguous (names), self_named (rows in which two names turned out to be one firm).
    """

    nodes: pl.DataFrame
    kinds: pl.DataFrame
    links: pl.DataFrame
    weights: Mapping[str, float]
    counted: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many nodes."""
        return self.nodes.height

    def arrays(self) -> tuple[Integers, Integers, Floats]:
        """Source, target and weight of the joined links."""
        return (
            self.links["source"].to_numpy(),
            self.links["target"].to_numpy(),
            self.links["weight"].to_numpy(),
        )

    def only(self, kept: pl.Series | Booleans) -> Network:
        """The same nodes with some of the joined links."""
        return Network(self.nodes, self.kinds, self.links.filter(pl.Series(kept)), self.weights, self.counted)


def network(
    links: Any,
    organisations: Any = None,
    *,
    crosswalk: Any = None,
    kinds: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
) -> Network:
    """Links between firms as a directed weighted graph 关联网络.

        w[i, j] = Σ over kinds k of  λ_k · w_k[i, j] / mean of w_k

    so that an average link of any kind weighs λ_k, whether it is counted in patents or in yuan.

    Parameters
    ----------
    links
        Any dataframe with `source`, `target` (ids or names), optional `kind` (default "link") and `weight` (null: 1). Rows
        of one pair and kind are summed.
    organisations
        `id`, `name`, optional `uscc`, `source_id`, `name_en`, `short_name`, `former_names` (split by semicolons).
    crosswalk
        `value`, `organisation`: other identifiers of organisations.
    kinds
        Only these kinds.
    weights
        λ of each kind, default 1; 0 leaves a kind out of the joined links.

    Returns
    -------
    `Network`. Nodes are numbered by id, then unresolved names in their order, whatever the order of the rows.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing; JQ-NETWORK-001: a weight is negative or not finite; JQ-NETWORK-002: a λ is.

    Examples
    --------
    >>> made = network(pl.DataFrame({"source": ["甲", "o2"], "target": ["乙", "甲"], "weight": [2.0, 2.0]}),
    ...     pl.DataFrame({"id": ["o1", "o2"], "name": ["甲", "乙"]}))
    >>> made.nodes["id"].to_list(), made.links.rows()
    (['o1', 'o2'], [(0, 1, 1.0), (1, 0, 1.0)])
    """
    rows = _link_rows(links, kinds)
    factors = dict(weights or {})
    for name, value in factors.items():
        if not (np.isfinite(value) and value >= 0):
            raise MeasureInputError("JQ-NETWORK-002", what=f"weights[{name}]", value=value, expected=">= 0")
    nodes, ends, counted = _resolved(rows, organisations, crosswalk)
    numbered = rows.select("kind", "weight").with_columns(source=ends[: rows.height], target=ends[rows.height :])
    loops, weightless = pl.col("source") == pl.col("target"), pl.col("weight") == 0
    counted |= {
        "rows": rows.height,
        "loops": numbered.select(loops.sum()).item(),
        "weightless": numbered.select((weightless & ~loops).sum()).item(),
    }
    numbered = numbered.filter(~loops & ~weightless)
    both = [kind for kind, known in link_kinds().items() if not known.directed]
    back = numbered.filter(pl.col("kind").is_in(both)).rename({"source": "target", "target": "source"})
    by_kind = (
        pl.concat([numbered, back.select(numbered.columns)])
        .group_by("source", "target", "kind")
        .agg(pl.col("weight").sum())
        .sort("source", "target", "kind")
    )
    factor = pl.col("kind").replace_strict(factors, default=1.0, return_dtype=pl.Float64) if factors else pl.lit(1.0)
    scaled = pl.col("weight") / pl.col("weight").mean().over("kind")
    joined = (
        by_kind.with_columns(weight=scaled * factor)
        .filter(pl.col("weight") > 0)
        .group_by("source", "target")
        .agg(pl.col("weight").sum())
        .sort("source", "target")
    )
    told = {kind: float(factors.get(kind, 1.0)) for kind in by_kind["kind"].unique().sort()}
    return Network(nodes, by_kind, joined, told, counted)


def _link_rows(links: Any, kinds: Sequence[str] | None) -> pl.DataFrame:
    frame = as_polars(links, "source", "target")
    kind = pl.col("kind").fill_null("link") if "kind" in frame.columns else pl.lit("link")
    weight = pl.col("weight").cast(pl.Float64).fill_null(1.0) if "weight" in frame.columns else pl.lit(1.0)
    rows = frame.select(pl.col("source", "target").cast(pl.String), kind=kind, weight=weight)
    bad = rows["weight"].is_nan() | rows["weight"].is_infinite() | (rows["weight"] < 0)
    if bad.any():
        first = int(bad.arg_max() or 0)
        raise MeasureInputError("JQ-NETWORK-001", row=first, value=rows["weight"][first])
    if kinds is not None:
        rows = rows.filter(pl.col("kind").is_in(list(kinds)))
    return rows.drop_nulls(["source", "target"])


def folded(name: pl.Expr) -> pl.Expr:
    """What two spellings of one name share: no case, width, space or punctuation."""
    return name.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[\s\p{P}]+", "")


def _called(organisations: pl.DataFrame, crosswalk: Any) -> pl.DataFrame:
    """key, organisation, level: what each organisation may be called, the best level first."""
    columns, parts = organisations.columns, []
    for level, name in enumerate(EXACT):
        if name in columns:
            parts.append(organisations.select(key=pl.col(name).cast(pl.String), organisation="id", level=pl.lit(level)))
    if crosswalk is not None:
        walk = as_polars(crosswalk, "value", "organisation")
        parts.append(walk.select(key="value", organisation="organisation", level=pl.lit(len(EXACT))))
    for level, names in enumerate(NAMES, len(EXACT) + 1):
        for name in names:
            if name in columns:
                split = (
                    pl.col(name).str.replace_all("；", ";").str.split(";")
                    if name == "former_names"
                    else pl.concat_list(pl.col(name))
                )
                spelt = organisations.select(key=split, organisation="id", level=pl.lit(level)).explode("key")
                parts.append(spelt.with_columns(key=pl.lit("~") + folded(pl.col("key"))))
    called = pl.concat(parts).drop_nulls("key").filter(~pl.col("key").is_in(["", "~"])).unique()
    return called.filter(pl.col("level") == pl.col("level").min().over("key"))


def _resolved(rows: pl.DataFrame, organisations: Any, crosswalk: Any) -> tuple[pl.DataFrame, pl.Series, dict[str, int]]:
    """Nodes, the node of every source and then of every target, and how many names were not resolved."""
    ends = pl.concat([rows["source"], rows["target"]]).alias("key")
    said = ends.unique().sort().to_frame()
    if organisations is None:
        known = said.with_columns(id=pl.lit(None, pl.String), bearers=pl.lit(0))
        names = pl.DataFrame(schema={"id": pl.String, "name": pl.String})
    else:
        listed = as_polars(organisations, "id", "name").with_columns(pl.col("id", "name").cast(pl.String))
        called = (
            _called(listed, crosswalk)
            .group_by("key")
            .agg(
                id=pl.col("organisation").first(),
                bearers=pl.col("organisation").n_unique(),
                level=pl.col("level").first(),
            )
        )
        exact = said.join(called.drop("level"), on="key", how="left", maintain_order="left")
        spelt = said.select(key=pl.lit("~") + folded(pl.col("key"))).join(
            called.drop("level"), on="key", how="left", maintain_order="left"
        )
        found = exact["bearers"].is_not_null()
        known = said.with_columns(
            id=exact["id"].zip_with(found, spelt["id"]), bearers=exact["bearers"].zip_with(found, spelt["bearers"])
        )
        names = listed.select("id", "name").unique("id")
    one = pl.col("bearers") == 1
    known = known.with_columns(id=pl.when(one).then("id"))
    known = known.with_columns(label=pl.coalesce(pl.lit("0") + pl.col("id"), pl.lit("1") + pl.col("key")))
    nodes = (
        known.group_by("label")
        .agg(pl.col("id").first(), said=pl.col("key").min())
        .sort("label")
        .with_row_index("node")
        .join(names, on="id", how="left", maintain_order="left")
        .with_columns(pl.col("node").cast(pl.Int64), name=pl.coalesce("name", "said"))
    )
    number = known.join(nodes.select("label", "node"), on="label", how="left").select("key", "node")
    placed = ends.to_frame().join(number, on="key", how="left", maintain_order="left")["node"]
    counted = {
        "unresolved": int(known["id"].null_count()),
        "ambiguous": int((known["bearers"].fill_null(0) > 1).sum()),
    }
    return nodes.select(list(NODES)), placed, counted


def backbone(links: Any, alpha: float = 0.05) -> pl.DataFrame:
    """Which links stand out among those of either end 骨干网: the disparity filter.

        p = (1 − w[i, j] / s_i)^(k_i − 1)

    s_i, k_i: strength and number of the links that go out of i, and likewise of those that come into j. p is the chance of
    so great a share if a node's strength were cut into k pieces at random. A link is kept where either p is below alpha.

    Parameters
    ----------
    links
        Any dataframe with `source`, `target`, `weight` > 0, each ordered pair once; or `Network.links`.
    alpha
        Level for each link by itself: among many links some are kept by chance.

    Returns
    -------
    The links with p_out, p_in (null where the node has but one such link: nothing to compare), and `kept`. A link that
    neither end can judge is kept.

    Raises
    ------
    MeasureInputError
        JQ-NETWORK-001, 002: unusable weights or alpha; JQ-USE-003: a column is missing.

    Notes
    -----
    Where all weights are alike nothing stands out: p is then (1 − 1/k)^(k − 1), never below 0.36, and only links that
    cannot be judged are left. Do not filter such a network.
    Source: Serrano, Boguñá & Vespignani (2009), PNAS 106(16), 6483–6488.

    Examples
    --------
    >>> star = pl.DataFrame({"source": [0, 0, 0], "target": [1, 2, 3], "weight": [98.0, 1.0, 1.0]})
    >>> backbone(star).select(pl.col("p_out").round(4), "p_in", "kept").rows()
    [(0.0004, None, True), (0.9801, None, False), (0.9801, None, False)]
    """
    if not 0 < alpha < 1:
        raise MeasureInputError("JQ-NETWORK-002", what="alpha", value=alpha, expected="0 < alpha < 1")
    rows = as_polars(links, "source", "target", "weight")
    weight = rows["weight"].cast(pl.Float64)
    bad = weight.is_null() | weight.is_nan() | ~(weight > 0) | weight.is_infinite()
    if bad.any():
        first = int(bad.arg_max() or 0)
        raise MeasureInputError("JQ-NETWORK-001", row=first, value=weight[first])

    def chance(end: str) -> pl.Expr:
        many = pl.len().over(end).cast(pl.Float64)
        share = pl.col("weight") / pl.col("weight").sum().over(end)
        return pl.when(many > 1).then((1.0 - share).clip(0.0, 1.0).pow(many - 1.0))

    tested = rows.with_columns(weight).with_columns(p_out=chance("source"), p_in=chance("target"))
    least = pl.min_horizontal("p_out", "p_in")
    return tested.with_columns(kept=(least < alpha) | least.is_null())


def has_varied_weights(net: Network) -> bool:
    """Whether weights differ at all, without which a backbone means nothing."""
    weight = net.links["weight"]
    return weight.len() > 0 and bool(weight.min() != weight.max())


def edges(net: Network) -> tuple[Integers, Integers, Floats]:
    """The graph without directions 无向图: ends u < v of each pair that is linked, and the weight of both directions."""
    rows = net.links.select(
        u=pl.min_horizontal("source", "target"), v=pl.max_horizontal("source", "target"), weight="weight"
    )
    pairs = rows.group_by("u", "v").agg(pl.col("weight").sum()).sort("u", "v")
    return pairs["u"].to_numpy(), pairs["v"].to_numpy(), pairs["weight"].to_numpy()


def filtered_null(net: Network, alpha: float) -> Callable[[int], tuple[Integers, Integers, Floats]]:
    """Draws backbones of networks in which who a firm is linked with is left to chance.

    All links change targets with each other, which keeps how many each firm has in and out, and what its links out weigh;
    a firm with itself, and a pair twice, are merged away. Then they pass the filter like the links themselves.
    """
    source, target, weight = net.arrays()
    n = np.int64(net.size)

    def draw(seed: int) -> tuple[Integers, Integers, Floats]:
        to = np.random.default_rng(seed).permutation(target)
        apart = source != to
        codes, at = np.unique(source[apart] * n + to[apart], return_inverse=True)
        w = np.bincount(at, weight[apart])
        s, t = codes // n, codes % n
        kept = np.zeros(codes.size, bool)
        judged = np.zeros(codes.size, bool)
        for end in (s, t):
            many = np.bincount(end)[end]
            share = np.clip(w / np.bincount(end, w)[end], 0.0, 1.0)
            kept |= (many > 1) & ((1 - share) ** (many - 1.0) < alpha)
            judged |= many > 1
        kept |= ~judged
        low, high = np.minimum(s, t)[kept], np.maximum(s, t)[kept]
        pairs, where = np.unique(low * n + high, return_inverse=True)
        return pairs // n, pairs % n, np.bincount(where, w[kept]).astype(np.float64)

    return draw


def rows_of(n: int, source: Integers, target: Integers) -> tuple[Integers, Integers, Integers]:
    """A graph in compressed rows: pointers, sorted neighbours, and the order in which links were taken."""
    order = np.lexsort((target, source)).astype(np.int64)
    pointer = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=n), out=pointer[1:])
    return pointer, np.ascontiguousarray(target[order], dtype=np.int64), order
