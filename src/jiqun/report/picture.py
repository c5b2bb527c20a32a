"""A drawing as a file of its own 独立图: one language, light colours, for wide paper, its style within."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jiqun.core.document import Mark
from jiqun.report import basemap, drawing
from jiqun.report.markup import Html, element

BAR_WIDTH = 720.0
"""Bars are as wide as the room they are given; this is the room."""

_ABOVE_BARS = 4.0
_BOX = re.compile(r'<svg [^>]*?viewBox="0 0 (\S+) (\S+)"')
_HEIGHT = re.compile(r'<svg [^>]*?height="(\S+)"')


@dataclass(frozen=True)
class Picture:
    """An SVG file and its size in its own units."""

    svg: str
    width: float
    height: float


def picture(mark: Mark, *, font: str = "sans-serif") -> Picture:
    """A mark in the language of the voice, as a file that needs no other."""
    drawn = drawing.draw(mark, title_id="")
    box = _BOX.match(drawn)
    if box:
        width, height = map(float, box.groups())
        return alone(drawn, width, height, font=font)
    found = _HEIGHT.match(drawn)
    return alone(drawn, BAR_WIDTH, float(found[1]) if found else 0.0, font=font, above=_ABOVE_BARS)


def alone(drawn: str, width: float, height: float, *, font: str = "sans-serif", above: float = 0.0) -> Picture:
    """A drawing that stood in a page; `above` is room that it takes over its upper edge."""
    root = element(
        "svg",
        element("style", _style()),
        _definitions(land="#jq-land" in drawn),
        Html(drawn),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 {-above:g} {width:g} {height + above:g}",
        width=f"{width:g}",
        height=f"{height + above:g}",
        font_family=font,
        font_size="14",
    )
    return Picture(root, width, height + above)


@cache
def _definitions(*, land: bool) -> Html:
    """What drawings of a page share; the outline of the world, which is long, only where it is used."""
    found = re.search(r"<defs>.*</defs>", basemap.land_symbol(), re.DOTALL)
    shared = found[0] if found else ""
    return Html(shared if land else re.sub(r'<path id="jq-land".*?</path>', "", shared))


@cache
def _style() -> Html:
    """The drawings' rules for light paper, with the values of their variables in place: few readers know variables."""
    rules = files("jiqun.report").joinpath("assets", "marks.css").read_text(encoding="utf-8")
    light, _, rest = rules.partition("@media screen and (prefers-color-scheme: dark)")
    values = dict(re.findall(r"--([\w-]+): ([^;]+);", light))
    plain = re.sub(r"@media [^{]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", f"@media dark{rest}")
    return Html(re.sub(r"var\(--([\w-]+)\)", lambda found: values[found[1]], plain).strip())
