"""A stored index as it is shown now 指数现状: what is missing and why as last told, and what it rests on that has changed.

Equal values are an equal result, stored once; why something else is missing may have changed since. The reasons that are
shown are those that were found last for the same values.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from jiqun.assess import desk
from jiqun.assess.framework import Framework
from jiqun.assess.index_report import IndexReport
from jiqun.assess.stored import frame_of
from jiqun.assess.survey_values import matched
from jiqun.atlas.reading import sees_all
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import UsageError
from jiqun.store import StoredResult, Workspace
from jiqun.survey import records
from jiqun.survey.answered import source

_SAME = ("framework_digest", "basis", "year")
ANSWERS = "survey_answers "
"""Begins the names of inputs that are rounds."""


def report_of(actor: Actor, workspace: Workspace, stored: StoredResult) -> IndexReport:
    """A stored index with its intervals and the reasons of now, as far as an actor may see 取指数."""
    return IndexReport(
        stored,
        desk.find_uncertainty(workspace, stored),
        reasons=reasons_of(workspace, stored),
        inside=sees_all(actor),
    )


def reasons_of(workspace: Workspace, stored: StoredResult) -> StoredResult | None:
    """What was told last of the data for the very values of an index; None: nothing since it was stored."""
    told: Any = stored.lineage.parameters
    kind = desk.kind_of(desk.COVERAGE, str(told["framework"]))
    current = workspace.result(kind)
    inputs = {(one.name, one.digest) for one in stored.lineage.inputs}
    used = _used(stored)
    latest: list[StoredResult] = [current] if current else []
    for found in (*latest, *workspace.results(kind)):
        parameters: Any = found.lineage.parameters
        same = all(parameters.get(name) == told.get(name) for name in _SAME)
        if same and inputs <= {(one.name, one.digest) for one in found.lineage.inputs} and _used(found).equals(used):
            return found
    return None


def _used(stored: StoredResult) -> pl.DataFrame:
    return frame_of(stored, "coverage").filter(pl.col("state") == "used").select("code", "origin", "units")


def outdated(workspace: Workspace, stored: StoredResult) -> tuple[Text, ...]:
    """What an index rests on and is no longer so, by name 已变的来源; none: it would come out the same today.

    A round that was opened again, or closed since and would fill an indicator, counts too.
    """
    found: dict[str, Text] = {}
    for one in stored.lineage.inputs:
        if one.name.startswith(ANSWERS):
            name, digest = _round(workspace, one.name.removeprefix(ANSWERS))
        elif one.name in _TABLES:
            loaded = workspace.history(one.name)
            name, digest = _TABLES[one.name], workspace.snapshot(one.name).input.digest if loaded else None
        else:
            now = workspace.result(one.name)
            name, digest = _names(one.name), now.id if now else None
        if digest != one.digest:
            found.setdefault(one.name, name)
    now = reasons_of(workspace, stored) or stored
    rows = frame_of(now, "coverage").filter(pl.col("origin") == "survey")["code"].to_list()
    asking = matched(workspace, Framework.model_validate(stored.values["whole"]))
    usable = {each.id for one in asking.values() for each in one.usable}
    fills = {each.id for code in rows if code in asking for each in asking[code].usable}
    there = (now.path / "rounds.parquet").exists()  # not in what was stored before surveys were aggregated
    taken = {str(key) for key in frame_of(now, "rounds")["survey"]} if there else set()
    for key in sorted((fills - taken) | (taken - usable)):
        found.setdefault(ANSWERS + key, _round(workspace, key)[0])
    return tuple(found.values())


_TABLES = {
    "indicators": Text("指标表", "the table of indicators"),
    "organisations": Text("名录", "the register"),
}


def _round(workspace: Workspace, survey: str) -> tuple[Text, str | None]:
    """What a round is called, and its digest as it stands; None: there is none such."""
    try:
        found = records.find(workspace, survey)
    except UsageError:
        return Text(f"调查轮次 {survey}", f"the survey round {survey}"), None
    name = Text(f"调查轮次“{found.title.zh} {found.period}”", f"the survey round “{found.title.en} {found.period}”")
    return name, source(workspace, found).digest


def _names(kind: str) -> Text:
    known = {
        "clusters": Text("集群识别", "the search for clusters"),
        "network": Text("网络分析", "the analysis of links"),
        "core-share": Text("核心产业判定", "the judgement of core industries"),
        "diagnosis": Text("诊断", "the diagnosis"),
        "carriers": Text("载体评估", "the assessment of parks"),
        "chain": Text("产业链", "the placing of firms on chains"),
    }
    return next((words for name, words in known.items() if kind.startswith(name)), Text(kind, kind))
