"""One firm 单个企业: its entry in the register, what it says of itself, and its cluster."""

from __future__ import annotations

from jiqun.atlas.documents.words import class_name_text, name_text
from jiqun.atlas.firms import ClassRow, FactRow, FirmAnswer
from jiqun.atlas.listing import country_text
from jiqun.core.document import Block, Cell, Column, Document, Paragraph, Table, Text
from jiqun.core.lineage import Lineage
from jiqun.intake.gazetteer import ATTRIBUTION
from jiqun.store import Snapshot
from jiqun.taxonomy import KINDS
from jiqun.taxonomy.linear import BY_MODEL

REGISTER = Text("登记库", "register")
ITSELF = Text("企业自填", "the firm itself")
CORRECTED = Text("人工更正", "a correction")
UNITS = {
    "person": Text("人", "people"),
    "CNY": Text("元", "yuan (CNY)"),
    "degree": Text("度", "degrees"),
}
"""Units of a firm's attributes, in words."""


def firm_document(answer: FirmAnswer, snapshot: Snapshot) -> Document:
    """What a reader may see of a firm 企业页, as `jiqun.atlas.firms.firm` answered them."""
    columns = (
        Column("attribute", Text("事项", "What")),
        Column("value", Text("内容", "Value")),
        Column("unit", Text("单位", "Unit")),
        Column("from", Text("来自", "From")),
    )
    known = [fact for fact in answer.facts if fact.value is not None]
    rows: list[tuple[Cell, ...]] = [
        (
            fact.title,
            _value(fact.attribute, fact.value),
            UNITS.get(fact.unit, fact.unit) or None,
            _source(fact),
        )
        for fact in known
    ]
    unknown = [fact.title for fact in answer.facts if fact.value is None]
    note = (
        Text(
            f"登记库没有给出：{'、'.join(t.zh for t in unknown)}",
            f"Not in the register: {'; '.join(t.en for t in unknown)}",
        )
        if unknown
        else None
    )
    table = Table(
        "facts",
        Text("在册信息", "What is on record"),
        columns,
        rows,
        Text(answer.source, answer.source),
        answer.as_of,
        note=note,
    )
    blocks: list[Block] = [Paragraph(_class_sentence(answer.digital)), table]
    if answer.standing in STANDING:
        blocks.insert(0, Paragraph(STANDING[answer.standing], "caution"))
    if not answer.complete:
        text = Text(
            "这里只列出登记事项。规模、收入等只对运营方、分析者、审计者和企业自己开放。",
            "Only the entry in the register is shown. Size, revenue and the like are for operators, analysts, auditors and the firm itself.",
        )
        blocks.append(Paragraph(text))
    return Document(
        title=Text(answer.name, answer.name),
        subtitle=_sentence(answer),
        blocks=tuple(blocks),
        lineage=Lineage("atlas.firm", "1", {"id": answer.id}, (snapshot.input,)),
        attributions=(ATTRIBUTION,),
    )


def _source(fact: FactRow) -> Text:
    for who, at in ((ITSELF, fact.stated_at), (CORRECTED, fact.corrected_at)):
        if at:
            return Text(f"{who.zh} {at:%Y-%m-%d}", f"{who.en}, {at:%Y-%m-%d}")
    return REGISTER


def _value(attribute: str, value: str | float | int | bool | None) -> Cell:
    if attribute == "country":
        return country_text(str(value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


STANDING = {
    "unmatched": Text("只在名单上：登记库中没有这家企业。", "On a roster only: the register does not have this firm."),
    "review": Text(
        "名单上的一行，等待判定它是哪家在册企业；判定前不计入图谱和测度。",
        "A row of a roster that waits for a decision which firm of the register it is; until then no count includes it.",
    ),
}
"""Why a row of a roster stands by itself, in words."""
BY = {
    "register": Text("登记库给出", "as the register says"),
    "code": Text("由行业代码判定", "by its industry code"),
    "main_business": Text("由主营业务的用词判定", "by the words of its main business"),
    "scope": Text("由经营范围的用词判定", "by the words of its business scope"),
    "summary": Text("由企业简介的用词判定", "by the words of its profile"),
    "name": Text("由名称的用词判定，把握较小", "by the words of its name, which is weak ground"),
}
"""What decided a firm's class, in words."""


def _class_sentence(found: ClassRow) -> Text:
    """The class of the firm and what decided it; a score of words is no probability and is not shown."""
    if found.classified_by is None:
        return Text(
            "未判定是否属于数字经济核心产业：代码和文本都不足以判定。",
            "Whether it is in the core industries is undecided: neither a code nor a text settles it.",
        )
    by = BY[found.classified_by]
    if found.classified_by in KINDS and found.evidence == BY_MODEL:
        by = Text(f"{by.zh}(本地训练的模型)", f"{by.en}, as the model trained here reads them")
    words = Text(f"：{found.words.replace('; ', '、')}", f": {found.words}") if found.words else Text("", "")
    if found.digital_code is None:
        return Text(f"不属于数字经济核心产业，{by.zh}{words.zh}。", f"Not in the core industries, {by.en}{words.en}.")
    name = class_name_text(found.digital_code)
    return Text(
        f"数字经济类别：{name.zh}({found.digital_code})，{by.zh}{words.zh}。",
        f"Digital class: {name.en} ({found.digital_code}), {by.en}{words.en}.",
    )


def _sentence(answer: FirmAnswer) -> Text:
    country = country_text(answer.country)
    place = [part for part in (answer.place.zh, country.zh if answer.country else "") if part]
    where = Text(
        "，".join(reversed(place)) or "地点不详",
        ", ".join(part for part in (answer.place.en, country.en if answer.country else "") if part)
        or "Place not known",
    )
    if answer.run is None:
        return Text(f"{where.zh}。还没有识别过集群。", f"{where.en}. No search for clusters has been run yet.")
    if answer.cluster is None:
        return Text(
            f"{where.zh}。不在任何集群中(截至 {answer.run.as_of} 的识别)。",
            f"{where.en}. In no cluster, by the search as of {answer.run.as_of}.",
        )
    name = name_text(answer.cluster.model_dump(include={"name_zh", "name_en"}))
    core = Text("核心地点", "core") if answer.core else Text("边缘", "border")
    return Text(
        f"{where.zh}。属于{name.zh}集群({core.zh}成员)，该集群共有 {answer.cluster.firms:,} 家。",
        f"{where.en}. A {core.en} member of the cluster of {name.en}, which has {answer.cluster.firms:,} firms.",
    )
