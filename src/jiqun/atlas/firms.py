"""One firm 单个企业: what the register says of it, what it says of itself, and which cluster it is in."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field
from sqlalchemy import select

from jiqun.accounts.edits import Statement, overlaid, statements
from jiqun.accounts.mine import unpublished
from jiqun.accounts.views import record_view
from jiqun.atlas.classes import class_of, reader, reader_of
from jiqun.atlas.operations import ClusterRow, RunRow, cluster_row, clusters_frame, run_row
from jiqun.atlas.reading import OPEN_COLUMNS, READERS, Which, find_run, searched, sees_all
from jiqun.atlas.room import ROOM
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.operation import EVERYWHERE, Model
from jiqun.core.schema import schema
from jiqun.intake.derived import STATE
from jiqun.intake.moved import current, same
from jiqun.store import Workspace
from jiqun.store.database import table

UNTOLD = frozenset({"id", "source_row", "place_id", "place_warning", "place_name", "place_name_zh"})
"""Columns that the page of a firm words in its own way, or not at all."""


class FirmRequest(Which):
    """One organisation."""

    id: Annotated[str, Field(min_length=1, max_length=200, description="id of the organisation, as o0000001")]


class FactRow(Model):
    """One thing known of a firm, of the register unless the firm itself says so or a person has corrected it."""

    attribute: str
    title: Text
    value: str | float | int | bool | None
    unit: str
    stated_at: datetime | None = None
    corrected_at: datetime | None = None


class ClassRow(Model):
    """The class that a firm is taken for 所属类别 under the narrow definition, and what decided it.

    `classified_by`: `register`, `code`, or the kind of text; null where nothing decides. `words` are those that weighed
    most, for readers who may see the texts.
    """

    digital_code: str | None = None
    classified_by: Literal["register", "code", "main_business", "scope", "summary", "name"] | None = None
    evidence: str | None = None
    words: str | None = None


class FirmAnswer(Model):
    """An organisation 机构. `cluster` is null where it is in none; `searched` tells whether it took part in the run."""

    id: str
    name: str
    place: Text
    country: str | None
    facts: tuple[FactRow, ...]
    complete: bool
    """Whether the reader may see all that the register holds."""
    own: bool
    run: RunRow | None
    cluster: ClusterRow | None
    core: bool | None
    digital: ClassRow
    source: str
    as_of: str
    standing: Annotated[
        str | None,
        Field(description="of a row of a roster that stands by itself: unmatched, or in review and not counted"),
    ] = None


@ROOM.operation("firm", "企业详情", "One firm", roles=READERS)
def firm(actor: Actor, workspace: Workspace, request: FirmRequest) -> FirmAnswer:
    """An organisation of the register that is loaded now, with what it states of itself.

    An id that it had while it stood by itself on a roster finds it, too. Everybody sees its entry in the register; operators, analysts, auditors and the firm itself see the rest. One whose
    withdrawal from publication was granted is there for itself, operators and auditors only.

    Raises
    ------
    UsageError
        JQ-ATLAS-020: there is no such organisation.
    """
    snapshot = workspace.snapshot("organisations")
    request = request.model_copy(update={"id": current(workspace, request.id)})
    row = _row(snapshot.path, request.id)
    own = actor.organisation == request.id
    hidden = not own and not actor.roles & EVERYWHERE and request.id in unpublished(workspace)
    if row is None or hidden:
        raise UsageError("JQ-ATLAS-020", value=request.id)
    record_view(workspace, actor, request.id, "atlas.firm")
    complete = own or sees_all(actor)
    run = find_run(workspace, request) if searched(workspace) else None
    by = reader_of(workspace, run.values) if run and run.values.get("text") else reader(workspace, "auto")
    membership = run.membership(request.id) if run else None
    cluster = None
    if run and membership:
        frame = clusters_frame(workspace, run).filter(pl.col("cluster_id") == membership["cluster_id"])
        cluster = cluster_row(frame.row(0, named=True))
    return FirmAnswer(
        id=request.id,
        name=row["name"],
        place=Text(row.get("place_name_zh") or row.get("place_name") or "", row.get("place_name") or ""),
        country=row.get("country"),
        facts=_facts(row, statements(workspace, request.id), _corrected(workspace, request.id), complete=complete),
        complete=complete,
        own=own,
        run=run_row(workspace, run) if run else None,
        cluster=cluster,
        core=membership["core"] if membership else None,
        digital=ClassRow(**class_of(snapshot.path, request.id, by) | ({} if complete else {"words": None})),
        source=snapshot.source,
        as_of=snapshot.as_of.isoformat(),
        standing=row.get(STATE),
    )


def _corrected(workspace: Workspace, organisation: str) -> dict[str, datetime]:
    """When each attribute was corrected by a person (`jiqun.roster.corrections`), of those that are."""
    rows = table("corrections")
    query = select(rows.c.attribute, rows.c.at).where(
        same(rows.c.organisation, organisation), rows.c.withdrawn_at.is_(None)
    )
    query = query.order_by(rows.c.at)
    with workspace.database.read() as connection:
        return {row.attribute: row.at for row in connection.execute(query)}


def _facts(
    row: dict[str, Any], stated: tuple[Statement, ...], corrected: dict[str, datetime], *, complete: bool
) -> tuple[FactRow, ...]:
    shown, at = overlaid(row, stated), {one.attribute: one.at for one in stated}
    facts = []
    for attribute in schema("organisations").attributes:
        name = attribute.name
        if name in UNTOLD or not (complete or name in OPEN_COLUMNS):
            continue
        title = Text(attribute.description_zh, attribute.description_en)
        value = _plain(shown.get(name))
        mended = None if name in at else corrected.get(name)
        fact = FactRow(attribute=name, title=title, value=value, unit=attribute.unit)
        facts.append(fact.model_copy(update={"stated_at": at.get(name), "corrected_at": mended}))
    return tuple(facts)


def _plain(value: Any) -> str | float | int | bool | None:
    return value if value is None or isinstance(value, str | float | int | bool) else str(value)


@lru_cache(maxsize=2048)
def _row(path: Path, firm: str) -> dict[str, Any] | None:
    try:
        found = pl.scan_parquet(path, glob=False).filter(pl.col("id") == firm).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError("JQ-STORE-016", path=path) from error
    return found.row(0, named=True) if found.height else None
