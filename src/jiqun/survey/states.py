"""States of a round 轮次状态, and which may come before which."""

from __future__ import annotations

from typing import Literal, get_args

from jiqun.core.errors import UsageError

State = Literal["draft", "open", "locked", "published"]
STATES: tuple[State, ...] = get_args(State)
PREDECESSORS: dict[State, frozenset[State]] = {
    "draft": frozenset(),
    "open": frozenset({"draft", "locked", "published"}),
    "locked": frozenset({"open"}),
    "published": frozenset({"locked", "published"}),
}
"""From which states a round may come into one: open again from locked or published only with a reason, published
again where a load took the place of what was published."""


def require(state: str, to: State) -> None:
    """Refuse a change that no round may make.

    Raises
    ------
    UsageError
        JQ-SURVEY-005.

    Examples
    --------
    >>> require("open", "locked")
    """
    if state not in PREDECESSORS[to]:
        raise UsageError("JQ-SURVEY-005", state=state, to=to, known=", ".join(sorted(PREDECESSORS[to])) or "—")
