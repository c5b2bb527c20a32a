"""Follow 关注: the button on the page of a cluster, a region or a firm, and what is followed in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Response

from jiqun.accounts import operations as accounts
from jiqun.accounts.follows import Follow, follows_it
from jiqun.atlas.listing import EVENTS
from jiqun.atlas.reading import Run
from jiqun.core.document import Text
from jiqun.store import Workspace
from jiqun.web.pages.atlas_parts import run_query, suffix
from jiqun.web.render import local, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
Kind = Literal["cluster", "region", "firm"]
Key = Annotated[str, Form(min_length=8, max_length=200)]


@dataclass(frozen=True)
class Followed:
    """Something followed: what it is called, where it is shown, and what became of it in the last run."""

    kind: Kind
    subject: str
    name: Text
    link: str
    change: Text


@router.post("/follow")
def follow(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kind: Annotated[Kind, Form()],
    subject: Annotated[str, Form(min_length=1, max_length=200)],
    do: Annotated[Literal["follow", "unfollow"], Form()] = "follow",
    back: Annotated[str, Form(max_length=400)] = "/",
) -> Response:
    """Follow something, or follow it no longer, and go back to its page."""
    command = accounts.follow if do == "follow" else accounts.unfollow
    command(visitor.actor, workspace, accounts.FollowRequest(kind=kind, subject=subject), key=key)
    return see_other(local(back))


def following(visitor: Visitor, workspace: Workspace, kind: Kind, subject: str) -> tuple[Kind, str, bool] | None:
    """What the button is for and whether it is followed already; None for who is signed out."""
    if visitor.account is None:
        return None
    return kind, subject, follows_it(workspace, visitor.account.id, kind, subject)


def told(workspace: Workspace, rows: Iterable[accounts.FollowRow | Follow]) -> Iterator[Followed]:
    """What is followed, in words."""
    runs: dict[str, Run | None] = {}
    for one in rows:
        kind, _, subject = one.subject.rpartition("/")
        if one.kind != "cluster":
            word = Text("地区", "Region") if one.kind == "region" else Text("企业", "Firm")
            name = Text(f"{word.zh} {one.subject}", f"{word.en} {one.subject}")
            yield Followed(one.kind, one.subject, name, f"/{one.kind}s/{quote(one.subject)}", Text("", ""))
            continue
        if kind not in runs:
            result = workspace.result(kind)
            runs[kind] = None if result is None else Run(result)
        yield _cluster(workspace, one, runs[kind], subject)


def _cluster(workspace: Workspace, one: accounts.FollowRow | Follow, run: Run | None, cluster_id: str) -> Followed:
    row = None if run is None else run.row(cluster_id)
    link = f"/clusters/{quote(cluster_id)}{suffix(run_query(run)) if run else ''}"
    if run is None or row is None:
        gone = Text("最近一次识别中已没有它", "gone since the last run")
        return Followed(one.kind, one.subject, Text(cluster_id, cluster_id), link, gone)
    firms, event, before = row["firms"], EVENTS[row["event"]], run.before(workspace)
    was = None if before is None else before.row(cluster_id)
    step = f"，{firms - was['firms']:+,} 家" if was else "", f", {firms - was['firms']:+,} firms" if was else ""
    change = Text(
        f"{firms:,} 家{step[0]}；{event.zh}，截至 {run.as_of}",
        f"{firms:,} firms{step[1]}; {event.en} as of {run.as_of}",
    )
    return Followed(one.kind, one.subject, Text(row["name_zh"], row["name_en"]), link, change)
