"""Calls to robots outside 外呼: to listed hosts by https only, and never to an address of our own network.

The name is resolved once, every address must be a public one, and the connection goes to the address that was looked
at, so that a name cannot be public when asked and private when called. Redirects are not followed; time and size are
bounded as a whole.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from jiqun.core.errors import InputError, JiqunError

SECONDS = 10.0
LARGEST = 64 * 1024
PORT = 443
LONGEST_ADDRESS = 500

Resolver = Callable[[str], list[str]]
"""Addresses of a host name."""
Connector = Callable[[str, str, float], socket.socket]
"""A connection to an address, for a host name, within that many seconds."""


class DeliveryError(JiqunError):
    """It did not go through now and may later 暂未送达."""


def resolve(host: str) -> list[str]:
    """Addresses of a host, as the system resolves it."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)]


def connect(address: str, host: str, seconds: float) -> socket.socket:
    """TLS to an address, whose certificate must be the host's."""
    plain = socket.create_connection((address, PORT), seconds)
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def host_of(url: str, hosts: Collection[str]) -> str:
    """The host of an address that may be called.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-027: not https, not a listed host, or anything unusual.

    Examples
    --------
    >>> host_of("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1", ["qyapi.weixin.qq.com"])
    'qyapi.weixin.qq.com'
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_ADDRESS
        usual = parts.scheme == "https" and parts.port in {None, PORT} and parts.username is None
        if plain and usual and parts.hostname in hosts and not parts.fragment:
            return str(parts.hostname)
    raise InputError("JQ-ACCOUNTS-027", known=", ".join(sorted(hosts)))


def public_address(host: str, resolver: Resolver) -> str:
    """An address of a host, all of whose addresses are public.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-028: one is private, local or reserved.
    DeliveryError
        JQ-ACCOUNTS-029: it cannot be resolved.
    """
    try:
        found = resolver(host)
    except OSError as error:
        raise DeliveryError("JQ-ACCOUNTS-029", host=host, reason=type(error).__name__) from None
    for address in found:
        if not _public(address):
            raise InputError("JQ-ACCOUNTS-028", host=host)
    if not found:
        raise DeliveryError("JQ-ACCOUNTS-029", host=host, reason="—")
    return found[0]


def _public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    within = [found]
    if isinstance(found, ipaddress.IPv6Address):
        # an IPv4 address may travel inside: mapped, 6to4, or through a translator (RFC 6052)
        within += [inner for inner in (found.ipv4_mapped, found.sixtofour) if inner is not None]
        if found in ipaddress.ip_network("64:ff9b::/96"):
            within.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in within)


class Reach:
    """How calls go out; tests give their own resolver and connector."""

    def __init__(
        self, *, resolver: Resolver = resolve, connector: Connector = connect, seconds: float = SECONDS
    ) -> None:
        self._resolver = resolver
        self._connector = connector
        self._seconds = seconds

    def post(self, url: str, body: Any, *, hosts: Collection[str]) -> Any:
        """Send JSON and return the JSON that is answered.

        Raises
        ------
        InputError
            JQ-ACCOUNTS-027, 028: it may not be called; JQ-ACCOUNTS-030: it refuses for good (4xx, a redirect).
        DeliveryError
            JQ-ACCOUNTS-029: it cannot be reached, is busy, or answers what cannot be read.
        """
        host = host_of(url, hosts)
        address = public_address(host, self._resolver)
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        try:
            status, content = self._exchange(host, address, path, json.dumps(body, ensure_ascii=False).encode())
            if status >= 500 or status in {408, 425, 429}:
                raise DeliveryError("JQ-ACCOUNTS-029", host=host, reason=f"HTTP {status}")
            if status != 200:
                raise InputError("JQ-ACCOUNTS-030", host=host, reason=f"HTTP {status}")
            return json.loads(content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # the error's own text may hold the address with its key
            raise DeliveryError("JQ-ACCOUNTS-029", host=host, reason=type(error).__name__) from None

    def _exchange(self, host: str, address: str, path: str, body: bytes) -> tuple[int, bytes]:
        link = self._connector(address, host, self._seconds)
        link.settimeout(self._seconds)
        # a timeout bounds each read; this bounds all of them, against an answer that comes drop by drop
        cut = Timer(self._seconds, _cut, (link,))
        cut.daemon = True
        cut.start()
        connection = http.client.HTTPConnection(host, PORT)
        connection.sock = link
        try:
            headers = {"Content-Type": "application/json; charset=utf-8", "Host": host, "Connection": "close"}
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise ValueError("too large")
            return answer.status, content
        finally:
            cut.cancel()
            connection.close()
            link.close()


def _cut(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
