"""Rated clusters under other boundaries 边界方案: the values that earlier searches with other settings give them."""

from __future__ import annotations

import polars as pl

from jiqun.assess.atlas_values import ATLAS_INDICATORS, Reading, atlas_value
from jiqun.assess.panel import Panel
from jiqun.atlas.reading import Run
from jiqun.store import StoredResult, Workspace

DRAWS_BOUNDARIES = (
    "background",
    "coverage",
    "eps_km",
    "min_weight",
    "floor",
    "alpha",
    "calibrate",
    "size",
    "shared_limit",
)
"""Settings of a search on which it depends where clusters end; others (draws, seed, persistence) only judge them."""


def boundaries(workspace: Workspace, found: Panel) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Values of the rated clusters under the alternative boundaries that the workspace has 边界方案.

    An alternative is an earlier search of the same class in the same register with other settings. A cluster's counterpart
    is that with which it shares most members. Only indicators computed from member rows follow the boundary.

    Returns
    -------
    Frames of unit and indicators by name of the boundary, as `uncertainty` takes them; and boundary, run, units (with a
    counterpart), of, used: a boundary under which a rated cluster has no counterpart, or an indicator no value, is not used.
    """
    schema = {"boundary": pl.String, "run": pl.String, "units": pl.Int64, "of": pl.Int64, "used": pl.Boolean}
    rows: list[tuple[str, str, int, int, bool]] = []
    frames: dict[str, pl.DataFrame] = {}
    if found.run is None or found.basis != "clusters":
        return frames, pl.DataFrame(schema=schema)
    atlas = set(found.coverage.filter(pl.col("origin") == "atlas")["code"])
    codes = [code for code in found.rated.codes if code in atlas and ATLAS_INDICATORS[code].by_rows]
    here = Reading(workspace, found.run)
    rated = found.units["unit"]
    for result in workspace.results(found.run.result.kind):
        other = Reading(workspace, Run.of(workspace, result))
        if result.id == found.run.id or other.register != here.register:
            continue
        name = _boundary_name(found.run.result, result)
        if not name or name in {row[0] for row in rows}:
            continue
        kin = _counterparts(here.members, other.members)
        frame = pl.DataFrame({"unit": rated}).join(kin, left_on="unit", right_on="cluster_id", how="left")
        for code in codes:
            value = atlas_value(other, code)
            if isinstance(value, pl.DataFrame):
                frame = frame.join(value.rename({"cluster_id": "other", "value": code}), on="other", how="left")
        units = int(frame["other"].is_not_null().sum())
        frame = frame.drop("other")
        fits = units == len(rated) and frame.width > 1 and set(frame.columns) == {"unit", *codes}
        if fits:
            frames[name] = frame
        rows.append((name, result.id, units, len(rated), fits))
    return frames, pl.DataFrame(rows, schema=schema, orient="row")


def _boundary_name(current: StoredResult, other: StoredResult) -> str:
    """What differs between two searches and moves boundaries, as `eps_km 10.0`; empty where nothing does."""
    ours, theirs = current.lineage.parameters, other.lineage.parameters
    return ", ".join(f"{name} {theirs.get(name)}" for name in DRAWS_BOUNDARIES if ours.get(name) != theirs.get(name))


def _counterparts(members: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """cluster_id, other: the cluster of another search that shares most members."""
    shared = members.join(others.rename({"cluster_id": "other"}), on="id").group_by("cluster_id", "other").len("n")
    return (
        shared.sort("n", "other", descending=[True, False])
        .group_by("cluster_id", maintain_order=True)
        .agg(pl.col("other").first())
    )
