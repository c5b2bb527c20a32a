"""Errors with a stable code, said in Chinese and English from one catalogue.

The catalogue is `messages/*.csv` beside this file: `code, zh, en, hint_zh, hint_en`, each text a
`str.format` template over the fields that the raiser gives. A message says where, what was expected,
and what to do. Codes are never reused.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from jiqun.core.text import visible

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Message:
    """One catalogue entry 消息条目."""

    code: str
    zh: str
    en: str
    hint_zh: str
    hint_en: str

    def render(self, language: Language, **fields: Any) -> str:
        """The message, and below it, indented, what to do. What a field holds stays visible and on its line.

        A field may be a mapping from languages to what it is called in each.
        """
        told = {name: value[language] if isinstance(value, dict) else value for name, value in fields.items()}
        fields = {
            name: value if isinstance(value, int | float) else visible(str(value)) for name, value in told.items()
        }
        text, hint = (self.zh, self.hint_zh) if language == "zh" else (self.en, self.hint_en)
        lines = [f"{self.code} {text.format(**fields)}"]
        if hint:
            lines.append(f"  {hint.format(**fields)}")
        return "\n".join(lines)


@cache
def catalogue() -> dict[str, Message]:
    """All messages by code.

    Examples
    --------
    >>> catalogue()["JQ-USE-001"].code
    'JQ-USE-001'
    """
    return {message.code: message for message in _read()}


def _read() -> Iterator[Message]:
    seen: set[str] = set()
    for source in sorted(files("jiqun.core").joinpath("messages").iterdir(), key=lambda path: path.name):
        if not source.name.endswith(".csv"):
            continue
        for row in csv.DictReader(source.read_text(encoding="utf-8").splitlines()):
            if row["code"] in seen:
                raise ValueError(f"{source.name}: {row['code']} is in the catalogue twice")
            seen.add(row["code"])
            yield Message(**row)


def current_language() -> Language:
    """`JIQUN_LANG` if set, else the system's locale: zh for a Chinese one, en otherwise."""
    for variable in ("JIQUN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


class JiqunError(Exception):
    """Root of all errors that jiqun raises on purpose; `code` is stable, `fields` say where."""

    exit_code = 1

    def __init__(self, code: str, **fields: Any) -> None:
        self.code = code
        self.fields = fields
        self.message = catalogue()[code]
        super().__init__(code, fields)

    def render(self, language: Language | None = None) -> str:
        """The message in `language` (default: `current_language()`)."""
        return self.message.render(language or current_language(), **self.fields)

    def __str__(self) -> str:
        return self.render()


class InputError(JiqunError):
    """What came in cannot be used as it is 输入无法使用."""


class MeasureInputError(InputError):
    """A measure cannot be computed from these columns or values 测度输入有误."""


class WorkspaceError(JiqunError):
    """A workspace is missing, locked, damaged or of another version 工作区错误."""


class PermissionDeniedError(JiqunError):
    """The actor may not do this 无权操作."""


class UsageError(JiqunError):
    """The call itself is wrong 用法错误 (exit status 2)."""

    exit_code = 2
