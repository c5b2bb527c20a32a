"""The atlas's service layer 图谱服务: what command line and pages call. Checks the actor, stamps lineage, stores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl
import shapely

from jiqun.atlas.classes import TextUse, classified, reader, used_text
from jiqun.atlas.clusters import Clusters, check_search, find_clusters
from jiqun.atlas.identity import succeed
from jiqun.atlas.naming import largest_members, leading_class, name_clusters
from jiqun.atlas.outline import hulls
from jiqun.atlas.reading import READERS, kind_of
from jiqun.atlas.regions import profile
from jiqun.atlas.subject import Subject
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError, WorkspaceError
from jiqun.core.frames import require_columns
from jiqun.core.lineage import Lineage, Source
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted, in_review
from jiqun.intake.derived import STATE
from jiqun.intake.gazetteer import Gazetteer, fingerprint
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy import EDITION
from jiqun.taxonomy import name as class_name

METHOD = "atlas.find_clusters"
VERSION = "1"
STREET_KM = 1.0
CITY_KM = 10.0
EPS_STREET_KM = 5.0
EPS_CITY_KM = 20.0
MEMBER_COLUMNS = (
    "id", "name", "country", "region_code", "city", "address", "lon", "lat", "precision_km", "place_id", "place_name",
    "place_name_zh", "digital_code", "website", STATE,
)  # fmt: skip


@dataclass(frozen=True)
class Search:
    """What to look for.

    `eps_km` None: 20 km against population, which is known by place only; against firms 5 km where these are placed by
    street, else 20. `coverage`: which population counts: of the "regions" (provinces, states) or "countries" in which
    the register has firms, or of the whole "world"; "auto" takes regions where the register lies in one country.
    """

    digital: str | None = None
    background: Literal["auto", "firms", "population"] = "auto"
    coverage: Literal["auto", "regions", "countries", "world"] = "auto"
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
    text: TextUse = "auto"

    @property
    def kind(self) -> str:
        """Results of one class follow each other: `clusters`, `clusters-01`."""
        return kind_of(self.digital)


def run(
    actor: Actor,
    workspace: Workspace,
    search: Search,
    *,
    subject: Subject | None = None,
    progress: Progress = silent,
) -> StoredResult:
    """Find the clusters of a class in the workspace's organisations and store them 识别集群.

    `subject`: how pages and reports speak of the register; default: as in the run before. Stored tables: `clusters`, `members`, `largest`, `regions`, `died`; values: what the search found in numbers. The same
    search on the same snapshot is not computed twice.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    InputError
        As `find_clusters`; JQ-TAXONOMY-004: the class is not a code of the classification.
    """
    actor.require("atlas.run", "operator", "analyst")
    check(workspace, search)
    snapshot = workspace.snapshot("organisations")
    by = reader(workspace, search.text)
    organisations = classified(counted(workspace, snapshot.id).collect(), by)
    read = by.on and used_text(organisations)
    gazetteer = Gazetteer.load(workspace.cache)
    use_population = search.background == "population" or (search.background == "auto" and search.digital is None)
    eps_km = search.eps_km
    if eps_km is None:
        eps_km = EPS_CITY_KM if use_population else _fitting_eps(organisations)
    coverage, population = _covered(organisations, gazetteer, search.coverage) if use_population else (None, None)
    search = replace(search, eps_km=eps_km)
    min_weight: Literal["local"] | float = "local" if search.min_weight is None else search.min_weight
    parameters = {
        **{name: getattr(search, name) for name in search.__dataclass_fields__ if name != "text" or read},
        "background": "population" if use_population else "firms",
        "taxonomy": EDITION,
        **({"text_method": by.digest} if read else {}),
    }  # as asked for: what coverage comes to follows from the inputs, and must not cut a history off
    inputs: tuple[Source, ...] = (snapshot.input, Source("gazetteer", fingerprint()))
    runs = workspace.results(search.kind)
    alike = [old for old in runs if old.lineage.version == VERSION and dict(old.lineage.parameters) == parameters]
    for old in alike:
        if old.lineage.inputs[:2] == inputs:
            return workspace.put_result(search.kind, old.lineage, {}, {})
    previous = alike[0] if alike else None
    if previous:
        inputs = (*inputs, Source("previous run", previous.id, previous.lineage.inputs[0].as_of))
    lineage = Lineage(METHOD, VERSION, parameters, inputs)

    organisations = organisations.with_columns(shared_address=_shared(organisations, search.shared_limit))
    found = find_clusters(
        organisations,
        population,
        digital=search.digital,
        eps_km=eps_km,
        min_weight=min_weight,
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
    numbers = [int(str(old.values["next_number"])) for old in runs]
    tables, values = _told(found, organisations, gazetteer, previous, next_number=max(numbers, default=1))
    progress("names and outlines", 1, 1)
    values["in_review"] = in_review(workspace, snapshot.id)
    spoken_of = subject.to_json() if subject else previous.values.get("subject") if previous else None
    if read:
        values["text"] = by.to_json() | {"firms": _counted(organisations)}
    return workspace.put_result(search.kind, lineage, tables, {**values, "coverage": coverage, "subject": spoken_of})


def check(workspace: Workspace, search: Search) -> None:
    """Refuse, before any work, a search that cannot be run.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    InputError
        JQ-TAXONOMY-004: the class is not a code of the classification; JQ-USE-003: no such size; else as `find_clusters`.
    """
    if search.digital is not None:
        if not (search.digital.isascii() and search.digital.isdecimal()):
            raise InputError("JQ-TAXONOMY-004", value=search.digital)
        class_name(search.digital)
    check_search(
        eps_km=EPS_CITY_KM if search.eps_km is None else search.eps_km,
        min_weight="local" if search.min_weight is None else search.min_weight,
        floor=search.floor,
        alpha=search.alpha,
        calibrate=search.calibrate,
        draws=search.draws,
    )
    columns = workspace.scan("organisations").collect_schema().names()
    if search.size is not None:
        require_columns(columns, search.size)


def current(actor: Actor, workspace: Workspace, digital: str | None = None, run_id: str | None = None) -> StoredResult:
    """A stored run: the current one of a class, or that whose id starts with `run_id`.

    Raises
    ------
    WorkspaceError
        JQ-ATLAS-013: no search has been run yet.
    """
    actor.require("atlas.show", *READERS)
    result = workspace.result(kind_of(digital), run_id)
    if result is None:
        raise WorkspaceError("JQ-ATLAS-013")
    return result


def find(actor: Actor, result: StoredResult, wanted: str) -> dict[str, Any]:
    """One cluster of a run by its id, or by its name in either language (case does not matter).

    Raises
    ------
    UsageError
        JQ-ATLAS-014: no such cluster, or several; names some.
    """
    actor.require("atlas.show", *READERS)
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


def _counted(organisations: pl.DataFrame) -> dict[str, int]:
    """How many firms were classed by what; those that nothing decides under "none"."""
    named = organisations.select(by=pl.col("classified_by").fill_null("none"))
    return dict(named.group_by("by").len().sort("by").iter_rows())


def _fitting_eps(organisations: pl.DataFrame) -> float:
    if "precision_km" not in organisations.columns:
        return EPS_STREET_KM
    typical = organisations["precision_km"].median()
    return EPS_STREET_KM if isinstance(typical, float) and typical <= STREET_KM else EPS_CITY_KM


def _shared(organisations: pl.DataFrame, limit: int) -> pl.Series:
    """Whether at least `limit` differently named firms give one address 集群注册, or one exact point without an address."""
    keys = []
    if "address" in organisations.columns:
        written = pl.col("address").str.to_lowercase().str.replace_all(r"[\s\p{P}]+", "")
        town = [pl.col(c).str.to_lowercase() for c in ("country", "city") if c in organisations.columns]
        keys.append(([written, *town], written.str.len_chars() > 0))
    if "placed_by" in organisations.columns:
        keys.append(([pl.col("lon"), pl.col("lat")], pl.col("placed_by") == "coordinates"))
    flags = [((pl.col("name").n_unique().over(by) >= limit) & stated).fill_null(value=False) for by, stated in keys]
    if not flags:
        return pl.Series([False] * organisations.height)
    return organisations.select(pl.any_horizontal(flags)).to_series()


def _covered(organisations: pl.DataFrame, gazetteer: Gazetteer, coverage: str) -> tuple[dict[str, Any], pl.DataFrame]:
    """The populated places that the register could speak of, and how that was decided.

    A register of one province says nothing about the rest of the world; tested against it, every town would stand out.
    """
    places = gazetteer.background()
    at = organisations.select("lon", "lat").drop_nulls().unique()
    if coverage == "world" or at.is_empty():
        return {"of": "world"}, places
    nearest = gazetteer.nearest(at["lon"], at["lat"]).select("country", "admin1").unique()
    countries = sorted(nearest["country"].drop_nulls().unique())
    if coverage == "countries" or (coverage == "auto" and len(countries) > 1):
        return {"of": "countries", "countries": countries}, places.filter(pl.col("country").is_in(countries))
    held = nearest.filter(pl.col("country").is_not_null())
    regions = sorted(f"{country}.{admin1}" for country, admin1 in held.iter_rows())
    kept = places.join(held, on=["country", "admin1"], how="semi", nulls_equal=True)
    return {"of": "regions", "countries": countries, "regions": regions}, kept


def _told(
    found: Clusters,
    organisations: pl.DataFrame,
    gazetteer: Gazetteer,
    previous: StoredResult | None,
    *,
    next_number: int,
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """The stored tables and values of a search: clusters with ids, names, classes and outlines, and who is in them."""
    size, digital = found.parameters["size"], found.parameters["digital"]
    details = [c for c in (*MEMBER_COLUMNS, "shared_address", size) if c and c in organisations.columns]
    rows = organisations.select(details).with_row_index("row")
    members = found.members.select("row", "cluster", "core").join(rows, on="row", maintain_order="left").drop("row")
    if "id" not in members.columns:
        members = members.with_columns(id=pl.col("name"))
    weighed = members.select("id", "cluster", weight=pl.lit(1.0))
    before = previous.table("members").select("id", "cluster_id", weight=pl.lit(1.0)) if previous else None
    succession = succeed(weighed, before, next_number=next_number)
    searched = organisations.filter(pl.col("digital_code").str.starts_with(digital)) if digital else organisations

    table = name_clusters(
        found.table, _with_population(members, gazetteer), gazetteer, eps_km=found.parameters["eps_km"]
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
    regions = profile(searched, gazetteer, eps_km=found.parameters["eps_km"])
    values: dict[str, Any] = {
        "against": found.against,
        "firms": found.firms,
        "clusters": table.height,
        "background_total": found.background_total,
        "candidates": found.candidates,
        "level": found.level,
        "coarse": found.coarse,
        "unplaced": found.unplaced,
        "shared_address": int(searched["shared_address"].sum()),
        "draws": found.draws.draws if found.draws else 0,
        "false_find_rate": found.false_find_rate,
        "next_number": succession.next_number,
        "previous": previous.id if previous else None,
        "parameters": found.parameters,
        "precision": _precision_counts(searched),
    }
    tables = {
        "clusters": table,
        "members": members.drop("cluster").select("cluster_id", pl.exclude("cluster_id")),
        "largest": largest_members(members, size=size).drop("cluster"),
        **({"regions": regions} if regions.width else {}),
        "died": pl.DataFrame({"cluster_id": list(succession.died)}, schema={"cluster_id": pl.String}),
    }
    return tables, values


def _with_population(members: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    if "place_id" not in members.columns:
        return members
    people = gazetteer.places.select("place_id", place_population="population")
    return members.join(people, on="place_id", how="left", maintain_order="left")


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
