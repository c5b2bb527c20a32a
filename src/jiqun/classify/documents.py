"""How well texts are classified, as a document 质量说明: lexicon beside model, calibration, learning curve."""

from __future__ import annotations

from typing import Any

from jiqun.core.document import (
    Block,
    Cell,
    Column,
    Curve,
    Curves,
    Document,
    Figure,
    Paragraph,
    Table,
    Text,
)
from jiqun.store import StoredResult
from jiqun.taxonomy import Kind

KINDS: dict[Kind, Text] = {
    "main_business": Text("主营业务", "Main business"),
    "scope": Text("经营范围", "Business scope"),
    "summary": Text("企业简介", "Profile"),
    "name": Text("名称", "Name"),
}
SOURCE = Text("本工作区的标注样本，按抽样权数加权", "Labels of this workspace, weighted by sampling weights")


def quality_document(stored: StoredResult) -> Document:
    """What a model and the lexicon reach on the same labelled texts, each judged by a model that had not seen it."""
    kind: Any = stored.values["kind"]
    told: Any = stored.values["quality"]
    name = KINDS[kind]
    model, lexicon = told["model"]["f1"], told["lexicon"]["f1"]
    blocks: list[Block] = [
        Paragraph(
            Text(
                f"在 {told['texts']} 条标注中有 {told['core']} 条属核心产业；按登记库加权，占 {_percent(told['base_rate'])}。",
                f"Of {told['texts']} labelled texts {told['core']} are core; weighted to the register, {_percent(told['base_rate'])}.",
            )
        ),
        _scores(told, stored),
        _calibration(told, stored),
        _curve(told, stored),
    ]
    return Document(
        title=Text(f"{name.zh}：文本判定的质量", f"{name.en}: quality of classification by text"),
        subtitle=Text(
            f"F1：词表 {_number(lexicon)}，模型 {_number(model)}。",
            f"F1: lexicon {_number(lexicon)}, model {_number(model)}.",
        ),
        blocks=tuple(blocks),
        lineage=stored.lineage,
    )


def _scores(told: Any, stored: StoredResult) -> Table:
    names = {"lexicon": Text("词表", "Lexicon"), "model": Text("模型", "Model")}
    rows: list[tuple[Cell, ...]] = [
        (names[by], *(told[by][key] for key in ("precision", "recall", "f1", "low", "high", "abstained")))
        for by in ("lexicon", "model")
    ]
    return Table(
        f"scores-{stored.values['kind']}",
        Text("词表与模型在未见过的文本上", "Lexicon and model on texts not seen"),
        (
            Column("by", Text("判定依据", "Read by")),
            Column("precision", Text("准确率", "Precision"), "number", 2),
            Column("recall", Text("召回率", "Recall"), "number", 2),
            Column("f1", Text("F1", "F1"), "number", 2),
            Column("low", Text("F1 下限", "F1 from"), "number", 2),
            Column("high", Text("F1 上限", "F1 to"), "number", 2),
            Column("abstained", Text("弃权或未判定", "Abstains or undecided"), "share"),
        ),
        rows,
        SOURCE,
        stored.created.date().isoformat(),
        note=Text(
            "区间为 95 %，对文本自助抽样；弃权计为“否”。",
            "Intervals of 95 %, bootstrap over texts; who abstains counts as no.",
        ),
    )


def _calibration(told: Any, stored: StoredResult) -> Figure:
    bins = [part for part in told["calibration"] if part["texts"]]
    id_ = f"calibration-{stored.values['kind']}"
    table = Table(
        f"{id_}-table",
        Text("概率与实际占比", "Probability and observed share"),
        (
            Column("predicted", Text("平均概率", "Mean probability"), "number", 2),
            Column("observed", Text("实际占比", "Observed share"), "number", 2),
            Column("low", Text("下限", "From"), "number", 2),
            Column("high", Text("上限", "To"), "number", 2),
            Column("texts", Text("文本数", "Texts"), "integer"),
        ),
        [
            tuple(part[key] for key in ("predicted", "observed", "observed_low", "observed_high", "texts"))
            for part in bins
        ],
        SOURCE,
        stored.created.date().isoformat(),
    )
    at, observed, low, high = (
        tuple(part[key] for part in bins) for key in ("predicted", "observed", "observed_low", "observed_high")
    )
    at = tuple(100 * value for value in at)
    curve = Curve(Text("实际占比", "Observed share"), at, observed, low, high, Text("95 % 区间", "95 % interval"))
    off = max((abs(part["predicted"] - part["observed"]) for part in bins), default=0.0)
    return Figure(
        id_,
        Text(
            f"概率与实际占比最多相差 {_percent(off)}",
            f"Probability and observed share differ by at most {_percent(off)}",
        ),
        Text("按概率分组，实际属核心产业的占比", "Share that is core, by groups of probability"),
        Curves(curve, Text("模型给出的概率(%)", "Probability by the model, %"), Text("占比", "share"), digits=2),
        table,
    )


def _curve(told: Any, stored: StoredResult) -> Table:
    return Table(
        f"curve-{stored.values['kind']}",
        Text("标注越多，F1 如何变化", "What more labels bring"),
        (
            Column("texts", Text("学习用文本数", "Texts learnt from"), "integer"),
            Column("f1", Text("F1", "F1"), "number", 2),
        ),
        [tuple(point) for point in told["curve"]],
        SOURCE,
        stored.created.date().isoformat(),
        note=Text("以 0.5 为界，不弃权。", "Cut at 0.5, without abstaining."),
    )


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value * 100:.0f} %"
