"""Curves: where the line, its band and the reference are drawn, gaps left open, and the same drawing in a file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from jiqun.core.document import Curve, Curves, Text
from jiqun.report import curves
from jiqun.report.curves import HEIGHT, WIDTH, ticks
from jiqun.report.drawing import draw, legend
from jiqun.report.picture import picture

BOTH = Text("甲", "A")


def mark(value, low, high, reference=1.0, label=BOTH):
    x = tuple(float(10 * k) for k in range(len(value)))
    return Curves(Curve(label, x, value, low, high, Text("带", "band")), Text("千米", "km"), BOTH, reference, BOTH)


def paths(drawn, kind):
    root = ET.fromstring(drawn)  # noqa: S314  # our own drawing
    return [node.get("d") for node in root.iter() if node.tag.endswith("path") and node.get("class") == kind]


def points(d):
    """Absolute points of a path of relative steps."""
    numbers = list(map(float, re.findall(r"-?\d*\.?\d+", d)))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    out = [pairs[0]]
    for dx, dy in pairs[1:]:
        out.append((out[-1][0] + dx, out[-1][1] + dy))
    return out


def test_the_line_goes_through_its_values():
    drawn = draw(mark((0.0, 2.0, 4.0), (0.5, 0.5, 0.5), (1.5, 1.5, 1.5)), title_id="t")
    (line,) = paths(drawn, "curve")
    (x0, y0), (x1, y1), (x2, y2) = points(line)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert 0 <= min(x0, y2) < max(x2, y0) <= max(WIDTH, HEIGHT)
    (band,) = paths(drawn, "band")
    top, bottom = points(band)[0][1], points(band)[-1][1]
    assert y0 > bottom > top > y2


def test_what_is_not_known_is_left_open():
    drawn = draw(mark((1.0, 2.0, None, 3.0, 4.0, None, 5.0), (None,) * 7, (None,) * 7), title_id="t")
    assert len(paths(drawn, "curve")) == 2  # a single known point has no line
    assert paths(drawn, "band") == []


@pytest.mark.parametrize("value", [(0.0, 0.0), (None, None), (-1.0, -2.0), (1e-9, 2e-9)])
def test_degenerate_values_are_drawn(value):
    drawn = draw(mark(value, value, value, None), title_id="t")
    assert "nan" not in drawn.lower()
    assert "inf" not in drawn.lower()
    assert ET.fromstring(drawn) is not None  # noqa: S314  # our own drawing


def test_labels_are_escaped_and_the_legend_says_what_is_what():
    told = legend(mark((1.0, 2.0), (0.0, 0.0), (1.0, 1.0), label=Text("<b>", "<script>")))
    assert "<script>" not in told
    assert "&lt;script&gt;" in told


def test_a_file_of_its_own_has_the_drawing_and_its_size():
    one = picture(mark((1.0, 2.0), (0.0, 0.0), (1.0, 1.0)))
    assert (one.width, one.height) == (WIDTH, HEIGHT)
    assert 'class="curve"' in one.svg
    assert "var(--" not in one.svg


def test_ticks_are_round_and_few():
    for low, high in ((0.0, 0.013), (0.0, 1e6), (-3.0, 7.0)):
        for most in (3, 5, 8):
            found = ticks(low, high, most)
            assert len(found) <= most + 1
            assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    assert curves.ticks(0.0, 10.0, 5) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
