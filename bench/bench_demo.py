"""The search on the demo's registry, and the check of its error rate on 199 random registries."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measure import cost

from jiqun.atlas.clusters import find_clusters
from jiqun.demo import ieee, scenario
from jiqun.intake.gazetteer import Gazetteer


def search(folder: str, draws: int) -> Callable[[], Any]:
    """The demo's own parameters; the registry is placed beforehand, compiled code is warm."""
    gazetteer = Gazetteer.load(Path(folder))
    firms = ieee.placed(gazetteer)
    chosen = asdict(scenario.SEARCH)
    options = {key: chosen[key] for key in ("eps_km", "floor", "alpha", "seed", "size")}
    ground = gazetteer.background()
    find_clusters(firms.head(500), ground.head(5000), **options, draws=1 if draws else 0)

    def run() -> tuple[int, int, float | None]:
        found = find_clusters(firms, ground, **options, draws=draws)
        return found.firms, found.table.height, found.false_find_rate

    return run


def build(folder: str) -> Callable[[], Any]:
    """From nothing to the report, gazetteer and compilation included (a cache of compiled code may exist)."""

    def run() -> int:
        return scenario.build(Path(folder)).result.table("clusters").height

    return run


def main() -> None:
    """Print CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        whole = cost(build, str(Path(folder) / "demo"))
        print(
            f"demo from nothing: {whole.cpu:.1f} CPU s  {whole.wall:.1f} s  {whole.peak_mb:,.0f} MB, {whole.answer} clusters"
        )
        for draws in (0, 199):
            c = cost(search, folder, draws)
            firms, clusters, rate = c.answer
            told = "" if rate is None else f", {rate:.1%} of {draws} random registries gave a find"
            print(f"search, {firms:,} firms, {clusters} clusters{told}: {c.cpu:.1f} CPU s  {c.wall:.1f} s")


if __name__ == "__main__":
    main()
