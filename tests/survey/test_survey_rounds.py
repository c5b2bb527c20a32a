"""A round from draft to publication: which change may follow which, and what each leaves behind."""

from datetime import date

import pytest
from survey_nursery import ANALYST, AUDITOR, FIGURES, OPERATOR, draft, opened, respondent, spec, submit

from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, JiqunError, PermissionDeniedError, UsageError
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import publish, records, room, rounds, states
from jiqun.survey.records import Roster

DAY = date(2025, 11, 7)


def step(workspace, survey, to):
    actions = {
        "open": lambda: rounds.open_round(OPERATOR, workspace, survey, tell=False, key=new_key()),
        "locked": lambda: rounds.lock(OPERATOR, workspace, survey, key=new_key()),
        "again": lambda: rounds.reopen(OPERATOR, workspace, survey, closes_on=DAY, reason="two late", key=new_key()),
        "published": lambda: publish.publish(OPERATOR, workspace, survey, key=new_key()),
    }
    actions[to]()
    work(workspace, publish.HANDLERS, once=True, threads=1)
    return records.find(workspace, survey).state


PATHS = {"draft": [], "open": ["open"], "locked": ["open", "locked"], "published": ["open", "locked", "published"]}


@pytest.mark.parametrize("state", PATHS)
@pytest.mark.parametrize("to", ["open", "locked", "published", "again"])
def test_a_round_changes_only_as_the_states_allow(workspace, state, to):
    survey = draft(workspace).id
    for name in PATHS[state]:
        step(workspace, survey, name)
    allowed = {
        ("draft", "open"), ("open", "locked"), ("locked", "published"), ("locked", "again"), ("published", "again"),
        ("published", "published"),
    }  # fmt: skip
    if (state, to) in allowed:
        assert step(workspace, survey, to) == {"again": "open"}.get(to, to)
    else:
        with pytest.raises(UsageError) as refused:
            step(workspace, survey, to)
        assert refused.value.code == "JQ-SURVEY-005"
        assert records.find(workspace, survey).state == state


def test_the_states_name_their_predecessors_and_each_can_be_reached():
    assert set(states.PREDECESSORS) == set(states.STATES)
    reached, before = {"draft"}, set()
    while reached != before:
        before = set(reached)
        reached |= {state for state, earlier in states.PREDECESSORS.items() if earlier & reached}
    assert reached == set(states.STATES)


def test_a_round_is_opened_again_only_with_a_reason_which_goes_on_record(workspace):
    survey = opened(workspace).id
    rounds.lock(OPERATOR, workspace, survey, key=new_key())
    with pytest.raises(InputError, match="JQ-SURVEY-017"):
        rounds.reopen(OPERATOR, workspace, survey, closes_on=DAY, reason="  ", key=new_key())
    found = rounds.reopen(OPERATOR, workspace, survey, closes_on=DAY, reason="a late firm", key=new_key())
    assert (found.state, found.reason, found.closes_on, found.locked_at) == ("open", "a late firm", DAY, None)


def test_a_draft_is_changed_by_one_at_a_time_and_not_once_it_is_open(workspace):
    made = draft(workspace)
    changed = rounds.edit(ANALYST, workspace, made.id, spec(title_zh="改名"), version=made.version, key=new_key())
    assert changed.title.zh == "改名"
    with pytest.raises(UsageError, match="JQ-SURVEY-010"):
        rounds.edit(ANALYST, workspace, made.id, spec(), version=made.version, key=new_key())
    rounds.open_round(OPERATOR, workspace, made.id, tell=False, key=new_key())
    with pytest.raises(UsageError, match="JQ-SURVEY-011"):
        rounds.edit(ANALYST, workspace, made.id, spec(), version=changed.version + 1, key=new_key())
    with pytest.raises(UsageError, match="JQ-SURVEY-011"):
        rounds.drop(OPERATOR, workspace, made.id, key=new_key())


def test_a_draft_can_be_deleted(workspace):
    made = draft(workspace)
    rounds.drop(ANALYST, workspace, made.id, key=new_key())
    with pytest.raises(UsageError, match="JQ-SURVEY-006"):
        records.find(workspace, made.id)


def test_the_roster_is_frozen_when_the_round_opens(workspace):
    survey = opened(workspace).id
    from survey_nursery import register  # noqa: PLC0415

    register(workspace, [("o0000001", "改名公司", "浙江", 9999)])
    there = {one.organisation: one for one in records.roster(workspace, survey)}
    assert there["o0000001"].name == "一号公司"
    assert {one.size_class for one in there.values()} == {"micro", "medium", "large", "unknown", "small"}
    assert len(there) == 5


@pytest.mark.parametrize(
    ("roster", "expected"),
    [
        (Roster(scope="list", organisations=("o0000002", "o0000002")), {"o0000002"}),
        (Roster(scope="all"), {f"o000000{n}" for n in range(1, 6)}),
    ],
)
def test_who_should_answer(workspace, roster, expected):
    assert {row["organisation"] for row in rounds.expected(workspace, roster)} == expected


@pytest.mark.parametrize(
    ("roster", "code"),
    [
        (Roster(scope="list", organisations=("o9999999",)), "JQ-SURVEY-009"),
        (Roster(scope="members"), "JQ-SURVEY-008"),
        (Roster(scope="cluster", cluster="c0001"), "JQ-SURVEY-008"),
    ],
)
def test_a_roster_that_cannot_be_keeps_the_round_a_draft(workspace, roster, code):
    made = draft(workspace, roster=roster)
    with pytest.raises(InputError) as refused:
        rounds.open_round(OPERATOR, workspace, made.id, key=new_key())
    assert refused.value.code == code
    assert records.find(workspace, made.id).state == "draft"


@pytest.mark.parametrize("closes", [date(2025, 9, 30), date(2027, 1, 1)])
def test_dates_that_do_not_fit_are_refused(workspace, closes):
    with pytest.raises(InputError, match="JQ-SURVEY-007"):
        draft(workspace, closes_on=closes)


def test_the_clock_closes_a_round_whether_or_not_a_worker_runs(workspace, clock):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    clock.move(days=30, hours=15)  # 31 October, 23:00
    submit(workspace, who, FIGURES)
    clock.move(hours=1)
    with pytest.raises(UsageError, match="JQ-SURVEY-013"):
        submit(workspace, who, FIGURES)
    assert records.find(workspace, survey).state == "open"
    work(workspace, room.HANDLERS, once=True, threads=1)
    assert records.find(workspace, survey).state == "locked"


def test_a_day_that_was_moved_is_not_closed_by_the_job_of_the_old_one(workspace, clock):
    survey = opened(workspace).id
    rounds.extend(OPERATOR, workspace, survey, DAY, key=new_key())
    clock.move(days=31)
    work(workspace, room.HANDLERS, once=True, threads=1)
    assert records.find(workspace, survey).state == "open"
    clock.move(days=7)
    work(workspace, room.HANDLERS, once=True, threads=1)
    assert records.find(workspace, survey).state == "locked"


def test_a_form_opens_on_its_first_day(workspace, clock):
    survey = opened(workspace, opens_on=date(2025, 10, 3)).id
    who = respondent(workspace, survey)
    with pytest.raises(UsageError, match="JQ-SURVEY-013"):
        submit(workspace, who, FIGURES)
    clock.move(days=2)
    assert submit(workspace, who, FIGURES).submitted


COMMANDS = [
    lambda actor, ws, survey: rounds.open_round(actor, ws, survey, key=new_key()),
    lambda actor, ws, survey: rounds.extend(actor, ws, survey, DAY, key=new_key()),
    lambda actor, ws, survey: rounds.lock(actor, ws, survey, key=new_key()),
    lambda actor, ws, survey: rounds.reopen(actor, ws, survey, closes_on=DAY, reason="x", key=new_key()),
    lambda actor, ws, survey: publish.publish(actor, ws, survey, key=new_key()),
    lambda actor, ws, survey: room.remind(actor, ws, room.One(survey=survey), key=new_key()),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("actor", [ANALYST, AUDITOR, Actor("frm_x", frozenset(), "o0000001")])
def test_only_operators_run_a_round(workspace, command, actor):
    survey = draft(workspace).id
    with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
        command(actor, workspace, survey)


def test_a_command_given_twice_is_done_once(workspace):
    key = new_key()
    first, again = (rounds.new(OPERATOR, workspace, spec(), key=key) for _ in range(2))
    assert first == again
    assert len(records.rounds(workspace)) == 1
    with pytest.raises(JiqunError, match="JQ-STORE-030"):
        rounds.new(OPERATOR, workspace, spec(title_zh="另一个"), key=key)
