"""The atlas's operations: what they answer, to whom, and that lists, history and search hold together."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from pydantic import ValidationError

from jiqun.accounts import mine, people
from jiqun.accounts.recorder import flush
from jiqun.accounts.views import views
from jiqun.atlas import desk
from jiqun.atlas.declared import ENTRIES, HANDLERS, ROOM
from jiqun.atlas.documents import cluster_document, compare_document, firm_document, region_document
from jiqun.atlas.documents.firm import UNITS
from jiqun.atlas.documents.words import placed_by_text
from jiqun.atlas.entries import FIRM_COLUMNS, firm_entry
from jiqun.atlas.firms import FactRow, FirmRequest, firm
from jiqun.atlas.glossary import TOPICS, measures
from jiqun.atlas.lookup import SearchRequest, search
from jiqun.atlas.operations import (
    ClusterRequest,
    ClustersRequest,
    CompareRequest,
    MembersRequest,
    RegionRequest,
    RegionsRequest,
    RunsRequest,
    TablesRequest,
    cluster,
    clusters,
    compare,
    largest,
    members,
    region,
    regions,
    runs,
    tables,
)
from jiqun.atlas.reading import OPEN_COLUMNS, Which, _ranked, find_run
from jiqun.atlas.subject import Subject
from jiqun.atlas.work import RunRequest, run
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Figure, KeyFigures, Table, Text
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.core.schema import schema
from jiqun.report import fragment, html
from jiqun.report.blocks import walk
from jiqun.report.formats import cell
from jiqun.store import Workspace
from jiqun.store.search import index_workspace
from jiqun.store.worker import work

PUBLIC = Actor("public", frozenset({"public"}))
MEMBER = Actor("acc_m", frozenset({"member"}), organisation="o0000001")
ANALYST = Actor("acc_a", frozenset({"analyst"}))
NOBODY = Actor("nobody", frozenset())
TOWNS = {
    "Boulder": ("US", -105.27, 40.01, 40),
    "Cambridge": ("GB", 0.12, 52.2, 30),
    "Hamburg": ("DE", 9.99, 53.55, 4),
    "Berlin": ("DE", 13.4, 52.52, 4),
    "Paris": ("FR", 2.35, 48.86, 4),
}


def firms(*, boulder=40, coded=True):
    """Firms of some towns; those that stay in the next register keep their ids."""
    rows = [
        {
            "id": f"o{number}{i + 1:06}",
            "name": f"{town} Maker {i}",
            "country": country,
            "city": town,
            "lon": lon + 0.001 * i,
            "lat": lat,
            "precision_km": 1.0,
            "place_id": f"geonames:{town}",
            "place_name": town,
            "place_name_zh": f"{town}市",
            "digital_code": ("010101" if i % 3 else "030201") if coded else None,
            "website": f"https://{town.lower()}{i}.example" if i % 2 else None,
            "employees": 10.0 * (i + 1),
            "registered_capital_cny": 1e6,
        }
        for number, (town, (country, lon, lat, count)) in enumerate(TOWNS.items())
        for i in range(boulder if town == "Boulder" else count)
    ]
    return pl.DataFrame(rows, schema_overrides={"digital_code": pl.String})


def load(workspace, frame, as_of="2024-05-01"):
    with workspace.new_snapshot("organisations", as_of=as_of, source="made up for a test") as writer:
        writer.write(frame)


@pytest.fixture
def empty(tmp_path, places):
    workspace = Workspace.init(tmp_path / "w")
    shutil.copytree(places, workspace.cache, dirs_exist_ok=True)
    yield workspace
    flush(workspace)
    workspace.database.close()


@pytest.fixture
def workspace(empty):
    load(empty, firms())
    desk.run(LOCAL, empty, desk.Search(background="population", coverage="world", eps_km=20, size="employees"))
    return empty


def again(workspace, boulder, as_of):
    load(workspace, firms(boulder=boulder), as_of=as_of)
    search_ = desk.Search(background="population", coverage="world", eps_km=20, size="employees")
    return desk.run(LOCAL, workspace, search_)


def test_every_question_is_for_every_reader_and_for_nobody_else(workspace):
    requests = {
        "cluster": {"cluster_id": "c0001"},
        "members": {"cluster_id": "c0001"},
        "largest": {"cluster_id": "c0001"},
    }
    requests |= {"region": {"region": "US"}, "firm": {"id": "o0000001"}}
    for name, operation in ROOM.operations.items():
        if operation.writes or name.startswith("map"):
            continue
        if name not in requests and any(f.is_required() for f in operation.request.model_fields.values()):
            continue
        asked = operation.request(**requests.get(name, {}))
        for role in sorted(operation.roles):  # which are pinned in permissions.csv
            try:
                assert operation(Actor("a", frozenset({role})), workspace, asked) is not None
            except WorkspaceError as error:  # nothing was analysed yet, which anyone who may ask is told
                if error.code not in {"JQ-NETWORK-004", "JQ-ATLAS-030"}:
                    raise
        with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
            operation(NOBODY, workspace, asked)


def test_a_list_is_paged_without_gap_and_a_cursor_belongs_to_its_filters(workspace):
    seen, cursor = [], None
    while True:
        page = clusters(PUBLIC, workspace, ClustersRequest(limit=1, cursor=cursor))
        seen += [row.cluster_id for row in page.items]
        if not (cursor := page.next):
            break
    everything = clusters(PUBLIC, workspace, ClustersRequest())
    assert seen == [row.cluster_id for row in everything.items]
    assert everything.total == 2
    first = clusters(PUBLIC, workspace, ClustersRequest(limit=1))
    with pytest.raises(UsageError, match="JQ-USE-008"):
        clusters(PUBLIC, workspace, ClustersRequest(limit=1, cursor=first.next, sort="name"))


def test_filters_and_order(workspace):
    assert [c.name_en for c in clusters(PUBLIC, workspace, ClustersRequest(country="GB")).items] == ["Cambridge"]
    assert [c.name_en for c in clusters(PUBLIC, workspace, ClustersRequest(region="US")).items] == ["Boulder"]
    assert clusters(PUBLIC, workspace, ClustersRequest(min_firms=35)).total == 1
    assert clusters(PUBLIC, workspace, ClustersRequest(event="split")).items == ()
    by_name = clusters(PUBLIC, workspace, ClustersRequest(sort="name")).items
    assert [c.name_en for c in by_name] == ["Boulder", "Cambridge"]


def test_requests_are_bounded():
    for bad in ({"cluster_id": "x"}, {"cluster_id": "c0001", "class": "../01"}, {"cluster_id": "c0001", "run": "zz"}):
        with pytest.raises(ValidationError):
            ClusterRequest(**bad)
    with pytest.raises(ValidationError):
        CompareRequest(c=tuple(f"c{i:04}" for i in range(11)))
    with pytest.raises(ValidationError):
        SearchRequest(q="x" * 201)


def test_what_is_not_for_everybody_is_seen_by_few(workspace):
    asked = MembersRequest(cluster_id="c0001", limit=3)
    for actor in (PUBLIC, MEMBER):
        for row in members(actor, workspace, asked).items:
            assert (row.size, row.address, row.lon) == (None, None, None)
            assert row.name
            assert row.place_name == "Boulder"
        named = [row.name for row in largest(actor, workspace, ClusterRequest(cluster_id="c0001"))]
        assert named == sorted(named)  # the order would tell the size
    full = largest(LOCAL, workspace, ClusterRequest(cluster_id="c0001"))
    assert [row.size for row in full] == sorted((row.size for row in full), reverse=True)
    open_text = str(cluster_document(workspace, find_run(workspace, Which()).result, "c0001"))
    full_text = str(cluster_document(workspace, find_run(workspace, Which()).result, "c0001", full=True))
    assert "400.0" in full_text
    assert "400.0" not in open_text


def test_a_firm_shows_others_its_entry_only_and_itself_everything(workspace):
    asked = FirmRequest(id="o0000001")
    told = firm(PUBLIC, workspace, asked)
    assert {fact.attribute for fact in told.facts} == {"name", "country", "city", "digital_code", "website"}
    assert told.cluster.name_en == "Boulder"
    assert not told.complete
    own = firm(MEMBER, workspace, asked)
    assert own.own
    assert {"employees", "registered_capital_cny"} <= {fact.attribute for fact in own.facts}
    assert not firm(MEMBER, workspace, FirmRequest(id="o0000002")).complete
    with pytest.raises(UsageError, match="JQ-ATLAS-020"):
        firm(PUBLIC, workspace, FirmRequest(id="o9999999"))


def test_looking_at_a_firm_is_on_record_but_not_its_own_look(workspace):
    firm(LOCAL, workspace, FirmRequest(id="o0000001"))
    firm(MEMBER, workspace, FirmRequest(id="o0000001"))
    flush(workspace)
    assert [(view.account, view.operation) for view in views(workspace, "o0000001")] == [("local", "atlas.firm")]


def withdrawn(workspace, firm_id):
    """The firm has asked to end its publication, and an operator has agreed."""
    make = {"name": "n", "password": "correct horse battery staple"}
    member = people.add(LOCAL, workspace, login="m9", role="member", organisation=firm_id, key="make-member", **make)
    operator = people.add(LOCAL, workspace, login="o9", role="operator", key="make-operator", **make)
    asked = mine.withdraw(member.actor, workspace, firm_id, "publication", key="ask-to-end")
    mine.answer(operator.actor, workspace, asked.id, agreed=True, words="ok", key="answer-it")
    return member.actor, operator.actor


def test_a_firm_that_is_no_longer_published_is_named_nowhere_and_still_counted(workspace):
    asked = ClusterRequest(cluster_id="c0001")
    first = cluster(PUBLIC, workspace, asked).cluster
    name = first.leaders[0]
    (firm_id,) = (row.id for row in largest(LOCAL, workspace, asked) if row.name == name)
    index_workspace(workspace, ENTRIES)
    assert search(PUBLIC, workspace, SearchRequest(q=name, kind="firm")).groups[0].hits[0].id == firm_id
    own, operator = withdrawn(workspace, firm_id)
    for reader in (PUBLIC, MEMBER, ANALYST):
        told = [
            members(reader, workspace, MembersRequest(cluster_id="c0001", limit=500)),
            largest(reader, workspace, asked),
            cluster(reader, workspace, asked),
            clusters(reader, workspace, ClustersRequest()),
            compare(reader, workspace, CompareRequest(c=("c0001",))),
            search(reader, workspace, SearchRequest(q=name)),
            cluster_document(workspace, find_run(workspace, Which()).result, "c0001", full=True),
            compare_document(workspace, find_run(workspace, Which()).result, clusters=["c0001"]),
        ]
        for answer in told:
            assert f"'{firm_id}'" not in str(answer)
            assert f"'{name}'" not in str(answer).replace(f"q='{name}'", "")
        with pytest.raises(UsageError, match="JQ-ATLAS-020"):
            firm(reader, workspace, FirmRequest(id=firm_id))
    assert cluster(PUBLIC, workspace, asked).cluster.firms == first.firms
    index_workspace(workspace, ENTRIES)
    assert all(hit.id != firm_id for g in search(PUBLIC, workspace, SearchRequest(q=name)).groups for hit in g.hits)
    for reader in (own, operator):
        assert firm(reader, workspace, FirmRequest(id=firm_id)).name == name


def test_a_cluster_has_a_history_and_one_that_died_is_told_from_one_that_never_was(workspace):
    again(workspace, 43, "2025-05-01")
    told = cluster(PUBLIC, workspace, ClusterRequest(cluster_id="c0001"))
    assert [(row.as_of, row.firms) for row in told.history] == [("2025-05-01", 43), ("2024-05-01", 40)]
    assert told.cluster.before == 40
    assert told.cluster.event == "continued"
    before = cluster(PUBLIC, workspace, ClusterRequest(cluster_id="c0001", as_of="2024-05-01"))
    assert before.cluster.firms == 40
    again(workspace, 1, "2026-05-01")
    gone = next(
        row.cluster_id
        for row in clusters(PUBLIC, workspace, ClustersRequest(as_of="2025-05-01")).items
        if row.name_en == "Boulder"
    )
    with pytest.raises(UsageError, match="JQ-ATLAS-018"):
        cluster(PUBLIC, workspace, ClusterRequest(cluster_id=gone))
    with pytest.raises(UsageError, match="JQ-ATLAS-014"):
        cluster(PUBLIC, workspace, ClusterRequest(cluster_id="c9999"))
    with pytest.raises(UsageError, match="JQ-ATLAS-017"):
        clusters(PUBLIC, workspace, ClustersRequest(as_of="2020-01-01"))
    assert [row.as_of for row in runs(PUBLIC, workspace, RunsRequest()).items] == [
        "2026-05-01",
        "2025-05-01",
        "2024-05-01",
    ]


def test_regions_and_comparison(workspace):
    rows = regions(PUBLIC, workspace, RegionsRequest()).items
    assert [row.firms for row in rows] == sorted((row.firms for row in rows), reverse=True)
    told = region(PUBLIC, workspace, RegionRequest(region="US"))
    assert [one.name_en for one in told.clusters] == ["Boulder"]
    assert region(PUBLIC, workspace, RegionRequest(region="DE")).clusters == ()
    with pytest.raises(UsageError, match="JQ-ATLAS-019"):
        region(PUBLIC, workspace, RegionRequest(region="ZZ"))
    both = compare(PUBLIC, workspace, CompareRequest(c=("c0002", "c0001", "c0002"), r=("US",)))
    assert [one.cluster_id for one in both.clusters] == ["c0002", "c0001"]
    assert [one.region for one in both.regions] == ["US"]


def test_without_a_run_there_is_guidance(empty):
    for asked in (lambda: clusters(PUBLIC, empty, ClustersRequest()), lambda: find_run(empty, Which(digital="01"))):
        with pytest.raises(WorkspaceError, match="JQ-ATLAS-013") as refused:
            asked()
        assert refused.value.exit_code == 1
    assert runs(PUBLIC, empty, RunsRequest()).items == ()
    assert tables(PUBLIC, empty, TablesRequest()) == ()
    assert search(PUBLIC, empty, SearchRequest(q="maker")).groups == ()


def test_where_only_a_class_was_searched_that_is_what_is_shown(empty):
    load(empty, firms())
    found = desk.run(LOCAL, empty, desk.Search(digital="01", background="population", coverage="world", eps_km=20))
    assert find_run(empty, Which()).id == found.id
    assert find_run(empty, Which()).digital == "01"


def test_what_is_loaded_is_told_with_its_loads(workspace):
    load(workspace, firms(boulder=41), as_of="2025-05-01")
    (told,) = tables(PUBLIC, workspace, TablesRequest())
    assert (told.table, told.as_of, told.rows) == ("organisations", "2025-05-01", 83)
    assert [(one.as_of, one.current) for one in told.loads] == [("2025-05-01", True), ("2024-05-01", False)]


def test_a_command_queues_a_search_once_and_the_worker_runs_it(empty):
    load(empty, firms())
    analyst = Actor("acc_a", frozenset({"analyst"}))
    asked = RunRequest(background="population", coverage="world", eps_km=20)
    first, second = (run(analyst, empty, asked, key="the same key").job for _ in range(2))
    assert first == second
    quiet = {kind: (lambda workspace, job, report: None) for kind in ("notices.clusters",)}
    work(empty, {**quiet, **HANDLERS}, once=True)
    job = empty.database.jobs.find(first)
    assert job.state == "done", job.reason
    assert find_run(empty, Which()).id == job.result["result"]
    assert search(PUBLIC, empty, SearchRequest(q="Boulder")).indexed
    after = {"notices.clusters", "search.index", "atlas.place_chain", "atlas.count_core"}
    assert {one.kind for one in empty.database.jobs.list()} == {"atlas.run"} | after
    assert {one.state for one in empty.database.jobs.list()} == {"done"}
    with pytest.raises(PermissionDeniedError):
        run(PUBLIC, empty, asked, key="another key")


def test_a_search_goes_on_as_the_last_one_unless_it_is_asked_otherwise(empty):
    """Other parameters would give every cluster a new id, and those who follow one would lose it."""
    load(empty, firms())
    desk.run(LOCAL, empty, desk.Search(background="population", coverage="world", eps_km=20, draws=9))
    again = RunRequest().search(empty)
    assert (again.background, again.coverage, again.eps_km, again.draws) == ("population", "world", 20, 9)
    assert RunRequest(draws=0, eps_km=5).search(empty).draws == 0
    assert RunRequest(digital="01").search(empty) == desk.Search(digital="01")


def test_a_search_that_cannot_be_run_is_refused_before_it_is_queued(empty):
    with pytest.raises(WorkspaceError, match="JQ-STORE-006"):
        run(LOCAL, empty, RunRequest(), key="key number 1")
    load(empty, firms())
    with pytest.raises(InputError, match="JQ-TAXONOMY-004"):
        run(LOCAL, empty, RunRequest(digital="99"), key="key number 2")
    with pytest.raises(InputError, match="JQ-USE-003"):
        run(LOCAL, empty, RunRequest(size="nothing"), key="key number 3")
    assert empty.database.jobs.list() == ()


def test_search_finds_every_kind_with_and_without_an_index(workspace):
    before = search(PUBLIC, workspace, SearchRequest(q="boulder"))
    assert not before.indexed
    assert {group.kind for group in before.groups} == {"cluster", "firm"}
    index_workspace(workspace, ENTRIES)
    after = search(PUBLIC, workspace, SearchRequest(q="boulder"))
    assert after.indexed
    found = {group.kind: group for group in after.groups}
    assert found["cluster"].hits[0].link == "/clusters/c0001"
    assert found["cluster"].hits[0].marks_en == ((0, 7),)
    assert found["firm"].total == 40
    assert search(PUBLIC, workspace, SearchRequest(q="c0001")).groups[0].kind == "cluster"
    assert {g.kind for g in search(PUBLIC, workspace, SearchRequest(q="区位熵")).groups} == {"method"}
    assert [g.kind for g in search(PUBLIC, workspace, SearchRequest(q="英国", kind="region")).groups] == ["region"]
    assert search(PUBLIC, workspace, SearchRequest(q="  ")).groups == ()
    assert search(PUBLIC, workspace, SearchRequest(q='*" (')).groups == ()


def tables_of(document):
    return {
        b.table.id if isinstance(b, Figure) else b.id for b in walk(document.blocks) if isinstance(b, (Figure, Table))
    }


def test_documents_of_every_kind_can_be_drawn_and_filed(workspace):
    again(workspace, 43, "2025-05-01")
    result = find_run(workspace, Which()).result
    snapshot = workspace.snapshot("organisations")
    told = firm(PUBLIC, workspace, FirmRequest(id="o0000001"))
    made = [
        cluster_document(workspace, result, "c0001", full=True),
        region_document(workspace, result, "US"),
        region_document(workspace, result, "FR"),
        compare_document(workspace, result, clusters=["c0001", "c0002"]),
        compare_document(workspace, result, regions=["US", "GB"]),
        compare_document(workspace, result, clusters=["c0001"]),
        firm_document(told, snapshot),
    ]
    for document in made:
        for language in ("zh", "en"):
            assert document.title.get(language)
            assert document.subtitle.get(language)
            assert fragment(document, language, twin=lambda table: {})
        assert html(document)


def test_no_code_stands_where_a_reader_expects_a_word(workspace):
    """What placed firms, units and numbers are said in words in both languages."""
    codes = ("coordinates", "region_code", "city", "address", "postcode", "name", "region", "country")
    assert all(placed_by_text(code).zh != code for code in codes)
    assert placed_by_text(None) == Text("未能定位", "not placed")
    facts = [
        FactRow(attribute="lon", title=Text("经度", "Longitude"), value=113.5, unit="degree", stated_at=None),
        FactRow(attribute="size", title=Text("规模", "Size"), value=1008.0, unit="", stated_at=None),
    ]
    told = firm(PUBLIC, workspace, FirmRequest(id="o0000001")).model_copy(update={"facts": tuple(facts)})
    (table,) = (b for b in firm_document(told, workspace.snapshot("organisations")).blocks if isinstance(b, Table))
    assert [row[1:3] for row in table.rows] == [(113.5, Text("度", "degrees")), (1008, None)]
    assert [cell(row[1], "text", "zh") for row in table.rows] == ["113.5", "1008"]
    used = {attribute.unit for attribute in schema("organisations").attributes if attribute.unit}
    assert used <= set(UNITS)


def test_a_name_leads_a_cluster_once(workspace):
    """Two entries of one name are one leading name."""
    path = find_run(workspace, Which()).result.path
    largest = pl.read_parquet(path / "largest.parquet")
    first = largest.filter(pl.col("cluster_id") == "c0001")["name"].head(2).to_list()
    names = pl.when(pl.col("name") == first[1]).then(pl.lit(first[0])).otherwise(pl.col("name"))
    other = path.parent / "doubled"
    shutil.copytree(path, other)
    largest.with_columns(name=names).write_parquet(other / "largest.parquet")
    row = _ranked(other, frozenset()).row(0, named=True)
    assert row["leaders"][0] == first[0]
    assert len(set(row["leaders"])) == len(row["leaders"]) == 3


def test_a_cluster_document_says_what_it_is_what_it_makes_and_how_it_changed(workspace):
    again(workspace, 43, "2025-05-01")
    document = cluster_document(workspace, find_run(workspace, Which()).result, "c0001", full=True)
    assert "43 firms" in document.subtitle.en
    assert "seen since the register of 2024-05-01" in document.subtitle.en
    figures = next(block for block in document.blocks if isinstance(block, KeyFigures)).figures
    assert len(figures) == 5
    assert "+3 since 2024-05-01" in figures[0].note.en
    assert {"c0001-places", "c0001-makes-table", "c0001-largest", "c0001-history-table"} <= tables_of(document)
    assert "3 firms more since 2024-05-01" in str(document)


def test_links_between_members_are_counted_and_their_absence_is_explained(workspace):
    result = find_run(workspace, Which()).result
    assert "not known" in str(cluster_document(workspace, result, "c0001"))
    rows = [
        ("Boulder Maker 1", "Boulder Maker 2", "supply"),
        ("o0000001", "Boulder Maker 3", "supply"),
        ("Boulder Maker 1", "Berlin Maker 1", "supply"),
        ("Paris Maker 1", "Berlin Maker 1", "investment"),
    ]
    with workspace.new_snapshot("links", as_of="2024-05-01", source="links of a test") as writer:
        writer.write(pl.DataFrame(rows, schema=["source", "target", "kind"], orient="row"))
    assert "2 links between its members, 1 leading out" in str(cluster_document(workspace, result, "c0001"))
    assert "None of the 4 links" in str(cluster_document(workspace, result, "c0002"))


def test_unknown_classes_are_said_to_be_unknown(empty):
    load(empty, firms(coded=False))
    result = desk.run(LOCAL, empty, desk.Search(background="population", coverage="world", eps_km=20))
    document = cluster_document(empty, result, "c0001")
    assert "What it makes: not known" in str(document)
    assert "One run so far" in str(document)


def test_a_run_speaks_of_its_register_as_it_was_told_and_so_does_the_next(empty):
    told = Subject(Text("制造商", "makers"), Text("测试库", "test register"))
    search_ = desk.Search(background="population", coverage="world", eps_km=20)
    load(empty, firms())
    desk.run(LOCAL, empty, search_, subject=told)
    load(empty, firms(boulder=42), as_of="2025-05-01")
    result = desk.run(LOCAL, empty, search_)
    assert "42 makers" in cluster_document(empty, result, "c0001").subtitle.en


def test_every_measure_is_explained_in_both_languages():
    for key, one in measures().items():
        assert one.key == key
        assert one.topic in TOPICS
        for text in (one.name, one.meaning):
            assert text.zh
            assert text.en
        assert bool(one.unit.zh) == bool(one.unit.en)
        assert one.formula


def test_a_firm_is_not_found_by_what_only_some_may_see():
    row = dict.fromkeys(schema("organisations").names, "hidden") | {"id": "o1", "name": "Maker", "size": 1.0}
    told = firm_entry(row | dict.fromkeys(FIRM_COLUMNS, "open") | {"size": 1.0})
    assert "hidden" not in str(told)
    assert set(FIRM_COLUMNS) <= {*OPEN_COLUMNS, "name_en", "uscc", "source_id", "size"}
