"""Passwords 口令: argon2id digests, computed before a transaction and never within one.

One digest takes 64 MiB and about a tenth of a second of both cores; two at once are the most, so that a crowd at the
door cannot take the memory. Passwords are compared after NFKC: full-width letters of an input method are the same.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from secrets import token_urlsafe
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from jiqun.core.errors import InputError

SHORTEST = 10
MOST_BYTES = 1024
_FEWEST_DIFFERENT = 4
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2)
_AT_ONCE = BoundedSemaphore(2)


def digest(password: str) -> str:
    """The argon2id digest 摘要 of a password."""
    with _AT_ONCE:
        return _HASHER.hash(_plain(password))


def verify(known: str | None, password: str) -> bool:
    """Whether a password has the digest `known`; None takes as long and says no."""
    plain = _plain(password)
    fits = len(plain) <= MOST_BYTES
    try:
        with _AT_ONCE:
            return _HASHER.verify(known or _decoy(), plain if fits else b"") and known is not None and fits
    except (VerificationError, InvalidHashError):
        return False


def outdated(known: str) -> bool:
    """Whether a digest was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(known)


def check_strength(password: str, login: str) -> None:
    """Refuse a password that is too short or too long, the login, or among the first that anyone tries.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-002: length; JQ-ACCOUNTS-003: too easy to guess.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST or len(_plain(password)) > MOST_BYTES:
        raise InputError("JQ-ACCOUNTS-002", shortest=SHORTEST, longest=MOST_BYTES)
    low = plain.casefold()
    name = login.casefold()
    easy = low in {name, name.partition("@")[0]} or low in _worst() or len(set(low)) < _FEWEST_DIFFERENT
    if easy:
        raise InputError("JQ-ACCOUNTS-003")


def generated() -> str:
    """A new password 生成的口令, of 96 random bits."""
    return token_urlsafe(12)


@cache
def _decoy() -> str:
    return _HASHER.hash(token_urlsafe(24))


@cache
def _worst() -> frozenset[str]:
    text = files("jiqun.accounts").joinpath("worst_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _plain(password: str) -> bytes:
    # a lone surrogate is no text but may be sent
    return _normal(password).encode("utf-8", "surrogatepass")
