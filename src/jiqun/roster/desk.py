"""The roster's desk 名单服务: match a file, let people decide, merge, and take it out again.

Matching reads and stores; what people decide are rows of the database; the table with rosters and corrections in it is
derived from the register as loaded (`jiqun.roster.derive`), now by whoever asked or by a worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError
from jiqun.core.lineage import Lineage, Source
from jiqun.core.progress import Progress, silent
from jiqun.intake.crs import Crs
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.read import Reading
from jiqun.roster import match as matching
from jiqun.roster import records
from jiqun.roster.evidence import KNOWN_ID
from jiqun.roster.keys import identity, row_keys
from jiqun.roster.names import Normaliser
from jiqun.roster.reading import read
from jiqun.roster.records import Roster
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.store.database import Transaction, table
from jiqun.store.snapshots import Snapshot, parsed_date

METHOD, VERSION = "roster.match", "1"
DERIVE = "roster.derive"
_BATCH = 250_000
_TEXTS = ("main_business", "business_scope", "summary")
SHOWN = (
    "name",
    "name_en",
    "short_name",
    "former_names",
    "uscc",
    "country",
    "region_code",
    "region",
    "city",
    "address",
    *_TEXTS,
)
MOST_BULK = 100_000
_AT_ONCE = 1_000
_KEYS_AT_ONCE = 500
_KNOWN_SCORE = 0.99


def match(
    actor: Actor,
    workspace: Workspace,
    source: Any,
    *,
    name: str | None = None,
    as_of: date | str | None = None,
    mapping: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    crs: Crs = "wgs84",
    sheet: str | None = None,
    encoding: str | None = None,
    file: str | None = None,
    quarantine: Path | None = None,
    accept: float = matching.ACCEPT,
    lead: float = matching.MARGIN,
    amend: Callable[[Reading], Reading] | None = None,
    progress: Progress = silent,
    key: str | None = None,
) -> Roster:
    """Match a roster 匹配名单 against the register that is loaded; nothing is merged yet.

    Parameters
    ----------
    source
        A path or a dataframe, read as a table of organisations.
    name
        What the roster is called: a later one of the same name takes its place. Default: the file's name.
    as_of
        The date it speaks of; default today.
    quarantine
        Write what is wrong with rows here too, as a CSV or Excel file.
    accept, lead
        Least score of the best candidate, and how far it must lead, to be matched without a person.

    Raises
    ------
    InputError
        JQ-FILE-…: it cannot be read.
    UsageError
        JQ-ROSTER-003: a threshold that cannot be.
    WorkspaceError
        JQ-STORE-006: there is no register.
    """
    actor.require("roster.match", "operator", "analyst")
    if not matching.REVIEW <= accept <= 1.0 or not 0.0 <= lead <= 1.0:
        raise UsageError("JQ-ROSTER-003", least=matching.REVIEW)
    day = parsed_date(as_of) if as_of is not None else workspace.clock().date()
    register = records.base(workspace)
    got = read(
        actor,
        workspace,
        source,
        as_of=day,
        mapping=mapping,
        crs=crs,
        sheet=sheet,
        encoding=encoding,
        name=file,
        quarantine=quarantine,
        amend=amend,
        progress=progress,
    )
    title = (name or Path(got.file).stem)[:200]
    normaliser = Normaliser.of(Gazetteer.load(workspace.cache))
    rows = got.rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
    found = matching.find(
        matching.prepare(rows, normaliser, ids="row"),
        register_side(workspace, register, normaliser, progress),
        progress=progress,
    )
    candidates = pl.concat([found.candidates, _known(workspace, register, title, rows)])
    candidates = candidates.sort("row", "score", "organisation", descending=[False, True, False]).unique(
        ["row", "organisation"], keep="first", maintain_order=True
    )
    organisations = _shown(workspace, register, candidates)
    candidates = matching.weigh_text(
        candidates, _text(rows, "row"), _text(organisations.rename({"id": "organisation"}), "organisation")
    )
    decided = matching.decide(candidates, rows.height, accept=accept, margin=lead)
    keys = row_keys(identity(rows, normaliser), records.editions(workspace, title, normaliser))
    rows = rows.with_columns(keys).join(decided, on="row", maintain_order="left")
    counts: dict[str, Any] = {
        **{state: rows.filter(pl.col("decision") == state).height for state in ("matched", "review", "unmatched")},
        "rows": rows.height,
        "read": got.read,
        "refused": got.refused,
        "repeated": got.duplicates,
        "shared": rows.filter(pl.col("shared") > 1)["organisation"].n_unique(),
        "judged": found.judged,
        "capped": found.capped,
        "accept": accept,
        "lead": lead,
        "register": register.id,
    }
    lineage = Lineage(
        METHOD,
        VERSION,
        {"name": title, "accept": accept, "lead": lead, "most": matching.MOST},
        (register.input, Source(got.file, got.digest, day.isoformat()), Source("row_key", _digest(keys))),
    )
    stored = workspace.put_result(
        records.KIND,
        lineage,
        {"rows": rows, "candidates": candidates, "organisations": organisations},
        {"counts": counts, "attributes": list(got.attributes)},
    )
    values: dict[str, Any] = {
        "name": title,
        "file": got.file,
        "as_of": day.isoformat(),
        "result": stored.id,
        "counts": counts,
    }

    def record(tx: Transaction) -> str:
        rosters = table("rosters")
        there = tx.execute(
            sa.select(rosters.c.id).where(rosters.c.result == stored.id, rosters.c.state.in_(("matched", "applied")))
        ).scalar()
        if there is not None:  # the same file against the same register, once more
            return str(there)
        roster = tx.new_id("ros")
        row = values | {"id": roster, "as_of": day, "state": "matched", "account": actor.id, "at": tx.now}
        tx.execute(sa.insert(rosters).values(**row))
        return roster

    made = workspace.database.command(actor, key or new_key(), "roster.match", record, request=values, subject=title)
    return records.find(workspace, str(made))


def _digest(keys: pl.Series) -> str:
    """What stands for the keys: they depend on the editions before."""
    return hashlib.sha256("\n".join(keys.to_list()).encode()).hexdigest()


def register_side(
    workspace: Workspace, register: Snapshot, normaliser: Normaliser, progress: Progress = silent
) -> matching.Side:
    """The register's names, taken apart batch by batch."""
    scan = workspace.scan("organisations", register.id)
    known = scan.collect_schema().names()
    columns = [name for name in ("id", *matching.COLUMNS) if name in known]
    parts, done = [], 0
    for batch in scan.select(columns).collect_batches(chunk_size=_BATCH, maintain_order=True):
        parts.append(matching.prepare(batch, normaliser, ids="id"))
        done += batch.height
        progress("names", done, register.rows)
    return matching.joined(parts)


def _known(workspace: Workspace, register: Snapshot, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Candidates by the roster's own identifiers, as an earlier edition of it made them known, if they are still there."""
    none = pl.DataFrame(schema=matching.CANDIDATES)
    if "source_id" not in rows.columns:
        return none
    walk = table("crosswalk")
    with workspace.database.read() as connection:
        pairs = connection.execute(sa.select(walk.c.value, walk.c.organisation).where(walk.c.scheme == name)).all()
    if not pairs:
        return none
    known = pl.DataFrame(
        [tuple(pair) for pair in pairs], schema={"source_id": pl.String, "organisation": pl.String}, orient="row"
    )
    there = workspace.scan("organisations", register.id).select(organisation="id")
    return (
        rows.select("row", "source_id")
        .join(known, on="source_id")
        .lazy()
        .join(there, on="organisation", how="semi")
        .collect()
        .sort("row")
        .select("row", "organisation", score=pl.lit(_KNOWN_SCORE), evidence=pl.lit(KNOWN_ID, pl.UInt32))
    )


def _shown(workspace: Workspace, register: Snapshot, candidates: pl.DataFrame) -> pl.DataFrame:
    """What pages show of the organisations that are candidates."""
    scan = workspace.scan("organisations", register.id)
    known = scan.collect_schema().names()
    wanted = candidates.select(id=pl.col("organisation").unique(maintain_order=True)).lazy()
    columns = [name for name in ("id", *SHOWN) if name in known]
    return scan.select(columns).join(wanted, on="id", how="semi").collect().sort("id")


def _text(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """What firms do, of the column that says it best."""
    columns = [name for name in _TEXTS if name in rows.columns]
    text = pl.coalesce(columns) if columns else pl.lit(None, pl.String)
    return rows.select(key, text=text)


# What people ask for


def apply(actor: Actor, workspace: Workspace, roster: str, *, key: str) -> Roster:
    """Merge a roster 并入名单 into the organisations; one of the same name that was merged before gives way.

    The table is derived anew by a job, or at once by `jiqun.roster.derive.derive`.

    Raises
    ------
    UsageError
        JQ-ROSTER-001: there is none; JQ-ROSTER-004: it was replaced by a newer one.
    """
    actor.require("roster.apply", "operator", "analyst")
    found = records.find(workspace, roster)

    def put(tx: Transaction) -> None:
        rosters = table("rosters")
        state = tx.execute(sa.select(rosters.c.state).where(rosters.c.id == found.id)).scalar_one()
        if state == "replaced":
            raise UsageError("JQ-ROSTER-004", value=found.name)
        same_name = (rosters.c.name == found.name, rosters.c.state == "applied", rosters.c.id != found.id)
        tx.execute(sa.update(rosters).where(*same_name).values(state="replaced"))
        if state != "applied":
            applied = {"state": "applied", "applied_by": actor.id, "applied_at": tx.now}
            tx.execute(sa.update(rosters).where(rosters.c.id == found.id).values(**applied))
        queue(tx, actor)

    request = {"roster": found.id}
    workspace.database.command(actor, key, "roster.apply", put, request=request, subject=found.id)
    return records.find(workspace, roster)


def withdraw(actor: Actor, workspace: Workspace, roster: str, *, key: str) -> Roster:
    """Take a roster out again 撤出名单: the organisations are as if it had never been merged. Decisions stay."""
    actor.require("roster.withdraw", "operator", "analyst")
    found = records.find(workspace, roster)

    def put(tx: Transaction) -> None:
        rosters = table("rosters")
        open_ = (rosters.c.id == found.id, rosters.c.state.in_(("matched", "applied")))
        if tx.execute(sa.update(rosters).where(*open_).values(state="withdrawn")).rowcount:
            queue(tx, actor)

    workspace.database.command(actor, key, "roster.withdraw", put, request={"roster": found.id}, subject=found.id)
    return records.find(workspace, roster)


def decide(
    actor: Actor, workspace: Workspace, roster: str, row: int, organisation: str, verdict: str, *, key: str
) -> str:
    """Say that a row of a roster is an organisation, or that it is not 判定; the id of the decision.

    A later decision on the same row takes an earlier one's place: of `same` any other `same`, of a pair the other verdict.

    Raises
    ------
    UsageError
        JQ-ROSTER-001: no such roster; JQ-ROSTER-005: no such row; JQ-ROSTER-006: no such organisation.
    """
    actor.require("roster.decide", "operator", "analyst")
    found = records.find(workspace, roster)
    rows = records.table_of(workspace, found, "rows")
    if not 0 <= row < rows.height:
        raise no_row(row, rows.height)
    _there(workspace, found, organisation)
    row_key = rows["row_key"][row]
    source_id = rows["source_id"][row] if "source_id" in rows.columns else None

    def put(tx: Transaction) -> str:
        if verdict == "different" and source_id is not None:  # its identifier does not speak for that one any more
            walk = table("crosswalk")
            known = (walk.c.scheme == found.name, walk.c.value == source_id, walk.c.organisation == organisation)
            tx.execute(sa.delete(walk).where(*known))
        (made,) = _decided(tx, actor, found, [(row_key, organisation)], verdict)
        return made

    request: dict[str, Any] = {"roster": found.id, "row": row, "organisation": organisation, "verdict": verdict}
    return str(workspace.database.command(actor, key, "roster.decide", put, request=request, subject=organisation))


def no_row(row: int, count: int) -> UsageError:
    """That a roster has no such row."""
    return UsageError("JQ-ROSTER-005", value=row, count=count)


def _there(workspace: Workspace, roster: Roster, organisation: str) -> None:
    candidates = records.table_of(workspace, roster, "organisations")
    if candidates.filter(pl.col("id") == organisation).height:
        return
    register = workspace.scan("organisations", records.base(workspace).id)
    if not register.filter(pl.col("id") == organisation).select(pl.len()).collect().item():
        raise UsageError("JQ-ROSTER-006", value=organisation[:60])


def accept_above(actor: Actor, workspace: Workspace, roster: str, score: float, *, key: str) -> int:
    """Say `same` for every row in review whose best candidate scores at least `score` and leads 批量判定; how many.

    Rows whose first two candidates score the same are left: a score cannot tell them apart.
    """
    actor.require("roster.accept_above", "operator", "analyst")
    found = records.find(workspace, roster)
    leads = pl.col("margin").is_null() | (pl.col("margin") > 0)
    rows = records.now(workspace, found).filter((pl.col("decision") == "review") & (pl.col("score") >= score) & leads)
    if rows.height > MOST_BULK:
        raise UsageError("JQ-ROSTER-007", count=rows.height, most=MOST_BULK)
    pairs = list(
        rows.select("row_key", "organisation").unique("row_key", keep="first", maintain_order=True).iter_rows()
    )

    def put(tx: Transaction) -> int:
        return len(_decided(tx, actor, found, pairs, "same"))

    request: dict[str, Any] = {"roster": found.id, "score": score}
    answer = workspace.database.command(actor, key, "roster.accept_above", put, request=request, subject=found.id)
    return int(str(answer))


def _decided(tx: Transaction, actor: Actor, roster: Roster, pairs: list[tuple[str, str]], verdict: str) -> list[str]:
    rows = table("pairings")
    ended = {"withdrawn_at": tx.now, "withdrawn_by": actor.id}
    for start in range(0, len(pairs), _KEYS_AT_ONCE):
        part = pairs[start : start + _KEYS_AT_ONCE]
        these = rows.c.row_key.in_([row_key for row_key, _ in part])
        pair = sa.tuple_(rows.c.row_key, rows.c.organisation).in_(part)
        other = sa.or_(rows.c.verdict == "same", pair) if verdict == "same" else pair
        tx.execute(sa.update(rows).where(these, rows.c.withdrawn_at.is_(None), other).values(**ended))
    made: list[dict[str, Any]] = [
        {
            "id": tx.new_id("pair"),
            "row_key": row_key,
            "organisation": organisation,
            "verdict": verdict,
            "roster": roster.id,
            "account": actor.id,
            "at": tx.now,
        }
        for row_key, organisation in pairs
    ]
    for start in range(0, len(made), _AT_ONCE):
        tx.execute(sa.insert(rows).values(made[start : start + _AT_ONCE]))
    if made:
        queue(tx, actor)
    return [row["id"] for row in made]


def undo(actor: Actor, workspace: Workspace, decision: str, *, key: str) -> None:
    """Take a decision back 撤回判定: what matching proposes counts again.

    Raises
    ------
    UsageError
        JQ-ROSTER-008: there is no such decision, or it does not stand any more.
    """
    actor.require("roster.undo", "operator", "analyst")

    def put(tx: Transaction) -> None:
        rows = table("pairings")
        standing = (rows.c.id == decision[:60], rows.c.withdrawn_at.is_(None))
        ended = {"withdrawn_at": tx.now, "withdrawn_by": actor.id}
        if not tx.execute(sa.update(rows).where(*standing).values(**ended)).rowcount:
            raise UsageError("JQ-ROSTER-008", value=decision[:60])
        queue(tx, actor)

    workspace.database.command(actor, key, "roster.undo", put, request={"decision": decision}, subject=decision[:60])


def queue(tx: Transaction, actor: Actor) -> None:
    """Have the table derived anew after this command; one job that waits is enough for all."""
    jobs = table("jobs")
    waiting = sa.select(jobs.c.id).where(jobs.c.kind == DERIVE, jobs.c.state == "queued").limit(1)
    if tx.execute(waiting).first() is None:
        tx.job(DERIVE, {}, account=actor.id)
