"""Accounts 账户: who signs in, for which organisation, what firms state and may take back, what each is told of.

`people`, `passwords`, `sessions`, `invitations` and `tokens` say who someone is; `claims`, `edits`, `views` and `mine`
keep an organisation's own data in its own hands; `follows`, `notices`, `channels` and `delivery` bring news.
`operations` declares what doors may call. Atlas and later rooms stand above this one.
"""

from jiqun.accounts.people import Account
from jiqun.accounts.sessions import Session

__all__ = ["Account", "Session"]
