"""Bars 条形图: horizontal, from a zero line, with intervals and a reference line.

Lengths are percentages of the drawing's width and text is set in pixels, so a phone shrinks bars, not letters.
"""

from __future__ import annotations

from dataclasses import dataclass

from jiqun.core.document import Bar, Bars, Text
from jiqun.report.formats import cell
from jiqun.report.labels import shorten
from jiqun.report.markup import LANGUAGES, Html, both, element, join
from jiqun.report.svg import num, words

_ROW, _BAR, _TEXT = 40.0, 12.0, 13.0
_LABEL_ROOM = 18.0
"""Per cent of the width kept free beyond the bars for their values."""
_LABEL_EMS = 26.0


@dataclass(frozen=True)
class Axis:
    """A linear scale from values to per cent of the width."""

    low: float
    high: float
    left: float

    def __call__(self, value: float) -> float:
        """Position of a value."""
        return self.left + (100 - _LABEL_ROOM - self.left) * (value - self.low) / ((self.high - self.low) or 1.0)


def axis(drawn: Bars) -> Axis:
    """The scale that holds zero, every value, interval and the reference."""
    ends = [end for bar in drawn.bars for end in (bar.value, bar.low, bar.high) if end is not None]
    ends += [0.0] if drawn.reference is None else [0.0, drawn.reference]
    return Axis(min(ends), max(ends), _LABEL_ROOM if min(ends) < 0 else 0.0)


def draw(drawn: Bars, *, title_id: str) -> Html:
    """Bars as `<svg>`: label above each bar, value at its end, interval across it 条形图."""
    scale = axis(drawn)
    top = 22.0 if drawn.reference is not None else 4.0
    height = top + _ROW * len(drawn.bars)
    tops = [top + _ROW * index for index in range(len(drawn.bars))]
    parts = [_bar(bar, scale, y) for bar, y in zip(drawn.bars, tops, strict=True)]
    if drawn.reference is not None:
        x = scale(drawn.reference)
        name = drawn.reference_name or Text("", "")
        value = cell(drawn.reference, drawn.kind, "en", drawn.digits)
        told = Text(f"{name.zh} {value}".strip(), f"{name.en} {value}".strip())
        parts.append(_vertical(x, 14.0, top - 2, "reference"))
        parts += [
            _vertical(x, y + _TEXT + 2, y + _TEXT + 8 + _BAR, "reference") for y in tops
        ]  # not through the labels
        parts.append(words(told, _percent(x), 11.0, text_anchor="start" if x < 50 else "end", kind="tick"))
    parts += [_words(drawn, bar, scale, y) for bar, y in zip(drawn.bars, tops, strict=True)]
    return element("svg", *parts, class_="bars", width="100%", height=num(height), role="img", aria_labelledby=title_id)


def legend(drawn: Bars) -> Html:
    """Unit, and what the thin lines are."""
    parts = [element("span", both(Text("单位：", "Unit: ")), both(drawn.unit))]
    if any(low != high for low, high in map(_ends, drawn.bars)):
        parts.append(element("span", both(Text("细线为区间", "Thin lines are intervals"))))
    return element("p", *parts, class_="legend")


def _ends(bar: Bar) -> tuple[float, float]:
    return bar.value if bar.low is None else bar.low, bar.value if bar.high is None else bar.high


def _bar(bar: Bar, scale: Axis, y: float) -> Html:
    start, end = sorted((scale(0.0), scale(bar.value)))
    at = y + _TEXT + 5
    middle = num(at + _BAR / 2)
    low, high = _ends(bar)
    parts = [
        element("rect", x=_percent(start), y=num(at), width=_percent(end - start), height=num(_BAR), class_="bar"),
        _vertical(scale(0.0), at - 3, at + _BAR + 3, "zero"),
    ]
    if low != high:
        span = {"x1": _percent(scale(low)), "x2": _percent(scale(high))}
        parts.append(element("line", **span, y1=middle, y2=middle, class_="interval"))
        parts += [_vertical(scale(value), at + 2, at + _BAR - 2, "interval") for value in (low, high)]
    return join(parts)


def _words(drawn: Bars, bar: Bar, scale: Axis, y: float) -> Html:
    label = Text(shorten(bar.label.zh, _LABEL_EMS), shorten(bar.label.en, _LABEL_EMS))
    value = Text(*(cell(bar.value, drawn.kind, language, drawn.digits) for language in LANGUAGES))
    low, high = _ends(bar)
    end, anchor, dx = (min(low, bar.value), "end", -6) if bar.value < 0 else (max(high, bar.value), "start", 6)
    at = y + _TEXT + 5 + _BAR - 2
    return join(
        [
            words(label, _percent(scale.left), y + _TEXT),
            words(value, _percent(scale(end)), at, text_anchor=anchor, dx=dx, kind="value"),
        ]
    )


def _vertical(x: float, top: float, bottom: float, kind: str) -> Html:
    return element("line", x1=_percent(x), x2=_percent(x), y1=num(top), y2=num(bottom), class_=kind)


def _percent(value: float) -> str:
    return f"{value:.2f}%"
