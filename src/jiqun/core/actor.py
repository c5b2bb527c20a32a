"""Who acts 操作者. Desk methods take an `Actor` and enforce their own permission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jiqun.core.errors import PermissionDeniedError

Role = Literal["operator", "analyst", "member", "auditor", "public"]


@dataclass(frozen=True)
class Actor:
    """A person or programme: id, roles, and the organisation it speaks for (None: no one's).

    `scopes` is what a token was made for; None: whatever the roles may.
    """

    id: str
    roles: frozenset[Role]
    organisation: str | None = None
    scopes: frozenset[str] | None = None

    def require(self, operation: str, *roles: Role) -> None:
        """Refuse unless the actor has one of `roles`.

        Raises
        ------
        PermissionDeniedError
            JQ-USE-002, naming the operation and the roles that may.

        Examples
        --------
        >>> LOCAL.require("atlas.run", "operator", "analyst")
        """
        if self.roles.isdisjoint(roles):
            raise PermissionDeniedError("JQ-USE-002", actor=self.id, operation=operation, roles=", ".join(roles))


LOCAL = Actor("local", frozenset({"operator", "analyst"}))
"""The person at the keyboard of this machine, who owns the files anyway."""
