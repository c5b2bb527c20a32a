"""What a room says, before anyone decides how it looks: documents, figures, tables.

Rooms build a `Document`; `jiqun.report` turns it into a page, a file or a fragment. Every text is
bilingual, every figure carries the table it draws, every table says where its rows come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import Language
from jiqun.core.lineage import Lineage


@dataclass(frozen=True)
class Text:
    """One text in both languages 双语文本.

    Examples
    --------
    >>> Text("集群", "cluster").get("en")
    'cluster'
    """

    zh: str
    en: str

    def get(self, language: Language) -> str:
        """The text in one language."""
        return self.zh if language == "zh" else self.en


Cell = str | int | float | bool | Text | None
"""A table cell; None is shown as “—” (not available), never as 0."""

Kind = Literal["text", "code", "integer", "number", "ratio", "share", "probability"]
"""How a column is written: `ratio` as ×12, `share` as 45 %, `probability` in three digits."""


@dataclass(frozen=True)
class Column:
    """One column of a table; `key` names it in CSV and JSON."""

    key: str
    title: Text
    kind: Kind = "text"
    digits: int = 1


@dataclass(frozen=True)
class Table:
    """Rows under a bilingual heading. `links[i]`, where given, is the anchor row i points to."""

    id: str
    title: Text
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    source: Text
    as_of: str = ""
    note: Text | None = None
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bubble:
    """One place on a map: `area` drives the circle's area, `shade` (0 to 1) its strength."""

    lon: float
    lat: float
    area: float
    shade: float
    label: Text
    detail: Text
    anchor: str = ""


@dataclass(frozen=True)
class Shape:
    """An outline on a map: rings of (lon, lat) in degrees."""

    rings: tuple[tuple[tuple[float, float], ...], ...]
    label: Text


@dataclass(frozen=True)
class Legend:
    """How to read a map: what a circle's area, its shade and a dot stand for.

    `ticks` words values of `shade` along the scale, from (0.0, …) to (1.0, …).
    """

    area: Text | None = None
    shade: Text | None = None
    ticks: tuple[tuple[float, Text], ...] = ()
    point: Text | None = None


@dataclass(frozen=True, eq=False)
class Division:
    """One division of a national base map 行政区; `at` is where its name stands.

    Rings of its polygons, the outer ring first, and points of islands too small for an outline: all n × 2 (lon, lat).
    """

    code: str
    at: tuple[float, float]
    polygons: tuple[tuple[Floats, ...], ...]
    islets: Floats


@dataclass(frozen=True, eq=False)
class BaseMap:
    """A national map to draw on 底图, whom to credit, and its approval number (审图号) where it has one.

    `dashes` are the lines of the South China Sea, `undefined` the parts of the outline that are not settled.
    """

    divisions: tuple[Division, ...]
    dashes: tuple[Floats, ...]
    undefined: tuple[Floats, ...]
    credit: Text
    approval: str = ""


@dataclass(frozen=True)
class Area:
    """One division with its value on a choropleth map; None is “no data”, never 0."""

    code: str
    value: float | None
    label: Text
    detail: Text
    anchor: str = ""


@dataclass(frozen=True)
class Choropleth:
    """Divisions of the base map shaded by class 分级设色图: class i holds values from `breaks[i]` to below `breaks[i + 1]`.

    A value of 0 has a class of its own where the first break is above it; a division without an area has no data.
    """

    areas: tuple[Area, ...]
    breaks: tuple[float, ...]
    measure: Text
    kind: Kind = "number"
    digits: int = 1


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts of points in the cells of a grid over the drawing 网格计数.

    `x` and `y` are the cells' centres and `width` is a cell's width, in the drawing's units (`jiqun.report.bins`);
    `breaks` are the lowest counts of the classes.
    """

    x: Floats
    y: Floats
    counts: Integers
    width: float
    breaks: tuple[int, ...]


@dataclass(frozen=True)
class Map:
    """Bubbles, outlines, points, cells or shaded divisions on a base.

    `points` are (lon, lat) of places too many to name; those that fall together become one larger dot.
    `extent` is (west, south, east, north) in degrees, west > east across the antimeridian; None is all of `base`: the
    world, or China with the South China Sea. A part of the world shows coastlines, a part of China its provinces too.
    `official` is drawn instead of the base map that the package ships.
    """

    bubbles: tuple[Bubble, ...] = ()
    shapes: tuple[Shape, ...] = ()
    extent: tuple[float, float, float, float] | None = None
    points: Sequence[tuple[float, float]] = ()
    legend: Legend | None = None
    base: Literal["world", "china"] = "world"
    areas: Choropleth | None = None
    cells: Cells | None = None
    official: BaseMap | None = None


@dataclass(frozen=True)
class Bar:
    """One bar: `low` and `high`, where known, draw its interval."""

    label: Text
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from a zero line; `reference` draws a vertical line, named “as expected” or the like."""

    bars: tuple[Bar, ...]
    unit: Text
    reference: float | None = None
    reference_name: Text | None = None
    kind: Kind = "number"
    digits: int = 1


@dataclass(frozen=True)
class Curve:
    """A value along x with the band that chance allows: four equally long columns; None is “not known there”."""

    label: Text
    x: tuple[float, ...]
    value: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    band: Text


@dataclass(frozen=True)
class Curves:
    """One curve over a numeric axis from zero 曲线图, its band shaded; `reference` draws a horizontal line."""

    curve: Curve
    x_name: Text
    unit: Text
    reference: float | None = None
    reference_name: Text | None = None
    digits: int = 1


@dataclass(frozen=True)
class LayerBox:
    """One box of a layered drawing: its layer from the left, two lines of words, and how strong what it stands for is.

    `sign` says the same as `look`, for who sees no colours; `anchor` is where it leads.
    """

    id: str
    layer: int
    label: Text
    detail: Text
    look: Literal["strong", "present", "weak", "missing", "unknown"]
    sign: str
    anchor: str = ""


@dataclass(frozen=True)
class LayerFlow:
    """An arrow from one box to another, and what flows."""

    start: str
    end: str
    label: Text


@dataclass(frozen=True)
class Layers:
    """Boxes in layers from left to right with arrows between them 分层图; `bands` name layers, from and to."""

    boxes: tuple[LayerBox, ...]
    flows: tuple[LayerFlow, ...]
    bands: tuple[tuple[Text, int, int], ...] = ()
    signs: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True)
class GraphNode:
    """One node of a network: where it stands (0 to 1 across and down), its area, and the group it is of (−1: none)."""

    x: float
    y: float
    area: float
    group: int
    label: Text
    detail: Text
    anchor: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes and the links between them 网络图: `edges` as (node, node, strength from 0 to 1); `groups` name groups."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[int, int, float], ...]
    groups: tuple[Text, ...] = ()


Mark = Map | Bars | Curves | Layers | Graph
"""What a figure may draw; `jiqun.report.drawing` knows how."""


@dataclass(frozen=True)
class Figure:
    """A picture whose title is its finding, with the measure and unit below and its table twin."""

    id: str
    title: Text
    subtitle: Text
    mark: Mark
    table: Table


@dataclass(frozen=True)
class Paragraph:
    """Running text. `tone` marks what the reader must not overlook."""

    text: Text
    tone: Literal["plain", "lead", "caution"] = "plain"


@dataclass(frozen=True)
class KeyFigure:
    """One number that matters: value already worded, what it is, and what varies or since when; `anchor` explains it."""

    value: Text
    name: Text
    note: Text | None = None
    anchor: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """A row of key figures."""

    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Section:
    """A heading that is a finding, and what stands under it."""

    id: str
    title: Text
    blocks: tuple[Block, ...]


Block = Paragraph | KeyFigures | Figure | Table | Section


@dataclass(frozen=True)
class Document:
    """Everything one report says, and where it comes from."""

    title: Text
    subtitle: Text
    blocks: tuple[Block, ...]
    lineage: Lineage
    attributions: tuple[Text, ...] = field(default=())
