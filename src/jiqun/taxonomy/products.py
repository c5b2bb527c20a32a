"""Words for products in what firms say of themselves 产品词: the lexicon's way of reading, with words of one's own.

Boilerplate of a business scope, where a product is used, what a firm does on the side and what it only sells weigh less
or nothing, as in `jiqun.taxonomy.text`; the words themselves and what they stand for come from the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jiqun.core.arrays import Floats, Integers
from jiqun.taxonomy import _kernels
from jiqun.taxonomy.lexicon import ROLES, folded, words
from jiqun.taxonomy.text import ENOUGH, READINGS, Kind

WEIGHT = 2.0
"""Of a product's word where it stands first; `jiqun.taxonomy.text.ENOUGH` (1) decides."""
LEAST_SHARE = 0.5
"""An owner counts beside the heaviest one from this share of its weight on."""
SHOWN = 3
_ROWS = 8192


def written(listed: Iterable[str]) -> list[str]:
    """Words as texts are read: lower case, half width, single blanks 规范写法.

    Examples
    --------
    >>> written(["ＡＣＭＥ-Chip", "晶圆"])
    ['acme chip', '晶圆']
    """
    encoded = [word.encode() for word in listed]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    content, starts = _kernels.fold(np.frombuffer(b"".join(encoded), np.uint8), ends)
    told = content.tobytes()
    return [told[starts[at] : starts[at + 1]].decode("utf-8", "ignore").strip() for at in range(len(encoded))]


@dataclass(frozen=True)
class ProductWords:
    """Words and whose they are 产品词表: `owners[i]` is what code i + 1 of the kernel stands for."""

    owners: tuple[str, ...]
    texts: tuple[str, ...]
    keys: Integers
    nexts: _kernels.Words
    accept: _kernels.Words
    roles: _kernels.Words
    codes: _kernels.Words
    weights: Floats
    sold_as: _kernels.Words

    @classmethod
    def of(cls, owned: Mapping[str, Collection[str]], traders: Collection[str] = ()) -> ProductWords:
        """The words of each owner. A word belongs to one owner; `traders` also count where they only sell."""
        owners = tuple(owned)
        entries = {
            word.word: ("", ROLES.index(word.role), word.weight)
            for word in words()
            if word.role != "class" and word.word
        }
        for owner, listed in owned.items():
            entries |= dict.fromkeys(written(listed), (owner, _kernels.CLASS, WEIGHT))
        entries.pop("", None)
        number = {owner: i + 1 for i, owner in enumerate(owners)} | {"": 0}
        content, starts = folded(pl.Series(list(entries)))
        keys, nexts, accept = _kernels.build(content, starts[1:], 1 << (2 * len(content)).bit_length())
        return cls(
            owners=owners,
            texts=tuple(entries),
            keys=keys,
            nexts=nexts,
            accept=accept,
            roles=np.array([role for _, role, _ in entries.values()], np.int32),
            codes=np.array([number[owner] for owner, _, _ in entries.values()], np.int32),
            weights=np.array([weight for _, _, weight in entries.values()], np.float64),
            sold_as=np.array([0, *(number[o] if o in traders else 0 for o in owners)], np.int32),
        )

    def read(self, texts: pl.Series, kind: Kind) -> pl.DataFrame:
        """Whose products texts of one kind speak of 读产品词.

        Returns
        -------
        row (position of the text), owner, weight (at least 1), words (up to three, the heaviest first); sorted by row and
        falling weight. Every owner whose weight is enough and comes to at least half of the heaviest one's.

        Examples
        --------
        >>> found = ProductWords.of({"wafer": ["硅片"], "litho": ["光刻机"]})
        >>> found.read(pl.Series(["半导体硅片的生产", "硅片销售", None]), "main_business").select("row", "owner", "words").rows()
        [(0, 'wafer', '硅片')]
        """
        parts = [self._read(texts.slice(start, _ROWS), kind, start) for start in range(0, max(len(texts), 1), _ROWS)]
        found = pl.concat(parts)
        heaviest = pl.col("weight").max().over("row")
        kept = found.filter((pl.col("weight") >= ENOUGH) & (pl.col("weight") >= LEAST_SHARE * heaviest))
        return kept.sort("row", "weight", "owner", descending=[False, True, False])

    def _read(self, texts: pl.Series, kind: Kind, first: int) -> pl.DataFrame:
        reading = READINGS[kind]
        content, starts = folded(texts.cast(pl.String))
        rows = len(texts)
        found, code = (np.zeros((rows, _kernels.MOST), np.int32) for _ in range(2))
        weight = np.zeros((rows, _kernels.MOST))
        same = np.arange(len(self.owners) + 1, dtype=np.int32)
        counts = _kernels.find_words(
            content, starts, self.keys, self.nexts, self.accept, self.roles, self.codes, self.weights, same,
            self.sold_as, same, np.array(reading.sentences), np.array(reading.items), reading.listing,
            found, code, weight,
        )  # fmt: skip
        row, place = np.nonzero(np.arange(_kernels.MOST) < counts[:, None])
        hits = pl.DataFrame(
            {
                "row": pl.Series(row + first, dtype=pl.UInt32),
                "code": pl.Series(code[row, place], dtype=pl.Int32),
                "word": pl.Series(found[row, place], dtype=pl.Int32),
                "weight": weight[row, place],
            }
        )
        return (
            hits.join(_numbered("code", self.owners, first=1), on="code")
            .join(_numbered("word", self.texts), on="word")
            .sort("row", "code", "weight", "word_right", descending=[False, False, True, False])
            .group_by("row", owner="code_right", maintain_order=True)
            .agg(pl.col("weight").sum(), words=pl.col("word_right").head(SHOWN).str.join("; "))
        )


def _numbered(name: str, values: tuple[str, ...], *, first: int = 0) -> pl.DataFrame:
    numbers = pl.Series(name, range(first, first + len(values)), dtype=pl.Int32)
    return pl.DataFrame([numbers, pl.Series(f"{name}_right", values, dtype=pl.String)])
