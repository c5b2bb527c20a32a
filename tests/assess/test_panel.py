"""The table that a workspace has for a framework: against plain counting, and what is refused or named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from assess_workspace import FRAMEWORK, SEARCH, SIZES, firms, indicator_rows, load_firms, load_indicators

from jiqun.assess.atlas_values import ATLAS_INDICATORS, Reading, atlas_value
from jiqun.assess.framework import framework_of, parse_framework, shipped
from jiqun.assess.panel import gather, panel, weight_share
from jiqun.assess.panel_boundaries import boundaries
from jiqun.assess.table import indicator_columns
from jiqun.atlas import chain_desk, core_desk, network_desk
from jiqun.atlas import desk as atlas
from jiqun.atlas.chain_records import shipped as shipped_chains
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, WorkspaceError
from jiqun.store import Workspace

MINE = parse_framework(FRAMEWORK)


def clusters(workspace):
    """Cluster id by city, and the members of each."""
    run = find_run(workspace, Which())
    rows = run.table("members").select("cluster_id", "id", "city", "digital_code", "region_code")
    return {city: key for key, city in rows.select("cluster_id", "city").unique().iter_rows()}, rows.to_dicts()


def values(workspace, code):
    found = atlas_value(Reading(workspace, find_run(workspace, Which())), code)
    assert isinstance(found, pl.DataFrame), found
    return dict(found.iter_rows())


def test_the_made_up_workspace_has_four_clusters(workspace):
    assert set(clusters(workspace)[0]) == set(SIZES)


def test_core_shares_and_quotients_are_those_of_plain_counting(workspace):
    assert isinstance(atlas_value(Reading(workspace, find_run(workspace, Which())), "core_share"), Text)
    core_desk.judge(LOCAL, workspace)
    ids, members = clusters(workspace)
    everyone = firms().to_dicts()
    whole = sum(one["digital_code"] is not None for one in everyone) / len(everyone)
    for city, key in ids.items():
        inside = [one for one in members if one["cluster_id"] == key]
        share = sum(one["digital_code"] is not None for one in inside) / len(inside)
        assert values(workspace, "core_share")[key] == pytest.approx(100 * share), city
        assert values(workspace, "lq_core")[key] == pytest.approx(share / whole), city


def test_variety_is_the_inverse_of_the_sum_of_squared_shares(workspace):
    ids, members = clusters(workspace)
    for key in ids.values():
        counts = Counter(one["digital_code"] for one in members if one["cluster_id"] == key and one["digital_code"])
        total = sum(counts.values())
        assert values(workspace, "variety")[key] == pytest.approx(1 / sum((n / total) ** 2 for n in counts.values()))


def test_net_entry_compares_with_the_run_before_and_is_unknown_for_what_was_not_there(workspace):
    reading = Reading(workspace, find_run(workspace, Which()))
    assert isinstance(atlas_value(reading, "net_entry"), Text)
    before = {row["cluster_id"]: row["firms"] for row in reading.run.clusters.to_dicts()}
    load_firms(workspace, firms({"Boulder": 50, "Cambridge": 24, "Grenoble": 28, "Oulu": 26}), "2024-05-01")
    atlas.run(LOCAL, workspace, SEARCH)
    ids, _ = clusters(workspace)
    found = values(workspace, "net_entry")
    assert found[ids["Boulder"]] == pytest.approx(100 * (50 - before[ids["Boulder"]]) / before[ids["Boulder"]])
    assert found[ids["Cambridge"]] < 0
    assert found[ids["Grenoble"]] == 0


def test_chain_indicators_count_nodes_with_members(workspace):
    for chain in shipped_chains():
        chain_desk.place(LOCAL, workspace, chain)
    reading = Reading(workspace, find_run(workspace, Which()))
    _, members = clusters(workspace)
    assert reading.on_chain.height > 2  # of the fourth too many are undecided
    for row in reading.on_chain.to_dicts():
        result, nodes = reading.chains[row["chain"]]
        mine = {one["id"] for one in members if one["cluster_id"] == row["cluster_id"]}
        at = Counter(
            node for firm, node in result.table("at").select("id", "node").unique().iter_rows() if firm in mine
        )
        assert (row["held"], row["single"], row["nodes"]) == (len(at), sum(n == 1 for n in at.values()), nodes)


def test_cross_links_are_those_between_prefectures(workspace):
    names = firms().filter(pl.col("region_code").is_not_null())
    where = dict(names.select("id", "region_code").iter_rows())
    ids = list(where)
    pairs = [(ids[i], ids[(7 * i + 3) % len(ids)]) for i in range(len(ids)) if ids[i] != ids[(7 * i + 3) % len(ids)]]
    links = pl.DataFrame(pairs, schema=["source", "target"], orient="row").with_columns(
        id=pl.format("l{}", pl.int_range(pl.len())), kind=pl.lit("supply"), weight=pl.lit(1.0)
    )
    with workspace.new_snapshot("links", as_of="2023-05-01", source="made up") as writer:
        writer.write(links)
    assert isinstance(atlas_value(Reading(workspace, find_run(workspace, Which())), "cross_links"), Text)
    network_desk.run(LOCAL, workspace, network_desk.Analysis(nulls=19, draws=19, filter="none"))
    cities, members = clusters(workspace)
    of = {one["id"]: one["cluster_id"] for one in members}
    found = values(workspace, "cross_links")
    undirected = {frozenset(pair) for pair in pairs}
    searched = workspace.result("network").table("links").height
    assert searched in {len(pairs), len(undirected)}
    counted = [tuple(pair) for pair in undirected] if searched == len(undirected) else pairs
    for key in cities.values():
        touched = [pair for pair in counted if key in {of.get(pair[0]), of.get(pair[1])}]
        cross = sum(where[a][:4] != where[b][:4] for a, b in touched)
        assert found[key] == pytest.approx(100 * cross / len(touched))


def test_every_maker_belongs_to_an_indicator_of_the_atlas_and_says_how(workspace):
    declared = {one.code for each in shipped() for one in each.indicators if one.origin == "atlas"}
    assert set(ATLAS_INDICATORS) == declared
    assert isinstance(atlas_value(Reading(workspace, find_run(workspace, Which())), "joint_projects"), Text)


def test_a_table_joins_the_clusters_by_id_and_by_name(workspace):
    ids, _ = clusters(workspace)
    run = find_run(workspace, Which())
    names = {row["cluster_id"]: row for row in run.clusters.to_dicts()}
    called = {
        ids["Boulder"]: 1.0, names[ids["Cambridge"]]["name_en"]: 2.0, f" {names[ids['Oulu']]['name_zh']} ": 3.0, "Atlantis": 4.0,
    }  # fmt: skip
    load_indicators(workspace, [(unit, "joint_projects", 2023, value, "个") for unit, value in called.items()])
    found = panel(workspace, MINE)
    assert (found.basis, found.year) == ("clusters", 2023)
    held = dict(found.frame.select("unit", "joint_projects").iter_rows())
    wanted = dict.fromkeys(ids.values()) | {ids["Boulder"]: 1.0, ids["Cambridge"]: 2.0, ids["Oulu"]: 3.0}
    assert held == wanted
    assert [one.code for one in found.remarks] == ["JQ-ASSESS-065"]
    assert "Atlantis" in found.remarks[0].message.en
    assert {source.name for source in found.sources} == {"indicators", "clusters"}


def test_the_units_of_the_table_are_rated_where_they_are_no_clusters(workspace):
    load_indicators(workspace, [(unit, "joint_projects", 2023, k, "个") for k, unit in enumerate("abc")])
    found = panel(workspace, MINE)
    assert (found.basis, found.rated.codes, found.frame["unit"].to_list()) == (
        "table",
        ("joint_projects",),
        ["a", "b", "c"],
    )
    assert {source.name for source in found.sources} == {"indicators"}
    state = dict(found.coverage.select("code", "state").iter_rows())
    assert state == {"beyond_chance": "missing", "variety": "missing", "joint_projects": "used"}


def test_units_of_the_table_that_are_ids_of_clusters_bear_their_names(workspace):
    one, other, *_ = find_run(workspace, Which()).clusters.to_dicts()
    load_indicators(
        workspace,
        indicator_rows({one["cluster_id"]: 1.0, other["cluster_id"]: 2.0, other["name_en"]: 3.0, "Atlantis": 4.0}),
    )
    told = gather(workspace, MINE, basis="table").units
    assert dict(told.select("unit", "en").iter_rows()) == {
        one["cluster_id"]: one["name_en"], other["cluster_id"]: f"{other['name_en']} ({other['cluster_id']})",
        other["name_en"]: other["name_en"], "Atlantis": "Atlantis",
    }  # fmt: skip


def test_what_is_missing_is_named_with_its_reason(workspace):
    found = panel(workspace, framework_of("competitiveness"))
    rows = {row["code"]: row for row in found.coverage.to_dicts()}
    assert rows["beyond_chance"]["state"] == "used"
    assert rows["lq_core"] | {"zh": ""} == {
        "code": "lq_core", "use": "indicator", "origin": "atlas", "state": "missing", "units": 0, "zh": "",
        "en": "Core industries are not judged for this register: run `jiqun atlas core-share`, or judge them on the page of core industries.",
        "answered": None, "asked": None,
    }  # fmt: skip
    assert rows["rd_intensity"]["en"] == "No table of indicators is loaded."
    assert rows["chain_leaders"]["en"].startswith("There is no analysis of links for this run")
    assert all(row["en"] and row["zh"] for row in rows.values() if row["state"] != "used")
    assert 0 < found.weight_covered < 0.2


def test_a_loaded_value_goes_before_the_atlas_and_never_beside_it(workspace):
    ids, _ = clusters(workspace)
    load_indicators(
        workspace, [(ids["Boulder"], "variety", 2023, 9.0, "个"), (ids["Oulu"], "variety", 2023, 8.0, "个")]
    )
    found = panel(workspace, MINE)
    held = dict(found.frame.select("unit", "variety").iter_rows())
    assert [held[ids[city]] for city in ("Boulder", "Oulu", "Cambridge")] == [9.0, 8.0, None]
    assert found.coverage.filter(code="variety")["origin"].to_list() == ["table"]


def test_the_atlas_counts_firms_only_where_the_table_has_no_count(workspace):
    ids, _ = clusters(workspace)
    framework = framework_of("competitiveness")
    load_indicators(workspace, [(ids[city], "sri_firms", 2023, 5.0 + k, "家") for k, city in enumerate(ids)])
    counted = dict(panel(workspace, framework).frame.select("unit", "firms").iter_rows())
    assert counted == {row["cluster_id"]: row["firms"] for row in find_run(workspace, Which()).clusters.to_dicts()}
    load_indicators(workspace, indicator_rows({ids["Boulder"]: 1.0, ids["Oulu"]: 2.0}))
    held = panel(workspace, framework).frame.select("unit", "firms").drop_nulls()
    assert sorted(held["unit"]) == sorted([ids["Boulder"], ids["Oulu"]])


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("a", "core_gdp_share", 2023, 1.0, "%"), ("b", "core_gdp_share", 2023, 1.0, "share")], "JQ-ASSESS-021"),
        ([("a", "core_gdp_share", 2023, 1.0, "share"), ("b", "core_gdp_share", 2023, 2.0, "share")], "JQ-ASSESS-021"),
        ([("a", "rd_intensity", 2023, 1.0, "万元"), ("b", "rd_intensity", 2023, 1.0, "元")], "JQ-ASSESS-021"),
        ([("a", "core_gdp_share", 2023, 1.0, "%"), ("a ", "core_gdp_share", 2023, 2.0, "%")], "JQ-ASSESS-012"),
        ([("a", "core_gdp_share", 2023, 1.0, "%"), ("b", "core_gdp_share", 2023, 1.0, "%")], "JQ-ASSESS-060"),
        ([("a", "nonsense", 2023, 1.0), ("b", "nonsense", 2023, 2.0)], "JQ-ASSESS-060"),
        ([("a", "core_gdp_share", 2001, 1.0, "%"), ("b", "core_gdp_share", 2001, 2.0, "%")], "JQ-ASSESS-060"),
        ([("a", "rd_intensity", 2023, 1.0, "万元"), ("b", "rd_intensity", 2023, 2.0, "万元")], "JQ-ASSESS-060"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(tmp_path, rows, code):
    workspace = Workspace.init(tmp_path / "ws")
    load_indicators(workspace, rows)
    with pytest.raises(MeasureInputError, match=code):
        panel(workspace, framework_of("competitiveness"))


def test_a_cluster_under_two_names_is_twice_the_same(workspace):
    ids, _ = clusters(workspace)
    load_indicators(workspace, [(name, "joint_projects", 2023, 1.0, "个") for name in (ids["Boulder"], "Boulder")])
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-012"):
        panel(workspace, MINE)


def test_nothing_at_all_says_what_to_load(tmp_path):
    workspace = Workspace.init(tmp_path / "ws")
    with pytest.raises(WorkspaceError, match="JQ-ASSESS-064"):
        panel(workspace, MINE)
    load_indicators(workspace, [("a", "joint_projects", 2023, 1.0, "个"), ("b", "joint_projects", 2022, 1.0, "个")])
    with pytest.raises(WorkspaceError, match="JQ-ATLAS-013"):
        panel(workspace, MINE, basis="clusters")
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-024"):
        panel(workspace, MINE, year=2020)


def test_quarters_strangers_and_bare_values_are_told(workspace):
    ids, _ = clusters(workspace)
    rows = [(ids[city], "joint_projects", 2023, 1.0 + k) for k, city in enumerate(ids)]
    rows += [(ids["Boulder"], "joint_projects", 2023, 7.0, "个", 2), (ids["Boulder"], "weather", 2023, 1.0)]
    load_indicators(workspace, rows)
    found = panel(workspace, MINE)
    assert [one.code for one in found.remarks] == ["JQ-ASSESS-066", "JQ-ASSESS-067", "JQ-ASSESS-068"]
    assert "weather" in found.remarks[0].message.en
    assert found.frame["joint_projects"].max() == len(ids)


def test_years_before_serve_the_nearest_year_only(workspace):
    ids, _ = clusters(workspace)
    rows = [(ids[city], "joint_projects", 2022, 5.0 + k, "个") for k, city in enumerate(ids)]
    rows += [(ids["Boulder"], "joint_projects", 2023, 1.0, "个"), (ids["Oulu"], "joint_projects", 2023, 2.0, "个")]
    load_indicators(workspace, rows)
    assert panel(workspace, MINE).year == 2023
    assert panel(workspace, MINE, year=2022).frame.filter(year=2022)["joint_projects"].null_count() == 0
    only_before = parse_framework(FRAMEWORK.replace('source = "table"', 'source = "table"\nimpute = "nearest_year"'))
    found = panel(workspace, only_before)
    assert set(found.frame["year"]) == {2022, 2023}


def test_boundaries_are_other_searches_of_the_same_register(workspace):
    ids, _ = clusters(workspace)
    found = panel(workspace, MINE)
    assert boundaries(workspace, found)[1].is_empty()
    atlas.run(LOCAL, workspace, replace(SEARCH, eps_km=60.0))
    atlas.run(LOCAL, workspace, replace(SEARCH, persistence=True))  # the same boundary
    atlas.run(LOCAL, workspace, SEARCH)
    found = panel(workspace, MINE)
    frames, searches = boundaries(workspace, found)
    assert searches.select("boundary", "units", "of", "used").rows() == [("eps_km 60.0", 4, 4, True)]
    frame = frames["eps_km 60.0"]
    assert frame.columns == ["unit", "beyond_chance", "variety"]
    assert sorted(frame["unit"]) == sorted(ids.values())
    assert frame.null_count().sum_horizontal().item() == 0


def test_a_boundary_without_a_counterpart_of_every_cluster_is_not_used_and_told(workspace):
    atlas.run(LOCAL, workspace, replace(SEARCH, floor=29))
    atlas.run(LOCAL, workspace, SEARCH)
    frames, searches = boundaries(workspace, panel(workspace, MINE))
    assert frames == {}
    assert searches.select("boundary", "of", "used").rows() == [("floor 29", 4, False)]
    assert searches["units"][0] < len(SIZES)


def test_weight_shares_go_down_the_tree():
    assert weight_share(MINE, ("joint_projects",)) == 0.25
    assert weight_share(MINE, ("variety",)) == pytest.approx(0.375)
    assert weight_share(MINE, MINE.codes) == 1


def test_a_long_table_with_denominators_may_be_in_another_unit_but_in_one():
    rows = pl.DataFrame(
        {"unit": ["x", "y"], "indicator": "rd_intensity", "value": [1.0, 2.0], "measure": ["万元", "万元"]}
    )
    assert indicator_columns(rows, framework_of("competitiveness")).columns == ["unit", "rd_intensity"]
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-021"):
        indicator_columns(rows.with_columns(measure=pl.Series(["万元", "元"])), framework_of("competitiveness"))


def test_what_is_too_little_to_rate_is_still_gathered(workspace):
    gathered = gather(workspace, framework_of("green"))
    assert gathered.rated is None
    assert gathered.coverage.filter(use="indicator")["state"].unique().to_list() == ["missing"]
