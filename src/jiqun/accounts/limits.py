"""Rate limits 限流: token buckets in memory, one per client or account, and no more of them than there is room for."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic

_V6_NETWORK = 64


class Limiter:
    """Lets `burst` requests pass at once and then `per_second` in the long run, per key.

    Of more than `most` keys the one that was silent longest is forgotten: its bucket is the fullest.

    Examples
    --------
    >>> now = 0.0
    >>> limiter = Limiter(per_second=0.5, burst=2, clock=lambda: now)
    >>> limiter.wait("a"), limiter.wait("a"), limiter.wait("a"), limiter.wait("b")
    (0.0, 0.0, 2.0, 0.0)
    >>> now = 2.0
    >>> limiter.wait("a")
    0.0
    """

    def __init__(
        self, *, per_second: float, burst: float, most: int = 20_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self.per_second = per_second
        self.burst = burst
        self.most = most
        self._clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: str, cost: float = 1.0) -> float:
        """Take `cost` from the bucket of `key`; 0, or the seconds to wait before it would have been granted."""
        with self._lock:
            now = self._clock()
            left, at = self._buckets.pop(key, (self.burst, now))
            left = min(self.burst, left + max(0.0, now - at) * self.per_second)
            granted = left >= cost
            self._buckets[key] = (left - cost if granted else left, now)
            if len(self._buckets) > self.most:
                self._buckets.popitem(last=False)
            return 0.0 if granted else (cost - left) / self.per_second


def client(address: str) -> str:
    """Who counts as one client: an IPv4 address, or a /64 of IPv6, of which one household has 2^64 addresses.

    Examples
    --------
    >>> client("2001:db8::1") == client("2001:db8::2"), client("::ffff:192.0.2.1"), client("unix")
    (True, '192.0.2.1', 'unix')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _V6_NETWORK), strict=False))
    return str(found)
