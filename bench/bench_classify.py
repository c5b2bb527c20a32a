"""Classifying made-up texts by the lexicon: texts a second of processor time, and the same words as one regular expression.

The peer counts the same words with `re` per text and compares their sums: no places, no roles, no words that decided.
`python bench/bench_classify.py 200000` takes so many texts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.taxonomy import classify_text
from jiqun.taxonomy.lexicon import NONE, words

TEXTS = 100_000
PEER_TEXTS = 2_000


def made_up(count: int, language: str) -> pl.Series:
    """Synthetic texts of about 100 words (English) or 150 characters (Chinese), made of the lexicon's words and filling."""
    rng = np.random.default_rng(1)
    known = [word.word for word in words() if word.language == language and word.role == "class"]
    if language == "en":
        filling = ["the", "company", "engages", "in", "research", "and", "sale", "of", "its", "products", "under", "a"]
        between, length = " ", 100
    else:
        filling = ["技术服务", "技术开发", "货物进出口", "有限公司", "的生产和销售", "及其他", "项目", "咨询"]
        between, length = "；", 30
    pool = np.array([*filling, *known])
    share = np.array([0.8 / len(filling)] * len(filling) + [0.2 / len(known)] * len(known))
    return pl.Series([between.join(rng.choice(pool, length, p=share)) for _ in range(count)])


def ours(count: int, language: str, kind: str) -> Callable[[], Any]:
    """By the lexicon; compiled and built before the clock runs."""
    texts = made_up(count, language)
    classify_text(texts[:10], kind)

    def run() -> Any:
        return classify_text(texts, kind)["core"].sum()

    return run


def peer(count: int, language: str) -> Callable[[], Any]:
    """By one alternation of all words, longest first."""
    texts = made_up(count, language).to_list()
    weights = {w.word: (-w.weight if w.code == NONE else w.weight) for w in words() if w.role == "class"}
    edge = r"\b" if language == "en" else ""
    pattern = re.compile(edge + "(" + "|".join(map(re.escape, sorted(weights, key=len, reverse=True))) + ")" + edge)
    return lambda: sum(sum(weights[found] for found in set(pattern.findall(text.lower()))) > 0 for text in texts)


def main(count: int) -> None:
    """Print what was measured."""
    for language, kind in (("en", "summary"), ("zh", "scope")):
        mine = cost(ours, count, language, kind)
        other = cost(peer, PEER_TEXTS, language)
        speed, peer_speed = count / mine.cpu, PEER_TEXTS / other.cpu
        print(
            f"{kind} ({language}, synthetic): {speed:,.0f} texts/s of processor time, {mine.peak_mb:.0f} MB peak; "
            f"plain regular expression {peer_speed:,.0f} texts/s; {speed / peer_speed:.0f} times as fast"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TEXTS)
