"""Boxes in layers 分层图: from left to right with arrows between them, each box a link; for phones the same as a list.

Within a layer boxes stand where their neighbours' middle is, so that few arrows cross.
"""

from __future__ import annotations

from collections import defaultdict

from jiqun.core.document import LayerBox, LayerFlow, Layers, Text
from jiqun.report.labels import shorten
from jiqun.report.markup import Html, both, element, flat, join
from jiqun.report.svg import num, words
from jiqun.report.voice import voice

_WIDE, _HIGH, _ACROSS, _DOWN, _TOP, _SIDE = 184.0, 42.0, 36.0, 10.0, 34.0, 4.0
_FONT = 12.5
_SWEEPS = 6
_BOLD = 0.94
"""What fits of bold letters where so many plain ones would."""


def draw(drawn: Layers, *, title_id: str) -> Html:
    """Layers as `<svg>` 分层图."""
    at = positions(drawn)
    layers = max((box.layer for box in drawn.boxes), default=0) + 1
    width = 2 * _SIDE + layers * _WIDE + (layers - 1) * _ACROSS
    height = max((y for _, y in at.values()), default=_TOP) + _HIGH + _SIDE
    parts = [_band(*band) for band in drawn.bands]
    parts += [_arrow(flow, at) for flow in drawn.flows if flow.start in at and flow.end in at]
    parts += [_box(box, *at[box.id]) for box in drawn.boxes]
    return element(
        "svg",
        *parts,
        class_="layers",
        viewBox=f"0 0 {num(width)} {num(height)}",
        width=num(width),
        height=num(height),
        font_size=num(_FONT),
        role="group",
        aria_labelledby=title_id or None,
    )


def listed(drawn: Layers) -> Html:
    """The boxes as a list, layer by layer, for screens that are too narrow for the drawing."""
    bands = drawn.bands or ((Text("", ""), 0, max((box.layer for box in drawn.boxes), default=0)),)
    items = []
    for title, first, last in bands:
        inside = [box for box in drawn.boxes if first <= box.layer <= last]
        inner = element("ul", *(element("li", *_entry(box)) for box in inside))
        items.append(element("li", both(title, "strong") if title.zh or title.en else "", inner))
    return element("ol", *items, class_="layers-list")


def legend(drawn: Layers) -> Html:
    """What the signs stand for."""
    if not drawn.signs:
        return Html("")
    return element("p", *(element("span", f"{sign} ", both(told)) for sign, told in drawn.signs), class_="legend")


def positions(drawn: Layers) -> dict[str, tuple[float, float]]:
    """Left and upper edge of each box."""
    columns: defaultdict[int, list[str]] = defaultdict(list)
    for box in drawn.boxes:
        columns[box.layer].append(box.id)
    near: defaultdict[str, list[str]] = defaultdict(list)
    for flow in drawn.flows:
        near[flow.start].append(flow.end)
        near[flow.end].append(flow.start)
    tallest = max(map(len, columns.values()), default=0)
    middle = dict[str, float]()

    def settle(column: list[str]) -> None:
        for place, box in enumerate(column):
            middle[box] = place + (tallest - len(column)) / 2

    for column in columns.values():
        settle(column)
    for sweep in range(_SWEEPS):
        for layer in sorted(columns, reverse=bool(sweep % 2)):
            wanted = {
                box: sum(middle[n] for n in near[box]) / len(near[box]) if near[box] else middle[box]
                for box in columns[layer]
            }
            columns[layer].sort(key=wanted.__getitem__)
            settle(columns[layer])
    step = _HIGH + _DOWN
    return {box.id: (_left(box.layer), _TOP + middle[box.id] * step) for box in drawn.boxes}


def _left(layer: int) -> float:
    return _SIDE + layer * (_WIDE + _ACROSS)


def _band(title: Text, first: int, last: int) -> Html:
    left, right = _left(first), _left(last) + _WIDE
    line = element("line", x1=num(left), x2=num(right), y1="22", y2="22", class_="frame", stroke="currentColor")
    return join([words(title, left, 14.0, kind="tick"), line])


def _box(box: LayerBox, x: float, y: float) -> Html:
    room = (_WIDE - 16) / _FONT
    label = Text(shorten(box.label.zh, _BOLD * room), shorten(box.label.en, _BOLD * room))
    second = Text(f"{box.sign} {box.detail.zh}", f"{box.sign} {box.detail.en}")
    second = Text(shorten(second.zh, room), shorten(second.en, room))
    full = f"{flat(box.label)} · {flat(box.detail)}"
    parts = [
        element("title", full),
        element("rect", x=num(x), y=num(y), width=num(_WIDE), height=num(_HIGH), rx="4"),
        words(label, x + 8, y + 17, kind="name"),
        words(second, x + 8, y + 34),
    ]
    inside = element("g", *parts, class_=box.look)
    return element("a", inside, href=voice().href(box.anchor), aria_label=full) if box.anchor else inside


def _arrow(flow: LayerFlow, at: dict[str, tuple[float, float]]) -> Html:
    (x1, y1), (x2, y2) = at[flow.start], at[flow.end]
    start, end, up, down = x1 + _WIDE, x2, y1 + _HIGH / 2, y2 + _HIGH / 2
    if end <= start:  # back, or within a layer: round the right-hand side
        out = max(start, x2 + _WIDE) + _ACROSS / 2
        line = f"M{num(start)} {num(up)}C{num(out)} {num(up)} {num(out)} {num(down)} {num(x2 + _WIDE)} {num(down)}"
        tip = f"M{num(x2 + _WIDE)} {num(down)}l6 -3.5v7z"
    else:
        bend = (start + end) / 2
        line = f"M{num(start)} {num(up)}C{num(bend)} {num(up)} {num(bend)} {num(down)} {num(end - 5)} {num(down)}"
        tip = f"M{num(end)} {num(down)}l-6 -3.5v7z"
    told = flat(flow.label)
    about = [element("title", told)] if told else []
    return element("g", *about, element("path", d=line, class_="arrow"), element("path", d=tip, class_="head"))


def _entry(box: LayerBox) -> list[Html]:
    name = both(box.label)
    named = element("a", name, href=voice().href(box.anchor)) if box.anchor else name
    return [named, element("span", f" {box.sign} ", both(box.detail))]
