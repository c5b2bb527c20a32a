"""The atlas's search 检索: firms, clusters, regions, classes and measures by name, place or code."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import polars as pl
from pydantic import Field

from jiqun.accounts.mine import unpublished
from jiqun.atlas.entries import catalogue_entries, firm_entry
from jiqun.atlas.reading import READERS
from jiqun.atlas.room import ROOM
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import WorkspaceError
from jiqun.core.operation import Model
from jiqun.store import Workspace
from jiqun.store.search import LONGEST_QUERY, Entry, Index, fold, index_folder

HitKind = Literal["cluster", "region", "firm", "class", "method"]
KINDS: tuple[HitKind, ...] = get_args(HitKind)
TITLES = {
    "cluster": Text("集群", "Clusters"),
    "region": Text("地区", "Regions"),
    "firm": Text("企业", "Firms"),
    "class": Text("类别", "Classes"),
    "method": Text("方法", "Method"),
}
DEEPEST = 1000


class SearchRequest(Model):
    """What to look for. Without a kind the first hits of every kind are given."""

    q: Annotated[str, Field(max_length=LONGEST_QUERY, description="words, a part of a name, or a code")] = ""
    kind: HitKind | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    offset: Annotated[int, Field(ge=0, le=DEEPEST)] = 0


class HitRow(Model):
    """Something found; `marks_zh` and `marks_en` are where its names match, from and to before a character."""

    kind: HitKind
    id: str
    title_zh: str
    title_en: str
    link: str
    marks_zh: tuple[tuple[int, int], ...] = ()
    marks_en: tuple[tuple[int, int], ...] = ()


class HitGroup(Model):
    """The hits of one kind, best first; `total` is null where they were not all counted."""

    kind: HitKind
    title: Text
    total: int | None
    hits: tuple[HitRow, ...]


class SearchAnswer(Model):
    """What was found 检索结果. `indexed`: whether the index was there; else names only were looked through."""

    q: str
    indexed: bool
    groups: tuple[HitGroup, ...]


@ROOM.operation("search", "检索", "Search", roles=READERS)
def search(_actor: Actor, workspace: Workspace, request: SearchRequest) -> SearchAnswer:
    """Firms, clusters, regions, classes and measures that hold all words of a query, best first."""
    q = request.q.strip()
    kinds = (request.kind,) if request.kind else KINDS
    if not fold(q).strip():
        return SearchAnswer(q=q, indexed=True, groups=())
    hidden = unpublished(workspace)  # an index may be older than the answer to a withdrawal
    try:
        index = _index(index_folder(workspace))
        groups = [_found(index, q, kind, request, hidden) for kind in kinds]
        return SearchAnswer(q=q, indexed=True, groups=tuple(group for group in groups if group.total))
    except WorkspaceError:
        entries = catalogue_entries(workspace)
        groups = [_named(workspace, entries, q, kind, request) for kind in kinds]
        return SearchAnswer(q=q, indexed=False, groups=tuple(group for group in groups if group.hits))


@lru_cache(maxsize=8)
def _index(folder: Path) -> Index:
    return Index.open(folder)


def _found(index: Index, q: str, kind: HitKind, request: SearchRequest, hidden: frozenset[str]) -> HitGroup:
    found = index.find(q, kinds=[kind], limit=request.limit, offset=request.offset)
    hits = tuple(
        HitRow(
            kind=kind,
            id=hit.id,
            title_zh=hit.title_zh,
            title_en=hit.title_en,
            link=hit.link,
            marks_zh=tuple((r.start, r.end) for r in hit.ranges_zh),
            marks_en=tuple((r.start, r.end) for r in hit.ranges_en),
        )
        for hit in found.hits
        if kind != "firm" or hit.id not in hidden
    )
    return HitGroup(kind=kind, title=TITLES[kind], total=found.total, hits=hits)


def _named(workspace: Workspace, entries: list[Entry], q: str, kind: HitKind, request: SearchRequest) -> HitGroup:
    """Hits without an index: names that hold the query as it stands."""
    wanted = fold(q)
    last = request.offset + request.limit
    if kind == "firm":
        near = _firms(workspace, q, last)
    else:
        of_kind = (one for one in entries if one.kind == kind)
        near = [one for one in of_kind if wanted in fold(f"{one.title_zh}\n{one.title_en}") or q in one.codes]
    hits = tuple(
        HitRow(kind=kind, id=one.id, title_zh=one.title_zh, title_en=one.title_en, link=one.link)
        for one in near[request.offset : last]
    )
    return HitGroup(kind=kind, title=TITLES[kind], total=None if kind == "firm" else len(near), hits=hits)


def _firms(workspace: Workspace, q: str, most: int) -> list[Entry]:
    if not workspace.history("organisations"):
        return []
    held = pl.col("name").str.to_lowercase().str.contains(q.lower(), literal=True)
    shown = ~pl.col("id").is_in(list(unpublished(workspace)))
    rows: list[dict[str, Any]] = workspace.scan("organisations").filter(held, shown).head(most).collect().to_dicts()
    return [firm_entry(row) for row in rows]
