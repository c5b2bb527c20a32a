"""Pages are made two at a time, in order of arrival 依次作答.

Python runs one thread at a time. A page lets go of it often (a query, a file, a digest, compression) and each time waits
behind every thread that wants it: forty pages of 20 ms begun at once take seconds each, new ones join them faster than
they end, and the queue never drains. Two at a time, of which one computes while the other waits for a disk or for what
runs outside of Python, they take 20 ms each and the last has waited 0.8 s.
"""

from __future__ import annotations

import asyncio
from functools import partial
from weakref import WeakKeyDictionary

from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 2
MOMENT = 0.1
"""Seconds after which what takes longer no longer keeps the next one waiting."""
_READS = frozenset({"GET", "HEAD"})


class Turns:
    """ASGI layer in which requests that read wait for their turn.

    A turn ends when the answer begins, so that nobody waits for a slow line, and after `MOMENT` at the latest. What
    writes has no turn, since it waits for the disk, together with others; neither have static files.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] not in _READS or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        free = self._free.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
        await free.acquire()
        turn = _Turn(free)
        try:
            await self.app(scope, receive, partial(turn.sending, send))
        finally:
            turn.end()


class _Turn:
    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free
        self._timer = asyncio.get_running_loop().call_later(MOMENT, self.end)

    def end(self) -> None:
        """Let the next one begin; once."""
        self._timer.cancel()
        if self._free is not None:
            self._free.release()
            self._free = None

    async def sending(self, send: Send, message: Message) -> None:
        """Pass on a part of the answer, the first of which ends the turn."""
        self.end()
        await send(message)
