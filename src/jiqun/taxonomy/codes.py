"""Industry codes and digital codes 代码: which are known, how they are written, what was probably meant.

A scheme is an industry classification with its edition. A code may be written with its edition in front
(`GB/T 4754-2017:6513`) and, in GB/T 4754, with the letter of its section (`I6513`) and in full-width characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

from jiqun.core.errors import InputError, Language, UsageError
from jiqun.taxonomy.tables import DigitalEntry, bridge, digital_entries, industries

GBT = "GB/T 4754-2017"
EDITION = "digital-2021"
Definition = Literal["narrow", "broad"]
DEFINITIONS: tuple[Definition, ...] = ("narrow", "broad")

_LONGEST = 40  # anything longer was never a code
_FULL_WIDTH = {code: code - ord("!") + ord("！") for code in range(ord("!"), ord("~") + 1)}
_LOOKALIKES = str.maketrans("OoQDlI|i!ZzSsbBgq〇", "000011111225568990")


@dataclass(frozen=True)
class Bridge:
    """How the codes of a foreign scheme are written 代码写法."""

    scheme: str
    pattern: str
    """Of the code without its edition; anchored at both ends, read alike by Python, Rust, RE2 and Java."""
    width: int
    """Digits of its most detailed international level; national classes below it are read by these."""
    dot: bool
    """Its official form has a dot after the second digit."""

    def official(self, digits: str) -> str:
        """The official form of bare digits: `62.01` in NACE."""
        return f"{digits[:2]}.{digits[2:]}" if self.dot and len(digits) > 2 else digits


_FOUR_DIGITS = r"[0-9]{2}(\.?[0-9]{1,2}(\.?[0-9]{1,2})?)?[A-Z]?"
BRIDGES = {
    "ISIC4": Bridge("ISIC4", _FOUR_DIGITS, 4, dot=False),
    "NACE2": Bridge("NACE2", _FOUR_DIGITS, 4, dot=True),
    "NAICS2017": Bridge("NAICS2017", "[0-9]{2,6}", 6, dot=False),
}
SCHEMES = (GBT, *BRIDGES)


def check_scheme(scheme: str) -> str:
    """`scheme` itself if it is known; else JQ-USE-001."""
    if scheme not in SCHEMES:
        raise UsageError("JQ-USE-001", what="scheme", value=scheme, known=", ".join(SCHEMES))
    return scheme


def check_definition(definition: str) -> Definition:
    """`definition` itself if it is known; else JQ-USE-001."""
    for known in DEFINITIONS:
        if definition == known:
            return known
    raise UsageError("JQ-USE-001", what="definition", value=definition, known=", ".join(DEFINITIONS))


@cache
def gbt_spellings() -> dict[str, str]:
    """Every accepted spelling of a GB/T code, to the code."""
    spellings: dict[str, str] = {}
    for industry in industries().values():
        for written in (industry.code, industry.full_code):
            for typed in (written, written.translate(_FULL_WIDTH)):
                for edition in ("", f"{GBT}:", f"{GBT.replace(' ', '')}:"):
                    spellings[edition + typed] = industry.code
    return spellings


@cache
def bridge_codes(scheme: str) -> frozenset[str]:
    """Bare digits of the classes of a bridge and of every level above them."""
    listed = (row.code.replace(".", "") for row in bridge(scheme))
    return frozenset(code[:length] for code in listed for length in range(2, len(code) + 1))


def canonical(code: str, scheme: str = GBT) -> str | None:
    """The official form of `code` 规范代码, or None where the scheme does not have it.

    Accepted besides the official form: the edition in front; in GB/T 4754-2017 the section letter, full-width
    characters throughout (６５１３), and the edition without its blank; in
    ISIC and NACE a code with or without dots, and a national class below it (five or six characters),
    which is read as the international class that its first four digits name.

    Examples
    --------
    >>> canonical("I6513"), canonical("GB/T 4754-2017:6513"), canonical("A6513")
    ('6513', '6513', None)
    >>> canonical("6201", "NACE2"), canonical("62.01Z", "NACE2")
    ('62.01', '62.01')
    """
    if not isinstance(code, str):
        return None
    if check_scheme(scheme) == GBT:
        return gbt_spellings().get(code)
    written = BRIDGES[scheme]
    bare = code.removeprefix(f"{scheme}:")
    if not re.fullmatch(written.pattern, bare):
        return None
    digits = bare.replace(".", "")[: written.width]
    return written.official(digits) if digits in bridge_codes(scheme) else None


def is_known(code: str, scheme: str = GBT) -> bool:
    """Whether `digital_class` has an answer for the code 代码是否有效.

    Examples
    --------
    >>> is_known("6513"), is_known("65O3"), is_known("62.01", "NACE2")
    (True, False, True)
    """
    return canonical(code, scheme) is not None


@cache
def known_codes(scheme: str = GBT) -> frozenset[str]:
    """All codes of the scheme in official form 全部代码: divisions, groups and classes.

    Of ISIC, NACE and NAICS these are only the codes of the bridge, not all codes of the scheme.

    Examples
    --------
    >>> len(known_codes()), "0111" in known_codes(), "62.0" in known_codes("NACE2")
    (1952, True, True)
    """
    if check_scheme(scheme) == GBT:
        return frozenset(industries())
    return frozenset(BRIDGES[scheme].official(digits) for digits in bridge_codes(scheme))


def require(code: str, scheme: str = GBT) -> str:
    """`canonical(code, scheme)`, or the coded error that names a likely code."""
    found = canonical(code, scheme)
    if found is not None:
        return found
    near = suggest(code, scheme)
    if near is not None:
        raise InputError("JQ-TAXONOMY-003", value=code, scheme=scheme, suggestion=near)
    raise InputError("JQ-TAXONOMY-001" if scheme == GBT else "JQ-TAXONOMY-002", value=code, scheme=scheme)


def suggest(code: str, scheme: str = GBT) -> str | None:
    """The known code that an unknown one was probably meant to be 建议代码.

    Tried in order: full-width digits, blanks, dots, a decimal that a sheet added; letters that look like
    digits (O and 0, l and 1); a wrong section letter; one unreadable character; a lost leading zero; one
    edit (two digits exchanged, one wrong, one missing or one too many).

    Returns
    -------
    None where nothing is near, where several codes are equally near, where fewer than half of the characters
    are digits, or where the code is known.

    Examples
    --------
    >>> suggest("65O3"), suggest("A6513"), suggest("6513.0"), suggest("65133")
    ('6513', '6513', '6513', '6513')
    >>> suggest("6513"), suggest("6514"), suggest("62O1", "ISIC4")
    (None, None, '6201')
    """
    text = str(code)
    if len(text) > _LONGEST or canonical(text, scheme) is not None:
        return None
    plain = "".join(unicodedata.normalize("NFKC", text).split()).removeprefix(f"{scheme.replace(' ', '')}:")
    plain = re.sub("[.,-]", "", re.sub(r"\.0+$", "", plain))
    bare = plain[1:] if plain[:1].isalpha() else plain
    if 2 * sum(map(str.isdigit, bare)) < len(bare):
        return None
    for readable in (plain, plain.translate(_LOOKALIKES), plain.upper(), bare, bare.translate(_LOOKALIKES)):
        found = canonical(readable, scheme)
        if found is not None:
            return found
    return _nearest(bare, scheme)


@cache
def _by_digits(scheme: str) -> dict[str, str]:
    return {code.replace(".", ""): code for code in known_codes(scheme)}


def _nearest(text: str, scheme: str) -> str | None:
    codes = _by_digits(scheme)
    readable = re.sub("[^0-9]", ".", text)
    if "." in readable:
        fitting = [code for code in codes if len(code) == len(text) and re.fullmatch(readable, code)]
        if len(fitting) == 1:
            return codes[fitting[0]]
        text = text.translate(_LOOKALIKES)
    if not re.fullmatch("[0-9]+", text):
        return None
    if scheme == GBT and f"0{text}" in codes:
        return f"0{text}"
    near = sorted((_distance(text, edit), edit) for edit in _edits(text) if edit in codes)
    if not near or (len(near) > 1 and (near[0][0] == near[1][0] or near[0][1][:2] != text[:2])):
        return None
    return codes[near[0][1]]


def _edits(text: str) -> set[str]:
    splits = [(text[:i], text[i:]) for i in range(len(text) + 1)]
    exchanged = {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    replaced = {a + digit + b[1:] for a, b in splits if b for digit in "0123456789"}
    dropped = {a + b[1:] for a, b in splits if b}
    added = {a + digit + b for a, b in splits for digit in "0123456789"}
    return exchanged | replaced | dropped | added


def _distance(text: str, edit: str) -> tuple[bool, bool, int]:
    """Sort key: same length first, then two digits exchanged, then the one that differs furthest to the right."""
    same = next((i for i, (a, b) in enumerate(zip(text, edit, strict=False)) if a != b), min(len(text), len(edit)))
    return len(text) != len(edit), sorted(text) != sorted(edit), -same


def _entry(code: str) -> DigitalEntry:
    entry = digital_entries().get(code.removeprefix(f"{EDITION}:")) if isinstance(code, str) else None
    if entry is None:
        raise InputError("JQ-TAXONOMY-004", value=code)
    return entry


def name(code: str, language: Language = "zh") -> str:
    """Name of a digital class, group or division 数字经济分类名称; the English is jiqun's own translation.

    Raises
    ------
    InputError
        JQ-TAXONOMY-004: not a code of the digital economy classification (2021).

    Examples
    --------
    >>> name("030103"), name("digital-2021:0301", "en")
    ('应用软件开发', 'Software development')
    """
    entry = _entry(code)
    return entry.name_zh if language == "zh" else entry.name_en


def parent(code: str) -> str | None:
    """The digital code one level up 上级代码; None above a division. Raises as `name` does.

    Examples
    --------
    >>> parent("030103"), parent("0301"), parent("03")
    ('0301', '03', None)
    """
    return _entry(code).parent


def industry_name(code: str) -> str:
    """Chinese name of a GB/T 4754-2017 division, group or class 国民经济行业名称.

    Raises
    ------
    InputError
        JQ-TAXONOMY-001 or -003: the code is not in GB/T 4754-2017.

    Examples
    --------
    >>> industry_name("I6513"), industry_name("39")
    ('应用软件开发', '计算机、通信和其他电子设备制造业')
    """
    return industries()[require(code)].name_zh
