"""What one has to know of a file or a result although it could be read or made 提示."""

from __future__ import annotations

from dataclasses import dataclass

from jiqun.core.document import Text
from jiqun.core.errors import catalogue
from jiqun.core.text import visible


@dataclass(frozen=True)
class Remark:
    """What is odd about a file or a result as a whole 提示, and what to do about it; it keeps neither from being there."""

    code: str
    message: Text
    hint: Text

    @classmethod
    def of(cls, code: str, **fields: str | int) -> Remark:
        """A remark from the catalogue of messages; what a field holds stays visible.

        Examples
        --------
        >>> Remark.of("JQ-FILE-037", file="a.xlsx", count=2).message.en
        'a.xlsx: 2 cells have comments; they are not read.'
        """
        found = catalogue()[code]
        told = {name: visible(str(value)) for name, value in fields.items()}
        zh, en, hint_zh, hint_en = (
            template.format(**told) for template in (found.zh, found.en, found.hint_zh, found.hint_en)
        )
        return cls(code, Text(zh, en), Text(hint_zh, hint_en))

    def called(self, old: str, new: str) -> Remark:
        """The same of a file that its sender calls otherwise than it is called on disk."""
        return Remark(self.code, Text(self.message.zh.replace(old, new), self.message.en.replace(old, new)), self.hint)

    def __str__(self) -> str:
        return f"{self.code} {self.message.en}"
