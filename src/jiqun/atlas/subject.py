"""What a run speaks of 对象: a noun for the firms, the register's name, its measure of size, whom to thank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jiqun.core.document import Text
from jiqun.intake.gazetteer import ATTRIBUTION
from jiqun.store import StoredResult, Workspace
from jiqun.store.results import JSON
from jiqun.taxonomy import name as class_name

FIRMS = Text("企业", "firms")
SIZES = {
    "employees": Text("从业人数", "Employees"),
    "revenue_cny": Text("营业收入(元)", "Revenue (CNY)"),
    "registered_capital_cny": Text("注册资本(元)", "Registered capital (CNY)"),
    "size": Text("规模", "Size"),
}
_KEY = "subject"


@dataclass(frozen=True)
class Subject:
    """What was searched: a noun for the firms, the register's name, its size column if any, whom to thank."""

    noun: Text
    register: Text
    size: Text | None = None
    attributions: tuple[Text, ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """The subject as a result's value `subject`."""
        return {
            "noun": _pair(self.noun),
            "register": _pair(self.register),
            "size": _pair(self.size) if self.size else None,
            "attributions": [_pair(thanks) for thanks in self.attributions],
        }


def subject_of(workspace: Workspace, result: StoredResult) -> Subject:
    """The subject of a run: as it was told when it was made, else what its class and its register's source say."""
    told: Any = result.values.get(_KEY)
    if told:
        return Subject(
            _text(told["noun"]),
            _text(told["register"]),
            size=_text(told["size"]) if told["size"] else None,
            attributions=tuple(_text(thanks) for thanks in told["attributions"]),
        )
    source = register_of(workspace, result)
    size = result.lineage.parameters.get("size")
    return Subject(
        noun(result.lineage.parameters.get("digital")),
        Text(source, source),
        size=SIZES.get(size, Text(size, size)) if size else None,
        attributions=(ATTRIBUTION,),
    )


def noun(digital: str | None) -> Text:
    """What the firms of a class are called; without a class, firms."""
    if digital is None:
        return FIRMS
    return Text(f"{class_name(digital, 'zh')}企业", f"firms of {class_name(digital, 'en')}")


def register_of(workspace: Workspace, result: StoredResult) -> str:
    """Name of the source that a result was computed from, which need not be what is loaded now."""
    digest = result.lineage.inputs[0].digest
    return next((old.source for old in workspace.history("organisations") if old.digest == digest), digest[:12])


def _pair(text: Text) -> JSON:
    return {"zh": text.zh, "en": text.en}


def _text(pair: Mapping[str, str]) -> Text:
    return Text(pair["zh"], pair["en"])
