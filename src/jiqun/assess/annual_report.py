"""The annual assessment report 年度评估报告: one document of what is stored, section by section.

A section maker takes the workspace and the reader and gives its section, or None where nothing is there for them. Adding
one is a line in `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jiqun.assess import desk, diagnosis_document
from jiqun.assess.checks import checklist
from jiqun.assess.diagnosis_room import READS
from jiqun.assess.frontier_document import efficiency_document
from jiqun.assess.index_now import report_of
from jiqun.assess.panel import unit_names
from jiqun.assess.place_sections import belts_section, benchmark_section, parks_section
from jiqun.assess.stage import of_checks
from jiqun.assess.stage_desk import READINESS, STAGE, StageRequest
from jiqun.assess.stage_document import readiness_document, stages_document
from jiqun.assess.stored import restored_efficiency
from jiqun.atlas.reading import sees_all
from jiqun.core.actor import Actor
from jiqun.core.document import Block, Document, Figure, Paragraph, Section, Table, Text
from jiqun.core.lineage import Lineage, Source
from jiqun.store import StoredResult, Workspace

Maker = Callable[[Workspace, Actor], Section | None]
READY = 5
"""Regions and industries whose readiness is told, the latest first."""
ROWS = 30
"""Rows of a long table in the report; the workbook of each index has all."""
OPEN_KINDS = ("carriers", "belts")
"""Kinds of results that every reader of the report finds in it; indices are open to others once they are published."""
KINDS = ("index-", "coverage-", "uncertainty-", "frontier-", "diagnosis", STAGE, *OPEN_KINDS)
"""Kinds of results, by their beginning, that sections are made of."""
TITLE = Text("年度评估报告", "Annual assessment report")


def indices_section(workspace: Workspace, actor: Actor) -> Section | None:
    """Each index that the reader may see: what leads, rank intervals, what adds to scores, what is missing."""
    parts = []
    for code, stored in desk.indices(actor, workspace).items():
        shown = report_of(actor, workspace, stored)
        blocks: tuple[Block, ...] = (
            Paragraph(shown.sentence(), "lead"),
            *shown.head(),
            shortened(shown.figure()),
            shown.parts_table(ROWS),
            shown.coverage_table(),
            *shown.sure_blocks(ROWS),
        )
        parts.append(Section(f"index-{code}", shown.title, prefixed(blocks, code)))
    return Section("indices", Text("指数与名次", "Indices and ranks"), tuple(parts)) if parts else None


def frontiers_section(workspace: Workspace, actor: Actor) -> Section | None:
    """Each stored frontier: scores, and how far targets are; only for who may see them."""
    if not sees_all(actor):
        return None
    parts = []
    for name in desk.frontiers(workspace):
        stored = desk.latest(workspace, desk.FRONTIER, name)
        document = efficiency_document(restored_efficiency(stored), stored.lineage.inputs[0])
        parts.append(
            Section(f"frontier-{name}", Text(name, name), prefixed(tuple(map(shortened, document.blocks)), name))
        )
    return Section("frontiers", Text("效率前沿", "Efficiency frontier"), tuple(parts)) if parts else None


def stages_section(workspace: Workspace, actor: Actor) -> Section | None:
    """Stages as stored, for the annual report 年度报告中的阶段; None where there are none, or the actor may not read them."""
    result = workspace.result(STAGE)
    if result is None or actor.roles.isdisjoint(READS):
        return None
    rules = checklist("stage")
    parts = result.table("checks").partition_by("unit", as_dict=True, maintain_order=True)
    found = [of_checks(str(unit), checks.drop("unit"), rules) for (unit,), checks in parts.items()]
    values: dict[str, Any] = dict(result.values)
    called = unit_names(workspace, [one.unit for one in found])
    document = stages_document(found, result.lineage.inputs[0], StageRequest(), values["units_loaded"], called=called)
    return Section("stages-section", document.title, (Paragraph(document.subtitle, "lead"), *document.blocks))


def readiness_section(workspace: Workspace, actor: Actor) -> Section | None:
    """Readiness as stored, of each region and industry the latest 年度报告中的准备度; None as for stages."""
    if actor.roles.isdisjoint(READS):
        return None
    told = [readiness_document(result) for result in _ready(workspace)]
    parts = tuple(
        Section(
            f"readiness-{at}", one.title, (Paragraph(one.subtitle, "lead"), *prefixed(one.blocks, f"readiness-{at}"))
        )
        for at, one in enumerate(told, 1)
    )
    return Section("readiness-section", Text("准备度", "Readiness"), parts) if parts else None


def _ready(workspace: Workspace) -> list[StoredResult]:
    """Of each region and industry the latest readiness, the latest first."""
    last: dict[tuple[Any, Any], StoredResult] = {}
    for result in workspace.results(READINESS):
        last.setdefault((result.values["region"], result.values["industry"]), result)
    return list(last.values())[:READY]


SECTIONS: tuple[Maker, ...] = (
    indices_section,
    frontiers_section,
    diagnosis_document.sections,
    stages_section,
    readiness_section,
    parks_section,
    belts_section,
)
"""What the report is made of, in order; reference clusters stand beside what there is."""


def annual_report(workspace: Workspace, actor: Actor) -> Document:
    """The report of all that is stored and that the reader may see 生成年度评估报告.

    Nothing is computed: what was not computed has no section, and where there is none at all the report says so.
    """
    sections = [made for maker in SECTIONS if (made := maker(workspace, actor)) is not None]
    if sections:
        sections.append(benchmark_section(workspace, actor))
    blocks: tuple[Block, ...] = tuple(
        replace(one, blocks=prefixed(tuple(map(shortened, one.blocks)), one.id)) for one in sections
    )
    if not sections:
        blocks = (
            Paragraph(
                Text(
                    "尚无可报告的评估结果：先计算指数，或等待发布。",
                    "There is no result to report yet: compute an index first, or wait until one is published.",
                ),
                "caution",
            ),
        )
    told = _sources(workspace, actor)
    dates = sorted({one.as_of for one in told if one.as_of})
    since = Text(
        f"{len(sections)} 部分；数据截至 {'、'.join(dates) or '—'}",
        f"{len(sections)} {'part' if len(sections) == 1 else 'parts'}; data as of {', '.join(dates) or '—'}",
    )
    return Document(TITLE, since, blocks, Lineage("assess.annual_report", "1", {}, told))


def _sources(workspace: Workspace, actor: Actor) -> tuple[Source, ...]:
    """The results that the report is made of, with the dates that they speak of."""
    every = sees_all(actor)
    stored = [] if every else list(desk.indices(actor, workspace).values())
    kinds = [kind for kind in sorted(workspace.manifest().results) if kind.startswith(KINDS if every else OPEN_KINDS)]
    stored += [found for kind in kinds if (found := workspace.result(kind))]
    stored += _ready(workspace) if every else []
    return tuple(
        Source(one.kind, one.id, max((source.as_of for source in one.lineage.inputs), default="")) for one in stored
    )


def prefixed(blocks: Sequence[Block], prefix: str) -> tuple[Block, ...]:
    """Blocks whose ids begin with a prefix, so that several documents fit into one.

    Examples
    --------
    >>> prefixed([Section("scores", Text("得分", "Scores"), ())], "green")[0].id
    'green-scores'
    """
    made: list[Block] = []
    for block in blocks:
        if isinstance(block, Section):
            made.append(replace(block, id=f"{prefix}-{block.id}", blocks=prefixed(block.blocks, prefix)))
        elif isinstance(block, Figure):
            table = replace(block.table, id=f"{prefix}-{block.table.id}")
            made.append(replace(block, id=f"{prefix}-{block.id}", table=table))
        elif isinstance(block, Table):
            made.append(replace(block, id=f"{prefix}-{block.id}"))
        else:
            made.append(block)
    return tuple(made)


def shortened(block: Block) -> Block:
    """Long tables cut to their first rows, which they say."""
    if isinstance(block, Section):
        return replace(block, blocks=tuple(map(shortened, block.blocks)))
    if isinstance(block, Figure):
        return replace(block, table=_first(block.table))
    return _first(block) if isinstance(block, Table) else block


def _first(table: Table) -> Table:
    if len(table.rows) <= ROWS:
        return table
    note = Text(
        f"前 {ROWS} 行，共 {len(table.rows):,} 行；工作簿中有全部。",
        f"The first {ROWS} of {len(table.rows):,} rows; a workbook has all.",
    )
    return replace(table, rows=list(table.rows)[:ROWS], note=note)


__all__ = ["SECTIONS", "Maker", "annual_report", "prefixed", "shortened"]
