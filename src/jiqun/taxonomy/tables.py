"""The tables in `data/`, read once: codes, names, the mapping between the classifications, the wording of notes.

`data/README.md` says what each file is, of which edition, on what evidence. Nothing here decides anything.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

EVIDENCE = ("source", "derived", "inferred", "fitted", "memory")
"""What a mapping row rests on, strongest first 依据, 由强到弱."""


@dataclass(frozen=True)
class Industry:
    """A division, group or class of GB/T 4754-2017 行业."""

    code: str
    full_code: str
    level: str
    parent: str
    name_zh: str


@dataclass(frozen=True)
class DigitalEntry:
    """A division, group or class of the digital economy classification 数字经济分类条目."""

    code: str
    level: str
    parent: str | None
    name_zh: str
    name_en: str
    keywords_zh: tuple[str, ...]
    """Our own words for it, not official."""


@dataclass(frozen=True)
class MappingRow:
    """One digital class and one GB/T item that it takes in, whole or in part."""

    digital_code: str
    gbt_code: str
    partial: bool
    excluded: frozenset[str]
    evidence: str
    shared: bool
    """The part that is not here is in another digital class: together they take in the whole item."""


@dataclass(frozen=True)
class BridgeRow:
    """One foreign class and the digital group closest to it."""

    code: str
    digital_code: str
    partial: bool


def table_rows(name: str) -> list[dict[str, str]]:
    """The rows of a file in `data/`, as text."""
    text = files("jiqun.taxonomy").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def industries() -> dict[str, Industry]:
    """Divisions, groups and classes of GB/T 4754-2017 by their code of 2 to 4 digits."""
    return {
        row["code"]: Industry(row["code"], row["full_code"], row["level"], row["parent"], row["name_zh"])
        for row in table_rows("gbt4754_2017.csv")
        if row["level"] != "section"
    }


@cache
def digital_entries() -> dict[str, DigitalEntry]:
    """All levels of the digital economy classification (2021) by code of 2, 4 or 6 digits."""
    return {
        row["code"]: DigitalEntry(
            row["code"],
            row["level"],
            row["parent"] or None,
            row["name_zh"],
            row["name_en"],
            tuple(filter(None, row["keywords_zh"].split(";"))),
        )
        for row in table_rows("digital_economy_2021.csv")
    }


@cache
def mapping() -> dict[str, tuple[MappingRow, ...]]:
    """Mapping rows by the GB/T item that they name (a division, a group or a class)."""
    found: defaultdict[str, list[MappingRow]] = defaultdict(list)
    for row in table_rows("digital_economy_2021_to_gbt4754.csv"):
        if not row["gbt_code"]:  # 020500 and 030502: no industry code leads there
            continue
        excluded = frozenset(code for code in row["except_gbt"].split() if not code.endswith("(part)"))
        shared = "is shared with" in row["partial_basis"]
        found[row["gbt_code"]].append(
            MappingRow(
                row["digital_code"], row["gbt_code"], row["partial"] == "true", excluded, row["evidence"], shared
            )
        )
    return {code: tuple(rows) for code, rows in found.items()}


@cache
def bridge(scheme: str) -> tuple[BridgeRow, ...]:
    """The rows of one foreign scheme (`ISIC4`, `NACE2`, `NAICS2017`)."""
    return tuple(
        BridgeRow(row["code"], row["digital_code"], row["match"] != "group")
        for row in table_rows("isic_digital.csv")
        if row["scheme"] == scheme
    )


@cache
def wording() -> dict[str, tuple[str, str]]:
    """Templates of the notes: key to (zh, en)."""
    return {row["key"]: (row["zh"], row["en"]) for row in table_rows("wording.csv")}
