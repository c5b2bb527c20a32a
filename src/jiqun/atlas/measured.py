"""Measures of the whole register 整体测度: how concentrated each class is, which go together, how complex regions are.

The desk of `concentration`, `industry_space`, `industry_groups`, `areal` and `pairs`: it reads the register, classes and
places firms as a search does, and stores one result of the kind `measures`. What cannot be known is left out of the
result, which says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field
from scipy.spatial import cKDTree

from jiqun.atlas import industry_space
from jiqun.atlas.areal import benjamini_hochberg, local_moran, region_centres, regional_profile
from jiqun.atlas.classes import SOURCES, classified, reader, used_text
from jiqun.atlas.concentration import DRAWS, ellison_glaeser_by, gini
from jiqun.atlas.industry_groups import industry_sets
from jiqun.atlas.pairs import DistanceCurve, k_density, m_function
from jiqun.atlas.reading import READERS, RESERVED_SIZES, sees_all
from jiqun.atlas.regions import BAND_KM, named, with_regions
from jiqun.atlas.sphere import EARTH_RADIUS_KM, unit_vectors
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, MeasureInputError, WorkspaceError
from jiqun.core.frames import require_columns
from jiqun.core.lineage import Lineage, Source
from jiqun.core.operation import Model
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted, in_review
from jiqun.intake.gazetteer import Gazetteer, fingerprint
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy import EDITION
from jiqun.taxonomy import name as class_name

KIND = "measures"
METHOD, VERSION = "atlas.measure", "2"
OPERATION = "atlas.measure"
EXACT_KM = 10.0
"""Firms placed more coarsely have no distances."""
MOST_CURVE_FIRMS = 200_000
NEXT = 10
"""Classes named for each region: those of which it has most that is related, among those that it lacks."""
LEAST_FIRMS, LEAST_CLASSED = 5, 10
"""Classes of fewer firms, and regions with fewer firms of known class, are left out of complexity and relatedness, which
a single firm would decide."""
LEAST_TESTED = 10
"""Classes of fewer firms have no p: they could hardly stand out, and would weigh on those that can."""
THROWS_A_CLASS = 25
"""So many throws for each class let one alone stand out from all of them by its q."""
LEAST_CLASSES = 8
"""Fewer are not grouped into sets."""
MOST_SIZES, MOST_SETS = 12, 60
"""Numbers of sets that are tried, and the largest of them."""
RADII_KM = (1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 140, 180, 240, 300, 400, 500, 700, 1000, 1400, 2000)
STEPS = 180
"""Of the K-density up to the greatest distance."""
_OTHER = ""
"""Stands for the firms of no class where all activity is compared."""


class MeasureRequest(Model):
    """What to measure 测度设置."""

    by: Annotated[
        Literal["digital", "industry"],
        Field(description="classes: groups of the 2021 digital classification, or classes of GB/T 4754"),
    ] = "digital"
    digital: Annotated[
        str | None, Field(pattern=r"^\d{2,6}$", description="class whose distances are drawn; none: the largest group")
    ] = None
    size: Annotated[
        str | None, Field(pattern=r"^[a-z_]{1,40}$", description="column that sizes firms; none: count")
    ] = None
    max_km: Annotated[float, Field(ge=1, le=2000, description="greatest distance of the curves in km")] = 180.0
    draws: Annotated[int, Field(ge=19, le=999, description="random curves that make the band")] = 199
    seed: Annotated[int, Field(ge=0, le=2**53)] = 20240501


def measure(
    actor: Actor, workspace: Workspace, request: MeasureRequest, *, progress: Progress = silent
) -> StoredResult:
    """Measure the register as it is loaded now, and store it 整体测度. The same is not computed twice.

    Stored tables: `classes`, `regions`, and where they can be known `sets`, `moran`, `m`, `k`; values: what was counted,
    each curve's test, and under `unknown` why something is not there.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError, InputError
        As `check`; JQ-ATLAS-028: fewer than two classes or regions hold firms.
    """
    actor.require(OPERATION, "operator", "analyst")
    check(workspace, request)
    snapshot = workspace.snapshot("organisations")
    progress("classes", 0, None)
    by = reader(workspace, "auto")
    organisations = classified(counted(workspace, snapshot.id).collect(), by)
    lineage = Lineage(
        METHOD,
        VERSION,
        {
            **request.model_dump(),
            "taxonomy": EDITION,
            **({"text_method": by.digest} if used_text(organisations) else {}),
        },
        (snapshot.input, Source("gazetteer", fingerprint())),
    )
    if any(old.id == lineage.digest for old in workspace.results(KIND)):
        return workspace.put_result(KIND, lineage, {}, {})
    gazetteer = Gazetteer.load(workspace.cache)
    firms, level, elsewhere = _firms(organisations, request, gazetteer)
    known = firms.drop_nulls("class")
    if known["class"].n_unique() < 2 or known["region"].n_unique() < 2:
        raise InputError("JQ-ATLAS-028", classes=known["class"].n_unique(), regions=known["region"].n_unique())
    progress("concentration", 0, None)
    compared = _compared(known)
    tables, unknown, eigenvalues = _by_region(firms, compared, gazetteer, level, request.seed)
    chosen = request.digital or _largest(firms)
    exact = firms.filter("exact")
    values: dict[str, Any] = {
        "level": level,
        "digital": chosen,
        "rows": organisations.height,
        "in_review": in_review(workspace, snapshot.id),
        "firms": firms.height,
        "elsewhere": elsewhere,
        "classed": known.height,
        "by_text": int(known["by_text"].sum()),
        "exact": exact.height,
        "blur_km": blur(exact),
        "eigenvalues": eigenvalues,
    }
    values["sets"] = _sets(compared, tables, unknown, request.seed)
    progress("neighbours", 0, None)
    _moran(firms, chosen, level, gazetteer, tables, unknown)
    progress("M function", 0, None)
    curves = {"m": _curve("m", _m, exact, chosen, request, tables, unknown)}
    progress("K density", 0, None)
    curves["k"] = _curve("k", _k, exact, chosen, request, tables, unknown)
    values["curves"] = {name: test for name, test in curves.items() if test is not None}
    values["unknown"] = unknown
    return workspace.put_result(KIND, lineage, tables, values)


def check(workspace: Workspace, request: MeasureRequest) -> None:
    """Refuse, before any work, what cannot be measured.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    InputError
        JQ-TAXONOMY-004: not a code of the digital classification. JQ-USE-003: no such size, or no industry codes.
        JQ-ATLAS-016: the size holds no numbers. JQ-ATLAS-033: the register is one of a single class (`one_class`).
    """
    there = workspace.scan("organisations").collect_schema()
    if request.digital is not None:
        class_name(request.digital)
    if request.by == "industry":
        require_columns(there.names(), "industry_code")
    if request.size is not None:
        require_columns(there.names(), request.size)
        if not there[request.size].is_numeric():
            raise MeasureInputError("JQ-ATLAS-016", column=request.size, type=there[request.size])
    if request.by == "digital" and one_class(workspace):
        raise InputError("JQ-ATLAS-033")


def one_class(workspace: Workspace, snapshot: str | None = None) -> bool:
    """Whether the register, default the current one, is one of a single class: then nothing can be compared, and names must not decide.

    It states the same group of the digital classification for every firm; or the same industry in words, and gives
    nothing else that a class could come from.
    """
    rows = workspace.scan("organisations", snapshot)
    there = [
        column for column in (*SOURCES, "industry") if column in rows.collect_schema().names() and column != "name"
    ]
    counts = rows.select(
        *(pl.col(column).count().alias(column) for column in there),
        rows=pl.len(),
        groups=pl.col("digital_code").str.head(4).n_unique() if "digital_code" in there else 0,
        words=pl.col("industry").n_unique() if "industry" in there else 0,
    )
    told = counts.collect().row(0, named=True)
    known = {column for column in there if told[column]}
    if known == {"industry"}:
        return bool(told["words"] == 1)
    return "digital_code" in known and told["digital_code"] == told["rows"] and told["groups"] == 1


def find_measures(actor: Actor, workspace: Workspace, id_: str | None = None) -> StoredResult | None:
    """The last measures, or those whose id starts with `id_`; of sizes that are not for everybody only for who may see them.

    None: nothing was measured yet, or nothing that the actor may see.
    """
    actor.require("atlas.measures", *READERS)
    stored = workspace.result(KIND, id_)
    if stored is None or _open_to(actor, stored):
        return stored
    return next((old for old in workspace.results(KIND) if id_ is None and _open_to(actor, old)), None)


def current(actor: Actor, workspace: Workspace, id_: str | None = None) -> StoredResult:
    """`find_measures`, which must be there.

    Raises
    ------
    WorkspaceError
        JQ-ATLAS-030: they are not.
    """
    stored = find_measures(actor, workspace, id_)
    if stored is None:
        raise WorkspaceError("JQ-ATLAS-030")
    return stored


def _open_to(actor: Actor, result: StoredResult) -> bool:
    return sees_all(actor) or result.lineage.parameters["size"] not in RESERVED_SIZES


def told(error: MeasureInputError) -> dict[str, str]:
    """Why something is not known, for people."""
    return {"code": error.code, "zh": error.render("zh"), "en": error.render("en")}


def blur(exact: pl.DataFrame) -> float:
    """Distances below this many km are not told apart, by how the firms (lon, lat, precision_km) are placed 分辨距离.

    Twice the median precision, for either end of a distance may be off; and where most firms share their point with
    another, which makes it that of a town and not of a firm, the median distance to the next point that is another.

    Examples
    --------
    >>> towns = {"lon": [0.0, 0.0, 1.0, 1.0], "lat": [0.0] * 4, "precision_km": [0.1] * 4}
    >>> round(blur(pl.DataFrame(towns)))
    111
    """
    if exact.is_empty():
        return 0.0
    median = exact["precision_km"].median()
    floor = 2 * median if isinstance(median, float) else 0.0
    points = exact.group_by("lon", "lat").agg(n=pl.len()).sort("lon", "lat")
    shared = points.filter(pl.col("n") > 1)["n"].sum() > exact.height / 2
    if not shared or points.height < 2:
        return floor
    vectors = unit_vectors(points["lon"].to_numpy(), points["lat"].to_numpy()).T
    chord = cKDTree(vectors).query(vectors, k=2)[0][:, 1]
    next_km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, chord / 2))
    return float(max(floor, np.median(np.repeat(next_km, points["n"].to_numpy()))))


def _firms(organisations: pl.DataFrame, request: MeasureRequest, gazetteer: Gazetteer) -> tuple[pl.DataFrame, str, int]:
    """Placed firms with region, `class` (null where nothing decides), weight, and whether their point is exact.

    And the level of regions, and how many firms were left out because they are in another country.
    """
    placed, level = with_regions(organisations, gazetteer)
    if placed.is_empty():
        raise InputError("JQ-ATLAS-028", classes=0, regions=0)
    column, four = ("digital_code", r"^([0-9]{4})") if request.by == "digital" else ("industry_code", r"([0-9]{4})$")
    weight = pl.lit(1.0) if request.size is None else pl.col(request.size).cast(pl.Float64)
    precision = pl.col("precision_km") if "precision_km" in placed.columns else pl.lit(None)
    firms = placed.select(
        "lon",
        "lat",
        "region",
        "digital_code",
        pl.col(column).str.extract(four).alias("class"),
        weight=weight,
        precision_km=precision.cast(pl.Float64),
        by_text=~pl.col("classified_by").is_in(["register", "code"]),
    )
    firms = firms.with_columns(exact=(pl.col("precision_km") <= EXACT_KM).fill_null(value=True))
    firms = firms.filter(pl.col("weight") > 0)
    return firms.drop_nulls("region"), level, firms["region"].null_count()


def _compared(known: pl.DataFrame) -> pl.DataFrame:
    """Firms of classes and in regions that hold enough of them to say which class a region has."""
    many = pl.len().over("class") >= LEAST_FIRMS
    return known.filter(many).filter(pl.len().over("region") >= LEAST_CLASSED)


def _by_region(
    firms: pl.DataFrame, compared: pl.DataFrame, gazetteer: Gazetteer, level: str, seed: int
) -> tuple[dict[str, pl.DataFrame], dict[str, dict[str, str]], list[float] | None]:
    """Tables `classes` and `regions`, what is not known, and the second and third eigenvalue of complexity."""
    unknown: dict[str, dict[str, str]] = {}
    eigenvalues = None
    known = firms.drop_nulls("class")
    totals = firms.group_by("region").agg(pl.col("weight").sum())
    spread = gini(firms.with_columns(pl.col("class").fill_null(_OTHER)), industry="class", size="weight")
    draws = max(DRAWS, THROWS_A_CLASS * known["class"].n_unique())
    gamma = ellison_glaeser_by(known, totals=totals, industry="class", size="weight", draws=draws, seed=seed)
    gamma = gamma.select("class", "gamma", p=pl.when(pl.col("plants") >= LEAST_TESTED).then("p"))
    gamma = gamma.with_columns(q=pl.Series(benjamini_hochberg(gamma["p"].fill_null(np.nan)), nan_to_null=True))
    classes = known.group_by("class").agg(firms=pl.len().cast(pl.Int64))
    classes = classes.join(spread.select("class", "regions", "gini", "locational_gini"), on="class")
    classes = classes.join(gamma, on="class").sort("firms", "class", descending=[True, False])
    regions = named(firms.group_by("region").agg(firms=pl.len().cast(pl.Int64)), gazetteer, level)
    has = industry_space.presence(compared, industry="class", size="weight")
    try:
        found = industry_space.complexity(has, industry="class")
        classes = classes.join(found.industries.select("class", "pci"), on="class", how="left", maintain_order="left")
        regions = regions.join(found.regions, on="region", how="left")
        eigenvalues = list(found.eigenvalues)
    except MeasureInputError as error:
        unknown["complexity"] = told(error)
        classes = classes.with_columns(pci=pl.lit(None, pl.Float64))
        regions = regions.with_columns(diversity=pl.lit(None, pl.Int64), eci=pl.lit(None, pl.Float64))
    density = industry_space.relatedness_density(has, industry="class")
    lacking = density.filter(~pl.col("has") & (pl.col("density") > 0))
    lacking = lacking.sort("region", "density", "class", descending=[False, True, False])
    near = lacking.group_by("region", maintain_order=True).agg(next=pl.col("class").head(NEXT))
    regions = regions.join(near, on="region", how="left").sort("firms", "region", descending=[True, False])
    return {"classes": classes, "regions": regions}, unknown, eigenvalues


def _sets(
    compared: pl.DataFrame, tables: dict[str, pl.DataFrame], unknown: dict[str, dict[str, str]], seed: int
) -> dict[str, Any] | None:
    """Adds `sets`, the classes that go together; returns how the grouping scores."""
    related = industry_space.relatedness(compared, industry="class", size="weight")
    classes = pl.concat([related["class_i"], related["class_j"]]).n_unique()
    try:
        if classes < LEAST_CLASSES:
            raise MeasureInputError("JQ-ATLAS-027", reason=f"{classes} < {LEAST_CLASSES}")
        found = industry_sets({"co-location": related}, sizes=set_sizes(classes), industry="class", seed=seed)
    except MeasureInputError as error:
        unknown["sets"] = told(error)
        return None
    tables["sets"] = found.industries
    return {key: found.candidates[key][0] for key in ("method", "sets", "score")}


def set_sizes(classes: int) -> list[int]:
    """Numbers of sets to try for so many classes: denser where they are few.

    Examples
    --------
    >>> set_sizes(20), set_sizes(1380)[-1]
    ([2, 3, 4, 5, 6, 7, 9, 10], 60)
    """
    most = max(2, min(classes // 2, MOST_SETS))
    sizes: list[int] = np.unique(np.geomspace(2, most, MOST_SIZES).round().astype(int)).tolist()
    return sizes


def _moran(
    firms: pl.DataFrame,
    chosen: str | None,
    level: str,
    gazetteer: Gazetteer,
    tables: dict[str, pl.DataFrame],
    unknown: dict[str, dict[str, str]],
) -> None:
    """Adds `moran`: where the chosen class is strong, or weak, together with the regions around."""
    try:
        if chosen is None:
            raise MeasureInputError("JQ-ATLAS-025", count=0, rows=firms.height)
        counted = firms.with_columns(firm=pl.lit(1.0))
        own = counted.filter(pl.col("digital_code").str.starts_with(chosen))
        if own.is_empty():
            raise MeasureInputError("JQ-ATLAS-025", count=0, rows=firms.height)
        profile = regional_profile(own, counted, region="region", weight="firm", band_km=BAND_KM[level])
        centres = region_centres(counted, region="region", weight="firm").select("region", "lon", "lat")
        table = profile.join(centres, on="region", maintain_order="left")
        found = local_moran(table["lq_shrunk"], table["lon"], table["lat"], band_km=BAND_KM[level])
        if np.isnan(found.i).all():
            raise MeasureInputError("JQ-ATLAS-031", regions=table.height, band=BAND_KM[level])
    except MeasureInputError as error:
        unknown["moran"] = told(error)
        return
    numbers = {name: pl.Series(getattr(found, name), nan_to_null=True) for name in ("i", "p", "q")}
    table = table.with_columns(**numbers, kind=pl.Series(found.kind, dtype=pl.String))
    columns = ("region", "firms", "expected", "lq", "lq_shrunk", *numbers, "kind")
    tables["moran"] = named(table.select(columns), gazetteer, level)


def _largest(firms: pl.DataFrame) -> str | None:
    """The group of the digital classification with the most exactly placed firms, where it is not all of them."""
    exact = firms.filter("exact")
    group = pl.col("digital_code").str.head(4)
    counts = exact.filter(pl.col("digital_code").str.len_chars() >= 4).group_by(code=group).len()
    fitting = counts.filter(pl.col("len") < exact.height).sort("len", "code", descending=[True, False])
    return str(fitting["code"][0]) if fitting.height else None


def _curve(
    name: str,
    curve: Callable[[pl.DataFrame, str | None, MeasureRequest], DistanceCurve],
    exact: pl.DataFrame,
    chosen: str | None,
    request: MeasureRequest,
    tables: dict[str, pl.DataFrame],
    unknown: dict[str, dict[str, str]],
) -> dict[str, Any] | None:
    """Adds a curve's points; returns its test."""
    try:
        found = curve(exact, chosen, request)
    except MeasureInputError as error:
        unknown[name] = told(error)
        return None
    columns = ("distance_km", "value", "low", "high", "middle")
    tables[name] = pl.DataFrame({key: pl.Series(getattr(found, key), nan_to_null=True) for key in columns})
    return {key: getattr(found, key) for key in ("p", "n", "draws", "level", "error_km", "bandwidth_km")}


def _case(exact: pl.DataFrame, code: str | None) -> Any:
    if code is None:
        raise MeasureInputError("JQ-ATLAS-025", count=0, rows=exact.height)
    if exact.height > MOST_CURVE_FIRMS:
        raise MeasureInputError("JQ-ATLAS-029", rows=exact.height, most=MOST_CURVE_FIRMS)
    return exact["digital_code"].str.starts_with(code).fill_null(value=False).to_numpy()


def _m(exact: pl.DataFrame, code: str | None, request: MeasureRequest) -> DistanceCurve:
    return m_function(
        exact["lon"],
        exact["lat"],
        _case(exact, code),
        weight=None if request.size is None else exact["weight"],
        radii_km=[radius for radius in RADII_KM if radius <= request.max_km],
        draws=request.draws,
        seed=request.seed,
    )


def _k(exact: pl.DataFrame, code: str | None, request: MeasureRequest) -> DistanceCurve:
    return k_density(
        exact["lon"],
        exact["lat"],
        _case(exact, code),
        weight=None if request.size is None else exact["weight"],
        max_km=request.max_km,
        step_km=request.max_km / STEPS,
        draws=request.draws,
        seed=request.seed,
    )
