"""From an industry code to the digital economy classification (2021) 由行业代码判定数字经济类别.

A code stands for a set of places where a firm that carries it may be: digital classes, and "outside".
A class of GB/T 4754 has the places that the mapping rows give it; a group or division has those of all
its classes. What holds in every place is what the code decides; all else takes the firm's business text.
Division 05 takes a firm in only if it uses digital technology, so its places always come with "outside":
no industry code alone leads there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from jiqun.taxonomy.codes import EDITION, GBT, Definition, check_definition, check_scheme, require
from jiqun.taxonomy.tables import EVIDENCE, bridge, digital_entries, industries, mapping, wording

NOT_CORE = "05"
OWN_MAPPING = "own-mapping"
NO_ROW = "none"
_STRENGTH = (*EVIDENCE, OWN_MAPPING)
_WIDTHS = (6, 4, 2)


@dataclass(frozen=True)
class DigitalClass:
    """What one industry code says about a firm's digital class 判定结果.

    Attributes
    ----------
    input, scheme, definition
        What was asked. `narrow` (窄口径) counts divisions 01 to 04, the core industries; `broad` (宽口径) adds 05.
    digital_code
        The most detailed digital class, group or division that the code alone decides; None if it decides none.
    name_zh, name_en, level, division
        Of `digital_code`; None with it. `name_en` is jiqun's own translation.
    core
        Whether the firm is in the core industries 核心产业: True, False, or None where text is needed.
    partial
        Only some firms with this code belong: the code is one that the classification takes in in part.
    decided
        The code alone answers: either `digital_code` (then `core` is True), or no (then `core` is False).
    candidates
        All digital classes that the code may lead to under the definition.
    evidence
        The weakest evidence among the rows the answer rests on: `source`, `derived`, `inferred`, `fitted`,
        `memory`; `own-mapping` over a bridge; `none` where no row names the code, so the answer is no.
    note, note_zh
        What remains to be known, in a sentence or two; empty where nothing does.
    edition
        Of the digital codes: `digital-2021`.
    """

    input: str
    scheme: str
    definition: Definition
    digital_code: str | None
    name_zh: str | None
    name_en: str | None
    level: str | None
    division: str | None
    core: bool | None
    partial: bool
    decided: bool
    candidates: tuple[str, ...]
    evidence: str
    note: str
    note_zh: str
    edition: str = EDITION


@dataclass(frozen=True)
class Places:
    """Where a firm with some code may be."""

    codes: dict[str, str]
    """Digital code to the weakest evidence for it."""
    outside: bool
    """It may also be in no digital class."""


def digital_class(code: str, *, scheme: str = GBT, definition: str = "narrow") -> DigitalClass:
    """What an industry code decides in the digital economy classification (2021) 按行业代码判定数字经济类别.

    A code wholly inside a core class decides it. A code of which only part belongs decides nothing and
    names the candidates. A group or division decides what all its classes agree on. No code puts a firm in
    division 05: under `broad` such a code is undecided, not "no".

    Parameters
    ----------
    code
        2 to 4 digits, with or without section letter and edition: `6513`, `I6513`, `GB/T 4754-2017:6513`.
    scheme
        `GB/T 4754-2017`, or `ISIC4`, `NACE2`, `NAICS2017` over jiqun's own bridge to the 2021 groups.
    definition
        `narrow`: core industries, divisions 01 to 04. `broad`: division 05 as well.

    Raises
    ------
    InputError
        JQ-TAXONOMY-001, -002 or -003: the code is not in the scheme or its bridge; names a likely one.
    UsageError
        JQ-USE-001: no such scheme or definition.

    Notes
    -----
    Source: National Bureau of Statistics of China, Order No. 33, 《数字经济及其核心产业统计分类(2021)》. Its column of
    industry codes is rebuilt here, not quoted: `evidence` says on what grounds, row by row.

    Examples
    --------
    >>> found = digital_class("6513")
    >>> found.digital_code, found.name_zh, found.core, found.decided, found.evidence
    ('030103', '应用软件开发', True, True, 'derived')
    >>> digital_class("4910").candidates, digital_class("4910").core
    (('040501', '040502', '040503'), None)
    >>> digital_class("65").digital_code, digital_class("0111").core
    ('03', False)
    >>> digital_class("0111", definition="broad").decided
    False
    """
    known = require(code, check_scheme(scheme))
    return replace(decide(known, scheme, check_definition(definition)), input=code)


@cache
def decide(code: str, scheme: str, definition: Definition) -> DigitalClass:
    """`digital_class` of a code in official form."""
    places = _places(code) if scheme == GBT else _bridge_places(code, scheme)
    counted = {
        digital: evidence
        for digital, evidence in sorted(places.codes.items())
        if definition == "broad" or not digital.startswith(NOT_CORE)
    }
    in_core = [digital for digital in counted if not digital.startswith(NOT_CORE)]
    wholly = len(in_core) == len(places.codes) and not places.outside
    core = True if wholly else None if in_core else False
    digital_code = common(counted) if wholly else None
    entry = digital_entries()[digital_code] if digital_code else None
    answer = DigitalClass(
        input=code,
        scheme=scheme,
        definition=definition,
        digital_code=digital_code,
        name_zh=entry.name_zh if entry else None,
        name_en=entry.name_en if entry else None,
        level=entry.level if entry else None,
        division=digital_code[:2] if digital_code else None,
        core=core,
        partial=bool(counted) and not wholly,
        decided=digital_code is not None or not counted,
        candidates=tuple(counted),
        evidence=max(counted.values(), key=_STRENGTH.index, default=NO_ROW),
        note="",
        note_zh="",
    )
    notes = [wording()[key] for key in _note_keys(answer)]
    need_zh, need = wording()["need_above" if scheme == GBT and code in _children() else "need_class"]
    fields = {"code": code, "scheme": scheme, "digital_code": digital_code}
    return replace(
        answer,
        note=" ".join(en.format(**fields, need=need) for _, en in notes),
        note_zh="".join(zh.format(**fields, need=need_zh) for zh, _ in notes),
    )


def _note_keys(answer: DigitalClass) -> list[str]:
    keys = []
    if not answer.candidates:
        keys.append(f"outside_{answer.definition}")
    elif answer.core is False:
        keys.append("use")
    elif answer.core is None:
        keys.append("prefix" if answer.scheme != GBT and _is_prefix(answer.input, answer.scheme) else "partial")
    elif answer.digital_code is None:
        keys.append("divisions")
    elif len(answer.candidates) > 1:
        keys.append("split")
    if answer.evidence in wording():
        keys.append(answer.evidence)
    if answer.scheme != GBT:
        keys.append("bridge")
    return keys


def common(codes: Iterable[str]) -> str | None:
    """The most detailed entry that all the codes are in."""
    for width in _WIDTHS:
        shared = {code[:width] for code in codes}
        if len(shared) == 1:
            return shared.pop()
    return None


@cache
def _children() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for industry in industries().values():
        found.setdefault(industry.parent, []).append(industry.code)
    return {code: tuple(below) for code, below in found.items()}


@cache
def _places(code: str) -> Places:
    """Of a GB/T code: a class by the rows that name it or an item above it, all else by its children."""
    below = _children().get(code)
    if below:
        return _union(_places(child) for child in below)
    rows = [row for item in (code, code[:3], code[:2]) for row in mapping().get(item, ()) if code not in row.excluded]
    whole = any(not row.partial for row in rows) or (bool(rows) and all(row.shared for row in rows))
    return _union(Places({row.digital_code: row.evidence}, outside=not whole) for row in rows)


def _union(parts: Iterable[Places]) -> Places:
    """All places of all parts; outside where there is no part."""
    parts = list(parts)
    codes: dict[str, str] = {}
    for part in parts:
        for digital, evidence in part.codes.items():
            codes[digital] = max(codes.get(digital, evidence), evidence, key=_STRENGTH.index)
    return Places(codes, outside=not parts or any(part.outside for part in parts))


def _is_prefix(code: str, scheme: str) -> bool:
    return all(row.code != code for row in bridge(scheme))


def _bridge_places(code: str, scheme: str) -> Places:
    """Of a foreign code: its row; above the rows those below it and outside, since only digital classes are listed."""
    rows = [row for row in bridge(scheme) if row.code.startswith(code)]
    outside = _is_prefix(code, scheme) or any(row.partial for row in rows)
    return Places({row.digital_code: OWN_MAPPING for row in rows}, outside)
