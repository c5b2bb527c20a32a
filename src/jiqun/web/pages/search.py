"""Search 检索: one box, hits by kind, from the first letters on where scripts run."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from jiqun.atlas import lookup as atlas
from jiqun.report.markup import Html, element, join, text
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
PAGE = 50


@router.get("/search")
def search(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What matches, by kind; one kind in full where the address names it."""
    asked = parts.asked(request, atlas.SearchRequest)
    if asked.kind:
        asked = asked.model_copy(update={"limit": PAGE})
    found = atlas.search(visitor.actor, workspace, asked)
    return page(
        request,
        visitor,
        "search.html",
        query=asked.q,
        asked=asked,
        found=found,
        kinds=[(kind, atlas.TITLES[kind]) for kind in atlas.KINDS],
        marked=marked,
        next_offset=_next(found, asked),
    )


@router.get("/search.json")
def search_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The hits as JSON."""
    found = atlas.search(visitor.actor, workspace, parts.asked(request, atlas.SearchRequest))
    return parts.answer(request, found.model_dump_json().encode(), "application/json")


def marked(title: str, ranges: tuple[tuple[int, int], ...]) -> Html:
    """A title with what matches marked.

    Examples
    --------
    >>> marked("<San> Jose", ((1, 4),))
    '&lt;<mark>San</mark>&gt; Jose'
    """
    pieces: list[str] = []
    end = 0
    for start, stop in ranges:
        pieces += [text(title[end:start]), element("mark", title[start:stop])]
        end = stop
    return join([*pieces, text(title[end:])])


def _next(found: atlas.SearchAnswer, asked: atlas.SearchRequest) -> int | None:
    after = asked.offset + asked.limit
    if not asked.kind or not found.groups or after > atlas.DEEPEST:
        return None
    group = found.groups[0]
    more = len(group.hits) == asked.limit if group.total is None else group.total > after
    return after if more else None
