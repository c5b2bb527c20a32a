"""Reminders: to those who have not answered, once each, even if a worker dies; addresses are nowhere they must not be."""

import json
import logging
from datetime import date

import pytest
from sqlalchemy import select
from survey_nursery import ANALYST, AUDITOR, FIGURES, OPERATOR, Server, member, opened, respondent, submit

from jiqun.accounts import notices
from jiqun.accounts.reach import DeliveryError
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.store.database import new_key, table
from jiqun.store.worker import work
from jiqun.survey import contacts, reminders, respond, rounds

ADDRESS = "liaison@firm.example.org"


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def go(workspace, server):
    """Do what is due, with that mail server."""

    def run():
        return work(workspace, reminders.Post(mailer=server).handlers(), once=True, threads=1)

    return run


def add(workspace, organisation="o0000001", address=ADDRESS, **more):
    return contacts.add(OPERATOR, workspace, organisation, address, key=new_key(), **more)


def states(workspace, survey):
    return sorted(
        (one.organisation, one.step, one.way, one.state) for one in reminders.log(OPERATOR, workspace, survey)
    )


def test_opening_sends_the_form_with_a_link_that_works(workspace, server, go):
    add(workspace, language="en")
    survey = opened(workspace, tell=True).id
    go()
    (mail,) = server.got
    text = mail.get_content()
    assert mail["To"] == ADDRESS
    assert mail["Subject"].startswith("Please fill in")
    secret = text.split("https://jiqun.example.org/forms/")[1].split()[0]
    who = respond.through_link(workspace, secret)
    assert (who.survey, who.organisation) == (survey, "o0000001")
    assert f"/forms/{secret}/stop" in text


def test_the_silent_are_reminded_by_the_clock_and_the_others_not(workspace, server, go, clock):
    for number in range(1, 5):
        add(workspace, f"o000000{number}", f"a{number}@example.org")
    survey = opened(workspace).id
    submit(workspace, respondent(workspace, survey, "o0000001"), FIGURES)
    submit(workspace, respondent(workspace, survey, "o0000002"), FIGURES, submit=False)
    respond.decline(workspace, respondent(workspace, survey, "o0000003"), "unwilling", key=new_key())
    clock.move(days=22)
    go()
    assert server.got == []
    clock.move(days=1)
    go()
    clock.move(minutes=5)
    go()
    assert sorted(mail["To"] for mail in server.got) == ["a2@example.org", "a4@example.org"]
    go()
    assert len(server.got) == 2
    clock.move(days=5)
    go()
    clock.move(minutes=5)
    go()
    assert len(server.got) == 4
    assert {step for _, step, _, _ in states(workspace, survey)} == {"2025-10-31-7", "2025-10-31-2"}


def test_reminders_move_with_the_last_day(workspace, server, go, clock):
    add(workspace)
    survey = opened(workspace).id
    rounds.extend(OPERATOR, workspace, survey, date(2025, 11, 30), key=new_key())
    clock.move(days=29)
    go()
    assert server.got == []
    clock.move(days=26)
    go()
    assert len(server.got) == 1


def test_by_hand_once_a_day(workspace, server, go, clock):
    add(workspace)
    survey = opened(workspace).id
    for _ in range(3):
        reminders.remind(OPERATOR, workspace, survey, key=new_key())
        go()
    assert len(server.got) == 1
    clock.move(days=1)
    reminders.remind(OPERATOR, workspace, survey, key=new_key())
    go()
    assert len(server.got) == 2


def test_mails_leave_one_after_another(workspace, server, go, clock):
    for number in range(1, 6):
        add(workspace, f"o000000{number}", f"a{number}@example.org")
    opened(workspace, tell=True)
    go()
    assert len(server.got) == 1
    clock.move(seconds=2)
    go()
    assert len(server.got) == 3
    clock.move(minutes=1)
    go()
    assert len(server.got) == 5


def test_accounts_of_the_firm_are_told_once_on_their_page(workspace, go):
    account = member(workspace)
    survey = opened(workspace, tell=True).id
    go()
    go()
    (notice,) = notices.notices(workspace, account.id)
    assert notice.link == f"/mine/forms/{survey}"
    assert notice.title.en.startswith("Please fill in")
    assert states(workspace, survey) == [("o0000001", "open", "notice", "sent")]


def test_who_answered_meanwhile_or_wants_none_gets_no_mail(workspace, server, go):
    add(workspace)
    stopped = add(workspace, "o0000002", "b@example.org")
    survey = opened(workspace, tell=True).id
    queued = reminders.Post(mailer=server).handlers()
    work(workspace, {reminders.REMIND: queued[reminders.REMIND]}, once=True, threads=1)
    submit(workspace, respondent(workspace, survey), FIGURES)
    who = respond.Respondent(survey, "o0000002", OPERATOR, stopped.id)
    assert contacts.stop(workspace, who, key=new_key())
    workspace.clock.move(minutes=1)
    go()
    assert server.got == []
    assert [state for *_, state in states(workspace, survey)] == ["skipped", "skipped"]
    assert not contacts.stop(workspace, respondent(workspace, survey), key=new_key())


def test_a_server_that_is_busy_is_asked_again_and_the_mail_goes_once(workspace, server, go, clock):
    add(workspace)
    survey = opened(workspace, tell=True).id
    server.fails = [DeliveryError("JQ-ACCOUNTS-029", host="mail", reason="SMTP 451")] * 2
    for _ in range(5):
        go()
        clock.move(hours=1)
    assert len(server.got) == 1
    assert states(workspace, survey) == [("o0000001", "open", "mail", "sent")]


def test_a_server_that_refuses_is_told_in_the_log_without_the_address(workspace, server, go):
    add(workspace)
    survey = opened(workspace, tell=True).id
    server.fails = [InputError("JQ-ACCOUNTS-030", host="mail", reason="SMTP 550")]
    go()
    (one,) = reminders.log(AUDITOR, workspace, survey)
    assert (one.state, one.reason) == ("failed", "JQ-ACCOUNTS-030 SMTP 550")
    assert ADDRESS not in str(one)


class Cut(BaseException):
    """The worker dies here."""


@pytest.mark.parametrize("cut_after_sending", [False, True])
def test_a_mail_that_was_cut_off_is_unsure_and_not_sent_again(workspace, clock, cut_after_sending):
    add(workspace)
    survey = opened(workspace, tell=True).id
    got = []

    def dies(_, message):
        if cut_after_sending:
            got.append(message)
        raise Cut

    post = reminders.Post(mailer=dies)
    work(workspace, {reminders.REMIND: reminders.run}, once=True, threads=1)
    jobs = workspace.database.jobs
    job = jobs.take("worker", [reminders.MAIL])
    with pytest.raises(Cut):
        post.mail(workspace, job, lambda *_: None)
    clock.move(minutes=2)  # its lease is over
    again = jobs.take("another", [reminders.MAIL])
    assert again.id == job.id
    assert reminders.Post(mailer=lambda *_: got.append("again")).mail(workspace, again, lambda *_: None) == {
        "state": "unsure"
    }
    assert "again" not in got
    assert states(workspace, survey) == [("o0000001", "open", "mail", "unsure")]


def test_telling_that_was_cut_off_anywhere_tells_everyone_once(workspace, server, clock, monkeypatch):
    for number in range(1, 6):
        add(workspace, f"o000000{number}", f"a{number}@example.org")
    survey = opened(workspace, tell=True).id
    monkeypatch.setattr(reminders, "_TOGETHER", 2)
    job = workspace.database.jobs.take("worker", [reminders.REMIND])
    calls = []

    def dies(*_):
        calls.append(1)
        if len(calls) == 3:
            raise Cut

    with pytest.raises(Cut):
        reminders.run(workspace, job, dies)
    assert len(states(workspace, survey)) == 4
    submit(workspace, respondent(workspace, survey, "o0000001"), FIGURES)
    clock.move(minutes=2)
    again = workspace.database.jobs.take("another", [reminders.REMIND])
    reminders.run(workspace, again, lambda *_: None)
    assert len(states(workspace, survey)) == 5
    clock.move(minutes=10)
    work(workspace, reminders.Post(mailer=server).handlers(), once=True, threads=1)
    assert sorted(mail["To"] for mail in server.got) == [f"a{number}@example.org" for number in range(2, 6)]


def test_without_a_mail_server_contacts_are_left_out(workspace, server, go, monkeypatch):
    monkeypatch.setenv("JIQUN_SMTP_HOST", "")
    from jiqun.store import Workspace  # noqa: PLC0415

    bare = Workspace.open(workspace.path, clock=workspace.clock)
    add(bare)
    survey = opened(bare, tell=True).id
    work(bare, reminders.Post(mailer=server).handlers(), once=True, threads=1)
    assert states(bare, survey) == []
    bare.close()


# Addresses


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "a b@c.org", "a@b.org\nBcc: x@y.org", "=1@b.org\r", "a@b.org,c@d.org"]
)
def test_what_is_no_address_is_refused(workspace, address):
    with pytest.raises(InputError, match="JQ-SURVEY-018"):
        add(workspace, address=address)


def test_an_address_is_entered_once_and_five_are_enough(workspace):
    assert add(workspace).id == add(workspace, address=ADDRESS.upper()).id
    for number in range(4):
        add(workspace, address=f"a{number}@example.org")
    with pytest.raises(InputError, match="JQ-SURVEY-018"):
        add(workspace, address="one-more@example.org")
    with pytest.raises(InputError, match="JQ-ACCOUNTS-009"):
        add(workspace, "o9999999")


@pytest.mark.parametrize("actor", [ANALYST, AUDITOR])
def test_only_operators_see_contacts(workspace, actor):
    made = add(workspace)
    with pytest.raises(PermissionDeniedError):
        contacts.contacts(actor, workspace)
    with pytest.raises(PermissionDeniedError):
        contacts.drop(actor, workspace, made.id, key=new_key())
    contacts.drop(OPERATOR, workspace, made.id, key=new_key())
    with pytest.raises(UsageError, match="JQ-SURVEY-029"):
        contacts.drop(OPERATOR, workspace, made.id, key=new_key())


def test_addresses_are_in_no_table_no_journal_and_no_log(workspace, server, go, caplog):
    caplog.set_level(logging.DEBUG)
    add(workspace)
    survey = opened(workspace, tell=True).id
    server.fails = [RuntimeError(f"550 {ADDRESS} unknown")]
    go()
    with workspace.database.read() as connection:
        for name in ("survey_contacts", "survey_reminders", "jobs", "commands", "leaves", "notices", "surveys"):
            rows = connection.execute(select(table(name))).mappings().all()
            assert ADDRESS not in json.dumps([dict(row) for row in rows], default=str), name
    assert ADDRESS not in caplog.text
    assert states(workspace, survey)
    workspace.database.close()
    stored = b"".join(path.read_bytes() for path in workspace.path.rglob("*") if path.is_file())
    assert ADDRESS.encode() not in stored
