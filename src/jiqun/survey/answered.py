"""Answers of a round as a frame 答卷成表: who was asked, what became of it, and the answer to each question in a column.

Read as text and taken apart in columns, so that a hundred thousand forms take a second. Nothing here checks who asks: only
aggregates may leave, see `jiqun.survey.estimates`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl
from sqlalchemy import Text as SqlText
from sqlalchemy import cast, select

from jiqun.core.lineage import Source, canonical_json
from jiqun.store import Workspace
from jiqun.store.database import table
from jiqun.survey import records
from jiqun.survey.publish import moved_of, speaks_of
from jiqun.survey.questions import DONT_KNOW, NUMERIC, Question
from jiqun.survey.records import Round

EMPLOYEES = "employees"
"""Weight that stands for persons employed, of the round's answers where it asks them, else as in the register when it opened."""
ASK = "ask:"
"""Begins the names of columns of answers, so that a question may be called as a column of the roster is."""
_ROSTER = {
    "organisation": pl.String, "region": pl.String, "state": pl.String, "decline": pl.String, "employees": pl.Int64,
    "answered": pl.Int64,
}  # fmt: skip


def closed(found: Round) -> bool:
    """Whether nothing is answered or changed any more 已截止: only then is it aggregated."""
    return found.state in {"locked", "published"}


def source(workspace: Workspace, found: Round) -> Source:
    """A round as it stands, as an input of a result: another as soon as an answer, a refusal or the roster differs.

    A version that was handed in does not change, so that roster and versions say all.
    """
    rows = _roster(workspace, found)
    asked = [question.model_dump(mode="json") for question in found.questions]
    told = canonical_json([found.id, found.kind, found.year, found.quarter, asked])
    digest = hashlib.sha256(told + rows.write_csv().encode()).hexdigest()
    return Source(f"survey_answers {found.id}", digest, speaks_of(found).isoformat())


def answered(workspace: Workspace, found: Round, codes: Sequence[str]) -> pl.DataFrame:
    """What each organisation of a round's roster said 应答表.

    Returns
    -------
    organisation (as it is called by now), state (silent, started, answered, declined), decline, employees (when the round
    opened), and a column `ask:code` for each of `codes` that the round asks: a number in the unit in which it is kept, or the option
    of a choice; null where it was left empty, or where the form was not handed in or withdrawn. Other codes have no column.
    """
    asked = {one.code: one for one in found.questions if one.code in codes and one.type in {*NUMERIC, "choice"}}
    kinds = {code: pl.Float64 if one.type in NUMERIC else pl.String for code, one in asked.items()}
    rows, roster = table("survey_answers"), table("survey_roster")
    same = (rows.c.organisation == roster.c.organisation) & (rows.c.survey == roster.c.survey)
    query = (
        select(rows.c.organisation, cast(rows.c.kept, SqlText))
        .join_from(rows, roster, same & (rows.c.version == roster.c.answered))
        .where(rows.c.survey == found.id, roster.c.state == "answered")
    )
    with workspace.database.read() as connection:
        kept = [tuple(row) for row in connection.execute(query)]
    forms = pl.DataFrame(kept, schema={"organisation": pl.String, "kept": pl.String}, orient="row")
    if kinds:
        decoded = pl.col("kept").str.json_decode(pl.Struct(kinds))
        forms = forms.with_columns(decoded).select(
            "organisation", *(pl.col("kept").struct.field(code).alias(ASK + code) for code in kinds)
        )
    else:
        forms = forms.drop("kept")
    there = _roster(workspace, found).drop("answered")
    whole = there.join(forms, on="organisation", how="left", maintain_order="left")
    return whole.with_columns(pl.col("organisation").replace(moved_of(workspace, there)))


def answers_to(
    frame: pl.DataFrame, question: Question, *, option: str | None = None, weigh_by: str | None = None
) -> pl.DataFrame:
    """The answers to one question, as `jiqun.survey.estimates.estimates` takes them 一题的答案.

    x is 1 or 0 where `option` is asked; weights are the answers to the question `weigh_by`, see `EMPLOYEES`.

    Examples
    --------
    >>> frame = pl.DataFrame({"organisation": ["a", "b", "c"], "state": ["answered", "answered", "silent"],
    ...     "decline": [None] * 3, "employees": [5, 6, 7], "ask:cloud": ["yes", "dont_know", None]})
    >>> asked = Question.model_validate({"code": "cloud", "zh": "云", "en": "Cloud", "type": "choice"})
    >>> answers_to(frame, asked, option="yes").rows()
    [('a', 'value', 1.0, None), ('b', 'dont_know', None, None), ('c', 'silent', None, None)]
    """
    given = pl.col(ASK + question.code)
    unsure = (given == DONT_KNOW).fill_null(value=False) if question.type == "choice" else pl.lit(value=False)
    answer = (
        pl.when(pl.col("state") == "declined")
        .then(
            pl.when(pl.col("decline") == "not_applicable")
            .then(pl.lit("not_applicable"))
            .otherwise(pl.lit("declined"))
        )
        .when(pl.col("state") != "answered").then(pl.lit("silent"))
        .when(given.is_null()).then(pl.lit("blank"))
        .when(unsure).then(pl.lit("dont_know"))
        .otherwise(pl.lit("value"))
    )  # fmt: skip
    x = (given == option).cast(pl.Float64) if option is not None else given.cast(pl.Float64, strict=False)
    weight = pl.lit(None, pl.Float64)
    if weigh_by is not None:
        asked = ASK + weigh_by in frame.columns or weigh_by != EMPLOYEES
        weight = pl.col(ASK + weigh_by if asked else EMPLOYEES).cast(pl.Float64)
    made = frame.select("organisation", answer=answer, x=x, w=weight)
    return made.with_columns(x=pl.when(pl.col("answer") == "value").then(pl.col("x")))


def _roster(workspace: Workspace, found: Round) -> pl.DataFrame:
    rows = table("survey_roster")
    query = select(*(rows.c[name] for name in _ROSTER)).where(rows.c.survey == found.id).order_by(rows.c.organisation)
    with workspace.database.read() as connection:
        there = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(there, schema=_ROSTER, orient="row")


def rounds_with(workspace: Workspace, codes: Sequence[str]) -> tuple[Round, ...]:
    """Rounds of indicators, newest first, that ask any of these questions; drafts too."""
    if not workspace.has_database:
        return ()
    wanted = set(codes)
    return tuple(
        one
        for one in records.rounds(workspace)
        if one.kind == "indicators" and not wanted.isdisjoint(question.code for question in one.questions)
    )
