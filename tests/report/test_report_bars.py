"""Bars: lengths from zero, intervals and reference on the same scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import Element, read

from jiqun.core.document import Bar, Bars, Text
from jiqun.report import bars

NAME = Text("甲", "A")
UNIT = Text("倍", "times")
values = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-3)


def percent(element: Element, name: str) -> float:
    return float(element.attributes[name].removesuffix("%"))


@given(st.lists(values, min_size=1, max_size=8))
def test_lengths_are_proportional_and_start_at_zero(numbers):
    drawn = Bars(tuple(Bar(NAME, number) for number in numbers), UNIT)
    scale = bars.axis(drawn)
    picture = read(bars.draw(drawn, title_id="t"))
    per_unit = abs(scale(scale.high) - scale(scale.low)) / ((scale.high - scale.low) or 1)
    for rect, number in zip(picture.of_class("bar"), numbers, strict=True):
        assert percent(rect, "width") == pytest.approx(abs(number) * per_unit, abs=0.011)
        near = percent(rect, "x") + (percent(rect, "width") if number < 0 else 0)
        assert near == pytest.approx(scale(0.0), abs=0.021)
        assert 0 <= percent(rect, "x") <= 100
    assert len(picture.of_class("zero")) == len(numbers)


def test_interval_and_reference_stand_where_their_values_are():
    drawn = Bars((Bar(NAME, 5.0, 4.0, 8.0), Bar(NAME, 2.0)), UNIT, 1.0, Text("整体水平", "overall"), "ratio")
    scale = bars.axis(drawn)
    picture = read(bars.draw(drawn, title_id="t"))
    line, low, high = picture.of_class("interval")
    assert [percent(line, "x1"), percent(line, "x2")] == pytest.approx([scale(4.0), scale(8.0)], abs=0.01)
    assert [percent(low, "x1"), percent(high, "x1")] == pytest.approx([scale(4.0), scale(8.0)], abs=0.01)
    references = picture.of_class("reference")
    assert len(references) == 1 + len(drawn.bars)
    assert all(percent(line, "x1") == pytest.approx(scale(1.0), abs=0.01) for line in references)
    labels = [float(text.attributes["y"]) for text in picture.all("text") if text.words() in {NAME.zh, NAME.en}]
    assert labels
    for line in references:
        above, below = float(line.attributes["y1"]), float(line.attributes["y2"])
        assert not any(above < baseline and below > baseline - 11 for baseline in labels)
    assert scale(8.0) == pytest.approx(8 * scale(1.0))
    assert "overall ×1.0" in picture.words("zh-Hans")
    assert "整体水平 ×1.0" in picture.words("en")
    assert [value.words() for value in picture.of_class("value")] == ["×5.0", "×2.0"]


@pytest.mark.parametrize("numbers", [(), (0.0,), (-3.0, -1.0)])
def test_odd_sets_of_bars_are_drawn(numbers):
    picture = read(bars.draw(Bars(tuple(Bar(NAME, number) for number in numbers), UNIT), title_id="t"))
    assert len(picture.of_class("bar")) == len(numbers)
    assert all(percent(value, "x") >= 15 for value in picture.of_class("value") if min(numbers) < 0)
