"""Rounds for tests of assessments: drafted, opened and answered in one go, with answers put where the forms put them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, update

from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key, table
from jiqun.survey import rounds
from jiqun.survey.records import Roster
from jiqun.survey.rounds import Spec

CHOICE = (
    {"value": "yes", "zh": "是", "en": "yes"},
    {"value": "no", "zh": "否", "en": "no"},
    {"value": "dont_know", "zh": "不清楚", "en": "do not know"},
)
QUESTIONS = (
    {"code": "cloud", "zh": "是否上云", "en": "In the cloud?", "type": "choice", "options": CHOICE},
    {"code": "spending", "zh": "投入", "en": "Spending", "type": "money", "unit": "元"},
    {"code": "hours", "zh": "学时", "en": "Hours", "type": "number", "unit": "学时"},
    {"code": "skilled", "zh": "技能占比", "en": "Skilled", "type": "share", "unit": "%"},
    {"code": "employees", "zh": "从业人数", "en": "Employees", "type": "integer", "unit": "人"},
)


def framework(*indicators, code="asked"):
    """The TOML of a framework of the indicator `beyond_chance` and others, each a dictionary of fields."""
    head = f"""
code = "{code}"
zh = "问得"
en = "Asked"
version = "1"
[steps]
normalise = "minmax"
low = 1
high = 100
missing = "renormalise"
[[dimension]]
code = "all"
zh = "总"
en = "All"
"""
    first = {"code": "beyond_chance", "unit": "ratio", "origin": "atlas"}
    for one in (first, *indicators):
        told = {"parent": "all", "zh": one["code"], "en": one["code"].title(), "source": "made up"} | one
        lines = [f"{name} = {value!r}".replace("'", '"') for name, value in told.items()]
        head += "[[indicator]]\n" + "\n".join(lines) + "\n"
    return head


def asks(code, aggregate, unit, question=None, **more):
    """The fields of an indicator that is asked."""
    fields = {"code": code, "unit": unit, "origin": "survey", "question": question or code, "aggregate": aggregate}
    return fields | more


EVERY = (
    asks("in_cloud", "share", "%", "cloud", option="yes"),
    asks("spend_each", "mean", "万元/家", "spending"),
    asks("spend_all", "sum", "万元", "spending"),
    asks("hours_middle", "median", "学时", "hours"),
    asks("skills", "weighted_mean", "%", "skilled", weigh_by="employees"),
)


def opened(workspace, organisations=None, *, year=2023, quarter=None, questions=QUESTIONS, title="问卷", days=30):
    """A round that is open, of some organisations or of the members of all clusters."""
    roster = Roster(scope="cluster") if organisations is None else Roster(scope="list", organisations=organisations)
    today = workspace.clock().date()
    spec = Spec(
        kind="indicators", title_zh=title, title_en=f"Round {title}", year=year, quarter=quarter, questions=questions,
        opens_on=today, closes_on=today + timedelta(days=days), roster=roster,
    )  # fmt: skip
    made = rounds.new(LOCAL, workspace, spec, key=new_key())
    return rounds.open_round(LOCAL, workspace, made.id, tell=False, key=new_key())


def answer(workspace, survey, answers):
    """Organisation → what is kept of its answer, or how it declines: `unwilling`, `not_applicable`."""
    rows, roster = table("survey_answers"), table("survey_roster")

    def put(tx):
        for organisation, kept in answers.items():
            line = (roster.c.survey == survey, roster.c.organisation == organisation)
            if isinstance(kept, str):
                change = {"state": "declined", "decline": kept, "answered": None}
            else:
                told = {"survey": survey, "organisation": organisation, "version": 1, "state": "submitted"}
                told |= {"given": {}, "kept": kept, "actor": "made up", "at": tx.now}
                tx.execute(insert(rows).values(told))
                change = {"state": "answered", "version": 1, "answered": 1}
            tx.execute(update(roster).where(*line).values(change | {"changed_at": tx.now}))

    workspace.database.command(LOCAL, new_key(), "survey.test", put)


def closed(workspace, answers, organisations=None, **more):
    """A round that is answered and locked."""
    made = opened(workspace, organisations, **more)
    answer(workspace, made.id, answers)
    return rounds.lock(LOCAL, workspace, made.id, key=new_key())


def reopen(workspace, survey):
    """Open it again."""
    day = workspace.clock().date() + timedelta(days=9)
    return rounds.reopen(LOCAL, workspace, survey, closes_on=day, reason="made up", key=new_key())
