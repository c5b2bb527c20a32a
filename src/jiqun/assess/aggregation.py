"""From children to their dimension 合成: means that compensate fully, partly or hardly, and what each child adds.

Values have shape (…, units, children), weights (…, 1 or units, children) and are normalised here over the children
that have a value; NaN is “no data”.
"""

from __future__ import annotations

import numpy as np

from jiqun.assess.framework import Aggregation
from jiqun.core.arrays import Floats


def combine(values: Floats, weights: Floats, how: Aggregation) -> Floats:
    """Scores of a dimension 合成得分.

        arithmetic  Σ w x
        geometric   exp Σ w ln x                     needs x > 0
        harmonic    1 / Σ (w / x)                    needs x > 0
        mpi_minus   M − V/M,   mpi_plus  M + V/M     M = Σ w x,  V = Σ w (x − M)²,  needs M > 0

    The last two are Mazziotta–Pareto indices: a penalty (or bonus) for imbalance, V/M being deviation times coefficient of
    variation. Published use: z-scores with mean 100 and deviation 10, equal weights. NaN where no child has a value.

    Source: OECD/JRC (2008), 103–105; Mazziotta and Pareto (2016), Social Indicators Research 127(3), 983–1003.

    Examples
    --------
    >>> x, w = np.array([[1.0, 4.0]]), np.array([[0.5, 0.5]])
    >>> [round(float(combine(x, w, how)[0]), 3) for how in ("arithmetic", "geometric", "harmonic", "mpi_minus")]
    [2.5, 2.0, 1.6, 1.6]
    """
    weights = np.atleast_2d(weights)
    there = np.isfinite(values)
    whole = bool(there.all())
    total = weights.sum(axis=-1) if whole else weighed(there.astype(np.float64), weights)
    known = values if whole else np.where(there, values, 1.0 if how in {"geometric", "harmonic"} else 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        match how:
            case "arithmetic":
                found = weighed(known, weights) / total
            case "geometric":
                found = np.exp(weighed(np.log(known), weights) / total)
            case "harmonic":
                found = total / weighed(np.where(there, 1 / known, 0.0), weights)
            case _:
                mean = weighed(known, weights) / total
                spread = np.maximum(weighed(known**2, weights) / total - mean**2, 0.0)
                found = mean + (spread / mean) * (-1.0 if how == "mpi_minus" else 1.0)
    return np.where(total > 0, found, np.nan)


def told_apart(scores: Floats) -> Floats:
    """Scores in units of the row's largest, to ten digits: what differs by rounding alone is equal, and shares a rank.

    Examples
    --------
    >>> told_apart(np.array([0.1 + 0.2, 0.3, 0.15])).tolist()
    [1.0, 1.0, 0.5]
    """
    with np.errstate(invalid="ignore"):
        size = np.fmax.reduce(np.abs(scores), axis=-1, keepdims=True)
        scaled: Floats = np.round(scores / np.where(size > 0, size, 1.0), 10)
    return scaled


def weighed(values: Floats, weights: Floats) -> Floats:
    """Σ over the last axis of weights · values, for many sets of weights at once without a large intermediate."""
    if weights.shape[-2] != 1:
        product: Floats = (values * weights).sum(axis=-1)
        return product
    if values.ndim == 2 and weights.ndim == 3:
        flat: Floats = weights[:, 0, :] @ values.T
        return flat
    summed: Floats = np.matmul(values, np.swapaxes(weights, -1, -2))[..., 0]
    return summed


def slopes(values: Floats, weights: Floats, how: Aggregation) -> Floats:
    """∂score / ∂child of one dimension, units × children 边际贡献; 0 where a child has no value.

    All these means are homogeneous of degree one, so Σ child · slope is the score: that is what a child adds.

    Examples
    --------
    >>> x, w = np.array([[1.0, 4.0]]), np.array([[0.5, 0.5]])
    >>> added = (x * slopes(x, w, "mpi_minus")).sum()
    >>> round(float(added), 9), round(float(combine(x, w, "mpi_minus")[0]), 9)
    (1.6, 1.6)
    """
    there = np.isfinite(values)
    w = np.where(there, weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = w / w.sum(axis=-1, keepdims=True)
        score = combine(values, weights, how)[:, None]
        match how:
            case "arithmetic":
                found = w
            case "geometric":
                found = w * score / values
            case "harmonic":
                found = w * (score / values) ** 2
            case _:
                mean = np.where(there, w * values, 0.0).sum(axis=-1, keepdims=True)
                spread = np.where(there, w * (values - mean) ** 2, 0.0).sum(axis=-1, keepdims=True)
                tilt = 2 * (values - mean) / mean - spread / mean**2
                found = w * (1 + (-1.0 if how == "mpi_minus" else 1.0) * tilt)
    return np.where(there & np.isfinite(found), found, 0.0)


def refused(values: Floats, how: Aggregation) -> tuple[int, int, float] | None:
    """The first value that the mean cannot take: its unit and child, by position, and the value.

    A Mazziotta–Pareto index fails by a mean <= 0 over children; then it is the lowest of them.
    """
    at = values.reshape(-1, *values.shape[-2:])
    if how in {"geometric", "harmonic"}:
        bad = np.argwhere(at <= 0)
    elif how.startswith("mpi"):
        bad = np.argwhere(np.nan_to_num(at, nan=0.0).sum(axis=-1) <= 0)
        bad = bad[np.isfinite(at[bad[:, 0], bad[:, 1]]).any(axis=-1)]
    else:
        return None
    if not len(bad):
        return None
    run, unit, *child = (int(k) for k in bad[0])
    which = child[0] if child else int(np.nanargmin(at[run, unit]))
    return unit, which, float(at[run, unit, which])
