"""One firm 单个企业: its entry in the register, what it says of itself, and its cluster."""

from __future__ import annotations

from jiqun.atlas.documents.words import name_text
from jiqun.atlas.firms import FirmAnswer
from jiqun.atlas.listing import country_text
from jiqun.core.document import Block, Cell, Column, Document, Paragraph, Table, Text
from jiqun.core.lineage import Lineage
from jiqun.intake.gazetteer import ATTRIBUTION
from jiqun.store import Snapshot

REGISTER = Text("登记库", "register")
ITSELF = Text("企业自填", "the firm itself")
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
            Text(f"{ITSELF.zh} {fact.stated_at:%Y-%m-%d}", f"{ITSELF.en}, {fact.stated_at:%Y-%m-%d}")
            if fact.stated_at
            else REGISTER,
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
    blocks: list[Block] = [table]
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


def _value(attribute: str, value: str | float | int | bool | None) -> Cell:
    if attribute == "country":
        return country_text(str(value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
