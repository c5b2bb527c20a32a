"""What geocoders answered 地理编码记录: kept by digest of the query, so that no address is asked twice.

Addresses themselves are not kept here; nor are keys. Quota is set aside before it is used, so that a crash can waste
some of it but never overdraw it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from jiqun.core.actor import Actor
from jiqun.intake.address import plain
from jiqun.intake.geocoders import Answer
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

CHINA: Final = timezone(timedelta(hours=8))
"""The day of a quota begins at midnight there."""
KNOWN: Final = {
    "provider": pl.String, "digest": pl.String, "found": pl.Boolean, "lon": pl.Float64, "lat": pl.Float64,
    "precision": pl.String, "level": pl.String, "confidence": pl.Float64, "region_code": pl.String,
}  # fmt: skip
_ASKED = ("region_code", "region", "city", "address")
_AT_ONCE = 400


def day_of(moment: datetime) -> str:
    """The day to whose quota a moment belongs.

    Examples
    --------
    >>> day_of(datetime(2026, 1, 1, 17, tzinfo=timezone.utc))
    '2026-01-02'
    """
    return moment.astimezone(CHINA).date().isoformat()


def next_day(moment: datetime) -> datetime:
    """Some minutes after the quota begins anew."""
    return moment.astimezone(CHINA).replace(hour=0, minute=10, second=0, microsecond=0) + timedelta(days=1)


def digests(rows: pl.DataFrame) -> pl.Series:
    """The digest 查询摘要 of each row's query: of its address, region, city and code as they are read; null without an address.

    Two spellings of one address, in full or half width or with blanks, have one digest.
    """
    texts = []
    for name in _ASKED:
        column = (
            rows[name].cast(pl.String)
            if name in rows.columns
            else pl.Series(name, [None], pl.String).new_from_index(0, rows.height)
        )
        texts.append(plain(column).rename(name))
    asked = pl.DataFrame(texts)
    address = asked["address"]
    query = asked.select(pl.concat_str(*(pl.col(name).fill_null("") for name in _ASKED), separator="\x1f")).to_series()
    known = query.unique()
    codes = pl.DataFrame(
        {"query": known, "digest": [sha256(text.encode()).hexdigest() for text in known]},
        schema_overrides={"digest": pl.String},
    )
    found = query.rename("query").to_frame().join(codes, on="query", how="left", maintain_order="left")["digest"]
    return found.set(address.is_null(), None)


def known(workspace: Workspace, provider: str | None = None) -> pl.DataFrame:
    """Every answer kept: `KNOWN`, of one service or of all."""
    if not workspace.has_database:
        return pl.DataFrame(schema=KNOWN)
    rows = table("geocodes")
    query = sa.select(*(rows.c[name] for name in KNOWN)).order_by(rows.c.digest, rows.c.provider)
    if provider is not None:
        query = query.where(rows.c.provider == provider)
    with workspace.database.read() as connection:
        found = connection.execute(query).all()
    return pl.DataFrame([tuple(row) for row in found], schema=KNOWN, orient="row")


def asked_for(workspace: Workspace, row: Mapping[str, Any], provider: str) -> tuple[str | None, datetime] | None:
    """Who asked a service for a row's address, as far as that is known, and when it answered; None if it did not."""
    (digest,) = digests(pl.DataFrame([{name: row.get(name) for name in ("address", *_ASKED)}], infer_schema_length=1))
    rows, jobs = table("geocodes"), table("jobs")
    query = sa.select(jobs.c.account, rows.c.answered_at).join_from(rows, jobs, rows.c.job == jobs.c.id, isouter=True)
    with workspace.database.read() as connection:
        found = connection.execute(query.where(rows.c.provider == provider, rows.c.digest == digest)).first()
    return (found.account, found.answered_at) if found else None


def used(workspace: Workspace, provider: str) -> int:
    """Requests that today's quota has been used for, or set aside."""
    rows, day = table("geocode_days"), day_of(workspace.clock())
    query = sa.select(rows.c.asked).where(rows.c.provider == provider, rows.c.day == day)
    with workspace.database.read() as connection:
        return int(connection.execute(query).scalar() or 0)


def set_aside(workspace: Workspace, actor: Actor, provider: str, count: int, most: int, *, key: str) -> int:
    """Set up to `count` requests of today's quota aside 预留额度; how many there were left."""
    rows = table("geocode_days")

    def take(tx: Transaction) -> int:
        mine = rows.c.provider == provider, rows.c.day == day_of(tx.now)
        asked = tx.execute(sa.select(rows.c.asked).where(*mine)).scalar()
        granted = max(0, min(count, most - int(asked or 0)))
        if asked is None:
            tx.execute(sa.insert(rows).values(provider=provider, day=day_of(tx.now), asked=granted))
        elif granted:
            tx.execute(sa.update(rows).where(*mine).values(asked=rows.c.asked + granted))
        return granted

    request: dict[str, Any] = {"provider": provider, "count": count, "most": most}
    answer = workspace.database.command(actor, key, "place.set_aside", take, request=request, subject=provider)
    assert isinstance(answer, int)  # noqa: S101  # what `take` returns
    return answer


def keep(
    workspace: Workspace, actor: Actor, provider: str, answers: Sequence[Answer], *, unused: int, job: str, key: str
) -> None:
    """Keep answers 保存应答, and give back what was set aside and not used."""
    rows, days = table("geocodes"), table("geocode_days")

    def put(tx: Transaction) -> int:
        for part in _parts(answers):
            old = rows.c.provider == provider, rows.c.digest.in_([answer.digest for answer in part])
            tx.execute(sa.delete(rows).where(*old))
            values = [{"provider": provider, "answered_at": tx.now, "job": job, **asdict(answer)} for answer in part]
            tx.execute(sa.insert(rows).values(values))
        if unused:
            # not below 0, should the day have changed meanwhile
            mine = days.c.provider == provider, days.c.day == day_of(tx.now), days.c.asked >= unused
            tx.execute(sa.update(days).where(*mine).values(asked=days.c.asked - unused))
        return len(answers)

    request: dict[str, Any] = {"provider": provider, "digests": [answer.digest for answer in answers], "unused": unused}
    workspace.database.command(actor, key, "place.keep", put, request=request, subject=provider)


def kept_by(workspace: Workspace, job: str) -> int:
    """How many answers a job has kept already."""
    rows = table("geocodes")
    query = sa.select(sa.func.count()).select_from(rows).where(rows.c.job == job)
    with workspace.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _parts(answers: Sequence[Answer]) -> Iterable[Sequence[Answer]]:
    return (answers[begin : begin + _AT_ONCE] for begin in range(0, len(answers), _AT_ONCE))
