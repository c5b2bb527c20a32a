"""What pages and commands call of accounts 账户服务: the functions that are no declared operation, in one place.

Sign-in, invitations taken and passwords carry secrets, which must not pass through commands that any door may repeat;
everything else is declared in `jiqun.accounts.operations`.
"""

from jiqun.accounts.claims import by_credit_code, organisation
from jiqun.accounts.invitations import Invitation, Invited, accept, invite, look
from jiqun.accounts.limits import Limiter, client
from jiqun.accounts.people import (
    Account,
    FirstOperator,
    add,
    change_password,
    close,
    find,
    first_operator,
    set_password,
    set_role,
)
from jiqun.accounts.recorder import flush
from jiqun.accounts.sessions import Session, open_session, session, sign_in, sign_out
from jiqun.accounts.tokens import Granted, NewToken, covers, token_actor
from jiqun.accounts.tokens import make as make_token
from jiqun.accounts.views import record_view

__all__ = [
    "Account",
    "FirstOperator",
    "Granted",
    "Invitation",
    "Invited",
    "Limiter",
    "NewToken",
    "Session",
    "accept",
    "add",
    "by_credit_code",
    "change_password",
    "client",
    "close",
    "covers",
    "find",
    "first_operator",
    "flush",
    "invite",
    "look",
    "make_token",
    "open_session",
    "organisation",
    "record_view",
    "session",
    "set_password",
    "set_role",
    "sign_in",
    "sign_out",
    "token_actor",
]
