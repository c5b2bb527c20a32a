"""How numbers are written 数字写法: by kind of column and by language, with no more digits than are known.

“—” is not available, 0 is zero. Minus is U+2212, so that it lines up with the digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jiqun.core.document import Cell, Kind, Text
from jiqun.core.errors import Language

MISSING = "—"
NUMERIC: frozenset[Kind] = frozenset({"integer", "number", "ratio", "share", "probability"})
"""Kinds whose columns stand right-aligned."""

_ZH_UNITS = ((1e12, "万亿"), (1e8, "亿"), (1e4, "万"))
_EN_UNITS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
_NBSP = "\u00a0"
_WHOLE_RATIO = 10


def cell(value: Cell, kind: Kind, language: Language, digits: int = 1) -> str:
    r"""One table cell as the reader sees it 单元格.

    Parameters
    ----------
    value
        None, NaN: “—”. Texts and names are returned as they are, whatever the kind.
    kind
        As in `jiqun.core.document.Kind`. A `share` and a `probability` are fractions of 1.
    digits
        Decimals of `number` and `share`, and of a `ratio` below 10.

    Examples
    --------
    >>> [cell(18234, "integer", "en"), cell(53.2, "ratio", "en"), cell(5.68, "ratio", "en"), cell(0.453, "share", "en", 0)]
    ['18,234', '×53', '×5.7', '45\xa0%']
    >>> cell(0.0002, "probability", "zh"), cell(None, "number", "zh"), cell(True, "text", "zh")
    ('<0.001', '—', '是')
    """
    if value is None:
        return MISSING
    if isinstance(value, Text):
        return value.get(language) or value.get("en" if language == "zh" else "zh")
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}[language][value]
    if isinstance(value, str):
        return value
    return _number(value, kind, digits)


def _number(value: float, kind: Kind, digits: int) -> str:
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else "∞" if value > 0 else "−∞"
    written: dict[Kind, Callable[[], str]] = {
        "text": lambda: str(value).replace("-", "−"),
        "code": lambda: str(value),
        "integer": lambda: _fixed(value, 0),
        "number": lambda: _fixed(value, digits),
        "ratio": lambda: f"×{ratio_number(value, digits)}",
        "share": lambda: _share(value, digits),
        "probability": lambda: probability(value),
    }
    return written[kind]()


def _share(value: float, digits: int) -> str:
    """A share in per cent; what is not zero never reads as zero."""
    least = 10.0**-digits
    if value > 0 and 100 * value <= least / 2:  # half of it would round to the even 0
        return f"<{_fixed(least, digits)}{_NBSP}%"
    return f"{_fixed(100 * value, digits)}{_NBSP}%"


def ratio_number(value: float, digits: int = 1) -> str:
    """A ratio without its sign: whole from 10 on, `digits` decimals below, at least one digit that is not 0 倍数.

    Examples
    --------
    >>> [ratio_number(value) for value in (1420.4, 53.2, 9.96, 1.44, 0.034)]
    ['1,420', '53', '10', '1.4', '0.03']
    """
    size = abs(value)
    if round(size, digits) >= _WHOLE_RATIO:
        return _fixed(value, 0)
    if 0 < size < 10.0**-digits:
        digits = min(-math.floor(math.log10(size)), 9)
    return _fixed(value, digits)


def probability(value: float) -> str:
    """A probability in three digits; never 0.000 or 1.000 for what is not certain 概率.

    Examples
    --------
    >>> [probability(value) for value in (0, 0.0004, 0.0123, 0.9999, 1)]
    ['0', '<0.001', '0.012', '>0.999', '1']
    """
    if value in (0, 1):
        return str(int(value))
    if 0 < value < 0.0005:
        return "<0.001"
    if 0.9995 <= value < 1:
        return ">0.999"
    return _fixed(value, 3)


def _fixed(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        return f"−{text[1:]}" if text.strip("-0.,") else text[1:]
    return text


def spoken(value: float | None, *, digits: int = 2) -> Text:
    """A number as one would say it, in two significant digits where it is large: 1.2 亿, 120 million 口语化数字.

    Numbers below one 万 (zh) or one million (en) are written out with thousands separators.

    Examples
    --------
    >>> spoken(120_000_000)
    Text(zh='1.2 亿', en='120 million')
    >>> spoken(18_234)
    Text(zh='1.8 万', en='18,234')
    >>> spoken(1_420), spoken(None).en
    (Text(zh='1,420', en='1,420'), '—')
    """
    if value is None or math.isnan(value):
        return Text(MISSING, MISSING)
    return Text(_scaled(value, _ZH_UNITS, digits), _scaled(value, _EN_UNITS, digits))


def _scaled(value: float, units: tuple[tuple[float, str], ...], digits: int) -> str:
    if math.isinf(value):
        return _number(value, "number", 0)
    if abs(value) < units[-1][0]:
        return _fixed(value, 0 if value == round(value) else 1)
    rounded = float(f"{value:.{digits - 1}e}")
    size, word = next(unit for unit in units if abs(rounded) >= unit[0])
    scaled = rounded / size
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(scaled))))
    return f"{_fixed(scaled, decimals).removesuffix('.0')} {word}"
