"""The desk: what is stored, that it is stored once, that ids last, and who may."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from jiqun.atlas import desk
from jiqun.atlas.documents import atlas_document
from jiqun.atlas.listing import summary_table
from jiqun.atlas.subject import Subject, register_of
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Text
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.intake.gazetteer import Gazetteer
from jiqun.report import html
from jiqun.store import Workspace

SEARCH = desk.Search(background="population", coverage="world", eps_km=20, size="size")


@pytest.fixture
def workspace(tmp_path, places):
    made = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    return made


def firms(extra: int = 0) -> pl.DataFrame:
    """Sixty firms of Boulder, forty of Cambridge, eight in German cities, two placed coarsely."""
    rng = np.random.default_rng(1)
    at = [(-105.27, 40.01, "Boulder", "US")] * (60 + extra) + [(0.12, 52.2, "Cambridge", "GB")] * 40
    at += [(9.99, 53.55, "Hamburg", "DE"), (13.41, 52.52, "Berlin", "DE")] * 4
    lon, lat, city, country = (list(column) for column in zip(*at, strict=True))
    table = pl.DataFrame({"lon": lon, "lat": lat, "place_name": city, "country": country, "precision_km": 10.0})
    coarse = pl.DataFrame(
        {"lon": [-98.6], "lat": [39.8], "place_name": [None], "country": ["US"], "precision_km": [1500.0]}
    )
    table = pl.concat([table, coarse, coarse], how="vertical_relaxed")
    n = table.height
    return table.with_columns(
        id=pl.format("o{}", pl.int_range(n)),
        place_name_zh=pl.when(pl.col("place_name") == "Boulder").then(pl.lit("博尔德")),
        name=pl.format("Maker <b>{}</b>", pl.int_range(n)),
        city=pl.col("place_name"),
        address=pl.when(pl.col("place_name") == "Boulder").then(pl.lit("1 Pearl Street")),
        size=pl.Series(rng.integers(1, 9, n)).cast(pl.Float64),
        placed_by=pl.lit("city"),
    )


def load(workspace: Workspace, frame: pl.DataFrame, day: str = "2024-05-01") -> None:
    with workspace.new_snapshot("organisations", as_of=day, source="made up for a test") as writer:
        writer.write(frame)


def test_a_run_is_stored_with_its_lineage_and_not_computed_twice(workspace):
    load(workspace, firms())
    result = desk.run(LOCAL, workspace, SEARCH)
    table = result.table("clusters")
    assert table["name_en"].to_list() == ["Boulder", "Cambridge"]
    assert table["cluster_id"].to_list() == ["c0001", "c0002"]
    assert table["firms"].to_list() == [60, 40]
    assert result.values["coarse"] == 2
    assert result.lineage.inputs[0] == workspace.snapshot("organisations").input
    again = desk.run(LOCAL, workspace, SEARCH)
    assert again.id == result.id
    assert len(workspace.results("clusters")) == 1


def test_addresses_of_very_many_are_flagged_and_left_out_for_comparison(workspace):
    load(workspace, firms())
    boulder, cambridge = desk.run(LOCAL, workspace, SEARCH).table("clusters").to_dicts()
    assert (boulder["firms"], boulder["firms_unshared"]) == (60, 0)
    assert (cambridge["firms"], cambridge["firms_unshared"]) == (40, 40)


def test_ids_last_over_runs(workspace):
    load(workspace, firms())
    desk.run(LOCAL, workspace, SEARCH)
    load(workspace, firms().filter(pl.col("place_name") != "Boulder"), "2024-06-01")
    only = desk.run(LOCAL, workspace, SEARCH)
    assert only.table("clusters").select("cluster_id", "event").rows() == [("c0002", "continued")]
    assert only.table("died")["cluster_id"].to_list() == ["c0001"]
    load(workspace, firms(extra=5), "2024-07-01")
    third = desk.run(LOCAL, workspace, SEARCH)
    assert third.table("clusters").select("name_en", "cluster_id", "event").rows() == [
        ("Boulder", "c0003", "born"),
        ("Cambridge", "c0002", "continued"),
    ]


def test_class_by_industry_code(workspace):
    """3912 is wholly core (division 01), 6513 software (03), 0111 is no digital class."""
    frame = firms().drop("size")
    code = pl.when(pl.col("place_name") == "Boulder").then(pl.lit("3912")).otherwise(pl.lit("0111"))
    load(workspace, frame.with_columns(industry_code=code))
    result = desk.run(LOCAL, workspace, desk.Search(digital="01", eps_km=20))
    row = result.table("clusters").row(0, named=True)
    assert result.values["against"] == "firms"
    assert (row["name_en"], row["firms"], row["digital_code"]) == ("Boulder", 60, "0101")
    with pytest.raises(InputError, match="JQ-ATLAS-005"):
        desk.run(LOCAL, workspace, desk.Search(digital="03", eps_km=20))


def test_bad_requests_are_told(workspace):
    with pytest.raises(WorkspaceError, match="JQ-STORE-006"):
        desk.run(LOCAL, workspace, SEARCH)
    with pytest.raises(WorkspaceError, match="JQ-ATLAS-013"):
        desk.current(LOCAL, workspace)
    load(workspace, firms())
    with pytest.raises(InputError, match="JQ-TAXONOMY-004"):
        desk.run(LOCAL, workspace, desk.Search(digital="1; drop"))
    result = desk.run(LOCAL, workspace, SEARCH)
    with pytest.raises(UsageError, match="c0001 Boulder"):
        desk.find(LOCAL, result, "Atlantis")
    assert desk.find(LOCAL, result, "cambridge")["cluster_id"] == "c0002"
    assert desk.find(LOCAL, result, "C0001")["name_en"] == "Boulder"
    assert desk.find(LOCAL, result, "博尔德")["cluster_id"] == "c0001"


@pytest.mark.parametrize("roles", [frozenset(), frozenset({"public"}), frozenset({"member"}), frozenset({"auditor"})])
def test_only_operators_and_analysts_run_searches(workspace, roles):
    load(workspace, firms())
    with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
        desk.run(Actor("someone", roles), workspace, SEARCH)
    assert workspace.results("clusters") == ()


def test_report_of_a_run_holds_both_languages_and_no_markup_of_others(workspace):
    load(workspace, firms())
    result = desk.run(
        LOCAL, workspace, desk.Search(background="population", coverage="world", eps_km=20, size="size", draws=19)
    )
    subject = Subject(Text("制造商", "makers"), Text("测试登记库", "test register"), size=Text("规模", "Size"))
    page = html(atlas_document(result, subject))
    assert "2 places hold more makers than their population explains. Boulder leads: 60 firms" in page
    assert "2 个地方的制造商多于当地人口所能解释的数量。博尔德居首：60 家" in page
    assert "Tested against population" in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert page == html(atlas_document(result, subject))


def test_report_of_a_search_that_found_nothing(workspace):
    load(workspace, firms().filter(pl.col("country") == "DE"))
    result = desk.run(LOCAL, workspace, SEARCH)
    assert summary_table(result.table("clusters")).height == 0
    page = html(atlas_document(result, Subject(Text("制造商", "makers"), Text("测试", "test"))))
    assert "No place holds more makers than their population explains." in page


def test_firms_without_names_of_places_are_named_by_the_gazetteer(workspace):
    load(workspace, firms().drop("place_name", "country"))
    table = desk.run(LOCAL, workspace, SEARCH).table("clusters")
    assert table["name_en"].to_list() == ["Boulder", "Cambridge"]
    assert table["country"].to_list() == ["US", "GB"]


def test_ids_are_never_reused_and_other_parameters_are_another_history(workspace):
    """Runs with other parameters neither hand ids on nor end those of the run that is followed."""
    load(workspace, firms())
    first = desk.run(LOCAL, workspace, SEARCH)
    nothing = desk.run(LOCAL, workspace, replace(SEARCH, floor=1000))
    other = desk.run(LOCAL, workspace, replace(SEARCH, eps_km=25))
    assert nothing.table("clusters").is_empty()
    assert set(other.table("clusters")["cluster_id"]).isdisjoint(first.table("clusters")["cluster_id"])
    load(workspace, firms(extra=3), "2024-06-01")
    followed = desk.run(LOCAL, workspace, SEARCH)
    assert followed.table("clusters").select("cluster_id", "event").rows() == [
        ("c0001", "continued"),
        ("c0002", "continued"),
    ]
    assert followed.lineage.inputs[2].digest == first.id


def test_a_register_of_one_country_is_tested_against_its_own_people(workspace, places):
    """German firms drawn by population: against Germany nothing stands out, against the world everything would."""
    towns = Gazetteer.load(places).places.filter((pl.col("country") == "DE") & (pl.col("population") > 0))
    people = towns["population"].to_numpy()
    rows = np.random.default_rng(5).choice(towns.height, 3000, p=people / people.sum())
    drawn = towns[rows].select("lon", "lat", "country", place_name="name", precision_km=pl.lit(10.0))
    load(
        workspace,
        drawn.with_columns(id=pl.format("o{}", pl.int_range(pl.len())), name=pl.format("F{}", pl.int_range(pl.len()))),
    )
    result = desk.run(LOCAL, workspace, desk.Search())
    assert result.values["coverage"]["of"] == "regions"
    assert result.values["coverage"]["countries"] == ["DE"]
    assert result.table("clusters").is_empty()
    assert desk.run(LOCAL, workspace, desk.Search(coverage="world")).table("clusters").height > 5


def test_an_export_names_the_register_it_was_computed_from(workspace):
    load(workspace, firms())
    result = desk.run(LOCAL, workspace, SEARCH)
    with workspace.new_snapshot("organisations", as_of="2025-01-01", source="another file") as writer:
        writer.write(firms(extra=1))
    assert register_of(workspace, result) == "made up for a test"


def test_firms_at_one_exact_point_are_flagged(workspace):
    """A geocoder's default: sixty firms with given coordinates that are all the same."""
    frame = firms().drop("address").with_columns(placed_by=pl.lit("coordinates"))
    load(workspace, frame)
    boulder = desk.run(LOCAL, workspace, SEARCH).table("clusters").row(0, named=True)
    assert (boulder["firms"], boulder["firms_unshared"]) == (60, 0)


def test_a_register_of_one_country_is_profiled_by_province(workspace):
    """Firms of Guangdong and Zhejiang, one known to its province only: provinces of China with their names."""
    at = [(114.06, 22.54, 10.0)] * 30 + [(120.16, 30.29, 10.0)] * 10 + [(113.3, 23.1, 150.0)]
    frame = pl.DataFrame(at, schema=["lon", "lat", "precision_km"], orient="row")
    load(workspace, frame.with_columns(id=pl.format("o{}", pl.int_range(41)), name=pl.format("F{}", pl.int_range(41))))
    result = desk.run(LOCAL, workspace, desk.Search())
    table = result.table("regions")
    assert table.select("name_zh", "firms", "coarse").head(2).rows() == [("广东省", 31, 1), ("浙江省", 10, 0)]
    assert set(table["level"]) == {"region"}
    assert table.filter(pl.col("firms") == 0).height > 20
    assert "广东省" in html(atlas_document(result, Subject(Text("企业", "firms"), Text("测试", "test"))))


def test_a_firm_in_a_new_region_does_not_end_the_history(workspace):
    """The population tested against follows the register; the ids of its clusters do not change for that."""
    at = [(114.06, 22.54)] * 60 + [(120.16, 30.29)] * 3

    def register(points: list[tuple[float, float]]) -> pl.DataFrame:
        frame = pl.DataFrame(points, schema=["lon", "lat"], orient="row").with_row_index("n")
        return frame.select("lon", "lat", id=pl.format("o{}", "n"), name=pl.format("F{}", "n"))

    load(workspace, register(at))
    first = desk.run(LOCAL, workspace, desk.Search())
    load(workspace, register([*at, (104.07, 30.67)]), "2024-06-01")
    second = desk.run(LOCAL, workspace, desk.Search())
    assert len(second.values["coverage"]["regions"]) == len(first.values["coverage"]["regions"]) + 1
    assert first.table("clusters")["cluster_id"].to_list() == ["c0001"]
    assert second.table("clusters").select("cluster_id", "event").rows() == [("c0001", "continued")]
