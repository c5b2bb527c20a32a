"""Shaded divisions: classes, no data, links, names, legend."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from report_samples import HOSTILE, read

from jiqun.core.document import Area, Choropleth, Map, Text
from jiqun.report import china, choropleth, maps
from jiqun.report.picture import picture
from jiqun.report.voice import Voice, speaking

CODES = [division.code for division in china.builtin().divisions]


def shaded(values, **more):
    areas = tuple(
        Area(code, value, Text(f"省{i}", f"P{i}"), Text(f"{value} 家", f"{value} firms"), f"regions/{code}")
        for i, (code, value) in enumerate(zip(CODES, values, strict=False))
    )
    known = [value for value in values if value is not None]
    drawn = Choropleth(areas, choropleth.quantile_breaks(known), Text("企业数", "Firms"), "integer")
    return Map(base="china", areas=drawn, **more)


def test_no_data_zero_and_classes_never_look_alike():
    told = shaded([None, 0.0, *map(float, range(1, 31))])
    drawn = read(maps.draw(told, title_id="t"))
    links = list(drawn.all("a"))
    assert len(links) == 32
    shades = {link.attributes["href"]: link.of_class("division")[0].attributes["class"].split()[1] for link in links}
    assert shades[f"#regions/{CODES[0]}"] == "none"
    assert shades[f"#regions/{CODES[1]}"] == "zero"
    assert set(shades.values()) == {"none", "zero", "s0", "s1", "s2", "s3", "s4"}
    # the two divisions that nothing is said of have no data either
    assert len([path for path in drawn.of_class("none") if path.tag == "path"]) >= 3
    words = read(maps.legend(told)).words("en")
    assert "无数据" in words
    assert "25–30" in words


def test_a_division_is_a_link_with_a_title_and_a_class_that_grows_with_its_value():
    told = shaded([float(i) for i in range(1, 35)])
    drawn = read(maps.draw(told, title_id="t"))
    assert drawn.attributes["role"] == "group"
    order = []
    for link in drawn.all("a"):
        title = next(link.all("title")).words()
        order.append((int(title.split("firms")[0].rsplit(" ", 2)[-2].split(".")[0]), link.of_class("division")[0]))
    steps = [int(mark.attributes["class"].split("s")[-1]) for _, mark in sorted(order, key=lambda one: one[0])]
    assert steps == sorted(steps)


def test_small_divisions_have_a_disc():
    drawn = read(maps.draw(shaded([1.0] * 34), title_id="t"))
    discs = [mark for mark in drawn.of_class("division") if mark.tag == "circle"]
    assert 2 <= len(discs) <= 4  # 香港, 澳门


def test_names_stand_inside_their_divisions():
    with speaking(Voice(("zh",))):
        told = shaded([1.0] * 34)
        (group,) = [
            g
            for g in read(maps.draw(told, title_id="t")).of_class("names")
            if g.of_class("wide") and "divisions" in g.attributes["class"]
        ]
    base = china.drawn(china.builtin(), china.MAIN)
    (wide,) = group.of_class("wide")
    placed = list(wide.all("text"))
    assert len(placed) >= 20
    for text in placed:
        code = CODES[int(text.words()[1:])]
        point = shapely.Point(float(text.attributes["x"]), float(text.attributes["y"]) - 4)
        assert base.shapes[code].distance(point) < 1


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9), st.just(math.nan)), max_size=34))
def test_any_values_can_be_drawn(values):
    told = shaded(values)
    read(maps.draw(told, title_id="t"))
    read(maps.legend(told))


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=60))
def test_quantile_classes_are_even(values):
    found = choropleth.quantile_breaks(values)
    assert found[0] == min(values)
    assert len(found) <= 5
    if len(set(values)) == len(values) >= 5:
        drawn = Choropleth((), found, Text("", ""))
        sizes = [sum(choropleth.class_of(drawn, v) == f"s{i}" for v in values) for i in range(5)]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(name):
    area = Area("110000", 1.0, Text(name, name), Text(name, name), "r")
    told = Map(base="china", areas=Choropleth((area,), (1.0,), Text(name, name)))
    drawn = maps.draw(told, title_id="t") + maps.legend(told)
    assert "<script" not in drawn
    assert "onerror=alert" not in drawn.replace("&quot;", "").split("<title")[0]
    read(maps.draw(told, title_id="t"))


def test_a_picture_of_its_own_brings_the_hatching():
    with speaking(Voice(("zh",))):
        alone = picture(shaded([None, 1.0]))
    assert 'id="jq-no-data"' in alone.svg
    assert "var(" not in alone.svg
