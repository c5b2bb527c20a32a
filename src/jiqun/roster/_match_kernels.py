"""Loops of matching: grams and their weights, the index of the roster, candidates and their scores.

A pair is looked at if the two names share a *key*: credit code, normal form, core, core without one character (so every
pair within one edit shares one), the first three characters of the core, or one of their rarest grams. The last is the
prefix filter of Chaudhuri, Ganti and Kaushik (2006) and Bayardo, Ma and Srikant (2007): of two weighted sets with

    2 w(A & B) / (w(A) + w(B)) >= t,   each has   w(A & B) >= t / (2 - t) w(A),

so the rarest members of A whose remainder weighs less than that hold the rarest common member, and so do B's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from jiqun.roster._kernels import (
    BRANCH,
    FORMED,
    GROUP,
    LATIN,
    Bytes,
    Codes,
    Hashes,
    Ints,
    Number,
    Places,
    hash_codes,
    look_up,
    mix,
)

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint32]

BUCKETS = 1 << 22
"""Of counted grams."""
DICE = 2.0 / 3.0
"""Least share of common grams (weighted Dice) by which two names can be alike: with less no pair reaches `REVIEW`."""
LEAST_SHARE = 0.4
"""How much of the longer core the shorter one must be to count as its beginning."""
FIRST = 3
MOST_GRAMS = 64
_GRAM, _LATIN_GRAM = 2, 4
_LATIN_FIRST = 8
_EDIT_SHORT, _EDIT_LONG, _EDIT_LATIN = 3, 12, 16
_LIGHTEST = 0.05
_CITY, _PROVINCE = 100, 10_000
_MUNICIPAL = (11, 12, 31, 50)

KEY_USCC, KEY_NORMAL, KEY_CORE, KEY_EDIT, KEY_FIRST, KEY_GRAM = 11, 12, 13, 14, 15, 16

(
    USCC_SAME, USCC_DIFFERS, NORMAL_SAME, CORE_SAME, ONE_EDIT, BEGINS, GRAMS, PLACE_SAME, PROVINCE_SAME, PLACE_DIFFERS,
    GROUP_DIFFERS, BRANCH_DIFFERS, WEAK_CORE, OTHER_NAME, UNFORMED,
) = (1 << bit for bit in range(15))  # fmt: skip
"""What spoke for and against a pair."""

REVIEW = 0.6
"""Least score at which a pair is kept at all."""
_USCC, _NORMAL, _CORE, _ALIKE = 1.0, 0.97, 0.84, 0.84
_PLACE, _IN_PROVINCE, _ELSEWHERE = 0.04, 0.005, -0.16
_OTHER_NAME, _GROUP, _BRANCH, _WEAK, _SHORT = -0.02, -0.08, -0.25, -0.08, -0.04
_ANOTHER_CODE = 0.7
"""The parts of a score. Nothing here is a probability."""
_WEAK_GRAMS = 2


@njit(cache=True, nogil=True)
def _gram_keys(codes: Codes, start: Number, end: Number, latin: bool, keys: Hashes) -> Number:
    """The different grams of a core: pairs of characters, of Latin names runs of four; shorter cores are one gram."""
    n = 0
    size = _LATIN_GRAM if latin else _GRAM
    size = min(size, end - start)
    if size == 0:
        return 0
    for k in range(start, end - size + 1):
        key = np.uint64(size)
        for j in range(k, k + size):
            key = key * np.uint64(0x10001) + np.uint64(codes[j])
        seen = False
        for j in range(n):
            if keys[j] == key:
                seen = True
                break
        if not seen and n < MOST_GRAMS:
            keys[n] = key
            n += 1
    return n


@njit(cache=True, nogil=True)
def count_grams(codes: Codes, offsets: Ints, flags: Bytes, counts: npt.NDArray[np.uint32]) -> None:
    """Add to `counts`, by bucket, in how many names each gram occurs."""
    keys = np.empty(MOST_GRAMS, dtype=np.uint64)
    mask = np.uint64(counts.size - 1)
    for k in range(offsets.size - 1):
        for j in range(_gram_keys(codes, offsets[k], offsets[k + 1], (flags[k] & LATIN) > 0, keys)):
            counts[mix(keys[j]) & mask] += 1


@njit(cache=True, nogil=True)
def _sorted_grams(
    codes: Codes, start: Number, end: Number, latin: bool, weights: Weights, keys: Hashes, weighed: Floats
) -> tuple[Number, Number, Number]:
    """Grams of a core, the rarest first; how many, their weight together, and how many are its prefix."""
    n = _gram_keys(codes, start, end, latin, keys)
    mask = np.uint64(weights.size - 1)
    total = 0.0
    for j in range(n):
        key = keys[j]
        weight = np.float64(weights[mix(key) & mask])
        at = j
        while at > 0 and (weighed[at - 1] < weight or (weighed[at - 1] == weight and keys[at - 1] > key)):
            weighed[at], keys[at] = weighed[at - 1], keys[at - 1]
            at -= 1
        weighed[at], keys[at] = weight, key
    for j in range(n):
        total += weighed[j]
    rest, needed = total, total * DICE / (2.0 - DICE) * (1.0 - 1e-9)
    prefix = 0
    while prefix < n and rest >= needed:
        rest -= weighed[prefix]
        prefix += 1
    return n, total, prefix


@njit(cache=True, nogil=True)
def _block_keys(
    codes: Codes,
    start: Number,
    end: Number,
    latin: bool,
    normal: Number,
    core: Number,
    grams: Hashes,
    prefix: Number,
    exact: Number,
    out: Hashes,
) -> Number:
    """The keys of one name, without that of its credit code; `exact`: only those of its normal form and core.

    Those of its grams stand last.
    """
    n = 0
    if normal:
        out[n] = mix(normal ^ mix(np.uint64(KEY_NORMAL)))
        n += 1
    length = end - start
    if length == 0:
        return n
    out[n] = mix(core ^ mix(np.uint64(KEY_CORE)))
    n += 1
    if exact:
        return n
    longest = _EDIT_LATIN if latin else _EDIT_LONG
    if length + 1 >= _EDIT_SHORT and length <= longest:
        # the core itself, too: one may be the other with a character left out
        out[n] = hash_codes(codes, start, end, KEY_EDIT)
        n += 1
        if length >= _EDIT_SHORT:
            spare = np.empty(length - 1, dtype=np.uint16)
            for left_out in range(length):
                for j in range(length - 1):
                    spare[j] = codes[start + j + (j >= left_out)]
                out[n] = hash_codes(spare, 0, length - 1, KEY_EDIT)
                n += 1
    first = _LATIN_FIRST if latin else FIRST
    if length >= first:
        out[n] = hash_codes(codes, start, start + first, KEY_FIRST)
        n += 1
    for j in range(prefix):
        out[n] = mix(grams[j] ^ mix(np.uint64(KEY_GRAM)))
        n += 1
    # each once
    m = 0
    for k in range(n):
        seen = False
        for j in range(m):
            if out[j] == out[k]:
                seen = True
                break
        if not seen:
            out[m] = out[k]
            m += 1
    return m


@njit(cache=True, nogil=True)
def name_keys(
    codes: Codes,
    offsets: Ints,
    flags: Bytes,
    normal: Hashes,
    core: Hashes,
    weights: Weights,
    wanted: npt.NDArray[np.bool_],
    exact: Number,
) -> tuple[Hashes, Rows]:
    """The keys of the wanted names, with the name each belongs to; `exact` as in `_block_keys`."""
    grams, weighed = np.empty(MOST_GRAMS, dtype=np.uint64), np.empty(MOST_GRAMS)
    found = np.empty(MOST_GRAMS * 2 + 64, dtype=np.uint64)
    keys = np.empty(1024, dtype=np.uint64)
    names = np.empty(1024, dtype=np.int32)
    n = 0
    for k in range(offsets.size - 1):
        if not wanted[k]:
            continue
        latin = (flags[k] & LATIN) > 0
        _, _, prefix = _sorted_grams(codes, offsets[k], offsets[k + 1], latin, weights, grams, weighed)
        count = _block_keys(codes, offsets[k], offsets[k + 1], latin, normal[k], core[k], grams, prefix, exact, found)
        if n + count > keys.size:
            more = np.empty(keys.size * 2 + count, dtype=np.uint64)
            more[:n] = keys[:n]
            keys = more
            others = np.empty(more.size, dtype=np.int32)
            others[:n] = names[:n]
            names = others
        for j in range(count):
            keys[n], names[n] = found[j], k
            n += 1
    return keys[:n].copy(), names[:n].copy()


@njit(cache=True, nogil=True)
def fill(slots: Hashes, values: Ints, keys: Hashes, starts: Ints) -> None:
    """Enter sorted keys and where each one's names begin into an empty table with open addressing."""
    mask = np.uint64(slots.size - 1)
    for k in range(keys.size):
        at = keys[k] & mask
        while slots[at] != np.uint64(0):
            at = (at + np.uint64(1)) & mask
        slots[at], values[at] = keys[k], starts[k]


@njit(cache=True, nogil=True)
def _common(a: Hashes, wa: Floats, na: Number, b: Hashes, nb: Number) -> Number:
    """Weight of the grams that two names share."""
    shared = 0.0
    for i in range(na):
        for j in range(nb):
            if a[i] == b[j]:
                shared += wa[i]
                break
    return shared


@njit(cache=True, nogil=True)
def one_edit(a: Codes, sa: Number, ea: Number, b: Codes, sb: Number, eb: Number) -> Number:
    """Whether two texts differ by one character wrong, missing, too many, or by two neighbours swapped."""
    la, lb = ea - sa, eb - sb
    if la < lb:
        return one_edit(b, sb, eb, a, sa, ea)
    if la - lb > 1:
        return False
    first = 0
    while first < lb and a[sa + first] == b[sb + first]:
        first += 1
    last = 0
    while last < lb - first and a[ea - 1 - last] == b[eb - 1 - last]:
        last += 1
    left_a, left_b = la - first - last, lb - first - last
    if left_a <= 1 and left_b <= 1:
        return left_a + left_b > 0
    swapped = left_a == 2 and left_b == 2
    return swapped and a[sa + first] == b[sb + first + 1] and a[sa + first + 1] == b[sb + first]


@njit(cache=True, nogil=True)
def _places(a: Number, b: Number) -> Number:
    """How far two places agree: 2 the same city, 1 the same province, 0 one is not known, -1 not at all."""
    if a == 0 or b == 0:
        return 0
    if a == b:
        return 2
    if a < 0 or b < 0:  # places abroad, by a hash of their names
        return -1
    if a // _PROVINCE != b // _PROVINCE:
        return -1
    # the districts of a municipality are one city
    if a // _CITY == b // _CITY or a // _PROVINCE in _MUNICIPAL:
        return 2
    return 1 if a % _PROVINCE == 0 or b % _PROVINCE == 0 else -1


@njit(cache=True, nogil=True)
def judge(
    # the name of the roster: core, hashes, flags, places, grams
    codes_a: Codes, start_a: Number, end_a: Number, normal_a: Number, core_a: Number, flags_a: Number, named_a: Number, placed_a: Number,
    grams_a: Hashes, weights_a: Floats, count_a: Number, total_a: Number, code_a: Number, main_a: bool,
    # the same of the register's
    codes_b: Codes, start_b: Number, end_b: Number, normal_b: Number, core_b: Number, flags_b: Number, named_b: Number, placed_b: Number,
    grams_b: Hashes, count_b: Number, total_b: Number, code_b: Number, main_b: bool,
) -> tuple[Number, Number]:  # fmt: skip
    """Score and evidence of one pair of names. A score is no probability."""
    bits = 0
    if code_a and code_b:
        if code_a != code_b:
            bits |= USCC_DIFFERS
        elif main_a and main_b:  # told once, beside the names that the rows bear
            bits |= USCC_SAME
    # a name's own place counts as much as the row's; any agreement counts
    agree = -2
    for a in (named_a, placed_a):
        for b in (named_b, placed_b):
            if a and b:
                told = _places(a, b)
                # a whole province says little, but that both names bear it
                if (
                    told == 2
                    and a > 0
                    and a % _PROVINCE == 0
                    and a // _PROVINCE not in _MUNICIPAL
                    and not (a == named_a and b == named_b)
                ):
                    told = 1
                agree = max(agree, told)
    if agree == 2:
        bits |= PLACE_SAME
    elif agree == 1:
        bits |= PROVINCE_SAME
    elif agree == -1:
        bits |= PLACE_DIFFERS
    if flags_a & FORMED and flags_b & FORMED and (flags_a ^ flags_b) & GROUP:
        bits |= GROUP_DIFFERS
    if (flags_a ^ flags_b) & BRANCH:
        bits |= BRANCH_DIFFERS
    if not (main_a and main_b):
        bits |= OTHER_NAME
    length_a, length_b = end_a - start_a, end_b - start_b
    score = 0.0
    if normal_a and normal_a == normal_b:
        bits |= NORMAL_SAME
        score = _NORMAL
    elif core_a and core_a == core_b:
        bits |= CORE_SAME
        score = _CORE
    elif length_a and length_b:
        latin = (flags_a & LATIN) > 0
        alike = 0.0
        longest = _EDIT_LATIN if latin else _EDIT_LONG
        shorter, longer = min(length_a, length_b), max(length_a, length_b)
        if _EDIT_SHORT <= longer <= longest and one_edit(codes_a, start_a, end_a, codes_b, start_b, end_b):
            bits |= ONE_EDIT
            alike = 1.0 - 1.0 / longer
        if shorter >= (_LATIN_FIRST if latin else FIRST) and shorter >= LEAST_SHARE * longer:
            same = 0
            while same < shorter and codes_a[start_a + same] == codes_b[start_b + same]:
                same += 1
            if same == shorter:
                bits |= BEGINS
                alike = max(alike, 0.6 + 0.4 * shorter / longer)
        if 2.0 * min(total_a, total_b) >= DICE * (total_a + total_b):
            dice = 2.0 * _common(grams_a, weights_a, count_a, grams_b, count_b) / (total_a + total_b)
            if dice >= DICE:
                bits |= GRAMS
                alike = max(alike, dice)
        score = _ALIKE * alike
    if bits & USCC_SAME:
        return _USCC, bits
    if score == 0.0:
        return 0.0, bits
    if bits & PLACE_SAME:
        score += _PLACE
    elif bits & PROVINCE_SAME:
        score += _IN_PROVINCE
    elif bits & PLACE_DIFFERS:
        score += _ELSEWHERE
    if bits & GROUP_DIFFERS:
        score += _GROUP
    if bits & BRANCH_DIFFERS:
        score += _BRANCH
    if bits & OTHER_NAME:
        score += _OTHER_NAME
    if not bits & NORMAL_SAME:
        if not flags_a & FORMED and not bits & PLACE_SAME:
            bits |= UNFORMED
            score += _SHORT
        if min(count_a, count_b) < _WEAK_GRAMS and not bits & PLACE_SAME:
            bits |= WEAK_CORE
            score += _WEAK
    if bits & USCC_DIFFERS:
        score = min(score, _ANOTHER_CODE)
    # whole ten-thousandths, so that equal evidence is equal
    return np.round(min(max(score, 0.0), 0.9999) * 10_000.0) / 10_000.0, bits


@njit(cache=True, nogil=True)
def keep(
    scores: Floats, rows: Rows, ids: Ints, bits: Bits, score: Number, row: Number, id_: Number, bit: Number
) -> None:
    """Put a candidate among the best of one row, once; equal scores stand in the order of their ids."""
    size = scores.size
    for k in range(size):
        if rows[k] == row:
            if score < scores[k] or (score == scores[k] and bit <= bits[k]):
                return
            for j in range(k, size - 1):
                scores[j], rows[j], ids[j], bits[j] = scores[j + 1], rows[j + 1], ids[j + 1], bits[j + 1]
            scores[size - 1], rows[size - 1], ids[size - 1], bits[size - 1] = -1.0, -1, 0, 0
            break
    at = size
    while at > 0 and (scores[at - 1] < score or (scores[at - 1] == score and ids[at - 1] > id_)):
        at -= 1
    if at == size:
        return
    for j in range(size - 1, at, -1):
        scores[j], rows[j], ids[j], bits[j] = scores[j - 1], rows[j - 1], ids[j - 1], bits[j - 1]
    scores[at], rows[at], ids[at], bits[at] = score, row, id_, bit


@njit(cache=True, nogil=True)
def grams_of(codes: Codes, offsets: Ints, flags: Bytes, weights: Weights) -> tuple[Hashes, Floats, Ints, Floats]:
    """The grams of all names with their weights and offsets, and each name's weight together."""
    size = 0
    for k in range(offsets.size - 1):
        size += max(0, min(MOST_GRAMS, offsets[k + 1] - offsets[k]))
    grams, weighed = np.empty(size + MOST_GRAMS, dtype=np.uint64), np.empty(size + MOST_GRAMS)
    ends, totals = np.zeros(offsets.size, dtype=np.int64), np.zeros(offsets.size - 1)
    n = 0
    for k in range(offsets.size - 1):
        latin = (flags[k] & LATIN) > 0
        count, total, _ = _sorted_grams(codes, offsets[k], offsets[k + 1], latin, weights, grams[n:], weighed[n:])
        n += count
        ends[k + 1], totals[k] = n, total
    return grams[:n].copy(), weighed[:n].copy(), ends, totals


@njit(cache=True, nogil=True)
def probe(
    # the roster's names
    codes_a: Codes, offsets_a: Ints, normal_a: Hashes, core_a: Hashes, flags_a: Bytes, named_a: Places, row_a: Rows,
    main_a: npt.NDArray[np.bool_], grams_a: Hashes, weights_a: Floats, ends_a: Ints, totals_a: Floats,
    # its rows
    placed_a: Places, code_a: Hashes,
    # its index
    slots: Hashes, values: Ints, starts: Ints, names: Rows, most: Number, exact: Number,
    # a part of the register's names, and its rows
    first: Number, last: Number,
    codes_b: Codes, offsets_b: Ints, normal_b: Hashes, core_b: Hashes, flags_b: Bytes, named_b: Places, row_b: Rows,
    main_b: npt.NDArray[np.bool_], placed_b: Places, code_b: Hashes, ids_b: Ints,
    weights: Weights,
    # the best of each row of the roster
    scores: Floats, rows: Rows, ids: Ints, bits: Bits,
) -> Number:  # fmt: skip
    """Look a part of the register up in the roster's index and keep the best pairs. Returns how many were judged.

    `exact` is as in `_block_keys`, and then credit codes are looked up as well.
    """
    grams, weighed = np.empty(MOST_GRAMS, dtype=np.uint64), np.empty(MOST_GRAMS)
    keys = np.empty(MOST_GRAMS * 2 + 64, dtype=np.uint64)
    seen = np.full(row_a.size, -1, dtype=np.int32)
    judged = 0
    for b in range(first, last):
        row = row_b[b]
        latin = (flags_b[b] & LATIN) > 0
        start, end = offsets_b[b], offsets_b[b + 1]
        count, total, prefix = _sorted_grams(codes_b, start, end, latin, weights, grams, weighed)
        known = _block_keys(codes_b, start, end, latin, normal_b[b], core_b[b], grams, prefix, exact, keys)
        by_grams = known if exact else known - prefix
        if exact and code_b[row] and main_b[b]:
            keys[known] = mix(code_b[row] ^ mix(np.uint64(KEY_USCC)))
            known += 1
        for k in range(known):
            at = look_up(slots, values, keys[k])
            if at < 0:
                continue
            if starts[at + 1] - starts[at] > most:
                continue
            for position in range(starts[at], starts[at + 1]):
                a = names[position]
                if seen[a] == b:
                    continue
                # names that share a gram only must be of like weight
                if k >= by_grams and not exact and 2.0 * min(total, totals_a[a]) < DICE * (total + totals_a[a]):
                    continue
                seen[a] = b
                judged += 1
                mine = row_a[a]
                begin = ends_a[a]
                score, bit = judge(
                    codes_a, offsets_a[a], offsets_a[a + 1], normal_a[a], core_a[a], flags_a[a], named_a[a],
                    placed_a[mine], grams_a[begin:], weights_a[begin:], ends_a[a + 1] - begin, totals_a[a],
                    code_a[mine], main_a[a],
                    codes_b, start, end, normal_b[b], core_b[b], flags_b[b], named_b[b], placed_b[row],
                    grams, count, total, code_b[row], main_b[b],
                )  # fmt: skip
                if score >= REVIEW:
                    keep(scores[mine], rows[mine], ids[mine], bits[mine], score, row, ids_b[row], bit)
    return judged


@njit(cache=True, nogil=True)
def merge_best(
    scores: Floats, rows: Rows, ids: Ints, bits: Bits, scores_2: Floats, rows_2: Rows, ids_2: Ints, bits_2: Bits
) -> None:
    """Put the best that another part has found among those of the first."""
    for k in range(scores.shape[0]):
        for j in range(scores_2.shape[1]):
            if rows_2[k, j] >= 0:
                keep(scores[k], rows[k], ids[k], bits[k], scores_2[k, j], rows_2[k, j], ids_2[k, j], bits_2[k, j])


@njit(cache=True, nogil=True)
def code_keys(codes: Hashes) -> Hashes:
    """The keys of credit codes."""
    out = np.empty_like(codes)
    for k in range(codes.size):
        out[k] = mix(codes[k] ^ mix(np.uint64(KEY_USCC)))
    return out
