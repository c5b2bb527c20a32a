"""What is held about an organisation, and taking it back 我的数据与撤回."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, Select, func, select, update

from jiqun.accounts import claims, edits, invitations, people, views
from jiqun.accounts.notices import News, write
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import InputError, UsageError
from jiqun.intake.moved import same, stands_for
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table

What = Literal["statements", "publication", "account"]
LONGEST_REASON = 2000
MOST_VIEWS = 10_000
_LIVE = "active"


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal 撤回: done at once, or asked for and then answered."""

    id: str
    organisation: str
    account: str
    what: What
    state: str
    reason: str | None
    at: datetime
    answered_by: str | None
    answered_at: datetime | None
    answer: str | None

    @classmethod
    def of(cls, row: RowMapping) -> Withdrawal:
        """A withdrawal from its row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Record:
    """An organisation as the register has it, what it states of itself, and both together 企业档案."""

    register: Mapping[str, Any]
    statements: tuple[edits.Statement, ...]
    shown: Mapping[str, Any]


def record(workspace: Workspace, organisation: str) -> Record:
    """The record of an organisation 企业档案, which its member finds prefilled.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-009: it is not in the register.
    """
    row = claims.organisation(workspace, organisation)
    stated = edits.statements(workspace, str(row["id"]))
    return Record(row, stated, edits.overlaid(row, stated))


def my_data(workspace: Workspace, organisation: str) -> dict[str, Any]:
    """Everything held about an organisation 导出我的数据, as JSON.

    The register's row, statements, claims, its accounts with what they follow and are told, invitations, withdrawals,
    its answers to surveys, and who looked (the last 10,000).
    """
    try:
        register: dict[str, Any] | None = claims.organisation(workspace, organisation)
    except InputError:
        register = None  # it has left the register; what is held besides is still its own
    accounts = table("accounts")
    asked = people.asked().where(same(accounts.c.organisation, organisation), accounts.c.state == _LIVE)
    with workspace.database.read() as connection:
        own = [dict(row) for row in connection.execute(asked).mappings()]
        ids = [row["id"] for row in own]

        def rows(name: str, column: str = "organisation") -> list[dict[str, Any]]:
            source = table(name)
            held = same(source.c[column], organisation) if column == "organisation" else source.c[column].in_(ids)
            return [dict(row) for row in connection.execute(select(source).where(held)).mappings()]

        held = {
            "statements": rows("edits"),
            "claims": rows("claims"),
            "withdrawals": rows("withdrawals"),
            "follows": rows("follows", "account"),
            "notices": rows("notices", "account"),
            "imports": rows("imports", "account"),
            "surveys": rows("survey_roster"),
            "answers": rows("survey_answers"),
        }
    found = {
        "organisation": organisation,
        "register": register,
        "accounts": own,
        **held,
        "invitations": [asdict(one) for one in invitations.listed(workspace, organisation=organisation)],
        "views": [asdict(one) for one in views.views(workspace, organisation, limit=MOST_VIEWS)],
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def _plain(value: Any) -> Any:
    """JSON of what rows hold."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def withdraw(
    actor: Actor, workspace: Workspace, organisation: str, what: What, *, reason: str | None = None, key: str
) -> Withdrawal:
    """Withdraw 撤回 what the firm has stated, its publication, or one's own account.

    Statements and the account go at once. What the register says is not the firm's to delete: its publication is asked
    to end, and an operator answers with a reason.
    """
    account = people.own_account(actor)
    rows = table("withdrawals")

    def put(tx: Transaction) -> str:
        people.of(tx, account)
        if what == "statements":
            edits.forget(tx, organisation, None)
        if what == "account":
            people.shut(tx, account)
        withdrawal = tx.new_id("wd")
        row = {"id": withdrawal, "organisation": organisation, "account": account, "what": what, "reason": reason}
        state = "asked" if what == "publication" else "done"
        tx.execute(rows.insert().values(row | {"state": state, "at": tx.now}))
        return withdrawal

    request = {"organisation": organisation, "what": what, "reason": reason}
    made = workspace.database.command(actor, key, "accounts.withdraw", put, request=request, subject=organisation)
    (found,) = withdrawals(workspace, id=str(made))
    return found


def withdrawals(
    workspace: Workspace,
    *,
    organisation: str | None = None,
    id: str | None = None,  # noqa: A002  # what it is called everywhere
    state: str | None = None,
    offset: int = 0,
    limit: int = 200,
) -> tuple[Withdrawal, ...]:
    """Withdrawals, the newest first."""
    rows = table("withdrawals")
    query = _where(select(rows), organisation, id, state).order_by(rows.c.at.desc(), rows.c.id)
    with workspace.database.read() as connection:
        return tuple(Withdrawal.of(row) for row in connection.execute(query.offset(offset).limit(limit)).mappings())


def count(workspace: Workspace, *, organisation: str | None = None, state: str | None = None) -> int:
    """How many withdrawals there are."""
    query = _where(select(func.count()).select_from(table("withdrawals")), organisation, None, state)
    with workspace.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _where(query: Select[Any], organisation: str | None, id: str | None, state: str | None) -> Select[Any]:  # noqa: A002
    rows = table("withdrawals")
    if organisation is not None:
        query = query.where(same(rows.c.organisation, organisation))
    for column, value in (("id", id), ("state", state)):
        if value is not None:
            query = query.where(rows.c[column] == value)
    return query


def answer(actor: Actor, workspace: Workspace, withdrawal: str, *, agreed: bool, words: str, key: str) -> Withdrawal:
    """Answer a withdrawal that was asked for 答复撤回, with a reason; the firm is told.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-034: none that waits for an answer.
    """
    actor.require("accounts.answer_withdrawal", "operator")
    rows = table("withdrawals")

    def put(tx: Transaction) -> None:
        waiting = select(rows).where(rows.c.id == withdrawal, rows.c.state == "asked")
        row = tx.execute(waiting).mappings().first()
        if row is None:
            raise UsageError("JQ-ACCOUNTS-034", value=withdrawal)
        state = "done" if agreed else "refused"
        given = {"state": state, "answered_by": actor.id, "answered_at": tx.now, "answer": words}
        tx.execute(update(rows).where(rows.c.id == withdrawal).values(given))
        title = (
            Text("撤回公开的请求已同意", "Your withdrawal from publication was granted")
            if agreed
            else Text("撤回公开的请求未获同意", "Your withdrawal from publication was refused")
        )
        news = News(row["account"], "withdrawal", withdrawal, title, row["organisation"], Text(words, words))
        write(tx, [news])

    request: JSON = {"withdrawal": withdrawal, "agreed": agreed, "words": words}
    workspace.database.command(actor, key, "accounts.answer_withdrawal", put, request=request, subject=withdrawal)
    (found,) = withdrawals(workspace, id=withdrawal)
    return found


def unpublished(workspace: Workspace) -> frozenset[str]:
    """Organisations that are no longer shown by name 不公开, because their withdrawal was granted."""
    return workspace.database.remembered("accounts.unpublished", _unpublished)


def _unpublished(connection: Connection) -> frozenset[str]:
    rows = table("withdrawals")
    query = select(stands_for(rows.c.organisation)).where(rows.c.what == "publication", rows.c.state == "done")
    return frozenset(connection.execute(query).scalars())
