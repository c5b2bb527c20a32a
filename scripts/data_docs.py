"""Writes docs/tables.md and docs/messages.md from the CSV files that the code itself reads."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from jiqun.core.errors import catalogue
from jiqun.core.schema import Attribute, schemas

DOCS = Path(__file__).parents[1] / "docs"
TABLES = """\
# Tables 数据表

What a file may hold. Headers are recognised by name, by their Chinese name and by the aliases below; what is not
required may be left out. Units stand in the names. `jiqun template organisations -o organisations.xlsx` writes an
empty sheet with these columns.
"""
GIVEN = """\
## Tables given to the diagnosis 诊断用表

Short tables that users give on the page of the diagnosis or to `jiqun assess diagnose`; what is wrong with a cell is told, and
nothing is kept while one is.
"""
OPERATIONAL = """\
## Operational tables 运行表

Rows of the operational database. They are changed by commands only; nothing is loaded into them.
"""
MESSAGES = """\
# Messages 消息

Every refusal has a code that does not change from release to release. Words in braces are filled in.
"""
TYPES = {
    "string": "text",
    "code": "code",
    "integer": "whole number",
    "number": "number",
    "money": "number, with 万 or 亿",
    "date": "date",
    "boolean": "yes or no",
    "datetime": "moment, UTC",
    "json": "JSON",
    "bytes": "bytes",
}


def render() -> dict[str, str]:
    """The pages as they should be now, by file name."""
    return {"tables.md": _tables(), "messages.md": _messages()}


def _tables() -> str:
    parts = [TABLES]
    for level, home in (("##", "snapshot"), ("###", "given")):
        parts += [GIVEN] if home == "given" else []
        for schema in schemas(home).values():
            parts.append(f"{level} {schema.name} {schema.title_zh}\n")
            parts.append(f"{schema.title_en}. Rows are told apart by {', '.join(f'`{key}`' for key in schema.key)}.\n")
            head = "| column | meaning | 含义 | type | check | also accepted |\n|---|---|---|---|---|---|"
            parts.append("\n".join([head, *map(_attribute, schema.attributes)]) + "\n")
    parts.append(OPERATIONAL)
    for schema in schemas("operational").values():
        parts.append(f"### {schema.name} {schema.title_zh}\n")
        parts.append(f"{schema.title_en}. Rows are told apart by {', '.join(f'`{key}`' for key in schema.key)}.\n")
        head = "| column | meaning | 含义 | type | check |\n|---|---|---|---|---|"
        rows = (_attribute(attribute).rsplit("|", 2)[0] + "|" for attribute in schema.attributes)
        parts.append("\n".join([head, *rows]) + "\n")
    return "\n".join(parts)


def _attribute(attribute: Attribute) -> str:
    kind = TYPES[attribute.type] + (f", {attribute.unit}" if attribute.unit else "")
    check = " ".join(filter(None, [f"`{attribute.check}`", f"({attribute.source})" if attribute.source else ""]))
    return _row(
        f"**`{attribute.name}`** required" if attribute.required else f"`{attribute.name}`",
        attribute.description_en,
        attribute.description_zh,
        kind + (f"; default {attribute.default}" if attribute.default else ""),
        check if attribute.check else attribute.source,
        ", ".join(attribute.aliases),
    )


def _messages() -> str:
    parts = [MESSAGES]
    for area, messages in groupby(
        sorted(catalogue().values(), key=lambda m: m.code), lambda m: m.code.rsplit("-", 1)[0]
    ):
        head = f"## {area}\n\n| code | message | what to do | 消息 | 怎么办 |\n|---|---|---|---|---|"
        parts.append("\n".join([head, *(_row(m.code, m.en, m.hint_en, m.zh, m.hint_zh) for m in messages)]) + "\n")
    return "\n".join(parts)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"


if __name__ == "__main__":
    for name, page in render().items():
        (DOCS / name).write_text(page, encoding="utf-8")
