"""Geocoding a table 地理编码: what would be asked, asking it as a job, and the table placed anew with the answers.

A job that was cut off goes on where it was: what was answered is kept and not asked again, what is used up today goes
on tomorrow. The table's new snapshot is derived; a later load finds the same answers by its addresses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from jiqun.core.actor import Actor, Role
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.intake import geocode_records as records
from jiqun.intake.address import DETAIL_KM, parse_address
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.geocoders import (
    LONGEST_QUERY,
    PROVIDERS,
    Answer,
    Geocoder,
    GeocoderBusyError,
    GeocoderQuotaError,
    Query,
    find_provider,
)
from jiqun.intake.own_points import PLACED, OwnPoints, bare, placed
from jiqun.store import Workspace
from jiqun.store.database import Transaction
from jiqun.store.jobs import Job, Report
from jiqun.store.snapshots import Snapshot

RUN: Final = "geocode.run"
TABLES: Final = ("organisations", "sites")
"""Tables whose addresses can be asked for."""
BATCH: Final = 20
"""Answers kept at once: the most that a crash can lose."""
MOST_IN_A_ROW: Final = 5
"""Addresses without a usable answer, one after another, before the job is put off."""
ATTEMPTS: Final = 8
_ROLES: tuple[Role, ...] = ("operator", "analyst")
_HOME = ("CN", "HK", "MO", "TW")
_COLUMNS = ("id", "address", "region", "city", "region_code", "country", "placed_by", "precision_km")
_ROWS = 100_000


class Plan(Model):
    """What geocoding a table would ask 查询计划.

    `rows` have an address and no point as exact as it; `queries` are their different addresses; of these `known` are
    answered already (found or not), and `to_ask` would be asked, `today` of them within the quota, in `days` days.
    """

    provider: str
    table: str
    has_key: bool
    rows: int
    queries: int
    known: int
    to_ask: int
    used: int
    per_day: int
    today: int
    days: int | None
    seconds: float | None


class Outcome(Model):
    """What geocoding did 结果: requests answered, with and without a place; skipped for trouble; what is left, and why."""

    asked: int
    found: int
    none: int
    skipped: int
    left: int
    paused: bool
    changed: int
    snapshot: str | None


def plan(actor: Actor, workspace: Workspace, provider: str, table: str, *, limit: int | None = None) -> Plan:
    """What would be asked 预览, before anything is.

    Raises
    ------
    UsageError
        JQ-USE-001: no such service; JQ-PLACE-026: the table has no addresses.
    PermissionDeniedError
        The actor is neither operator nor analyst.
    """
    actor.require("place.plan", *_ROLES)
    find_provider(provider)
    rows, queries = wanted(workspace, table)
    known = set(records.known(workspace, provider)["digest"])
    open_ = sum(query.digest not in known for query in queries)
    to_ask = open_ if limit is None else min(limit, open_)
    per_day = int(float(workspace.settings[f"{provider}_per_day"].value))
    rate = float(workspace.settings[f"{provider}_per_second"].value)
    used = records.used(workspace, provider) if workspace.has_database else 0
    today = max(0, min(to_ask, per_day - used))
    days = (1 if to_ask else 0) + math.ceil((to_ask - today) / per_day) if per_day else None
    return Plan(
        provider=provider,
        table=table,
        has_key=bool(workspace.settings[f"{provider}_key"].value),
        rows=rows,
        queries=len(queries),
        known=len(queries) - open_,
        to_ask=to_ask,
        used=used,
        per_day=per_day,
        today=today,
        days=days,
        seconds=today / rate if rate else None,
    )


def wanted(workspace: Workspace, table: str) -> tuple[int, tuple[Query, ...]]:
    """The rows of a table that a geocoder could place more exactly, and the different queries that ask for them."""
    if table not in TABLES:
        raise UsageError("JQ-PLACE-026", table=table)
    snapshot = next((one for one in workspace.tables() if one.table == table), None)
    if snapshot is None:
        raise UsageError("JQ-PLACE-026", table=table)
    scan = workspace.scan(table, snapshot.id)
    there = scan.collect_schema()
    if not {"address", "placed_by", "precision_km"} <= set(there):
        raise UsageError("JQ-PLACE-026", table=table)
    gazetteer = Gazetteer.load(workspace.cache)
    scan = scan.select(name for name in _COLUMNS if name in there)
    queries: dict[str, Query] = {}
    rows = 0
    for part in scan.collect_batches(chunk_size=_ROWS, maintain_order=True):
        asked = _queries(part, gazetteer)
        rows += asked.height
        for digest, text, city in (
            asked.select("digest", "text", "city").unique("digest", maintain_order=True).iter_rows()
        ):
            queries.setdefault(digest, Query(digest, text[:LONGEST_QUERY], city))
    return rows, tuple(queries.values())


def _queries(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """digest, text, city of the rows to ask for: in China, with an address that is finer than the point they have."""
    rows = rows.filter(pl.col("address").is_not_null(), (pl.col("placed_by") != "coordinates").fill_null(value=True))
    said = parse_address(rows, gazetteer)
    both = rows.select("precision_km", digest=records.digests(rows)).with_columns(
        said.select("address", "country", "province", "city", "county", "detail", "detail_km")
    )
    finer = pl.col("precision_km").is_null() | (pl.col("detail_km") < pl.col("precision_km"))
    fine = pl.col("detail").is_in(["building", "park", "road", "town"])
    both = both.filter(
        pl.col("digest").is_not_null(), fine & finer, pl.col("country").is_null() | pl.col("country").is_in(_HOME)
    )
    # a geocoder is told what the address leaves out and the row knows
    ahead = [
        pl.when(~pl.col("address").str.contains(pl.col(name).str.slice(0, 2), literal=True)).then(pl.col(name))
        for name in ("province", "city", "county")
    ]
    text = pl.concat_str(*(part.fill_null("") for part in ahead), "address")
    return both.select("digest", "city", text=text)


def start(actor: Actor, workspace: Workspace, provider: str, table: str, *, limit: int | None, key: str) -> str:
    """Queue the job 开始; its id. One job of a service and table at a time: while one is open, that is the one.

    Raises
    ------
    UsageError
        JQ-PLACE-020, 024: the service has no key, or its address may not be asked; else as for `plan`.
    """
    actor.require("place.geocode", *_ROLES)
    Geocoder(provider, workspace.settings)
    if table not in TABLES:
        raise UsageError("JQ-PLACE-026", table=table)
    open_ = _under_way(workspace, provider, table)

    def begin(tx: Transaction) -> str:
        if open_ is not None:
            return open_
        payload = {"provider": provider, "table": table, "limit": limit}
        return tx.job(RUN, payload, account=actor.id, most_attempts=ATTEMPTS)

    request: dict[str, Any] = {"provider": provider, "table": table, "limit": limit}
    return str(workspace.database.command(actor, key, "place.geocode", begin, request=request, subject=provider))


def _under_way(workspace: Workspace, provider: str, table: str) -> str | None:
    for state in ("running", "queued"):
        for job in workspace.database.jobs.list(kind=RUN, state=state, limit=500):
            if (job.payload["provider"], job.payload["table"]) == (provider, table):
                return job.id
    return None


def run(workspace: Workspace, job: Job, report: Report) -> Any:
    """The job: ask what is open, then place the table anew; goes on tomorrow where today's quota is used up."""
    asked = job.payload
    actor = Actor(job.account or "worker", frozenset({"analyst"}))
    outcome = geocode(
        actor,
        workspace,
        asked["provider"],
        asked["table"],
        limit=asked["limit"],
        job=job.id,
        attempt=job.attempt,
        report=report,
    )
    if outcome.paused and outcome.left:
        limit = None if asked["limit"] is None else outcome.left

        def go_on(tx: Transaction) -> str:
            payload = {"provider": asked["provider"], "table": asked["table"], "limit": limit}
            due = records.next_day(tx.now)
            return tx.job(RUN, payload, once=f"{RUN}:{job.id}", due_at=due, account=job.account, most_attempts=ATTEMPTS)

        workspace.database.command(actor, job.key("next"), "place.go_on", go_on, subject=asked["provider"])
    return outcome.model_dump(mode="json")


def geocode(
    actor: Actor,
    workspace: Workspace,
    provider: str,
    table: str,
    *,
    limit: int | None,
    job: str,
    attempt: int = 1,
    report: Callable[[str, int, int | None], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Ask what is open, keep the answers as they come, and place the table anew.

    Raises
    ------
    InputError, GeocoderBusyError
        As `Geocoder.ask`; what was answered before is kept.
    """
    geocoder = Geocoder(provider, workspace.settings, sleep=sleep)
    _, queries = wanted(workspace, table)
    known = set(records.known(workspace, provider)["digest"])
    pending = [query for query in queries if query.digest not in known]
    before = records.kept_by(workspace, job)
    if limit is not None:
        pending = pending[: max(0, limit - before)]
    asking = _Asking(actor, workspace, geocoder, job, attempt)
    try:
        paused = asking.all(pending, report)
    finally:
        asking.keep()
    report("place", 0, None)
    changed, snapshot = place_again(workspace, table, by=provider)
    return Outcome(
        asked=asking.found + asking.none,
        found=asking.found,
        none=asking.none,
        skipped=asking.skipped,
        left=len(pending) - asking.found - asking.none,
        paused=paused,
        changed=changed,
        snapshot=snapshot,
    )


class _Asking:
    """One run: quota set aside a little at a time, answers kept a few at a time."""

    def __init__(self, actor: Actor, workspace: Workspace, geocoder: Geocoder, job: str, attempt: int) -> None:
        self.found = self.none = self.skipped = 0
        self._actor, self._workspace, self._geocoder = actor, workspace, geocoder
        self._job = job
        self._key = f"{job}:{attempt}"
        self._step = 0
        self._granted = 0
        self._answers: list[Answer] = []

    def all(self, pending: list[Query], report: Callable[[str, int, int | None], None]) -> bool:
        """Ask for all; True if the quota ended it."""
        in_a_row = 0
        for done, query in enumerate(pending):
            report("geocode", done, len(pending))
            try:
                answer = self._geocoder.ask(query, self._spend)
            except GeocoderQuotaError:
                return True
            except GeocoderBusyError:
                in_a_row += 1
                if in_a_row >= MOST_IN_A_ROW:
                    raise
                self.skipped += 1
                continue
            in_a_row = 0
            self._answers.append(answer)
            self.found += answer.found
            self.none += not answer.found
            if len(self._answers) >= BATCH:
                self._put(unused=0)
        return False

    def keep(self) -> None:
        """Keep what is not kept yet and give back the quota that was not used."""
        if self._answers or self._granted:
            self._put(unused=self._granted)
            self._granted = 0

    def _put(self, *, unused: int) -> None:
        name = self._geocoder.provider.name
        records.keep(
            self._workspace, self._actor, name, self._answers, unused=unused, job=self._job, key=self._next_key("keep")
        )
        self._answers = []

    def _spend(self) -> None:
        if not self._granted:
            name, most = self._geocoder.provider.name, self._geocoder.per_day
            key = self._next_key("aside")
            self._granted = records.set_aside(self._workspace, self._actor, name, BATCH, most, key=key)
            if not self._granted:
                raise GeocoderQuotaError("JQ-PLACE-022", provider=self._geocoder.provider.title, reason=f"{most}")
        self._granted -= 1

    def _next_key(self, what: str) -> str:
        self._step += 1
        return f"{self._key}:{what}:{self._step}"


def place_again(
    workspace: Workspace,
    table: str,
    *,
    by: str,
    register: Snapshot | None = None,
    given: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> tuple[int, str | None]:
    """A derived snapshot 派生快照 of a table with its rows placed anew: how many changed, and its id; none if none did.

    `register`: another snapshot than the current one to go on from; `given`: id → a given point to be used again.
    """
    back = pl.DataFrame(
        [(id_, *point) for id_, point in given.items()],
        schema={"id": pl.String, "_lon": pl.Float64, "_lat": pl.Float64}, orient="row",
    )  # fmt: skip
    with workspace.writing():
        current = register or workspace.snapshot(table)
        gazetteer = Gazetteer.load(workspace.cache)
        own = OwnPoints.of(workspace, table, gazetteer)
        changed = 0
        counts: dict[str, int] = {}
        try:
            with workspace.new_snapshot(table, as_of=current.as_of, source=current.source) as writer:
                for rows in workspace.scan(table, current.id).collect_batches(chunk_size=_ROWS, maintain_order=True):
                    new = placed(_given(bare(rows), back), gazetteer, own).select(rows.columns).cast(dict(rows.schema))  # type: ignore[arg-type]
                    same = pl.all_horizontal(
                        new[c].eq_missing(rows[c]) for c in ("lon", "lat", *PLACED) if c in rows.columns
                    )
                    changed += rows.height - int(rows.select(same.alias("same"))["same"].sum())
                    for name, count in new["placed_by"].value_counts().iter_rows():
                        counts[name or "none"] = counts.get(name or "none", 0) + count
                    writer.write(new)
                if not changed:
                    raise _UnchangedError
                writer.summary = _summary(current.summary, current.id, by, changed, counts)
        except _UnchangedError:
            return 0, None
    assert writer.snapshot is not None  # noqa: S101  # the block ended without an error
    return changed, writer.snapshot.id


def _given(rows: pl.DataFrame, back: pl.DataFrame) -> pl.DataFrame:
    if back.is_empty():
        return rows
    both = rows.join(back, on="id", how="left", maintain_order="left")
    return both.with_columns(lon=pl.coalesce("_lon", "lon"), lat=pl.coalesce("_lat", "lat")).drop("_lon", "_lat")


class _UnchangedError(Exception):
    """Nothing to write."""


def _summary(old: Mapping[str, Any], before: str, by: str, changed: int, counts: dict[str, int]) -> dict[str, Any]:
    """The summary of a load, for what was made from it: a load of its own it is not."""
    kept = {name: value for name, value in old.items() if name not in {"import", "before", "fixes"}}
    ordered = dict(sorted(counts.items(), key=lambda item: -item[1]))
    return kept | {"placed_by": ordered, "derived": {"from": before, "by": by, "changed": changed}}


__all__ = [
    "DETAIL_KM",
    "PROVIDERS",
    "RUN",
    "TABLES",
    "Outcome",
    "Plan",
    "geocode",
    "place_again",
    "plan",
    "run",
    "start",
]
