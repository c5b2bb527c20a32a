"""What a visitor who is signed out sees first 图谱首页: one sentence, one map, one list, one next step."""

from __future__ import annotations

from fastapi import Request, Response

from jiqun.atlas.documents import Told
from jiqun.atlas.documents.tables import clusters_table
from jiqun.atlas.operations import clusters_frame
from jiqun.atlas.reading import READERS, Run, Which, find_run, searched
from jiqun.atlas.subject import subject_of
from jiqun.core.document import Document, Paragraph, Text
from jiqun.store import Workspace
from jiqun.web.pages.atlas_parts import drawn, run_query, suffix
from jiqun.web.render import page
from jiqun.web.visitor import Visitor

FIRST = 10


def headline(request: Request, visitor: Visitor, workspace: Workspace) -> Response:
    """The finding, the map, the first clusters, and how to bring one's own register."""
    visitor.require("atlas.clusters", *READERS)
    if not searched(workspace):
        return page(request, visitor, "atlas_home.html", run=None, loaded=bool(workspace.history("organisations")))
    run = find_run(workspace, Which())
    front = drawn(run, "/clusters", visitor.language, lambda: front_document(workspace, run), front=True)
    total = run.clusters.height
    return page(
        request,
        visitor,
        "atlas_home.html",
        run=run,
        subject=subject_of(workspace, run.result),
        front=front,
        total=total,
        tail=suffix(run_query(run)),
        first=FIRST,
    )


def front_document(workspace: Workspace, run: Run) -> Document:
    """The finding as a document: the map, and the first clusters as its table."""
    subject = subject_of(workspace, run.result)
    told = Told(run.result, subject, run.clusters)
    rows = clusters_frame(workspace, run).head(FIRST).to_dicts()
    title = Text(f"前 {len(rows)} 个集群", f"The first {len(rows)} clusters")
    table = clusters_table("first", title, rows, subject, run.as_of, linked=True, short=True)
    return Document(
        title=told.finding(),
        subtitle=told.leader(),
        blocks=(told.world(table, linked=True), table) if rows else (Paragraph(told.cautions()[0]),),
        lineage=run.result.lineage,
        attributions=subject.attributions,
    )
