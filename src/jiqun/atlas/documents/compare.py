"""Clusters, or regions, side by side 并排比较: a bar chart per measure and one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jiqun.atlas.documents.atlas import Told
from jiqun.atlas.documents.tables import clusters_table, regions_table
from jiqun.atlas.documents.words import name_text
from jiqun.atlas.operations import clusters_frame, find_region
from jiqun.atlas.reading import Run, find_cluster
from jiqun.atlas.subject import subject_of
from jiqun.core.document import Bar, Bars, Block, Document, Figure, Kind, Paragraph, Table, Text
from jiqun.report.formats import cell
from jiqun.store import StoredResult, Workspace


@dataclass(frozen=True)
class Measure:
    """What is compared; `title` is the finding, with {name} for who leads."""

    key: str
    title: Text
    subtitle: Text
    unit: Text
    kind: Kind
    digits: int = 1
    reference: float | None = None


OF_CLUSTERS: tuple[Measure, ...] = (
    Measure(
        "firms",
        Text("{name}的企业最多", "{name} has most firms"),
        Text("企业数", "Firms"),
        Text("家", "firms"),
        "integer",
        0,
    ),
    Measure(
        "ratio",
        Text("{name}超出期望最多", "{name} is farthest beyond its expectation"),
        Text("企业数与期望之比；1 为期望水平", "Firms to expected firms; 1 is as expected"),
        Text("倍", "×"),
        "ratio",
        1,
        1.0,
    ),
    Measure(
        "persistence",
        Text("{name}最经得起换参数", "{name} holds best under other settings"),
        Text("换用其他半径与水平时仍在的比例", "Share of searches with other radii and levels that find it"),
        Text("比例", "share"),
        "share",
        0,
    ),
    Measure(
        "radius_km",
        Text("{name}分布最广", "{name} reaches farthest"),
        Text("离中心最远成员的距离", "Distance of the farthest member from the centre"),
        Text("千米", "km"),
        "number",
        0,
    ),
)
OF_REGIONS: tuple[Measure, ...] = (
    OF_CLUSTERS[0],
    Measure(
        "lq_shrunk",
        Text("按人口算，{name}最密", "By population, {name} is densest"),
        Text("收缩后的区位熵；1 为总体水平", "Shrunken location quotient; 1 is the overall level"),
        Text("倍", "×"),
        "number",
        2,
        1.0,
    ),
    Measure(
        "g_star",
        Text("与邻区合看，{name}最突出", "With its neighbours, {name} stands out most"),
        Text("Getis–Ord G*", "Getis–Ord G*"),
        Text("标准差", "standard deviations"),
        "number",
        1,
    ),
)


def compare_document(
    workspace: Workspace,
    result: StoredResult,
    *,
    clusters: Sequence[str] = (),
    regions: Sequence[str] = (),
    linked: bool = False,
) -> Document:
    """Up to ten clusters, or regions, side by side 比较报告; `linked` as for `cluster_document`.

    Raises
    ------
    UsageError
        JQ-ATLAS-014, 018, 019: the run has no such cluster or region.
    """
    run = Run.of(workspace, result)
    subject = subject_of(workspace, result)
    title = Text("指标一览", "All measures")
    if clusters:
        for wanted in clusters:
            find_cluster(workspace, run, wanted)
        known = {row["cluster_id"]: row for row in clusters_frame(workspace, run).to_dicts()}
        rows = [known[wanted] for wanted in dict.fromkeys(clusters)]
        table = clusters_table("measures", title, rows, subject, run.as_of, linked=linked)
        measures = OF_CLUSTERS
    else:
        rows = [find_region(run, code).model_dump() for code in dict.fromkeys(regions)]
        table = regions_table("measures", title, rows, subject, run.as_of, linked=linked)
        measures = OF_REGIONS
    blocks: list[Block] = [table, *(figure for one in measures if (figure := _figure(one, rows, table)))]
    blocks += [Paragraph(text, "caution") for text in Told(result, subject, run.clusters).cautions()]
    return Document(
        title=_title(rows),
        subtitle=_sentence(rows, measures[0]),
        blocks=tuple(blocks),
        lineage=result.lineage,
        attributions=subject.attributions,
    )


def _title(rows: Sequence[dict[str, Any]]) -> Text:
    names = [name_text(row) for row in rows]
    if len(names) > 3:
        return Text(f"{names[0].zh}等 {len(names)} 个", f"{names[0].en} and {len(names) - 1} others")
    return Text(" / ".join(n.zh for n in names), " / ".join(n.en for n in names))


def _sentence(rows: Sequence[dict[str, Any]], firms: Measure) -> Text:
    if len(rows) < 2:
        return Text("再选一个即可比较。", "Choose one more to compare.")
    order = sorted(rows, key=lambda row: -row[firms.key])
    most, least = order[0], order[-1]
    first, last = name_text(most), name_text(least)
    if not least["firms"]:
        return Text(f"{first.zh}的企业最多。", f"{first.en} has most firms.")
    times = f"{most['firms'] / least['firms']:,.1f}"
    return Text(
        f"{first.zh}的企业数是{last.zh}的 {times} 倍。", f"{first.en} has {times} times as many firms as {last.en}."
    )


def _figure(measure: Measure, rows: Sequence[dict[str, Any]], table: Table) -> Figure | None:
    held = [row for row in rows if row[measure.key] is not None]
    if len(held) < 2:
        return None
    best = max(held, key=lambda row: row[measure.key])
    tied = sum(row[measure.key] == best[measure.key] for row in held) > 1
    name = name_text(best)
    title = Text(measure.title.zh.replace("{name}", name.zh), measure.title.en.replace("{name}", name.en))
    if tied:
        value = Text(*(cell(best[measure.key], measure.kind, language, measure.digits) for language in ("zh", "en")))
        title = Text(f"最高者不止一个：{value.zh}", f"Several share the highest: {value.en}")
    bars = tuple(Bar(name_text(row), float(row[measure.key])) for row in held)
    mark = Bars(bars, measure.unit, reference=measure.reference, kind=measure.kind, digits=measure.digits)
    return Figure(f"by-{measure.key.replace('_', '-')}", title, measure.subtitle, mark, table)
