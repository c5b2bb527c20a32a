"""Commands of accounts: add, list, invite, password, close, token. Whoever runs them owns the workspace's files."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import polars as pl
import typer

from jiqun.accounts import desk
from jiqun.accounts.operations import AccountsRequest, accounts
from jiqun.accounts.passwords import generated
from jiqun.cli.output import Format, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.operation import MOST
from jiqun.store.database import new_key

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
LoginArgument = Annotated[
    str, typer.Argument(metavar="LOGIN", help="Name to sign in with 登录名, or id of the account.")
]
OrganisationOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Organisation 机构 that a member speaks for, such as o0000001.")
]
_PASSWORD = "JIQUN_PASSWORD"  # noqa: S105  # the name of a variable


class RoleName(StrEnum):
    """Roles."""

    operator = "operator"
    analyst = "analyst"
    member = "member"
    auditor = "auditor"


def register(app: typer.Typer) -> None:
    """Add the commands of accounts."""
    account = typer.Typer(help="Accounts 账户 of the console: who may sign in.", no_args_is_help=True)
    account.command()(add)
    account.command("list")(list_)
    account.command()(invite)
    account.command()(password)
    account.command()(close)
    account.command()(token)
    app.add_typer(account, name="account")


def add(
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="Name to sign in with 登录名, such as a mail address.")],
    role: Annotated[RoleName, typer.Option(help="Role 角色.")],
    name: Annotated[str | None, typer.Option(help="Name shown 显示名; default: the login.")] = None,
    organisation: OrganisationOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Make an account 新建账户. The password comes from JIQUN_PASSWORD, or is made and shown once.

    Example: jiqun account add wang@example.org --role analyst --name 王工
    """
    opened = open_workspace(workspace)
    if organisation is not None:
        desk.organisation(opened, organisation)
    given = os.environ.get(_PASSWORD)
    secret = given or generated()
    desk.add(
        LOCAL,
        opened,
        login=login,
        name=name or login,
        role=role.value,
        organisation=organisation,
        password=secret,
        key=new_key(),
    )
    _tell_password(secret, shown=not given)


def list_(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List the accounts 账户列表, the newest first.

    Example: jiqun account list --format csv
    """
    opened, rows, cursor = open_workspace(workspace), [], None
    while True:
        page = accounts(LOCAL, opened, AccountsRequest(limit=MOST, cursor=cursor))
        rows += [row.model_dump(exclude={"language"}) for row in page.items]
        cursor = page.next
        if cursor is None:
            break
    texts = dict.fromkeys(("id", "login", "name", "role", "organisation", "state"), pl.String())
    write(pl.DataFrame(rows, schema={**texts, "created_at": pl.Datetime(time_zone="UTC")}), form)


def invite(
    role: Annotated[RoleName, typer.Option(help="Role 角色 that the account will have.")],
    organisation: OrganisationOption = None,
    note: Annotated[str | None, typer.Option(help="What it is for, seen by operators.")] = None,
    days: Annotated[int, typer.Option(min=1, max=60, help="Days until it ends.")] = 14,
    workspace: WorkspaceOption = None,
) -> None:
    """Make an invitation 邀请: prints the end of the link, once.

    Example: jiqun account invite --role member --organisation o0000001
    """
    opened = open_workspace(workspace)
    made = desk.invite(LOCAL, opened, role.value, organisation=organisation, note=note, days=days, key=new_key())
    address = str(opened.settings["url"].value).rstrip("/")
    typer.echo(f"{address}/invitations/{made.secret}")
    until = made.invitation.expires_at.date().isoformat()
    say(
        f"链接只显示这一次，只能用一次，{until} 前有效。请在控制台的地址后接上它。",
        f"The link is shown only now, works once, and ends on {until}. Put it after the console's address.",
    )


def password(login: LoginArgument, workspace: WorkspaceOption = None) -> None:
    """Give an account a new password 重设口令, from JIQUN_PASSWORD or made and shown once; a lock-out ends.

    Example: jiqun account password operator
    """
    opened = open_workspace(workspace)
    given = os.environ.get(_PASSWORD)
    secret = given or generated()
    desk.set_password(LOCAL, opened, desk.find(opened, login), secret, key=new_key())
    _tell_password(secret, shown=not given)


def close(login: LoginArgument, workspace: WorkspaceOption = None) -> None:
    """Close an account 关闭账户: it can no longer sign in, and its name is forgotten.

    Example: jiqun account close wang@example.org
    """
    opened = open_workspace(workspace)
    desk.close(LOCAL, opened, desk.find(opened, login).id, key=new_key())
    say("账户已关闭。", "The account is closed.")


def token(
    login: LoginArgument,
    name: Annotated[str, typer.Option(help="What it is for 用途.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, a room such as atlas.*, or an operation; may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it ends.")] = 90,
    workspace: WorkspaceOption = None,
) -> None:
    """Make an API token 接口令牌 for an account; it is printed once.

    Example: jiqun account token wang@example.org --name nightly --scope read
    """
    opened = open_workspace(workspace)
    actor = desk.find(opened, login).actor
    made = desk.make_token(actor, opened, name=name, scopes=scope or ["read"], days=days, key=new_key())
    typer.echo(made.secret)
    say("令牌只显示这一次。", "The token is shown only now.")


def _tell_password(secret: str, *, shown: bool) -> None:
    if shown:
        typer.echo(secret)
        say("口令只显示这一次，请登录后修改。", "The password is shown only now; change it after signing in.")
    else:
        say("口令取自 JIQUN_PASSWORD。", "The password is that of JIQUN_PASSWORD.")
