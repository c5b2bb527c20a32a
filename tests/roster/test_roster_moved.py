"""A row of a roster that is matched later: what was said of it, its people and its answers go with it, and come back."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from roster_samples import organisations

from jiqun.accounts import edits, mine, people
from jiqun.atlas.firms import FirmRequest, firm
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, UsageError
from jiqun.intake.moved import current
from jiqun.roster import corrections, desk
from jiqun.roster.derive import derive
from jiqun.roster.history import history
from jiqun.store.database import new_key, table
from jiqun.survey import publish, records, respond, rounds
from jiqun.survey.questions import templates
from jiqun.survey.records import Roster
from jiqun.survey.rounds import Spec

OWN, IS = "r000000001", "o0000002"


@pytest.fixture
def member(workspace, applied):
    """Who speaks for the organisation that stands by itself."""

    def put(tx):
        return people.put(tx, login="nandu", name="Nandu", role="member", organisation=OWN, digest=None, language=None)

    workspace.database.command(people.SYSTEM, new_key(), "accounts.test", put)
    return people.find(workspace, "nandu").actor


@pytest.fixture
def decided(workspace, applied):
    """The row is found to be an organisation of the register."""

    def decide():
        made = desk.decide(LOCAL, workspace, applied.id, 1, IS, "same", key=new_key())
        derive(workspace)
        return made

    return decide


def test_a_correction_is_told_taken_back_and_renewed_where_it_counts(workspace, applied, decided):
    corrections.correct(LOCAL, workspace, OWN, {"employees": "7", "name_en": "Narada"}, reason="visited", key="own")
    derive(workspace)
    decided()
    told = {one.attribute: (one.value, one.organisation) for one in corrections.standing(workspace, IS)}
    assert told == {"employees": ("7", IS), "name_en": ("Narada", IS)}
    assert corrections.standing(workspace, OWN) == corrections.standing(workspace, IS)
    (first, *_) = history(workspace, IS, "employees")
    assert (first.value, first.kind, first.reason, first.shown) == ("7", "correction", "visited", True)
    corrections.correct(LOCAL, workspace, IS, {"employees": "210"}, key="again")
    derive(workspace)
    assert organisations(workspace).filter(pl.col("id") == IS)["employees"].item() == 210
    assert corrections.take_back(LOCAL, workspace, IS, key="back") == 2
    derive(workspace)
    assert organisations(workspace).filter(pl.col("id") == IS).select("employees", "name_en").rows() == [(200, None)]


def test_taking_the_match_back_gives_everything_back(workspace, applied, decided, member):
    corrections.correct(LOCAL, workspace, OWN, {"employees": "7"}, key="own")
    derive(workspace)
    before = organisations(workspace)
    made = decided()
    assert people.find(workspace, "nandu").organisation == IS
    desk.undo(LOCAL, workspace, made, key="undo")
    derive(workspace)
    assert organisations(workspace).equals(before)
    assert (current(workspace, OWN), people.find(workspace, "nandu").organisation) == (OWN, OWN)
    assert [one.organisation for one in corrections.standing(workspace, OWN)] == [OWN]
    assert corrections.standing(workspace, IS) == ()
    decided()
    desk.withdraw(LOCAL, workspace, applied.id, key="out")
    derive(workspace)
    assert current(workspace, OWN) == OWN


def test_an_account_finds_its_record_and_what_it_stated(workspace, applied, decided, member):
    edits.state(member, workspace, OWN, {"employees": "8"}, key="state")
    decided()
    member = people.find(workspace, "nandu").actor
    assert member.organisation == IS
    for asked in (IS, OWN):
        record = mine.record(workspace, asked)
        assert (record.register["id"], record.shown["employees"]) == (IS, 8)
    held = mine.my_data(workspace, IS)
    assert ([one["value"] for one in held["statements"]], [one["login"] for one in held["accounts"]]) == (
        ["8"],
        ["nandu"],
    )
    edits.state(member, workspace, IS, {"employees": "9"}, key="state-2")
    assert [one.value for one in edits.statements(workspace, IS)] == ["9"]
    assert edits.take_back(member, workspace, IS, key="back") == 1
    with workspace.database.read() as connection:
        assert connection.execute(sa.select(table("edits").c.value)).scalars().all() == [None, None]


def test_the_page_of_the_old_id_is_that_of_the_new(workspace, applied, decided, member):
    decided()
    told = firm(people.find(workspace, "nandu").actor, workspace, FirmRequest(id=OWN))
    assert (told.id, told.own) == (IS, True)
    with pytest.raises(UsageError, match="JQ-ATLAS-020"):
        firm(LOCAL, workspace, FirmRequest(id="r000009999"))
    with pytest.raises(InputError, match="JQ-ACCOUNTS-009"):
        mine.record(workspace, "r000009999")


def test_a_publication_withdrawn_stays_withdrawn(workspace, applied, decided, member):
    asked = mine.withdraw(member, workspace, OWN, "publication", key="wd")
    mine.answer(LOCAL, workspace, asked.id, agreed=True, words="yes", key="answer")
    decided()
    assert mine.unpublished(workspace) == {IS}
    assert [one.id for one in mine.withdrawals(workspace, organisation=IS)] == [asked.id]


def test_a_survey_asked_of_the_row_is_answered_and_published_for_the_organisation(workspace, applied, decided, member):
    today = workspace.clock().date()
    spec = Spec(
        kind="indicators", title_zh="季报", title_en="Quarter", year=2025, quarter=3,
        questions=templates()["quarterly-figures"].question, opens_on=today, closes_on=today + timedelta(days=9),
        roster=Roster(scope="list", organisations=(OWN, "o0000001")),
    )  # fmt: skip
    made = rounds.new(LOCAL, workspace, spec, key="new")
    rounds.open_round(LOCAL, workspace, made.id, tell=True, key="open")
    decided()
    actor = people.find(workspace, "nandu").actor
    assert [one.id for one, _ in records.asked(workspace, IS)] == [made.id]
    who = respond.as_member(workspace, actor, made.id)
    assert who.organisation == OWN
    figures = {"revenue": "350", "revenue_digital": "200", "revenue_other": "150", "employees": "12"}
    form = respond.form(workspace, who)
    saved = respond.save(workspace, who, figures, base=form.base, submit=True, confirmed=True, key="save")
    assert saved.submitted
    built = publish.build(workspace, records.find(workspace, made.id))
    assert built.tables["nodes"].sort("organisation")["organisation"].to_list() == ["o0000001", IS]
    assert set(built.rows["unit"]) == {IS}
