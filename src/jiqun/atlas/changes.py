"""What changed between two runs, for those who follow 集群变化: in words, once for each account and run.

A cluster is followed as `clusters-01/c0001`, the kind of its results and its id, which it keeps from run to run; a
region as `clusters-01/CN` or `clusters-01/CN.30`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.accounts.follows import followers
from jiqun.accounts.mine import unpublished
from jiqun.accounts.notices import News, tell
from jiqun.atlas.regions import home_regions
from jiqun.core.document import Text
from jiqun.store import StoredResult, Workspace
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.results import JSON

KIND = "notices.clusters"
LEAST_SHARE = 0.05
LEAST_FIRMS = 3
"""A cluster that grows or shrinks by less than this share, or by fewer firms, is as it was."""


@dataclass(frozen=True)
class Change:
    """What happened to one cluster."""

    cluster_id: str
    event: str
    country: str | None
    title: Text
    body: Text | None
    lives: bool


def subject(kind: str, id_: str) -> str:
    """What is followed of the results of a kind: a cluster or a region, by its id.

    Examples
    --------
    >>> subject("clusters-01", "c0001")
    'clusters-01/c0001'
    """
    return f"{kind}/{id_}"


def changes(before: StoredResult, after: StoredResult) -> tuple[Change, ...]:
    """Clusters that were born, died, split, merged, grew or shrank, in the order of the runs' tables."""
    then = {row["cluster_id"]: row for row in _rows(before)}
    now = {row["cluster_id"]: row for row in _rows(after)}
    heirs: dict[str, list[str]] = {}
    for row in now.values():
        for ancestor in row["previous"] or ():
            heirs.setdefault(ancestor, []).append(row["cluster_id"])
    living = [change for id_, row in now.items() if (change := _living(row, then.get(id_), then))]
    gone = [_gone(row, [now[heir] for heir in heirs.get(id_, ())]) for id_, row in then.items() if id_ not in now]
    return (*living, *gone)


def _rows(result: StoredResult) -> list[dict[str, Any]]:
    columns = ("cluster_id", "name_zh", "name_en", "country", "firms", "event", "previous")
    return result.table("clusters").select(columns).to_dicts()


def _living(
    row: Mapping[str, Any], before: Mapping[str, Any] | None, then: Mapping[str, Mapping[str, Any]]
) -> Change | None:
    zh, en, firms = row["name_zh"] or row["name_en"], row["name_en"], row["firms"]
    others = [then[id_] for id_ in row["previous"] or () if id_ in then and id_ != row["cluster_id"]]
    size = _size(before["firms"] if before else None, firms)
    event = row["event"]
    if event == "merged" and others:
        title = Text(f"{zh}：与{_names(others).zh}合并", f"{en}: merged with {_names(others).en}")
    elif event == "split":
        title = Text(f"{zh}：分立为多个集群", f"{en}: split into several clusters")
    elif before is None:
        event = "born"
        title = Text(f"新集群：{zh}，{firms:,} 家企业", f"New cluster: {en}, firms: {firms:,}")
        size = None
    else:
        change = firms - before["firms"]
        if abs(change) < max(LEAST_FIRMS, LEAST_SHARE * before["firms"]):
            return None
        event = "grew" if change > 0 else "shrank"
        zh_word, en_word = ("增加", "more") if change > 0 else ("减少", "fewer")
        title = Text(
            f"{zh}：{zh_word} {abs(change):,} 家企业", f"{en}: {abs(change):,} {en_word} firm{'s' * (abs(change) != 1)}"
        )
    return Change(row["cluster_id"], event, row["country"], title, size, lives=True)


def _gone(row: Mapping[str, Any], heirs: list[Mapping[str, Any]]) -> Change:
    zh, en = row["name_zh"] or row["name_en"], row["name_en"]
    if heirs:
        title = Text(f"{zh}：并入{_names(heirs).zh}", f"{en}: became part of {_names(heirs).en}")
    else:
        title = Text(f"{zh}：不再构成集群", f"{en}: no longer a cluster")
    body = Text(f"上一次识别时有 {row['firms']:,} 家企业。", f"Firms in the run before: {row['firms']:,}.")
    return Change(row["cluster_id"], "died", row["country"], title, body, lives=False)


def _names(rows: list[Mapping[str, Any]]) -> Text:
    shown = rows[:3]
    zh = "、".join(row["name_zh"] or row["name_en"] for row in shown)
    en = ", ".join(row["name_en"] for row in shown)
    return Text(zh, en) if len(rows) <= len(shown) else Text(f"{zh}等", f"{en} and others")


def _size(before: int | None, now: int) -> Text | None:
    if before is None or before == now:
        return None
    return Text(f"企业数由 {before:,} 变为 {now:,}。", f"Firms: {before:,} before, {now:,} now.")


def news(workspace: Workspace, before: StoredResult, after: StoredResult) -> Iterator[News]:
    """Notices of a run to those who follow its clusters, or the regions in which some were born or went."""
    hidden = unpublished(workspace)
    firms = {firm: told for firm, told in followers(workspace, "firm").items() if firm not in hidden}
    yield from _firm_news(before, after, firms)
    following = followers(workspace, "cluster", f"{after.kind}/")
    regional = followers(workspace, "region", f"{after.kind}/")
    homes = _homes(workspace, before, after) if any("." in region for region in regional) else {}
    for change in changes(before, after):
        about = subject(after.kind, change.cluster_id)
        link = _link(after, change)
        told = set()
        for account in following.get(about, ()):
            told.add(account)
            yield _news(account, after, about, change, link)
        if change.event not in {"born", "died"}:
            continue
        for region in filter(None, (change.country, homes.get(change.cluster_id))):
            for account in regional.get(subject(after.kind, region), ()):
                if account not in told:
                    told.add(account)
                    yield _news(account, after, subject(after.kind, region), change, link)


def _firm_news(before: StoredResult, after: StoredResult, following: Mapping[str, list[str]]) -> Iterator[News]:
    """Notices to those who follow firms that came into a cluster, left one, or changed over."""
    if not following:
        return
    then, now = (_homes_of(result, list(following)) for result in (before, after))
    names = {row["cluster_id"]: Text(row["name_zh"] or row["name_en"], row["name_en"]) for row in _rows(before)}
    names |= {row["cluster_id"]: Text(row["name_zh"] or row["name_en"], row["name_en"]) for row in _rows(after)}
    for firm in sorted(then.keys() | now.keys()):
        name, left = then.get(firm, ("", None))
        name, entered = now.get(firm, (name, None))
        if left == entered:
            continue
        cluster = names[entered or left or ""]
        title = (
            Text(f"{name}：进入集群“{cluster.zh}”", f"{name}: now in the cluster {cluster.en}")
            if entered
            else Text(f"{name}：不再属于集群“{cluster.zh}”", f"{name}: no longer in the cluster {cluster.en}")
        )
        source = f"{after.kind}/{after.id}/firm/{firm}"
        for account in following[firm]:
            yield News(account, "firm.moved", source, title, firm, None, f"/firms/{firm}")


def _homes_of(result: StoredResult, firms: list[str]) -> dict[str, tuple[str, str]]:
    """Name and cluster of those of the firms that are in one."""
    members = result.table("members").filter(pl.col("id").is_in(firms))
    return {row[0]: (row[1], row[2]) for row in members.select("id", "name", "cluster_id").iter_rows()}


def _news(account: str, after: StoredResult, about: str, change: Change, link: str) -> News:
    source = f"{after.kind}/{after.id}/{change.cluster_id}"
    return News(account, f"cluster.{change.event}", source, change.title, about, change.body, link)


def _link(after: StoredResult, change: Change) -> str:
    code = after.kind.partition("-")[2]
    query = f"?class={code}" if code else ""
    return f"/clusters/{change.cluster_id}{query}" if change.lives else f"/clusters{query}"


def _homes(workspace: Workspace, before: StoredResult, after: StoredResult) -> dict[str, str]:
    return home_regions(before.path, workspace.cache) | home_regions(after.path, workspace.cache)


def _tell(workspace: Workspace, job: Job, report: Report) -> JSON:
    """Tell followers what a run changed against the run before it; nothing where it is the first."""
    report("compare", 0, 1)
    after = workspace.result(job.payload["kind"], job.payload["result"])
    previous = after.values["previous"] if after else None
    if after is None or not previous:
        return {"notices": 0}
    before = workspace.result(after.kind, str(previous))
    if before is None:
        return {"notices": 0}
    return {"notices": tell(workspace, list(news(workspace, before, after)), key=job.key("tell"))}


HANDLERS: dict[str, Handler] = {KIND: _tell}
"""What is done after a run for those who follow its clusters."""
