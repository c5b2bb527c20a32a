"""The network's desk: what is stored, once, under ids that last; who may see ties; what is unknown is said to be."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

from jiqun.atlas import desk, network_desk
from jiqun.atlas import network_room as room
from jiqun.atlas.documents import cluster_document, network_document
from jiqun.atlas.network_desk import Analysis
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import PermissionDeniedError, UsageError, WorkspaceError
from jiqun.core.lineage import Lineage, Source
from jiqun.report import html
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.worker import work

ANALYSIS = Analysis(nulls=19, draws=39)
PUBLIC = Actor("public", frozenset({"public"}))
ANALYST = Actor("ana", frozenset({"analyst"}))


@pytest.fixture
def workspace(tmp_path, places):
    made = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    at = [(-105.27, 40.01, "Boulder", "US")] * 40 + [(0.12, 52.2, "Cambridge", "GB")] * 30
    at += [(9.99, 53.55, "Hamburg", "DE"), (13.41, 52.52, "Berlin", "DE")] * 5
    lon, lat, city, country = (list(column) for column in zip(*at, strict=True))
    n = len(at)
    rng = np.random.default_rng(1)
    firms = pl.DataFrame(
        {"lon": lon, "lat": lat, "place_name": city, "country": country, "precision_km": 10.0}
    ).with_columns(
        id=pl.format("o{}", pl.int_range(n)),
        place_name_zh=pl.lit(None, pl.String),
        name=pl.format("Maker <b>{}</b>", pl.int_range(n)),
        city=pl.col("place_name"),
        digital_code=pl.Series(["0101"] * 50 + ["0501"] * 20 + [None] * (n - 70), dtype=pl.String),
        employees=pl.Series(rng.integers(5, 500, n)),
        placed_by=pl.lit("city"),
    )
    with made.new_snapshot("organisations", as_of="2024-05-01", source="made up for a test") as writer:
        writer.write(firms)
    desk.run(LOCAL, made, desk.Search(background="population", coverage="world", eps_km=20))
    yield made
    made.database.close()


def ties(seed: int = 1, **more: object) -> pl.DataFrame:
    """Two teams that span Boulder and Cambridge, and single ties from them to anyone; supply, synthetic."""
    rng = np.random.default_rng(seed)
    rows, teams = [], ([*range(12), *range(40, 46)], [*range(20, 34), *range(60, 64)])
    for team in teams:
        rows += [(f"o{i}", f"Maker <b>{j}</b>") for i in team for j in team if i != j and rng.random() < 0.5]
    everyone = np.concatenate(teams)
    rows += [
        (f"o{i}", f"o{j}") for i, j in zip(rng.choice(everyone, 50), rng.integers(0, 80, 50), strict=True) if i != j
    ]
    frame = pl.DataFrame(rows, schema=["source", "target"], orient="row").unique(maintain_order=True)
    return frame.with_columns(
        id=pl.format("l{}", pl.int_range(pl.len())), kind=pl.lit("supply"), weight=pl.lit(1.0),
        **{name: pl.lit(value) for name, value in more.items()},
    )  # fmt: skip


def load(workspace: Workspace, frame: pl.DataFrame, day: str = "2024-05-01") -> None:
    with workspace.new_snapshot("links", as_of=day, source="made-up ties <i>") as writer:
        writer.write(frame)


def test_without_links_it_says_what_to_do(workspace):
    with pytest.raises(WorkspaceError, match="JQ-NETWORK-003"):
        network_desk.run(LOCAL, workspace, ANALYSIS)
    with pytest.raises(WorkspaceError, match="JQ-NETWORK-004"):
        network_desk.current(PUBLIC, workspace)
    page = html(cluster_document(workspace, workspace.result("clusters"), "c0001"))
    assert "No links between firms are loaded yet" in page
    load(workspace, ties())
    with pytest.raises(UsageError, match="JQ-NETWORK-006"):
        network_desk.run(LOCAL, workspace, Analysis(kinds=("gossip",)))


def test_an_analysis_is_stored_with_its_lineage_once_and_says_what_it_found(workspace):
    load(workspace, ties())
    result = network_desk.run(LOCAL, workspace, ANALYSIS)
    again = network_desk.run(LOCAL, workspace, ANALYSIS)
    assert (again.id, again.created) == (result.id, result.created)
    assert [one.name for one in result.lineage.inputs] == ["links", "organisations", "clusters"]
    assert result.table("clusters")["cluster_id"].to_list()[:2] == ["n0001", "n0002"]
    teams = [set(part["id"]) for part in result.table("members").partition_by("cluster_id", maintain_order=True)][:2]
    assert sorted(len(team & {f"o{i}" for i in [*range(12), *range(40, 46)]}) >= 16 for team in teams) == [False, True]
    types = result.table("types")
    assert set(types["scope"]) == {"map", "network"}
    boulder = types.filter(pl.col("cluster_id") == "c0001").row(0, named=True)
    assert (boulder["label"], boulder["form"]) == ("digital_industry", "geographic")
    cambridge = types.filter(pl.col("cluster_id") == "c0002").row(0, named=True)
    assert (cambridge["label"], cambridge["digital_cluster"]) == ("digitised_traditional", False)
    residuals = result.table("residuals")
    assert residuals["cluster_id"].to_list() == ["c0001", "c0002"]
    assert set(residuals["finding"]) <= {"more", "as expected", "less"}
    leaders = result.table("leaders")
    assert leaders.filter(pl.col("cluster_id") == "c0001")["rank"].min() == 1
    assert leaders["dependence_in"].is_not_null().any()
    assert result.values["changes"] is None


def test_ids_last_and_the_change_since_the_load_before_is_told(workspace):
    load(workspace, ties())
    first = network_desk.run(LOCAL, workspace, ANALYSIS)
    load(workspace, ties(seed=2), day="2025-05-01")
    second = network_desk.run(LOCAL, workspace, ANALYSIS)
    one, other = (dict(r.table("members").select("id", "cluster_id").iter_rows()) for r in (first, second))
    team = [f"o{i}" for i in range(12)]
    assert len({one[firm] for firm in team}) == 1
    assert [other[firm] for firm in team] == [one[firm] for firm in team]
    events = dict(second.table("clusters").select("cluster_id", "event").iter_rows())
    assert events[one["o0"]] == "continued"
    told = second.values["changes"]
    assert (told["before"], told["after"]) == ("2024-05-01", "2025-05-01")
    assert told["kept"] + told["lost"] + told["lost_with_firms"] == first.values["links"]
    assert told["kept"] + told["new"] + told["new_with_firms"] == second.values["links"]


def test_few_answers_to_a_survey_make_the_finding_unknown(workspace):
    load(workspace, ties(x_survey="sv_1"))
    nodes = pl.DataFrame(
        {"organisation": [f"o{i}" for i in range(80)], "responded": [i >= 40 or i % 4 == 0 for i in range(80)]}
    )
    lineage = Lineage("survey.publish", "1", {"survey": "sv_1"}, (Source("survey_answers", "ab"),))
    workspace.put_result("survey-links", lineage, {"nodes": nodes}, {})
    result = network_desk.run(LOCAL, workspace, ANALYSIS)
    told = room.linkage(PUBLIC, workspace, room.LinkageRequest(cluster_id="c0001"))
    assert (told.finding, told.reason, told.response) == ("unknown", "response", 0.25)
    assert room.linkage(PUBLIC, workspace, room.LinkageRequest(cluster_id="c0002")).response == 1.0
    page = html(cluster_document(workspace, workspace.result("clusters"), "c0001"))
    assert "not known (not known: too few answered)" in page
    assert result.values["survey"] is not None


def test_a_survey_of_unknown_response_finds_nothing_unless_the_share_is_given(workspace):
    """Links that say who reported them come from a survey; a table of them does not say how many answered."""
    load(workspace, ties(reported_by="source"))
    network_desk.run(LOCAL, workspace, ANALYSIS)
    asked = room.LinkageRequest(cluster_id="c0001")
    told = room.linkage(PUBLIC, workspace, asked)
    assert (told.finding, told.reason) == ("unknown", "response unknown")
    page = html(cluster_document(workspace, workspace.result("clusters"), "c0001"))
    assert "how many answered is not known" in page
    network_desk.run(LOCAL, workspace, Analysis(nulls=19, draws=39, response=0.9))
    assert room.linkage(PUBLIC, workspace, asked).finding != "unknown"
    network_desk.run(LOCAL, workspace, Analysis(nulls=19, draws=39, response=0.4))
    assert room.linkage(PUBLIC, workspace, asked).reason == "response"


def test_what_another_survey_answered_says_nothing_of_this_one(workspace):
    load(workspace, ties(reported_by="both", x_survey="sv_elsewhere"))
    nodes = pl.DataFrame({"organisation": [f"o{i}" for i in range(80)], "responded": True})
    lineage = Lineage("survey.publish", "1", {"survey": "sv_1"}, (Source("survey_answers", "ab"),))
    workspace.put_result("survey-links", lineage, {"nodes": nodes}, {})
    network_desk.run(LOCAL, workspace, ANALYSIS)
    told = room.linkage(PUBLIC, workspace, room.LinkageRequest(cluster_id="c0001"))
    assert (told.finding, told.reason) == ("unknown", "response unknown")


def test_who_is_linked_with_whom_is_not_for_everybody(workspace):
    load(workspace, ties())
    with pytest.raises(PermissionDeniedError):
        network_desk.run(PUBLIC, workspace, ANALYSIS)
    result = network_desk.run(ANALYST, workspace, ANALYSIS)
    asked = room.PositionsRequest()
    with pytest.raises(PermissionDeniedError):
        room.positions(PUBLIC, workspace, asked)
    with pytest.raises(PermissionDeniedError):
        room.positions_frame(Actor("m", frozenset({"member"}), "o1"), workspace, asked)
    assert room.positions(ANALYST, workspace, asked).total == result.values["nodes"]
    request = room.LeadersRequest(cluster_id="c0001")
    full, public = (room.leaders(actor, workspace, request) for actor in (ANALYST, PUBLIC))
    assert full[0].pagerank is not None
    assert {(one.size, one.pagerank, one.dependence_in, one.customers) for one in public} == {(None, None, None, None)}
    assert [one.rank for one in public] == sorted(one.rank for one in public)
    seen, unseen = (html(network_document(workspace, result, full=full)) for full in (True, False))
    assert "network-picture" in seen
    assert "network-picture" not in unseen
    assert "network-brokers" not in unseen


def test_names_act_nowhere_in_pictures_and_tables(workspace):
    load(workspace, ties())
    page = html(network_document(workspace, network_desk.run(LOCAL, workspace, ANALYSIS), full=True))
    assert "Maker &lt;b&gt;" in page
    assert "Maker <b>" not in page
    assert "ties <i>" not in page


def test_a_command_queues_it_and_the_worker_does_it(workspace):
    load(workspace, ties())
    wanted = room.NetworkRunRequest(nulls=19, draws=39, kinds=("supply",), weights=(("supply", 2.0),))
    room.network_run(ANALYST, workspace, wanted, key=new_key())
    work(workspace, room.HANDLERS, once=True)
    told = room.network(PUBLIC, workspace, room.NetworkRequest())
    assert told.values["clusters"] >= 2
    assert told.values["weights"] == {"supply": 2.0}
    rows = room.network_clusters(PUBLIC, workspace, room.NetworkClustersRequest())
    assert [row.cluster_id for row in rows.items][:2] == ["n0001", "n0002"]
    with pytest.raises(UsageError, match="JQ-NETWORK-005"):
        room.leaders(PUBLIC, workspace, room.LeadersRequest(cluster_id="n0099"))


def large(folder) -> Workspace:
    """4,000 firms in 40 towns that are clusters on the map, more than whose pairs are all looked at; made up."""
    made = Workspace.init(folder)
    rng, n = np.random.default_rng(2), 4_000
    ids, town = pl.Series([f"o{i}" for i in range(n)]), np.arange(n) // 100
    firms = pl.DataFrame({"id": ids, "name": ids, "employees": rng.integers(1, 500, n)}).with_columns(
        lon=pl.Series(100 + town % 8 + rng.normal(0, 0.05, n)), lat=pl.Series(25 + town // 8 + rng.normal(0, 0.05, n))
    )
    source, target = rng.integers(0, n, 12_000), rng.integers(0, n, 12_000)
    target = np.where(rng.random(12_000) < 0.6, source // 100 * 100 + target % 100, target)
    rows = pl.DataFrame({"id": [f"l{k}" for k in range(12_000)], "source": ids[source], "target": ids[target]})
    for name, frame in (("organisations", firms), ("links", rows.with_columns(kind=pl.lit("supply"), weight=1.0))):
        with made.new_snapshot(name, as_of="2024-05-01", source="made up for a test") as writer:
            writer.write(frame)
    members = pl.DataFrame({"cluster_id": [f"c{t}" for t in town], "id": ids, "core": True})
    origin = (Source("organisations", "ab", "2024-05-01"),)
    made.put_result("clusters", Lineage("made up", "1", {"digital": None}, origin), {"members": members}, {})
    return made


def test_the_same_links_give_the_same_numbers_every_time(tmp_path):
    told = []
    for name in "ab":
        made = large(tmp_path / name)
        result = network_desk.run(LOCAL, made, Analysis(nulls=19, draws=19))
        told.append({table: result.table(table) for table in ("nodes", "clusters", "leaders", "residuals", "types")})
        made.database.close()
    assert told[0]["residuals"]["ratio"].count() == 40
    for table, frame in told[0].items():
        assert frame.equals(told[1][table]), table
