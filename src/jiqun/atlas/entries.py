"""What the search finds of the atlas 检索条目: clusters, regions, firms, classes, measures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from jiqun.accounts.mine import unpublished
from jiqun.atlas.glossary import measures
from jiqun.atlas.listing import country_text
from jiqun.atlas.reading import Run, Which, find_run, kind_of, published, searched
from jiqun.store import Workspace
from jiqun.store.search import Entry, Source
from jiqun.taxonomy import name as class_name
from jiqun.taxonomy.tables import digital_entries

BATCH = 10_000
FIRM_COLUMNS = (
    "id", "name", "name_en", "uscc", "source_id", "country", "city", "place_name", "place_name_zh", "size",
)  # fmt: skip
"""What everybody may see: a search that finds by anything else would tell it, word by word."""
TOP = 1000.0
"""A size from which firms weigh no more."""


def _version(workspace: Workspace) -> str:
    manifest = workspace.manifest()
    loaded = manifest.tables.get("organisations")
    runs = sorted((kind, manifest.results[kind].current) for kind in map(kind_of, searched(workspace)))
    return hashlib.sha256(
        repr((FIRM_COLUMNS, loaded and loaded.current, runs, sorted(unpublished(workspace)))).encode()
    ).hexdigest()


def _entries(workspace: Workspace) -> Iterator[Sequence[Entry]]:
    yield catalogue_entries(workspace)
    if workspace.history("organisations"):
        yield from _firms(workspace)


def catalogue_entries(workspace: Workspace) -> list[Entry]:
    """All but the firms: measures, classes, and the clusters and regions of the current runs."""
    entries = [*_measures(), *_classes()]
    regions: dict[str, Entry] = {}
    for code in searched(workspace):
        run = find_run(workspace, Which(digital=code))
        entries += _clusters(run)
        regions |= {entry.id: entry for entry in _regions(run) if entry.id not in regions}
    return [*entries, *regions.values()]


def _clusters(run: Run) -> list[Entry]:
    query = f"?class={run.digital}" if run.digital else ""
    most = max([1, *run.clusters["firms"]])
    return [
        Entry(
            "cluster",
            f"{run.digital or 'all'}/{row['cluster_id']}",
            row["name_zh"],
            row["name_en"],
            text=" ".join((country_text(row["country"]).zh, country_text(row["country"]).en, *(row["leaders"] or ()))),
            codes=(row["cluster_id"],),
            link=f"/clusters/{row['cluster_id']}{query}",
            weight=(row["firms"] / most) ** 0.5,
        )
        for row in run.clusters.to_dicts()
    ]


def _regions(run: Run) -> list[Entry]:
    return [
        Entry(
            "region",
            row["region"],
            row["name_zh"],
            row["name_en"],
            codes=(row["region"],),
            link=f"/regions/{row['region']}",
            weight=0.8,
        )
        for row in run.regions.to_dicts()
    ]


def _classes() -> list[Entry]:
    return [
        Entry(
            "class",
            code,
            class_name(code, "zh"),
            class_name(code, "en"),
            codes=(code,),
            link=f"/clusters?class={code}",
            weight=0.3,
        )
        for code in digital_entries()
    ]


def _measures() -> list[Entry]:
    return [
        Entry(
            "method",
            key,
            one.name.zh,
            one.name.en,
            text=f"{one.meaning.zh} {one.meaning.en}",
            link=f"/method/{key}",
            weight=0.5,
        )
        for key, one in measures().items()
    ]


def _firms(workspace: Workspace) -> Iterator[list[Entry]]:
    """Firms of the register that is loaded now and that are shown by name, a batch at a time."""
    scan = workspace.scan("organisations")
    there = set(scan.collect_schema().names())
    rows = scan.select(pl.col(c) for c in FIRM_COLUMNS if c in there).collect()
    for part in published(rows, unpublished(workspace)).iter_slices(BATCH):
        yield [firm_entry(row) for row in part.iter_rows(named=True)]


def firm_entry(row: dict[str, Any]) -> Entry:
    """A firm, from its row in the register."""
    told = (row.get(c) for c in ("city", "place_name", "place_name_zh"))
    codes = (row.get(c) for c in ("uscc", "source_id"))
    return Entry(
        "firm",
        row["id"],
        row["name"],
        row.get("name_en") or "",
        text=" ".join(filter(None, told)),
        codes=tuple(filter(None, codes)),
        link=f"/firms/{row['id']}",
        weight=0.6 * min(row.get("size") or 0.0, TOP) / TOP,
    )


ENTRIES = {"atlas": Source(_version, _entries)}
