"""Secrets 密钥: given out once, kept as sha256 only. They are long and random, so a fast digest is enough."""

from __future__ import annotations

import hashlib
from secrets import token_urlsafe

_BYTES = 32
LONGEST = 200


def new_secret(prefix: str = "") -> str:
    """A new secret of 256 random bits."""
    return prefix + token_urlsafe(_BYTES)


def digest_of(secret: str) -> str:
    """What is kept of a secret.

    Examples
    --------
    >>> digest_of("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(secret[:LONGEST].encode("utf-8", "surrogatepass")).hexdigest()
