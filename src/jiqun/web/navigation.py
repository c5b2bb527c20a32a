"""The main menu 导航: what each role finds in it."""

from __future__ import annotations

from dataclasses import dataclass

from jiqun.core.actor import Role
from jiqun.core.document import Text
from jiqun.web.visitor import Visitor


@dataclass(frozen=True)
class Entry:
    """One entry of the menu; `roles` None is for everyone who may see the atlas."""

    path: str
    title: Text
    roles: frozenset[Role] | None = None
    current: bool = False


_MENU = (
    Entry("/mine", Text("我的企业", "My firm"), frozenset({"member"})),
    Entry("/map", Text("地图", "Map")),
    Entry("/clusters", Text("集群", "Clusters")),
    Entry("/regions", Text("地区", "Regions")),
    Entry("/network", Text("网络", "Network")),
    Entry("/chains", Text("产业链", "Chains")),
    Entry("/assess", Text("评估", "Assess")),
    Entry("/parks", Text("载体", "Parks")),
    Entry("/imports", Text("导入", "Import"), frozenset({"operator", "analyst"})),
    Entry("/rosters", Text("名单", "Rosters"), frozenset({"operator", "analyst", "auditor"})),
    Entry("/placing", Text("落位", "Placing"), frozenset({"operator", "analyst"})),
    Entry("/surveys", Text("采集", "Surveys"), frozenset({"operator", "analyst", "auditor"})),
    Entry("/classify", Text("归类", "Classes"), frozenset({"operator", "analyst", "auditor"})),
    Entry("/data", Text("数据", "Data")),
    Entry("/method", Text("方法", "Method")),
    Entry("/accounts", Text("账户", "Accounts"), frozenset({"operator"})),
    Entry("/journal", Text("日志", "Journal"), frozenset({"operator", "auditor"})),
)


def entries(visitor: Visitor, path: str) -> tuple[Entry, ...]:
    """The menu of a visitor; the entry of the page they are on is marked."""
    if not visitor.actor.roles:
        return ()
    return tuple(
        Entry(entry.path, entry.title, entry.roles, path == entry.path or path.startswith(f"{entry.path}/"))
        for entry in _MENU
        if entry.roles is None or entry.roles & visitor.actor.roles
    )
