"""What a diagnosis says, in words, bars and tables, in both languages 诊断报告."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.assess.ailments.kinds import FIRM, KINDS
from jiqun.assess.ailments.risks import TAGS
from jiqun.assess.checks import checklist
from jiqun.assess.diagnosis import kind_name
from jiqun.assess.diagnosis_room import READS, findings_of
from jiqun.assess.findings import Finding
from jiqun.assess.given_tables import BY_FINDING, PAGE
from jiqun.core.actor import Actor
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Cell,
    Column,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Kind,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy.tables import digital_entries

TITLE = Text("诊断", "Diagnosis")
STATE = {"found": Text("发现", "found"), "not_found": Text("未发现", "not found"), "unknown": Text("未知", "unknown")}
SEVERITY = {"high": Text("重", "high"), "medium": Text("中", "medium"), "low": Text("轻", "low")}
SOURCE = Text(
    "本工作区的登记册、关联、指标与识别结果", "the register, links, indicators and searches of this workspace"
)
REPORT_ROWS = 60
KNOWN = {
    "judgement": {
        "same specialities": Text("专长相同", "same specialities"),
        "not told apart": Text("分不出", "not told apart"),
        "differ": Text("有别", "differ"),
    },
    "answer": {"met": Text("满足", "met"), "unmet": Text("未满足", "unmet"), "unknown": Text("未知", "unknown")},
    "where": {"here": Text("本单元", "here"), "register": Text("登记册", "register")},
    "kind": {**KINDS, FIRM: Text("企业", "firms")},
    "tag": TAGS,
}
"""Words of evidence that are shown in the reader's language."""
_P, _N, _I, _S, _T = "probability", "number", "integer", "share", "text"
COLUMNS: dict[str, tuple[str, str, str, int]] = {
    "region_a": ("地区甲", "region a", _T, 0), "region_b": ("地区乙", "region b", _T, 0),
    "firms_a": ("甲企业数", "firms a", _I, 0), "firms_b": ("乙企业数", "firms b", _I, 0),
    "expected_a": ("甲期望", "expected a", _N, 1), "expected_b": ("乙期望", "expected b", _N, 1),
    "finger_kreinin": ("相似度", "similarity", _S, 1), "expected": ("期望", "expected", _N, 2),
    "krugman": ("克鲁格曼指数", "Krugman", _N, 3), "cosine": ("余弦", "cosine", _N, 3),
    "p_apart": ("p(分不出)", "p (not told apart)", _P, 3), "shared": ("专长相同度 R", "shared R", _N, 3),
    "shared_low": ("R 下限", "R from", _N, 3), "shared_high": ("R 上限", "R to", _N, 3),
    "shared_expected": ("R 期望", "R expected", _N, 3), "band_low": ("随机下限", "random from", _S, 1),
    "band_high": ("随机上限", "random to", _S, 1), "p": ("p", "p", _P, 3), "q": ("q", "q", _P, 3),
    "judgement": ("判断", "judgement", _T, 0), "industry": ("产业", "industry", _T, 0),
    "contribution": ("对 R 的贡献", "part of R", _N, 3), "check": ("核对项", "check", _T, 0),
    "group": ("组", "group", _T, 0), "indicator": ("指标", "indicator", "code", 0), "year": ("年份", "year", "code", 0),
    "value": ("数值", "value", _N, 3), "sense": ("方向", "sense", _T, 0), "bound": ("界限", "bound", _N, 2),
    "answer": ("结果", "answer", _T, 0), "evidence": ("依据", "evidence", _T, 0), "unit": ("单元", "unit", _T, 0),
    "score": ("得分", "score", _N, 3), "low": ("下限", "from", _N, 3), "high": ("上限", "to", _N, 3),
    "firms": ("企业数", "firms", _I, 0), "agglomeration": ("密度倍数", "× expected density", "ratio", 1),
    "linkage": ("关联倍数", "× expected links", "ratio", 2), "members": ("成员数", "members", _I, 0),
    "used": ("计入的成员", "members used", _I, 0), "observed": ("观测强度", "observed weight", _N, 2),
    "kind": ("种类", "kind", _T, 0), "here": ("本单元", "here", _I, 0), "register": ("登记册", "register", _I, 0),
    "chance_none": ("偶然没有的概率", "chance of none", _P, 3), "links": ("关联数", "links", _I, 0),
    "where": ("范围", "of", _T, 0), "classed": ("有行业代码", "with a code", _I, 0),
    "virtual": ("金融和房地产", "finance and real estate", _I, 0), "making": ("制造业", "manufacturing", _I, 0),
    "supplier": ("供应方", "supplier", _T, 0), "customer": ("采购方", "customer", _T, 0), "weight": ("强度", "weight", _N, 2),
    "customers": ("采购方数", "customers", _I, 0), "share": ("占比", "share", _S, 1),
    "as_of": ("日期", "as of", "code", 0), "classes": ("类别数", "classes", _I, 0),
    "effective": ("有效类别数", "effective classes", _N, 2), "tag": ("标签", "tag", _T, 0),
    "register_share": ("登记册占比", "share of the register", _S, 1), "regions": ("提到的地区", "regions that name it", _I, 0),
    "of": ("地区总数", "of", _I, 0), "named_by": ("提到它的", "named by", _T, 0), "period": ("日期", "as of", "code", 0),
    "similarity": ("相似度", "similarity", _S, 1), "differentiation": ("分化度", "differentiation", _N, 3),
    "slope": ("每期变化", "change a date", _N, 3),
}  # fmt: skip
"""Columns of evidence by name; others are shown under their own name."""
_LEFT_OUT = frozenset({"supplier_id", "customer_id", "outside"})


@dataclass(frozen=True)
class Told:
    """One diagnosis, put into words."""

    result: StoredResult
    findings: Sequence[Finding]
    linked: bool = False

    @property
    def as_of(self) -> str:
        """Date of the register."""
        return str(self.result.values["as_of"])

    @property
    def names(self) -> dict[str, Text]:
        """What units are called."""
        rows = self.result.table("units").select("unit", "name_zh", "name_en").iter_rows()
        return {unit: Text(zh, en) for unit, zh, en in rows}

    def sentence(self) -> Text:
        """How much was found, and how much nobody knows."""
        count = Counter(one.state for one in self.findings)
        found, unknown, clear = count["found"], count["unknown"], count["not_found"]
        units = len({one.unit for one in self.findings if one.state == "found"})
        grave = sum(one.severity == "high" for one in self.findings)
        if not found and not clear:
            return Text(
                f"还说不上有没有病灶：{unknown:,} 项全部未知，下面列出缺什么。",
                f"Nothing can be said yet: all {unknown:,} things are unknown; what is missing is listed below.",
            )
        if not found:
            return Text(
                f"没有发现病灶；{clear:,} 项查过而未发现，{unknown:,} 项未知。",
                f"No ailment was found: looked for and not found, {clear:,}; unknown, {unknown:,}.",
            )
        return Text(
            f"{units:,} 个单元有 {found:,} 项病灶，其中 {grave:,} 项为重；{clear:,} 项查过而未发现，{unknown:,} 项未知。",
            f"Ailments found: {found:,} in {units:,} {'unit' if units == 1 else 'units'}, {grave:,} of them grave; looked for and not "
            f"found, {clear:,}; unknown, {unknown:,}.",
        )

    def figures(self) -> KeyFigures:
        """The three states, counted."""
        count = Counter(one.state for one in self.findings)
        return KeyFigures(
            tuple(
                KeyFigure(Text(f"{count[s]:,}", f"{count[s]:,}"), STATE[s]) for s in ("found", "not_found", "unknown")
            )
        )

    def by_ailment(self) -> tuple[Block, ...]:
        """How many units have each ailment: bars of what was found, and the table of all three states."""
        titles = {one.code: one.title for one in self.findings}
        counts = Counter((one.code, one.state) for one in self.findings)
        rows: list[tuple[Cell, ...]] = [
            (title, code, *(counts[code, state] for state in ("found", "not_found", "unknown")))
            for code, title in sorted(titles.items(), key=lambda item: (-counts[item[0], "found"], item[0]))
        ]
        table = Table(
            "ailments", Text("各病灶的单元数", "Units by ailment"),
            (
                Column("title", Text("病灶", "Ailment")), Column("code", Text("代码", "Code"), "code"),
                *(Column(state, STATE[state], "integer") for state in ("found", "not_found", "unknown")),
            ),
            rows, SOURCE, self.as_of,
        )  # fmt: skip
        bars = tuple(Bar(titles[str(row[1])], float(str(row[2]))) for row in rows if row[2])
        if not bars:
            return (table,)
        most = bars[0]
        title = Text(f"最常见：{most.label.zh}", f"Most common: {most.label.en.lower()}")
        mark = Bars(bars, Text("个单元", "units"), kind="integer", digits=0)
        return (
            Figure(
                "ailments-figure", title, Text("发现病灶的单元数", "units in which the ailment was found"), mark, table
            ),
        )

    def found(self, most: int | None) -> tuple[Block, ...]:
        """Everything that was found, the gravest first."""
        names = self.names
        kept = [one for one in self.findings if one.state == "found"]
        if not kept:
            return ()
        rows: list[tuple[Cell, ...]] = [
            (names[one.unit], one.title, SEVERITY[str(one.severity)], one.statistic, one.low, one.high, one.measure, one.sentence, one.unit)
            for one in kept
        ]  # fmt: skip
        cut = rows if most is None else rows[:most]
        links = tuple(f"assess/diagnosis/units/{row[-1]}" for row in cut) if self.linked else ()
        note = (
            None
            if len(cut) == len(rows)
            else Text(f"表中为前 {len(cut)} 项，共 {len(rows):,} 项。", f"The first {len(cut)} of {len(rows):,}.")
        )
        columns = (
            Column("name", Text("单元", "Unit")), Column("title", Text("病灶", "Ailment")), Column("severity", Text("程度", "Severity")),
            Column("statistic", Text("统计量", "Statistic"), "number", 2), Column("low", Text("下限", "From"), "number", 2),
            Column("high", Text("上限", "To"), "number", 2), Column("measure", Text("量的含义", "Measure")),
            Column("sentence", Text("结论", "Finding")), Column("unit", Text("编号", "Id"), "code"),
        )  # fmt: skip
        return (
            Table(
                "found",
                Text("发现的病灶，重者在前", "What was found, the gravest first"),
                columns,
                cut,
                SOURCE,
                self.as_of,
                note,
                links,
            ),
        )

    def units(self, most: int | None) -> tuple[Block, ...]:
        """Every unit with the number of findings in each state."""
        names = self.names
        count: Counter[tuple[str, str]] = Counter((one.unit, one.state) for one in self.findings)
        units = [unit for unit in self.result.table("units")["unit"] if any(count[unit, s] for s in STATE)]
        units.sort(key=lambda unit: -count[unit, "found"])
        rows: list[tuple[Cell, ...]] = [
            (names[unit], *(count[unit, s] for s in ("found", "not_found", "unknown")), unit) for unit in units
        ]
        cut = rows if most is None else rows[:most]
        links = tuple(f"assess/diagnosis/units/{row[-1]}" for row in cut) if self.linked else ()
        note = (
            None
            if len(cut) == len(rows)
            else Text(f"表中为前 {len(cut)} 个，共 {len(rows):,} 个。", f"The first {len(cut)} of {len(rows):,}.")
        )
        columns = (
            Column("name", Text("单元", "Unit")),
            *(Column(s, STATE[s], "integer") for s in ("found", "not_found", "unknown")),
            Column("unit", Text("编号", "Id"), "code"),
        )
        return (
            Table("units", Text("集群与地区", "Clusters and regions"), columns, cut, SOURCE, self.as_of, note, links),
        )

    def missing(self) -> tuple[Block, ...]:
        """What would make the unknown known, what helps most first."""
        needed: Counter[Text] = Counter()
        actions: dict[Text, Text] = {}
        pages: dict[Text, str] = {}
        for one in self.findings:
            for need in one.missing:
                needed[need] += 1
                actions[need] = one.action
                if one.code in BY_FINDING:
                    pages[need] = f"{PAGE}/{BY_FINDING[one.code]}"
        if not needed:
            return ()
        rows: list[tuple[Cell, ...]] = [(need, n, actions[need]) for need, n in needed.most_common()]
        columns = (
            Column("missing", Text("缺什么", "What is missing")), Column("findings", Text("因此未知的项", "Unknown because of it"), "integer"),
            Column("action", Text("怎么办", "What to do")),
        )  # fmt: skip
        table = Table(
            "missing",
            Text("补上这些，未知的就会变成已知", "With these, what is unknown would be known"),
            columns,
            rows,
            SOURCE,
            self.as_of,
            links=tuple(pages.get(need, "") for need, _ in needed.most_common()) if self.linked else (),
        )
        return (table,)

    def pairs(self, most: int | None) -> tuple[Block, ...]:
        """The regions that were compared, those with the same specialities first."""
        if "pairs" not in self.result.tables:
            return ()
        frame = self.result.table("pairs")
        first = ["region_a", "region_b", "judgement", "shared", "q", "finger_kreinin", "expected", "krugman"]
        frame = frame.select(*first, pl.exclude(first))
        head = (
            frame if most is None else frame.head(most).drop("band_low", "band_high", "shared_low", "shared_high", "p")
        )
        table = self.table("pairs", Text("地区两两之间", "Regions by pairs"), head)
        return (table,)

    def evidence(self, finding: Finding, number: int) -> tuple[Block, ...]:
        """The rows that a finding stands on."""
        if finding.evidence.is_empty():
            return ()
        title = Text(f"{finding.title.zh}：依据的行", f"{finding.title.en}: the rows it stands on")
        return (self.table(f"evidence-{number}-{finding.code.replace('.', '-')}", title, finding.evidence),)

    def table(self, id_: str, title: Text, frame: pl.DataFrame) -> Table:
        """Rows of evidence as a table, codes in words."""
        kept = [name for name in frame.columns if name not in _LEFT_OUT]
        read = {name: self._reader(name) for name in kept}
        columns = tuple(_column(name, frame.schema[name].is_numeric()) for name in kept)
        rows = [tuple(read[name](row[name]) for name in kept) for row in frame.iter_rows(named=True)]
        return Table(id_, title, columns, rows, SOURCE, self.as_of)

    def _reader(self, column: str) -> Callable[[Any], Cell]:
        words: Mapping[str, Text] = KNOWN.get(column, {})
        if column in {"region_a", "region_b"}:
            names = self.names
            words = {unit.removeprefix("region:"): text for unit, text in names.items()}
        elif column == "industry":
            words = {code: Text(f"{e.name_zh} {code}", f"{e.name_en} {code}") for code, e in digital_entries().items()}
        elif column == "check":
            words = {check.code: check.title for check in checklist("governance").checks}
        elif column == "group":
            words = checklist("governance").groups
        return lambda value: words.get(value, value) if isinstance(value, str) else value


def _column(name: str, numeric: bool) -> Column:  # from a schema
    zh, en, kind, digits = COLUMNS.get(name, (name, name, _N if numeric else _T, 3))
    told: Kind = kind  # type: ignore[assignment]
    return Column(name, Text(zh, en), told, digits)


def diagnosis_document(
    workspace: Workspace, result: StoredResult, *, most: int | None = REPORT_ROWS, linked: bool = False
) -> Document:
    """The report of a diagnosis 诊断报告; `most`: rows of a table, None: all; `linked`: rows lead to the units' pages."""
    told = Told(result, findings_of(workspace, result), linked=linked)
    blocks: tuple[Block, ...] = (
        told.figures(),
        *told.found(most),
        *told.by_ailment(),
        *told.missing(),
        *told.units(most),
        *told.pairs(most),
    )
    return Document(title=TITLE, subtitle=told.sentence(), blocks=blocks, lineage=result.lineage)


def unit_document(workspace: Workspace, result: StoredResult, unit: str) -> Document:
    """What was found of one unit, with actions and evidence 单元诊断.

    Raises
    ------
    UsageError
        JQ-ASSESS-090: the diagnosis has no such unit.
    """
    found = findings_of(workspace, result, unit)
    told = Told(result, found)
    name = told.names[unit]
    blocks: list[Block] = [told.figures()]
    for number, one in enumerate(found, 1):
        head = Text(f"{one.title.zh}：{_state(one).zh}", f"{one.title.en}: {_state(one).en}")
        parts: list[Block] = [Paragraph(one.sentence)]
        if one.statistic is not None:
            parts.append(KeyFigures((KeyFigure(_number(one), one.measure, one.varies),)))
        if one.missing:
            need = Text("、".join(m.zh for m in one.missing), "; ".join(m.en for m in one.missing))
            parts.append(Paragraph(Text(f"缺：{need.zh}。", f"Missing: {need.en}."), "caution"))
        parts.append(Paragraph(Text(f"怎么办：{one.action.zh}", f"What to do: {one.action.en}")))
        parts += told.evidence(one, number)
        blocks.append(Section(f"finding-{number}", head, tuple(parts)))
    title = Text(f"{name.zh}：诊断", f"{name.en}: diagnosis")
    return Document(title=title, subtitle=told.sentence(), blocks=tuple(blocks), lineage=result.lineage)


def _state(one: Finding) -> Text:
    state = STATE[one.state]
    if one.severity is None:
        return state
    grave = SEVERITY[one.severity]
    return Text(f"{state.zh}，{grave.zh}", f"{state.en}, {grave.en}")


def _number(one: Finding) -> Text:
    number = f"{one.statistic:,.2f}".replace("-", "−")
    if one.low is None or one.high is None:
        return Text(number, number)
    low, high = (f"{value:,.2f}".replace("-", "−") for value in (one.low, one.high))
    return Text(f"{number}({low} 至 {high})", f"{number} ({low} to {high})")


def sections(workspace: Workspace, actor: Actor) -> Section | None:
    """The diagnosis as a section of the annual report 年度报告中的诊断; None where there is none, or the actor may not read it."""
    result = workspace.result(kind_name(None))
    if result is None or actor.roles.isdisjoint(READS):
        return None
    told = Told(result, findings_of(workspace, result))
    blocks: tuple[Block, ...] = (
        Paragraph(told.sentence(), "lead"), told.figures(), *told.found(30), *told.by_ailment(), *told.missing(),
    )  # fmt: skip
    return Section("diagnosis", TITLE, blocks)
