"""Sections of a report on parks, belts and reference clusters 报告章节: None where nothing of it is there."""

from __future__ import annotations

from jiqun.assess import parks_desk as desk
from jiqun.assess.belts_document import belts_document
from jiqun.assess.belts_room import KIND
from jiqun.assess.benchmark_document import benchmark_document
from jiqun.assess.parks_document import findings_of_all, parks_document
from jiqun.atlas.reading import sees_all
from jiqun.core.actor import Actor
from jiqun.core.document import Block, Paragraph, Section, Text
from jiqun.store import Workspace


def parks_section(workspace: Workspace, actor: Actor) -> Section | None:
    """Parks 载体: what is let and, for who may see it, what stands idle; None where no carriers are loaded."""
    if not workspace.history(desk.TABLE):
        return None
    shown, told = desk.parks_now(workspace), desk.assessed(workspace)
    document = parks_document(shown, today=workspace.clock().date())
    found: tuple[Block, ...] = (findings_of_all(shown, told) if told else Paragraph(_NOT_ASSESSED),)
    return Section("parks-section", document.subtitle, (*document.blocks, *(found if sees_all(actor) else ())))


_NOT_ASSESSED = Text(
    "载体是否闲置还没有评估(jiqun parks assess)。",
    "Whether parks stand idle has not been assessed (jiqun parks assess).",
)


def belts_section(workspace: Workspace, actor: Actor) -> Section | None:
    """Belts 产业带; None where none were looked for."""
    del actor
    result = workspace.result(KIND)
    if result is None:
        return None
    document = belts_document(result, most=20)
    return Section("industry-belts", document.subtitle, document.blocks)


def benchmark_section(workspace: Workspace, actor: Actor) -> Section:
    """Reference clusters as quoted 对标."""
    del workspace, actor
    document = benchmark_document()
    return Section("benchmark", document.subtitle, document.blocks)
