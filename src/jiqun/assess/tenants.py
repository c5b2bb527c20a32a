"""Tenants of parks 入驻企业: whether they belong together, what titles they hold, what they make on their area.

Input is a tree of carriers, which organisation each tenant is (`jiqun.assess.carriers.match_tenants`), and what is known
of organisations. What is not known stays open: it widens a range or is left out of a mean, and is counted. Nothing here
reads files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy.stats import hypergeom

from jiqun.assess.carriers import CarrierTree
from jiqun.assess.vacancy import Occupancy
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

TITLES = {
    "above_scale": r"规上|规模以上|(?i:above[ -]?scale)",
    "high_tech": r"高新|(?i:high[ -]?tech)",
    "sri": r"专精特新|小巨人|(?i:\bSRDI\b|\bSRI\b|little giant)",
}
"""Titles of firms 企业称号 and the words that state them."""
FEWEST_TENANTS = 3
"""Fewer tenants of known class make no relatedness."""
FEWEST_FIRMS = 30
"""Fewer firms of known class in a city make no pool: all firms are drawn from then."""
_HELD = ("let", "lapsed", "stale", "open")
_CITY_DIGITS = 4
_SAME = 1e-12


def tenants_of(tree: CarrierTree, found: Occupancy, matched: pl.DataFrame) -> pl.DataFrame:
    """Who rents what 入驻清单: a row for each park and tenant that holds a unit now.

    Vacant units' former tenants are left out. Returns park_id, key (the organisation's id, else the name), organisation,
    tenant, by, units, area_m2 (null: none of its units has one), titles (null: not on record).
    """
    state = tree.nodes.select(carrier="id", park_id="park_id", area_m2="area_m2", titles="tenant_titles")
    state = state.with_columns(state=found.nodes["state"])
    rows = matched.join(state, on="carrier", how="left").filter(pl.col("state").is_in(_HELD))
    rows = rows.with_columns(key=pl.coalesce("organisation", "tenant"))
    return (
        rows.group_by("park_id", "key", maintain_order=True)
        .agg(
            pl.col("organisation").first(),
            pl.col("tenant").first(),
            pl.col("by").first(),
            units=pl.len().cast(pl.Int64),
            area_m2=pl.when(pl.col("area_m2").count() > 0).then(pl.col("area_m2").sum()),
            titles=pl.when(pl.col("titles").count() > 0).then(
                pl.col("titles").drop_nulls().unique().sort().str.join(";")
            ),
        )
        .sort("park_id", "area_m2", "key", descending=[False, True, False], nulls_last=True)
    )


def titled(tenants: pl.DataFrame) -> pl.DataFrame:
    """Share of tenants with a title 称号企业占比: 规上 above scale, 高新 high-tech, 专精特新 (with 小巨人) sri.

    Returns
    -------
    park_id, title, tenants, known (those with anything on record, were it that they have none), titled, share (of the
    known; null: none known), low, high (the open ones have none, or all have one), p: how likely so few titled tenants, or
    fewer, are if the titles of all parks' known tenants were dealt at random (hypergeometric, one-sided); null where no
    other park has any on record.

    Examples
    --------
    >>> rows = pl.DataFrame({"park_id": ["a"] * 3, "titles": ["高新;规上", "无", None]})
    >>> titled(rows).filter(title="high_tech").select("known", "titled", "share", "low", "high").row(0)
    (2, 1, 0.5, 0.3333333333333333, 0.6666666666666666)
    """
    parts = []
    for title, words in TITLES.items():
        has = pl.col("titles").str.contains(words)
        counts = tenants.group_by("park_id").agg(
            tenants=pl.len().cast(pl.Int64),
            known=pl.col("titles").is_not_null().sum().cast(pl.Int64),
            titled=has.sum().cast(pl.Int64),
        )
        known, won = counts["known"].to_numpy(), counts["titled"].to_numpy()
        others = known.sum() - known > 0
        p = np.where(others & (known > 0), hypergeom.cdf(won, known.sum(), won.sum(), known), np.nan)
        parts.append(counts.with_columns(title=pl.lit(title), p=pl.Series(p, nan_to_null=True, dtype=pl.Float64)))
    rows = pl.concat(parts)
    on_record, with_it, everyone = (pl.col(name) for name in ("known", "titled", "tenants"))
    return rows.select(
        "park_id", "title", "tenants", "known", "titled",
        share=pl.when(on_record > 0).then(with_it / on_record), low=with_it / everyone, high=(with_it + everyone - on_record) / everyone, p="p",
    ).sort("park_id", "title")  # fmt: skip


def output_per_area(tenants: pl.DataFrame, organisations: Any) -> pl.DataFrame:
    """Revenue of tenants on the area that they rent 单位面积产出, where both are known.

    A firm's revenue counts by the share of its rented area that lies in the park, since a firm with units in two parks
    earns it once. It is the firm's whole revenue, also what it earns elsewhere: an upper bound of what the park makes.

    Returns
    -------
    park_id, tenants, counted (those with revenue and area), area_m2, revenue_cny, cny_m2 (null: none counted).
    """
    firms = as_polars(organisations, "id")
    if "revenue_cny" not in firms.columns:
        firms = firms.with_columns(revenue_cny=pl.lit(None, pl.Float64))
    rows = tenants.join(firms.select(organisation="id", revenue="revenue_cny"), on="organisation", how="left")
    here = pl.col("area_m2") / pl.col("area_m2").sum().over("key")
    both = pl.col("revenue").is_not_null() & (pl.col("area_m2") > 0).fill_null(value=False)
    rows = rows.with_columns(share=pl.when(both).then(here), both=both)
    out = rows.group_by("park_id").agg(
        tenants=pl.len().cast(pl.Int64),
        counted=pl.col("both").sum().cast(pl.Int64),
        area_m2=pl.col("area_m2").filter("both").sum(),
        revenue_cny=(pl.col("revenue") * pl.col("share")).filter("both").sum(),
    )
    some = pl.col("area_m2") > 0
    return out.with_columns(
        revenue_cny=pl.when(some).then("revenue_cny"),
        cny_m2=pl.when(some).then(pl.col("revenue_cny") / pl.col("area_m2")),
    ).sort("park_id")


def tenant_relatedness(
    tenants: pl.DataFrame,
    firms: Any,
    related: Any,
    parks: Any,
    *,
    draws: int = 999,
    seed: int = 20240501,
) -> pl.DataFrame:
    """How related the tenants of a park are, against random firms of its city 入驻企业关联度.

        R = Σ_{a < b} φ[c(a), c(b)] / (k (k − 1) / 2),   φ[c, c] = 1

    over pairs of the park's k tenants of known class. The null draws k firms without replacement from those of the city, so
    that both margins stay: as many tenants, and of each class no more than there are.

    Parameters
    ----------
    tenants
        park_id, organisation, as `tenants_of` gives them.
    firms
        id, class (null: not known), region_code (first four digits: the city), any dataframe.
    related
        class_i, class_j, relatedness between 0 and 1 (`jiqun.atlas.relatedness`, method `proximity`); pairs that are absent
        have 0.
    parks
        id, region_code.

    Returns
    -------
    park_id, tenants, classed (k), pool (firms drawn from), pool_of (city, or all where the city has fewer than 30), mean
    (R), expected (mean of the draws), low, high (95 % of the draws), p: share of draws, with the tenants themselves, in which
    random firms are related no more than these. Small: less related than chance. All null where k < 3 or nothing is related.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-119: draws below 99. JQ-USE-003: a column is missing.
    """
    if draws < 99:
        raise MeasureInputError("JQ-ASSESS-119", what="draws", value=draws, expected=">= 99")
    known = as_polars(firms, "id", "class", "region_code").filter(pl.col("class").is_not_null())
    phi_rows = as_polars(related, "class_i", "class_j", "relatedness")
    classes = known["class"].unique().sort()
    phi = _matrix(phi_rows, classes)
    code = known.select(
        "id",
        at=known["class"].cast(pl.Enum(classes)).to_physical().cast(pl.Int64),
        city=pl.col("region_code").str.head(_CITY_DIGITS),
    )
    where = as_polars(parks, "id", "region_code").select(
        park_id="id", city=pl.col("region_code").str.head(_CITY_DIGITS)
    )
    held = tenants.join(code.select("id", "at"), left_on="organisation", right_on="id", how="left")
    everywhere = np.bincount(code["at"].to_numpy(), minlength=len(classes))
    cities = {key[0]: part["at"].to_numpy() for key, part in code.partition_by("city", as_dict=True).items()}
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for (park,), part in held.partition_by("park_id", as_dict=True, maintain_order=True).items():
        city = where.filter(pl.col("park_id") == park)["city"]
        own = cities.get(city[0]) if len(city) and city[0] is not None else None
        near = own is not None and own.size >= FEWEST_FIRMS
        pool = np.bincount(own, minlength=len(classes)) if near and own is not None else everywhere
        at = part["at"].drop_nulls().to_numpy()
        counts = np.bincount(at, minlength=len(classes))
        measured = _measured(counts, pool, phi, phi_rows.height, draws, rng)
        rows.append((park, part.height, int(at.size), int(pool.sum()), "city" if near else "all", *measured))
    floats = dict.fromkeys(("mean", "expected", "low", "high", "p"), pl.Float64)
    schema = {"park_id": pl.String, "tenants": pl.Int64, "classed": pl.Int64, "pool": pl.Int64, "pool_of": pl.String}
    return pl.DataFrame(rows, schema={**schema, **floats}, orient="row")


def _matrix(related: pl.DataFrame, classes: pl.Series) -> Floats:
    """Relatedness of every two classes, 1 with itself."""
    phi = np.eye(len(classes))
    at = pl.DataFrame({"class": classes, "at": np.arange(len(classes))})
    rows = related.join(at.rename({"class": "class_i", "at": "i"}), on="class_i")
    rows = rows.join(at.rename({"class": "class_j", "at": "j"}), on="class_j").filter(pl.col("i") != pl.col("j"))
    i, j, value = (rows[name].to_numpy() for name in ("i", "j", "relatedness"))
    phi[i, j] = phi[j, i] = value
    return phi


def _measured(
    counts: Any, pool: Any, phi: Floats, related: int, draws: int, rng: np.random.Generator
) -> tuple[float | None, ...]:
    k = int(counts.sum())
    if k < FEWEST_TENANTS or not related or pool.sum() < k:
        return (None,) * 5

    own = float(_mean(counts[None].astype(np.float64), phi, k)[0])
    null = _mean(rng.multivariate_hypergeometric(pool, k, size=draws).astype(np.float64), phi, k)
    low, high = np.quantile(null, [0.025, 0.975])
    p = (1 + int((null <= own + _SAME).sum())) / (draws + 1)
    return own, float(null.mean()), float(low), float(high), p


def _mean(counts: Floats, phi: Floats, k: int) -> Floats:
    """Mean relatedness of all pairs of k firms, of each row of counts by class."""
    found: Floats = (np.einsum("di,di->d", counts @ phi, counts) - k) / (k * (k - 1))
    return found
