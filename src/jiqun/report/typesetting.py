"""What typst is asked for 排字: which typefaces there are, and drawings as pixels."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from jiqun.core.errors import InputError
from jiqun.report.picture import Picture

if TYPE_CHECKING:
    import typst

SERIF = ("Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "SimSun", "Songti SC", "AR PL UMing CN")
SANS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)
MONO = "DejaVu Sans Mono"
"""Comes with typst."""

_HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_PROBE = '#set document(title: "x")\n中'.encode()
_PAGES = b"""#set page(width: auto, height: auto, margin: 0pt, fill: none)
#for picture in json(bytes(sys.inputs.pictures)) { page(image(bytes(picture), format: "svg")) }"""


@cache
def fonts() -> typst.Fonts:
    """The typefaces of this machine and those that come with typst."""
    import typst  # noqa: PLC0415  # 60 MB that only some forms need

    return typst.Fonts()


def installed(names: Sequence[str]) -> list[str]:
    """Those of the typefaces that there are, in the same order."""
    families = set(fonts().families())
    return [name for name in names if name in families]


def require_chinese(text: str) -> None:
    """Refuse to set Chinese without a typeface for it: typst itself would leave gaps and say nothing.

    Raises
    ------
    InputError
        JQ-REPORT-001: the text has a Chinese character, and no typeface here has the commonest.
    """
    import typst  # noqa: PLC0415

    found = _HAN.search(text)
    if not found:
        return
    try:  # PDF/UA allows no gaps, so typst tells
        typst.compile(_PROBE, font_paths=fonts(), format="pdf", pdf_standards="ua-1")
    except typst.TypstError as error:
        raise InputError("JQ-REPORT-001", text=found[0]) from error


def pngs(pictures: Sequence[Picture], *, ppi: float = 144.0) -> list[bytes]:
    """Drawings as PNG, one unit of theirs being a point.

    Raises
    ------
    InputError
        JQ-REPORT-001: as `require_chinese`.
    """
    import typst  # noqa: PLC0415

    if not pictures:
        return []
    require_chinese("".join(each.svg for each in pictures))
    inputs = {"pictures": json.dumps([each.svg for each in pictures], ensure_ascii=False)}
    made = typst.compile(_PAGES, font_paths=fonts(), format="png", ppi=ppi, sys_inputs=inputs)
    return made if isinstance(made, list) else [made]
