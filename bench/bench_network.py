"""The network's desk as it runs: made-up links among firms in towns, half of which are clusters on the map."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.atlas import network_desk
from jiqun.core.actor import LOCAL
from jiqun.core.lineage import Lineage, Source
from jiqun.store import Workspace

LINKS_EACH, TOWN = 5, 100


def links(kind: str, m: int, firms: int) -> pl.DataFrame:
    """At random, or 70 % within groups of 50; weights log-normal (five times as great within groups), or all alike."""
    rng = np.random.default_rng(1)
    source, target = rng.integers(0, firms, m), rng.integers(0, firms, m)
    inside = (rng.random(m) < 0.7) & (kind != "random")
    near = source // 50 * 50 + rng.integers(0, 50, m)
    target = np.where(inside, np.minimum(near, firms - 1), target)
    weight = np.ones(m) if kind == "alike" else rng.lognormal(0, 1.5, m) * np.where(inside, 5.0, 1.0)
    names = pl.Series([f"Firm {i}" for i in range(firms)])
    return pl.DataFrame({"source": names[source], "target": names[target], "kind": ["supply"] * m, "weight": weight})


def loaded(folder: Path, kind: str, m: int, firms: int) -> Workspace:
    """A workspace with the firms in towns of a hundred, the towns of one half being clusters on the map, and the links."""
    workspace = Workspace.init(folder)
    rng = np.random.default_rng(0)
    town = np.arange(firms) // TOWN
    middle = np.column_stack([rng.uniform(100, 120, town[-1] + 1), rng.uniform(22, 42, town[-1] + 1)])
    listed = pl.DataFrame(
        {
            "id": [f"o{i:07}" for i in range(firms)],
            "name": [f"Firm {i}" for i in range(firms)],
            "lon": middle[town, 0] + rng.normal(0, 0.05, firms),
            "lat": middle[town, 1] + rng.normal(0, 0.05, firms),
            "employees": rng.lognormal(3, 1, firms).astype(int) + 1,
            "digital_code": rng.choice(["0101", "0305", "0501"], firms),
        }
    )
    rows = links(kind, m, firms).with_columns(id=pl.format("l{}", pl.int_range(pl.len())))
    for name, frame in (("organisations", listed), ("links", rows)):
        with workspace.new_snapshot(name, as_of="2024-05-01", source="made up") as writer:
            writer.write(frame)
    half = firms // 2
    members = pl.DataFrame({"cluster_id": [f"c{t:04}" for t in town[:half]], "id": listed["id"][:half], "core": True})
    origin = (Source("organisations", "ab", "2024-05-01"),)
    workspace.put_result("clusters", Lineage("made up", "1", {"digital": None}, origin), {"members": members}, {})
    return workspace


def analysis(kind: str, m: int, firms: int) -> Callable[[], Any]:
    """The whole analysis, as `jiqun atlas network run` does it; what its parts take is told on the way."""
    folder = Path(tempfile.mkdtemp(prefix="bench-network-"))
    warm, workspace = loaded(folder / "warm", "grouped", 2_000, 400), loaded(folder / "made", kind, m, firms)
    network_desk.run(LOCAL, warm, network_desk.Analysis(nulls=19, draws=19))
    warm.database.close()

    def whole() -> tuple[dict[str, Any], list[str]]:
        spent: dict[str, list[float]] = {}
        last = [time.process_time(), time.perf_counter()]

        def told(step: str, *_: int | None) -> None:
            now = [time.process_time(), time.perf_counter()]
            held = spent.setdefault(step, [0.0, 0.0])
            for at in (0, 1):
                held[at] += now[at] - last[at]
            last[:] = now

        result = network_desk.run(LOCAL, workspace, network_desk.Analysis(), progress=told)
        told("the rest")
        findings = dict(result.table("residuals")["finding"].value_counts().iter_rows())
        workspace.database.close()
        shutil.rmtree(folder)
        return {**result.values, "findings": findings}, [f"{k} {c:.1f}/{w:.1f}" for k, (c, w) in spent.items()]

    return whole


def main(kinds: list[str]) -> None:
    """Print CPU and wall seconds and memory; `python bench/bench_network.py random` for one kind."""
    for kind, m in (("grouped", 100_000), ("random", 1_000_000), ("grouped", 1_000_000), ("alike", 1_000_000)):
        if kinds and not {kind, f"{kind}-{m}"} & set(kinds):
            continue
        firms = m // LINKS_EACH
        c = cost(analysis, kind, m, firms)
        values, spent = c.answer
        print(
            f"{m:>9,} links ({kind}), {firms:,} firms: {c.cpu:6.1f} CPU s  {c.wall:6.1f} s  {c.peak_mb:6.0f} MB  "
            f"{values['links']:,} pairs, {values['searched']:,} searched, {values['clusters']:,} clusters, p = {values['p']}; "
            f"linkage {values['findings']}\n    CPU/wall s: {', '.join(spent)}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
