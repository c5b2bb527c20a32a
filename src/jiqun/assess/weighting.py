"""Weights of the children of a dimension 赋权: given, from experts, or from the values themselves.

Values are units × children on one scale, better is higher. Weights are >= 0 and add to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linprog

from jiqun.assess.framework import Budget, Framework, Judgement, ShareOf, Weighting, checked_sum
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError

RANDOM_INDEX = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59)
"""Mean consistency index of random judgements of 1 to 15 things; Saaty (1980), The Analytic Hierarchy Process."""
FROM_VALUES: frozenset[Weighting] = frozenset({"entropy", "critic", "pca"})


def weights_of(
    method: Weighting, values: Floats, framework: Framework, parent: str, given: Mapping[str, float] | None = None
) -> Floats:
    """Weights of a dimension's children by one of the methods, benefit of the doubt excepted 按方法赋权.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-011: points that do not add to 100. JQ-ASSESS-026, -027: judgements missing, malformed or inconsistent.
        JQ-ASSESS-028: the method cannot run on these values.
    """
    children = framework.children(parent)
    if len(children) == 1:
        return np.ones(1)
    match method:
        case "equal":
            weights = np.ones(len(children))
        case "entropy":
            weights = entropy_weights(values, parent)
        case "critic":
            weights = critic_weights(values, parent)
        case "pca":
            weights = pca_weights(values, parent, least_eigenvalue=framework.steps.eigenvalue)
        case "ahp":
            weights = _judged(framework, parent, children)
        case "budget":
            weights = _spent(framework, parent, children)
        case _:
            weights = np.array([(given or {}).get(child, framework.given(child)) for child in children])
    share: Floats = weights / weights.sum()
    return share


def _full(values: Floats, method: str, parent: str) -> Floats:
    rows: Floats = values[np.isfinite(values).all(axis=1)]
    if len(rows) < 3:
        raise MeasureInputError(
            "JQ-ASSESS-028", method=method, parent=parent, reason=f"units with all values: {len(rows)}"
        )
    flat = np.ptp(rows, axis=0) == 0
    if flat.any():
        reason = f"constant: {int(flat.sum())} of {len(flat)}"
        raise MeasureInputError("JQ-ASSESS-028", method=method, parent=parent, reason=reason)
    return rows


def entropy_weights(values: Floats, parent: str = "index") -> Floats:
    """Entropy weights 熵权: what tells units apart weighs more.

        p = x / Σ x,   E = −Σ p ln p / ln n,   w ∝ 1 − E

    Source: Shannon (1948); Zeleny (1982), Multiple Criteria Decision Making, ch. 7. Needs values >= 0, and depends on
    where the scale begins.

    Examples
    --------
    >>> entropy_weights(np.array([[1.0, 1.0], [1.0, 2.0], [1.5, 9.0]])).round(3).tolist()
    [0.049, 0.951]
    """
    rows = _full(values, "entropy", parent)
    if (rows < 0).any() or (rows.sum(axis=0) <= 0).any():
        reason = "values < 0; minmax, rank or percentile give none"
        raise MeasureInputError("JQ-ASSESS-028", method="entropy", parent=parent, reason=reason)
    p = rows / rows.sum(axis=0)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    told = 1 + (p * logs).sum(axis=0) / np.log(len(rows))
    share: Floats = told / told.sum()
    return share


def critic_weights(values: Floats, parent: str = "index") -> Floats:
    """CRITIC weights 客观赋权法: contrast times conflict.

        w ∝ s_j Σ_k (1 − r_jk)      s: standard deviation after min-max, r: correlation

    Source: Diakoulaki, Mavrotas and Papayannakis (1995), Computers & Operations Research 22(7), 763–770.

    Examples
    --------
    >>> critic_weights(np.array([[0.0, 0.0, 9.0], [5.0, 6.0, 0.0], [9.0, 9.0, 7.0]])).round(3).tolist()
    [0.233, 0.259, 0.508]
    """
    rows = _full(values, "critic", parent)
    scaled = (rows - rows.min(axis=0)) / np.ptp(rows, axis=0)
    told = scaled.std(axis=0, ddof=1) * (1 - np.corrcoef(scaled, rowvar=False)).sum(axis=0)
    if not told.sum() > 1e-12:
        raise MeasureInputError("JQ-ASSESS-028", method="critic", parent=parent, reason="all correlate perfectly")
    share: Floats = told / told.sum()
    return share


def pca_weights(values: Floats, parent: str = "index", *, least_eigenvalue: float = 1.0) -> Floats:
    """Weights from principal components 主成分赋权, as the Handbook has them.

    Components of the correlation matrix with an eigenvalue above 1 (at least one), rotated by varimax; every indicator
    belongs to the component on which it loads highest, and weighs its squared loading over the component's sum of
    squares, times the component's share of all explained variance.

    Source: OECD/JRC (2008), Handbook on Constructing Composite Indicators, 89–91, after Nicoletti et al. (2000).

    Examples
    --------
    >>> values = np.array([[1.0, 1, 9], [2, 2.1, 3], [3, 2.9, 7], [4, 4.2, 4], [5, 4.9, 8]])
    >>> pca_weights(values, least_eigenvalue=0.9).round(2).tolist()
    [0.33, 0.33, 0.33]
    """
    rows = _full(values, "pca", parent)
    scaled = (rows - rows.mean(axis=0)) / np.ptp(rows, axis=0)  # only so that no square is too small to be a number
    size, vectors = np.linalg.eigh(np.corrcoef(scaled, rowvar=False))
    size, vectors = size[::-1], vectors[:, ::-1]
    keep = max(1, int((size > least_eigenvalue + 1e-12).sum()))
    loadings = _varimax(vectors[:, :keep] * np.sqrt(size[:keep]))
    square = loadings**2
    explained = square.sum(axis=0)
    own = square.argmax(axis=1)
    told = square[np.arange(len(own)), own] / explained[own] * explained[own] / explained.sum()
    share: Floats = told / told.sum()
    return share


def _varimax(loadings: Floats, turns: int = 200) -> Floats:
    """Kaiser's varimax rotation 方差最大旋转, with his normalisation of rows."""
    if loadings.shape[1] < 2:
        return loadings
    length = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    unit = loadings / length
    turn, before = np.eye(loadings.shape[1]), 0.0
    for _ in range(turns):
        now = unit @ turn
        u, s, v = np.linalg.svd(unit.T @ (now**3 - now * (now**2).mean(axis=0)))
        turn = u @ v
        if s.sum() < before * (1 + 1e-12):
            break
        before = s.sum()
    rotated: Floats = unit @ turn * length
    return rotated


def ahp_weights(matrix: Floats) -> tuple[Floats, float]:
    """Weights from pairwise comparisons 层次分析法, and their consistency ratio.

        A w = λ w (λ largest),   CR = ((λ − n) / (n − 1)) / RI(n)      0 is consistent; above 0.1 judge again

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-026: not square, not above 0 and reciprocal (a_ij a_ji = 1), or more than 15 things.

    Source: Saaty (1980), The Analytic Hierarchy Process.

    Examples
    --------
    >>> weights, ratio = ahp_weights(np.array([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]]))
    >>> weights.round(3).tolist(), round(ratio, 3)
    ([0.637, 0.258, 0.105], 0.033)
    """
    n = len(matrix)
    if matrix.shape != (n, n) or not 1 <= n <= len(RANDOM_INDEX):
        raise MeasureInputError("JQ-ASSESS-026", parent="—", reason=f"{matrix.shape}")
    wrong = np.argwhere(~(np.isclose(matrix * matrix.T, 1, rtol=0.02) & (matrix > 0)))
    if len(wrong):
        i, j = (int(k) for k in wrong[0])
        reason = f"a[{i + 1},{j + 1}] · a[{j + 1},{i + 1}] = {matrix[i, j] * matrix[j, i]:.4g} ≠ 1"
        if matrix[i, j] <= 0:
            reason = f"a[{i + 1},{j + 1}] = {matrix[i, j]:.4g} ≤ 0"
        raise MeasureInputError("JQ-ASSESS-026", parent="—", reason=reason)
    size, vectors = np.linalg.eig(matrix)
    top = int(size.real.argmax())
    w = np.abs(vectors[:, top].real)
    w /= w.sum()
    ratio = float((size[top].real - n) / (n - 1) / RANDOM_INDEX[n - 1]) if n > 2 else 0.0
    return w, max(ratio, 0.0)


def _judged(framework: Framework, parent: str, children: Sequence[str]) -> Floats:
    found: Judgement | None = next((one for one in framework.judgements if one.parent == parent), None)
    if found is None or set(found.order) != set(children) or len(found.order) != len(children):
        told = ", ".join(found.order) if found else "—"
        raise MeasureInputError("JQ-ASSESS-026", parent=parent, reason=f"{told} ≠ {', '.join(children)}")
    if {len(row) for row in found.matrix} != {len(children)}:
        raise MeasureInputError("JQ-ASSESS-026", parent=parent, reason=f"{len(found.matrix)} × {len(found.matrix[0])}")
    try:
        weights, ratio = ahp_weights(np.array(found.matrix))
    except MeasureInputError as error:
        raise MeasureInputError("JQ-ASSESS-026", parent=parent, reason=error.fields["reason"]) from error
    most = framework.steps.consistency
    if ratio > most:
        raise MeasureInputError("JQ-ASSESS-027", parent=parent, ratio=f"{ratio:.3f}", most=most)
    place = {code: k for k, code in enumerate(found.order)}
    ordered: Floats = weights[[place[child] for child in children]]
    return ordered


def _spent(framework: Framework, parent: str, children: Sequence[str]) -> Floats:
    found: list[Budget] = [one for one in framework.budgets if one.parent == parent]
    if not found:
        raise MeasureInputError("JQ-ASSESS-028", method="budget", parent=parent, reason="no expert's points")
    for one in found:
        strange = set(one.points) ^ set(children)
        if strange:
            reason = f"{one.expert}: {', '.join(sorted(strange))}"
            raise MeasureInputError("JQ-ASSESS-028", method="budget", parent=parent, reason=reason)
        checked_sum(one.points, f"{parent}, {one.expert}", (100.0,))
    mean: Floats = np.mean([[one.points[child] for child in children] for one in found], axis=0)
    return mean


def benefit_of_the_doubt(
    values: Floats,
    *,
    share_low: float = 0.0,
    share_high: float = 1.0,
    share_of: ShareOf = "score",
    parent: str = "index",
) -> tuple[Floats, Floats]:
    """Benefit of the doubt 最有利赋权: every unit under the weights that flatter it most.

        max_w Σ_j w_j y_uj   s.t.  Σ_j w_j y_vj ≤ 1 for all units v,  w ≥ 0,
        share_low · Σ w y_u ≤ w_j y_uj ≤ share_high · Σ w y_u      share_of = "score"
        share_low · Σ w ≤ w_j ≤ share_high · Σ w                    share_of = "weights"

    Returns scores (1: no unit is better under one's own weights) and weights, units × indicators. Bounds on shares of the
    rated unit's score do not depend on units of measure; bounds on shares of the sum of weights hold for normalised values.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-028: a value is missing or negative. JQ-ASSESS-029: no weights keep the bounds.

    Source: Cherchye, Moesen, Rogge and Van Puyenbroeck (2007), Social Indicators Research 82(1), 111–145; bounds on the
    weights as in OECD/JRC (2008), Table 23 (0.10 to 0.15 of eight indicators).

    Examples
    --------
    >>> scores, _ = benefit_of_the_doubt(np.array([[1.0, 0.2], [0.2, 1.0], [0.5, 0.5]]))
    >>> scores.round(4).tolist()
    [1.0, 1.0, 0.8333]
    """
    n, k = values.shape
    if not np.isfinite(values).all() or (values < 0).any():
        raise MeasureInputError("JQ-ASSESS-028", method="bod", parent=parent, reason="values < 0 or missing")
    if share_low * k > 1 + 1e-12 or share_high * k < 1 - 1e-12:
        raise MeasureInputError("JQ-ASSESS-029", parent=parent, unit="—", low=share_low, high=share_high)
    scale = values.max(axis=0)
    if (scale <= 0).any():
        raise MeasureInputError("JQ-ASSESS-028", method="bod", parent=parent, reason="only zeros")
    y = values / scale
    scores, weights = np.zeros(n), np.zeros((n, k))
    for u in range(n):
        bound = y[u] if share_of == "score" else 1 / scale
        own, whole = np.diag(bound), np.tile(bound, (k, 1))
        bounds = []
        if share_low > 0:
            bounds.append(share_low * whole - own)
        if share_high < 1:
            bounds.append(own - share_high * whole)
        rows = np.vstack([y, *bounds])
        limits = np.concatenate([np.ones(n), np.zeros(len(rows) - n)])
        solved = linprog(-y[u], A_ub=rows, b_ub=limits, bounds=(0, None), method="highs")
        # with a zero among its values a unit can give no share to it: only a score of 0 keeps the bounds
        if solved.status != 0 or (-solved.fun < 1e-12 and y[u].any()):
            raise MeasureInputError("JQ-ASSESS-029", parent=parent, unit=u + 1, low=share_low, high=share_high)
        scores[u], weights[u] = -solved.fun, solved.x / scale
    return scores, weights
