"""Compiled loops over pairs of points 点对循环: counted by distance, never stored.

Points are unit vectors sorted by their third coordinate z, so that a partner within chord c has |Δz| ≤ c and each point
looks at a run of its followers only. A call does the points `begin`, `begin + stride`, …, without holding Python's lock, so
that calls with other beginnings run beside it; their sums add up.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.core.arrays import Booleans, Floats, Integers

EARTH_KM = 6371.0088
_SHORT = 0.1


@njit(cache=True)
def _arc_km(chord2: float) -> float:
    """Great-circle distance of a squared chord; the series is right to 1e-12 for chords below 0.1 (637 km)."""
    c = np.sqrt(chord2)
    if c < _SHORT:
        return EARTH_KM * c * (1.0 + chord2 * (1.0 / 24.0 + chord2 * (3.0 / 640.0 + chord2 * (5.0 / 7168.0))))
    return EARTH_KM * 2.0 * np.arcsin(min(1.0, 0.5 * c))


@njit(cache=True)
def _chord(km: float) -> float:
    return 2.0 * np.sin(min(km / EARTH_KM, np.pi) / 2.0)


@njit(cache=True, nogil=True)
def histogram(
    points: Floats, weight: Floats, reach_km: float, width_km: float, bins: int, begin: int, stride: int
) -> Floats:
    """Weight of unordered pairs by distance: element k stands for k widths.

    A pair between k and k + 1 widths is shared between the two in proportion, so that sums of a smooth function of
    distance are right to second order in the width.
    """
    x, y, z = points
    reach = _chord(reach_km)
    limit = reach * reach
    counts = np.zeros(bins + 2)
    for i in range(begin, z.size, stride):
        for j in range(i + 1, z.size):
            dz = z[j] - z[i]
            if dz > reach:
                break
            chord2 = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 + dz * dz
            if chord2 <= limit:
                at = _arc_km(chord2) / width_km
                k = int(at)
                if k <= bins:
                    high = at - k
                    w = weight[i] * weight[j]
                    counts[k] += (1.0 - high) * w
                    counts[k + 1] += high * w
    return counts[: bins + 1]


@njit(cache=True, nogil=True)
def kernel_density(
    points: Floats, weight: Floats, distances: Floats, bandwidth: float, span: float, begin: int, stride: int
) -> Floats:
    """Σ over unordered pairs of w_i w_j (φ((r − d)/h) + φ((r + d)/h)) / h at each r of evenly spaced `distances`."""
    x, y, z = points
    m = distances.size
    step = distances[1] - distances[0] if m > 1 else 1.0
    reach = _chord(distances[m - 1] + span * bandwidth)
    limit = reach * reach
    scale = 1.0 / (bandwidth * np.sqrt(2.0 * np.pi))
    density = np.zeros(m)
    for i in range(begin, z.size, stride):
        for j in range(i + 1, z.size):
            dz = z[j] - z[i]
            if dz > reach:
                break
            chord2 = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 + dz * dz
            if chord2 > limit:
                continue
            d = _arc_km(chord2)
            w = weight[i] * weight[j] * scale
            first = max(0, int(np.ceil((d - span * bandwidth - distances[0]) / step)))
            last = min(m - 1, int(np.floor((d + span * bandwidth - distances[0]) / step)))
            for k in range(first, last + 1):
                u = (distances[k] - d) / bandwidth
                density[k] += w * np.exp(-0.5 * u * u)
            mirrored = min(m - 1, int(np.floor((span * bandwidth - d - distances[0]) / step)))
            for k in range(mirrored + 1):
                u = (distances[k] + d) / bandwidth
                density[k] += w * np.exp(-0.5 * u * u)
    return density


@njit(cache=True, nogil=True)
def neighbour_ratios(
    points: Floats,
    whole: Floats,
    cases: Floats,
    case_total: Floats,
    start: Integers,
    firms: Integers,
    weight: Floats,
    labels: Booleans,
    radii: Floats,
    begin: int,
    stride: int,
) -> tuple[Floats, Floats]:
    """Sums over the labelled firms of (case weight) / (weight) around them, own weight left out, for every draw.

    Locations (sorted by z) carry `whole` weight and, in draw s, `cases[u, s]`, which adds to `case_total[s]`; location u
    holds the firms `firms[start[u] : start[u + 1]]`. Returns ratio[b, s], and own[b, s]: the summed
    (W_S − w) / (W − w) of the same firms, those with neighbours within radius b.
    """
    x, y, z = points
    draws, nb = cases.shape[1], radii.size
    limits = np.empty(nb)
    for b in range(nb):
        limits[b] = _chord(radii[b]) ** 2
    reach = _chord(radii[nb - 1])
    total = whole.sum()
    ratio, own = np.zeros((nb, draws)), np.zeros((nb, draws))
    around, everyone = np.empty((nb, draws), dtype=cases.dtype), np.empty(nb)
    for u in range(begin, z.size, stride):
        around[:] = 0
        everyone[:] = 0.0
        low = u
        while low > 0 and z[u] - z[low - 1] <= reach:
            low -= 1
        for v in range(low, z.size):
            dz = z[v] - z[u]
            if dz > reach:
                break
            chord2 = (x[v] - x[u]) ** 2 + (y[v] - y[u]) ** 2 + dz * dz
            if chord2 > limits[nb - 1]:
                continue
            b = np.searchsorted(limits, chord2)
            everyone[b] += whole[v]
            for s in range(draws):
                around[b, s] += cases[v, s]
        for b in range(1, nb):
            everyone[b] += everyone[b - 1]
            for s in range(draws):
                around[b, s] += around[b - 1, s]
        for f in range(start[u], start[u + 1]):
            w = weight[firms[f]]
            for b in range(nb):
                others = everyone[b] - w
                if others <= 1e-9 * everyone[b]:
                    continue
                for s in range(draws):
                    if labels[firms[f], s]:
                        ratio[b, s] += (around[b, s] - w) / others
                        own[b, s] += (case_total[s] - w) / (total - w)
    return ratio, own
