"""Fetch what the package ships from elsewhere 随包数据: coastlines, with their licence.

Run from the repository root after changing a version: `python scripts/vendor.py`. Needs npm and its registry.
The archive must have the pinned digest; what is written depends on nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = "world-atlas@2.0.2"
SHA512 = (
    "2177d5d2ac25297a5c933d458705d5c0a46388884e9d6b6d3ac926e42b7132c8"
    "e013f317018447589aa05cea4cf0891c3c1a179f24d4e651477186b90a11b42d"
)
SOURCE = "Natural Earth land 1:110m and 1:50m (public domain), from world-atlas 2.0.2 (ISC)"
UNIT = 0.01
"""Degrees per stored step: about 1 km, finer than either generalisation."""
CIRCLE = round(360 / UNIT)
SOUTH = -60.0
"""Antarctica has no firms and a third of the outline: polygons wholly south of this are left out."""

Ring = list[tuple[float, float]]


def fetch() -> dict[str, bytes]:
    """Files of the pinned package by name, after checking its digest."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        content = archive.read_bytes()
    digest = hashlib.sha512(content).hexdigest()
    if digest != SHA512:
        sys.exit(f"{PACKAGE}: sha512 is {digest}, expected {SHA512}. Nothing was written.")
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        return {
            member.name.removeprefix("package/"): taken.read()
            for member in files.getmembers()
            if (taken := files.extractfile(member))
        }


def rings(topology: dict[str, Any]) -> list[list[Ring]]:
    """Polygons of the `land` object of a TopoJSON topology (format 1.0, sections 2.1.2 to 2.2.4)."""
    (x_scale, y_scale), (west, south) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[Ring] = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((west + x * x_scale, south + y * y_scale))
        arcs.append(points)

    def ring(indices: list[int]) -> Ring:
        points: Ring = []
        for index in indices:
            arc = arcs[index] if index >= 0 else arcs[~index][::-1]
            points += arc[1:] if points else arc
        return points

    (land,) = topology["objects"]["land"]["geometries"]
    return [[ring(indices) for indices in polygon] for polygon in land["arcs"]]


def compact(polygons: list[list[Ring]]) -> list[list[list[int]]]:
    """Rings as flat [x, y, dx, dy, …] in steps of `UNIT`; what vanishes at that step is left out.

    Rings that pass the antimeridian jump by 360° there. They are unrolled, so that longitudes may exceed ±180°; the
    middle of an outer ring lies within, and its holes lie inside it.
    """
    kept = []
    for polygon in polygons:
        if max(lat for _, lat in polygon[0]) < SOUTH:
            continue
        coded: list[list[int]] = []
        middle = 0.0
        for ring in polygon:
            x = unroll([round(lon / UNIT) for lon, _ in ring])
            y = [round(lat / UNIT) for _, lat in ring]
            turn = CIRCLE * round((sum(x) / len(x) - middle) / CIRCLE)
            middle = middle if coded else sum(x) / len(x) - turn
            moves = [(x2 - x1, y2 - y1) for (x1, x2), (y1, y2) in zip(pairwise(x), pairwise(y), strict=True)]
            moves = [move for move in moves if move != (0, 0)]
            if len(moves) > 2:
                coded.append([x[0] - turn, y[0], *(part for move in moves[:-1] for part in move)])
        if coded:
            kept.append(coded)
    return kept


def unroll(x: list[int]) -> list[int]:
    """Longitudes in steps, each within half a circle of the one before."""
    out = x[:1]
    for before, after in pairwise(x):
        out.append(out[-1] + (after - before + CIRCLE // 2) % CIRCLE - CIRCLE // 2)
    return out


def main() -> None:
    """Write `report/assets/land.json` and the licence."""
    files = fetch()
    land = {
        "source": SOURCE,
        "unit": UNIT,
        "world": compact(rings(json.loads(files["land-110m.json"]))),
        "local": compact(rings(json.loads(files["land-50m.json"]))),
    }
    target = ROOT / "src/jiqun/report/assets/land.json"
    target.write_text(json.dumps(land, separators=(",", ":")) + "\n", encoding="utf-8")
    notice = f"{SOURCE}\n\n{files['LICENSE'].decode()}"
    (ROOT / "LICENSES/world-atlas.txt").write_text(notice, encoding="utf-8")
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
