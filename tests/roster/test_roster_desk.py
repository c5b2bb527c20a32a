"""A roster's way: matched, decided, merged, corrected, loaded over, taken out."""

from __future__ import annotations

import io
from datetime import timedelta

import polars as pl
import pytest
from roster_samples import REGISTER, ROSTER, load, organisations

from jiqun.cli.work import HANDLERS
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.intake import desk as intake
from jiqun.intake import imports
from jiqun.roster import corrections, desk, records, room
from jiqun.roster.derive import derive
from jiqun.roster.history import history
from jiqun.roster.jobs import begin
from jiqun.store.commands import new_key
from jiqun.store.worker import work

MEMBER = Actor("acc_member", frozenset({"member"}), "o0000001")


def decisions(workspace, roster):
    return records.now(workspace, roster).select("name", "decision", "organisation").rows()


def value(workspace, organisation, attribute):
    rows = organisations(workspace).filter(pl.col("id") == organisation)
    return rows[attribute].item()


def test_rows_are_matched_reviewed_or_unmatched_and_the_register_stays(workspace, matched):
    assert decisions(workspace, matched) == [
        ("雷柏科技股份有限公司", "matched", "o0000001"),
        ("南都电源", "review", "o0000002"),
        ("宏达科技有限公司", "review", "o0000003"),
        ("華為技術有限公司", "matched", "o0000005"),
        ("不在册的公司", "unmatched", None),
        ("@SUM(1)<b>公司", "unmatched", None),
    ]
    assert [load.summary.get("base") for load in workspace.history("organisations")] == [None]
    assert {state: matched.counts[state] for state in ("matched", "review", "unmatched")} == {
        "matched": 2,
        "review": 2,
        "unmatched": 2,
    }


def test_a_merge_fills_and_renews_and_keeps_who_is_doubtful_visible(workspace, applied):
    table = organisations(workspace)
    assert table.select("id", "name", "name_en", "employees", "roster_state", "rosters").rows() == [
        ("o0000001", "深圳雷柏科技股份有限公司", "Rapoo", 120, None, "members"),
        ("o0000002", "浙江南都电源动力股份有限公司", None, 200, None, None),
        ("o0000003", "宏达科技有限公司", None, None, None, None),
        ("o0000004", "宏达科技有限公司", None, 12, None, None),
        ("o0000005", "华为技术有限公司", "Huawei", 190_000, None, "members"),
        ("o0000006", '"><script>alert(1)</script>有限公司', None, 3, None, None),
        ("r000000001", "南都电源", None, None, "review", "members"),
        ("r000000002", "宏达科技有限公司", None, 11, "review", "members"),
        ("r000000003", "不在册的公司", None, 3, "unmatched", "members"),
        ("r000000004", "@SUM(1)<b>公司", None, 4, "unmatched", "members"),
    ]
    assert table["source_id"].null_count() == table.height  # the roster's identifiers are another register's


def test_an_older_roster_fills_gaps_and_renews_nothing(workspace):
    old = desk.match(LOCAL, workspace, ROSTER, name="old", as_of="2020-01-01")
    desk.apply(LOCAL, workspace, old.id, key="apply-old")
    derive(workspace)
    assert (value(workspace, "o0000001", "employees"), value(workspace, "o0000001", "name_en")) == (100, "Rapoo")


def test_merging_the_same_roster_twice_changes_nothing(workspace, applied):
    before = workspace.snapshot("organisations")
    again = desk.match(LOCAL, workspace, ROSTER, name="members", as_of="2025-01-01")
    assert again.id == applied.id
    desk.apply(LOCAL, workspace, again.id, key="second-apply")
    derive(workspace)
    assert workspace.snapshot("organisations") == before


def test_matching_after_a_merge_proposes_the_same(workspace, applied):
    told = decisions(workspace, applied)
    other = desk.match(LOCAL, workspace, ROSTER, name="members", as_of="2025-03-31")
    assert other.id != applied.id
    assert decisions(workspace, other) == told
    desk.apply(LOCAL, workspace, other.id, key="apply-next")
    derive(workspace)
    assert organisations(workspace).filter(pl.col("id").str.starts_with("r"))["id"].to_list() == [
        f"r00000000{number}" for number in range(1, 5)
    ]
    assert [roster.state for roster in records.listing(workspace, states=("replaced",))] == ["replaced"]


def test_a_decision_counts_at_once_and_for_the_next_edition(workspace, applied):
    desk.decide(LOCAL, workspace, applied.id, 1, "o0000002", "same", key="decide-same")
    derive(workspace)
    table = organisations(workspace)
    assert "r000000001" not in table["id"].to_list()
    assert value(workspace, "o0000002", "rosters") == "members"
    later = desk.match(LOCAL, workspace, ROSTER.reverse(), name="members", as_of="2025-06-30")
    assert ("南都电源", "matched", "o0000002") in decisions(workspace, later)


def test_a_decision_taken_back_leaves_what_was_before(workspace, applied):
    before = organisations(workspace)
    made = desk.decide(LOCAL, workspace, applied.id, 1, "o0000002", "same", key="decide-same")
    derive(workspace)
    assert not organisations(workspace).equals(before)
    desk.undo(LOCAL, workspace, made, key="undo-it")
    derive(workspace)
    assert organisations(workspace).equals(before)
    with pytest.raises(UsageError, match="JQ-ROSTER-008"):
        desk.undo(LOCAL, workspace, made, key="undo-again")


def test_different_takes_the_candidate_away_and_the_next_one_counts(workspace, matched):
    desk.decide(LOCAL, workspace, matched.id, 2, "o0000003", "different", key="not-that")
    assert decisions(workspace, matched)[2] == ("宏达科技有限公司", "matched", "o0000004")
    desk.decide(LOCAL, workspace, matched.id, 2, "o0000004", "different", key="nor-that")
    row = records.now(workspace, matched).row(2, named=True)
    assert (row["decision"], row["organisation"], row["by_person"]) == ("unmatched", None, True)


def test_the_last_of_two_verdicts_counts(workspace, matched):
    desk.decide(LOCAL, workspace, matched.id, 2, "o0000003", "same", key="one")
    desk.decide(LOCAL, workspace, matched.id, 2, "o0000004", "same", key="two")
    desk.decide(LOCAL, workspace, matched.id, 2, "o0000004", "different", key="three")
    assert decisions(workspace, matched)[2][1:] == ("review", "o0000003") or decisions(workspace, matched)[2][1:] == (
        "matched",
        "o0000003",
    )
    assert records.pairings(workspace).same == {}


def test_bulk_takes_what_scores_enough_and_leads(workspace, matched):
    assert desk.accept_above(LOCAL, workspace, matched.id, 0.65, key="bulk") == 1  # two 宏达 score the same
    assert decisions(workspace, matched)[1] == ("南都电源", "matched", "o0000002")
    assert decisions(workspace, matched)[2][1] == "review"


def test_two_people_decide_at_once_and_both_are_kept(workspace, matched):
    other = Actor("acc_other", frozenset({"analyst"}))
    desk.decide(LOCAL, workspace, matched.id, 1, "o0000002", "same", key="mine")
    desk.decide(other, workspace, matched.id, 2, "o0000003", "different", key="theirs")
    # the same command again is answered and not done again
    desk.decide(LOCAL, workspace, matched.id, 1, "o0000002", "same", key="mine")
    found = records.pairings(workspace)
    assert (len(found.same), len(found.different)) == (1, 1)


def test_what_was_merged_lies_over_the_next_load(workspace, applied):
    desk.decide(LOCAL, workspace, applied.id, 1, "o0000002", "same", key="decide-same")
    load(workspace, REGISTER.with_columns(pl.col("employees") + 1), "2024-06-30")
    assert value(workspace, "o0000001", "employees") == 120  # the roster is newer
    assert value(workspace, "o0000002", "employees") == 201
    assert value(workspace, "o0000002", "rosters") == "members"
    assert organisations(workspace)["roster_state"].drop_nulls().to_list() == ["review", "unmatched", "unmatched"]
    load(workspace, REGISTER.with_columns(pl.col("employees") + 2), "2025-06-30")
    assert value(workspace, "o0000001", "employees") == 102  # now the register is


def test_a_roster_taken_out_leaves_the_register(workspace, applied):
    desk.withdraw(LOCAL, workspace, applied.id, key="out")
    derive(workspace)
    assert workspace.snapshot("organisations").id == records.base(workspace).id
    assert organisations(workspace).height == REGISTER.height
    assert "roster_state" not in organisations(workspace).columns


def test_a_correction_survives_every_load_and_tells_what_the_source_says_new(workspace):
    asked = {"name": "深圳雷柏科技有限公司", "employees": "1.3万", "main_business": None}
    corrections.correct(LOCAL, workspace, "o0000001", asked, reason="年报", key="correct")
    derive(workspace)
    expected = ("深圳雷柏科技有限公司", 13_000, None)
    told = tuple(value(workspace, "o0000001", name) for name in asked)
    assert told == expected
    assert not corrections.conflicts(workspace)
    load(workspace, REGISTER.with_columns(employees=pl.lit(150)), "2025-01-01")
    assert (
        tuple(value(workspace, "o0000001", name) for name in asked) == expected
    )  # same id, by the name that the source gives
    (conflict,) = corrections.conflicts(workspace)
    assert (conflict.attribute, conflict.value, conflict.seen, conflict.conflict) == (
        "employees",
        "13000",
        "100",
        "150",
    )
    corrections.take_back(LOCAL, workspace, "o0000001", ["employees"], key="back")
    derive(workspace)
    assert value(workspace, "o0000001", "employees") == 150
    assert not corrections.conflicts(workspace)


def test_a_corrected_city_moves_the_firm(workspace):
    before = value(workspace, "o0000001", "lat")
    corrections.correct(LOCAL, workspace, "o0000001", {"city": "哈尔滨"}, key="move")
    derive(workspace)
    assert value(workspace, "o0000001", "lat") > before + 20
    corrections.correct(LOCAL, workspace, "o0000001", {"lon": "120.5", "lat": "30.5"}, key="point")
    derive(workspace)
    assert (value(workspace, "o0000001", "lon"), value(workspace, "o0000001", "lat")) == (120.5, 30.5)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"nonsense": "1"}, "JQ-ACCOUNTS-013"),
        ({"name": None}, "JQ-ACCOUNTS-013"),
        ({"employees": "many"}, "JQ-DATA"),
        ({"uscc": "914403001922038217"}, "JQ-DATA-015"),
        ({}, "JQ-ACCOUNTS-013"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(workspace, values, code):
    with pytest.raises(InputError, match=code):
        corrections.correct(LOCAL, workspace, "o0000001", values, key="wrong")
    assert corrections.standing(workspace, "o0000001") == ()


def test_a_correction_follows_a_row_to_the_organisation_that_it_is(workspace, applied):
    corrections.correct(LOCAL, workspace, "r000000001", {"employees": "7"}, key="own")
    derive(workspace)
    assert value(workspace, "r000000001", "employees") == 7
    desk.decide(LOCAL, workspace, applied.id, 1, "o0000002", "same", key="decide-same")
    derive(workspace)
    assert value(workspace, "o0000002", "employees") == 7


def test_points_of_ones_own_outlive_a_new_derivation(workspace, applied):
    park = pl.DataFrame({"name": ["雷柏科技园"], "kind": ["园区"], "city": ["深圳"], "lon": [113.93], "lat": [22.53]})
    intake.load(LOCAL, workspace, park, "carriers")
    corrections.correct(LOCAL, workspace, "o0000001", {"address": "深圳市南山区雷柏科技园3栋"}, key="park")
    derive(workspace)
    assert (value(workspace, "o0000001", "placed_by"), value(workspace, "o0000001", "lon")) == ("carrier", 113.93)
    before = workspace.snapshot("organisations")
    assert derive(workspace).id == before.id  # nothing has changed
    corrections.correct(LOCAL, workspace, "o0000002", {"employees": "5"}, key="other")
    derive(workspace)
    assert (value(workspace, "o0000001", "placed_by"), value(workspace, "o0000002", "employees")) == ("carrier", 5)
    assert records.base(workspace).id == before.summary["base"]


def test_points_of_ones_own_come_in_the_same_snapshot_as_the_rest(workspace, applied):
    corrections.correct(LOCAL, workspace, "o0000001", {"address": "深圳市南山区雷柏科技园3栋"}, key="park")
    derive(workspace)
    loads = len(workspace.history("organisations"))
    park = pl.DataFrame({"name": ["雷柏科技园"], "kind": ["园区"], "city": ["深圳"], "lon": [113.93], "lat": [22.53]})
    intake.load(LOCAL, workspace, park, "carriers")
    derive(workspace)  # the park alone is a reason
    assert value(workspace, "o0000001", "placed_by") == "carrier"
    corrections.correct(LOCAL, workspace, "o0000001", {"employees": "5"}, key="more")
    derive(workspace)
    assert (value(workspace, "o0000001", "placed_by"), value(workspace, "o0000001", "employees")) == ("carrier", 5)
    assert len(workspace.history("organisations")) == loads + 2


def test_a_point_of_ones_own_stays_when_a_roster_is_taken_out(workspace, applied):
    register = REGISTER.with_columns(address=pl.lit("深圳市南山区雷柏科技园3栋"), city=pl.lit("深圳"))
    load(workspace, register, "2025-02-01")
    park = pl.DataFrame({"name": ["雷柏科技园"], "kind": ["园区"], "city": ["深圳"], "lon": [113.93], "lat": [22.53]})
    intake.load(LOCAL, workspace, park, "carriers")
    desk.withdraw(LOCAL, workspace, applied.id, key="out")
    workspace.revert("organisations", to=records.base(workspace).id)  # as a process leaves it that is killed here
    derive(workspace)
    assert value(workspace, "o0000001", "placed_by") == "carrier"


def test_a_place_is_one_sources_whole(workspace):
    load(workspace, PLACED, "2024-02-01")
    shanghai = pl.DataFrame({"name": ["浙江南都电源动力股份有限公司"], "city": ["上海"], "employees": [1]})
    made = desk.match(LOCAL, workspace, shanghai, name="newer", as_of="2025-06-01")
    desk.decide(LOCAL, workspace, made.id, 0, "o0000002", "same", key="same")
    desk.apply(LOCAL, workspace, made.id, key="apply")
    derive(workspace)
    names = ("region", "city", "region_code", "address", "place_name_zh", "employees")
    told = tuple(value(workspace, "o0000002", name) for name in names)
    assert told == (None, "上海", None, None, "上海", 1)
    assert value(workspace, "o0000001", "region_code") == "440305"


def test_of_several_rows_of_a_firm_one_gives_the_place(workspace):
    rows = pl.DataFrame(
        {
            "name": ["华为技术有限公司", "華為技術有限公司"],
            "city": [None, "东莞"],
            "region": ["不知道的地方", None],
            "employees": [None, 7],
        }
    )
    made = desk.match(LOCAL, workspace, rows, name="two", as_of="2025-06-01")
    for row in (0, 1):
        desk.decide(LOCAL, workspace, made.id, row, "o0000005", "same", key=f"same-{row}")
    desk.apply(LOCAL, workspace, made.id, key="apply")
    derive(workspace)
    told = tuple(value(workspace, "o0000005", name) for name in ("region", "city", "employees"))
    assert told == (None, "东莞", 7)


def test_history_names_value_source_date_and_who(workspace, applied):
    corrections.correct(LOCAL, workspace, "o0000001", {"employees": "130"}, reason="年报", key="correct")
    derive(workspace)
    clock = workspace.clock
    workspace.clock = lambda: clock() + timedelta(minutes=1)  # times are to the second; within one, the kind decides
    load(workspace, REGISTER.with_columns(employees=pl.lit(150)), "2025-06-30")
    told = [
        (one.value, one.kind, one.as_of.isoformat(), one.who, one.shown)
        for one in history(workspace, "o0000001", "employees")
    ]
    assert told[0] == ("150", "register", "2025-06-30", None, False)
    assert told[1][:2] == ("130", "correction")
    assert told[1][3:] == ("local", True)
    assert told[2] == ("120", "roster", "2025-01-01", "local", False)
    assert told[3] == ("100", "register", "2024-01-01", None, False)
    with pytest.raises(UsageError, match="JQ-ROSTER-009"):
        history(workspace, "o0000001", "nonsense")
    with pytest.raises(UsageError, match="JQ-ROSTER-006"):
        history(workspace, "o9999999")


def test_history_tells_what_the_edition_before_said_and_until_when(workspace, applied):
    later = desk.match(LOCAL, workspace, ROSTER.with_columns(employees=pl.lit(140)), name="members", as_of="2025-04-01")
    desk.apply(LOCAL, workspace, later.id, key="apply-later")
    derive(workspace)
    told = [one for one in history(workspace, "o0000001", "employees") if one.kind == "roster"]
    now, before = sorted(told, key=lambda one: one.as_of, reverse=True)
    assert (now.value, now.ended_at, now.shown) == ("140", None, True)
    assert (before.value, before.ended_at, before.shown) == ("120", now.at, False)
    own = [one.value for one in history(workspace, "r000000003", "employees")]
    assert sorted(own) == ["140", "3"]


def test_history_leaves_out_a_load_that_was_reverted(workspace):
    load(workspace, REGISTER.with_columns(employees=pl.lit(1)), "2024-02-01")
    workspace.revert("organisations")
    load(workspace, REGISTER.with_columns(employees=pl.lit(2)), "2024-03-01")
    assert [one.value for one in history(workspace, "o0000001", "employees")] == ["2", "100"]


def test_an_identifier_of_the_roster_finds_its_organisation_when_all_else_has_changed(workspace, applied):
    renamed = ROSTER.with_columns(name=pl.lit("完全不同的名称") + pl.col("source_id"), city=pl.lit(None, pl.String))
    later = desk.match(LOCAL, workspace, renamed, name="members", as_of="2025-06-30")
    told = decisions(workspace, later)
    assert [(decision, organisation) for _, decision, organisation in told] == [
        ("matched", "o0000001"), ("unmatched", None), ("unmatched", None), ("matched", "o0000005"), ("unmatched", None), ("unmatched", None),
    ]  # fmt: skip


def test_an_identifier_does_not_speak_for_what_a_person_rejected_or_what_is_gone(workspace, applied):
    desk.decide(LOCAL, workspace, applied.id, 0, "o0000001", "different", key="not-that")
    derive(workspace)
    renamed = ROSTER.with_columns(name=pl.lit("完全不同的名称") + pl.col("source_id"), city=pl.lit(None, pl.String))
    later = desk.match(LOCAL, workspace, renamed, name="members", as_of="2025-06-30")
    assert [organisation for _, _, organisation in decisions(workspace, later)] == [
        None,
        None,
        None,
        "o0000005",
        None,
        None,
    ]
    load(workspace, REGISTER.filter(pl.col("name") != "华为技术有限公司"), "2025-02-01")
    last = desk.match(LOCAL, workspace, renamed, name="members", as_of="2025-09-30")
    assert {organisation for _, _, organisation in decisions(workspace, last)} == {None}


def test_a_roster_says_that_the_register_is_newer(workspace, applied):
    assert not records.outdated(workspace, applied)
    park = pl.DataFrame({"name": ["雷柏科技园"], "kind": ["园区"], "city": ["深圳"], "lon": [113.93], "lat": [22.53]})
    intake.load(LOCAL, workspace, park, "carriers")
    derive(workspace)
    assert not records.outdated(workspace, applied)
    assert room.roster(LOCAL, workspace, room.One(roster=applied.id)).counts["outdated"] is False
    load(workspace, REGISTER, "2025-02-01")
    assert records.outdated(workspace, applied)
    again = desk.match(LOCAL, workspace, ROSTER, name="members", as_of="2025-01-01")
    assert (again.id != applied.id, records.outdated(workspace, again)) == (True, False)


def test_many_are_decided_at_once_and_the_last_verdict_of_each_counts(workspace):
    frame = pl.DataFrame({"name": [f"第{number}家公司" for number in range(1203)]})
    made = desk.match(LOCAL, workspace, frame, name="many", as_of="2025-01-01")
    keys = records.table_of(workspace, made, "rows")["row_key"].to_list()

    def put(organisation, verdict):
        pairs = [(key, organisation) for key in keys]

        def decided(tx):
            return len(desk._decided(tx, LOCAL, made, pairs, verdict))

        workspace.database.command(LOCAL, new_key(), "test", decided)

    put("o0000001", "same")
    put("o0000002", "different")
    put("o0000002", "same")
    found = records.pairings(workspace)
    assert (set(found.same.values()), len(found.same), found.different) == ({"o0000002"}, 1203, frozenset())
    put("o0000002", "different")
    found = records.pairings(workspace)
    assert (found.same, len(found.different)) == ({}, 1203)


@pytest.mark.parametrize(
    "call",
    [
        lambda w, r: desk.match(MEMBER, w, ROSTER),
        lambda w, r: desk.apply(MEMBER, w, r.id, key="k"),
        lambda w, r: desk.withdraw(MEMBER, w, r.id, key="k"),
        lambda w, r: desk.decide(MEMBER, w, r.id, 1, "o0000002", "same", key="k"),
        lambda w, r: desk.accept_above(MEMBER, w, r.id, 0.7, key="k"),
        lambda w, r: desk.undo(MEMBER, w, "pair_x", key="k"),
        lambda w, r: corrections.correct(MEMBER, w, "o0000001", {"employees": "1"}, key="k"),
        lambda w, r: corrections.take_back(MEMBER, w, "o0000001", key="k"),
    ],
)
def test_a_member_may_do_none_of_it(workspace, matched, call):
    with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
        call(workspace, matched)


def test_what_is_not_there_is_refused(workspace, matched):
    with pytest.raises(UsageError, match="JQ-ROSTER-001"):
        records.find(workspace, "ros_nothing")
    with pytest.raises(UsageError, match="JQ-ROSTER-005"):
        desk.decide(LOCAL, workspace, matched.id, 99, "o0000002", "same", key="k1")
    with pytest.raises(UsageError, match="JQ-ROSTER-006"):
        desk.decide(LOCAL, workspace, matched.id, 1, "o0000099", "same", key="k2")
    with pytest.raises(UsageError, match="JQ-ROSTER-003"):
        desk.match(LOCAL, workspace, ROSTER, accept=0.1)
    with pytest.raises(UsageError, match="JQ-ROSTER-011"):
        desk.match(LOCAL, workspace, ROSTER, name="moved")


def imported(workspace, frame, name, key):
    """An import of that table, read and checked."""
    content = io.BytesIO()
    frame.write_csv(content)
    made = imports.receive(LOCAL, workspace, [content.getvalue()], filename=name, table_name="organisations", key=key)
    work(workspace, HANDLERS, once=True, threads=1)
    imports.start(LOCAL, workspace, made.id, key=f"{key}-check")
    work(workspace, HANDLERS, once=True, threads=1)
    return made.id


def test_an_import_is_matched_as_a_roster_by_a_job(workspace):
    import_id = imported(workspace, ROSTER, "members.csv", "up-1")
    job = begin(LOCAL, workspace, import_id, name=None, accept=0.85, lead=0.05, key="match-import")
    work(workspace, HANDLERS, once=True, threads=1)
    assert workspace.database.jobs.find(job).state == "done"
    (made,) = records.listing(workspace)
    assert (made.name, made.counts["matched"], made.counts["review"]) == ("members", 2, 2)
    assert len(workspace.history("organisations")) == 1


def test_an_import_of_the_register_keeps_what_lies_over_it_and_can_be_undone(workspace, applied):
    import_id = imported(workspace, REGISTER.with_columns(employees=pl.lit(1)), "register.csv", "up-2")
    desk.decide(LOCAL, workspace, applied.id, 1, "o0000002", "same", key="decide-same")  # the table is derived anew
    derive(workspace)
    imports.load(LOCAL, workspace, import_id, replace=True, key="load")
    work(workspace, HANDLERS, once=True, threads=1)
    assert value(workspace, "o0000002", "employees") == 1
    assert value(workspace, "o0000002", "rosters") == "members"
    imports.undo(LOCAL, workspace, import_id, key="undo")
    work(workspace, HANDLERS, once=True, threads=1)
    assert value(workspace, "o0000002", "employees") == 200
    assert value(workspace, "o0000002", "rosters") == "members"


PLACED = REGISTER.head(3).with_columns(
    region=pl.Series(["广东", "浙江", "浙江"]),
    region_code=pl.Series(["440305", "330106", "330110"]),
    address=pl.Series(["深圳市南山区科技路1号", "杭州市西湖区文二西路822号", "余杭区"]),
)


@pytest.mark.parametrize(
    ("asked", "left", "lat"),
    [
        ({"city": "苏州"}, (None, "苏州", None, None), 31.3),
        ({"city": "广州"}, ("广东", "广州", None, None), 23.1),
        ({"address": "苏州市姑苏区人民路1号"}, (None, None, "苏州市姑苏区人民路1号", None), 31.3),
        ({"address": "科技路2号"}, ("广东", "深圳", "科技路2号", None), 22.5),
        ({"region": "江苏", "address": None}, ("江苏", None, None, None), 32.0),
        ({"city": "苏州", "region": "江苏", "region_code": "320508"}, ("江苏", "苏州", None, "320508"), 31.3),
        ({"region_code": "320508"}, ("广东", "深圳", "深圳市南山区科技路1号", "320508"), 31.3),
    ],
)
def test_a_corrected_place_goes_before_what_the_sources_say_of_it(workspace, asked, left, lat):
    load(workspace, PLACED, "2024-02-01")
    corrections.correct(LOCAL, workspace, "o0000001", asked, key="move")
    derive(workspace)
    assert tuple(value(workspace, "o0000001", name) for name in ("region", "city", "address", "region_code")) == left
    assert value(workspace, "o0000001", "lat") == pytest.approx(lat, abs=0.7)
    assert value(workspace, "o0000002", "region_code") == "330106"
    corrections.take_back(LOCAL, workspace, "o0000001", key="back")
    derive(workspace)
    assert value(workspace, "o0000001", "region_code") == "440305"


@pytest.mark.parametrize("asked", [{"city": "火星"}, {"region": "火星"}, {"city": "火星", "region": "广东"}])
def test_a_corrected_place_that_is_nowhere_is_refused(workspace, asked):
    load(workspace, PLACED, "2024-02-01")
    with pytest.raises(InputError, match="JQ-ROSTER-012"):
        corrections.correct(LOCAL, workspace, "o0000001", asked, key="mars")
    corrections.correct(LOCAL, workspace, "o0000001", asked | {"lon": "120.6", "lat": "31.3"}, key="mars-point")
    derive(workspace)
    assert value(workspace, "o0000001", "lat") == 31.3
