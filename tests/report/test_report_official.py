"""The slot for an approved map: it is drawn with its number, or refused with the reason; never half of it."""

from __future__ import annotations

import json
import os

import pytest

from jiqun.core.document import Map
from jiqun.core.errors import WorkspaceError
from jiqun.report import china, maps
from jiqun.report.official import official

FACTS = 'approval = "GS(2024)0650号"\ncredit_zh = "底图：标准地图服务"\ncredit_en = "Base map: standard map service"\n'


def features():
    base = china.builtin()
    for division in base.divisions:
        parts = [[[*ring.tolist(), ring[0].tolist()] for ring in rings] for rings in division.polygons]
        shape = {"type": "MultiPolygon", "coordinates": parts}
        yield {"type": "Feature", "properties": {"adcode": int(division.code)}, "geometry": shape}
    for kind, lines in (("dash", base.dashes), ("undefined", base.undefined)):
        for line in lines:
            shape = {"type": "LineString", "coordinates": line.tolist()}
            yield {"type": "Feature", "properties": {"kind": kind}, "geometry": shape}


@pytest.fixture
def write(tmp_path):
    def written(parts=None, facts=FACTS, text=None):
        folder = tmp_path / "basemap"
        folder.mkdir(exist_ok=True)
        parts = list(features()) if parts is None else parts
        body = {"type": "FeatureCollection", "features": parts}
        (folder / "china.geojson").write_text(json.dumps(body) if text is None else text, encoding="utf-8")
        if facts is not None:
            (folder / "basemap.toml").write_text(facts, encoding="utf-8")
        return tmp_path

    return written


def test_without_files_there_is_none(tmp_path):
    assert official(tmp_path) is None


def test_it_is_drawn_with_its_number_and_read_again_when_it_changes(write):
    base = official(write())
    assert base is not None
    drawn = maps.draw(Map(base="china", official=base), title_id="t")
    assert "审图号：GS(2024)0650号" in drawn
    assert "标准地图服务" in drawn
    assert "天地图" not in drawn
    folder = write(facts=FACTS.replace("0650", "1234"))
    os.utime(folder / "basemap" / "basemap.toml", ns=(1, 1))
    again = official(folder)
    assert again is not None
    assert again.approval == "GS(2024)1234号"


@pytest.mark.parametrize(
    "change",
    [
        {"facts": FACTS.replace("GS(2024)0650号", "none")},
        {"facts": FACTS.replace("credit_en", "credit")},
        {"facts": "approval ="},
        {"facts": None},
        {"facts": FACTS.replace("标准地图服务", "长" * 80)},
        {"text": "{"},
        {"text": "[]"},
        {"text": '{"features": 3}'},
        {"text": '{"features": [{"geometry": null, "properties": {}}]}'},
        {"parts": []},
        {"parts": [part for part in features() if part["properties"].get("adcode") != 710000]},
        {"parts": [part for part in features() if part["properties"].get("kind") != "dash"]},
        {"parts": [*features(), {"properties": {"kind": "dash"}, "geometry": {"type": "LineString", "coordinates": [[10, 10], [11, 11]]}}]},
        {"parts": [*features(), {"properties": {"kind": "other"}, "geometry": {"type": "LineString", "coordinates": [[110, 10], [111, 11]]}}]},
        {"parts": [*features(), {"properties": {}, "geometry": {"type": "Point", "coordinates": [110, 10]}}]},
        {"parts": [*features(), {"properties": {"adcode": "999999"}, "geometry": {"type": "Polygon", "coordinates": [[[110, 30], [111, 30], [111, 31], [110, 30]]]}}]},
    ],
)  # fmt: skip
def test_what_is_wrong_or_not_whole_is_refused(write, change):
    with pytest.raises(WorkspaceError) as refused:
        official(write(**change))
    assert refused.value.code == "JQ-MAP-001"


def test_a_file_that_is_too_large_is_not_read(write):
    folder = write(text=" " * 20_000_001)
    with pytest.raises(WorkspaceError, match="20,000,000"):
        official(folder)
