"""What the atlas counts of a register over which a roster lies: no firm twice."""

from __future__ import annotations

import polars as pl
from roster_samples import REGISTER, load

from jiqun.atlas import chain_desk, core_desk
from jiqun.atlas import desk as atlas
from jiqun.atlas.chain_records import kept
from jiqun.atlas.desk import Search
from jiqun.atlas.documents.firm import firm_document
from jiqun.atlas.firms import FirmRequest, firm
from jiqun.core.actor import LOCAL
from jiqun.core.document import Paragraph
from jiqun.intake.counted import counted, in_review, left_out
from jiqun.roster import desk
from jiqun.roster.derive import derive
from jiqun.store.commands import new_key

FIRMS = 120


def of_state(workspace, state):
    return workspace.scan("organisations").filter(pl.col("roster_state") == state).collect()["id"].to_list()


def test_rows_in_review_are_left_out_and_told(workspace, applied):
    assert applied.counts["review"] == 2
    assert workspace.scan("organisations").collect().height == REGISTER.height + 4
    assert counted(workspace).collect().height == REGISTER.height + 2
    judged = core_desk.judge(LOCAL, workspace)
    assert (judged.values["firms"], judged.values["in_review"]) == (REGISTER.height + 2, 2)
    chain = next(iter(kept(workspace)))
    placed = chain_desk.place(LOCAL, workspace, chain)
    assert sum(placed.values["counts"].values()) == REGISTER.height + 2
    assert placed.values["in_review"] == 2
    assert left_out(placed.values).en.startswith("2 rows of rosters in review")
    assert left_out({}) is None


def test_a_register_and_its_misspelt_copy_are_one_register_to_a_search(workspace):
    names = [
        f"深圳市{'甲乙丙丁戊己庚辛壬癸'[k % 10]}{'东南西北中上下左右前后里'[k // 10]}芯微电子有限公司"
        for k in range(FIRMS)
    ]
    place = pl.DataFrame({"lon": [114.05 + k % 12 / 1000 for k in range(FIRMS)], "lat": [22.54] * FIRMS})
    register = pl.DataFrame(
        {"name": names, "city": "深圳", "digital_code": [["0101", "0501"][k % 2] for k in range(FIRMS)]}
    ).hstack(place)
    load(workspace, register, "2024-02-01")
    misspelt = register.with_columns(name=pl.col("name").str.replace("微电子", "微电孑"))
    roster = desk.match(LOCAL, workspace, misspelt, name="copy", as_of="2025-01-01", accept=0.999, key=new_key())
    desk.apply(LOCAL, workspace, roster.id, key=new_key())
    derive(workspace)
    waiting = in_review(workspace)
    assert waiting > FIRMS // 2
    others = workspace.scan("organisations").filter(roster_state="unmatched").select("digital_code").collect()
    others = others["digital_code"].str.starts_with("01")
    found = atlas.run(LOCAL, workspace, Search(digital="01", draws=0))
    assert (found.values["firms"], found.values["in_review"]) == (FIRMS // 2 + others.sum(), waiting)
    assert core_desk.judge(LOCAL, workspace).values["firms"] == FIRMS + others.len()


def test_a_page_says_why_a_row_of_a_roster_stands_by_itself(workspace, applied):
    for state, words in (("review", "waits for a decision"), ("unmatched", "On a roster only")):
        answer = firm(LOCAL, workspace, FirmRequest(id=of_state(workspace, state)[0]))
        assert answer.standing == state
        document = firm_document(answer, workspace.snapshot("organisations"))
        first = document.blocks[0]
        assert isinstance(first, Paragraph)
        assert words in first.text.en
    assert firm(LOCAL, workspace, FirmRequest(id="o0000001")).standing is None
