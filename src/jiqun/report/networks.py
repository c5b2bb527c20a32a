"""Networks 网络图: nodes where a layout put them, links as thin lines; groups by shape and colour together."""

from __future__ import annotations

import math

from jiqun.core.document import Graph, GraphNode, Text
from jiqun.report import labels
from jiqun.report.labels import Box, Mark
from jiqun.report.markup import Html, both, element, flat
from jiqun.report.svg import SIZES, font, num, sized, words
from jiqun.report.voice import voice

WIDTH, HEIGHT = 720.0, 520.0
SHAPES, COLOURS = 4, 4
"""A group's shape changes first, then its colour: sixteen groups look different, and every four without colours."""
_EDGE = 16.0
_LARGEST, _SMALLEST = 12.0, 3.5
_MOST_LABELS = {"wide": 24, "narrow": 10}
_LABEL_EMS = 14.0


def draw(drawn: Graph, *, title_id: str) -> Html:
    """A network as `<svg>` 网络图."""
    most = max((node.area for node in drawn.nodes), default=0.0) or 1.0
    at = [(_across(node.x), _down(node.y), _radius(node.area, most)) for node in drawn.nodes]
    lines = [
        element(
            "path",
            d=f"M{num(at[a][0])} {num(at[a][1])}L{num(at[b][0])} {num(at[b][1])}",
            class_="edge",
            stroke_width=num(0.6 + 2.4 * strength),
        )
        for a, b, strength in drawn.edges
    ]
    order = sorted(range(len(at)), key=lambda index: -at[index][2])
    marks = [_node(drawn.nodes[index], *at[index]) for index in order]
    linked = any(node.anchor for node in drawn.nodes)
    return element(
        "svg",
        element("g", *lines),
        element("g", *marks),
        _names(drawn, at, order),
        class_="network",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="group" if linked else "img",
        aria_labelledby=title_id or None,
    )


def legend(drawn: Graph) -> Html:
    """What areas, lines and shapes stand for."""
    told = [element("span", both(Text("面积：强度；线：关联", "Area: strength; lines: links")))]
    for group, name in enumerate(drawn.groups[: SHAPES * COLOURS]):
        shape = element("path", d=_shape(group, 7, 7, 5), class_=_look(group))
        swatch = element(
            "svg", shape, width="14", height="14", viewBox="0 0 14 14", class_="swatch", aria_hidden="true"
        )
        told.append(element("span", swatch, " ", both(name)))
    if any(node.group < 0 for node in drawn.nodes):
        ring = element("circle", cx="7", cy="7", r="5", class_="key")
        swatch = element("svg", ring, width="14", height="14", viewBox="0 0 14 14", class_="swatch", aria_hidden="true")
        told.append(element("span", swatch, " ", both(Text("不属任何组", "in no group"))))
    return element("p", *told, class_="legend")


def _across(x: float) -> float:
    return _EDGE + (WIDTH - 2 * _EDGE) * min(1.0, max(0.0, x))


def _down(y: float) -> float:
    return _EDGE + (HEIGHT - 2 * _EDGE) * min(1.0, max(0.0, y))


def _radius(area: float, most: float) -> float:
    return max(_SMALLEST, _LARGEST * math.sqrt(max(area, 0.0) / most))


def _look(group: int) -> str:
    return "none" if group < 0 else f"n{group // SHAPES % COLOURS}" if group < SHAPES * COLOURS else "n0"


def _shape(group: int, x: float, y: float, r: float) -> str:
    """The outline of a mark: circle, square, diamond or triangle by group."""
    if group < 0 or group % SHAPES == 0:
        return f"M{num(x - r)} {num(y)}a{num(r)} {num(r)} 0 1 0 {num(2 * r)} 0a{num(r)} {num(r)} 0 1 0 {num(-2 * r)} 0z"
    if group % SHAPES == 1:
        s = 0.89 * r
        return f"M{num(x - s)} {num(y - s)}h{num(2 * s)}v{num(2 * s)}h{num(-2 * s)}z"
    if group % SHAPES == 2:
        s = 1.25 * r
        return f"M{num(x)} {num(y - s)}l{num(s)} {num(s)} {num(-s)} {num(s)} {num(-s)} {num(-s)}z"
    return f"M{num(x)} {num(y - 1.3 * r)}l{num(1.2 * r)} {num(2.1 * r)}h{num(-2.4 * r)}z"


def _node(node: GraphNode, x: float, y: float, r: float) -> Html:
    full = f"{flat(node.label)} · {flat(node.detail)}"
    mark = element("path", element("title", full), d=_shape(node.group, x, y, r), class_=f"b {_look(node.group)}")
    return element("a", mark, href=voice().href(node.anchor), aria_label=full) if node.anchor else mark


def _names(drawn: Graph, at: list[tuple[float, float, float]], order: list[int]) -> Html:
    """Names of the largest nodes, where they have room."""
    bounds, disks = Box(0, 0, WIDTH, HEIGHT), labels.Disks(at)
    sets = []
    for size in SIZES:
        em, most = font(size, WIDTH), _MOST_LABELS[size]
        texts = []
        for language in voice().languages:
            named = [
                Mark(*at[index], labels.shorten(drawn.nodes[index].label.get(language), _LABEL_EMS))
                for index in order[: 2 * most]
            ]
            for label in labels.place(named, font=em, bounds=bounds, limit=most, avoid=disks):
                anchor = None if label.anchor == "start" else label.anchor
                told = Text(label.text, label.text)
                texts.append(words(told, label.x, label.y, language=language, text_anchor=anchor))
        sets.append(sized(size, WIDTH, *texts))
    return element("g", *sets, class_="names", aria_hidden="true")
