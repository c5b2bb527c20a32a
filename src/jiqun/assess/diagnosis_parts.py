"""What a diagnosis reads 诊断的输入: clusters with their members, regions with their mix, links by the kinds of their ends.

Everything is counted for all clusters at once; the findings themselves come from `jiqun.assess.ailments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from jiqun.assess.ailments.kinds import FIRM, member_kind
from jiqun.assess.ailments.risks import sector_counts, tagged
from jiqun.atlas.graphs import network
from jiqun.atlas.network_desk import KIND as NETWORK
from jiqun.atlas.network_desk import other_identifiers
from jiqun.atlas.reading import Run, current_links
from jiqun.core.document import Text
from jiqun.core.lineage import Source
from jiqun.store import Snapshot, StoredResult, Workspace

RESEARCH = ("university", "institute")
MOST_CLUSTERS = 300
"""Of the clusters, the first in rank; values say how many there are."""
GROUP_DIGITS = 4
"""Digits of the digital classification that make an industry: its groups."""


@dataclass(frozen=True)
class Given:
    """Tables that the user gives beside the workspace: plans (region, text), tags (code, tag), frontier (unit, score, low, high)."""

    plans: pl.DataFrame | None = None
    tags: pl.DataFrame | None = None
    frontier: pl.DataFrame | None = None

    def tables(self) -> dict[str, pl.DataFrame]:
        """Those that are there, by the name they are stored under."""
        named = {"given-plans": self.plans, "given-tags": self.tags, "given-frontier": self.frontier}
        return {name: frame for name, frame in named.items() if frame is not None}

    @classmethod
    def of(cls, result: StoredResult | None) -> Given:
        """Those of an earlier diagnosis."""
        if result is None:
            return cls()
        told = {
            name: result.table(f"given-{name}")
            for name in ("plans", "tags", "frontier")
            if f"given-{name}" in result.tables
        }
        return cls(**told)


@dataclass(frozen=True)
class Inputs:
    """What a diagnosis reads of a workspace; `organisations` are classified and count."""

    workspace: Workspace
    organisations: pl.DataFrame
    register: Snapshot
    run: Run | None
    given: Given
    indicators: pl.DataFrame | None
    residuals: StoredResult | None
    links: Snapshot | None
    sources: tuple[Source, ...] = field(default=())

    @classmethod
    def of(
        cls, workspace: Workspace, organisations: pl.DataFrame, register: Snapshot, run: Run | None, given: Given
    ) -> Inputs:
        """The current tables and results of a workspace."""
        loaded = {one.table: one for one in workspace.tables()}
        indicators = loaded.get("indicators")
        residuals = workspace.result(NETWORK) if run else None
        if residuals is not None and run is not None and residuals.values.get("map_run") != run.id:
            residuals = None  # of another search: its clusters are not these
        links = current_links(workspace)
        sources = [
            register.input,
            *(Source(one.kind, one.id) for one in (run.result if run else None, residuals) if one),
        ]
        sources += [one.input for one in (indicators, links) if one]
        return cls(
            workspace, organisations, register, run, given,
            workspace.scan("indicators", indicators.id).collect() if indicators else None,
            residuals, links, tuple(sources),
        )  # fmt: skip

    @cached_property
    def clusters(self) -> pl.DataFrame:
        """The clusters that are diagnosed, in rank order."""
        if self.run is None:
            return pl.DataFrame(
                schema={
                    "cluster_id": pl.String,
                    "name_zh": pl.String,
                    "name_en": pl.String,
                    "firms": pl.Int64,
                    "ratio": pl.Float64,
                }
            )
        return self.run.clusters.head(MOST_CLUSTERS)

    @cached_property
    def members(self) -> pl.DataFrame:
        """cluster_id, and of each member id, name, digital_code, industry_code, kind."""
        columns = [
            name for name in ("id", "name", "digital_code", "industry_code") if name in self.organisations.columns
        ]
        known = self.organisations.select(columns).unique("id")
        if self.run is None:
            return known.clear().with_columns(cluster_id=pl.lit(None, pl.String), kind=pl.lit(None, pl.String))
        told = self.run.table("members").select("cluster_id", "id").unique()
        return told.join(known, on="id", how="left").with_columns(member_kind(pl.col("name")))

    @cached_property
    def kinds(self) -> dict[str, dict[str, int]]:
        """Members of each kind, by cluster."""
        return _tally(self.members.drop_nulls("kind"), "kind")

    @cached_property
    def register_kinds(self) -> dict[str, int]:
        """Organisations of each kind."""
        told = self.organisations.select(member_kind(pl.col("name"))).drop_nulls()
        return {str(kind): n for kind, n in told.group_by("kind").len().iter_rows()}

    @cached_property
    def sectors(self) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
        """Firms in finance and real estate and in manufacturing, by cluster; and of all."""
        none = {"firms": self.organisations.height, "classed": 0, "virtual": 0, "making": 0}
        if "industry_code" not in self.organisations.columns:
            return {}, none
        parts = self.members.partition_by("cluster_id", as_dict=True)
        return {str(key[0]): sector_counts(part) for key, part in parts.items()}, sector_counts(self.organisations)

    @cached_property
    def tags(self) -> tuple[dict[str, dict[str, int]], dict[str, int]] | None:
        """Members by tag, by cluster; and of all firms; None where no tags are given."""
        if self.given.tags is None:
            return None
        by = self.members.with_columns(tag=tagged(self.members["digital_code"], self.given.tags)).drop_nulls("tag")
        own = tagged(self.organisations["digital_code"], self.given.tags).drop_nulls()
        return _tally(by, "tag"), {str(tag): n for tag, n in own.value_counts().iter_rows()}

    @cached_property
    def history(self) -> dict[str, pl.DataFrame]:
        """as_of, industry, n of each cluster, over its runs; of several runs of a date the newest."""
        if self.run is None:
            return {}
        parts, dates = [], set[str]()
        for run in self.run.history(self.workspace):
            if run.as_of in dates:
                continue
            dates.add(run.as_of)
            told = (
                run.classes().select("cluster_id", "n", industry="digital_code").with_columns(as_of=pl.lit(run.as_of))
            )
            parts.append(told.select("cluster_id", "as_of", "industry", pl.col("n").cast(pl.Int64)))
        return {str(key[0]): part for key, part in pl.concat(parts).partition_by("cluster_id", as_dict=True).items()}

    @cached_property
    def ties(self) -> pl.DataFrame:
        """kind, weight, and of either end (source, target) its id, name, kind of organisation and cluster."""
        ends = [f"{end}_{name}" for end in ("source", "target") for name in ("id", "name", "kind", "cluster")]
        if self.links is None:
            return pl.DataFrame(schema={"kind": pl.String, "weight": pl.Float64} | dict.fromkeys(ends, pl.String))
        keys = [
            c for c in ("id", "name", "name_en", "short_name", "former_names", "uscc", "source_id")
            if c in self.organisations.columns
        ]  # fmt: skip
        made = network(
            self.workspace.scan("links", self.links.id).collect(), self.organisations.select(keys),
            crosswalk=other_identifiers(self.workspace),
        )  # fmt: skip
        own = self.members.select("id", cluster="cluster_id").unique("id")
        nodes = made.nodes.join(own, on="id", how="left", maintain_order="left").with_columns(
            member_kind(pl.col("name"))
        )
        rows = made.kinds
        for end in ("source", "target"):
            named = nodes.select(
                pl.col("node").alias(end),
                *(pl.col(name).alias(f"{end}_{name}") for name in ("id", "name", "kind", "cluster")),
            )
            rows = rows.join(named, on=end, how="left", maintain_order="left")
        return rows.select(
            "kind",
            "weight",
            *ends,
            low=pl.min_horizontal("source", "target"),
            high=pl.max_horizontal("source", "target"),
        )

    @cached_property
    def research(self) -> tuple[dict[str, dict[str, int]], float | None]:
        """Links of firms by the kind of their other end, by cluster; and the share of all that leads to research."""
        once = self.ties
        if once.is_empty():
            return {}, None
        once = once.unique(["kind", "low", "high"], maintain_order=True)
        sides = [
            once.filter(pl.col(f"{one}_kind") == FIRM).select(cluster_id=f"{one}_cluster", kind=f"{other}_kind")
            for one, other in (("source", "target"), ("target", "source"))
        ]
        both = pl.concat(sides).drop_nulls("kind")
        if both.is_empty():
            return {}, None
        share = float(both["kind"].is_in(list(RESEARCH)).sum()) / both.height
        return _tally(both.drop_nulls("cluster_id"), "kind"), share

    def coming(self, kind: str) -> dict[str, pl.DataFrame]:
        """supplier, supplier_id, customer, customer_id, weight, outside of each cluster: links of a kind that lead into it."""
        if self.ties.is_empty():
            return {}
        rows = self.ties.filter(pl.col("kind") == kind, pl.col("target_cluster").is_not_null())
        told = rows.select(
            cluster_id="target_cluster", supplier=pl.coalesce("source_name", "source_id"), supplier_id="source_id",
            customer=pl.coalesce("target_name", "target_id"), customer_id="target_id", weight="weight",
            outside=pl.col("source_cluster").ne_missing(pl.col("target_cluster")),
        )  # fmt: skip
        return {str(key[0]): part for key, part in told.partition_by("cluster_id", as_dict=True).items()}

    def linkage(self) -> dict[str, dict[str, Any]]:
        """The residual of each cluster; empty where no analysis of these clusters is stored."""
        if self.residuals is None:
            return {}
        return {row["cluster_id"]: row for row in self.residuals.table("residuals").to_dicts()}


def _tally(rows: pl.DataFrame, by: str) -> dict[str, dict[str, int]]:
    """Rows by cluster and a column, as nested numbers."""
    found: dict[str, dict[str, int]] = {}
    for cluster, value, n in rows.group_by("cluster_id", by).len().iter_rows():
        found.setdefault(str(cluster), {})[str(value)] = n
    return found


def unit_rows(clusters: pl.DataFrame, regions: Mapping[str, tuple[Text, int]]) -> pl.DataFrame:
    """unit, kind, name_zh, name_en, firms of everything that findings speak of; `all` first."""
    rows: list[tuple[str, str, str, str, int | None]] = [("all", "all", "全部地区", "all regions", None)]
    rows += [
        (i, "cluster", zh, en, n)
        for i, zh, en, n in clusters.select("cluster_id", "name_zh", "name_en", "firms").iter_rows()
    ]
    rows += [(f"region:{code}", "region", text.zh, text.en, n) for code, (text, n) in regions.items()]
    schema = {"unit": pl.String, "kind": pl.String, "name_zh": pl.String, "name_en": pl.String, "firms": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
