"""Round after round 轮次: lists mended by several people at once, and corrections that fit the next quarter's file."""

from __future__ import annotations

import io

import fastexcel
import polars as pl
import pytest
import xlsxwriter
from test_imports import BOSS, LI, WU, Clock, checked, done, fixed, one, worked

from jiqun.core.errors import InputError, UsageError
from jiqun.intake import import_records, imports, room
from jiqun.intake.mending import ROW, WAS, write_list
from jiqun.store import Workspace
from jiqun.store.commands import new_key

HEADER = "企业名称,统一社会信用代码,行业代码,从业人数,城市\n"
MESSY = HEADER + "甲,91110000600037341L,65O3,12,深圳\n乙,,65O3,很多,深圳\n丙,,6513,3,广州\n丁,,39l1,5,上海\n"


@pytest.fixture
def workspace(tmp_path, places):
    opened = Workspace.init(tmp_path / "ws", clock=Clock())
    (opened.path / "cache").symlink_to(places)
    yield opened
    opened.database.close()


def the_list(workspace, found, tmp_path):
    """The list of an import, as rows of text by row number and header, and its bytes."""
    write_list(import_records.findings(workspace, found), tmp_path / "mend.xlsx", found.id)
    return Copy.of((tmp_path / "mend.xlsx").read_bytes())


class Copy:
    """A person's copy of a list: cells are changed, then it is saved as Excel saves it."""

    def __init__(self, header, lines, was, name):
        self.header, self.lines, self.was, self.name = header, lines, was, name

    @classmethod
    def of(cls, content):
        reader = fastexcel.read_excel(content)
        name = next(name for name in reader.sheet_names if name.startswith(WAS))

        def rows(sheet):
            return reader.load_sheet(sheet, header_row=None, dtypes="string").to_polars().rows()

        header, *lines = rows(0)
        return cls(list(header), [list(line) for line in lines], rows(name), name)

    def change(self, row, header, value):
        line = next(line for line in self.lines if line[0] == str(row))
        line[self.header.index(header)] = value
        return self

    def saved(self, *, hidden=True):
        file = io.BytesIO()
        with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as book:
            sheets = [(book.add_worksheet("待更正"), [self.header, *self.lines])]
            if hidden:
                sheets.append((book.add_worksheet(self.name), self.was))
                sheets[1][0].very_hidden()
            for sheet, lines in sheets:
                for k, line in enumerate(lines):
                    for j, cell in enumerate(line):
                        if cell is not None:
                            sheet.write(k, j, cell)
        return file.getvalue()


def take(workspace, found, copy, *, actor=LI, **options):
    content = copy if isinstance(copy, bytes) else copy.saved(**options)
    return imports.mended(actor, workspace, found.id, [content], filename="mend.xlsx", key=new_key())


def values(workspace, found):
    return {(fix["row"], fix["column"]): fix["value"] for fix in import_records.fixes(workspace, found.id)}


def recheck(workspace, found, actor=LI):
    done(room.check, workspace, one(found), actor=actor)
    return worked(workspace, found.id)


# Lists


def test_a_list_goes_out_and_comes_back_unchanged_and_a_second_round_follows(workspace, tmp_path):
    found = checked(workspace, MESSY)
    copy = the_list(workspace, found, tmp_path)
    assert copy.header[0] == ROW
    assert [line[0] for line in copy.lines] == ["2", "3", "5"]
    # a code of eighteen digits and a number are text as they were, and stay so
    assert copy.lines[0][2] == "91110000600037341L"
    take(workspace, found, copy)
    assert values(workspace, found) == {}
    take(workspace, found, copy.change(2, "行业代码", "6513").change(3, "从业人数", 7))
    assert values(workspace, found) == {(2, "行业代码"): "6513", (3, "从业人数"): "7"}
    found = recheck(workspace, found)
    second = the_list(workspace, found, tmp_path)
    assert [line[0] for line in second.lines] == ["3", "5"]
    assert second.lines[0][second.header.index("从业人数")] == "7"
    take(workspace, found, second.change(3, "行业代码", "6513"))
    found = recheck(workspace, found)
    # the rest stays in quarantine; what is good is loaded
    done(room.load, workspace, room.LoadRequest(id=found.id))
    worked(workspace, found.id)
    rows = workspace.scan("organisations").select("name", "industry_code", "employees").collect().rows()
    assert rows == [("甲", "6513", 12), ("乙", "6513", 7), ("丙", "6513", 3), ("丁", None, 5)]


def test_three_people_mend_copies_of_one_list(workspace, tmp_path):
    found = checked(workspace, MESSY)
    copies = [the_list(workspace, found, tmp_path) for _ in range(3)]
    copies[0].change(2, "行业代码", "6513").change(3, "行业代码", "6513")
    copies[1].change(3, "行业代码", "6422").change(5, "行业代码", "3911")
    copies[2].change(3, "行业代码", "6422")
    assert take(workspace, found, copies[0], actor=LI).overruled == 0
    # what one did not touch takes nothing back; what two did differently is told; what they did alike is no conflict
    assert take(workspace, found, copies[1], actor=BOSS).overruled == 1
    assert take(workspace, found, copies[2], actor=LI).overruled == 0
    assert values(workspace, found) == {(2, "行业代码"): "6513", (3, "行业代码"): "6422", (5, "行业代码"): "3911"}
    (conflict,) = room.overruled(LI, workspace, room.FixesRequest(id=found.id)).items
    assert (conflict.row, conflict.value, conflict.account, conflict.instead, conflict.by) == (
        3,
        "6513",
        LI.id,
        "6422",
        BOSS.id,
    )
    asked = room.Settlement(id=found.id, overruled=conflict.id, restore=True)
    done(room.settle, workspace, asked)
    assert values(workspace, found)[3, "行业代码"] == "6513"
    assert import_records.overruled(workspace, found.id) == ()
    with pytest.raises(UsageError, match="JQ-IMPORT-031"):
        done(room.settle, workspace, asked)


def test_an_old_copy_still_counts_after_others_checked_again(workspace, tmp_path):
    """Its rows may have left the findings meanwhile."""
    found = checked(workspace, MESSY)
    late = the_list(workspace, found, tmp_path)
    take(workspace, found, the_list(workspace, found, tmp_path).change(2, "行业代码", "6513"))
    found = recheck(workspace, found)
    assert take(workspace, found, late.change(2, "行业代码", "6422").change(3, "从业人数", "9")).overruled == 1
    assert values(workspace, found) == {(2, "行业代码"): "6422", (3, "从业人数"): "9"}
    # who has seen the other correction changes it on purpose
    found = recheck(workspace, found)
    seen = the_list(workspace, found, tmp_path)
    assert take(workspace, found, seen.change(3, "从业人数", "10")).overruled == 0


def test_copies_put_below_each_other_are_one_list(workspace, tmp_path):
    found = checked(workspace, MESSY)
    first, second = (the_list(workspace, found, tmp_path) for _ in range(2))
    first.change(2, "行业代码", "6513").change(3, "行业代码", "6513")
    second.change(3, "行业代码", "6422")
    first.lines += second.lines
    assert take(workspace, found, first).overruled == 1
    # the unchanged line below takes the change above it not back
    assert values(workspace, found) == {(2, "行业代码"): "6513", (3, "行业代码"): "6422"}


def test_what_is_no_list_of_this_import_is_told_and_changes_nothing(workspace, tmp_path):
    found = checked(workspace, MESSY)
    other = checked(workspace, MESSY.replace("丁", "戊"))
    copy = the_list(workspace, other, tmp_path)
    with pytest.raises(InputError, match="JQ-IMPORT-030"):
        take(workspace, found, copy.change(2, "行业代码", "6513"))
    mine = the_list(workspace, found, tmp_path)
    mine.lines.append([None, "新企业", None, "6513"])
    with pytest.raises(InputError, match="JQ-IMPORT-029") as caught:
        take(workspace, found, mine.change(2, "行业代码", "6513"))
    assert caught.value.fields["count"] == 1
    mine.lines[-1][0] = "4"  # a row that was never in the list
    with pytest.raises(InputError, match="JQ-IMPORT-029"):
        take(workspace, found, mine)
    assert values(workspace, found) == {}
    # the hidden sheet may be gone: then the list is compared with the last check
    mine.lines.pop()
    take(workspace, found, mine, hidden=False)
    assert values(workspace, found) == {(2, "行业代码"): "6513"}


def test_corrections_on_the_page_of_what_someone_has_not_seen_are_told(workspace):
    found = checked(workspace, MESSY)
    fixed(workspace, found, room.Fix(row=2, column="行业代码", value="6513", seen="65O3"))
    other = room.Fix(row=2, column="行业代码", value="6422", seen="65O3")
    assert fixed(workspace, found, other, actor=BOSS).overruled == 1
    # one's own, seen, is no conflict; nor is one without a word of what was seen, as before
    assert fixed(workspace, found, room.Fix(row=2, column="行业代码", value="6513", seen="6422")).overruled == 0
    assert fixed(workspace, found, room.Fix(row=2, column="行业代码", value=None)).overruled == 0
    assert len(import_records.overruled(workspace, found.id)) == 1


# Memory


def recalled(workspace, found, actor=LI):
    page = room.recalled(actor, workspace, room.FixesRequest(id=found.id))
    return [(offer.row, offer.column, offer.found, offer.value, offer.count) for offer in page.items]


def test_corrections_are_offered_for_the_next_file_and_never_applied_by_themselves(workspace):
    found = checked(workspace, MESSY)
    assert recalled(workspace, found) == []
    fixed(
        workspace,
        found,
        room.Fix(row=0, column="行业代码", found="65O3", value="6513"),
        room.Fix(row=3, column="从业人数", value="7"),
        room.Fix(row=4, column="城市", value="佛山"),  # nothing was found wrong with it
        room.Fix(row=2, column="从业人数", value="13"),
    )
    found = recheck(workspace, found)
    # of an import that was not loaded nothing is remembered
    again = checked(workspace, MESSY + "\n")
    assert recalled(workspace, again) == []
    done(room.load, workspace, room.LoadRequest(id=found.id))
    worked(workspace, found.id)
    rows = [
        "甲改名,91110000600037341L,65O3,12,深圳",  # by its code
        "己,,65O3,很多,深圳",  # another firm: only the rule fits
        "乙,,6513,很多,深圳",  # by its name
        "丙 ,,6513,3,广州",
        "庚,,6513,3,广州",
    ]
    # the headers may stand in another order and spelling
    following = HEADER.replace("行业代码", "行业 代码") + "\n".join(rows) + "\n"
    found = checked(workspace, following, actor=WU)
    assert recalled(workspace, found, WU) == [
        (0, "行业 代码", "65O3", "6513", 2),
        (2, "从业人数", "12", "13", 1),
        (4, "从业人数", "很多", "7", 1),
        (5, "城市", "广州", "佛山", 1),
    ]
    assert import_records.fixes(workspace, found.id) == ()
    offer = room.recalled(WU, workspace, room.FixesRequest(id=found.id)).items[0]
    assert (offer.account, offer.file) == (LI.id, "名单.csv")
    fixed(workspace, found, room.Fix(row=0, column="行业 代码", found="65O3", value="6513"), actor=WU)
    fixed(workspace, found, room.Fix(row=2, column="从业人数", value="14"), actor=WU)
    assert [one[0] for one in recalled(workspace, found, WU)] == [4, 5]


def test_the_latest_correction_is_the_one_remembered(workspace):
    for value in ("6513", "6422"):
        found = checked(workspace, MESSY + f"x{value},,,,\n")
        fixed(workspace, found, room.Fix(row=0, column="行业代码", found="65O3", value=value))
        found = recheck(workspace, found)
        done(room.load, workspace, room.LoadRequest(id=found.id, replace=True))
        worked(workspace, found.id)
    found = checked(workspace, MESSY)
    assert [one[3] for one in recalled(workspace, found)] == ["6422"]


def test_nothing_of_persons_is_remembered_or_put_into_lists(workspace, tmp_path):
    content = "企业名称,联系人,行业代码\n甲,张三丰,65O3\n"
    found = checked(workspace, content)
    copy = the_list(workspace, found, tmp_path)
    assert "张三丰" not in str((copy.lines, copy.was))
    assert "张三丰" not in found.model_dump_json()
    kept = import_records.check_folder(workspace, found.id, found.report.check)
    assert "张三丰" not in str(pl.read_parquet(kept / "rows.parquet").rows())
    take(workspace, found, copy.change(2, "行业代码", "6513"))
    assert values(workspace, found) == {(2, "行业代码"): "6513"}


def test_no_file_is_too_large_for_its_memory(workspace):
    """Ten thousand offers at most, however often a value stands in a file."""
    found = checked(workspace, MESSY)
    fixed(workspace, found, room.Fix(row=0, column="行业代码", found="65O3", value="6513"))
    found = recheck(workspace, found)
    done(room.load, workspace, room.LoadRequest(id=found.id))
    worked(workspace, found.id)
    many = HEADER + "".join(f"企业{k},,65O3,1,深圳\n" for k in range(20_000))
    found = checked(workspace, many)
    assert recalled(workspace, found) == [(0, "行业代码", "65O3", "6513", 20_000)]


def test_remarks_call_a_file_as_its_sender_does(workspace):
    """On disk it is called after its digest."""
    content = "企业名称,联系人\n".encode() + "甲,x\n".encode("gb18030") + "乙,y\n".encode() * 20
    found = checked(workspace, content)
    for remarks in (found.look.remarks, found.report.remarks):
        assert remarks
        assert all(remark.message.zh.startswith("名单.csv") for remark in remarks)
        assert found.digest not in str(remarks)
