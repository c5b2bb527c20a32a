"""A stored index in words, pictures and tables 指数报告: ranks with their intervals, what adds to them, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from jiqun.assess.aggregation import told_apart
from jiqun.assess.composite import CompositeIndex, checked_weights, climb
from jiqun.assess.framework import Framework, Indicator
from jiqun.assess.index_document import (
    CHOICES,
    FACTORS,
    NAME,
    RANKS,
    SENSITIVITY,
    SHOWN,
    TRACE,
    UNIT,
    WEIGHTS,
    Heads,
    built_table,
    counted_text,
    method_section,
    names_of,
    said,
    score_heads,
    source_text,
    step_tables,
    traces,
    worded,
)
from jiqun.assess.rank_uncertainty import SHIFT, Uncertainty
from jiqun.assess.stored import frame_of, remarks_of, restored_index, restored_uncertainty
from jiqun.assess.survey_document import open_coverage, response_rows, response_table
from jiqun.assess.survey_values import RESPONSE
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Cell,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.store import StoredResult

STATES = {
    "used": Text("已用", "used"),
    "missing": Text("缺", "missing"),
    "equal": Text("各单元相同", "equal for all"),
    "invalid": Text("该年不适用", "not valid that year"),
    "denominator": Text("缺基数", "no denominator"),
}
ORIGINS = {
    "atlas": Text("图谱计算", "the atlas"),
    "table": Text("指标表", "table of indicators"),
    "survey": Text("问卷", "a survey"),
}
MOST_TRACED = 20_000
"""Lines of traces that a workbook holds."""
UNIT_COLUMNS = frozenset({"unit", "other", "output"})
"""Columns that hold units by their key."""
_COVERAGE: Heads = {
    "code": ("代码", "code", "text", 0),
    NAME: ("名称", "name", "text", 0),
    "measure": ("单位", "unit of measure", "text", 0),
    "state": ("状态", "state", "text", 0),
    "origin": ("来自", "from", "text", 0),
    "units": ("有数值的单元", "units with a value", "integer", 0),
    "response": ("回答/受访", "answered / asked", "text", 0),
    "why": ("如何得出，或为何没有", "how, or why not", "text", 0),
}
_CELLS: Heads = {
    "indicator": ("指标", "indicator", "text", 0),
    NAME: ("名称", "name", "text", 0),
    "value": ("数值", "value", "number", 4),
    "measure": ("单位", "unit of measure", "text", 0),
    "year": ("年份", "year", "code", 0),
    "origin": ("来自", "from", "text", 0),
    "evidence": ("出处", "evidence", "text", 0),
}


@dataclass(frozen=True)
class Reweighted:
    """Ranks under other weights of the dimensions 改权重后的名次: unit, rank, score, before; and how many ranks move."""

    weights: dict[str, float]
    ranks: pl.DataFrame
    moved: int
    largest: int


@dataclass(frozen=True)
class IndexReport:
    """A stored index with the intervals of its ranks, where they were computed."""

    stored: StoredResult
    sure: StoredResult | None = None
    reasons: StoredResult | None = None
    """What was told last of the data for the same values; None: what was told when it was stored."""
    inside: bool = False
    """Whether the reader may see counts of units that have no value."""

    @cached_property
    def found(self) -> CompositeIndex:
        """The index."""
        return restored_index(self.stored)

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """The intervals."""
        return restored_uncertainty(self.sure, self.framework) if self.sure else None

    @property
    def framework(self) -> Framework:
        """With the indicators alone that were rated."""
        return self.found.framework

    @cached_property
    def whole(self) -> Framework:
        """All of the framework."""
        return Framework.model_validate(self.stored.values["whole"])

    @cached_property
    def names(self) -> dict[str, Text]:
        """What units are called."""
        return {row["unit"]: Text(row["zh"], row["en"]) for row in frame_of(self.stored, "units").to_dicts()}

    @property
    def year(self) -> str:
        """The year that was rated."""
        return str(self.stored.values["year"])

    @property
    def as_of(self) -> str:
        """What the values speak of: the year, and the dates of what they rest on."""
        dates = sorted({one.as_of for one in self.stored.lineage.inputs if one.as_of})
        return " · ".join([self.year, *dates])

    @property
    def source(self) -> Text:
        """What stands below tables."""
        return source_text(self.whole)

    @property
    def title(self) -> Text:
        """The framework's name."""
        return self.whole.title

    @property
    def covered(self) -> float:
        """Share of the framework's weight that the rated indicators carry."""
        return float(str(self.stored.values["weight_covered"]))

    def sentence(self) -> Text:
        """Who leads, by how much, how sure that is, and on how much of the framework it stands."""
        root = self.framework.root
        first, second = self.found.scores.head(2).to_dicts()
        name = self.names[first["unit"]]
        share, rated, whole = f"{self.covered:.0%}", len(self.framework.codes), len(self.whole.codes)
        basis = Text(
            f"依据 {whole} 项指标中的 {rated} 项(占权重 {share})。",
            f"It stands on {rated} of {whole} indicators ({share} of the weight).",
        )
        if second[root] is None:
            return Text(f"只有{name.zh}有得分。{basis.zh}", f"Only {name.en} has a score. {basis.en}")
        lead = first[root] - second[root]
        sure = Text("", "")
        if self.uncertainty is not None:
            row = self.uncertainty.ranks.filter(pl.col("unit") == first["unit"]).row(0, named=True)
            sure = Text(
                f"换一种做法，其名次在 {row['low']} 至 {row['high']} 之间。",
                f"Under other choices its rank lies between {row['low']} and {row['high']}. ",
            )
        return Text(
            f"{name.zh}居首，领先{self.names[second['unit']].zh} {lead:.1f} 分。{sure.zh}{basis.zh}",
            f"{name.en} leads {self.names[second['unit']].en} by {lead:.1f} points. {sure.en}{basis.en}",
        )

    def head(self) -> tuple[Block, ...]:
        """What must not be overlooked, and the key figures."""
        cautions = [
            Paragraph(Text(f"{r.message.zh}{r.hint.zh}", f"{r.message.en} {r.hint.en}"), "caution")
            for r in self.remarks
        ]
        code = self.stored.lineage.parameters["class"]
        of_class = (
            (Paragraph(Text(f"只评价类别 {code} 的集群。", f"Clusters of the class {code} only are rated.")),)
            if code
            else ()
        )
        return (
            *said(self.whole),
            *of_class,
            *cautions,
            KeyFigures(
                (
                    KeyFigure(counted_text(len(self.found.units)), Text("被评单元", "units rated")),
                    KeyFigure(
                        Text(
                            f"{len(self.framework.codes)} / {len(self.whole.codes)}",
                            f"{len(self.framework.codes)} / {len(self.whole.codes)}",
                        ),
                        Text("用到的指标", "indicators used"),
                        Text(f"占权重 {self.covered:.0%}", f"{self.covered:.0%} of the weight"),
                    ),
                    KeyFigure(
                        counted_text(self.found.screened.height), Text("因缺数据未评", "left out for lack of data")
                    ),
                    KeyFigure(counted_text(self.found.imputed.height), Text("插补的数值", "values imputed")),
                )
            ),
        )

    @property
    def remarks(self) -> tuple[Any, ...]:
        """What one has to know of the table and of the boundaries."""
        return (*remarks_of(self.reasons or self.stored), *(remarks_of(self.sure) if self.sure else ()))

    def ranks_table(self, link: Callable[[str], str] | None = None, most: int | None = None) -> Table:
        """Scores and ranks of all units, with the interval of each rank where it is known; `most`: of the first so many."""
        frame = self.found.scores
        heads = score_heads(self.found)
        if self.uncertainty is not None:
            more = self.uncertainty.ranks.select("unit", "low", "high", "p_top")
            frame = frame.join(more, on="unit", how="left", maintain_order="left")
            interval = {name: RANKS[name] for name in ("low", "high", "p_top")}
            heads = (
                UNIT
                | {"rank": RANKS["rank"]}
                | interval
                | {k: v for k, v in heads.items() if k not in {"unit", "rank"}}
            )
        title = Text("得分与名次", "Scores and ranks")
        table = built_table("scores", title, frame, heads, self.source, self.as_of, most)
        links = tuple(link(unit) for unit in frame["unit"].head(len(table.rows))) if link else ()
        return replace(self.named(table), links=links)

    def figure(self, link: Callable[[str], str] | None = None, most: int | None = None) -> Figure:
        """Ranks as bars with their intervals; scores where no intervals are known."""
        table = self.ranks_table(link, most)
        if self.uncertainty is None:
            root = self.framework.root
            bars = tuple(
                Bar(self.names[row["unit"]], row[root])
                for row in self.found.scores.head(SHOWN).to_dicts()
                if row[root] is not None
            )
            title = Text("得分；名次区间尚未计算", "Scores; how sure ranks are was not computed yet")
            return Figure("ranks-figure", title, Text("得分", "score"), Bars(bars, Text("分", "points")), table)
        sure = self.uncertainty
        fixed = sure.ranks.filter(pl.col("low") == pl.col("high")).height
        bars = tuple(
            Bar(self.names[row["unit"]], row["median"], row["low"], row["high"])
            for row in sure.ranks.head(SHOWN).to_dicts()
        )
        title = Text(
            f"{len(sure.units)} 个单元中有 {fixed} 个无论怎么做都是同一名次",
            f"{fixed} of {len(sure.units)} units keep one rank whatever is chosen",
        )
        level = f"{float(str(self.sure.values['level'])):.0%}" if self.sure else ""
        what = Text(
            f"名次中位数与 {level} 区间，{sure.runs:,} 次模拟；前 {len(bars)} 个单元",
            f"median rank and {level} interval of {sure.runs:,} runs; the first {len(bars)} units",
        )
        return Figure("ranks-figure", title, what, Bars(bars, Text("名次", "rank"), digits=0), table)

    def parts_table(self, most: int | None = None, link: Callable[[str], str] | None = None) -> Table:
        """What the parts below the root do to each score.

        Under an arithmetic mean what each adds; under another mean, which gives every part its share of the score, how far
        each lies above or below the median unit.
        """
        root = self.framework.root
        children = self.framework.children(root)
        order = self.found.scores.select("unit", "rank", root)
        ways = self.framework.steps.aggregate
        additive = (ways[-1] if isinstance(ways, tuple) else ways) == "arithmetic"
        if additive:
            title = Text("各部分对得分的贡献", "What each part adds to a score")
            top = {one.code: self._below_root(one) for one in self.framework.indicators}
            parts = (
                self.found.contributions.with_columns(part=pl.col("indicator").replace_strict(top))
                .group_by("unit", "part")
                .agg(pl.col("contribution").sum())
                .pivot(on="part", index="unit", values="contribution")
            )
        else:
            title = Text("各部分得分与中位单元之差", "Each part against the median unit")
            parts = self._part_scores().with_columns(pl.col(code) - pl.col(code).median() for code in children)
        frame = order.join(parts, on="unit", how="left", maintain_order="left")
        called = names_of(self.framework)
        heads: Heads = UNIT | {"rank": RANKS["rank"]}
        for code in (root, *children):
            heads[code] = (called[code].zh, called[code].en, "number", 2)
        table = self.named(built_table("parts", title, frame, heads, self.source, self.as_of, most))
        links = tuple(link(unit) for unit in frame["unit"].head(len(table.rows))) if link else ()
        return replace(table, links=links)

    def _part_scores(self) -> pl.DataFrame:
        """Scores of the dimensions, and normalised values of the indicators, right below the root."""
        scores = self.found.scores
        leaves = [code for code in self.framework.children(self.framework.root) if code not in scores.columns]
        joined = scores.join(self.found.stages["normalised"].select("unit", *leaves), on="unit", how="left")
        return joined.select("unit", *self.framework.children(self.framework.root))

    def _below_root(self, one: Indicator) -> str:
        parents = {node.code: node.parent for node in self.framework.nodes}
        at = one.code
        while parents[at] != self.framework.root:
            at = str(parents[at])
        return at

    def coverage_table(self) -> Table:
        """Every indicator and denominator of the framework: where its values are from, or why it has none."""
        return coverage_table(self.coverage, self.whole, self.as_of)

    @property
    def coverage(self) -> pl.DataFrame:
        """The rows of `coverage_table`, with the reasons of now; for those outside without what tells of hidden units."""
        told = frame_of(self.reasons or self.stored, "coverage")
        return told if self.inside else open_coverage(told, self.response(), self.whole)

    def response(self, unit: str | None = None) -> pl.DataFrame:
        """What was answered for the rated year, as far as the reader may see, of all units or one; see `Surveyed`."""
        if not (self.stored.path / "response.parquet").exists():  # stored before surveys were aggregated
            return pl.DataFrame(schema=RESPONSE)
        rows = response_rows(frame_of(self.stored, "response"), int(self.year), inside=self.inside)
        return rows if unit is None else rows.filter(pl.col("unit") == unit)

    def response_blocks(self, most: int | None = SHOWN, unit: str | None = None) -> tuple[Block, ...]:
        """Who answered for each indicator and unit; nothing where no survey was used."""
        rows = self.response(unit)
        if rows.is_empty():
            return ()
        year = int(self.year)
        table = response_table(
            rows, self.whole, year, inside=self.inside, as_of=self.as_of, most=most, alone=unit is not None
        )
        return (self.named(table),)

    def step_blocks(self, most: int | None = SHOWN) -> tuple[Block, ...]:
        """Weights, correlations, reliability and what else each step did."""
        called = ("code", names_of(self.framework))
        weights = built_table(
            "weights", Text("权重", "Weights"), self.found.weights, WEIGHTS, self.source, self.as_of, None, called
        )
        tables = [weights, *step_tables(self.found, self.source, self.as_of, most)]
        return tuple(self.named(one) if isinstance(one, Table) else one for one in tables)

    def sure_blocks(self, most: int | None = SHOWN) -> tuple[Block, ...]:
        """What varied, and which choice moves ranks; nothing where that is not known."""
        if self.uncertainty is None:
            return ()
        sure, choices = self.uncertainty, ("factor", CHOICES)
        blocks = [
            built_table(
                "factors",
                Text("哪些选择在变", "What varies"),
                sure.factors,
                FACTORS,
                self.source,
                self.as_of,
                None,
                choices,
            )
        ]
        if sure.sensitivity.height:
            whole = sure.sensitivity.filter(pl.col("output") == SHIFT) if most else sure.sensitivity
            title = Text("哪个因素影响名次", "Which choice moves ranks")
            blocks.append(built_table("sensitivity", title, whole, SENSITIVITY, self.source, self.as_of, None, choices))
        if sure.boundaries.height:
            heads: Heads = {
                "boundary": ("边界", "boundary", "text", 0),
                "indicators": ("随边界变化的指标", "indicators that follow it", "text", 0),
                "weight_covered": ("其总权重", "their weight", "share", 1),
            }
            title = Text("集群边界", "Cluster boundary")
            blocks.append(built_table("boundaries", title, sure.boundaries, heads, self.source, self.as_of))
        caution = Paragraph(
            Text(
                "区间说明各种做法会把名次移动多远，不说明数据本身有多大误差。",
                "Intervals say how far choices move a rank, not how wrong the data are.",
            ),
            "caution",
        )
        return (*(self.named(one) for one in blocks), caution)

    def document(self, *, full: bool = False) -> Document:
        """The report: `full` with every row and the trace of every score, for a workbook."""
        most = None if full else SHOWN
        sure = self.sure_blocks(most)
        sections = [
            Section("ranks", Text("名次", "Ranks"), (self.figure(), self.parts_table(most))),
            Section(
                "coverage-section",
                Text("数据齐全到哪一步", "What is there, and what is missing"),
                (self.coverage_table(), *self.response_blocks(most)),
            ),
            *([Section("choices", Text("什么会改变结果", "What would change the result"), sure)] if sure else []),
            Section("each-step", Text("各步做了什么", "What each step did"), self.step_blocks(most)),
        ]
        if full:
            title = Text("每个得分从何而来", "Where each score comes from")
            sections.append(Section("where-from", title, (self._all_traces(),)))
        blocks = (*self.head(), *sections, method_section(self.framework))
        return Document(self.title, self.sentence(), blocks, self.stored.lineage)

    def _all_traces(self) -> Block:
        """The trace of every score; where they are too many for a workbook, where to find them."""
        if len(self.found.units) * len(self.framework.codes) > MOST_TRACED:
            return Paragraph(
                Text(
                    "单元和指标太多，未列出逐项溯源；每个单元的页面有它的溯源。",
                    "Units and indicators are too many to list every trace; the page of each unit has its own.",
                )
            )
        called = ("indicator", names_of(self.framework))
        title = Text("逐项溯源", "Trace")
        rows = traces(self.found)
        return self.named(built_table("trace", title, rows, UNIT | TRACE, self.source, self.as_of, None, called))

    def trace_document(self, unit: str, *, evidence: bool = True) -> Document:
        """How one score comes about: each value with its source, each step, what each indicator adds.

        Without `evidence`, notes that came with the table of indicators are left out (`open_evidence`).

        Raises
        ------
        UsageError
            JQ-ASSESS-034: no such unit among those rated.
        """
        trace = self.found.trace(unit)
        called = names_of(self.framework)
        row = self.found.scores.filter(pl.col("unit") == unit).row(0, named=True)
        score = row[self.framework.root]
        name = self.names[unit]
        parts = trace.sort("contribution", descending=True, nulls_last=True)
        bars = tuple(
            Bar(called[one["indicator"]], one["contribution"])
            for one in parts.to_dicts()
            if one["contribution"] is not None
        )
        table = built_table(
            "trace", Text("逐项溯源", "Trace"), trace, TRACE, self.source, self.as_of, None, ("indicator", called)
        )
        years = {int(self.year), *trace["from_year"].drop_nulls().to_list()}
        cells = (
            frame_of(self.stored, "cells")
            .filter((pl.col("unit") == unit) & pl.col("year").is_in(list(years)))
            .sort("code", "year")
            .rename({"code": "indicator"})
        )
        if not evidence:
            cells = cells.with_columns(evidence=open_evidence())
        known = {code: called.get(code, Text(code, code)) for code in cells["indicator"].unique()}
        where = built_table(
            "cells", Text("原始数值与出处", "Values as given, and where they are from"), cells,
            {name: head for name, head in _CELLS.items() if evidence or name != "evidence" or cells[name].count()},
            self.source, self.as_of, None, ("indicator", known),
        )  # fmt: skip
        where = worded(worded(where, "origin", ORIGINS), "measure", self.framework.measures)
        lead = Text("没有得分：缺数据。", "No score: data are missing.")
        if score is not None:
            lead = Text(
                f"第 {row['rank']} 名，{score:.1f} 分；有实测数据的权重占 {row['observed']:.0%}。",
                f"Rank {row['rank']} with {score:.1f} points; {row['observed']:.0%} of the weight has data of its own.",
            )
        figure = Figure(
            "contributions-figure",
            Text("各指标对得分的贡献", "What each indicator adds to the score"),
            Text("合计即得分", "they add up to the score"),
            Bars(bars, Text("分", "points"), digits=2),
            table,
        )
        title = Text(f"{name.zh}：{self.title.zh}", f"{name.en}: {self.title.en}")
        answers = self.response_blocks(None, unit)
        blocks: tuple[Block, ...] = (figure, where, *answers, method_section(self.framework))
        return Document(title, lead, blocks, self.stored.lineage)

    def reweighted(self, weights: Mapping[str, float]) -> Reweighted:
        """Ranks if the dimensions below the root had other weights; nothing else changes 改权重.

        Weights are shares of their sum; a dimension that is not named has 0.

        Raises
        ------
        UsageError
            JQ-ASSESS-032: a weight below zero, a dimension that there is not, or none above zero.
        """
        framework = _weighed(self.framework)
        children = framework.children(framework.root)
        strange = {code: weight for code, weight in weights.items() if code not in children}
        given = {code: float(weights.get(code, 0.0)) for code in children} | strange
        total = sum(given.values())
        shares = {code: weight / total if total > 0 else 0.0 for code, weight in given.items()}
        own = dict(self.stored.lineage.parameters["weights"]) | checked_weights(framework, shares)
        leaves = self.found.stages["normalised"].drop("unit").to_numpy().astype(np.float64)
        scores, _ = climb(leaves, framework, self.found.units, own)
        apart = pl.Series(told_apart(scores[framework.root]), nan_to_null=True)
        after = pl.DataFrame(
            {
                "unit": self.found.units,
                "score": pl.Series(scores[framework.root], nan_to_null=True),
                "rank": apart.rank("min", descending=True).cast(pl.Int64),
            }
        )
        ranks = after.join(self.found.scores.select("unit", before="rank"), on="unit").sort(
            "rank", "unit", nulls_last=True
        )
        shift = (ranks["rank"] - ranks["before"]).abs().drop_nulls()
        return Reweighted(shares, ranks, int((shift > 0).sum()), int(shift.max() or 0))  # type: ignore[arg-type]

    def renamed(self, document: Document) -> Document:
        """A document with the names of its units instead of their keys, in tables and bars."""
        return replace(document, blocks=tuple(map(self._renamed, document.blocks)))

    def _renamed(self, block: Block) -> Block:
        if isinstance(block, Section):
            return replace(block, blocks=tuple(map(self._renamed, block.blocks)))
        if isinstance(block, Table):
            return self.named(block)
        if isinstance(block, Figure):
            mark = block.mark
            if isinstance(mark, Bars):
                mark = replace(
                    mark, bars=tuple(replace(bar, label=self.names.get(bar.label.en, bar.label)) for bar in mark.bars)
                )
            return replace(block, mark=mark, table=self.named(block.table))
        return block

    def named(self, table: Table) -> Table:
        """A table with the names of its units instead of their keys."""
        at = [k for k, column in enumerate(table.columns) if column.key in UNIT_COLUMNS]
        if not at:
            return table
        rows = [
            tuple(self.names.get(str(cell), cell) if k in at else cell for k, cell in enumerate(row))
            for row in table.rows
        ]
        return replace(table, rows=rows)


def _weighed(framework: Framework) -> Framework:
    """The same whose top level takes given weights."""
    levels = framework.level(framework.root)
    ways = framework.steps.weights
    each = ways if isinstance(ways, tuple) else (ways,) * levels
    return framework.changed(weights=(*each[:-1], "given"))


def open_evidence() -> pl.Expr:
    """What everybody may see of `evidence`: what we wrote, not what whoever filled in the table wrote."""
    return pl.when(pl.col("origin") != "table").then(pl.col("evidence"))


def coverage_table(coverage: pl.DataFrame, framework: Framework, as_of: str = "") -> Table:
    """What `gather` found for every indicator and denominator, in words."""
    called = names_of(framework)
    names = {code: called.get(code, Text(f"{code}(基数)", f"{code} (denominator)")) for code in coverage["code"]}
    measures = {one.code: one.unit for one in framework.indicators}
    frame = coverage.with_columns(
        measure=pl.col("code").replace_strict(measures, default=None, return_dtype=pl.String), why=pl.col("code")
    )
    if "asked" in frame.columns:  # not in what was stored before surveys were aggregated
        frame = frame.with_columns(response=pl.format("{} / {}", "answered", "asked"))
    title = Text("指标与数据", "Indicators and data")
    table = built_table("coverage", title, frame, _COVERAGE, source_text(framework), as_of, None, ("code", names))
    why = [Text(row["zh"], row["en"]) if row["zh"] else None for row in coverage.to_dicts()]
    at = [column.key for column in table.columns].index("why")
    rows: list[tuple[Cell, ...]] = [
        (*row[:at], words, *row[at + 1 :]) for row, words in zip(table.rows, why, strict=True)
    ]
    table = worded(replace(table, rows=rows), "measure", framework.measures)
    return worded(worded(table, "state", STATES), "origin", ORIGINS)
