"""All pairs, no grid, no tree: what the atlas must equal."""

from __future__ import annotations

import numpy as np

from jiqun.atlas.sphere import chord2, unit_vectors


def squared_chords(lon, lat, other_lon=None, other_lat=None):
    a = unit_vectors(np.asarray(lon, float), np.asarray(lat, float))
    b = a if other_lon is None else unit_vectors(np.asarray(other_lon, float), np.asarray(other_lat, float))
    return sum((a[k][:, None] - b[k][None, :]) ** 2 for k in range(3))


def dbscan(lon, lat, weight, eps_km, threshold):
    """Labels and core flags after the definition; borders to the nearest core point, then the smallest label."""
    n = len(lon)
    weight = np.ones(n) if weight is None else np.asarray(weight, float)
    d = squared_chords(lon, lat)
    near = d <= chord2(eps_km)
    core = (near * weight).sum(1) >= np.broadcast_to(threshold, (n,))
    labels = np.full(n, -1)
    for i in range(n):
        if core[i] and labels[i] < 0:
            label, front = labels.max() + 1, [i]
            labels[i] = label
            while front:
                for j in np.flatnonzero(near[front.pop()] & core & (labels < 0)):
                    labels[j] = label
                    front.append(j)
    borders = labels.copy()
    for i in np.flatnonzero(~core):
        reached = np.flatnonzero(near[i] & core)
        if len(reached):
            borders[i] = labels[reached[d[i, reached] == d[i, reached].min()]].min()
    return borders, core


def ball_sums(lon, lat, weight, centre_lon, centre_lat, radius_km):
    return ((squared_chords(centre_lon, centre_lat, lon, lat) <= chord2(radius_km)) * np.asarray(weight, float)).sum(1)


def world(n, seed, cities=40, spread=0.3, background=0.3):
    """Made-up points: cities of Zipf size with firms scattered around, and firms anywhere."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([-180, -60], [180, 70], (cities, 2))
    size = 1 / np.arange(1, cities + 1)
    city = rng.choice(cities, n, p=size / size.sum())
    lon, lat = (centres[city, k] + rng.normal(0, spread, n) for k in (0, 1))
    anywhere = rng.random(n) < background
    lon[anywhere] = rng.uniform(-180, 180, anywhere.sum())
    lat[anywhere] = rng.uniform(-85, 85, anywhere.sum())
    return (lon + 180) % 360 - 180, np.clip(lat, -90, 90)
