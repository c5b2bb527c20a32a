"""A document in any of its forms 成品: one call for commands and pages alike."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from jiqun.core.document import Document
from jiqun.core.errors import Language, UsageError
from jiqun.core.text import visible
from jiqun.report.excel import xlsx
from jiqun.report.page import html
from jiqun.report.pdf import pdf
from jiqun.report.word import docx

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""The forms, by the ending of their files."""

_UNFIT = re.compile(r'[\s<>:"/\\|?*.,，、·\u0000-\u001f]+')
_LONGEST_NAME = 60


class File(NamedTuple):
    """A file to save or to send: what it holds, what kind it is, and a name in the reader's language."""

    content: bytes
    media_type: str
    name: str


def render(
    document: Document, form: str, language: Language, *, made: datetime | None = None, template: Path | None = None
) -> File:
    """A document as a file 生成报告.

    Parameters
    ----------
    form
        One of `MEDIA_TYPES`: html (both languages in one), docx, pdf, xlsx.
    made
        The date that the report bears; without one equal documents give equal bytes.
    template
        An office's own Word template, for docx.

    Raises
    ------
    UsageError
        JQ-USE-001: another form. JQ-REPORT-005: a template, and the form is not docx.
    InputError
        JQ-REPORT-001 to JQ-REPORT-004: as `pdf` and `docx`.

    Examples
    --------
    >>> from jiqun.core.document import Paragraph, Text
    >>> from jiqun.core.lineage import Lineage
    >>> told = Document(Text("圣何塞", "San Jose"), Text("", ""), (), Lineage("atlas.find_clusters", "1"))
    >>> render(told, "xlsx", "en").name
    'San-Jose.xlsx'
    """
    if form not in MEDIA_TYPES:
        raise UsageError("JQ-USE-001", what="form", value=form, known=", ".join(MEDIA_TYPES))
    if template and form != "docx":
        raise UsageError("JQ-REPORT-005", form=form)
    match form:
        case "docx":
            content = docx(document, language, template=template, made=made)
        case "pdf":
            content = pdf(document, language, made=made)
        case "xlsx":
            content = xlsx(document, language, made=made)
        case _:
            content = html(document, language=language).encode()
    return File(content, MEDIA_TYPES[form], f"{_stem(document, language)}.{form}")


def _stem(document: Document, language: Language) -> str:
    title = document.title.get(language) or document.title.zh or document.title.en
    return _UNFIT.sub("-", visible(title))[:_LONGEST_NAME].strip("-") or "report"
