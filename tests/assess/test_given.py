"""Tables given to the diagnosis: read in any encoding, every bad cell told, kept in versions, read by the next diagnosis."""

from __future__ import annotations

import io
import zipfile

import polars as pl
import pytest

from jiqun.assess import desk, given_room
from jiqun.assess.given_records import MOST_REVISIONS, given_now, newest, revisions, rows_of
from jiqun.assess.given_tables import (
    BY_FINDING,
    LONGEST_TEXT,
    MOST_BYTES,
    MOST_ROWS,
    NAMES,
    described,
    digest,
    read_file,
    read_rows,
    read_text,
    template,
)
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.store import Workspace
from jiqun.store.commands import new_key

TAGS = [{"code": "01", "tag": "traditional"}, {"code": "0105", "tag": "emerging"}]
PLANS = [{"region": one, "text": f"发展集成电路，{one}"} for one in "ABC"]


@pytest.fixture
def empty(tmp_path):
    """A workspace with nothing in it."""
    made = Workspace.init(tmp_path / "workspace")
    yield made
    made.database.close()


def give(workspace, table, rows, *, base=None, actor=LOCAL, key=None):
    """Give a table as the operation does."""
    request = given_room.GiveRequest(table=table, rows=tuple(rows), base=base)
    return given_room.give(actor, workspace, request, key=key or new_key())


def file_of(tmp_path, content, name="given.csv"):
    """A file with a content."""
    path = tmp_path / name
    path.write_bytes(content)
    return path


def told(read):
    """Row, column and code of everything that is wrong."""
    return [(one.row, one.column, one.error.code) for one in read.wrong]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_file_is_read_whatever_its_encoding_and_delimiter(tmp_path, encoding, delimiter):
    text = f"地区{delimiter}文本\n湖北{delimiter}做强光电子信息\n广东{delimiter}发展集成电路\n"
    read = read_file("plans", file_of(tmp_path, text.encode(encoding)), name="规划.csv")
    assert read.good().rows() == [("湖北", "做强光电子信息"), ("广东", "发展集成电路")]
    assert read.source == "规划.csv"


@pytest.mark.parametrize(
    ("table", "text", "wrong"),
    [
        (
            "plans",
            'region,text\n,b\nA,\nA,b\nA,b\n=1+1,b\nB,"open\n',
            [(2, "region", 141), (3, "text", 141), (5, "region", 143), (6, "region", 142), (7, "—", 142)],
        ),
        ("plans", f"region,text\n{'x' * 201},b\nA,{'长' * (LONGEST_TEXT + 1)}\n", [(2, "region", 142), (3, "text", 142)]),
        (
            "tags",
            "代码,标签\n9999,future\n01,old\n,future\n02,新兴\n2,future\n",
            [(2, "代码", 142), (3, "标签", 142), (4, "代码", 141), (6, "代码", 143)],
        ),
        (
            "frontier",
            "unit,score,low,high\na,1.2,,\nb,x,,\nc,,,\nd,0.5,0.6,0.4\ne,0.5,0.4,\nf,0.5,,0.6\ng,nan,0,-1\nh,0.5,,\nh,0.4,,\n",
            [
                (2, "score", 142), (3, "score", 142), (4, "score", 141), (5, "low", 142), (6, "high", 141), (7, "low", 141),
                (8, "score", 141), (8, "high", 142), (10, "unit", 143),
            ],
        ),
    ],
)  # fmt: skip
def test_every_bad_cell_is_told_with_its_row_and_nothing_is_taken(table, text, wrong):
    read = read_text(table, text, name="paste")
    assert told(read) == [(row, column, f"JQ-ASSESS-{code}") for row, column, code in wrong]
    with pytest.raises(InputError, match=f"JQ-ASSESS-140 {len({row for row, _, _ in wrong})} rows") as caught:
        read.good()
    assert "The first: paste row 2" in caught.value.render("en")
    for one in read.wrong:
        for language in ("zh", "en"):
            words = one.error.render(language)
            assert str(one.row) in words
            assert "{" not in words


def test_spreadsheets_lose_zeros_and_shares_may_be_in_percent():
    tags = read_text(
        "tags", "code,tag\n1,traditional\n105,Emerging\n10507,未来产业\ndigital-2021:0301,future\n04,\n", name="x"
    )
    assert tags.good()["code"].to_list() == ["01", "0105", "010507", "0301"]
    assert tags.untagged == 1
    scores = read_text("frontier", "单元,得分,下限,上限\na,85%,80%,90%\nb,1,,\n", name="x")
    assert scores.good().rows() == [("a", 0.85, 0.8, 0.9), ("b", 1.0, None, None)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "JQ-FILE-002"),
        (b"code,tag\n", "JQ-FILE-003"),
        (b"a,b\n1,2\n", "JQ-ASSESS-148"),
        (b"%PDF-1.7 ...", "JQ-FILE-012"),
        (b"PK\x03\x04 no workbook", "JQ-FILE-043"),
        (b"<html><table>", "JQ-FILE-015"),
        (b"\xff\xfe\x00\xd8x", "JQ-FILE-005"),
        (b"code,tag\n" + b"01,future\n" * MOST_ROWS + b"01,future\n", "JQ-ASSESS-144"),
        (b"code,tag\n" + b"x" * MOST_BYTES, "JQ-ASSESS-144"),
        (b"code,tag\n01,\n02,\n", "JQ-ASSESS-149"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path, content, code):
    with pytest.raises(InputError) as caught:
        read_file("tags", file_of(tmp_path, content, "on-disk"), name="x.csv").good()
    assert caught.value.code == code
    assert "x.csv" in caught.value.render("en")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_template_comes_back_recognised_and_lists_every_class(tmp_path, language, form):
    for table in NAMES:
        content = template(table, form, language)
        path = file_of(tmp_path, content, f"{table}.{form}")
        if table == "tags":
            read = read_file(table, path, name="x")
            assert (read.untagged, read.wrong) == (156, ())  # classes of six digits
        else:
            with pytest.raises(InputError, match="JQ-FILE-003"):
                read_file(table, path, name="x")
    filled = template("tags", "csv", "zh").decode("utf-8-sig").replace("010101,,", "10101,新兴,")
    assert read_text("tags", filled, name="x").good().rows() == [("010101", "emerging")]
    if form == "xlsx":
        assert zipfile.ZipFile(io.BytesIO(template("tags", "xlsx", language))).testzip() is None


def test_text_keeps_its_lines_and_loses_what_acts_unseen():
    read = read_rows("plans", [{"region": "A\u202eB\0 C", "text": "一\r\n二\x07"}], name="x")
    assert read.good().rows() == [("AB C", "一\n二")]


def test_the_findings_that_want_a_table_name_one():
    assert set(BY_FINDING.values()) == set(NAMES)
    assert {table: described(table).names for table in NAMES} == {
        "plans": ("region", "text"), "tags": ("code", "tag"), "frontier": ("unit", "score", "low", "high"),
    }  # fmt: skip


def test_giving_taking_away_and_putting_back_each_add_a_version(empty):
    first = give(empty, "tags", TAGS, base=0)
    assert (first.revision, first.rows, first.act, first.account) == (1, 2, "given", LOCAL.id)
    again = give(empty, "tags", TAGS)
    assert again.revision == 1  # it says what stands already
    second = give(empty, "tags", TAGS[:1], base=1)
    back = given_room.PutBackRequest
    gone = given_room.put_back_given(LOCAL, empty, back(table="tags", revision=0, base=2), key=new_key())
    assert (second.revision, gone.revision, gone.rows, gone.version, gone.act) == (2, 3, 0, None, "removed")
    assert rows_of(empty, "tags") is None
    assert given_now(empty).tags is None
    undone = given_room.put_back_given(LOCAL, empty, back(table="tags", revision=1), key=new_key())
    assert (undone.revision, undone.rows, undone.version) == (4, 2, first.version)
    assert [one.act for one in revisions(empty, "tags")] == ["back", "removed", "given", "given"]
    assert given_now(empty).tags.rows() == [("01", "traditional"), ("0105", "emerging")]
    for revision in (3, 9):
        with pytest.raises(UsageError, match="JQ-ASSESS-146"):
            given_room.put_back_given(LOCAL, empty, back(table="tags", revision=revision), key=new_key())
    assert len(revisions(empty, "tags")) < MOST_REVISIONS


def test_a_retry_gives_once_and_who_saw_an_older_version_is_told(empty):
    key = new_key()
    assert give(empty, "plans", PLANS, base=0, key=key) == give(empty, "plans", PLANS, base=0, key=key)
    with pytest.raises(UsageError, match="JQ-ASSESS-145"):
        give(empty, "plans", PLANS[:2], base=0)
    assert newest(empty)["plans"].revision == 1
    add = given_room.AddPlanRequest
    for region in ("D", "E"):  # what is added does not depend on what was seen
        given_room.add_plan(LOCAL, empty, add(region=region, text="发展人工智能"), key=new_key())
    assert rows_of(empty, "plans")["region"].to_list() == list("ABCDE")
    with pytest.raises(InputError, match="JQ-ASSESS-143"):
        given_room.add_plan(LOCAL, empty, add(region="E", text=" 发展人工智能 "), key=new_key())
    with pytest.raises(InputError, match="JQ-ASSESS-032"):
        given_room.add_plan(LOCAL, empty, add(region=" ", text="x"), key=new_key())


def test_texts_that_are_too_much_together_are_refused(empty):
    add = given_room.AddPlanRequest
    for region in "AB":
        given_room.add_plan(
            LOCAL, empty, add(region=region, text=f"{region}{'长' * (LONGEST_TEXT - 1)}"), key=new_key()
        )
    with pytest.raises(InputError, match="JQ-ASSESS-144"):
        given_room.add_plan(LOCAL, empty, add(region="C", text="长" * LONGEST_TEXT), key=new_key())
    assert newest(empty)["plans"].rows == 2


def test_texts_and_tags_are_public_and_earlier_versions_and_scores_are_not(empty):
    give(empty, "tags", TAGS)
    give(empty, "tags", TAGS[:1])
    give(empty, "frontier", [{"unit": "c0001", "score": 0.5, "low": 0.4, "high": 0.6}])
    public, auditor = (Actor("x", frozenset({role})) for role in ("public", "auditor"))
    asked = given_room.RowsRequest
    assert given_room.given_tags(public, empty, asked()).total == 1
    assert given_room.given_plans(public, empty, asked()).total == 0
    with pytest.raises(UsageError, match="JQ-ASSESS-146"):
        given_room.given_tags(public, empty, asked(revision=1))
    assert given_room.given_tags(auditor, empty, asked(revision=1)).total == 2
    for refused in (given_room.given_frontier, given_room.given):
        with pytest.raises(PermissionDeniedError):
            refused(public, empty, asked() if refused is given_room.given_frontier else given_room.GivenRequest())
    assert given_room.given_frontier(auditor, empty, asked()).items[0].high == 0.6
    with pytest.raises(PermissionDeniedError):
        give(empty, "tags", TAGS, actor=auditor)
    rows = given_room.given(auditor, empty, given_room.GivenRequest())
    assert [(one.table, one.revision, one.read) for one in rows.tables] == [
        ("plans", 0, None), ("tags", 2, None), ("frontier", 1, None),
    ]  # fmt: skip


def test_scores_are_taken_of_a_stored_frontier_with_intervals(empty):
    rows = [
        (f"u{k}", code, 2024, float(v)) for k in range(8) for code, v in (("in", 1 + k % 4), ("out", 1 + (k * 3) % 5))
    ]
    frame = pl.DataFrame(rows, schema=["unit", "indicator", "year", "value"], orient="row")
    with empty.new_snapshot("indicators", as_of="2024-12-31", source="made up for a test") as writer:
        writer.write(frame.with_columns(id=pl.format("i{}", pl.int_range(pl.len()))))
    plain = desk.FrontierChoice(name="plain", inputs=("in",), outputs=("out",))
    desk.run_frontier(LOCAL, empty, plain)
    stored = desk.run_frontier(LOCAL, empty, desk.FrontierChoice("sure", ("in",), ("out",), bootstrap=100))
    assert given_room.frontiers_to_take(empty) == ["sure"]
    made = given_room.give_frontier(LOCAL, empty, given_room.TakeFrontierRequest(name="sure", base=0), key=new_key())
    assert (made.act, made.source, made.rows) == ("frontier", "sure", 8)
    scores = stored.table("scores")
    assert rows_of(empty, "frontier")["high"].to_list() == scores["high"].to_list()
    for name, error, code in (("plain", InputError, "147"), ("none", WorkspaceError, "071")):
        with pytest.raises(error, match=f"JQ-ASSESS-{code}"):
            given_room.give_frontier(LOCAL, empty, given_room.TakeFrontierRequest(name=name), key=new_key())


def test_versions_come_back_from_a_backup_as_they_were(empty):
    frame = read_rows("frontier", [{"unit": "a", "score": 0.1, "low": 1 / 3, "high": 0.5}], name="x").good()
    row = give(empty, "frontier", frame.to_dicts())
    again = rows_of(empty, "frontier", row.revision)
    assert again.schema == frame.schema
    assert digest(again).startswith(row.version)
