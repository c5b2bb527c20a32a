"""A draft of a chain from an input–output table 由投入产出表起草产业链: edges where a sector matters to another, and back.

Everything that comes out is a draft: it says which sectors are worth looking at, not what the chain is.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from jiqun.atlas.chain_data import MOST_EDGES, MOST_NODES, STAGES, Chain, Edge, Node, find_circle
from jiqun.core.arrays import Floats
from jiqun.core.errors import InputError
from jiqun.core.frames import as_polars
from jiqun.taxonomy import canonical

OUTPUTS = ("output", "total output", "总产出", "总产出(万元)", "x")
"""Names of the column of total output; any case."""
COEFFICIENT, SHARE = 0.02, 0.05
_CODE = re.compile(r"^([A-T]?\d{2,4})\b[ .:、-]*(.*)$")


def draft_from_table(
    table: Any, *, chain: str, coefficient: float = COEFFICIENT, share: float = SHARE, file: str = "—"
) -> Chain:
    """A chain of the sectors of an input–output table 起草产业链; all of it `draft`.

        a[i, j] = z[i, j] / x[j]      technical coefficient 直接消耗系数
        b[i, j] = z[i, j] / x[i]      share of i's output that goes to j
        U       = (I − b)⁻¹ 1         upstreamness: stages by its thirds, the highest upstream

    An edge i → j stands where a ≥ coefficient and b ≥ share; a sector's use of itself is none.

    Parameters
    ----------
    table
        Any dataframe: first a column of sectors, a code of GB/T 4754 in front where they have one ("39 电子设备"), then a
        column for each of these sectors in the same order with z (what it buys of the row's sector), and a column `output`
        with x; all in one unit of money.

    Raises
    ------
    InputError
        JQ-CHAIN-012: no such table; -016: no name for a chain; -017: no edge is that strong.

    Notes
    -----
    Upstreamness after Antràs, Chor, Fally and Hillberry (2012), American Economic Review 102(3), 412–416.

    Examples
    --------
    >>> table = pl.DataFrame({"sector": ["39 chips", "40 meters"], "chips": [0.0, 0.0], "meters": [50.0, 0.0], "output": [100.0, 200.0]})
    >>> made = draft_from_table(table, chain="two")
    >>> [(node.id, node.stage, node.gbt) for node in made.nodes], [(e.start, e.end) for e in made.edges]
    ([('s1', 'upstream', ('39',)), ('s2', 'downstream', ('40',))], [('s1', 's2')])
    """
    names, z, x = _read(as_polars(table), file)
    with np.errstate(divide="ignore", invalid="ignore"):
        bought = np.where(x > 0, z / x, 0.0)
        sold = np.where(x[:, None] > 0, z / x[:, None], 0.0)
    strong = (bought >= coefficient) & (sold >= share)
    np.fill_diagonal(strong, val=False)
    used = strong.any(axis=0) | strong.any(axis=1)
    if not used.any() or strong.sum() > MOST_EDGES:
        raise InputError("JQ-CHAIN-017", coefficient=coefficient, share=share)
    height = _upstreamness(sold, file)
    stages = _thirds(height, used)
    nodes = [_node(i, names[i], stages[i]) for i in np.flatnonzero(used).tolist()]
    edges = [
        Edge(start=f"s{i + 1}", end=f"s{j + 1}", en=f"a {bought[i, j]:.2f}, share {sold[i, j]:.0%}",
             zh=f"直接消耗系数 {bought[i, j]:.2f}，分配份额 {sold[i, j]:.0%}")
        for i, j in np.argwhere(strong).tolist()
    ]  # fmt: skip
    stage = {node.id: STAGES.index(node.stage) for node in nodes}
    circle = find_circle([node.id for node in nodes], [(edge.start, edge.end) for edge in edges])
    layered = not circle and all(stage[edge.start] <= stage[edge.end] for edge in edges)
    about_zh = (
        f"由投入产出表起草：直接消耗系数不低于 {coefficient:g} 且分配份额不低于 {share:g} 的边，上中下游按上游度三分。"
    )
    about_en = (
        f"Drafted from an input-output table: edges with a technical coefficient of at least {coefficient:g} and a share "
        f"of at least {share:g}; stages by thirds of upstreamness."
    )
    return Chain(
        id=chain, zh=chain, en=chain, version="draft", about_zh=about_zh, about_en=about_en, layered=layered,
        nodes=tuple(nodes), edges=tuple(edges),
    )  # fmt: skip


def _read(table: pl.DataFrame, file: str) -> tuple[list[str], Floats, Floats]:
    """Names of the sectors, flows between them, and their output."""

    def refuse(reason: str) -> InputError:
        return InputError("JQ-CHAIN-012", file=file, reason=reason)

    output = next((c for c in table.columns if c.strip().lower() in OUTPUTS), None)
    sectors = [c for c in table.columns[1:] if c != output]
    if output is None or not sectors:
        raise refuse(f"no column output: {', '.join(table.columns[:8])}")
    if table.height != len(sectors) or not 2 <= len(sectors) <= MOST_NODES:
        raise refuse(f"{table.height} rows, {len(sectors)} sectors (2 to {MOST_NODES})")
    try:
        z = np.asarray(table.select(pl.col(sectors).cast(pl.Float64)).to_numpy(), np.float64)
        x = np.asarray(table[output].cast(pl.Float64).to_numpy(), np.float64)
    except pl.exceptions.PolarsError as error:
        raise refuse(str(error).splitlines()[0][:120]) from error
    names = [str(name or "").strip() for name in table.to_series(0)]
    if not all(names) or len(set(names)) < len(names):
        raise refuse("names of sectors are empty or double")
    z = np.where(np.isnan(z), 0.0, z)
    if not np.isfinite(z).all() or not np.isfinite(x).all() or (z < 0).any() or (x < 0).any():
        raise refuse("negative or missing numbers")
    return names, z, x


def _upstreamness(sold: Floats, file: str) -> Floats:
    """How many steps what a sector makes is from its last use; 1 where all of it is used at once."""
    try:
        height: Floats = np.asarray(np.linalg.solve(np.eye(len(sold)) - sold, np.ones(len(sold))), np.float64)
    except np.linalg.LinAlgError as error:
        raise InputError("JQ-CHAIN-012", file=file, reason=str(error)) from error
    if not (np.isfinite(height).all() and (height >= 1 - 1e-9).all()):
        raise InputError("JQ-CHAIN-012", file=file, reason="more of a sector is sold to sectors than it makes")
    return height


def _thirds(height: Floats, used: Any) -> list[Any]:
    """The stage of each sector: the third with the highest upstreamness is upstream."""
    places = np.empty(len(height), np.int64)
    order = [i for i in np.argsort(-height, kind="stable").tolist() if used[i]]
    for place, i in enumerate(order):
        places[i] = min(len(STAGES) * place // max(len(order) - 1, 1), len(STAGES) - 1)
    return [STAGES[places[i]] if used[i] else STAGES[0] for i in range(len(height))]


def _node(i: int, name: str, stage: Any) -> Node:
    found = _CODE.match(name)
    code = canonical(found[1]) if found else None
    words = (found[2].strip() if found and code else name) or name
    return Node(
        id=f"s{i + 1}", zh=words[:80], en=words[:80], stage=stage, gbt=(code,) if code else (), status="draft",
        source=f"input-output table: {name}"[:400],
    )  # fmt: skip
