"""Names 名称: what two spellings of one firm's name share.

A Chinese firm's name is place 行政区划 + trade name 字号 + trade 行业 + form 组织形式, as in 深圳市 + 雷柏 + 科技 + 股份有限公司.
Names are folded (width, case, accents, punctuation, traditional characters 繁体) and taken apart; what is left
without place and form is the *core*. Everything works on whole columns: ten million names take a minute.
"""

from __future__ import annotations

import csv
import itertools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import polars as pl
from opencc import OpenCC

from jiqun.intake.gazetteer import Gazetteer
from jiqun.roster import _kernels
from jiqun.roster._kernels import BRANCH, FORMED, GROUP, LATIN

_ROLES = {
    "form": _kernels.ROLE_FORM,
    "branch": _kernels.ROLE_BRANCH,
    "trade": _kernels.ROLE_TRADE,
    "former": _kernels.ROLE_FORMER,
    "place": _kernels.ROLE_PLACE,
}
_BRACKETS = {**dict.fromkeys("(（[【〔「『《〈<{", "("), **dict.fromkeys(")）]】〕」』》〉>}", ")")}
_SILENT = "'’`.·・"
_JOINED = r"[\u0300-\u036f\u3099\u309a\uff9e\uff9f\x{10000}-\x{1ffff}]"
"""Marks that belong to the character before them, and characters that the table does not hold."""
_FIRST_LETTERS = 0x2E80
_SHORTEST = 2


@dataclass(frozen=True)
class NameParts:
    """A name taken apart 名称拆分: place code of GB/T 2260 (None: names none), trade name, trade, and what it is."""

    place: str | None
    trade_name: str
    trade: str
    formed: bool
    group: bool
    branch: bool

    @property
    def core(self) -> str:
        """Trade name and trade 名称核心."""
        return self.trade_name + self.trade


@dataclass(frozen=True)
class Prepared:
    """Names ready for matching, one entry each: hashes (0: none), place named, flags, and the cores."""

    normal: _kernels.Hashes
    core_hash: _kernels.Hashes
    place: _kernels.Places
    flags: _kernels.Bytes
    codes: _kernels.Codes
    offsets: _kernels.Ints
    trade: _kernels.Bytes

    def core(self, entry: int) -> str:
        """The core of one name, as text."""
        return "".join(map(chr, self.codes[self.offsets[entry] : self.offsets[entry + 1]].tolist()))


class Normaliser:
    """Folds names and takes them apart. `units` are the divisions of `Gazetteer`.

    Examples
    --------
    >>> units = pl.DataFrame({"region_code": ["440000", "440300"], "level": ["province", "city"],
    ...     "unit": ["广东省", "深圳市"], "short": ["广东", "深圳"], "province": ["440000"] * 2,
    ...     "city": ["440000", "440300"], "name": ["Guangdong", "Shenzhen"]})
    >>> normaliser = Normaliser(units)
    >>> normaliser.split("深圳雷柏科技股份有限公司")
    NameParts(place='440300', trade_name='雷柏', trade='科技', formed=True, group=False, branch=False)
    >>> normaliser.normal("華為技術（深圳）有限公司"), normaliser.normal("ＡＣＭＥ Co., Ltd.")
    ('华为技术深圳有限公司', 'acmecoltd')
    >>> {normaliser.split(name).core for name in ("華為技術（深圳）有限公司", "深圳市华为技术有限公司", "华为技术")}
    {'华为技术'}
    """

    def __init__(self, units: pl.DataFrame) -> None:
        self._table, self._pool = _characters()
        self._keys, self._values = self._words(units)

    @classmethod
    def of(cls, gazetteer: Gazetteer) -> Normaliser:
        """With the divisions of a gazetteer."""
        return cls(gazetteer.units)

    def fold(self, names: pl.Series) -> tuple[_kernels.Codes, _kernels.Ints]:
        """Names as folded codes and their offsets; a null is empty."""
        joined = names.str.contains(_JOINED).fill_null(value=False)
        if joined.any():
            names = names.zip_with(~joined, names.str.normalize("NFKC"))
        arrow = names.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = arrow.buffers()
        places = np.frombuffer(offsets, dtype=np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
        content = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, dtype=np.uint8)
        folded: tuple[_kernels.Codes, _kernels.Ints] = _kernels.fold(content, places, self._table, self._pool)
        return folded

    def prepare(self, names: pl.Series) -> Prepared:
        """Take names apart."""
        return Prepared(*_kernels.take_apart(*self.fold(names), self._keys, self._values))

    def places(self, texts: pl.Series) -> _kernels.Places:
        """The finest division at the beginning of each text (广东省深圳市南山区 → 440305); 0 where there is none."""
        found: _kernels.Places = _kernels.place_codes(*self.fold(texts), self._keys, self._values)
        return found

    def normal(self, name: str) -> str:
        """A name without case, width, punctuation, brackets and traditional characters 规范名称."""
        return self.normals(pl.Series([name]))[0]

    def normals(self, names: pl.Series) -> list[str]:
        """`normal` of every name."""
        codes, offsets = self.fold(names)
        text = codes.astype("<u2").tobytes().decode("utf-16-le", "replace")
        kept = str.maketrans("", "", " ()")
        return [text[start:end].translate(kept) for start, end in itertools.pairwise(offsets.tolist())]

    def split(self, name: str) -> NameParts:
        """Take one name apart 名称拆分."""
        made = self.prepare(pl.Series([name]))
        core, at, flags = made.core(0), int(made.trade[0]), int(made.flags[0])
        place = int(made.place[0])
        return NameParts(
            place=f"{place:06d}" if place else None,
            trade_name=core[:at],
            trade=core[at:],
            formed=bool(flags & FORMED),
            group=bool(flags & GROUP),
            branch=bool(flags & BRANCH),
        )

    def _words(self, units: pl.DataFrame) -> tuple[_kernels.Hashes, _kernels.Ints]:
        rows = [*_lexicon(), *_places(units)]
        size = 1 << max(12, (len(rows) * 3).bit_length())
        keys, values = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int64)
        words, roles, parents, entered = zip(*rows, strict=True)
        codes, offsets = self.fold(pl.Series(words, dtype=pl.String))
        _kernels.enter_words(
            keys, values, codes, offsets, *(np.array(c, dtype=np.int64) for c in (roles, parents, entered))
        )
        return keys, values


def latin(flags: _kernels.Bytes) -> npt.NDArray[np.bool_]:
    """Which names are written in Latin letters, by their flags."""
    return (flags & LATIN) > 0


def _lexicon() -> Iterable[tuple[str, int, int, int]]:
    """Word, role, parent and value of the words of names that we list ourselves."""
    text = files("jiqun.roster").joinpath("data", "name_words.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        role, value = row["role"], row["value"]
        if value == "group":
            yield row["word"], _kernels.ROLE_GROUP, 0, 1
        else:
            yield row["word"], _ROLES[role], 0, int(value) if role == "place" else 1
    yield "the", _kernels.ROLE_FORM + 16, 0, 1


def _places(units: pl.DataFrame) -> Iterable[tuple[str, int, int, int]]:
    """Names of divisions. A county's short name counts behind its city only, but for a county-level city that is unique."""
    names: dict[str, set[int]] = {}
    for row in units.iter_rows(named=True):
        code, unit, short, county = int(row["region_code"]), row["unit"], row["short"], row["level"] == "county"
        both = {unit, short} if len(short) >= _SHORTEST else {unit}
        said = both if not county or unit.endswith("市") else {unit}
        if not county and row["name"].isascii():
            said = said | {row["name"].lower()}
        for name in said:
            names.setdefault(name, set()).add(code)
        province = int(row["province"]) // 10_000
        parents = {int(row["city"]) // 100, province} if county else {province} if row["level"] == "city" else set()
        yield from ((name, _kernels.ROLE_COUNTY, parent, code) for parent in sorted(parents) for name in sorted(both))
    for name, codes in names.items():
        widest = min(codes, key=lambda code: (code % 10_000 != 0, code % 100 != 0, code))
        if len(codes) == 1 or widest % 100 == 0:
            yield name, _kernels.ROLE_PLACE, 0, widest


@cache
def _characters() -> tuple[npt.NDArray[np.int32], _kernels.Codes]:
    """What each character of the basic plane is folded to; characters that become several lie in a pool."""
    simple = _simplified()
    table, pool = np.zeros(0x10000, dtype=np.int32), [0]
    for point in range(0x20, 0x10000):
        folded = _folded(chr(point), simple)
        if len(folded) == 1:
            table[point] = ord(folded)
        elif folded:
            table[point] = _kernels.EXPAND + len(pool)
            pool += [len(folded), *map(ord, folded)]
    private = np.arange(_kernels.PRIVATE, _kernels.PRIVATE + _kernels.PRIVATE_SIZE)
    table[private] = private  # what stands for characters beyond the basic plane stays
    return table, np.array(pool, dtype=np.uint16)


def _folded(character: str, simple: dict[str, str]) -> str:
    out = []
    for one in unicodedata.normalize("NFKC", character).casefold():
        letters = one if ord(one) >= _FIRST_LETTERS else unicodedata.normalize("NFKD", one)
        for letter in letters:
            if letter in _BRACKETS:
                out.append(_BRACKETS[letter])
            elif letter.isalnum():
                out.append(simple.get(letter, letter))
            elif letter not in _SILENT and not unicodedata.combining(letter) and unicodedata.category(letter)[0] != "C":
                out.append(" ")
    return "".join(out) if any(letter != " " for letter in out) else " " * bool(out)


@cache
def _simplified() -> dict[str, str]:
    """Traditional character → simplified one 繁简, one by one."""
    han = [chr(point) for point in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000), *range(0xF900, 0xFB00))]
    han = [unicodedata.normalize("NFKC", one) for one in han]
    turned = OpenCC("t2s").convert("\n".join(han)).split("\n")
    return {
        old: new for old, new in zip(han, turned, strict=True) if old != new and len(new) == 1 and ord(new) < 0x10000
    }
