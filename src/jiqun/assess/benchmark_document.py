"""The benchmark in words and tables 对标文档: quoted figures, and one's own beside them, never ranked."""

from __future__ import annotations

import polars as pl

from jiqun.assess.references import BOUNDS, DIFFERENCES, benchmark, reference_texts
from jiqun.core.document import Block, Cell, Column, Document, Paragraph, Section, Table, Text
from jiqun.core.lineage import Lineage

NEVER = Text(
    "并列而不排名：年份、口径、边界不同的数字不可比。数字照录自文本，没有换算。",
    "Side by side, never ranked: figures of other years, concepts or boundaries do not compare. They are copied from the texts and not converted.",
)
QUOTED = Text("公开文本，照录", "published texts, as quoted")
_UNITS = {
    "CNY": Text("元", "CNY"),
    "USD": Text("美元", "USD"),
    "firms": Text("家", "firms"),
    "persons": Text("人", "persons"),
    "km2": Text("km²", "km²"),
    "scenarios": Text("个", ""),
    "copyrights": Text("件", ""),
}


def figure_text(value: float | None, unit: str | None, bound: str | None = None, quoted: str | None = None) -> Text:
    """A figure with its unit, with all its digits; `quoted` stands for it where the text has it otherwise, as 1/6.

    Examples
    --------
    >>> figure_text(272.08e9, "CNY"), figure_text(15000.0, "firms", "over").en, figure_text(1 / 6, "share", "about", "1/6").zh
    (Text(zh='2,720.8 亿元', en='272.08 billion CNY'), 'over 15,000 firms', '约 1/6')
    """
    if value is None:
        return Text("—", "—")
    said = BOUNDS[bound or ""]
    if quoted:
        return Text(f"{said.zh} {quoted}".strip(), f"{said.en} {quoted}".strip())
    if unit == "share":
        shown = f"{_digits(value * 100)} %"
        return Text(f"{said.zh} {shown}".strip(), f"{said.en} {shown}".strip())
    called = _UNITS.get(unit or "", Text(unit or "", unit or ""))
    zh = f"{_digits(value / _YI)} 亿" if abs(value) >= _YI else f"{_digits(value)} "
    en = f"{_digits(value / _BILLION)} billion" if abs(value) >= _BILLION else _digits(value)
    return Text(f"{said.zh} {zh}{called.zh}".strip(), f"{said.en} {en} {called.en}".strip())


_YI, _BILLION = 1e8, 1e9


def _digits(value: float) -> str:
    """A number with thousands separators and no digit too many or too few."""
    text = f"{round(value, 6):,.6f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def benchmark_document(rows: pl.DataFrame | None = None) -> Document:
    """Quoted figures of reference clusters, and, with `rows` of `benchmark`, one's own beside them 对标报告."""
    quoted = benchmark()
    texts = reference_texts()
    count = quoted["cluster"].n_unique()
    blocks: list[Block] = [Paragraph(NEVER, "caution")]
    if rows is not None and rows["own"].count():
        blocks.append(Section("beside-section", Text("与本方数字并列", "Beside one's own figures"), (_beside(rows),)))
    blocks.append(_quoted(quoted))
    blocks.append(
        Table(
            "texts",
            Text("引用的文本", "The texts"),
            (Column("code", Text("代码", "Code"), "code"), Column("text", Text("文本", "Text"))),
            [(code, text) for code, text in texts.items()],
            QUOTED,
        )
    )
    sentence = Text(
        f"{count} 个参照集群的 {quoted.height} 个数字，照录自五份公开文本。",
        f"{quoted.height} figures of {count} reference clusters, as five published texts quote them.",
    )
    return Document(Text("对标", "Benchmark"), sentence, tuple(blocks), Lineage("assess.benchmark", "1"))


def _year(year: int | None, about: bool | None) -> Text:
    if year is None:
        return Text("—", "—")
    return Text(f"约 {year}", f"about {year}") if about else Text(str(year), str(year))


def _quoted(rows: pl.DataFrame) -> Table:
    columns = (
        Column("cluster", Text("集群", "Cluster")),
        Column("concept", Text("口径", "What is counted")),
        Column("value", Text("照录", "As quoted")),
        Column("year", Text("年份", "Year"), "code"),
        Column("boundary", Text("边界", "Boundary")),
        Column("source", Text("出处", "Source"), "code"),
    )
    told: list[tuple[Cell, ...]] = [
        (
            Text(row["cluster_zh"], row["cluster_en"]),
            Text(row["concept_zh"], row["concept_en"]),
            figure_text(row["value"], row["unit"], row["bound"], row["quoted"]),
            _year(row["year"], row["about_year"]),
            Text(row["boundary_zh"], row["boundary_en"]),
            row["source"],
        )
        for row in rows.to_dicts()
    ]
    return Table("references", Text("参照集群，照录", "Reference clusters, as quoted"), columns, told, QUOTED)


def _beside(rows: pl.DataFrame) -> Table:
    columns = (
        Column("own", Text("本方", "Own")),
        Column("indicator", Text("指标", "Indicator"), "code"),
        Column("own_value", Text("本方数字", "Own figure")),
        Column("own_year", Text("年份", "Year"), "code"),
        Column("own_concept", Text("本方口径", "What is counted")),
        Column("cluster", Text("参照集群", "Reference")),
        Column("value", Text("照录", "As quoted")),
        Column("year", Text("参照年份", "Its year"), "code"),
        Column("concept", Text("参照口径", "What it counts")),
        Column("differs", Text("不同或未知是否相同", "Differs, or not known to be the same")),
        Column("source", Text("出处", "Source"), "code"),
    )
    told: list[tuple[Cell, ...]] = []
    for row in rows.to_dicts():
        there = row["cluster"] is not None
        differs = [DIFFERENCES[name] for name in row["differs"]]
        told.append(
            (
                row["own"],
                row["indicator"],
                figure_text(row["own_value"], row["own_unit"]),
                str(row["own_year"]) if row["own_year"] is not None else None,
                row["own_concept"],
                Text(row["cluster_zh"], row["cluster_en"]) if there else Text("没有参照", "no reference"),
                figure_text(row["value"], row["unit"], row["bound"], row["quoted"]) if there else None,
                _year(row["year"], row["about_year"]) if there else None,
                Text(row["concept_zh"], row["concept_en"]) if there else None,
                Text("、".join(d.zh for d in differs), ", ".join(d.en for d in differs)) if differs else None,
                row["source"],
            )
        )
    source = Text("本方数据与公开文本", "own data and published texts")
    return Table("beside", Text("并列", "Side by side"), columns, told, source, note=NEVER)
