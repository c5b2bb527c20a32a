"""The demo 演示: a real registry, loaded, searched and reported through the same functions as anybody's.

Parameters were fixed before the result was looked at, for reasons that have nothing to do with it:

- firms are known to the city centre, which counts as 10 km; a radius must be at least twice that: 20 km;
- the register holds makers only, so nothing in it can serve as a background but population can; makers anywhere need
  an entry in it, so that is the population of the world;
- the floor of 10 firms and alpha = 0.05 are the defaults; the level is divided among all candidate places;
- 199 random registers are drawn to check the error rate, not to tune it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from jiqun.atlas import desk
from jiqun.atlas.documents import atlas_document
from jiqun.atlas.sphere import chord2, unit_vectors
from jiqun.atlas.subject import Subject
from jiqun.core.actor import LOCAL
from jiqun.core.document import Block, Cell, Column, Paragraph, Section, Table, Text
from jiqun.core.progress import Progress, silent
from jiqun.demo import ieee
from jiqun.intake import desk as intake
from jiqun.intake.gazetteer import ATTRIBUTION, Gazetteer
from jiqun.intake.summary import LoadReport
from jiqun.report import html
from jiqun.store import StoredResult, Workspace, config

SEARCH = desk.Search(coverage="world", eps_km=20.0, floor=10, alpha=0.05, draws=199, size="size")
NEAR_KM = 20.0
NOUN = Text("网络设备制造商", "makers of network devices")
WIPO = Text(
    "WIPO《全球创新指数 2024》科技集群前十名(按专利与论文)",
    "WIPO, Global Innovation Index 2024: first ten science and technology clusters (by patents and papers)",
)


@dataclass(frozen=True)
class Demo:
    """What the demo made: its workspace, how the load went, the search's result, the report file."""

    workspace: Workspace
    load: LoadReport | None
    result: StoredResult
    report: Path


def build(folder: Path, *, progress: Progress = silent) -> Demo:
    """Build the demo in `folder`, or what of it is missing: a second call recomputes nothing but the report.

    Raises
    ------
    WorkspaceError
        JQ-STORE-…: the folder holds something else, or cannot be written.
    """
    workspace = Workspace.open(folder) if (folder / "manifest.json").exists() else _new(folder)
    source = ieee.source()
    loaded = None
    if not any(snapshot.source == source.name for snapshot in workspace.history("organisations")):
        progress("gazetteer", 0, None)
        gazetteer = Gazetteer.load(workspace.cache)
        organisations = ieee.organisations(gazetteer)
        loaded = intake.load(
            LOCAL, workspace, organisations, "organisations", as_of=ieee.AS_OF, name=source.name, progress=progress
        )
    result = desk.run(LOCAL, workspace, SEARCH, subject=subject(), progress=progress)
    progress("report", 0, 1)
    report = folder / "atlas.html"
    report.write_text(html(atlas_document(result, subject(), (sanity_section(result),))), encoding="utf-8")
    progress("report", 1, 1)
    return Demo(workspace, loaded, result, report)


def _new(folder: Path) -> Workspace:
    """A new workspace that shows its results to visitors who are not signed in: there is nothing to hide in it."""
    Workspace.init(folder)
    settings = folder / config.NAME
    settings.write_text(config.template().replace("# public = false", "public = true"), encoding="utf-8")
    return Workspace.open(folder)


def subject() -> Subject:
    """How the demo speaks of its register."""
    counts = ieee.counts()
    register = Text(
        f"IEEE MA-L 登记库({counts.assignments:,} 条)", f"IEEE MA-L registry ({counts.assignments:,} assignments)"
    )
    thanks = (
        Text(ieee.source().name, ieee.source().name),
        ATTRIBUTION,
    )
    return Subject(NOUN, register, size=Text("地址块数", "Address blocks"), attributions=thanks)


def sanity_section(result: StoredResult) -> Section:
    """Beside a list that others made from other data: which of its first ten appear here, and where. Not a gate."""
    rows = sanity_table(result)
    found = sum(rank is not None for rank in rows["rank_here"])
    table = Table(
        "wipo",
        Text("WIPO 2024 前十与本图谱", "WIPO's first ten of 2024 in this atlas"),
        (
            Column("wipo_rank", Text("WIPO 名次", "WIPO rank"), "integer"),
            Column("wipo", Text("WIPO 集群", "WIPO cluster")),
            Column("here", Text("本图谱中", "Here")),
            Column("rank_here", Text("本图谱名次", "Rank here"), "integer"),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("ratio", Text("倍数", "× expected"), "ratio"),
        ),
        [
            (
                row["wipo_rank"],
                Text(row["wipo_zh"], row["wipo_en"]),
                _named(row),
                row["rank_here"],
                row["firms"],
                row["ratio"],
            )
            for row in rows.to_dicts()
        ],
        WIPO,
        "2024",
    )
    text = Text(
        f"对照而非标准：WIPO 数的是专利与论文，这里数的是网络设备制造商，两者不必一致。前十名中有 {found} 个在此出现。"
        f"凡有成员位于其城市 {NEAR_KM:g} 千米以内的集群，取名次最前者。",
        f"A comparison, not a gate: WIPO counts patents and papers, this atlas counts makers of network devices. {found} of its first ten appear here. "
        f"Shown is the first cluster that has a member within {NEAR_KM:g} km of one of the cities.",
    )
    blocks: tuple[Block, ...] = (Paragraph(text), table)
    return Section("sanity", Text("与世界榜单对照", "Beside a world list"), blocks)


def sanity_table(result: StoredResult) -> pl.DataFrame:
    """wipo_rank, wipo_zh, wipo_en, and of the best ranked cluster near: name_zh, name_en, rank_here, firms, ratio."""
    lines = files("jiqun.demo").joinpath("data", "wipo_2024.csv").read_text(encoding="utf-8").splitlines()
    cities = list(csv.DictReader(lines))
    clusters = result.table("clusters").with_row_index("rank_here", offset=1)
    members = result.table("members").select("cluster_id", "lon", "lat").unique()
    vectors = unit_vectors(members["lon"].to_numpy(), members["lat"].to_numpy())
    near: dict[int, set[str]] = {}
    for city in cities:
        at = unit_vectors(np.array([float(city["lon"])]), np.array([float(city["lat"])]))
        close = ((vectors - at) ** 2).sum(0) <= chord2(NEAR_KM)
        near.setdefault(int(city["rank"]), set()).update(members.filter(pl.Series(close))["cluster_id"])
    rows: list[tuple[Cell, ...]] = []
    names = {int(city["rank"]): (city["name_zh"], city["name_en"]) for city in cities}
    for rank, (zh, en) in sorted(names.items()):
        here = clusters.filter(pl.col("cluster_id").is_in(sorted(near[rank]))).head(1).to_dicts()
        first = here[0] if here else {}
        rows.append((rank, zh, en, *(first.get(k) for k in ("name_zh", "name_en", "rank_here", "firms", "ratio"))))
    columns = ("wipo_rank", "wipo_zh", "wipo_en", "name_zh", "name_en", "rank_here", "firms", "ratio")
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)


def _named(row: dict[str, str | None]) -> Cell:
    return Text(row["name_zh"] or "", row["name_en"] or "") if row["name_en"] else None
