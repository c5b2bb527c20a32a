"""A linear model of texts 线性文本模型, as plain numbers: whether a text speaks of the core, as its labels taught it.

Character n-grams are hashed, so there is no vocabulary to keep, and Chinese needs no word breaks. `jiqun.classify`
trains it on labels of the user's own; nothing trained is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.arrays import Floats
from jiqun.taxonomy.codes import Definition
from jiqun.taxonomy.text import Kind, read_texts

FEATURES = 2**16
GRAMS = (1, 3)
ABSTAIN = (0.2, 0.8)
"""Between these the model says nothing 弃权区间."""

BY_MODEL = "model"
_ROWS = 4096


@dataclass(frozen=True)
class LinearModel:
    """Weights per hashed n-gram, and the sigmoid (Platt 1999) that makes their sum a probability.

    P(core) = 1 / (1 + exp(slope · (w · x + intercept) + offset)).
    """

    weights: Floats
    intercept: float
    slope: float
    offset: float
    id: str = ""
    """Digest of the result that it is kept in."""

    def probability(self, texts: pl.Series) -> pl.Series:
        """P(core) of each text 属核心产业的概率; null where there is no text.

        It holds for texts like those that were labelled, at the base rate of the register they were drawn from.
        """
        parts = [self._part(texts.slice(start, _ROWS)) for start in range(0, len(texts), _ROWS)]
        known = np.concatenate([np.empty(0), *parts])
        frame = pl.DataFrame({"text": texts, "p": known})
        return frame.select(pl.when(pl.col("text").str.len_bytes() > 0).then("p")).to_series().alias("probability")

    def _part(self, texts: pl.Series) -> Floats:
        margin = features(texts) @ self.weights + self.intercept
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(self.slope * margin + self.offset, -500, 500))))

    def tables(self) -> dict[str, pl.DataFrame]:
        """As the tables of a result: only weights that are not 0."""
        at = np.flatnonzero(self.weights)
        return {
            "weights": pl.DataFrame({"feature": at.astype(np.int32), "weight": self.weights[at]}),
            "sigmoid": pl.DataFrame({"intercept": [self.intercept], "slope": [self.slope], "offset": [self.offset]}),
        }

    @classmethod
    def of(cls, weights: pl.DataFrame, sigmoid: pl.DataFrame, id: str) -> LinearModel:  # noqa: A002
        """From the tables of a result."""
        dense = np.zeros(FEATURES)
        dense[weights["feature"].to_numpy()] = weights["weight"].to_numpy()
        intercept, slope, offset = sigmoid.select("intercept", "slope", "offset").row(0)
        return cls(dense, intercept, slope, offset, id)


@cache
def _hashing() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415  # takes a second to import

    return HashingVectorizer(analyzer="char", ngram_range=GRAMS, n_features=FEATURES, alternate_sign=False)


def features(texts: pl.Series) -> Any:
    """Sparse counts of hashed character n-grams, each row of length 1. A null text is an empty one."""
    return _hashing().transform(_texts(texts))


def _texts(texts: pl.Series) -> Iterator[str]:
    return (text or "" for text in texts)


def read_by_model(texts: pl.Series, kind: Kind, definition: Definition, model: LinearModel) -> pl.DataFrame:
    """What a model decides 按模型判定, in the columns of `classify_text`; it abstains between 0.2 and 0.8.

    Whether a text is core is the model's, which division it is the lexicon's; `score` is the probability.
    """
    low, high = ABSTAIN
    read = read_texts(texts, kind, definition).with_columns(model.probability(texts.cast(pl.String)))
    p = pl.col("probability")
    yes, no = p >= high, p <= low
    uses = pl.col("digital_division") == "05"
    fits = pl.col("core").fill_null(value=False) & yes
    digital = pl.when(fits | (no & uses)).then("digital_code")
    decided = (yes & digital.is_not_null()) | (no & (definition == "narrow" or uses))
    return read.select(
        digital_code=digital,
        digital_division=digital.str.head(2),
        core=pl.when(yes).then(True).when(no).then(False),
        decided=pl.when(pl.col("decided").is_not_null()).then(decided.fill_null(value=False)),
        evidence=pl.when(decided).then(pl.lit(BY_MODEL)),
        words="words",
        score=p.round(3),
    )
