"""What every request passes on its way in and every answer on its way out 外壳: one ASGI layer around the pages.

In: a known host name, a budget of requests, no unsafe request from another site, no body beyond its bound. Out: the
security headers, a line in the log, and an error page where something broke.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import secrets
from contextlib import suppress
from time import perf_counter
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jiqun.accounts.limits import Limiter, client
from jiqun.web import errors
from jiqun.web.api import PREFIX
from jiqun.web.errors import Refused, too_many
from jiqun.web.settings import WebSettings

_LOG = logging.getLogger("jiqun.web")
_SAFE = frozenset({"GET", "OPTIONS"})
UPLOADS = re.compile(rf"/imports/(new|\w+/mended)|{PREFIX}/intake/receive")
"""Paths that take a file, which they stream to disk."""
TABLES = re.compile(r"/assess/diagnosis/given/(plans|tags|frontier)(/add|/check)?")
"""Paths that take a short table or a text, which their page bounds more closely and tells about."""
TABLE_BYTES = 20_000_000
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
FORM_BYTES = 1_000_000
"""Bound of a body that is not an upload."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
HSTS = "max-age=31536000"
BURST = 4
"""Seconds of a client's budget that may be spent at once."""
IDLE_SECONDS = 30
"""How long a body may pause before its sender is given up."""


class Shell:
    """The layer around the app."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self.app = app
        self.settings = settings
        self.limiter = Limiter(per_second=settings.requests_per_second, burst=BURST * settings.requests_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server keeps the body to itself
        scope.setdefault("state", {})["id"] = secrets.token_hex(6)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _head(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            limit = self._bound(scope)
            self._admit(scope, limit)
            await self.app(scope, _bounded(receive, limit), sending)
        except Exception as error:  # the last one to answer for whatever broke
            if status:
                raise
            if not isinstance(error, Refused):
                _LOG.exception("error %s", scope["state"]["id"])
            response = await run_in_threadpool(_answer, Request(scope, receive), error)
            await response(scope, receive, sending)
        finally:
            _log(scope, status, perf_counter() - began)

    def _bound(self, scope: Scope) -> int:
        if TABLES.fullmatch(scope["path"]):
            return TABLE_BYTES
        return self.settings.upload_bytes if UPLOADS.fullmatch(scope["path"]) else FORM_BYTES

    def _admit(self, scope: Scope, limit: int) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not known_host(host, self.settings.hosts):
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"host"]
            raise Refused(400, "JQ-WEB-011", host=host[:80])
        seconds = 0.0 if scope["path"].startswith("/static/") else self.limiter.wait(_client(scope))
        if seconds:
            raise too_many(seconds)
        if scope["method"] not in _SAFE and not scope["path"].startswith(PREFIX) and not from_here(scope, headers):
            raise Refused(403, "JQ-WEB-010")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 15:
            raise Refused(400, "JQ-WEB-012")
        if int(length) > limit:
            raise _too_large(limit)


def known_host(host: str, names: tuple[str, ...]) -> bool:
    """Whether a request may call us so: an address, localhost, or a name that the operator has listed.

    A name that is not listed may be another site's, pointed at us (DNS rebinding); an address cannot.

    Examples
    --------
    >>> [known_host(host, ("jiqun.example.org",)) for host in ("127.0.0.1:8000", "[::1]:8000", "jiqun.example.org", "evil.example")]
    [True, True, True, False]
    """
    if not _HOST.fullmatch(host):  # a path or a name to sign in with would become part of the request's address
        return False
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or name in names:
        return True
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


def from_here(scope: Scope, headers: Headers) -> bool:
    """Whether the browser says that the request comes from a page of this site, or nothing of where it comes from."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin == f"{scope['scheme']}://{headers.get('host', '')}"


def _answer(request: Request, error: Exception) -> Response:
    try:
        return errors.answer(request, error)
    except Exception:  # noqa: BLE001  # an answer there must be, with the headers that the server's own would lack
        _LOG.exception("error %s: its page could not be made", request.state.id)
        return PlainTextResponse(f"jiqun: 500 {request.state.id}", status_code=500)


def _client(scope: Scope) -> str:
    address = scope.get("client")
    return client(address[0]) if address else "unknown"


def _bounded(receive: Receive, limit: int) -> Receive:
    """The body, no longer than `limit` and never silent for long; what comes after it is waited for as ever."""
    taken, ended = 0, False

    async def receiving() -> Message:
        nonlocal taken, ended
        if ended:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), IDLE_SECONDS)
        except TimeoutError:
            raise Refused(408, "JQ-WEB-012", headers={"Connection": "close"}) from None
        ended = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _too_large(limit)
        return message

    return receiving


def _too_large(limit: int) -> Refused:
    return Refused(413, "JQ-WEB-005", limit=f"{limit / 1e6:g} MB")


def _head(scope: Scope, headers: MutableHeaders) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", HSTS)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """One line per request: the route and not the address, which may hold a name, a search or an invitation."""
    who = scope["state"].get("visitor")
    line = {
        "id": scope["state"]["id"],
        "method": scope["method"],
        "route": getattr(scope.get("route"), "path", None),
        "status": status,
        "ms": round(1000 * seconds, 1),
        "account": who.account.id if who and who.account else None,
    }
    _LOG.info("%s", json.dumps(line))
