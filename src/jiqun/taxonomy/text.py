"""Digital class by what a firm says of itself 按文本判定数字经济类别: main business, business scope, profile, name.

Words of the lexicon are counted, each once, with weights by where it stands: what comes first says what a firm does,
what it does on the side or where its products are used says less, and the boilerplate tail of a business scope
nothing. The score is a difference of such weights and no probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import UsageError
from jiqun.taxonomy import _kernels
from jiqun.taxonomy.codes import Definition, check_definition
from jiqun.taxonomy.digital import NOT_CORE
from jiqun.taxonomy.lexicon import DESIGNED, NONE, folded, trie

Kind = Literal["main_business", "scope", "summary", "name"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of text, most telling first: where a firm has several, the first that decides counts."""

BY_TEXT = "text"
"""As `evidence`: words decided, no row of the mapping."""

ANSWER: dict[str, pl.DataType | type[pl.DataType]] = {
    "digital_code": pl.String,
    "digital_division": pl.String,
    "core": pl.Boolean,
    "decided": pl.Boolean,
    "evidence": pl.String,
    "words": pl.String,
    "score": pl.Float64,
}
SHOWN_WORDS = 4
_GROUP_SHARE = 0.5
_ROWS = 8192
_NONE = -1  # the kernel's side of words that speak against


@dataclass(frozen=True)
class Reading:
    """How texts of one kind are read 读法: the weight of what stands in the first, second … sentence and item."""

    sentences: tuple[float, ...]
    items: tuple[float, ...]
    listing: bool
    """A list of items from end to end, each made, sold or designed for itself, as a business scope is."""


READINGS: dict[Kind, Reading] = {
    "main_business": Reading((1.0, 0.8, 0.6), (1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5), listing=False),
    "scope": Reading((1.0,), (1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2), listing=True),
    "summary": Reading((1.0, 0.6, 0.4, 0.3, 0.2), (1.0,), listing=False),
    "name": Reading((1.0,), (1.0,), listing=False),
}
CORE_DIVISIONS = ("01", "02", "03", "04")
ENOUGH = 1.0
"""Weight of all words together below which a text stays undecided."""


@dataclass(frozen=True)
class Weights:
    """What the words of some texts weigh 权重, a row per text."""

    core: Floats
    """Per division 01 to 04."""
    against: Floats
    use: Floats
    """For division 05: that digital technology is used."""
    groups: Floats
    """Per code of `trie().names`."""
    counts: Integers
    found: _kernels.Words
    found_code: _kernels.Words
    found_weight: Floats

    def words(self, sides: npt.NDArray[np.int32]) -> pl.Series:
        """The heaviest words that speak for a side of each text (`_kernels.ANY`: for any), as text."""
        built = trie()
        top = _kernels.heaviest(
            self.counts, self.found, self.found_code, self.found_weight, built.sides, sides, SHOWN_WORDS
        )
        known = pl.Series(built.words)
        columns = [known.gather(pl.Series(column).replace(-1, None)).alias(str(i)) for i, column in enumerate(top.T)]
        return pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator="; ", ignore_nulls=True)).to_series()


def check_kind(kind: str) -> Kind:
    """`kind` itself if it is known; else JQ-USE-001."""
    for known in KINDS:
        if kind == known:
            return known
    raise UsageError("JQ-USE-001", what="kind", value=kind, known=", ".join(KINDS))


def weigh(texts: pl.Series, kind: Kind) -> Weights:
    """The weights of the lexicon's words in texts of one kind; a null text has none."""
    built, reading = trie(), READINGS[kind]
    content, starts = folded(texts)
    found, found_code = (np.zeros((len(texts), _kernels.MOST), np.int32) for _ in range(2))
    found_weight = np.zeros((len(texts), _kernels.MOST))
    counts = _kernels.find_words(
        content,
        starts,
        built.keys,
        built.nexts,
        built.accept,
        built.roles,
        built.codes,
        built.weights,
        built.sides,
        built.sold_as,
        built.designed_as,
        np.array(reading.sentences),
        np.array(reading.items),
        reading.listing,
        found,
        found_code,
        found_weight,
    )
    groups = _kernels.add_up(counts, found_code, found_weight, len(built.names))
    for alias in DESIGNED:  # a class of its own only for that rule
        groups[:, built.names.index(alias[:4])] += groups[:, built.names.index(alias)]
        groups[:, built.names.index(alias)] = 0.0
    side = np.array([groups[:, built.sides == division].sum(axis=1) for division in range(1, 6)]).T
    return Weights(
        side[:, :4],
        groups[:, built.names.index(NONE)],
        side[:, 4],
        groups,
        counts,
        found,
        found_code,
        found_weight,
    )


def read_texts(texts: pl.Series, kind: str, definition: str = "narrow") -> pl.DataFrame:
    """What texts of one kind decide, a row each 读文本: the columns of `classify_text`."""
    kind, definition = check_kind(kind), check_definition(definition)
    plain = texts.cast(pl.String)
    parts = [_read(plain.slice(start, _ROWS), kind, definition) for start in range(0, max(len(plain), 1), _ROWS)]
    return pl.concat(parts, rechunk=True)


def _read(texts: pl.Series, kind: Kind, definition: Definition) -> pl.DataFrame:
    weights = weigh(texts, kind)
    total = weights.core.sum(axis=1)
    enough = total + weights.against >= ENOUGH
    core = enough & (total > weights.against)
    outside = enough & (total < weights.against)
    code, division, clear = _best(weights)
    uses = (definition == "broad") & ~core & (weights.use >= ENOUGH)
    sides = np.where(core, division, np.where(uses, int(NOT_CORE), np.where(outside, _NONE, _kernels.ANY)))
    answers = pl.DataFrame(
        {
            "there": texts.is_not_null() & (texts.str.len_bytes() > 0),
            "code": code,
            "is_core": core,
            "outside": outside,
            "uses": uses,
            "clear": clear,
            "words": weights.words(sides.astype(np.int32)),
            "score": total - weights.against,
        }
    )
    digital = pl.when("is_core").then("code").when("uses").then(pl.lit(NOT_CORE))
    no = pl.col("outside") & (definition == "narrow")
    decided = (pl.col("is_core") & pl.col("clear")) | pl.col("uses") | no
    return answers.select(
        digital_code=digital,
        digital_division=digital.str.head(2),
        core=pl.when("is_core").then(True).when(pl.col("outside") | pl.col("uses")).then(False),
        decided=pl.when("there").then(decided),
        evidence=pl.when(decided).then(pl.lit(BY_TEXT)),
        words=pl.when(pl.col("words") != "").then("words"),
        score=pl.when("there").then(pl.col("score").round(3)),
    )


def _best(weights: Weights) -> tuple[pl.Series, Integers, Booleans]:
    """The heaviest division of each text with its group where one has half its weight; and whether it leads alone."""
    built = trie()
    order = np.sort(weights.core, axis=1)
    clear = order[:, -1] > order[:, -2]
    division = weights.core.argmax(axis=1) + 1
    is_group = np.array([len(name) == 4 and name != NONE for name in built.names])
    inside = np.where(is_group & (built.sides == division[:, None]), weights.groups, 0.0)
    top = np.sort(inside, axis=1)
    told = (top[:, -1] >= _GROUP_SHARE * order[:, -1]) & (top[:, -1] > top[:, -2])
    names = np.array(built.names)
    code = np.where(told, names[inside.argmax(axis=1)], np.array(CORE_DIVISIONS)[division - 1])
    return pl.Series(np.where(clear, code, "")).replace("", None), division, clear
