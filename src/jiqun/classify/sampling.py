"""Drawing firms to label 抽样: in strata by the lexicon's score, so that rare classes and doubtful texts appear."""

from __future__ import annotations

import numpy as np
import polars as pl

from jiqun.core.arrays import Integers
from jiqun.taxonomy import Kind
from jiqun.taxonomy.text import read_texts

STRATA = 5
"""No word that counts; against; doubtful; for the core, weakly and strongly."""
DOUBT = 1.0
STRONG = 4.0


def draw(texts: pl.DataFrame, *, kind: Kind, size: int, seed: int) -> pl.DataFrame:
    """A stratified sample of texts to label 分层抽样, with sampling weights.

    As many from each stratum of the lexicon's score as the strata allow, so that what is rare appears; the weight of a
    text is how many of its stratum it stands for, weight = N_h / n_h, so that weighted shares are those of the register.

    Parameters
    ----------
    texts
        `id` and `text`, one row per firm; rows without text are left out, and of one text only one row is drawn.
    kind
        Kind of text.
    size
        How many to draw; fewer where there are fewer.
    seed
        Of the draw; the same seed draws the same texts.

    Returns
    -------
    id, text, stratum (0 to 4), weight, in random order.

    Examples
    --------
    >>> firms = pl.DataFrame({"id": list("abcd"), "text": ["白酒", "软件开发", "水泥", "钢铁"]})
    >>> draw(firms, kind="main_business", size=3, seed=1).sort("id")["weight"].sum()
    4.0
    """
    there = texts.filter(pl.col("text").str.strip_chars().str.len_chars() > 0)
    known = there.unique("text", keep="first", maintain_order=True)
    alike = there.group_by("text").len("alike")
    known = known.join(alike, on="text", how="left", maintain_order="left")
    score = pl.col("score")
    silent = pl.col("words").is_null()
    read = read_texts(known["text"], kind).select(
        stratum=pl.when(silent)
        .then(0)
        .when(score <= -DOUBT)
        .then(1)
        .when(score < DOUBT)
        .then(2)
        .when(score < STRONG)
        .then(3)
        .otherwise(4)
    )
    known = pl.concat([known, read], how="horizontal")
    rng = np.random.default_rng(seed)
    wanted = _shares(known["stratum"].to_numpy(), size)
    chosen = []
    for stratum, count in enumerate(wanted):
        rows = known.filter(stratum=stratum)
        picked = rows[np.sort(rng.permutation(len(rows))[:count])]
        firms, drawn = int(rows["alike"].sum()), int(picked["alike"].sum())
        if drawn:
            chosen.append(picked.with_columns(weight=pl.col("alike") * (firms / drawn)))
    empty = known.with_columns(weight=pl.lit(0.0)).clear()
    found = pl.concat([empty, *chosen], how="vertical_relaxed")
    return found.select("id", "text", "stratum", "weight")[rng.permutation(len(found))]


def _shares(strata: Integers, size: int) -> list[int]:
    """How many from each stratum: equal parts, what one cannot give going to the others."""
    there = np.bincount(strata, minlength=STRATA)
    wanted = np.zeros(STRATA, np.int64)
    while wanted.sum() < min(size, there.sum()):
        open_ = np.flatnonzero(wanted < there)
        part = max(1, (min(size, int(there.sum())) - int(wanted.sum())) // len(open_))
        for stratum in open_:
            room = min(size, int(there.sum())) - int(wanted.sum())
            wanted[stratum] += min(part, there[stratum] - wanted[stratum], room)
    return [int(count) for count in wanted]
