"""The bilingual lexicon 词表: which words speak for which digital group, which against, which are only boilerplate.

Our own words stand in `data/lexicon.csv`. To them come the official names of the classification, the keywords that
stand beside these, and the names of the industries of GB/T 4754 that are not core, which speak against. Where a word
comes from several of these, our own row counts.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from jiqun.core.arrays import Floats, Integers
from jiqun.taxonomy import _kernels
from jiqun.taxonomy.codes import GBT
from jiqun.taxonomy.digital import NOT_CORE, decide
from jiqun.taxonomy.tables import DigitalEntry, digital_entries, industries, table_rows

Role = Literal["class", "tail", "used", "also", "skip", "ignore", "make", "sell", "design"]
ROLES: tuple[Role, ...] = ("class", "tail", "used", "also", "skip", "ignore", "make", "sell", "design")
"""In the order of the kernel's numbers. class: speaks for `code`; tail: boilerplate of a business scope; used, also, skip:
from here to the end of the sentence words weigh less (where a product is used, sidelines) or nothing (history, seat);
make, sell, design: whether things are made, or only sold or designed; ignore: says nothing, and hides the words in it."""

NONE = "none"
"""The code of words that speak for an industry outside the classification."""

SOLD = {"01": "0201"}
"""What digital products belong to where a firm only sells them."""

DESIGNED = {"010508": "0304"}
"""Integrated circuits that a firm designs and does not make."""

OWN, OFFICIAL, KEYWORD, INDUSTRY = "own", "official-name", "keyword", "gbt4754-name"
_OFFICIAL_WEIGHT, _KEYWORD_WEIGHT, _INDUSTRY_WEIGHT = 3.0, 2.5, 1.5

_MADE = re.compile("(制造业?|生产|加工|制作|服务业?|种植|养殖|饲养|采选|开采|批发|零售|出租|修理|施工|工程建筑)$")
_VAGUE = re.compile("其他|未列明|活动|及相关|相关服务|有关物品")
_USES = re.compile("智慧|智能|数字|互联网|在线|网络|网上|电子|远程|精准|自动|无人|大数据|线上|新零售|BIM")
_ENGLISH_ENDS = re.compile(" (manufacturing|services|service)$")


@dataclass(frozen=True)
class Word:
    """One word of the lexicon, as it stands in normalised text."""

    word: str
    language: str
    role: Role
    code: str
    weight: float
    source: str


@dataclass(frozen=True)
class Trie:
    """The lexicon as the kernel reads it. `codes` index `names`: "", none, then digital divisions and groups."""

    keys: Integers
    nexts: _kernels.Words
    accept: _kernels.Words
    roles: _kernels.Words
    codes: _kernels.Words
    weights: Floats
    sides: _kernels.Words
    sold_as: _kernels.Words
    designed_as: _kernels.Words
    names: tuple[str, ...]
    words: tuple[str, ...]


def folded(texts: pl.Series) -> tuple[_kernels.Bytes, Integers]:
    """Texts as bytes, one behind the other, written as the lexicon's words are; and where each begins."""
    arrow = texts.fill_null("").to_arrow().cast(pa.large_string())
    _, offsets, content = arrow.buffers()
    starts = np.frombuffer(offsets, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    return _kernels.fold(np.frombuffer(content or b"", np.uint8), starts)


@cache
def words() -> tuple[Word, ...]:
    """Every word of the lexicon, each once."""
    found = {word.word: word for word in (*_industry_words(), *_official_words(), *_own_words())}
    return tuple(found.values())


def lexicon_table() -> pl.DataFrame:
    """The lexicon 词表 as a table: word, language, role, code, weight, source.

    Examples
    --------
    >>> lexicon_table().filter(word="集成电路设计").row(0)
    ('集成电路设计', 'zh', 'class', '0304', 3.0, 'own')
    """
    return pl.DataFrame([vars(word) for word in words()])


@cache
def fingerprint() -> str:
    """sha256 of the lexicon's content, in hex: an answer by text depends on it."""
    body = "\n".join(f"{w.word},{w.role},{w.code},{w.weight}" for w in sorted(words(), key=lambda w: w.word))
    return hashlib.sha256(body.encode()).hexdigest()


@cache
def trie() -> Trie:
    """The lexicon, built for the kernel."""
    listed = words()
    names = ("", NONE, *(code for code, entry in digital_entries().items() if entry.level != "class"), *DESIGNED)
    number = {name: i for i, name in enumerate(names)}
    text, starts = folded(pl.Series([word.word for word in listed]))
    keys, nexts, accept = _kernels.build(text, starts[1:], 1 << (2 * len(text)).bit_length())
    return Trie(
        keys=keys,
        nexts=nexts,
        accept=accept,
        roles=np.array([ROLES.index(word.role) for word in listed], np.int32),
        codes=np.array([number[word.code] for word in listed], np.int32),
        weights=np.array([word.weight for word in listed], np.float64),
        sides=np.array([int(name[:2]) if name.isdecimal() else -1 for name in names], np.int32),
        sold_as=np.array([number[SOLD.get(name[:2], name)] for name in names], np.int32),
        designed_as=np.array([number[DESIGNED.get(name, name)] for name in names], np.int32),
        names=names,
        words=tuple(word.word for word in listed),
    )


def _own_words() -> list[Word]:
    return [
        Word(row["word"], row["language"], _role(row["role"]), row["code"], float(row["weight"]), row["source"])
        for row in table_rows("lexicon.csv")
    ]


def _role(name: str) -> Role:
    return next(role for role in ROLES if role == name)


def _official_words() -> list[Word]:
    """Names and keywords of the classification. Of division 05 only what says that digital technology is used."""
    found: dict[str, Word] = {}
    for entry in digital_entries().values():
        if entry.level == "division" or _VAGUE.search(entry.name_zh):
            continue
        for text in entry.keywords_zh:
            _add(found, text, "zh", entry, _KEYWORD_WEIGHT, KEYWORD)
        name = entry.name_zh
        for text in (name, _made(name)) if entry.code[:2] == "01" else (name,):
            _add(found, text, "zh", entry, _OFFICIAL_WEIGHT, OFFICIAL)
        english = entry.name_en.lower().replace("-", " ")
        for text in (english, _ENGLISH_ENDS.sub("", english)):
            if not re.search(r"[,()]| and |n\.e\.c|other ", text):
                _add(found, text, "en", entry, _OFFICIAL_WEIGHT, OFFICIAL)
    return list(found.values())


def _add(found: dict[str, Word], text: str, language: str, entry: DigitalEntry, weight: float, source: str) -> None:
    text = text.lower()
    core = entry.code[:2] != NOT_CORE
    if len(text) > 1 and (core or _USES.search(text)):
        found[text] = Word(text, language, "class", entry.code[: 4 if core else 2], weight, source)


def _industry_words() -> list[Word]:
    """Names of the industries that are wholly outside the core, and of what they make."""
    found: dict[str, Word] = {}
    for industry in industries().values():
        if industry.level != "class" or decide(industry.code, GBT, "narrow").core is not False:
            continue
        if _VAGUE.search(industry.name_zh) or re.search("电子|通信|计算机|信息|互联网|影视|音像", industry.name_zh):
            continue
        for text in (industry.name_zh, _made(industry.name_zh)):
            if len(text) > 2:
                found[text] = Word(text, "zh", "class", NONE, _INDUSTRY_WEIGHT, INDUSTRY)
    return list(found.values())


def _made(name: str) -> str:
    """The product that an industry is named after; the name itself where it lists several."""
    return name if re.search("[、及和与（]", name) else _MADE.sub("", name)
