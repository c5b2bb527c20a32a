"""Publishing 发布: what was handed in becomes rows of `indicators` or `links`, and who answered travels with it.

The snapshot is the table as it was, with the round's rows in place of those of the same key and of an earlier
publication of the round. Beside it lies a result, `survey-indicators` or `survey-links`, whose tables say of every
organisation whether it answered (`nodes`), how many did by size and region (`rates`), and of every link who reported
it (`links`). A job does this, which may be cut off anywhere and run again: a publication that is in the table's history
is not made twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import polars as pl
from sqlalchemy import select, update

from jiqun.accounts.people import SYSTEM
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError
from jiqun.core.lineage import Lineage, Source, canonical_json
from jiqun.core.schema import Schema, schema
from jiqun.intake.check import TYPES
from jiqun.intake.identity import Register
from jiqun.intake.moved import all_moved
from jiqun.intake.sources import responses
from jiqun.store import StoredResult, Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.snapshots import Snapshot
from jiqun.survey import records, states
from jiqun.survey.questions import NUMERIC
from jiqun.survey.rates import response_rates
from jiqun.survey.records import OPERATES, Answer, Round, folded
from jiqun.survey.rounds import PUBLISH
from jiqun.survey.ties import REPORTS, merge_reports, report_agreement

METHOD, VERSION = "survey.publish", "1"
FROM = "x_survey"
"""Column of the snapshots that says from which round a row is."""
GROUPS = ("size_class", "region")
_OVER = ("dead", "cancelled", "done")


def publish(actor: Actor, workspace: Workspace, survey: str, *, key: str) -> str:
    """Publish a locked round 发布, or a published one again, as a job; its id.

    Raises
    ------
    UsageError
        JQ-SURVEY-005: it is neither; JQ-SURVEY-030: it is being published.
    """
    actor.require("survey.publish", *OPERATES)
    rows, jobs = table("surveys"), table("jobs")

    def queue(tx: Transaction) -> str:
        found = records.within(tx, survey)
        states.require(found.state, "published")
        if found.job is not None:
            state = tx.execute(select(jobs.c.state).where(jobs.c.id == found.job)).scalar()
            if state is not None and state not in _OVER:
                raise UsageError("JQ-SURVEY-030")
        account = actor.id if actor.id.startswith("acc_") else None
        job = tx.job(PUBLISH, {"survey": survey, "by": actor.id}, account=account)
        tx.execute(update(rows).where(rows.c.id == survey).values(job=job))
        return job

    request: JSON = {"survey": survey}
    return str(workspace.database.command(actor, key, "survey.publish", queue, request=request, subject=survey))


def run(workspace: Workspace, job: Job, report: Report) -> Any:
    """Publish a round; one snapshot and one result come of it however often this is run."""
    report("publish", 0, 2)
    found = records.find(workspace, str(job.payload["survey"]))
    if found.job != job.id or found.state not in states.PREDECESSORS["published"]:
        return {"skipped": True}
    made = build(workspace, found)
    with workspace.writing():
        snapshot = _there(workspace, made.table, job.id) or _write(workspace, found, made, job)
        report("publish", 1, 2)
        result = put_result(workspace, found, made)
    rows = table("surveys")

    def done(tx: Transaction) -> dict[str, JSON]:
        mine = (rows.c.id == found.id, rows.c.job == job.id, rows.c.state == found.state)
        values = {"state": "published", "published_at": tx.now, "snapshot": snapshot.id, "result": result.id}
        tx.execute(update(rows).where(*mine).values(values | {"job": None, "version": found.version + 1}))
        return {"survey": found.id, "snapshot": snapshot.id, "result": result.id, "rows": made.rows.height}

    actor = Actor(str(job.payload.get("by") or SYSTEM.id), frozenset())
    request: JSON = {"survey": found.id, "job": job.id}
    return workspace.database.command(
        actor, job.key("done"), "survey.published", done, request=request, subject=found.id
    )


HANDLERS: Mapping[str, Handler] = {PUBLISH: run}
"""What this module does when a round is to be published."""


@dataclass(frozen=True)
class Publication:
    """What a round publishes: rows of `table` (without ids), companion tables, and values that say how complete it is."""

    table: str
    rows: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    values: Mapping[str, Any]
    digest: str


def build(workspace: Workspace, found: Round) -> Publication:
    """What a round would publish 待发布内容: pages show it before, publishing writes it."""
    nodes = records.roster_frame(workspace, found.id)
    moved = moved_of(workspace, nodes)
    nodes = nodes.with_columns(pl.col("organisation").replace(moved))
    answers = [
        replace(one, organisation=moved.get(one.organisation, one.organisation))
        for one in records.handed_in(workspace, found.id)
    ]
    rates = all_rates(nodes)
    told = nodes.select(
        "organisation", "name", "region", "size_class", "employees", "state", "decline",
        responded=pl.col("state") == "answered",
    )  # fmt: skip
    tables = {"nodes": told, "rates": rates}
    whole = rates.filter(pl.col("by") == "all").drop("by", "group").row(0, named=True) if rates.height else {}
    values: dict[str, Any] = {
        "survey": found.id, "kind": found.kind, "title_zh": found.title.zh, "title_en": found.title.en,
        "period": found.period, "closes_on": found.closes_on.isoformat(), **whole,
    }  # fmt: skip
    if found.kind == "indicators":
        rows = indicator_rows(found, answers)
        tables["items"] = _items(found, rows, len(answers))
    else:
        merged = merge_reports(reports(found, answers, nodes, moved))
        tables["links"] = _with_response(merged, told)
        tables["outside"] = _outside(merged, told)
        values["report_agreement"] = report_agreement(merged, told)
        rows = link_rows(found, merged)
    stuff = [[one.organisation, one.version, dict(one.kept or {})] for one in answers]
    digest = hashlib.sha256(canonical_json([stuff, told.to_dicts()])).hexdigest()
    return Publication(found.kind, rows, tables, values, digest)


def moved_of(workspace: Workspace, nodes: pl.DataFrame) -> dict[str, str]:
    """Those that were asked as rows of a roster and are organisations of the register by now, if these were not asked."""
    there = set(nodes["organisation"])
    return {own: organisation for own, organisation in all_moved(workspace).items() if organisation not in there}


def all_rates(nodes: pl.DataFrame) -> pl.DataFrame:
    """Response rates in all, by size class and by region, under one another: `by`, then as `response_rates`."""
    parts = [response_rates(nodes).with_columns(by=pl.lit("all"))]
    parts += [response_rates(nodes, group).with_columns(by=pl.lit(group)) for group in GROUPS]
    table_ = pl.concat(parts)
    return table_.select("by", pl.exclude("by"))


def by_day(nodes: pl.DataFrame) -> pl.DataFrame:
    """How many had answered or declined by the end of each day on which one did: day, answered, declined."""
    moved = nodes.filter(pl.col("first_at").is_not_null() & pl.col("state").is_in(["answered", "declined"]))
    days = moved.group_by(day=pl.col("first_at").dt.date()).agg(
        *((pl.col("state") == state).sum().cast(pl.Int64).alias(state) for state in ("answered", "declined"))
    )
    return days.sort("day").with_columns(pl.col("answered", "declined").cum_sum())


def indicator_rows(found: Round, answers: Sequence[Answer]) -> pl.DataFrame:
    """Answers as rows of `indicators`: what was left empty has no row, since it is not known to be 0."""
    asked = [question for question in found.questions if question.type in NUMERIC]
    rows = [
        {
            "unit": answer.organisation,
            "indicator": question.code,
            "year": found.year,
            "quarter": found.quarter,
            "value": float(answer.kept[question.code]),
            "measure": question.measure,
        }
        for answer in answers
        for question in asked
        if answer.kept and question.code in answer.kept
    ]
    return _typed(rows, schema("indicators"), found)


def reports(
    found: Round, answers: Sequence[Answer], nodes: pl.DataFrame, moved: Mapping[str, str] = MappingProxyType({})
) -> pl.DataFrame:
    """What was reported, as `merge_reports` takes it. A name written out that is one organisation's of the roster is it.

    `moved`: ids that stand for others by now.
    """
    names: dict[str, list[str]] = {}
    for id_, name in nodes.select("organisation", "name").iter_rows():
        names.setdefault(folded(name), []).append(id_)
    rows = []
    for answer in answers:
        for question in found.questions:
            if question.type != "ties":
                continue
            for tie in (answer.kept or {}).get(question.code, ()):
                same = names.get(folded(tie["name"]), [])
                partner = moved.get(tie.get("id"), tie.get("id")) or (same[0] if len(same) == 1 else tie["name"])
                if partner != answer.organisation:
                    rows.append((answer.organisation, partner, question.link, question.direction, tie.get("strength")))
    return pl.DataFrame(rows, schema=REPORTS, orient="row")


def link_rows(found: Round, merged: pl.DataFrame) -> pl.DataFrame:
    """Merged reports as rows of `links`."""
    return _typed(merged.select("source", "target", "kind", "weight", "reported_by").to_dicts(), schema("links"), found)


def _typed(rows: Sequence[Mapping[str, Any]], described: Schema, found: Round) -> pl.DataFrame:
    evidence = f"{found.title.zh} {found.period} ({found.id})"
    types = {attribute.name: TYPES[attribute.type] for attribute in described.attributes}
    frame = pl.DataFrame(rows, schema={name: types[name] for name in rows[0]} if rows else types)
    missing = [pl.lit(None, dtype=types[name]).alias(name) for name in types if name not in frame.columns]
    return (
        frame.with_columns(missing)
        .with_columns(
            evidence=pl.lit(evidence),
            **{FROM: pl.lit(found.id)},
            source_row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        )
        .select(*types, FROM, "source_row")
    )


def _items(found: Round, rows: pl.DataFrame, answered: int) -> pl.DataFrame:
    """How many of those that answered answered each question."""
    asked = [question for question in found.questions if question.type in NUMERIC]
    counts = dict(rows.group_by("indicator").len().iter_rows())
    return pl.DataFrame(
        [(one.code, one.zh, one.en, one.measure, int(counts.get(one.code, 0)), answered) for one in asked],
        schema={
            "indicator": pl.String, "title_zh": pl.String, "title_en": pl.String, "measure": pl.String,
            "values": pl.Int64, "answered": pl.Int64,
        },
        orient="row",
    )  # fmt: skip


def _with_response(merged: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
    """Links with whether each end answered: null where it was not asked."""
    for side in ("source", "target"):
        answered = nodes.select(pl.col("organisation").alias(side), pl.col("responded").alias(f"{side}_responded"))
        merged = merged.join(answered, on=side, how="left", maintain_order="left")
    return merged


def _outside(merged: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
    """Names outside the roster, as they were written, to be matched later: name, times."""
    ends = pl.concat([merged["source"], merged["target"]]).alias("name").to_frame()
    named = ends.join(nodes.select(name="organisation"), on="name", how="anti")
    return named.group_by("name").agg(times=pl.len().cast(pl.Int64)).sort("times", "name", descending=[True, False])


def merge(
    before: pl.DataFrame | None, rows: pl.DataFrame, described: Schema, survey: str, *, next_id: int = 1
) -> tuple[pl.DataFrame, int, int]:
    """A table with a round's rows in it 并入: those of an earlier publication go, those of the same key are replaced.

    Returns
    -------
    The table, how many rows of other sources were replaced, and the next number for an id.
    """
    register = Register(described, next_id=next_id)
    if before is not None:
        before = before.with_columns(
            pl.lit(None, dtype=rows.schema[name]).alias(name) for name in rows.columns if name not in before.columns
        )
        register.remember(before.select("id", *register.columns))
    ids = register.identify(rows).ids if rows.height else pl.Series("id", [], dtype=pl.String)
    fresh = rows.insert_column(0, ids)
    if before is None:
        return fresh, 0, register.next_id
    others = before.filter(pl.col(FROM).ne_missing(pl.lit(survey)))
    kept = others.join(fresh.select("id"), on="id", how="anti")
    whole = pl.concat([kept, fresh.select("id", pl.exclude("id"))], how="diagonal_relaxed")
    return whole, others.height - kept.height, register.next_id


def _there(workspace: Workspace, name: str, publication: str) -> Snapshot | None:
    """The load that an earlier run of the job has made already."""
    return next((load for load in workspace.history(name) if load.summary.get("publication") == publication), None)


def _write(workspace: Workspace, found: Round, made: Publication, job: Job) -> Snapshot:
    """The new snapshot, under the writer's lock."""
    loads = workspace.history(made.table)
    current = workspace.snapshot(made.table) if loads else None
    before = workspace.scan(made.table).collect() if loads else None
    next_id = max((load.summary.get("next_id", 1) for load in loads), default=1)
    frame, replaced, next_id = merge(before, made.rows, schema(made.table), found.id, next_id=next_id)
    day = max(filter(None, (speaks_of(found), current.as_of if current else None)))
    source = f"{found.title.zh} {found.period}"
    response = {name: made.values.get(name) for name in RESPONSE}
    others = responses(current, frame[FROM].drop_nulls().unique().to_list()) if current else {}
    with workspace.new_snapshot(made.table, as_of=day, source=source) as writer:
        writer.write(frame)
        writer.summary = {
            "kept": frame.height,
            "survey": found.id,
            "publication": job.id,
            "by": job.payload.get("by"),
            "rows": made.rows.height,
            "replaced": replaced,
            "before": current.id if current else None,
            "next_id": next_id,
            "response": response,
            "responses": {**others, found.id: response},
        }
    assert writer.snapshot is not None  # noqa: S101  # the block ended without an error
    return writer.snapshot


RESPONSE = (
    "expected", "answered", "declined", "not_applicable", "silent", "rate", "eligible_rate", "employees_share",
    "report_agreement",
)  # fmt: skip
"""What a snapshot's summary says of the round's response."""


def put_result(workspace: Workspace, found: Round, made: Publication) -> StoredResult:
    """The companion tables, as a result: equal answers are an equal result."""
    inputs = (Source("survey_answers", made.digest, speaks_of(found).isoformat()),)
    lineage = Lineage(METHOD, VERSION, {"survey": found.id, "period": found.period}, inputs)
    return workspace.put_result(f"survey-{found.kind}", lineage, made.tables, made.values)


def speaks_of(found: Round) -> date:
    """The date that a round's figures speak of: the end of its period, or for links its last day."""
    if found.kind == "links":
        return found.closes_on
    month = 3 * (found.quarter or 4)
    following = date(found.year + 1, 1, 1) if month == 12 else date(found.year, month + 1, 1)
    return following - timedelta(days=1)


def snapshot_of(workspace: Workspace, found: Round) -> Snapshot | None:
    """The snapshot that a round was published in."""
    return workspace.snapshot(found.kind, found.snapshot) if found.snapshot else None


def preview(workspace: Workspace, found: Round) -> Publication:
    """What publishing would write now.

    Raises
    ------
    InputError
        JQ-SURVEY-008: nobody was asked yet.
    """
    if found.state == "draft":
        raise InputError("JQ-SURVEY-008", count=0, most=records.MOST_ROSTER)
    return build(workspace, found)
