"""Chains and core industries over a workspace: stored once, seen by role, edited by revision, in pages' documents and files."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

from jiqun.accounts import mine, people
from jiqun.atlas import chain_desk, chain_records, core_desk, desk
from jiqun.atlas import chain_room as room
from jiqun.atlas.chain_data import Chain, to_toml
from jiqun.atlas.declared import HANDLERS
from jiqun.atlas.documents import cluster_document, region_document
from jiqun.atlas.documents.chain import chain_document
from jiqun.atlas.documents.core import core_document
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import KeyFigures, Layers
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.report import fragment, render
from jiqun.report.blocks import marks, tables_of
from jiqun.store import Workspace
from jiqun.store.archive import backup, restore
from jiqun.store.worker import work

PUBLIC = Actor("public", frozenset({"public"}))
MEMBER = Actor("acc_m", frozenset({"member"}), organisation="o0000001")
ANALYST = Actor("acc_a", frozenset({"analyst"}))
PASSWORD = "correct horse battery staple"  # noqa: S105  # of a workspace that lives for one test
CODES = ["3973"] * 6 + ["6520"] * 8 + ["3982"] * 10 + ["0111"] * 4 + [None] * 2


def register() -> pl.DataFrame:
    """Firms of two towns; Boulder makes chips, Cambridge everything; some have hostile names."""
    rows = []
    for town, lon, lat, codes in (
        ("Boulder", -105.27, 40.01, CODES),
        ("Cambridge", 0.12, 52.2, [*CODES[::3], "3562"] * 3),
    ):
        for i, code in enumerate(codes):
            rows.append(
                {
                    "id": f"o{town[0]}{i:05}",
                    "name": f"=cmd|'{town}' <b>{i}</b>",
                    "country": "US" if town == "Boulder" else "GB",
                    "city": town,
                    "lon": lon + 0.001 * i,
                    "lat": lat,
                    "precision_km": 1.0,
                    "industry_code": code,
                    "main_business": "光刻机" if code == "3562" else None,
                    "employees": 10.0 * (i + 1),
                }
            )
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def template(tmp_path_factory, places):
    """A workspace with clusters, whose firms were placed and judged."""
    workspace = Workspace.init(tmp_path_factory.mktemp("chains") / "w")
    shutil.copytree(places, workspace.cache, dirs_exist_ok=True)
    with workspace.new_snapshot("organisations", as_of="2024-05-01", source="made up for a test") as writer:
        writer.write(register())
    desk.run(LOCAL, workspace, desk.Search(background="population", coverage="world", eps_km=20, size="employees"))
    workspace.database.close()
    return workspace.path


@pytest.fixture
def workspace(template, tmp_path):
    shutil.copytree(template, tmp_path / "w", symlinks=True)
    opened = Workspace.open(tmp_path / "w")
    yield opened
    opened.database.close()


@pytest.fixture
def placed(workspace):
    """The same with the firms on the chain."""
    chain_desk.place(LOCAL, workspace, "integrated-circuits")
    core_desk.judge(LOCAL, workspace)
    return workspace


def boulder(workspace) -> str:
    """The id of Boulder's cluster."""
    clusters = find_run(workspace, Which()).clusters
    return clusters.filter(pl.col("lon") < -100).item(0, "cluster_id")


def asked(workspace, **more):
    """A request for Boulder on the chain."""
    return {"chain": "integrated-circuits", "cluster_id": boulder(workspace)} | more


def test_firms_are_placed_once_for_equal_input(placed):
    first = chain_desk.place(LOCAL, placed, "integrated-circuits")
    assert first.id == chain_desk.place(LOCAL, placed, "integrated-circuits").id
    assert len(placed.results("chain-integrated-circuits")) == 1
    assert first.lineage.inputs[0].name == "organisations"


def test_before_firms_are_placed_a_map_says_what_to_do(workspace):
    with pytest.raises(WorkspaceError, match="JQ-CHAIN-015"):
        room.chain_map(PUBLIC, workspace, room.ViewRequest(chain="integrated-circuits"))
    with pytest.raises(UsageError, match="JQ-CHAIN-010"):
        room.chain(PUBLIC, workspace, room.ChainRequest(chain="nothing"))
    assert [row.placed for row in room.chains(PUBLIC, workspace, room.ChainsRequest())] == [None, None]
    assert core_desk.core_shares(PUBLIC, workspace, core_desk.SharesRequest()).as_of is None


def test_the_map_of_a_cluster_counts_its_members_by_code(placed):
    told = room.chain_map(ANALYST, placed, room.ViewRequest(**asked(placed)))
    nodes = {row.node: row for row in told.nodes}
    assert (nodes["design"].firms, nodes["modules"].firms) == (8, 10)
    assert nodes["fabrication"].firms == 0
    assert (nodes["fabrication"].possible, nodes["fabrication"].status) == (6, "unknown")
    assert (told.open, told.unknown, told.outside) == (6, 2, 4)
    assert nodes["masks"].status == "missing"
    assert told.size == "employees"
    gaps = room.chain_gaps(ANALYST, placed, room.ViewRequest(**asked(placed)))
    assert gaps[0].rank == 1
    assert {gap.node for gap in gaps if gap.rank is None} == {"fabrication", "packaging-test"}


def test_sizes_and_words_are_for_who_may_see_them(placed):
    public = room.chain_map(PUBLIC, placed, room.ViewRequest(**asked(placed)))
    assert public.size is None
    firms = room.chain_firms(PUBLIC, placed, room.NodeRequest(**asked(placed), node="design"))
    assert {(row.size, row.evidence) for row in firms.items} == {(None, None)}
    full = room.chain_firms(ANALYST, placed, room.NodeRequest(**asked(placed), node="design"))
    assert full.total == 8
    sizes = [row.size for row in full.items]
    assert sizes == sorted(sizes, reverse=True)
    assert {row.evidence for row in full.items} == {"GB/T 4754-2017:6520"}
    with pytest.raises(Exception, match="JQ-USE-003"):
        room.chain_map(PUBLIC, placed, room.ViewRequest(**asked(placed), size="employees"))
    assert {row.by for row in core_desk.core_shares(PUBLIC, placed, core_desk.SharesRequest()).rows} == {"firms"}
    shares = core_desk.core_shares(ANALYST, placed, core_desk.SharesRequest(cluster_id=boulder(placed)))
    assert {row.by for row in shares.rows} == {"firms", "employees"}
    assert {row.proxy for row in shares.rows if row.by == "employees"} == {True}


def test_candidates_are_elsewhere_with_their_reasons_and_not_for_the_public(placed):
    request = room.CandidatesRequest(**asked(placed), node="lithography")
    found = room.chain_candidates(ANALYST, placed, request)
    assert {row.by for row in found} == {"main_business"}
    assert {row.evidence for row in found} == {"光刻机"}
    assert all(row.id.startswith("oC") for row in found)
    assert 7000 < found[0].distance_km < 8500
    assert [row.rank for row in found] == list(range(1, len(found) + 1))
    member = room.chain_candidates(MEMBER, placed, request)
    assert {(row.evidence, row.size) for row in member} == {(None, None)}
    with pytest.raises(PermissionDeniedError):
        room.chain_candidates(PUBLIC, placed, request)
    with pytest.raises(InputError, match="JQ-CHAIN-014"):
        room.chain_candidates(ANALYST, placed, room.CandidatesRequest(**asked(placed), node="nothing"))


def test_a_firm_that_withdrew_counts_and_is_not_named(placed):
    before = room.chain_candidates(ANALYST, placed, room.CandidatesRequest(**asked(placed), node="lithography"))
    target = before[0].id
    account = people.add(
        LOCAL, placed, login="w@example.org", name="W", role="member", organisation=target, password=PASSWORD, key="k-1"
    )
    asks = Actor(account.id, frozenset({"member"}), organisation=target)
    withdrawn = mine.withdraw(asks, placed, target, "publication", reason="r", key="k-withdraw")
    operator = Actor("op", frozenset({"operator"}))
    mine.answer(operator, placed, withdrawn.id, agreed=True, words="yes", key="k-granted")
    after = room.chain_candidates(ANALYST, placed, room.CandidatesRequest(**asked(placed), node="lithography"))
    assert target not in {row.id for row in after}
    assert len(after) == len(before) - 1


def test_jobs_place_firms_and_judge_them(workspace):
    job = room.place_chain(ANALYST, workspace, room.ChainRequest(chain="digital-security-video"), key="k-place-1").job
    other = core_desk.count_core(ANALYST, workspace, core_desk.CountRequest(), key="k-count-1").job
    work(workspace, HANDLERS, once=True, threads=1)
    assert {workspace.database.jobs.find(one).state for one in (job, other)} == {"done"}
    rows = {row.id: row.placed for row in room.chains(PUBLIC, workspace, room.ChainsRequest())}
    assert rows == {"digital-security-video": 0, "integrated-circuits": None}
    for name, request in (("place_chain", room.ChainRequest(chain="x")), ("count_core", core_desk.CountRequest())):
        operation = room.ROOM.operations[name]
        with pytest.raises(PermissionDeniedError):
            operation(MEMBER, workspace, request, key="k-refused")


class TestRecords:
    def body(self, **more):
        """The shipped chain of video, changed."""
        made = chain_records.shipped()["digital-security-video"]
        return made.model_copy(update=more)

    def save(self, workspace, made, base, key):
        request = room.SaveRequest(chain=made, base=base, note="n")
        return room.save_chain(ANALYST, workspace, request, key=key)

    def test_revisions_add_up_and_the_last_counts(self, workspace):
        row = self.save(workspace, self.body(version="2025-2"), 0, "key-save-1")
        assert (row.origin, row.revision, row.version) == ("edited", 1, "2025-2")
        self.save(workspace, self.body(version="2025-3"), 1, "key-save-2")
        told = room.chain(ANALYST, workspace, room.ChainRequest(chain="digital-security-video"))
        assert [one.version for one in told.revisions] == ["2025-3", "2025-2"]
        assert {one.account for one in told.revisions} == {"acc_a"}
        seen = room.chain(PUBLIC, workspace, room.ChainRequest(chain="digital-security-video"))
        assert {one.account for one in seen.revisions} == {None}
        with pytest.raises(UsageError, match="JQ-CHAIN-011"):
            self.save(workspace, self.body(version="lost"), 1, "key-save-3")
        room.unsave_chain(
            ANALYST, workspace, room.UnsaveRequest(chain="digital-security-video", base=2), key="key-back-1"
        )
        assert chain_records.find_chain(workspace, "digital-security-video").origin == "shipped"
        with pytest.raises(UsageError, match="JQ-CHAIN-019"):
            room.unsave_chain(
                ANALYST, workspace, room.UnsaveRequest(chain="digital-security-video", base=3), key="key-back-2"
            )
        self.save(workspace, self.body(version="2025-4"), 3, "key-save-4")
        assert chain_records.find_chain(workspace, "digital-security-video").revision == 4

    def test_the_same_command_twice_saves_once(self, workspace):
        for _ in range(2):
            self.save(workspace, self.body(version="2025-2"), 0, "key-same")
        assert len(chain_records.revisions(workspace, "digital-security-video")) == 1

    def test_what_cannot_be_is_not_saved(self, workspace):
        made = self.body()
        broken = made.model_copy(update={"edges": (*made.edges, made.edges[0].model_copy(update={"end": "nowhere"}))})
        with pytest.raises(InputError, match="JQ-CHAIN-004"):
            self.save(workspace, broken, 0, "key-broken")
        assert chain_records.revisions(workspace, "digital-security-video") == ()

    def test_an_edit_makes_what_was_placed_old(self, placed):
        made = chain_records.shipped()["integrated-circuits"].model_copy(update={"version": "mine"})
        self.save(placed, made, 0, "key-edit")
        with pytest.raises(WorkspaceError, match="JQ-CHAIN-015"):
            room.chain_map(PUBLIC, placed, room.ViewRequest(chain="integrated-circuits"))
        room.unsave_chain(ANALYST, placed, room.UnsaveRequest(chain="integrated-circuits", base=1), key="key-undo")
        assert room.chain_map(PUBLIC, placed, room.ViewRequest(chain="integrated-circuits")).placed > 0

    def test_files_of_the_workspace_count_before_what_is_shipped_and_broken_ones_are_told(self, workspace, tmp_path):
        path = chain_records.write_new(workspace, "robots")
        assert chain_records.find_chain(workspace, "robots").origin == "file"
        with pytest.raises(InputError, match="JQ-CHAIN-013"):
            chain_records.write_new(workspace, "robots")
        with pytest.raises(InputError, match="JQ-CHAIN-016"):
            chain_records.write_new(workspace, "../robots")
        own = chain_records.shipped()["digital-security-video"].model_copy(update={"version": "own"})
        chain_records.write_new(workspace, "video", own)
        (workspace.path / "chains" / "broken.toml").write_text("id = [", encoding="utf-8")
        found, wrong = chain_records.own_files(workspace)
        assert found["digital-security-video"].version == "own"
        assert [error.code for error in wrong.values()] == ["JQ-CHAIN-001"]
        assert path.endswith("robots.toml")
        backup(workspace, tmp_path / "b.tar")
        again = restore(tmp_path / "b.tar", tmp_path / "again")
        assert "robots" in chain_records.own_files(again)[0]
        again.close()


class TestDocuments:
    @pytest.mark.parametrize("form", ["docx", "xlsx", "html"])
    def test_the_report_of_a_chain_is_a_file_in_which_nothing_runs(self, placed, form):
        shown = chain_desk.look(ANALYST, placed, "integrated-circuits", Which(), boulder(placed))
        document = chain_document(shown)
        for language in ("zh", "en"):
            assert len(render(document, form, language).content) > 5000

    def test_what_the_page_says_is_in_both_languages_and_drawn_once(self, placed):
        shown = chain_desk.look(ANALYST, placed, "integrated-circuits", Which(), boulder(placed))
        document = chain_document(shown, linked=True)
        (mark,) = marks(document.blocks)
        assert isinstance(mark, Layers)
        assert {box.id for box in mark.boxes} == {node.id for node in shown.chain.nodes}
        layer = {box.id: box.layer for box in mark.boxes}
        assert all(layer[flow.start] < layer[flow.end] for flow in mark.flows)
        assert all(box.anchor for box in mark.boxes)
        drawn = {lang: fragment(document, lang, twin=lambda _: {}, href=lambda a: f"/{a}") for lang in ("zh", "en")}
        assert "缺失" in drawn["zh"]
        assert "missing" in drawn["en"]
        assert "缺失" not in drawn["en"].replace(str(shown.chain.zh), "")
        assert {"nodes", "gaps", "sources-table"} <= set(tables_of(document.blocks))
        assert "2 " in document.subtitle.en

    def test_a_cluster_page_tells_its_chain_and_its_core_share(self, placed):
        result = find_run(placed, Which()).result
        document = cluster_document(placed, result, boulder(placed), full=True)
        titles = {
            block.id: block.title.en for block in document.blocks if hasattr(block, "id") and hasattr(block, "blocks")
        }
        (chain_title,) = [title for id_, title in titles.items() if id_.endswith("-chain")]
        assert "hangs on it" in chain_title
        (core_title,) = [title for id_, title in titles.items() if id_.endswith("-core")]
        assert "core industries hold" in core_title

    def test_without_placing_a_cluster_page_says_that_it_is_not_known(self, workspace):
        result = find_run(workspace, Which()).result
        document = cluster_document(workspace, result, boulder(workspace))
        titles = [block.title.en for block in document.blocks if getattr(block, "id", "").endswith(("-chain", "-core"))]
        assert titles == ["Its chain and gaps: not known", "Share of the core industries: not known"]
        code = find_run(workspace, Which()).regions.item(0, "region")
        assert any(getattr(b, "id", "") == "core" for b in region_document(workspace, result, code).blocks)

    def test_quoted_figures_stand_apart_from_computed_ones(self, placed):
        document = core_document(core_desk.judged(placed), full=True, regions={})
        tables = tables_of(document.blocks)
        assert {"shares", "shares-regions", "quoted"} == set(tables)
        assert len(tables["quoted"].rows) == 6
        words = str(tables["shares"].rows) + str(tables["shares-regions"].rows)
        assert "0.078" not in words
        empty = core_document(None, full=True, regions={})
        assert "not been judged" in empty.subtitle.en


def test_regions_add_up_to_the_register(placed):
    result = core_desk.judged(placed)
    whole, each = (core_desk.shares(result, full=True, each=flag) for flag in (False, True))
    sums = each.group_by("by", "definition").agg(pl.col("core", "outside", "undecided", "firms").sum())
    both = whole.join(sums, on=["by", "definition"])
    for name in ("core", "outside", "undecided", "firms"):
        assert both[name].to_list() == pytest.approx(both[f"{name}_right"].to_list())
    assert set(each["group"].drop_nulls()) >= {"US.CO"}


def test_value_added_goes_by_region_over_the_same_judgement(workspace):
    firms = register().with_columns(revenue_cny=pl.col("employees") * 1000)
    with workspace.new_snapshot("organisations", as_of="2024-06-01", source="made up for a test") as writer:
        writer.write(firms)
    result = core_desk.judge(LOCAL, workspace)
    rates = {"3973": 0.4, "6520": 0.5, "0111": 0.6, "3982": 0.25}
    each = core_desk.value_added(workspace, result, rates, each=True)
    by_firms = core_desk.shares(result, full=True, each=True).filter(by="firms")
    assert each["group"].to_list() == by_firms["group"].to_list()
    assert each["group"].null_count() == 0
    rate = pl.col("industry_code").replace_strict(rates, default=None)
    colorado = firms.filter(country="US").select((pl.col("revenue_cny") * rate).sum()).item()
    assert each.filter(group="US.CO", definition="narrow").item(0, "total") == pytest.approx(colorado)
    whole = core_desk.value_added(workspace, result, rates).filter(definition="narrow")
    assert each.filter(definition="narrow")["core"].sum() == pytest.approx(whole.item(0, "core"))


def test_where_there_is_no_broad_share_its_range_is_told(placed):
    document = core_document(core_desk.judged(placed), full=True, regions={})
    (row,) = core_desk.shares(core_desk.judged(placed), full=True).filter(by="firms", definition="broad").to_dicts()
    assert row["share"] is None
    figures = next(block for block in document.blocks if isinstance(block, KeyFigures))
    broad = figures.figures[1]
    assert broad.value.en == f"{100 * row['low']:.0f}\xa0% to {100 * row['high']:.0f}\xa0%"
    assert "—" not in broad.value.zh
    assert f"{row['undecided']:.0f} undecided" in broad.note.en


def test_a_chain_without_shape_can_be_shown(workspace):
    only = Chain.model_validate(
        {"id": "one", "zh": "一", "en": "One", "version": "1", "nodes": [{"id": "a", "zh": "甲", "en": "A", "stage": "downstream", "status": "draft"}]}
    )  # fmt: skip
    (workspace.path / "chains").mkdir()
    (workspace.path / "chains" / "one.toml").write_text(to_toml(only), encoding="utf-8")
    chain_desk.place(LOCAL, workspace, "one")
    shown = chain_desk.look(PUBLIC, workspace, "one", Which())
    assert "no firm stands on it" in chain_document(shown).subtitle.en
