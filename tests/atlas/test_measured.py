"""Measures of the register: what is stored, equal to the pure functions, what is not known and why, and who may see it."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

from jiqun.atlas import desk, measured
from jiqun.atlas.concentration import ellison_glaeser
from jiqun.atlas.documents import atlas_document, measures_beside, measures_document
from jiqun.atlas.measured import MeasureRequest
from jiqun.atlas.measuring import HANDLERS, MeasuresRequest, measure, measures
from jiqun.atlas.pairs import m_function
from jiqun.atlas.subject import subject_of
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.report import html
from jiqun.report.blocks import walk
from jiqun.store import Workspace
from jiqun.store.worker import work

PUBLIC = Actor("public", frozenset({"public"}))
REQUEST = MeasureRequest(draws=39, max_km=100)
TOWNS = {
    "San Jose": (-121.89, 37.34),
    "San Francisco": (-122.42, 37.77),
    "Austin": (-97.74, 30.27),
    "Houston": (-95.37, 29.76),
    "Denver": (-104.99, 39.74),
    "Seattle": (-122.33, 47.61),
    "Chicago": (-87.63, 41.88),
    "Boston": (-71.06, 42.36),
    "Atlanta": (-84.39, 33.75),
    "Miami": (-80.19, 25.76),
    "New York": (-74.01, 40.71),
    "Phoenix": (-112.07, 33.45),
}
CLASSES = ("0101", "0102", "0103", "0104", "0105", "0301", "0302", "0303", "0304", "0404")


@pytest.fixture
def workspace(tmp_path, places):
    made = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    return made


def firms(n: int = 900, seed: int = 3) -> pl.DataFrame:
    """Made-up firms of ten classes in twelve towns; towns of one part of the country make the same classes, software is
    denser in San Jose."""
    rng = np.random.default_rng(seed)
    town = rng.integers(0, len(TOWNS), n)
    kind = (town * 2 + rng.integers(0, 5, n)) % len(CLASSES)
    software = rng.random(n) < 0.12
    town[software] = np.where(rng.random(software.sum()) < 0.6, 0, town[software])
    kind[software] = CLASSES.index("0301")
    centre = np.array(list(TOWNS.values()))[town]
    width = np.where(software & (town == 0), 0.02, 0.12)
    lon, lat = centre.T + rng.normal(0, 1, (2, n)) * width
    code = np.array(CLASSES)[kind]
    return pl.DataFrame(
        {
            "id": [f"o{k}" for k in range(n)],
            "name": [f"Maker {k}" for k in range(n)],
            "lon": lon,
            "lat": lat,
            "digital_code": [None if k % 15 == 7 else f"{one}01" for k, one in enumerate(code)],
            "precision_km": 0.1,
            "employees": rng.integers(1, 90, n).astype(float),
        }
    )


def load(workspace: Workspace, frame: pl.DataFrame, day: str = "2024-05-01") -> None:
    with workspace.new_snapshot("organisations", as_of=day, source="made up for a test") as writer:
        writer.write(frame)


def test_what_is_stored_is_what_the_functions_give(workspace):
    load(workspace, firms())
    steps = []
    result = measured.measure(LOCAL, workspace, REQUEST, progress=lambda step, *_: steps.append(step))
    assert steps == ["classes", "concentration", "neighbours", "M function", "K density"]
    assert set(result.tables) == {"classes", "regions", "sets", "moran", "m", "k"}
    assert result.values["unknown"] == {}
    assert result.values["level"] == "region"
    assert result.values["digital"] == "0301"
    classes, regions = result.table("classes"), result.table("regions")
    assert classes["firms"].sum() == result.values["classed"] == 840
    assert regions["firms"].sum() == result.values["firms"] == 900

    frame, _, _ = measured._firms(
        measured.classified(firms(), measured.reader(workspace, "off")), REQUEST, gazetteer(workspace)
    )
    software = frame.filter(pl.col("class") == "0301")
    found = ellison_glaeser(software.select("region"), totals=frame.group_by("region").len())
    row = classes.filter(pl.col("class") == "0301").row(0, named=True)
    assert row["gamma"] == pytest.approx(found.gamma, rel=1e-12)
    assert row["p"] == pytest.approx(found.p, rel=1e-9)
    curve = m_function(
        frame["lon"],
        frame["lat"],
        (frame["class"] == "0301").fill_null(value=False).to_numpy(),
        radii_km=[radius for radius in measured.RADII_KM if radius <= 100],
        draws=39,
    )
    assert result.table("m")["value"].to_numpy() == pytest.approx(curve.value, rel=1e-12)
    assert result.values["curves"]["m"]["p"] == curve.p
    lacking = regions.explode("next").drop_nulls("next")
    assert lacking.height
    own = frame.drop_nulls("class").group_by("region", "class").len("n")
    share = own.with_columns(
        lq=pl.col("n") * pl.col("n").sum() / pl.col("n").sum().over("region") / pl.col("n").sum().over("class")
    )
    has = lacking.join(share, left_on=["region", "next"], right_on=["region", "class"])
    assert (has["lq"] < 1).all()


def gazetteer(workspace):
    return measured.Gazetteer.load(workspace.cache)


def test_the_same_is_stored_once_and_another_size_apart(workspace):
    load(workspace, firms())
    first = measured.measure(LOCAL, workspace, REQUEST)
    sized = measured.measure(LOCAL, workspace, REQUEST.model_copy(update={"size": "employees"}))
    assert sized.id != first.id
    assert not sized.table("classes")["gamma"].equals(first.table("classes")["gamma"])
    assert measured.measure(LOCAL, workspace, REQUEST).created == first.created
    assert len(workspace.results("measures")) == 2


def test_order_of_rows_changes_nothing_but_the_draws(workspace):
    load(workspace, firms())
    first = measured.measure(LOCAL, workspace, REQUEST)
    load(workspace, firms().reverse(), day="2024-06-01")
    second = measured.measure(LOCAL, workspace, REQUEST)
    assert second.id != first.id
    for name in ("classes", "regions", "sets"):
        a, b = first.table(name), second.table(name)
        assert a.columns == b.columns
        for column in a.columns:
            if a[column].dtype == pl.Float64:
                assert a[column].fill_null(-9).to_numpy() == pytest.approx(b[column].fill_null(-9).to_numpy(), abs=1e-9)
            else:
                assert a[column].equals(b[column])
    assert first.table("m")["value"].to_numpy() == pytest.approx(second.table("m")["value"].to_numpy(), rel=1e-9)


def test_sizes_that_are_not_for_everybody_are_kept_from_others(workspace):
    load(workspace, firms())
    sized = measured.measure(LOCAL, workspace, REQUEST.model_copy(update={"size": "employees"}))
    with pytest.raises(WorkspaceError) as nothing:
        measures(PUBLIC, workspace, MeasuresRequest())
    assert nothing.value.code == "JQ-ATLAS-030"
    with pytest.raises(WorkspaceError):
        measures(PUBLIC, workspace, MeasuresRequest(run=sized.id[:12]))
    assert measures(LOCAL, workspace, MeasuresRequest()).size == "employees"
    counted = measured.measure(LOCAL, workspace, REQUEST)
    measured.measure(LOCAL, workspace, REQUEST.model_copy(update={"size": "employees"}))
    assert measures(PUBLIC, workspace, MeasuresRequest()).id == counted.id
    assert measures(LOCAL, workspace, MeasuresRequest()).id == sized.id


def test_a_job_measures_and_its_answer_holds_every_table(workspace):
    load(workspace, firms())
    with pytest.raises(PermissionDeniedError):
        measure(PUBLIC, workspace, REQUEST, key="measure-0")
    job = measure(LOCAL, workspace, REQUEST, key="measure-1").job
    assert measure(LOCAL, workspace, REQUEST, key="measure-1").job == job
    assert work(workspace, HANDLERS, once=True) == 1
    done = workspace.database.jobs.find(job)
    assert done.state == "done"
    answer = measures(PUBLIC, workspace, MeasuresRequest())
    assert answer.id == done.result["result"]
    assert len(answer.classes) == done.result["classes"] == 10
    assert {row.code for row in answer.sets} <= {row.code for row in answer.classes}
    assert len(answer.m.points) == 12
    assert answer.k.points[-1].distance_km == pytest.approx(100)
    assert answer.k.bandwidth_km > 0
    assert answer.neighbours[0].region.startswith("US.")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (firms().with_columns(digital_code=pl.lit("010101")), "JQ-ATLAS-033"),
        (firms().drop("digital_code").with_columns(industry=pl.lit("网络设备制造")), "JQ-ATLAS-033"),
        (firms().drop("digital_code"), "JQ-ATLAS-028"),
        (firms().with_columns(digital_code=pl.lit("01")), "JQ-ATLAS-033"),
        (firms().with_columns(lon=pl.lit(-122.33), lat=pl.lit(47.61)), "JQ-ATLAS-028"),
        (firms().with_columns(lon=pl.lit(None, pl.Float64)), "JQ-ATLAS-028"),
    ],
)
def test_a_register_with_nothing_to_compare_is_refused(workspace, frame, code):
    load(workspace, frame)
    with pytest.raises(InputError) as refused:
        measured.measure(LOCAL, workspace, REQUEST)
    assert refused.value.code == code
    assert refused.value.render("zh") != refused.value.render("en")


def test_what_cannot_be_asked_is_refused_before_any_work(workspace):
    with pytest.raises(WorkspaceError):
        measure(LOCAL, workspace, REQUEST, key="measure-2")
    load(workspace, firms())
    for wrong, code in (
        ({"digital": "9999"}, "JQ-TAXONOMY-004"),
        ({"size": "turnover"}, "JQ-USE-003"),
        ({"size": "name"}, "JQ-ATLAS-016"),
        ({"by": "industry"}, "JQ-USE-003"),
    ):
        with pytest.raises(InputError) as refused:
            measure(LOCAL, workspace, MeasureRequest(**wrong), key=f"measure-{code}")
        assert refused.value.code == code
    assert workspace.database.jobs.list() == ()


def test_industries_by_their_codes(workspace):
    frame = firms()
    codes = {one: f"GB/T 4754-2017:{3911 + k}" for k, one in enumerate(CLASSES)}
    industry = frame["digital_code"].str.head(4).replace(codes)
    load(workspace, frame.with_columns(industry_code=industry).drop("digital_code"))
    result = measured.measure(LOCAL, workspace, MeasureRequest(by="industry", draws=39))
    assert set(result.table("classes")["class"]) == {code[-4:] for code in codes.values()}


def test_what_is_not_known_is_said_and_the_rest_stands(workspace):
    """Two classes, two regions, every firm placed by its province: no complexity, sets, distances."""
    frame = firms(60).with_columns(
        digital_code=pl.Series(["010101", "030101"] * 30),
        lon=pl.Series([-121.89, -97.74] * 30),
        lat=pl.Series([37.34, 30.27] * 30),
        precision_km=pl.lit(300.0),
    )
    load(workspace, frame)
    result = measured.measure(LOCAL, workspace, REQUEST)
    assert set(result.values["unknown"]) == {"complexity", "sets", "moran", "m", "k"}
    assert set(result.tables) == {"classes", "regions"}
    assert result.table("classes")["gamma"].to_list() == pytest.approx([1.0, 1.0], abs=0.2)
    document = measures_document(result, subject_of(workspace, result))
    page = html(document)
    for why in result.values["unknown"].values():
        assert why["code"] in page
    assert measures(LOCAL, workspace, MeasuresRequest()).m is None


def test_distances_that_points_cannot_tell_are_named(workspace):
    """Every firm at its town's centre: only distances from town to town are told apart."""
    frame = firms()
    centre = np.array(list(TOWNS.values()))
    at = np.argmin(((frame.select("lon", "lat").to_numpy()[:, None] - centre) ** 2).sum(axis=2), axis=1)
    load(workspace, frame.with_columns(lon=pl.Series(centre[at, 0]), lat=pl.Series(centre[at, 1])))
    result = measured.measure(LOCAL, workspace, MeasureRequest(draws=39, digital="0301"))
    assert 60 < result.values["blur_km"] < 1000
    document = measures_document(result, subject_of(workspace, result))
    figures = {block.id: block for block in walk(document.blocks) if hasattr(block, "mark")}
    for name in ("m-figure", "k-figure"):
        assert "same place" in figures[name].title.en or "Nowhere" in figures[name].title.en
        assert "up to" not in figures[name].title.en
    assert "told apart" in html(document)


def test_the_sentence_follows_the_numbers(workspace):
    load(workspace, firms())
    run = desk.run(LOCAL, workspace, desk.Search(digital="03", coverage="world"))
    result = measured.measure(LOCAL, workspace, REQUEST)
    document = measures_document(result, subject_of(workspace, result))
    beyond = result.table("classes").filter(pl.col("q") < 0.05, pl.col("gamma") > 0)
    assert beyond.height > 1
    assert f"{beyond.height} are more concentrated" in document.subtitle.en
    assert f"{beyond['gamma'].max():.2f}" in document.subtitle.zh
    page = html(document)
    for words in ("应用软件" if "应用软件" in page else "软件开发", "Software development", "K-density", "M 函数"):
        assert words in page
    short = measures_document(result, subject_of(workspace, result), most=3)
    tables = [getattr(block, "table", block) for block in walk(short.blocks)]
    rows = {table.id: len(table.rows) for table in tables if hasattr(table, "rows")}
    assert rows["classes-table"] == rows["complexity-table"] == 3
    beside = atlas_document(run, subject_of(workspace, run), measures_beside(PUBLIC, workspace, run), each=False)
    assert document.subtitle.en in html(beside)  # every id once, or it is refused
    load(workspace, firms(120), day="2024-06-01")
    other = desk.run(LOCAL, workspace, desk.Search(digital="03", coverage="world"))
    assert measures_beside(PUBLIC, workspace, other) == ()


def test_evenly_spread_classes_are_not_called_concentrated(workspace):
    frame = firms()
    load(workspace, frame.with_columns(frame["digital_code"].sample(fraction=1.0, shuffle=True, seed=11)))
    result = measured.measure(LOCAL, workspace, REQUEST)
    assert result.table("classes").filter(pl.col("q") < 0.01).is_empty()
    assert result.values["curves"]["m"]["p"] > 0.01


def test_no_such_measures(workspace):
    load(workspace, firms(120))
    with pytest.raises(UsageError):
        measured.current(LOCAL, workspace, "ffff")
