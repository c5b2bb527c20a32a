"""A linear model of one's own 训练: from labelled texts, and how well it does on texts it has not seen.

Character n-grams, logistic regression, Platt's sigmoid fitted on folds inside the training part only: no text is ever
judged by a model or a sigmoid that has seen its label. Sampling weights make everything speak of the register, not of
the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import InputError
from jiqun.core.progress import Progress, silent
from jiqun.taxonomy import Kind, LinearModel
from jiqun.taxonomy.linear import ABSTAIN, features
from jiqun.taxonomy.text import read_texts

FOLDS = 5
INNER_FOLDS = 3
LEAST_PER_SIDE = 20
"""Labelled texts needed on each side, core and not."""
_SHARES = (0.25, 0.5, 0.75, 1.0)
_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_DRAWS = 400


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of "core" 准确率、召回率、F1, with intervals of 95 % (bootstrap over texts).

    Weighted by sampling weights. Who abstains counts as no; `abstained` is the weighted share. None: nothing to divide by.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    low: float | None
    high: float | None
    abstained: float


@dataclass(frozen=True)
class Bin:
    """Of the texts whose probability was between `low` and `high`: how many, the mean of it, and the share that is core."""

    low: float
    high: float
    texts: int
    predicted: float | None
    observed: float | None
    observed_low: float | None
    observed_high: float | None


@dataclass(frozen=True)
class Quality:
    """How well lexicon and model do on the same labelled texts 质量, each text judged by a model that had not seen it."""

    texts: int
    core: int
    base_rate: float
    """Weighted share of core, as of the register."""
    lexicon: Score
    model: Score
    calibration: tuple[Bin, ...]
    curve: tuple[tuple[int, float | None], ...]
    """Learning curve 学习曲线: texts to learn from, and F1 on texts not seen."""

    def to_json(self) -> dict[str, Any]:
        """As the values of a result keep it."""
        return asdict(self)


def train(texts: pl.Series, core: Booleans, weights: Floats, *, seed: int = 0) -> LinearModel:
    """Learn from labelled texts 训练 whether a text speaks of the core.

    Raises
    ------
    InputError
        JQ-CLASSIFY-006: fewer than 20 texts on a side.
    """
    _require(core)
    return _fit(features(texts), core, weights, seed)


def _require(core: Booleans) -> None:
    yes, no = int(core.sum()), int((~core).sum())
    if min(yes, no) < LEAST_PER_SIDE:
        raise InputError("JQ-CLASSIFY-006", core=yes, other=no, least=LEAST_PER_SIDE)


def _fit(x: Any, core: Booleans, weights: Floats, seed: int) -> LinearModel:
    """Weights from all the texts, the sigmoid from inner folds: each margin it sees is of a text held out."""
    from sklearn.calibration import CalibratedClassifierCV  # noqa: PLC0415  # takes a second to import
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    inner = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    learner = LogisticRegression(C=30.0, solver="liblinear", dual=True, max_iter=5000, random_state=seed)
    calibrated = CalibratedClassifierCV(learner, method="sigmoid", cv=inner, ensemble=False)
    calibrated.fit(x, core, sample_weight=weights / weights.mean())
    one = calibrated.calibrated_classifiers_[0]
    sigmoid = one.calibrators[0]
    return LinearModel(
        np.asarray(one.estimator.coef_[0], np.float64),
        float(one.estimator.intercept_[0]),
        float(sigmoid.a_),
        float(sigmoid.b_),
    )


def evaluate(
    texts: pl.Series, core: Booleans, weights: Floats, *, kind: Kind, seed: int = 0, progress: Progress = silent
) -> Quality:
    """Judge every labelled text by a model that was trained without it 交叉验证, beside the lexicon.

    Outer folds (5) are for judging; inside each training part the sigmoid has folds of its own. Same seed, same folds.

    Parameters
    ----------
    texts
        Labelled texts of one kind.
    core
        Whether each is core, by its label.
    weights
        Sampling weights, > 0.

    Raises
    ------
    InputError
        JQ-CLASSIFY-006: fewer than 20 texts on a side.

    Notes
    -----
    Source: Platt (1999), in Advances in Large Margin Classifiers, 61-74; calibration inside folds: Varma & Simon (2006),
    BMC Bioinformatics 7:91.
    """
    _require(core)
    x = features(texts)
    outer = folds(core, seed)
    said = {share: np.zeros(len(core)) for share in _SHARES}
    sizes: dict[float, list[int]] = {share: [] for share in _SHARES}
    rng = np.random.default_rng(seed)
    for done, (learn, judge) in enumerate(outer):
        progress("train", done, len(outer))
        for share in _SHARES:
            part = learn if share == _SHARES[-1] else _part(learn, core, share, rng)
            if part is None:
                continue
            model = _fit(x[part], core[part], weights[part], seed)
            said[share][judge] = _probability(x[judge], model)
            sizes[share].append(len(part))
    held_out = said[_SHARES[-1]]
    progress("train", len(outer), len(outer))
    low, high = ABSTAIN
    lexicon = read_texts(texts, kind)["core"]
    return Quality(
        texts=len(core),
        core=int(core.sum()),
        base_rate=float(np.average(core, weights=weights)),
        lexicon=score(lexicon.fill_null(value=False).to_numpy(), core, weights, lexicon.is_null().to_numpy(), seed),
        model=score(held_out >= high, core, weights, (held_out > low) & (held_out < high), seed),
        calibration=calibration(held_out, core, weights),
        curve=tuple(
            (round(float(np.mean(sizes[share]))), _f1(said[share] >= 0.5, core, weights)[2])
            for share in _SHARES
            if len(sizes[share]) == len(outer)
        ),
    )


def folds(core: Booleans, seed: int) -> list[tuple[Integers, Integers]]:
    """The outer folds: what is learnt from and what is judged, by row."""
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(np.zeros(len(core)), core))


def _part(rows: Integers, core: Booleans, share: float, rng: np.random.Generator) -> Integers | None:
    """A share of each side of some rows; None where that is too few for the inner folds."""
    parts = []
    for side in (True, False):
        those = rows[core[rows] == side]
        count = round(share * len(those))
        if count < INNER_FOLDS:
            return None
        parts.append(rng.permutation(those)[:count])
    return np.sort(np.concatenate(parts))


def _probability(x: Any, model: LinearModel) -> Floats:
    margin = x @ model.weights + model.intercept
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(model.slope * margin + model.offset, -500, 500))))


def _f1(said: Booleans, core: Booleans, weights: Floats) -> tuple[float | None, float | None, float | None]:
    both, yes, true = (float(weights[mask].sum()) for mask in (said & core, said, core))
    return (both / yes if yes else None, both / true if true else None, 2 * both / (yes + true) if yes + true else None)


def score(said: Booleans, core: Booleans, weights: Floats, abstained: Booleans, seed: int) -> Score:
    """Weighted precision, recall and F1 of what was said, with a bootstrap interval of F1."""
    precision, recall, f1 = _f1(said, core, weights)
    rng = np.random.default_rng(seed)
    drawn: list[float] = []
    for _ in range(_DRAWS):
        rows = rng.integers(0, len(core), len(core))
        again = _f1(said[rows], core[rows], weights[rows])[2]
        if again is not None:
            drawn.append(again)
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (None, None)
    return Score(
        precision,
        recall,
        f1,
        None if low is None else float(low),
        None if high is None else float(high),
        float(np.average(abstained, weights=weights)),
    )


def calibration(predicted: Floats, core: Booleans, weights: Floats) -> tuple[Bin, ...]:
    """Predicted and observed shares in five bins 校准, observed with Wilson's interval on the effective number of texts."""
    bins = []
    for low, high in pairwise(_BINS):
        there = (predicted >= low) & ((predicted < high) | (high == _BINS[-1]))
        part = weights[there]
        if not there.any():
            bins.append(Bin(low, high, 0, None, None, None, None))
            continue
        observed = float(np.average(core[there], weights=part))
        effective = float(part.sum() ** 2 / (part**2).sum())
        bounds = wilson(observed, effective)
        bins.append(
            Bin(low, high, int(there.sum()), float(np.average(predicted[there], weights=part)), observed, *bounds)
        )
    return tuple(bins)


def wilson(share: float, n: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval of a share 威尔逊区间 (1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def labels_of(values: Sequence[str]) -> Booleans:
    """Whether each label is of the core."""
    return np.array([value in {"01", "02", "03", "04"} for value in values], np.bool_)
