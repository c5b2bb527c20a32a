"""Which industries go together, and what that says of regions 产业关联性与经济复杂度.

Input is a table of region × industry cells of one year and one classification edition. What a region *has* are the
industries with a location quotient of at least 1. Nothing here reads files or draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from jiqun.atlas.measures import checked_cells
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.core.frames import as_polars

Method = Literal["association", "cosine", "jaccard", "probability", "proximity"]
_DENSE = 60
"""Sides up to this many are solved whole."""
_SAME = 1e-9
"""Eigenvalues nearer than this are not told apart."""
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Presence:
    """Which region has which industry 显性优势矩阵: `has[r, i]` is 1.0 or 0.0; names are sorted."""

    regions: pl.Series
    industries: pl.Series
    has: Floats


@dataclass(frozen=True)
class Complexity:
    """Economic complexity of regions and industries; see `complexity`."""

    regions: pl.DataFrame
    """region, diversity (industries it has), eci; sorted by region."""
    industries: pl.DataFrame
    """industry, ubiquity (regions that have it), pci; sorted by industry."""
    eigenvalues: tuple[float, float]
    """The second and third; where they lie near each other the ranking is fragile."""
    left_out: tuple[str, ...]
    """Regions and industries with nothing at or above the threshold."""


def presence(
    cells: Any,
    *,
    region: str = "region",
    industry: str = "industry",
    size: str | None = "employees",
    threshold: float = 1.0,
) -> Presence:
    """Which region has which industry 显性优势: a location quotient of at least `threshold`.

    Parameters and errors as in `location_quotient`. Regions and industries with no size are not there. The functions below
    take the answer in place of cells, so that it need not be found again.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": ["A", "A", "B"], "industry": ["x", "y", "y"], "employees": [5, 5, 10]})
    >>> presence(cells).has.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if isinstance(cells, Presence):
        return cells
    rows, value = checked_cells(cells, region, industry, size)
    held = as_polars(rows.to_native(), region, industry, value).filter(pl.col(value) > 0)
    regions, industries = (held[name].unique().sort() for name in (region, industry))
    at = [_places(held[name], names) for name, names in ((region, regions), (industry, industries))]
    shape = len(regions), len(industries)
    flat = np.bincount(np.ravel_multi_index(at, shape), held[value].cast(pl.Float64).to_numpy(), shape[0] * shape[1])
    e = flat.reshape(shape)
    # e · total ≥ threshold · row · column: no division, so that 1 is 1
    has = (e > 0) & (e * e.sum() >= threshold * np.outer(e.sum(axis=1), e.sum(axis=0)))
    return Presence(regions, industries, has.astype(np.float64))


def _places(values: pl.Series, names: pl.Series) -> Integers:
    """Where each value stands among the names."""
    places = pl.DataFrame({"name": names, "at": np.arange(len(names))})
    found: Integers = (
        values.to_frame("name").join(places, on="name", how="left", maintain_order="left")["at"].to_numpy()
    )
    return found


def relatedness(
    cells: Any,
    *,
    region: str = "region",
    industry: str = "industry",
    size: str | None = "employees",
    method: Method = "association",
) -> pl.DataFrame:
    """Relatedness of every two industries by the regions that have both 产业关联度.

    With c[i, j] the regions that have both (c[i, i] = 0), s_i = Σ_j c[i, j], T = Σ s and k_i the regions that have i:

        association    c T / (s_i s_j)
        cosine         c / √(s_i s_j)
        jaccard        c / (s_i + s_j − c)
        probability    c / (T/2 · (s_i/T · s_j/(T − s_i) + s_j/T · s_i/(T − s_j)))
        proximity      c / max(k_i, k_j)

    Parameters
    ----------
    cells, region, industry, size
        As in `location_quotient`.

    Returns
    -------
    Polars frame, one row a pair with i < j that shares a region, sorted: industry_i, industry_j, shared (regions),
    relatedness (dimensionless; association and probability: 1 is chance, the others 0 to 1). Pairs that share none are
    absent: 0.

    Raises
    ------
    UsageError
        JQ-USE-001: no such method.
    MeasureInputError
        As in `location_quotient`.

    Notes
    -----
    Sources: van Eck and Waltman (2009), Journal of the American Society for Information Science and Technology 60(8),
    1635–1651, for all but the last; Hidalgo et al. (2007), Science 317, 482–487, for `proximity`.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": list("AABBCC"), "industry": list("xyxyzz"), "employees": [1] * 6})
    >>> relatedness(cells, method="proximity").rows()
    [('x', 'y', 2, 1.0)]
    """
    has = presence(cells, region=region, industry=industry, size=size)
    shared, phi = _relatedness(has.has, method)
    i, j = np.nonzero(np.triu(shared, 1))
    return pl.DataFrame(
        {
            f"{industry}_i": has.industries.gather(i),
            f"{industry}_j": has.industries.gather(j),
            "shared": shared[i, j].astype(np.int64),
            "relatedness": phi[i, j],
        }
    )


def relatedness_density(
    cells: Any,
    *,
    region: str = "region",
    industry: str = "industry",
    size: str | None = "employees",
    method: Method = "association",
) -> pl.DataFrame:
    """How much of what is related to an industry a region already has 关联密度.

        ω[r, i] = Σ_{j ≠ i} φ[i, j] M[r, j] / Σ_{j ≠ i} φ[i, j]

    Parameters as in `relatedness`.

    Returns
    -------
    Polars frame, one row for every region and industry, sorted: region, industry, has (boolean), density (0 to 1; null
    where nothing is related to the industry).

    Source: Hidalgo et al. (2007), Science 317, 482–487; Balland et al. (2019), Regional Studies 53(9), 1252–1268.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": list("AABBC"), "industry": list("xyxyy"), "employees": [4, 1, 4, 1, 9]})
    >>> relatedness_density(cells).filter(region="C")["density"].to_list()
    [None, None]
    """
    found = presence(cells, region=region, industry=industry, size=size)
    density = _density(found.has, _relatedness(found.has, method)[1])
    regions, industries = found.has.shape
    return pl.DataFrame(
        {
            region: found.regions.gather(np.repeat(np.arange(regions), industries)),
            industry: found.industries.gather(np.tile(np.arange(industries), regions)),
            "has": found.has.ravel() > 0,
            "density": pl.Series(density.ravel(), nan_to_null=True),
        }
    )


def complexity(
    cells: Any, *, region: str = "region", industry: str = "industry", size: str | None = "employees"
) -> Complexity:
    """Economic complexity of regions (ECI) and industries (PCI) 经济复杂度.

        M̃ = D⁻¹ M U⁻¹ Mᵀ      D: diversity of regions, U: ubiquity of industries

    ECI is the eigenvector of M̃'s second largest eigenvalue, PCI that of U⁻¹ Mᵀ D⁻¹ M, each with mean 0 and standard
    deviation 1. Both come from one symmetric problem on the smaller side, D^(−1/2) M U⁻¹ Mᵀ D^(−1/2), which has the same
    eigenvalues. The sign is that in which ECI rises with diversity (where it correlates with nothing: in which PCI falls
    with ubiquity).

    Parameters as in `location_quotient`.

    Returns
    -------
    `Complexity`. Regions and industries with nothing at LQ ≥ 1 are left out and named.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-024: the table is too small, or falls into parts that share nothing (second eigenvalue 1), or the second
        eigenvalue cannot be told from the third: the index would be arbitrary. Errors of `location_quotient`.

    Notes
    -----
    Sources: Hidalgo and Hausmann (2009), PNAS 106(26), 10570–10575; Mealy, Farmer and Teytelboym (2019), Science Advances 5.

    Examples
    --------
    >>> rows = [(r, i) for r, many in zip("ABCD", (4, 3, 2, 1)) for i in "wxyz"[:many]]
    >>> cells = pl.DataFrame(rows, schema=["region", "industry"], orient="row")
    >>> complexity(cells, size=None).regions["region"].to_list()
    ['A', 'B', 'C', 'D']
    """
    found = presence(cells, region=region, industry=industry, size=size)
    eci, pci, values = _complexity(found.has)
    diversity, ubiquity = found.has.sum(axis=1), found.has.sum(axis=0)
    regions = pl.DataFrame(
        {region: found.regions, "diversity": diversity.astype(np.int64), "eci": pl.Series(eci, nan_to_null=True)}
    )
    industries = pl.DataFrame(
        {industry: found.industries, "ubiquity": ubiquity.astype(np.int64), "pci": pl.Series(pci, nan_to_null=True)}
    )
    out = [
        *regions.filter(pl.col("eci").is_null())[region].cast(pl.String),
        *industries.filter(pl.col("pci").is_null())[industry].cast(pl.String),
    ]
    return Complexity(regions.drop_nulls("eci"), industries.drop_nulls("pci"), values, tuple(out))


def _relatedness(has: Floats, method: str) -> tuple[Floats, Floats]:
    """Shared regions and relatedness of every two industries; both with a diagonal of 0."""
    if method not in get_args(Method):
        raise UsageError("JQ-USE-001", what="method", value=method, known=", ".join(get_args(Method)))
    narrow = has.astype(np.float32)
    shared = (narrow.T @ narrow).astype(np.float64)  # counts below 2²⁴ are exact
    held = np.diagonal(shared).copy()
    np.fill_diagonal(shared, 0.0)
    s = shared.sum(axis=1)
    total = s.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "proximity":
            phi = shared / np.maximum.outer(held, held)
        elif method == "cosine":
            phi = shared / np.sqrt(np.outer(s, s))
        elif method == "jaccard":
            phi = shared / (np.add.outer(s, s) - shared)
        elif method == "association":
            phi = shared * (total / np.outer(s, s))
        else:
            one = np.outer(s / (total - s), s)
            phi = 2 * shared / (one + one.T)
    return shared, np.where(shared > 0, phi, 0.0)


def _density(has: Floats, phi: Floats) -> Floats:
    """Density of every region around every industry; NaN where nothing is related to it."""
    related = phi.sum(axis=0)
    around: Floats = has @ phi
    density = np.full(around.shape, np.nan)
    np.divide(around, related, out=density, where=related > 0)
    return density


def _complexity(has: Floats) -> tuple[Floats, Floats, tuple[float, float]]:
    """ECI, PCI (NaN where left out) and the second and third eigenvalue."""
    some_regions, some_industries = has.any(axis=1), has.any(axis=0)
    m = has[some_regions][:, some_industries]
    if min(m.shape) < 3:
        raise MeasureInputError("JQ-ATLAS-024", reason=f"{m.shape[0]} × {m.shape[1]}")
    diversity, ubiquity = m.sum(axis=1), m.sum(axis=0)
    half = m / np.sqrt(diversity)[:, None] / np.sqrt(ubiquity)
    wide = m.shape[0] <= m.shape[1]
    symmetric = half @ half.T if wide else half.T @ half
    values, vectors = _largest(symmetric)
    second, third = float(values[1]), float(values[2])
    if second > 1 - _SAME or second - third < _SAME or second < _SAME:
        raise MeasureInputError("JQ-ATLAS-024", reason=f"λ₂ = {second:.9g}, λ₃ = {third:.9g}")
    first_side = vectors[:, 1]
    other = (half.T if wide else half) @ first_side
    by_region, by_industry = (first_side, other) if wide else (other, first_side)
    eci = _standard(by_region / np.sqrt(diversity))
    pci = _standard(by_industry / np.sqrt(ubiquity))
    slope = float(eci @ (diversity - diversity.mean()))
    if abs(slope) <= _SAME * max(1.0, float(diversity.sum())):
        slope = -float(pci @ (ubiquity - ubiquity.mean()))
    sign = -1.0 if slope < 0 else 1.0
    out_regions, out_industries = np.full(len(has), np.nan), np.full(has.shape[1], np.nan)
    out_regions[some_regions], out_industries[some_industries] = sign * eci, sign * pci
    return out_regions, out_industries, (second, third)


def _largest(symmetric: Floats) -> tuple[Floats, Floats]:
    """The three largest eigenvalues, falling, and their vectors as columns."""
    n = len(symmetric)
    if n > _DENSE:
        start = np.linspace(1.0, 2.0, n)  # ARPACK's own is random
        try:
            values, vectors = eigsh(symmetric, k=3, which="LA", v0=start, tol=_TOLERANCE)
        except ArpackNoConvergence:
            values, vectors = eigh(symmetric, subset_by_index=(n - 3, n - 1))
    else:
        values, vectors = eigh(symmetric, subset_by_index=(n - 3, n - 1))
    order = np.argsort(values)[::-1]
    return values[order], vectors[:, order]


def _standard(values: Floats) -> Floats:
    centred = values - values.mean()
    standard: Floats = centred / centred.std()
    return standard
