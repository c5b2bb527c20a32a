"""Import templates 导入模板: an empty table whose headers come back recognised, and what each column means."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import xlsxwriter
import xlsxwriter.exceptions

from jiqun.core.errors import InputError, Language, UsageError
from jiqun.core.schema import Attribute, Schema, schema
from jiqun.intake.check import choices
from jiqun.intake.columns import UNITS

SUFFIXES = (".xlsx", ".csv")

_ROWS = 10_000
_WIDE = 60
_UNITS_ZH = {"CNY": "元", "person": "人", "m2": "平方米"}
TITLES = {
    "zh": ("列", "字段", "必填", "说明", "Description", "单位", "检查", "依据", "也认识的表头"),
    "en": ("column", "attribute", "required", "说明", "description", "unit", "check", "source", "other headers known"),
}
"""Headers of the sheet of a template that describes the columns; it holds no rows of the table."""


def write_template(table: str, path: Path, language: Language = "zh", *, force: bool = False) -> Path:
    """Write an empty table to fill in 写模板, as .xlsx or .csv; its headers are Chinese, or attribute names for `en`.

    The workbook has a second sheet that describes every column, lists to choose from where the schema has them, and
    text format for codes, so that no leading zero or eighteenth digit is lost. A file that exists is replaced only
    with `force`.

    Raises
    ------
    UsageError
        JQ-USE-001: no such table; JQ-FILE-017: neither .xlsx nor .csv; JQ-FILE-031: the file exists.
    InputError
        JQ-FILE-022: the file cannot be written.

    Examples
    --------
    >>> headers(schema("organisations"), "zh")[:3]
    ('企业名称', '英文名称', '简称')
    """
    described = schema(table)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError("JQ-FILE-017", file=path, known=" / ".join(SUFFIXES))
    if path.exists() and not force:
        raise UsageError("JQ-FILE-031", file=path)
    try:
        if suffix == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerow(headers(described, language))
        else:
            with path.open("wb"):
                pass  # xlsxwriter finds out only at the end
            _write_workbook(described, path, language)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        raise InputError("JQ-FILE-022", file=path, reason=getattr(error, "strerror", None) or error) from error
    return path


def headers(described: Schema, language: Language) -> tuple[str, ...]:
    """The header of every attribute: its first alias with its unit, or its name."""
    return tuple(_header(attribute, language) for attribute in described.attributes)


def _header(attribute: Attribute, language: Language) -> str:
    if language == "en" or not attribute.aliases:
        return attribute.name
    unit = _UNITS_ZH.get(attribute.unit, "")
    return f"{attribute.aliases[0]}（{unit}）" if unit in UNITS else attribute.aliases[0]


def _write_workbook(described: Schema, path: Path, language: Language) -> None:
    book = xlsxwriter.Workbook(path)
    title = {"zh": (described.title_zh, "说明"), "en": (described.name, "columns")}[language]
    bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    required = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#FFF2CC"})
    formats = {
        "code": book.add_format({"num_format": "@"}),
        "string": book.add_format({"num_format": "@"}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
    }
    sheet = book.add_worksheet(title[0])
    for place, (attribute, header) in enumerate(zip(described.attributes, headers(described, language), strict=True)):
        sheet.write_string(0, place, header, required if attribute.required else bold)
        sheet.set_column(place, place, max(12, 2 * len(header)), formats.get(attribute.type))
        kind, _, argument = attribute.check.partition(":")
        if kind == "enum":
            listed = [choices().get(value, (value,))[0] if language == "zh" else value for value in argument.split("|")]
            sheet.data_validation(
                1, place, _ROWS, place, {"validate": "list", "source": listed, "error_type": "warning"}
            )
    sheet.freeze_panes(1, 0)
    _describe(book.add_worksheet(title[1]), described, language, bold)
    book.close()


def _describe(sheet: Any, described: Schema, language: Language, bold: Any) -> None:
    sheet.write_row(0, 0, TITLES[language], bold)
    for line, (attribute, header) in enumerate(zip(described.attributes, headers(described, language), strict=True), 1):
        needed = {"zh": "是", "en": "yes"}[language] if attribute.required else ""
        cells = (
            header,
            attribute.name,
            needed,
            attribute.description_zh,
            attribute.description_en,
            attribute.unit,
            attribute.check,
            attribute.source,
            "; ".join(attribute.aliases),
        )
        for place, cell in enumerate(cells):
            sheet.write_string(line, place, cell)
    sheet.set_column(0, 2, 18)
    sheet.set_column(3, 4, _WIDE // 2)
    sheet.set_column(5, 7, 18)
    sheet.set_column(8, 8, _WIDE)
    sheet.freeze_panes(1, 0)
