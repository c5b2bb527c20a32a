"""Loops over names: folding characters, taking a name apart, hashing what is left of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]
Number = Any
"""One number: what the compiler makes of it is neither Python's int nor numpy's."""

LONGEST = 200
"""Characters of a name that count."""
SPACE, OPEN, CLOSE = 0x20, 0x28, 0x29
DROP, EXPAND = 0, 0x200000
"""In the table of characters: nothing is left of it; or it becomes several, found in the pool at the rest of the value."""
PRIVATE, PRIVATE_SIZE = 0xE000, 0x1800
FORMED, GROUP, BRANCH, LATIN = 1, 2, 4, 8
"""Flags of a name: it says its legal form; that it is a group; a branch; it is written in Latin letters."""
ROLE_FORM, ROLE_GROUP, ROLE_BRANCH, ROLE_TRADE, ROLE_FORMER, ROLE_PLACE, ROLE_COUNTY = 1, 2, 3, 4, 5, 6, 7
_WORD = 40
_LEAST_HAN, _LEAST_LATIN = 2, 3
_CITY = 100
_PROVINCE = 10_000
_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)


@njit(cache=True, nogil=True)
def mix(h: Number) -> Number:
    """Spread the bits of a hash (finaliser of MurmurHash3)."""
    h = np.uint64(h)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(33)
    return h


@njit(cache=True, nogil=True)
def hash_codes(codes: Codes, start: Number, end: Number, salt: Number) -> Number:
    """A 64-bit hash of codes, other for another salt; never 0, which stands for none."""
    h = _SEED ^ mix(np.uint64(salt))
    for k in range(start, end):
        h = (h ^ np.uint64(codes[k])) * _PRIME
    h = mix(h)
    return h if h != np.uint64(0) else np.uint64(1)


@njit(cache=True, nogil=True)
def _hash_back(codes: Codes, end: Number, length: Number, salt: Number) -> Number:
    h = _SEED ^ mix(np.uint64(salt))
    for k in range(end - 1, end - 1 - length, -1):
        h = (h ^ np.uint64(codes[k])) * _PRIME
    h = mix(h)
    return h if h != np.uint64(0) else np.uint64(1)


@njit(cache=True, nogil=True)
def look_up(keys: Hashes, values: Ints, wanted: Number) -> Number:
    """The value of a key in a table with open addressing; -1 if it is not there."""
    mask = np.uint64(keys.size - 1)
    at = wanted & mask
    while keys[at] != np.uint64(0):
        if keys[at] == wanted:
            return values[at]
        at = (at + np.uint64(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def _enter(keys: Hashes, values: Ints, key: Number, value: Number) -> None:
    mask = np.uint64(keys.size - 1)
    at = key & mask
    while keys[at] != np.uint64(0) and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    if keys[at] == np.uint64(0):
        keys[at], values[at] = key, value


@njit(cache=True, nogil=True)
def enter_words(
    keys: Hashes, values: Ints, codes: Codes, offsets: Ints, roles: Ints, parents: Ints, entered: Ints
) -> None:
    """Enter words with their roles; the first of equal words counts. Endings are hashed from their end."""
    for k in range(offsets.size - 1):
        start, end = offsets[k], offsets[k + 1]
        salt = roles[k] + 16 * parents[k]
        if roles[k] in (ROLE_FORM, ROLE_GROUP, ROLE_BRANCH, ROLE_TRADE):
            _enter(keys, values, _hash_back(codes, end, end - start, salt), entered[k])
        else:
            _enter(keys, values, hash_codes(codes, start, end, salt), entered[k])


@njit(cache=True, nogil=True)
def _decode(data: Bytes, at: Number) -> tuple[Number, Number]:
    """The code point that starts at a byte of UTF-8, and where the next one starts."""
    b = data[at]
    if b < 0x80:
        return np.int64(b), at + 1
    if b < 0xE0:
        return (np.int64(b & 0x1F) << 6) | np.int64(data[at + 1] & 0x3F), at + 2
    if b < 0xF0:
        high = (np.int64(b & 0x0F) << 12) | (np.int64(data[at + 1] & 0x3F) << 6)
        return high | np.int64(data[at + 2] & 0x3F), at + 3
    high = (np.int64(b & 0x07) << 18) | (np.int64(data[at + 1] & 0x3F) << 12)
    return high | (np.int64(data[at + 2] & 0x3F) << 6) | np.int64(data[at + 3] & 0x3F), at + 4


@njit(cache=True, nogil=True)
def fold(data: Bytes, offsets: Ints, table: npt.NDArray[np.int32], pool: Codes) -> tuple[Codes, Ints]:
    """Names as codes of folded characters: letters, digits, single spaces and round brackets."""
    count = offsets.size - 1
    out = np.empty(int(offsets[count] - offsets[0]) * 2 + 16, dtype=np.uint16)
    ends = np.zeros(count + 1, dtype=np.int64)
    n = 0
    for k in range(count):
        begin = n
        if n + LONGEST > out.size:
            grown = np.empty(out.size * 2 + LONGEST, dtype=np.uint16)
            grown[:n] = out[:n]
            out = grown
        at, end = offsets[k], offsets[k + 1]
        while at < end and n - begin < LONGEST:
            point, at = _decode(data, at)
            if point >= 0x10000:
                out[n] = PRIVATE + point % PRIVATE_SIZE
                n += 1
                continue
            value = table[point]
            if value == DROP:
                continue
            if value >= EXPAND:
                place = value - EXPAND
                size = pool[place]
                for j in range(size):
                    if n - begin < LONGEST:
                        out[n] = pool[place + 1 + j]
                        n += 1
                continue
            if value == SPACE and (n == begin or out[n - 1] == SPACE):
                continue
            out[n] = value
            n += 1
        while n > begin and out[n - 1] == SPACE:
            n -= 1
        ends[k + 1] = n
    return out[:n].copy(), ends


@njit(cache=True, nogil=True)
def _latin(code: Number) -> Number:
    return code < 0x0500 and code != SPACE


@njit(cache=True, nogil=True)
def _edge(codes: Codes, at: Number, end: Number, first: Number) -> Number:
    """Whether a word whose outermost code is `first` may end between `at - 1` and `at`: Latin words are not cut."""
    return at >= end or not _latin(codes[at]) or not _latin(first)


@njit(cache=True, nogil=True)
def _bare(codes: Codes, start: Number, end: Number) -> Number:
    """How many codes there are, without spaces."""
    n = 0
    for k in range(start, end):
        n += codes[k] != SPACE
    return n


@njit(cache=True, nogil=True)
def _ending(
    keys: Hashes, values: Ints, codes: Codes, start: Number, end: Number, role: Number
) -> tuple[Number, Number]:
    """Length and value of the longest word of a role at the end of a name; 0 where there is none."""
    best, found = 0, -1
    h = _SEED ^ mix(np.uint64(role))
    for length in range(1, min(_WORD, end - start) + 1):
        h = (h ^ np.uint64(codes[end - length])) * _PRIME
        m = mix(h)
        value = look_up(keys, values, m if m != np.uint64(0) else np.uint64(1))
        if value >= 0:
            before = end - length - 1
            if before < start or not _latin(codes[before]) or not _latin(codes[end - length]):
                best, found = length, value
    return best, found


@njit(cache=True, nogil=True)
def _beginning(
    keys: Hashes, values: Ints, codes: Codes, start: Number, end: Number, salt: Number
) -> tuple[Number, Number]:
    """Length and value of the longest word at the beginning of a name; 0 where there is none."""
    best, found = 0, -1
    h = _SEED ^ mix(np.uint64(salt))
    for length in range(1, min(_WORD, end - start) + 1):
        h = (h ^ np.uint64(codes[start + length - 1])) * _PRIME
        m = mix(h)
        value = look_up(keys, values, m if m != np.uint64(0) else np.uint64(1))
        if value >= 0 and _edge(codes, start + length, end, codes[start + length - 1]):
            best, found = length, value
    return best, found


@njit(cache=True, nogil=True)
def within(inner: Number, outer: Number) -> Number:
    """Whether a division lies in another, by their codes of GB/T 2260; anything lies in 0."""
    if outer == 0:
        return True
    if outer % _PROVINCE == 0:
        return inner // _PROVINCE == outer // _PROVINCE
    if outer % _CITY == 0:
        return inner // _CITY == outer // _CITY
    return inner == outer


@njit(cache=True, nogil=True)
def _place(
    keys: Hashes, values: Ints, codes: Codes, start: Number, end: Number, least: Number
) -> tuple[Number, Number]:
    """Take divisions from the beginning of a text, from the widest on. Where it goes on, and the finest of them."""
    place: Number = np.int64(0)
    at = start
    for _ in range(4):
        length, code = _beginning(keys, values, codes, at, end, ROLE_PLACE)
        if place > 0 and (length == 0 or not within(code, place)):
            parent = place // _CITY if place % _PROVINCE != 0 else place // _PROVINCE
            length, code = _beginning(keys, values, codes, at, end, ROLE_COUNTY + 16 * parent)
        if length == 0 or code < 0 or not within(code, place):
            break
        following = at + length
        while following < end and codes[following] == SPACE:
            following += 1
        if _bare(codes, following, end) < least:
            break
        at, place = following, code
    return at, place


@njit(cache=True, nogil=True)
def place_codes(codes: Codes, offsets: Ints, keys: Hashes, values: Ints) -> Places:
    """The finest division at the beginning of each text, as its code of GB/T 2260; 0 where it begins with none."""
    out = np.zeros(offsets.size - 1, dtype=np.int32)
    for k in range(out.size):
        _, place = _place(keys, values, codes, offsets[k], offsets[k + 1], 0)
        out[k] = place
    return out


@njit(cache=True, nogil=True)
def _unbracketed(
    codes: Codes, start: Number, end: Number, keys: Hashes, values: Ints, buffer: Codes
) -> tuple[Number, Number, Number]:
    """A name without its brackets: places and forms in them are taken out, former names dropped, the rest stays.

    Returns how long it is, the place that stood in a bracket, and flags.
    """
    place: Number = np.int64(0)
    n, flags = 0, 0
    at = start
    while at < end:
        if codes[at] == CLOSE:
            at += 1
            continue
        if codes[at] != OPEN:
            buffer[n] = codes[at]
            n += 1
            at += 1
            continue
        close = at + 1
        while close < end and codes[close] != CLOSE:
            close += 1
        inner = at + 1
        at = min(close + 1, end)
        if inner >= close:
            continue
        rest, code = _place(keys, values, codes, inner, close, 0)
        if code > 0 and rest >= close:
            place = code
            continue
        length, _ = _beginning(keys, values, codes, inner, close, ROLE_FORMER)
        if length and n:
            continue
        for role in (ROLE_FORM, ROLE_GROUP):
            length, _ = _ending(keys, values, codes, inner, close, role)
            if length == close - inner:
                flags |= GROUP | FORMED if role == ROLE_GROUP else FORMED
                inner = close
                break
        for k in range(inner, close):
            if codes[k] != OPEN:
                buffer[n] = codes[k]
                n += 1
    return n, place, flags


@njit(cache=True, nogil=True)
def take_apart(
    codes: Codes, offsets: Ints, keys: Hashes, values: Ints
) -> tuple[Hashes, Hashes, Places, Bytes, Codes, Ints, Bytes]:
    """Names taken apart.

    Returns for each name the hash of its normal form and of its core, the place that it names, its flags, the cores
    (codes and offsets), and how many codes of the core are the trade name.
    """
    count = offsets.size - 1
    normal = np.zeros(count, dtype=np.uint64)
    core = np.zeros(count, dtype=np.uint64)
    places = np.zeros(count, dtype=np.int32)
    flags = np.zeros(count, dtype=np.uint8)
    trade = np.zeros(count, dtype=np.uint8)
    ends = np.zeros(count + 1, dtype=np.int64)
    out = np.empty(codes.size, dtype=np.uint16)
    buffer = np.empty(LONGEST + 8, dtype=np.uint16)
    plain = np.empty(LONGEST + 8, dtype=np.uint16)
    n = 0
    for k in range(count):
        size, place, flag = _unbracketed(codes, offsets[k], offsets[k + 1], keys, values, buffer)
        while size and buffer[size - 1] == SPACE:
            size -= 1
        whole = 0
        for j in range(offsets[k], offsets[k + 1]):
            if codes[j] != SPACE and codes[j] != OPEN and codes[j] != CLOSE:
                plain[whole] = codes[j]
                whole += 1
        begin = n
        if whole == 0:
            ends[k + 1] = n
            continue
        normal[k] = hash_codes(plain, 0, whole, 0)
        if size == 0:  # nothing but a place or a form in brackets
            buffer[:whole] = plain[:whole]
            size, place = whole, np.int64(0)
        start, end = 0, size
        while start < end and buffer[start] == SPACE:
            start += 1
        least = _LEAST_LATIN if _latin(buffer[start]) else _LEAST_HAN
        length, _ = _ending(keys, values, buffer, start, end, ROLE_BRANCH)
        if length:
            flag |= BRANCH
        stripping = not flag & BRANCH
        while stripping:
            stripping = False
            for role in (ROLE_FORM, ROLE_GROUP):
                length, _ = _ending(keys, values, buffer, start, end, role)
                if length and _bare(buffer, start, end - length) >= least:
                    flag |= GROUP | FORMED if role == ROLE_GROUP else FORMED
                    end -= length
                    while end > start and buffer[end - 1] == SPACE:
                        end -= 1
                    stripping = True
                    break
        # of Latin names an article may stand in front
        length, _ = _beginning(keys, values, buffer, start, end, ROLE_FORM + 16)
        if length and _bare(buffer, start + length, end) >= least:
            start += length
            while start < end and buffer[start] == SPACE:
                start += 1
        start, named = _place(keys, values, buffer, start, end, least)
        if named > 0 and (place == 0 or within(named, place)):
            place = named
        latin = 0
        for j in range(start, end):
            if buffer[j] != SPACE:
                out[n] = buffer[j]
                latin += _latin(buffer[j])
                n += 1
        if latin * 2 > n - begin:
            flag |= LATIN
        core[k] = hash_codes(out, begin, n, 1)
        last = n
        length = 1
        while length:
            length, _ = _ending(keys, values, out, begin, last, ROLE_TRADE)
            if last - length - begin < _LEAST_HAN:
                break
            last -= length
        trade[k] = min(last - begin, 255)
        places[k], flags[k] = place, flag
        ends[k + 1] = n
    return normal, core, places, flags, out[:n].copy(), ends, trade
