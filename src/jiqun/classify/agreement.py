"""Agreement of two annotators 标注一致性: Cohen's kappa with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Agreement:
    """How far two annotators agree 一致性. `kappa` None: fewer than two items, or both gave one and the same label only."""

    items: int
    same: int
    kappa: float | None
    low: float | None
    high: float | None
    """Bounds of the interval of 95 %."""


def agreement(first: Sequence[str], second: Sequence[str]) -> Agreement:
    """Cohen's kappa 科恩卡帕 of two annotators' labels of the same items, with an interval of 95 %.

        κ = (p_o - p_e) / (1 - p_e)

    p_o is the share of items with one label, p_e the share that would agree by chance, given how often each annotator
    uses each label.

    Parameters
    ----------
    first, second
        Labels in the same order, one each per item.

    Returns
    -------
    Agreement with κ (dimensionless; 1: they always agree, 0: as often as by chance) and its large-sample interval, cut to
    [-1, 1]. With few items the interval is too narrow.

    Raises
    ------
    ValueError
        The sequences differ in length.

    Notes
    -----
    Source: Cohen (1960), Educational and Psychological Measurement 20(1), 37-46; standard error: Fleiss, Cohen & Everitt
    (1969), Psychological Bulletin 72(5), 323-327.

    Examples
    --------
    >>> found = agreement(["01"] * 20 + ["none"] * 30, ["01"] * 15 + ["none"] * 35)
    >>> found.same, round(found.kappa, 3), round(found.low, 2), round(found.high, 2)
    (45, 0.783, 0.61, 0.96)
    """
    if len(first) != len(second):
        raise ValueError("one label of each annotator per item is needed")
    names = sorted({*first, *second})
    table = np.zeros((len(names), len(names)))
    for a, b in zip(first, second, strict=True):
        table[names.index(a), names.index(b)] += 1
    n, same = len(first), int(np.trace(table))
    if n < 2 or len(names) < 2:
        return Agreement(n, same, None, None, None)
    p = table / n
    rows, columns, observed = p.sum(axis=1), p.sum(axis=0), float(np.trace(p))
    expected = float(rows @ columns)
    kappa = (observed - expected) / (1 - expected)
    diagonal = float((np.diag(p) * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    off = p * (columns[:, None] + rows[None, :]) ** 2
    rest = float((off.sum() - np.trace(off)) * (1 - kappa) ** 2)
    variance = (diagonal + rest - (kappa - expected * (1 - kappa)) ** 2) / (n * (1 - expected) ** 2)
    reach = _Z95 * float(np.sqrt(max(variance, 0.0)))
    return Agreement(n, same, kappa, max(-1.0, kappa - reach), min(1.0, kappa + reach))
