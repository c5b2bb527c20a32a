"""Filling in a form: by link or as a member, by two at once, and never another's."""

from datetime import date

import polars as pl
import pytest
from survey_nursery import (
    ANALYST,
    AUDITOR,
    FIGURES,
    OPERATOR,
    draft,
    member,
    opened,
    respondent,
    submit,
)

from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.core.operation import PageRequest
from jiqun.store.database import new_key
from jiqun.store.journal import Journal
from jiqun.store.proof import verify_bundle
from jiqun.survey import export, links, records, respond, room, rounds


def answer_of(workspace, survey, organisation="o0000001"):
    with workspace.database.read() as connection:
        due = records.due(connection, survey, organisation)
        return due, records.answer(connection, survey, organisation, due.answered)


def test_a_draft_is_kept_and_is_no_answer(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    saved = submit(workspace, who, {"revenue": "abc"}, submit=False)
    assert (saved.version, saved.submitted) == (1, False)
    form = respond.form(workspace, who)
    assert form.given["revenue"] == "abc"
    assert form.due.state == "started"
    assert records.handed_in(workspace, survey) == ()


def test_handing_in_keeps_the_figures_as_checked(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    assert submit(workspace, who, FIGURES, by="王工").submitted
    due, kept = answer_of(workspace, survey)
    assert due.state == "answered"
    assert kept.kept == {
        "revenue": 3_500_000.0,
        "revenue_digital": 2_000_000.0,
        "revenue_other": 1_500_000.0,
        "employees": 12,
    }
    assert kept.filled_by == "王工"


def test_what_has_errors_is_kept_as_a_draft_and_told(workspace):
    survey = opened(workspace).id
    saved = submit(workspace, respondent(workspace, survey), FIGURES | {"revenue": "400"})
    assert not saved.submitted
    assert [one.code for one in saved.checked.errors] == ["JQ-SURVEY-024"]
    assert answer_of(workspace, survey)[0].state == "started"


def test_a_warning_is_to_be_confirmed(workspace):
    with workspace.new_snapshot("indicators", as_of="2024-09-30", source="old.csv") as writer:
        writer.write(
            pl.DataFrame(
                [("i0000001", "o0000001", "revenue", 2024, 3, 1_000_000.0, "CNY")],
                schema=["id", "unit", "indicator", "year", "quarter", "value", "measure"],
                orient="row",
            )
        )
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    field = next(one for one in respond.form(workspace, who).fields if one.question.code == "revenue")
    assert (field.year_before.text, field.year_before.period) == ("100 万元", "2024Q3")
    unconfirmed = submit(workspace, who, FIGURES, confirmed=False)
    assert not unconfirmed.submitted
    assert [one.code for one in unconfirmed.checked.warnings] == ["JQ-SURVEY-026"]
    assert submit(workspace, who, FIGURES, confirmed=True).submitted


def test_the_second_of_two_is_told_and_nothing_is_lost(workspace):
    survey = opened(workspace).id
    one, two = respondent(workspace, survey), respondent(workspace, survey)
    assert one.actor.id != two.actor.id
    submit(workspace, one, FIGURES, base=0)
    with pytest.raises(InputError) as refused:
        submit(workspace, two, FIGURES | {"employees": "99"}, base=0)
    assert (refused.value.code, refused.value.fields["found"]) == ("JQ-SURVEY-012", 1)
    assert respond.form(workspace, two).given["employees"] == "12"
    assert submit(workspace, two, FIGURES | {"employees": "99"}, base=1).submitted
    due, kept = answer_of(workspace, survey)
    assert (due.version, kept.kept["employees"]) == (2, 99)
    with workspace.database.read() as connection:
        assert records.answer(connection, survey, "o0000001", 1).kept["employees"] == 12


def test_a_retry_of_a_save_makes_no_second_version(workspace):
    survey = opened(workspace).id
    who, key = respondent(workspace, survey), new_key()
    first = submit(workspace, who, FIGURES, base=0, key=key)
    again = submit(workspace, who, FIGURES, base=0, key=key)
    assert first.version == again.version == answer_of(workspace, survey)[0].version == 1


def test_an_answer_is_corrected_until_the_lock_and_not_after(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    submit(workspace, who, FIGURES)
    submit(workspace, who, FIGURES | {"employees": "13"})
    rounds.lock(OPERATOR, workspace, survey, key=new_key())
    with pytest.raises(UsageError, match="JQ-SURVEY-013"):
        submit(workspace, who, FIGURES | {"employees": "14"})
    with pytest.raises(UsageError, match="JQ-SURVEY-013"):
        respond.decline(workspace, who, "unwilling", key=new_key())
    assert answer_of(workspace, survey)[1].kept["employees"] == 13


def test_a_draft_after_handing_in_does_not_take_the_answer_back(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    submit(workspace, who, FIGURES)
    submit(workspace, who, FIGURES | {"employees": "13"}, submit=False)
    due, kept = answer_of(workspace, survey)
    assert (due.state, due.version, kept.version, kept.kept["employees"]) == ("answered", 2, 1, 12)


def test_old_drafts_are_forgotten_and_what_was_handed_in_is_not(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    submit(workspace, who, FIGURES)
    for count in range(respond.KEPT_DRAFTS + 5):
        submit(workspace, who, FIGURES | {"employees": str(count)}, submit=False)
    with workspace.database.read() as connection:
        there = [v for v in range(1, 40) if records.answer(connection, survey, "o0000001", v)]
    assert there[0] == 1
    assert len(there) == respond.KEPT_DRAFTS + 1


def test_declining_is_an_answer_and_can_be_thought_over(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    respond.decline(workspace, who, "not_applicable", "我们没有收入", key=new_key())
    due, kept = answer_of(workspace, survey)
    assert (due.state, due.decline, due.words, kept) == ("declined", "not_applicable", "我们没有收入", None)
    submit(workspace, who, FIGURES)
    due, kept = answer_of(workspace, survey)
    assert (due.state, due.decline, due.words) == ("answered", None, None)
    respond.decline(workspace, who, "unwilling", key=new_key())
    assert records.handed_in(workspace, survey) == ()


# Links


@pytest.mark.parametrize("secret", ["", "jqf_", "jqf_guess", "jqi_" + "a" * 43, "x" * 200, "jqf_\udcff"])
def test_a_guessed_link_opens_nothing(workspace, secret):
    opened(workspace)
    with pytest.raises(InputError, match="JQ-SURVEY-001"):
        respond.through_link(workspace, secret)


def test_a_link_ends_two_months_after_the_last_day_and_when_it_is_taken_back(workspace, clock):
    survey = opened(workspace).id
    (one,) = links.make(OPERATOR, workspace, survey, ["o0000001"], key=new_key())
    (two,) = links.make(OPERATOR, workspace, survey, ["o0000002"], key=new_key())
    assert links.revoke(OPERATOR, workspace, survey, "o0000001", key=new_key()) == 1
    with pytest.raises(InputError, match="JQ-SURVEY-001"):
        respond.through_link(workspace, one.secret)
    with pytest.raises(UsageError, match="JQ-SURVEY-028"):
        links.revoke(OPERATOR, workspace, survey, "o0000001", key=new_key())
    clock.move(days=89)
    assert respond.through_link(workspace, two.secret).organisation == "o0000002"
    clock.move(days=2)
    with pytest.raises(InputError, match="JQ-SURVEY-001"):
        respond.through_link(workspace, two.secret)


def test_only_the_digest_of_a_link_is_kept_and_its_secret_is_told_once(workspace):
    survey, key = opened(workspace).id, new_key()
    (made,) = links.make(OPERATOR, workspace, survey, ["o0000001"], key=key)
    assert links.make(OPERATOR, workspace, survey, ["o0000001"], key=key) == ()
    workspace.database.close()
    stored = b"".join(path.read_bytes() for path in workspace.path.glob("jiqun.db*"))
    assert made.secret.encode() not in stored
    assert made.secret[4:].encode() not in stored


def test_links_for_all_are_for_those_that_did_not_answer(workspace):
    survey = opened(workspace).id
    submit(workspace, respondent(workspace, survey), FIGURES)
    made = links.make(OPERATOR, workspace, survey, key=new_key())
    assert {one.organisation for one in made} == {f"o000000{n}" for n in range(2, 6)}
    assert len({one.secret for one in made}) == 4


def test_a_link_reaches_its_own_form_and_no_operation(workspace):
    survey = opened(workspace).id
    one, two = respondent(workspace, survey), respondent(workspace, survey, "o0000002")
    submit(workspace, one, FIGURES)
    form = respond.form(workspace, two)
    assert form.given["revenue"] == ""
    assert form.due.organisation == "o0000002"
    with pytest.raises(UsageError, match="JQ-SURVEY-016"):
        respond.receipt(workspace, two)
    for operation in room.ROOM.operations.values():
        with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
            operation.check(two.actor, room.One(survey=survey))


def test_a_round_that_is_not_open_makes_no_links(workspace):
    with pytest.raises(UsageError, match="JQ-SURVEY-013"):
        links.make(OPERATOR, workspace, draft(workspace).id, key=new_key())
    with pytest.raises(InputError, match="JQ-SURVEY-015"):
        links.make(OPERATOR, workspace, opened(workspace).id, ["o9999999"], key=new_key())


# Who sees answers


@pytest.mark.parametrize(
    ("readers", "actor", "allowed"),
    [
        ((), OPERATOR, True),
        ((), ANALYST, False),
        ((), AUDITOR, False),
        (("analyst",), ANALYST, True),
        (("analyst",), AUDITOR, False),
        (("auditor",), AUDITOR, True),
    ],
)
def test_single_answers_are_for_those_that_the_round_names(workspace, readers, actor, allowed):
    survey = opened(workspace, readers=readers).id
    who = respondent(workspace, survey)
    respond.decline(workspace, respondent(workspace, survey, "o0000002"), "other", "secret words", key=new_key())
    submit(workspace, who, FIGURES)
    asked = room.AnswersRequest(survey=survey)
    told = room.responses(actor, workspace, room.ResponsesRequest(survey=survey))
    assert len(told.items) == 5
    assert ("secret words" in str(told)) == allowed
    if allowed:
        (row,) = room.answers(actor, workspace, asked).items
        assert row.kept["revenue"] == 3_500_000.0
        assert export.answers_frame(actor, workspace, survey).height == 1
    else:
        for read in (
            lambda: room.answers(actor, workspace, asked),
            lambda: export.answers_frame(actor, workspace, survey),
        ):
            with pytest.raises(PermissionDeniedError, match="JQ-SURVEY-014"):
                read()


def test_a_member_answers_for_its_own_organisation_only(workspace):
    survey = opened(workspace).id
    actor = member(workspace).actor
    own = {"survey": survey, "organisation": "o0000001"}
    told = room.answer(
        actor, workspace, room.AnswerRequest(**own, given=FIGURES, base=0, submit=True, confirmed=True), key=new_key()
    )
    assert told.submitted
    assert [row.state for row in room.mine(actor, workspace, room.OwnRequest(organisation="o0000001"))] == ["answered"]
    assert room.receipt(actor, workspace, room.OfOrganisation(**own)).given["revenue"] == "350"
    with pytest.raises(PermissionDeniedError, match="JQ-USE-009"):
        room.form(actor, workspace, room.OfOrganisation(survey=survey, organisation="o0000002"))
    stranger = Actor("acc_other", frozenset({"member", "public"}), "o7777777")
    with pytest.raises(InputError, match="JQ-SURVEY-015"):
        room.form(stranger, workspace, room.OfOrganisation(survey=survey, organisation="o7777777"))


# Before


def test_a_form_begins_with_the_register_and_the_round_before(workspace, clock):
    first = opened(workspace, quarter=2).id
    submit(workspace, respondent(workspace, first), FIGURES)
    rounds.lock(OPERATOR, workspace, first, key=new_key())
    clock.move(days=1)
    second = opened(workspace).id
    fields = {one.question.code: one for one in respond.form(workspace, respondent(workspace, second)).fields}
    assert (fields["employees"].value, fields["employees"].origin) == ("10", "register")
    assert fields["revenue"].value == ""
    assert (fields["revenue"].last.text, fields["revenue"].last.period) == ("350 万元", "2025Q2")
    assert fields["revenue"].year_before is None


def test_ties_begin_with_those_of_the_round_before(workspace, clock):
    first = opened(workspace, "links", year=2024).id
    tie = {"id": "o0000002", "name": "二号公司", "strength": 2}
    submit(workspace, respondent(workspace, first), {"suppliers": [tie]})
    clock.move(days=1)
    form = respond.form(workspace, respondent(workspace, opened(workspace, "links").id))
    field = next(one for one in form.fields if one.question.code == "suppliers")
    assert (field.value, field.origin) == ([tie], "last")
    assert records.handed_in(workspace, form.round.id) == ()


# Roster search


def test_the_roster_is_searched_by_parts_of_names_without_oneself(workspace):
    survey = opened(workspace, "links").id
    who = respondent(workspace, survey)
    assert {hit.id for hit in respond.search(workspace, who, "公司")} == {"o0000002", "o0000003", "o0000004"}
    assert [hit.id for hit in respond.search(workspace, who, "ＨＹＰＥＲ")] == ["o0000005"]
    for text in ("%", "_", "", " ", "\\"):
        assert respond.search(workspace, who, text) == ()


def test_a_firm_that_is_not_shown_in_public_is_neither_found_nor_named(workspace, monkeypatch):
    survey = opened(workspace, "links").id
    who = respondent(workspace, survey)
    monkeypatch.setattr(respond, "unpublished", lambda _: frozenset({"o0000002"}))
    assert "o0000002" not in {hit.id for hit in respond.search(workspace, who, "公司")}
    saved = submit(workspace, who, {"suppliers": [{"id": "o0000002", "name": "x"}]})
    assert [one.code for one in saved.checked.errors] == ["JQ-SURVEY-023"]


# Receipt


def test_the_receipt_proves_what_was_handed_in_and_by_whom(workspace):
    survey = opened(workspace).id
    who = respondent(workspace, survey)
    submit(workspace, who, FIGURES, by="王工")
    assert respond.receipt(workspace, who).proof is None
    Journal(workspace).tick()
    found = respond.receipt(workspace, who)
    (leaf,) = found.proof["leaves"]
    assert leaf["request"]["given"] == FIGURES
    assert leaf["request"]["by"] == "王工"
    assert leaf["data"]["operation"] == "survey.submit"
    verify_bundle(found.proof)
    submit(workspace, who, FIGURES | {"employees": "13"})
    Journal(workspace).tick()
    assert respond.receipt(workspace, who).answer.version == 2


def test_answers_and_names_never_run_in_a_sheet(workspace):
    survey = opened(workspace, readers=("analyst",)).id
    submit(workspace, respondent(workspace, survey, "o0000005"), FIGURES | {"remark": "+cmd|' /C calc'!A0"})
    row = export.answers_frame(ANALYST, workspace, survey).row(0, named=True)
    assert row["name"] == "'=HYPERLINK(5)"
    assert row["remark"] == "'+cmd|' /C calc'!A0"
    assert "filled_by" not in row


def test_rounds_are_listed_with_their_counts(workspace):
    survey = opened(workspace, closes_on=date(2025, 10, 20)).id
    submit(workspace, respondent(workspace, survey), FIGURES)
    (row,) = room.list_rounds(AUDITOR, workspace, PageRequest()).items
    assert (row.expected, row.answered, row.declined, row.silent) == (5, 1, 0, 4)
