"""What the tests of surveys share: a clock moved by hand, a small register, a round made the short way, a mail server."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from jiqun.accounts import people
from jiqun.core.actor import LOCAL, Actor
from jiqun.store.database import new_key
from jiqun.survey import links, respond, rounds
from jiqun.survey.questions import templates
from jiqun.survey.records import Roster
from jiqun.survey.rounds import Spec

FIRMS = [
    ("o0000001", "一号公司", "浙江", 10),
    ("o0000002", "二号公司", "浙江", 400),
    ("o0000003", "三号公司", "江苏", 1500),
    ("o0000004", "四号公司", "江苏", None),
    ("o0000005", "=HYPERLINK(5)", None, 30),
]
FIGURES = {"revenue": "350", "revenue_digital": "200", "revenue_other": "150", "employees": "12"}
OPERATOR = LOCAL
ANALYST = Actor("acc_analyst", frozenset({"analyst", "public"}))
AUDITOR = Actor("acc_auditor", frozenset({"auditor", "public"}))


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = datetime(2025, 10, 1, 8, tzinfo=UTC)

    def __call__(self):
        return self.now

    def move(self, **by):
        self.now += timedelta(**by)


class Server:
    """A mail server that keeps what it gets, and fails when told to."""

    def __init__(self):
        self.got, self.fails = [], []

    def __call__(self, workspace, message):
        if self.fails:
            raise self.fails.pop(0)
        self.got.append(message)


def register(workspace, rows=FIRMS):
    schema = {"id": pl.String, "name": pl.String, "region": pl.String, "employees": pl.Int64}
    with workspace.new_snapshot("organisations", as_of="2025-06-30", source="firms.csv") as writer:
        writer.write(pl.DataFrame(rows, schema=schema, orient="row"))


def spec(kind="indicators", **more):
    template = templates()["quarterly-figures" if kind == "indicators" else "roster-links"]
    values = {
        "kind": kind,
        "title_zh": template.zh,
        "title_en": template.en,
        "year": 2025,
        "quarter": 3 if kind == "indicators" else None,
        "questions": template.question,
        "opens_on": date(2025, 10, 1),
        "closes_on": date(2025, 10, 31),
        "roster": Roster(scope="all"),
    }
    return Spec(**values | more)


def draft(workspace, kind="indicators", **more):
    return rounds.new(OPERATOR, workspace, spec(kind, **more), key=new_key())


def opened(workspace, kind="indicators", tell=False, **more):
    made = draft(workspace, kind, **more)
    return rounds.open_round(OPERATOR, workspace, made.id, tell=tell, key=new_key())


def respondent(workspace, survey, organisation="o0000001"):
    (link,) = links.make(OPERATOR, workspace, survey, [organisation], key=new_key())
    return respond.through_link(workspace, link.secret)


def submit(workspace, who, given, **more):
    options = {"base": respond.form(workspace, who).base, "submit": True, "confirmed": True, "key": new_key()} | more
    return respond.save(workspace, who, given, **options)


def member(workspace, organisation="o0000001", login="member@example.org"):
    return people.add(
        LOCAL,
        workspace,
        login=login,
        name="成员",
        role="member",
        organisation=organisation,
        password="correct horse battery",  # noqa: S106  # of a workspace that lives for one test
        key=new_key(),
    )
