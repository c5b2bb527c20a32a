"""Loops over bytes: the words of the lexicon in normalised texts, by one walk through a trie.

At each place where a word may begin the longest word is taken, and reading goes on behind it. Written Latin words
match whole, with or without the plural's s; Chinese words match anywhere.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from jiqun.core.arrays import Floats, Integers

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int32]

CLASS, TAIL, USED, ALSO, SKIP, IGNORE, MAKE, SELL, DESIGN = range(9)
"""Roles of words; see `jiqun.taxonomy.lexicon`."""

Int: TypeAlias = int | np.signedinteger[Any]

MOST = 64
"""Different words of one text that count."""

ANY = -2
"""Instead of a side: all of them."""

MODIFIER = 0.25
"""Weight of a word that stands right before one of another division: in "bank software" the head is the software."""

_SPACE, _STOP, _SEMICOLON, _COMMA, _NEWLINE, _EXCLAIM, _ASK = 32, 46, 59, 44, 10, 33, 63
_KEPT = (_STOP, _SEMICOLON, _COMMA, _NEWLINE, _EXCLAIM, _ASK)
_SPREAD = 0x9E3779B97F4A7C15


@njit(cache=True, nogil=True)
def fold(text: Bytes, starts: Integers) -> tuple[Bytes, Integers]:
    """Texts as the words are written: lower case, half width, one blank for whatever separates words but , ; . ! ? 、 。."""
    folded = np.empty(len(text), np.uint8)
    moved = np.empty(len(starts), np.int64)
    to = 0
    for row in range(len(starts) - 1):
        at, stop = starts[row], starts[row + 1]
        moved[row] = to
        blank = True
        while at < stop:
            byte: Int = np.int64(text[at])
            at += 1
            if byte == 0xEF and at + 1 < stop and 0xBC <= text[at] <= 0xBD:  # full-width forms of ASCII
                wide = (np.int64(text[at]) - 0xBC) * 64 + np.int64(text[at + 1]) - 0x81 + 0x21
                if wide < 0x7F:
                    byte = wide
                    at += 2
            elif byte == 0xE2 and at + 1 < stop and text[at] == 0x80:  # quotation marks and dashes
                byte = _SPACE
                at += 2
            elif byte == 0xE3 and at + 1 < stop and text[at] == 0x80 and (text[at + 1] == 0x80 or text[at + 1] >= 0x88):
                byte = _SPACE  # ideographic blank and brackets
                at += 2
            if 65 <= byte <= 90:
                byte += 32
            elif byte < 0x80 and not _letter(byte) and byte not in _KEPT:
                byte = _SPACE
            if byte != _SPACE or not blank:
                folded[to] = byte
                to += 1
            blank = byte == _SPACE
    moved[-1] = to
    return folded[:to], moved


@njit(cache=True, nogil=True)
def slot(key: Int, mask: int) -> Int:
    """Where in the table a key is looked for first."""
    return np.int64((np.uint64(key) * np.uint64(_SPREAD)) >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def build(words: Bytes, ends: Integers, size: int) -> tuple[Integers, Words, Words]:
    """The trie of all words: a table of (node, byte) with the nodes they lead to, and the word that ends at each node."""
    keys = np.full(size, -1, np.int64)
    nexts = np.zeros(size, np.int32)
    accept = np.full(len(words) + 1, -1, np.int32)
    mask, nodes, begin = size - 1, 1, 0
    for word in range(len(ends)):
        node = 0
        for at in range(begin, ends[word]):
            key = node * 256 + np.int64(words[at])
            i = slot(key, mask)
            while keys[i] not in (-1, key):
                i = (i + 1) & mask
            if keys[i] == -1:
                keys[i], nexts[i] = key, nodes
                nodes += 1
            node = nexts[i]
        accept[node] = word
        begin = ends[word]
    return keys, nexts, accept[:nodes]


@njit(cache=True, nogil=True)
def _letter(byte: Int | np.uint8) -> bool:
    return bool(97 <= byte <= 122 or 48 <= byte <= 57)


@njit(cache=True, nogil=True)
def _whole(text: Bytes, end: Int, stop: Int) -> Int:
    """Where a word that was read up to `end` is over, with its plural's s; -1 where it goes on as another word."""
    if not _letter(text[end - 1]) or end >= stop or not _letter(text[end]):
        return end
    for plural in (1, 2):
        if plural == 2 and text[end] != 101:
            return -1
        last = end + plural - 1
        if last < stop and text[last] == 115 and (last + 1 >= stop or not _letter(text[last + 1])):
            return last + 1
    return -1


@njit(cache=True, nogil=True)
def _sentence_ends(text: Bytes, at: Int, stop: Int) -> bool:
    """Whether the full stop at `at` ends a sentence: not one within a number or after an abbreviation (Co., Ltd.)."""
    if at + 1 < stop and text[at + 1] != _SPACE:
        return False
    begin = at
    while begin > 0 and _letter(text[begin - 1]) and at - begin < 5:
        begin -= 1
    return bool(at - begin > 3 or at == begin)


@njit(cache=True, nogil=True)
def find_words(
    text: Bytes,
    starts: Integers,
    keys: Integers,
    nexts: Words,
    accept: Words,
    roles: Words,
    codes: Words,
    weights: Floats,
    sides: Words,
    sold_as: Words,
    designed_as: Words,
    sentence_decay: Floats,
    item_decay: Floats,
    listing: bool,
    found: Words,
    found_code: Words,
    found_weight: Floats,
) -> Integers:
    """The different words of each text, each with its code and the greatest weight that it has anywhere in the text.

    `sides` is the division of each code. `sold_as` and `designed_as` say what a word's code becomes where things are
    sold or designed but not made: in its item where the text is a `listing` of items, else anywhere in the text. The last
    three arrays are filled, a row per text. Returns how many words each text has.
    """
    mask = len(keys) - 1
    texts = len(starts) - 1
    heard, heard_weight = np.empty(MOST, np.int32), np.empty(MOST, np.float64)
    counts = np.zeros(texts, np.int64)
    for row in range(texts):
        at, stop = starts[row], starts[row + 1]
        count = sentence = item = pending = in_item = 0
        factor = 1.0
        makes = sells = designs = tail = informs = False
        before_end, before_side = -2, -1
        while at <= stop:
            byte = text[at] if at < stop else _NEWLINE
            width = 1
            ends = byte in (_SEMICOLON, _NEWLINE, _EXCLAIM, _ASK) or (byte == _STOP and _sentence_ends(text, at, stop))
            divides = ends or byte == _COMMA
            if byte == 0xE3 and at + 2 < stop and text[at + 1] == 0x80:  # 、 and 。
                ends = text[at + 2] == 0x82
                divides = ends or text[at + 2] == 0x81
                width = 3
            if divides:
                if listing or at >= stop:
                    for i in range(pending):
                        word = heard[i]
                        code, weight = codes[word], heard_weight[i]
                        if not makes and designs and designed_as[code] != code:
                            code = designed_as[code]
                        elif not makes and sells and sold_as[code] != code:
                            code, weight = sold_as[code], 0.5 * weight
                        count = _noted(word, code, weight, row, count, found, found_code, found_weight)
                    makes = sells = designs = False
                    pending = 0
                if in_item > 0 or not tail:
                    item += 1
                informs = informs or in_item > 0
                if ends:
                    factor = 1.0
                    sentence += informs
                    informs = False
                    if not listing:
                        item = 0
                in_item, tail = 0, False
                at += width
                continue
            if byte < 0x80 and not _letter(byte):
                at += 1
                continue
            node, end, word, best = 0, at, -1, at
            while end < stop:
                key = np.int64(node) * 256 + np.int64(text[end])
                place = slot(key, mask)
                while keys[place] not in (-1, key):
                    place = (place + 1) & mask
                if keys[place] == -1:
                    break
                node = nexts[place]
                end += 1
                if accept[node] >= 0:
                    over = _whole(text, end, stop)
                    if over > 0:
                        word, best = accept[node], over
            if word < 0:
                at += 1
                while at < stop and (_letter(text[at]) if byte < 0x80 else 0x80 <= text[at] < 0xC0):
                    at += 1
                continue
            role = roles[word]
            if role == CLASS:
                if factor > 0.0 and pending < MOST:
                    side = sides[codes[word]]
                    if side != before_side and at - before_end <= 1 and in_item > 0:
                        heard_weight[pending - 1] *= MODIFIER
                    heard[pending] = word
                    heard_weight[pending] = (
                        weights[word] * factor * _at(sentence, sentence_decay) * _at(item, item_decay)
                    )
                    pending += 1
                    in_item += 1
                    before_end, before_side = best, side
            elif role == TAIL:
                tail = True
            elif role == MAKE:
                makes = True
            elif role == SELL:
                sells = True
            elif role == DESIGN:
                designs = True
            elif role in (USED, ALSO, SKIP):
                factor = min(factor, weights[word])
            at = best
        counts[row] = count
    return counts


@njit(cache=True, nogil=True)
def _at(place: int, decay: Floats) -> float:
    """The weight of what stands at a place, the first being 0."""
    return float(decay[min(place, len(decay) - 1)])


@njit(cache=True, nogil=True)
def _noted(
    word: int,
    code: int,
    weight: float,
    row: int,
    count: int,
    found: Words,
    found_code: Words,
    found_weight: Floats,
) -> int:
    for i in range(count):
        if found[row, i] == word:
            if weight > found_weight[row, i]:
                found_weight[row, i], found_code[row, i] = weight, code
            return count
    if count < MOST:
        found[row, count], found_code[row, count], found_weight[row, count] = word, code, weight
        return count + 1
    return count


@njit(cache=True, nogil=True)
def add_up(counts: Integers, found_code: Words, found_weight: Floats, codes: int) -> Floats:
    """The weight of each code in each text."""
    sums = np.zeros((len(counts), codes))
    for row in range(len(counts)):
        for i in range(counts[row]):
            sums[row, found_code[row, i]] += found_weight[row, i]
    return sums


@njit(cache=True, nogil=True)
def heaviest(
    counts: Integers, found: Words, found_code: Words, found_weight: Floats, sides: Words, wanted: Words, most: int
) -> Words:
    """The heaviest words of each text that speak for the `wanted` side of its row (any side where that is -2); else -1."""
    top = np.full((len(counts), most), -1, np.int32)
    taken = np.zeros(MOST, np.bool_)
    for row in range(len(counts)):
        taken[:] = False
        for place in range(most):
            best = -1
            for i in range(counts[row]):
                side = sides[found_code[row, i]]
                asked = wanted[row] == ANY or wanted[row] == side  # numba cannot mix the types
                fits = asked and not taken[i] and found_weight[row, i] > 0.0
                if fits and (best < 0 or found_weight[row, i] > found_weight[row, best]):
                    best = i
            if best < 0:
                break
            taken[best] = True
            top[row, place] = found[row, best]
    return top
