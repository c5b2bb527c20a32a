"""The import conversation behind the pages: nothing is lost, doubled, or anyone else's."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from datetime import UTC, datetime, timedelta

import fastexcel
import polars as pl
import pytest
import sqlalchemy as sa
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.core.schema import schema
from jiqun.core.sheets import FORMULA_START
from jiqun.intake import import_jobs, import_records, imports, room, uploads
from jiqun.intake.changes import compare
from jiqun.intake.fixes import FIXES, amended
from jiqun.intake.mending import ROW, write_list
from jiqun.intake.read import open_frame
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.store.database import table
from jiqun.store.worker import work

LI = Actor("acc_li", frozenset({"analyst"}))
WU = Actor("acc_wu", frozenset({"analyst"}))
BOSS = Actor("acc_boss", frozenset({"operator"}))
MEMBER = Actor("acc_m", frozenset({"member"}), "o0000001")
MESSY = """名单,,
企业名称,行业代码,城市,备注
甲,65O3,深圳,=1+1
乙,65O3,北京,
,6513,上海,x
丙,6513,广州,
丙,6513,广州,
"""


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2025, 7, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def workspace(tmp_path, places, clock):
    opened = Workspace.init(tmp_path / "ws", clock=clock)
    (opened.path / "cache").symlink_to(places)
    yield opened
    opened.database.close()


def upload(workspace, content, *, actor=LI, filename="名单.csv", table_name="organisations", key=None):
    content = content.encode() if isinstance(content, str) else content
    pieces = [content[k : k + 7] for k in range(0, len(content), 7)] if len(content) < 10_000 else [content]
    return imports.receive(actor, workspace, pieces, filename=filename, table_name=table_name, key=key or new_key())


def worked(workspace, import_id, actor=BOSS):
    work(workspace, room.HANDLERS, once=True, threads=1)
    return import_records.find(actor, workspace, import_id)


def done(operation, workspace, request, *, actor=LI, key=None):
    return operation(actor, workspace, request, key=key or new_key())


def one(found):
    return room.One(id=found.id)


def checked(workspace, content=MESSY, **options):
    found = upload(workspace, content, **options)
    worked(workspace, found.id)
    done(room.check, workspace, one(found), actor=options.get("actor", LI))
    return worked(workspace, found.id)


def loaded(workspace, content, *, replace=True, **options):
    found = checked(workspace, content, **options)
    done(room.load, workspace, room.LoadRequest(id=found.id, replace=replace), actor=options.get("actor", LI))
    return worked(workspace, found.id)


def fixed(workspace, found, *fixes, **options):
    return done(room.fix, workspace, room.FixRequest(id=found.id, fixes=fixes), **options)


def firms(*names, city="深圳"):
    return "企业名称,城市\n" + "".join(f"{name},{city}\n" for name in names)


# From file to snapshot


def test_a_messy_file_is_read_checked_mended_and_loaded(workspace):
    found = upload(workspace, MESSY.encode("gb18030"), filename="../../名单.csv")
    assert (found.state, found.file, found.digest) == (
        "reading",
        "名单.csv",
        hashlib.sha256(MESSY.encode("gb18030")).hexdigest(),
    )
    found = worked(workspace, found.id)
    assert (found.state, found.look.headers) == ("read", ("企业名称", "行业代码", "城市", "备注"))
    assert "GB18030" in found.look.notes[0].en
    assert found.look.samples[0] == ("甲", "乙", "丙")
    done(room.check, workspace, one(found))
    found = worked(workspace, found.id)
    report = found.report
    assert (report.read, report.kept, report.refused, report.duplicates, report.emptied) == (5, 3, 1, 1, 3)
    assert (report.need, report.problem_rows, found.fresh) == (3, 4, True)
    (bad,) = (group for group in report.groups if group.code == "JQ-DATA-014")
    assert [(r.column, r.value, r.count, r.suggestion) for r in bad.repeated] == [("行业代码", "65O3", 2, "6513")]
    fixed(
        workspace,
        found,
        room.Fix(row=0, column="行业代码", found="65O3", value="6513"),
        room.Fix(row=5, column="企业名称", value="丁"),
        room.Fix(row=3, column="备注", value=None),
    )
    with pytest.raises(UsageError, match="JQ-IMPORT-011"):
        done(room.load, workspace, room.LoadRequest(id=found.id))
    done(room.check, workspace, one(found))
    found = worked(workspace, found.id)
    assert [group.code for group in found.report.groups] == ["JQ-DATA-024"]
    done(room.load, workspace, room.LoadRequest(id=found.id))
    found = worked(workspace, found.id)
    rows = workspace.scan("organisations").collect()
    assert dict(rows.select("name", "industry_code").iter_rows()) == dict.fromkeys("甲乙丁丙", "6513")
    assert (found.state, found.before, found.changes) == ("loaded", None, None)
    # what came is as it came
    assert uploads.Uploads(workspace).path(found.digest).read_bytes() == MESSY.encode("gb18030")
    assert workspace.history("organisations")[0].summary["fixes"] == 3


def test_sheet_encoding_table_and_columns_can_be_said_otherwise(workspace):
    found = upload(workspace, "名號\t人數\n臺北公司\t12\n".encode("big5"))
    found = worked(workspace, found.id)
    assert found.look.headers != ("名號", "人數")  # it might as well be GB18030
    options = found.options.model_copy(update={"encoding": "utf-8"})
    asked = room.Configuration(id=found.id, version=found.version, table_name="organisations", options=options)
    done(room.configure, workspace, asked)
    found = worked(workspace, found.id)
    assert (found.state, found.reason.code) == ("failed", "JQ-FILE-005")
    assert found.reason.message.en.startswith("名单.csv ")  # and not the digest
    options = found.options.model_copy(update={"encoding": "big5"})
    asked = room.Configuration(id=found.id, version=found.version, table_name="organisations", options=options)
    done(room.configure, workspace, asked)
    found = worked(workspace, found.id)
    assert (found.state, found.look.headers, found.reason) == ("read", ("名號", "人數"), None)
    with pytest.raises(InputError, match="JQ-FILE-010"):
        done(room.check, workspace, one(found))
    mapping = (room.Mapped(header="名號", attribute="name"), room.Mapped(header="人數", attribute="employees"))
    asked = asked.model_copy(update={"version": found.version, "mapping": mapping})
    key = new_key()
    first = done(room.configure, workspace, asked, key=key)
    assert done(room.configure, workspace, asked, key=key) == first
    with pytest.raises(UsageError, match="JQ-IMPORT-009"):
        done(room.configure, workspace, asked)
    for wrong, code in ((("不在", "name"), "JQ-FILE-011"), (("名號", "nonsense"), "JQ-FILE-019")):
        bad = (room.Mapped(header=wrong[0], attribute=wrong[1]),)
        with pytest.raises((InputError, UsageError), match=code):
            done(room.configure, workspace, asked.model_copy(update={"version": first.version, "mapping": bad}))
    done(room.check, workspace, one(found))
    found = worked(workspace, found.id)
    done(room.load, workspace, room.LoadRequest(id=found.id))
    worked(workspace, found.id)
    assert workspace.scan("organisations").select("name", "employees").collect().rows() == [("臺北公司", 12)]
    other = upload(workspace, "来源,目标,关系\nA,B,supply\n")
    other = worked(workspace, other.id)
    asked = room.Configuration(id=other.id, version=1, table_name="links", options=other.options)
    done(room.configure, workspace, asked)
    assert worked(workspace, other.id).table_name == "links"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"%PDF-1.7 \0\0", "JQ-FILE-012"),
        (b"<html><table></table></html>", "JQ-FILE-015"),
        (b"PK\x03\x04 no archive", "JQ-FILE-043"),
        (b"PAR1 no parquet", "JQ-FILE-016"),
        ("企业名称,城市\n甲,深圳\n".encode() + b"\xff\xfe" * 3, "JQ-FILE-00"),
        (("h," * 1_200 + "企业名称\n" + "1," * 1_200 + "甲\n").encode(), "JQ-IMPORT-006"),
        ("企业名称\n".encode(), "JQ-FILE-003"),
    ],
)
def test_what_cannot_be_read_says_why_and_can_be_discarded(workspace, content, code):
    found = upload(workspace, content)
    found = worked(workspace, found.id)
    assert found.state == "failed"
    assert found.reason.code.startswith(code)
    assert found.digest not in found.reason.message.en
    assert done(room.discard, workspace, one(found)).state == "discarded"


# Changes, undo


def test_a_load_says_what_is_new_moved_gone_and_changed_and_can_be_undone_for_a_day(workspace, clock):
    first = loaded(workspace, firms("甲", "乙", "丙"))
    before = workspace.snapshot("organisations").id
    with pytest.raises(UsageError, match="JQ-IMPORT-016"):
        done(room.undo, workspace, one(first))
    content = "登记号,企业名称,城市,员工人数\n"
    loaded(workspace, content + "a,甲,深圳,5\nb,乙,深圳,6\nc,丙,深圳,7\n")
    third = checked(workspace, content + "a,甲,北京,5\nb,乙,深圳,60\nd,丁,深圳,1\n")
    assert (third.report.new, third.report.gone, third.report.before) == (1, 1, 3)
    with pytest.raises(UsageError, match="JQ-IMPORT-017"):
        done(room.load, workspace, room.LoadRequest(id=third.id))
    done(room.load, workspace, room.LoadRequest(id=third.id, replace=True))
    third = worked(workspace, third.id)
    changes = third.changes
    assert (changes.new, changes.moved, changes.gone) == (1, 1, 1)
    assert changes.changed == 2  # the city of one is an attribute too
    assert [row.name for row in changes.examples["moved"]] == ["甲"]
    assert changes.examples["moved"][0].km == pytest.approx(1_940, abs=20)
    key = new_key()
    undone = done(room.undo, workspace, one(third), key=key)
    assert (undone.state, workspace.snapshot("organisations").id) == ("undone", third.before)
    assert done(room.undo, workspace, one(third), key=key) == undone
    assert before != third.before
    # a copy of it can be loaded again, once
    copy = done(room.again, workspace, one(third))
    assert copy.id != third.id
    worked(workspace, copy.id)
    done(room.check, workspace, room.One(id=copy.id))
    again = worked(workspace, copy.id)
    done(room.load, workspace, room.LoadRequest(id=again.id, replace=True))
    again = worked(workspace, again.id)
    clock.now += timedelta(days=1, minutes=1)
    with pytest.raises(UsageError, match="JQ-IMPORT-015"):
        done(room.undo, workspace, one(again))


def test_a_load_cannot_be_undone_or_made_once_the_table_went_on(workspace):
    loaded(workspace, firms("甲", "乙"))
    mine = loaded(workspace, firms("甲", "乙", "丙"))
    theirs = checked(workspace, firms("甲", "乙", "丙", "丁"), actor=WU)
    late = checked(workspace, firms("甲", "乙", "戊"), actor=WU)
    done(room.load, workspace, room.LoadRequest(id=theirs.id), actor=WU)
    worked(workspace, theirs.id)
    with pytest.raises(UsageError, match="JQ-IMPORT-013"):
        done(room.undo, workspace, one(mine))
    with pytest.raises(UsageError, match="JQ-IMPORT-012"):
        done(room.load, workspace, room.LoadRequest(id=late.id, replace=True), actor=WU)
    assert import_records.why_not_undo(workspace, import_records.find(WU, workspace, theirs.id)) is None
    workspace.revert("organisations", to=mine.snapshot)
    # back where it was before that load, by another way: that is what its undo comes to
    assert done(room.undo, workspace, one(theirs), actor=WU).state == "undone"


def test_two_loads_of_one_moment_are_not_made_on_top_of_each_other(workspace):
    """The second finds, when its turn comes, that what it was checked against is gone."""
    first, second = (checked(workspace, firms(*names)) for names in (("甲", "乙"), ("甲", "丙")))
    for found in (first, second):
        done(room.load, workspace, room.LoadRequest(id=found.id))
    worked(workspace, first.id)
    states = {import_records.find(LI, workspace, found.id).state for found in (first, second)}
    assert states == {"loaded", "checked"}
    assert len(workspace.history("organisations")) == 1
    (left,) = (f for f in (import_records.find(LI, workspace, x.id) for x in (first, second)) if f.state == "checked")
    assert left.reason.code == "JQ-IMPORT-012"


def test_the_same_file_loaded_again_changes_nothing(workspace):
    first = loaded(workspace, firms("甲", "乙"))
    second = loaded(workspace, firms("甲", "乙"))
    assert second.snapshot == first.snapshot == second.before
    assert (second.changes.new, second.changes.gone, second.changes.changed) == (0, 0, 0)
    assert [found.id for found in import_records.alike(LI, workspace, second.digest, but=second.id)] == [first.id]
    assert import_records.alike(WU, workspace, second.digest) == ()


# Who, and how often


def test_an_import_is_its_uploaders_and_the_operators(workspace):
    found = checked(workspace)
    other = upload(workspace, firms("甲"), actor=WU)
    asked = [
        (room.show_import, one(found)),
        (room.problems, room.ProblemsRequest(id=found.id)),
        (room.list_fixes, room.FixesRequest(id=found.id)),
    ]
    for operation, request in asked:
        operation(BOSS, workspace, request)
        with pytest.raises(UsageError, match="JQ-IMPORT-001"):
            operation(WU, workspace, request)
        with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
            operation(MEMBER, workspace, request)
    commands = [
        (room.check, one(found)),
        (room.discard, one(found)),
        (room.load, room.LoadRequest(id=found.id)),
        (room.fix, room.FixRequest(id=found.id, fixes=(room.Fix(row=3, column="城市", value="x"),))),
        (room.unfix, room.UnfixRequest(id=found.id)),
        (room.again, one(found)),
        (room.undo, one(found)),
        (room.retry, one(found)),
        (
            room.configure,
            room.Configuration(id=found.id, version=found.version, table_name="sites", options=found.options),
        ),
    ]
    for operation, request in commands:
        with pytest.raises(UsageError, match="JQ-IMPORT-001"):
            done(operation, workspace, request, actor=WU)
        with pytest.raises(PermissionDeniedError):
            done(operation, workspace, request, actor=MEMBER)
    with pytest.raises(PermissionDeniedError):
        upload(workspace, MESSY, actor=MEMBER)
    assert import_records.find(LI, workspace, found.id).state == "checked"
    assert [row.id for row in room.list_imports(WU, workspace, room.PageRequest()).items] == [other.id]
    assert room.list_imports(BOSS, workspace, room.PageRequest()).total == 2


def test_a_form_sent_twice_does_it_once(workspace):
    key = new_key()
    first, second = (upload(workspace, MESSY, key=key) for _ in range(2))
    assert first.id == second.id
    assert room.list_imports(BOSS, workspace, room.PageRequest()).total == 1
    found = worked(workspace, first.id)
    for operation, request in (
        (room.check, one(found)),
        (room.fix, room.FixRequest(id=found.id, fixes=(room.Fix(row=5, column="企业名称", value="丁"),))),
        (room.check, one(found)),
        (room.load, room.LoadRequest(id=found.id)),
        (room.undo, one(found)),
    ):
        key = new_key()
        if operation is room.undo:
            loaded(workspace, firms("甲", "乙"))  # so that this one cannot be undone
            with pytest.raises(UsageError):
                done(operation, workspace, request, key=key)
            continue
        answer = done(operation, workspace, request, key=key)
        assert done(operation, workspace, request, key=key) == answer
        worked(workspace, found.id)
        assert done(operation, workspace, request, key=key) == answer
    assert sum(load.summary.get("import") == found.id for load in workspace.history("organisations")) == 1


def test_two_people_mend_one_import(workspace):
    """Corrections of different cells are all kept; of one cell the later counts; a mapping is refused if it is old."""
    found = checked(workspace)
    seen = found.version
    fixed(workspace, found, room.Fix(row=3, column="行业代码", value="6513"), actor=LI)
    fixed(workspace, found, room.Fix(row=4, column="行业代码", value="6512"), actor=BOSS)
    fixed(workspace, found, room.Fix(row=3, column="行业代码", value="3921"), actor=BOSS)
    made = room.list_fixes(LI, workspace, room.FixesRequest(id=found.id)).items
    assert {(fix.row, fix.value, fix.account) for fix in made} == {(3, "3921", BOSS.id), (4, "6512", BOSS.id)}
    asked = room.Configuration(id=found.id, version=seen, table_name="organisations", options=found.options)
    with pytest.raises(UsageError, match="JQ-IMPORT-009"):
        done(room.configure, workspace, asked)
    # while one checks, the other may go on mending: the check is then known to be of an older state
    done(room.check, workspace, one(found))
    fixed(workspace, found, room.Fix(row=5, column="企业名称", value="丁"), actor=BOSS)
    with pytest.raises(UsageError, match="JQ-IMPORT-010"):
        done(room.check, workspace, one(found), actor=BOSS)
    cells = (room.Cell(row=4, column="行业代码"),)
    done(room.unfix, workspace, room.UnfixRequest(id=found.id, cells=cells))
    found = worked(workspace, found.id)
    done(room.unfix, workspace, room.UnfixRequest(id=found.id))
    assert room.list_fixes(LI, workspace, room.FixesRequest(id=found.id)).total == 0
    assert not import_records.find(LI, workspace, found.id).fresh


def test_corrections_are_bounded_and_must_fit_the_file(workspace, monkeypatch):
    found = checked(workspace)
    for bad, code in (
        (room.Fix(row=3, column="没有", value="x"), "JQ-IMPORT-018"),
        (room.Fix(row=0, column="城市", value="x"), "JQ-IMPORT-020"),
        (room.Fix(row=3, column="城市", found="深圳", value="x"), "JQ-IMPORT-020"),
        (room.Fix(row=3, column="城市", value="x\0y"), "JQ-STORE-034"),
    ):
        with pytest.raises(UsageError, match=code):
            fixed(workspace, found, bad)
    monkeypatch.setattr(imports, "MOST_FIXES", 2)
    fixed(workspace, found, *(room.Fix(row=row, column="城市", value="x") for row in (3, 4)))
    with pytest.raises(UsageError, match="JQ-IMPORT-019"):
        fixed(workspace, found, room.Fix(row=5, column="城市", value="x"))
    assert room.list_fixes(LI, workspace, room.FixesRequest(id=found.id)).total == 2


def test_uploads_are_bounded(workspace, monkeypatch, clock):
    monkeypatch.setattr(imports, "MOST_OPEN", 2)
    upload(workspace, firms("甲"))
    upload(workspace, firms("乙"))
    with pytest.raises(UsageError, match="JQ-IMPORT-008"):
        upload(workspace, firms("丙"))
    upload(workspace, firms("丙"), actor=WU)
    monkeypatch.setattr(imports, "MOST_OPEN", 9)
    monkeypatch.setattr(imports, "MOST_UPLOADS_AN_HOUR", 2)
    with pytest.raises(UsageError, match="JQ-IMPORT-007"):
        upload(workspace, firms("丁"))
    clock.now += timedelta(hours=1)
    upload(workspace, firms("丁"))
    with pytest.raises(UsageError, match="JQ-USE-001"):
        upload(workspace, firms("丁"), table_name="accounts")


def test_an_upload_that_fails_leaves_nothing(workspace, monkeypatch):
    folder = workspace.path / "uploads"
    upload(workspace, firms("甲"))
    kept = {path.name for path in folder.iterdir()}

    def cut_off():
        yield b"\xe4\xbc"
        raise RuntimeError("the sender went away")

    with pytest.raises(RuntimeError):
        imports.receive(LI, workspace, cut_off(), filename="a", table_name="organisations", key=new_key())
    with pytest.raises(InputError, match="JQ-IMPORT-003"):
        upload(workspace, b"")
    workspace.settings["upload_mb"] = type(workspace.settings["upload_mb"])(
        workspace.settings["upload_mb"].setting, 0.0001, "default"
    )
    with pytest.raises(UsageError, match="JQ-IMPORT-002"):
        upload(workspace, firms(*map(str, range(100))))
    monkeypatch.setattr(uploads, "_SPARE", 1 << 60)
    with pytest.raises(WorkspaceError, match=r"JQ-IMPORT-004.*[Ss]pace"):
        upload(workspace, firms("乙"))
    monkeypatch.undo()
    with pytest.raises(UsageError, match="JQ-STORE-031"):  # the file is there already when the command is refused
        upload(workspace, firms("丙"), key="k" * 300)
    assert {path.name for path in folder.iterdir()} == kept


def test_a_discarded_file_is_deleted_after_a_day_unless_another_import_needs_it(workspace, clock):
    mine, theirs, shared = upload(workspace, firms("甲")), upload(workspace, firms("乙")), None
    shared = upload(workspace, firms("乙"), actor=WU)
    assert theirs.digest == shared.digest
    for found in (mine, theirs):
        worked(workspace, found.id)
        done(room.discard, workspace, one(found))
    folder = workspace.path / "uploads"
    (folder / ".part-old").write_bytes(b"x")
    os.utime(folder / ".part-old", (1, 1))
    worked(workspace, mine.id)
    assert (folder / mine.digest).is_file()
    clock.now += timedelta(days=1, minutes=2)
    worked(workspace, mine.id)
    assert not (folder / mine.digest).exists()
    assert not (folder / ".part-old").exists()
    assert (folder / shared.digest).is_file()
    assert worked(workspace, shared.id).state == "read"
    with pytest.raises(WorkspaceError, match="JQ-IMPORT-005"):
        done(room.again, workspace, one(mine))


# Large and hostile


def test_a_hundred_thousand_rows_all_bad_are_paged_and_mended_at_once(workspace):
    count = 100_000
    rows = pl.DataFrame({"企业名称": [f"企业{i}" for i in range(count)]}).with_columns(
        pl.lit("65O3").alias("行业代码"), pl.lit("深圳").alias("城市")
    )
    file = io.BytesIO()
    rows.write_csv(file)
    found = checked(workspace, file.getvalue())
    assert (found.report.kept, found.report.emptied, found.report.problem_rows) == (count, count, count)
    first = room.problems(LI, workspace, room.ProblemsRequest(id=found.id, limit=50))
    assert (first.total, [row.row for row in first.items[:2]]) == (count, [2, 3])
    second = room.problems(LI, workspace, room.ProblemsRequest(id=found.id, limit=50, cursor=first.next))
    assert second.items[0].row == 52
    last = import_records.findings(workspace, found).rows(count - 3, 50, "JQ-DATA-014")
    assert [row.row for row in last] == [count - 1, count, count + 1]
    assert last[0].cells == {"企业名称": f"企业{count - 3}", "行业代码": "65O3", "城市": "深圳"}
    fixed(workspace, found, room.Fix(row=0, column="行业代码", found="65O3", value="6513"))
    done(room.check, workspace, one(found))
    found = worked(workspace, found.id)
    assert (found.report.emptied, found.report.groups) == (0, ())
    with pytest.raises(UsageError, match="JQ-IMPORT-014"):
        import_records.findings(workspace, checked(workspace, file.getvalue())).export(workspace.path / "x.xlsx")


def test_nothing_that_is_exported_can_run(workspace, tmp_path):
    """Formulas in cells and in headers, in every column."""
    starts = [start for start in FORMULA_START if start.strip()]
    headers = ["企业名称", "行业代码", *(f"{start}cmd|'/c calc'!A{k}" for k, start in enumerate(starts))]
    evil = [f"{start}HYPERLINK(1)" for start in starts]
    text = io.StringIO()
    csv.writer(text).writerows([headers, ["=甲", "=65O3", *evil], ["", "@x", *evil], ["乙", "-1", *evil]])
    found = checked(workspace, text.getvalue())
    kept = import_records.findings(workspace, found)
    for suffix in (".csv", ".xlsx"):
        kept.export(tmp_path / f"out{suffix}")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        exported = list(csv.reader(file))
    assert len(exported) == 1 + sum(group.count for group in found.report.groups)
    assert not [cell for row in exported for cell in row if cell.startswith(FORMULA_START)]
    book = fastexcel.read_excel(tmp_path / "out.xlsx").load_sheet(0).to_polars()
    assert book.height == len(exported) - 1
    import zipfile  # noqa: PLC0415

    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
    assert all(b"<f>" not in sheet and b"<f " not in sheet for sheet in sheets)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "", "x y"]), st.sampled_from(["1", "2"])), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["p", "q", "zz"]), st.sampled_from(["n", None])), max_size=9),
)
def test_corrections_change_the_cells_they_name_and_no_others(rows, wanted):
    fixes = {(row, column, "a" if row == 0 else ""): value for row, column, value in wanted}
    frame = pl.DataFrame([(*key, value) for key, value in fixes.items()], schema=FIXES, orient="row")
    source = pl.DataFrame(rows, schema={"p": pl.String, "q": pl.String}, orient="row")
    got = {}
    for batch in amended(open_frame(source), frame).batches:
        got |= dict(zip(batch.numbers, batch.cells.rows(), strict=True))
    for number, cells in enumerate(rows, 1):
        if number not in got:
            continue
        expected = []
        for column, cell in zip("pq", cells, strict=True):
            value = fixes.get((0, column, "a"), cell) if cell == "a" else cell
            expected.append(fixes.get((number, column, ""), value))
        assert got[number] == tuple(expected)


def test_compare_needs_no_place():
    before = pl.LazyFrame({"id": ["l1", "l2"], "source": ["A", "B"], "kind": ["x", "y"]})
    after = pl.LazyFrame({"id": ["l2", "l3"], "source": ["B", "C"], "kind": ["z", "y"]})
    found = compare(before, after, schema("links"))
    assert (found.new, found.gone, found.moved, found.changed) == (1, 1, None, 1)


def test_a_job_that_was_given_up_can_be_tried_again(workspace, monkeypatch):
    found = upload(workspace, MESSY)

    def broken(*_):
        raise MemoryError

    for _ in range(imports.ATTEMPTS):
        work(workspace, {**room.HANDLERS, "imports.read": broken}, once=True, threads=1)
        workspace.clock.now += timedelta(hours=2)
    found = import_records.find(LI, workspace, found.id)
    assert workspace.database.jobs.find(found.job).state == "dead"
    answer = done(room.retry, workspace, one(found))
    assert answer.job != found.job
    with pytest.raises(UsageError, match="JQ-IMPORT-010"):
        done(room.retry, workspace, one(found))
    assert worked(workspace, found.id).state == "read"


def test_an_old_job_does_not_overwrite_what_came_after(workspace):
    found = upload(workspace, MESSY)
    work(workspace, room.HANDLERS, once=True, threads=1)
    job = workspace.database.jobs.find(found.job)
    done(room.discard, workspace, one(found))
    assert import_jobs.read(workspace, job, lambda *_: None) is None
    rows = table("imports")
    with workspace.database.read() as connection:
        assert connection.execute(sa.select(rows.c.state)).scalar_one() == "discarded"


def test_rows_are_mended_in_a_workbook(workspace, tmp_path):
    """What was changed in the list becomes corrections, and nothing else does."""
    text = io.StringIO()
    header = ["企业名称", "信用代码", "成立日期", "行业代码", "=evil", "value"]
    rows = [
        [f"企业{k}", "91110000600037341L" if k == 1 else "", f"2020-01-0{k % 9 + 1}", "65O3", "=1+1", "\n x "]
        for k in range(5)
    ]
    csv.writer(text).writerows([header, *rows])
    found = checked(workspace, text.getvalue())
    write_list(import_records.findings(workspace, found), tmp_path / "mend.xlsx", found.id)

    def take(path, **options):
        content = path.read_bytes()
        key = options.get("key") or new_key()
        return imports.mended(LI, workspace, found.id, [content], filename="mend.xlsx", key=key)

    take(tmp_path / "mend.xlsx")
    assert import_records.fixes(workspace, found.id) == ()
    lines = (
        fastexcel.read_excel(tmp_path / "mend.xlsx").load_sheet(0, header_row=None, dtypes="string").to_polars().rows()
    )
    assert lines[0] == (ROW, *header)
    cells = [list(line) for line in lines]
    for line in range(1, 4):
        cells[line][4] = 6513 if line == 1 else "6513"
    cells[2][1] = None
    del cells[5]
    with xlsxwriter.Workbook(tmp_path / "mended.xlsx", {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate(cells):
            sheet.write_row(number, 0, line)
    key = new_key()
    assert take(tmp_path / "mended.xlsx", key=key) == take(tmp_path / "mended.xlsx", key=key)
    made = {(fix["row"], fix["column"]): fix["value"] for fix in import_records.fixes(workspace, found.id)}
    assert made == {**{(row, "行业代码"): "6513" for row in (2, 3, 4)}, (3, "企业名称"): None}
    done(room.check, workspace, one(found))
    again = worked(workspace, found.id)
    assert {group.code: group.count for group in again.report.groups}["JQ-DATA-014"] == 2
    for content, code in (
        (workbook_of("a", "b"), "JQ-IMPORT-025"),
        (b"name\nA\n", "JQ-FILE-007"),
        (b"", "JQ-IMPORT-003"),
    ):
        (tmp_path / "wrong.xlsx").write_bytes(content)
        with pytest.raises(InputError, match=code):
            take(tmp_path / "wrong.xlsx")
    assert not list((workspace.path / "uploads").glob(".part*"))


def workbook_of(*cells):
    file = io.BytesIO()
    pl.DataFrame({cell: [cell] for cell in cells}).write_excel(file)
    return file.getvalue()


def test_the_conversation_is_the_same_on_postgresql(tmp_path, places, postgres_database):
    Workspace.init(tmp_path / "ws")
    with (tmp_path / "ws" / "jiqun.toml").open("a", encoding="utf-8") as file:
        file.write(f'\ndatabase_url = "{postgres_database}"\n')
    opened = Workspace.open(tmp_path / "ws", clock=Clock())
    (opened.path / "cache").symlink_to(places)
    try:
        test_a_messy_file_is_read_checked_mended_and_loaded(opened)
        test_two_people_mend_one_import(opened)
    finally:
        opened.database.close()
