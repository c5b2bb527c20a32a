"""Number loops of the atlas, compiled by numba. Callers check their input; nothing here raises."""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.core.arrays import Booleans, Floats, Integers

LEAF = 16
FAN = 8
STACK = 256


@njit(cache=True)
def _spread(v: np.int64) -> np.int64:
    """Spread the low 21 bits of v to every third bit."""
    v &= 0x1FFFFF
    v = (v | (v << 32)) & 0x1F00000000FFFF
    v = (v | (v << 16)) & 0x1F0000FF0000FF
    v = (v | (v << 8)) & 0x100F00F00F00F00F
    v = (v | (v << 4)) & 0x10C30C30C30C30C3
    return (v | (v << 2)) & 0x1249249249249249


@njit(cache=True)
def curve_keys(vectors: Floats) -> Integers:
    """Morton key of unit vectors, shape (n, 3): near points get near keys."""
    n = len(vectors)
    keys = np.empty(n, np.int64)
    for i in range(n):
        kx = np.int64((vectors[i, 0] + 1.0) * 1048575.0)
        ky = np.int64((vectors[i, 1] + 1.0) * 1048575.0)
        kz = np.int64((vectors[i, 2] + 1.0) * 1048575.0)
        keys[i] = _spread(kx) | (_spread(ky) << 1) | (_spread(kz) << 2)
    return keys


@njit(cache=True)
def curve_order(vectors: Floats) -> Integers:
    """Order of points along the curve; points of one curve cell by coordinates, so that equal ones are neighbours."""
    keys = curve_keys(vectors)
    order = np.argsort(keys)
    start = 0
    for end in range(1, len(order) + 1):
        if end < len(order) and keys[order[end]] == keys[order[start]]:
            continue
        if end - start > 1:
            part = order[start:end].copy()
            for d in range(3):
                part = part[np.argsort(vectors[part, 2 - d], kind="mergesort")]
            order[start:end] = part
        start = end
    return order


@njit(cache=True)
def merge_equal(points: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Merge neighbours in the order that are the same point; compacts in place, returns the filled part."""
    last = -1
    for i in range(len(points)):
        same = last >= 0
        for d in range(3):
            same = same and points[i, d] == points[last, d]
        if same:
            weight[last] += weight[i]
        else:
            last += 1
            points[last] = points[i]
            weight[last] = weight[i]
    return points[: last + 1].copy(), weight[: last + 1].copy()


@njit(cache=True)
def pack(points: Floats, weight: Floats) -> tuple[Floats, Floats, Integers]:
    """Boxes over points in curve order: level 0 holds LEAF points each, each level above FAN boxes of the one below.

    Returns boxes (k, 6) as lower and upper corner, their weights, and where each level starts (root level last).
    """
    n = len(points)
    starts = [0]
    count = (n + LEAF - 1) // LEAF
    total = count
    while count > 1:
        starts.append(total)
        count = (count + FAN - 1) // FAN
        total += count
    level_start = np.empty(len(starts) + 1, np.int64)
    for i in range(len(starts)):
        level_start[i] = starts[i]
    level_start[len(starts)] = total
    boxes = np.empty((total, 6))
    box_weight = np.zeros(total)
    for b in range(total):
        for d in range(3):
            boxes[b, d] = np.inf
            boxes[b, d + 3] = -np.inf
    for i in range(n):
        b = i // LEAF
        box_weight[b] += weight[i]
        for d in range(3):
            boxes[b, d] = min(boxes[b, d], points[i, d])
            boxes[b, d + 3] = max(boxes[b, d + 3], points[i, d])
    for level in range(1, len(starts)):
        below, here = level_start[level - 1], level_start[level]
        for child in range(below, here):
            b = here + (child - below) // FAN
            box_weight[b] += box_weight[child]
            for d in range(3):
                boxes[b, d] = min(boxes[b, d], boxes[child, d])
                boxes[b, d + 3] = max(boxes[b, d + 3], boxes[child, d + 3])
    return boxes, box_weight, level_start


@njit(cache=True)
def _axis_near(lo: float, hi: float) -> float:
    """Squared smallest value between lo and hi (lo <= hi): 0 where they enclose 0."""
    if lo > 0.0:
        return lo * lo
    if hi < 0.0:
        return hi * hi
    return 0.0


@njit(cache=True)
def ball_sums(
    points: Floats,
    weight: Floats,
    boxes: Floats,
    box_weight: Floats,
    level_start: Integers,
    centres: Floats,
    limit: float,
) -> Floats:
    """Weight of points whose squared chord to each centre is <= limit.

    The nearest and farthest corner distances of a box are computed with the same operations, in the same order, as
    the distance to a point; rounding is monotone, so a box is taken or skipped only when each of its points would be.
    """
    m = len(centres)
    n = len(points)
    result = np.zeros(m)
    if n == 0:
        return result
    top = len(level_start) - 2
    stack = np.empty(STACK, np.int64)
    levels = np.empty(STACK, np.int64)
    for j in range(m):
        qx, qy, qz = centres[j, 0], centres[j, 1], centres[j, 2]
        total = 0.0
        depth = 0
        for b in range(level_start[top], level_start[top + 1]):
            stack[depth] = b
            levels[depth] = top
            depth += 1
        while depth > 0:
            depth -= 1
            b = stack[depth]
            level = levels[depth]
            near, far = 0.0, 0.0
            for d in range(3):
                below, above = boxes[b, d] - centres[j, d], boxes[b, d + 3] - centres[j, d]
                near += _axis_near(below, above)
                far += max(below * below, above * above)
            if near > limit:
                continue
            if far <= limit:
                total += box_weight[b]
            elif level == 0:
                first = (b - level_start[0]) * LEAF
                for i in range(first, min(first + LEAF, n)):
                    dx, dy, dz = points[i, 0] - qx, points[i, 1] - qy, points[i, 2] - qz
                    if dx * dx + dy * dy + dz * dz <= limit:
                        total += weight[i]
            else:
                first = level_start[level - 1] + (b - level_start[level]) * FAN
                for child in range(first, min(first + FAN, level_start[level])):
                    stack[depth] = child
                    levels[depth] = level - 1
                    depth += 1
        result[j] = total
    return result


@njit(cache=True)
def balls_reach(
    points: Floats,
    weight: Floats,
    boxes: Floats,
    box_weight: Floats,
    level_start: Integers,
    centres: Floats,
    threshold: Floats,
    limit: float,
) -> Booleans:
    """Whether the weight within each ball reaches its threshold; centres in curve order.

    LEAF centres at a time share one descent: boxes inside all their balls, or outside all, are settled for the whole
    group, which decides most groups; only leaves near the common border are looked at per centre.
    """
    m, n = len(centres), len(points)
    result = np.zeros(m, np.bool_)
    top = len(level_start) - 2
    stack = np.empty(STACK, np.int64)
    levels = np.empty(STACK, np.int64)
    border = np.empty(level_start[1], np.int64)
    lo, hi = np.empty(3), np.empty(3)
    for start in range(0, m, LEAF):
        stop = min(start + LEAF, m)
        least, most = np.inf, -np.inf
        for d in range(3):
            lo[d], hi[d] = np.inf, -np.inf
        for j in range(start, stop):
            least, most = min(least, threshold[j]), max(most, threshold[j])
            for d in range(3):
                lo[d], hi[d] = min(lo[d], centres[j, d]), max(hi[d], centres[j, d])
        sure, open_weight = 0.0, 0.0
        count, depth = 0, 0
        for b in range(level_start[top], level_start[top + 1]):
            stack[depth], levels[depth] = b, top
            depth += 1
        while depth > 0:
            depth -= 1
            b, level = stack[depth], levels[depth]
            near, far = 0.0, 0.0
            for d in range(3):
                below, above = boxes[b, d] - hi[d], boxes[b, d + 3] - lo[d]
                near += _axis_near(below, above)
                far += max(below * below, above * above)
            if near > limit:
                continue
            if far <= limit:
                sure += box_weight[b]
            elif level == 0:
                border[count] = b
                count += 1
                open_weight += box_weight[b]
            else:
                first = level_start[level - 1] + (b - level_start[level]) * FAN
                for child in range(first, min(first + FAN, level_start[level])):
                    stack[depth], levels[depth] = child, level - 1
                    depth += 1
        if sure >= most or sure + open_weight < least:
            result[start:stop] = sure >= most
            continue
        for j in range(start, stop):
            total, rest = sure, open_weight
            for k in range(count):
                if total >= threshold[j] or total + rest < threshold[j]:
                    break
                b = border[k]
                rest -= box_weight[b]
                near, far = 0.0, 0.0
                for d in range(3):
                    below, above = boxes[b, d] - centres[j, d], boxes[b, d + 3] - centres[j, d]
                    near += _axis_near(below, above)
                    far += max(below * below, above * above)
                if near > limit:
                    continue
                if far <= limit:
                    total += box_weight[b]
                    continue
                for i in range(b * LEAF, min((b + 1) * LEAF, n)):
                    dx, dy, dz = (
                        points[i, 0] - centres[j, 0],
                        points[i, 1] - centres[j, 1],
                        points[i, 2] - centres[j, 2],
                    )
                    if dx * dx + dy * dy + dz * dz <= limit:
                        total += weight[i]
            result[j] = total >= threshold[j]
    return result


@njit(cache=True)
def nearest_labels(
    points: Floats, label: Integers, boxes: Floats, level_start: Integers, centres: Floats, limit: float
) -> Integers:
    """Label of the point nearest to each centre within squared chord `limit`, −1 for none; equally near: the smallest."""
    m, n = len(centres), len(points)
    result = np.full(m, np.int64(-1))
    top = len(level_start) - 2
    stack = np.empty(STACK, np.int64)
    levels = np.empty(STACK, np.int64)
    nears = np.empty(STACK)
    for j in range(m):
        best, found = limit, np.int64(-1)
        depth = 0
        for b in range(level_start[top], level_start[top + 1]):
            stack[depth], levels[depth], nears[depth] = b, top, 0.0
            depth += 1
        while depth > 0:
            depth -= 1
            b, level = stack[depth], levels[depth]
            if nears[depth] > best:
                continue
            if level == 0:
                for i in range(b * LEAF, min((b + 1) * LEAF, n)):
                    dx, dy, dz = (
                        points[i, 0] - centres[j, 0],
                        points[i, 1] - centres[j, 1],
                        points[i, 2] - centres[j, 2],
                    )
                    d2 = dx * dx + dy * dy + dz * dz
                    if d2 < best or (d2 == best and (found < 0 or label[i] < found)):
                        best, found = d2, label[i]
                continue
            bottom = depth
            first = level_start[level - 1] + (b - level_start[level]) * FAN
            for child in range(first, min(first + FAN, level_start[level])):
                near = 0.0
                for d in range(3):
                    near += _axis_near(boxes[child, d] - centres[j, d], boxes[child, d + 3] - centres[j, d])
                if near > best:
                    continue
                at = depth  # nearest child on top
                while at > bottom and nears[at - 1] < near:
                    stack[at], levels[at], nears[at] = stack[at - 1], levels[at - 1], nears[at - 1]
                    at -= 1
                stack[at], levels[at], nears[at] = child, level - 1, near
                depth += 1
        result[j] = found
    return result
