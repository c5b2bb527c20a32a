"""What the difference between two loads does to clusters 对集群的影响: from stored searches, or estimated by outlines.

Searches for clusters are read as any other stored results, by their kind `clusters…` and their tables `clusters` and
`members`. Where both loads were searched, members are counted before and after. Where only the earlier one was, rows
that came, went or moved are counted by the outlines that clusters had: an estimate, since a search may draw others.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
import shapely
from pydantic import Field

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.core.operation import Model
from jiqun.intake.comparing import Compared
from jiqun.store import Snapshot, StoredResult, Workspace

_KIND = "clusters"
_PIECE = 200_000


class ClusterEffect(Model):
    """One cluster: its firms before and after, and how many it won and lost. None where a cluster is not there."""

    cluster: str
    name: Text
    before: int | None
    after: int | None
    gained: int
    lost: int


class Effect(Model):
    """What a difference does to the clusters of one kind of search 对集群的影响.

    `how`: `found` by two searches, `estimated` from the outlines of the search before.
    """

    kind: str
    digital: Annotated[str | None, Field(description="class that was searched; None for all firms")]
    how: Literal["found", "estimated"]
    clusters: tuple[ClusterEffect, ...]
    unclustered: Annotated[int, Field(description="estimated: placed new rows outside every outline")] = 0


def effects(workspace: Workspace, compared: Compared) -> tuple[Effect, ...]:
    """The effect on each kind of search that was made in the earlier load; none where none was."""
    if compared.after.table != "organisations":
        return ()
    kinds = sorted(kind for kind in workspace.manifest().results if kind.partition("-")[0] == _KIND)
    found = []
    for kind in kinds:
        runs = workspace.results(kind)
        before, after = (_run(runs, snapshot) for snapshot in (compared.before, compared.after))
        if before is not None:
            found.append(_effect(compared, before, after))
    return tuple(found)


def _run(runs: tuple[StoredResult, ...], snapshot: Snapshot) -> StoredResult | None:
    """The newest search in a snapshot."""
    return next(
        (run for run in runs if run.lineage.inputs[:1] and run.lineage.inputs[0].digest == snapshot.digest), None
    )


def _effect(compared: Compared, before: StoredResult, after: StoredResult | None) -> Effect:
    digital = before.kind.partition("-")[2] or None
    if after is not None:
        return Effect(kind=before.kind, digital=digital, how="found", clusters=_found(before, after))
    clusters, outside = _estimated(compared.result.path / "changes.parquet", before.path, digital)
    return Effect(kind=before.kind, digital=digital, how="estimated", clusters=clusters, unclustered=outside)


def _found(before: StoredResult, after: StoredResult) -> tuple[ClusterEffect, ...]:
    then, now = (run.table("members").select("id", "cluster_id").unique("id") for run in (before, after))
    both = then.join(now, on="id", how="full", suffix="_now", coalesce=True)
    turned = both.filter(pl.col("cluster_id").ne_missing(pl.col("cluster_id_now")))
    lost = Counter(dict(turned.drop_nulls("cluster_id")["cluster_id"].value_counts().iter_rows()))
    gained = Counter(dict(turned.drop_nulls("cluster_id_now")["cluster_id_now"].value_counts().iter_rows()))
    return _told(_sizes(before), _sizes(after), gained, lost)


def _sizes(run: StoredResult) -> dict[str, tuple[Text, int]]:
    rows = run.table("clusters").select("cluster_id", "name_zh", "name_en", "firms")
    return {id_: (Text(zh or en, en), firms) for id_, zh, en, firms in rows.iter_rows()}


def _told(
    then: dict[str, tuple[Text, int]],
    now: dict[str, tuple[Text, int]],
    gained: Counter[str],
    lost: Counter[str],
) -> tuple[ClusterEffect, ...]:
    told = [
        ClusterEffect(
            cluster=id_,
            name=(now.get(id_) or then[id_])[0],
            before=then[id_][1] if id_ in then else None,
            after=now[id_][1] if id_ in now else None,
            gained=gained[id_],
            lost=lost[id_],
        )
        for id_ in dict.fromkeys((*now, *then))
        if gained[id_] or lost[id_] or (id_ in then) != (id_ in now)
    ]
    return tuple(sorted(told, key=lambda one: (-(one.gained + one.lost), one.cluster)))


@lru_cache(maxsize=64)
def _estimated(changes: Path, run: Path, digital: str | None) -> tuple[tuple[ClusterEffect, ...], int]:
    """By outline, of what changed; neither a comparison nor a search ever changes, so that paths stand for them."""
    clusters = pl.read_parquet(run / "clusters.parquet", glob=False)
    members = pl.read_parquet(run / "members.parquet", glob=False).select("id", was="cluster_id").unique("id")
    sizes = {
        id_: (Text(zh or en, en), firms)
        for id_, zh, en, firms in clusters.select("cluster_id", "name_zh", "name_en", "firms").iter_rows()
    }
    outlines = shapely.STRtree(shapely.from_wkt(clusters["hull_wkt"].to_list()))
    ids = clusters["cluster_id"].to_list()
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    outside = 0
    kinds = ["new", "gone", "moved", *(["reclassified"] if digital else [])]
    rows = pl.scan_parquet(changes, glob=False).filter(pl.col("kind").is_in(kinds))
    # lines of one row stand apart, each with the same places and classes
    single = rows.select("id", "kind", "digital_after", "lon", "lat").unique("id", maintain_order=True)
    for part in single.collect_batches(chunk_size=_PIECE, maintain_order=True):
        there = part["kind"] != "gone"
        if digital:
            there &= part["digital_after"].str.starts_with(digital).fill_null(value=False)
        placed = part.with_columns(at=pl.int_range(pl.len())).filter(there & part["lon"].is_not_null())
        points = shapely.points(np.column_stack((placed["lon"].to_numpy(), placed["lat"].to_numpy())))
        which, outline = outlines.query(points, predicate="intersects")
        inside = pl.DataFrame(
            {"at": placed["at"].gather(which), "into": pl.Series([ids[k] for k in outline], dtype=pl.String)}
        )
        joined = part.with_columns(at=pl.int_range(pl.len())).join(members, on="id", how="left")
        # a row that still lies within the outline of its cluster stays there, whatever other outline overlaps
        now = joined.join(inside, on="at", how="left").sort(
            "at", (pl.col("into") == pl.col("was")).fill_null(value=False), descending=[False, True]
        )
        now = now.unique("at", keep="first", maintain_order=True)
        turned = now.filter(pl.col("was").ne_missing(pl.col("into")))
        gained.update(turned["into"].drop_nulls().to_list())
        lost.update(turned["was"].drop_nulls().to_list())
        outside += placed.height - inside["at"].n_unique()
    after = {id_: (name, firms + gained[id_] - lost[id_]) for id_, (name, firms) in sizes.items()}
    return _told(sizes, after, gained, lost), outside


# In words


def table_line(compared: Compared, language: Language) -> str:
    """Which loads are compared."""
    before, after = compared.before, compared.after
    return Text(
        f"{after.table}：{before.as_of}（快照 {before.id}）→ {after.as_of}（快照 {after.id}）",
        f"{after.table}: {before.as_of} (snapshot {before.id}) → {after.as_of} (snapshot {after.id})",
    ).get(language)


def effect_line(effect: Effect, language: Language) -> str:
    """How the effect on the clusters of a search is known."""
    of_zh = f"数字经济分类 {effect.digital}" if effect.digital else "全部企业"
    of_en = f"class {effect.digital}" if effect.digital else "all firms"
    count = len(effect.clusters)
    if effect.how == "found":
        told = Text(
            f"集群（{of_zh}），据前后两次识别：{count} 个有变",
            f"clusters ({of_en}), by the searches before and after: {count} touched",
        )
    else:
        told = Text(
            f"集群（{of_zh}），按上次识别的轮廓估计：{count} 个有变，{effect.unclustered} 家新的或迁址的在各轮廓之外；"
            "重新识别后才算数",
            f"clusters ({of_en}), estimated by the outlines of the search before: {count} touched, {effect.unclustered} "
            "new or moved firms outside all; only a new search counts",
        )
    return told.get(language)


def no_search_line(compared: Compared, language: Language) -> str:
    """What to do where no search was made in the earlier load."""
    return Text(
        f"快照 {compared.before.id} 没有识别过集群：运行 jiqun atlas 后可见对集群的影响",
        f"no clusters were searched for in snapshot {compared.before.id}: run jiqun atlas to see the effect on clusters",
    ).get(language)
