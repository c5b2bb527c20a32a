"""Occupancy of carriers 载体占用: how much is let, how long what is vacant has been, who the tenants are.

Records are incomplete and age. What is not on record, or too old to speak of today, widens the range from "none of it is
let" to "all of it is"; it never becomes a guess. Nothing here reads files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from jiqun.assess.carriers import CarrierTree, carrier_tree, dated
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.remarks import Remark

MAX_AGE_DAYS = 365
"""Older records say nothing of today. Our choice."""
LEAST_DECIDED = 0.5
"""A share is given where at least so much of the area is decided; otherwise the range alone."""
DAYS_A_MONTH = 30.4375
_NOT_LET = ("vacant", "reserved", "works")
_SLACK = 1e-9
_SHOWN = 5
_ROUND = 1e-9
_TAIL = 0.025
_Z = float(norm.ppf(1 - _TAIL))
_FEWEST_SPELLS = 6


@dataclass(frozen=True)
class Occupancy:
    """What `occupancy` found; see there."""

    nodes: pl.DataFrame
    """id, state, age_days, total_m2, let_m2, open_m2, vacant_m2, reserved_m2, works_m2; a row a carrier, what is in it counted."""
    parks: pl.DataFrame
    """A row a topmost carrier; see `occupancy`."""
    kinds: pl.DataFrame
    """kind and the columns of area of `parks`, over rows without children: what the records are kept by."""
    spells: pl.DataFrame
    """park_id, carrier, days, ended: how long a unit was vacant; not ended: it still is."""
    as_of: date
    max_age_days: int
    remarks: tuple[Remark, ...]


def occupancy(carriers: Any, *, as_of: date, spoken: date | None = None, max_age_days: int = MAX_AGE_DAYS) -> Occupancy:
    """Share of the area that is let, by park and by kind, with its range 占用率.

    Of a carrier without children: let_m2 where it is given, else all of its area where the status is `let` or a tenant is
    named, none where the status is vacant, reserved or works; otherwise it is *open*. Also open: a record older than
    `max_age_days`, and a lease that ended before `as_of` with nothing newer said. Of one with children: theirs, and what its
    own area exceeds their sum by is open; a let_m2 of its own, not too old and within that range, closes it.

        share = let / (total − open)        range = let / total … (let + open) / total

    Parameters
    ----------
    carriers
        Any dataframe, as for `carrier_tree`, or a tree that was made of one.
    as_of
        The day that is asked about.
    spoken
        The day that rows without one of their own speak of; default `as_of`.
    max_age_days
        365 by default, our choice.

    Returns
    -------
    `Occupancy`. `parks` has id, name, kind, region_code, city, lon, lat, carriers (all below), units (those without
    children), units_vacant, tenants, total_m2, let_m2, open_m2, vacant_m2, reserved_m2, works_m2, share (null where less
    than half of the area is decided), low, high (null where no area is known), no_area (units without one), oldest, newest
    (days that records speak of), stale (units whose record is too old), median_days, median_low, median_high, spells, ended.

    `median_days` is the Kaplan–Meier median of how long units were vacant: units that still are count as censored 删失. Null
    where half have not ended within what was seen. The interval (95 %, log–log Greenwood) is null on the side that the
    records do not reach.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-119: `max_age_days` below 1.

    Notes
    -----
    Vacancies seen at one moment are longer than vacancies in general, since long ones are likelier to be met; ended ones are
    known only where a let unit's record still says since when it had been vacant. Source: Kaplan and Meier (1958), JASA
    53(282), 457–481; Brookmeyer and Crowley (1982), Biometrics 38(1), 29–41.

    Examples
    --------
    >>> rows = pl.DataFrame({"name": ["P", "1", "2", "3"], "kind": ["park", "unit", "unit", "unit"],
    ...     "parent": [None, "P", "P", "P"], "area_m2": [400.0, 100, 200, 100], "status": [None, "let", "vacant", None]})
    >>> occupancy(rows, as_of=date(2024, 5, 1)).parks.select("share", "low", "high").rows()
    [(0.3333333333333333, 0.25, 0.5)]
    """
    if max_age_days < 1:
        raise MeasureInputError("JQ-ASSESS-119", what="max_age_days", value=max_age_days, expected=">= 1")
    tree = carriers if isinstance(carriers, CarrierTree) else carrier_tree(carriers)
    nodes = tree.nodes
    days = dated(nodes, spoken or as_of)
    age = pl.select((pl.lit(as_of) - days).dt.total_days()).to_series().to_numpy()
    stale = age > max_age_days
    leaf = (nodes["children"] == 0).to_numpy()
    state = _states(nodes, as_of, stale, leaf)
    area = nodes["area_m2"].to_numpy().astype(np.float64)
    told = nodes["let_m2"].to_numpy().astype(np.float64)
    told[stale] = np.nan
    rolled, contradicting = _rolled(tree, area, told, state, leaf)
    held = pl.DataFrame({"id": nodes["id"], "state": state.tolist(), "age_days": age, **rolled}).with_columns(
        pl.col("state").cast(pl.String)
    )
    spells = _spells(nodes, state, days)
    parks = _parks(tree, held, days, leaf, stale, spells)
    kinds = (
        held.with_columns(kind=nodes["kind"])
        .filter(pl.Series(leaf))
        .group_by("kind")
        .agg(units=pl.len(), no_area=(pl.col("total_m2") == 0).sum(), **{c: pl.col(c).sum() for c in _AREAS})
        .with_columns(**area_shares())
        .sort("kind")
    )
    names = nodes["path"].filter(pl.Series(contradicting))
    told_names = ", ".join(names.head(_SHOWN)) + (" …" if len(names) > _SHOWN else "")
    extra = [Remark.of("JQ-ASSESS-118", count=len(names), names=told_names)] if len(names) else []
    return Occupancy(held, parks, kinds, spells, as_of, max_age_days, (*tree.remarks, *extra))


_AREAS = ("total_m2", "let_m2", "open_m2", "vacant_m2", "reserved_m2", "works_m2")


def area_shares() -> dict[str, pl.Expr]:
    """share, low, high of areas added up, as `occupancy` has them: expressions over total_m2, let_m2, open_m2 入驻率.

    Examples
    --------
    >>> rows = pl.DataFrame({"total_m2": [100.0, 100.0], "let_m2": [30.0, 30.0], "open_m2": [40.0, 60.0]})
    >>> rows.select(**area_shares()).rows()
    [(0.5, 0.3, 0.7), (None, 0.3, 0.9)]
    """
    total, let, open_ = (pl.col(name) for name in _AREAS[:3])
    decided = total - open_
    some = pl.when(total > 0)
    share = pl.when((total > 0) & (decided >= LEAST_DECIDED * total - _ROUND)).then(let / decided)
    return {
        "share": pl.when(decided > _ROUND).then(share),
        "low": some.then(let / total),
        "high": some.then(pl.min_horizontal((let + open_) / total, 1.0)),
    }


def _states(nodes: pl.DataFrame, as_of: date, stale: Any, leaf: Any) -> Any:
    """let, vacant, reserved, works, open; or `lapsed` (a lease that is over) and `stale`, which are open too."""
    tenant = pl.col("tenant").is_not_null() | pl.col("tenant_uscc").is_not_null()
    said = (
        pl.when(pl.col("status").is_not_null())
        .then("status")
        .when(tenant)
        .then(pl.lit("let"))
        .otherwise(pl.lit("open"))
    )
    lapsed = (said == "let") & (pl.col("let_to") < as_of).fill_null(value=False)
    state: Any = nodes.select(pl.when(lapsed).then(pl.lit("lapsed")).otherwise(said)).to_series().to_numpy()
    state = state.astype(object)
    state[stale & leaf] = "stale"
    return state


def _rolled(tree: CarrierTree, area: Floats, told: Floats, state: Any, leaf: Any) -> tuple[dict[str, Floats], Any]:
    """Areas of each carrier with what is in it, from the bottom up; and where a carrier contradicts its parts."""
    n = area.size
    known = np.nan_to_num(area)
    out = {name: np.zeros(n) for name in _AREAS}
    total, let, open_ = (out[name] for name in _AREAS[:3])
    total[leaf] = known[leaf]
    given = leaf & np.isfinite(told) & ~np.isin(state, ["stale", "lapsed"])
    share_let = np.where(state == "let", 1.0, 0.0)
    let[leaf] = (known * share_let)[leaf]
    let[given] = np.minimum(told[given], known[given])
    undecided = leaf & ~given & np.isin(state, ["open", "lapsed", "stale"])
    open_[undecided] = known[undecided]
    for name, status in zip(_AREAS[3:], _NOT_LET, strict=True):
        rest = np.where(given, known - let, known)
        out[name][:] = np.where(leaf & (state == status), rest, 0.0)
    # of what is let in part the rest is vacant, unless the status says otherwise
    partly = given & ~np.isin(state, ["reserved", "works"])
    out["vacant_m2"][partly] = (known - let)[partly]
    contradicting = np.zeros(n, bool)
    depth = tree.nodes["depth"].to_numpy()
    for level in range(int(depth.max(initial=0)), -1, -1):
        rows = np.flatnonzero((depth == level) & ~leaf)
        if rows.size:
            _close(rows, out, area, told, contradicting)
        rows = np.flatnonzero((depth == level) & (tree.parent >= 0))
        for values in out.values():
            np.add.at(values, tree.parent[rows], values[rows])
    return out, contradicting


def _close(rows: Integers, out: dict[str, Floats], area: Floats, told: Floats, contradicting: Any) -> None:
    """Carriers whose parts are added up: the rest of their own area is open, and their own let area may close it."""
    total, let, open_ = (out[name] for name in _AREAS[:3])
    rest = np.maximum(np.nan_to_num(area[rows]) - total[rows], 0.0)
    total[rows] += rest
    open_[rows] += rest
    own = told[rows]
    room = _SLACK * (1 + total[rows])
    fits = np.isfinite(own) & (own >= let[rows] - room) & (own <= let[rows] + open_[rows] + room)
    contradicting[rows] = np.isfinite(own) & ~fits
    closed = rows[fits & (open_[rows] > 0)]
    if closed.size:
        more = told[closed] - let[closed]
        out["vacant_m2"][closed] += open_[closed] - more
        let[closed] = told[closed]
        open_[closed] = 0.0


def _spells(nodes: pl.DataFrame, state: Any, days: pl.Series) -> pl.DataFrame:
    """How long units were vacant: up to the day they were let, or up to the day of their record if they still are."""
    end = (
        pl.when(pl.col("state") == "vacant").then("day").when(pl.col("state").is_in(["let", "lapsed"])).then("let_from")
    )
    rows = nodes.select("park_id", "id", "vacant_since", "let_from", "children").with_columns(
        state=pl.Series(state.tolist(), dtype=pl.String), day=days
    )
    rows = rows.filter(pl.col("children") == 0).with_columns(days=(end - pl.col("vacant_since")).dt.total_days())
    rows = rows.filter(pl.col("days") >= 0)
    return rows.select("park_id", "days", carrier="id", ended=pl.col("state") != "vacant").select(
        "park_id", "carrier", "days", "ended"
    )


def median_vacancy(days: Floats, ended: Any) -> tuple[float | None, float | None, float | None]:
    """Kaplan–Meier median of durations of vacancy with its 95 % interval 空置时长中位数; None where it is not reached.

        S(t) = Π_{t_i ≤ t} (1 − d_i / r_i),   limits S^exp(± 1.96 √V / ln S),   V = Σ d_i / (r_i (r_i − d_i))

    The median is the first day at which S is at most one half; its interval is that of the days at which the limits (log–log,
    Greenwood) hold one half. Where S is 0 its upper limit is 1 − 0.025^(1/r), of r that were at risk (Clopper and Pearson);
    for the same reason there is no interval with fewer than six durations.

    Examples
    --------
    >>> median_vacancy(np.array([10.0, 20, 30, 40]), np.array([True, True, True, False]))
    (20.0, None, None)
    >>> median_vacancy(np.array([10.0, 20]), np.array([False, False]))
    (None, None, None)
    """
    if not ended.any():
        return None, None, None
    times, events = np.unique(days[ended], return_counts=True)
    risk = days.size - np.searchsorted(np.sort(days), times)
    curve: Floats = np.cumprod(1 - events / risk, dtype=np.float64)
    some = curve > _ROUND
    spread = np.sqrt(np.cumsum(events / (risk * np.maximum(risk - events, 1))))
    log = np.log(np.where(some, curve, 0.5))
    low: Floats = np.where(some, curve ** np.exp(-_Z * spread / log), 0.0)
    high: Floats = np.where(some, curve ** np.exp(_Z * spread / log), 1 - (_TAIL ** (1 / risk)))

    def first(values: Floats) -> float | None:
        at = np.flatnonzero(values <= 0.5 + _ROUND)
        return float(times[at[0]]) if at.size else None

    if days.size < _FEWEST_SPELLS:
        return first(curve), None, None
    return first(curve), first(low), first(high)


def _parks(
    tree: CarrierTree, held: pl.DataFrame, days: pl.Series, leaf: Any, stale: Any, spells: pl.DataFrame
) -> pl.DataFrame:
    nodes = tree.nodes.select(
        "id", "park_id", "tenant", "tenant_uscc", "area_m2", day=days, leaf=pl.Series(leaf), old=pl.Series(stale & leaf),
        state=held["state"],
    )  # fmt: skip
    counts = nodes.group_by("park_id").agg(
        carriers=pl.len() - 1,
        units=pl.col("leaf").sum(),
        units_vacant=(pl.col("leaf") & (pl.col("state") == "vacant")).sum(),
        tenants=pl.coalesce("tenant_uscc", "tenant").filter(pl.col("state") == "let").drop_nulls().n_unique(),
        no_area=(pl.col("leaf") & (pl.col("area_m2").fill_null(0) == 0)).sum(),
        oldest=pl.col("day").min(),
        newest=pl.col("day").max(),
        stale=pl.col("old").sum(),
    )
    medians = [
        (key[0], *median_vacancy(part["days"].to_numpy().astype(np.float64), part["ended"].to_numpy()), part.height, int(part["ended"].sum()))
        for key, part in spells.partition_by("park_id", as_dict=True).items()
    ]  # fmt: skip
    named = ("median_days", "median_low", "median_high")
    schema = {"park_id": pl.String, **dict.fromkeys(named, pl.Float64), "spells": pl.Int64, "ended": pl.Int64}
    lasting = pl.DataFrame(medians, schema=schema, orient="row")
    tops = tree.parks.select("id", "name", "kind", "region_code", "city", "lon", "lat")
    tops = tops.join(held.select("id", *_AREAS), on="id", maintain_order="left").with_columns(**area_shares())
    tops = tops.join(counts, left_on="id", right_on="park_id", how="left", maintain_order="left")
    tops = tops.join(lasting, left_on="id", right_on="park_id", how="left", maintain_order="left")
    whole = [name for name, kind in tops.schema.items() if kind.is_integer()]
    return tops.with_columns(pl.col(name).cast(pl.Int64).fill_null(0) for name in whole)
