"""Reports as PDF: set by typst, tagged for screen readers (PDF/UA-1), the same bytes for the same document.

The document travels as data; the layout is `templates/report.typ`. Chinese needs a typeface that the machine has.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Literal

from jiqun.core.document import Document
from jiqun.core.errors import Language
from jiqun.report.plain import plain
from jiqun.report.typesetting import MONO, SANS, SERIF, fonts, installed, require_chinese


def pdf(document: Document, language: Language, *, made: datetime | None = None) -> bytes:
    """A document as PDF 便携文档.

    Parameters
    ----------
    made
        The date on the cover and in the file; without one there is none, and equal documents give equal bytes.

    Raises
    ------
    InputError
        JQ-REPORT-001: no typeface with Chinese characters is installed.
    ValueError
        As `jiqun.report.html`.
    """
    import typst  # noqa: PLC0415  # 60 MB that only some forms need

    serif, sans = installed(SERIF), installed(SANS)
    told = plain(document, language, made=made, font=", ".join([*sans, "sans-serif"]))
    content = {
        **vars(told),
        "serif": serif or sans or [MONO],
        "sans": sans or serif or [MONO],
        "mono": [MONO, *sans[:1]],
    }
    layout = files("jiqun.report").joinpath("templates", "report.typ").read_bytes()
    inputs = {"document": json.dumps(content, ensure_ascii=False, default=vars)}

    def compiled(standard: Literal["ua-1"] | None) -> bytes:
        stamp = made or datetime.fromtimestamp(0, UTC)
        return typst.compile(
            layout, font_paths=fonts(), format="pdf", sys_inputs=inputs, pdf_standards=standard, timestamp=stamp
        )

    require_chinese(inputs["document"])
    try:
        return compiled("ua-1")
    except typst.TypstError as error:
        if not error.message.startswith("PDF/UA"):
            raise
    # PDF/UA does not allow a sign that no typeface here has, such as an emoji, or a heading without words
    return compiled(None)
