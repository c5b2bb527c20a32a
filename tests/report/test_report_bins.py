"""Cells: no firm is lost or counted twice, each lies in its nearest cell, and a million of them stay light."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import read

from jiqun.core.document import Map
from jiqun.report import maps
from jiqun.report.bins import breaks, grid
from jiqun.report.projection import World

MOST_SENT = 150_000
POINT = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


@given(st.lists(POINT, min_size=1, max_size=60), st.sampled_from(["world", "china", "part"]))
def test_each_point_that_is_shown_is_counted_once_in_the_nearest_cell(points, where):
    told = {"world": Map(), "china": Map(base="china"), "part": Map(extent=(100.0, 20.0, 120.0, 35.0))}[where]
    lon, lat = np.array(points).T
    panels = maps.panels(told)
    on = grid(lon, lat, panels)
    seen = np.zeros(len(lon), dtype=bool)
    for panel in panels:
        turned = panel.west + (lon - panel.west) % 360
        here = panel.shows(turned, lat) & ~seen
        seen |= here
        x, y = panel(turned[here], lat[here])
        away = np.hypot(x - on.x[on.of[here]], y - on.y[on.of[here]])
        assert (away <= on.width / math.sqrt(3) + 1e-9).all()
    assert ((on.of >= 0) == seen).all()
    cells = on.count()
    assert cells.counts.sum() == seen.sum()
    assert (cells.counts > 0).all()
    chosen = lat > 0
    assert on.count(chosen).counts.sum() == (seen & chosen).sum()


def test_no_two_cells_overlap():
    rng = np.random.default_rng(3)
    on = grid(rng.uniform(-180, 180, 20_000), rng.uniform(-55, 75, 20_000), [World()])
    gap = np.hypot(np.subtract.outer(on.x[:600], on.x[:600]), np.subtract.outer(on.y[:600], on.y[:600]))
    assert gap[~np.eye(len(gap), dtype=bool)].min() >= on.width - 1e-9


@given(st.integers(1, 10**7))
def test_breaks_rise_from_one_to_no_more_than_the_largest(most):
    found = breaks(most)
    assert found[0] == 1
    assert found[-1] <= most
    assert list(found) == sorted(set(found))
    assert len(found) <= 5


def test_no_points_are_no_cells():
    cells = grid(np.zeros(0), np.zeros(0), [World()]).count()
    drawn = Map(cells=cells)
    assert not read(maps.draw(drawn, title_id="t")).of_class("cells")
    assert maps.legend(drawn) == ""


def test_cells_are_discs_of_their_class_with_a_legend():
    lon, lat = np.repeat([10.0, 50.0, 100.0], [1, 30, 5000]), np.repeat([50.0, 20.0, 30.0], [1, 30, 5000])
    told = Map(cells=grid(lon, lat, [World()]).count())
    drawn = read(maps.draw(told, title_id="t"))
    shades = [path.attributes["class"].split()[-1] for path in drawn.of_class("cells")]
    assert shades == sorted(shades)
    assert shades[0] == "c0"
    assert shades[-1] == "c4"
    assert sum(path.attributes["d"].count("h0") for path in drawn.of_class("cells")) == 3
    words = read(maps.legend(told)).words()
    assert "5,000" in words


@pytest.mark.parametrize(
    ("base", "extent", "box"),
    [
        ("world", None, (-180, -57, 180, 79)),
        ("china", None, (70, 3, 136, 54)),
        ("china", (100.0, 20.0, 125.0, 40.0), (100, 20, 125, 40)),
        ("world", (100.0, -10.0, 150.0, 30.0), (100, -10, 150, 30)),
    ],
)
def test_the_heaviest_view_of_a_million_firms_is_at_most_150_kb_sent(base, extent, box):
    """Firms everywhere, so that every cell of the drawing is held, and by numbers from one to thousands."""
    rng = np.random.default_rng(11)
    west, south, east, north = box
    spread = rng.random(700_000), rng.random(700_000)
    heap = rng.beta(2, 9, 300_000), rng.beta(9, 3, 300_000)
    lon = west + (east - west) * np.concatenate([spread[0], heap[0]])
    lat = south + (north - south) * np.concatenate([spread[1], heap[1]])
    told = Map(base=base, extent=extent)
    cells = grid(lon, lat, maps.panels(told)).count()
    assert cells.counts.sum() > 500_000
    drawn = maps.draw(Map(base=base, extent=extent, cells=cells), title_id="t")
    assert len(gzip.compress(drawn.encode(), 4)) <= MOST_SENT
