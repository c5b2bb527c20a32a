"""The console 控制台: pages, sign-in and the JSON API, from the same operations as every other door.

`app.make_app` puts it together. A room's pages are one module in `pages/` whose `router` is listed in `rooms.py`; its
Chinese words are one file in `locale/zh/`. A page looks like this:

    @router.get("/clusters")
    def clusters(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, asked: Annotated[ClustersRequest, Query()]) -> Response:
        found = desk.clusters(visitor.actor, workspace, asked)     # the operation refuses who may not
        return page(request, visitor, "clusters.html", found=found)

and a form like this: `<form method="post">{{ csrf() }} …`, taken as `key: Annotated[str, Form()]` and answered with
`see_other(url, done="followed")`, where the page names `notes={"followed": visitor.say("Followed.")}`. Who is signed
out and may not is sent to sign in; every other error becomes a page by itself.
"""
