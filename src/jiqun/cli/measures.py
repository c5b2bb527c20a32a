"""`jiqun atlas measure` of any table, and `jiqun atlas measures` of the loaded register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import polars as pl
import typer

from jiqun.atlas import areal, concentration, industry_groups, industry_space, measured, measures, pairs
from jiqun.atlas.documents import measures_document
from jiqun.atlas.measured import MeasureRequest
from jiqun.atlas.subject import subject_of
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import MeasureInputError, UsageError, current_language
from jiqun.core.frames import as_polars, require_columns
from jiqun.intake.counted import left_out
from jiqun.store import StoredResult

FormatOption = Annotated[Format, typer.Option("--format", help="Output format.")]


class Measure(StrEnum):
    """A measure of a table."""

    lq = "lq"
    interval = "interval"
    herfindahl = "herfindahl"
    krugman = "krugman"
    gini = "gini"
    ellison_glaeser = "ellison-glaeser"
    shift_share = "shift-share"
    relatedness = "relatedness"
    density = "density"
    complexity = "complexity"
    groups = "groups"
    m = "m"
    kd = "kd"
    moran = "moran"
    getis_ord = "getis-ord"


class Relation(StrEnum):
    """How relatedness is normalised."""

    association = "association"
    cosine = "cosine"
    jaccard = "jaccard"
    probability = "probability"
    proximity = "proximity"


class Table(StrEnum):
    """A table of the stored measures."""

    classes = "classes"
    regions = "regions"
    sets = "sets"
    neighbours = "neighbours"
    m = "m"
    k = "k"


class By(StrEnum):
    """What classes are."""

    digital = "digital"
    industry = "industry"


_STORED = {Table.neighbours: "moran"}


@dataclass(frozen=True)
class Asked:
    """What the options of `measure` say."""

    cells: pl.DataFrame
    region: str
    industry: str
    size: str | None
    totals: pl.DataFrame | None
    before: str
    after: str
    method: Relation
    coverage: float
    misclassified: float
    misplaced: float
    case: str
    value: str
    max_km: float
    band_km: float
    draws: int | None
    seed: int

    @property
    def random(self) -> dict[str, int]:
        """The seed, and the draws where they are not left to the measure."""
        return {"seed": self.seed} | ({} if self.draws is None else {"draws": self.draws})

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that name a cell and its size."""
        return {"region": self.region, "industry": self.industry, "size": self.size}


def register(atlas: typer.Typer) -> None:
    """Add the commands to those of the atlas."""
    atlas.command("measure")(measure)
    atlas.command("measures")(stored)


def measure(
    kind: Annotated[Measure, typer.Argument(help="What to measure; see below.")],
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet, one row per firm, cell or region.", exists=True, dir_okay=False)
    ],
    region: Annotated[str, typer.Option(help="Column of the region.")] = "region",
    industry: Annotated[str, typer.Option(help="Column of the industry.")] = "industry",
    size: Annotated[str | None, typer.Option(help="Column of the size; default: count rows.")] = None,
    totals: Annotated[
        Path | None,
        typer.Option(
            help="For ellison-glaeser: file of region and size of all activity; default: all rows.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    before: Annotated[str, typer.Option(help="For shift-share: column of the earlier size.")] = "before",
    after: Annotated[str, typer.Option(help="For shift-share: column of the later size.")] = "after",
    method: Annotated[
        Relation, typer.Option(help="For relatedness, density, groups: how it is normalised.")
    ] = Relation.association,
    coverage: Annotated[float, typer.Option(help="For interval: share of firms that the register holds.")] = 1.0,
    misclassified: Annotated[float, typer.Option(help="For interval: share in a wrong industry.")] = 0.0,
    misplaced: Annotated[float, typer.Option(help="For interval: share in a wrong region.")] = 0.0,
    case: Annotated[str, typer.Option(help="For m, kd: column that is true, or 1, for firms of the class.")] = "case",
    value: Annotated[str, typer.Option(help="For moran, getis-ord: column of the value.")] = "value",
    max_km: Annotated[float, typer.Option(help="For m, kd: greatest distance.", min=1)] = 180.0,
    band_km: Annotated[
        float, typer.Option(help="For moran, getis-ord: regions no farther than this are neighbours.")
    ] = 300.0,
    draws: Annotated[
        int | None,
        typer.Option(
            help="Random draws; default: 199 for m and kd, 9,999 for ellison-glaeser, moran, getis-ord.",
            min=19,
            max=99_999,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draws.", min=0)] = 20240501,
    form: FormatOption = Format.table,
) -> None:
    """Measure a table 测度: specialisation, concentration, relatedness, complexity, distances, neighbours.

    Of cells (region, industry, size): lq, interval, herfindahl, krugman, gini, ellison-glaeser, shift-share,
    relatedness, density, complexity, groups. Of firms with lon and lat: m, kd. Of regions with lon and lat: moran,
    getis-ord.

    Example: jiqun atlas measure lq cells.csv --size staff --format csv

    Example: jiqun atlas measure ellison-glaeser plants.csv --totals regions.csv

    Example: jiqun atlas measure kd firms.csv --case is_software --max-km 60

    Example: jiqun atlas measure moran regions.csv --value lq --band-km 300
    """
    asked = Asked(
        _read(file),
        region,
        industry,
        size,
        _read(totals) if totals else None,
        before,
        after,
        method,
        coverage,
        misclassified,
        misplaced,
        case,
        value,
        max_km,
        band_km,
        draws,
        seed,
    )
    write(_MEASURES[kind](asked), form)


def stored(
    table: Annotated[Table, typer.Option(help="Which table.")] = Table.classes,
    compute: Annotated[bool, typer.Option("--compute", help="Measure what is loaded now, then show it.")] = False,
    by: Annotated[By, typer.Option(help="With --compute: what classes are.")] = By.digital,
    digital: Annotated[
        str | None,
        typer.Option("--digital", "-d", metavar="CODE", help="With --compute: class whose distances are drawn."),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="COLUMN", help="With --compute: column that sizes firms.")] = None,
    max_km: Annotated[float, typer.Option(help="With --compute: greatest distance.", min=1, max=2000)] = 180.0,
    draws: Annotated[int, typer.Option(help="With --compute: random draws of the band.", min=19, max=999)] = 199,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Measures by the start of their id; default: the last.")
    ] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Measures of the loaded register 整体测度: concentration, complexity, related classes, distances, neighbours.

    Distances are drawn for up to 200,000 firms placed within 10 km; above, the command says why they are not there.

    Example: jiqun atlas measures --compute --digital 0305

    Example: jiqun atlas measures --table regions --format csv
    """
    opened = open_workspace(workspace)
    if compute:
        request = MeasureRequest(by=by.value, digital=digital, size=size, max_km=max_km, draws=draws)
        with progress() as report:
            result = measured.measure(LOCAL, opened, request, progress=report)
    else:
        result = measured.current(LOCAL, opened, run_id)
    sentence = measures_document(result, subject_of(opened, result)).subtitle
    say(sentence.zh, sentence.en)
    if text := left_out(result.values):
        say(text.zh, text.en)
    name = _STORED.get(table, table.value)
    if name not in result.tables:
        _refuse(result, name)
    rows = result.table(name)
    if form is not Format.json and "next" in rows.columns:
        rows = rows.with_columns(pl.col("next").list.join(" "))
    write(rows, form)


def _refuse(result: StoredResult, name: str) -> NoReturn:
    """Say why a table is not there."""
    unknown: Any = result.values["unknown"]
    raise UsageError("JQ-ATLAS-032", table=name, reason=unknown[name][current_language()])


def _specialisation(function: Callable[..., Any]) -> Callable[[Asked], pl.DataFrame]:
    return lambda asked: function(asked.cells, **asked.columns).sort(asked.region)


def _interval(asked: Asked) -> pl.DataFrame:
    table = measures.location_quotient_interval(
        asked.cells,
        region=asked.region,
        industry=asked.industry,
        coverage=asked.coverage,
        misclassified=asked.misclassified,
        misplaced=asked.misplaced,
    )
    return table.sort(asked.region)


def _ellison_glaeser(asked: Asked) -> pl.DataFrame:
    totals, settings = asked.totals, dict[str, Any](asked.random)
    if totals is None:
        require_columns(asked.cells.columns, asked.region, *([asked.size] if asked.size else []))
        weight = pl.len() if asked.size is None else pl.col(asked.size).sum()
        totals = asked.cells.drop_nulls(asked.region).group_by(asked.region).agg(weight.alias("_total"))
    return concentration.ellison_glaeser_by(asked.cells, totals=totals, **asked.columns, **settings)


def _shift_share(asked: Asked) -> pl.DataFrame:
    table = concentration.shift_share(
        asked.cells, region=asked.region, industry=asked.industry, before=asked.before, after=asked.after
    )
    return as_polars(table).sort(asked.region, asked.industry)


def _related(function: Callable[..., pl.DataFrame]) -> Callable[[Asked], pl.DataFrame]:
    return lambda asked: function(asked.cells, **asked.columns, method=asked.method.value)


def _complexity(asked: Asked) -> pl.DataFrame:
    found = industry_space.complexity(asked.cells, **asked.columns)
    if found.left_out:
        names = ", ".join(found.left_out[:5]) + (" …" if len(found.left_out) > 5 else "")
        say(
            f"没有区位熵不小于 1 的，未计入：{names}",
            f"Left out, for nothing has a location quotient of 1 or more: {names}",
        )
    sides = ((found.regions, asked.region, "diversity", "eci"), (found.industries, asked.industry, "ubiquity", "pci"))
    return pl.concat(
        side.sort(index, descending=True).select(
            side=pl.lit(name), name=pl.col(name).cast(pl.String), has=pl.col(held), complexity=pl.col(index)
        )
        for side, name, held, index in sides
    )


def _groups(asked: Asked) -> pl.DataFrame:
    related = industry_space.relatedness(asked.cells, **asked.columns, method=asked.method.value)
    pair = [related[f"{asked.industry}_{end}"] for end in "ij"]
    sizes = measured.set_sizes(pl.concat(pair).n_unique())
    found = industry_groups.industry_sets(
        {"co-location": related}, sizes=sizes, industry=asked.industry, seed=asked.seed
    )
    best = found.candidates.row(0, named=True)
    say(
        f"{best['method']}，{best['sets']} 组，得分 {best['score']:.2f}",
        f"{best['method']}, {best['sets']} sets, score {best['score']:.2f}",
    )
    return found.industries


def _curve(asked: Asked, function: Callable[..., pairs.DistanceCurve], **settings: Any) -> pl.DataFrame:
    require_columns(asked.cells.columns, "lon", "lat", asked.case, *([asked.size] if asked.size else []))
    cells = asked.cells.drop_nulls(["lon", "lat"])
    column = cells[asked.case]
    if column.dtype != pl.Boolean and not column.dtype.is_numeric():
        raise MeasureInputError("JQ-ATLAS-016", column=asked.case, type=column.dtype)
    found = function(
        cells["lon"],
        cells["lat"],
        column.cast(pl.Boolean).fill_null(value=False).to_numpy(),
        weight=cells[asked.size] if asked.size else None,
        **asked.random,
        **settings,
    )
    columns = ("distance_km", "value", "low", "high", "middle")
    table = pl.DataFrame({name: pl.Series(getattr(found, name), nan_to_null=True) for name in columns})
    table = table.with_columns(concentrated=found.concentrated, dispersed=found.dispersed)
    level = f"{found.level:.0%}"
    say(
        f"{found.n:,} 家；全曲线 p = {found.p:.3g}，{found.draws} 次抽样的 {level} 全局带；距离误差不超过 {found.error_km:.3g} 千米",
        f"{found.n:,} firms; p of the whole curve = {found.p:.3g}, {level} global band of {found.draws} draws; "
        f"no distance is wrong by more than {found.error_km:.3g} km",
    )
    return table


def _m(asked: Asked) -> pl.DataFrame:
    radii = [radius for radius in measured.RADII_KM if radius <= asked.max_km]
    return _curve(asked, pairs.m_function, radii_km=radii)


def _kd(asked: Asked) -> pl.DataFrame:
    return _curve(asked, pairs.k_density, max_km=asked.max_km, step_km=asked.max_km / measured.STEPS)


def _moran(asked: Asked) -> pl.DataFrame:
    return _local(asked, areal.local_moran, "i", "p", "q", "kind")


def _getis_ord(asked: Asked) -> pl.DataFrame:
    return _local(asked, areal.getis_ord_test, "g", "p", "q")


def _local(asked: Asked, function: Callable[..., Any], *names: str) -> pl.DataFrame:
    """A statistic of regions and those around."""
    require_columns(asked.cells.columns, asked.region, "lon", "lat", asked.value)
    if not asked.cells.schema[asked.value].is_numeric():
        raise MeasureInputError("JQ-ATLAS-016", column=asked.value, type=asked.cells.schema[asked.value])
    rows = asked.cells.drop_nulls(["lon", "lat", asked.value])
    found = function(rows[asked.value], rows["lon"], rows["lat"], band_km=asked.band_km, **asked.random)
    numbers = {name: pl.Series(getattr(found, name), nan_to_null=True) for name in names if name != "kind"}
    kinds = {name: pl.Series(getattr(found, name), dtype=pl.String) for name in names if name == "kind"}
    return rows.select(asked.region, asked.value).with_columns(**numbers, **kinds)


_MEASURES: dict[Measure, Callable[[Asked], pl.DataFrame]] = {
    Measure.lq: _specialisation(measures.location_quotient),
    Measure.interval: _interval,
    Measure.herfindahl: _specialisation(measures.herfindahl),
    Measure.krugman: _specialisation(measures.krugman_index),
    Measure.gini: lambda asked: concentration.gini(asked.cells, **asked.columns),
    Measure.ellison_glaeser: _ellison_glaeser,
    Measure.shift_share: _shift_share,
    Measure.relatedness: _related(industry_space.relatedness),
    Measure.density: _related(industry_space.relatedness_density),
    Measure.complexity: _complexity,
    Measure.groups: _groups,
    Measure.m: _m,
    Measure.kd: _kd,
    Measure.moran: _moran,
    Measure.getis_ord: _getis_ord,
}


def _read(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError("JQ-USE-004", file=file, reason=str(error).splitlines()[0]) from error
