"""Sets of industries that belong together 关联产业组, found from their similarities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import fcluster, linkage

from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

_HIGH = 95.0
_STARTS = 5


@dataclass(frozen=True)
class IndustrySets:
    """The best grouping of industries, and how it compares; see `industry_sets`."""

    industries: pl.DataFrame
    """industry, set (1, 2, … by falling number of industries), within, nearest_set, nearest: mean similarity to its own set
    and to the other set that it is most similar to; marginal: the other is more similar. Sorted by set and industry."""
    candidates: pl.DataFrame
    """method, sets, score and its four parts, separation (mean of within less nearest); best first."""


def industry_sets(
    similarities: Mapping[str, Any],
    *,
    sizes: Iterable[int],
    industry: str = "industry",
    similarity: str = "relatedness",
    seed: int = 20240501,
) -> IndustrySets:
    """Group industries by similarity and keep the grouping that holds together best 关联产业组划分.

    Each similarity is standardised over the pairs, and their mean is grouped by its rows, with Ward's method and k-means
    for each number of sets. A grouping's score is the mean over similarities of four shares:

        of sets:        within-set similarity > mean over other sets,  > 95th percentile over other sets
        of industries:  similarity to own set > mean to other sets,    > 95th percentile to other sets

    Of equal scores the one whose industries are farther from the nearest other set is the better.

    Parameters
    ----------
    similarities
        By name, dataframes of pairs such as `relatedness` gives (co-location, input–output, occupations): `industry`_i,
        `industry`_j and `similarity`; a pair that is absent is 0, in either order, not in both.
    sizes
        Numbers of sets to try, each from 2 to the number of industries less 1.
    seed
        Of the starts of k-means.

    Returns
    -------
    `IndustrySets`. Sets of one industry have no within-set similarity (null) and count as not holding together.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-027: no similarity, fewer than 3 industries, a pair is there twice or
        with itself, a similarity is missing or not finite, or a number of sets does not fit.

    Notes
    -----
    A first draft for people to correct, as the authors do with `marginal` industries. Cost: n² memory, n³ time for n
    industries; 1,400 take seconds a grouping. Source: Delgado, Porter and Stern (2016), Journal of Economic Geography
    16(1), 1–38; their scores over five matrices are the same four shares.

    Examples
    --------
    >>> pairs = pl.DataFrame({"industry_i": ["a", "c", "a"], "industry_j": ["b", "d", "c"], "relatedness": [3.0, 3.0, 0.1]})
    >>> found = industry_sets({"co-location": pairs}, sizes=[2])
    >>> found.industries.select("industry", "set").rows()
    [('a', 1), ('b', 1), ('c', 2), ('d', 2)]
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415  # takes a second to import

    names, matrices = _matrices(similarities, industry, similarity)
    n = len(names)
    wanted = sorted(set(sizes))
    if not wanted or wanted[0] < 2 or wanted[-1] >= n:
        raise MeasureInputError("JQ-ATLAS-027", reason=f"sizes = {wanted[:5]}, n = {n}")
    standard = [_standardised(matrix) for matrix in matrices]
    joint = np.mean(standard, axis=0)
    np.fill_diagonal(joint, joint.max())
    tree = linkage(joint, method="ward")
    groupings = [("ward", k, fcluster(tree, k, criterion="maxclust")) for k in wanted]
    groupings += [
        ("k-means", k, KMeans(k, n_init=_STARTS, random_state=seed).fit_predict(joint).astype(np.int64)) for k in wanted
    ]
    rows, told = [], []
    for method, k, labels in groupings:
        own = _numbered(labels, names)
        parts = np.mean([_shares(matrix, own) for matrix in standard], axis=0)
        told.append(_told(joint, own, names, industry))
        apart = (told[-1]["within"] - told[-1]["nearest"]).drop_nulls().to_numpy()
        rows.append((method, k, parts.mean(), *parts, apart.mean() if apart.size else 0.0))
    parts_names = ("sets_above_mean", "sets_above_95", "industries_above_mean", "industries_above_95")
    columns = ["method", "sets", "score", *parts_names, "separation"]
    candidates = pl.DataFrame(rows, schema=columns, orient="row").with_row_index("at")
    order = ["score", "separation", "sets", "method"]
    candidates = candidates.sort(order, descending=[True, True, False, False])
    return IndustrySets(told[candidates["at"][0]], candidates.drop("at"))


def _matrices(similarities: Mapping[str, Any], industry: str, similarity: str) -> tuple[list[Any], list[Floats]]:
    """Names of the industries, sorted, and a symmetric matrix of each similarity."""
    if not similarities:
        raise MeasureInputError("JQ-ATLAS-027", reason="0 similarities")
    i, j = f"{industry}_i", f"{industry}_j"
    frames = {name: as_polars(frame, i, j, similarity) for name, frame in similarities.items()}
    names = pl.concat([frame[column] for frame in frames.values() for column in (i, j)]).unique().sort()
    if len(names) < 3 or names.null_count():
        raise MeasureInputError("JQ-ATLAS-027", reason=f"n = {len(names) - names.null_count()}")
    places = {name: k for k, name in enumerate(names)}
    matrices = []
    for name, frame in frames.items():
        matrix = np.zeros((len(names), len(names)))
        a, b = (frame[column].replace_strict(places, return_dtype=pl.Int64).to_numpy() for column in (i, j))
        value = frame[similarity].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        pairs = np.minimum(a, b) * len(names) + np.maximum(a, b)
        if (a == b).any() or len(np.unique(pairs)) < len(pairs) or not np.isfinite(value).all():
            raise MeasureInputError("JQ-ATLAS-027", reason=name)
        matrix[a, b] = matrix[b, a] = value
        matrices.append(matrix)
    return names.to_list(), matrices


def _standardised(matrix: Floats) -> Floats:
    """With mean 0 and standard deviation 1 over the pairs; all 0 where they are equal. The diagonal is 0."""
    off = ~np.eye(len(matrix), dtype=np.bool_)
    spread = matrix[off].std()
    scaled: Floats = (matrix - matrix[off].mean()) / (spread if spread > 0 else np.inf)
    scaled[~off] = 0.0
    return scaled


def _numbered(labels: Any, names: list[Any]) -> Integers:
    """Labels from 0, the largest set first; of equal ones that of the first name."""
    frame = pl.DataFrame({"label": labels, "name": names})
    order = frame.group_by("label").agg(pl.len(), pl.col("name").min()).sort("len", "name", descending=[True, False])
    numbers: Integers = (
        frame["label"]
        .replace_strict({label: k for k, label in enumerate(order["label"])}, return_dtype=pl.Int64)
        .to_numpy()
    )
    return numbers


def _to_sets(matrix: Floats, own: Integers) -> tuple[Floats, Floats]:
    """Mean similarity of each industry to each set, without itself; and the sizes of the sets."""
    member = np.zeros((len(own), own.max() + 1))
    member[np.arange(len(own)), own] = 1.0
    size = member.sum(axis=0)
    others = size - member
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(others > 0, (matrix @ member) / others, np.nan), size


def _shares(matrix: Floats, own: Integers) -> Floats:
    """The four shares of `industry_sets`."""
    mean, size = _to_sets(matrix, own)
    rows = np.arange(len(own))
    member = np.zeros_like(mean)
    member[rows, own] = 1.0
    inside = mean[rows, own]
    elsewhere = np.where(member > 0, np.nan, mean)
    between = (member.T @ np.where(np.isnan(mean), 0.0, mean)) / size[:, None]
    np.fill_diagonal(between, np.nan)
    alone = size == 1
    within = np.where(alone, np.nan, np.bincount(own, np.nan_to_num(inside)) / size)
    out = []
    for value, other in ((within, between), (inside, elsewhere)):
        for limit in (np.nanmean(other, axis=1), np.nanpercentile(other, _HIGH, axis=1)):
            with np.errstate(invalid="ignore"):
                out.append((value > limit).mean())
    return np.array(out)


def _told(joint: Floats, own: Integers, names: list[Any], industry: str) -> pl.DataFrame:
    mean, _ = _to_sets(joint - np.diag(np.diag(joint)), own)
    rows = np.arange(len(own))
    within = mean[rows, own].copy()
    mean[rows, own] = -np.inf
    nearest = mean.argmax(axis=1)
    frame = pl.DataFrame(
        {
            industry: names,
            "set": own + 1,
            "within": pl.Series(within, nan_to_null=True),
            "nearest_set": nearest + 1,
            "nearest": mean[rows, nearest],
        }
    )
    marginal = pl.col("within").is_null() | (pl.col("nearest") > pl.col("within"))
    return frame.with_columns(marginal=marginal).sort("set", industry)
