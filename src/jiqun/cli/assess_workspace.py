"""What `jiqun assess` does without a table: it works on the workspace's data and stores what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from jiqun.assess import desk, own_frameworks
from jiqun.assess.framework import Framework, framework_of, shipped, shipped_text
from jiqun.assess.frontier_document import efficiency_document
from jiqun.assess.index_document import uncertainty_document
from jiqun.assess.index_now import report_of
from jiqun.assess.index_report import IndexReport
from jiqun.assess.stored import remarks_of, restored_efficiency, restored_uncertainty
from jiqun.cli.output import note, progress, say
from jiqun.cli.workspace import WorkspaceOption, open_workspace, workspace_path
from jiqun.core.actor import LOCAL
from jiqun.core.document import Document
from jiqun.core.errors import UsageError, current_language
from jiqun.store import StoredResult

BasisOption = Annotated[
    Literal["clusters", "table"] | None,
    typer.Option(
        help="Without TABLE: rate the clusters 集群 of the current run, or the units of the table of indicators 指标表."
    ),
]
DigitalOption = Annotated[
    str | None,
    typer.Option("--digital", "-d", metavar="CODE", help="Without TABLE: clusters of the search of this class."),
]


def alone(unit: str, year: str | None) -> dict[str, Any]:
    """Options of a file that nothing comes of without one."""
    return {"--unit": unit != "unit", "--year": year}


def frameworks(folder: Path | None) -> list[Framework]:
    """The frameworks of the workspace, if there is one, and those that are shipped."""
    if workspace_path(folder) is None:
        return list(shipped())
    return [one.framework for one in own_frameworks.kept(open_workspace(folder)).values()]


def text_of(folder: Path | None, name: str) -> str:
    """The TOML of a framework of the workspace, if there is one, or of a shipped one."""
    if workspace_path(folder) is None:
        return shipped_text(framework_of(name).code)
    return own_frameworks.text_of(open_workspace(folder), name)


def index(
    folder: Path | None,
    framework: str,
    basis: Literal["clusters", "table"] | None,
    year: int | None,
    digital: str | None,
    weights: Mapping[str, float] | None,
    steps: Mapping[str, str | list[str]],
    unused: Mapping[str, Any],
) -> IndexReport:
    """The index of the workspace under a framework, stored."""
    _refuse(unused)
    opened = open_workspace(folder)
    changes = tuple((name, tuple(way) if isinstance(way, list) else way) for name, way in steps.items())
    choice = desk.IndexChoice(framework, basis, year, digital, tuple((weights or {}).items()), changes)
    with progress() as told:
        result = desk.run_index(LOCAL, opened, choice, progress=told)
    shown = report_of(LOCAL, opened, result)
    _tell(result)
    rated, whole, share = len(shown.framework.codes), len(shown.whole.codes), f"{shown.covered:.0%}"
    say(
        f"用到 {whole} 项指标中的 {rated} 项，占权重 {share}；--show coverage 逐项说明。",
        f"{rated} of {whole} indicators are used, {share} of the weight; --show coverage says why for each.",
    )
    return shown


def unit_of(shown: IndexReport, wanted: str) -> str:
    """The key of a unit by its key or name; what fits none is refused by whoever looks for it."""
    low = wanted.strip().lower()
    found = [key for key, name in shown.names.items() if low in {key.lower(), name.zh.lower(), name.en.lower()}]
    return found[0] if len(found) == 1 else wanted


def uncertainty(
    folder: Path | None,
    choice: desk.SureChoice,
    unused: Mapping[str, Any],
) -> Document:
    """How sure the ranks of the stored index are, stored; as a document with the names of units."""
    _refuse(unused)
    opened = open_workspace(folder)
    with progress() as told:
        sure = desk.run_uncertainty(LOCAL, opened, choice, progress=told)
    shown = report_of(LOCAL, opened, desk.latest(opened, desk.INDEX, choice.framework))
    _tell(sure)
    found = restored_uncertainty(sure, shown.framework)
    return shown.renamed(uncertainty_document(found, sure.lineage.inputs))


def frontier(
    folder: Path | None, name: str | None, unused: Mapping[str, Any], **choice: Any
) -> tuple[StoredResult, Document]:
    """A frontier of the workspace's table of indicators, stored."""
    _refuse(unused)
    opened = open_workspace(folder)
    with progress() as told:
        result = desk.run_frontier(LOCAL, opened, desk.FrontierChoice(name or "default", **choice), progress=told)
    _tell(result)
    return result, efficiency_document(restored_efficiency(result), result.lineage.inputs[0])


def publish(
    framework: Annotated[str, typer.Argument(metavar="FRAMEWORK", help="Code of the framework 指标体系代码.")],
    close: Annotated[bool, typer.Option("--close", help="Close it again 撤回发布.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Open the stored index to members and the public 发布指数, with its rank intervals; or close it again.

    Example: jiqun assess publish competitiveness
    """
    desk.publish_index(LOCAL, open_workspace(workspace), framework, show=not close)
    if close:
        say(f"{framework} 不再公开。", f"{framework} is closed to members and the public.")
    else:
        say(f"{framework} 已向成员和公众公开。", f"{framework} is open to members and the public.")


def _refuse(unused: Mapping[str, Any]) -> None:
    """Refuse options of a file where there is none, for nothing would come of them."""
    given = [name for name, value in unused.items() if value]
    if given:
        raise UsageError("JQ-ASSESS-076", options=", ".join(given))


def _tell(result: StoredResult) -> None:
    language = current_language()
    for one in remarks_of(result):
        note(f"{one.code} {one.message.get(language)}\n  {one.hint.get(language)}")
