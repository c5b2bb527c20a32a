"""Maps: areas that may be compared, shapes that stay whole, labels that can be read."""

from __future__ import annotations

import math
import random
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import bubbles, read

from jiqun.core.document import Bubble, Legend, Map, Shape, Text
from jiqun.report import basemap, maps
from jiqun.report.labels import Box, Disks, Mark, columns, place, shorten
from jiqun.report.projection import Region
from jiqun.report.svg import dots, num, path

NAME = Text("甲", "A")
STEP = re.compile(r"-?\d*\.\d+|-?\d+|[A-Za-z]")


def outline(d: str) -> list[list[tuple[float, float]]]:
    """Absolute points of the subpaths that `svg.path` writes."""
    out: list[list[tuple[float, float]]] = []
    tokens = STEP.findall(d)
    at, absolute = 0, True
    while at < len(tokens):
        match tokens[at]:
            case "M":
                out.append([])
                absolute = True
                at += 1
            case "l":
                absolute = False
                at += 1
            case "z":
                at += 1
            case _:
                x, y = float(tokens[at]), float(tokens[at + 1])
                out[-1].append((x, y) if absolute else (out[-1][-1][0] + x, out[-1][-1][1] + y))
                at += 2
    return out


@given(st.lists(st.tuples(st.floats(-50, 1000), st.floats(-50, 500)), min_size=3, max_size=40))
def test_paths_do_not_drift(points):
    x, y = np.array(points).T
    d = path(x, y, closed=False)
    rounded = [(round(a, 1), round(b, 1)) for a, b in zip(x, y, strict=True)]
    expected = [point for i, point in enumerate(rounded) if i == 0 or point != rounded[i - 1]]
    if len(expected) < 2:
        assert d == ""
    else:
        (drawn,) = outline(d)
        np.testing.assert_allclose(drawn, expected, atol=0.1001)
        np.testing.assert_allclose(drawn[-1], expected[-1], atol=0.1001)


@given(st.floats(-1e4, 1e4))
def test_numbers_are_short_and_near(value):
    assert float(num(value)) == pytest.approx(value, abs=0.0501)
    assert re.fullmatch(r"-?(\d+|\d*\.\d)", num(value))


def test_circle_areas_are_proportional_to_values():
    drawn = read(maps.draw(Map(bubbles(anchors=False)), title_id="t"))
    radii = {circle.words(): float(circle.attributes["r"]) for circle in drawn.of_class("b")}
    areas = {f"{b.label.zh} {b.detail.zh} · {b.label.en} {b.detail.en}": b.area for b in bubbles()}
    assert radii.keys() == areas.keys()
    largest = max(areas.values())
    for name, r in radii.items():
        assert r == pytest.approx(max(radii.values()) * math.sqrt(areas[name] / largest), abs=0.06)


def test_circles_of_the_key_have_the_same_scale_as_the_map():
    told = Map(bubbles(), legend=Legend(area=Text("企业数", "firms")))
    drawn = read(maps.draw(told, title_id="t"))
    unit = {
        float(c.attributes["r"]) ** 2 / b.area
        for c, b in zip(drawn.of_class("b"), bubbles(), strict=True)
        if b.area > 400
    }
    (wide,) = [group for group in drawn.of_class("wide") if group.of_class("key")]
    values = [float(text.words().replace(",", "")) for text in wide.all("text")]
    assert len(values) == 3
    for circle, value in zip(wide.of_class("key"), values, strict=True):
        r = float(circle.attributes["r"])
        assert min(unit) * value == pytest.approx(r**2, abs=0.2 * r + 0.01)


def test_the_largest_lies_at_the_bottom_and_every_circle_has_its_name_and_link():
    shuffled = list(bubbles())
    random.Random(1).shuffle(shuffled)
    drawn = read(maps.draw(Map(tuple(shuffled)), title_id="t"))
    radii = [float(circle.attributes["r"]) for circle in drawn.of_class("b")]
    assert radii == sorted(radii, reverse=True)
    links = list(drawn.all("a"))
    assert {link.attributes["href"] for link in links} == {f"#{b.anchor}" for b in bubbles()}
    assert all("圣" in (title := next(link.all("title")).words()) or "·" in title for link in links)
    assert drawn.attributes["role"] == "group"
    assert drawn.attributes["aria-labelledby"] == "t"


def test_strength_has_a_shade_per_step_and_a_worded_scale():
    assert [maps.shade_step(s) for s in (-1, 0, 0.19, 0.2, 0.5, 0.99, 1, 7, math.nan)] == [0, 0, 0, 1, 2, 4, 4, 4, 0]
    ticks = ((0.0, Text("×1", "×1")), (0.4, Text("五倍", "×5")), (1.0, Text("×60", "×60")))
    told = read(maps.legend(Map(bubbles(), legend=Legend(shade=Text("倍数", "ratio"), ticks=ticks))))
    (scale,) = [span for span in told.children if span.of_class("swatch")]
    order = [each.attributes.get("class") or each.words() for each in scale.all() if each.tag in {"rect", "span"}]
    assert [each for each in order if each.startswith("s") and each[1:].isdigit()] == ["s0", "s1", "s2", "s3", "s4"]
    assert order.index("s1") < order.index("×5") < order.index("s2")
    assert scale.words("en").endswith("×60")


def test_what_cannot_be_drawn_is_counted():
    odd = (
        Bubble(0, 89.5, 5, 0, NAME, NAME),
        Bubble(0, 0, math.nan, 0, NAME, NAME),
        Bubble(math.nan, 0, 5, 0, NAME, NAME),
        Bubble(0, 0, 0, 0, NAME, NAME),
    )
    told = Map(bubbles() + odd)
    assert len(read(maps.draw(told, title_id="t")).of_class("b")) == len(bubbles())
    assert "4 more not on the map" in maps.legend(told)


def test_no_outline_crosses_the_world():
    """Steps of 4° are at most 11 units; Chukotka, Fiji or Greenland drawn across the map would be hundreds."""
    (land_path,) = [path for path in read(basemap.land_symbol()).all("path") if path.attributes.get("id") == "jq-land"]
    for points in outline(land_path.attributes["d"]):
        closed = np.array([*points, points[0]])
        assert np.hypot(*np.diff(closed, axis=0).T).max() < 25


@pytest.mark.parametrize(
    "ring",
    [
        ((-40.0, 0.0), (-20.0, 0.0), (-20.0, 20.0), (-40.0, 20.0)),
        ((-40.0, 0.0), (340.0, 0.0), (340.0, 20.0), (-40.0, 20.0)),
    ],
)
def test_a_shape_over_the_cut_is_drawn_on_both_sides(ring):
    drawn = read(maps.draw(Map(shapes=(Shape((ring,), NAME),)), title_id="t"))
    (hull,) = drawn.of_class("hull")
    parts = outline(hull.attributes["d"])
    assert len(parts) == 2
    for points in parts:
        x = np.array(points)[:, 0]
        assert np.ptp(x) < 60
    assert sorted(np.mean(np.array(points)[:, 0]) > 480 for points in parts) == [False, True]


def test_a_shape_over_the_antimeridian_stays_whole():
    ring = ((177.0, -18.5), (-179.5, -18.5), (-179.5, -16.5), (177.0, -16.5))
    for extent in (None, (176.5, -19.5, -178.5, -15.5)):
        (hull,) = read(maps.draw(Map(shapes=(Shape((ring,), NAME),), extent=extent), title_id="t")).of_class("hull")
        (points,) = outline(hull.attributes["d"])
        assert len(points) == 4


@pytest.mark.parametrize("ring", [(), ((1.0, 1.0),), ((1.0, 1.0), (2.0, 2.0)), ((1.0, 1.0), (2.0, 2.0), (3.0, 3.0))])
def test_a_degenerate_shape_is_no_shape(ring):
    assert not read(maps.draw(Map(shapes=(Shape((ring,), NAME),)), title_id="t")).of_class("hull")


def test_points_that_fall_together_become_one_dot_of_their_area():
    x = np.array([10.0] * 64 + [20.0] * 4 + [30.0, 30.1, 40.0])
    (d1, n1, _), (d4, n4, _), (d64, n64, _) = dots(x, np.zeros(len(x)))
    assert (n1, n4, n64) == (2, 1, 1)
    assert (d4 / d1) ** 2 == pytest.approx(4)
    assert (d64 / d1) ** 2 == pytest.approx(64)


def test_a_narrow_view_draws_no_coast_and_says_how_true_it_is():
    near = Map(extent=(114.0, 22.4, 114.1, 22.5))
    wide = Map(extent=(113.5, 22.0, 114.6, 23.0))
    assert not read(maps.draw(near, title_id="t")).of_class("water")
    assert read(maps.draw(wide, title_id="t")).of_class("water")
    assert "some kilometres" in maps.legend(wide)
    assert maps.legend(near) == ""


@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(0.001, 40))
def test_a_scale_bar_is_round_and_as_long_as_it_says(lon, lat, size):
    view = Region.around((lon, lat, lon + size, lat + min(size, 5)))
    bar = basemap.scale_bar(view)
    length = float(re.search(r"h([\d.]+)v", bar).group(1))  # type: ignore[union-attr]
    said = float(re.search(r">([\d.,]+) k?m<", bar).group(1).replace(",", ""))  # type: ignore[union-attr]
    km = said if " km<" in bar else said / 1000
    assert km * view.km == pytest.approx(length, abs=0.06)
    assert 0.06 * view.width < length <= 0.2 * view.width + 0.06


def test_a_map_of_130_bubbles_stays_small():
    rng = random.Random(5)
    many = tuple(
        Bubble(rng.uniform(-180, 180), rng.uniform(-50, 70), rng.uniform(10, 1400), rng.random(), Text(f"地方{i}", f"Place {i}"),
               Text(f"{i} 家企业，期望的 12 倍", f"{i} firms, 12 times the expectation"), f"c{i}")
        for i in range(130)
    )  # fmt: skip
    drawn = maps.draw(Map(many), title_id="t") + basemap.land_symbol()
    assert len(drawn.encode()) <= 150_000


@given(
    st.lists(
        st.builds(
            Mark,
            st.floats(0, 960),
            st.floats(0, 460),
            st.floats(0, 30),
            st.text(st.characters(categories=["Lu", "Ll", "Lo"]), min_size=1, max_size=12),
        ),
        max_size=30,
    ),
    st.floats(8, 34),
)
def test_labels_never_overlap_and_stay_inside(marks, font):
    bounds, taken = Box(0, 0, 960, 460), Box(100, 390, 420, 460)
    disks = Disks([(mark.x, mark.y, mark.r) for mark in marks])
    labels = place(marks, font=font, bounds=bounds, limit=12, avoid=disks, taken=[taken])
    assert len(labels) <= 12
    for label in labels:
        assert bounds.holds(label.box)
        assert label.box.overlap(taken) == 0
        assert label.box.right - label.box.left == pytest.approx(columns(label.text) * font)
    assert all(a.box.overlap(b.box) == 0 for a, b in combinations(labels, 2))


def test_a_lone_mark_always_gets_its_label():
    (label,) = place(
        [Mark(955, 230, 10, "奥克兰 Auckland")], font=12, bounds=Box(0, 0, 960, 460), limit=5, avoid=Disks([])
    )
    assert label.anchor == "end"


@given(st.text(max_size=200), st.floats(2, 30))
def test_shortened_text_fits(text, ems):
    short = shorten(text, ems)
    assert columns(short) <= ems or short == "…"
    assert short == text or short.endswith("…")
