"""Lists of clusters and regions as tables 列表: the same columns on every page and in every file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jiqun.atlas.documents.words import name_text
from jiqun.atlas.listing import EVENTS, country_text
from jiqun.atlas.subject import Subject
from jiqun.core.document import Cell, Column, Table, Text


def clusters_table(
    id_: str,
    title: Text,
    rows: Sequence[dict[str, Any]],
    subject: Subject,
    as_of: str,
    *,
    linked: bool = False,
    short: bool = False,
) -> Table:
    """Clusters, a row each; `rows` as of `jiqun.atlas.operations.clusters_frame`. `short`: what a first look needs."""
    columns: tuple[Column, ...] = (
        Column("rank", Text("序", "#"), "integer"),
        Column("name", Text("集群", "Cluster")),
        Column("country", Text("国家或地区", "Country or region")),
        Column("firms", Text("企业数", "Firms"), "integer"),
        Column("ratio", Text("倍数", "× expected"), "ratio"),
        Column("persistence", Text("稳定性", "Persistence"), "share", 0),
        Column("leaders", Text("领先企业", "Leading names")),
        Column("event", Text("变化", "Change")),
        Column("cluster_id", Text("编号", "Id"), "code"),
    )
    cells: list[tuple[Cell, ...]] = [
        (
            row["rank"],
            name_text(row),
            country_text(row["country"]),
            row["firms"],
            row["ratio"],
            row["persistence"],
            " · ".join(row["leaders"] or ()),
            EVENTS[row["event"]],
            row["cluster_id"],
        )
        for row in rows
    ]
    if short:
        kept = [i for i, column in enumerate(columns) if column.key not in {"persistence", "cluster_id"}]
        columns, cells = tuple(columns[i] for i in kept), [tuple(row[i] for i in kept) for row in cells]
    links = tuple(f"clusters/{row['cluster_id']}" for row in rows) if linked else ()
    return Table(id_, title, columns, cells, subject.register, as_of, links=links)


def regions_table(
    id_: str, title: Text, rows: Sequence[dict[str, Any]], subject: Subject, as_of: str, *, linked: bool = False
) -> Table:
    """Regions, a row each; `rows` as of `jiqun.atlas.reading.Run.regions`."""
    columns = (
        Column("rank", Text("序", "#"), "integer"),
        Column("name", Text("地区", "Region")),
        Column("firms", Text("企业数", "Firms"), "integer"),
        Column("coarse", Text("其中粗定位", "Placed coarsely"), "integer"),
        Column("expected", Text("期望数", "Expected"), "number", 1),
        Column("lq", Text("区位熵", "Location quotient"), "number", 2),
        Column("lq_shrunk", Text("收缩后", "Shrunken"), "number", 2),
        Column("g_star", Text("G*", "G*"), "number", 1),
        Column("g_star_q", Text("G* 的 q 值", "q of G*"), "probability"),
        Column("region", Text("代码", "Code"), "code"),
    )
    keys = [column.key for column in columns[2:]]
    cells = [(row["rank"], name_text(row), *(row[key] for key in keys)) for row in rows]
    links = tuple(f"regions/{row['region']}" for row in rows) if linked else ()
    return Table(id_, title, columns, cells, subject.register, as_of, links=links)
