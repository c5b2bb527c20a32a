"""Attempts 尝试次数: a budget per address for what costs a password's digest, a tenth of a second of both cores."""

from __future__ import annotations

from fastapi import Request

from jiqun.accounts.limits import Limiter, client
from jiqun.web.errors import too_many


def attempts() -> Limiter:
    """Twenty at once and then one every five seconds."""
    return Limiter(per_second=0.2, burst=20)


def take_attempt(request: Request) -> None:
    """Take one of the budget of the request's address.

    Raises
    ------
    Refused
        429, and when to come again.
    """
    seconds = request.app.state.attempts.wait(client(request.client.host if request.client else "unknown"))
    if seconds:
        raise too_many(seconds)
