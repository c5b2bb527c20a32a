"""Home 首页: the headline for who is signed out; for everyone else what needs them today, said plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import polars as pl
from fastapi import APIRouter, Request, Response

from jiqun.accounts import operations as accounts
from jiqun.atlas import operations as atlas
from jiqun.core.actor import Role
from jiqun.core.document import Text
from jiqun.core.operation import Model, PageRequest
from jiqun.intake.room import list_imports
from jiqun.roster import room as roster
from jiqun.store import Workspace
from jiqun.store import room as store
from jiqun.survey import room as survey
from jiqun.survey.models import OwnRequest
from jiqun.web.pages import atlas_home
from jiqun.web.pages.follow import Followed, told
from jiqun.web.render import page
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
_SAMPLE = 200
FEW = 5
_OPEN_IMPORTS = {"read", "checked", "failed"}


@dataclass(frozen=True)
class Task:
    """Something that needs the visitor, or is at hand: words, where, and what to do there."""

    words: Text
    link: str
    action: Text
    meaning: str = "watch"


OPEN = Text("查看", "Open")


@router.get("/")
def home(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What needs me; signed out, what the atlas says."""
    if visitor.account is None:
        return atlas_home.headline(request, visitor, workspace)
    role = visitor.account.role
    tasks = tuple(task for find in _TASKS[role] for task in find(visitor, workspace))
    return page(
        request,
        visitor,
        "home.html",
        title=_greeting(len(tasks)),
        tasks=tasks,
        followed=tuple(_followed(visitor, workspace)) if role in {"operator", "analyst"} else (),
        runs=_last_runs(visitor, workspace) if role in {"operator", "analyst"} else (),
        standing=(*(task for find in _FOUND.get(role, ()) for task in find(visitor, workspace)), *_STANDING[role]),
        notes={"opened": visitor.say("Welcome. Your account is open.")},
    )


def _greeting(count: int) -> Text:
    if not count:
        return Text("今天没有待办", "Nothing needs you today")
    return Text(f"{count} 件事待处理", "One thing needs you" if count == 1 else f"{count} things need you")


def _counted(count: int, zh: str, one: str, many: str) -> Text:
    more = "+" if count >= _SAMPLE else ""
    return Text(zh.format(n=f"{count}{more}"), (one if count == 1 else many).format(n=f"{count}{more}"))


def _dead_jobs(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    dead = len(store.jobs(visitor.actor, workspace, store.JobsRequest(state="dead", limit=_SAMPLE)))
    if dead:
        words = _counted(dead, "{n} 个作业失败", "{n} job has failed", "{n} jobs have failed")
        yield Task(words, "/jobs?state=dead", Text("看原因", "See why"), "bad")


def _quarantine(_: Visitor, workspace: Workspace) -> Iterator[Task]:
    for snapshot in workspace.tables():
        if snapshot.quarantined:
            n = f"{snapshot.quarantined:,}"
            words = Text(
                f"最近装载的《{snapshot.source}》有 {n} 处问题",
                f"{n} problems were met when {snapshot.source} was loaded",
            )
            yield Task(words, "/data", Text("看问题", "See the problems"))


def _imports(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    found = list_imports(visitor.actor, workspace, PageRequest(limit=_SAMPLE)).items
    waiting = [one for one in found if one.state in _OPEN_IMPORTS]
    for one in waiting[:3]:
        words = Text(f"导入“{one.file}”等您继续", f"The import of {one.file} waits for you")
        yield Task(
            words, f"/imports/{quote(one.id)}", Text("继续", "Go on"), "bad" if one.state == "failed" else "watch"
        )
    if len(waiting) > 3:
        words = _counted(len(waiting) - 3, "另有 {n} 个导入未完成", "{n} more import waits", "{n} more imports wait")
        yield Task(words, "/imports", OPEN)


def _changed(_: Visitor, workspace: Workspace) -> Iterator[Task]:
    """Clusters that are not as in the run before; a first run changes nothing."""
    result = workspace.result("clusters")
    if result is None or not result.values.get("previous"):
        return
    events = result.table("clusters")["event"]
    changed = int(events.is_in(pl.Series(["born", "split", "merged"]).implode()).sum())
    died = result.table("died").height
    if changed + died:
        words = Text(
            f"最近一次运行后，{changed} 个集群新增、拆分或合并，{died} 个消失",
            f"Since the run before, {changed} clusters are new, split or merged, and {died} have gone",
        )
        yield Task(words, "/clusters", OPEN)


def _withdrawals(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    found = accounts.withdrawals(visitor.actor, workspace, PageRequest(limit=_SAMPLE)).items
    waiting = sum(one.state == "asked" for one in found)
    if waiting:
        words = _counted(waiting, "{n} 个撤回申请待答复", "{n} withdrawal waits for an answer", "{n} withdrawals wait")
        yield Task(words, "/accounts#withdrawals", Text("答复", "Answer"))


def _forms(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    """Forms that a member's organisation has not answered."""
    account = visitor.own_account()
    if account.organisation is None:
        return
    for one in survey.mine(visitor.actor, workspace, OwnRequest(organisation=account.organisation)):
        if one.takes and one.state in {"silent", "started"}:
            words = Text(
                f"请填报“{one.title_zh}”（{one.period}），{one.closes_on} 截止",
                f"Please answer “{one.title_en}” ({one.period}) by {one.closes_on}",
            )
            action = Text("继续", "Go on") if one.state == "started" else Text("填报", "Fill in")
            yield Task(words, f"/mine/forms/{quote(one.survey)}", action)


def _rounds(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    """Rounds that wait for answers or to be published."""
    for one in survey.list_rounds(visitor.actor, workspace, PageRequest(limit=20)).items:
        link = f"/surveys/{quote(one.id)}"
        if one.state == "locked":
            words = Text(f"“{one.title_zh}”已锁定，待发布", f"“{one.title_en}” is locked and waits to be published")
            yield Task(words, link, Text("发布", "Publish"))
        elif one.state == "open" and one.silent:
            words = Text(
                f"“{one.title_zh}”：{one.expected} 家中 {one.silent} 家未答，{one.closes_on} 截止",
                f"“{one.title_en}”: {one.silent} of {one.expected} silent, open until {one.closes_on}",
            )
            yield Task(words, f"{link}?state=silent#roster", Text("看名单", "See who"))


def _rosters(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    """Rosters that were matched and wait to be merged."""
    for one in roster.rosters(visitor.actor, workspace, PageRequest(limit=20)).items:
        if one.state == "matched":
            doubtful = one.counts["review"]
            words = Text(
                f"名单“{one.name}”已匹配、未并入" + (f"，{doubtful:,} 行有疑问" if doubtful else ""),
                f"The roster {one.name} is matched and not merged"
                + (f"; {doubtful:,} rows in doubt" if doubtful else ""),
            )
            action = Text("判定", "Decide") if doubtful else Text("并入", "Merge")
            yield Task(words, f"/rosters/{quote(one.id)}", action)


def _unread(visitor: Visitor, _: Workspace) -> Iterator[Task]:
    count = visitor.unread
    if count:
        yield Task(_counted(count, "{n} 条未读通知", "{n} unread notice", "{n} unread notices"), "/notices", OPEN)


def _followed(visitor: Visitor, workspace: Workspace) -> Iterator[Followed]:
    """The clusters that the visitor follows, with their last change."""
    mine = accounts.my_follows(visitor.actor, workspace, PageRequest(limit=_SAMPLE)).items
    return told(workspace, [one for one in mine if one.kind == "cluster"][:FEW])


def _last_runs(visitor: Visitor, workspace: Workspace) -> tuple[atlas.RunRow, ...]:
    found: tuple[atlas.RunRow, ...] = atlas.runs(visitor.actor, workspace, atlas.RunsRequest(limit=FEW)).items
    return found


def _to_verify(visitor: Visitor, workspace: Workspace) -> Iterator[Task]:
    """What an auditor can check: the newest head, each loaded table, the current run."""
    head = store.head(visitor.actor, workspace, Model())
    if head is not None:
        words = Text(
            f"日志 {head.size:,} 条记录，树头签于 {head.at[:16].replace('T', ' ')} UTC",
            f"Journal of {head.size:,} entries, head signed {head.at[:16].replace('T', ' ')} UTC",
        )
        yield Task(words, "/journal", Text("查验", "Verify"))
    for snapshot in workspace.tables():
        words = Text(
            f"《{snapshot.source}》{snapshot.rows:,} 行，截至 {snapshot.as_of}",
            f"{snapshot.source}: {snapshot.rows:,} rows as of {snapshot.as_of}",
        )
        yield Task(words, "/data", Text("核对来源", "Check the source"))
    for run in _last_runs(visitor, workspace)[:1]:
        words = Text(
            f"{run.clusters:,} 个集群，结果摘要 {run.id[:12]}",
            f"{run.clusters:,} clusters, result digest {run.id[:12]}",
        )
        yield Task(words, "/method", Text("看算法与参数", "See method and parameters"))


Finder = Callable[[Visitor, Workspace], Iterator[Task]]
_TASKS: dict[Role, tuple[Finder, ...]] = {
    "operator": (_dead_jobs, _withdrawals, _imports, _rosters, _quarantine, _rounds, _changed, _unread),
    "analyst": (_dead_jobs, _imports, _rosters, _changed, _unread),
    "member": (_forms, _unread),
    "auditor": (_unread,),
}
_MAP = Task(Text("全部集群一图看", "All clusters at once"), "/map", Text("打开地图", "Open the map"))
_IMPORT = Task(Text("带来一份名录", "Bring a register"), "/imports", Text("导入", "Import"))
_ACCOUNTS = Task(Text("谁可以登录", "Who may sign in"), "/accounts", Text("账户与邀请", "Accounts and invitations"))
_JOBS = Task(Text("正在进行的工作", "Work under way"), "/jobs", Text("作业", "Jobs"))
_JOURNAL = Task(Text("每次改动都有据可查", "Every change is on record"), "/journal", Text("日志", "Journal"))
_STANDING: dict[Role, tuple[Task, ...]] = {
    "operator": (_IMPORT, _ACCOUNTS, _JOBS, _MAP, _JOURNAL),
    "analyst": (
        _MAP,
        Task(Text("我的全部关注", "All that I follow"), "/account#follows", OPEN),
        _IMPORT,
        _JOBS,
    ),
    "member": (
        Task(Text("在册信息对吗？", "Is our record right?"), "/mine", Text("核对我的企业", "Check my firm")),
        Task(Text("谁看过我们的数据", "Who looked at our data"), "/mine#views", OPEN),
        Task(Text("带走我们的数据", "Take our data with us"), "/mine#export", Text("导出", "Export")),
        Task(Text("收回我们的数据", "Take our data back"), "/mine#withdraw", Text("撤回", "Withdraw")),
        _MAP,
    ),
    "auditor": (Task(Text("每个数字怎么来", "How each number is made"), "/method", OPEN),),
}
_FOUND: dict[Role, tuple[Finder, ...]] = {"auditor": (_to_verify,)}
