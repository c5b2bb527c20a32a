"""Parks over a workspace: loaded from Excel with Chinese headers, assessed, seen by role, written by the command line."""

import json
import shutil
from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest

from jiqun.assess import parks_desk as desk
from jiqun.assess import parks_room as room
from jiqun.assess.annual_report import annual_report
from jiqun.assess.carriers import carrier_tree
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.findings import from_frame
from jiqun.assess.place_sections import belts_section, benchmark_section, parks_section
from jiqun.assess.vacancy import occupancy
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Document, Text
from jiqun.core.errors import PermissionDeniedError, UsageError, WorkspaceError
from jiqun.core.lineage import Lineage
from jiqun.intake import desk as intake
from jiqun.report.render import render
from jiqun.store import Workspace

PUBLIC = Actor("public", frozenset({"public"}))
HEADERS = {
    "name": "载体名称", "kind": "类型", "parent": "上级载体", "region_code": "行政区划代码", "area_m2": "建筑面积",
    "status": "出租状态", "tenant": "承租企业", "rent": "租金", "contract": "合同编号", "vacant_since": "空置日期", "as_of": "记录日期",
}  # fmt: skip
ROWS = [
    ("软件园", "园区", None, "330106", None, None, None, None, None, None, "2024-04-01"),
    ("A座", "楼宇", "软件园", "330106", 1000, None, None, None, None, None, "2024-04-01"),
    ("B座", "楼宇", "软件园", "330106", None, None, None, None, None, None, "2024-04-01"),
    ("101", "单元", "软件园/A座", "330106", 400, "已租", "合成甲公司", 50, "HT-1", None, "2024-04-01"),
    ("102", "单元", "软件园/A座", "330106", 600, "空置", None, 60, None, "2023-01-01", "2024-04-01"),
    ("101", "单元", "软件园/B座", "330106", 500, "空置", None, 40, None, None, "2024-04-01"),
]


@pytest.fixture
def workspace(tmp_path, places):
    """A workspace with one park of five rooms and a register of two firms; synthetic."""
    opened = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, opened.cache, dirs_exist_ok=True)
    sheet = pl.DataFrame(ROWS, schema=list(HEADERS.values()), orient="row")
    sheet.write_excel(tmp_path / "carriers.xlsx")
    report = intake.load(LOCAL, opened, tmp_path / "carriers.xlsx", "carriers", as_of="2024-05-01")
    assert (report.kept, report.duplicates) == (6, 0)
    (tmp_path / "firms.csv").write_text("企业名称,行业代码\n合成甲公司,6513\n合成乙公司,3912\n", encoding="utf-8")
    intake.load(LOCAL, opened, tmp_path / "firms.csv", "organisations", as_of="2024-05-01")
    yield opened
    opened.database.close()


def test_units_of_one_name_in_two_buildings_are_two(workspace):
    told = room.parks(PUBLIC, workspace, room.ParksRequest())
    (row,) = told.rows
    assert (row.name, row.units, row.units_vacant, row.total_m2, row.let_m2) == ("软件园", 3, 2, 1500.0, 400.0)
    assert (round(row.share, 4), row.low, row.high) == (round(400 / 1500, 4), row.share, row.share)
    assert told.as_of == date(2024, 5, 1)


def test_who_rents_what_for_how_much_is_not_for_everybody(workspace):
    desk.assess(LOCAL, workspace, as_of=date(2024, 5, 1))
    let = room.UnitsRequest(status="let")
    mine, theirs = (room.units(actor, workspace, let).items[0] for actor in (LOCAL, PUBLIC))
    assert (mine.tenant, mine.contract, mine.rent_cny_m2_month) == ("合成甲公司", "HT-1", 50.0)
    assert (theirs.tenant, theirs.contract, theirs.rent_cny_m2_month) == (None, None, None)
    park = room.ParkRequest(park="软件园")
    assert room.park(PUBLIC, workspace, park).tenants is None
    (tenant,) = room.park(LOCAL, workspace, park).tenants
    assert (tenant.tenant, tenant.by, tenant.area_m2) == ("合成甲公司", "name", 400.0)
    assert "合成甲公司" not in room.park(PUBLIC, workspace, park).model_dump_json()
    with pytest.raises(PermissionDeniedError):
        desk.assess(PUBLIC, workspace)


def test_units_to_let_are_filtered_and_paged(workspace):
    def found(**asked):
        return [unit.path for unit in room.units(PUBLIC, workspace, room.UnitsRequest(**asked)).items]

    assert found() == ["软件园/A座/102", "软件园/B座/101"]
    assert found(max_rent=50) == ["软件园/B座/101"]
    assert found(min_m2=550, park="软件园") == ["软件园/A座/102"]
    assert found(status="reserved") == []
    assert len(found(limit=1)) == 1
    with pytest.raises(UsageError) as refused:
        found(park="没有的园")
    assert refused.value.code == "JQ-ASSESS-121"


def test_findings_are_stored_once_and_age(workspace):
    first = desk.assess(LOCAL, workspace, as_of=date(2024, 5, 1))
    assert desk.assess(LOCAL, workspace, as_of=date(2024, 5, 1)).id == first.id
    (park,) = room.parks(PUBLIC, workspace, room.ParksRequest()).rows
    assert (
        room.park(PUBLIC, workspace, room.ParkRequest(park=park.id)).findings is None
    )  # weaknesses are not for everybody
    told = room.park(LOCAL, workspace, room.ParkRequest(park=park.id))
    assert {one.code: one.state for one in told.findings} == {
        "idle.vacancy": "found", "idle.duration": "unknown", "idle.unrelated": "unknown", "idle.titles": "unknown",
    }  # fmt: skip
    assert all(one.missing for one in told.findings if one.state == "unknown")
    assert told.current
    later = desk.assess(LOCAL, workspace, as_of=date(2026, 1, 1))
    vacancy = later.table("findings").filter(pl.col("code") == "idle.vacancy").row(0, named=True)
    assert vacancy["state"] == "unknown"  # records are older than a year by then
    again = pl.DataFrame({"载体名称": ["新园"], "建筑面积": [10]})
    intake.load(LOCAL, workspace, again, "carriers", as_of="2024-06-01")
    assert not room.park(PUBLIC, workspace, room.ParkRequest(park="新园")).current


def test_what_stands_idle_is_in_the_diagnosis_and_in_the_annual_report(workspace):
    def idle():
        found = from_frame(diagnose(LOCAL, workspace, DiagnoseRequest()).table("findings"))
        return {(one.unit, one.code): one.state for one in found if one.group == "idle"}

    assert idle() == {("all", "idle.carriers"): "unknown"}
    desk.assess(LOCAL, workspace, as_of=date(2024, 5, 1))
    assert idle() == {
        ("软件园", "idle.vacancy"): "found", ("软件园", "idle.duration"): "unknown", ("软件园", "idle.unrelated"): "unknown",
        ("软件园", "idle.titles"): "unknown",
    }  # fmt: skip
    report = annual_report(workspace, LOCAL)
    assert [block.id for block in report.blocks] == ["diagnosis", "parks-section", "benchmark"]
    assert {one.name for one in report.lineage.inputs} == {"diagnosis", "carriers"}
    (parks,) = (block for block in report.blocks if block.id == "parks-section")
    assert parks.blocks[-1].id.endswith("idle-findings")
    (public,) = (block for block in annual_report(workspace, PUBLIC).blocks if block.id == "parks-section")
    assert not any("idle-findings" in str(getattr(block, "id", "")) for block in public.blocks)
    seen = annual_report(workspace, PUBLIC)
    assert [block.id for block in seen.blocks] == ["parks-section", "benchmark"]
    assert {one.name for one in seen.lineage.inputs} == {"carriers"}
    assert "合成甲公司" not in render(seen, "html", "zh").content.decode()
    assert render(report, "docx", "zh").content[:2] == b"PK"
    again = pl.DataFrame({"载体名称": ["新园"], "建筑面积": [10]})
    intake.load(LOCAL, workspace, again, "carriers", as_of="2024-06-01")
    assert idle() == {("all", "idle.carriers"): "unknown"}  # what was found is of parks that are gone


def test_without_carriers_there_is_nothing_to_assess(tmp_path):
    empty = Workspace.init(tmp_path / "empty")
    assert room.parks(PUBLIC, empty, room.ParksRequest()).rows == ()
    with pytest.raises(WorkspaceError) as refused:
        desk.assess(LOCAL, empty)
    assert refused.value.code == "JQ-ASSESS-120"


def test_a_status_that_is_none_is_emptied_and_told(workspace):
    odd = pl.DataFrame(
        {"载体名称": ["a", "b"], "类型": ["单元", "单元"], "出租状态": ["空着呢", "闲置"], "租金": [-1, 2]}
    )
    report = intake.load(LOCAL, workspace, odd, "carriers", as_of="2024-06-01")
    assert {problem.code for problem in report.problems} >= {"JQ-DATA-013", "JQ-DATA-008"}
    assert workspace.scan("carriers").collect()["status"].to_list() == [None, "vacant"]


def test_the_command_line_says_the_same(run, workspace, tmp_path):
    at = ("-w", str(workspace.path))
    status, out, _ = run("parks", "list", "--format", "json", *at)
    assert status == 0
    assert json.loads(out)[0]["vacant_m2"] == 1100.0
    status, out, _ = run("parks", "to-let", "--max-rent", "50", "--format", "csv", *at)
    assert out.count("\n") == 2
    status, out, _ = run("parks", "assess", "--as-of", "2024-05-01", "--format", "json", *at)
    assert json.loads(out)[0]["state"] == "found"
    status, out, _ = run("parks", "show", "软件园", "--format", "csv", *at)
    assert out.count("\n") == 4
    status, _, err = run("parks", "show", "别的园", *at)
    assert (status, "JQ-ASSESS-121" in err) == (2, True)
    assert run("parks", "show", "软件园", "-o", str(tmp_path / "park.docx"), *at)[0] == 0
    assert run("parks", "list", "-o", str(tmp_path / "parks.xlsx"), *at)[0] == 0


def test_sections_are_there_where_their_data_are(workspace, tmp_path):
    empty = Workspace.init(tmp_path / "empty")
    assert parks_section(empty, PUBLIC) is None
    assert belts_section(workspace, PUBLIC) is None
    assert benchmark_section(empty, PUBLIC).blocks
    before = parks_section(workspace, LOCAL)
    desk.assess(LOCAL, workspace, as_of=date(2024, 5, 1))
    after = parks_section(workspace, LOCAL)
    assert before.title == after.title
    assert after.blocks[-1].rows[0][2].en == "found"
    whole = Document(Text("年", "year"), Text("", ""), (after, benchmark_section(workspace, PUBLIC)), Lineage("t", "1"))
    assert render(whole, "docx", "zh").content


def test_a_bound_on_rent_does_not_find_units_whose_rent_is_not_shown():
    """Else the answer's length tells what a tenant pays."""
    rows = pl.DataFrame(
        {"name": ["P", "1", "2"], "kind": ["park", "unit", "unit"], "parent": [None, "P", "P"],
         "area_m2": [None, 10.0, 20.0], "status": [None, "let", "let"], "rent_cny_m2_month": [None, 30.0, 90.0]}
    )  # fmt: skip
    tree = carrier_tree(rows)
    day = date(2024, 5, 1)
    shown = desk.Parks(SimpleNamespace(as_of=day), tree, occupancy(tree, as_of=day))
    request = room.UnitsRequest(status="let", max_rent=50)
    assert room.sought(shown, request, full=True).height == 1
    assert room.sought(shown, request, full=False).is_empty()


def test_parks_are_assessed_as_of_their_newest_record_unless_another_day_is_given(workspace):
    rows = pl.DataFrame(
        {
            "name": ["P", "1", "2"], "kind": ["park", "unit", "unit"], "parent": [None, "P", "P"],
            "area_m2": [None, 100.0, 300.0], "status": [None, "let", "vacant"], "as_of": [None, "2021-02-01", "2021-03-01"],
        }
    )  # fmt: skip
    intake.load(LOCAL, workspace, rows, "carriers", as_of="2021-03-01")
    told = desk.assess(LOCAL, workspace)
    assert told.values["as_of"] == "2021-03-01"
    assert told.values["found"] == 1  # known to be vacant then
    later = desk.assess(LOCAL, workspace, as_of=date(2024, 1, 1))
    assert (later.values["as_of"], later.values["found"]) == ("2024-01-01", 0)
