"""What draws which mark 绘图: a kind of mark has a module with `draw` and `legend`; a new kind adds a line here."""

from __future__ import annotations

from types import ModuleType

from jiqun.core.document import Bars, Curves, Graph, Layers, Map, Mark
from jiqun.report import bars, curves, layers, maps, networks
from jiqun.report.markup import Html

_MODULES: dict[type[Mark], ModuleType] = {Map: maps, Bars: bars, Curves: curves, Layers: layers, Graph: networks}


def draw(mark: Mark, *, title_id: str) -> Html:
    """A mark as `<svg>` in the languages of the voice, named by the element `title_id`."""
    drawn: Html = _MODULES[type(mark)].draw(mark, title_id=title_id)
    return drawn


def legend(mark: Mark) -> Html:
    """How to read a mark."""
    told: Html = _MODULES[type(mark)].legend(mark)
    return told


def listed(mark: Mark) -> Html:
    """What a page shows in place of a drawing that is too wide for phones; nothing where it shrinks with the screen."""
    return layers.listed(mark) if isinstance(mark, Layers) else Html("")
