"""One GET of JSON 取数: from one host, no redirects, bounded in time and size, and silent about what was asked.

The address of a request holds a key and the address of a firm: neither goes into an error or a log.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from contextlib import suppress
from ipaddress import ip_address
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

SECONDS = 10.0
LARGEST = 256 * 1024


class UnusableError(Exception):
    """No usable answer; the text says why and nothing of the request."""

    def __init__(self, reason: str, *, status: int = 0, content: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.content = content


def usable(url: str) -> bool:
    """Whether a service may be asked at this address: by https, or on this machine.

    Examples
    --------
    >>> usable("https://restapi.amap.com"), usable("http://restapi.amap.com"), usable("http://127.0.0.1:8080")
    (True, False, True)
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        plain = " " not in url and not parts.query and not parts.fragment and parts.username is None and parts.port != 0
        if plain and parts.hostname and url.isascii() and url.isprintable():
            return parts.scheme == "https" or (parts.scheme == "http" and _here(parts.hostname))
    return False


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def get_json(base: str, target: str, *, seconds: float = SECONDS, largest: int = LARGEST) -> Any:
    """What `base` answers to GET `target` (path and query), if it is JSON and comes with status 200.

    Raises
    ------
    UnusableError
        Any other answer, or none in time; `content` is the body of a refusal where it is JSON.
    """
    parts = urlsplit(base)
    host, port = str(parts.hostname), parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.connect()
        status, body = _exchange(connection, parts.path.rstrip("/") + target, seconds, largest)
    except (OSError, http.client.HTTPException) as error:
        # the error's own text may hold what was asked
        raise UnusableError(type(error).__name__) from None
    finally:
        connection.close()
    if len(body) > largest:
        raise UnusableError("too large", status=status)
    content = None
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
    if status != http.client.OK:
        raise UnusableError(f"HTTP {status}", status=status, content=content)
    if content is None:
        raise UnusableError("not JSON", status=status)
    return content


def _exchange(connection: http.client.HTTPConnection, target: str, seconds: float, largest: int) -> tuple[int, bytes]:
    # a timeout bounds each read; this bounds all of them, against an answer that comes drop by drop
    cut = Timer(seconds, _cut, (connection.sock,))
    cut.daemon = True
    cut.start()
    try:
        connection.request("GET", target, headers={"Accept": "application/json", "Connection": "close"})
        with connection.getresponse() as answer:
            return answer.status, answer.read(largest + 1)
    finally:
        cut.cancel()


def _cut(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
