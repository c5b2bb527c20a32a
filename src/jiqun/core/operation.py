"""Declared operations 操作: what a room can be asked or told, who may, for whose data, and in what words.

A room declares each of its desk's operations once. Permission and row scope are enforced here, on every call,
whichever door it comes through; the API's routes, its description and the test of roles × organisations are derived
from the same declaration.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import PermissionDeniedError, UsageError

EVERYWHERE: frozenset[Role] = frozenset({"operator", "auditor"})
"""Roles that a row scope does not bind to their own organisation."""
MOST = 500
_FARTHEST = 2**53
T = TypeVar("T")


class Model(BaseModel):
    """Base of inputs and outputs: immutable, and no field but the declared ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PageRequest(Model):
    """A request for one page of a list: where to go on, and how many rows at most."""

    cursor: Annotated[str | None, Field(max_length=400, description="`next` of the page before")] = None
    limit: Annotated[int, Field(ge=1, le=MOST, description="most rows of this page")] = 50


class Page(Model, Generic[T]):
    """One page of a list; `next` asks for the one after it and is null on the last."""

    items: tuple[T, ...]
    total: int
    next: str | None = None


def paged(rows: Sequence[T], request: PageRequest, *, version: str) -> Page[T]:
    """The rows that a request asks for.

    `version` names what the list was made from, so that a list that has changed between two pages is refused instead
    of showing a row twice or never.

    Raises
    ------
    UsageError
        JQ-USE-007: not a cursor of this list; JQ-USE-008: the list has changed since.

    Examples
    --------
    >>> first = paged(("a", "b", "c"), PageRequest(limit=2), version="v1")
    >>> first.items, paged(("a", "b", "c"), PageRequest(limit=2, cursor=first.next), version="v1").items
    (('a', 'b'), ('c',))
    """
    start = 0
    if request.cursor is not None:
        start, made_from = _uncoded(request.cursor)
        if made_from != version:
            raise UsageError("JQ-USE-008")
    end = start + request.limit
    following = _coded(end, version) if end < len(rows) else None
    return Page(items=tuple(rows[start:end]), total=len(rows), next=following)


def _coded(start: int, version: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([start, version]).encode()).decode().rstrip("=")


def _uncoded(cursor: str) -> tuple[int, str]:
    try:
        start, version = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError):
        raise UsageError("JQ-USE-007") from None
    if (
        not isinstance(start, int)
        or isinstance(start, bool)
        or not 0 <= start < _FARTHEST
        or not isinstance(version, str)
    ):
        raise UsageError("JQ-USE-007")
    return start, version


@dataclass(frozen=True)
class Operation:
    """One operation 操作: a question, or (`writes`) a command that changes something and carries an idempotency key.

    `own` names the field of the request that holds an organisation: roles outside `EVERYWHERE` reach only their own.
    """

    name: str
    title: Text
    roles: frozenset[Role]
    function: Callable[..., Any]
    request: type[BaseModel]
    answer: Any
    writes: bool = False
    own: str | None = None

    @property
    def help(self) -> str:
        """First line of what the function says of itself."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def check(self, actor: Actor, request: BaseModel) -> None:
        """Refuse an actor whose role may not, or who asks for an organisation that is not its own.

        Raises
        ------
        PermissionDeniedError
            JQ-USE-002: no role that may; JQ-USE-009: another's organisation.
        """
        actor.require(self.name, *sorted(self.roles))
        if self.own is None or actor.roles & self.roles & EVERYWHERE:
            return
        asked = getattr(request, self.own)
        if actor.organisation is None or asked != actor.organisation:
            raise PermissionDeniedError("JQ-USE-009", actor=actor.id, operation=self.name)

    def __call__(self, actor: Actor, workspace: Any, request: Any, **more: Any) -> Any:
        """Check the actor, then do it. A command takes its idempotency key as `key=`."""
        self.check(actor, request)
        return self.function(actor, workspace, request, **more)


@dataclass(frozen=True)
class Room:
    """A room's operations by name, in the order of their declaration."""

    name: str
    title: Text
    operations: dict[str, Operation] = field(default_factory=dict)

    def operation(
        self, name: str, zh: str, en: str, *, roles: Iterable[Role], writes: bool = False, own: str | None = None
    ) -> Callable[[Callable[..., Any]], Operation]:
        """Declare a function `(actor, workspace, request)` as an operation; its annotations give request and answer.

        Examples
        --------
        >>> class Greeting(Model):
        ...     to: str = "world"
        >>> room = Room("hall", Text("大厅", "Hall"))
        >>> @room.operation("greet", "问候", "Greet", roles=["public"])
        ... def greet(actor: Actor, workspace: None, request: Greeting) -> str:
        ...     return f"hello, {request.to}"
        >>> greet(Actor("public", frozenset({"public"})), None, Greeting())
        'hello, world'
        >>> room.operations["greet"].name
        'hall.greet'
        """

        def declare(function: Callable[..., Any]) -> Operation:
            hints: Mapping[str, Any] = get_type_hints(function, include_extras=True)
            operation = Operation(
                name=f"{self.name}.{name}",
                title=Text(zh, en),
                roles=frozenset(roles),
                function=function,
                request=hints["request"],
                answer=hints["return"],
                writes=writes,
                own=own,
            )
            if name in self.operations:
                raise ValueError(f"{operation.name} is declared twice")
            if own is not None and own not in operation.request.model_fields:
                raise ValueError(f"{operation.name}: its request has no field {own!r}")
            self.operations[name] = operation
            return operation

        return declare
