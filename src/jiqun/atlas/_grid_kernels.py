"""Grid kernels of exact density clustering, compiled by numba. See `jiqun.atlas.density` for the method.

Cells are cubes of side < eps/√3 on the unit sphere, so points of one cell are all within eps of each other, and a
point's neighbours lie in its cell or at most two cells away in each direction. Occupied cells are sorted by an integer
key; for a cell taken in key order, the rows (dx, dy) of neighbouring cells are runs of keys whose ends only move
forward, so 25 pointers find all neighbours without a hash table or a stored neighbour list.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from jiqun.core.arrays import Booleans, Floats, Integers

REACH = 2
ROWS = (2 * REACH + 1) ** 2
MERGE_ABOVE = 32
CROWDED = 2048
NO, YES, OPEN = 0, 1, 2
CONTESTED = -2


@njit(cache=True)
def cell_keys(xyz: Floats, side: float) -> tuple[Integers, np.int64]:
    """Integer key of each point's cell; REACH + 1 empty cells around the sphere keep rows apart."""
    n = xyz.shape[1]
    width = np.int64(2.0 / side) + 2 * REACH + 4
    keys = np.empty(n, np.int64)
    for i in range(n):
        kx = np.int64((xyz[0, i] + 1.0) / side) + REACH + 1
        ky = np.int64((xyz[1, i] + 1.0) / side) + REACH + 1
        kz = np.int64((xyz[2, i] + 1.0) / side) + REACH + 1
        keys[i] = (kx * width + ky) * width + kz
    return keys, width


@njit(cache=True)
def group_cells(keys: Integers, order: Integers) -> tuple[Integers, Integers]:
    """Key of each occupied cell, ascending, and where its points start in `order` (one more at the end)."""
    n = len(order)
    cells = 0
    for j in range(n):
        if j == 0 or keys[order[j]] != keys[order[j - 1]]:
            cells += 1
    cell_key = np.empty(cells, np.int64)
    start = np.empty(cells + 1, np.int64)
    c = -1
    for j in range(n):
        if j == 0 or keys[order[j]] != keys[order[j - 1]]:
            c += 1
            cell_key[c] = keys[order[j]]
            start[c] = j
    start[cells] = n
    return cell_key, start


@njit(cache=True)
def merge_points(
    xyz: Floats, weight: Floats, threshold: Floats, order: Integers, start: Integers
) -> tuple[Floats, Floats, Floats, Integers, Integers]:
    """Points in cell order, equal ones (same vector, same threshold) in crowded cells merged.

    Returns vectors (m, 3), weights, thresholds, new cell starts, and the merged point of each position of `order`.
    """
    n = len(order)
    cells = len(start) - 1
    points = np.empty((n, 3))
    weights = np.empty(n)
    thresholds = np.empty(n)
    owner = np.empty(n, np.int64)
    new_start = np.empty(cells + 1, np.int64)
    m = 0
    for c in range(cells):
        lo, hi = start[c], start[c + 1]
        new_start[c] = m
        if hi - lo > MERGE_ABOVE:
            part = order[lo:hi]
            by_y = np.empty(hi - lo)
            for j in range(hi - lo):
                i = part[j]
                by_y[j] = xyz[0, i] + 3.0 * xyz[1, i] + 7.0 * xyz[2, i]
            order[lo:hi] = part[np.argsort(by_y)]
        for j in range(lo, hi):
            i = order[j]
            same = (
                hi - lo > MERGE_ABOVE
                and m > new_start[c]
                and points[m - 1, 0] == xyz[0, i]
                and points[m - 1, 1] == xyz[1, i]
                and points[m - 1, 2] == xyz[2, i]
                and thresholds[m - 1] == threshold[i]
            )
            if same:
                weights[m - 1] += weight[i]
            else:
                points[m, 0], points[m, 1], points[m, 2] = xyz[0, i], xyz[1, i], xyz[2, i]
                weights[m] = weight[i]
                thresholds[m] = threshold[i]
                m += 1
            owner[j] = m - 1
    new_start[cells] = m
    return points[:m].copy(), weights[:m].copy(), thresholds[:m].copy(), new_start, owner


@njit(cache=True)
def _neighbours(c: int, cell_key: Integers, width: np.int64, pointer: Integers, found: Integers) -> int:
    """Write the occupied cells around cell c (itself left out) to `found`; `pointer` moves forward with c."""
    count = 0
    row = 0
    cells = len(cell_key)
    for dx in range(-REACH, REACH + 1):
        for dy in range(-REACH, REACH + 1):
            middle = cell_key[c] + (dx * width + dy) * width
            p = pointer[row]
            while p < cells and cell_key[p] < middle - REACH:
                p += 1
            pointer[row] = p
            while p < cells and cell_key[p] <= middle + REACH:
                if p != c:
                    found[count] = p
                    count += 1
                p += 1
            row += 1
    return count


@njit(cache=True)
def cell_boxes(points: Floats, start: Integers, chosen: Booleans) -> Floats:
    """Lower and upper corner of the chosen points of each cell; empty cells get an inverted box."""
    cells = len(start) - 1
    boxes = np.empty((cells, 6))
    for c in range(cells):
        for d in range(3):
            boxes[c, d] = np.inf
            boxes[c, d + 3] = -np.inf
        for i in range(start[c], start[c + 1]):
            if chosen[i]:
                for d in range(3):
                    boxes[c, d] = min(boxes[c, d], points[i, d])
                    boxes[c, d + 3] = max(boxes[c, d + 3], points[i, d])
    return boxes


@njit(cache=True)
def _near2(box: Floats, x: float, y: float, z: float) -> float:
    """Squared distance from a point to a box (inf for an empty one); rounds as the distance to a point does."""
    total = 0.0
    lo, hi = box[0] - x, box[3] - x
    if lo > 0.0:
        total = lo * lo
    elif hi < 0.0:
        total = hi * hi
    lo, hi = box[1] - y, box[4] - y
    if lo > 0.0:
        total += lo * lo
    elif hi < 0.0:
        total += hi * hi
    lo, hi = box[2] - z, box[5] - z
    if lo > 0.0:
        total += lo * lo
    elif hi < 0.0:
        total += hi * hi
    return total


@njit(cache=True)
def _far2(box: Floats, x: float, y: float, z: float) -> float:
    """Squared distance from a point to the farthest corner of a box."""
    a = max((box[0] - x) * (box[0] - x), (box[3] - x) * (box[3] - x))
    b = max((box[1] - y) * (box[1] - y), (box[4] - y) * (box[4] - y))
    c = max((box[2] - z) * (box[2] - z), (box[5] - z) * (box[5] - z))
    return a + b + c


@njit(cache=True)
def core_points(
    points: Floats,
    weight: Floats,
    threshold: Floats,
    start: Integers,
    cell_key: Integers,
    width: np.int64,
    limit: float,
) -> NDArray[np.int8]:
    """Whether the weight within eps of each point, itself included, reaches its threshold: NO, YES or OPEN.

    Most cells are decided whole, by the weight of the cell or of all cells around it. OPEN is left where the cells
    around hold more than CROWDED points and do not decide: a search tree is cheaper there than looking at each.
    """
    m = len(points)
    cells = len(cell_key)
    state = np.full(m, NO, np.int8)
    cell_weight = np.zeros(cells)
    for c in range(cells):
        for i in range(start[c], start[c + 1]):
            cell_weight[c] += weight[i]
    boxes = cell_boxes(points, start, np.ones(m, np.bool_))
    pointer = np.zeros(ROWS, np.int64)
    found = np.empty(ROWS * (2 * REACH + 1), np.int64)
    for c in range(cells):
        lowest, highest = np.inf, -np.inf
        for i in range(start[c], start[c + 1]):
            lowest = min(lowest, threshold[i])
            highest = max(highest, threshold[i])
        if cell_weight[c] >= highest:
            state[start[c] : start[c + 1]] = YES
            continue
        count = _neighbours(c, cell_key, width, pointer, found)
        upper = cell_weight[c]
        around = 0
        for k in range(count):
            upper += cell_weight[found[k]]
            around += start[found[k] + 1] - start[found[k]]
        if upper < lowest:
            continue
        if around > CROWDED:
            state[start[c] : start[c + 1]] = OPEN
            continue
        for i in range(start[c], start[c + 1]):
            x, y, z = points[i, 0], points[i, 1], points[i, 2]
            total = cell_weight[c]
            for k in range(count):
                if total >= threshold[i]:
                    break
                q = found[k]
                if _near2(boxes[q], x, y, z) > limit:
                    continue
                for j in range(start[q], start[q + 1]):
                    dx, dy, dz = points[j, 0] - x, points[j, 1] - y, points[j, 2] - z
                    if dx * dx + dy * dy + dz * dz <= limit:
                        total += weight[j]
            if total >= threshold[i]:
                state[i] = YES
    return state


@njit(cache=True)
def _root(parent: Integers, c: int) -> int:
    while parent[c] != c:
        parent[c] = parent[parent[c]]
        c = parent[c]
    return c


@njit(cache=True)
def join_cells(
    points: Floats, core: Booleans, start: Integers, cell_key: Integers, width: np.int64, limit: float
) -> Integers:
    """Root cell of each cell after joining cells that hold core points within eps of each other."""
    cells = len(cell_key)
    parent = np.arange(cells)
    boxes = cell_boxes(points, start, core)
    pointer = np.zeros(ROWS, np.int64)
    found = np.empty(ROWS * (2 * REACH + 1), np.int64)
    for c in range(cells):
        if boxes[c, 0] == np.inf:
            continue
        count = _neighbours(c, cell_key, width, pointer, found)
        for k in range(count):
            q = found[k]
            if q < c or boxes[q, 0] == np.inf:
                continue
            a, b = _root(parent, c), _root(parent, q)
            if a != b and _touch(points, core, start, boxes, c, q, limit):
                parent[max(a, b)] = min(a, b)
    for c in range(cells):
        parent[c] = _root(parent, c)
    return parent


@njit(cache=True)
def _touch(points: Floats, core: Booleans, start: Integers, boxes: Floats, c: int, q: int, limit: float) -> bool:
    """Whether some core point of cell c is within eps of some core point of cell q."""
    for i in range(start[c], start[c + 1]):
        if not core[i]:
            continue
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        if _near2(boxes[q], x, y, z) > limit:
            continue
        for j in range(start[q], start[q + 1]):
            if core[j]:
                dx, dy, dz = points[j, 0] - x, points[j, 1] - y, points[j, 2] - z
                if dx * dx + dy * dy + dz * dz <= limit:
                    return True
    return False


@njit(cache=True)
def number_clusters(core: Booleans, root: Integers, start: Integers, owner: Integers, order: Integers) -> Integers:
    """Cluster number of each root cell: clusters are counted from 0 in the order of their first core point in the input."""
    cells = len(start) - 1
    first = np.full(cells, np.int64(2**62))
    cell_of = np.empty(start[cells], np.int64)
    for c in range(cells):
        cell_of[start[c] : start[c + 1]] = c
    for j in range(len(order)):
        if core[owner[j]]:
            r = root[cell_of[owner[j]]]
            first[r] = min(first[r], order[j])
    label = np.full(cells, -1, np.int64)
    for rank, r in enumerate(np.argsort(first)):
        if first[r] == 2**62:
            break
        label[r] = rank
    return label


@njit(cache=True)
def nearest_cluster(
    queries: Floats,
    query_start: Integers,
    query_key: Integers,
    points: Floats,
    core: Booleans,
    start: Integers,
    cell_key: Integers,
    width: np.int64,
    cell_label: Integers,
    limit: float,
) -> Integers:
    """Cluster of the nearest core point within eps of each query point (−1: none); equally near: the smallest number.

    Query points are grouped in cells of the same grid (`query_start`, ascending `query_key`). CONTESTED is left where
    several clusters are around and their cells hold more than CROWDED points: a search tree is cheaper there.
    """
    labels = np.full(len(queries), -1, np.int64)
    boxes = cell_boxes(points, start, core)
    cells = len(cell_key)
    pointer = np.zeros(ROWS, np.int64)
    found = np.empty(ROWS * (2 * REACH + 1), np.int64)
    for c in range(len(query_key)):
        count = 0
        row = 0
        only = np.int64(-1)
        several = False
        for dx in range(-REACH, REACH + 1):
            for dy in range(-REACH, REACH + 1):
                middle = query_key[c] + (dx * width + dy) * width
                p = pointer[row]
                while p < cells and cell_key[p] < middle - REACH:
                    p += 1
                pointer[row] = p
                while p < cells and cell_key[p] <= middle + REACH:
                    if boxes[p, 0] != np.inf:
                        found[count] = p
                        count += 1
                        if only >= 0 and cell_label[p] != only:
                            several = True
                        only = cell_label[p]
                    p += 1
                row += 1
        if count == 0:
            continue
        around = 0
        for k in range(count):
            around += start[found[k] + 1] - start[found[k]]
        if several and around > CROWDED:
            labels[query_start[c] : query_start[c + 1]] = CONTESTED
            continue
        for i in range(query_start[c], query_start[c + 1]):
            x, y, z = queries[i, 0], queries[i, 1], queries[i, 2]
            best = limit
            label = np.int64(-1)
            for k in range(count):
                q = found[k]
                if _near2(boxes[q], x, y, z) > best:
                    continue
                if not several and (cell_key[q] == query_key[c] or _far2(boxes[q], x, y, z) <= limit):
                    label = only
                    break
                for j in range(start[q], start[q + 1]):
                    if core[j]:
                        dx, dy, dz = points[j, 0] - x, points[j, 1] - y, points[j, 2] - z
                        d = dx * dx + dy * dy + dz * dz
                        if d < best or (d == best and (label < 0 or cell_label[q] < label)):
                            best = d
                            label = cell_label[q]
                            if not several:
                                break
                if not several and label >= 0:
                    break
            labels[i] = label
    return labels
