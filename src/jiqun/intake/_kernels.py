"""Loops over bytes and hashes: CSV records, credit-code check digits, the table of identity keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

GOOD, BLANK, RAGGED, UNCLOSED, ODD = 0, 1, 2, 3, 4
"""What a record is: usable, empty, with the wrong number of fields, with a quote never closed, or usable
but with quotes where RFC 4180 has none (parsed one by one)."""

_QUOTE, _LF, _CR = 34, 10, 13
_TAB, _SPACE, _DELETE = 9, 32, 127


@njit(cache=True, nogil=True)
def _field(buf: Bytes, at: int, size: int, delimiter: int) -> tuple[int, bool, bool, bool, bool]:
    """End of the field that starts at `at`; and: is it unclosed, odd, spread over lines, with control characters."""
    odd = lines = control = False
    i = at
    if i < size and buf[i] == _QUOTE:
        i += 1
        while True:
            while i < size and buf[i] != _QUOTE:
                if buf[i] < _SPACE:
                    control = True
                    lines = lines or buf[i] == _LF
                i += 1
            if i >= size:
                return i, True, odd, lines, control
            i += 1
            if i < size and buf[i] == _QUOTE:
                i += 1
                continue
            break
        if i < size and buf[i] not in (delimiter, _LF) and not (buf[i] == _CR and (i + 1 >= size or buf[i + 1] == _LF)):
            odd = True
    while i < size:
        byte = buf[i]
        if byte in (delimiter, _LF):
            break
        if byte == _QUOTE:
            odd = True
        elif (byte < _SPACE and byte != _CR) or byte == _DELETE:
            control = True
        i += 1
    return i, False, odd, lines, control


@njit(cache=True, nogil=True)
def scan_records(
    buf: Bytes,
    begin: int,
    size: int,
    delimiter: int,
    fields: int,
    longest: int,
    final: bool,
    starts: Ints,
    ends: Ints,
    counts: Ints,
    states: Bytes,
) -> tuple[int, int, bool]:
    """Find the records of `buf[begin:size]`.

    Returns how many, where the next one begins, and whether any cell may hold control characters; fills start, end
    (without line end), number of fields and state of each.

    `fields` 0 takes any number of them. A record whose quote is never closed, is longer than `longest`, or spreads
    over lines and does not fit, is given up at its first line end, so that it takes no good row with it.
    """
    found = 0
    at = begin
    controlled = False
    while at < size and found < starts.size:
        i = at
        count = 0
        odd = lines = unclosed = control = False
        while True:
            i, open_, odd_, lines_, control_ = _field(buf, i, size, delimiter)
            count += 1
            odd |= odd_
            lines |= lines_
            unclosed |= open_
            control |= control_
            if i >= size or buf[i] == _LF or i - at > longest:
                break
            i += 1
        if i >= size and not final and i - at <= longest:
            break
        misfit = fields > 0 and count != fields
        broken = unclosed or i - at > longest or (lines and (odd or misfit))
        if broken:
            i = at
            while i < size and buf[i] != _LF:
                i += 1
            if i >= size and not final:
                break
        controlled |= control
        end = i
        if end > at and buf[end - 1] == _CR:
            end -= 1
        starts[found] = at
        ends[found] = end
        counts[found] = count
        if end == at:
            states[found] = BLANK
        elif broken:
            states[found] = UNCLOSED
        elif misfit:
            states[found] = RAGGED
        else:
            states[found] = ODD if odd else GOOD
        found += 1
        at = i + 1
    return found, min(at, size), controlled


@njit(cache=True, nogil=True)
def join_records(buf: Bytes, starts: Ints, ends: Ints) -> Bytes:
    """The records one after the other, each closed with a line feed."""
    out = np.empty(int((ends - starts).sum()) + starts.size, dtype=np.uint8)
    at = 0
    for k in range(starts.size):
        length = ends[k] - starts[k]
        out[at : at + length] = buf[starts[k] : ends[k]]
        out[at + length] = _LF
        at += length + 1
    return out


USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_LENGTH = 18
_USCC_WEIGHTS = np.array([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28], dtype=np.int64)
_USCC_VALUES = np.full(256, -1, dtype=np.int64)
_USCC_CHARACTERS = np.frombuffer(USCC_ALPHABET.encode(), dtype=np.uint8)
_USCC_VALUES[_USCC_CHARACTERS] = np.arange(31)


USCC_GOOD, USCC_MALFORMED = 0, 1


@njit(cache=True, nogil=True)
def _uscc(data: Bytes, offsets: Ints, values: Ints, weights: Ints, alphabet: Bytes) -> Bytes:
    out = np.full(offsets.size - 1, USCC_MALFORMED, dtype=np.uint8)
    for k in range(out.size):
        at = offsets[k]
        if offsets[k + 1] - at != USCC_LENGTH:
            continue
        total = 0
        for j in range(USCC_LENGTH):
            value = values[data[at + j]]
            if value < 0 or (j < 8 and value > 9):  # eight digits, then digits or letters
                break
            if j < USCC_LENGTH - 1:
                total += value * weights[j]
            else:
                right = (31 - total % 31) % 31
                out[k] = USCC_GOOD if value == right else alphabet[right]
    return out


def uscc(data: Bytes, offsets: Ints) -> Bytes:
    """What each text (UTF-8 bytes and offsets) is as a credit code 信用代码 of GB 32100-2015.

    `USCC_GOOD`, `USCC_MALFORMED`, or the check character that its first seventeen characters ask for.
    """
    told: Bytes = _uscc(data, offsets, _USCC_VALUES, _USCC_WEIGHTS, _USCC_CHARACTERS)
    return told


@njit(cache=True, nogil=True)
def fill_slots(slots: npt.NDArray[np.int32], first: Hashes, count: int) -> None:
    """Enter the first `count` keys into empty `slots` (a power of two in size)."""
    mask = np.uint64(slots.size - 1)
    for k in range(count):
        at = first[k] & mask
        while slots[at] >= 0:
            at = (at + np.uint64(1)) & mask
        slots[at] = k


@njit(cache=True, nogil=True)
def find_or_add(
    slots: npt.NDArray[np.int32], first: Hashes, second: Hashes, count: int, new_first: Hashes, new_second: Hashes
) -> tuple[Ints, int]:
    """Position of each new key among the known ones; unknown keys are added. Returns positions and the new count."""
    mask = np.uint64(slots.size - 1)
    out = np.empty(new_first.size, dtype=np.int64)
    for k in range(new_first.size):
        a, b = new_first[k], new_second[k]
        at = a & mask
        while True:
            position = slots[at]
            if position < 0:
                slots[at] = count
                first[count], second[count] = a, b
                out[k] = count
                count += 1
                break
            if first[position] == a and second[position] == b:
                out[k] = position
                break
            at = (at + np.uint64(1)) & mask
    return out, count


@njit(cache=True, nogil=True)
def find(
    slots: npt.NDArray[np.int32], first: Hashes, second: Hashes, wanted_first: Hashes, wanted_second: Hashes
) -> Ints:
    """Position of each key among the known ones, -1 where it is not known."""
    mask = np.uint64(slots.size - 1)
    out = np.full(wanted_first.size, -1, dtype=np.int64)
    for k in range(wanted_first.size):
        a, b = wanted_first[k], wanted_second[k]
        at = a & mask
        while slots[at] >= 0:
            position = slots[at]
            if first[position] == a and second[position] == b:
                out[k] = position
                break
            at = (at + np.uint64(1)) & mask
    return out
