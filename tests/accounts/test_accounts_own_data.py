"""Invitations, claims, statements, views, export and withdrawal: an organisation's data in its own hands."""

import json
from dataclasses import replace

import pytest
from accounts_nursery import GOOD, USCC, account, register
from sqlalchemy import select

from jiqun.accounts import claims, desk, edits, invitations, mine, notices, tokens, views
from jiqun.accounts.recorder import Recorder
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.store.database import new_key, table
from jiqun.store.journal import Journal

ONE, TWO = "o0000001", "o0000002"
PUBLIC = Actor("public", frozenset({"public"}))


def accept(workspace, secret, login="m1", key=None, **more):
    given = {"login": login, "name": "成员", "password": GOOD, "key": key or new_key()}
    return desk.accept(workspace, secret, **given | more)


def invited(workspace, organisation=None, actor=LOCAL, **more):
    return desk.invite(actor, workspace, "member", organisation=organisation, key=new_key(), **more)


def code(error):
    return error.value.code


def rows(workspace, name):
    with workspace.database.read() as connection:
        return connection.execute(select(table(name))).mappings().all()


# Invitations and claims


def test_an_invitation_makes_one_account_bound_to_its_organisation(workspace):
    made = invited(workspace, ONE)
    assert desk.look(workspace, made.secret).organisation == ONE
    found = accept(workspace, made.secret)
    assert (found.role, found.organisation) == ("member", ONE)
    assert [(claim["organisation"], claim["state"]) for claim in rows(workspace, "claims")] == [(ONE, "held")]
    with pytest.raises(InputError) as error:
        accept(workspace, made.secret, login="m2")
    assert code(error) == "JQ-ACCOUNTS-008"


def test_accepting_again_with_the_same_key_answers_the_same_account(workspace):
    made = invited(workspace, ONE)
    assert accept(workspace, made.secret, key="lost-answer") == accept(workspace, made.secret, key="lost-answer")
    assert len(rows(workspace, "accounts")) == 1


def test_adding_again_with_the_same_key_makes_no_second_account(workspace):
    more = {"login": "a1", "name": "A", "role": "analyst", "password": GOOD}
    first = desk.add(LOCAL, workspace, **more, key="lost-answer")
    assert desk.add(LOCAL, workspace, **more, key="lost-answer") == first
    with pytest.raises(InputError) as error:
        desk.add(LOCAL, workspace, **more, key="another-key")
    assert code(error) == "JQ-ACCOUNTS-005"


@pytest.mark.parametrize("spoil", ["expired", "withdrawn", "unknown"])
def test_an_invitation_that_is_over_cannot_be_taken(workspace, clock, spoil):
    made = invited(workspace, ONE, days=3)
    secret = made.secret
    if spoil == "expired":
        clock.move(days=3)
    elif spoil == "withdrawn":
        invitations.withdraw(LOCAL, workspace, made.invitation.id, key=new_key())
    else:
        secret = "jqi_nothing"  # noqa: S105
    for take in (lambda: desk.look(workspace, secret), lambda: accept(workspace, secret)):
        with pytest.raises(InputError) as error:
            take()
        assert code(error) == "JQ-ACCOUNTS-008"
    assert not rows(workspace, "accounts")


def test_an_invitation_told_again_tells_no_secret(workspace):
    first, again = (desk.invite(LOCAL, workspace, "analyst", key="same-key") for _ in range(2))
    assert first.secret
    assert again.secret is None
    assert first.invitation == again.invitation


def test_a_member_invites_colleagues_and_nobody_else(workspace):
    member = account(workspace, organisation=ONE).actor
    made = desk.invite(member, workspace, "operator", organisation=TWO, key=new_key())
    assert (made.invitation.role, made.invitation.organisation) == ("member", ONE)
    other = account(workspace, organisation=TWO).actor
    with pytest.raises(UsageError):
        invitations.withdraw(other, workspace, made.invitation.id, key=new_key())
    invitations.withdraw(member, workspace, made.invitation.id, key=new_key())
    with pytest.raises(PermissionDeniedError):
        desk.invite(account(workspace, "analyst").actor, workspace, "member", key=new_key())


def test_a_firm_is_claimed_by_credit_code_with_an_invitation(workspace):
    found = accept(workspace, invited(workspace).secret, uscc=f" {USCC.lower()} ")
    assert found.organisation == ONE


@pytest.mark.parametrize(
    ("uscc", "refusal"),
    [
        (USCC[:-1] + "8", "JQ-ACCOUNTS-010"),
        ("123", "JQ-ACCOUNTS-010"),
        ("\ud800", "JQ-ACCOUNTS-010"),
        ("91110000MA01ABCD2Q", "JQ-ACCOUNTS-009"),
    ],
)
def test_a_credit_code_that_is_wrong_or_unknown_claims_nothing(workspace, uscc, refusal):
    made = invited(workspace)
    with pytest.raises(InputError) as error:
        accept(workspace, made.secret, uscc=uscc)
    assert code(error) == refusal
    assert desk.look(workspace, made.secret)
    assert not rows(workspace, "accounts")


def test_a_credit_code_does_not_open_a_firm_that_another_holds(workspace):
    accept(workspace, invited(workspace, ONE).secret)
    with pytest.raises(InputError) as error:
        accept(workspace, invited(workspace).secret, login="thief", uscc=USCC)
    assert code(error) == "JQ-ACCOUNTS-011"
    assert accept(workspace, invited(workspace, ONE).secret, login="colleague").organisation == ONE


def test_a_firm_given_to_an_account_by_hand_is_held_too(workspace):
    account(workspace, organisation=ONE)
    with pytest.raises(InputError) as error:
        accept(workspace, invited(workspace).secret, uscc=USCC)
    assert code(error) == "JQ-ACCOUNTS-011"


def test_an_account_that_speaks_for_a_firm_no_longer_ends_its_claim(workspace):
    found = accept(workspace, invited(workspace, ONE).secret)
    desk.set_role(LOCAL, workspace, found.id, "analyst", key=new_key())
    assert [claim["state"] for claim in rows(workspace, "claims")] == ["ended"]
    assert desk.find(workspace, "m1").organisation is None


def test_an_invitation_for_one_firm_does_not_claim_another(workspace):
    with pytest.raises(InputError) as error:
        accept(workspace, invited(workspace, TWO).secret, uscc=USCC)
    assert code(error) == "JQ-ACCOUNTS-020"


def test_an_account_may_claim_later_and_has_to_sign_in_again(workspace):
    found = accept(workspace, invited(workspace).secret)
    assert found.organisation is None
    session = desk.sign_in(workspace, "m1", GOOD)
    secret = invited(workspace).secret
    for _ in range(2):  # the answer may be lost on the way
        assert claims.claim(session.actor, workspace, secret=secret, uscc=USCC, key="the-claim") == ONE
    assert desk.session(workspace, session.secret) is None
    assert desk.find(workspace, "m1").organisation == ONE
    with pytest.raises(InputError) as error:
        claims.claim(session.actor, workspace, secret=invited(workspace).secret, uscc=USCC, key=new_key())
    assert code(error) == "JQ-ACCOUNTS-021"


def test_only_members_are_bound_to_an_organisation(workspace):
    with pytest.raises(InputError) as error:
        account(workspace, "analyst", organisation=ONE)
    assert code(error) == "JQ-ACCOUNTS-007"
    with pytest.raises(InputError) as error:
        invited(workspace, "o9999999")
    assert code(error) == "JQ-ACCOUNTS-009"


# Tokens


def test_a_token_acts_as_its_account_until_it_ends(workspace, clock):
    member = account(workspace, organisation=ONE)
    made = desk.make_token(member.actor, workspace, name="夜间", scopes=["read", "intake.*"], days=2, key=new_key())
    granted = desk.token_actor(workspace, made.secret)
    assert granted.actor == replace(member.actor, scopes=granted.scopes)
    assert granted.scopes == {"read", "intake.*"}
    clock.move(days=2)
    assert desk.token_actor(workspace, made.secret) is None


def test_a_token_makes_no_token_for_more_than_itself(workspace):
    member = account(workspace)

    def made(actor, scopes):
        return desk.make_token(actor, workspace, name="t", scopes=scopes, days=2, key=new_key()).secret

    narrow = desk.token_actor(workspace, made(member.actor, ["accounts.make_token", "atlas.*"])).actor
    for wider in ("read", "accounts.*", "store.jobs"):
        with pytest.raises(InputError) as error:
            made(narrow, ["atlas.run", wider])
        assert (code(error), error.value.fields["value"]) == ("JQ-ACCOUNTS-012", wider)
    assert desk.token_actor(workspace, made(narrow, ["atlas.run", "accounts.make_token"])).scopes == {
        "atlas.run",
        "accounts.make_token",
    }


def test_a_revoked_token_is_none(workspace):
    member = account(workspace, organisation=ONE)
    made = desk.make_token(member.actor, workspace, name="t", scopes=["read"], days=2, key=new_key())
    with pytest.raises(UsageError):
        tokens.revoke(account(workspace, "analyst").actor, workspace, made.token.id, key=new_key())
    tokens.revoke(member.actor, workspace, made.token.id, key=new_key())
    assert desk.token_actor(workspace, made.secret) is None
    assert desk.token_actor(workspace, "jqt_x") is None
    assert desk.token_actor(workspace, made.secret[4:]) is None


@pytest.mark.parametrize("scope", ["*", "", "atlas", "Atlas.*", "atlas.*.x", "read ", "write"])
def test_what_is_no_scope_is_refused(workspace, scope):
    member = account(workspace, organisation=ONE)
    with pytest.raises(InputError) as error:
        desk.make_token(member.actor, workspace, name="t", scopes=[scope], days=2, key=new_key())
    assert code(error) == "JQ-ACCOUNTS-012"


def test_who_has_no_account_has_no_token(workspace):
    with pytest.raises(PermissionDeniedError) as error:
        desk.make_token(LOCAL, workspace, name="t", scopes=["read"], days=2, key=new_key())
    assert code(error) == "JQ-ACCOUNTS-016"


# Statements


def test_a_statement_lies_over_the_register_in_the_schema_s_type(workspace):
    member = account(workspace, organisation=ONE).actor
    values = {"employees": "1.2万", "revenue_cny": "3,500 万元", "founded": "1999年4月1日", "website": "example.org"}
    edits.state(member, workspace, ONE, values, key=new_key())
    record = mine.record(workspace, ONE)
    assert record.register["employees"] == 10
    assert record.shown["employees"] == 12_000
    assert record.shown["revenue_cny"] == 35_000_000.0
    assert record.shown["founded"].isoformat() == "1999-04-01"
    assert record.shown["name"] == "一号公司"


def test_the_last_statement_counts_even_within_one_second(workspace):
    member = account(workspace, organisation=ONE).actor
    for number in range(10, 30):
        edits.state(member, workspace, ONE, {"employees": str(number)}, key=new_key())
    assert [one.value for one in edits.statements(workspace, ONE)] == ["29"]
    assert edits.statements(workspace, TWO) == ()


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"uscc": USCC}, "JQ-ACCOUNTS-013"),
        ({"id": TWO}, "JQ-ACCOUNTS-013"),
        ({}, "JQ-ACCOUNTS-013"),
        ({"employees": "many"}, "JQ-DATA-006"),
        ({"employees": "-1"}, "JQ-DATA-008"),
        ({"summary": "=HYPERLINK(1)"}, "JQ-DATA-004"),
        ({"summary": "  "}, "JQ-ACCOUNTS-024"),
        ({"name": "—"}, "JQ-DATA-001"),
        ({"lon": "200", "lat": "10"}, "JQ-DATA-020"),
        ({"industry_code": "65O3"}, "JQ-DATA-014"),
        ({"founded": "2999-01-01"}, "JQ-DATA-010"),
        ({"founded": "2030-01-01"}, "JQ-DATA-011"),
    ],
)
def test_a_statement_is_checked_as_a_load_would(workspace, values, refusal):
    member = account(workspace, organisation=ONE).actor
    with pytest.raises(InputError) as error:
        edits.state(member, workspace, ONE, values, key=new_key())
    assert code(error) == refusal
    assert error.value.render("zh")
    assert not rows(workspace, "edits")


def test_a_statement_taken_back_is_forgotten_everywhere(workspace):
    member = account(workspace, organisation=ONE).actor
    edits.state(member, workspace, ONE, {"summary": "我们的秘密配方"}, key="state-1")
    edits.state(member, workspace, ONE, {"summary": "我们的新配方"}, key="state-2")
    edits.state(member, workspace, ONE, {"website": "example.org"}, key="state-3")
    leaves = {leaf["id"]: leaf for leaf in rows(workspace, "leaves") if leaf["operation"] == "accounts.state"}
    assert edits.take_back(member, workspace, ONE, ["summary"], key=new_key()) == 1
    assert [one.attribute for one in edits.statements(workspace, ONE)] == ["website"]
    assert {row["value"] for row in rows(workspace, "edits")} == {None, "example.org"}
    erased = [leaf for leaf in rows(workspace, "leaves") if leaf["id"] in leaves and leaf["salt"] is None]
    assert len(erased) >= 2
    for command in rows(workspace, "commands"):
        assert "配方" not in json.dumps(dict(command), default=str, ensure_ascii=False)
    journal = Journal(workspace)
    journal.tick()
    assert journal.head().size == len(rows(workspace, "leaves"))


def test_an_organisation_that_is_not_in_the_register_states_nothing(workspace):
    member = account(workspace, organisation="o0000009").actor
    with pytest.raises(InputError) as error:
        edits.state(member, workspace, "o0000009", {"employees": "1"}, key=new_key())
    assert code(error) == "JQ-ACCOUNTS-009"


# Views


def test_a_look_is_noted_once_a_day_and_of_oneself_never(workspace, clock):
    member, analyst = account(workspace, organisation=ONE).actor, account(workspace, "analyst")
    for _ in range(3):
        views.record_view(workspace, analyst.actor, ONE, "atlas.firm")
        views.record_view(workspace, PUBLIC, ONE, "atlas.firm")
        views.record_view(workspace, member, ONE, "atlas.firm")
    views.record_view(workspace, analyst.actor, ONE, "accounts.record")
    views.record_view(workspace, analyst.actor, TWO, "atlas.firm")
    assert views.views(workspace, ONE) == ()
    desk.flush(workspace)
    seen = {(view.role, view.name, view.operation) for view in views.views(workspace, ONE)}
    assert seen == {
        ("analyst", analyst.name, "atlas.firm"),
        ("public", None, "atlas.firm"),
        ("analyst", analyst.name, "accounts.record"),
    }
    clock.move(days=1)
    views.record_view(workspace, analyst.actor, ONE, "atlas.firm")
    desk.flush(workspace)
    assert views.count(workspace, ONE) == 4


def test_two_processes_note_a_look_once(workspace, clock):
    analyst = account(workspace, "analyst").actor
    for recorder in (Recorder(workspace), Recorder(workspace)):
        recorder.viewed(analyst, ONE, "atlas.firm", clock())
        recorder.flush()
    assert views.count(workspace, ONE) == 1


def test_a_look_that_cannot_be_written_waits(workspace, clock, monkeypatch):
    recorder = Recorder(workspace, seconds=3600)
    recorder.viewed(PUBLIC, ONE, "atlas.firm", clock())
    workspace.database.close()
    recorder.flush()
    workspace.close()  # the next question opens it anew
    assert views.count(workspace, ONE) == 0
    recorder.flush()
    assert views.count(workspace, ONE) == 1


def test_what_waits_is_bounded(workspace, clock, monkeypatch):
    monkeypatch.setattr("jiqun.accounts.recorder.MOST", 5)
    recorder = Recorder(workspace, seconds=3600)
    for number in range(20):
        recorder.viewed(PUBLIC, f"o{number}", "atlas.firm", clock())
    recorder.flush()
    assert len(rows(workspace, "views")) == 5


# Export and withdrawal


def test_the_export_holds_all_that_is_held_and_nothing_of_others(workspace):
    one, two = (account(workspace, organisation=which).actor for which in (ONE, TWO))
    edits.state(one, workspace, ONE, {"employees": "77"}, key=new_key())
    edits.state(two, workspace, TWO, {"employees": "884422"}, key=new_key())
    views.record_view(workspace, two, ONE, "atlas.firm")
    desk.flush(workspace)
    content = json.dumps(mine.my_data(workspace, ONE), ensure_ascii=False)
    found = json.loads(content)
    assert found["register"]["name"] == "一号公司"
    assert [edit["value"] for edit in found["statements"]] == ["77"]
    assert [view["account"] for view in found["views"]] == [two.id]
    assert [row["id"] for row in found["accounts"]] == [one.id]
    assert "884422" not in content
    assert "argon2" not in content


def test_the_export_outlives_the_register(workspace):
    member = account(workspace, organisation=ONE).actor
    edits.state(member, workspace, ONE, {"employees": "77"}, key=new_key())
    register(workspace, [("o0000002", "二号公司", None, None)])
    found = mine.my_data(workspace, ONE)
    assert found["register"] is None
    assert found["statements"]


def test_statements_are_withdrawn_at_once_and_publication_by_an_answer(workspace):
    member, operator = account(workspace, organisation=ONE).actor, account(workspace, "operator").actor
    edits.state(member, workspace, ONE, {"employees": "77"}, key=new_key())
    assert mine.withdraw(member, workspace, ONE, "statements", key=new_key()).state == "done"
    assert edits.statements(workspace, ONE) == ()
    asked = mine.withdraw(member, workspace, ONE, "publication", reason="搬迁", key="ask-once")
    assert mine.withdraw(member, workspace, ONE, "publication", reason="搬迁", key="ask-once") == asked
    assert asked.state == "asked"
    assert mine.unpublished(workspace) == frozenset()
    answered = mine.answer(operator, workspace, asked.id, agreed=True, words="同意", key=new_key())
    assert (answered.state, answered.answer) == ("done", "同意")
    assert mine.unpublished(workspace) == {ONE}
    (told,) = notices.notices(workspace, member.id)
    assert told.body.zh == "同意"
    with pytest.raises(UsageError) as error:
        mine.answer(operator, workspace, asked.id, agreed=False, words="不", key=new_key())
    assert code(error) == "JQ-ACCOUNTS-034"


def test_withdrawing_the_account_closes_it(workspace):
    found = accept(workspace, invited(workspace, ONE).secret)
    session = desk.sign_in(workspace, "m1", GOOD)
    mine.withdraw(found.actor, workspace, ONE, "account", key=new_key())
    assert desk.session(workspace, session.secret) is None
    assert [claim["state"] for claim in rows(workspace, "claims")] == ["ended"]
    with pytest.raises(UsageError):
        edits.state(found.actor, workspace, ONE, {"employees": "1"}, key=new_key())
