"""Lineage in words 方法与来源: how a document was computed and from what, the same in every form."""

from __future__ import annotations

import json
from dataclasses import dataclass

from jiqun.core.document import Text
from jiqun.core.lineage import Lineage, Source

TITLE = Text("方法与来源", "Method and lineage")


@dataclass(frozen=True)
class Fact:
    """One thing to know: what it is, in words what it says, and what a program would read."""

    name: Text
    words: Text
    code: str = ""


def introduction(lineage: Lineage) -> Text:
    """What the facts are good for."""
    return Text(
        f"本报告由方法 {lineage.method}（第 {lineage.version} 版）计算得出。方法、参数和输入相同，结果必相同；下面的摘要就是这一结果的名称。",
        f"Computed by the method {lineage.method}, version {lineage.version}. The same method, parameters and inputs always give the same result; "
        "the digest below is its name.",
    )


def facts(lineage: Lineage) -> list[Fact]:
    """Method, version, every parameter, every input, digest 沿袭条目."""
    nothing = Text("", "")
    return [
        Fact(Text("方法", "Method"), nothing, lineage.method),
        Fact(Text("版本", "Version"), nothing, lineage.version),
        *(
            Fact(Text(f"参数 {name}", f"Parameter {name}"), nothing, _written(value))
            for name, value in sorted(lineage.parameters.items())
        ),
        *(Fact(Text("输入", "Input"), _named(source), f"sha256 {source.digest}") for source in lineage.inputs),
        Fact(Text("结果摘要", "Result digest"), nothing, lineage.digest),
    ]


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _named(source: Source) -> Text:
    if not source.as_of:
        return Text(source.name, source.name)
    return Text(f"{source.name}，截至 {source.as_of}", f"{source.name}, as of {source.as_of}")
